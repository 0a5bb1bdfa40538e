/* SPDX-License-Identifier: MIT */
/*
 * Which piece lies where. The order is the domain builder's:
 *
 *     virt_base                                                            v_end (4 MiB boundary)
 *     | hole | kernel | initrd* | P2M* | start_info | store | console | tables | stack | slack  P |
 *
 * then, not in this mapping: initrd* (by pfn, where MOD_START_PFN allows it), P2M* and its tables
 * (at INIT_P2M, which only 64-bit kernels have). P is the page of passage, the last page of the
 * slack.
 */
#include "core/plan/plan.h"

#include <string.h>

#include "core/base/bytes.h"

/* The address as the page tables see it. */
static uint64_t table_va(const struct plan_layout *l, uint64_t va)
{
    return va & ((UINT64_C(1) << (l->width == IMAGE_64 ? 48 : 32)) - 1);
}

static uint64_t pages_of(uint64_t nr_bytes)
{
    return nr_bytes / PLAN_PAGE_BYTES + (nr_bytes % PLAN_PAGE_BYTES != 0);
}

#define PAE_LAST_LEVEL2 3

/* How many bytes of address space one table of this level covers, as a shift. */
static unsigned level_shift(unsigned level)
{
    return PLAN_PAGE_SHIFT + 9 * level;
}

static bool covered(const struct plan_layout *l, unsigned nr_spans, unsigned level, uint64_t va)
{
    for (unsigned s = 0; s < nr_spans; s++) {
        const struct plan_level *have = &l->spans[s].levels[level];

        if (va >= have->va_first && (va - have->va_first) >> level_shift(level) < have->nr)
            return true;
    }
    return false;
}

/*
 * Count the tables that span s needs beyond those of the spans before it, and number them from
 * pfn `first`, top level first. Returns their number.
 */
static uint64_t number_tables(struct plan_layout *l, unsigned s, plan_pfn first)
{
    struct plan_span *span = &l->spans[s];
    uint64_t last = span->va + span->nr_pages * PLAN_PAGE_BYTES - 1;
    uint64_t total = 0;

    for (unsigned level = l->nr_levels; level >= 1; level--) {
        unsigned shift = level_shift(level);
        uint64_t from = span->va >> shift, to = last >> shift;
        struct plan_level *out = &span->levels[level];

        /* Under PAE the last level-2 table must be there, because Xen's own entries are in it; the
         * builder makes those between, too. */
        if (l->width == IMAGE_32 && level == 2 && s == 0)
            to = PAE_LAST_LEVEL2;

        /* Another span can share only the tables at the ends of this one. */
        while (from <= to && covered(l, s, level, from << shift))
            from++;
        while (from <= to && covered(l, s, level, to << shift))
            to--;
        *out = (struct plan_level){.va_first = from << shift,
                                   .nr = from <= to ? to - from + 1 : 0,
                                   .first = first + total};
        total += out->nr;
    }
    return total;
}

struct cursor {
    plan_pfn next;
    uint64_t virt_base;
};

static struct plan_piece take(struct cursor *c, uint64_t nr_pages)
{
    struct plan_piece p = {
        .first = c->next, .nr_pages = nr_pages, .va = c->virt_base + c->next * PLAN_PAGE_BYTES};

    c->next += nr_pages;
    return p;
}

/* Move *end up until the last page before it is not one of the loader's. */
static struct err keep_out(uint64_t *end, const struct plan_input *in)
{
    /* Each range can push it once, and onto another one at most once more. */
    for (unsigned round = 0; round <= in->nr_avoid; round++) {
        for (unsigned i = 0; i < in->nr_avoid; i++) {
            uint64_t passage = *end - PLAN_PAGE_BYTES;

            if (passage < in->avoid[i].start || passage >= in->avoid[i].end)
                continue;
            if (!add_u64(in->avoid[i].end, 2 * PLAN_MAPPING_ALIGN - 1, end))
                return ERR(ERR_EXEC_FORMAT, "its addresses are those of the boot loader");
            *end = align_down(*end, PLAN_MAPPING_ALIGN);
        }
    }
    return OK;
}

/*
 * Tables, stack and slack end the mapping: how many tables there are depends on where it ends,
 * which depends on how many tables there are. Grow until it fits.
 */
static struct err close_mapping(struct plan_layout *l, struct cursor *c,
                                const struct plan_input *in)
{
    uint64_t nr_tables = 1;
    struct plan_span *span = &l->spans[0];

    for (;;) {
        uint64_t nr = c->next + nr_tables + 1 + PLAN_SLACK_BYTES / PLAN_PAGE_BYTES;
        uint64_t end;

        if (!add_u64(l->virt_base, nr * PLAN_PAGE_BYTES + PLAN_MAPPING_ALIGN - 1, &end))
            return ERR2(ERR_EXEC_FORMAT,
                        "its virtual base %A leaves no room for the initial mapping", l->virt_base,
                        0);
        end = align_down(end, PLAN_MAPPING_ALIGN);
        TRY(keep_out(&end, in));
        if (l->width == IMAGE_32 && end > IMAGE_32_VA_END)
            return ERR2(ERR_WONT_FIT,
                        "kernel, initrd and tables take %a MiB of addresses; from its virtual base "
                        "up to Xen's own a 32-bit kernel has %b MiB",
                        (end - l->virt_base) >> 20, (IMAGE_32_VA_END - l->virt_base) >> 20);
        span->va = table_va(l, l->virt_base);
        span->first = 0;
        span->nr_pages = (end - l->virt_base) / PLAN_PAGE_BYTES;
        uint64_t need = number_tables(l, 0, c->next);

        if (need <= nr_tables) {
            l->v_end = end;
            break;
        }
        nr_tables = need;
    }
    l->nr_spans = 1;
    l->nr_mapped_pages = span->nr_pages;
    l->tables = take(c, number_tables(l, 0, c->next));
    l->stack = take(c, 1);
    l->stack_top = l->stack.va + PLAN_PAGE_BYTES;
    l->passage = (struct plan_piece){
        .first = l->nr_mapped_pages - 1, .nr_pages = 1, .va = l->v_end - PLAN_PAGE_BYTES};
    c->next = l->nr_mapped_pages;
    return OK;
}

/* A P2M at INIT_P2M: the list, then its tables. */
static void place_p2m_outside(struct plan_layout *l, struct cursor *c, uint64_t va,
                              uint64_t nr_p2m_pages)
{
    struct plan_span *span = &l->spans[1];

    *span = (struct plan_span){.va = table_va(l, va), .nr_pages = nr_p2m_pages, .first = c->next};
    l->p2m = take(c, nr_p2m_pages);
    l->p2m.va = va;
    l->p2m_tables = take(c, number_tables(l, 1, c->next));
    l->p2m_tables.va = PLAN_NOT_MAPPED;
    l->nr_spans = 2;
}

/* Both spans must lie in addresses that are a guest's, and apart from each other. */
static struct err check_spans(const struct plan_layout *l)
{
    uint64_t nr_bytes = l->v_end - l->virt_base;
    uint64_t p2m_bytes = l->p2m.nr_pages * PLAN_PAGE_BYTES;

    if (!image_va_is_guests(l->width, l->virt_base, nr_bytes))
        return ERR2(ERR_EXEC_FORMAT, "its %b MiB from virtual base %A are not a guest's to map",
                    l->virt_base, nr_bytes >> 20);
    bool apart =
        l->p2m.va < l->virt_base ? p2m_bytes <= l->virt_base - l->p2m.va : l->p2m.va >= l->v_end;

    if (l->nr_spans == 2 && (!image_va_is_guests(l->width, l->p2m.va, p2m_bytes) || !apart))
        return ERR2(ERR_EXEC_FORMAT, "its P2M list of %b bytes cannot lie where it wants it, at %A",
                    l->p2m.va, p2m_bytes);
    return OK;
}

struct err plan_layout(struct plan_layout *out, const struct plan_input *in)
{
    const struct xen_notes *n = in->notes;
    uint64_t nr_p2m_pages = pages_of(in->nr_pages * plan_p2m_entry_bytes(in->width));
    struct plan_layout l = {.width = in->width,
                            .nr_levels = in->width == IMAGE_64 ? 4 : 3,
                            .virt_base = n->virt_base,
                            .entry = n->entry};
    bool p2m_outside = in->width == IMAGE_64 && n->has_init_p2m;

    if (p2m_outside && n->init_p2m % PLAN_PAGE_BYTES != 0)
        return ERR1(ERR_EXEC_FORMAT,
                    "its P2M list cannot lie at %A, which is not on a page boundary", n->init_p2m);
    if (n->virt_base % PLAN_PAGE_BYTES != 0 || n->paddr_offset % PLAN_PAGE_BYTES != 0 ||
        in->pend <= in->pstart || in->pstart < n->paddr_offset)
        return ERR2(ERR_EXEC_FORMAT, "its addresses make no sense: virtual base %A, loaded at %B",
                    n->virt_base, in->pstart);
    uint64_t start = in->pstart - n->paddr_offset, end = in->pend - n->paddr_offset;

    if (pages_of(end) > in->nr_pages || pages_of(in->initrd_bytes) > in->nr_pages)
        return ERR2(
            ERR_WONT_FIT,
            "the guest has %a MiB of memory; kernel and initrd alone take %b MiB more than that",
            in->nr_pages >> 8,
            (pages_of(end) + pages_of(in->initrd_bytes) - in->nr_pages + 255) >> 8);

    struct cursor c = {.next = start / PLAN_PAGE_BYTES, .virt_base = n->virt_base};

    l.kernel = take(&c, pages_of(end) - start / PLAN_PAGE_BYTES);
    if (in->initrd_bytes != 0 && !n->mod_start_pfn)
        l.initrd = take(&c, pages_of(in->initrd_bytes));
    if (!p2m_outside)
        l.p2m = take(&c, nr_p2m_pages);
    l.start_info = take(&c, 1);
    l.store = take(&c, 1);
    l.console = take(&c, 1);
    TRY(close_mapping(&l, &c, in));
    if (in->initrd_bytes != 0 && n->mod_start_pfn) {
        l.initrd = take(&c, pages_of(in->initrd_bytes));
        l.initrd.va = PLAN_NOT_MAPPED;
    }
    if (p2m_outside)
        place_p2m_outside(&l, &c, n->init_p2m, nr_p2m_pages);
    TRY(check_spans(&l));
    l.nr_pages_used = c.next;
    if (c.next > in->nr_pages || in->nr_old_tables > in->nr_pages - c.next)
        return ERR2(ERR_WONT_FIT,
                    "the guest has %a MiB of memory; kernel, initrd, P2M list and page tables "
                    "take %b MiB more than that",
                    in->nr_pages >> 8, (c.next + in->nr_old_tables - in->nr_pages + 255) >> 8);
    *out = l;
    return OK;
}

struct err plan_too_small(const struct plan_input *in)
{
    /* The usual kernel: its physical addresses begin at 0. Those of old ones are virtual. */
    const struct xen_notes usual = {.paddr_offset = in->pstart < IMAGE_UNPACKED_MAX
                                                        ? 0
                                                        : align_down(in->pstart, PLAN_PAGE_BYTES)};
    struct plan_input at = *in;
    struct plan_layout l;
    /* Each is far from the end of 64 bits. */
    uint64_t least = pages_of(in->pend - in->pstart) + pages_of(in->initrd_bytes) +
                     pages_of(in->nr_pages * plan_p2m_entry_bytes(in->width)) + in->nr_old_tables;

    if (least <= in->nr_pages)
        return OK;
    at.notes = &usual;
    at.nr_avoid = 0;
    return plan_layout(&l, &at);
}
