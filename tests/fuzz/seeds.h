/* SPDX-License-Identifier: MIT */
/*
 * Starting points for a harness: made by the formats' tools when it starts, into the corpus folder
 * that libFuzzer was given, so that no binary lies in the repository.
 */
#ifndef PVBOOT_FUZZ_SEEDS_H
#define PVBOOT_FUZZ_SEEDS_H

#include <stdio.h>

#include "tests/unit/packed.h"

/* The corpus folder: the last argument if it is no option; NULL without one. */
static inline const char *seed_folder(int argc, char **argv)
{
    return argc > 1 && argv[argc - 1][0] != '-' ? argv[argc - 1] : NULL;
}

/* Write head and then body as the seed of that number; never over one that is there. */
static inline void seed(const char *folder, unsigned number, struct bytes head, struct bytes body)
{
    char path[4096];

    if (folder == NULL)
        return;
    snprintf(path, sizeof(path), "%s/seed-%u", folder, number);
    FILE *f = fopen(path, "wbx");

    if (f == NULL)
        return;
    fwrite(head.data, 1, head.len, f);
    fwrite(body.data, 1, body.len, f);
    fclose(f);
}

#endif
