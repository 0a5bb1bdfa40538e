/* SPDX-License-Identifier: MIT */
/* What the tests of core/plan share: Linux's layout as input, and a walk of page tables. */
#ifndef PVBOOT_TESTS_PLANWALK_H
#define PVBOOT_TESTS_PLANWALK_H

#include "core/plan/plan.h"
#include "tests/unit/test.h"

#define MIB(n) ((uint64_t)(n) << 20)

/* Linux 6.1 amd64: base ffffffff80000000, loaded at 16 MiB, P2M at 0x8000000000, initrd by pfn. */
static inline struct xen_notes linux_notes(void)
{
    return (struct xen_notes){.found = true,
                              .entry = 0xffffffff82ab31f0,
                              .virt_base = 0xffffffff80000000,
                              .has_virt_base = true,
                              .has_init_p2m = true,
                              .init_p2m = 0x8000000000,
                              .mod_start_pfn = true};
}

static inline struct plan_input linux_input(const struct xen_notes *n, uint64_t memory_bytes)
{
    return (struct plan_input){.width = IMAGE_64,
                               .nr_pages = memory_bytes / PLAN_PAGE_BYTES,
                               .pstart = MIB(16),
                               .pend = MIB(60) + 123,
                               .notes = n,
                               .initrd_bytes = MIB(32) + 1,
                               .avoid = {{0x60000000, 0x60400000}},
                               .nr_avoid = 1,
                               .nr_old_tables = 40};
}

/* A 32-bit Linux: base 0xc0000000, loaded at 1 MiB, everything in the initial mapping. */
static inline struct xen_notes linux_32_notes(void)
{
    return (struct xen_notes){.found = true,
                              .entry = 0xc0100000,
                              .virt_base = 0xc0000000,
                              .has_virt_base = true,
                              .has_init_p2m = true, /* which the builder does not look at */
                              .init_p2m = 0x80000000};
}

static inline struct plan_input linux_32_input(const struct xen_notes *n, uint64_t memory_bytes)
{
    return (struct plan_input){.width = IMAGE_32,
                               .nr_pages = memory_bytes / PLAN_PAGE_BYTES,
                               .pstart = MIB(1),
                               .pend = MIB(9) + 5,
                               .notes = n,
                               .initrd_bytes = MIB(20),
                               .avoid = {{0x70000000, 0x70400000}, {0x10000000, 0x70000000}},
                               .nr_avoid = 2,
                               .nr_old_tables = 30};
}

/* The mfn of pfn N in these tests. */
static inline uint64_t fake_mfn(void *ctx, plan_pfn pfn)
{
    (void)ctx;
    return pfn + 0x100000;
}

/* Walk the tables as a processor does; the leaf entry, or 0. */
static inline uint64_t walk(const struct plan_layout *l, uint64_t va)
{
    uint64_t entries[PLAN_TABLE_ENTRIES];
    plan_pfn pfn = l->tables.first;

    for (unsigned level = l->nr_levels;; level--) {
        uint64_t index = UINT64_MAX;

        for (uint64_t i = 0; i < plan_nr_tables(l); i++) {
            if (plan_table_pfn(l, i) == pfn)
                index = i;
        }
        if (index == UINT64_MAX)
            return UINT64_MAX; /* an entry that points to no table of ours */
        plan_table(l, index, fake_mfn, NULL, entries);
        uint64_t e = entries[(va >> (12 + 9 * (level - 1))) & 511];

        if (level == 1 || e == 0)
            return e;
        pfn = ((e & 0x000ffffffffff000) >> 12) - 0x100000;
    }
}

static inline uint64_t leaf_pfn(uint64_t entry)
{
    return ((entry & 0x000ffffffffff000) >> 12) - 0x100000;
}

static inline bool disjoint(const struct plan_piece *a, const struct plan_piece *b)
{
    return a->nr_pages == 0 || b->nr_pages == 0 || a->first + a->nr_pages <= b->first ||
           b->first + b->nr_pages <= a->first;
}

static inline void check_disjoint(const struct plan_layout *l)
{
    const struct plan_piece *p[] = {&l->kernel,  &l->initrd,    &l->p2m,    &l->start_info,
                                    &l->store,   &l->console,   &l->tables, &l->stack,
                                    &l->passage, &l->p2m_tables};

    for (size_t i = 0; i < sizeof(p) / sizeof(p[0]); i++) {
        for (size_t j = 0; j < i; j++)
            CHECK(disjoint(p[i], p[j]));
    }
}

#endif
