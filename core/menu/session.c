/* SPDX-License-Identifier: MIT */
#include "core/menu/session.h"

#include <string.h>

#include "core/base/text.h"
#include "core/menu/parts.h"

#define ERROR_MAX 1024

static void say_line(void *ctx, const char *text)
{
    screen_line(ctx, text);
}

void show_error(struct session *s, struct err e, const char *subject)
{
    char buf[ERROR_MAX];

    err_format(e, subject, buf, sizeof(buf));
    screen_str(&s->screen, "\r\n");
    screen_line(&s->screen, buf);
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

/* Until somebody types or is gone. That a terminal tells its size late is not a key. */
static void wait_for_key(struct session *s)
{
    int key;

    do
        key = screen_key(&s->screen, IDLE_MS);
    while ((key == KEY_NONE && s->screen.somebody) || key == KEY_SIZE);
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
        wait_for_key(s);
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
