/* SPDX-License-Identifier: MIT */
/* What is wrong with a configuration whose lines are good each; for config.c alone. */
#ifndef PVBOOT_CLOUD_SERVICE_CONFIG_CHECK_H
#define PVBOOT_CLOUD_SERVICE_CONFIG_CHECK_H

#include "cloud/service/config.h"

/*
 * Add to `why` a sentence for each mistake, one a line; `path` is the file's. With `whole` false
 * some lines were refused: then what is missing is not told, for it may stand in them.
 */
void config_check(const struct config *c, const char *path, bool whole, struct buf *why);

/* A secret lies in a file of its own, which must not be public. False: `why` holds one sentence. */
bool config_check_private(int fd, const char *path, struct buf *why);

#endif
