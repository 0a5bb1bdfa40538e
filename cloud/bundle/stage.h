/* SPDX-License-Identifier: MIT */
/* Between stage.c, which covers what is not to be in the image, and filter.c, which looks for it.
 */
#ifndef PVBOOT_CLOUD_BUNDLE_STAGE_H
#define PVBOOT_CLOUD_BUNDLE_STAGE_H

#include "cloud/bundle/volume.h"

struct staging {
    struct volume *v;
    const char *at;    /* where it is staged */
    const char *empty; /* an empty file */
    int root_fd;
    char *why;
    size_t why_cap;
};

/* A file or folder of the staged volume; links in its path lead to places in the volume. */
int stage_open(const struct staging *s, const char *path, unsigned flags);

/* Make a folder look empty. Not there: *there is false, and nothing was done. */
bool stage_cover(struct staging *s, const char *path, bool *there);

/* Leave a file out, or a folder with all in it: empty it here, and let it lose its name later. */
bool stage_remove(struct staging *s, const char *path);

/* Has the path of --exclude a *, ? or [? */
bool filter_is_pattern(const char *path);

/* Leave out what --exclude's patterns name, and what may be secret. */
bool filter_files(struct staging *s);

#endif
