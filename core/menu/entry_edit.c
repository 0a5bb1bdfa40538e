/* SPDX-License-Identifier: MIT */
#include "core/menu/entry_edit.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"
#include "core/menu/lex.h"

static const char help_long[] =
    "Use the ^ and v keys to select which line is highlighted. Press 'b' to boot, 'e' to edit the "
    "selected command in the boot sequence, 'c' for a command-line, 'o' to open a new line after "
    "('O' for before) the selected line, 'd' to remove the selected line, or escape to go back to "
    "the main menu.";
static const char help_short[] = "b boot, e edit, o O new line, d remove, c command-line, ESC back";

/* An entry's lines as a list: each is an entry of `view`. */
struct lines {
    struct session *s;
    struct arena arena;
    struct list list;
    struct menu view;
    struct menu_entry lines[ENTRY_LINES_MAX]; /* only title, which is the line, and line_nr */
    uint32_t selected;
    struct pager pager;
    struct completer completer;
    char buf[EDIT_LINE_MAX];
    struct menu_command commands[ENTRY_LINES_MAX]; /* of the lines, when they boot */
    const char *title;
    uint32_t line_nr;
};

/* ---- one line -------------------------------------------------------------------------------- */

/* The command of a line; false for a blank one and a comment. */
static bool to_command(const char *line, uint32_t line_nr, struct menu_command *out)
{
    if (line[0] == '\0' || line[0] == '#')
        return false;
    *out = (struct menu_command){.line = line, .line_nr = line_nr};
    lex_split(line, &out->name_len, &out->args);
    return true;
}

static bool sets_root(const struct menu_command *c)
{
    static const char *const names[] = {"root", "rootnoverify", "uuid", "search", "find"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (lex_is(c->line, c->name_len, names[i]))
            return true;
    }
    return false;
}

/* Where the selected line looks for names without a device: what the lines above it come to. */
static struct vol_id root_above(struct lines *l)
{
    const struct log silent = {0};
    struct vol_id root = l->s->file.vol;
    char subject[SUBJECT_MAX];
    struct arena arena;
    struct shell sh;

    arena_init(&arena, l->s->env->memory);
    if (shell_init(l->s, &sh, &arena, SHELL_NO_ENTRY, subject, sizeof(subject))) {
        sh.say = &silent;
        for (uint32_t i = 0; i < l->selected; i++) {
            struct menu_command c;

            if (to_command(l->lines[i].title, l->lines[i].line_nr, &c) && sets_root(&c) &&
                failed(shell_run(&sh, &c)))
                break; /* booting will say what is wrong */
        }
        root = sh.root;
    }
    arena_reset(&arena);
    return root;
}

static void complete(void *ctx, const char *line, size_t len, struct edit_tab *tab)
{
    struct lines *l = ctx;

    l->completer.root = root_above(l);
    complete_line(&l->completer, line, len, tab);
}

static void say_and_wait(struct session *s, const char *what)
{
    screen_leave(&s->screen);
    screen_line(&s->screen, what);
    press_any_key(s);
}

static enum console_end boot_changed(struct session *s, const struct menu_entry *entry)
{
    if (!failed(boot_entry(s, entry, SHELL_NO_ENTRY)))
        return CONSOLE_DONE;
    if (s->screen.somebody)
        say_and_wait(s, "");
    return s->screen.somebody ? CONSOLE_BACK : CONSOLE_GONE;
}

#define TOO_LONG "This line is too long to be edited here: at most 8191 bytes are possible."
STATIC_ASSERT(EDIT_LINE_MAX == 8192, "TOO_LONG says so");

static void edit_selected(struct lines *l)
{
    const struct edit_options options = {
        .prompt = "pvboot edit> ", .memory = &l->s->edit_memory, .complete = complete, .ctx = l};
    struct menu_entry *line = &l->lines[l->selected];
    const char *text = l->buf;
    size_t len;

    if (l->view.nr_entries == 0)
        return;
    if (strlen(line->title) >= sizeof(l->buf)) {
        say_and_wait(l->s, TOO_LONG);
        return;
    }
    screen_leave(&l->s->screen);
    cmdline_say_keys(&l->s->screen, true);
    memcpy(l->buf, line->title, strlen(line->title) + 1);
    if (edit_line(&l->s->screen, &options, l->buf, sizeof(l->buf)) != EDIT_DONE)
        return;
    len = lex_trim(&text);
    text = arena_strndup(&l->arena, text, len);
    if (text == NULL)
        say_and_wait(l->s, "There is no memory for the line; it stays as it was.");
    else
        line->title = text;
}

/* ---- the list of lines ----------------------------------------------------------------------- */

static void remove_selected(struct lines *l)
{
    uint32_t nr = l->view.nr_entries;

    if (nr == 0)
        return;
    memmove(&l->lines[l->selected], &l->lines[l->selected + 1],
            (nr - l->selected - 1) * sizeof(l->lines[0]));
    l->view.nr_entries = nr - 1;
    if (l->selected + 1 == nr && nr > 1)
        l->selected--;
}

/* An empty line at that place, which is then selected. */
static void open_line(struct lines *l, uint32_t at)
{
    uint32_t nr = l->view.nr_entries;

    if (nr == ENTRY_LINES_MAX) {
        say_and_wait(l->s, "An entry of more than 512 lines cannot be edited.");
        return;
    }
    if (at > nr) /* after the only line of none */
        at = nr;
    memmove(&l->lines[at + 1], &l->lines[at], (nr - at) * sizeof(l->lines[0]));
    l->lines[at] =
        (struct menu_entry){.title = "", .line_nr = at > 0 ? l->lines[at - 1].line_nr : l->line_nr};
    l->view.nr_entries = nr + 1;
    l->selected = at;
}

STATIC_ASSERT(ENTRY_LINES_MAX == 512, "open_line and entry_edit say so");

/* Boot the lines as they are now. */
static enum console_end boot_lines(struct lines *l)
{
    struct menu_entry entry = {.title = l->title, .line_nr = l->line_nr, .commands = l->commands};

    for (uint32_t i = 0; i < l->view.nr_entries; i++) {
        if (to_command(l->lines[i].title, l->lines[i].line_nr, &l->commands[entry.nr_commands]))
            entry.nr_commands++;
    }
    return boot_changed(l->s, &entry);
}

/* One key. CONSOLE_BACK: go on with the list. */
static enum console_end act_on(struct lines *l, int key)
{
    switch (key) {
    case '\r':
    case '\n':
    case 'e':
        edit_selected(l);
        break;
    case 'o':
        open_line(l, l->selected + 1);
        break;
    case 'O':
        open_line(l, l->selected);
        break;
    case 'd':
        remove_selected(l);
        break;
    case 'b':
    case KEY_CTRL('X'): /* as in GRUB 2 */
        list_forget(&l->list);
        return boot_lines(l);
    case 'c':
        list_forget(&l->list);
        return cmdline_run(l->s);
    case KEY_CTRL('L'):
    case KEY_SIZE:
        break;
    default:
        l->selected = list_moved(&l->s->screen, &l->list, l->selected, key);
        return CONSOLE_BACK;
    }
    list_forget(&l->list);
    return CONSOLE_BACK;
}

static enum console_end run(struct lines *l)
{
    for (;;) {
        enum console_end end;
        int key;

        list_show(&l->s->screen, &l->list, l->selected);
        key = screen_key(&l->s->screen, IDLE_MS);
        if (key == KEY_NONE && !l->s->screen.somebody)
            return CONSOLE_GONE;
        if (key == KEY_ESC || key == KEY_CTRL('C'))
            return CONSOLE_BACK;
        end = key != KEY_NONE ? act_on(l, key) : CONSOLE_BACK;
        if (end != CONSOLE_BACK)
            return end;
    }
}

enum console_end entry_edit(struct session *s, uint32_t n)
{
    const struct menu_entry *entry = &s->menu.entries[n];
    enum console_end end;
    struct arena arena;
    struct lines *l;

    if (entry->nr_commands > ENTRY_LINES_MAX) {
        say_and_wait(s, "An entry of more than 512 lines cannot be edited.");
        return CONSOLE_BACK;
    }
    arena_init(&arena, s->env->memory);
    l = arena_alloc(&arena, sizeof(*l)); /* too large for a small stack */
    if (l == NULL) {
        say_and_wait(s, "There is no memory to edit the entry.");
        return CONSOLE_BACK;
    }
    l->s = s;
    l->arena = arena;
    l->title = entry->title;
    l->line_nr = entry->line_nr;
    l->view = (struct menu){.nr_entries = entry->nr_commands, .entries = l->lines};
    l->list = (struct list){.menu = &l->view,
                            .settings = &s->settings,
                            .heading = s->list.heading,
                            .help_long = help_long,
                            .help_short = help_short,
                            .unnumbered = true};
    pager_init(&l->pager, &s->screen);
    l->completer = (struct completer){.pager = &l->pager, .vols = s->env->vols};
    for (uint32_t i = 0; i < entry->nr_commands; i++)
        l->lines[i] = (struct menu_entry){.title = entry->commands[i].line,
                                          .line_nr = entry->commands[i].line_nr};
    end = run(l);
    arena = l->arena; /* l itself lies in it */
    arena_reset(&arena);
    return end;
}

/* ---- the kernel's arguments ------------------------------------------------------------------ */

/* "kernel --type=linux /boot/x ARGS": the file, and where ARGS begins. */
static const char *behind_file(const struct menu_command *c, const char **file, size_t *len)
{
    const char *rest = c->args;

    while (lex_word(&rest, file, len) && *len > 2 && memcmp(*file, "--", 2) == 0)
        ;
    while (*rest == ' ')
        rest++;
    return rest;
}

static const char *arguments_of(const struct menu_command *c)
{
    const char *file;
    size_t len;

    return behind_file(c, &file, &len);
}

/* Is the kernel of the line Xen by its name? Then Linux and its arguments are in a module. */
static bool is_xen(const struct menu_command *c)
{
    const char *file, *base;
    size_t len;

    behind_file(c, &file, &len);
    base = file;
    for (size_t i = 0; i < len; i++) {
        if (file[i] == '/' || file[i] == ')')
            base = file + i + 1;
    }
    return (size_t)(file + len - base) >= 3 && memcmp(base, "xen", 3) == 0;
}

/* The line with the arguments of what boots; nr_commands when there is none. */
static uint32_t kernel_line(const struct menu_entry *entry)
{
    uint32_t found = entry->nr_commands;
    bool xen = false;

    for (uint32_t i = 0; i < entry->nr_commands; i++) {
        const struct menu_command *c = &entry->commands[i];

        if (lex_is(c->line, c->name_len, "kernel")) {
            found = i;
            xen = is_xen(c);
        } else if (xen && lex_is(c->line, c->name_len, "module")) {
            found = i;
            xen = false; /* the next one is the initrd */
        }
    }
    return found;
}

/* The entry with other arguments in that line, in the arena. */
static const struct menu_entry *with_arguments(struct arena *a, const struct menu_entry *entry,
                                               uint32_t line, const char *args)
{
    const struct menu_command *old = &entry->commands[line];
    size_t before = (size_t)(arguments_of(old) - old->line), len = strlen(args);
    struct menu_entry *changed = arena_alloc(a, sizeof(*changed));
    struct menu_command *commands = arena_array(a, entry->nr_commands, sizeof(*commands));
    char *text = arena_alloc(a, before + len + 2);
    struct text t = text_on(text, text == NULL ? 0 : before + len + 2);

    if (changed == NULL || commands == NULL || text == NULL)
        return NULL;
    text_mem(&t, old->line, before);
    if (before > 0 && text[before - 1] != ' ')
        text_char(&t, ' ');
    text_mem(&t, args, len);
    memcpy(commands, entry->commands, entry->nr_commands * sizeof(*commands));
    to_command(text, old->line_nr, &commands[line]);
    *changed = *entry;
    changed->commands = commands;
    return changed;
}

static enum console_end edit_arguments(struct session *s, struct arena *a,
                                       const struct menu_entry *entry, uint32_t line)
{
    const struct edit_options options = {.prompt = "pvboot append> ", .memory = &s->edit_memory};
    const char *args = arguments_of(&entry->commands[line]);
    char *buf = arena_alloc(a, EDIT_LINE_MAX);
    enum edit_end end;
    size_t len;

    if (strlen(args) >= EDIT_LINE_MAX) {
        say_and_wait(s, TOO_LONG);
        return CONSOLE_BACK;
    }
    screen_leave(&s->screen);
    screen_line(&s->screen, " [ The arguments of the kernel, for this boot. Enter boots, ESC goes "
                            "back. ]");
    screen_line(&s->screen, "");
    if (buf == NULL) {
        say_and_wait(s, "There is no memory to edit the arguments.");
        return CONSOLE_BACK;
    }
    memcpy(buf, args, strlen(args) + 1);
    end = edit_line(&s->screen, &options, buf, EDIT_LINE_MAX);
    if (end != EDIT_DONE)
        return end == EDIT_GONE ? CONSOLE_GONE : CONSOLE_BACK;
    args = buf;
    len = lex_trim(&args);
    buf[(size_t)(args - buf) + len] = '\0';
    entry = with_arguments(a, entry, line, args);
    if (entry == NULL) {
        say_and_wait(s, "There is no memory to boot the edited entry.");
        return CONSOLE_BACK;
    }
    return boot_changed(s, entry);
}

enum console_end entry_edit_arguments(struct session *s, uint32_t n)
{
    const struct menu_entry *entry = &s->menu.entries[n];
    uint32_t line = kernel_line(entry);
    enum console_end end;
    struct arena arena;

    if (line == entry->nr_commands) {
        say_and_wait(s, "The entry has no `kernel' line.");
        return CONSOLE_BACK;
    }
    arena_init(&arena, s->env->memory);
    end = edit_arguments(s, &arena, entry, line);
    arena_reset(&arena);
    return end;
}
