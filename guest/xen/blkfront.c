/* SPDX-License-Identifier: MIT */
/*
 * All block devices of the guest: finding them, connecting them, closing them. Every device is a
 * small state machine that moves on when its back end's state does; all of them move together, so
 * that ten disks take as long as the slowest.
 *
 * Connecting (states of front: back): Initialising: InitWait, then we publish the ring:
 * Initialised: Connected, then Connected. Closing: Closing: Closing, Closed: Closed, then we take
 * everything back: Initialising: InitWait. There a kernel's own driver begins.
 */
#include "guest/xen/blkfront.h"

#include "guest/xen/blkfront_priv.h"
#include "guest/xen/ledger.h"

#define LINE_MAX 400

static struct blkfront *fronts;
static size_t nr_fronts, fronts_pages;

/* What an error cannot hold: the node that it is about. */
static void say_node(struct blkfront *b)
{
    char line[LINE_MAX];
    struct text t = text_on(line, sizeof(line));

    if (b->bad_node[0] == '\0')
        return;
    text_str(&t, b->vbd.disk.name);
    text_str(&t, ": cannot be used because of its xenstore node ");
    text_name(&t, b->bad_node, strlen(b->bad_node));
    log_line(b->log, line);
    b->bad_node[0] = '\0';
}

static void say(struct blkfront *b, struct err e)
{
    char line[LINE_MAX];

    say_node(b);
    err_format(e, b->vbd.disk.name, line, sizeof(line));
    log_line(b->log, line);
}

void blk_fail(struct blkfront *b, struct err e)
{
    b->vbd.kind = VBD_FAILED;
    b->vbd.why = e;
    b->dead = e;
    b->settled = true;
    say_node(b);
}

static struct err offer_ring(struct blkfront *b)
{
    TRY(blk_ring_open(b));
    TRY(blk_publish(b));
    b->phase = BLK_WAIT_CONNECT;
    return OK;
}

static struct err take_into_service(struct blkfront *b)
{
    TRY(blk_read_properties(b));
    TRY(blk_parts_open(b));
    TRY(blk_set_state(b, XenbusStateConnected));
    b->vbd.disk.ops = &blk_disk_ops;
    b->vbd.disk.ctx = b;
    b->phase = BLK_CONNECTED;
    b->settled = true;
    return OK;
}

/* Everything of ours back, and the front end as the toolstack made it. */
static struct err give_back(struct blkfront *b)
{
    struct err parts = blk_parts_close(b), ring = blk_ring_close(b);
    uint32_t nr_lent = blk_parts_nr_lent(b) + blk_ring_nr_lent(b);

    if (nr_lent != 0)
        return ERR1(ERR_PEER,
                    "its back end does not let go of this guest's memory, pages: %a; detach this "
                    "disk and start the guest again",
                    nr_lent);
    TRY(parts);
    TRY(ring);
    return blk_unpublish(b);
}

static void closed(struct blkfront *b)
{
    b->phase = b->reopen ? BLK_WAIT_READY : BLK_IDLE;
    b->settled = !b->reopen;
    b->reopen = false;
    if (b->in_ledger)
        ledger_release(LEDGER_FRONTEND, 1);
    b->in_ledger = false;
}

/* What follows from the back end's state. */
static struct err step(struct blkfront *b)
{
    uint64_t state = b->state;

    switch (b->phase) {
    case BLK_WAIT_READY:
        if (state == XenbusStateInitWait || state == XenbusStateInitialised)
            return offer_ring(b);
        return OK;
    case BLK_WAIT_CONNECT:
        if (state == XenbusStateConnected)
            return take_into_service(b);
        if (state == XenbusStateClosing || state == XenbusStateClosed)
            return ERR1(ERR_PEER, "the back end closed instead of connecting (its state: %a)",
                        state);
        return OK;
    case BLK_WAIT_CLOSING:
        if (state != XenbusStateClosing && state != XenbusStateClosed)
            return OK;
        TRY(blk_set_state(b, XenbusStateClosed));
        b->phase = BLK_WAIT_CLOSED;
        return OK;
    case BLK_WAIT_CLOSED:
        if (state != XenbusStateClosed)
            return OK;
        TRY(give_back(b));
        b->phase = BLK_WAIT_REOPEN;
        return OK;
    case BLK_WAIT_REOPEN:
        if (state == XenbusStateInitWait)
            closed(b);
        return OK;
    case BLK_IDLE:
    case BLK_CONNECTED:
        b->settled = true;
        return OK;
    }
    return OK;
}

/*
 * Step all devices that are not settled yet until they are, or until the deadline. Changes may be
 * reported faster than they are looked at, so the clock is asked each time; what has happened by
 * the deadline still counts, in one last step.
 */
static struct err drive(uint64_t deadline_ns)
{
    for (bool last = false;; last = clock_ns() >= deadline_ns) {
        size_t nr_open = 0;
        struct err e;

        for (size_t i = 0; i < nr_fronts; i++) {
            struct blkfront *b = &fronts[i];
            enum blk_phase before;

            /* A step may make the next one possible at once. */
            do {
                before = b->phase;
                e = b->settled ? OK : step(b);
                if (failed(e))
                    blk_fail(b, e);
            } while (!b->settled && b->phase != before);
            nr_open += b->settled ? 0 : 1;
        }
        if (nr_open == 0 || last)
            return OK;
        e = xenstore_wait_change(deadline_ns);
        if (failed(e) && e.code != ERR_TIMEOUT)
            return e;
        TRY(blk_read_states(fronts, nr_fronts));
    }
}

/* Ascending by device number; few, and usually in order already. */
static void sort_fronts(void)
{
    for (size_t i = 1; i < nr_fronts; i++) {
        for (size_t j = i; j > 0 && fronts[j].vbd.vdev < fronts[j - 1].vbd.vdev; j--) {
            struct blkfront swap = fronts[j];

            fronts[j] = fronts[j - 1];
            fronts[j - 1] = swap;
        }
    }
}

static struct err find_devices(const struct blkfront_options *options)
{
    static char names[XENSTORE_VALUE_MAX + 1];
    struct xs_op list = {
        .type = XS_DIRECTORY, .path = "device/vbd", .buf = names, .cap = sizeof(names)};
    size_t nr = 0;

    TRY(xenstore_run(&list, 1));
    if (failed(list.result)) {
        log_line(options->log, "the xenstore node device/vbd, the list of disks, cannot be read");
        return list.result;
    }
    for (size_t i = 0; i < list.len; i++)
        nr += names[i] == '\0';
    if (nr == 0)
        return OK;

    fronts_pages = (nr * sizeof(*fronts) + PAGE_BYTES - 1) / PAGE_BYTES;
    fronts = mm_alloc(fronts_pages);
    if (fronts == NULL)
        return ERR1(ERR_NO_MEMORY, "no memory for %a block devices", nr);
    memset(fronts, 0, fronts_pages * PAGE_BYTES);
    for (const char *name = names; nr_fronts < nr; name += strlen(name) + 1) {
        struct blkfront *b = &fronts[nr_fronts++];
        struct err e;

        b->log = options->log;
        b->dead = OK;
        b->vbd.why = OK;
        b->offer_persistent = options->persistent;
        e = blk_read_device(b, name);
        if (failed(e))
            blk_fail(b, e);
    }
    sort_fronts();
    return OK;
}

static void begin_closing(struct blkfront *b)
{
    struct err e = blk_set_state(b, XenbusStateClosing);

    b->settled = false;
    b->phase = BLK_WAIT_CLOSING;
    if (failed(e))
        blk_fail(b, e);
}

struct err blkfront_init(const struct blkfront_options *options)
{
    uint64_t deadline_ns = clock_ns() + BLK_CONNECT_PATIENCE_NS;

    if (nr_fronts != 0)
        return ERR1(ERR_PEER, "%a block devices of an earlier attempt are still open", nr_fronts);
    TRY(find_devices(options));
    for (size_t i = 0; i < nr_fronts; i++) {
        struct blkfront *b = &fronts[i];

        if (b->settled)
            continue;
        b->phase = BLK_WAIT_READY;
        if (b->empty) {
            b->vbd.kind = VBD_EMPTY;
            b->phase = BLK_IDLE;
            b->settled = true;
        } else if (b->front_state != XenbusStateInitialising &&
                   b->front_state != XenbusStateUnknown) {
            b->reopen = true;
            begin_closing(b);
        }
    }

    TRY(blk_watch(fronts, nr_fronts, true));
    TRY(drive(deadline_ns));
    for (size_t i = 0; i < nr_fronts; i++) {
        struct blkfront *b = &fronts[i];

        if (!b->settled) {
            blk_fail(b, ERR2(ERR_TIMEOUT,
                             "the back end did not connect within %a seconds (its state: %b)",
                             BLK_CONNECT_PATIENCE_NS / NS_PER_S, b->state));
        }
    }
    return blk_watch(fronts, nr_fronts, false);
}

struct vbd *blkfront_vbd(size_t i)
{
    return i < nr_fronts ? &fronts[i].vbd : NULL;
}

/* The back end did not follow in time: take back what can be taken back without it. */
static struct err close_alone(struct blkfront *b)
{
    TRY(give_back(b));
    TRY(blk_read_state(b));
    if (b->state != XenbusStateInitWait && b->state != b->back_state)
        return ERR1(ERR_TIMEOUT,
                    "its back end does not get ready for the kernel (its state: %a); detach this "
                    "disk and start the guest again",
                    b->state);
    closed(b);
    return OK;
}

struct err blkfront_close(void)
{
    uint64_t deadline_ns = clock_ns() + BLK_CLOSE_PATIENCE_NS;

    for (size_t i = 0; i < nr_fronts; i++) {
        struct blkfront *b = &fronts[i];

        b->reopen = false;
        blk_fail_all(b, ERR(ERR_PEER, "the block device was closed"));
        b->settled = !b->in_ledger;
        if (b->in_ledger)
            begin_closing(b);
    }
    TRY(blk_read_states(fronts, nr_fronts));
    TRY(blk_watch(fronts, nr_fronts, true));
    TRY(drive(deadline_ns));
    for (size_t i = 0; i < nr_fronts; i++) {
        struct err e = fronts[i].in_ledger ? close_alone(&fronts[i]) : OK;

        if (failed(e))
            say(&fronts[i], e);
    }
    TRY(blk_watch(fronts, nr_fronts, false));
    if (nr_fronts > 0 && ledger_count(LEDGER_FRONTEND) == 0) {
        mm_free(fronts, fronts_pages);
        fronts = NULL;
        nr_fronts = 0;
    }
    return OK;
}
