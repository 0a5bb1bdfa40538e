/* SPDX-License-Identifier: MIT */
/*
 * Placement: from a loaded kernel to the memory of the domain that it will start in, as data.
 *
 *     plan_layout      which piece lies at which pfn and at which virtual address
 *     plan_table       the contents of one page-table page
 *     plan_exchange    the new P2M: which machine page stands behind which pfn
 *     plan_start_info  the page that tells the kernel all this
 *
 * Pure functions: nothing is mapped or written here but the caller's buffers, so a host test can
 * check every number. The layout is the one that Xen's domain builder makes, because kernels have
 * seen no other. Sources: xen/include/public/xen.h (start_info and the comment on the layout at
 * start of day), xen/include/public/elfnote.h (INIT_P2M, MOD_START_PFN).
 */
#ifndef PVBOOT_PLAN_PLAN_H
#define PVBOOT_PLAN_PLAN_H

#include "core/base/err.h"
#include "core/image/image.h"

#define PLAN_PAGE_SHIFT    12
#define PLAN_PAGE_BYTES    ((uint64_t)4096)
#define PLAN_LEVEL_MAX     4
#define PLAN_TABLE_ENTRIES 512
#define PLAN_SPAN_MAX      2
#define PLAN_AVOID_MAX     2
#define PLAN_SLACK_BYTES   ((uint64_t)512 * 1024)      /* mapped and free, behind the boot stack */
#define PLAN_MAPPING_ALIGN ((uint64_t)4 * 1024 * 1024) /* the mapping ends on this boundary */
#define PLAN_CMDLINE_MAX   1024                        /* MAX_GUEST_CMDLINE, terminator included */
#define PLAN_NOT_MAPPED    UINT64_MAX

typedef uint64_t plan_pfn;

struct plan_input {
    enum image_width width; /* 4-level tables, or PAE: 3 levels, the top one of 4 entries */
    uint64_t nr_pages;      /* of the domain */
    uint64_t pstart, pend;  /* the image's span, struct image */
    const struct xen_notes *notes;
    uint64_t initrd_bytes; /* 0: none */
    /* Virtual addresses that the running loader occupies, [start, end) each: the page of passage
     * keeps out of them. */
    struct {
        uint64_t start, end;
    } avoid[PLAN_AVOID_MAX];
    unsigned nr_avoid;
    uint64_t nr_old_tables; /* page tables of the loader: they must find room behind the layout */
};

struct plan_piece {
    plan_pfn first;
    uint64_t nr_pages; /* 0: there is no such piece */
    uint64_t va;       /* or PLAN_NOT_MAPPED */
};

/* Page tables of one level for one span: nr tables, the first covering va_first (see below). */
struct plan_level {
    uint64_t va_first;
    uint64_t nr;
    plan_pfn first;
};

/*
 * A linear mapping: pages [first, first + nr_pages) at va, and the tables it brings. Addresses are
 * cut to what the tables translate, 48 or 32 bits.
 */
struct plan_span {
    uint64_t va;
    uint64_t nr_pages;
    plan_pfn first;
    struct plan_level levels[PLAN_LEVEL_MAX + 1]; /* by level, 1 to 4 (PAE: 3); [0] is unused */
};

struct plan_layout {
    enum image_width width;
    unsigned nr_levels; /* of page tables */
    uint64_t virt_base;
    uint64_t v_end;           /* exclusive end of the initial mapping */
    uint64_t nr_mapped_pages; /* pfns 0..nr-1 lie at virt_base */
    uint64_t nr_pages_used;   /* pfns from 0 that the layout speaks about */
    struct plan_piece kernel, initrd, p2m, start_info, store, console, tables, stack, passage;
    struct plan_piece p2m_tables; /* of a P2M that lies outside the initial mapping */
    unsigned nr_spans;
    struct plan_span spans[PLAN_SPAN_MAX];
    uint64_t entry, stack_top;
};

/*
 * Compute the layout. ERR_WONT_FIT says how much memory is missing; ERR_EXEC_FORMAT when the
 * kernel's addresses make no sense.
 */
struct err plan_layout(struct plan_layout *out, const struct plan_input *in);

/*
 * Before the kernel was read, so without its notes (in->notes is not looked at): ERR_WONT_FIT, as
 * above, only when no notes could make it fit.
 */
struct err plan_too_small(const struct plan_input *in);

/* The machine page behind a pfn of the new world. */
typedef uint64_t (*plan_mfn_fn)(void *ctx, plan_pfn pfn);

/* Page tables of the layout: those of `tables`, then those of `p2m_tables`. */
uint64_t plan_nr_tables(const struct plan_layout *l);
plan_pfn plan_table_pfn(const struct plan_layout *l, uint64_t index);

/* Contents of table `index`. Tables map themselves read-only, everything else writable. */
void plan_table(const struct plan_layout *l, uint64_t index, plan_mfn_fn mfn, void *ctx,
                uint64_t entries[PLAN_TABLE_ENTRIES]);

/* "What is page `from` today shall be page `to`", for nr pages in a row. */
struct plan_move {
    plan_pfn from, to;
    uint64_t nr;
};

/* A P2M list as it lies in memory: an entry a page, as wide as the guest's long (xen_pfn_t). */
struct plan_p2m {
    void *entries;
    enum image_width width;
};

static inline unsigned plan_p2m_entry_bytes(enum image_width width)
{
    return width == IMAGE_64 ? 8 : 4;
}

static inline uint64_t plan_p2m_get(const struct plan_p2m *p2m, plan_pfn pfn)
{
    return p2m->width == IMAGE_64 ? ((const uint64_t *)p2m->entries)[pfn]
                                  : ((const uint32_t *)p2m->entries)[pfn];
}

static inline void plan_p2m_set(const struct plan_p2m *p2m, plan_pfn pfn, uint64_t mfn)
{
    if (p2m->width == IMAGE_64)
        ((uint64_t *)p2m->entries)[pfn] = mfn;
    else
        ((uint32_t *)p2m->entries)[pfn] = (uint32_t)mfn;
}

/*
 * Make the new P2M from the old one. `new_p2m` starts out as a copy of `old_p2m` (nr_pages
 * entries each, of the same width). Slots that a move vacates get the pages that moves displaced,
 * so every page keeps exactly one slot. changed() is called once for every slot whose page changed.
 * ERR_BOOT_FAILURE when moves overlap or leave the domain: a bug of the caller, but reported.
 */
struct err plan_exchange(const struct plan_p2m *new_p2m, const struct plan_p2m *old_p2m,
                         uint64_t nr_pages, const struct plan_move *moves, unsigned nr_moves,
                         void (*changed)(void *ctx, plan_pfn pfn, uint64_t mfn), void *ctx);

/*
 * start_info (xen/include/public/xen.h, struct start_info). As the struct stands it is a 64-bit
 * guest's; plan_start_info_read and _write know how it lies in the memory of either width.
 */
struct plan_start_info {
    char magic[32];
    uint64_t nr_pages;
    uint64_t shared_info;
    uint32_t flags, pad0;
    uint64_t store_mfn;
    uint32_t store_evtchn, pad1;
    uint64_t console_mfn;
    uint32_t console_evtchn, pad2;
    uint64_t pt_base;
    uint64_t nr_pt_frames;
    uint64_t mfn_list;
    uint64_t mod_start;
    uint64_t mod_len;
    char cmd_line[PLAN_CMDLINE_MAX];
    uint64_t first_p2m_pfn;
    uint64_t nr_p2m_frames;
};

/*
 * Fill `out` from the loader's own start_info and the layout. As from Xen's builder,
 * mod_len counts whole pages where mod_start is a pfn, else bytes. ERR_LIMIT when the command line
 * is longer than Xen's field: it is never cut.
 */
struct err plan_start_info(struct plan_start_info *out, const struct plan_start_info *own,
                           const struct plan_layout *l, uint64_t initrd_bytes, const char *cmdline);

#define PLAN_START_INFO_MAX sizeof(struct plan_start_info)

void plan_start_info_read(struct plan_start_info *out, const void *page, enum image_width width);
/* page has room for PLAN_START_INFO_MAX bytes. In a 32-bit guest's all numbers have 32 bits, which
 * whatever was read from one has, too. */
void plan_start_info_write(void *page, const struct plan_start_info *in, enum image_width width);

#endif
