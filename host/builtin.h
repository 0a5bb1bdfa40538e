/* SPDX-License-Identifier: MIT */
/*
 * What is built in: the same sources make the guest images, so this is what a guest of this version
 * can read.
 */
#ifndef PVBOOT_HOST_BUILTIN_H
#define PVBOOT_HOST_BUILTIN_H

#include <stdint.h>

struct built_in {
    const char *key;                 /* "file_systems", ... */
    const char *(*name)(uint32_t n); /* their names in turn; NULL past the last one */
};

/* Ended by a key of NULL. */
extern const struct built_in built_in[];

#endif
