/* SPDX-License-Identifier: MIT */
/* The story: everything is looked at, whatever was wrong before; then the result. */
#include "tests/guest/kernel/kernel.h"

struct entry_regs entry_regs __attribute__((section(".data")));
uint16_t entry_selectors[5] __attribute__((section(".data")));
const struct start_info *si;
struct mapping mapping;

_Noreturn void kernel_main(const struct start_info *start);
_Noreturn void trap_seen(const unsigned long *stack);

#define TRAPS(X)                                                                                   \
    X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(10) X(11) X(12) X(13) X(14) X(16) X(17) X(18) X(19)

#define DECLARE(n) extern char trap_##n[];
TRAPS(DECLARE)

/* stack: the vector, (64 bit: rcx, r11), maybe an error code, the instruction pointer, ... */
_Noreturn void trap_seen(const unsigned long *stack)
{
    static bool again;

    if (again)
        stop(SHUTDOWN_crash);
    again = true;
    say("wrong", "trap ", stack[0]);
    for (unsigned i = 1; i < 6; i++)
        say("wrong", "stack ", stack[i]);
    say("result", "fail", 0);
    stop(SHUTDOWN_crash);
}

static void take_traps(void)
{
#define ENTRY(n)                                                                                   \
    {.vector = n, .flags = 4, .cs = FLAT_KERNEL_CS, .address = (unsigned long)trap_##n},
    static struct trap_info table[] = {TRAPS(ENTRY){0}};

    expect("result of set_trap_table", (uint64_t)hypercall_set_trap_table(table), 0);
}

_Noreturn void kernel_main(const struct start_info *start)
{
    si = start;
    report_init();
    say("kernel", KERNEL_LINUX ? "linux, bits " : "plain, bits ", KERNEL_WIDTH);
    take_traps();
    check_registers();
    check_start_info();
    check_tables();
    check_layout();
    check_initrd();
    check_symbols();
    check_left_over();
    check_pages();
    say("pages", "", si->nr_pages);
    say("nr-wrong", "", nr_wrong());
    say("result", nr_wrong() == 0 ? "pass" : "fail", 0);
    stop(SHUTDOWN_poweroff);
}
