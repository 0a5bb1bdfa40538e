/* SPDX-License-Identifier: MIT */
/*
 * What the archives of the libraries ask for and never reach: their default allocators (core/unpack
 * gives each of them the arena), libbz2's file functions, assertions, and Mbed TLS's tests of
 * itself. One that is reached nevertheless is a bug of ours, and says its name.
 *
 * The declarations stand here because the C library's headers describe other objects than these.
 */
#include <stddef.h>

#include "guest/panic.h"

#define UNREACHABLE(name)                                                                          \
    void name(void);                                                                               \
    void name(void)                                                                                \
    {                                                                                              \
        guest_panic("a library called " #name, (uintptr_t)__builtin_return_address(0), 0);         \
    }

UNREACHABLE(calloc)
UNREACHABLE(exit)
UNREACHABLE(malloc)
UNREACHABLE(__ctype_b_loc)
UNREACHABLE(__fprintf_chk)
UNREACHABLE(__printf_chk)
UNREACHABLE(fclose)
UNREACHABLE(fdopen)
UNREACHABLE(ferror)
UNREACHABLE(fflush)
UNREACHABLE(fgetc)
UNREACHABLE(fopen64)
UNREACHABLE(fputc)
UNREACHABLE(fread)
UNREACHABLE(fwrite)
UNREACHABLE(gmtime_r)
UNREACHABLE(putchar)
UNREACHABLE(puts)
UNREACHABLE(ungetc)

/* Libraries free what they never allocated too. */
void free(void *p);
void free(void *p)
{
    if (p != NULL)
        guest_panic("a library called free", (uintptr_t)p, 0);
}

void *stderr, *stdin, *stdout;

/* Debian builds its archives with stack protection; the canary lies where guest/pv puts it. */
_Noreturn void __stack_chk_fail(void);
_Noreturn void __stack_chk_fail(void)
{
    guest_panic("a library overran its stack", (uintptr_t)__builtin_return_address(0), 0);
}

#ifdef __i386__
_Noreturn void __stack_chk_fail_local(void);
_Noreturn void __stack_chk_fail_local(void)
{
    __stack_chk_fail();
}
#endif
