/* SPDX-License-Identifier: MIT */
/*
 * What the commands of menu.lst do: those of the menu fill in settings, those of an entry gather a
 * boot request. Neither boots nor waits, so `pvboot inspect` runs the same steps as the guest.
 */
#ifndef PVBOOT_MENU_COMMANDS_H
#define PVBOOT_MENU_COMMANDS_H

#include "core/menu/menu.h"
#include "core/menu/session.h"

struct menu_file;
struct screen;

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

#define SHELL_NO_ENTRY UINT32_MAX

/* What a command wants to happen after it. */
enum shell_next {
    SHELL_GO_ON,
    SHELL_BOOT, /* the rest of the entry is not run */
};

/*
 * What runs command lines: those of an entry, and those that somebody types. One shell is one boot
 * attempt: what its commands gather lies in req.
 */
struct shell {
    struct vols *vols;
    const struct log *say; /* commands are echoed here as they run, and write here */
    struct screen *screen; /* where somebody can be asked; NULL: nowhere (`pvboot inspect`) */
    const struct menu_file *file; /* the menu's; NULL: there is none */
    const struct menu_settings *settings;
    struct vol_id root; /* at first: where the menu was found */
    uint32_t entry;     /* that runs; SHELL_NO_ENTRY: lines that were typed or edited */
    struct boot_request *req;
    bool has_kernel;
    enum shell_next next;
    uint32_t line_nr; /* of the command that runs, or ran last; 0: it was typed */
    char *subject;    /* on failure: what it was about, for err_format */
    size_t subject_cap;
};

/* Begin an attempt: *sh->req is filled in but for req->arena, which must be set. */
void shell_begin(struct shell *sh);

/* Run one command line. On failure sh->subject and sh->line_nr say about what and where. */
struct err shell_run(struct shell *sh, const struct menu_command *c);

/* Begin, and run the entry's commands: everything up to the boot itself. */
struct err shell_run_entry(struct shell *sh, const struct menu_entry *entry);

struct command;
const struct command *command_find(const char *name, size_t len);

/* What the last argument of a command is, for completion. */
enum command_takes { TAKES_NOTHING, TAKES_DEVICE, TAKES_FILE, TAKES_COMMAND };

/* One of: menu or entry or both; ignored; refused. */
struct command {
    const char *name;
    /* Run as a line before the first title; NULL: not a command of the menu. */
    struct err (*menu)(struct menu_settings *s, const char *args, const struct log *log);
    /* Run as a line of an entry or of the command line; NULL: not a command there. */
    struct err (*entry)(struct shell *sh, const char *args);
    const char *ignored; /* accepted without effect, and why */
    const char *refused; /* an error, and why */
    enum command_takes takes;
    const char *usage; /* its arguments: "FILE [ARGUMENT]..."; "" when there are none */
    const char *help;  /* one line; NULL where ignored or refused says it all */
};

/* The whole table, by name, ended by a name of NULL. */
extern const struct command menu_commands[];

#endif
