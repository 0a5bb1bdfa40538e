/* SPDX-License-Identifier: MIT */
/* Which entry: by timeout, or by somebody's keys. */
#include "core/menu/parts.h"

#define ESC         27
#define PENDING_MAX 256 /* bytes that may lie on the console before we look: more are not read */

/*
 * Count down one number a second, on one line that only grows: it reads well in a log. Returns the
 * key that ended it, or KEY_NONE. only_esc: other keys do not end it.
 */
static int count_down(struct session *s, const char *before, const char *after, bool only_esc)
{
    uint32_t left = s->settings.timeout_s;
    int key = KEY_NONE;

    screen_str(&s->screen, before);
    screen_u64(&s->screen, left);
    screen_str(&s->screen, after);
    while (left > 0) {
        key = screen_key(&s->screen, 1000);
        if (key != KEY_NONE && (!only_esc || key == ESC))
            break;
        left--;
        if (left > 0 && (left <= 10 || left % 10 == 0)) {
            screen_str(&s->screen, " ");
            screen_u64(&s->screen, left);
        }
    }
    screen_str(&s->screen, "\r\n");
    return key == ESC || !only_esc ? key : KEY_NONE;
}

/* timeout 0: was ESC pressed before now? */
static bool esc_pending(struct session *s)
{
    for (uint32_t i = 0; i < PENDING_MAX; i++) {
        int key = screen_key(&s->screen, 0);

        if (key == ESC)
            return true;
        if (key == KEY_NONE)
            return false;
    }
    return false;
}

/* Typed digits select: "12" goes to 1, then to 12, where there are that many. */
static uint32_t digit_selects(uint32_t *number, uint32_t digit, uint32_t nr, uint32_t selected)
{
    uint64_t longer = (uint64_t)*number * 10 + digit;

    *number = longer < nr ? (uint32_t)longer : digit;
    return *number < nr ? *number : selected;
}

/* Move by a key. *number collects typed digits. */
static uint32_t moved(const struct menu *m, uint32_t selected, int key, uint32_t *number)
{
    uint32_t last = m->nr_entries - 1;

    if (key >= '0' && key <= '9')
        return digit_selects(number, (uint32_t)(key - '0'), m->nr_entries, selected);
    *number = 0;
    switch (key) {
    case KEY_UP:
    case 'P' - '@':
        return selected > 0 ? selected - 1 : 0;
    case KEY_DOWN:
    case 'N' - '@':
        return selected < last ? selected + 1 : last;
    case KEY_HOME:
        return 0;
    case KEY_END:
        return last;
    case KEY_PAGE_UP:
        return selected > SCREEN_ROWS ? selected - SCREEN_ROWS : 0;
    case KEY_PAGE_DOWN:
        return last - selected > SCREEN_ROWS ? selected + SCREEN_ROWS : last;
    default:
        return selected;
    }
}

uint32_t choose_by_hand(struct session *s, uint32_t selected, int key)
{
    uint32_t number = 0;

    while (key != '\r' && key != '\n') {
        selected = moved(&s->menu, selected, key, &number);
        screen_menu(&s->screen, &s->menu, selected);
        screen_line(&s->screen, "Arrows or a number select an entry, Enter boots it.");
        do
            key = screen_key(&s->screen, IDLE_MS);
        while (key == KEY_NONE && s->screen.somebody);
        if (key == KEY_NONE)
            break;
    }
    return selected;
}

uint32_t choose(struct session *s)
{
    uint32_t entry = s->settings.default_entry;
    int key;

    if (s->settings.timeout_s == 0)
        return esc_pending(s) ? choose_by_hand(s, entry, KEY_NONE) : entry;
    if (s->settings.hidden) {
        key = count_down(s, "Press `ESC' to enter the menu... ", "", true);
        return key == ESC ? choose_by_hand(s, entry, KEY_NONE) : entry;
    }
    screen_menu(&s->screen, &s->menu, entry);
    key =
        count_down(s, "The highlighted entry will be booted automatically in ", " seconds.", false);
    return key == KEY_NONE ? entry : choose_by_hand(s, entry, key);
}
