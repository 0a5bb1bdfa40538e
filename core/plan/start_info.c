/* SPDX-License-Identifier: MIT */
#include "core/plan/plan.h"

#include <string.h>

/* xen/include/public/xen.h, SIF_*: what was said about the loader's own modules goes. */
#define SIF_MULTIBOOT_MOD ((uint32_t)1 << 2)
#define SIF_MOD_START_PFN ((uint32_t)1 << 3)

struct err plan_start_info(struct plan_start_info *out, const struct plan_start_info *own,
                           const struct plan_layout *l, uint64_t initrd_bytes, const char *cmdline)
{
    size_t len = strlen(cmdline);

    if (len >= PLAN_CMDLINE_MAX)
        return ERR2(ERR_LIMIT,
                    "the kernel's command line has %a bytes; Xen hands over at most %b: shorten it",
                    len, PLAN_CMDLINE_MAX - 1);
    memset(out, 0, sizeof(*out));
    memcpy(out->magic, own->magic, sizeof(out->magic));
    out->nr_pages = own->nr_pages;
    out->shared_info = own->shared_info;
    out->flags = own->flags & ~(SIF_MULTIBOOT_MOD | SIF_MOD_START_PFN);
    out->store_mfn = own->store_mfn;
    out->store_evtchn = own->store_evtchn;
    out->console_mfn = own->console_mfn;
    out->console_evtchn = own->console_evtchn;
    out->pt_base = l->tables.va;
    out->nr_pt_frames = l->tables.nr_pages;
    out->mfn_list = l->p2m.va;
    if (initrd_bytes != 0 && l->initrd.va == PLAN_NOT_MAPPED) {
        out->flags |= SIF_MOD_START_PFN;
        out->mod_start = l->initrd.first;
    } else if (initrd_bytes != 0) {
        out->mod_start = l->initrd.va;
    }
    out->mod_len = initrd_bytes;
    memcpy(out->cmd_line, cmdline, len);
    if (l->p2m_tables.nr_pages != 0) {
        /* The frames that the kernel must not touch: the list and its tables, in one row. */
        out->first_p2m_pfn = l->p2m_tables.first;
        out->nr_p2m_frames = l->p2m_tables.nr_pages + l->p2m.nr_pages;
    }
    return OK;
}
