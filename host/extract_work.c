/* SPDX-License-Identifier: MIT */
/*
 * Behind the fence: what the guest would boot, by the guest's own steps: the menu, the default
 * entry, the fallback list; an entry counts when its kernel can be loaded and all its files can be
 * read to their end.
 */
#include "host/extract.h"

#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/menu/chain.h"
#include "core/menu/commands.h"
#include "core/menu/locate.h"
#include "core/menu/menu.h"
#include "core/menu/saved.h"

#define CACHE_BLOCKS 1024
#define MENUS_MAX    16u

/* ---- outcomes -------------------------------------------------------------------------------- */

/* ERR_WRITE comes from the sinks alone, which are no matter of the image. */
static int status_of(struct err e)
{
    if (!failed(e))
        return EXTRACT_DONE;
    if (e.code != ERR_WRITE)
        return EXTRACT_NOTHING_BOOTS;
    fprintf(stderr, "pvboot: writing the output failed: %s\n", strerror((int)e.a));
    return EXTRACT_FAILED;
}

/* ---- the menu -------------------------------------------------------------------------------- */

struct choice {
    struct extract_job *job;
    struct menu_file file;
    struct menu menu;
    struct menu_settings settings;
    const char *next_menu; /* an entry goes on with another menu; else NULL */
};

/* An attempt's commands, and what they come to. */
static struct err run_entry(struct choice *c, struct shell *shell, uint32_t n, struct arena *arena)
{
    struct extract_job *job = c->job;

    shell->req = arena_alloc(arena, sizeof(*shell->req));
    if (shell->req == NULL)
        return arena_exhausted("no memory for an entry (%a bytes)", sizeof(*shell->req));
    shell->req->arena = arena;
    TRY(shell_run_entry(shell, &c->menu.entries[n]));
    if (shell->next == SHELL_MENU) {
        c->next_menu =
            arena_strndup(&job->machine.arena, shell->menu_name, strlen(shell->menu_name));
        return c->next_menu != NULL ? OK : ERR(ERR_NO_MEMORY, "a menu's name");
    }
    if (shell_does(shell) != NULL)
        return OK;
    if (!shell->has_kernel)
        return ERR(ERR_BOOT_COMMAND, "there was no `kernel' line");
    return extract_take(job, shell->req, shell->subject);
}

/* One attempt, with memory of its own; an error has been said. *does: what it does, not a boot. */
static struct err try_entry(struct choice *c, uint32_t n, const char **does)
{
    struct extract_job *job = c->job;
    char subject[EXTRACT_SUBJECT] = "", line[2 * EXTRACT_SUBJECT], where[EXTRACT_LINE];
    const struct log log = extract_chatter(job);
    struct arena arena;
    struct shell shell = {.vols = job->machine.vols,
                          .say = &log,
                          .said = &c->settings.said,
                          .file = &c->file,
                          .settings = &c->settings,
                          .root = c->file.vol,
                          .entry = n,
                          .subject = subject,
                          .subject_cap = sizeof(subject)};

    arena_init(&arena, &host_memory);
    struct err e = run_entry(c, &shell, n, &arena);

    arena_reset(&arena);
    *does = failed(e) ? NULL : shell_does(&shell);
    if (failed(e) && e.code != ERR_WRITE) {
        err_format(e, subject, line, sizeof(line));
        snprintf(where, sizeof(where), "entry %u, line %u of %s: %s", n, shell.line_nr,
                 c->file.name, line);
        extract_say(NULL, where);
    }
    job->result->entry = n;
    snprintf(job->result->title, sizeof(job->result->title), "%s", c->menu.entries[n].title);
    return e;
}

static int choice_status(struct choice *c, struct err e, const char *does)
{
    if (c->next_menu == NULL && does != NULL) {
        fprintf(stderr, "pvboot: entry %u %s; it boots nothing\n", c->job->result->entry, does);
        return EXTRACT_NOTHING_BOOTS;
    }
    return status_of(e);
}

/* With nobody at the console: the default, then the fallback list, each entry once. */
static int by_itself(struct choice *c)
{
    const struct menu_settings *s = &c->settings;
    const char *does;
    struct err e = try_entry(c, s->default_entry, &does);

    for (uint32_t i = 0; failed(e) && e.code != ERR_WRITE && i < s->nr_fallbacks; i++) {
        uint32_t n = s->fallbacks[i];
        bool tried = n == s->default_entry;

        for (uint32_t k = 0; k < i; k++)
            tried = tried || s->fallbacks[k] == n;
        if (tried || n >= c->menu.nr_entries)
            continue;
        fprintf(stderr, "pvboot: falling back to entry %u\n", n);
        e = try_entry(c, n, &does);
    }
    if (failed(e) && e.code != ERR_WRITE) {
        char line[EXTRACT_LINE];

        snprintf(line, sizeof(line),
                 "no entry of %s that is tried could be booted; pvboot inspect tells all about "
                 "each, --entry chooses one",
                 c->file.name);
        extract_say(NULL, line);
    }
    return choice_status(c, e, does);
}

/* --entry: a number, or a title. */
static int by_name(struct choice *c)
{
    const char *want = c->job->o.entry, *does;
    char line[EXTRACT_LINE];
    uint64_t n;

    if (!text_parse_u64(want, strlen(want), &n)) {
        for (n = 0; n < c->menu.nr_entries; n++) {
            if (strcmp(c->menu.entries[n].title, want) == 0)
                break;
        }
        if (n == c->menu.nr_entries) {
            snprintf(line, sizeof(line),
                     "%s has no entry with the title \"%s\"; pvboot inspect lists them",
                     c->file.name, want);
            extract_say(NULL, line);
            return EXTRACT_FAILED;
        }
    }
    if (n >= c->menu.nr_entries) {
        fprintf(stderr, "pvboot: there is no entry %s: the menu has entries 0 to %u\n", want,
                c->menu.nr_entries - 1);
        return EXTRACT_FAILED;
    }
    struct err e = try_entry(c, (uint32_t)n, &does);

    return choice_status(c, e, does);
}

static struct err load_menu(struct choice *c, const char *name, char *subject)
{
    struct machine *m = &c->job->machine;
    const struct log log = extract_chatter(c->job);

    TRY(menu_locate(&c->file, m->vols, name, c->job->o.hd00, &m->arena, &log, subject,
                    EXTRACT_SUBJECT));
    snprintf(subject, EXTRACT_SUBJECT, "%s", c->file.name);
    TRY(menu_parse(&c->menu, c->file.text, c->file.len, &m->arena, &log));
    if (c->menu.nr_entries == 0)
        return ERR(ERR_NO_MENU, "the file has no `title' line; write an entry");
    menu_settings(&c->menu, &c->settings, &log);
    if (c->settings.default_saved)
        (void)saved_default_choose(m->vols, &c->file, c->menu.nr_entries, &m->arena, &log,
                                   &c->settings.default_entry);
    return OK;
}

/* No menu is on any disk. A guest starts a boot loader of its own then, if there is one. */
static int without_menu(struct extract_job *job, struct err e, char *subject)
{
    struct machine *m = &job->machine;
    struct boot_request *req = arena_alloc(&m->arena, sizeof(*req));

    if (req != NULL) {
        req->arena = &m->arena;
        snprintf(req->cmdline, sizeof(req->cmdline), "%s", CHAIN_MARK);
    }
    if (req == NULL || e.code != ERR_NO_MENU ||
        !chain_find(m->vols, job->o.narrow ? "i386" : "x86_64", &m->arena, &req->kernel,
                    req->kernel_name, sizeof(req->kernel_name))) {
        say_error(e, subject);
        return EXTRACT_NOTHING_BOOTS;
    }
    snprintf(job->result->title, sizeof(job->result->title),
             "no menu: the guest's own boot loader");
    job->result->entry = EXTRACT_NO_ENTRY;
    e = extract_take(job, req, subject);
    if (failed(e) && e.code != ERR_WRITE)
        say_error(e, subject);
    return status_of(e);
}

/* The menu, and those that entries go on with. */
static int from_menu(struct extract_job *job)
{
    const char *name = NULL;

    for (uint32_t i = 0; i < MENUS_MAX; i++) {
        struct choice c = {.job = job};
        char subject[EXTRACT_SUBJECT] = "";
        struct err e = load_menu(&c, name, subject);

        if (failed(e) && name == NULL && job->o.entry == NULL)
            return without_menu(job, e, subject);
        if (failed(e)) {
            say_error(e, subject);
            return EXTRACT_NOTHING_BOOTS;
        }
        int status = i == 0 && job->o.entry != NULL ? by_name(&c) : by_itself(&c);

        if (c.next_menu == NULL)
            return status;
        name = c.next_menu;
        char line[EXTRACT_LINE];

        snprintf(line, sizeof(line), "entry %u goes on with the menu %s", job->result->entry, name);
        extract_say(NULL, line);
    }
    fprintf(stderr, "pvboot: %u menus, one after the other: they seem to name each other\n",
            MENUS_MAX);
    return EXTRACT_NOTHING_BOOTS;
}

/* ---- files that were named ------------------------------------------------------------------- */

static int from_names(struct extract_job *job)
{
    struct machine *m = &job->machine;
    struct boot_request *req = arena_alloc(&m->arena, sizeof(*req));
    char device[VOL_NAME_MAX], subject[EXTRACT_SUBJECT] = "";
    struct vol_id vol;
    struct err e;

    if (req == NULL) {
        say_error(arena_exhausted("no memory for an entry (%a bytes)", sizeof(*req)), NULL);
        return EXTRACT_FAILED;
    }
    req->arena = &m->arena;
    if (!machine_find(m, job->o.kernel, &vol, &req->kernel.fs, &req->kernel.path,
                      &req->kernel.node))
        return EXTRACT_NOTHING_BOOTS;
    vol_format(m->vols, vol, device, sizeof(device));
    snprintf(req->kernel_name, sizeof(req->kernel_name), "%s%s", device, req->kernel.path);
    snprintf(subject, sizeof(subject), "%s", req->kernel_name);
    e = req->kernel.node.type == NODE_FILE ? OK : ERR(ERR_BAD_FILETYPE, "not a regular file");
    if (!failed(e) && job->o.ramdisk != NULL) {
        req->nr_initrds = 1;
        req->initrd_names[0] = arena_strndup(&m->arena, job->o.ramdisk, strlen(job->o.ramdisk));
        e = req->initrd_names[0] == NULL ? ERR(ERR_NO_MEMORY, "a file name")
                                         : vols_open(m->vols, vol, job->o.ramdisk, &m->arena,
                                                     &req->initrds[0], subject, sizeof(subject));
    }
    if (!failed(e))
        e = extract_take(job, req, subject);
    job->result->entry = EXTRACT_NO_ENTRY;
    if (failed(e) && e.code != ERR_WRITE)
        say_error(e, subject);
    return status_of(e);
}

int extract_work(void *ctx)
{
    struct extract_job *job = ctx;
    struct machine *m = &job->machine;

    if (!machine_start(m, job->o.sector_bytes))
        return EXTRACT_FAILED;
    for (uint32_t i = 0; i < m->nr_disks; i++) {
        struct err e = disk_cache_attach(&m->disks[i].disk, &m->arena, CACHE_BLOCKS);

        if (failed(e)) {
            say_error(e, NULL);
            return EXTRACT_FAILED;
        }
    }
    return job->o.kernel != NULL ? from_names(job) : from_menu(job);
}
