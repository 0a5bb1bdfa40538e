/* SPDX-License-Identifier: MIT */
/*
 * The folder of the state, before anything in it is touched.
 *
 * At its start the service removes disks and objects that state.db does not know. A state.db that
 * got lost knows none, so beside disks and objects there is no start without it.
 */
#ifndef PVBOOT_CLOUD_SERVICE_STATE_H
#define PVBOOT_CLOUD_SERVICE_STATE_H

#include <stdbool.h>

#include "host/xenhost/buf.h"

/* May the service start with its state in `dir`, which need not exist while it can be made? Leaves
 * nothing behind. False: `why` holds one sentence. */
bool state_check(const char *dir, struct buf *why);

#endif
