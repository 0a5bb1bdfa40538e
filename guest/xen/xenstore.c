/* SPDX-License-Identifier: MIT */
/*
 * Xenstore requests and replies (xen/io/xs_wire.h; docs/misc/xenstore.txt of Xen). Replies come in
 * the order of the requests, watch events in between.
 *
 * No more requests are under way than the ring holds as a whole: then sending never waits for the
 * daemon while the daemon waits for us to take its replies.
 */
#include "guest/xen/xenstore.h"

#include "core/base/bytes.h"
#include "core/base/text.h"
#include "guest/panic.h"
#include "guest/xen/clock.h"
#include "guest/xen/events.h"
#include "guest/xen/ledger.h"
#include "guest/xen/xenstore_ring.h"

#define REPLY_PATIENCE_NS  (30 * NS_PER_S)
#define IDLE_PATIENCE_NS   (2 * NS_PER_S) /* for xenstored to take our last request */
#define MAX_EVENTS_A_REPLY 10000u /* watch events before a reply, before we call it a flood */
#define WATCH_TOKEN        "pvboot"

static uint32_t last_req_id;
static bool change_reported;
static char reply[XENSTORE_PAYLOAD_MAX + 1];

/* What xenstored says in words, and what we say. */
static const struct {
    const char *name, *msg;
} refusals[] = {
    {"ENOENT", "xenstore has no such node (ENOENT)"},
    {"EACCES", "xenstore denies this guest access (EACCES)"},
    {"EPERM", "xenstore does not permit this to the guest (EPERM)"},
    {"EINVAL", "xenstore calls the request invalid (EINVAL)"},
    {"EEXIST", "xenstore has this already (EEXIST)"},
    {"ENOSPC", "the guest's xenstore quota is used up (ENOSPC)"},
    {"EDQUOT", "the guest's xenstore quota is used up (EDQUOT)"},
    {"E2BIG", "xenstore's answer is too long for one message (E2BIG)"},
    {"ENOMEM", "xenstore is out of memory (ENOMEM)"},
    {"EIO", "xenstore failed internally (EIO)"},
    {"EAGAIN", "xenstore asks to try again (EAGAIN)"},
    {"EBUSY", "xenstore is busy (EBUSY)"},
};

static struct err refusal(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        if (strcmp(name, refusals[i].name) == 0)
            return ERR(ERR_PEER, refusals[i].msg);
    }
    return ERR(ERR_PEER, "xenstore refused for a reason that pvboot does not know");
}

struct err xenstore_init(struct xenstore_domain_interface *ring, evtchn_port_t port)
{
    change_reported = false;
    return xs_ring_init(ring, port);
}

/* The payload: the path, terminated, and the value of a write or the token of a watch. */
static size_t payload_of(const struct xs_op *op, struct xs_piece pieces[2])
{
    pieces[0] = (struct xs_piece){op->path, strlen(op->path) + 1};
    pieces[1] = (struct xs_piece){NULL, 0};
    if (op->type == XS_WRITE)
        pieces[1] = (struct xs_piece){op->value, strlen(op->value)};
    if (op->type == XS_WATCH || op->type == XS_UNWATCH)
        pieces[1] = (struct xs_piece){WATCH_TOKEN, sizeof(WATCH_TOKEN)};
    return pieces[0].len + pieces[1].len;
}

static struct err send_op(const struct xs_op *op, uint32_t req_id, uint64_t deadline_ns)
{
    struct xs_piece pieces[2];
    struct xsd_sockmsg hdr = {.type = op->type, .req_id = req_id};

    hdr.len = (uint32_t)payload_of(op, pieces);
    return xs_ring_send(&hdr, pieces, ARRAY_LEN(pieces), deadline_ns);
}

/* Wait for the reply to this request; it lies in `reply`, terminated. */
static struct err receive_reply(uint32_t req_id, struct xsd_sockmsg *hdr, uint64_t deadline_ns)
{
    for (uint32_t nr_events = 0; nr_events < MAX_EVENTS_A_REPLY; nr_events++) {
        TRY(xs_ring_receive(hdr, reply, deadline_ns));
        if (hdr->type == XS_WATCH_EVENT) {
            change_reported = true;
            continue;
        }
        if (hdr->req_id != req_id)
            return xs_ring_give_up(ERR2(ERR_PEER, "xenstore answered request %a, expected was %b",
                                        hdr->req_id, req_id));
        reply[hdr->len] = '\0';
        return OK;
    }
    return xs_ring_give_up(ERR(ERR_PEER, "xenstore floods the guest with watch events"));
}

/* What the reply means for the request. */
static struct err judge(struct xs_op *op, const struct xsd_sockmsg *hdr)
{
    bool absent = hdr->type == XS_ERROR && strcmp(reply, "ENOENT") == 0;
    bool absent_is_fine = op->type == XS_READ || op->type == XS_DIRECTORY || op->type == XS_RM;

    if (absent && absent_is_fine)
        return OK;
    if (hdr->type == XS_ERROR)
        return refusal(reply);
    if (hdr->type != op->type)
        return ERR2(ERR_PEER, "xenstore answered with message type %a to one of type %b", hdr->type,
                    op->type);
    if (op->type == XS_WATCH)
        ledger_take(LEDGER_WATCH, 1);
    if (op->type == XS_UNWATCH)
        ledger_release(LEDGER_WATCH, 1);
    if (op->type != XS_READ && op->type != XS_DIRECTORY)
        return OK;

    if (hdr->len >= op->cap)
        return ERR2(ERR_LIMIT, "xenstore holds %a bytes there (at most %b are expected)", hdr->len,
                    op->cap - 1);
    if (op->type == XS_DIRECTORY && hdr->len > 0 && reply[hdr->len - 1] != '\0')
        return ERR(ERR_PEER, "xenstore's list of names is not terminated");
    if (op->buf == NULL)
        guest_panic("a xenstore read without a buffer", op->type, hdr->len);
    memcpy(op->buf, reply, hdr->len + 1);
    op->len = hdr->len;
    op->found = true;
    return OK;
}

struct err xenstore_run(struct xs_op *ops, size_t nr)
{
    size_t sent = 0, answered = 0;
    struct err e = OK;

    while (answered < nr && !failed(e)) {
        uint64_t deadline_ns = clock_ns() + REPLY_PATIENCE_NS;
        uint32_t first_id = last_req_id + 1;
        size_t batch = sent, in_ring = 0;
        struct xs_piece pieces[2];
        struct xsd_sockmsg hdr;

        /* One at least: what is larger than the ring goes alone, piece by piece. */
        while (sent < nr && !failed(e)) {
            in_ring += sizeof(hdr) + payload_of(&ops[sent], pieces);
            if (sent > batch && in_ring > XENSTORE_RING_SIZE)
                break;
            ops[sent].len = 0;
            ops[sent].found = false;
            if (ops[sent].buf != NULL)
                ops[sent].buf[0] = '\0';
            e = send_op(&ops[sent], ++last_req_id, deadline_ns);
            sent++;
        }
        for (; answered < sent && !failed(e); answered++) {
            e = receive_reply(first_id + (uint32_t)(answered - batch), &hdr, deadline_ns);
            if (failed(e))
                break;
            ops[answered].result = judge(&ops[answered], &hdr);
        }
    }
    for (; answered < nr; answered++)
        ops[answered].result = e;
    return e;
}

static struct err drain(void)
{
    uint64_t deadline_ns = clock_ns() + IDLE_PATIENCE_NS;
    struct xsd_sockmsg hdr;

    for (;;) {
        bool idle;

        TRY(xs_ring_idle(deadline_ns, &idle));
        if (idle)
            return OK;
        if (clock_ns() >= deadline_ns)
            return ERR(ERR_TIMEOUT, "watch events keep coming though nothing is watched");
        TRY(xs_ring_receive(&hdr, reply, deadline_ns));
        if (hdr.type != XS_WATCH_EVENT)
            return ERR1(ERR_PEER, "xenstore sent a message of type %a unasked", hdr.type);
    }
}

struct err xenstore_fini(void)
{
    struct err e = xs_ring_is_open() ? drain() : OK;

    xs_ring_fini();
    change_reported = false;
    return e;
}

struct err xenstore_wait_change(uint64_t deadline_ns)
{
    struct xsd_sockmsg hdr;

    while (!change_reported) {
        TRY(xs_ring_wait(deadline_ns));
        TRY(xs_ring_receive(&hdr, reply, clock_ns() + REPLY_PATIENCE_NS));
        if (hdr.type != XS_WATCH_EVENT)
            return xs_ring_give_up(
                ERR1(ERR_PEER, "xenstore sent a message of type %a unasked", hdr.type));
        change_reported = true;
    }
    change_reported = false;
    return OK;
}
