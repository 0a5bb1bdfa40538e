/* SPDX-License-Identifier: MIT */
/*
 * Pages are exchanged, not copied: what was loaded stays in its machine pages, and the new P2M
 * says at which pfn they are. Page tables of ours must not be mapped writable in the new world
 * while they are tables, so they move out of its mapping first.
 */
#include "guest/pv/handover.h"

#include <string.h>

#include "core/base/bytes.h"
#include "guest/panic.h"
#include "guest/pv/pv.h"
#include "guest/xen/events.h"

#define MOVE_MAX            4096
#define TABLE_MAX           4096
#define PASSAGE_TABLES      3 /* that mapping the page of passage may add */
#define REGIONS_OF_A_LAYOUT 5 /* that handover_prepare allocates */
#define M2P_BATCH           512
#define TABLE_TRIES         64

extern char passage_code[], passage_code_end[];
_Noreturn void passage_jump(void *ops, void *shutdown, uintptr_t entry, uintptr_t stack_top,
                            uintptr_t start_info, uintptr_t code);

/* Layout of the page of passage: the code, then what it points to. */
#define PASSAGE_OPS_OFF      2048
#define PASSAGE_SHUTDOWN_OFF 3072
STATIC_ASSERT(PAGE_BYTES - PASSAGE_OPS_OFF == 2048, "passage-*.S: PASSAGE_DATA_BYTES");
STATIC_ASSERT(SCHEDOP_shutdown == 2, "passage-*.S: PASSAGE_SCHEDOP_SHUTDOWN");

static uint64_t nr_old_tables(void)
{
    return pv_start_info()->nr_pt_frames + pv_nr_own_tables() + PASSAGE_TABLES;
}

/* more_tables: page tables of the old world that are still to come. */
static struct plan_input input_for(const struct handover *h, uint64_t more_tables)
{
    struct plan_input in = {
        .width = ARCH_WIDTH,
        .nr_pages = mm_nr_total(),
        .pstart = h->image->pstart,
        .pend = h->image->pend,
        .notes = &h->image->notes,
        .initrd_bytes = h->initrd_bytes,
        .avoid = {{PV_VIRT_BASE, PV_VIRT_BASE + (pv_boot_mapped_end() << PAGE_SHIFT)}},
        .nr_avoid = 2,
        .nr_old_tables = nr_old_tables() + more_tables,
    };

    mm_addresses(&in.avoid[1].start, &in.avoid[1].end);
    return in;
}

static struct err layout_for(const struct handover *h, uint64_t more_tables,
                             struct plan_layout *out)
{
    const struct plan_input in = input_for(h, more_tables);

    return plan_layout(out, &in);
}

struct err handover_too_small(const struct handover *h)
{
    const struct plan_input in = input_for(h, 0);

    return plan_too_small(&in);
}

struct err handover_layout(struct handover *h, struct plan_layout *out)
{
    return layout_for(h, 0, out);
}

static void *alloc_for(const struct plan_piece *piece)
{
    return mm_alloc_near((size_t)piece->nr_pages, piece->first);
}

/*
 * Pages for the new tables, by preference where they will be. Where the first one does not suit the
 * kernel, others are tried throughout memory.
 */
static struct err alloc_tables(struct handover *h)
{
    size_t nr = (size_t)plan_nr_tables(&h->layout);
    pfn_t first = h->layout.tables.first, step = mm_nr_total() / TABLE_TRIES + 1;

    for (unsigned i = 0; i < TABLE_TRIES; i++, first = i * step) {
        h->tables = mm_alloc_near(nr, first);
        if (h->tables == NULL)
            return OK; /* handover_prepare says it */
        if (arch_top_fits(mm_virt_to_mfn(h->tables), &h->image->notes))
            return OK;
        mm_free(h->tables, nr);
        h->tables = NULL;
    }
    return ERR(ERR_WONT_FIT,
               "its top page table must lie in the machine's first 4 GiB, and no free "
               "page was found there");
}

struct err handover_prepare(struct handover *h)
{
    struct plan_layout *l = &h->layout;
    struct plan_start_info own;

    plan_start_info_read(&own, pv_start_info(), ARCH_WIDTH);
    TRY(layout_for(h, 0, l));
    /* What is allocated below brings tables of its own: they must find room as well. */
    TRY(layout_for(h, (l->p2m.nr_pages + plan_nr_tables(l)) / 512 + 2 * REGIONS_OF_A_LAYOUT, l));
    TRY(plan_start_info(&h->start_info, &own, l, h->initrd_bytes, h->cmdline));
    uint64_t need = l->p2m.nr_pages + plan_nr_tables(l) + 3, have = mm_nr_free();

    TRY(alloc_tables(h));
    h->p2m = (struct plan_p2m){.entries = alloc_for(&l->p2m), .width = ARCH_WIDTH};
    h->start_info_page = alloc_for(&l->start_info);
    h->stack_page = alloc_for(&l->stack);
    h->passage_page = alloc_for(&l->passage);
    if (h->p2m.entries == NULL || h->tables == NULL || h->start_info_page == NULL ||
        h->stack_page == NULL || h->passage_page == NULL) {
        handover_cancel(h);
        return ERR2(ERR_WONT_FIT,
                    "P2M list and page tables take %a MiB of memory, %b MiB more than are free",
                    (need + 255) >> 8, ((need > have ? need - have : 1) + 255) >> 8);
    }
    return OK;
}

void handover_cancel(struct handover *h)
{
    if (h->p2m.entries != NULL)
        mm_free(h->p2m.entries, (size_t)h->layout.p2m.nr_pages);
    if (h->tables != NULL)
        mm_free(h->tables, (size_t)plan_nr_tables(&h->layout));
    if (h->start_info_page != NULL)
        mm_free(h->start_info_page, 1);
    if (h->stack_page != NULL)
        mm_free(h->stack_page, 1);
    if (h->passage_page != NULL)
        mm_free(h->passage_page, 1);
    h->p2m.entries = h->tables = NULL;
    h->start_info_page = h->stack_page = h->passage_page = NULL;
}

/* ---- moves --------------------------------------------------------------------------------------
 */

struct moves {
    struct plan_move list[MOVE_MAX];
    unsigned nr;
};

static void add_move(struct moves *m, pfn_t from, pfn_t to, uint64_t nr)
{
    if (m->nr == MOVE_MAX)
        guest_panic("too many pages to move at the hand-over", from, to);
    m->list[m->nr++] = (struct plan_move){.from = from, .to = to, .nr = nr};
}

/* nr_pages from va, within one region, become the pages from `to` on. */
static void move_region(struct moves *m, const void *va, uint64_t nr_pages, pfn_t to)
{
    uint64_t done = 0;

    while (done < nr_pages) {
        const char *p = (const char *)va + (size_t)done * PAGE_BYTES;
        pfn_t from = mm_virt_to_pfn(p);
        size_t run = 1;

        while (done + run < nr_pages && mm_virt_to_pfn(p + run * PAGE_BYTES) == from + run)
            run++;
        add_move(m, from, to + done, run);
        done += run;
    }
}

static bool is_own_table(const pfn_t *own, unsigned nr, pfn_t pfn)
{
    for (unsigned i = 0; i < nr; i++) {
        if (own[i] == pfn)
            return true;
    }
    return false;
}

/* Page tables of the old world leave the part of memory that the new world's layout covers. */
static void move_old_tables(struct moves *m, const struct plan_layout *l)
{
    static pfn_t tables[TABLE_MAX];
    unsigned nr = pv_own_tables(tables, TABLE_MAX);
    pfn_t boot = mm_virt_to_pfn(pv_boot_top());
    pfn_t slot = l->nr_pages_used;

    for (uint64_t i = 0; i < pv_start_info()->nr_pt_frames; i++) {
        if (nr == TABLE_MAX)
            guest_panic("too many page tables at the hand-over", nr, 0);
        tables[nr++] = boot + i;
    }
    for (unsigned i = 0; i < nr; i++) {
        if (tables[i] >= l->nr_pages_used)
            continue;
        while (is_own_table(tables, nr, slot))
            slot++;
        add_move(m, tables[i], slot++, 1);
    }
}

static void collect_moves(struct moves *m, const struct handover *h)
{
    const struct plan_layout *l = &h->layout;
    const struct start_info *si = pv_start_info();

    move_region(m, h->kernel, h->nr_kernel_pages, l->kernel.first);
    if (h->initrd_bytes != 0)
        move_region(m, h->initrd, h->nr_initrd_pages, l->initrd.first);
    move_region(m, h->p2m.entries, l->p2m.nr_pages, l->p2m.first);
    move_region(m, h->start_info_page, 1, l->start_info.first);
    move_region(m, h->stack_page, 1, l->stack.first);
    move_region(m, h->passage_page, 1, l->passage.first);
    move_region(m, h->tables, l->tables.nr_pages, l->tables.first);
    if (l->p2m_tables.nr_pages != 0)
        move_region(m, (const char *)h->tables + (size_t)l->tables.nr_pages * PAGE_BYTES,
                    l->p2m_tables.nr_pages, l->p2m_tables.first);
    add_move(m, pv_mfn_to_pfn(si->store_mfn), l->store.first, 1);
    add_move(m, pv_mfn_to_pfn(si->console.domU.mfn), l->console.first, 1);
    move_old_tables(m, l);
}

/* ---- the new P2M --------------------------------------------------------------------------------
 */

/* Updates of Xen's machine-to-physical table, in batches. */
struct m2p_batch {
    struct mmu_update reqs[M2P_BATCH];
    unsigned nr;
};

static void m2p_flush(struct m2p_batch *b)
{
    if (b->nr == 0)
        return;
    long rc = hypercall_mmu_update(b->reqs, b->nr, NULL, DOMID_SELF);

    if (rc != 0)
        guest_panic("updating the machine-to-physical table failed", b->nr, (uint64_t)-rc);
    b->nr = 0;
}

static void m2p_changed(void *ctx, plan_pfn pfn, uint64_t mfn)
{
    struct m2p_batch *b = ctx;

    b->reqs[b->nr++] =
        (struct mmu_update){.ptr = mfn << PAGE_SHIFT | MMU_MACHPHYS_UPDATE, .val = pfn};
    if (b->nr == M2P_BATCH)
        m2p_flush(b);
}

static void exchange_pages(struct handover *h)
{
    static struct moves moves;
    static struct m2p_batch batch;
    const struct plan_p2m old_p2m = {.entries = at_va(pv_start_info()->mfn_list),
                                     .width = ARCH_WIDTH};
    size_t nr_pages = pv_start_info()->nr_pages;
    size_t used = nr_pages * plan_p2m_entry_bytes(ARCH_WIDTH);

    moves.nr = batch.nr = 0;
    collect_moves(&moves, h);
    memcpy(h->p2m.entries, old_p2m.entries, used);
    memset((char *)h->p2m.entries + used, 0xff, (size_t)h->layout.p2m.nr_pages * PAGE_BYTES - used);
    struct err e =
        plan_exchange(&h->p2m, &old_p2m, nr_pages, moves.list, moves.nr, m2p_changed, &batch);

    if (failed(e))
        guest_panic(e.msg, e.a, e.b);
    m2p_flush(&batch);
}

static uint64_t new_mfn(void *ctx, plan_pfn pfn)
{
    return plan_p2m_get(ctx, pfn);
}

/* ---- the last steps -----------------------------------------------------------------------------
 */

/* Xen writes its hypercall stubs into the new kernel's page, through the MSR that cpuid names. */
static void fill_hypercall_page(const struct handover *h)
{
    const struct xen_notes *n = &h->image->notes;
    uint32_t eax = 0x40000002, ebx, ecx = 0, edx;

    if (!n->has_hypercall_page)
        return;
    /* cpuid with Xen's prefix, because the plain one shows a PV guest the machine's leaves. */
    __asm__ volatile(".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e; cpuid"
                     : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    uint64_t pfn = (n->hypercall_page - n->virt_base) >> PAGE_SHIFT;
    uint64_t value = plan_p2m_get(&h->p2m, pfn) << PAGE_SHIFT;

    __asm__ volatile("wrmsr"
                     :
                     : "c"(ebx), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

static void write_new_world(struct handover *h)
{
    uint64_t nr_tables = plan_nr_tables(&h->layout);

    for (uint64_t i = 0; i < nr_tables; i++)
        plan_table(&h->layout, i, new_mfn, &h->p2m, h->tables + (size_t)i * PLAN_TABLE_ENTRIES);
    memset(h->start_info_page, 0, PAGE_BYTES);
    plan_start_info_write(h->start_info_page, &h->start_info, ARCH_WIDTH);
    memset(h->stack_page, 0, PAGE_BYTES);
    fill_hypercall_page(h);
    /* From here on these pages are tables: no writable mapping may be left. */
    mm_unmap_keep(h->tables);
}

static void must(long rc, const char *what)
{
    if (rc != 0)
        guest_panic(what, (uint64_t)-rc, 0);
}

/* The processor as the domain builder would have started it. */
static void reset_processor(const struct handover *h)
{
    struct shared_info *s = pv_shared_info();

    events_fini();
    traps_remove();
    arch_reset(&h->image->notes);
    must(hypercall_stack_switch(FLAT_KERNEL_SS, (unsigned long)h->layout.stack_top),
         "setting the kernel stack failed");
    s->vcpu_info[0].evtchn_upcall_mask = 1;
    s->vcpu_info[0].evtchn_upcall_pending = 0;
    s->vcpu_info[0].evtchn_pending_sel = 0;
    __asm__ volatile("fninit");
}

_Noreturn void handover_go(struct handover *h)
{
    const struct plan_layout *l = &h->layout;
    mfn_t old_top = mm_virt_to_mfn(pv_boot_top());

    /* The libraries have done their work; what their canary took may be mapped writable below. */
    arch_canary_fini();
    /* Before all else, because it may add tables of ours, which must then move too. */
    pv_map_one(l->passage.va, mm_virt_to_mfn(h->passage_page));
    exchange_pages(h);
    write_new_world(h);

    unsigned long new_top = (unsigned long)plan_p2m_get(&h->p2m, l->tables.first);
    struct mmuext_op pin = {.cmd = ARCH_PIN_TOP, .arg1.mfn = new_top};

    must(hypercall_mmuext_op(&pin, 1, NULL, DOMID_SELF), "Xen refused the new page tables");

    uint8_t *page = h->passage_page;
    struct mmuext_op ops[2] = {{.cmd = MMUEXT_NEW_BASEPTR, .arg1.mfn = new_top},
                               {.cmd = MMUEXT_UNPIN_TABLE, .arg1.mfn = (unsigned long)old_top}};
    struct sched_shutdown crash = {.reason = SHUTDOWN_crash};

    memset(page, 0, PAGE_BYTES);
    memcpy(page, passage_code, (size_t)(passage_code_end - passage_code));
    memcpy(page + PASSAGE_OPS_OFF, ops, sizeof(ops));
    memcpy(page + PASSAGE_SHUTDOWN_OFF, &crash, sizeof(crash));
    reset_processor(h);
    passage_jump(at_va(l->passage.va + PASSAGE_OPS_OFF),
                 at_va(l->passage.va + PASSAGE_SHUTDOWN_OFF), (uintptr_t)l->entry,
                 (uintptr_t)l->stack_top, (uintptr_t)l->start_info.va, (uintptr_t)l->passage.va);
}
