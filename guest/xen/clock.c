/* SPDX-License-Identifier: MIT */
/*
 * Xen's time record: system time at some reading of the TSC, and the scale to go on from there.
 * Xen rewrites it now and then; the version is odd while it does (xen/xen.h, vcpu_time_info).
 */
#include "guest/xen/clock.h"

#include "guest/xen/hypercall.h"

static const struct vcpu_time_info *time_info;
static uint64_t last_ns;

void clock_init(const struct shared_info *shared)
{
    time_info = shared != NULL ? &shared->vcpu_info[0].time : NULL;
}

bool clock_ready(void)
{
    return time_info != NULL;
}

static uint64_t read_tsc(void)
{
    uint32_t lo, hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi)::"memory");
    return (uint64_t)hi << 32 | lo;
}

/* (ticks << shift) * mul >> 32, where the product may need 96 bits. */
static uint64_t scale_ticks(uint64_t ticks, int shift, uint32_t mul)
{
    if (shift >= 0)
        ticks <<= shift & 63;
    else
        ticks >>= -shift & 63;
    return (ticks >> 32) * mul + (((ticks & UINT32_MAX) * mul) >> 32);
}

uint64_t clock_ns(void)
{
    const struct vcpu_time_info *t = time_info;
    uint32_t version;
    uint64_t now_ns;

    if (t == NULL)
        return 0;

    /* Ends: Xen changes the record only while this vcpu does not run, or within microseconds. */
    do {
        uint64_t tsc, stamp;

        version = XEN_READ_ONCE(t->version);
        xen_barrier_compiler();
        tsc = read_tsc();
        stamp = t->tsc_timestamp;
        now_ns = t->system_time +
                 scale_ticks(tsc > stamp ? tsc - stamp : 0, t->tsc_shift, t->tsc_to_system_mul);
        xen_barrier_compiler();
    } while ((version & 1) != 0 || version != XEN_READ_ONCE(t->version));

    if (now_ns < last_ns)
        now_ns = last_ns;
    last_ns = now_ns;
    return now_ns;
}

void clock_sleep_until(uint64_t deadline_ns)
{
    /* A poll of no port at all ends at its deadline; if Xen refuses, time still passes. */
    while (clock_ready() && clock_ns() < deadline_ns) {
        if (hypercall_sched_poll(NULL, 0, deadline_ns) < 0 && hypercall_sched_yield() < 0)
            continue;
    }
}
