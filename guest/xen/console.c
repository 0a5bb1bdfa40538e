/* SPDX-License-Identifier: MIT */
/*
 * The console ring (xen/io/console.h): free-running indices, masked on use. We own out_prod and
 * in_cons; the other two are the daemon's, read once and judged: an index that claims more than
 * the ring holds is taken as "full" or "empty", so that a mad peer gets no write out of bounds and
 * costs at most the text.
 */
#include "guest/xen/console.h"

#include "guest/xen/clock.h"
#include "guest/xen/events.h"
#include "guest/xen/hypercall.h"

#define WRITE_PATIENCE_NS (1 * NS_PER_S)
#define NAP_NS            (5 * NS_PER_MS)
#define MAX_NAPS          200 /* where no clock ends the waiting; and in a panic */

static struct xencons_interface *console;
static evtchn_port_t console_port;
static bool backend_stuck; /* it did not empty the ring in time: wait no more until it does */

void xen_console_init(struct xencons_interface *ring, evtchn_port_t port)
{
    console = ring;
    console_port = port;
    backend_stuck = false;
}

static uint32_t out_room(void)
{
    uint32_t used = console->out_prod - XEN_READ_ONCE(console->out_cons);

    return used <= sizeof(console->out) ? (uint32_t)sizeof(console->out) - used : 0;
}

static void notify_daemon(void)
{
    struct evtchn_send op = {.port = console_port};

    /* A daemon that cannot be told will not empty the ring either: do not wait for it. */
    if (hypercall_event_channel_op(EVTCHNOP_send, &op) < 0)
        backend_stuck = true;
}

static bool nap(void)
{
    if (!clock_ready())
        return hypercall_sched_yield() >= 0;
    clock_sleep_until(clock_ns() + NAP_NS);
    return true;
}

/*
 * Let the daemon work until it sends an event; false when the deadline has come, or without a clock
 * the last nap. The console is there longer than the event channel layer: without that, naps.
 */
static bool wait_for_daemon(uint64_t deadline_ns, unsigned *naps)
{
    if (clock_ready() ? clock_ns() >= deadline_ns : ++*naps > MAX_NAPS)
        return false;
    if (clock_ready() && events_ready())
        return !failed(events_wait(&console_port, 1, deadline_ns));
    return nap();
}

/* Before looking at the ring: what happens from here on makes the next wait end. */
static void take_event(void)
{
    if (events_ready())
        events_take(console_port);
}

/* Wait for room; false when the daemon does not make any. */
static bool wait_for_room(void)
{
    uint64_t deadline_ns = clock_ns() + WRITE_PATIENCE_NS;
    unsigned naps = 0;

    if (out_room() != 0) {
        backend_stuck = false;
        return true;
    }
    if (backend_stuck)
        return false;

    notify_daemon();
    do {
        take_event();
    } while (out_room() == 0 && wait_for_daemon(deadline_ns, &naps));
    backend_stuck = out_room() == 0;
    return !backend_stuck;
}

/* There must be room. */
static void store_byte(char c)
{
    uint32_t prod = console->out_prod;

    xen_barrier_full(); /* the slot was read before it is overwritten */
    console->out[MASK_XENCONS_IDX(prod, console->out)] = c;
    xen_barrier_compiler(); /* the byte is there before the index says so */
    XEN_WRITE_ONCE(console->out_prod, prod + 1);
}

static bool put_byte(char c)
{
    if (out_room() == 0 && !wait_for_room())
        return false;
    store_byte(c);
    return true;
}

static void hypervisor_write(const char *text, size_t len)
{
    /* A production hypervisor ignores or refuses this; there is no third place to say so. */
    if (len > 0 && hypercall_console_io(CONSOLEIO_write, (unsigned)len, (char *)text) < 0)
        return;
}

void xen_console_write(const char *text, size_t len)
{
    static char last; /* what a terminal was sent with \r\n goes out as it is */

    if (console == NULL) {
        hypervisor_write(text, len);
        return;
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n' && last != '\r' && !put_byte('\r'))
            break;
        if (!put_byte(text[i]))
            break;
        last = text[i];
    }
    notify_daemon();
}

bool xen_console_flush(uint64_t deadline_ns)
{
    unsigned naps = 0;

    if (console == NULL)
        return true;
    do {
        take_event();
    } while (out_room() != sizeof(console->out) && wait_for_daemon(deadline_ns, &naps));
    return out_room() == sizeof(console->out);
}

int xen_console_read(uint64_t deadline_ns)
{
    unsigned naps = 0;

    if (console == NULL)
        return -1;
    for (;;) {
        uint32_t cons = console->in_cons;
        uint32_t waiting;

        take_event();
        waiting = XEN_READ_ONCE(console->in_prod) - cons;
        if (waiting != 0 && waiting <= sizeof(console->in)) {
            char c;

            xen_barrier_compiler(); /* the index was read before the byte */
            c = console->in[MASK_XENCONS_IDX(cons, console->in)];
            xen_barrier_full(); /* and the byte before its slot is given back */
            XEN_WRITE_ONCE(console->in_cons, cons + 1);
            notify_daemon();
            return (unsigned char)c;
        }
        if (deadline_ns == 0 || !wait_for_daemon(deadline_ns, &naps))
            return -1;
    }
}

/* Without the event channel layer even while it is up: this may be its own panic. */
static bool panic_put(char c)
{
    for (unsigned naps = 0; out_room() == 0 && naps < MAX_NAPS; naps++) {
        notify_daemon();
        if (!nap())
            return false;
    }
    if (out_room() == 0)
        return false;
    store_byte(c);
    return true;
}

void xen_console_panic_write(const char *text, size_t len)
{
    hypervisor_write(text, len);
    if (console == NULL)
        return;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n' && !panic_put('\r'))
            break;
        if (!panic_put(text[i]))
            break;
    }
    notify_daemon();
}
