/* SPDX-License-Identifier: MIT */
/*
 * What the commands of menu.lst do: those of the menu fill in settings, those of an entry gather a
 * boot request. Neither boots nor waits, so `pvboot inspect` runs the same steps as the guest.
 */
#ifndef PVBOOT_MENU_COMMANDS_H
#define PVBOOT_MENU_COMMANDS_H

#include "core/menu/menu.h"
#include "core/menu/session.h"

#define MENU_FALLBACK_MAX 32
#define MENU_TIMEOUT_S    5 /* where the menu has no `timeout` line; MENU_TIMEOUT_TEXT the same */
#define MENU_TIMEOUT_TEXT "5"
#define MENU_COMPLAINTS   16 /* lines about bad global commands; the rest is only counted */

struct menu_settings {
    uint32_t default_entry;
    bool has_timeout;
    uint32_t timeout_s;
    bool hidden; /* hiddenmenu */
    uint32_t nr_fallbacks;
    uint32_t fallbacks[MENU_FALLBACK_MAX];
};

/*
 * Run the global commands of the menu. A line that cannot be understood is one line on the log and
 * without effect: a typo does not lose the menu. A default entry that does not exist is entry 0.
 */
void menu_settings(const struct menu *m, struct menu_settings *out, const struct log *log);

/* Where an entry's commands have got to. */
struct attempt {
    struct vols *vols;
    const struct log *say; /* each command is echoed here as it runs */
    struct vol_id root;    /* at first: where the menu was found */
    struct boot_request *req;
    bool has_kernel;
    bool stop;        /* the rest of the entry is not run: `boot` */
    uint32_t line_nr; /* of the command that runs, or ran last */
    char *subject;    /* on failure: what it was about, for err_format */
    size_t subject_cap;
};

/*
 * Run the entry's commands: everything up to the boot itself. req->arena must be set; the rest of
 * *req is filled in. On failure a->subject and a->line_nr say about what and where.
 */
struct err entry_resolve(const struct menu_entry *entry, struct attempt *a);

/* A name for people: "menu", "entry" command lists for documentation tests and completion. */
struct command;
const struct command *command_find(const char *name, size_t len);

struct command {
    const char *name;
    /* Run as a line before the first title; NULL: not a command of the menu. */
    struct err (*menu)(struct menu_settings *s, const char *args, const struct log *log);
    /* Run as a line of an entry; NULL: not a command of entries. */
    struct err (*entry)(struct attempt *a, const char *args);
    /* Accepted without effect, and why; menu and entry are NULL then. */
    const char *ignored;
};

/* The whole table, ended by a name of NULL. */
extern const struct command menu_commands[];

#endif
