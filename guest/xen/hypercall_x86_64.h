/* SPDX-License-Identifier: MIT */
/*
 * How a 64-bit guest enters the hypervisor, and the hypercalls whose arguments depend on the width.
 * Only hypercall.h includes this; hypercall_i386.h has the same shape.
 *
 * The hypercall page holds 32 bytes of code for each hypercall. Xen fills it before the first
 * instruction runs (ELF note HYPERCALL_PAGE), entry.S provides the room. Arguments in rdi, rsi,
 * rdx, r10, r8, the result in rax; argument registers may be changed (xen/arch-x86/xen-x86_64.h).
 */
#ifndef PVBOOT_XEN_HYPERCALL_X86_64_H
#define PVBOOT_XEN_HYPERCALL_X86_64_H

#include "core/base/err.h"
#include "guest/xen/xen.h"

extern char hypercall_page[];

#define HYPERCALL_ENTRY_BYTES 32

static inline MUST_CHECK long hypercall4(unsigned nr, unsigned long a1, unsigned long a2,
                                         unsigned long a3, unsigned long a4)
{
    unsigned long rax = (unsigned long)hypercall_page + (unsigned long)nr * HYPERCALL_ENTRY_BYTES;
    register unsigned long r10 __asm__("r10") = a4;

    __asm__ volatile("call *%%rax"
                     : "+a"(rax), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10)
                     :
                     : "rcx", "r11", "memory", "cc");
    return (long)rax;
}

static inline MUST_CHECK long hypercall3(unsigned nr, unsigned long a1, unsigned long a2,
                                         unsigned long a3)
{
    unsigned long rax = (unsigned long)hypercall_page + (unsigned long)nr * HYPERCALL_ENTRY_BYTES;

    __asm__ volatile("call *%%rax"
                     : "+a"(rax), "+D"(a1), "+S"(a2), "+d"(a3)
                     :
                     : "rcx", "r11", "memory", "cc");
    return (long)rax;
}

static inline MUST_CHECK long hypercall2(unsigned nr, unsigned long a1, unsigned long a2)
{
    unsigned long rax = (unsigned long)hypercall_page + (unsigned long)nr * HYPERCALL_ENTRY_BYTES;

    __asm__ volatile("call *%%rax"
                     : "+a"(rax), "+D"(a1), "+S"(a2)
                     :
                     : "rcx", "r11", "memory", "cc");
    return (long)rax;
}

static inline MUST_CHECK long hypercall1(unsigned nr, unsigned long a1)
{
    unsigned long rax = (unsigned long)hypercall_page + (unsigned long)nr * HYPERCALL_ENTRY_BYTES;

    __asm__ volatile("call *%%rax" : "+a"(rax), "+D"(a1) : : "rcx", "r11", "memory", "cc");
    return (long)rax;
}

/* Event delivery, faults in guest segments, and syscalls from user mode (never used: 0). */
static inline MUST_CHECK long hypercall_set_callbacks(unsigned long event, unsigned long failsafe,
                                                      unsigned long syscall)
{
    return hypercall3(__HYPERVISOR_set_callbacks, event, failsafe, syscall);
}

/* Write the level-1 entry that maps va; flags are UVMF_*. */
static inline MUST_CHECK long hypercall_update_va_mapping(unsigned long va, uint64_t pte,
                                                          unsigned long flags)
{
    return hypercall3(__HYPERVISOR_update_va_mapping, va, pte, flags);
}

/* which: SEGBASE_FS, SEGBASE_GS_USER, SEGBASE_GS_KERNEL, SEGBASE_GS_USER_SEL. */
static inline MUST_CHECK long hypercall_set_segment_base(unsigned which, unsigned long base)
{
    return hypercall2(__HYPERVISOR_set_segment_base, which, base);
}

#endif
