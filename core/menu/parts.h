/* SPDX-License-Identifier: MIT */
/* What the parts of a session share; private to core/menu. session.h is the way in. */
#ifndef PVBOOT_MENU_PARTS_H
#define PVBOOT_MENU_PARTS_H

#include "core/menu/commands.h"
#include "core/menu/edit.h"
#include "core/menu/list.h"
#include "core/menu/locate.h"
#include "core/menu/menu.h"
#include "core/menu/screen.h"

#define SUBJECT_MAX 512
#define IDLE_MS     60000 /* how long one wait lasts while somebody chooses */
#define PENDING_MAX 256   /* keys that may lie on the console before we look: more are not read */
#define MENUS_MAX   16    /* one after the other, by configfile: more are a loop */

/* For the last line of a session in which nothing could be booted. */
struct failure {
    struct err err;
    uint32_t entry;   /* SHELL_NO_ENTRY: none */
    uint32_t line_nr; /* 0: none */
    char object[SHELL_OBJECT_MAX];
};

struct session {
    struct screen screen;
    struct list list;
    struct session_env *env;
    struct log say;          /* lines to the terminal */
    struct arena menu_arena; /* of file, menu and settings; attempts have their own */
    struct menu_file file;
    struct menu menu;
    struct menu_settings settings;
    bool authenticated; /* somebody has given the menu's password */
    bool new_menu;      /* configfile has put another menu into file, menu and settings */
    uint32_t nr_menus;
    struct failure failure; /* the last one */
    struct edit_memory edit_memory;
};

/* The menu has a password, and nobody has given it: entries can be booted, and that is all. */
static inline bool session_locked(const struct session *s)
{
    return s->settings.has_password && !s->authenticated;
}

/* The error as one line on the terminal. */
void show_error(struct session *s, struct err e, const char *subject);

/* Ask for a key, until one comes or somebody is gone. */
void press_any_key(struct session *s);

/* What was chosen is done already: something boots, or s->new_menu is set. */
#define CHOSE_NOTHING UINT32_MAX

/* choose.c. The first choice: by timeout, unless somebody interferes. Or CHOSE_NOTHING. */
uint32_t choose(struct session *s);

/*
 * Somebody chooses; `key` is the first key they pressed, or KEY_NONE. Ends with Enter, or when the
 * terminal is gone: then `selected` boots; or with CHOSE_NOTHING.
 */
uint32_t choose_by_hand(struct session *s, uint32_t selected, int key);

/*
 * session.c. Read the menu and its settings into s; name NULL: by the search. A menu that fails
 * leaves the one that was there as it is.
 */
struct err load_menu(struct session *s, const char *name, char *subject, size_t subject_cap);

/*
 * attempt.c. A shell for the session's menu: for an entry of that number, or for lines that are
 * typed (SHELL_NO_ENTRY). What is allocated for the attempt lies in the arena. False: no memory.
 */
bool shell_init(struct session *s, struct shell *sh, struct arena *arena, uint32_t entry,
                char *subject, size_t subject_cap);

/*
 * Do what the commands came to: boot sh->req, power off, or read another menu (then s->new_menu is
 * set, and OK returned: go back to where a menu begins). Comes back with an error or with OK where
 * there is nothing more to do; the error is not yet shown.
 */
struct err shell_finish(struct session *s, struct shell *sh);

/* Show the error of the shell's last command, and keep it for the session's last line. */
void shell_show_error(struct session *s, struct shell *sh, struct err e);

/*
 * Boot the entry, which is that number of the menu, or SHELL_NO_ENTRY. The memory of an attempt
 * ends with it. Comes back with an error, which has been shown; or with OK as shell_finish does.
 */
struct err boot_entry(struct session *s, const struct menu_entry *entry, uint32_t number);

/* Boot entry n, then the entries of the fallback list. Returns the last error. */
struct err boot_with_fallbacks(struct session *s, uint32_t n);

#endif
