/* SPDX-License-Identifier: MIT */
/*
 * The command line: lines that somebody types run in one shell, so that `root', `kernel', `initrd'
 * and `boot' can come one after the other. A boot that fails gives all memory of the attempt back;
 * the root stays. Output longer than the screen stops until somebody has read it.
 */
#ifndef PVBOOT_MENU_CMDLINE_H
#define PVBOOT_MENU_CMDLINE_H

#include "core/menu/complete.h"
#include "core/menu/parts.h"

/* How a tool of the menu (command line, entry editor) ended. */
enum console_end {
    CONSOLE_BACK, /* to the menu */
    CONSOLE_DONE, /* something boots, or s->new_menu is set */
    CONSOLE_GONE, /* the terminal, or nobody is there */
};

/* Where there is no menu, ESC does not end it. */
enum console_end cmdline_run(struct session *s);

/* What is said above an edited line. */
void cmdline_say_keys(struct screen *sc, bool can_leave);

#endif
