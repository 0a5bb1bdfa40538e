/* SPDX-License-Identifier: MIT */
/*
 * Grant table version 1 (xen/grant_table.h): an array of 8-byte entries in frames that Xen owns and
 * we map. An entry whose flags are 0 means nothing to Xen, so its frame field links the free list.
 */
#include "guest/xen/grants.h"

#include "core/base/bytes.h"
#include "guest/panic.h"
#include "guest/xen/hypercall.h"
#include "guest/xen/ledger.h"

#define ENTRIES_PER_FRAME ((uint32_t)(PAGE_BYTES / sizeof(struct grant_entry_v1)))
#define MAX_FRAMES        64u /* 32768 grants: more than any ring of ours can use */
#define NO_ENTRY          UINT32_MAX
#define END_TRIES         16

STATIC_ASSERT(sizeof(struct grant_entry_v1) == 8, "grant entries are 8 bytes");

static struct grant_entry_v1 *frames[MAX_FRAMES];
static uint32_t nr_frames, max_frames;
static uint32_t first_free = NO_ENTRY, nr_free;

static struct grant_entry_v1 *entry(grant_ref_t ref)
{
    if (ref < GNTTAB_NR_RESERVED_ENTRIES || ref >= nr_frames * ENTRIES_PER_FRAME)
        guest_panic("a grant reference outside the table (reference, table size)", ref,
                    (uint64_t)nr_frames * ENTRIES_PER_FRAME);
    return &frames[ref / ENTRIES_PER_FRAME][ref % ENTRIES_PER_FRAME];
}

static void put_free(grant_ref_t ref)
{
    entry(ref)->frame = first_free;
    first_free = ref;
    nr_free++;
}

/* Let Xen make the table `want` frames long, and map those that are not mapped yet. */
static struct err grow_to(uint32_t want)
{
    xen_pfn_t list[MAX_FRAMES];
    struct gnttab_setup_table op = {.dom = DOMID_SELF, .nr_frames = want};
    long rc;

    set_xen_guest_handle(op.frame_list, list);
    rc = hypercall_grant_table_op(GNTTABOP_setup_table, &op, 1);
    TRY(hypercall_err(__HYPERVISOR_grant_table_op, rc,
                      "setting up the grant table failed" HYPERCALL_FAILED));
    if (op.status != GNTST_okay)
        return hypercall_err(__HYPERVISOR_grant_table_op, op.status,
                             "Xen refused a grant table of this size" HYPERCALL_FAILED);

    while (nr_frames < want) {
        mfn_t mfn = list[nr_frames];
        void *va = mm_map_frames(&mfn, 1);
        uint32_t first = nr_frames * ENTRIES_PER_FRAME;

        if (va == NULL)
            return ERR1(ERR_NO_MEMORY, "frame %a of the grant table cannot be mapped", nr_frames);
        ledger_take(LEDGER_FOREIGN_FRAME, 1);
        frames[nr_frames++] = va;
        /* Backwards, so that the lowest references are used first. */
        for (uint32_t i = ENTRIES_PER_FRAME; i-- > 0;) {
            if (first + i >= GNTTAB_NR_RESERVED_ENTRIES)
                put_free(first + i);
        }
    }
    return OK;
}

struct err grants_init(void)
{
    struct gnttab_get_version version = {.dom = DOMID_SELF};
    struct gnttab_query_size size = {.dom = DOMID_SELF};
    long rc;

    /* A hypervisor that does not know this question has version 1 only. */
    rc = hypercall_grant_table_op(GNTTABOP_get_version, &version, 1);
    if (rc == 0 && version.version != 1) {
        struct gnttab_set_version set = {.version = 1};

        rc = hypercall_grant_table_op(GNTTABOP_set_version, &set, 1);
        TRY(hypercall_err(__HYPERVISOR_grant_table_op, rc,
                          "choosing grant table version 1 failed" HYPERCALL_FAILED));
    }

    rc = hypercall_grant_table_op(GNTTABOP_query_size, &size, 1);
    TRY(hypercall_err(__HYPERVISOR_grant_table_op, rc,
                      "asking for the grant table's size failed" HYPERCALL_FAILED));
    if (size.status != GNTST_okay || size.max_nr_frames == 0)
        return ERR1(ERR_PEER, "this domain may have no grant table (limit %a frames)",
                    size.max_nr_frames);
    max_frames = (uint32_t)min_u64(size.max_nr_frames, MAX_FRAMES);
    return grow_to(1);
}

void grants_fini(void)
{
    if (ledger_count(LEDGER_GRANTED_PAGE) != 0)
        return;
    while (first_free != NO_ENTRY) {
        struct grant_entry_v1 *e = entry(first_free);

        first_free = e->frame;
        e->frame = 0;
        e->domid = 0;
    }
    nr_free = 0;
    while (nr_frames > 0) {
        mm_unmap_frames(frames[--nr_frames], 1);
        ledger_release(LEDGER_FOREIGN_FRAME, 1);
    }
}

uint32_t grants_nr_free(void)
{
    return nr_free + (max_frames - nr_frames) * ENTRIES_PER_FRAME;
}

struct err grants_allow(domid_t remote, mfn_t mfn, bool read_only, grant_ref_t *ref)
{
    struct grant_entry_v1 *e;

    if (mfn > UINT32_MAX)
        return ERR1(ERR_LIMIT, "frame %a lies past 16 TiB, where version 1 grants do not reach",
                    mfn);
    if (first_free == NO_ENTRY) {
        if (nr_frames == max_frames)
            return ERR1(ERR_LIMIT, "the grant table is full (%a frames)", nr_frames);
        TRY(grow_to(nr_frames + 1));
    }
    *ref = first_free;
    e = entry(first_free);
    first_free = e->frame;
    nr_free--;

    e->frame = (uint32_t)mfn;
    e->domid = remote;
    xen_barrier_compiler(); /* Xen looks at the entry as soon as the flags say that it counts */
    XEN_WRITE_ONCE(e->flags, (uint16_t)(GTF_permit_access | (read_only ? GTF_readonly : 0)));
    ledger_take(LEDGER_GRANTED_PAGE, 1);
    return OK;
}

struct err grants_end(grant_ref_t ref)
{
    struct grant_entry_v1 *e = entry(ref);

    /* Xen may set an "in use" flag at any moment: the flags go from idle to 0 in one step. */
    for (unsigned tries = 0; tries < END_TRIES; tries++) {
        uint16_t flags = XEN_READ_ONCE(e->flags);

        if ((flags & GTF_type_mask) != GTF_permit_access)
            guest_panic("a grant ended twice (reference, flags)", ref, flags);
        if ((flags & (GTF_reading | GTF_writing)) != 0)
            break;
        if (__atomic_compare_exchange_n(&e->flags, &flags, (uint16_t)0, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST)) {
            ledger_release(LEDGER_GRANTED_PAGE, 1);
            put_free(ref);
            return OK;
        }
    }
    return ERR1(ERR_PEER, "the other side still uses a page that it was granted (reference %a)",
                ref);
}
