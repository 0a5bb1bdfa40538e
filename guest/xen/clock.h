/* SPDX-License-Identifier: MIT */
/*
 * The clock: nanoseconds since the hypervisor started, from the time record that Xen keeps for
 * every vcpu in the shared info page. It is the scale of all deadlines here, and the one that
 * SCHEDOP_poll understands, so a deadline is clock_ns() plus a duration.
 */
#ifndef PVBOOT_XEN_CLOCK_H
#define PVBOOT_XEN_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/xen/xen.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

/* NULL takes the clock away again (before the page is unmapped). */
void clock_init(const struct shared_info *shared);

/* Before clock_init there is no time: clock_ns() is 0 and nobody may wait. */
bool clock_ready(void);

/* Never goes backwards. */
uint64_t clock_ns(void);

/* Sleep. */
void clock_sleep_until(uint64_t deadline_ns);

#endif
