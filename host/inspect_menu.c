/* SPDX-License-Identifier: MIT */
/*
 * `pvboot inspect --menu`: what the lines of a menu say, of an image's or of a file's. Syntax only:
 * no command is run, so no device has to exist and no file is opened.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/menu/lex.h"
#include "host/inspect.h"
#include "host/json.h"

#define SNIFF_BYTES ((size_t)128 << 10) /* of a file, to tell text from a disk image */
#define STATUS_MAX  512

/* ---- a file that is a menu --------------------------------------------------------------------
 */

/*
 * Text: something to read, and no control byte but white space, ESC (a title may have colours), and
 * the NULs that a crash leaves. The first 128 KiB of a partition table or a file system have
 * others.
 */
static bool is_text(const char *s, size_t len)
{
    bool readable = false;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];

        if ((c < 0x20 && c != '\0' && c != 27 && (c < '\t' || c > '\r')) || c == 0x7f)
            return false;
        readable = readable || c > ' ';
    }
    return readable || len == 0;
}

/* Read [*len, want) of the file; false: errno tells. Less than wanted: it has become shorter. */
static bool read_on(int fd, char *text, size_t *len, size_t want)
{
    while (*len < want) {
        ssize_t n = pread(fd, text + *len, want - *len, (off_t)*len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0;
        *len += (size_t)n;
    }
    return true;
}

bool inspect_menu_file(struct report *r, int fd, const char *path, const char **why)
{
    off_t end = lseek(fd, 0, SEEK_END);
    uint64_t size = end < 0 ? 0 : (uint64_t)end;
    size_t want = (size_t)min_u64(size, MENU_BYTES_MAX), len = 0;
    char *text = report_alloc(r, want + 1, 1);

    *why = NULL;
    if (read_on(fd, text, &len, (size_t)min_u64(want, SNIFF_BYTES))) {
        if (!is_text(text, len))
            return false;
        if (read_on(fd, text, &len, want)) {
            r->has_menu = true;
            snprintf(r->file.name, sizeof(r->file.name), "%s", path);
            r->file.text = text;
            /* Of one that is too large only the size counts: it is refused. */
            r->file.len = len < want ? len : (size_t)min_u64(size, SIZE_MAX);
            return true;
        }
    }
    *why = report_printf(r, "%s: %s", name_text(r, path), strerror(errno));
    return false;
}

/* ---- what a line comes to ---------------------------------------------------------------------
 */

struct status {
    const char *word;   /* "used", "ignored", "refused", "unknown", "misplaced", "wrong" */
    const char *reason; /* or NULL */
    bool fails;         /* in an entry: it does not boot */
};

static const struct command *command_of(const struct menu_command *c)
{
    return command_find(c->line, c->name_len);
}

static struct status status_without_effect(const struct command *command)
{
    if (command == NULL)
        return (struct status){"unknown", NULL, true};
    if (command->ignored != NULL)
        return (struct status){"ignored", command->ignored, false};
    if (command->refused != NULL)
        return (struct status){"refused", command->refused, true};
    return (struct status){"misplaced",
                           command->menu != NULL ? "belongs before the first title"
                                                 : "belongs into an entry, after a title",
                           false};
}

static struct status status_in_menu(struct report *r, const struct menu_command *c)
{
    const struct command *command = command_of(c);
    struct menu_settings scratch = {0};
    char why[STATUS_MAX];
    struct err e;

    if (command == NULL || command->menu == NULL)
        return status_without_effect(command);
    e = command->menu(&scratch, c->args, NULL);
    if (!failed(e))
        return (struct status){"used", NULL, false};
    err_format(e, NULL, why, sizeof(why));
    return (struct status){"wrong", report_printf(r, "%s", why), false};
}

static struct status status_in_entry(const struct menu_command *c)
{
    const struct command *command = command_of(c);

    if (command == NULL || command->entry == NULL)
        return status_without_effect(command);
    return (struct status){"used", NULL, false};
}

/* ---- what an entry's lines come to ------------------------------------------------------------
 */

/* A kernel or a module: a file, and the arguments behind it. */
struct loaded {
    const char *file, *args;
};

struct outline {
    const struct menu_command *root; /* the last one before the kernel; NULL: where the menu lies */
    struct loaded kernel;            /* file NULL: there is none */
    struct err options;              /* of the kernel, and which one it is about */
    const char *bad_option;
    size_t nr_initrds, nr_modules;
    const char **initrds;
    struct loaded *modules;
    uint32_t nr_run; /* commands up to `boot`, or another one that ends the entry */
};

static bool names(const struct menu_command *c, const char *const *list)
{
    while (*list != NULL && !lex_is(c->line, c->name_len, *list))
        list++;
    return *list != NULL;
}

static const char *const root_words[] = {"root", "rootnoverify", "uuid", NULL};
static const char *const kernel_words[] = {"kernel", NULL};
static const char *const module_words[] = {"module", "modulenounzip", NULL};
static const char *const initrd_words[] = {"initrd", NULL};
static const char *const last_words[] = {"boot", "configfile", "halt", "reboot", NULL};

static struct loaded split_file(struct report *r, const char *args)
{
    const char *word;
    size_t len;

    if (!lex_word(&args, &word, &len))
        return (struct loaded){"", ""};
    while (*args == ' ')
        args++;
    return (struct loaded){report_printf(r, "%.*s", (int)len, word), args};
}

static size_t count_words(const char *args)
{
    const char *word;
    size_t len, nr = 0;

    while (lex_word(&args, &word, &len))
        nr++;
    return nr;
}

static void add_initrds(struct report *r, struct outline *o, const char *args)
{
    const char *word;
    size_t len;

    while (lex_word(&args, &word, &len))
        o->initrds[o->nr_initrds++] = report_printf(r, "%.*s", (int)len, word);
}

static struct outline outline_of(struct report *r, const struct menu_entry *entry)
{
    struct outline o = {0};
    size_t room = 0;

    for (uint32_t i = 0; i < entry->nr_commands; i++) {
        const struct menu_command *c = &entry->commands[i];

        o.nr_run = i + 1;
        room += names(c, initrd_words) ? count_words(c->args) : 0;
        if (names(c, last_words))
            break;
    }
    o.initrds = report_alloc(r, room, sizeof(*o.initrds));
    o.modules = report_alloc(r, o.nr_run, sizeof(*o.modules));
    for (uint32_t i = 0; i < o.nr_run; i++) {
        const struct menu_command *c = &entry->commands[i];

        if (names(c, root_words) && o.kernel.file == NULL) {
            o.root = c;
        } else if (names(c, kernel_words)) {
            const char *args = c->args, *word;
            size_t len;

            o.options = kernel_options(&args, &word, &len);
            o.bad_option = failed(o.options) ? report_printf(r, "%.*s", (int)len, word) : NULL;
            o.kernel = split_file(r, args);
            o.nr_initrds = o.nr_modules = 0; /* another kernel begins anew */
        } else if (names(c, initrd_words)) {
            add_initrds(r, &o, c->args);
        } else if (names(c, module_words)) {
            o.modules[o.nr_modules++] = split_file(r, c->args);
        }
    }
    return o;
}

static struct status status_of(const struct outline *o, const struct menu_entry *entry, uint32_t i)
{
    if (i >= o->nr_run)
        return (struct status){"not reached", NULL, false};
    return status_in_entry(&entry->commands[i]);
}

/* What can be told to be wrong without a disk. */
static void look_at_syntax(struct report *r, uint32_t n, const struct outline *o)
{
    const struct menu_entry *entry = &r->menu.entries[n];

    for (uint32_t i = 0; i < o->nr_run; i++) {
        const struct menu_command *c = &entry->commands[i];
        struct status s = status_in_entry(c);

        if (s.fails)
            report_problem(r, PROBLEM_STOPS, n,
                           report_printf(r,
                                         "entry %u, line %u: `%.*s': %s%s%s; the entry fails there",
                                         n, c->line_nr, (int)(c->name_len < 64 ? c->name_len : 64),
                                         c->line, s.word, s.reason != NULL ? ": " : " command",
                                         s.reason != NULL ? s.reason : ""));
    }
    if (failed(o->options))
        report_problem(
            r, PROBLEM_STOPS, n,
            report_printf(r, "entry %u: %s", n, report_error(r, o->options, o->bad_option)));
    if (o->kernel.file != NULL && o->kernel.file[0] == '\0')
        report_problem(r, PROBLEM_STOPS, n,
                       report_printf(r, "entry %u: `kernel' names no file", n));
    if (o->kernel.file != NULL && strlen(o->kernel.args) > SESSION_CMDLINE_MAX - 1)
        report_problem(r, PROBLEM_STOPS, n,
                       report_printf(r,
                                     "entry %u: a kernel command line of %zu bytes; Xen passes at "
                                     "most %d",
                                     n, strlen(o->kernel.args), SESSION_CMDLINE_MAX - 1));
}

/* ---- for people -------------------------------------------------------------------------------
 */

static void part(const char *label, const char *text)
{
    printf("%14s%-10s%s\n", "", label, text);
}

/* "quiet  (line 9: ignored, nothing is printed that it would silence)" */
static const char *command_text(struct report *r, const struct menu_command *c, struct status s)
{
    const char *what = strcmp(s.word, "used") == 0 ? "" : s.word;

    return name_text(r,
                     report_printf(r, "%s  (line %u%s%s%s%s)", c->line, c->line_nr,
                                   what[0] != '\0' ? ": " : "", what, s.reason != NULL ? ", " : "",
                                   s.reason != NULL ? s.reason : ""));
}

static void print_loaded(struct report *r, const char *label, const struct loaded *l)
{
    part(label, name_text(r, l->file));
    if (l->args[0] != '\0')
        part("arguments", name_text(r, l->args));
}

static void print_outline(struct report *r, uint32_t n, const struct outline *o)
{
    const struct menu_entry *entry = &r->menu.entries[n];

    print_row(n == 0 ? "entries" : "", report_printf(r, "  %u %s  (line %u)", n,
                                                     name_text(r, entry->title), entry->line_nr));
    if (o->root != NULL)
        part("root", name_text(r, o->root->line));
    if (o->kernel.file != NULL)
        print_loaded(r, "kernel", &o->kernel);
    for (size_t i = 0; i < o->nr_initrds; i++)
        part("initrd", name_text(r, o->initrds[i]));
    for (size_t i = 0; i < o->nr_modules; i++)
        print_loaded(r, "module", &o->modules[i]);
    for (uint32_t i = 0; i < entry->nr_commands; i++) {
        const struct menu_command *c = &entry->commands[i];
        bool shown = (o->root != NULL && c == o->root) || names(c, kernel_words) ||
                     names(c, initrd_words) || names(c, module_words);

        if (!shown || i >= o->nr_run)
            part("also", command_text(r, c, status_of(o, entry, i)));
    }
}

static void print_settings(struct report *r)
{
    for (uint32_t i = 0; i < r->menu.nr_globals; i++)
        print_row(i == 0 ? "settings" : "",
                  command_text(r, &r->menu.globals[i], status_in_menu(r, &r->menu.globals[i])));
}

/* ---- for programs -----------------------------------------------------------------------------
 */

static void put_command(struct json *j, struct report *r, const struct menu_command *c,
                        struct status s)
{
    json_object(j, NULL);
    json_u64(j, "line", c->line_nr);
    json_str(j, "command", report_printf(r, "%.*s", (int)c->name_len, c->line));
    json_str(j, "arguments", c->args);
    json_str(j, "status", s.word);
    if (s.reason != NULL)
        json_str(j, "reason", s.reason);
    json_end_object(j);
}

static void put_outline(struct json *j, struct report *r, uint32_t n, const struct outline *o)
{
    const struct menu_entry *entry = &r->menu.entries[n];

    json_object(j, NULL);
    json_u64(j, "number", n);
    json_str(j, "title", entry->title);
    json_u64(j, "line", entry->line_nr);
    json_str(j, "root", o->root != NULL ? o->root->args : NULL);
    json_str(j, "kernel", o->kernel.file);
    json_str(j, "arguments", o->kernel.args);
    json_list(j, "initrds");
    for (size_t i = 0; i < o->nr_initrds; i++)
        json_str(j, NULL, o->initrds[i]);
    json_end_list(j);
    json_list(j, "modules");
    for (size_t i = 0; i < o->nr_modules; i++) {
        json_object(j, NULL);
        json_str(j, "file", o->modules[i].file);
        json_str(j, "arguments", o->modules[i].args);
        json_end_object(j);
    }
    json_end_list(j);
    json_list(j, "commands");
    for (uint32_t i = 0; i < entry->nr_commands; i++)
        put_command(j, r, &entry->commands[i], status_of(o, entry, i));
    json_end_list(j);
    json_end_object(j);
}

static void put_report(struct report *r, const struct outline *outlines, bool boots)
{
    struct json j;

    json_init(&j, stdout);
    json_object(&j, NULL);
    put_lines(&j, "search", &r->search);
    put_menu(&j, r);
    json_list(&j, "settings");
    for (uint32_t i = 0; i < r->menu.nr_globals; i++)
        put_command(&j, r, &r->menu.globals[i], status_in_menu(r, &r->menu.globals[i]));
    json_end_list(&j);
    json_list(&j, "entries");
    for (uint32_t i = 0; boots && i < r->menu.nr_entries; i++)
        put_outline(&j, r, i, &outlines[i]);
    json_end_list(&j);
    put_lines(&j, "log", &r->log);
    put_problems(&j, r);
    json_end_object(&j);
}

bool inspect_menu(struct report *r, bool as_json)
{
    bool good = inspect_read_menu(r);
    struct outline *outlines = report_alloc(r, r->menu.nr_entries, sizeof(*outlines));

    for (uint32_t i = 0; good && i < r->menu.nr_entries; i++) {
        outlines[i] = outline_of(r, &r->menu.entries[i]);
        look_at_syntax(r, i, &outlines[i]);
    }
    if (as_json) {
        put_report(r, outlines, good);
        return good;
    }
    print_menu(r);
    print_settings(r);
    for (uint32_t i = 0; good && i < r->menu.nr_entries; i++)
        print_outline(r, i, &outlines[i]);
    for (size_t i = 0; i < r->log.nr; i++)
        print_row(i == 0 ? "log" : "", r->log.text[i]);
    print_problems(r);
    return good;
}
