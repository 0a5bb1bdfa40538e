/* SPDX-License-Identifier: MIT */
/*
 * Page tables of the layout, one page at a time. Entry bits as Xen's domain builder sets them: leaf
 * entries without the user bit, which is how a 64-bit guest tells its kernel's pages from its
 * users' (Xen adds what the processor needs). PAE tables have the same entries: Xen looks at the
 * top level of a 32-bit guest as at any other table.
 * Source: Intel SDM volume 3, 4-level and PAE paging; xen/include/public/arch-x86/xen.h.
 */
#include "core/plan/plan.h"

#include <string.h>

#define BIT_PRESENT  ((uint64_t)1 << 0)
#define BIT_WRITE    ((uint64_t)1 << 1)
#define BIT_USER     ((uint64_t)1 << 2)
#define BIT_ACCESSED ((uint64_t)1 << 5)
#define BIT_DIRTY    ((uint64_t)1 << 6)

#define LEAF_BITS  (BIT_PRESENT | BIT_ACCESSED)
#define TABLE_BITS (BIT_PRESENT | BIT_WRITE | BIT_USER | BIT_ACCESSED | BIT_DIRTY)

uint64_t plan_nr_tables(const struct plan_layout *l)
{
    return l->tables.nr_pages + l->p2m_tables.nr_pages;
}

plan_pfn plan_table_pfn(const struct plan_layout *l, uint64_t index)
{
    return index < l->tables.nr_pages ? l->tables.first + index
                                      : l->p2m_tables.first + (index - l->tables.nr_pages);
}

static bool in_piece(const struct plan_piece *p, plan_pfn pfn)
{
    return pfn >= p->first && pfn - p->first < p->nr_pages;
}

/* Level and first address of the table at this pfn. */
static unsigned table_level(const struct plan_layout *l, plan_pfn pfn, uint64_t *va)
{
    for (unsigned s = 0; s < l->nr_spans; s++) {
        for (unsigned level = l->nr_levels; level >= 1; level--) {
            const struct plan_level *t = &l->spans[s].levels[level];

            if (pfn >= t->first && pfn - t->first < t->nr) {
                *va = t->va_first + ((pfn - t->first) << (PLAN_PAGE_SHIFT + 9 * level));
                return level;
            }
        }
    }
    return 0;
}

/* The table of `level` that covers va; false: there is none. */
static bool find_table(const struct plan_layout *l, unsigned level, uint64_t va, plan_pfn *pfn)
{
    for (unsigned s = 0; s < l->nr_spans; s++) {
        const struct plan_level *t = &l->spans[s].levels[level];
        unsigned shift = PLAN_PAGE_SHIFT + 9 * level;

        if (va >= t->va_first && (va - t->va_first) >> shift < t->nr) {
            *pfn = t->first + ((va - t->va_first) >> shift);
            return true;
        }
    }
    return false;
}

static bool find_page(const struct plan_layout *l, uint64_t va, plan_pfn *pfn)
{
    for (unsigned s = 0; s < l->nr_spans; s++) {
        const struct plan_span *span = &l->spans[s];

        if (va >= span->va && (va - span->va) >> PLAN_PAGE_SHIFT < span->nr_pages) {
            *pfn = span->first + ((va - span->va) >> PLAN_PAGE_SHIFT);
            return true;
        }
    }
    return false;
}

void plan_table(const struct plan_layout *l, uint64_t index, plan_mfn_fn mfn, void *ctx,
                uint64_t entries[PLAN_TABLE_ENTRIES])
{
    uint64_t base = 0;
    unsigned level = table_level(l, plan_table_pfn(l, index), &base);

    for (unsigned i = 0; i < PLAN_TABLE_ENTRIES; i++) {
        uint64_t va = base + ((uint64_t)i << (PLAN_PAGE_SHIFT + 9 * (level - 1)));
        plan_pfn pfn;

        entries[i] = 0;
        if (level > 1) {
            if (find_table(l, level - 1, va, &pfn))
                entries[i] = mfn(ctx, pfn) << PLAN_PAGE_SHIFT | TABLE_BITS;
        } else if (find_page(l, va, &pfn)) {
            bool is_table = in_piece(&l->tables, pfn) || in_piece(&l->p2m_tables, pfn);

            entries[i] = mfn(ctx, pfn) << PLAN_PAGE_SHIFT | LEAF_BITS | (is_table ? 0 : BIT_WRITE);
        }
    }
}
