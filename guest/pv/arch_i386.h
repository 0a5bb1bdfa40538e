/* SPDX-License-Identifier: MIT */
/* 32-bit PV: PAE page tables, and the frame that entry-i386.S makes. See arch.h. */
#ifndef PVBOOT_PV_ARCH_I386_H
#define PVBOOT_PV_ARCH_I386_H

#include <stdint.h>

#define ARCH_WIDTH      IMAGE_32
#define ARCH_NAME       "i386"
#define ARCH_MODE       "32-bit PV"
#define ARCH_LEVELS     3
#define ARCH_PIN_TOP    MMUEXT_PIN_L3_TABLE
#define ARCH_MAX_TABLES 1024 /* that mm.c makes: more than its addresses */

/*
 * Where mm.c maps memory. Kernels lie at the bottom of the address space (mini-OS and its kind) or
 * from 2 GiB upwards; the image itself lies at 0x70000000.
 */
#define ARCH_MM_BASE ((uint64_t)0x10000000)
#define ARCH_MM_END  ((uint64_t)0x70000000)

/* Traps come from the kernel's own ring, so the processor does not save the stack pointer. */
struct trap_frame {
    uint32_t edi, esi, ebp, esp_of_pusha, ebx, edx, ecx, eax;
    uint32_t vector, error_code;
    uint32_t eip, cs, eflags;
};

/* The registers as a report shows them, two a line. */
#define ARCH_REGISTERS(X)                                                                          \
    X("eip ", eip, "error code ", error_code)                                                      \
    X("eax ", eax, "ebx ", ebx)                                                                    \
    X("ecx ", ecx, "edx ", edx)                                                                    \
    X("esi ", esi, "edi ", edi)                                                                    \
    X("ebp ", ebp, "eflags ", eflags)

static inline unsigned long trap_ip(const struct trap_frame *f)
{
    return f->eip;
}

static inline unsigned long trap_sp(const struct trap_frame *f)
{
    return (unsigned long)(f + 1);
}

#endif
