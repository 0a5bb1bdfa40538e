/* SPDX-License-Identifier: MIT */
/*
 * The console of a Xen guest: a page with a ring of bytes in each direction and an event channel.
 * Before it is known, and in a panic, text also goes to the hypervisor's own console, which shows
 * it where it is built or told to (a debug build, or guest_loglvl).
 *
 * Nothing here panics, and all of it works before events_init and after events_fini: a panic ends
 * with a flush, whatever is still up by then. Without a clock, waits are short and deadlines void.
 */
#ifndef PVBOOT_XEN_CONSOLE_H
#define PVBOOT_XEN_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/xen/xen.h"
#include <xen/io/console.h>

/* ring: the page that start_info names, mapped. NULL takes the console away again. */
void xen_console_init(struct xencons_interface *ring, evtchn_port_t port);

/*
 * Write text; \n becomes \r\n where no \r stands before it. Waits for room, but not for ever: when
 * nobody empties the ring for a second, the rest is dropped, and so is all further text until there
 * is room again. A boot must not hang because its console does.
 */
void xen_console_write(const char *text, size_t len);

/* Wait until the other side has taken everything, or until the deadline; true when it has. */
bool xen_console_flush(uint64_t deadline_ns);

/* The next byte (0..255), or -1 when none arrives before the deadline (0: do not wait). */
int xen_console_read(uint64_t deadline_ns);

/* For panics: to both consoles, without trusting anything else, bounded. */
void xen_console_panic_write(const char *text, size_t len);

#endif
