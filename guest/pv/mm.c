/* SPDX-License-Identifier: MIT */
/*
 * Free pages are a short sorted list of extents; each allocation is a region with level-1 tables
 * of its own, so that mapping and unmapping it are one write of a level-2 entry for each 2 MiB and
 * Xen validates 512 pages in one go. Virtual addresses are not used twice before all
 * have been used once.
 *
 *     (64 bit: level 4 slot ->) level-3 table -> level-2 tables (kept) -> a region's level-1 tables
 *
 * Tables are written through one spare page of the image (the "slot") while they are ordinary
 * pages; a table in use is never mapped writable, which Xen would refuse.
 */
#include "guest/mm.h"

#include <string.h>

#include "core/base/bytes.h"
#include "guest/panic.h"
#include "guest/pv/pv.h"

#define ENTRIES     ((size_t)512)
#define CHUNK_BYTES (ENTRIES * PAGE_BYTES)

#define EXTENT_MAX        512
#define REGION_MAX        1024
#define REGION_EXTENT_MAX 8
#define TABLE_MAX         ARCH_MAX_TABLES

struct extent {
    pfn_t first;
    uint64_t nr;
};

struct region {
    uint64_t va; /* 0: unused; a multiple of CHUNK_BYTES */
    size_t nr_pages;
    unsigned nr_extents; /* 0: foreign frames */
    struct extent extents[REGION_EXTENT_MAX];
};

static struct {
    struct extent free[EXTENT_MAX]; /* ascending, never adjacent */
    unsigned nr_free_extents;
    uint64_t nr_free;
    struct region regions[REGION_MAX];
    unsigned nr_regions; /* slots used so far; freed ones have va 0 */
    uint64_t next_va;
    mfn_t l3;
    mfn_t l2[ENTRIES];
    pfn_t tables[TABLE_MAX]; /* pages that are page tables of ours */
    unsigned nr_tables;
} mm;

static uint8_t slot_page[4096] __attribute__((aligned(4096)));

/* ---- extents ------------------------------------------------------------------------------------
 */

static void extents_remove(unsigned i)
{
    memmove(&mm.free[i], &mm.free[i + 1], (mm.nr_free_extents - i - 1) * sizeof(mm.free[0]));
    mm.nr_free_extents--;
}

static void extents_insert(unsigned i, struct extent e)
{
    if (mm.nr_free_extents == EXTENT_MAX)
        guest_panic("too many free extents", e.first, e.nr);
    memmove(&mm.free[i + 1], &mm.free[i], (mm.nr_free_extents - i) * sizeof(mm.free[0]));
    mm.free[i] = e;
    mm.nr_free_extents++;
}

static void give_back(struct extent e)
{
    unsigned i = 0;

    mm.nr_free += e.nr;
    while (i < mm.nr_free_extents && mm.free[i].first < e.first)
        i++;
    bool joins_prev = i > 0 && mm.free[i - 1].first + mm.free[i - 1].nr == e.first;
    bool joins_next = i < mm.nr_free_extents && e.first + e.nr == mm.free[i].first;

    if (joins_prev && joins_next) {
        mm.free[i - 1].nr += e.nr + mm.free[i].nr;
        extents_remove(i);
    } else if (joins_prev) {
        mm.free[i - 1].nr += e.nr;
    } else if (joins_next) {
        mm.free[i].first = e.first;
        mm.free[i].nr += e.nr;
    } else {
        extents_insert(i, e);
    }
}

/* Take [first, first + nr) out of free extent i, which holds it. */
static void cut_out(unsigned i, pfn_t first, uint64_t nr)
{
    struct extent *e = &mm.free[i];
    struct extent tail = {.first = first + nr, .nr = e->first + e->nr - (first + nr)};

    mm.nr_free -= nr;
    e->nr = first - e->first;
    if (tail.nr != 0)
        extents_insert(i + 1, tail);
    if (mm.free[i].nr == 0)
        extents_remove(i);
}

/* Pages for anything: from the highest extent that holds all nr, else the largest there is. */
static struct extent take_top(uint64_t nr)
{
    unsigned i = 0;

    for (unsigned e = 0; e < mm.nr_free_extents; e++) {
        if (mm.free[e].nr >= nr || mm.free[e].nr > mm.free[i].nr)
            i = e;
    }
    uint64_t take = min_u64(nr, mm.free[i].nr);
    struct extent got = {.first = mm.free[i].first + mm.free[i].nr - take, .nr = take};

    cut_out(i, got.first, take);
    return got;
}

/* The first free pages at or above `first`, at most nr; nr 0 when there are none. */
static struct extent take_from(pfn_t first, uint64_t nr)
{
    for (unsigned i = 0; i < mm.nr_free_extents; i++) {
        struct extent e = mm.free[i];

        if (e.first + e.nr <= first)
            continue;
        pfn_t start = e.first > first ? e.first : first;
        struct extent got = {.first = start, .nr = min_u64(nr, e.first + e.nr - start)};

        cut_out(i, got.first, got.nr);
        return got;
    }
    return (struct extent){0};
}

/* ---- page tables --------------------------------------------------------------------------------
 */

static void set_slot(uint64_t pte)
{
    long rc = hypercall_update_va_mapping((unsigned long)slot_page, pte, UVMF_INVLPG);

    if (rc != 0)
        guest_panic("mapping a page table page failed", pte, (uint64_t)-rc);
}

/* Make `page` (mapped nowhere) a table with these entries. */
void pv_write_table(mfn_t page, const uint64_t *entries)
{
    set_slot(page << PAGE_SHIFT | PTE_RW_FLAGS);
    memcpy(slot_page, entries, PAGE_BYTES);
    set_slot(0);
}

void pv_set_entry(mfn_t table, unsigned index, uint64_t value)
{
    struct mmu_update req = {.ptr = (table << PAGE_SHIFT | index * 8u) | MMU_NORMAL_PT_UPDATE,
                             .val = value};
    long rc = hypercall_mmu_update(&req, 1, NULL, DOMID_SELF);

    if (rc != 0)
        guest_panic("writing a page table entry failed", req.ptr, value);
}

static mfn_t take_table_page(void)
{
    if (mm.nr_free == 0)
        guest_panic("no page left for a page table", 0, 0);
    if (mm.nr_tables == TABLE_MAX)
        guest_panic("too many page tables", mm.nr_tables, 0);
    pfn_t pfn = take_top(1).first;

    mm.tables[mm.nr_tables++] = pfn;
    return pv_pfn_to_mfn(pfn);
}

static void give_back_table_page(mfn_t table)
{
    for (unsigned i = 0; i < mm.nr_tables; i++) {
        if (pv_pfn_to_mfn(mm.tables[i]) == table) {
            give_back((struct extent){.first = mm.tables[i], .nr = 1});
            mm.tables[i] = mm.tables[--mm.nr_tables];
            return;
        }
    }
    guest_panic("a page table page that is not ours", table, 0);
}

unsigned pv_nr_own_tables(void)
{
    return mm.nr_tables;
}

unsigned pv_own_tables(pfn_t *out, unsigned max)
{
    if (mm.nr_tables > max)
        guest_panic("too many page tables for the hand-over", mm.nr_tables, max);
    memcpy(out, mm.tables, mm.nr_tables * sizeof(out[0]));
    return mm.nr_tables;
}

static const uint64_t empty_table[ENTRIES];

static mfn_t new_empty_table(void)
{
    mfn_t table = take_table_page();

    pv_write_table(table, empty_table);
    return table;
}

/* Under PAE the initial mapping has level-2 tables that lead to our addresses, too. */
static mfn_t level2_of_builder(unsigned l3_index)
{
    uint64_t entry = ARCH_LEVELS == 3 ? pv_boot_top()[l3_index] : 0;

    return entry & PTE_PRESENT ? (entry & PTE_ADDRESS) >> PAGE_SHIFT : 0;
}

/* The level-2 table for va, made when it is first needed. */
static mfn_t level2_for(uint64_t va)
{
    unsigned l3_index = (unsigned)(va >> 30) & 511;

    if (mm.l2[l3_index] == 0)
        mm.l2[l3_index] = level2_of_builder(l3_index);
    if (mm.l2[l3_index] == 0) {
        mm.l2[l3_index] = new_empty_table();
        pv_set_entry(mm.l3, l3_index, mm.l2[l3_index] << PAGE_SHIFT | PTE_TABLE_FLAGS);
    }
    return mm.l2[l3_index];
}

/* Read through the slot: a table in use may be mapped read-only. */
static uint64_t get_entry(mfn_t table, unsigned index)
{
    uint64_t entry;

    set_slot(table << PAGE_SHIFT | PTE_RO_FLAGS);
    entry = ((const volatile uint64_t *)slot_page)[index];
    set_slot(0);
    return entry;
}

/* One page at any address that is not Xen's: builds the tables that are missing. */
void pv_map_one(uint64_t va, mfn_t frame)
{
    mfn_t table = mm_virt_to_mfn(pv_boot_top());

    for (unsigned level = ARCH_LEVELS; level > 1; level--) {
        unsigned index = (unsigned)(va >> (12 + 9 * (level - 1))) & 511;
        uint64_t entry = get_entry(table, index);
        mfn_t next = (entry & PTE_ADDRESS) >> PAGE_SHIFT;

        if (!(entry & PTE_PRESENT)) {
            next = new_empty_table();
            pv_set_entry(table, index, next << PAGE_SHIFT | PTE_TABLE_FLAGS);
        }
        table = next;
    }
    unsigned index = (unsigned)(va >> 12) & 511;

    if (get_entry(table, index) & PTE_PRESENT)
        guest_panic("the address of the page of passage is in use", va, frame);
    pv_set_entry(table, index, frame << PAGE_SHIFT | PTE_RW_FLAGS);
}

/* ---- regions ------------------------------------------------------------------------------------
 */

/* A region and at least one page of distance, so that an overrun faults. */
static uint64_t span_of(size_t nr_pages)
{
    return align_up(((uint64_t)nr_pages + 1) * PAGE_BYTES, CHUNK_BYTES);
}

/* The first region that [va, va + nr_bytes) runs into, or NULL. */
static const struct region *in_the_way(uint64_t va, uint64_t nr_bytes)
{
    for (unsigned i = 0; i < mm.nr_regions; i++) {
        const struct region *r = &mm.regions[i];

        if (r->va != 0 && va < r->va + span_of(r->nr_pages) && r->va - va < nr_bytes)
            return r;
        if (r->va != 0 && va >= r->va && va - r->va < span_of(r->nr_pages))
            return r;
    }
    return NULL;
}

/* Addresses for a new region, or 0: new ones as long as there are any, then freed ones. */
static uint64_t find_addresses(size_t nr_pages)
{
    uint64_t nr_bytes = span_of(nr_pages), va = ARCH_MM_BASE;
    const struct region *r;

    if (nr_bytes <= ARCH_MM_END - mm.next_va)
        return mm.next_va;
    while (nr_bytes <= ARCH_MM_END - va && (r = in_the_way(va, nr_bytes)) != NULL)
        va = r->va + span_of(r->nr_pages);
    return nr_bytes <= ARCH_MM_END - va ? va : 0;
}

static struct region *new_region(size_t nr_pages)
{
    uint64_t va = find_addresses(nr_pages);

    if (mm.nr_regions == REGION_MAX) {
        unsigned kept = 0;

        for (unsigned i = 0; i < mm.nr_regions; i++) {
            if (mm.regions[i].va != 0)
                mm.regions[kept++] = mm.regions[i];
        }
        mm.nr_regions = kept;
        if (kept == REGION_MAX)
            guest_panic("too many memory regions", kept, nr_pages);
    }
    struct region *r = &mm.regions[mm.nr_regions++];

    if (va == 0)
        guest_panic("no addresses are left", nr_pages, mm.next_va);
    *r = (struct region){.va = va, .nr_pages = nr_pages};
    if (va == mm.next_va)
        mm.next_va += span_of(nr_pages);
    return r;
}

static struct region *find_region(uint64_t va)
{
    /* From the newest: the buffers that are asked about most were made last. */
    for (unsigned i = mm.nr_regions; i > 0; i--) {
        struct region *r = &mm.regions[i - 1];

        if (r->va != 0 && va >= r->va && va - r->va < (uint64_t)r->nr_pages * PAGE_BYTES)
            return r;
    }
    return NULL;
}

static pfn_t region_pfn(const struct region *r, uint64_t page)
{
    for (unsigned i = 0; i < r->nr_extents; i++) {
        if (page < r->extents[i].nr)
            return r->extents[i].first + page;
        page -= r->extents[i].nr;
    }
    guest_panic("an address past its region", r->va, page);
}

/* Map the region's pages; frames gives the mfns of foreign ones. */
static void map_region(const struct region *r, const mfn_t *frames)
{
    static uint64_t entries[ENTRIES];
    unsigned e = 0;
    uint64_t in_extent = 0;

    for (size_t page = 0; page < r->nr_pages; page += ENTRIES) {
        memset(entries, 0, sizeof(entries));
        for (size_t i = 0; i < ENTRIES && page + i < r->nr_pages; i++) {
            mfn_t mfn;

            if (frames != NULL) {
                mfn = frames[page + i];
            } else {
                mfn = pv_pfn_to_mfn(r->extents[e].first + in_extent);
                if (++in_extent == r->extents[e].nr) {
                    in_extent = 0;
                    e++;
                }
            }
            entries[i] = mfn << PAGE_SHIFT | PTE_RW_FLAGS;
        }
        uint64_t va = r->va + (uint64_t)page * PAGE_BYTES;
        mfn_t l2 = level2_for(va);
        mfn_t l1 = take_table_page();

        pv_write_table(l1, entries);
        pv_set_entry(l2, (unsigned)(va >> 21) & 511, l1 << PAGE_SHIFT | PTE_TABLE_FLAGS);
    }
}

static void unmap_region(const struct region *r)
{
    for (uint64_t off = 0; off < (uint64_t)r->nr_pages * PAGE_BYTES; off += CHUNK_BYTES) {
        mfn_t l2 = level2_for(r->va + off);
        unsigned index = (unsigned)((r->va + off) >> 21) & 511;
        uint64_t entry = get_entry(l2, index);

        pv_set_entry(l2, index, 0);
        give_back_table_page((entry & PTE_ADDRESS) >> PAGE_SHIFT);
    }
    struct mmuext_op flush = {.cmd = MMUEXT_TLB_FLUSH_LOCAL};
    long rc = hypercall_mmuext_op(&flush, 1, NULL, DOMID_SELF);

    if (rc != 0)
        guest_panic("flushing the TLB failed", (uint64_t)-rc, 0);
}

/* Can nr_pages be mapped with what is left: tables, their pages beside `data` pages, addresses? */
static bool can_map(uint64_t nr_pages, uint64_t data)
{
    /* Level 1, and level 2 with one more at each end. */
    uint64_t nr_tables = nr_pages / ENTRIES + 1 + nr_pages / (ENTRIES * ENTRIES) + 2;

    return nr_pages != 0 && in_range(mm.nr_tables, nr_tables, TABLE_MAX) && data <= mm.nr_free &&
           nr_tables <= mm.nr_free - data &&
           nr_pages <= (ARCH_MM_END - ARCH_MM_BASE) >> PAGE_SHIFT &&
           find_addresses((size_t)nr_pages) != 0;
}

void *mm_alloc_near(size_t nr_pages, pfn_t first)
{
    if (!can_map(nr_pages, nr_pages))
        return NULL;
    struct region *r = new_region(nr_pages);
    uint64_t left = nr_pages;

    while (left > 0 && r->nr_extents < REGION_EXTENT_MAX) {
        struct extent e = first != PFN_ANYWHERE ? take_from(first, left) : take_top(left);

        if (e.nr == 0)
            e = take_top(left);
        r->extents[r->nr_extents++] = e;
        left -= e.nr;
    }
    if (left > 0) {
        for (unsigned i = 0; i < r->nr_extents; i++)
            give_back(r->extents[i]);
        r->va = 0;
        return NULL;
    }
    map_region(r, NULL);
    return at_va(r->va);
}

void *mm_alloc(size_t nr_pages)
{
    return mm_alloc_near(nr_pages, PFN_ANYWHERE);
}

void mm_free(void *p, size_t nr_pages)
{
    struct region *r = find_region(va_of(p));

    if (r == NULL || r->va != va_of(p) || r->nr_pages != nr_pages || r->nr_extents == 0)
        guest_panic("freeing what was not allocated", va_of(p), nr_pages);
    unmap_region(r);
    for (unsigned i = 0; i < r->nr_extents; i++)
        give_back(r->extents[i]);
    r->va = 0;
}

void mm_unmap_keep(void *p)
{
    struct region *r = find_region(va_of(p));

    if (r == NULL || r->va != va_of(p))
        guest_panic("unmapping what was not allocated", va_of(p), 0);
    unmap_region(r);
    r->va = 0;
}

void *mm_map_frames(const mfn_t *mfns, size_t nr)
{
    if (!can_map(nr, 0))
        return NULL;
    struct region *r = new_region(nr);

    map_region(r, mfns);
    return at_va(r->va);
}

void mm_unmap_frames(void *va, size_t nr)
{
    struct region *r = find_region(va_of(va));

    if (r == NULL || r->va != va_of(va) || r->nr_pages != nr || r->nr_extents != 0)
        guest_panic("unmapping what was not mapped", va_of(va), nr);
    unmap_region(r);
    r->va = 0;
}

pfn_t mm_virt_to_pfn(const void *va)
{
    uint64_t v = va_of(va);

    if (v >= PV_VIRT_BASE && v - PV_VIRT_BASE < pv_boot_end() << PAGE_SHIFT)
        return (v - PV_VIRT_BASE) >> PAGE_SHIFT;
    const struct region *r = find_region(v);

    if (r == NULL || r->nr_extents == 0)
        guest_panic("no page lies behind an address", v, 0);
    return region_pfn(r, (v - r->va) >> PAGE_SHIFT);
}

mfn_t mm_virt_to_mfn(const void *va)
{
    return pv_pfn_to_mfn(mm_virt_to_pfn(va));
}

void mm_addresses(uint64_t *start, uint64_t *end)
{
    *start = ARCH_MM_BASE;
    *end = ARCH_MM_END;
}

uint64_t mm_nr_free(void)
{
    return mm.nr_free;
}

uint64_t mm_nr_total(void)
{
    return pv_start_info()->nr_pages;
}

void mm_init(void)
{
    /* What the builder mapped past the last page in use stays unused: it is mapped writable
     * already, so no page of it could become a page table. */
    pfn_t first = pv_boot_mapped_end();
    uint64_t total = pv_start_info()->nr_pages;

    if (total <= first)
        guest_panic("the guest has no memory beyond this image", total, first);
    mm.next_va = ARCH_MM_BASE;
    mm.free[0] = (struct extent){.first = first, .nr = total - first};
    mm.nr_free_extents = 1;
    mm.nr_free = total - first;
    mm.l3 = mm_virt_to_mfn(pv_boot_top());
    if (ARCH_LEVELS == 4) {
        mfn_t top = mm.l3;

        mm.l3 = new_empty_table();
        pv_set_entry(top, (unsigned)(ARCH_MM_BASE >> 39), mm.l3 << PAGE_SHIFT | PTE_TABLE_FLAGS);
    }
}
