/* SPDX-License-Identifier: MIT */
/* Placement as data: layouts of Linux and mini-OS like kernels, tables, the exchange, start_info.
 */
#include <stdlib.h>

#include "core/plan/plan.h"
#include "tests/unit/planwalk.h"

static void linux_layout(void)
{
    struct xen_notes n = linux_notes();
    struct plan_input in = linux_input(&n, MIB(512));
    struct plan_layout l;

    CHECK_OK(plan_layout(&l, &in));
    CHECK_U64(l.kernel.first, 0x1000);
    CHECK_U64(l.kernel.va, 0xffffffff81000000);
    CHECK_U64(l.kernel.nr_pages, (MIB(44) >> 12) + 1);
    CHECK_U64(l.start_info.first, l.kernel.first + l.kernel.nr_pages);
    CHECK_U64(l.v_end % PLAN_MAPPING_ALIGN, 0);
    CHECK_U64(l.nr_mapped_pages, (l.v_end - l.virt_base) >> 12);
    /* 64 MiB: 32 level-1 tables, one each of levels 2, 3, 4. */
    CHECK_U64(l.tables.nr_pages, 3 + l.nr_mapped_pages / 512);
    CHECK(l.nr_mapped_pages - (l.stack.first + 1) >= PLAN_SLACK_BYTES >> 12);
    CHECK_U64(l.initrd.va, PLAN_NOT_MAPPED);
    CHECK_U64(l.initrd.first, l.nr_mapped_pages);
    CHECK_U64(l.initrd.nr_pages, (MIB(32) >> 12) + 1);
    CHECK_U64(l.p2m.va, 0x8000000000);
    CHECK_U64(l.p2m.nr_pages, 256);
    /* 1 MiB of P2M: a level-1, a level-2 and a level-3 table; level 4 is shared. */
    CHECK_U64(l.p2m_tables.nr_pages, 3);
    CHECK_U64(l.p2m_tables.first, l.p2m.first + 256);
    CHECK_U64(l.passage.va, l.v_end - 4096);
    check_disjoint(&l);
}

static void linux_tables(void)
{
    struct xen_notes n = linux_notes();
    struct plan_input in = linux_input(&n, MIB(512));
    struct plan_layout l;

    CHECK_OK(plan_layout(&l, &in));
    for (uint64_t pfn = 0; pfn < l.nr_mapped_pages; pfn += 127) {
        uint64_t e = walk(&l, l.virt_base + (pfn << 12));

        CHECK_U64(leaf_pfn(e), pfn);
    }
    for (uint64_t i = 0; i < l.tables.nr_pages; i++)
        CHECK_U64(walk(&l, l.tables.va + i * 4096) & 0x67, 0x21); /* read-only */
    CHECK_U64(walk(&l, l.kernel.va) & 0x67, 0x23);
    CHECK_U64(walk(&l, l.passage.va) & 0x67, 0x23);
    CHECK_U64(leaf_pfn(walk(&l, l.p2m.va)), l.p2m.first);
    CHECK_U64(leaf_pfn(walk(&l, l.p2m.va + 255 * 4096)), l.p2m.first + 255);
    CHECK_U64(walk(&l, l.p2m.va + 256 * 4096), 0);
    CHECK_U64(walk(&l, l.v_end), 0);
    CHECK_U64(walk(&l, l.virt_base - 4096), 0);
}

/* A kernel at address 0 with everything in the initial mapping, as mini-OS is. */
static void minios_layout(void)
{
    struct xen_notes n = {.found = true, .entry = 0, .has_virt_base = true};
    struct plan_input in = {.width = IMAGE_64,
                            .nr_pages = MIB(64) >> 12,
                            .pstart = 0,
                            .pend = 700000,
                            .notes = &n,
                            .initrd_bytes = 5000,
                            .avoid = {{0x60000000, 0x60400000}},
                            .nr_avoid = 1};
    struct plan_layout l;

    CHECK_OK(plan_layout(&l, &in));
    CHECK_U64(l.kernel.first, 0);
    CHECK_U64(l.initrd.first, 171);
    CHECK_U64(l.initrd.va, 171 * 4096);
    CHECK_U64(l.initrd.nr_pages, 2);
    CHECK_U64(l.p2m.first, 173);
    CHECK_U64(l.p2m.nr_pages, 32);
    CHECK_U64(l.p2m_tables.nr_pages, 0);
    CHECK_U64(l.v_end, MIB(4));
    CHECK_U64(l.tables.nr_pages, 5);
    check_disjoint(&l);
    CHECK_U64(leaf_pfn(walk(&l, 4096)), 1);
}

static void pae_layout(void)
{
    struct xen_notes n = linux_32_notes();
    struct plan_input in = linux_32_input(&n, MIB(512));
    struct plan_layout l;

    CHECK_OK(plan_layout(&l, &in));
    CHECK_U64(l.kernel.va, 0xc0100000);
    CHECK_U64(l.initrd.va, 0xc0901000);
    CHECK_U64(l.p2m.va, 0xc1d01000);
    CHECK_U64(l.p2m.nr_pages, 128); /* 4 bytes a page */
    CHECK_U64(l.p2m_tables.nr_pages, 0);
    CHECK_U64(l.v_end, 0xc2000000);
    /* Level 3, one level 2 (it is the last one), 16 level 1. */
    CHECK_U64(l.tables.nr_pages, 1 + 1 + 16);
    CHECK_U64(l.passage.va, 0xc1fff000);
    check_disjoint(&l);
    for (uint64_t pfn = 0; pfn < l.nr_mapped_pages; pfn += 61)
        CHECK_U64(leaf_pfn(walk(&l, l.virt_base + (pfn << 12))), pfn);
    for (uint64_t i = 0; i < l.tables.nr_pages; i++)
        CHECK_U64(walk(&l, l.tables.va + i * 4096) & 0x67, 0x21); /* read-only */
    CHECK_U64(walk(&l, l.kernel.va) & 0x67, 0x23);
    CHECK_U64(walk(&l, l.v_end), 0);
    CHECK_U64(walk(&l, 0), 0);
}

/* A kernel that lies low needs the last level-2 table all the same, and gets those between. */
static void pae_low_kernel(void)
{
    struct xen_notes n = {.found = true, .entry = 0, .has_virt_base = true};
    struct plan_input in = {.width = IMAGE_32,
                            .nr_pages = MIB(64) >> 12,
                            .pstart = 0,
                            .pend = 700000,
                            .notes = &n,
                            .avoid = {{0x70000000, 0x70400000}},
                            .nr_avoid = 1};
    uint64_t entries[PLAN_TABLE_ENTRIES];
    struct plan_layout l;

    CHECK_OK(plan_layout(&l, &in));
    CHECK_U64(l.v_end, MIB(4));
    CHECK_U64(l.tables.nr_pages, 1 + 4 + 2);
    plan_table(&l, 0, fake_mfn, NULL, entries);
    for (unsigned i = 0; i < PLAN_TABLE_ENTRIES; i++)
        CHECK_U64(entries[i] & 1, i < 4);
    for (unsigned i = 0; i < 4; i++)
        CHECK_U64(leaf_pfn(entries[i]), l.tables.first + 1 + i);
    plan_table(&l, 4, fake_mfn, NULL, entries); /* the last level 2: empty but for Xen's */
    for (unsigned i = 0; i < PLAN_TABLE_ENTRIES; i++)
        CHECK_U64(entries[i], 0);
    CHECK_U64(leaf_pfn(walk(&l, 4096)), 1);
    in.pstart = n.virt_base = n.paddr_offset = 0x7fc00000; /* slots 1 and 2, and 3 */
    in.pend = 0x80500000;
    CHECK_OK(plan_layout(&l, &in));
    CHECK_U64(l.v_end, 0x80800000);
    CHECK_U64(l.tables.nr_pages, 1 + 3 + 6);
    CHECK_U64(leaf_pfn(walk(&l, 0x80000000)), MIB(4) >> 12);
}

static void pae_limits(void)
{
    struct xen_notes n = linux_32_notes();
    struct plan_input in = linux_32_input(&n, (uint64_t)64 << 30);
    struct plan_layout l;

    CHECK_OK(plan_layout(&l, &in));
    CHECK_U64(l.p2m.nr_pages, MIB(64) >> 12);
    in.initrd_bytes = MIB(700);
    CHECK_OK(plan_layout(&l, &in));
    CHECK(l.v_end <= 0xf5800000);
    in.initrd_bytes = MIB(800); /* runs into Xen's part of the addresses */
    CHECK_ERR(plan_layout(&l, &in), ERR_WONT_FIT);
    n.mod_start_pfn = true; /* not when the kernel does not want it mapped */
    CHECK_OK(plan_layout(&l, &in));
    CHECK_U64(l.initrd.va, PLAN_NOT_MAPPED);
    n = linux_32_notes();
    in = linux_32_input(&n, MIB(512));
    n.virt_base = 0xf5000000; /* 8 MiB are left */
    CHECK_ERR(plan_layout(&l, &in), ERR_WONT_FIT);
    n.virt_base = 0xffc00000;
    CHECK_ERR(plan_layout(&l, &in), ERR_WONT_FIT);
    n.virt_base = 0x1c0000000; /* no address of 32 bits */
    CHECK_ERR(plan_layout(&l, &in), ERR_WONT_FIT);
}

/* Starting a loader like ourselves: the passage must find an address that is free in both worlds.
 */
static void passage_keeps_out(void)
{
    struct xen_notes n = {.found = true, .virt_base = 0x60000000, .paddr_offset = 0x60000000};
    struct plan_input in = {.width = IMAGE_64,
                            .nr_pages = MIB(64) >> 12,
                            .pstart = 0x60000000,
                            .pend = 0x600a0000,
                            .notes = &n,
                            .avoid = {{0x60000000, 0x60800000}},
                            .nr_avoid = 1};
    struct plan_layout l;

    CHECK_OK(plan_layout(&l, &in));
    CHECK(l.passage.va >= 0x60800000);
    CHECK_U64(l.kernel.first, 0);
    CHECK_U64(leaf_pfn(walk(&l, l.passage.va)), l.passage.first);
}

static void senseless_addresses(void)
{
    struct xen_notes n = linux_notes();
    struct plan_input in = linux_input(&n, MIB(512));
    struct plan_layout l;

    n.virt_base = 0xffffffff80000001;
    CHECK_ERR(plan_layout(&l, &in), ERR_EXEC_FORMAT);
    n.virt_base = 0xfffffffffff00000; /* no room behind */
    CHECK_ERR(plan_layout(&l, &in), ERR_EXEC_FORMAT);
    n.virt_base = 0xffff7ffffff00000; /* runs out of the lower half */
    CHECK_ERR(plan_layout(&l, &in), ERR_EXEC_FORMAT);
    n.virt_base = 0xffff800000000000; /* Xen's own */
    CHECK_ERR(plan_layout(&l, &in), ERR_EXEC_FORMAT);
    n.virt_base = 0x7fffff000000; /* crosses into the hole */
    CHECK_ERR(plan_layout(&l, &in), ERR_EXEC_FORMAT);
    n = linux_notes();
    n.init_p2m = 0xffff800000000000; /* Xen's own */
    CHECK_ERR(plan_layout(&l, &in), ERR_EXEC_FORMAT);
    n.init_p2m = 0x900000000000; /* no address at all */
    CHECK_ERR(plan_layout(&l, &in), ERR_EXEC_FORMAT);
    n.init_p2m = n.virt_base - 4096; /* runs into the mapping */
    CHECK_ERR(plan_layout(&l, &in), ERR_EXEC_FORMAT);
    n.init_p2m = n.virt_base; /* and begins in it */
    CHECK_ERR(plan_layout(&l, &in), ERR_EXEC_FORMAT);
    n.init_p2m = n.virt_base + MIB(60);
    CHECK_ERR(plan_layout(&l, &in), ERR_EXEC_FORMAT);
    n.init_p2m = 0x8000000800;
    CHECK_ERR(plan_layout(&l, &in), ERR_EXEC_FORMAT);
    n = linux_notes();
    n.paddr_offset = 0x800;
    CHECK_ERR(plan_layout(&l, &in), ERR_EXEC_FORMAT);
    n = linux_notes();
    n.virt_base = (uint64_t)1 << 44; /* where the loader's own memory is mapped */
    in.avoid[1].start = (uint64_t)1 << 44;
    in.avoid[1].end = in.avoid[1].start + ((uint64_t)1 << 39);
    in.nr_avoid = 2;
    n.init_p2m = 0x8000000000;
    CHECK_ERR(plan_layout(&l, &in), ERR_WONT_FIT);
    in.nr_avoid = 1;
    n = linux_notes();
    n.paddr_offset = MIB(17);
    CHECK_ERR(plan_layout(&l, &in), ERR_EXEC_FORMAT);
    n = linux_notes();
    in.pend = in.pstart;
    CHECK_ERR(plan_layout(&l, &in), ERR_EXEC_FORMAT);
}

#define NR 64

/* ---- exchange -----------------------------------------------------------------------------------
 */

struct seen {
    unsigned nr;
    uint64_t p2m[NR];
};

static void note_change(void *ctx, plan_pfn pfn, uint64_t mfn)
{
    struct seen *s = ctx;

    s->nr++;
    s->p2m[pfn] = mfn;
}

/* After any exchange: a permutation, the moves honoured, changed() enough to follow it. */
static void check_exchange_of(enum image_width width, const struct plan_move *moves,
                              unsigned nr_moves)
{
    uint64_t old_list[NR], new_list[NR];
    struct plan_p2m old = {old_list, width}, new = {new_list, width};
    unsigned count[NR] = {0};
    struct seen seen = {.nr = 0};

    for (unsigned i = 0; i < NR; i++) {
        seen.p2m[i] = 1000 + i;
        plan_p2m_set(&old, i, 1000 + i);
        plan_p2m_set(&new, i, 1000 + i);
    }
    CHECK_OK(plan_exchange(&new, &old, NR, moves, nr_moves, note_change, &seen));
    for (unsigned i = 0; i < NR; i++) {
        CHECK(plan_p2m_get(&new, i) >= 1000 && plan_p2m_get(&new, i) < 1000 + NR);
        count[(plan_p2m_get(&new, i) - 1000) % NR]++;
    }
    for (unsigned i = 0; i < NR; i++) {
        CHECK_U64(count[i], 1);
        CHECK_U64(seen.p2m[i], plan_p2m_get(&new, i));
    }
    for (unsigned m = 0; m < nr_moves; m++) {
        for (uint64_t p = 0; p < moves[m].nr; p++)
            CHECK_U64(plan_p2m_get(&new, moves[m].to + p), plan_p2m_get(&old, moves[m].from + p));
    }
}

static void check_exchange(const struct plan_move *moves, unsigned nr_moves)
{
    check_exchange_of(IMAGE_64, moves, nr_moves);
    check_exchange_of(IMAGE_32, moves, nr_moves);
}

static void exchanges(void)
{
    check_exchange((struct plan_move[]){{3, 3, 5}}, 1);            /* stays */
    check_exchange((struct plan_move[]){{3, 20, 5}}, 1);           /* swap apart */
    check_exchange((struct plan_move[]){{3, 5, 10}}, 1);           /* onto itself, shifted */
    check_exchange((struct plan_move[]){{10, 4, 8}}, 1);           /* the other way */
    check_exchange((struct plan_move[]){{0, 1, 1}, {1, 0, 1}}, 2); /* a swap by hand */
    check_exchange((struct plan_move[]){{0, 10, 4}, {10, 20, 4}, {20, 0, 2}}, 3);
    check_exchange((struct plan_move[]){{60, 0, 4}, {0, 30, 2}, {5, 5, 10}, {30, 62, 2}}, 4);
}

static void exchanges_at_random(void)
{
    srand(1);
    for (unsigned round = 0; round < 2000; round++) {
        struct plan_move moves[8];
        bool from_used[NR] = {false}, to_used[NR] = {false};
        unsigned nr = 0;

        for (unsigned tries = 0; tries < 20 && nr < 8; tries++) {
            struct plan_move m = {(plan_pfn)rand() % NR, (plan_pfn)rand() % NR,
                                  (uint64_t)rand() % 9};
            bool ok = m.from + m.nr <= NR && m.to + m.nr <= NR;

            for (uint64_t p = 0; ok && p < m.nr; p++)
                ok = !from_used[m.from + p] && !to_used[m.to + p];
            if (!ok)
                continue;
            for (uint64_t p = 0; p < m.nr; p++)
                from_used[m.from + p] = to_used[m.to + p] = true;
            moves[nr++] = m;
        }
        check_exchange(moves, nr);
    }
}

static void bad_exchanges(void)
{
    uint64_t old_list[NR] = {0}, new_list[NR] = {0};
    struct plan_p2m old = {old_list, IMAGE_64}, new = {new_list, IMAGE_64};
    struct seen seen = {.nr = 0};

    CHECK_ERR(
        plan_exchange(&new, &old, NR, (struct plan_move[]){{60, 0, 5}}, 1, note_change, &seen),
        ERR_BOOT_FAILURE);
    CHECK_ERR(
        plan_exchange(&new, &old, NR, (struct plan_move[]){{0, 60, 5}}, 1, note_change, &seen),
        ERR_BOOT_FAILURE);
    CHECK_ERR(plan_exchange(&new, &old, NR, (struct plan_move[]){{0, 10, 5}, {4, 20, 2}}, 2,
                            note_change, &seen),
              ERR_BOOT_FAILURE);
    CHECK_ERR(plan_exchange(&new, &old, NR, (struct plan_move[]){{0, 10, 5}, {30, 14, 2}}, 2,
                            note_change, &seen),
              ERR_BOOT_FAILURE);
    CHECK_U64(seen.nr, 0);
}

/* ---- start_info ---------------------------------------------------------------------------------
 */

static void start_info(void)
{
    struct xen_notes n = linux_notes();
    struct plan_input in = linux_input(&n, MIB(512));
    struct plan_layout l;
    struct plan_start_info own = {.nr_pages = MIB(512) >> 12,
                                  .shared_info = 0x12345000,
                                  .flags = 0x1e, /* module, module by pfn, 4tools, initdomain */
                                  .store_mfn = 7,
                                  .store_evtchn = 1,
                                  .console_mfn = 8,
                                  .console_evtchn = 2,
                                  .mod_len = 99};
    struct plan_start_info si;
    char line[PLAN_CMDLINE_MAX + 1];

    strcpy(own.magic, "xen-3.0-x86_64");
    CHECK_OK(plan_layout(&l, &in));
    CHECK_OK(plan_start_info(&si, &own, &l, in.initrd_bytes, "root=/dev/xvda1 ro"));
    CHECK_STR(si.magic, "xen-3.0-x86_64");
    CHECK_U64(si.nr_pages, own.nr_pages);
    CHECK_U64(si.shared_info, own.shared_info);
    CHECK_U64(si.flags, 0x1a); /* the initrd lies by pfn; our own module is forgotten */
    CHECK_U64(si.store_mfn, 7);
    CHECK_U64(si.console_mfn, 8);
    CHECK_U64(si.pt_base, l.tables.va);
    CHECK_U64(si.nr_pt_frames, l.tables.nr_pages);
    CHECK_U64(si.mfn_list, 0x8000000000);
    CHECK_U64(si.mod_start, l.initrd.first);
    CHECK_U64(si.mod_len, MIB(32) + 4096); /* whole pages */
    CHECK_U64(si.first_p2m_pfn, l.p2m.first);
    CHECK_U64(si.nr_p2m_frames, 259);
    CHECK_STR(si.cmd_line, "root=/dev/xvda1 ro");
    /* The longest line goes through whole; one byte more is an error, never a cut line. */
    memset(line, 'x', sizeof(line));
    line[PLAN_CMDLINE_MAX - 1] = '\0';
    CHECK_OK(plan_start_info(&si, &own, &l, 0, line));
    CHECK_STR(si.cmd_line, line);
    CHECK_U64(si.mod_start, 0);
    CHECK_U64(si.flags, 0x12);
    line[PLAN_CMDLINE_MAX - 1] = 'x';
    line[PLAN_CMDLINE_MAX] = '\0';
    CHECK_ERR(plan_start_info(&si, &own, &l, 0, line), ERR_LIMIT);
}

/* What is written for a 32-bit guest is read back the same, and lies as xen.h's struct does. */
static void start_info_32(void)
{
    struct plan_start_info in = {.magic = "xen-3.0-x86_32p",
                                 .nr_pages = 1,
                                 .shared_info = 2,
                                 .flags = 3,
                                 .store_mfn = 4,
                                 .store_evtchn = 5,
                                 .console_mfn = 6,
                                 .console_evtchn = 7,
                                 .pt_base = 8,
                                 .nr_pt_frames = 9,
                                 .mfn_list = 10,
                                 .mod_start = 11,
                                 .mod_len = 12,
                                 .cmd_line = "a line",
                                 .first_p2m_pfn = 13,
                                 .nr_p2m_frames = 0xffffffff};
    struct plan_start_info back;
    uint32_t page[1024];

    memset(page, 0xaa, sizeof(page));
    plan_start_info_write(page, &in, IMAGE_32);
    CHECK_STR((const char *)page, "xen-3.0-x86_32p");
    for (uint32_t i = 0; i < 12; i++)
        CHECK_U64(page[8 + i], i + 1);
    CHECK_STR((const char *)(page + 20), "a line");
    CHECK_U64(page[276], 13);
    CHECK_U64(page[277], 0xffffffff);
    CHECK_U64(page[278], 0xaaaaaaaa);
    plan_start_info_read(&back, page, IMAGE_32);
    CHECK(memcmp(&back, &in, sizeof(in)) == 0);
    plan_start_info_write(page, &in, IMAGE_64);
    CHECK(memcmp(page, &in, sizeof(in)) == 0);
    memset(&back, 0, sizeof(back));
    plan_start_info_read(&back, page, IMAGE_64);
    CHECK(memcmp(&back, &in, sizeof(in)) == 0);
}

int main(void)
{
    RUN(linux_layout);
    RUN(linux_tables);
    RUN(minios_layout);
    RUN(pae_layout);
    RUN(pae_low_kernel);
    RUN(pae_limits);
    RUN(passage_keeps_out);
    RUN(senseless_addresses);
    RUN(exchanges);
    RUN(exchanges_at_random);
    RUN(bad_exchanges);
    RUN(start_info);
    RUN(start_info_32);
    return test_done();
}
