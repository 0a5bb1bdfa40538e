/* SPDX-License-Identifier: MIT */
/*
 * Traps. None is expected: each prints its name, the registers and a piece of the stack, and stops
 * the domain with reason crash.
 */
#include "core/base/text.h"
#include "guest/panic.h"
#include "guest/print.h"
#include "guest/pv/pv.h"

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
        guest_panic("a trap while a trap was reported", f->vector, trap_ip(f));
    again = true;
    print_str("pvboot: trap: ");
    print_line(trap_name(f->vector));
#define PRINT(a, first, b, second) print_pair(a, f->first, b, f->second);
    ARCH_REGISTERS(PRINT)
    print_pair("sp  ", trap_sp(f), "cr2 ", fault_address());
    /* The stack may be what is broken: only its own page. */
    const size_t word = sizeof(unsigned long);
    unsigned long left = PAGE_BYTES - trap_sp(f) % PAGE_BYTES;
    const unsigned long *stack = (const unsigned long *)(trap_sp(f) & ~(word - 1));

    for (size_t i = 0; i + 2 <= 16 && (i + 2) * word <= left; i += 2)
        print_pair("stack ", stack[i], "", stack[i + 1]);
    guest_panic(trap_name(f->vector), trap_ip(f), fault_address());
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
