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

bool shell_init(struct session *s, struct shell *sh, struct arena *arena, uint32_t entry,
                char *subject, size_t subject_cap)
{
    *sh = (struct shell){.vols = s->env->vols,
                         .env = s->env,
                         .say = &s->say,
                         .screen = &s->screen,
                         .said = &s->settings.said,
                         .file = &s->file,
                         .settings = &s->settings,
                         .root = s->file.vol,
                         .entry = entry,
                         .authenticated = s->authenticated,
                         .subject = subject,
                         .subject_cap = subject_cap};
    sh->req = arena_alloc(arena, sizeof(*sh->req));
    if (sh->req == NULL)
        return false;
    sh->req->arena = arena;
    shell_begin(sh);
    return true;
}

static struct err power(const struct session *s, enum session_power how)
{
    if (s->env->power == NULL)
        return OK; /* no machine, so this is the end of it */
    return s->env->power(s->env->ctx, how);
}

struct err shell_finish(struct session *s, struct shell *sh)
{
    struct err e;

    shell_about(sh, "", 0);
    switch (sh->next) {
    case SHELL_HALT:
        return power(s, SESSION_POWER_OFF);
    case SHELL_REBOOT:
        return power(s, SESSION_REBOOT);
    case SHELL_MENU:
        shell_about(sh, sh->menu_name, strlen(sh->menu_name));
        if (sh->entry == SHELL_NO_ENTRY)
            s->nr_menus = 0; /* somebody types: that is no loop */
        TRY(load_menu(s, sh->menu_name, sh->subject, sh->subject_cap));
        s->new_menu = true;
        return OK;
    default:
        break;
    }
    if (!sh->has_kernel)
        return ERR(ERR_BOOT_COMMAND, "there was no `kernel' line");
    e = s->env->boot(s->env->ctx, sh->req, sh->subject, sh->subject_cap);
    if (failed(e)) { /* it has written the subject alone, which is a file's name */
        struct text t = text_on(sh->object, sizeof(sh->object));

        text_str(&t, sh->subject);
    }
    return e;
}

void shell_show_error(struct session *s, struct shell *sh, struct err e)
{
    s->failure = (struct failure){.err = e, .entry = sh->entry, .line_nr = sh->line_nr};
    memcpy(s->failure.object, sh->object, sizeof(sh->object));
    show_error(s, e, sh->subject);
}

/* 1 + the number of the entry whose lines were edited: its title is where it was. */
static uint32_t edited_from(const struct session *s, const struct menu_entry *entry)
{
    for (uint32_t i = 0; i < s->menu.nr_entries; i++) {
        if (s->menu.entries[i].line_nr == entry->line_nr)
            return i + 1;
    }
    return 0;
}

struct err boot_entry(struct session *s, const struct menu_entry *entry, uint32_t number)
{
    char subject[SUBJECT_MAX] = "";
    struct arena arena;
    struct shell shell;
    struct err e;

    say_booting(s, entry);
    arena_init(&arena, s->env->memory);
    if (!shell_init(s, &shell, &arena, number, subject, sizeof(subject))) {
        e = arena_exhausted("no memory for a boot attempt (%a bytes asked)", sizeof(*shell.req));
    } else {
        shell.edited = number == SHELL_NO_ENTRY ? edited_from(s, entry) : 0;
        e = shell_run_entry(&shell, entry);
        if (!failed(e))
            e = shell_finish(s, &shell);
    }
    if (failed(e))
        shell_show_error(s, &shell, e);
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
