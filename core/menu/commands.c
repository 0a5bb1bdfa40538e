/* SPDX-License-Identifier: MIT */
/* The table of commands, the global ones, and the loop that runs an entry; see entry.c. */
#include "core/menu/commands.h"

#include <string.h>

#include "core/base/text.h"
#include "core/menu/entry.h"
#include "core/menu/lex.h"

#define COMPLAINT_MAX 256

/* The first word of args as a number below 2^32. */
static struct err one_number(const char *args, uint32_t *out)
{
    const char *word;
    size_t len;
    uint64_t v;

    if (!lex_word(&args, &word, &len))
        return ERR(ERR_BAD_ARGUMENT, "a number is missing");
    if (!lex_number(word, len, &v) || v > UINT32_MAX)
        return ERR(ERR_NUMBER_PARSING, "a number from 0 to 4294967295 is wanted");
    *out = (uint32_t)v;
    return OK;
}

static struct err menu_default(struct menu_settings *s, const char *args, const struct log *log)
{
    const char *rest = args, *word;
    size_t len;

    if (lex_word(&rest, &word, &len) && lex_is(word, len, "saved")) {
        log_line(log, "menu: `default saved': the saved default is not read; entry 0 is taken");
        s->default_entry = 0;
        return OK;
    }
    return one_number(args, &s->default_entry);
}

static struct err menu_timeout(struct menu_settings *s, const char *args, const struct log *log)
{
    (void)log;
    TRY(one_number(args, &s->timeout_s));
    s->has_timeout = true;
    return OK;
}

static struct err menu_fallback(struct menu_settings *s, const char *args, const struct log *log)
{
    uint32_t list[MENU_FALLBACK_MAX], nr = 0;
    const char *word;
    size_t len;
    uint64_t v;

    (void)log;
    while (lex_word(&args, &word, &len)) {
        if (!lex_number(word, len, &v) || v > UINT32_MAX)
            return ERR(ERR_NUMBER_PARSING, "a list of entry numbers is wanted: fallback 1 2");
        if (nr == MENU_FALLBACK_MAX)
            return ERR1(ERR_LIMIT, "more than %a entries in the list", MENU_FALLBACK_MAX);
        list[nr++] = (uint32_t)v;
    }
    if (nr == 0)
        return ERR(ERR_BAD_ARGUMENT, "an entry number is missing");
    memcpy(s->fallbacks, list, nr * sizeof(list[0]));
    s->nr_fallbacks = nr;
    return OK;
}

static struct err menu_hiddenmenu(struct menu_settings *s, const char *args, const struct log *log)
{
    (void)args;
    (void)log;
    s->hidden = true;
    return OK;
}

#define LOOKS   "the menu has one look"
#define CONSOLE "there is one console, Xen's"
#define MACHINE "it is about a PC's firmware"

/* clang-format off */
const struct command menu_commands[] = {
    {.name = "background", .ignored = LOOKS},
    {.name = "boot", .entry = entry_boot, .usage = "", .help = "boot what has been loaded"},
    {.name = "color", .ignored = LOOKS},
    {.name = "default", .menu = menu_default, .usage = "NUMBER",
     .help = "the entry that boots by itself"},
    {.name = "fallback", .menu = menu_fallback, .usage = "NUMBER...",
     .help = "the entries to try when one fails"},
    {.name = "foreground", .ignored = LOOKS},
    {.name = "gfxmenu", .ignored = LOOKS},
    {.name = "hiddenmenu", .menu = menu_hiddenmenu, .usage = "",
     .help = "show the menu only when ESC is pressed"},
    {.name = "initrd", .entry = entry_initrd, .takes = TAKES_FILE, .usage = "FILE...",
     .help = "the initrd; several files are put one behind the other"},
    {.name = "kernel", .entry = entry_kernel, .takes = TAKES_FILE, .usage = "FILE [ARGUMENT]...",
     .help = "the kernel and its command line"},
    {.name = "makeactive", .ignored = MACHINE},
    {.name = "map", .ignored = MACHINE},
    {.name = "quiet", .ignored = "nothing is printed that it would silence"},
    {.name = "root", .entry = entry_root, .takes = TAKES_DEVICE, .usage = "DEVICE",
     .help = "where names without a device are looked for"},
    {.name = "rootnoverify", .entry = entry_rootnoverify, .takes = TAKES_DEVICE,
     .usage = "DEVICE", .help = "as root, without mounting"},
    {.name = "savedefault", .ignored = "nothing is written to the disk"},
    {.name = "serial", .ignored = CONSOLE},
    {.name = "splashimage", .ignored = LOOKS},
    {.name = "terminal", .ignored = CONSOLE},
    {.name = "timeout", .menu = menu_timeout, .usage = "SECONDS",
     .help = "how long to wait before the default entry boots"},
    {.name = NULL},
};
/* clang-format on */

const struct command *command_find(const char *name, size_t len)
{
    for (const struct command *c = menu_commands; c->name != NULL; c++) {
        if (lex_is(name, len, c->name))
            return c;
    }
    return NULL;
}

/* "menu line 3: " and then what. */
static void complain(const struct log *log, const struct menu_command *c, const char *what)
{
    char buf[COMPLAINT_MAX];
    struct text t = text_on(buf, sizeof(buf));

    text_str(&t, "menu line ");
    text_u64(&t, c->line_nr);
    text_str(&t, ": `");
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

    *out = (struct menu_settings){.timeout_s = MENU_TIMEOUT_S};
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

/* The command as GRUB echoes it. Bytes that could steer the terminal appear as \xNN. */
static void echo(struct shell *sh, const struct menu_command *c)
{
    size_t len = strlen(c->line);
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
    struct text t = text_on(sh->subject, sh->subject_cap);

    sh->line_nr = c->line_nr;
    if (c->line_nr > 0)
        echo(sh, c);
    if (command != NULL && command->entry != NULL)
        return command->entry(sh, c->args);
    if (command != NULL && command->ignored != NULL) {
        complain_ignored(sh->say, c, command->ignored);
        return OK;
    }
    if (command != NULL && command->menu != NULL) {
        complain(sh->say, c, "belongs before the first title; no effect here");
        return OK;
    }
    text_name(&t, c->line, c->name_len < 64 ? c->name_len : 64);
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
    sh->next = SHELL_GO_ON;
    if (sh->subject_cap > 0)
        sh->subject[0] = '\0';
}

struct err shell_run_entry(struct shell *sh, const struct menu_entry *entry)
{
    shell_begin(sh);
    sh->line_nr = entry->line_nr;
    for (uint32_t i = 0; i < entry->nr_commands && sh->next == SHELL_GO_ON; i++)
        TRY(shell_run(sh, &entry->commands[i]));
    if (sh->has_kernel)
        return OK;
    text_on(sh->subject, sh->subject_cap);
    return ERR1(ERR_BOOT_COMMAND, "the entry of line %a has no `kernel' line", entry->line_nr);
}
