/* SPDX-License-Identifier: MIT */
/*
 * Every hypercall that this guest makes, as a typed inline. Nothing else enters the hypervisor.
 *
 * A result below zero is a negated Xen error number (xen/errno.h); it must be looked at, and
 * hypercall_err makes an error of it. Numbers and argument structures: Xen's public headers.
 */
#ifndef PVBOOT_XEN_HYPERCALL_H
#define PVBOOT_XEN_HYPERCALL_H

#include "core/base/err.h"
#include "guest/xen/xen.h"

#if defined(__x86_64__)
#include "guest/xen/hypercall_x86_64.h"
#else
#include "guest/xen/hypercall_i386.h"
#endif

/* The end of a message about a failed hypercall: its number, and Xen's error without its sign. */
#define HYPERCALL_FAILED " (hypercall %a: Xen's error %b)"

/* `what` is static text that ends in HYPERCALL_FAILED: "closing a port failed" HYPERCALL_FAILED. */
static inline struct err hypercall_err(unsigned nr, long rc, const char *what)
{
    uint64_t code = rc < 0 ? 0 - (uint64_t)rc : (uint64_t)rc;

    return rc < 0 ? ERR2(ERR_HYPERCALL, what, nr, code) : OK;
}

/* ---- processor ------------------------------------------------------------------------------- */

/* Ends with an entry whose address is 0. NULL: no trap table at all. */
static inline MUST_CHECK long hypercall_set_trap_table(const struct trap_info *traps)
{
    return hypercall1(__HYPERVISOR_set_trap_table, (unsigned long)traps);
}

/* The stack for traps that come out of user mode. */
static inline MUST_CHECK long hypercall_stack_switch(unsigned long ss, unsigned long sp)
{
    return hypercall2(__HYPERVISOR_stack_switch, ss, sp);
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* done (may be NULL): how many requests were carried out. foreign_dom: DOMID_SELF. */
static inline MUST_CHECK long hypercall_mmu_update(const struct mmu_update *reqs, unsigned count,
                                                   unsigned *done, unsigned foreign_dom)
{
    return hypercall4(__HYPERVISOR_mmu_update, (unsigned long)reqs, count, (unsigned long)done,
                      foreign_dom);
}

static inline MUST_CHECK long hypercall_mmuext_op(const struct mmuext_op *ops, unsigned count,
                                                  unsigned *done, unsigned foreign_dom)
{
    return hypercall4(__HYPERVISOR_mmuext_op, (unsigned long)ops, count, (unsigned long)done,
                      foreign_dom);
}

/* ---- the hypervisor and its services --------------------------------------------------------- */

/* cmd: XENVER_*. XENVER_version gives major << 16 | minor. */
static inline MUST_CHECK long hypercall_xen_version(unsigned cmd, void *arg)
{
    return hypercall2(__HYPERVISOR_xen_version, cmd, (unsigned long)arg);
}

/* cmd: CONSOLEIO_write. A hypervisor without debugging ignores a guest's text (or refuses it). */
static inline MUST_CHECK long hypercall_console_io(unsigned cmd, unsigned nr_bytes, char *text)
{
    return hypercall3(__HYPERVISOR_console_io, cmd, nr_bytes, (unsigned long)text);
}

static inline MUST_CHECK long hypercall_sched_op(unsigned cmd, void *arg)
{
    return hypercall2(__HYPERVISOR_sched_op, cmd, (unsigned long)arg);
}

static inline MUST_CHECK long hypercall_event_channel_op(unsigned cmd, void *arg)
{
    return hypercall2(__HYPERVISOR_event_channel_op, cmd, (unsigned long)arg);
}

static inline MUST_CHECK long hypercall_grant_table_op(unsigned cmd, void *ops, unsigned count)
{
    return hypercall3(__HYPERVISOR_grant_table_op, cmd, (unsigned long)ops, count);
}

/* ---- scheduling, by name --------------------------------------------------------------------- */

static inline MUST_CHECK long hypercall_sched_yield(void)
{
    return hypercall_sched_op(SCHEDOP_yield, NULL);
}

static inline MUST_CHECK long hypercall_sched_block(void)
{
    return hypercall_sched_op(SCHEDOP_block, NULL);
}

/*
 * Sleep until one of the ports is pending or the system time has come (0: no deadline). Returns at
 * once when one is pending already. Works with upcalls masked, which is why we wait this way.
 */
static inline MUST_CHECK long hypercall_sched_poll(evtchn_port_t *ports, unsigned nr_ports,
                                                   uint64_t deadline_ns)
{
    struct sched_poll poll = {.nr_ports = nr_ports, .timeout = deadline_ns};

    set_xen_guest_handle(poll.ports, ports);
    return hypercall_sched_op(SCHEDOP_poll, &poll);
}

/* reason: SHUTDOWN_*. Returns only when the hypervisor refused. */
static inline MUST_CHECK long hypercall_sched_shutdown(unsigned reason)
{
    struct sched_shutdown shutdown = {.reason = reason};

    return hypercall_sched_op(SCHEDOP_shutdown, &shutdown);
}

#endif
