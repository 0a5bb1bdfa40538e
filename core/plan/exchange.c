/* SPDX-License-Identifier: MIT */
/*
 * The exchange of pages. Moves name where pages go; what they leave open is filled with what they
 * displace, both taken in the order of the moves:
 *
 *     slots that lose their page  = { from } minus { to }
 *     pages that lose their slot  = pages of { to } minus { from }
 *
 * Both sets have the same size, so one walk over each pairs them.
 */
#include "core/plan/plan.h"

#include "core/base/bytes.h"

static bool overlap(plan_pfn a, plan_pfn b, uint64_t nr_a, uint64_t nr_b)
{
    return a <= b ? b - a < nr_a : a - b < nr_b;
}

static struct err check_moves(const struct plan_move *moves, unsigned nr_moves, uint64_t nr_pages)
{
    for (unsigned i = 0; i < nr_moves; i++) {
        const struct plan_move *m = &moves[i];

        if (!in_range(m->from, m->nr, nr_pages) || !in_range(m->to, m->nr, nr_pages))
            return ERR2(ERR_BOOT_FAILURE, "page %a should become page %b, outside the guest",
                        m->from, m->to);
        for (unsigned j = 0; j < i; j++) {
            const struct plan_move *o = &moves[j];

            if (m->nr == 0 || o->nr == 0)
                continue;
            if (overlap(m->from, o->from, m->nr, o->nr) || overlap(m->to, o->to, m->nr, o->nr))
                return ERR2(ERR_BOOT_FAILURE, "two uses of the pages around %a and %b", m->from,
                            m->to);
        }
    }
    return OK;
}

/* A walk over all pages of one side of the moves that are not on the other side. */
struct walk {
    const struct plan_move *moves;
    unsigned nr_moves, move;
    uint64_t page;
    bool over_from; /* walk over `from`, skipping those in `to`; else the reverse */
};

static bool is_member(const struct plan_move *moves, unsigned nr_moves, bool of_from, plan_pfn pfn)
{
    for (unsigned i = 0; i < nr_moves; i++) {
        plan_pfn first = of_from ? moves[i].from : moves[i].to;

        if (pfn >= first && pfn - first < moves[i].nr)
            return true;
    }
    return false;
}

static bool walk_next(struct walk *w, plan_pfn *pfn)
{
    while (w->move < w->nr_moves) {
        const struct plan_move *m = &w->moves[w->move];

        if (w->page == m->nr || m->from == m->to) {
            /* Pages that stay are on both sides. */
            w->move++;
            w->page = 0;
            continue;
        }
        *pfn = (w->over_from ? m->from : m->to) + w->page++;
        if (!is_member(w->moves, w->nr_moves, !w->over_from, *pfn))
            return true;
    }
    return false;
}

struct err plan_exchange(const struct plan_p2m *new_p2m, const struct plan_p2m *old_p2m,
                         uint64_t nr_pages, const struct plan_move *moves, unsigned nr_moves,
                         void (*changed)(void *ctx, plan_pfn pfn, uint64_t mfn), void *ctx)
{
    struct walk vacated = {.moves = moves, .nr_moves = nr_moves, .over_from = true};
    struct walk displaced = {.moves = moves, .nr_moves = nr_moves, .over_from = false};
    plan_pfn slot, page;

    TRY(check_moves(moves, nr_moves, nr_pages));
    for (unsigned i = 0; i < nr_moves; i++) {
        const struct plan_move *m = &moves[i];

        for (uint64_t p = 0; p < m->nr && m->from != m->to; p++) {
            uint64_t mfn = plan_p2m_get(old_p2m, m->from + p);

            plan_p2m_set(new_p2m, m->to + p, mfn);
            changed(ctx, m->to + p, mfn);
        }
    }
    while (walk_next(&vacated, &slot)) {
        if (!walk_next(&displaced, &page))
            return ERR1(ERR_BOOT_FAILURE, "no page is left for page %a", slot);
        uint64_t mfn = plan_p2m_get(old_p2m, page);

        plan_p2m_set(new_p2m, slot, mfn);
        changed(ctx, slot, mfn);
    }
    return OK;
}
