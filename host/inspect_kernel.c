/* SPDX-License-Identifier: MIT */
/* One kernel: everything that the guest does to it, short of starting it. */
#include "host/inspect.h"

#include "core/base/bytes.h"

/*
 * What Xen offers a paravirtual domU, as bits of submap 0 (xen/include/public/features.h):
 * pae_pgdir_above_4gb, mmu_pt_update_preserve_ad, highmem_assist, gnttab_map_avail_bits,
 * memory_op_vnode_supported.
 */
#define OFFERED_FEATURES (1u << 4 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 13)

struct kernel_report *inspect_kernel(struct report *r, const char *name, struct file *f)
{
    struct kernel_report *k = report_alloc(r, 1, sizeof(*k));
    const struct log log = {.ctx = &r->log, .line = lines_add};
    void *memory;
    uint64_t span;

    k->name = name;
    k->size_bytes = f->node.size_bytes;
    k->error = image_open(&k->img, f, r->arena, IMAGE_64, &log);
    if (failed(k->error))
        return k;
    k->headers = true;
    span = k->img.pend - k->img.pstart;
    memory = span <= IMAGE_UNPACKED_MAX ? arena_pages(r->arena, (size_t)span) : NULL;
    if (memory == NULL)
        k->error = ERR1(ERR_WONT_FIT, "its segments span %a bytes", span);
    else
        k->error = image_load(&k->img, memory, OFFERED_FEATURES);
    k->usable = !failed(k->error);
    image_close(&k->img);
    arena_drop(r->arena, memory);
    return k;
}
