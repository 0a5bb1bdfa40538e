/* SPDX-License-Identifier: MIT */
/*
 * For functions of this folder: without the optimisation that would turn their loops into calls of
 * themselves.
 */
#ifndef PVBOOT_LIBC_NO_IDIOM_H
#define PVBOOT_LIBC_NO_IDIOM_H

#ifdef __clang__
#define NO_IDIOM __attribute__((no_builtin("memcpy", "memmove", "memset", "strlen")))
#else
#define NO_IDIOM __attribute__((optimize("no-tree-loop-distribute-patterns")))
#endif

#endif
