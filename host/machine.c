/* SPDX-License-Identifier: MIT */
#include "host/machine.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/base/text.h"
#include "host/cmd.h"

#define SUBJECT_MAX    8192
#define LINE_MAX_BYTES (SUBJECT_MAX + 512)
#define VOLUMES_MAX    256

/* One line. Control bytes of foreign names in it must not steer a terminal. */
static void say(const char *line)
{
    char shown[4 * LINE_MAX_BYTES];
    struct text t = text_on(shown, sizeof(shown));

    text_name(&t, line, strlen(line));
    fprintf(stderr, "pvboot: %s\n", shown);
}

void say_error(struct err e, const char *subject)
{
    char text[LINE_MAX_BYTES];

    err_format(e, subject, text, sizeof(text));
    say(text);
}

static void say_line(void *ctx, const char *text)
{
    (void)ctx;
    say(text);
}

bool machine_sector_size(const char *text, uint32_t *sector_bytes)
{
    if (strcmp(text, "512") != 0 && strcmp(text, "4096") != 0) {
        usage_error("--sector-size is 512 or 4096, not \"%s\"", text);
        return false;
    }
    *sector_bytes = text[0] == '5' ? 512 : 4096;
    return true;
}

bool machine_layout(const char *text, bool *hd00)
{
    if (strcmp(text, "hd0") != 0 && strcmp(text, "hd00") != 0) {
        usage_error("--layout is hd0 or hd00, not \"%s\"", text);
        return false;
    }
    *hd00 = strcmp(text, "hd00") == 0;
    return true;
}

bool machine_arch(const char *text, bool *narrow)
{
    if (strcmp(text, "x86_64") != 0 && strcmp(text, "i386") != 0) {
        usage_error("--arch is x86_64 or i386, not \"%s\"", text);
        return false;
    }
    *narrow = text[0] == 'i';
    return true;
}

bool machine_open(struct machine *m, const char *const *images, uint32_t nr_images,
                  struct fence *fence)
{
    char why[1024];

    *m = (struct machine){.log = {.line = say_line}};
    arena_init(&m->arena, &host_memory);
    if (nr_images > MACHINE_DISKS_MAX) {
        fprintf(stderr, "pvboot: more than %d images\n", MACHINE_DISKS_MAX);
        return false;
    }
    for (uint32_t i = 0; i < nr_images; i++) {
        if (!file_disk_open(&m->disks[i], images[i], why, sizeof(why))) {
            say(why);
            machine_close(m);
            return false;
        }
        m->nr_disks++;
        fence->keep[fence->nr_keep++] = m->disks[i].fd;
    }
    return true;
}

void machine_take(struct machine *m, const char *name, const struct machine_layer *layers,
                  uint32_t nr_layers, struct fence *fence)
{
    *m = (struct machine){.log = {.line = say_line}};
    arena_init(&m->arena, &host_memory);
    for (uint32_t i = 0; i < nr_layers; i++) {
        struct file_disk *d = i == 0 ? &m->disks[0] : &m->below[i - 1];

        *d = (struct file_disk){.path = name,
                                .fd = layers[i].fd,
                                .format = layers[i].qcow2 ? "qcow2" : "raw",
                                .below = i + 1 < nr_layers ? &m->below[i] : NULL};
        fence->keep[fence->nr_keep++] = d->fd;
    }
    m->nr_disks = 1;
}

bool machine_start(struct machine *m, uint32_t sector_bytes)
{
    char why[1024];
    struct err e = vols_new(&m->vols, &m->arena, &m->log);

    for (uint32_t i = 0; i < m->nr_disks && !failed(e); i++) {
        if (!file_disk_start(&m->disks[i], sector_bytes, why, sizeof(why))) {
            say(why);
            return false;
        }
        e = vols_add_disk(m->vols, &m->disks[i].disk);
    }
    if (failed(e))
        say_error(e, NULL);
    return !failed(e);
}

void machine_close(struct machine *m)
{
    for (uint32_t i = 0; i < m->nr_disks; i++)
        file_disk_close(&m->disks[i]);
    m->nr_disks = 0;
    arena_reset(&m->arena);
}

/* A volume that a plain path may mean. */
struct candidate {
    struct vol_id id;
    struct fs *fs;
    bool has_menu;
};

static bool has_menu(struct machine *m, struct fs *fs)
{
    static const char *const places[] = {"/boot/grub/menu.lst", "/boot/grub/grub.conf",
                                         "/grub/menu.lst", "/grub/grub.conf"};
    struct file f;

    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        if (!failed(file_open(&f, fs, &m->arena, places[i], NULL)))
            return true;
    }
    return false;
}

/* A volume without a file system is nobody's business here, and of a bad partition the log tells;
 * any other failure is said. */
static void add_candidate(struct machine *m, struct vol_id id, struct candidate *list, size_t *nr)
{
    struct fs *fs;
    char name[VOL_NAME_MAX];
    struct err e;

    if (!vol_same(vols_resolve(m->vols, id), id))
        return; /* its array comes by itself */
    e = vols_mount(m->vols, id, &fs);
    vol_format(m->vols, id, name, sizeof(name));
    if (!failed(e) && *nr < VOLUMES_MAX)
        list[(*nr)++] = (struct candidate){.id = id, .fs = fs, .has_menu = has_menu(m, fs)};
    else if (failed(e) && e.code != ERR_FS_MOUNT && e.code != ERR_BAD_PART_TABLE)
        say_error(e, name);
}

static size_t find_candidates(struct machine *m, struct candidate *list)
{
    const struct part_table *table;
    char name[VOL_NAME_MAX];
    size_t nr = 0;

    for (uint32_t disk = vols_next(m->vols, UINT32_MAX); disk != UINT32_MAX;
         disk = vols_next(m->vols, disk)) {
        struct vol_id id = {.disk = disk, .part = VOL_WHOLE};
        struct err e = vols_table(m->vols, disk, &table);

        vol_format(m->vols, id, name, sizeof(name));
        if (failed(e))
            say_error(e, name);
        if (failed(vols_usable(m->vols, disk)))
            continue;
        add_candidate(m, id, list, &nr);
        for (uint32_t i = 0; !failed(e) && i < table->nr_parts; i++) {
            id.part = table->parts[i].index;
            add_candidate(m, id, list, &nr);
        }
    }
    return nr;
}

/* The first candidate that has the path, those with a menu before those without. */
static bool find_plain(struct machine *m, const char *path, struct vol_id *vol, struct fs **fs,
                       struct node *node)
{
    struct candidate list[VOLUMES_MAX];
    size_t nr = find_candidates(m, list);
    char subject[SUBJECT_MAX], name[VOL_NAME_MAX];
    struct err first = ERR(ERR_FS_MOUNT, "nothing on the disks can be mounted");

    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < nr; i++) {
            if (list[i].has_menu != (round == 0))
                continue;
            struct err e = fs_walk(list[i].fs, &m->arena, path, node, NULL);

            vol_format(m->vols, list[i].id, name, sizeof(name));
            if (!failed(e)) {
                if (nr > 1) {
                    snprintf(subject, sizeof(subject), "using %s%s (%s)", name, path,
                             list[i].fs->describe);
                    say(subject);
                }
                *vol = list[i].id;
                *fs = list[i].fs;
                return true;
            }
            if (first.code == ERR_FS_MOUNT || first.code == ERR_FILE_NOT_FOUND)
                first = e;
        }
    }
    if (nr == 1) { /* the long answer: what its directory holds instead */
        struct file f;

        first = vols_open(m->vols, list[0].id, path, &m->arena, &f, subject, sizeof(subject));
        say_error(first, subject);
        return false;
    }
    snprintf(subject, sizeof(subject), "%s on any of %zu volumes", path, nr);
    say_error(first, nr == 0 ? path : subject);
    return false;
}

bool machine_find(struct machine *m, const char *name, struct vol_id *vol, struct fs **fs,
                  const char **path, struct node *node)
{
    struct file f;
    char subject[SUBJECT_MAX];
    size_t used = 0;
    struct err e;

    if (name[0] == '/') {
        *path = name;
        return find_plain(m, name, vol, fs, node);
    }
    e = vol_parse(m->vols, name, vol, &used);
    *path = name + used;
    if (name[0] != '(')
        e = ERR(ERR_BAD_FILENAME, "a path is /path or (hdN,M)/path");
    if (!failed(e))
        e = vols_mount(m->vols, *vol, fs);
    if (!failed(e))
        e = fs_walk(*fs, &m->arena, *path, node, NULL);
    if (!failed(e))
        return true;
    /* Asked again by the name, for the subject with all that is known. */
    struct err again = vols_open(m->vols, *vol, name, &m->arena, &f, subject, sizeof(subject));

    say_error(e, again.code == e.code ? subject : name);
    return false;
}
