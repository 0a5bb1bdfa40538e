/* SPDX-License-Identifier: MIT */
#include "core/menu/locate.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"
#include "core/menu/menu.h"
#include "core/menu/places.h"

#define HD0_PARTS 4 /* (hd0,0) to (hd0,3) are in PV-GRUB's list */
#define LINE_MAX  512

/* Folders as bits, so that a volume's second visit does not repeat the first. */
enum { DIR_BOOT_GRUB = 1, DIR_GRUB = 2 };

static const struct {
    unsigned dir;
    const char *path;
} candidates[] = {
    {DIR_BOOT_GRUB, "/boot/grub/menu.lst"},
    {DIR_BOOT_GRUB, "/boot/grub/grub.conf"},
    {DIR_GRUB, "/grub/menu.lst"},
    {DIR_GRUB, "/grub/grub.conf"},
};

/* A place of the search: a volume, and the folders to look into on this visit. */
struct stop {
    struct vol_id vol;
    unsigned dirs;
    bool again; /* the volume has been visited before, for other folders */
};

struct search {
    struct vols *vols;
    struct arena *arena;
    const struct log *log;
    const char *path; /* look for this file only; NULL: the candidates */
    struct menu_file *out;
    bool found;
};

/* "(hd0,1)" and what follows it, as one line. */
static void say_vol(const struct search *s, struct vol_id vol, const char *rest)
{
    char device[VOL_NAME_MAX], buf[LINE_MAX];
    struct text t = text_on(buf, sizeof(buf));

    vol_format(s->vols, vol, device, sizeof(device));
    text_str(&t, "menu: ");
    text_str(&t, device);
    text_str(&t, rest);
    log_line(s->log, buf);
}

static struct err read_whole(struct search *s, struct file *f)
{
    uint64_t size = f->node.size_bytes;
    char *text;

    if (size > MENU_BYTES_MAX)
        return ERR2(ERR_LIMIT, "%a bytes, more than the %b that a menu may have", size,
                    MENU_BYTES_MAX);
    if (size == 0)
        return ERR(ERR_FILELENGTH, "the file is empty");
    text = arena_pages(s->arena, (size_t)size);
    if (text == NULL)
        return arena_exhausted("no memory for the menu's %a bytes", (size_t)size);
    TRY(file_read(f, 0, text, size));
    s->out->text = text;
    s->out->len = (size_t)size;
    return OK;
}

/* Read one file of one volume into s->out. */
static struct err try_file(struct search *s, struct vol_id vol, const char *path, char *subject,
                           size_t subject_cap)
{
    struct text t = text_on(s->out->name, sizeof(s->out->name));
    char device[VOL_NAME_MAX];
    struct file f;

    s->out->vol = vol;
    vol_format(s->vols, vol, device, sizeof(device));
    text_str(&t, device);
    text_str(&t, path);
    if (t.cut)
        return ERR1(ERR_LIMIT, "the menu's path is longer than %a bytes", sizeof(s->out->name) - 1);
    TRY(vols_open(s->vols, vol, path, s->arena, &f, subject, subject_cap));
    t = text_on(subject, subject_cap);
    text_name(&t, s->out->name, strlen(s->out->name));
    TRY(read_whole(s, &f));
    s->found = true;
    return OK;
}

/* Look for the search's file or files on a volume that can be mounted. */
static void try_vol(struct search *s, struct vol_id vol, unsigned dirs)
{
    char line[LINE_MAX], subject[LINE_MAX];
    struct text t;
    struct err e;

    for (size_t i = 0; i < (s->path != NULL ? 1 : ARRAY_LEN(candidates)) && !s->found; i++) {
        const char *path = s->path != NULL ? s->path : candidates[i].path;

        if (s->path == NULL && (candidates[i].dir & dirs) == 0)
            continue;
        e = try_file(s, vol, path, subject, sizeof(subject));
        /* A folder that is not there, or a file of that name, is just not it. */
        if (!failed(e) || e.code == ERR_FILE_NOT_FOUND || e.code == ERR_BAD_FILETYPE)
            continue;
        t = text_on(line, sizeof(line));
        text_str(&t, path);
        text_str(&t, ": ");
        err_format(e, NULL, line + t.len, sizeof(line) - t.len);
        say_vol(s, vol, line);
    }
}

static bool mounts(struct search *s, struct vol_id vol)
{
    struct fs *fs;

    return !failed(vols_mount(s->vols, vol, &fs));
}

/*
 * The stops of the search, one after the other. PV-GRUB's list needs no partition table; the tables
 * are read only when the search gets past it.
 */
struct stops {
    struct stop first[2 + HD0_PARTS];
    size_t nr_first, i; /* i: the next of first */
    struct places rest;
};

static void stops_init(struct stops *st, bool hd00)
{
    *st = (struct stops){.rest = PLACES_START};
    if (hd00)
        st->first[st->nr_first++] = (struct stop){.vol = {0, 0}, .dirs = DIR_BOOT_GRUB};
    st->first[st->nr_first++] = (struct stop){.vol = {0, VOL_WHOLE}, .dirs = DIR_BOOT_GRUB};
    for (uint32_t part = 0; part < HD0_PARTS; part++)
        st->first[st->nr_first++] =
            (struct stop){.vol = {0, part}, .dirs = DIR_BOOT_GRUB | DIR_GRUB};
}

static bool stops_next(struct stops *st, struct vols *v, struct stop *out)
{
    size_t nr_before = st->nr_first;

    if (st->i < st->nr_first) {
        nr_before = st->i++;
        *out = st->first[nr_before];
    } else {
        *out = (struct stop){.dirs = DIR_BOOT_GRUB | DIR_GRUB};
        if (!places_next(&st->rest, v, &out->vol))
            return false;
    }
    for (size_t i = 0; i < nr_before; i++) {
        if (vol_same(vols_resolve(v, st->first[i].vol), vols_resolve(v, out->vol))) {
            out->dirs &= ~st->first[i].dirs;
            out->again = true;
        }
    }
    return true;
}

/* What the search needs to know of a disk's partitions, before what lies on it as a whole. */
static void put_table(struct search *s, struct text *t, uint32_t disk)
{
    const struct part_table *table;
    struct err e;

    if (vols_kind(s->vols, disk) != VOL_DISK)
        return;
    e = vols_table(s->vols, disk, &table);
    if (failed(e)) {
        t->len += err_format(e, NULL, t->buf + t->len, t->cap - t->len);
        text_str(t, "; ");
    } else if (table->nr_parts == 0) {
        text_str(t, "no partitions; ");
    }
}

/* One line a volume: what is there instead of a menu. */
static void say_tried(struct search *s, bool hd00)
{
    struct stops stops;
    struct stop stop;

    stops_init(&stops, hd00);
    while (stops_next(&stops, s->vols, &stop)) {
        char buf[LINE_MAX];
        struct text t = text_on(buf, sizeof(buf));
        struct fs *fs;
        struct err e;

        if (stop.again)
            continue;
        e = vols_mount(s->vols, stop.vol, &fs);
        if (stop.vol.part != VOL_WHOLE && (e.code == ERR_NO_PART || e.code == ERR_BAD_PART_TABLE))
            continue;
        text_str(&t, ": ");
        if (stop.vol.part == VOL_WHOLE)
            put_table(s, &t, stop.vol.disk);
        if (failed(e)) {
            err_format(e, NULL, buf + t.len, sizeof(buf) - t.len);
        } else {
            text_str(&t, fs->describe);
            text_str(&t, s->path != NULL ? ", no " : ", no menu.lst or grub.conf in /boot/grub, ");
            text_str(&t, s->path != NULL ? s->path : "/grub");
        }
        say_vol(s, stop.vol, buf);
    }
}

static struct err search_all(struct search *s, bool hd00)
{
    struct stops stops;
    struct stop stop;

    if (vols_nr_disks(s->vols) == 0)
        return ERR(ERR_NO_MENU, "this machine has no disk");
    stops_init(&stops, hd00);
    while (!s->found && stops_next(&stops, s->vols, &stop)) {
        bool done = s->path != NULL ? stop.again : stop.dirs == 0;

        if (!done && mounts(s, stop.vol))
            try_vol(s, stop.vol, stop.dirs);
    }
    if (s->found && s->path == NULL && stops.i > 1)
        log_line(s->log, hd00 ? "menu: not in (hd0,0)/boot/grub, where an hd00 image looks first: "
                                "searched on"
                              : "menu: not in (hd0)/boot/grub, where an hd0 image looks first: "
                                "searched on");
    if (s->found)
        return OK;
    log_line(s->log, "menu: not found; these places were tried:");
    say_tried(s, hd00);
    return ERR(ERR_NO_MENU, s->path != NULL ? "the menu that was named is on no disk"
                                            : "put a menu.lst into /boot/grub of the first disk");
}

struct err menu_locate(struct menu_file *out, struct vols *v, const char *menu_arg, bool hd00,
                       struct arena *a, const struct log *log, char *subject, size_t subject_cap)
{
    struct search s = {.vols = v, .arena = a, .log = log, .path = menu_arg, .out = out};
    char line[LINE_MAX];
    struct text t;

    *out = (struct menu_file){0};
    text_on(subject, subject_cap);
    if (menu_arg != NULL && menu_arg[0] == '(') {
        struct vol_id vol;
        size_t used;

        t = text_on(subject, subject_cap);
        text_name(&t, menu_arg, strlen(menu_arg));
        TRY(vol_parse(v, menu_arg, &vol, &used));
        TRY(try_file(&s, vol, menu_arg + used, subject, subject_cap));
    } else {
        TRY(search_all(&s, hd00));
    }
    t = text_on(line, sizeof(line));
    text_str(&t, "menu: ");
    text_name(&t, out->name, strlen(out->name));
    text_str(&t, ", ");
    text_size(&t, out->len);
    log_line(log, line);
    return OK;
}
