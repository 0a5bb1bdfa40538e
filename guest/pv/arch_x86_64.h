/* SPDX-License-Identifier: MIT */
/* 64-bit PV: 4-level page tables, and the frame that entry-x86_64.S makes. See arch.h. */
#ifndef PVBOOT_PV_ARCH_X86_64_H
#define PVBOOT_PV_ARCH_X86_64_H

#include <stdint.h>

#define ARCH_WIDTH      IMAGE_64
#define ARCH_NAME       "x86_64"
#define ARCH_MODE       "64-bit PV"
#define ARCH_LEVELS     4
#define ARCH_PIN_TOP    MMUEXT_PIN_L4_TABLE
#define ARCH_MAX_TABLES 4096 /* that mm.c makes: 8 GiB of mappings */

/* Where mm.c maps memory: slot 32 of level 4, which the initial mapping leaves empty. */
#define ARCH_MM_BASE ((uint64_t)32 << 39)
#define ARCH_MM_END  ((uint64_t)33 << 39)

struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector, error_code;
    uint64_t rip, cs, rflags, rsp, ss;
};

/* The registers as a report shows them, two a line. */
#define ARCH_REGISTERS(X)                                                                          \
    X("rip ", rip, "error code ", error_code)                                                      \
    X("rsp ", rsp, "rflags ", rflags)                                                              \
    X("rax ", rax, "rbx ", rbx)                                                                    \
    X("rcx ", rcx, "rdx ", rdx)                                                                    \
    X("rsi ", rsi, "rdi ", rdi)                                                                    \
    X("rbp ", rbp, "r8  ", r8)                                                                     \
    X("r9  ", r9, "r10 ", r10)                                                                     \
    X("r11 ", r11, "r12 ", r12)                                                                    \
    X("r13 ", r13, "r14 ", r14)                                                                    \
    X("r15 ", r15, "cs  ", cs)

static inline unsigned long trap_ip(const struct trap_frame *f)
{
    return f->rip;
}

static inline unsigned long trap_sp(const struct trap_frame *f)
{
    return f->rsp;
}

#endif
