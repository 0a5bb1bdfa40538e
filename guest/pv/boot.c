/* SPDX-License-Identifier: MIT */
/*
 * One boot attempt under PV: load the kernel into pages that stay its own, the initrds behind it,
 * then the hand-over. Until every device is closed all of it can be undone.
 */
#include <string.h>

#include "core/base/bytes.h"
#include "guest/panic.h"
#include "guest/platform.h"
#include "guest/print.h"
#include "guest/pv/devices.h"
#include "guest/pv/handover.h"
#include "guest/pv/pv.h"
#include "guest/xen/ledger.h"

/*
 * Each initrd starts on a page, so that it is read straight into its place. Linux wants a multiple
 * of 4 and skips zeros between one archive and the next.
 */
#define INITRD_ALIGN PAGE_BYTES

STATIC_ASSERT(SESSION_CMDLINE_MAX == PLAN_CMDLINE_MAX, "what the menu takes can be handed over");

static size_t pages_of(uint64_t nr_bytes)
{
    return (size_t)((nr_bytes + PAGE_BYTES - 1) >> PAGE_SHIFT);
}

/* What could not be allocated: its size, and how much of that is missing, in MiB. The page tables
 * that map it may be what is missing. */
static struct err no_memory(const char *what, uint64_t nr_pages)
{
    uint64_t nr_free = mm_nr_free();
    uint64_t missing = nr_pages > nr_free ? nr_pages - nr_free : 1;

    /* Not for want of pages, those of its page tables included. */
    if (nr_pages + nr_pages / 256 + 64 <= nr_free)
        return ERR2(ERR_WONT_FIT,
                    "%a MiB are more than this image has addresses left for, although %b MiB of "
                    "memory are free",
                    (nr_pages + 255) >> 8, nr_free >> 8);
    return ERR2(ERR_WONT_FIT, what, (nr_pages + 255) >> 8, (missing + 255) >> 8);
}

static void set_subject(char *subject, size_t cap, const char *name)
{
    struct text t = text_on(subject, cap);

    text_name(&t, name, strlen(name));
}

static struct err xen_features(uint32_t *features)
{
    struct xen_feature_info info = {.submap_idx = 0};
    long rc = hypercall_xen_version(XENVER_get_features, &info);

    *features = info.submap;
    return hypercall_err(__HYPERVISOR_xen_version, rc,
                         "asking for Xen's features failed" HYPERCALL_FAILED);
}

static void log_kernel(const struct image *img, const struct log *log)
{
    char line[256];
    struct text t = text_on(line, sizeof(line));

    text_str(&t, "kernel: ");
    text_str(&t, img->container == IMAGE_BZIMAGE ? "bzImage" : "ELF");
    if (img->version[0] != '\0') {
        text_char(&t, ' ');
        text_name(&t, img->version, strcspn(img->version, " "));
    }
    text_str(&t, ", ");
    text_str(&t, img->compression == UNPACK_NONE ? "uncompressed" : unpack_name(img->compression));
    if (img->wrapping != UNPACK_NONE) {
        text_str(&t, ", all of it ");
        text_str(&t, unpack_name(img->wrapping));
    }
    text_str(&t, ", ");
    text_size(&t, img->pend - img->pstart);
    text_str(&t, " in memory");
    log_line(log, line);
}

/* A kernel that wants its symbol table behind itself moves to where there is room for both. */
static struct err load_symtab(struct handover *h, struct image *img)
{
    uint64_t first = img->pstart >> PAGE_SHIFT, end = img->symtab.paddr + img->symtab.bytes;
    size_t nr_pages = pages_of(end) - (size_t)first;
    size_t skew = img->pstart & (PAGE_BYTES - 1);

    if (nr_pages > h->nr_kernel_pages) {
        void *larger = mm_alloc_near(nr_pages, first);

        if (larger == NULL)
            return no_memory("the kernel with its symbols takes %a MiB of memory, %b MiB more than "
                             "are free",
                             nr_pages);
        memcpy(larger, h->kernel, h->nr_kernel_pages * PAGE_BYTES);
        mm_free(h->kernel, h->nr_kernel_pages);
        h->kernel = larger;
        h->nr_kernel_pages = nr_pages;
    }
    return image_load_symtab(img, (char *)h->kernel + skew);
}

static struct err load_kernel(struct handover *h, struct image *img, struct boot_request *req,
                              const struct log *log)
{
    TRY(image_open(img, &req->kernel, req->arena, ARCH_WIDTH, log));
    log_kernel(img, log);
    uint64_t first = img->pstart >> PAGE_SHIFT;

    struct plan_layout layout;

    h->image = img;
    /* What cannot fit, before the work begins; its notes, which tell the rest, come with it. */
    TRY(handover_too_small(h));
    h->nr_kernel_pages = pages_of(img->pend) - (size_t)first;
    /* Where the kernel will want to be if its notes say nothing unusual: then no page moves. */
    h->kernel = mm_alloc_near(h->nr_kernel_pages, first);
    if (h->kernel == NULL)
        return no_memory("the kernel takes %a MiB of memory, %b MiB more than are free",
                         h->nr_kernel_pages);
    size_t skew = img->pstart & (PAGE_BYTES - 1);

    uint32_t features;

    memset(h->kernel, 0, skew);
    TRY(xen_features(&features));
    TRY(image_load(img, (char *)h->kernel + skew, features));
    if (img->symtab.bytes != 0)
        TRY(load_symtab(h, img));
    /* The rest of the last page is the kernel's too. */
    size_t used = (size_t)(img->pend - (first << PAGE_SHIFT));

    memset((char *)h->kernel + used, 0, h->nr_kernel_pages * PAGE_BYTES - used);
    return handover_layout(h, &layout);
}

static struct err add_up_initrds(struct handover *h, const struct boot_request *req)
{
    uint64_t off = 0;

    for (uint32_t i = 0; i < req->nr_initrds; i++) {
        off = align_up(off, INITRD_ALIGN);
        if (!add_u64(off, req->initrds[i].node.size_bytes, &off) || off > INT64_MAX)
            return ERR1(ERR_WONT_FIT, "the initrds take more than %a MiB of memory",
                        INT64_MAX >> 20);
    }
    h->initrd_bytes = off;
    return OK;
}

/* All initrds, one behind the other, padded with zeros. */
static struct err load_initrds(struct handover *h, struct boot_request *req, const struct log *log,
                               char *subject, size_t subject_cap)
{
    struct plan_layout layout;
    uint64_t off = h->initrd_bytes;

    if (off == 0)
        return OK;
    set_subject(subject, subject_cap, req->initrd_names[0]);
    TRY(handover_layout(h, &layout));
    h->nr_initrd_pages = pages_of(off);
    h->initrd = mm_alloc_near(h->nr_initrd_pages, layout.initrd.first);
    if (h->initrd == NULL)
        return no_memory("the initrd takes %a MiB of memory, %b MiB more than are free",
                         h->nr_initrd_pages);

    off = 0;
    for (uint32_t i = 0; i < req->nr_initrds; i++) {
        uint64_t start = align_up(off, INITRD_ALIGN);
        uint64_t size = req->initrds[i].node.size_bytes;

        set_subject(subject, subject_cap, req->initrd_names[i]);
        memset((char *)h->initrd + off, 0, (size_t)(start - off));
        TRY(file_read(&req->initrds[i], 0, (char *)h->initrd + start, size));
        off = start + size;
    }
    memset((char *)h->initrd + off, 0, h->nr_initrd_pages * PAGE_BYTES - (size_t)off);

    char line[128];
    struct text t = text_on(line, sizeof(line));

    text_str(&t, "initrd: ");
    text_size(&t, h->initrd_bytes);
    log_line(log, line);
    return OK;
}

static void undo(struct handover *h)
{
    handover_cancel(h);
    if (h->kernel != NULL)
        mm_free(h->kernel, h->nr_kernel_pages);
    if (h->initrd != NULL)
        mm_free(h->initrd, h->nr_initrd_pages);
}

static struct err load(struct handover *h, struct image *img, struct boot_request *req,
                       const struct log *log, char *subject, size_t subject_cap)
{
    set_subject(subject, subject_cap, req->kernel_name);
    TRY(add_up_initrds(h, req));
    struct err e = load_kernel(h, img, req, log);

    image_close(img);
    TRY(e);
    TRY(load_initrds(h, req, log, subject, subject_cap));
    set_subject(subject, subject_cap, req->kernel_name);
    return handover_prepare(h);
}

struct err platform_boot(struct boot_request *req, const struct log *log, char *subject,
                         size_t subject_cap)
{
    static struct image img;
    static struct handover h;
    char open[256];
    struct text t = text_on(open, sizeof(open));

    memset(&img, 0, sizeof(img));
    h = (struct handover){.cmdline = req->cmdline};
    struct err e = load(&h, &img, req, log, subject, subject_cap);

    if (failed(e)) {
        undo(&h);
        return e;
    }
    log_line(log, "starting the kernel");
    /* From here on there is no way back: the disks are gone. */
    devices_close(log);
    if (ledger_open(&t)) {
        print_str("pvboot: not given back: ");
        print_line(open);
        guest_panic("the hand-over was refused: something is still open", 0, 0);
    }
    handover_go(&h);
}
