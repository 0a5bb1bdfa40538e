/* SPDX-License-Identifier: MIT */
/*
 * Block devices in xenstore: what the toolstack says of a device, what the back end offers, what we
 * publish, and the states of both (xen/io/blkif.h and xen/io/xenbus.h have the protocol).
 *
 * Nodes are read and written in lists, one round trip each: list_begin, some list_*, list_run. A
 * list may be about several devices: then list_run_each, and each has its own failures only.
 */
#include "guest/xen/blkfront_priv.h"

#include "guest/xen/ledger.h"
#include "guest/xen/vdev.h"

#define LIST_MAX        16u
#define NUMBER_MAX      24 /* the digits of 64 bits */
#define FRONT_NAMES_MAX 1024
#define PARAMS_MAX      (XENSTORE_VALUE_MAX + 1)

/* A list of requests with the room that they need; one at a time, so there is one. */
static struct {
    size_t nr;
    struct err error; /* a path did not fit, ... */
    struct xs_op op[LIST_MAX];
    struct {
        struct blkfront *owner; /* the device that the request is about */
        char path[BLK_PATH_MAX];
        char digits[NUMBER_MAX];
        uint64_t *number; /* where a number that is read goes */
        uint64_t absent;  /* and what it is when there is no such node */
    } item[LIST_MAX];
} list;

static void list_begin(void)
{
    list.nr = 0;
    list.error = OK;
}

/* A request about dir/name, or about dir itself when name is NULL. NULL when the list is full. */
static struct xs_op *list_add(struct blkfront *b, enum xsd_sockmsg_type type, const char *dir,
                              const char *name)
{
    struct xs_op *op;
    struct text t;

    if (list.nr == LIST_MAX) {
        list.error = ERR1(ERR_LIMIT, "more than %a xenstore requests in a list", LIST_MAX);
        return NULL;
    }
    list.item[list.nr].owner = b;
    t = text_on(list.item[list.nr].path, BLK_PATH_MAX);
    text_str(&t, dir);
    if (name != NULL) {
        text_char(&t, '/');
        text_str(&t, name);
    }
    if (t.cut)
        list.error = ERR1(ERR_LIMIT, "a xenstore path of more than %a bytes", BLK_PATH_MAX);
    list.item[list.nr].number = NULL;
    op = &list.op[list.nr];
    *op = (struct xs_op){.type = type, .path = list.item[list.nr].path};
    list.nr++;
    return op;
}

static void list_text(struct blkfront *b, const char *dir, const char *name, char *buf, size_t cap)
{
    struct xs_op *op = list_add(b, XS_READ, dir, name);

    buf[0] = '\0';
    if (op == NULL)
        return;
    op->buf = buf;
    op->cap = cap;
}

static void list_number(struct blkfront *b, const char *dir, const char *name, uint64_t *value,
                        uint64_t absent)
{
    size_t i = list.nr;
    struct xs_op *op = list_add(b, XS_READ, dir, name);

    *value = absent;
    if (op == NULL)
        return;
    op->buf = list.item[i].digits;
    op->cap = NUMBER_MAX;
    list.item[i].number = value;
    list.item[i].absent = absent;
}

static void list_write(struct blkfront *b, const char *dir, const char *name, const char *value)
{
    struct xs_op *op = list_add(b, XS_WRITE, dir, name);

    if (op != NULL)
        op->value = value;
}

static void list_write_number(struct blkfront *b, const char *dir, const char *name, uint64_t value)
{
    size_t i = list.nr;
    struct xs_op *op = list_add(b, XS_WRITE, dir, name);
    struct text t;

    if (op == NULL)
        return;
    t = text_on(list.item[i].digits, NUMBER_MAX);
    text_u64(&t, value);
    op->value = list.item[i].digits;
}

/* Numbers where they go; one that is none is the failure of its request. */
static void take_number(size_t i)
{
    struct xs_op *op = &list.op[i];
    uint64_t *number = list.item[i].number;

    if (number == NULL)
        return;
    *number = list.item[i].absent;
    if (failed(op->result) || !op->found || text_parse_u64(op->buf, op->len, number))
        return;
    *number = list.item[i].absent;
    op->result = ERR(ERR_PEER, "a xenstore node of the device should hold a number");
}

/* Errors from here are the connection's, and nobody's request was answered. */
static struct err list_run_each(void)
{
    TRY(list.error);
    TRY(xenstore_run(list.op, list.nr));
    for (size_t i = 0; i < list.nr; i++)
        take_number(i);
    return OK;
}

/* The failure of a request; its owner remembers which node it was about. */
static struct err result_of(size_t i)
{
    struct blkfront *b = list.item[i].owner;
    struct text t = text_on(b->bad_node, sizeof(b->bad_node));

    if (failed(list.op[i].result))
        text_str(&t, list.op[i].path);
    return list.op[i].result;
}

/* All of the list must have succeeded. */
static struct err list_run(void)
{
    TRY(list_run_each());
    for (size_t i = 0; i < list.nr; i++)
        TRY(result_of(i));
    return OK;
}

/* ---- what a device is ------------------------------------------------------------------------ */

/*
 * A CD drive without a disk never connects with some back ends: its `params` (the image's name, or
 * "format:name") is there but names nothing.
 */
static bool names_no_disk(const struct xs_op *params)
{
    return params->found && (params->len == 0 || params->buf[params->len - 1] == ':');
}

/* The nodes that the toolstack has written for the back end, and what that offers already. */
static struct err read_back(struct blkfront *b)
{
    static char params[PARAMS_MAX];
    uint64_t order, segments;

    list_begin();
    list_text(b, b->back, "params", params, sizeof(params));
    list_number(b, b->back, "state", &b->back_state, XenbusStateUnknown);
    list_number(b, b->back, "max-ring-page-order", &order, 0);
    list_number(b, b->back, "feature-max-indirect-segments", &segments, 0);
    TRY(list_run());
    b->empty = b->cdrom && names_no_disk(&list.op[0]);
    /* Where a part can be large, the entries of one page are enough. */
    b->ring_order = segments != 0 ? 0 : (uint32_t)min_u64(order, BLK_MAX_RING_ORDER);
    b->state = b->back_state;
    return OK;
}

/* name: the device's below device/vbd, its virtual device number. */
struct err blk_read_device(struct blkfront *b, const char *name)
{
    struct text front = text_on(b->front, sizeof(b->front));
    struct text t = text_on(b->vbd.disk.name, sizeof(b->vbd.disk.name));
    char type[32], protocol[32];
    uint64_t backend, number = 0;

    text_str(&front, "device/vbd/");
    text_str(&front, name);
    if (text_parse_u64(name, strlen(name), &number)) {
        vdev_name(number, &t);
    } else {
        text_str(&t, "vbd ");
        text_name(&t, name, strlen(name));
    }
    if (front.cut)
        return ERR1(ERR_LIMIT, "a xenstore path of more than %a bytes", XENSTORE_PATH_MAX);

    list_begin();
    list_number(b, b->front, "virtual-device", &b->vbd.vdev, number);
    list_text(b, b->front, "backend", b->back, sizeof(b->back));
    list_number(b, b->front, "backend-id", &backend, 0);
    list_text(b, b->front, "device-type", type, sizeof(type));
    list_number(b, b->front, "state", &b->front_state, XenbusStateUnknown);
    list_text(b, b->front, "protocol", protocol, sizeof(protocol));
    TRY(list_run());

    t = text_on(b->vbd.disk.name, sizeof(b->vbd.disk.name));
    vdev_name(b->vbd.vdev, &t);
    if (b->back[0] == '\0')
        return ERR(ERR_PEER, "the device names no back end");
    if (backend >= DOMID_FIRST_RESERVED)
        return ERR1(ERR_PEER, "the device's back end is in domain %a, which cannot be", backend);
    b->backend = (domid_t)backend;
    b->cdrom = strcmp(type, "cdrom") == 0;
    b->keep_protocol = protocol[0] != '\0';
    return read_back(b);
}

/* What is known once the back end is connected. */
struct err blk_read_properties(struct blkfront *b)
{
    uint64_t units, sector_bytes, info, size_bytes, segments, persistent, flush, barrier;
    char mode[32];

    list_begin();
    list_number(b, b->back, "sectors", &units, 0);
    list_number(b, b->back, "sector-size", &sector_bytes, BLK_UNIT_BYTES);
    list_number(b, b->back, "info", &info, 0);
    list_text(b, b->back, "mode", mode, sizeof(mode));
    list_number(b, b->back, "feature-max-indirect-segments", &segments, 0);
    list_number(b, b->back, "feature-persistent", &persistent, 0);
    list_number(b, b->back, "feature-flush-cache", &flush, 0);
    list_number(b, b->back, "feature-barrier", &barrier, 0);
    TRY(list_run());

    /* A larger power of two would need buffers of several pages for one sector. */
    if (sector_bytes < BLK_UNIT_BYTES || sector_bytes > PAGE_BYTES ||
        (sector_bytes & (sector_bytes - 1)) != 0)
        return ERR1(ERR_REFUSED, "sectors of %a bytes (512 to 4096 are read)", sector_bytes);
    if (!mul_u64(units, BLK_UNIT_BYTES, &size_bytes))
        return ERR1(ERR_PEER, "the back end says that the disk has %a sectors", units);

    b->flush_cache = flush != 0;
    b->flush_barrier = barrier != 0;
    b->persistent = persistent != 0 && b->offer_persistent;
    /* No more than a plain request holds would be of no use. */
    b->indirect = segments > BLKIF_MAX_SEGMENTS_PER_REQUEST;
    b->max_segments = BLKIF_MAX_SEGMENTS_PER_REQUEST;
    if (b->indirect)
        b->max_segments =
            (uint32_t)min_u64(segments, b->persistent ? BLK_MAX_COPIED : BLK_MAX_SEGMENTS);
    b->cdrom = b->cdrom || (info & VDISK_CDROM) != 0;
    b->vbd.disk.sector_bytes = (uint32_t)sector_bytes;
    b->vbd.disk.size_bytes = align_down(size_bytes, sector_bytes);
    b->vbd.disk.read_only = (info & VDISK_READONLY) != 0 || mode[0] == 'r';
    b->vbd.kind = b->vbd.disk.size_bytes == 0 ? VBD_EMPTY : b->cdrom ? VBD_CDROM : VBD_DISK;
    return OK;
}

/* ---- what we tell the back end --------------------------------------------------------------- */

static void list_state(struct blkfront *b, unsigned state)
{
    if (!b->in_ledger)
        ledger_take(LEDGER_FRONTEND, 1);
    b->in_ledger = true;
    list_write_number(b, b->front, "state", state);
}

struct err blk_set_state(struct blkfront *b, unsigned state)
{
    list_begin();
    list_state(b, state);
    return list_run();
}

/* Offer the ring. The back end looks at it when our state changes, so that is the last write. */
struct err blk_publish(struct blkfront *b)
{
    list_begin();
    if (b->ring.nr_pages == 1) {
        list_write_number(b, b->front, "ring-ref", b->ring.page_refs[0]);
    } else {
        for (uint32_t i = 0; i < b->ring.nr_pages; i++) {
            char name[NUMBER_MAX];
            struct text t = text_on(name, sizeof(name));

            text_str(&t, "ring-ref");
            text_u64(&t, i);
            list_write_number(b, b->front, name, b->ring.page_refs[i]);
        }
        list_write_number(b, b->front, "ring-page-order", b->ring_order);
    }
    list_write_number(b, b->front, "event-channel", b->port);
    if (b->offer_persistent)
        list_write_number(b, b->front, "feature-persistent", 1);
    list_write(b, b->front, "protocol", XEN_IO_PROTO_ABI_NATIVE);
    list_state(b, XenbusStateInitialised);
    return list_run();
}

/* Is this a node of ours, or of a front end before us? The others are the toolstack's. */
static bool is_published(const struct blkfront *b, const char *name)
{
    static const char *const prefixes[] = {"ring-",          "event-channel",          "feature-",
                                           "num-ring-pages", "multi-queue-num-queues", "queue-"};

    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    }
    return strcmp(name, "protocol") == 0 && !b->keep_protocol;
}

/* Remove what a front end publishes, and be as the toolstack made us. */
struct err blk_unpublish(struct blkfront *b)
{
    static char names[FRONT_NAMES_MAX];
    struct xs_op *op;
    size_t len;

    list_begin();
    op = list_add(b, XS_DIRECTORY, b->front, NULL);
    op->buf = names;
    op->cap = sizeof(names);
    TRY(list_run());
    len = op->len;

    list_begin();
    for (const char *name = names; name < names + len; name += strlen(name) + 1) {
        if (!is_published(b, name))
            continue;
        if (list.nr == LIST_MAX) {
            TRY(list_run());
            list_begin();
        }
        (void)list_add(b, XS_RM, b->front, name);
    }
    TRY(list_run());
    return blk_set_state(b, XenbusStateInitialising);
}

/* ---- several devices at once ----------------------------------------------------------------- */

/* Run the list; devices whose requests failed have failed, the others have not. */
static struct err list_run_or_fail_devices(void)
{
    TRY(list_run_each());
    for (size_t i = 0; i < list.nr; i++) {
        struct err e = result_of(i);

        if (failed(e))
            blk_fail(list.item[i].owner, e);
        else if (list.op[i].type == XS_WATCH || list.op[i].type == XS_UNWATCH)
            list.item[i].owner->watched = list.op[i].type == XS_WATCH;
    }
    return OK;
}

struct err blk_read_state(struct blkfront *b)
{
    list_begin();
    list_number(b, b->back, "state", &b->state, XenbusStateUnknown);
    return list_run();
}

struct err blk_read_states(struct blkfront *fronts, size_t nr)
{
    list_begin();
    for (size_t i = 0; i < nr; i++) {
        if (fronts[i].settled)
            continue;
        if (list.nr == LIST_MAX) {
            TRY(list_run_or_fail_devices());
            list_begin();
        }
        list_number(&fronts[i], fronts[i].back, "state", &fronts[i].state, XenbusStateUnknown);
    }
    return list_run_or_fail_devices();
}

struct err blk_watch(struct blkfront *fronts, size_t nr, bool on)
{
    list_begin();
    for (size_t i = 0; i < nr; i++) {
        if (fronts[i].watched == on || (on && fronts[i].settled))
            continue;
        if (list.nr == LIST_MAX) {
            TRY(list_run_or_fail_devices());
            list_begin();
        }
        (void)list_add(&fronts[i], on ? XS_WATCH : XS_UNWATCH, fronts[i].back, "state");
    }
    return list_run_or_fail_devices();
}
