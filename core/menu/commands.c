/* SPDX-License-Identifier: MIT */
/* Commands as they run: the global ones in one go, those of an entry one by one. */
#include <string.h>

#include "core/menu/cmd.h"
#include "core/menu/lex.h"

#define COMPLAINT_MAX 256

/* "menu line 3: `color': " and then what. */
static void complain(const struct log *log, const struct menu_command *c, const char *what)
{
    char buf[COMPLAINT_MAX];
    struct text t = text_on(buf, sizeof(buf));

    if (c->line_nr > 0) {
        text_str(&t, "menu line ");
        text_u64(&t, c->line_nr);
        text_str(&t, ": ");
    }
    text_str(&t, "`");
    text_name(&t, c->line, c->name_len < 64 ? c->name_len : 64);
    text_str(&t, "': ");
    text_str(&t, what);
    log_line(log, buf);
}

static void complain_ignored(const struct log *log, const struct menu_command *c, const char *why)
{
    char buf[COMPLAINT_MAX];
    struct text t = text_on(buf, sizeof(buf));

    text_str(&t, "no effect here: ");
    text_str(&t, why);
    complain(log, c, buf);
}

/* Has the command said so before? From now on it has. */
static bool said_before(struct menu_said *said, const struct command *command)
{
    uint8_t *mark = said != NULL ? &said->marks[command - menu_commands] : NULL;
    bool before = mark != NULL && *mark != 0;

    if (mark != NULL)
        *mark = 1;
    return before;
}

/* Run one global command; false when it was not understood. */
static bool run_global(const struct menu_command *c, struct menu_settings *s, const struct log *log)
{
    const struct command *command = command_find(c->line, c->name_len);
    char buf[COMPLAINT_MAX];
    struct err e;

    if (command == NULL) {
        complain(log, c, "unknown command, skipped; the rest of the menu counts");
        return false;
    }
    if (command->ignored != NULL) {
        if (!said_before(&s->said, command))
            complain_ignored(log, c, command->ignored);
        return true;
    }
    if (command->refused != NULL) {
        complain(log, c, command->refused);
        return false;
    }
    if (command->menu == NULL) {
        complain(log, c, "belongs into an entry, after a title; skipped");
        return false;
    }
    e = command->menu(s, c->args, log);
    if (!failed(e))
        return true;
    err_format(e, NULL, buf, sizeof(buf));
    complain(log, c, buf);
    return false;
}

void menu_settings(const struct menu *m, struct menu_settings *out, const struct log *log)
{
    uint32_t nr_bad = 0;
    char buf[COMPLAINT_MAX];
    struct text t = text_on(buf, sizeof(buf));

    *out = (struct menu_settings){.nr_entries = m->nr_entries, .timeout_s = MENU_TIMEOUT_S};
    for (uint32_t i = 0; i < m->nr_globals; i++) {
        if (!run_global(&m->globals[i], out, nr_bad < MENU_COMPLAINTS ? log : NULL))
            nr_bad++;
    }
    if (nr_bad > MENU_COMPLAINTS) {
        text_str(&t, "menu: ");
        text_u64(&t, nr_bad - MENU_COMPLAINTS);
        text_str(&t, " more lines before the first title were not understood");
        log_line(log, buf);
    }
    if (!out->has_timeout)
        log_line(log, "menu: no `timeout' line; " MENU_TIMEOUT_TEXT " seconds are taken");
    if (out->default_entry >= m->nr_entries && m->nr_entries > 0) {
        t = text_on(buf, sizeof(buf));
        text_str(&t, "menu: default ");
        text_u64(&t, out->default_entry);
        text_str(&t, ", but the last entry is ");
        text_u64(&t, m->nr_entries - 1);
        text_str(&t, "; entry 0 is the default");
        log_line(log, buf);
        out->default_entry = 0;
    }
}

void shell_about(struct shell *sh, const char *s, size_t len)
{
    struct text subject = text_on(sh->subject, sh->subject_cap);
    struct text object = text_on(sh->object, sizeof(sh->object));

    text_name(&subject, s, len);
    text_name(&object, s, len);
}

void shell_say_once(struct shell *sh, const char *command, const char *what)
{
    if (!said_before(sh->said, command_find(command, strlen(command))))
        log_line(sh->say, what);
}

bool command_is_secret(const struct menu_command *c)
{
    return lex_is(c->line, c->name_len, "password") || lex_is(c->line, c->name_len, "md5crypt");
}

/*
 * The command as GRUB echoes it. Bytes that could steer the terminal appear as \xNN; a password
 * does not, because logs of consoles are kept.
 */
static void echo(struct shell *sh, const struct menu_command *c)
{
    size_t len = command_is_secret(c) ? c->name_len : strlen(c->line);
    char *buf = arena_alloc(sh->req->arena, len * 4 + 1);
    struct text t;

    if (buf == NULL) /* the command itself will say so if it matters */
        return;
    t = text_on(buf, len * 4 + 1);
    text_name(&t, c->line, len);
    log_line(sh->say, buf);
}

struct err shell_run(struct shell *sh, const struct menu_command *c)
{
    const struct command *command = command_find(c->line, c->name_len);

    shell_about(sh, "", 0);
    sh->line_nr = c->line_nr;
    if (c->line_nr > 0)
        echo(sh, c);
    if (command != NULL && command->entry != NULL)
        return command->entry(sh, c->args);
    if (command != NULL && command->ignored != NULL) {
        if (!said_before(sh->said, command))
            complain_ignored(sh->say, c, command->ignored);
        return OK;
    }
    if (command != NULL && command->menu != NULL) {
        complain(sh->say, c, "belongs before the first title; no effect here");
        return OK;
    }
    shell_about(sh, c->line, c->name_len < 64 ? c->name_len : 64);
    if (command != NULL)
        return ERR(ERR_UNRECOGNIZED, command->refused);
    if (c->line_nr == 0)
        return ERR(ERR_UNRECOGNIZED, "`help' lists the commands");
    return ERR1(ERR_UNRECOGNIZED, "line %a of the menu", c->line_nr);
}

void shell_begin(struct shell *sh)
{
    struct arena *arena = sh->req->arena;

    memset(sh->req, 0, sizeof(*sh->req));
    sh->req->arena = arena;
    sh->has_kernel = false;
    sh->below_xen = false;
    sh->next = SHELL_GO_ON;
    sh->menu_name = NULL;
    shell_about(sh, "", 0);
}

struct err shell_run_entry(struct shell *sh, const struct menu_entry *entry)
{
    shell_begin(sh);
    sh->line_nr = entry->line_nr;
    for (uint32_t i = 0; i < entry->nr_commands && sh->next == SHELL_GO_ON; i++)
        TRY(shell_run(sh, &entry->commands[i]));
    if (sh->has_kernel || (sh->next != SHELL_GO_ON && sh->next != SHELL_BOOT))
        return OK;
    shell_about(sh, "", 0);
    return ERR1(ERR_BOOT_COMMAND, "the entry of line %a has no `kernel' line", entry->line_nr);
}

const char *shell_does(const struct shell *sh)
{
    switch (sh->next) {
    case SHELL_MENU:
        return "goes on with another menu";
    case SHELL_HALT:
        return "powers the guest off";
    case SHELL_REBOOT:
        return "starts the guest again";
    default:
        return NULL;
    }
}
