/* SPDX-License-Identifier: MIT */
#include "core/menu/screen.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"

#define SIZE_WAIT_MS 300 /* for an answer; over a slow line it comes later, as a key */
#define SIZE_ABSURD  999 /* where we send the cursor: a terminal that gets there has no edge */

void screen_str(struct screen *sc, const char *s)
{
    sc->env->put(sc->env->ctx, s, strlen(s));
}

void screen_u64(struct screen *sc, uint64_t v)
{
    char buf[24];
    struct text t = text_on(buf, sizeof(buf));

    text_u64(&t, v);
    screen_str(sc, buf);
}

void screen_line(struct screen *sc, const char *s)
{
    screen_str(sc, s);
    screen_str(sc, "\r\n");
}

static uint32_t between(uint32_t v, uint32_t low, uint32_t high)
{
    return v < low ? low : v > high ? high : v;
}

bool screen_told_size(struct screen *sc, uint32_t rows, uint32_t cols)
{
    if (!sc->asked || rows < 2 || cols < 2 || rows >= SIZE_ABSURD || cols >= SIZE_ABSURD)
        return false;
    sc->asked = false;
    sc->silent = false;
    sc->rows = between(rows, SCREEN_ROWS_MIN, SCREEN_ROWS_MAX);
    sc->cols = between(cols, SCREEN_COLS_MIN, SCREEN_COLS_MAX);
    return true;
}

void screen_ask_size(struct screen *sc)
{
    sc->asked = true;
    sc->drawn = true;
    screen_str(sc, "\033[999;999H\033[6n");
    /* With the queue full somebody pastes: the answer comes after that, as a key. */
    while (!sc->silent && sc->keys.nr_keys < KEYS_QUEUE) {
        int key = screen_new_key(sc, SIZE_WAIT_MS);

        if (key == KEY_SIZE)
            return;
        if (key == KEY_NONE)
            sc->silent = true;
        else
            screen_put_off(sc, key);
    }
}

void screen_at(struct screen *sc, uint32_t row, uint32_t col)
{
    sc->drawn = true;
    screen_str(sc, "\033[");
    screen_u64(sc, (uint64_t)row + 1);
    screen_str(sc, ";");
    screen_u64(sc, (uint64_t)col + 1);
    screen_str(sc, "H");
}

void screen_clear(struct screen *sc)
{
    sc->drawn = true;
    screen_str(sc, "\033[0m\033[H\033[2J");
}

void screen_clear_below(struct screen *sc)
{
    screen_str(sc, "\033[J");
}

void screen_clear_right(struct screen *sc)
{
    screen_str(sc, "\033[K");
}

void screen_reverse(struct screen *sc, bool on)
{
    screen_str(sc, on ? "\033[7m" : "\033[0m");
}

void screen_leave(struct screen *sc)
{
    if (!sc->drawn)
        return;
    sc->drawn = false;
    /* Also when the terminal is gone: who attaches to the console next finds it clean. */
    screen_str(sc, "\033[0m\033[H\033[2J\r\n");
}
