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

#define SCREEN_COLS 80 /* of a terminal that has not told its size */

/*
 * Keys that are not a byte. A byte is itself: control characters, ASCII, and the bytes of UTF-8 one
 * after the other. KEY_ALT | c is a printable character typed with Alt (ESC before it).
 */
enum {
    KEY_NONE = -1,
    KEY_ESC = 27, /* alone */
    KEY_UP = 256,
    KEY_DOWN,
    KEY_LEFT,
    KEY_RIGHT,
    KEY_HOME,
    KEY_END,
    KEY_PAGE_UP,
    KEY_PAGE_DOWN,
    KEY_DELETE,
    KEY_WORD_LEFT, /* Left and Right with Ctrl or Alt */
    KEY_WORD_RIGHT,
    KEY_OTHER, /* a key that means nothing here */
    KEY_SIZE,  /* the terminal has told its size */
    KEY_ALT = 512
};

#define KEY_CTRL(letter) ((letter) - '@') /* KEY_CTRL('P') */

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
