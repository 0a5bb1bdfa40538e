/* SPDX-License-Identifier: MIT */
/*
 * Event channels without interrupts. Every port stays masked, so that Xen records an event as a
 * pending bit in the shared info page and does nothing else; waiting is SCHEDOP_poll.
 *
 * The pattern that loses no event: clear the pending bit, look whether what is waited for has
 * happened, and only if not, events_wait.
 */
#ifndef PVBOOT_XEN_EVENTS_H
#define PVBOOT_XEN_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/err.h"
#include "guest/xen/xen.h"

#define EVENTS_WAIT_MAX 128 /* ports in one wait: Xen's limit for SCHEDOP_poll */

/*
 * Mask everything. From here to events_fini pending bits can be looked at; before and after, taking
 * and waiting are bugs, and panic.
 */
void events_init(struct shared_info *shared);

/*
 * Put the mask back as the domain builder left it. The pending bits of our own ports were cleared
 * as these were closed; those of the toolstack's ports, console and xenstore, stay as they are: an
 * event too many means nothing to the next kernel, one too few could.
 */
void events_fini(void);

/* Is this the time between the two? */
bool events_ready(void);

/* A port that `remote` may bind to. Entered in the ledger until events_close. */
MUST_CHECK struct err events_alloc(domid_t remote, evtchn_port_t *port);
/* Also clears the pending bit: no event can follow. */
MUST_CHECK struct err events_close(evtchn_port_t port);

MUST_CHECK struct err events_notify(evtchn_port_t port);

/* Clear the pending bit; was it set? */
bool events_take(evtchn_port_t port);

/*
 * Sleep until one of the ports is pending (OK) or the time has come (ERR_TIMEOUT, also when one is
 * pending: then a flood of events does not hold up the deadline). So after a timeout, look once
 * more whether what was waited for has happened. At most EVENTS_WAIT_MAX ports.
 */
MUST_CHECK struct err events_wait(evtchn_port_t *ports, unsigned nr_ports, uint64_t deadline_ns);

#endif
