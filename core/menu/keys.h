/* SPDX-License-Identifier: MIT */
/*
 * Bytes from a terminal to keys.
 *
 * The sequences of xterm, the Linux console, rxvt, screen, tmux and the VT100 with its keypad are
 * known, whole or in pieces. Every other sequence is eaten whole and is KEY_OTHER: it never leaves
 * letters behind that would act as keys. Sources: ECMA-48 5.4 and 5.6, xterm's ctlseqs, the VT100
 * user guide.
 */
#ifndef PVBOOT_MENU_KEYS_H
#define PVBOOT_MENU_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Keys that are not a byte. A byte is itself: control characters, ASCII, and the bytes of UTF-8 one
 * after the other. KEY_ALT | c is a letter or other printable character typed with Alt (ESC before
 * it): Emacs' M-b is KEY_ALT | 'b'.
 */
enum {
    KEY_NONE = -1, /* nothing came in time */
    KEY_ESC = 27,  /* alone: nothing came after it for 100 ms, or no printable character */
    KEY_UP = 256,
    KEY_DOWN,
    KEY_LEFT,
    KEY_RIGHT,
    KEY_HOME,
    KEY_END,
    KEY_PAGE_UP,
    KEY_PAGE_DOWN,
    KEY_INSERT,
    KEY_DELETE,
    KEY_WORD_LEFT, /* Left and Right with Ctrl or Alt */
    KEY_WORD_RIGHT,
    KEY_F4,
    KEY_OTHER, /* a key or an answer that means nothing here */
    KEY_SIZE,  /* the terminal has told its size; sc->rows and sc->cols are set */
    KEY_ALT = 512
};

#define KEY_CTRL(letter) ((letter) - '@') /* KEY_CTRL('P') */

#define KEYS_QUEUE 32

/* What has been read too early. All zero: nothing. */
struct keys {
    uint32_t nr_bytes, nr_keys;
    int bytes[2];         /* read again before the terminal is; the last one first */
    int keys[KEYS_QUEUE]; /* typed while something else was waited for; the first one first */
};

struct screen;

/*
 * The next key, waiting at most timeout_ms for its first byte. A terminal that is gone is KEY_NONE
 * and nobody is there any more.
 */
int screen_key(struct screen *sc, uint32_t timeout_ms);

/* The same without the keys that were put off; see screen_put_off. */
int screen_new_key(struct screen *sc, uint32_t timeout_ms);

/* Let screen_key give this key later, after those put off before it: at most KEYS_QUEUE. */
void screen_put_off(struct screen *sc, int key);

#endif
