/* SPDX-License-Identifier: MIT */
/*
 * Block devices in xenstore: what the toolstack says of a device, what the back end offers, what we
 * publish, and the states of both (xen/io/blkif.h and xen/io/xenbus.h have the protocol).
 */
#include "guest/xen/blkfront_priv.h"

#include "guest/xen/ledger.h"
#include "guest/xen/vdev.h"

#define TX_TRIES        16
#define FRONT_NAMES_MAX 1024 /* names of one device's nodes: a dozen */

/* dir + "/" + name; too long is an error of the caller's directory, not of ours. */
static struct err join(char *out, size_t cap, const char *dir, const char *name)
{
    struct text t = text_on(out, cap);

    text_str(&t, dir);
    text_char(&t, '/');
    text_str(&t, name);
    return t.cut ? ERR1(ERR_LIMIT, "a xenstore path of more than %a bytes", cap) : OK;
}

static struct err read_u64(const char *dir, const char *name, uint64_t *value, uint64_t absent)
{
    char path[XENSTORE_PATH_MAX];
    bool found;

    TRY(join(path, sizeof(path), dir, name));
    TRY(xenstore_read_u64(XENSTORE_NO_TX, path, value, &found));
    if (!found)
        *value = absent;
    return OK;
}

static struct err read_flag(const char *dir, const char *name, bool *value)
{
    uint64_t v;

    TRY(read_u64(dir, name, &v, 0));
    *value = v != 0;
    return OK;
}

static struct err read_text(const char *dir, const char *name, char *buf, size_t cap)
{
    char path[XENSTORE_PATH_MAX];
    bool found;

    TRY(join(path, sizeof(path), dir, name));
    return xenstore_read(XENSTORE_NO_TX, path, buf, cap, NULL, &found);
}

/* name: the device's below device/vbd, its virtual device number. */
struct err blk_read_device(struct blkfront *b, const char *name)
{
    struct text t = text_on(b->vbd.disk.name, sizeof(b->vbd.disk.name));
    char type[32];
    uint64_t backend, number = 0;
    bool is_number = text_parse_u64(name, strlen(name), &number);

    text_str(&t, "vbd ");
    text_name(&t, name, strlen(name));
    TRY(join(b->front, sizeof(b->front), "device/vbd", name));
    TRY(read_u64(b->front, "virtual-device", &b->vbd.vdev, number));
    if (!is_number && b->vbd.vdev == 0)
        return ERR(ERR_PEER, "the device has no virtual-device number");
    t = text_on(b->vbd.disk.name, sizeof(b->vbd.disk.name));
    vdev_name(b->vbd.vdev, &t);

    TRY(read_text(b->front, "backend", b->back, sizeof(b->back)));
    if (b->back[0] == '\0')
        return ERR(ERR_PEER, "the device names no back end");
    TRY(read_u64(b->front, "backend-id", &backend, 0));
    if (backend >= DOMID_FIRST_RESERVED)
        return ERR1(ERR_PEER, "the device's back end is in domain %a, which cannot be", backend);
    b->backend = (domid_t)backend;
    TRY(read_text(b->front, "device-type", type, sizeof(type)));
    b->cdrom = strcmp(type, "cdrom") == 0;
    TRY(read_u64(b->front, "state", &b->front_state, XenbusStateUnknown));
    return blk_backend_state(b, &b->back_state);
}

/*
 * A CD drive without a disk never connects with some back ends: its `params` (the image's name, or
 * "format:name") is there but names nothing.
 */
bool blk_drive_is_empty(const struct blkfront *b)
{
    char path[XENSTORE_PATH_MAX], params[XENSTORE_VALUE_MAX + 1];
    size_t len;
    bool found;

    if (!b->cdrom || failed(join(path, sizeof(path), b->back, "params")) ||
        failed(xenstore_read(XENSTORE_NO_TX, path, params, sizeof(params), &len, &found)))
        return false;
    return found && (len == 0 || params[len - 1] == ':');
}

/* The rest of what the back end can do is published only with the connection. */
struct err blk_read_offer(struct blkfront *b)
{
    uint64_t order;

    TRY(read_u64(b->back, "max-ring-page-order", &order, 0));
    b->ring_order = (uint32_t)min_u64(order, BLK_MAX_RING_ORDER);
    return OK;
}

static struct err read_features(struct blkfront *b)
{
    uint64_t segments;
    bool persistent;

    TRY(read_u64(b->back, "feature-max-indirect-segments", &segments, 0));
    TRY(read_flag(b->back, "feature-persistent", &persistent));
    TRY(read_flag(b->back, "feature-flush-cache", &b->flush_cache));
    TRY(read_flag(b->back, "feature-barrier", &b->flush_barrier));
    b->persistent = persistent && b->offer_persistent;
    /* No more than a plain request holds would be of no use. */
    b->indirect = segments > BLKIF_MAX_SEGMENTS_PER_REQUEST;
    b->max_segments = b->indirect ? (uint32_t)min_u64(segments, BLK_MAX_SEGMENTS)
                                  : BLKIF_MAX_SEGMENTS_PER_REQUEST;
    return OK;
}

struct err blk_read_properties(struct blkfront *b)
{
    uint64_t units, sector_bytes, info, size_bytes;
    char mode[32];

    TRY(read_u64(b->back, "sectors", &units, 0));
    TRY(read_u64(b->back, "sector-size", &sector_bytes, BLK_UNIT_BYTES));
    TRY(read_u64(b->back, "info", &info, 0));
    TRY(read_text(b->back, "mode", mode, sizeof(mode)));
    TRY(read_features(b));

    /* A larger power of two would need buffers of several pages for one sector. */
    if (sector_bytes < BLK_UNIT_BYTES || sector_bytes > PAGE_BYTES ||
        (sector_bytes & (sector_bytes - 1)) != 0)
        return ERR1(ERR_REFUSED, "sectors of %a bytes (512 to 4096 are read)", sector_bytes);
    if (!mul_u64(units, BLK_UNIT_BYTES, &size_bytes))
        return ERR1(ERR_PEER, "the back end says that the disk has %a sectors", units);

    b->cdrom = b->cdrom || (info & VDISK_CDROM) != 0;
    b->vbd.disk.sector_bytes = (uint32_t)sector_bytes;
    b->vbd.disk.size_bytes = align_down(size_bytes, sector_bytes);
    b->vbd.disk.read_only = (info & VDISK_READONLY) != 0 || mode[0] == 'r';
    b->vbd.kind = b->vbd.disk.size_bytes == 0 ? VBD_EMPTY : b->cdrom ? VBD_CDROM : VBD_DISK;
    return OK;
}

static struct err write_u64(xs_tx_t tx, const struct blkfront *b, const char *name, uint64_t value)
{
    char path[XENSTORE_PATH_MAX];

    TRY(join(path, sizeof(path), b->front, name));
    return xenstore_write_u64(tx, path, value);
}

/* "ring-ref" for the only page of a ring, "ring-ref3" for one of several. */
static void ring_ref_name(char *buf, size_t cap, const struct blkfront *b, uint32_t page)
{
    struct text t = text_on(buf, cap);

    text_str(&t, "ring-ref");
    if (b->ring.nr_pages > 1)
        text_u64(&t, page);
}

static struct err publish_in(xs_tx_t tx, struct blkfront *b)
{
    char path[XENSTORE_PATH_MAX], name[24];

    for (uint32_t i = 0; i < b->ring.nr_pages; i++) {
        ring_ref_name(name, sizeof(name), b, i);
        TRY(write_u64(tx, b, name, b->ring.page_refs[i]));
    }
    if (b->ring.nr_pages > 1)
        TRY(write_u64(tx, b, "ring-page-order", b->ring_order));
    TRY(write_u64(tx, b, "event-channel", b->port));
    if (b->offer_persistent)
        TRY(write_u64(tx, b, "feature-persistent", 1));
    TRY(join(path, sizeof(path), b->front, "protocol"));
    TRY(xenstore_write(tx, path, XEN_IO_PROTO_ABI_NATIVE));
    return write_u64(tx, b, "state", XenbusStateInitialised);
}

static void enter_in_ledger(struct blkfront *b)
{
    if (!b->in_ledger)
        ledger_take(LEDGER_FRONTEND, 1);
    b->in_ledger = true;
}

/* Offer the ring to the back end, all nodes at once. */
struct err blk_publish(struct blkfront *b)
{
    enter_in_ledger(b);
    for (unsigned tries = 0; tries < TX_TRIES; tries++) {
        xs_tx_t tx;
        bool again;
        struct err e;

        TRY(xenstore_tx_start(&tx));
        e = publish_in(tx, b);
        if (failed(e)) {
            struct err end = xenstore_tx_end(tx, false, &again);

            return failed(end) ? end : e;
        }
        TRY(xenstore_tx_end(tx, true, &again));
        if (!again)
            return OK;
    }
    return ERR1(ERR_PEER, "xenstore refused the ring's transaction %a times", TX_TRIES);
}

/* Is this a node of ours, or of a front end before us? The others are the toolstack's. */
static bool is_published(const char *name)
{
    static const char *const prefixes[] = {"ring-",    "event-channel",  "protocol",
                                           "feature-", "num-ring-pages", "multi-queue-num-queues",
                                           "queue-"};

    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    }
    return false;
}

/* Remove what a front end publishes. */
struct err blk_unpublish(struct blkfront *b)
{
    char path[XENSTORE_PATH_MAX], names[FRONT_NAMES_MAX];
    size_t len;

    TRY(xenstore_directory(XENSTORE_NO_TX, b->front, names, sizeof(names), &len));
    for (const char *name = names; name < names + len; name += strlen(name) + 1) {
        if (!is_published(name))
            continue;
        TRY(join(path, sizeof(path), b->front, name));
        TRY(xenstore_rm(XENSTORE_NO_TX, path));
    }
    return OK;
}

/* XenbusStateUnknown when there is no such node (yet). */
struct err blk_backend_state(const struct blkfront *b, uint64_t *state)
{
    return read_u64(b->back, "state", state, XenbusStateUnknown);
}

struct err blk_set_state(struct blkfront *b, unsigned state)
{
    enter_in_ledger(b);
    return write_u64(XENSTORE_NO_TX, b, "state", state);
}

struct err blk_watch(struct blkfront *b)
{
    char path[XENSTORE_PATH_MAX];

    TRY(join(path, sizeof(path), b->back, "state"));
    TRY(xenstore_watch(path));
    b->watched = true;
    return OK;
}

struct err blk_unwatch(struct blkfront *b)
{
    char path[XENSTORE_PATH_MAX];

    if (!b->watched)
        return OK;
    TRY(join(path, sizeof(path), b->back, "state"));
    TRY(xenstore_unwatch(path));
    b->watched = false;
    return OK;
}
