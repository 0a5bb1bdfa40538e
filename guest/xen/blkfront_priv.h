/* SPDX-License-Identifier: MIT */
/* What the files of the block front end share. Nobody else includes this. */
#ifndef PVBOOT_XEN_BLKFRONT_PRIV_H
#define PVBOOT_XEN_BLKFRONT_PRIV_H

#include "core/base/bytes.h"
#include "guest/mm.h"
#include "guest/xen/blkfront.h"
#include "guest/xen/clock.h"
#include "guest/xen/xen.h"
#include "guest/xen/xenstore.h"
#include <xen/io/blkif.h>
#include <xen/io/protocols.h>
#include <xen/io/xenbus.h>

#define BLK_CONNECT_PATIENCE_NS (10 * NS_PER_S) /* for a back end to connect */
#define BLK_CLOSE_PATIENCE_NS   (5 * NS_PER_S)  /* for a back end to be ready again */
#define BLK_REPLY_PATIENCE_NS   (30 * NS_PER_S) /* without any response, while some are due */

#define BLK_PATH_MAX (XENSTORE_PATH_MAX + 64) /* a directory, and a name in it that we know */

/* The unit of the ring and of the node `sectors`, whatever the disk's own sectors are. */
#define BLK_UNIT_BYTES ((uint32_t)512)

#define BLK_MAX_SEGMENTS   256u /* pages a part: lending and taking back has a cost a part */
#define BLK_MAX_COPIED     64u  /* and where pages are copied, so that the pool serves several */
#define BLK_MAX_RING_ORDER 2u   /* 4 pages: 128 parts, for back ends whose parts are small */
#define BLK_MAX_RING_PAGES (1u << BLK_MAX_RING_ORDER)
#define BLK_MAX_BIG_PARTS  32u /* under way at once, where parts are large */

/* Pages of the pool. Back ends keep about 1000 mapped a ring; each costs time at open and close. */
#define BLK_MAX_POOL_PAGES   512u
#define BLK_POOL_CHUNK_PAGES 64u

STATIC_ASSERT(sizeof(struct blkif_request_segment) == 8, "a segment is 8 bytes");
STATIC_ASSERT(BLK_MAX_SEGMENTS * sizeof(struct blkif_request_segment) <= PAGE_BYTES,
              "the segments of a part fit one page");

/* A page that the back end may keep mapped. */
struct blk_pool_page {
    void *page;
    grant_ref_t ref;
};

/* A part of a request: one entry of the ring while it is under way. */
struct blk_part {
    bool busy;
    struct disk_req *req; /* NULL: given up, but the back end has not let go of the pages */
    uint64_t off_bytes;   /* on the disk */
    uint8_t *buf;
    uint32_t len_bytes;
    uint32_t nr_lent;            /* segments whose pages are lent to the back end */
    grant_ref_t *refs;           /* plain: the grant of each segment */
    struct blk_pool_page *pages; /* persistent: the page of each segment */
    struct blkif_request_segment few[BLKIF_MAX_SEGMENTS_PER_REQUEST];
    struct blkif_request_segment *many; /* a page of its own, or NULL */
    grant_ref_t many_ref;
};

struct blk_ring {
    struct blkif_sring *shared;
    uint32_t nr_pages;
    uint32_t nr_granted; /* of the pages */
    uint32_t nr_entries; /* a power of two */
    uint32_t req_prod, rsp_cons;
    grant_ref_t page_refs[BLK_MAX_RING_PAGES];
};

/* The parts of a device: at most as many as its ring has entries. */
struct blk_parts {
    struct blk_part *part;
    uint32_t nr, nr_busy, nr_many_granted;
    uint32_t max_segments; /* of a part */
    uint32_t next;         /* where the search for an idle one begins */
    size_t part_pages, list_pages;
    void *lists; /* refs or pages of all parts */
    uint8_t *many;
};

/* Persistently granted pages that are not in use now: a stack, so that few pages serve most. */
struct blk_pool {
    struct blk_pool_page *idle;
    uint32_t nr_idle, nr_pages;
    uint8_t *chunks[BLK_MAX_POOL_PAGES / BLK_POOL_CHUNK_PAGES];
    uint32_t nr_chunks;
};

enum blk_phase {
    BLK_IDLE,         /* as the toolstack left it */
    BLK_WAIT_READY,   /* for the back end to be ready for us */
    BLK_WAIT_CONNECT, /* ring published, for the back end to take it */
    BLK_CONNECTED,
    BLK_WAIT_CLOSING, /* we said Closing, */
    BLK_WAIT_CLOSED,  /* we said Closed, */
    BLK_WAIT_REOPEN,  /* we said Initialising: for the back end to be ready for the next one */
};

struct blkfront {
    struct vbd vbd;
    const struct log *log;

    /* From xenstore. */
    char front[XENSTORE_PATH_MAX];
    char back[XENSTORE_PATH_MAX];
    char bad_node[BLK_PATH_MAX]; /* that the last list of requests failed at, or empty */
    domid_t backend;
    uint64_t front_state; /* ours, as the toolstack or an earlier stage left it, */
    uint64_t back_state;  /* and the back end's */
    bool cdrom, empty;
    bool keep_protocol; /* the toolstack wrote that node */
    bool flush_cache, flush_barrier;
    bool said_no_flush;
    bool offer_persistent; /* we said that we can */
    bool persistent;       /* both sides can */
    bool indirect;         /* the back end takes requests with a page of segments */
    uint32_t max_segments; /* of a part */
    uint32_t ring_order;

    enum blk_phase phase;
    uint64_t state; /* the back end's, as last seen */
    bool settled;   /* nothing more to wait for, in this connecting or closing */
    bool watched;
    bool reopen; /* once closed, connect: an earlier stage had left it open */
    bool has_port;
    bool in_ledger;
    evtchn_port_t port;
    struct blk_ring ring;
    struct blk_parts parts;
    struct blk_pool pool;

    struct disk_req *queue, *queue_last; /* not completely handed to the ring yet */
    struct disk_req *suspects;           /* reads that failed: which sector? */
    struct disk_req *probe;              /* the request that finds it out */
    struct err dead;                     /* failed: the device takes no requests any more */
};

/* ---- blkfront.c ---- */
/* The device cannot be used: it is settled, and its vbd says why. */
void blk_fail(struct blkfront *b, struct err e);

/* ---- blkfront_store.c: nodes ---- */
struct err blk_read_device(struct blkfront *b, const char *name);
struct err blk_read_properties(struct blkfront *b); /* once the back end is connected */
struct err blk_publish(struct blkfront *b);
struct err blk_unpublish(struct blkfront *b); /* and state Initialising */
struct err blk_set_state(struct blkfront *b, unsigned state);
struct err blk_read_state(struct blkfront *b); /* the back end's */
/*
 * For many at once. Errors are the connection's; a device whose own node cannot be read or watched
 * has failed, and the others go on.
 */
/* Of all that are not settled: the back end's state. */
struct err blk_read_states(struct blkfront *fronts, size_t nr);
/* Watch the back ends of all that are not settled; or none any more. */
struct err blk_watch(struct blkfront *fronts, size_t nr, bool on);

/* ---- blkfront_ring.c: the shared ring and its event channel ---- */
struct err blk_ring_open(struct blkfront *b);
/* Also after a failed open. What could not be taken back stays open and is tried again later. */
struct err blk_ring_close(struct blkfront *b);
uint32_t blk_ring_nr_lent(const struct blkfront *b); /* pages that it has not given back */
/* Write one entry; it counts when pushed. */
void blk_ring_put(struct blkfront *b, const union blkif_sring_entry *entry);
struct err blk_ring_push(struct blkfront *b);
/* The next response, if there is one (*got). */
struct err blk_ring_get(struct blkfront *b, struct blkif_response *response, bool *got);
/* Ask to be told of the next responses; true when one is there already. */
bool blk_ring_arm(struct blkfront *b);

/* ---- blkfront_part.c: parts and the pages that they lend ---- */
struct err blk_parts_open(struct blkfront *b);
struct err blk_parts_close(struct blkfront *b); /* as far as possible, and again later */
uint32_t blk_parts_nr_lent(const struct blkfront *b);
/* An idle part, or NULL; it is busy now. */
struct blk_part *blk_part_take(struct blkfront *b);
void blk_part_put(struct blkfront *b, struct blk_part *part);
/* How much of len bytes at buf one part can carry. */
uint32_t blk_part_capacity(const struct blkfront *b, const void *buf, uint64_t len_bytes);
/* Lend the pages of buf and len_bytes; ERR_LIMIT: there are no more grants or pages just now. */
struct err blk_part_lend(struct blkfront *b, struct blk_part *part, bool to_backend);
/* Take them back; data that was read is in buf afterwards. */
struct err blk_part_reclaim(struct blkfront *b, struct blk_part *part, bool was_read);
/* The part as an entry of the ring. operation: BLKIF_OP_*. */
void blk_part_entry(const struct blkfront *b, const struct blk_part *part, uint8_t operation,
                    union blkif_sring_entry *entry);

/* ---- blkfront_io.c: the disk interface ---- */
extern const struct disk_ops blk_disk_ops;
/* Complete everything with this error, and take no further requests. */
void blk_fail_all(struct blkfront *b, struct err e);

#endif
