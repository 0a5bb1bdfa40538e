/* SPDX-License-Identifier: MIT */
/*
 * The ledger: what this guest has taken from the hypervisor and from backends and must give back
 * before another kernel takes over. Who takes something enters it here, who gives it back strikes
 * it out, and the hand-over refuses to happen while anything is open.
 *
 * What can never be open has no kind here. This guest hands Xen no LDT, pins no page table before
 * the last step, and has a GDT only where it is 32 bits wide, which arch_i386.c takes back at the
 * end. The pages of Xen's that stay mapped to the end (shared info, console, xenstore) are held by
 * this guest's page tables alone: these die with the old address space, which unmaps the frames.
 */
#ifndef PVBOOT_XEN_LEDGER_H
#define PVBOOT_XEN_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/text.h"

enum ledger_kind {
    LEDGER_GRANTED_PAGE,  /* a page that another domain may use: grants.c */
    LEDGER_EVENT_CHANNEL, /* a port that we opened: events.c */
    LEDGER_WATCH,         /* a xenstore watch: xenstore.c */
    LEDGER_FRONTEND,      /* a device that is not as the toolstack left it: blkfront.c */
    LEDGER_FOREIGN_FRAME, /* a frame of the grant table, mapped: grants.c */
    LEDGER_NR_KINDS
};

void ledger_take(enum ledger_kind kind, uint64_t n);

/* Giving back more than was taken is our own bug: panic. */
void ledger_release(enum ledger_kind kind, uint64_t n);

uint64_t ledger_count(enum ledger_kind kind);

/* Appends what is open, "3 granted pages, 1 event channel", and tells whether anything is. */
bool ledger_open(struct text *t);

#endif
