/* SPDX-License-Identifier: MIT */
/*
 * The tree of a group's text -> the group. Names are those that LVM allows, so that they can stand
 * in messages and in (lvm/VG-LV); a text with others is damaged. Segments of a volume cover it in
 * order, without gaps.
 */
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"
#include "core/disk/lvm.h"

#define SECTOR      ((uint64_t)512)
#define EXTENTS_MAX ((uint64_t)1 << 40)
#define KEY_MAX     LVM_NAME_MAX
#define ID_TEXT_LEN 38 /* 6-4-4-4-4-4-6 characters, with their hyphens */

static struct err damaged(const char *sentence)
{
    return ERR(ERR_FS_DAMAGED, sentence);
}

bool lvm_id_read(const char *s, size_t len, char id[LVM_ID_LEN])
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        if (s[i] == '-')
            continue;
        if (n == LVM_ID_LEN)
            return false;
        id[n++] = s[i];
    }
    return n == LVM_ID_LEN && len == ID_TEXT_LEN;
}

/* A name that LVM allows, copied. */
static struct err take_name(struct arena *a, const char *s, size_t len, const char **out)
{
    if (len == 0 || len > KEY_MAX)
        return ERR2(ERR_FS_DAMAGED, "LVM metadata: a name of %a bytes; at most %b are possible",
                    len, KEY_MAX);
    for (size_t i = 0; i < len; i++) {
        char c = s[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-' || c == '.' || c == '+'))
            return ERR1(ERR_FS_DAMAGED, "LVM metadata: a name with the byte %A in it", (uint8_t)c);
    }
    *out = arena_strndup(a, s, len);
    return *out != NULL ? OK : arena_exhausted("a name of %a bytes", len);
}

static struct err take_number(const struct lvm_node *section, const char *key, uint64_t max,
                              uint64_t *out)
{
    const struct lvm_node *n = lvm_child(section, key);

    if (n == NULL || n->kind != LVM_NUMBER || n->number > max)
        return damaged("LVM metadata: a number is missing or out of range");
    *out = n->number;
    return OK;
}

static struct err take_id(const struct lvm_node *section, char id[LVM_ID_LEN])
{
    const struct lvm_node *n = lvm_child(section, "id");

    if (n == NULL || n->kind != LVM_STRING || !lvm_id_read(n->str, n->str_len, id))
        return damaged("LVM metadata: an id is missing or broken");
    return OK;
}

/* Is the flag in the section's `status` or `flags`? */
static bool has_flag(const struct lvm_node *section, const char *flag)
{
    static const char *const lists[] = {"status", "flags"};

    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        const struct lvm_node *list = lvm_child(section, lists[i]);

        if (lvm_is(list, flag))
            return true;
        if (list == NULL || list->kind != LVM_LIST)
            continue;
        for (const struct lvm_node *n = list->child; n != NULL; n = n->next) {
            if (lvm_is(n, flag))
                return true;
        }
    }
    return false;
}

static uint32_t nr_sections(const struct lvm_node *parent)
{
    uint32_t nr = 0;

    for (const struct lvm_node *n = parent != NULL ? parent->child : NULL; n != NULL; n = n->next)
        nr += n->kind == LVM_SECTION;
    return nr;
}

static void *array(struct arena *a, size_t nr, size_t size, struct err *e)
{
    void *p = arena_array(a, nr, size);

    *e = p != NULL ? OK : arena_exhausted("LVM metadata: %a entries", nr);
    return p;
}

/* ---- physical volumes -------------------------------------------------------------------------
 */

static struct err read_pvs(struct lvm_vg *vg, const struct lvm_node *section)
{
    uint32_t nr = nr_sections(section);
    struct err e;

    if (nr > LVM_GROUP_PVS_MAX)
        return ERR2(ERR_LIMIT, "a volume group of %a physical volumes; at most %b are read", nr,
                    LVM_GROUP_PVS_MAX);
    vg->pvs = array(vg->arena, nr, sizeof(*vg->pvs), &e);
    TRY(e);
    for (const struct lvm_node *n = section != NULL ? section->child : NULL; n != NULL;
         n = n->next) {
        struct lvm_pv *pv = &vg->pvs[vg->nr_pvs];
        uint64_t start;

        if (n->kind != LVM_SECTION)
            continue;
        TRY(take_name(vg->arena, n->key, n->key_len, &pv->key));
        TRY(take_id(n, pv->id));
        TRY(take_number(n, "pe_start", UINT64_MAX / SECTOR, &start));
        TRY(take_number(n, "pe_count", EXTENTS_MAX, &pv->nr_extents));
        pv->start_bytes = start * SECTOR;
        pv->marked_missing = has_flag(n, "MISSING");
        vg->nr_pvs++;
    }
    return OK;
}

/* ---- segments ---------------------------------------------------------------------------------
 */

static struct lvm_pv *find_pv(struct lvm_vg *vg, const struct lvm_node *n)
{
    for (uint32_t i = 0; i < vg->nr_pvs; i++) {
        if (lvm_is(n, vg->pvs[i].key))
            return &vg->pvs[i];
    }
    return NULL;
}

static struct lvm_lv *find_lv(struct lvm_vg *vg, const struct lvm_node *n)
{
    for (uint32_t i = 0; i < vg->nr_lvs; i++) {
        if (lvm_is(n, vg->lvs[i].name))
            return &vg->lvs[i];
    }
    return NULL;
}

/* ["pv0", 0, "pv1", 128]: where each leg begins. */
static struct err read_pairs(struct lvm_vg *vg, struct lvm_segment *seg,
                             const struct lvm_node *list)
{
    const struct lvm_node *n = list->child;

    for (uint32_t i = 0; i < seg->nr_legs; i++) {
        struct lvm_leg *leg = &seg->legs[i];

        if (n == NULL || n->next == NULL || n->next->kind != LVM_NUMBER ||
            n->next->number > EXTENTS_MAX)
            return damaged("LVM metadata: a segment's list of places is broken");
        leg->pv = find_pv(vg, n);
        leg->lv = leg->pv == NULL ? find_lv(vg, n) : NULL;
        leg->start_extent = n->next->number;
        if (leg->pv == NULL && leg->lv == NULL)
            return damaged("LVM metadata: a segment names a volume that is not there");
        n = n->next->next;
    }
    return n == NULL ? OK : damaged("LVM metadata: a segment has more places than legs");
}

/* ["lv_rmeta_0", "lv_rimage_0", ...]: metadata and data of each leg. */
static struct err read_images(struct lvm_vg *vg, struct lvm_segment *seg,
                              const struct lvm_node *list)
{
    const struct lvm_node *n = list->child;

    for (uint32_t i = 0; i < seg->nr_legs; i++) {
        struct lvm_leg *leg = &seg->legs[i];

        if (n == NULL || n->next == NULL)
            return damaged("LVM metadata: a segment's list of images is broken");
        leg->meta = find_lv(vg, n);
        leg->lv = find_lv(vg, n->next);
        if (leg->meta == NULL || leg->lv == NULL)
            return damaged("LVM metadata: a segment names a volume that is not there");
        n = n->next->next;
    }
    return n == NULL ? OK : damaged("LVM metadata: a segment has more images than legs");
}

static struct err alloc_legs(struct lvm_vg *vg, struct lvm_segment *seg, uint64_t nr)
{
    struct err e;

    if (nr == 0)
        return damaged("LVM metadata: a segment without places");
    if (nr > LVM_SEGMENT_LEGS)
        return ERR2(ERR_LIMIT, "an LVM segment with %a stripes or mirrors; at most %b are read", nr,
                    LVM_SEGMENT_LEGS);
    seg->nr_legs = (uint32_t)nr;
    vg->nr_references += seg->nr_legs;
    if (vg->nr_references > LVM_REFERENCES_MAX)
        return ERR1(ERR_LIMIT, "a volume group whose segments name more than %a places",
                    LVM_REFERENCES_MAX);
    seg->legs = array(vg->arena, seg->nr_legs, sizeof(*seg->legs), &e);
    return e;
}

static const struct {
    const char *name;
    enum lvm_type type;
    const char *count, *list;
} types[] = {
    {"striped", LVM_STRIPED, "stripe_count", "stripes"},
    {"linear", LVM_STRIPED, "stripe_count", "stripes"},
    {"mirror", LVM_MIRROR, "mirror_count", "mirrors"},
    {"raid1", LVM_RAID1, "device_count", "raids"},
};

static struct err read_stripes(struct lvm_vg *vg, struct lvm_segment *seg, const struct lvm_node *n)
{
    uint64_t bytes, stripe;

    if (seg->type != LVM_STRIPED || seg->nr_legs <= 1)
        return OK;
    TRY(take_number(n, "stripe_size", UINT32_MAX, &stripe));
    seg->stripe_bytes = stripe * SECTOR;
    /* The group's size was checked: this product fits. */
    bytes = seg->nr_extents / seg->nr_legs * vg->extent_bytes;
    if (stripe == 0 || seg->nr_extents % seg->nr_legs != 0 || bytes % seg->stripe_bytes != 0)
        return ERR2(ERR_FS_DAMAGED, "LVM metadata: %a extents in stripes of %b bytes",
                    seg->nr_extents, seg->stripe_bytes);
    return OK;
}

static struct err read_segment(struct lvm_vg *vg, struct lvm_segment *seg, const struct lvm_node *n)
{
    const struct lvm_node *type = lvm_child(n, "type"), *list;
    uint64_t nr;

    TRY(take_number(n, "start_extent", EXTENTS_MAX, &seg->start_extent));
    TRY(take_number(n, "extent_count", EXTENTS_MAX, &seg->nr_extents));
    if (type == NULL || type->kind != LVM_STRING)
        return damaged("LVM metadata: a segment has no type");
    TRY(take_name(vg->arena, type->str, type->str_len, &seg->type_name));
    seg->type = LVM_OTHER;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (!lvm_is(type, types[i].name))
            continue;
        seg->type = types[i].type;
        TRY(take_number(n, types[i].count, UINT32_MAX, &nr));
        TRY(alloc_legs(vg, seg, nr));
        list = lvm_child(n, types[i].list);
        if (list == NULL || list->kind != LVM_LIST)
            return damaged("LVM metadata: a segment has no list of places");
        TRY(seg->type == LVM_RAID1 ? read_images(vg, seg, list) : read_pairs(vg, seg, list));
        return read_stripes(vg, seg, n);
    }
    return OK;
}

/* ---- logical volumes --------------------------------------------------------------------------
 */

static bool is_segment(const struct lvm_node *n)
{
    return n->kind == LVM_SECTION && n->key_len > 7 && memcmp(n->key, "segment", 7) == 0;
}

/*
 * A snapshot is a volume without data ("snapshot0"), which LVM shows nobody, although it says that
 * it is visible; its segment names the two others that it is about: the origin, and the store of
 * what the origin held, which is the one that people know as the snapshot.
 */
static struct err note_snapshot(struct lvm_vg *vg, struct lvm_lv *link,
                                const struct lvm_node *segment)
{
    const struct lvm_node *store = lvm_child(segment, "cow_store");
    const struct lvm_node *merging = lvm_child(segment, "merging_store");
    struct lvm_lv *lv;

    if (!lvm_is(lvm_child(segment, "type"), "snapshot"))
        return OK;
    lv = find_lv(vg, store != NULL ? store : merging);
    if (lv == NULL)
        return damaged("LVM metadata: a snapshot names a volume that is not there");
    lv->snapshot = true;
    lv->visible = true;
    link->visible = false;
    lv = find_lv(vg, lvm_child(segment, "origin"));
    if (lv == NULL)
        return damaged("LVM metadata: a snapshot names a volume that is not there");
    lv->has_snapshot = true;
    lv->merging = lv->merging || merging != NULL;
    return OK;
}

static struct err read_segments(struct lvm_vg *vg, struct lvm_lv *lv,
                                const struct lvm_node *section)
{
    struct err e;

    for (const struct lvm_node *n = section->child; n != NULL; n = n->next)
        lv->nr_segments += is_segment(n);
    vg->nr_segments += lv->nr_segments;
    if (vg->nr_segments > LVM_SEGMENTS_MAX)
        return ERR1(ERR_LIMIT, "a volume group of more than %a segments", LVM_SEGMENTS_MAX);
    lv->segments = array(vg->arena, lv->nr_segments, sizeof(*lv->segments), &e);
    TRY(e);
    struct lvm_segment *seg = lv->segments;

    for (const struct lvm_node *n = section->child; n != NULL; n = n->next) {
        if (!is_segment(n))
            continue;
        TRY(read_segment(vg, seg, n));
        TRY(note_snapshot(vg, lv, n));
        if (seg->start_extent != lv->nr_extents || seg->nr_extents == 0)
            return damaged("LVM metadata: a volume's segments have gaps");
        if (seg->nr_extents > EXTENTS_MAX - lv->nr_extents ||
            lv->nr_extents + seg->nr_extents > UINT64_MAX / 2 / vg->extent_bytes)
            return damaged("LVM metadata: a volume is larger than any disk");
        lv->nr_extents += seg->nr_extents;
        seg++;
    }
    return OK;
}

/* First all names, because segments refer to volumes that come later. */
static struct err read_lvs(struct lvm_vg *vg, const struct lvm_node *section)
{
    uint32_t nr = nr_sections(section), i = 0;
    struct err e;

    if (nr > LVM_LVS_MAX)
        return ERR2(ERR_LIMIT, "a volume group of %a logical volumes; at most %b are read", nr,
                    LVM_LVS_MAX);
    vg->lvs = array(vg->arena, nr, sizeof(*vg->lvs), &e);
    TRY(e);
    if (nr == 0)
        return OK;
    for (const struct lvm_node *n = section->child; n != NULL; n = n->next) {
        struct lvm_lv *lv = &vg->lvs[vg->nr_lvs];
        const struct lvm_node name = {.kind = LVM_STRING, .str = n->key, .str_len = n->key_len};

        if (n->kind != LVM_SECTION)
            continue;
        if (find_lv(vg, &name) != NULL)
            return damaged("LVM metadata: two logical volumes have the same name");
        TRY(take_name(vg->arena, n->key, n->key_len, &lv->name));
        lv->vg = vg;
        lv->visible = has_flag(n, "VISIBLE");
        lv->read_only = !has_flag(n, "WRITE");
        vg->nr_lvs++;
    }
    for (const struct lvm_node *n = section->child; n != NULL; n = n->next) {
        if (n->kind == LVM_SECTION)
            TRY(read_segments(vg, &vg->lvs[i++], n));
    }
    return OK;
}

/* What makes a whole group unusable here, though its text is in order. */
static struct err refuse_group(const struct lvm_node *section)
{
    if (has_flag(section, "EXPORTED"))
        return ERR(ERR_REFUSED, "the volume group was exported (vgexport); vgimport it");
    if (has_flag(section, "CLUSTERED"))
        return ERR(ERR_REFUSED, "a clustered volume group");
    if (lvm_child(section, "lock_type") != NULL && !lvm_is(lvm_child(section, "lock_type"), "none"))
        return ERR(ERR_REFUSED, "a volume group with locks (lvmlockd)");
    return OK;
}

struct err lvm_vg_read(const struct lvm_node *root, struct arena *a, struct lvm_vg **out)
{
    const struct lvm_node *section = root->child;
    struct lvm_vg *vg = arena_alloc(a, sizeof(*vg));
    const struct lvm_node *version = lvm_child(root, "version");
    uint64_t extent;

    if (vg == NULL)
        return arena_exhausted("a volume group of %a bytes", sizeof(*vg));
    while (section != NULL && section->kind != LVM_SECTION)
        section = section->next;
    if (section == NULL)
        return damaged("LVM metadata: no volume group in it");
    if (version != NULL && version->number != 1)
        return ERR1(ERR_REFUSED, "LVM metadata of version %a", version->number);
    vg->arena = a;
    TRY(take_name(a, section->key, section->key_len, &vg->name));
    TRY(take_id(section, vg->id));
    TRY(take_number(section, "seqno", UINT64_MAX, &vg->seqno));
    TRY(take_number(section, "extent_size", UINT32_MAX, &extent));
    if (extent == 0)
        return damaged("LVM metadata: extents of no size");
    vg->extent_bytes = extent * SECTOR;
    vg->read_only = !has_flag(section, "WRITE");
    vg->bad = refuse_group(section);
    TRY(read_pvs(vg, lvm_child(section, "physical_volumes")));
    TRY(read_lvs(vg, lvm_child(section, "logical_volumes")));
    *out = vg;
    return OK;
}
