/* SPDX-License-Identifier: MIT */
/*
 * How a 32-bit guest enters the hypervisor, and the hypercalls whose arguments depend on the width.
 * Only hypercall.h includes this; hypercall_x86_64.h has the same shape.
 *
 * The hypercall page holds 32 bytes of code for each hypercall. Xen fills it before the first
 * instruction runs (ELF note HYPERCALL_PAGE), entry.S provides the room. Arguments in ebx, ecx,
 * edx, esi, edi, the result in eax; argument registers may be changed (xen/arch-x86/xen-x86_32.h).
 */
#ifndef PVBOOT_XEN_HYPERCALL_I386_H
#define PVBOOT_XEN_HYPERCALL_I386_H

#include "core/base/err.h"
#include "guest/xen/xen.h"

extern char hypercall_page[];

#define HYPERCALL_ENTRY_BYTES 32

static inline MUST_CHECK long hypercall4(unsigned nr, unsigned long a1, unsigned long a2,
                                         unsigned long a3, unsigned long a4)
{
    unsigned long eax = (unsigned long)hypercall_page + nr * HYPERCALL_ENTRY_BYTES;

    __asm__ volatile("call *%%eax"
                     : "+a"(eax), "+b"(a1), "+c"(a2), "+d"(a3), "+S"(a4)
                     :
                     : "memory", "cc");
    return (long)eax;
}

static inline MUST_CHECK long hypercall3(unsigned nr, unsigned long a1, unsigned long a2,
                                         unsigned long a3)
{
    unsigned long eax = (unsigned long)hypercall_page + nr * HYPERCALL_ENTRY_BYTES;

    __asm__ volatile("call *%%eax" : "+a"(eax), "+b"(a1), "+c"(a2), "+d"(a3) : : "memory", "cc");
    return (long)eax;
}

static inline MUST_CHECK long hypercall2(unsigned nr, unsigned long a1, unsigned long a2)
{
    unsigned long eax = (unsigned long)hypercall_page + nr * HYPERCALL_ENTRY_BYTES;

    __asm__ volatile("call *%%eax" : "+a"(eax), "+b"(a1), "+c"(a2) : : "memory", "cc");
    return (long)eax;
}

static inline MUST_CHECK long hypercall1(unsigned nr, unsigned long a1)
{
    unsigned long eax = (unsigned long)hypercall_page + nr * HYPERCALL_ENTRY_BYTES;

    __asm__ volatile("call *%%eax" : "+a"(eax), "+b"(a1) : : "memory", "cc");
    return (long)eax;
}

/* Write the level-1 entry that maps va; flags are UVMF_*. */
static inline MUST_CHECK long hypercall_update_va_mapping(unsigned long va, uint64_t pte,
                                                          unsigned long flags)
{
    return hypercall4(__HYPERVISOR_update_va_mapping, va, (uint32_t)pte, (uint32_t)(pte >> 32),
                      flags);
}

/* The frames of a descriptor table of so many entries; 0 entries: none but Xen's own. */
static inline MUST_CHECK long hypercall_set_gdt(const unsigned long *frames, unsigned nr_entries)
{
    return hypercall2(__HYPERVISOR_set_gdt, (unsigned long)frames, nr_entries);
}

/* cmd: VMASST_CMD_*, type: VMASST_TYPE_*. */
static inline MUST_CHECK long hypercall_vm_assist(unsigned cmd, unsigned type)
{
    return hypercall2(__HYPERVISOR_vm_assist, cmd, type);
}

#endif
