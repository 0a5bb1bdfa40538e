/* SPDX-License-Identifier: MIT */
#include "core/menu/cmdline.h"

#include <string.h>

#include "core/menu/lex.h"

struct cmdline {
    struct session *s;
    struct pager pager;
    struct completer completer;
    struct shell shell;
    struct arena attempt; /* of the shell */
    char line[EDIT_LINE_MAX];
    char subject[SUBJECT_MAX];
};

void cmdline_say_keys(struct screen *sc, bool can_leave)
{
    screen_line(sc, " [ Minimal BASH-like line editing is supported. For the first word, TAB");
    screen_line(sc, "   lists possible command completions. Anywhere else TAB lists the possible");
    screen_str(sc, "   completions of a device/filename.");
    screen_line(sc, can_leave ? " ESC at any time exits. ]" : " ]");
    screen_line(sc, "");
}

/* A new shell, with that root. False: no memory. */
static bool begin(struct cmdline *c, struct vol_id root)
{
    arena_init(&c->attempt, c->s->env->memory);
    if (!shell_init(c->s, &c->shell, &c->attempt, SHELL_NO_ENTRY, c->subject, sizeof(c->subject)))
        return false;
    c->shell.say = &c->pager.log;
    c->shell.pager = &c->pager;
    c->shell.root = root;
    return true;
}

/* All that the attempt has taken goes back. */
static bool begin_again(struct cmdline *c)
{
    struct vol_id root = c->shell.root;

    arena_reset(&c->attempt);
    return begin(c, root);
}

/* True: it is done; something boots. */
static bool run_line(struct cmdline *c)
{
    struct menu_command command = {.line = c->line};
    size_t len = lex_trim(&command.line);
    struct err e;

    c->line[(size_t)(command.line - c->line) + len] = '\0';

    if (command.line[0] == '\0' || command.line[0] == '#')
        return false;
    lex_split(command.line, &command.name_len, &command.args);
    if (!command_is_secret(&command))
        edit_remember(&c->s->edit_memory, command.line);
    pager_begin(&c->pager);
    e = shell_run(&c->shell, &command);
    if (!failed(e) && c->shell.next == SHELL_GO_ON)
        return false;
    if (!failed(e)) {
        e = shell_finish(c->s, &c->shell);
        if (!failed(e))
            return true;
    }
    shell_show_error(c->s, &c->shell, e);
    return false;
}

static enum console_end run(struct cmdline *c, bool can_leave)
{
    const struct edit_options options = {.prompt = "pvboot> ",
                                         .memory = &c->s->edit_memory,
                                         .complete = complete_line,
                                         .ctx = &c->completer};

    for (;;) {
        enum edit_end end;

        c->completer.root = c->shell.root;
        c->line[0] = '\0';
        end = edit_line(&c->s->screen, &options, c->line, sizeof(c->line));
        if (end == EDIT_GONE)
            return CONSOLE_GONE;
        if (end == EDIT_CANCELLED && can_leave)
            return CONSOLE_BACK;
        if (end == EDIT_DONE && run_line(c))
            return CONSOLE_DONE;
        /* What boots has been tried, and has failed. */
        if (c->shell.next != SHELL_GO_ON && !begin_again(c))
            return CONSOLE_BACK;
    }
}

enum console_end cmdline_run(struct session *s)
{
    bool can_leave = s->menu.nr_entries > 0;
    struct vol_id root = can_leave ? s->file.vol : (struct vol_id){0, VOL_WHOLE};
    enum console_end end = CONSOLE_BACK;
    struct arena arena;
    struct cmdline *c;

    screen_leave(&s->screen);
    cmdline_say_keys(&s->screen, can_leave);
    arena_init(&arena, s->env->memory);
    c = arena_alloc(&arena, sizeof(*c)); /* too large for a small stack */
    if (c != NULL) {
        c->s = s;
        pager_init(&c->pager, &s->screen);
        c->completer = (struct completer){.pager = &c->pager, .vols = s->env->vols};
        if (begin(c, root))
            end = run(c, can_leave);
        else
            screen_line(&s->screen, "There is no memory for a command line.");
        arena_reset(&c->attempt);
    }
    arena_reset(&arena);
    return end;
}
