/* SPDX-License-Identifier: MIT */
/*
 * The terminal of a session, for writing: lines, and once somebody has typed also places.
 *
 * Until somebody has typed, what is written are plain lines that a log shows as they are. Escape
 * sequences come only then, and only those that every terminal since the VT100 knows (sources:
 * ECMA-48, the VT100 user guide):
 *
 *     CSI row ; column H   CSI H   CSI 2 J   CSI J   CSI K   CSI 0 m, 7 m, 30-37, 40-47, 1, 5 m
 *     CSI 6 n, which asks for the cursor's place
 *
 * Nothing is ever switched on that outlives screen_leave: no scroll region, no hidden cursor.
 */
#ifndef PVBOOT_MENU_SCREEN_H
#define PVBOOT_MENU_SCREEN_H

#include "core/menu/keys.h"
#include "core/menu/session.h"

#define SCREEN_ROWS     24 /* where the terminal does not say */
#define SCREEN_COLS     80
#define SCREEN_ROWS_MIN 5 /* what a smaller one is taken for */
#define SCREEN_COLS_MIN 20
#define SCREEN_ROWS_MAX 60 /* of a larger one the upper left part is used */
#define SCREEN_COLS_MAX 200

struct screen {
    struct session_env *env;
    bool somebody;       /* a byte has come, and the terminal is still there */
    bool drawn;          /* something was put at a place: screen_leave has to come */
    bool asked;          /* for the size; the answer may still come */
    bool silent;         /* it did not answer once: do not wait for it again */
    uint32_t rows, cols; /* 0: not known, taken as SCREEN_ROWS and SCREEN_COLS */
    struct keys keys;
};

void screen_str(struct screen *sc, const char *s);
void screen_u64(struct screen *sc, uint64_t v);
void screen_line(struct screen *sc, const char *s);

static inline uint32_t screen_rows(const struct screen *sc)
{
    return sc->rows > 0 ? sc->rows : SCREEN_ROWS;
}

static inline uint32_t screen_cols(const struct screen *sc)
{
    return sc->cols > 0 ? sc->cols : SCREEN_COLS;
}

/*
 * Ask the terminal for its size and wait a moment for the answer; keys that come meanwhile are put
 * off. An answer that comes later is a KEY_SIZE. Draws nothing, but leaves the cursor anywhere.
 */
void screen_ask_size(struct screen *sc);

/* keys.c: an answer has come. False when nobody asked, or when no terminal has such a size. */
bool screen_told_size(struct screen *sc, uint32_t rows, uint32_t cols);

/* Places count from 0. What is written must not go past screen_cols - 1. */
void screen_at(struct screen *sc, uint32_t row, uint32_t col);
void screen_clear(struct screen *sc);            /* everything; the cursor is at 0, 0 */
void screen_clear_below(struct screen *sc);      /* from the cursor on */
void screen_clear_right(struct screen *sc);      /* the rest of the cursor's line */
void screen_reverse(struct screen *sc, bool on); /* on: swapped colours; off: all as usual */

/*
 * Lines of text follow: as the screen was before anything was put at a place, but empty. Safe to
 * call at any time; writes nothing when nothing is drawn.
 */
void screen_leave(struct screen *sc);

#endif
