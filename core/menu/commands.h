/* SPDX-License-Identifier: MIT */
/*
 * What the commands of menu.lst do: those of the menu fill in settings, those of an entry gather a
 * boot request. None boots, and none ends the machine: what is to come after a command is a value
 * (enum shell_next). None waits or writes where there is no screen. So `pvboot inspect` runs the
 * same steps as the guest.
 */
#ifndef PVBOOT_MENU_COMMANDS_H
#define PVBOOT_MENU_COMMANDS_H

#include "core/menu/menu.h"
#include "core/menu/password.h"
#include "core/menu/session.h"

struct menu_file;
struct pager;
struct screen;

#define MENU_FALLBACK_MAX 32
#define MENU_TIMEOUT_S    5 /* where the menu has no `timeout` line; MENU_TIMEOUT_TEXT the same */
#define MENU_TIMEOUT_TEXT "5"
#define MENU_COMPLAINTS   16 /* lines about bad global commands; the rest is only counted */

/* GRUB's colour words as the numbers of ANSI's "ESC [ 1;3 m": foreground 30-37 or 90-97, background
 * 40-47. */
struct menu_color_pair {
    uint8_t foreground, background;
    bool blink;
};

/* A mark for each command that has said why it is without effect: once is enough. */
#define MENU_TABLE_MAX 128
struct menu_said {
    uint8_t marks[MENU_TABLE_MAX];
};

struct menu_settings {
    uint32_t nr_entries; /* of the menu */
    uint32_t default_entry;
    bool default_saved; /* `default saved`: default_entry is 0 until the saved one is read */
    bool has_timeout;
    uint32_t timeout_s;
    bool hidden; /* hiddenmenu */
    uint32_t nr_fallbacks;
    uint32_t fallbacks[MENU_FALLBACK_MAX];
    bool has_color;
    struct menu_color_pair color_normal, color_highlight;
    bool has_password;         /* until it is given: no editing, no command line, no locked entry */
    struct password password;  /* PASSWORD_NONE: the line was no good, so nobody knows it */
    const char *password_menu; /* a menu to go on with once it was given; "" or NULL: none */
    struct menu_said said;
};

/*
 * Run the global commands of the menu. A line that cannot be understood is one line on the log and
 * without effect: a typo does not lose the menu. A default entry that does not exist is entry 0.
 */
void menu_settings(const struct menu *m, struct menu_settings *out, const struct log *log);

#define SHELL_NO_ENTRY   UINT32_MAX
#define SHELL_OBJECT_MAX 512

/* What a command wants to happen after it. */
enum shell_next {
    SHELL_GO_ON,
    /* The rest of the entry is not run: */
    SHELL_BOOT,
    SHELL_MENU,   /* go on with the menu file sh->menu_name */
    SHELL_HALT,   /* power off */
    SHELL_REBOOT, /* start the machine again */
};

/*
 * What runs command lines: those of an entry, and those that somebody types. One shell is one boot
 * attempt: what its commands gather lies in req.
 */
struct shell {
    struct vols *vols;
    const struct session_env *env; /* the machine; NULL: there is none (`pvboot inspect`) */
    const struct log *say;         /* commands are echoed here as they run, and write here */
    struct screen *screen;  /* where somebody can be asked; NULL: nowhere (`pvboot inspect`) */
    struct pager *pager;    /* of the command line; NULL: output does not stop */
    struct menu_said *said; /* NULL: say each time why a command is without effect */
    const struct menu_file *file; /* the menu's; NULL: there is none */
    const struct menu_settings *settings;
    struct vol_id root; /* at first: where the menu was found */
    uint32_t entry;     /* that runs; SHELL_NO_ENTRY: lines that were typed or edited */
    uint32_t edited;    /* of edited lines: 1 + the entry that they were; else 0 */
    struct boot_request *req;
    bool has_kernel;
    bool below_xen;     /* the kernel was a module of Xen: modules that follow are initrds */
    bool authenticated; /* somebody has given the menu's password */
    enum shell_next next;
    const char *menu_name; /* SHELL_MENU: in full, in req->arena */
    uint32_t line_nr;      /* of the command that runs, or ran last; 0: it was typed */
    char *subject;         /* on failure: what it was about, for err_format */
    size_t subject_cap;
    char object[SHELL_OBJECT_MAX]; /* the same as one name, of a file or device; "" if none */
};

/* Begin an attempt: *sh->req is filled in but for req->arena, which must be set. */
void shell_begin(struct shell *sh);

/* What it is about, should it fail: into sh->subject and sh->object, escaped. */
void shell_about(struct shell *sh, const char *s, size_t len);

/* Run one command line. On failure sh->subject and sh->line_nr say about what and where. */
struct err shell_run(struct shell *sh, const struct menu_command *c);

/*
 * Begin, and run the entry's commands: everything up to the boot itself. On success sh->next says
 * what it comes to: SHELL_GO_ON and SHELL_BOOT boot what sh->req holds, the others need no kernel.
 */
struct err shell_run_entry(struct shell *sh, const struct menu_entry *entry);

/* "powers the guest off": what commands came to that is no boot; NULL: a boot, or nothing yet. */
const char *shell_does(const struct shell *sh);

/*
 * Step over the options of `kernel`: "--type=linux /boot/vmlinuz ro" to "/boot/vmlinuz ro". What
 * kind of kernel it is its own headers say, so a type is only looked at for mistakes: then *word is
 * the option that the error is about.
 */
struct err kernel_options(const char **args, const char **word, size_t *len);

struct command;
const struct command *command_find(const char *name, size_t len);

/* Do its arguments hold a password? Then they are neither echoed nor remembered. */
bool command_is_secret(const struct menu_command *c);

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
