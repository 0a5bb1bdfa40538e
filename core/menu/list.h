/* SPDX-License-Identifier: MIT */
/*
 * The entries on the terminal: as plain lines for a log, or as GRUB's box for somebody.
 *
 *      pvboot 0.1.0
 *
 *  +------------------------------------------------------------+
 *  |    0  Debian GNU/Linux, kernel 6.1.0-27-amd64              |   '^' and 'v' on the right where
 *  | >  1  Debian GNU/Linux, kernel 6.1.0-26-amd64              v   there are more
 *  +------------------------------------------------------------+
 *       Use the ^ and v keys to select which entry is highlighted.
 *       ...
 *
 *     The highlighted entry will be booted automatically in 5 seconds.
 *
 * Lines of the box are sent as lines, so that a log of the console can be read; only what changes
 * later is put at its place. Nothing is written in the terminal's last column.
 */
#ifndef PVBOOT_MENU_LIST_H
#define PVBOOT_MENU_LIST_H

#include "core/menu/commands.h"
#include "core/menu/screen.h"

#define LIST_PLAIN_ROWS 12 /* entries in the plain form */

struct list {
    const struct menu *menu;
    const char *heading;
    const struct menu_settings *settings; /* for the colours; without `color`: reverse video */
    /* NULL: what the menu's keys do. The short one is for small terminals. */
    const char *help_long, *help_short;
    bool unnumbered; /* the entries are lines that have no numbers */
    bool locked;     /* a password stands before everything but selecting and booting */
    bool counting;   /* left_s is shown */
    uint32_t left_s; /* until the selected entry boots */
    bool shown;      /* what follows is on the terminal */
    uint32_t first;  /* the entry in the first row; stays when the list is drawn again */
    uint32_t selected;
};

/* Plain lines: the titles around `selected`, which is marked. */
void list_lines(struct screen *sc, const struct menu *m, uint32_t selected);

/*
 * The box, for a terminal of screen_rows by screen_cols. Draws only what has changed since; all of
 * it after list_forget.
 */
void list_show(struct screen *sc, struct list *l, uint32_t selected);

/* The terminal holds something else now, or has another size. */
void list_forget(struct list *l);

/* Show the seconds that are left, or take them away, where the box stands. */
void list_countdown(struct screen *sc, struct list *l, bool counting, uint32_t left_s);

/* The entry that a key moves to; `selected` for a key that does not move. */
uint32_t list_moved(const struct screen *sc, const struct list *l, uint32_t selected, int key);

/* How many entries the box shows at once. */
uint32_t list_page(const struct screen *sc, const struct list *l);

#endif
