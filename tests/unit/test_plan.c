/* SPDX-License-Identifier: MIT */
/* Placement as data: layouts of Linux and mini-OS like kernels, tables, the exchange, start_info.
 */
#include <stdlib.h>

#include "core/plan/plan.h"
#include "tests/unit/test.h"

#define MIB(n) ((uint64_t)(n) << 20)

/* Linux 6.1 amd64: base ffffffff80000000, loaded at 16 MiB, P2M at 0x8000000000, initrd by pfn. */
static struct xen_notes linux_notes(void)
{
    return (struct xen_notes){.found = true,
                              .entry = 0xffffffff82ab31f0,
                              .virt_base = 0xffffffff80000000,
                              .has_virt_base = true,
                              .has_init_p2m = true,
                              .init_p2m = 0x8000000000,
                              .mod_start_pfn = true};
}

static struct plan_input linux_input(const struct xen_notes *n, uint64_t memory_bytes)
{
    return (struct plan_input){.nr_pages = memory_bytes / PLAN_PAGE_BYTES,
                               .pstart = MIB(16),
                               .pend = MIB(60) + 123,
                               .notes = n,
                               .initrd_bytes = MIB(32) + 1,
                               .avoid = {{0x60000000, 0x60400000}},
                               .nr_avoid = 1,
                               .nr_old_tables = 40};
}

/* The mfn of pfn N in these tests. */
static uint64_t fake_mfn(void *ctx, plan_pfn pfn)
{
    (void)ctx;
    return pfn + 0x100000;
}

/* Walk the tables as a processor does; the leaf entry, or 0. */
static uint64_t walk(const struct plan_layout *l, uint64_t va)
{
    uint64_t entries[PLAN_TABLE_ENTRIES];
    plan_pfn pfn = l->tables.first;

    for (unsigned level = 4;; level--) {
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

static uint64_t leaf_pfn(uint64_t entry)
{
    return ((entry & 0x000ffffffffff000) >> 12) - 0x100000;
}

static bool disjoint(const struct plan_piece *a, const struct plan_piece *b)
{
    return a->nr_pages == 0 || b->nr_pages == 0 || a->first + a->nr_pages <= b->first ||
           b->first + b->nr_pages <= a->first;
}

static void check_disjoint(const struct plan_layout *l)
{
    const struct plan_piece *p[] = {&l->kernel,  &l->initrd,    &l->p2m,    &l->start_info,
                                    &l->store,   &l->console,   &l->tables, &l->stack,
                                    &l->passage, &l->p2m_tables};

    for (size_t i = 0; i < sizeof(p) / sizeof(p[0]); i++) {
        for (size_t j = 0; j < i; j++)
            CHECK(disjoint(p[i], p[j]));
    }
}

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
    CHECK_U64(l.p2m.first, l.p2m_tables.first + 3);
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
        CHECK_U64(walk(&l, l.tables.va + i * 4096) & 0x67, 0x25); /* read-only */
    CHECK_U64(walk(&l, l.kernel.va) & 0x67, 0x67);
    CHECK_U64(walk(&l, l.passage.va) & 0x67, 0x67);
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
    struct plan_input in = {.nr_pages = MIB(64) >> 12,
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

/* Starting a loader like ourselves: the passage must find an address that is free in both worlds.
 */
static void passage_keeps_out(void)
{
    struct xen_notes n = {.found = true, .virt_base = 0x60000000, .paddr_offset = 0x60000000};
    struct plan_input in = {.nr_pages = MIB(64) >> 12,
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

static void too_small(void)
{
    struct xen_notes n = linux_notes();
    struct plan_input in = linux_input(&n, MIB(64));
    struct plan_layout l;

    CHECK_ERR(plan_layout(&l, &in), ERR_WONT_FIT);
    in = linux_input(&n, MIB(96)); /* fits but for the tables */
    CHECK_ERR(plan_layout(&l, &in), ERR_WONT_FIT);
    in = linux_input(&n, MIB(104));
    CHECK_OK(plan_layout(&l, &in));
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

/* Arithmetic up to 16 TiB: nothing wraps, the counts are right. */
static void large_guests(void)
{
    struct xen_notes n = linux_notes();
    struct plan_layout l;

    for (unsigned shift = 27; shift <= 44; shift++) {
        uint64_t memory = UINT64_C(1) << shift;
        struct plan_input in = linux_input(&n, memory);
        uint64_t p2m_pages = (memory / 4096 * 8 + 4095) / 4096;

        CHECK_OK(plan_layout(&l, &in));
        CHECK_U64(l.p2m.nr_pages, p2m_pages);
        uint64_t l1 = (p2m_pages + 511) / 512, l2 = (l1 + 511) / 512, l3 = (l2 + 511) / 512;

        CHECK_U64(l.p2m_tables.nr_pages, l1 + l2 + l3);
        check_disjoint(&l);
    }
}

/* ---- exchange -----------------------------------------------------------------------------------
 */

struct seen {
    unsigned nr;
    uint64_t *p2m;
};

static void note_change(void *ctx, plan_pfn pfn, uint64_t mfn)
{
    struct seen *s = ctx;

    s->nr++;
    s->p2m[pfn] = mfn;
}

#define NR 64

/* After any exchange: a permutation, the moves honoured, changed() enough to follow it. */
static void check_exchange(const struct plan_move *moves, unsigned nr_moves)
{
    uint64_t old[NR], new[NR], followed[NR];
    unsigned count[NR] = {0};
    struct seen seen = {.p2m = followed};

    for (unsigned i = 0; i < NR; i++)
        old[i] = new[i] = followed[i] = 1000 + i;
    CHECK_OK(plan_exchange(new, old, NR, moves, nr_moves, note_change, &seen));
    for (unsigned i = 0; i < NR; i++) {
        CHECK(new[i] >= 1000 && new[i] < 1000 + NR);
        count[(new[i] - 1000) % NR]++;
    }
    for (unsigned i = 0; i < NR; i++) {
        CHECK_U64(count[i], 1);
        CHECK_U64(followed[i], new[i]);
    }
    for (unsigned m = 0; m < nr_moves; m++) {
        for (uint64_t p = 0; p < moves[m].nr; p++)
            CHECK_U64(new[moves[m].to + p], old[moves[m].from + p]);
    }
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
    uint64_t old[NR] = {0}, new[NR] = {0};
    struct seen seen = {.p2m = new};

    CHECK_ERR(plan_exchange(new, old, NR, (struct plan_move[]){{60, 0, 5}}, 1, note_change, &seen),
              ERR_BOOT_FAILURE);
    CHECK_ERR(plan_exchange(new, old, NR, (struct plan_move[]){{0, 60, 5}}, 1, note_change, &seen),
              ERR_BOOT_FAILURE);
    CHECK_ERR(plan_exchange(new, old, NR, (struct plan_move[]){{0, 10, 5}, {4, 20, 2}}, 2,
                            note_change, &seen),
              ERR_BOOT_FAILURE);
    CHECK_ERR(plan_exchange(new, old, NR, (struct plan_move[]){{0, 10, 5}, {30, 14, 2}}, 2,
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
    CHECK_U64(si.mod_len, MIB(32) + 1);
    CHECK_U64(si.first_p2m_pfn, l.p2m_tables.first);
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

int main(void)
{
    RUN(linux_layout);
    RUN(linux_tables);
    RUN(minios_layout);
    RUN(passage_keeps_out);
    RUN(too_small);
    RUN(senseless_addresses);
    RUN(large_guests);
    RUN(exchanges);
    RUN(exchanges_at_random);
    RUN(bad_exchanges);
    RUN(start_info);
    return test_done();
}
