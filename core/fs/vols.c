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

struct err vols_device(struct vols *v, uint32_t n, struct device **out)
{
    struct device *d;

    *out = NULL;
    if (n < v->nr_disks) {
        *out = &v->disks[n];
        return OK;
    }
    if (n < VOLS_DISK_MAX || n - VOLS_DISK_MAX >= v->nr_named)
        return no_disk(v, n);
    d = v->named[n - VOLS_DISK_MAX];
    if (d->kind == VOL_LOGICAL)
        TRY(lvm_open(d->lv, &d->disk));
    else
        TRY(d->array->bad);
    *out = d;
    return OK;
}

struct err vols_usable(struct vols *v, uint32_t n)
{
    struct device *d;

    return vols_device(v, n, &d);
}

struct disk *vols_disk(struct vols *v, uint32_t n)
{
    struct device *d;

    return failed(vols_device(v, n, &d)) ? NULL : d->disk;
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
    struct device *d;

    TRY(vols_device(v, n, &d));
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

static struct err find_part(struct vols *v, struct vol_id id, const struct part **out)
{
    const struct part_table *table;

    TRY(vols_raw_table(v, id.disk, &table));
    for (uint32_t i = 0; i < table->nr_parts; i++) {
        if (table->parts[i].index == id.part) {
            *out = &table->parts[i];
            return OK;
        }
    }
    if (id.disk >= VOLS_DISK_MAX)
        return ERR1(ERR_NO_PART, "there is no partition %a on it", id.part);
    if (strcmp(table->scheme, "none") == 0)
        return ERR1(ERR_NO_PART, "hd%a has no partition table: its name is (hd%a)", id.disk);
    return ERR2(ERR_NO_PART, "hd%b has no partition %a", id.part, id.disk);
}

struct err vols_place(struct vols *v, struct vol_id id, struct vol **out)
{
    const struct part *part = NULL;
    char name[VOL_NAME_MAX];
    struct device *d;
    struct vol *p;

    TRY(vols_device(v, id.disk, &d));
    for (p = d->vols; p != NULL; p = p->next) {
        *out = p;
        if (p->part == id.part)
            return OK;
    }
    if (id.part != VOL_WHOLE) {
        TRY(find_part(v, id, &part));
        TRY(part->bad);
        if (part->extended)
            return ERR1(ERR_FS_MOUNT,
                        "an extended partition: what it holds has names from (hd%a,4) on", id.disk);
    }
    p = arena_alloc(v->arena, sizeof(*p));
    if (p == NULL)
        return arena_exhausted("a volume of %a bytes", sizeof(*p));
    vol_format(v, id, name, sizeof(name));
    TRY(disk_window(&p->window, d->disk, part != NULL ? part->off_bytes : 0,
                    part != NULL ? part->len_bytes : d->disk->size_bytes, name));
    p->part = id.part;
    p->next = d->vols;
    d->vols = p;
    *out = p;
    return OK;
}

static struct err mount(struct vols *v, struct vol_id id, struct vol *p)
{
    struct err e = fs_mount(&p->fs, &p->window, v->arena, v->log);
    const struct part_table *table;

    if (e.code != ERR_FS_MOUNT)
        return e;
    if (p->is_pv)
        return vols_pv_error(v, p);
    if (id.part != VOL_WHOLE || failed(vols_raw_table(v, id.disk, &table)) || table->nr_parts == 0)
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
    struct vol *p;

    if (failed(vols_place(v, id, &p)) &&
        failed(vols_place(v, (struct vol_id){id.disk, VOL_WHOLE}, &p)))
        return;
    if (p->said_member)
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
    struct vol *p;

    if (!vol_same(place, id))
        say_member(v, id, place);
    TRY(vols_place(v, place, &p));
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
    struct vol *place;

    TRY(vols_place(v, vols_resolve(v, id), &place));
    return blocklist_open(out, &place->window, list, a);
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
