/* SPDX-License-Identifier: MIT */
/*
 * The end of the road for our own bugs and for traps: say why, then shut the domain down with
 * reason crash, so that the toolstack and a cloud see it. Never for bad input.
 */
#ifndef PVBOOT_GUEST_PANIC_H
#define PVBOOT_GUEST_PANIC_H

#include <stdint.h>

/*
 * "pvboot: panic: <what> (0x<a>, 0x<b>)" to the hypervisor's console and the guest's, behind it the
 * line for programs, then crash.
 */
_Noreturn void guest_panic(const char *what, uint64_t a, uint64_t b);

/* Shut the domain down; reason is one of SHUTDOWN_* of xen/sched.h. Flushes the console first. */
_Noreturn void guest_shutdown(unsigned reason);

#endif
