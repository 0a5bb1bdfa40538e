/* SPDX-License-Identifier: MIT */
/*
 * Xenstore requests and replies (xen/io/xs_wire.h; docs/misc/xenstore.txt of Xen). Replies come in
 * the order of the requests, watch events in between.
 */
#include "guest/xen/xenstore.h"

#include "core/base/bytes.h"
#include "core/base/text.h"
#include "guest/xen/clock.h"
#include "guest/xen/events.h"
#include "guest/xen/ledger.h"
#include "guest/xen/xenstore_ring.h"

#define REPLY_PATIENCE_NS  (30 * NS_PER_S)
#define MAX_EVENTS_A_REPLY 10000u /* watch events before a reply, before we call it a flood */
#define WATCH_TOKEN        "pvboot"

static evtchn_port_t store_port;
static uint32_t last_req_id;
static bool change_reported;
static char reply[XENSTORE_PAYLOAD_MAX + 1];
static char failed_path[XENSTORE_PATH_MAX];

/* What xenstored says in words, and what we say. */
static const struct {
    const char *name;
    struct err err;
} refusals[] = {
    {"ENOENT", {ERR_PEER, "xenstore has no such node (ENOENT)", 0, 0, ERR_NOWHERE}},
    {"EAGAIN", {ERR_PEER, "xenstore asks to try again (EAGAIN)", 0, 0, ERR_NOWHERE}},
    {"EACCES", {ERR_PEER, "xenstore denies this guest access (EACCES)", 0, 0, ERR_NOWHERE}},
    {"EPERM", {ERR_PEER, "xenstore does not permit this to the guest (EPERM)", 0, 0, ERR_NOWHERE}},
    {"EINVAL", {ERR_PEER, "xenstore calls the request invalid (EINVAL)", 0, 0, ERR_NOWHERE}},
    {"ENOSPC", {ERR_PEER, "the guest's xenstore quota is used up (ENOSPC)", 0, 0, ERR_NOWHERE}},
    {"EDQUOT", {ERR_PEER, "the guest's xenstore quota is used up (EDQUOT)", 0, 0, ERR_NOWHERE}},
    {"E2BIG",
     {ERR_PEER, "xenstore's answer is too long for one message (E2BIG)", 0, 0, ERR_NOWHERE}},
    {"ENOMEM", {ERR_PEER, "xenstore is out of memory (ENOMEM)", 0, 0, ERR_NOWHERE}},
    {"EIO", {ERR_PEER, "xenstore failed internally (EIO)", 0, 0, ERR_NOWHERE}},
    {"EBUSY", {ERR_PEER, "xenstore is busy with another transaction (EBUSY)", 0, 0, ERR_NOWHERE}},
};

enum { REFUSAL_ENOENT = 0, REFUSAL_EAGAIN = 1 };

static bool is_refusal(struct err e, unsigned which)
{
    return e.msg == refusals[which].err.msg;
}

static struct err refusal(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        if (strcmp(name, refusals[i].name) == 0)
            return refusals[i].err;
    }
    return ERR(ERR_PEER, "xenstore refused for a reason that pvboot does not know");
}

static struct err note_failure(struct err e, const char *path)
{
    struct text t = text_on(failed_path, sizeof(failed_path));

    if (failed(e))
        text_str(&t, path);
    return e;
}

const char *xenstore_failed_path(void)
{
    return failed_path;
}

struct err xenstore_init(struct xenstore_domain_interface *ring, evtchn_port_t port)
{
    store_port = port;
    change_reported = false;
    return note_failure(xs_ring_init(ring, port), "(xenstore ring)");
}

/* Wait for the reply to request last_req_id of this type; it lies in `reply`, terminated. */
static struct err receive_reply(uint32_t type, size_t *len, uint64_t deadline_ns)
{
    struct xsd_sockmsg hdr;

    for (uint32_t nr_events = 0; nr_events < MAX_EVENTS_A_REPLY; nr_events++) {
        TRY(xs_ring_receive(&hdr, reply, deadline_ns));
        if (hdr.type == XS_WATCH_EVENT) {
            change_reported = true;
            continue;
        }
        if (hdr.req_id != last_req_id)
            return ERR2(ERR_PEER, "xenstore answered request %a, expected was %b", hdr.req_id,
                        last_req_id);
        reply[hdr.len] = '\0';
        if (hdr.type == XS_ERROR)
            return refusal(reply);
        if (hdr.type != type)
            return ERR2(ERR_PEER, "xenstore answered with message type %a to one of type %b",
                        hdr.type, type);
        *len = hdr.len;
        return OK;
    }
    return ERR(ERR_PEER, "xenstore floods the guest with watch events");
}

static struct err request(uint32_t type, xs_tx_t tx, const struct xs_piece *pieces,
                          size_t nr_pieces, size_t *len)
{
    uint64_t deadline_ns = clock_ns() + REPLY_PATIENCE_NS;
    struct xsd_sockmsg hdr = {.type = type, .req_id = ++last_req_id, .tx_id = tx};
    size_t total = 0;

    failed_path[0] = '\0';
    for (size_t i = 0; i < nr_pieces; i++)
        total += pieces[i].len;
    if (total > XENSTORE_PAYLOAD_MAX)
        return ERR2(ERR_LIMIT, "a xenstore request of %a bytes (at most %b)", total,
                    XENSTORE_PAYLOAD_MAX);
    hdr.len = (uint32_t)total;
    TRY(xs_ring_send(&hdr, pieces, nr_pieces, deadline_ns));
    return receive_reply(type, len, deadline_ns);
}

/* A request whose payload is one terminated text. */
static struct err request_path(uint32_t type, xs_tx_t tx, const char *path, size_t *len)
{
    struct xs_piece piece = {path, strlen(path) + 1};

    return request(type, tx, &piece, 1, len);
}

struct err xenstore_read(xs_tx_t tx, const char *path, char *buf, size_t cap, size_t *len,
                         bool *found)
{
    size_t n = 0;
    struct err e = request_path(XS_READ, tx, path, &n);

    buf[0] = '\0';
    if (len != NULL)
        *len = 0;
    *found = !failed(e);
    if (is_refusal(e, REFUSAL_ENOENT))
        return OK;
    if (!failed(e) && n >= cap)
        e = ERR2(ERR_LIMIT, "a xenstore value of %a bytes (at most %b)", n, cap - 1);
    if (failed(e))
        return note_failure(e, path);
    memcpy(buf, reply, n + 1);
    if (len != NULL)
        *len = n;
    return OK;
}

struct err xenstore_read_u64(xs_tx_t tx, const char *path, uint64_t *value, bool *found)
{
    char buf[24];
    size_t len;

    *value = 0;
    TRY(xenstore_read(tx, path, buf, sizeof(buf), &len, found));
    if (*found && !text_parse_u64(buf, len, value))
        return note_failure(ERR(ERR_PEER, "the xenstore node holds no number"), path);
    return OK;
}

struct err xenstore_write(xs_tx_t tx, const char *path, const char *value)
{
    struct xs_piece pieces[] = {{path, strlen(path) + 1}, {value, strlen(value)}};
    size_t len;

    return note_failure(request(XS_WRITE, tx, pieces, ARRAY_LEN(pieces), &len), path);
}

struct err xenstore_write_u64(xs_tx_t tx, const char *path, uint64_t value)
{
    char buf[24];
    struct text t = text_on(buf, sizeof(buf));

    text_u64(&t, value);
    return xenstore_write(tx, path, buf);
}

struct err xenstore_rm(xs_tx_t tx, const char *path)
{
    size_t len;
    struct err e = request_path(XS_RM, tx, path, &len);

    return is_refusal(e, REFUSAL_ENOENT) ? OK : note_failure(e, path);
}

struct err xenstore_directory(xs_tx_t tx, const char *path, char *buf, size_t cap, size_t *len)
{
    struct err e = request_path(XS_DIRECTORY, tx, path, len);

    if (failed(e))
        *len = 0;
    if (is_refusal(e, REFUSAL_ENOENT))
        return OK;
    if (!failed(e) && *len > cap)
        e = ERR2(ERR_LIMIT, "a xenstore directory of %a bytes (at most %b)", *len, cap);
    if (!failed(e) && *len > 0 && reply[*len - 1] != '\0')
        e = ERR(ERR_PEER, "xenstore's list of names is not terminated");
    if (failed(e))
        return note_failure(e, path);
    memcpy(buf, reply, *len);
    return OK;
}

struct err xenstore_tx_start(xs_tx_t *tx)
{
    size_t len;
    uint64_t value;
    struct err e = request_path(XS_TRANSACTION_START, XENSTORE_NO_TX, "", &len);

    if (!failed(e) &&
        (!text_parse_u64(reply, strlen(reply), &value) || value == 0 || value > UINT32_MAX))
        e = ERR(ERR_PEER, "xenstore gave no transaction number");
    if (failed(e))
        return note_failure(e, "(transaction start)");
    *tx = (xs_tx_t)value;
    ledger_take(LEDGER_TRANSACTION, 1);
    return OK;
}

struct err xenstore_tx_end(xs_tx_t tx, bool commit, bool *again)
{
    size_t len;
    struct err e = request_path(XS_TRANSACTION_END, tx, commit ? "T" : "F", &len);

    *again = is_refusal(e, REFUSAL_EAGAIN);
    if (failed(e) && !*again)
        return note_failure(e, "(transaction end)");
    ledger_release(LEDGER_TRANSACTION, 1);
    return OK;
}

struct err xenstore_watch(const char *path)
{
    struct xs_piece pieces[] = {{path, strlen(path) + 1}, {WATCH_TOKEN, sizeof(WATCH_TOKEN)}};
    size_t len;

    TRY(note_failure(request(XS_WATCH, XENSTORE_NO_TX, pieces, ARRAY_LEN(pieces), &len), path));
    ledger_take(LEDGER_WATCH, 1);
    return OK;
}

struct err xenstore_unwatch(const char *path)
{
    struct xs_piece pieces[] = {{path, strlen(path) + 1}, {WATCH_TOKEN, sizeof(WATCH_TOKEN)}};
    size_t len;

    TRY(note_failure(request(XS_UNWATCH, XENSTORE_NO_TX, pieces, ARRAY_LEN(pieces), &len), path));
    ledger_release(LEDGER_WATCH, 1);
    return OK;
}

struct err xenstore_wait_change(uint64_t deadline_ns)
{
    struct xsd_sockmsg hdr;

    while (!change_reported) {
        TRY(xs_ring_wait(deadline_ns));
        TRY(xs_ring_receive(&hdr, reply, clock_ns() + REPLY_PATIENCE_NS));
        if (hdr.type != XS_WATCH_EVENT)
            return ERR1(ERR_PEER, "xenstore sent a message of type %a unasked", hdr.type);
        change_reported = true;
    }
    change_reported = false;
    return OK;
}
