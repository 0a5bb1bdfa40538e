/* SPDX-License-Identifier: MIT */
/*
 * Traps. None is expected: each prints its name, the registers and a piece of the stack, and stops
 * the domain with reason crash.
 */
#include "core/base/text.h"
#include "guest/panic.h"
#include "guest/print.h"
#include "guest/pv/pv.h"

struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector, error_code;
    uint64_t rip, cs, rflags, rsp, ss;
};

_Noreturn void trap_report(const struct trap_frame *f);

#define TRAPS(X)                                                                                   \
    X(0, "divide error")                                                                           \
    X(1, "debug exception")                                                                        \
    X(2, "non-maskable interrupt")                                                                 \
    X(3, "breakpoint")                                                                             \
    X(4, "overflow")                                                                               \
    X(5, "bound range exceeded")                                                                   \
    X(6, "invalid opcode")                                                                         \
    X(7, "no FPU")                                                                                 \
    X(10, "invalid TSS")                                                                           \
    X(11, "segment not present")                                                                   \
    X(12, "stack fault")                                                                           \
    X(13, "general protection fault")                                                              \
    X(14, "page fault")                                                                            \
    X(16, "FPU error")                                                                             \
    X(17, "alignment check")                                                                       \
    X(18, "machine check")                                                                         \
    X(19, "SIMD error")

#define DECLARE(n, text) extern char trap_##n[];
TRAPS(DECLARE)

static const char *trap_name(uint64_t vector)
{
    switch (vector) {
#define NAME(n, text)                                                                              \
    case n:                                                                                        \
        return text;
        TRAPS(NAME)
    }
    return "unknown trap";
}

/* The address of a page fault; traps before the shared info page is mapped do not have it. */
static uint64_t fault_address(void)
{
    return pv_shared_info() != NULL ? pv_shared_info()->vcpu_info[0].arch.cr2 : 0;
}

static void print_pair(const char *a, uint64_t va, const char *b, uint64_t vb)
{
    char line[96];
    struct text t = text_on(line, sizeof(line));

    text_str(&t, "  ");
    text_str(&t, a);
    text_hex(&t, va);
    text_str(&t, "  ");
    text_str(&t, b);
    text_hex(&t, vb);
    print_line(line);
}

_Noreturn void trap_report(const struct trap_frame *f)
{
    static bool again;

    if (again)
        guest_panic("a trap while a trap was reported", f->vector, f->rip);
    again = true;
    print_str("pvboot: trap: ");
    print_line(trap_name(f->vector));
    print_pair("rip ", f->rip, "error code ", f->error_code);
    print_pair("rsp ", f->rsp, "rflags ", f->rflags);
    print_pair("rax ", f->rax, "rbx ", f->rbx);
    print_pair("rcx ", f->rcx, "rdx ", f->rdx);
    print_pair("rsi ", f->rsi, "rdi ", f->rdi);
    print_pair("rbp ", f->rbp, "r8  ", f->r8);
    print_pair("r9  ", f->r9, "r10 ", f->r10);
    print_pair("r11 ", f->r11, "r12 ", f->r12);
    print_pair("r13 ", f->r13, "r14 ", f->r14);
    print_pair("r15 ", f->r15, "cr2 ", fault_address());
    /* The stack may be what is broken: only its own page. */
    uint64_t end = (f->rsp | (PAGE_BYTES - 1)) + 1;

    for (uint64_t sp = f->rsp & ~(uint64_t)7; sp + 16 <= end && sp < f->rsp + 128; sp += 16)
        print_pair("stack ", ((const uint64_t *)sp)[0], "", ((const uint64_t *)sp)[1]);
    guest_panic(trap_name(f->vector), f->rip, fault_address());
}

void traps_init(void)
{
/* Flag 4: with upcalls masked, as they always are here. */
#define ENTRY(n, text)                                                                             \
    {.vector = n, .flags = 4, .cs = FLAT_KERNEL_CS, .address = (unsigned long)trap_##n},
    static struct trap_info table[] = {TRAPS(ENTRY){0}};
    long rc = hypercall_set_trap_table(table);

    if (rc != 0)
        guest_panic("installing the trap handlers failed", (uint64_t)-rc, 0);
}

void traps_remove(void)
{
    long rc = hypercall_set_trap_table(NULL);

    if (rc != 0)
        guest_panic("removing the trap handlers failed", (uint64_t)-rc, 0);
}
