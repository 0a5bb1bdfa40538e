/* SPDX-License-Identifier: MIT */
/* Event channels by pending bits and polling. Contract in events.h, ABI: xen/event_channel.h. */
#include "guest/xen/events.h"

#include "core/base/bytes.h"
#include "guest/panic.h"
#include "guest/xen/clock.h"
#include "guest/xen/hypercall.h"
#include "guest/xen/ledger.h"

#define WORD_BITS (sizeof(xen_ulong_t) * 8)
#define NR_WORDS  ARRAY_LEN(((struct shared_info *)NULL)->evtchn_mask)

static struct shared_info *shared_page;
static xen_ulong_t builders_mask[NR_WORDS];

void events_init(struct shared_info *shared)
{
    shared_page = shared;
    for (size_t i = 0; i < NR_WORDS; i++) {
        builders_mask[i] = shared->evtchn_mask[i];
        shared->evtchn_mask[i] = ~(xen_ulong_t)0;
    }
}

void events_fini(void)
{
    for (size_t i = 0; i < NR_WORDS; i++)
        shared_page->evtchn_mask[i] = builders_mask[i];
    shared_page = NULL;
}

bool events_ready(void)
{
    return shared_page != NULL;
}

struct err events_alloc(domid_t remote, evtchn_port_t *port)
{
    struct evtchn_alloc_unbound op = {.dom = DOMID_SELF, .remote_dom = remote};
    long rc = hypercall_event_channel_op(EVTCHNOP_alloc_unbound, &op);

    TRY(hypercall_err(__HYPERVISOR_event_channel_op, rc,
                      "opening an event channel failed" HYPERCALL_FAILED));
    if (op.port >= NR_WORDS * WORD_BITS)
        guest_panic("an event channel beyond the two-level table", op.port, remote);
    ledger_take(LEDGER_EVENT_CHANNEL, 1);
    events_take(op.port);
    *port = op.port;
    return OK;
}

struct err events_close(evtchn_port_t port)
{
    struct evtchn_close op = {.port = port};
    long rc = hypercall_event_channel_op(EVTCHNOP_close, &op);

    TRY(hypercall_err(__HYPERVISOR_event_channel_op, rc,
                      "closing an event channel failed" HYPERCALL_FAILED));
    ledger_release(LEDGER_EVENT_CHANNEL, 1);
    events_take(port);
    return OK;
}

struct err events_notify(evtchn_port_t port)
{
    struct evtchn_send op = {.port = port};
    long rc = hypercall_event_channel_op(EVTCHNOP_send, &op);

    return hypercall_err(__HYPERVISOR_event_channel_op, rc,
                         "notifying through an event channel failed" HYPERCALL_FAILED);
}

static xen_ulong_t *pending_word(evtchn_port_t port, xen_ulong_t *bit)
{
    if (shared_page == NULL || port >= NR_WORDS * WORD_BITS)
        guest_panic("an event channel was used that cannot exist", port, 0);
    *bit = (xen_ulong_t)1 << (port % WORD_BITS);
    return &shared_page->evtchn_pending[port / WORD_BITS];
}

bool events_take(evtchn_port_t port)
{
    xen_ulong_t bit;
    xen_ulong_t *word = pending_word(port, &bit);

    return (__atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST) & bit) != 0;
}

static bool is_pending(evtchn_port_t port)
{
    xen_ulong_t bit;
    xen_ulong_t *word = pending_word(port, &bit);

    return (__atomic_load_n(word, __ATOMIC_SEQ_CST) & bit) != 0;
}

struct err events_wait(evtchn_port_t *ports, unsigned nr_ports, uint64_t deadline_ns)
{
    if (nr_ports > EVENTS_WAIT_MAX)
        return ERR2(ERR_LIMIT, "waiting for %a event channels at once (at most %b)", nr_ports,
                    EVENTS_WAIT_MAX);
    for (;;) {
        if (clock_ns() >= deadline_ns)
            return ERR(ERR_TIMEOUT, "no event arrived in time");
        for (unsigned i = 0; i < nr_ports; i++) {
            if (is_pending(ports[i]))
                return OK;
        }
        TRY(hypercall_err(__HYPERVISOR_sched_op, hypercall_sched_poll(ports, nr_ports, deadline_ns),
                          "waiting for an event failed" HYPERCALL_FAILED));
    }
}
