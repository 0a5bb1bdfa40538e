/* SPDX-License-Identifier: MIT */
/* The disks under GRUB's names, their partition tables and mounts, each looked at once. */
#include "core/fs/vols.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"
#include "core/fs/blocklist.h"
#include "core/fs/vols_priv.h"

#define PART_LINE_MAX 400

struct err vols_new(struct vols **out, struct arena *a, const struct log *log)
{
    struct vols *v = arena_alloc(a, sizeof(*v));

    if (v == NULL)
        return arena_exhausted("the list of disks, %a bytes", sizeof(*v));
    v->arena = a;
    v->log = log;
    *out = v;
    return OK;
}

struct err vols_add_disk(struct vols *v, struct disk *d)
{
    if (v->nr_disks == VOLS_DISK_MAX)
        return ERR1(ERR_LIMIT, "more than %a disks", VOLS_DISK_MAX);
    v->disks[v->nr_disks++] = (struct device){.kind = VOL_DISK, .disk = d};
    return OK;
}

uint32_t vols_nr_disks(const struct vols *v)
{
    return v->nr_disks;
}

enum vol_kind vols_kind(const struct vols *v, uint32_t n)
{
    uint32_t i = n - VOLS_DISK_MAX;

    return n < VOLS_DISK_MAX || i >= v->nr_named ? VOL_DISK : v->named[i]->kind;
}

uint32_t vols_next(struct vols *v, uint32_t n)
{
    n++; /* UINT32_MAX: 0 */
    if (n < v->nr_disks)
        return n;
    vols_find_lvm(v);
    if (n < VOLS_DISK_MAX)
        n = VOLS_DISK_MAX;
    return n - VOLS_DISK_MAX < v->nr_named ? n : UINT32_MAX;
}

static struct err no_disk(const struct vols *v, uint32_t disk)
{
    if (v->nr_disks == 0)
        return ERR1(ERR_NO_DISK, "hd%a was asked for; there are no disks", disk);
    return ERR2(ERR_NO_DISK, "hd%a was asked for; the last disk is hd%b", disk, v->nr_disks - 1);
}

struct device *vols_device(struct vols *v, uint32_t n, struct err *e)
{
    struct device *d;

    *e = OK;
    if (n < v->nr_disks)
        return &v->disks[n];
    if (n < VOLS_DISK_MAX || n - VOLS_DISK_MAX >= v->nr_named) {
        *e = no_disk(v, n);
        return NULL;
    }
    d = v->named[n - VOLS_DISK_MAX];
    *e = d->kind == VOL_LOGICAL ? lvm_open(d->lv, &d->disk) : d->array->bad;
    return failed(*e) ? NULL : d;
}

struct err vols_usable(struct vols *v, uint32_t n)
{
    struct err e;

    (void)vols_device(v, n, &e);
    return e;
}

struct disk *vols_disk(struct vols *v, uint32_t n)
{
    struct err e;
    const struct device *d = vols_device(v, n, &e);

    return d != NULL ? d->disk : NULL;
}

/* Once a disk: what is to be said of its table, and which partitions cannot be used, and why. */
static void log_table(const struct vols *v, uint32_t disk, const struct part_table *table)
{
    for (uint32_t i = 0; i < table->nr_notes; i++) {
        char name[VOL_NAME_MAX], line[PART_LINE_MAX];
        struct text t = text_on(line, sizeof(line));

        vol_format(v, (struct vol_id){disk, VOL_WHOLE}, name, sizeof(name));
        text_str(&t, name);
        text_str(&t, ": ");
        part_note_text(&t, &table->notes[i]);
        log_line(v->log, line);
    }
    for (uint32_t i = 0; i < table->nr_parts; i++) {
        const struct part *p = &table->parts[i];
        char name[VOL_NAME_MAX], line[PART_LINE_MAX];

        if (!failed(p->bad))
            continue;
        vol_format(v, (struct vol_id){disk, p->index}, name, sizeof(name));
        err_format(p->bad, name, line, sizeof(line));
        log_line(v->log, line);
    }
}

struct err vols_raw_table(struct vols *v, uint32_t n, const struct part_table **out)
{
    struct err e;
    struct device *d = vols_device(v, n, &e);

    if (d == NULL)
        return e;
    if (d->table == NULL) {
        d->table = arena_alloc(v->arena, sizeof(*d->table));
        if (d->table == NULL)
            return arena_exhausted("a partition table of %a bytes", sizeof(*d->table));
        d->table_result = part_scan(d->disk, d->table);
        if (!failed(d->table_result))
            log_table(v, n, d->table);
    }
    *out = d->table;
    return d->table_result;
}

struct err vols_table(struct vols *v, uint32_t disk, const struct part_table **out)
{
    return vols_raw_table(v, vols_resolve(v, (struct vol_id){disk, VOL_WHOLE}).disk, out);
}

static struct err no_part(struct vol_id id, const struct part_table *table)
{
    if (id.disk >= VOLS_DISK_MAX)
        return ERR1(ERR_NO_PART, "there is no partition %a on it", id.part);
    if (strcmp(table->scheme, "none") == 0)
        return ERR1(ERR_NO_PART, "hd%a has no partition table: its name is (hd%a)", id.disk);
    return ERR2(ERR_NO_PART, "hd%b has no partition %a", id.part, id.disk);
}

/* The part of the device that the place is. */
static struct err find_range(struct vols *v, const struct device *d, struct vol_id id,
                             uint64_t *off_bytes, uint64_t *len_bytes)
{
    const struct part_table *table = NULL;
    struct err e;

    *off_bytes = 0;
    *len_bytes = d->disk->size_bytes;
    if (id.part == VOL_WHOLE)
        return OK;
    e = vols_raw_table(v, id.disk, &table);
    if (failed(e) || table == NULL)
        return e;
    for (uint32_t i = 0; i < table->nr_parts; i++) {
        const struct part *p = &table->parts[i];

        if (p->index != id.part)
            continue;
        *off_bytes = p->off_bytes;
        *len_bytes = p->len_bytes;
        if (!failed(p->bad) && p->extended)
            return ERR1(ERR_FS_MOUNT,
                        "an extended partition: what it holds has names from (hd%a,4) on", id.disk);
        return p->bad;
    }
    return no_part(id, table);
}

struct vol *vols_place(struct vols *v, struct vol_id id, struct err *e)
{
    struct device *d = vols_device(v, id.disk, e);
    uint64_t off_bytes, len_bytes;
    char name[VOL_NAME_MAX];
    struct vol *p;

    if (d == NULL)
        return NULL;
    for (p = d->vols; p != NULL; p = p->next) {
        if (p->part == id.part)
            return p;
    }
    *e = find_range(v, d, id, &off_bytes, &len_bytes);
    if (failed(*e))
        return NULL;
    p = arena_alloc(v->arena, sizeof(*p));
    if (p == NULL) {
        *e = arena_exhausted("a volume of %a bytes", sizeof(*p));
        return NULL;
    }
    vol_format(v, id, name, sizeof(name));
    *e = disk_window(&p->window, d->disk, off_bytes, len_bytes, name);
    if (failed(*e))
        return NULL;
    p->part = id.part;
    p->next = d->vols;
    d->vols = p;
    return p;
}

static struct err mount(struct vols *v, struct vol_id id, struct vol *p)
{
    struct err e = fs_mount(&p->fs, &p->window, v->arena, v->log);
    const struct part_table *table = NULL;

    if (e.code != ERR_FS_MOUNT)
        return e;
    if (p->is_pv)
        return vols_pv_error(v, p);
    if (id.part != VOL_WHOLE || failed(vols_raw_table(v, id.disk, &table)) || table == NULL ||
        table->nr_parts == 0)
        return e;
    if (id.disk >= VOLS_DISK_MAX)
        return ERR1(ERR_FS_MOUNT, "it has partitions: name one, such as number %a",
                    table->parts[0].index);
    return ERR2(ERR_FS_MOUNT, "the disk has partitions: name one, such as (hd%a,%b)", id.disk,
                table->parts[0].index);
}

/* Once a place: that it is not read as what it looks like. */
static void say_member(struct vols *v, struct vol_id id, struct vol_id array)
{
    char line[2 * VOL_NAME_MAX + 80], name[VOL_NAME_MAX];
    struct text t = text_on(line, sizeof(line));
    struct err e;
    struct vol *p = vols_place(v, id, &e);

    if (p == NULL)
        p = vols_place(v, (struct vol_id){id.disk, VOL_WHOLE}, &e);
    if (p == NULL || p->said_member)
        return;
    p->said_member = true;
    vol_format(v, id, name, sizeof(name));
    text_str(&t, name);
    text_str(&t, " is part of a RAID: ");
    vol_format(v, array, name, sizeof(name));
    text_str(&t, name);
    text_str(&t, " is read");
    log_line(v->log, line);
}

struct err vols_mount(struct vols *v, struct vol_id id, struct fs **out)
{
    struct vol_id place = vols_resolve(v, id);
    struct err e;
    struct vol *p;

    if (!vol_same(place, id))
        say_member(v, id, place);
    p = vols_place(v, place, &e);
    if (p == NULL)
        return e;
    if (!p->mounted) {
        p->mounted = true;
        vols_look(v, place, p);
        p->result = mount(v, place, p);
    }
    *out = &p->fs;
    return p->result;
}

/* "(hd0)/boot/x (ext4); /boot holds: a, b" */
static void put_subject(struct text *t, const struct vols *v, struct vol_id id, const char *path,
                        const struct fs *fs, struct err e, const struct walk_report *report)
{
    char name[VOL_NAME_MAX];

    vol_format(v, id, name, sizeof(name));
    text_str(t, name);
    text_name(t, path, strlen(path));
    if (fs == NULL)
        return;
    text_str(t, " (");
    text_str(t, fs->describe);
    text_char(t, ')');
    if (report->in_dir[0] == '\0')
        return;
    if (e.code == ERR_SYMLINK_LOOP ||
        (e.code == ERR_BAD_FILETYPE && report->failed_at[0] != '\0')) {
        text_str(t, e.code == ERR_SYMLINK_LOOP ? "; the last link is " : "; the file is ");
        text_name(t, report->in_dir, strlen(report->in_dir));
        text_str(t, report->in_dir[1] == '\0' ? "" : "/");
        text_name(t, report->failed_at, strlen(report->failed_at));
    }
    if (e.code != ERR_FILE_NOT_FOUND)
        return;
    text_str(t, "; ");
    text_name(t, report->in_dir, strlen(report->in_dir));
    text_str(t, " holds: ");
    text_str(t, report->holds[0] != '\0' ? report->holds : "nothing");
}

/* A block list is read where no file system need be. */
static struct err open_blocks(struct vols *v, struct vol_id id, const char *list, struct arena *a,
                              struct file *out)
{
    struct err e;
    struct vol *place = vols_place(v, vols_resolve(v, id), &e);

    return place != NULL ? blocklist_open(out, &place->window, list, a) : e;
}

struct err vols_open(struct vols *v, struct vol_id root, const char *name, struct arena *a,
                     struct file *out, char *subject, size_t subject_cap)
{
    struct text t = text_on(subject, subject == NULL ? 0 : subject_cap);
    struct walk_report report;
    struct vol_id id = root;
    struct fs *fs = NULL;
    size_t used = 0;
    struct err e = OK;

    if (name[0] == '(')
        e = vol_parse(v, name, &id, &used);
    if (!failed(e) && name[used] != '/' && !blocklist_is(name + used))
        e = ERR(ERR_BAD_FILENAME, "a file's name is /path or (hdN,M)/path");
    if (failed(e)) {
        text_name(&t, name, strlen(name));
        return e;
    }
    e = name[used] == '/' ? vols_mount(v, id, &fs) : open_blocks(v, id, name + used, a, out);
    if (failed(e)) {
        put_subject(&t, v, id, name + used, NULL, e, NULL);
        return e;
    }
    if (fs == NULL)
        return OK;
    e = file_open(out, fs, a, name + used, &report);
    if (failed(e))
        put_subject(&t, v, id, name + used, fs, e, &report);
    return e;
}
