/* SPDX-License-Identifier: MIT */
/* The report's middle: disks and volumes, the menu, its entries, and which of them boots. */
#include "host/inspect.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/menu/chain.h"
#include "core/menu/saved.h"

#define SUBJECT_MAX 1024
#define ERROR_MAX   2048

/* ---- the report's memory --------------------------------------------------------------------- */

void *report_alloc(struct report *r, size_t nr, size_t size)
{
    void *p = arena_array(r->arena, nr, size);

    if (p == NULL) {
        fputs("pvboot: out of memory\n", stderr);
        exit(2);
    }
    return p;
}

const char *report_printf(struct report *r, const char *fmt, ...)
{
    va_list ap;
    char *buf;
    int len;

    va_start(ap, fmt);
    len = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (len < 0)
        return "";
    buf = report_alloc(r, (size_t)len + 1, 1);
    va_start(ap, fmt);
    vsnprintf(buf, (size_t)len + 1, fmt, ap);
    va_end(ap);
    return buf;
}

static void *grown(struct arena *a, void *old, size_t nr, size_t *room, size_t size)
{
    void *p = old;

    if (nr < *room)
        return old;
    *room = *room == 0 ? 16 : *room * 2;
    p = arena_array(a, *room, size);
    if (p == NULL) {
        fputs("pvboot: out of memory\n", stderr);
        exit(2);
    }
    if (nr > 0)
        memcpy(p, old, nr * size);
    return p;
}

void lines_add(void *lines, const char *text)
{
    struct lines *l = lines;

    l->text = grown(l->arena, l->text, l->nr, &l->room, sizeof(*l->text));
    l->text[l->nr] = arena_strndup(l->arena, text, strlen(text));
    if (l->text[l->nr] != NULL)
        l->nr++;
}

void report_problem(struct report *r, enum severity severity, uint32_t entry, const char *text)
{
    r->problems =
        grown(r->arena, r->problems, r->nr_problems, &r->room_problems, sizeof(*r->problems));
    r->problems[r->nr_problems++] =
        (struct problem){.severity = severity, .entry = entry, .text = name_text(r, text)};
}

const char *report_error(struct report *r, struct err e, const char *subject)
{
    char buf[ERROR_MAX];

    err_format(e, subject, buf, sizeof(buf));
    return name_text(r, buf);
}

const char *size_text(struct report *r, uint64_t bytes)
{
    char buf[32];
    struct text t = text_on(buf, sizeof(buf));

    text_size(&t, bytes);
    return report_printf(r, "%s", buf);
}

const char *name_text(struct report *r, const char *name)
{
    size_t len = strlen(name);
    char *buf = report_alloc(r, len * 4 + 1, 1);
    struct text t;

    t = text_on(buf, len * 4 + 1);
    text_name(&t, name, len);
    return buf;
}

void uuid_text(const uint8_t uuid[16], char out[UUID_TEXT])
{
    static const uint8_t none[16];
    char *p = out;

    *p = '\0';
    if (memcmp(uuid, none, 16) == 0)
        return;
    for (size_t i = 0; i < 16; i++)
        p += sprintf(p, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", uuid[i]);
}

const char *advice(enum err_code code)
{
    switch (code) {
    case ERR_FILE_NOT_FOUND:
        return "correct the name, or put the file back";
    case ERR_BAD_FILETYPE:
        return "name a regular file";
    case ERR_BAD_GZIP_DATA:
    case ERR_BAD_GZIP_HEADER:
    case ERR_FILELENGTH:
        return "the file is damaged: install it again";
    case ERR_EXEC_FORMAT:
        return "install a kernel that a Xen PV guest of this width can run";
    case ERR_FS_DAMAGED:
    case ERR_OUTSIDE_PART:
    case ERR_BAD_PART_TABLE:
        return "repair it (fsck, fdisk) on a copy of the image";
    case ERR_REFUSED:
        return "put /boot on a file system without that feature";
    case ERR_FS_MOUNT:
        return "put /boot on ext2, ext3, ext4, XFS or ReiserFS";
    case ERR_NO_DISK:
        return "add the disk with --disk, or correct the device";
    case ERR_NO_PART:
        return "correct the device: the list of partitions is above";
    case ERR_UNRECOGNIZED:
        return "correct or remove the line";
    case ERR_SYMLINK_LOOP:
        return "correct the links";
    case ERR_READ:
        return "copy the image again from a disk without bad sectors";
    default:
        return "";
    }
}

/* ---- disks ------------------------------------------------------------------------------------
 */

const char *vol_text(struct report *r, struct vol_id id)
{
    char name[VOL_NAME_MAX];

    vol_format(r->vols, id, name, sizeof(name));
    return report_printf(r, "%s", name);
}

static void look_at_volume(struct report *r, struct volume_report *v)
{
    struct vol_id place = vols_resolve(r->vols, v->id);
    const char *name = vol_text(r, v->id);
    struct err e;

    if (!vol_same(place, v->id)) {
        v->member_of = vol_text(r, place);
        return;
    }
    e = vols_mount(r->vols, v->id, &v->fs);
    if (failed(e)) {
        v->fs = NULL;
        v->error = report_error(r, e, NULL);
        if (e.code == ERR_BAD_PART_TABLE)
            report_problem(r, PROBLEM_DOUBT, NO_ENTRY,
                           report_printf(r, "%s: %s; %s", name, v->error, advice(e.code)));
        return;
    }
    if (!v->fs->journal_dirty || v->fs->journal_replayed)
        return;
    report_problem(r, PROBLEM_DOUBT, NO_ENTRY,
                   report_printf(r,
                                 "%s (%s): the journal is dirty and was not replayed, so what was "
                                 "written last may be missing; mount the image once, or shut its "
                                 "machine down cleanly",
                                 name, v->fs->describe));
}

static void look_at_table(struct report *r, struct disk_report *d)
{
    struct vol_id whole = {d->number, VOL_WHOLE};
    struct err e = OK;

    /* What lies on a member of an array is shown with the array. */
    if (vol_same(vols_resolve(r->vols, whole), whole))
        e = vols_table(r->vols, d->number, &d->table);
    if (!failed(e))
        return;
    d->table = NULL;
    d->table_error = report_error(r, e, NULL);
    report_problem(
        r, PROBLEM_DOUBT, NO_ENTRY,
        report_printf(r, "%s: %s; %s", vol_text(r, whole), d->table_error, advice(e.code)));
}

static void look_at_disk(struct report *r, struct disk_report *d)
{
    uint32_t nr_parts, n = d->number;

    look_at_table(r, d);
    nr_parts = d->table != NULL ? d->table->nr_parts : 0;
    d->volumes = report_alloc(r, nr_parts + 1, sizeof(*d->volumes));
    for (uint32_t i = 0; i < nr_parts; i++) {
        struct volume_report *v = &d->volumes[d->nr_volumes++];

        v->part = &d->table->parts[i];
        v->id = (struct vol_id){n, v->part->index};
        look_at_volume(r, v);
    }
    /* The whole disk: where nothing is to be expected, only what is there counts. */
    d->volumes[d->nr_volumes].id = (struct vol_id){n, VOL_WHOLE};
    look_at_volume(r, &d->volumes[d->nr_volumes]);
    if (nr_parts == 0 || d->volumes[d->nr_volumes].fs != NULL)
        d->nr_volumes++;
}

/* ---- entries ----------------------------------------------------------------------------------
 */

/*
 * The files that were looked at, by name: entries share them, and there may be 65536 entries. A
 * hash table with open addressing, at most half full.
 */
struct seen {
    size_t nr, room; /* room: a power of two, or 0 */
    struct seen_file {
        const char *name; /* NULL: free */
        void *report;
    } * files;
};

static struct seen_file *seen_place(const struct seen *s, const char *name)
{
    uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */
    size_t i;

    for (const char *p = name; *p != '\0'; p++)
        hash = (hash ^ (uint8_t)*p) * 0x100000001b3;
    i = (size_t)(hash ^ hash >> 32) & (s->room - 1);
    while (s->files[i].name != NULL && strcmp(s->files[i].name, name) != 0)
        i = (i + 1) & (s->room - 1);
    return &s->files[i];
}

static void *seen_find(const struct seen *s, const char *name)
{
    return s->room == 0 ? NULL : seen_place(s, name)->report;
}

static void seen_add(struct report *r, struct seen *s, const char *name, void *report)
{
    if (s->nr * 2 >= s->room) {
        struct seen old = *s;

        s->room = old.room == 0 ? 64 : old.room * 2;
        s->files = report_alloc(r, s->room, sizeof(*s->files));
        for (size_t i = 0; i < old.room; i++) {
            if (old.files[i].name != NULL)
                *seen_place(s, old.files[i].name) = old.files[i];
        }
    }
    *seen_place(s, name) = (struct seen_file){name, report};
    s->nr++;
}

/* What looking at entries needs beside the report. */
struct looking {
    struct boot_request *req; /* scratch, shared by all entries */
    struct seen kernels, initrds;
};

static void look_at_files(struct report *r, uint32_t n, struct looking *l)
{
    struct entry_report *e = &r->entries[n];
    struct boot_request *req = l->req;

    e->cmdline = report_printf(r, "%s", req->cmdline);
    e->kernel = seen_find(&l->kernels, req->kernel_name);
    if (e->kernel == NULL) {
        e->kernel = inspect_kernel(r, report_printf(r, "%s", req->kernel_name), &req->kernel);
        seen_add(r, &l->kernels, e->kernel->name, e->kernel);
    }
    if (failed(e->kernel->error)) {
        e->error = e->kernel->error;
        e->subject = e->kernel->name;
    }
    e->initrds = report_alloc(r, req->nr_initrds, sizeof(*e->initrds));
    for (uint32_t i = 0; i < req->nr_initrds; i++) {
        struct initrd_report *initrd = &e->initrds[i], *known;

        known = seen_find(&l->initrds, req->initrd_names[i]);
        *initrd = known != NULL ? *known
                                : inspect_initrd(r, report_printf(r, "%s", req->initrd_names[i]),
                                                 &req->initrds[i]);
        if (known == NULL)
            seen_add(r, &l->initrds, initrd->name, initrd);
        e->nr_initrds++;
        if (failed(initrd->error) && !failed(e->error)) {
            e->error = initrd->error;
            e->subject = initrd->name;
        }
    }
}

static void look_at_entry(struct report *r, uint32_t n, struct looking *l)
{
    struct entry_report *e = &r->entries[n];
    char *subject = report_alloc(r, SUBJECT_MAX, 1);
    struct shell shell = {.vols = r->vols,
                          .file = &r->file,
                          .settings = &r->settings,
                          .root = r->file.vol,
                          .entry = n,
                          .req = l->req,
                          .subject = subject,
                          .subject_cap = SUBJECT_MAX};
    const char *what_to_do;
    struct arena attempt;

    e->entry = &r->menu.entries[n];
    e->subject = subject;
    arena_init(&attempt, r->arena->source); /* as in the guest, it ends with the attempt */
    l->req->arena = &attempt;
    e->error = shell_run_entry(&shell, e->entry);
    e->line_nr = shell.line_nr;
    e->does = failed(e->error) ? NULL : shell_does(&shell);
    if (shell.next == SHELL_MENU && e->does != NULL)
        e->does = report_printf(r, "goes on with the menu %s", name_text(r, shell.menu_name));
    if (e->does != NULL)
        return;
    if (!failed(e->error))
        look_at_files(r, n, l);
    arena_reset(&attempt);
    e->boots = !failed(e->error);
    inspect_findings(r, n);
    if (e->boots)
        inspect_doubts(r, n);
    if (e->boots || e->dead_end)
        return;
    what_to_do = advice(e->error.code);
    report_problem(r, PROBLEM_STOPS, n,
                   report_printf(r, "entry %u, line %u of %s: %s%s%s", n, e->line_nr, r->file.name,
                                 report_error(r, e->error, e->subject),
                                 what_to_do[0] != '\0' ? "; " : "", what_to_do));
}

/* Default, then the fallback list: what happens with nobody at the console. */
static void find_what_boots(struct report *r)
{
    const struct menu_settings *s = &r->settings;

    if (r->entries[s->default_entry].boots)
        r->boots = s->default_entry;
    if (r->entries[s->default_entry].does != NULL) {
        report_problem(r, PROBLEM_DOUBT, s->default_entry,
                       report_printf(r, "entry %u, the default, boots nothing: it %s",
                                     s->default_entry, r->entries[s->default_entry].does));
        return;
    }
    /* Once pvboot has started a kernel, nobody falls back any more. */
    bool ends = r->entries[s->default_entry].dead_end;

    for (uint32_t i = 0; i < s->nr_fallbacks; i++) {
        uint32_t n = s->fallbacks[i];

        if (n >= r->menu.nr_entries)
            report_problem(r, PROBLEM_DOUBT, NO_ENTRY,
                           report_printf(r,
                                         "fallback %u points nowhere: the menu has entries 0 to "
                                         "%u; correct the `fallback' line",
                                         n, r->menu.nr_entries - 1));
        else if (n == s->default_entry && s->default_saved)
            continue; /* somebody fell back to it */
        else if (n == s->default_entry)
            report_problem(r, PROBLEM_DOUBT, NO_ENTRY,
                           report_printf(r,
                                         "fallback %u is the default entry itself; name another "
                                         "one, with another kernel",
                                         n));
        else if (r->boots == NO_ENTRY && !ends && r->entries[n].boots)
            r->boots = n;
        else if (r->boots == NO_ENTRY)
            ends = ends || r->entries[n].dead_end;
    }
}

/* ---- the menu ---------------------------------------------------------------------------------
 */

static void no_menu(struct report *r, struct err e, const char *subject)
{
    const char *what_to_do = advice(e.code);

    report_problem(r, PROBLEM_STOPS, NO_ENTRY,
                   report_printf(r, "%s%s%s", report_error(r, e, subject),
                                 what_to_do[0] != '\0' ? "; " : "", what_to_do));
}

/* What a guest starts where there is no menu. */
static void look_for_chain(struct report *r)
{
    char name[FS_PATH_MAX];
    struct file f;

    if (chain_find(r->vols, r->narrow ? "i386" : "x86_64", r->arena, &f, name, sizeof(name)))
        report_problem(r, PROBLEM_DOUBT, NO_ENTRY,
                       report_printf(r,
                                     "without a menu a guest starts its own boot loader, %s; what "
                                     "that would boot is not looked at",
                                     name));
}

bool inspect_read_menu(struct report *r)
{
    struct lines complaints = {.arena = r->arena};
    const struct log search = {.ctx = &r->search, .line = lines_add};
    const struct log settings = {.ctx = &complaints, .line = lines_add};
    char subject[SUBJECT_MAX] = "";
    struct err e = OK;

    if (!r->has_menu)
        e = menu_locate(&r->file, r->vols, NULL, r->hd00, r->arena, &search, subject,
                        sizeof(subject));
    if (failed(e)) {
        no_menu(r, e, subject);
        if (e.code == ERR_NO_MENU)
            look_for_chain(r);
        return false;
    }
    r->has_menu = true;
    e = menu_parse(&r->menu, r->file.text, r->file.len, r->arena, &settings);
    if (failed(e)) {
        no_menu(r, e, r->file.name);
        return false;
    }
    menu_settings(&r->menu, &r->settings, &settings);
    if (r->settings.default_saved && r->vols != NULL) /* a menu on no disk has none */
        (void)saved_default_choose(r->vols, &r->file, r->menu.nr_entries, r->arena, &settings,
                                   &r->settings.default_entry);
    for (size_t i = 0; i < complaints.nr; i++)
        report_problem(r, PROBLEM_DOUBT, NO_ENTRY, complaints.text[i]);
    if (r->menu.nr_entries > 0)
        return true;
    no_menu(r, ERR(ERR_NO_MENU, "the file has no `title' line; write an entry"), r->file.name);
    return false;
}

static void look_at_menu(struct report *r)
{
    if (!inspect_read_menu(r))
        return;
    r->entries = report_alloc(r, r->menu.nr_entries, sizeof(*r->entries));
    struct looking looking = {.req = report_alloc(r, 1, sizeof(*looking.req))};

    for (uint32_t i = 0; i < r->menu.nr_entries; i++)
        look_at_entry(r, i, &looking);
    find_what_boots(r);
}

const struct disk_report *report_device(const struct report *r, uint32_t n)
{
    for (uint32_t i = 0; i < r->nr_named && n >= VOLS_DISK_MAX; i++) {
        if (r->named[i].number == n)
            return &r->named[i];
    }
    return n < r->nr_disks ? &r->disks[n] : NULL;
}

/* Arrays and logical volumes. */
static void look_at_named(struct report *r)
{
    uint32_t nr = 0;

    for (uint32_t n = vols_next(r->vols, UINT32_MAX); n != UINT32_MAX; n = vols_next(r->vols, n))
        nr++;
    r->named = report_alloc(r, nr, sizeof(*r->named));
    for (uint32_t n = vols_next(r->vols, VOLS_DISK_MAX - 1); n != UINT32_MAX;
         n = vols_next(r->vols, n)) {
        struct disk_report *d = &r->named[r->nr_named++];
        struct err e = vols_usable(r->vols, n);

        d->number = n;
        if (!failed(e)) {
            d->disk = vols_disk(r->vols, n);
            look_at_disk(r, d);
            continue;
        }
        d->error = report_error(r, e, NULL);
        if (e.code != ERR_REFUSED)
            report_problem(
                r, PROBLEM_DOUBT, NO_ENTRY,
                report_printf(r, "%s: %s", vol_text(r, (struct vol_id){n, VOL_WHOLE}), d->error));
    }
}

void inspect_look(struct report *r)
{
    r->boots = NO_ENTRY;
    for (uint32_t i = 0; i < r->nr_disks; i++)
        look_at_disk(r, &r->disks[i]);
    look_at_named(r);
    look_at_menu(r);
}
