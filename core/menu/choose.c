/* SPDX-License-Identifier: MIT */
/* Which entry: by timeout, or by somebody's keys. */
#include <string.h>

#include "core/base/text.h"
#include "core/menu/ask.h"
#include "core/menu/cmdline.h"
#include "core/menu/entry_edit.h"
#include "core/menu/parts.h"

/*
 * The keys that open a hidden menu: GRUB's ESC, and F4, which GRUB 2 takes beside it. Its third,
 * Shift, is no byte on a console. ESC with a letter right behind it is Alt only to a person.
 */
static bool opens_menu(int key)
{
    return key == KEY_ESC || key == KEY_F4 || (key >= KEY_ALT && key < 2 * KEY_ALT);
}

#define TENTH_MS 100

/*
 * A key that ends the countdown within this second, or KEY_NONE. hidden: only one that opens the
 * menu does. Any other one costs the rest of its tenth of a second, so that a line which never
 * stops sending holds nothing up, and who tries some keys still has time for the right one.
 */
static int key_this_second(struct session *s, bool hidden)
{
    for (uint32_t i = 0; i < 1000 / TENTH_MS; i++) {
        int key = screen_key(&s->screen, TENTH_MS);

        if (key != KEY_NONE && (!hidden || opens_menu(key)))
            return key;
    }
    return KEY_NONE;
}

/*
 * Count down one number a second, on one line that only grows: it reads well in a log. Returns the
 * key that ended it, or KEY_NONE.
 */
static int count_down(struct session *s, const char *before, const char *after, bool hidden)
{
    uint32_t left = s->settings.timeout_s;
    int key = KEY_NONE;

    screen_str(&s->screen, before);
    screen_u64(&s->screen, left);
    screen_str(&s->screen, after);
    while (left > 0) {
        key = key_this_second(s, hidden);
        if (key != KEY_NONE)
            break;
        left--;
        if (left > 0 && (left <= 10 || left % 10 == 0)) {
            screen_str(&s->screen, " ");
            screen_u64(&s->screen, left);
        }
    }
    screen_str(&s->screen, "\r\n");
    return left > 0 ? key : KEY_NONE;
}

/* timeout 0: was a key that opens the menu pressed before now? */
static bool menu_wanted(struct session *s)
{
    for (uint32_t i = 0; i < PENDING_MAX; i++) {
        int key = screen_key(&s->screen, 0);

        if (key == KEY_NONE)
            return false;
        if (opens_menu(key))
            return true;
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
static uint32_t moved(const struct session *s, uint32_t selected, int key, uint32_t *number)
{
    if (key >= '0' && key <= '9')
        return digit_selects(number, (uint32_t)(key - '0'), s->menu.nr_entries, selected);
    *number = 0;
    return list_moved(&s->screen, &s->list, selected, key);
}

/* The terminal shows something else, or may have another size: draw all of it. */
static void look_again(struct session *s)
{
    screen_ask_size(&s->screen);
    list_forget(&s->list);
}

enum act { STAY, BOOT, DONE };

/* A tool of the menu has ended. When the terminal is gone the selected entry boots. */
static enum act after(struct session *s, enum console_end end)
{
    if (end != CONSOLE_BACK)
        return end == CONSOLE_DONE ? DONE : BOOT;
    look_again(s);
    return STAY;
}

/* The error on a cleared terminal, until somebody has read it. */
static void show_failure(struct session *s, struct err e, const char *subject)
{
    screen_leave(&s->screen);
    show_error(s, e, subject);
    press_any_key(s);
}

/* Ask for the menu's password, which may lead to another menu. */
static enum act unlock(struct session *s)
{
    const char *menu = s->settings.password_menu;
    char subject[SUBJECT_MAX] = "";
    struct err e;

    screen_leave(&s->screen);
    e = ask_password(&s->screen, &s->settings.password);
    if (failed(e)) {
        screen_line(&s->screen, "Failed!"); /* GRUB's word */
    } else {
        s->authenticated = true;
        if (menu != NULL && menu[0] != '\0') {
            struct text t = text_on(subject, sizeof(subject));

            text_name(&t, menu, strlen(menu)); /* of an error that knows no better */
            e = load_menu(s, menu, subject, sizeof(subject));
            s->new_menu = !failed(e);
        }
    }
    if (s->new_menu)
        return DONE;
    if (failed(e) && s->screen.somebody)
        show_failure(s, e, subject[0] != '\0' ? subject : NULL);
    if (!s->screen.somebody)
        return BOOT;
    s->list.locked = session_locked(s);
    look_again(s);
    return STAY;
}

/* What a key does beside moving. Here each key of the menu has its one place. */
static enum act act_on(struct session *s, uint32_t selected, int key)
{
    switch (key) {
    case '\r':
    case '\n':
    case KEY_RIGHT: /* as in GRUB */
    case KEY_CTRL('F'):
    case 'b':
        return BOOT;
    case 'e':
        return session_locked(s) ? STAY : after(s, entry_edit(s, selected));
    case 'a':
        return session_locked(s) ? STAY : after(s, entry_edit_arguments(s, selected));
    case 'c':
        return session_locked(s) ? STAY : after(s, cmdline_run(s));
    case 'p':
        return session_locked(s) ? unlock(s) : STAY;
    case KEY_CTRL('L'):
        look_again(s);
        return STAY;
    case KEY_SIZE:
        list_forget(&s->list);
        return STAY;
    default:
        return STAY;
    }
}

/* Draw the menu for somebody; the terminal is asked for its size first. */
static void open_list(struct session *s)
{
    s->list.menu = &s->menu;
    s->list.settings = &s->settings;
    s->list.heading = s->env->heading != NULL ? s->env->heading : "pvboot";
    s->list.locked = session_locked(s);
    s->list.counting = false;
    look_again(s);
}

uint32_t choose_by_hand(struct session *s, uint32_t selected, int key)
{
    uint32_t number = 0;
    enum act act;

    if (!s->screen.somebody)
        return selected;
    s->nr_menus = 0; /* somebody has pressed a key: menus that follow are no loop */
    open_list(s);
    while ((act = act_on(s, selected, key)) == STAY) {
        selected = moved(s, selected, key, &number);
        list_show(&s->screen, &s->list, selected);
        do
            key = screen_key(&s->screen, IDLE_MS);
        while (key == KEY_NONE && s->screen.somebody);
        if (key == KEY_NONE)
            break;
    }
    screen_leave(&s->screen);
    return act == DONE ? CHOSE_NOTHING : selected;
}

/* The menu with its timeout where somebody has typed already: the countdown stands in its place. */
static int count_down_drawn(struct session *s, uint32_t selected)
{
    uint32_t left = s->settings.timeout_s;
    int key = KEY_NONE;

    open_list(s);
    while (left > 0) {
        list_countdown(&s->screen, &s->list, true, left);
        list_show(&s->screen, &s->list, selected);
        key = screen_key(&s->screen, 1000);
        if (key == KEY_SIZE)
            list_forget(&s->list);
        else if (key == KEY_NONE)
            left--;
        else
            break;
    }
    list_countdown(&s->screen, &s->list, false, 0);
    return left > 0 ? key : KEY_NONE;
}

uint32_t choose(struct session *s)
{
    uint32_t entry = s->settings.default_entry;
    int key;

    if (s->settings.timeout_s == 0)
        return menu_wanted(s) ? choose_by_hand(s, entry, KEY_NONE) : entry;
    if (s->settings.hidden) {
        key = count_down(s, "Press `ESC' to enter the menu... ", "", true);
        return key == KEY_NONE ? entry : choose_by_hand(s, entry, KEY_NONE);
    }
    if (s->screen.somebody) {
        key = count_down_drawn(s, entry);
    } else {
        list_lines(&s->screen, &s->menu, entry);
        key = count_down(s, "The highlighted entry will be booted automatically in ", " seconds.",
                         false);
    }
    if (key != KEY_NONE)
        return choose_by_hand(s, entry, key);
    screen_leave(&s->screen);
    return entry;
}
