/* SPDX-License-Identifier: MIT */
/*
 * The terminal of a session: lines, keys, the list of entries.
 *
 * Until somebody has typed, what is written are plain lines that a log shows as they are; escape
 * sequences come only then.
 */
#ifndef PVBOOT_MENU_SCREEN_H
#define PVBOOT_MENU_SCREEN_H

#include "core/menu/menu.h"
#include "core/menu/session.h"

#define SCREEN_ROWS 12 /* entries shown at once */

/* Keys that are not a byte. Control characters are themselves; ESC alone is 27. */
enum { KEY_NONE = -1, KEY_UP = 256, KEY_DOWN, KEY_HOME, KEY_END, KEY_PAGE_UP, KEY_PAGE_DOWN };

struct screen {
    struct session_env *env;
    bool somebody; /* a byte has come, and the terminal is still there */
};

void screen_str(struct screen *sc, const char *s);
void screen_u64(struct screen *sc, uint64_t v);
void screen_line(struct screen *sc, const char *s);

/*
 * The next key, waiting at most timeout_ms for its first byte. A terminal that is gone is KEY_NONE
 * and nobody is there any more.
 */
int screen_key(struct screen *sc, uint32_t timeout_ms);

/* The titles around `selected`, which is marked. */
void screen_menu(struct screen *sc, const struct menu *m, uint32_t selected);

#endif
