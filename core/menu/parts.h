/* SPDX-License-Identifier: MIT */
/* What the parts of a session share; private to core/menu. session.h is the way in. */
#ifndef PVBOOT_MENU_PARTS_H
#define PVBOOT_MENU_PARTS_H

#include "core/menu/commands.h"
#include "core/menu/list.h"
#include "core/menu/locate.h"
#include "core/menu/menu.h"
#include "core/menu/screen.h"

#define SUBJECT_MAX 512
#define IDLE_MS     60000 /* how long one wait lasts while somebody chooses */

struct session {
    struct screen screen;
    struct list list;
    struct session_env *env;
    struct log say;      /* lines to the terminal */
    struct arena *arena; /* of the menu; attempts have their own */
    struct menu_file file;
    struct menu menu;
    struct menu_settings settings;
};

/* The error as one line on the terminal. */
void show_error(struct session *s, struct err e, const char *subject);

/* choose.c. The first choice: by timeout, unless somebody interferes. */
uint32_t choose(struct session *s);

/*
 * Somebody chooses; `key` is the first key they pressed, or KEY_NONE. Ends with Enter, or when the
 * terminal is gone: then `selected` boots.
 */
uint32_t choose_by_hand(struct session *s, uint32_t selected, int key);

/*
 * attempt.c. Boot the entry, which is that number of the menu, or SHELL_NO_ENTRY. The memory of an
 * attempt ends with it. Comes back with an error only, which has been shown; from the boot function
 * of a test also with OK.
 */
struct err boot_entry(struct session *s, const struct menu_entry *entry, uint32_t number);

/* Boot entry n, then the entries of the fallback list. Returns the last error. */
struct err boot_with_fallbacks(struct session *s, uint32_t n);

#endif
