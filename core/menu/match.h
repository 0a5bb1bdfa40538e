/* SPDX-License-Identifier: MIT */
/* Candidates of a completion: the first ones by name, and what all have in common. */
#ifndef PVBOOT_MENU_MATCH_H
#define PVBOOT_MENU_MATCH_H

#include "core/menu/complete.h"

struct match {
    uint64_t ino; /* of a file */
    size_t len;
    char name[FS_NAME_MAX + 2]; /* terminated; room for a slash */
};

struct matches {
    struct arena *arena;
    const char *typed; /* the candidates begin with it */
    size_t typed_len;
    uint64_t nr; /* candidates seen */
    char common[FS_NAME_MAX];
    size_t common_len;
    uint32_t nr_listed;
    struct match *listed[COMPLETE_LIST_MAX]; /* sorted: the first ones of all */
    bool no_memory;                          /* for listed: some are missing */
};

void matches_init(struct matches *m, struct arena *a, const char *typed, size_t typed_len);

/* Take the name if it begins with what was typed. One of more than FS_NAME_MAX bytes is none. */
void matches_add(struct matches *m, const char *name, size_t len, uint64_t ino);

/* How many bytes from common[typed_len] on can be put into a line. */
size_t matches_insertable(const struct matches *m);

#endif
