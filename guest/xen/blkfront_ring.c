/* SPDX-License-Identifier: MIT */
/*
 * The ring of a block device (xen/io/blkif.h, xen/io/ring.h): requests and responses share its
 * entries, indices run freely. We own req_prod and rsp_event, in the shared page; the back end owns
 * rsp_prod and req_event: read once, and rsp_prod may not run ahead of what was asked for.
 */
#include "guest/xen/blkfront_priv.h"

#include "guest/xen/events.h"
#include "guest/xen/grants.h"

#define RING_HEADER_BYTES offsetof(struct blkif_sring, ring)

STATIC_ASSERT(RING_HEADER_BYTES == 64, "the ring's indices take 64 bytes");
#ifdef __x86_64__
STATIC_ASSERT(sizeof(union blkif_sring_entry) == 112, "the x86_64 ABI of the block ring");
STATIC_ASSERT(offsetof(struct blkif_request, seg) == 24, "the x86_64 ABI of the block ring");
STATIC_ASSERT(offsetof(struct blkif_request_indirect, indirect_grefs) == 28,
              "the x86_64 ABI of the block ring");
#endif

/* As many as fit, rounded down to a power of two. */
static uint32_t nr_entries_in(uint32_t nr_pages)
{
    size_t fit = (nr_pages * PAGE_BYTES - RING_HEADER_BYTES) / sizeof(union blkif_sring_entry);
    uint32_t n = 1;

    while ((size_t)n * 2 <= fit)
        n *= 2;
    return n;
}

struct err blk_ring_open(struct blkfront *b)
{
    struct blk_ring *r = &b->ring;
    uint8_t *page;

    r->nr_pages = 1u << b->ring_order;
    r->nr_entries = nr_entries_in(r->nr_pages);
    r->req_prod = r->rsp_cons = 0;
    r->shared = mm_alloc(r->nr_pages);
    if (r->shared == NULL)
        return ERR1(ERR_NO_MEMORY, "no memory for a ring of %a pages", r->nr_pages);
    memset(r->shared, 0, r->nr_pages * PAGE_BYTES);
    r->shared->req_event = 1;
    r->shared->rsp_event = 1;

    page = (uint8_t *)r->shared;
    for (r->nr_granted = 0; r->nr_granted < r->nr_pages; r->nr_granted++, page += PAGE_BYTES)
        TRY(grants_allow(b->backend, mm_virt_to_mfn(page), false, &r->page_refs[r->nr_granted]));
    TRY(events_alloc(b->backend, &b->port));
    b->has_port = true;
    return OK;
}

struct err blk_ring_close(struct blkfront *b)
{
    struct blk_ring *r = &b->ring;

    if (b->has_port) {
        TRY(events_close(b->port));
        b->has_port = false;
    }
    for (; r->nr_granted > 0; r->nr_granted--)
        TRY(grants_end(r->page_refs[r->nr_granted - 1]));
    if (r->shared != NULL)
        mm_free(r->shared, r->nr_pages);
    r->shared = NULL;
    return OK;
}

uint32_t blk_ring_nr_lent(const struct blkfront *b)
{
    return b->ring.nr_granted;
}

void blk_ring_put(struct blkfront *b, const union blkif_sring_entry *entry)
{
    struct blk_ring *r = &b->ring;

    memcpy(&r->shared->ring[r->req_prod & (r->nr_entries - 1)], entry, sizeof(*entry));
    r->req_prod++;
}

struct err blk_ring_push(struct blkfront *b)
{
    struct blk_ring *r = &b->ring;
    uint32_t old = r->shared->req_prod, asked_for;

    if (r->req_prod == old)
        return OK;
    xen_barrier_full(); /* the entries are there before the index says so */
    XEN_WRITE_ONCE(r->shared->req_prod, r->req_prod);
    xen_barrier_full(); /* and the index before we look whether the back end sleeps */
    asked_for = XEN_READ_ONCE(r->shared->req_event);
    if (r->req_prod - asked_for < r->req_prod - old)
        return events_notify(b->port);
    return OK;
}

struct err blk_ring_get(struct blkfront *b, struct blkif_response *response, bool *got)
{
    struct blk_ring *r = &b->ring;
    uint32_t waiting = XEN_READ_ONCE(r->shared->rsp_prod) - r->rsp_cons;
    uint32_t due = r->req_prod - r->rsp_cons;

    *got = false;
    if (waiting == 0)
        return OK;
    if (waiting > due)
        return ERR2(ERR_PEER, "the back end's ring claims %a responses to %b requests", waiting,
                    due);
    xen_barrier_full(); /* the index was read before the entry */
    memcpy(response, &r->shared->ring[r->rsp_cons & (r->nr_entries - 1)].rsp, sizeof(*response));
    xen_barrier_compiler(); /* judged as copied, whatever happens to the entry now */
    r->rsp_cons++;
    *got = true;
    return OK;
}

bool blk_ring_arm(struct blkfront *b)
{
    struct blk_ring *r = &b->ring;

    /* Not for each of many: a fourth of those due is enough to fill the ring again in time. */
    XEN_WRITE_ONCE(r->shared->rsp_event, r->rsp_cons + 1 + (r->req_prod - r->rsp_cons) / 4);
    xen_barrier_full(); /* the wish is known before we look a last time */
    return XEN_READ_ONCE(r->shared->rsp_prod) != r->rsp_cons;
}
