/* SPDX-License-Identifier: MIT */
#include "core/menu/session.h"

#include <string.h>

#include "core/base/text.h"
#include "core/menu/commands.h"
#include "core/menu/locate.h"
#include "core/menu/menu.h"
#include "core/menu/screen.h"

#define ESC         27
#define SUBJECT_MAX 512
#define ERROR_MAX   1024
#define PENDING_MAX 256   /* bytes that may lie on the console before we look: more are not read */
#define IDLE_MS     60000 /* how long one wait lasts while somebody chooses */

struct session {
    struct screen screen;
    struct session_env *env;
    struct log say;      /* lines to the terminal */
    struct arena *arena; /* of the menu; attempts have their own */
    struct menu_file file;
    struct menu menu;
    struct menu_settings settings;
};

static void say_line(void *ctx, const char *text)
{
    screen_line(ctx, text);
}

/* The error as one line on the terminal. */
static void show_error(struct session *s, struct err e, const char *subject)
{
    char buf[ERROR_MAX];

    err_format(e, subject, buf, sizeof(buf));
    screen_str(&s->screen, "\r\n");
    screen_line(&s->screen, buf);
}

/* ---- choosing -------------------------------------------------------------------------------- */

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

/*
 * Somebody chooses; `key` is the first key they pressed, or KEY_NONE. Ends with Enter, or when the
 * terminal is gone: then `selected` boots.
 */
static uint32_t choose_by_hand(struct session *s, uint32_t selected, int key)
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

/* The first choice: by timeout, unless somebody interferes. */
static uint32_t choose(struct session *s)
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

/* ---- booting --------------------------------------------------------------------------------- */

static void say_booting(struct session *s, const struct menu_entry *entry)
{
    size_t len = strlen(entry->title);
    char buf[256];
    struct text t = text_on(buf, sizeof(buf));

    text_name(&t, entry->title, len);
    screen_str(&s->screen, "\r\n  Booting '");
    screen_str(&s->screen, buf);
    screen_line(&s->screen, t.cut ? "...'" : "'");
    screen_str(&s->screen, "\r\n");
}

/* One attempt: its memory ends with it. An error has been shown. */
static struct err boot_entry(struct session *s, uint32_t n)
{
    const struct menu_entry *entry = &s->menu.entries[n];
    char subject[SUBJECT_MAX] = "";
    struct arena arena;
    struct attempt attempt = {.vols = s->env->vols,
                              .say = &s->say,
                              .root = s->file.vol,
                              .subject = subject,
                              .subject_cap = sizeof(subject)};
    struct err e;

    say_booting(s, entry);
    arena_init(&arena, s->env->memory);
    attempt.req = arena_alloc(&arena, sizeof(*attempt.req));
    if (attempt.req == NULL) {
        e = arena_exhausted("no memory for a boot attempt (%a bytes asked)", sizeof(*attempt.req));
    } else {
        attempt.req->arena = &arena;
        e = entry_resolve(entry, &attempt);
        if (!failed(e)) {
            subject[0] = '\0';
            e = s->env->boot(s->env->ctx, attempt.req, subject, sizeof(subject));
        }
    }
    if (failed(e))
        show_error(s, e, subject);
    arena_reset(&arena);
    return e;
}

static void say_fallback(struct session *s, const char *what, uint32_t n, const char *then)
{
    screen_str(&s->screen, what);
    screen_u64(&s->screen, n);
    screen_line(&s->screen, then);
}

/* Boot entry n, then the entries of the fallback list. Returns the last error. */
static struct err boot_with_fallbacks(struct session *s, uint32_t n)
{
    const struct menu_settings *set = &s->settings;
    struct err e = boot_entry(s, n);

    for (uint32_t i = 0; failed(e) && i < set->nr_fallbacks; i++) {
        uint32_t next = set->fallbacks[i];
        bool tried = next == n;

        for (uint32_t j = 0; j < i; j++)
            tried = tried || set->fallbacks[j] == next;
        if (next >= s->menu.nr_entries) {
            say_fallback(s, "Fallback ", next, " is passed over: the menu has no such entry.");
        } else if (tried) {
            say_fallback(s, "Fallback ", next, " is passed over: it has failed already.");
        } else {
            say_fallback(s, "Falling back to entry ", next, ".");
            e = boot_entry(s, next);
        }
    }
    return e;
}

static struct err load_menu(struct session *s, char *subject, size_t subject_cap)
{
    struct session_env *env = s->env;

    TRY(menu_locate(&s->file, env->vols, env->menu_arg, env->hd00, s->arena, env->log, subject,
                    subject_cap));
    struct text t = text_on(subject, subject_cap);

    text_str(&t, s->file.name);
    TRY(menu_parse(&s->menu, s->file.text, s->file.len, s->arena, env->log));
    if (s->menu.nr_entries == 0)
        return ERR(ERR_NO_MENU, "the file has no `title' line, so nothing to boot");
    menu_settings(&s->menu, &s->settings, env->log);
    return OK;
}

static struct err run(struct session *s)
{
    char subject[SUBJECT_MAX] = "";
    struct err e = load_menu(s, subject, sizeof(subject));
    uint32_t entry;

    if (failed(e)) {
        show_error(s, e, subject);
        return e;
    }
    entry = choose(s);
    for (;;) {
        e = boot_with_fallbacks(s, entry);
        if (!failed(e))
            return e;
        if (!s->screen.somebody)
            break;
        screen_line(&s->screen, "Press any key to get back to the menu.");
        while (screen_key(&s->screen, IDLE_MS) == KEY_NONE && s->screen.somebody)
            ;
        if (!s->screen.somebody)
            break;
        entry = choose_by_hand(s, entry, KEY_NONE);
        if (!s->screen.somebody)
            break;
    }
    screen_str(&s->screen, "No entry of ");
    screen_str(&s->screen, s->file.name);
    screen_line(&s->screen, " could be booted.");
    return e;
}

struct err session_run(struct session_env *env)
{
    struct arena arena;
    struct session *s;
    struct err e;

    arena_init(&arena, env->memory);
    s = arena_alloc(&arena, sizeof(*s)); /* too large for a small stack */
    if (s == NULL)
        return arena_exhausted("no memory for the menu (%a bytes asked)", sizeof(*s));
    s->env = env;
    s->arena = &arena;
    s->screen.env = env;
    s->say = (struct log){.ctx = &s->screen, .line = say_line};
    e = run(s);
    arena_reset(&arena);
    return e;
}
