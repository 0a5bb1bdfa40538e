/* SPDX-License-Identifier: MIT */
#include "core/menu/screen.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"

#define ESC            27
#define ESC_REST_MS    100 /* the rest of a key's escape sequence comes within this time */
#define ESC_PARAMS_MAX 8   /* bytes between ESC [ and the final byte of a sequence */
#define TITLE_SHOWN    72  /* of a title in the list; an 80-column line is not exceeded */

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

static int next_byte(struct screen *sc, uint32_t timeout_ms)
{
    int c = sc->env->get(sc->env->ctx, timeout_ms);

    if (c == SESSION_GONE)
        sc->somebody = false;
    if (c < 0)
        return KEY_NONE;
    sc->somebody = true;
    return c & 0xff;
}

/* "ESC [ 5 ~": the keys with a number. */
static int numbered_key(const char *params, size_t len)
{
    switch (len == 1 ? params[0] : 0) {
    case '1':
    case '7':
        return KEY_HOME;
    case '4':
    case '8':
        return KEY_END;
    case '3':
        return KEY_DELETE;
    case '5':
        return KEY_PAGE_UP;
    case '6':
        return KEY_PAGE_DOWN;
    default:
        return KEY_OTHER;
    }
}

/* What follows ESC [ or ESC O. A sequence that we do not know is eaten whole. */
static int sequence_key(struct screen *sc)
{
    char params[ESC_PARAMS_MAX];
    size_t len = 0;

    while (len < sizeof(params)) {
        int c = next_byte(sc, ESC_REST_MS);

        switch (c) {
        case KEY_NONE:
            return KEY_NONE;
        case 'A':
            return KEY_UP;
        case 'B':
            return KEY_DOWN;
        case 'C':
            return KEY_RIGHT;
        case 'D':
            return KEY_LEFT;
        case 'H':
            return KEY_HOME;
        case 'F':
            return KEY_END;
        case '~':
            return numbered_key(params, len);
        default:
            if (c >= 0x40 && c <= 0x7e) /* the final byte of another key */
                return KEY_OTHER;
            params[len++] = (char)c;
        }
    }
    return KEY_NONE;
}

int screen_key(struct screen *sc, uint32_t timeout_ms)
{
    int c = next_byte(sc, timeout_ms);

    if (c != ESC)
        return c;
    c = next_byte(sc, ESC_REST_MS);
    if (c == '[' || c == 'O')
        return sequence_key(sc);
    return c > 0x20 && c < 0x7f ? KEY_ALT | c : KEY_ESC;
}

static void show_entry(struct screen *sc, const struct menu *m, uint32_t i, bool selected)
{
    char buf[TITLE_SHOWN + 8];
    struct text t = text_on(buf, TITLE_SHOWN);
    const char *title = m->entries[i].title;

    text_name(&t, title, strlen(title));
    if (t.cut) { /* say that it goes on */
        t.cap = sizeof(buf);
        text_str(&t, "...");
    }
    screen_str(sc, selected && sc->somebody ? "\033[7m" : "");
    screen_str(sc, selected ? " > " : "   ");
    screen_u64(sc, i);
    screen_str(sc, "  ");
    screen_str(sc, buf);
    screen_str(sc, selected && sc->somebody ? "\033[0m" : "");
    screen_str(sc, "\r\n");
}

static void show_hidden(struct screen *sc, uint32_t nr, const char *where)
{
    if (nr == 0)
        return;
    screen_str(sc, "   ... ");
    screen_u64(sc, nr);
    screen_str(sc, where);
}

void screen_menu(struct screen *sc, const struct menu *m, uint32_t selected)
{
    uint32_t first = selected < SCREEN_ROWS / 2 ? 0 : selected - SCREEN_ROWS / 2;
    uint32_t end;

    if (m->nr_entries > SCREEN_ROWS && first > m->nr_entries - SCREEN_ROWS)
        first = m->nr_entries - SCREEN_ROWS;
    if (m->nr_entries <= SCREEN_ROWS)
        first = 0;
    end = (uint32_t)min_u64(m->nr_entries, (uint64_t)first + SCREEN_ROWS);
    if (sc->somebody)
        screen_str(sc, "\033[H\033[2J");
    screen_str(sc, "\r\n");
    show_hidden(sc, first, " entries above\r\n");
    for (uint32_t i = first; i < end; i++)
        show_entry(sc, m, i, i == selected);
    show_hidden(sc, m->nr_entries - end, " entries below\r\n");
    screen_str(sc, "\r\n");
}
