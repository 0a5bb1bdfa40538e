/* SPDX-License-Identifier: MIT */
/* The disks under GRUB's names, their partition tables and mounts, each looked at once. */
#include "core/fs/vols.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"

#define VOL_NAME_MAX  32
#define PART_LINE_MAX 400

struct mount {
    struct mount *next;
    uint32_t part;
    struct disk window;
    struct fs fs;
    struct err result;
};

struct vol_disk {
    struct disk *disk;
    struct part_table *table; /* NULL until it is asked for */
    struct err table_result;
    struct mount *mounts;
};

struct vols {
    struct arena *arena;
    const struct log *log;
    uint32_t nr_disks;
    struct vol_disk disks[VOLS_DISK_MAX];
};

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
    v->disks[v->nr_disks++] = (struct vol_disk){.disk = d};
    return OK;
}

uint32_t vols_nr_disks(const struct vols *v)
{
    return v->nr_disks;
}

struct disk *vols_disk(struct vols *v, uint32_t n)
{
    return n < v->nr_disks ? v->disks[n].disk : NULL;
}

static struct err no_disk(const struct vols *v, uint32_t disk)
{
    if (v->nr_disks == 0)
        return ERR1(ERR_NO_DISK, "hd%a was asked for; there are no disks", disk);
    return ERR2(ERR_NO_DISK, "hd%a was asked for; the last disk is hd%b", disk, v->nr_disks - 1);
}

/* Once a disk: what is to be said of its table, and which partitions cannot be used, and why. */
static void log_table(const struct vols *v, uint32_t disk, const struct part_table *table)
{
    for (uint32_t i = 0; i < table->nr_notes; i++) {
        char name[VOL_NAME_MAX], line[PART_LINE_MAX];
        struct text t = text_on(line, sizeof(line));

        vol_format((struct vol_id){disk, VOL_WHOLE}, name, sizeof(name));
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
        vol_format((struct vol_id){disk, p->index}, name, sizeof(name));
        err_format(p->bad, name, line, sizeof(line));
        log_line(v->log, line);
    }
}

struct err vols_table(struct vols *v, uint32_t disk, const struct part_table **out)
{
    if (disk >= v->nr_disks)
        return no_disk(v, disk);
    struct vol_disk *d = &v->disks[disk];

    if (d->table == NULL) {
        d->table = arena_alloc(v->arena, sizeof(*d->table));
        if (d->table == NULL)
            return arena_exhausted("a partition table of %a bytes", sizeof(*d->table));
        d->table_result = part_scan(d->disk, d->table);
        if (!failed(d->table_result))
            log_table(v, disk, d->table);
    }
    *out = d->table;
    return d->table_result;
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

struct err vol_parse(const char *s, struct vol_id *out, size_t *used)
{
    static const char sentence[] =
        "device names are (hdN) for a disk and (hdN,M) for its partition, both from 0";
    size_t at = 3, n;

    if (strncmp(s, "(hd", 3) != 0)
        return ERR(ERR_DEV_FORMAT, sentence);
    n = parse_index(s + at, &out->disk);
    if (n == 0)
        return ERR(ERR_DEV_FORMAT, sentence);
    at += n;
    out->part = VOL_WHOLE;
    if (s[at] == ',') {
        at++;
        n = parse_index(s + at, &out->part);
        if (n == 0)
            return ERR(ERR_DEV_FORMAT, sentence);
        at += n;
    }
    if (s[at] != ')')
        return ERR(ERR_DEV_FORMAT, sentence);
    *used = at + 1;
    return OK;
}

void vol_format(struct vol_id id, char *buf, size_t cap)
{
    struct text t = text_on(buf, cap);

    text_str(&t, "(hd");
    text_u64(&t, id.disk);
    if (id.part != VOL_WHOLE) {
        text_char(&t, ',');
        text_u64(&t, id.part);
    }
    text_char(&t, ')');
}

static struct err find_part(struct vols *v, struct vol_id id, const struct part **out)
{
    const struct part_table *table;

    TRY(vols_table(v, id.disk, &table));
    for (uint32_t i = 0; i < table->nr_parts; i++) {
        if (table->parts[i].index == id.part) {
            *out = &table->parts[i];
            return OK;
        }
    }
    if (strcmp(table->scheme, "none") == 0)
        return ERR1(ERR_NO_PART, "hd%a has no partition table: its name is (hd%a)", id.disk);
    return ERR2(ERR_NO_PART, "hd%b has no partition %a", id.part, id.disk);
}

static struct err mount(struct vols *v, struct vol_id id, struct mount *m)
{
    struct disk *whole = v->disks[id.disk].disk;
    const struct part *part;
    char name[VOL_NAME_MAX];

    vol_format(id, name, sizeof(name));
    if (id.part == VOL_WHOLE) {
        TRY(disk_window(&m->window, whole, 0, whole->size_bytes, name));
    } else {
        TRY(find_part(v, id, &part));
        TRY(part->bad);
        if (part->extended)
            return ERR1(ERR_FS_MOUNT,
                        "an extended partition: what it holds has names from (hd%a,4) on", id.disk);
        TRY(disk_window(&m->window, whole, part->off_bytes, part->len_bytes, name));
    }
    struct err e = fs_mount(&m->fs, &m->window, v->arena, v->log);
    const struct part_table *table;

    if (e.code == ERR_FS_MOUNT && id.part == VOL_WHOLE && !failed(vols_table(v, id.disk, &table)) &&
        table->nr_parts != 0)
        return ERR2(ERR_FS_MOUNT, "the disk has partitions: name one, such as (hd%a,%b)", id.disk,
                    table->parts[0].index);
    return e;
}

struct err vols_mount(struct vols *v, struct vol_id id, struct fs **out)
{
    if (id.disk >= v->nr_disks)
        return no_disk(v, id.disk);
    struct vol_disk *d = &v->disks[id.disk];
    struct mount *m = d->mounts;

    while (m != NULL && m->part != id.part)
        m = m->next;
    if (m == NULL) {
        /* A partition that is not there leaves nothing to keep. */
        const struct part *part;

        if (id.part != VOL_WHOLE)
            TRY(find_part(v, id, &part));
        m = arena_alloc(v->arena, sizeof(*m));
        if (m == NULL)
            return arena_exhausted("a mount of %a bytes", sizeof(*m));
        m->part = id.part;
        m->next = d->mounts;
        m->result = mount(v, id, m);
        d->mounts = m;
    }
    *out = &m->fs;
    return m->result;
}

/* "(hd0)/boot/x (ext4); /boot holds: a, b" */
static void put_subject(struct text *t, struct vol_id id, const char *path, const struct fs *fs,
                        struct err e, const struct walk_report *report)
{
    char name[VOL_NAME_MAX];

    vol_format(id, name, sizeof(name));
    text_str(t, name);
    text_name(t, path, strlen(path));
    if (fs == NULL)
        return;
    text_str(t, " (");
    text_str(t, fs->describe);
    text_char(t, ')');
    if (e.code != ERR_FILE_NOT_FOUND || report->in_dir[0] == '\0')
        return;
    text_str(t, "; ");
    text_name(t, report->in_dir, strlen(report->in_dir));
    text_str(t, " holds: ");
    text_str(t, report->holds[0] != '\0' ? report->holds : "nothing");
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
        e = vol_parse(name, &id, &used);
    if (!failed(e) && name[used] != '/')
        e = ERR(ERR_BAD_FILENAME, "a file's name is /path or (hdN,M)/path");
    if (failed(e)) {
        text_name(&t, name, strlen(name));
        return e;
    }
    e = vols_mount(v, id, &fs);
    if (failed(e)) {
        put_subject(&t, id, name + used, NULL, e, NULL);
        return e;
    }
    e = file_open(out, fs, a, name + used, &report);
    if (failed(e))
        put_subject(&t, id, name + used, fs, e, &report);
    return e;
}
