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

/* All that the guest reads of it. */
static struct err load(struct report *r, struct kernel_report *k)
{
    struct arena *a = r->arena;
    struct image *img = &k->img;
    uint64_t span = img->pend - img->pstart;
    void *memory = span <= IMAGE_UNPACKED_MAX ? arena_pages(a, (size_t)span) : NULL;

    if (memory == NULL)
        return ERR1(ERR_WONT_FIT, "its segments span %a bytes", span);
    struct err e = image_load(img, memory, OFFERED_FEATURES);

    /* What is refused for its notes was loaded all the same. */
    if (!failed(e) || e.code == ERR_EXEC_FORMAT)
        inspect_compat(r, k, memory, (size_t)span);
    arena_drop(a, memory);
    if (failed(e) || img->symtab.bytes == 0)
        return e;
    span = img->symtab.paddr + img->symtab.bytes - img->pstart;
    memory = arena_pages(a, (size_t)span);
    if (memory == NULL)
        return ERR1(ERR_WONT_FIT, "its segments and its symbol table span %a bytes", span);
    e = image_load_symtab(img, memory);
    arena_drop(a, memory);
    return e;
}

/* A kernel of the other width: nothing for this guest, but what it is can be told. */
static void look_at_other(struct report *r, struct kernel_report *k, struct file *f)
{
    const struct log quiet = {0};

    if (failed(image_open(&k->img, f, r->arena, r->narrow ? IMAGE_64 : IMAGE_32, &quiet)))
        return;
    k->headers = true;
    (void)load(r, k);
    image_close(&k->img);
}

struct kernel_report *inspect_kernel(struct report *r, const char *name, struct file *f)
{
    struct kernel_report *k = report_alloc(r, 1, sizeof(*k));
    const struct log log = {.ctx = &r->log, .line = lines_add};

    k->name = name;
    k->size_bytes = f->node.size_bytes;
    const enum image_width want = r->narrow ? IMAGE_32 : IMAGE_64;

    k->error = image_open(&k->img, f, r->arena, want, &log);
    if (failed(k->error)) {
        if (k->img.machine != 0 && k->img.width != want)
            look_at_other(r, k, f);
        return k;
    }
    k->headers = true;
    k->error = load(r, k);
    k->usable = !failed(k->error);
    image_close(&k->img);
    return k;
}
