/* SPDX-License-Identifier: MIT */
/* One entry after the other, until one boots. */
#include <string.h>

#include "core/base/text.h"
#include "core/menu/parts.h"

static void say_booting(struct session *s, const struct menu_entry *entry)
{
    size_t len = strlen(entry->title);
    char buf[256];
    struct text t = text_on(buf, sizeof(buf));

    text_name(&t, entry->title, len);
    screen_leave(&s->screen);
    screen_str(&s->screen, "\r\n  Booting '");
    screen_str(&s->screen, buf);
    screen_line(&s->screen, t.cut ? "...'" : "'");
    screen_str(&s->screen, "\r\n");
}

struct err boot_entry(struct session *s, const struct menu_entry *entry, uint32_t number)
{
    char subject[SUBJECT_MAX] = "";
    struct arena arena;
    struct shell shell = {.vols = s->env->vols,
                          .say = &s->say,
                          .screen = &s->screen,
                          .file = &s->file,
                          .settings = &s->settings,
                          .root = s->file.vol,
                          .entry = number,
                          .subject = subject,
                          .subject_cap = sizeof(subject)};
    struct err e;

    say_booting(s, entry);
    arena_init(&arena, s->env->memory);
    shell.req = arena_alloc(&arena, sizeof(*shell.req));
    if (shell.req == NULL) {
        e = arena_exhausted("no memory for a boot attempt (%a bytes asked)", sizeof(*shell.req));
    } else {
        shell.req->arena = &arena;
        e = shell_run_entry(&shell, entry);
        if (!failed(e)) {
            subject[0] = '\0';
            e = s->env->boot(s->env->ctx, shell.req, subject, sizeof(subject));
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

struct err boot_with_fallbacks(struct session *s, uint32_t n)
{
    const struct menu_settings *set = &s->settings;
    struct err e = boot_entry(s, &s->menu.entries[n], n);

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
            e = boot_entry(s, &s->menu.entries[next], next);
        }
    }
    return e;
}
