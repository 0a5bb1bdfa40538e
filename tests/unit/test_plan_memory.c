/* SPDX-License-Identifier: MIT */
/* Placement as data: what a guest has too little of, the largest guests of both widths, memory that
 * is no round number, and machine pages that lie high. */
#include "core/base/bytes.h"
#include "tests/unit/planwalk.h"

/* mini-OS: everything in the initial mapping, from address 0. */
static struct plan_input minios_input(const struct xen_notes *n, uint64_t memory_bytes)
{
    return (struct plan_input){.width = IMAGE_64,
                               .nr_pages = memory_bytes / PLAN_PAGE_BYTES,
                               .pend = 700000,
                               .notes = n,
                               .initrd_bytes = 5000,
                               .avoid = {{0x60000000, 0x60400000}},
                               .nr_avoid = 1};
}

/*
 * What is said to be missing is missing: with less than it the layout does not fit, with it (and 1
 * MiB for its own P2M and tables and for rounding) it does.
 */
static void check_missing(struct plan_input in)
{
    struct plan_layout l;
    struct err e = plan_layout(&l, &in);
    bool all = e.msg != NULL && strstr(e.msg, "page tables") != NULL;

    CHECK_ERR(e, ERR_WONT_FIT);
    CHECK_U64(e.a, in.nr_pages >> 8);
    CHECK(e.b >= 1);
    in.nr_pages += (e.b - 1) << 8;
    CHECK_ERR(plan_layout(&l, &in), ERR_WONT_FIT);
    if (all) {
        in.nr_pages += 2 << 8;
        CHECK_OK(plan_layout(&l, &in));
    }
}

static void too_small(void)
{
    struct xen_notes n = linux_notes(), n32 = linux_32_notes();
    struct xen_notes mini = {.found = true, .has_virt_base = true};
    struct plan_layout l;
    struct plan_input in = linux_input(&n, MIB(104));

    CHECK_OK(plan_layout(&l, &in));
    for (uint64_t mib = 1; mib <= 96; mib++)
        check_missing(linux_input(&n, MIB(mib)));
    for (uint64_t mib = 1; mib <= 30; mib++)
        check_missing(linux_32_input(&n32, MIB(mib)));
    for (uint64_t mib = 1; mib <= 3; mib++)
        check_missing(minios_input(&mini, MIB(mib)));
    in = linux_input(&n, MIB(512));
    in.initrd_bytes = (uint64_t)INT64_MAX;
    CHECK_ERR(plan_layout(&l, &in), ERR_WONT_FIT);
    in.initrd_bytes = UINT64_MAX;
    CHECK_ERR(plan_layout(&l, &in), ERR_WONT_FIT);
}

/* Without the notes only what no notes could help is refused, and in the same words. */
static void too_small_for_any(void)
{
    /* Virtual addresses where physical ones belong, as in the time before notes. */
    const struct xen_notes old = {
        .found = true, .virt_base = 0xc0000000, .paddr_offset = 0xc0000000, .entry = 0xc0100000};
    const struct xen_notes old_64 = {.found = true,
                                     .virt_base = UINT64_C(0xffffffff80000000),
                                     .paddr_offset = UINT64_C(0xffffffff80000000)};
    struct xen_notes n = linux_notes(), n32 = linux_32_notes();
    struct plan_layout l;

    for (uint64_t mib = 1; mib <= 200; mib++) {
        struct plan_input in[] = {linux_input(&n, MIB(mib)), linux_32_input(&n32, MIB(mib)),
                                  linux_32_input(&old, MIB(mib)), linux_input(&old_64, MIB(mib))};

        in[2].pstart += 0xc0000000;
        in[2].pend += 0xc0000000;
        in[3].pstart += UINT64_C(0xffffffff80000000);
        in[3].pend += UINT64_C(0xffffffff80000000);
        for (size_t i = 0; i < ARRAY_LEN(in); i++) {
            struct err e = plan_too_small(&in[i]);

            if (!failed(plan_layout(&l, &in[i])))
                CHECK_OK(e);
            if (!failed(e))
                continue;
            CHECK_ERR(e, ERR_WONT_FIT);
            CHECK_U64(e.a, mib);
            CHECK(e.b >= 1 && e.b < 200);
        }
        CHECK(mib > 20 || failed(plan_too_small(&in[2])));
        CHECK(mib > 20 || failed(plan_too_small(&in[3])));
    }
    /* A 32-bit guest whose memory reaches beyond its addresses, with a large initrd. */
    struct plan_input in = linux_32_input(&old, MIB(6144));

    in.pstart += 0xc0000000;
    in.pend += 0xc0000000;
    in.initrd_bytes = MIB(400);
    CHECK_OK(plan_layout(&l, &in));
    CHECK_OK(plan_too_small(&in));
    /* Its first mapping passes the loader's addresses: no matter until it is known to. */
    in = linux_32_input(&n32, MIB(512));
    in.initrd_bytes = MIB(280);
    CHECK_OK(plan_layout(&l, &in));
    CHECK_OK(plan_too_small(&in));
}

/* The counts are right, and the tables lead where they should, at both ends. */
static void check_large(const struct plan_input *in)
{
    uint64_t entry_bytes = plan_p2m_entry_bytes(in->width);
    uint64_t p2m_pages = (in->nr_pages * entry_bytes + 4095) / 4096;
    struct plan_layout l;

    CHECK_OK(plan_layout(&l, in));
    CHECK_U64(l.p2m.nr_pages, p2m_pages);
    CHECK(l.nr_pages_used + in->nr_old_tables <= in->nr_pages);
    check_disjoint(&l);
    if (l.nr_spans == 2) {
        uint64_t l1 = (p2m_pages + 511) / 512, l2 = (l1 + 511) / 512, l3 = (l2 + 511) / 512;

        CHECK_U64(l.p2m_tables.nr_pages, l1 + l2 + l3);
        CHECK_U64(walk(&l, l.p2m.va + p2m_pages * 4096), 0);
    }
    CHECK_U64(leaf_pfn(walk(&l, l.p2m.va)), l.p2m.first);
    CHECK_U64(leaf_pfn(walk(&l, l.p2m.va + (p2m_pages - 1) * 4096)), l.p2m.first + p2m_pages - 1);
    CHECK_U64(leaf_pfn(walk(&l, l.v_end - 4096)), l.nr_mapped_pages - 1);
    CHECK_U64(walk(&l, l.v_end), 0);
}

/* Up to 16 TiB: nothing wraps. And sizes that are no multiple of 4 MiB, nor of a P2M page. */
static void large_guests(void)
{
    static const uint64_t odd_pages[] = {0, 1, 511, 513, 768, 131 * 256 + 1};
    struct xen_notes n = linux_notes();
    struct xen_notes mini = {.found = true, .has_virt_base = true};

    for (unsigned shift = 27; shift <= 44; shift++) {
        for (size_t i = 0; i < sizeof(odd_pages) / sizeof(odd_pages[0]); i++) {
            uint64_t memory = (UINT64_C(1) << shift) + odd_pages[i] * 4096;
            struct plan_input in = linux_input(&n, memory);

            check_large(&in);
            in = minios_input(&mini, memory);
            if (shift <= 36)
                check_large(&in);
        }
    }
    /* its list alone takes 32 GiB of the first mapping */
    struct plan_input in = minios_input(&mini, UINT64_C(1) << 44);

    check_large(&in);
}

static void large_guests_32(void)
{
    static const uint64_t odd_pages[] = {0, 1, 1023, 1025, 768};
    struct xen_notes n = linux_32_notes();

    for (unsigned shift = 27; shift <= 36; shift++) {
        for (size_t i = 0; i < sizeof(odd_pages) / sizeof(odd_pages[0]); i++) {
            struct plan_input in = linux_32_input(&n, (UINT64_C(1) << shift) - odd_pages[i] * 4096);

            check_large(&in);
        }
    }
}

/* Machine pages at the top of what an entry can hold (52 bits of address). */
static uint64_t high_mfn(void *ctx, plan_pfn pfn)
{
    (void)ctx;
    return (UINT64_C(1) << 40) - 1 - pfn;
}

static void high_frames(void)
{
    struct xen_notes n = linux_notes(), n32 = linux_32_notes();
    struct plan_input in[] = {linux_input(&n, MIB(512)), linux_32_input(&n32, MIB(512))};
    uint64_t high[PLAN_TABLE_ENTRIES], low[PLAN_TABLE_ENTRIES];

    for (unsigned w = 0; w < 2; w++) {
        struct plan_layout l;
        unsigned nr_present = 0;

        CHECK_OK(plan_layout(&l, &in[w]));
        for (uint64_t i = 0; i < plan_nr_tables(&l); i++) {
            plan_table(&l, i, high_mfn, NULL, high);
            plan_table(&l, i, fake_mfn, NULL, low);
            for (unsigned e = 0; e < PLAN_TABLE_ENTRIES; e++) {
                CHECK_U64(high[e] & 0xfff0000000000fff, low[e] & 0xfff0000000000fff);
                if (low[e] == 0)
                    continue;
                CHECK_U64((high[e] & 0x000ffffffffff000) >> 12, high_mfn(NULL, leaf_pfn(low[e])));
                nr_present++;
            }
        }
        CHECK(nr_present > l.nr_mapped_pages);
    }

    /* A list keeps all bits: 64 in a 64-bit guest, 32 in a 32-bit one. */
    uint64_t list[2] = {0};
    struct plan_p2m p2m = {list, IMAGE_64};

    plan_p2m_set(&p2m, 1, UINT64_MAX - 1);
    CHECK_U64(plan_p2m_get(&p2m, 1), UINT64_MAX - 1);
    p2m.width = IMAGE_32;
    plan_p2m_set(&p2m, 3, UINT32_MAX - 1);
    CHECK_U64(plan_p2m_get(&p2m, 3), UINT32_MAX - 1);
    CHECK_U64(plan_p2m_get(&p2m, 2), UINT32_MAX - 1); /* of the 64-bit entry before */
}

int main(void)
{
    RUN(too_small);
    RUN(too_small_for_any);
    RUN(large_guests);
    RUN(large_guests_32);
    RUN(high_frames);
    return test_done();
}
