/* SPDX-License-Identifier: MIT */
#include "core/menu/session.h"

#include <string.h>

#include "core/base/text.h"
#include "core/menu/chain.h"
#include "core/menu/cmdline.h"
#include "core/menu/parts.h"
#include "core/menu/saved.h"

#define GIVE_UP_MS   600000 /* GIVE_UP_TEXT the same */
#define GIVE_UP_TEXT "10 minutes"
#define ERROR_MAX    1024

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

/* What a menu's memory holds. */
struct loaded {
    struct arena arena;
    struct menu_file file;
    struct menu menu;
    struct menu_settings settings;
};

static void say_saved(const struct log *log, uint32_t entry)
{
    char line[64];
    struct text t = text_on(line, sizeof(line));

    text_str(&t, "menu: the saved default is entry ");
    text_u64(&t, entry);
    log_line(log, line);
}

static struct err read_menu(struct session *s, struct loaded *l, const char *name, char *subject,
                            size_t subject_cap)
{
    struct session_env *env = s->env;

    TRY(menu_locate(&l->file, env->vols, name, env->hd00, &l->arena, env->log, subject,
                    subject_cap));
    struct text t = text_on(subject, subject_cap);

    text_name(&t, l->file.name, strlen(l->file.name));
    TRY(menu_parse(&l->menu, l->file.text, l->file.len, &l->arena, env->log));
    if (l->menu.nr_entries == 0)
        return ERR(ERR_NO_MENU, "the file has no `title' line, so nothing to boot");
    menu_settings(&l->menu, &l->settings, env->log);
    if (l->settings.default_saved &&
        saved_default_choose(env->vols, &l->file, l->menu.nr_entries, &l->arena, env->log,
                             &l->settings.default_entry))
        say_saved(env->log, l->settings.default_entry);
    return OK;
}

/* "/x" in a menu is on that menu's volume; before there is one, the search finds where it is. */
static const char *on_menus_volume(struct session *s, const char *name, struct arena *a)
{
    char device[VOL_NAME_MAX], *full;
    struct text t;
    size_t cap;

    if (name == NULL || name[0] != '/' || s->menu.nr_entries == 0)
        return name;
    cap = strlen(name) + sizeof(device);
    full = arena_alloc(a, cap);
    if (full == NULL)
        return name;
    vol_format(s->env->vols, s->file.vol, device, sizeof(device));
    t = text_on(full, cap);
    text_str(&t, device);
    text_str(&t, name);
    return full;
}

struct err load_menu(struct session *s, const char *name, char *subject, size_t subject_cap)
{
    struct arena scratch; /* a menu's parts are too large for a small stack */
    struct loaded *l;
    struct err e;

    if (s->nr_menus == MENUS_MAX)
        return ERR1(ERR_LIMIT, "%a menus, one after the other: they seem to name each other",
                    MENUS_MAX);
    s->nr_menus++;
    arena_init(&scratch, s->env->memory);
    l = arena_alloc(&scratch, sizeof(*l));
    if (l == NULL)
        return arena_exhausted("no memory for the menu (%a bytes asked)", sizeof(*l));
    arena_init(&l->arena, s->env->memory);
    e = read_menu(s, l, on_menus_volume(s, name, &scratch), subject, subject_cap);
    if (failed(e)) {
        arena_reset(&l->arena);
    } else {
        arena_reset(&s->menu_arena);
        s->menu_arena = l->arena;
        s->file = l->file;
        s->menu = l->menu;
        s->settings = l->settings;
        s->authenticated = false; /* the other menu has a password of its own, or none */
    }
    arena_reset(&scratch);
    return e;
}

/* Does a key come in that many waits? That a terminal tells its size late is not one. */
static bool key_comes(struct session *s, uint32_t nr_waits)
{
    for (uint32_t i = 0; i < nr_waits; i++) {
        int key = screen_key(&s->screen, IDLE_MS);

        if (!s->screen.somebody)
            return false;
        if (key != KEY_NONE && key != KEY_SIZE)
            return true;
    }
    return false;
}

void press_any_key(struct session *s)
{
    screen_line(&s->screen, "Press any key to continue...");
    while (!key_comes(s, 1) && s->screen.somebody)
        ;
}

/*
 * After a failure: does somebody want the menu? What was typed once may have been noise on the
 * line, and a machine that nobody looks at must end, so that its host starts it again.
 */
static bool somebody_goes_on(struct session *s)
{
    screen_line(&s->screen, "Press any key to get back to the menu.");
    if (key_comes(s, GIVE_UP_MS / IDLE_MS))
        return true;
    if (s->screen.somebody)
        screen_line(&s->screen, "No key came for " GIVE_UP_TEXT "; nobody seems to be here.");
    return false;
}

/* Boot from the menu that is loaded; OK too when another one has been loaded (s->new_menu). */
static struct err run_menu(struct session *s)
{
    uint32_t entry = choose(s);
    char name[SUBJECT_MAX];
    struct text t = text_on(name, sizeof(name));
    struct err e;

    for (;;) {
        if (entry == CHOSE_NOTHING)
            return OK;
        e = boot_with_fallbacks(s, entry);
        if (!failed(e))
            return e;
        if (!s->screen.somebody || !somebody_goes_on(s))
            break;
        entry = choose_by_hand(s, entry, KEY_NONE);
        if (entry != CHOSE_NOTHING && !s->screen.somebody)
            break;
    }
    screen_str(&s->screen, "No entry of ");
    text_name(&t, s->file.name, strlen(s->file.name));
    screen_str(&s->screen, name);
    screen_line(&s->screen, t.cut ? "... could be booted." : " could be booted.");
    return e;
}

static void put_number(struct text *t, uint32_t v, uint32_t none)
{
    if (v == none)
        text_str(t, "none");
    else
        text_u64(t, v);
}

void session_failure_line(struct text *t, struct err e, uint32_t entry, uint32_t line_nr,
                          const char *object)
{
    text_str(t, "pvboot-failed: error=");
    if (e.code < ERR_NOT_MINE)
        text_u64(t, e.code);
    else
        text_str(t, err_name(e.code));
    text_str(t, " entry=");
    put_number(t, entry, SHELL_NO_ENTRY);
    text_str(t, " line=");
    put_number(t, line_nr, 0);
    text_str(t, " file=\"");
    for (const char *p = object; *p != '\0'; p++) {
        if (*p == '"')
            text_str(t, "\\x22");
        else
            text_char(t, *p);
    }
    text_char(t, '"');
}

static void say_failure(struct screen *sc, const struct failure *f)
{
    char buf[SHELL_OBJECT_MAX * 4 + 128]; /* a quote becomes \x22 */
    struct text t = text_on(buf, sizeof(buf));

    session_failure_line(&t, f->err, f->entry, f->line_nr, f->object);
    screen_line(sc, buf);
}

/* Start the guest's own boot loader, which was found. */
static struct err start_chain(struct session *s, struct boot_request *req)
{
    char subject[SUBJECT_MAX] = "";
    struct text t = text_on(req->cmdline, sizeof(req->cmdline));
    struct err e;

    text_str(&t, s->env->cmdline != NULL ? s->env->cmdline : "");
    text_str(&t, t.len > 0 ? " " CHAIN_MARK : CHAIN_MARK);
    screen_str(&s->screen, "There is no menu; starting the guest's own boot loader, ");
    screen_line(&s->screen, req->kernel_name);
    if (t.cut)
        e = ERR1(ERR_WONT_FIT, "with " CHAIN_MARK " the command line has more than %a bytes",
                 sizeof(req->cmdline) - 1);
    else
        e = s->env->boot(s->env->ctx, req, subject, sizeof(subject));
    if (failed(e)) {
        s->failure = (struct failure){.err = e, .entry = SHELL_NO_ENTRY};
        t = text_on(s->failure.object, sizeof(s->failure.object));
        text_str(&t, subject);
        show_error(s, e, subject);
    }
    return e;
}

/* No menu is on any disk: look for a boot loader of the guest's. e: the error so far. */
static struct err without_menu(struct session *s, struct err e)
{
    struct boot_request *req;
    struct arena arena;

    if (s->env->arch == NULL || s->env->menu_arg != NULL)
        return e;
    if (s->env->chained) {
        screen_line(&s->screen, "This pvboot was started by another one that found no menu: no "
                                "further boot loader is looked for.");
        return e;
    }
    arena_init(&arena, s->env->memory);
    req = arena_alloc(&arena, sizeof(*req));
    if (req != NULL)
        req->arena = &arena;
    if (req != NULL && chain_find(s->env->vols, s->env->arch, &arena, &req->kernel,
                                  req->kernel_name, sizeof(req->kernel_name)))
        e = start_chain(s, req);
    arena_reset(&arena);
    return e;
}

/* The first menu; OK too when without one the guest's own boot loader was started. */
static struct err first_menu(struct session *s)
{
    const char *arg = s->env->menu_arg;
    char subject[SUBJECT_MAX] = "";
    struct err e = load_menu(s, arg, subject, sizeof(subject));
    struct text t = text_on(s->failure.object, sizeof(s->failure.object));

    if (!failed(e))
        return e;
    text_name(&t, arg != NULL ? arg : "", arg != NULL ? strlen(arg) : 0);
    s->failure.err = e;
    s->failure.entry = SHELL_NO_ENTRY;
    show_error(s, e, subject);
    return e.code == ERR_NO_MENU ? without_menu(s, e) : e;
}

/* Nothing was found to boot. Who has typed already gets a command line; nobody is waited for. */
static bool rescue(struct session *s)
{
    uint32_t i = 0;

    while (i < PENDING_MAX && screen_key(&s->screen, 0) != KEY_NONE)
        i++;
    return s->screen.somebody && cmdline_run(s) == CONSOLE_DONE;
}

static struct err run(struct session *s)
{
    struct err e = first_menu(s);

    if (failed(e))
        e = rescue(s) ? OK : s->failure.err;
    while (!failed(e) && s->menu.nr_entries > 0) {
        s->new_menu = false;
        e = run_menu(s);
        if (!s->new_menu)
            break;
    }
    if (failed(e))
        say_failure(&s->screen, &s->failure);
    return e;
}

/* Not even a session could be made. */
static void say_no_memory(struct session_env *env, struct err e)
{
    const struct failure f = {.err = e, .entry = SHELL_NO_ENTRY};
    struct screen sc = {.env = env};
    char buf[ERROR_MAX];

    err_format(e, NULL, buf, sizeof(buf));
    screen_line(&sc, buf);
    say_failure(&sc, &f);
}

struct err session_run(struct session_env *env)
{
    struct arena arena;
    struct session *s;
    struct err e;

    arena_init(&arena, env->memory);
    s = arena_alloc(&arena, sizeof(*s)); /* too large for a small stack */
    if (s == NULL) {
        e = arena_exhausted("no memory for the menu (%a bytes asked)", sizeof(*s));
        say_no_memory(env, e);
        return e;
    }
    s->env = env;
    s->screen.env = env;
    s->say = (struct log){.ctx = &s->screen, .line = say_line};
    arena_init(&s->menu_arena, env->memory);
    e = run(s);
    arena_reset(&s->menu_arena);
    arena_reset(&arena);
    return e;
}
