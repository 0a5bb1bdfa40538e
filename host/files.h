/* SPDX-License-Identifier: MIT */
/* What `pvboot ls` and `pvboot cat` share: statuses and the walk through a tree. */
#ifndef PVBOOT_HOST_FILES_H
#define PVBOOT_HOST_FILES_H

#include <stdio.h>

#include "host/machine.h"

#define EXIT_FILES_ERROR 2 /* EXIT_OK and EXIT_USAGE are in cmd.h */

struct ls_options {
    bool details, recursive, json, sha256, verbose;
    const char *images[MACHINE_DISKS_MAX];
    uint32_t nr_images;
    uint32_t sector_bytes;
    const char *path;
};

/* Before the fence: what the listing's libraries read once, the time zone and OpenSSL's settings.
 */
void list_prepare(void);

/* List what `node` at `path` is, or holds. False: something could not be read, and that was said.
 */
bool list_tree(struct machine *m, const struct ls_options *o, struct vol_id vol, struct fs *fs,
               const char *path, struct node *node);

/* Pass a file's content to fn, in pieces. */
struct err each_piece(struct file *f, void (*fn)(void *ctx, const uint8_t *data, size_t len),
                      void *ctx);

#endif
