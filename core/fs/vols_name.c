/* SPDX-License-Identifier: MIT */
/* Names of devices: GRUB's for disks and partitions, (md/NAME) and (lvm/VG-LV). */
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"
#include "core/fs/vols_priv.h"

static struct err bad_name(void)
{
    return ERR(ERR_DEV_FORMAT, "device names are (hdN) for a disk and (hdN,M) for its partition, "
                               "both from 0; (lvm/VG-LV) and (md/NAME)");
}

/* What GRUB has on a PC and a PV guest has not, by name; else what there is. */
static struct err no_such_kind(const char *s)
{
    if (strncmp(s, "(nd", 3) == 0)
        return ERR(ERR_DEV_FORMAT, "the network, which is not read; files come from disks");
    if (strncmp(s, "(fd", 3) == 0)
        return ERR(ERR_DEV_FORMAT, "a floppy drive, which a PV guest has not got; disks are (hdN)");
    if (strncmp(s, "(cd", 3) == 0)
        return ERR(ERR_DEV_FORMAT, "a CD-ROM, which is not read; disks are (hdN)");
    return bad_name();
}

/* A decimal number of at most 9 digits at s; the bytes used, 0 when there is none. */
static size_t parse_index(const char *s, uint32_t *out)
{
    uint64_t value;
    size_t n = 0;

    while (n < 10 && s[n] >= '0' && s[n] <= '9')
        n++;
    if (n == 0 || n > 9 || !text_parse_u64(s, n, &value))
        return 0;
    *out = (uint32_t)value;
    return n;
}

/* GRUB 2's "msdos1" and "gpt2", which count from 1; the bytes used, 0 when it is none of them. */
static size_t parse_grub2_index(const char *s, uint32_t *out)
{
    size_t word = strncmp(s, "msdos", 5) == 0 ? 5 : strncmp(s, "gpt", 3) == 0 ? 3 : 0;
    size_t n = word > 0 ? parse_index(s + word, out) : 0;

    if (n == 0 || *out == 0)
        return 0;
    --*out;
    return word + n;
}

/* ",1)" or ")" at s. */
static struct err parse_rest(const char *s, uint32_t *part, size_t *used)
{
    size_t n = 0;

    *part = VOL_WHOLE;
    if (s[0] == ',') {
        n = parse_index(s + 1, part);
        if (n == 0)
            n = parse_grub2_index(s + 1, part);
        if (n++ == 0)
            return bad_name();
    }
    *used += n + 1;
    return s[n] == ')' ? OK : bad_name();
}

static bool is_name(const char *name, const char *s, size_t len)
{
    return strlen(name) == len && memcmp(name, s, len) == 0;
}

/* "vg-lv" as it stands, without doubled hyphens. */
static bool is_plain_name(const struct lvm_lv *lv, const char *s, size_t len)
{
    size_t vg_len = strlen(lv->vg->name), lv_len = strlen(lv->name);

    return len == vg_len + 1 + lv_len && memcmp(s, lv->vg->name, vg_len) == 0 && s[vg_len] == '-' &&
           memcmp(s + vg_len + 1, lv->name, lv_len) == 0;
}

/* The sentence for a name that nothing has: what there is instead. Made once. */
static struct err no_such(struct vols *v, enum vol_kind kind)
{
    const char **listed = &v->listed[kind == VOL_LOGICAL];
    char buf[SENTENCE_MAX + 8];
    struct text t = text_on(buf, SENTENCE_MAX);
    size_t whole = 0;
    bool any = false;

    if (*listed != NULL)
        return ERR(ERR_NO_DISK, *listed);
    text_str(&t, kind == VOL_LOGICAL ? "no logical volume has this name; there "
                                     : "no RAID array has this name; there ");
    for (uint32_t i = 0; i < v->nr_named && !t.cut; i++) {
        if (v->named[i]->kind != kind)
            continue;
        whole = t.len;
        text_str(&t, any ? ", (" : "are (");
        text_str(&t, v->named[i]->name);
        text_str(&t, ")");
        any = true;
    }
    if (!any)
        text_str(&t, "is none");
    if (t.cut) {
        t = (struct text){.buf = buf, .cap = sizeof(buf), .len = whole};
        text_str(&t, ", ...");
    }
    *listed = arena_strndup(v->arena, buf, t.len);
    return *listed != NULL ? ERR(ERR_NO_DISK, *listed)
                           : arena_exhausted("a sentence of %a bytes", t.len);
}

/* "lvm/vg-lv" of len bytes at s. */
static struct err find_named(struct vols *v, enum vol_kind kind, const char *s, size_t len,
                             uint32_t *out)
{
    uint32_t plain = UINT32_MAX, nr_plain = 0;

    for (uint32_t i = 0; i < v->nr_named; i++) {
        const struct device *d = v->named[i];

        if (d->kind != kind)
            continue;
        if (is_name(d->name, s, len)) {
            *out = VOLS_DISK_MAX + i;
            return OK;
        }
        if (kind == VOL_LOGICAL && is_plain_name(d->lv, s + 4, len - 4)) {
            plain = VOLS_DISK_MAX + i;
            nr_plain++;
        }
    }
    if (nr_plain > 1)
        return ERR(ERR_NO_DISK, "several logical volumes may be meant; double the hyphens that "
                                "are in names: (lvm/a--b-c)");
    *out = plain;
    return nr_plain == 1 ? OK : no_such(v, kind);
}

struct err vol_parse(struct vols *v, const char *s, struct vol_id *out, size_t *used)
{
    bool lvm = strncmp(s, "(lvm/", 5) == 0, md = strncmp(s, "(md/", 4) == 0;
    size_t len;

    *used = 0;
    if (lvm || md) {
        for (len = 0; s[1 + len] != '\0' && s[1 + len] != ',' && s[1 + len] != ')';)
            len++;
        if (len <= (lvm ? 4 : 3))
            return bad_name();
        *used = 1 + len;
        TRY(parse_rest(s + 1 + len, &out->part, used));
        if (lvm)
            vols_find_lvm(v);
        else
            vols_find_arrays(v);
        return find_named(v, lvm ? VOL_LOGICAL : VOL_ARRAY, s + 1, len, &out->disk);
    }
    if (strncmp(s, "(hd", 3) != 0)
        return no_such_kind(s);
    len = parse_index(s + 3, &out->disk);
    if (len == 0)
        return bad_name();
    /* Numbers past the last disk stay what they are, but must not become those of volumes. */
    if (out->disk >= VOLS_DISK_MAX)
        return ERR2(ERR_NO_DISK, "hd%a was asked for; at most %b disks are possible", out->disk,
                    VOLS_DISK_MAX);
    *used = 3 + len;
    return parse_rest(s + 3 + len, &out->part, used);
}

void vol_format(const struct vols *v, struct vol_id id, char *buf, size_t cap)
{
    struct text t = text_on(buf, cap);

    if (id.disk >= VOLS_DISK_MAX && id.disk - VOLS_DISK_MAX < v->nr_named) {
        text_char(&t, '(');
        text_str(&t, v->named[id.disk - VOLS_DISK_MAX]->name);
    } else {
        text_str(&t, "(hd");
        text_u64(&t, id.disk);
    }
    if (id.part != VOL_WHOLE) {
        text_char(&t, ',');
        text_u64(&t, id.part);
    }
    text_char(&t, ')');
}
