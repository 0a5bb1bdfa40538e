/* SPDX-License-Identifier: MIT */
/*
 * The hand-over: a kernel and an initrd that lie in memory become the domain's running system.
 *
 * Two steps. handover_prepare can fail and leaves everything as it was: placement, memory for the
 * new P2M and tables. handover_go cannot go back: it expects every device closed (the ledger
 * proves it), exchanges pages, switches, and jumps.
 */
#ifndef PVBOOT_PV_HANDOVER_H
#define PVBOOT_PV_HANDOVER_H

#include "core/image/image.h"
#include "core/plan/plan.h"

struct handover {
    const struct image *image;
    void *kernel; /* mm_alloc'ed: the image's span from its first page, loaded */
    size_t nr_kernel_pages;
    void *initrd; /* mm_alloc'ed, or NULL */
    size_t nr_initrd_pages;
    uint64_t initrd_bytes;
    const char *cmdline;

    /* handover_prepare's */
    struct plan_layout layout;
    struct plan_start_info start_info;
    struct plan_p2m p2m; /* entries: NULL until there is one */
    uint64_t *tables;
    void *start_info_page, *stack_page, *passage_page;
};

/* Before the kernel was read: is there surely not enough memory for it and initrd_bytes? */
struct err handover_too_small(const struct handover *h);

/* Afterwards: does it fit, and where would the initrd's pages best lie, for mm_alloc_near before
 * reading it? */
struct err handover_layout(struct handover *h, struct plan_layout *out);

struct err handover_prepare(struct handover *h);
void handover_cancel(struct handover *h);

_Noreturn void handover_go(struct handover *h);

#endif
