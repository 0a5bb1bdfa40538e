/* SPDX-License-Identifier: MIT */
#include "core/plan/plan.h"

#include <stddef.h>
#include <string.h>

#include "core/base/bytes.h"

/* xen/include/public/xen.h, SIF_*: what was said about the loader's own modules goes. */
#define SIF_MULTIBOOT_MOD ((uint32_t)1 << 2)
#define SIF_MOD_START_PFN ((uint32_t)1 << 3)

/* The same with 32-bit longs. */
struct start_info_32 {
    char magic[32];
    uint32_t nr_pages, shared_info, flags, store_mfn, store_evtchn, console_mfn, console_evtchn;
    uint32_t pt_base, nr_pt_frames, mfn_list, mod_start, mod_len;
    char cmd_line[PLAN_CMDLINE_MAX];
    uint32_t first_p2m_pfn, nr_p2m_frames;
};

STATIC_ASSERT(sizeof(struct plan_start_info) == 1168, "start_info as Xen lays it out");
STATIC_ASSERT(offsetof(struct plan_start_info, store_mfn) == 56, "start_info as Xen lays it out");
STATIC_ASSERT(offsetof(struct plan_start_info, pt_base) == 88, "start_info as Xen lays it out");
STATIC_ASSERT(offsetof(struct plan_start_info, cmd_line) == 128, "start_info as Xen lays it out");
STATIC_ASSERT(offsetof(struct plan_start_info, first_p2m_pfn) == 1152, "start_info as in xen.h");
STATIC_ASSERT(sizeof(struct start_info_32) == 1112, "start_info as Xen lays it out");
STATIC_ASSERT(offsetof(struct start_info_32, pt_base) == 60, "start_info as Xen lays it out");
STATIC_ASSERT(offsetof(struct start_info_32, cmd_line) == 80, "start_info as Xen lays it out");
STATIC_ASSERT(offsetof(struct start_info_32, first_p2m_pfn) == 1104, "start_info as in xen.h");

/* Every number of start_info, for the two functions that go between the widths. */
#define NUMBERS(X)                                                                                 \
    X(nr_pages)                                                                                    \
    X(shared_info)                                                                                 \
    X(flags)                                                                                       \
    X(store_mfn)                                                                                   \
    X(store_evtchn)                                                                                \
    X(console_mfn)                                                                                 \
    X(console_evtchn)                                                                              \
    X(pt_base)                                                                                     \
    X(nr_pt_frames)                                                                                \
    X(mfn_list)                                                                                    \
    X(mod_start)                                                                                   \
    X(mod_len)                                                                                     \
    X(first_p2m_pfn)                                                                               \
    X(nr_p2m_frames)

void plan_start_info_read(struct plan_start_info *out, const void *page, enum image_width width)
{
    const struct start_info_32 *in = page;

    if (width == IMAGE_64) {
        memcpy(out, page, sizeof(*out));
        return;
    }
    memset(out, 0, sizeof(*out));
    memcpy(out->magic, in->magic, sizeof(out->magic));
    memcpy(out->cmd_line, in->cmd_line, sizeof(out->cmd_line));
#define WIDEN(field) out->field = in->field;
    NUMBERS(WIDEN)
}

void plan_start_info_write(void *page, const struct plan_start_info *in, enum image_width width)
{
    struct start_info_32 *out = page;

    if (width == IMAGE_64) {
        memcpy(page, in, sizeof(*in));
        return;
    }
    memcpy(out->magic, in->magic, sizeof(out->magic));
    memcpy(out->cmd_line, in->cmd_line, sizeof(out->cmd_line));
#define NARROW(field) out->field = (uint32_t)in->field;
    NUMBERS(NARROW)
}

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
        out->mod_len = align_up(initrd_bytes, PLAN_PAGE_BYTES);
    } else if (initrd_bytes != 0) {
        out->mod_start = l->initrd.va;
        out->mod_len = initrd_bytes;
    }
    memcpy(out->cmd_line, cmdline, len);
    if (l->p2m_tables.nr_pages != 0) {
        /* The frames that the kernel must not touch: the list and its tables, in one row. */
        out->first_p2m_pfn = l->p2m.first;
        out->nr_p2m_frames = l->p2m_tables.nr_pages + l->p2m.nr_pages;
    }
    return OK;
}
