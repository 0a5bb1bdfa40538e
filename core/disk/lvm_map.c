/* SPDX-License-Identifier: MIT */
/*
 * A logical volume as a disk of pieces: which leg of which segment holds a place, down to the
 * physical volumes.
 *
 * Of mirrors one leg is read, the first that can be; the others serve places where it fails. The
 * legs of a raid1 have a superblock each, which tells the ones that were being rebuilt or have
 * failed. Its source: "dm-raid" in the kernel's documentation.
 */
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"
#include "core/disk/lvm.h"
#include "core/disk/mapped.h"

#define SENTENCE_MAX 300
#define RAID_MAGIC   0x64526d44u /* "DmRd" */
#define IN_SYNC      UINT64_MAX  /* recovered up to here: wholly */
#define RAID_LEGS    64          /* failed ones are bits of one number */

struct dm_disk_raid {
    uint8_t magic[4];
    uint8_t compat_features[4];
    uint8_t num_devices[4];
    uint8_t array_position[4];
    uint8_t events[8];
    uint8_t failed_devices[8]; /* by position */
    uint8_t disk_recovery_offset[8];
    uint8_t array_resync_offset[8];
};
STATIC_ASSERT(sizeof(struct dm_disk_raid) == 48, "what is read of it is 48 bytes");

bool lvm_full_name(const struct lvm_lv *lv, char *buf, size_t cap)
{
    const char *parts[2] = {lv->vg->name, lv->name};
    struct text t = text_on(buf, cap);

    for (size_t i = 0; i < 2; i++) {
        if (i > 0)
            text_char(&t, '-');
        for (const char *s = parts[i]; *s != '\0'; s++) {
            text_char(&t, *s);
            if (*s == '-')
                text_char(&t, '-');
        }
    }
    return !t.cut;
}

/* An error whose sentence has names in it: %a of the message is not used. */
static struct err named(struct lvm_vg *vg, enum err_code code, const char *before, const char *name,
                        const char *after)
{
    char buf[SENTENCE_MAX];
    struct text t = text_on(buf, sizeof(buf));

    text_str(&t, before);
    text_str(&t, name);
    text_str(&t, after);
    const char *s = arena_strndup(vg->arena, buf, t.len);

    return s != NULL ? ERR(code, s) : arena_exhausted("a sentence of %a bytes", t.len);
}

static struct err missing(struct lvm_vg *vg, const struct lvm_pv *pv)
{
    char buf[SENTENCE_MAX];
    struct text t = text_on(buf, sizeof(buf));

    lvm_pv_put(&t, pv);
    return named(vg, ERR_NO_DISK, "it lies on ", buf,
                 pv->marked_missing ? ", which its volume group has marked as missing"
                                    : ", which is on none of the disks");
}

/* ---- can it be read? --------------------------------------------------------------------------
 */

static struct err check_lv(struct lvm_lv *lv, unsigned depth);
static struct err open_lv(struct lvm_lv *lv, unsigned depth);

static struct err check_leg(struct lvm_vg *vg, const struct lvm_leg *leg, uint64_t nr_extents,
                            unsigned depth)
{
    const struct lvm_pv *pv = leg->pv;
    uint64_t end;

    if (leg->lv != NULL) {
        TRY(check_lv(leg->lv, depth + 1));
        return in_range(leg->start_extent, nr_extents, leg->lv->nr_extents)
                   ? OK
                   : ERR(ERR_FS_DAMAGED, "LVM metadata: a segment passes its volume's end");
    }
    if (pv->disk == NULL || pv->marked_missing)
        return missing(vg, pv);
    if (!in_range(leg->start_extent, nr_extents, pv->nr_extents))
        return ERR(ERR_FS_DAMAGED, "LVM metadata: a segment passes its physical volume's end");
    if (!mul_u64(leg->start_extent + nr_extents, vg->extent_bytes, &end) ||
        !in_range(pv->start_bytes, end, pv->disk->size_bytes))
        return named(vg, ERR_OUTSIDE_PART, "it reaches past the end of ", pv->disk->name,
                     ", which is smaller than its physical volume says");
    return OK;
}

/* The leg's superblock; false: none that can be used. */
static bool read_raid_super(const struct lvm_leg *leg, unsigned depth, struct dm_disk_raid *out)
{
    return !failed(open_lv(leg->meta, depth + 1)) &&
           !failed(disk_read(leg->meta->disk, 0, out, sizeof(*out))) &&
           le32(out->magic) == RAID_MAGIC;
}

/*
 * Which of the legs of a raid1 are in sync? Those that the newest superblock does not call failed,
 * and that are not being rebuilt themselves. Without any superblock (the volume has never been
 * active) all legs are as good.
 */
static uint64_t legs_in_sync(const struct lvm_segment *seg, unsigned depth)
{
    struct dm_disk_raid sb;
    uint64_t failed_legs = 0, events = 0, in_sync = 0, all = 0;
    bool any = false;

    for (uint32_t i = 0; i < seg->nr_legs; i++) {
        all |= UINT64_C(1) << i;
        if (!read_raid_super(&seg->legs[i], depth, &sb))
            continue;
        if (!any || le64(sb.events) > events) {
            events = le64(sb.events);
            failed_legs = le64(sb.failed_devices);
        }
        any = true;
        if (le32(sb.array_position) == i && le64(sb.disk_recovery_offset) == IN_SYNC)
            in_sync |= UINT64_C(1) << i;
    }
    for (uint32_t i = 0; i < seg->nr_legs && any; i++) {
        if (read_raid_super(&seg->legs[i], depth, &sb) && events - le64(sb.events) > 1)
            in_sync &= ~(UINT64_C(1) << i);
    }
    return any ? in_sync & ~failed_legs : all;
}

static void say_leg(const struct lvm_lv *lv, uint32_t leg, const char *why)
{
    char name[2 * LVM_NAME_MAX + 2], line[SENTENCE_MAX + sizeof(name)];
    struct text t = text_on(line, sizeof(line));

    lvm_full_name(lv, name, sizeof(name));
    text_str(&t, "(lvm/");
    text_str(&t, name);
    text_str(&t, "): leg ");
    text_u64(&t, leg);
    text_str(&t, " is not used: ");
    text_str(&t, why);
    log_line(lv->vg->log, line);
}

static struct err check_mirror(struct lvm_lv *lv, struct lvm_segment *seg, unsigned depth)
{
    struct err first = OK;
    uint64_t good = UINT64_MAX;

    if (seg->type == LVM_RAID1) {
        if (seg->nr_legs > RAID_LEGS || lv->nr_segments != 1)
            return ERR1(ERR_REFUSED, "a raid1 volume with %a legs, or with several segments",
                        seg->nr_legs);
        good = legs_in_sync(seg, depth);
    }
    for (uint32_t i = 0; i < seg->nr_legs; i++) {
        struct err e = check_leg(lv->vg, &seg->legs[i], seg->nr_extents, depth);

        if (!failed(e) && i < RAID_LEGS && !(good >> i & 1))
            e = ERR(ERR_REFUSED, "its superblock says that it is not in sync");
        if (!failed(e)) {
            seg->used[seg->nr_used++] = (uint8_t)i;
            continue;
        }
        say_leg(lv, i, e.msg);
        if (!failed(first))
            first = e;
    }
    return seg->nr_used > 0 ? OK : first;
}

static struct err check_segment(struct lvm_lv *lv, struct lvm_segment *seg, unsigned depth)
{
    if (seg->type == LVM_OTHER)
        return named(lv->vg, ERR_REFUSED, "a volume of the type ", seg->type_name,
                     "; linear, striped, mirror and raid1 are read");
    if (seg->type != LVM_STRIPED)
        return check_mirror(lv, seg, depth);
    for (uint32_t i = 0; i < seg->nr_legs; i++)
        TRY(check_leg(lv->vg, &seg->legs[i], seg->nr_extents / seg->nr_legs, depth));
    return OK;
}

static struct err check_segments(struct lvm_lv *lv, unsigned depth)
{
    if (lv->snapshot)
        return ERR(ERR_REFUSED, "a snapshot, which is not read; its origin is");
    if (lv->merging)
        return ERR(ERR_REFUSED, "a snapshot is being merged into it");
    if (lv->nr_segments == 0)
        return ERR(ERR_FS_DAMAGED, "LVM metadata: a volume without segments");
    for (uint32_t i = 0; i < lv->nr_segments; i++)
        TRY(check_segment(lv, &lv->segments[i], depth));
    return OK;
}

static struct err check_lv(struct lvm_lv *lv, unsigned depth)
{
    if (lv->state == LVM_BEING_CHECKED)
        return ERR(ERR_FS_DAMAGED, "LVM metadata: a volume lies on itself");
    if (depth > LVM_DEPTH_MAX)
        return ERR(ERR_LIMIT, "too many LVM volumes upon each other");
    if (lv->state == LVM_NOT_CHECKED) {
        lv->state = LVM_BEING_CHECKED;
        lv->bad = check_segments(lv, depth);
        lv->state = LVM_CHECKED;
    }
    return lv->bad;
}

/* ---- where is it? -----------------------------------------------------------------------------
 */

static const struct lvm_segment *segment_of(const struct lvm_lv *lv, uint64_t extent)
{
    uint32_t low = 0, high = lv->nr_segments - 1;

    while (low < high) {
        uint32_t mid = low + (high - low + 1) / 2;

        if (lv->segments[mid].start_extent <= extent)
            low = mid;
        else
            high = mid - 1;
    }
    return &lv->segments[low];
}

static struct err piece_of(struct lvm_lv *lv, uint64_t off, uint32_t copy, unsigned depth,
                           struct piece *out)
{
    uint64_t extent_bytes = lv->vg->extent_bytes, room, leg_off;
    const struct lvm_segment *seg = segment_of(lv, off / extent_bytes);
    const struct lvm_leg *leg;

    off -= seg->start_extent * extent_bytes;
    leg_off = off;
    room = seg->nr_extents * extent_bytes - off;
    if (seg->type != LVM_STRIPED) {
        leg = &seg->legs[seg->used[copy % seg->nr_used]];
        copy /= seg->nr_used;
    } else if (seg->nr_legs == 1) {
        leg = &seg->legs[0];
    } else {
        uint64_t stripe = off / seg->stripe_bytes, in_stripe = off % seg->stripe_bytes;

        leg = &seg->legs[stripe % seg->nr_legs];
        leg_off = stripe / seg->nr_legs * seg->stripe_bytes + in_stripe;
        room = seg->stripe_bytes - in_stripe;
    }
    leg_off += leg->start_extent * extent_bytes;
    if (leg->lv != NULL) {
        if (depth == LVM_DEPTH_MAX) /* cannot be: it was checked */
            return ERR(ERR_LIMIT, "too many LVM volumes upon each other");
        TRY(piece_of(leg->lv, leg_off, copy, depth + 1, out));
        out->len_bytes = min_u64(out->len_bytes, room);
        return OK;
    }
    if (copy > 0)
        return ERR(ERR_READ, "there is no other copy");
    *out = (struct piece){.kind = PIECE_DISK,
                          .disk = leg->pv->disk,
                          .off_bytes = leg->pv->start_bytes + leg_off,
                          .len_bytes = room};
    return OK;
}

static struct err find_piece(void *ctx, uint64_t off_bytes, uint64_t len_bytes, uint32_t copy,
                             struct piece *out)
{
    struct lvm_lv *lv = ctx;

    (void)len_bytes;
    TRY(piece_of(lv, off_bytes, copy, 0, out));
    if (copy > 0 && !lv->said) {
        lv->said = true;
        say_leg(lv, 0, "it cannot be read everywhere; another one is read there");
    }
    return OK;
}

/* Only what lies straight on physical volumes, once. */
static struct err may_write(void *ctx, uint64_t off_bytes)
{
    const struct lvm_lv *lv = ctx;
    const struct lvm_segment *seg = segment_of(lv, off_bytes / lv->vg->extent_bytes);

    if (lv->has_snapshot)
        return ERR(ERR_REFUSED, "its logical volume has snapshots, which would change with it");
    if (lv->read_only || lv->vg->read_only)
        return ERR(ERR_REFUSED, "its logical volume, or the volume group, is read-only");
    if (seg->type != LVM_STRIPED)
        return ERR(ERR_REFUSED, "it lies on a mirrored logical volume, whose legs would differ");
    for (uint32_t i = 0; i < seg->nr_legs; i++) {
        if (seg->legs[i].lv != NULL)
            return ERR(ERR_REFUSED, "its logical volume lies on other volumes");
    }
    return OK;
}

/* ---- the disk ---------------------------------------------------------------------------------
 */

/* The largest sector of the group's disks; all that a volume's pieces begin and end with has to be
 * made of whole ones. */
static struct err sector_of(const struct lvm_vg *vg, uint32_t *out)
{
    *out = 512;
    for (uint32_t i = 0; i < vg->nr_pvs; i++) {
        if (vg->pvs[i].disk != NULL && vg->pvs[i].disk->sector_bytes > *out)
            *out = vg->pvs[i].disk->sector_bytes;
    }
    for (uint32_t i = 0; i < vg->nr_pvs; i++) {
        if (vg->pvs[i].disk != NULL && vg->pvs[i].start_bytes % *out != 0)
            return ERR1(ERR_REFUSED, "a physical volume begins between sectors of %a bytes", *out);
    }
    if (vg->extent_bytes % *out != 0)
        return ERR1(ERR_REFUSED, "extents that are not made of sectors of %a bytes", *out);
    return OK;
}

static struct err make_disk(struct lvm_lv *lv, unsigned depth)
{
    struct lvm_vg *vg = lv->vg;
    char name[2 * LVM_NAME_MAX + 2], device[sizeof(name) + 8];
    struct text t = text_on(device, sizeof(device));
    uint32_t sector_bytes;

    TRY(vg->bad);
    TRY(check_lv(lv, depth));
    TRY(sector_of(vg, &sector_bytes));
    for (uint32_t i = 0; i < lv->nr_segments; i++) {
        if (lv->segments[i].stripe_bytes % sector_bytes != 0)
            return ERR1(ERR_REFUSED, "stripes that are not made of sectors of %a bytes",
                        sector_bytes);
    }
    lvm_full_name(lv, name, sizeof(name));
    text_str(&t, "(lvm/");
    text_str(&t, name);
    text_char(&t, ')');
    return mapped_disk_new(&lv->disk, vg->arena, find_piece, may_write, lv,
                           lv->nr_extents * vg->extent_bytes, sector_bytes, device);
}

static struct err open_lv(struct lvm_lv *lv, unsigned depth)
{
    if (lv->disk == NULL && !failed(lv->bad))
        lv->bad = make_disk(lv, depth);
    return lv->bad;
}

struct err lvm_open(struct lvm_lv *lv, struct disk **out)
{
    struct err e = open_lv(lv, 0);

    *out = lv->disk;
    return e;
}
