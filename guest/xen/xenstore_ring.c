/* SPDX-License-Identifier: MIT */
/*
 * The xenstore ring (xen/io/xs_wire.h): 1024 bytes in each direction, free-running indices. Ours
 * (req_prod, rsp_cons) are kept in private copies, the daemon's are read once and must not claim
 * more than the ring holds.
 */
#include "guest/xen/xenstore_ring.h"

#include "core/base/bytes.h"
#include "guest/xen/clock.h"
#include "guest/xen/events.h"

STATIC_ASSERT(sizeof(struct xsd_sockmsg) == 16, "a message header is four words");

static struct xenstore_domain_interface *store;
static evtchn_port_t store_port;
static uint32_t req_prod, rsp_cons;
static struct err broken;

struct err xs_ring_give_up(struct err e)
{
    broken = e;
    return e;
}

struct err xs_ring_init(struct xenstore_domain_interface *ring, evtchn_port_t port)
{
    uint32_t unsent, unread;

    store = ring;
    store_port = port;
    req_prod = ring->req_prod;
    rsp_cons = ring->rsp_cons;
    broken = OK;
    unsent = req_prod - XEN_READ_ONCE(ring->req_cons);
    unread = XEN_READ_ONCE(ring->rsp_prod) - rsp_cons;
    if (unsent != 0 || unread > XENSTORE_RING_SIZE)
        return xs_ring_give_up(
            ERR2(ERR_PEER, "xenstore's ring is in use at start (%a bytes unsent, %b unread)",
                 unsent, unread));
    /* A first stage before us may have left a watch event unread: it is not ours. */
    rsp_cons += unread;
    XEN_WRITE_ONCE(ring->rsp_cons, rsp_cons);
    return OK;
}

bool xs_ring_is_open(void)
{
    return store != NULL;
}

void xs_ring_fini(void)
{
    store = NULL;
}

static struct err usable(void)
{
    return store != NULL ? broken : ERR(ERR_PEER, "there is no connection to xenstore");
}

/* Bytes that can be sent, or received, now. */
static struct err sendable(uint32_t *nr)
{
    uint32_t used = req_prod - XEN_READ_ONCE(store->req_cons);

    if (used > XENSTORE_RING_SIZE)
        return xs_ring_give_up(ERR1(ERR_PEER, "xenstore's request index is off by %a", used));
    *nr = XENSTORE_RING_SIZE - used;
    return OK;
}

static struct err receivable(uint32_t *nr)
{
    *nr = XEN_READ_ONCE(store->rsp_prod) - rsp_cons;
    if (*nr > XENSTORE_RING_SIZE)
        return xs_ring_give_up(ERR1(ERR_PEER, "xenstore's reply index is off by %a", *nr));
    return OK;
}

/* As a number to wait for: 1 when the daemon has taken every byte. */
static struct err all_taken(uint32_t *nr)
{
    TRY(sendable(nr));
    *nr = *nr == XENSTORE_RING_SIZE;
    return OK;
}

/* Wait until `ready` gives a number above 0: at the deadline it has a last chance to. */
static struct err wait_for(struct err (*ready)(uint32_t *nr), uint32_t *nr, uint64_t deadline_ns)
{
    struct err e = OK;

    for (;;) {
        events_take(store_port);
        TRY(ready(nr));
        if (*nr > 0) {
            xen_barrier_full(); /* the index was read before the bytes are touched */
            return OK;
        }
        if (e.code == ERR_TIMEOUT)
            return ERR(ERR_TIMEOUT, "xenstore does not answer");
        TRY(e);
        /* The daemon is told of what we did since when we have to wait, so once for many bytes. */
        TRY(events_notify(store_port));
        e = events_wait(&store_port, 1, deadline_ns);
    }
}

static struct err send_bytes(const void *bytes, size_t len, uint64_t deadline_ns)
{
    const char *from = bytes;

    while (len > 0) {
        uint32_t at = MASK_XENSTORE_IDX(req_prod);
        uint32_t room;
        size_t n;

        TRY(wait_for(sendable, &room, deadline_ns));
        n = (size_t)min_u64(min_u64(room, XENSTORE_RING_SIZE - at), len);
        memcpy(store->req + at, from, n);
        xen_barrier_full(); /* the bytes are there before the index says so */
        req_prod += (uint32_t)n;
        XEN_WRITE_ONCE(store->req_prod, req_prod);
        from += n;
        len -= n;
    }
    return OK;
}

static struct err receive_bytes(void *bytes, size_t len, uint64_t deadline_ns)
{
    char *to = bytes;

    while (len > 0) {
        uint32_t at = MASK_XENSTORE_IDX(rsp_cons);
        uint32_t waiting;
        size_t n;

        TRY(wait_for(receivable, &waiting, deadline_ns));
        n = (size_t)min_u64(min_u64(waiting, XENSTORE_RING_SIZE - at), len);
        memcpy(to, store->rsp + at, n);
        xen_barrier_full(); /* the bytes were read before their room is given back */
        rsp_cons += (uint32_t)n;
        XEN_WRITE_ONCE(store->rsp_cons, rsp_cons);
        to += n;
        len -= n;
    }
    return OK;
}

struct err xs_ring_send(const struct xsd_sockmsg *hdr, const struct xs_piece *pieces,
                        size_t nr_pieces, uint64_t deadline_ns)
{
    struct err e;

    TRY(usable());
    if (hdr->len > XENSTORE_PAYLOAD_MAX)
        return xs_ring_give_up(ERR2(ERR_LIMIT, "a xenstore request of %a bytes (at most %b)",
                                    hdr->len, XENSTORE_PAYLOAD_MAX));
    e = send_bytes(hdr, sizeof(*hdr), deadline_ns);
    for (size_t i = 0; i < nr_pieces && !failed(e); i++)
        e = send_bytes(pieces[i].bytes, pieces[i].len, deadline_ns);
    return failed(e) ? xs_ring_give_up(e) : OK;
}

struct err xs_ring_idle(uint64_t deadline_ns, bool *idle)
{
    uint32_t nr;

    TRY(usable());
    TRY(wait_for(all_taken, &nr, deadline_ns));
    TRY(receivable(&nr));
    *idle = nr == 0;
    return OK;
}

struct err xs_ring_wait(uint64_t deadline_ns)
{
    for (;;) {
        uint32_t waiting;

        TRY(usable());
        events_take(store_port);
        TRY(receivable(&waiting));
        if (waiting > 0)
            return OK;
        TRY(events_notify(store_port));
        TRY(events_wait(&store_port, 1, deadline_ns));
    }
}

struct err xs_ring_receive(struct xsd_sockmsg *hdr, void *buf, uint64_t deadline_ns)
{
    struct err e;

    TRY(usable());
    e = receive_bytes(hdr, sizeof(*hdr), deadline_ns);
    if (failed(e))
        return xs_ring_give_up(e);
    if (hdr->len > XENSTORE_PAYLOAD_MAX)
        return xs_ring_give_up(ERR2(ERR_PEER,
                                    "xenstore announced a message of %a bytes (at most %b)",
                                    hdr->len, XENSTORE_PAYLOAD_MAX));
    e = receive_bytes(buf, hdr->len, deadline_ns);
    return failed(e) ? xs_ring_give_up(e) : OK;
}
