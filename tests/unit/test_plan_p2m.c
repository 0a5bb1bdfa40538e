/* SPDX-License-Identifier: MIT */
/* Placement as data: a list of pages (P2M) at the address that the kernel names, above itself. */
#include "tests/unit/planwalk.h"

/* A list above the kernel: next to it, so that upper tables are shared, and far from it. */
static void p2m_above_the_kernel(void)
{
    struct xen_notes n = linux_notes();
    struct plan_input in = linux_input(&n, MIB(512));
    struct plan_layout l;

    n.virt_base = 0x40000000;
    n.entry = n.virt_base + MIB(16);
    n.init_p2m = 0x8000000000; /* level 4 is shared */
    CHECK_OK(plan_layout(&l, &in));
    uint64_t v_end = l.v_end;
    const uint64_t places[] = {v_end,      v_end + 4096, v_end + MIB(2) - 4096,
                               0x80000000, 0x8000000000, 0xffff880000000000};
    const uint64_t nr_tables[] = {1, 1, 2, 2, 3, 3};

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        n.init_p2m = places[i];
        CHECK_OK(plan_layout(&l, &in));
        CHECK_U64(l.v_end, v_end);
        CHECK_U64(l.p2m.va, places[i]);
        CHECK_U64(l.p2m_tables.nr_pages, nr_tables[i]);
        check_disjoint(&l);
        for (uint64_t page = 0; page < 256; page += 51)
            CHECK_U64(leaf_pfn(walk(&l, l.p2m.va + page * 4096)), l.p2m.first + page);
        CHECK_U64(walk(&l, l.p2m.va + 256 * 4096), 0);
        CHECK_U64(leaf_pfn(walk(&l, l.kernel.va)), l.kernel.first);
        CHECK_U64(leaf_pfn(walk(&l, l.v_end - 4096)), l.nr_mapped_pages - 1);
    }
}

int main(void)
{
    RUN(p2m_above_the_kernel);
    return test_done();
}
