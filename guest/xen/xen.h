/* SPDX-License-Identifier: MIT */
/*
 * Xen's public headers, as this guest uses them: the only file that includes them, so the
 * interface version is chosen once. 0x00040d00 (Xen 4.13) only selects how the headers name
 * things; the hypervisor that runs us may be older, and what we call has existed since Xen 3.
 */
#ifndef PVBOOT_XEN_XEN_H
#define PVBOOT_XEN_XEN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define __XEN_INTERFACE_VERSION__ 0x00040d00

#include <xen/xen.h>
#include <xen/event_channel.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/sched.h>
#include <xen/version.h>

/* The other side of a ring is another processor, and Xen promises no more than x86 does: stores
 * are seen in order, loads are done in order, but a load may pass an earlier store. */
static inline void xen_barrier_full(void)
{
    __sync_synchronize();
}

static inline void xen_barrier_compiler(void)
{
    __asm__ volatile("" ::: "memory");
}

/* Shared memory is read once into a local and judged there. */
#define XEN_READ_ONCE(x)     (*(const volatile __typeof__(x) *)&(x))
#define XEN_WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

#endif
