/* SPDX-License-Identifier: MIT */
/* The page tables as they were at entry, walked from the top; Xen's own entries are left out. */
#include "core/base/bytes.h"
#include "tests/guest/kernel/kernel.h"

#define ENTRIES 512

/* Entries that are Xen's: level-4 slots, or those of PAE's last level-2 table from 0xf5800000 on.
 */
#define XEN_SLOT_FIRST   256
#define XEN_SLOT_LAST    271
#define XEN_LEVEL2_FIRST 0x1ac

static uint64_t copies[LEVELS + 1][ENTRIES];
static uint8_t times_mapped[PAGES_MAX]; /* by pfn */
static uint64_t nr_other_tables;        /* that only the P2M list needs */

static uint64_t base(void)
{
    return (uintptr_t)virt_base;
}

static bool is_xens(unsigned level, uint64_t va, unsigned i)
{
    if (LEVELS == 4)
        return level == 4 && i >= XEN_SLOT_FIRST && i <= XEN_SLOT_LAST;
    return level == 2 && va == 0xc0000000 && i >= XEN_LEVEL2_FIRST;
}

static uint64_t canonical(uint64_t va)
{
    return LEVELS == 4 && (va & ((uint64_t)1 << 47)) != 0 ? va | 0xffff000000000000 : va;
}

/* Tables that cover nothing of the initial mapping belong to the P2M list. */
static bool covers_mapping(unsigned level, uint64_t va)
{
    unsigned shift = PAGE_SHIFT + 9 * level;
    uint64_t first = base() >> shift, last = (base() + (64u << 20) - 1) >> shift;

    if (LEVELS == 3 && level == 2)
        return va >> shift >= first; /* the builder makes them up to the last */
    return level == LEVELS || (va >> shift >= first && va >> shift <= last);
}

static void leaf(uint64_t va, uint64_t e)
{
    uint64_t pfn = m2p(PTE_MFN(e));
    const uint64_t list_va = KERNEL_P2M;
    uint64_t wanted = UINT64_MAX;

    if (is_window(va)) /* shows the very table that is walked */
        pfn = (va - base()) >> PAGE_SHIFT;
    if (list_va != 0 && va >= list_va && (va - list_va) >> PAGE_SHIFT < nr_p2m_pages())
        wanted = si->first_p2m_pfn + ((va - list_va) >> PAGE_SHIFT);
    else if (va >= base())
        wanted = (va - base()) >> PAGE_SHIFT;
    if (pfn != wanted || pfn >= si->nr_pages) {
        wrong("a page's pfn, whose address follows", pfn, wanted);
        say("wrong", "the address ", va);
        return;
    }
    if (times_mapped[pfn]++ != 0)
        wrong("a page that is mapped more than once", pfn, 0);
    if (va >= base() && wanted == (va - base()) >> PAGE_SHIFT) {
        if (wanted != mapping.nr_pages)
            wrong("the next page of the initial mapping", wanted, mapping.nr_pages);
        mapping.nr_pages = wanted + 1;
    }
    expect("flags of a page that must be 0", e & (PTE_LARGE | PTE_GLOBAL | PTE_NX), 0);
}

static void walk(unsigned level, uint64_t mfn, uint64_t va)
{
    unsigned shift = PAGE_SHIFT + 9 * (level - 1);
    const void *table = window_open(mfn, false);

    if (table == NULL || m2p(mfn) >= si->nr_pages) {
        wrong("a page table that is not one of the guest's pages", mfn, level);
        return;
    }
    memcpy(copies[level], table, PAGE_BYTES);
    window_close();
    note_table(m2p(mfn));
    if (covers_mapping(level, va))
        mapping.nr_tables++;
    else
        nr_other_tables++;
    for (unsigned i = 0; i < ENTRIES; i++) {
        uint64_t e = copies[level][i], below = canonical(va + ((uint64_t)i << shift));

        if (is_xens(level, va, i))
            continue;
        if ((e & PTE_PRESENT) == 0) {
            if (e != 0 && !(level == 1 && is_window(below)))
                wrong("an entry that is absent and not 0", e, below);
        } else if (level == 1) {
            leaf(below, e);
        } else if ((e & PTE_LARGE) != 0) {
            wrong("a large page", e, below);
        } else {
            walk(level - 1, PTE_MFN(e), below);
        }
    }
}

/* Second pass, when all tables are known: they alone are read-only. */
static void check_access(unsigned level, uint64_t mfn, uint64_t va)
{
    unsigned shift = PAGE_SHIFT + 9 * (level - 1);
    const void *table = window_open(mfn, false);

    if (table == NULL)
        return; /* said by the first pass */
    memcpy(copies[level], table, PAGE_BYTES);
    window_close();
    for (unsigned i = 0; i < ENTRIES; i++) {
        uint64_t e = copies[level][i], below = canonical(va + ((uint64_t)i << shift));

        if (is_xens(level, va, i) || (e & PTE_PRESENT) == 0 || (e & PTE_LARGE) != 0)
            continue;
        if (level > 1) {
            check_access(level - 1, PTE_MFN(e), below);
        } else if (!is_window(below)) {
            bool writable = (e & PTE_WRITABLE) != 0;

            if (writable == is_table(m2p(PTE_MFN(e))))
                wrong(writable ? "a table that is mapped writable" : "a page that is read-only",
                      m2p(PTE_MFN(e)), below);
        }
    }
}

void check_tables(void)
{
    uint64_t top = p2m((si->pt_base - base()) >> PAGE_SHIFT);

    if (si->pt_base < base() || si->pt_base % PAGE_BYTES != 0 ||
        (si->pt_base - base()) >> PAGE_SHIFT >= si->nr_pages) {
        wrong("pt_base", si->pt_base, base());
        return;
    }
    walk(LEVELS, top, 0);
    check_access(LEVELS, top, 0);
    /* All of them in one row from pt_base on. */
    for (uint64_t i = 0; i < mapping.nr_tables; i++) {
        if (!is_table(((si->pt_base - base()) >> PAGE_SHIFT) + i))
            wrong("a page behind pt_base that is no table", i, mapping.nr_tables);
    }
    if (KERNEL_P2M != 0)
        expect("nr_p2m_frames", si->nr_p2m_frames, nr_p2m_pages() + nr_other_tables);
    else
        expect("tables outside of the initial mapping", nr_other_tables, 0);
    for (uint64_t i = 0; KERNEL_P2M != 0 && i < nr_other_tables; i++) {
        if (!is_table(si->first_p2m_pfn + nr_p2m_pages() + i))
            wrong("a page behind the P2M list that is no table", i, nr_other_tables);
    }
}
