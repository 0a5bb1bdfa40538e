/* SPDX-License-Identifier: MIT */
/* The ledger: one counter a kind. Contract in ledger.h. */
#include "guest/xen/ledger.h"

#include "guest/panic.h"

static uint64_t counters[LEDGER_NR_KINDS];

static const char *const kind_names[LEDGER_NR_KINDS] = {
    [LEDGER_GRANTED_PAGE] = "granted page",
    [LEDGER_EVENT_CHANNEL] = "event channel",
    [LEDGER_WATCH] = "xenstore watch",
    [LEDGER_FRONTEND] = "connected front end",
    [LEDGER_FOREIGN_FRAME] = "mapped foreign frame",
};

void ledger_take(enum ledger_kind kind, uint64_t n)
{
    counters[kind] += n;
}

void ledger_release(enum ledger_kind kind, uint64_t n)
{
    if (counters[kind] < n)
        guest_panic("the ledger was given back more than was taken (kind, number)", kind, n);
    counters[kind] -= n;
}

uint64_t ledger_count(enum ledger_kind kind)
{
    return counters[kind];
}

bool ledger_open(struct text *t)
{
    bool any = false;

    for (unsigned kind = 0; kind < LEDGER_NR_KINDS; kind++) {
        if (counters[kind] == 0)
            continue;
        if (any)
            text_str(t, ", ");
        text_u64(t, counters[kind]);
        text_char(t, ' ');
        text_str(t, kind_names[kind]);
        if (counters[kind] != 1)
            text_str(t, kind == LEDGER_WATCH ? "es" : "s");
        any = true;
    }
    return any;
}
