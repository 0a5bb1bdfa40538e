/* SPDX-License-Identifier: MIT */
/*
 * Looking for arrays and logical volumes. A look at a place costs a few small reads, all under way
 * at once; only what is mounted is looked at, until somebody names an array or a volume, or the
 * search for the menu has passed all disks: then every disk and partition is looked at, once.
 */
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"
#include "core/fs/vols_priv.h"

static void say_error(struct vols *v, struct vol_id id, struct err e)
{
    char name[VOL_NAME_MAX], line[SENTENCE_MAX];

    vol_format(v, id, name, sizeof(name));
    err_format(e, name, line, sizeof(line));
    log_line(v->log, line);
}

/*
 * A superblock of version 0.90 does not say where it lies. One at the end of a disk whose last
 * partition ends there too belongs to the partition, unless it tells of more than that could hold.
 */
static bool is_partitions_super(struct vols *v, struct vol_id id, const struct md_member *m)
{
    const struct part_table *table;
    uint64_t whole, off;

    if (m->version != MD_0_90 || id.part != VOL_WHOLE ||
        failed(vols_raw_table(v, id.disk, &table)) ||
        !md_place(MD_0_90, m->disk->size_bytes, &whole))
        return false;
    for (uint32_t i = 0; i < table->nr_parts; i++) {
        const struct part *p = &table->parts[i];

        if (!failed(p->bad) && md_place(MD_0_90, p->len_bytes, &off) &&
            p->off_bytes + off == whole && m->size_bytes <= off)
            return true;
    }
    return false;
}

void vols_look(struct vols *v, struct vol_id id, struct vol *p)
{
    struct md_member *m = NULL;
    struct err e;

    if (p->looked)
        return;
    p->looked = true;
    if (v->pages == NULL && (v->pages = arena_pages(v->arena, MD_PROBE_BYTES)) == NULL) {
        say_error(v, id, arena_exhausted("a look at it, %a bytes", MD_PROBE_BYTES));
        return;
    }
    e = md_probe(&p->window, v->pages, v->arena, &m);
    if (e.code == ERR_READ) {
        p->unreadable = true; /* who wants to read it will hear of it */
        return;
    }
    if (failed(e) && e.code != ERR_NOT_MINE)
        say_error(v, id, e);
    /* Arrays of arrays and arrays of logical volumes are not read. */
    if (!failed(e) && id.disk < VOLS_DISK_MAX && !is_partitions_super(v, id, m)) {
        p->member = m;
        return;
    }
    e = lvm_label_read(v->pages, &p->label);
    p->is_pv = !failed(e);
    if (failed(e) && e.code != ERR_NOT_MINE)
        say_error(v, id, e);
}

/* ---- walking over all places ------------------------------------------------------------------
 */

typedef void (*place_fn)(struct vols *v, struct vol_id id, struct vol *p);

static void look_at(struct vols *v, struct vol_id id, struct vol *p)
{
    vols_look(v, id, p);
    if (p->unreadable)
        say_error(v, id, ERR(ERR_READ, "its start: no RAID and no LVM is looked for on it"));
    p->unreadable = false;
}

/* Call fn for the device as a whole and for each partition that can be used. */
static void each_place(struct vols *v, uint32_t n, place_fn fn)
{
    const struct part_table *table;
    struct vol_id id = {n, VOL_WHOLE};
    struct err e;
    struct vol *p = vols_place(v, id, &e);

    if (p == NULL)
        return;
    look_at(v, id, p);
    fn(v, id, p);
    if (p->member != NULL || failed(vols_raw_table(v, n, &table)))
        return;
    for (uint32_t i = 0; i < table->nr_parts; i++) {
        id.part = table->parts[i].index;
        p = vols_place(v, id, &e);
        if (p == NULL)
            continue;
        look_at(v, id, p);
        fn(v, id, p);
    }
}

static bool add_device(struct vols *v, struct device d, const char *prefix, const char *name)
{
    char buf[VOL_NAME_MAX];
    struct text t = text_on(buf, sizeof(buf));
    struct device *copy = arena_alloc(v->arena, sizeof(*copy));

    text_str(&t, prefix);
    text_str(&t, name);
    if (copy != NULL)
        d.name = arena_strndup(v->arena, buf, t.len);
    if (d.name == NULL || v->nr_named == NAMED_MAX) {
        log_line(v->log, d.name == NULL ? "out of memory for logical volumes and arrays"
                                        : "there are too many logical volumes and arrays; the rest "
                                          "of them is not offered");
        return false;
    }
    *copy = d;
    v->named[v->nr_named++] = copy;
    return true;
}

/* ---- arrays -----------------------------------------------------------------------------------
 */

static void take_member(struct vols *v, struct vol_id id, struct vol *p)
{
    struct md_member **end = &v->members;

    (void)id;
    if (p->member == NULL)
        return;
    while (*end != NULL)
        end = &(*end)->next;
    *end = p->member;
}

void vols_find_arrays(struct vols *v)
{
    struct err e;

    if (v->sought_arrays)
        return;
    v->sought_arrays = true;
    for (uint32_t n = 0; n < v->nr_disks; n++)
        each_place(v, n, take_member);
    e = md_arrays(v->members, v->arena, v->log, &v->arrays);
    if (failed(e)) {
        char line[SENTENCE_MAX];

        err_format(e, "RAID", line, sizeof(line));
        log_line(v->log, line);
    }
    for (struct md_array *a = v->arrays; a != NULL; a = a->next) {
        a->volume = VOLS_DISK_MAX + v->nr_named;
        if (!add_device(v, (struct device){.kind = VOL_ARRAY, .disk = a->disk, .array = a}, "md/",
                        a->name))
            return;
    }
}

const struct md_array *vols_arrays(struct vols *v)
{
    vols_find_arrays(v);
    return v->arrays;
}

/* The place's array, when it is a member; false: it is none. */
static bool array_of(struct vols *v, struct vol_id id, uint32_t *out)
{
    struct err e;
    struct vol *p = vols_place(v, id, &e);

    if (p == NULL)
        return false;
    vols_look(v, id, p);
    if (p->member == NULL)
        return false;
    vols_find_arrays(v);
    if (p->member->array == NULL)
        return false;
    *out = p->member->array->volume;
    return true;
}

struct vol_id vols_resolve(struct vols *v, struct vol_id id)
{
    if (id.disk >= VOLS_DISK_MAX)
        return id;
    if (array_of(v, (struct vol_id){id.disk, VOL_WHOLE}, &id.disk))
        return id;
    if (id.part != VOL_WHOLE && array_of(v, id, &id.disk))
        id.part = VOL_WHOLE;
    return id;
}

/* ---- logical volumes --------------------------------------------------------------------------
 */

static void take_pv(struct vols *v, struct vol_id id, struct vol *p)
{
    const struct part_table *table;
    struct err e;

    if (!p->is_pv || p->member != NULL)
        return;
    /* What was a physical volume before it got a partition table is none. */
    if (id.part == VOL_WHOLE && !failed(vols_raw_table(v, id.disk, &table)) && table->nr_parts > 0)
        return;
    e = lvm_add(&v->lvm, &p->window, &p->label);
    if (failed(e))
        say_error(v, id, e);
}

static void add_volumes(struct vols *v, const struct lvm_vg *vg)
{
    char name[LVM_NAME_MAX + 1];

    if (vg->shadowed)
        return;
    for (uint32_t i = 0; i < vg->nr_lvs; i++) {
        struct lvm_lv *lv = &vg->lvs[i];

        if (!lv->visible)
            continue;
        if (!lvm_full_name(lv, name, sizeof(name))) {
            log_line(v->log, "a logical volume with too long a name is not offered");
            continue;
        }
        if (!add_device(v, (struct device){.kind = VOL_LOGICAL, .lv = lv}, "lvm/", name))
            return;
    }
}

void vols_find_lvm(struct vols *v)
{
    uint32_t nr_arrays;

    if (v->sought_lvm)
        return;
    v->sought_lvm = true;
    vols_find_arrays(v);
    nr_arrays = v->nr_named;
    lvm_init(&v->lvm, v->arena, v->log);
    for (uint32_t n = 0; n < v->nr_disks; n++)
        each_place(v, n, take_pv);
    for (uint32_t n = 0; n < nr_arrays; n++)
        each_place(v, VOLS_DISK_MAX + n, take_pv);
    lvm_finish(&v->lvm);
    for (const struct lvm_vg *vg = v->lvm.vgs; vg != NULL; vg = vg->next)
        add_volumes(v, vg);
}

const struct lvm *vols_lvm(struct vols *v)
{
    vols_find_lvm(v);
    return &v->lvm;
}

const struct lvm_lv *vols_lv(const struct vols *v, uint32_t n, const struct lvm_vg *vg)
{
    if (vols_kind(v, n) != VOL_LOGICAL || v->named[n - VOLS_DISK_MAX]->lv->vg != vg)
        return NULL;
    return v->named[n - VOLS_DISK_MAX]->lv;
}

static const struct lvm_vg *group_of(struct vols *v, const struct vol *p)
{
    vols_find_lvm(v);
    for (const struct lvm_found *f = v->lvm.found; f != NULL; f = f->next) {
        if (memcmp(f->label.id, p->label.id, LVM_ID_LEN) == 0)
            return f->vg;
    }
    return NULL;
}

bool vols_is_pv(struct vols *v, struct vol_id id, const struct lvm_vg **vg)
{
    struct err e;
    struct vol *p = vols_place(v, id, &e);

    *vg = NULL;
    if (p == NULL)
        return false;
    vols_look(v, id, p);
    if (p->is_pv)
        *vg = group_of(v, p);
    return p->is_pv;
}

struct err vols_pv_error(struct vols *v, const struct vol *p)
{
    const struct lvm_vg *vg = group_of(v, p);
    char buf[SENTENCE_MAX];
    struct text t = text_on(buf, sizeof(buf));
    size_t whole = 0;
    bool any = false;
    const char *s;

    if (vg == NULL)
        return ERR(ERR_FS_MOUNT, "an LVM physical volume that belongs to no volume group");
    text_str(&t, "an LVM physical volume of the group ");
    text_str(&t, vg->name);
    for (uint32_t i = 0; i < v->nr_named && !t.cut; i++) {
        const struct device *d = v->named[i];

        if (d->kind != VOL_LOGICAL || d->lv->vg != vg)
            continue;
        whole = t.len;
        text_str(&t, any ? ", (" : "; its volumes: (");
        text_str(&t, d->name);
        text_str(&t, ")");
        any = true;
    }
    if (!any)
        text_str(&t, ", which has no volumes");
    s = arena_strndup(v->arena, buf, t.cut ? whole : t.len);
    return s != NULL ? ERR(ERR_FS_MOUNT, s) : arena_exhausted("a sentence of %a bytes", t.len);
}
