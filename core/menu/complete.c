/* SPDX-License-Identifier: MIT */
#include "core/menu/complete.h"

#include <string.h>

#include "core/base/text.h"
#include "core/menu/commands.h"
#include "core/menu/lex.h"
#include "core/menu/match.h"

#define ERROR_MAX    1024
#define SENTENCE_MAX 1280 /* a name of 255 bytes, escaped, and words */

/* The last c in s; NULL when there is none. */
static const char *last(const char *s, char c)
{
    const char *found = NULL;

    for (; *s != '\0'; s++) {
        if (*s == c)
            found = s;
    }
    return found;
}

/* One TAB. */
struct tab {
    struct completer *c;
    struct edit_tab *out;
    struct arena arena;
    struct matches m;
};

/* ---- writing ---------------------------------------------------------------------------------
 */

static void say(struct tab *t, const char *line)
{
    if (!t->out->wrote) {
        pager_begin(t->c->pager);
        screen_str(t->c->pager->sc, "\r\n");
    }
    t->out->wrote = true;
    log_line(&t->c->pager->log, line);
}

static void say_error(struct tab *t, struct err e, const char *subject)
{
    char buf[ERROR_MAX];

    err_format(e, subject, buf, sizeof(buf));
    say(t, buf);
}

static void say_count(struct tab *t, const char *before, uint64_t n, const char *after)
{
    char buf[SENTENCE_MAX];
    struct text line = text_on(buf, sizeof(buf));

    text_str(&line, before);
    text_u64(&line, n);
    text_str(&line, after);
    say(t, buf);
}

/* " Possible files are:" and the names, in columns. */
static void list(struct tab *t, const char *heading)
{
    const char *names[COMPLETE_LIST_MAX];
    uint32_t nr = t->m.nr_listed;
    struct err e;

    say(t, heading);
    for (uint32_t i = 0; i < nr; i++)
        names[i] = t->m.listed[i]->name;
    e = columns_print(&t->c->pager->log, &t->arena, names, nr, screen_cols(t->c->pager->sc));
    if (failed(e))
        say_error(t, e, NULL);
    else if (t->m.nr > nr)
        say_count(t, " ... and ", t->m.nr - nr, " more");
}

/* ---- putting in ------------------------------------------------------------------------------
 */

static void put_in(struct tab *t, const char *s, size_t len)
{
    struct text line = text_on(t->out->insert, sizeof(t->out->insert));

    text_mem(&line, s, len);
}

static void put_behind(struct tab *t, char c)
{
    struct text line = {
        .buf = t->out->insert, .cap = sizeof(t->out->insert), .len = strlen(t->out->insert)};

    text_char(&line, c);
}

/* What all have in common; true when it is one candidate and the whole of it is in now. */
static bool take_common(struct tab *t)
{
    size_t rest = t->m.common_len - t->m.typed_len, len = matches_insertable(&t->m);
    char buf[SENTENCE_MAX];
    struct text line = text_on(buf, sizeof(buf));

    put_in(t, t->m.common + t->m.typed_len, len);
    if (t->m.nr != 1)
        return false;
    if (len == rest)
        return true;
    text_str(&line, " This name cannot stand in a line: `");
    text_name(&line, t->m.common, t->m.common_len);
    text_str(&line, "'");
    say(t, buf);
    return false;
}

/* The end of a completion of which only names are needed. */
static void conclude(struct tab *t, const char *heading, char behind)
{
    if (t->m.nr == 0)
        return;
    if (take_common(t))
        put_behind(t, behind);
    else if (t->m.nr > 1)
        list(t, heading);
}

/* ---- commands --------------------------------------------------------------------------------
 */

/* typed: those that do something when they are typed; else all. */
static void complete_command(struct tab *t, const char *word, size_t len, bool typed)
{
    matches_init(&t->m, &t->arena, word, len);
    for (const struct command *c = menu_commands; c->name != NULL; c++) {
        if (!typed || c->entry != NULL)
            matches_add(&t->m, c->name, strlen(c->name), 0);
    }
    conclude(t, " Possible commands are:", ' ');
}

/* ---- devices ---------------------------------------------------------------------------------
 */

/* Can what begins with `typed` begin with s too? */
static bool may_begin(const struct tab *t, const char *s)
{
    size_t len = strlen(s);

    return memcmp(s, t->m.typed, len < t->m.typed_len ? len : t->m.typed_len) == 0;
}

static void add_place(struct tab *t, struct vol_id id)
{
    char name[VOL_NAME_MAX];

    vol_format(t->c->vols, id, name, sizeof(name));
    matches_add(&t->m, name, strlen(name), 0);
}

static void add_device(struct tab *t, uint32_t n)
{
    struct vols *v = t->c->vols;
    const struct part_table *table = NULL;
    struct vol_id id = {n, VOL_WHOLE};
    char name[VOL_NAME_MAX];

    vol_format(v, id, name, sizeof(name));
    if (failed(vols_usable(v, n)))
        return;
    add_place(t, id);
    name[strlen(name) - 1] = ','; /* "(hd0)" to "(hd0," */
    /* A table in a logical volume is seldom: who wants it types the comma. */
    if (!may_begin(t, name) ||
        (vols_kind(v, n) == VOL_LOGICAL && memchr(t->m.typed, ',', t->m.typed_len) == NULL) ||
        failed(vols_table(v, n, &table)))
        return;
    for (uint32_t i = 0; i < table->nr_parts; i++) {
        const struct part *p = &table->parts[i];

        id.part = p->index;
        if (!failed(p->bad) && !p->extended)
            add_place(t, id);
    }
}

/* Arrays and volumes are looked for on all disks only when one may be meant. */
static void complete_device(struct tab *t, const char *word, size_t len, char behind)
{
    struct vols *v = t->c->vols;

    matches_init(&t->m, &t->arena, word, len);
    for (uint32_t n = 0; n < vols_nr_disks(v); n++)
        add_device(t, n);
    if (may_begin(t, "(lvm/") || may_begin(t, "(md/")) {
        for (uint32_t n = vols_next(v, UINT32_MAX); n != UINT32_MAX; n = vols_next(v, n)) {
            if (vols_kind(v, n) != VOL_DISK)
                add_device(t, n);
        }
    }
    conclude(t, " Possible devices are:", behind);
}

/* ---- files -----------------------------------------------------------------------------------
 */

/* A directory that is read. */
struct reading {
    struct matches *m;
    uint32_t nr; /* names so far */
};

static bool take_name(void *ctx, const char *name, size_t len, uint64_t ino)
{
    struct reading *r = ctx;
    bool dots = (len == 1 && name[0] == '.') || (len == 2 && name[0] == '.' && name[1] == '.');

    if (r->nr++ == COMPLETE_READ_MAX)
        return false;
    if (!dots)
        matches_add(r->m, name, len, ino);
    return true;
}

/* A slash behind the listed names that are directories. */
static void mark_directories(struct tab *t, struct fs *fs)
{
    for (uint32_t i = 0; i < t->m.nr_listed; i++) {
        struct match *match = t->m.listed[i];
        struct node node;

        if (failed(fs->ops->get_node(fs, &t->arena, match->ino, &node)) || node.type != NODE_DIR)
            continue;
        match->name[match->len] = '/';
        match->name[match->len + 1] = '\0';
    }
}

/* The only candidate is in: a slash behind a directory, a space behind a file. */
static void end_name(struct tab *t, struct fs *fs, const char *device, const char *dir)
{
    char *full = arena_alloc(&t->arena, FS_PATH_MAX + VOL_NAME_MAX);
    struct text line = text_on(full, full == NULL ? 0 : FS_PATH_MAX + VOL_NAME_MAX);
    struct node node;
    struct err e;

    text_str(&line, dir);
    text_mem(&line, t->m.common, t->m.common_len);
    if (line.cut)
        return; /* too long a path for every command; it will say so */
    e = fs_walk(fs, &t->arena, full, &node, NULL);
    if (failed(e)) {
        line = text_on(full, FS_PATH_MAX + VOL_NAME_MAX);
        text_str(&line, device);
        text_name(&line, dir, strlen(dir));
        text_name(&line, t->m.common, t->m.common_len);
        say_error(t, e, full);
        return;
    }
    put_behind(t, node.type == NODE_DIR ? '/' : ' ');
}

/* Read the directory `dir` for names that begin with `typed`. */
static struct err read_names(struct tab *t, struct fs *fs, const char *dir, const char *typed)
{
    struct reading r = {.m = &t->m};
    struct node node;

    matches_init(&t->m, &t->arena, typed, strlen(typed));
    TRY(fs_walk(fs, &t->arena, dir, &node, NULL));
    if (node.type != NODE_DIR)
        return ERR(ERR_BAD_FILETYPE, "it is not a directory");
    TRY(fs->ops->readdir(fs, &node, take_name, &r));
    if (r.nr > COMPLETE_READ_MAX) {
        say_count(t, " Only the first ", COMPLETE_READ_MAX, " names of the directory were read.");
        t->m.common_len = t->m.typed_len;
        t->m.nr += t->m.nr == 1; /* it may not be the only one */
    }
    return OK;
}

/* path: "/boot/vm". */
static void complete_path(struct tab *t, struct vol_id id, const char *path)
{
    char device[VOL_NAME_MAX], subject[VOL_NAME_MAX + 512];
    struct text line = text_on(subject, sizeof(subject));
    const char *name = last(path, '/') + 1;
    char *dir = arena_strndup(&t->arena, path, (size_t)(name - path));
    struct fs *fs = NULL;
    struct err e;

    vol_format(t->c->vols, id, device, sizeof(device));
    text_str(&line, device);
    e = dir != NULL ? vols_mount(t->c->vols, id, &fs)
                    : arena_exhausted("no memory for a path (%a bytes asked)", strlen(path));
    if (!failed(e)) {
        text_name(&line, dir, strlen(dir));
        e = read_names(t, fs, dir, name);
    }
    if (failed(e)) {
        say_error(t, e, subject);
        return;
    }
    if (t->m.nr == 0)
        return;
    if (take_common(t)) {
        end_name(t, fs, device, dir);
    } else if (t->m.nr > 1) {
        mark_directories(t, fs);
        list(t, " Possible files are:");
    }
}

/* ---- which of them --------------------------------------------------------------------------- */

/* A device, or a file with or without one. */
static void complete_name(struct tab *t, const char *word, enum command_takes takes)
{
    struct vol_id id = t->c->root;
    size_t used = 0;
    struct err e;

    if (word[0] == '\0' || (word[0] == '(' && last(word, ')') == NULL)) {
        complete_device(t, word, strlen(word), takes == TAKES_DEVICE ? ' ' : '/');
        return;
    }
    if (word[0] == '(') {
        e = vol_parse(t->c->vols, word, &id, &used);
        if (failed(e)) {
            say_error(t, e, NULL);
            return;
        }
    }
    if (takes == TAKES_DEVICE)
        return;
    if (word[used] == '\0')
        put_in(t, "/", 1);
    else if (word[used] == '/')
        complete_path(t, id, word + used);
}

/* "root=/dev/x" is completed behind the `='. */
static const char *last_word(const char *args)
{
    const char *space = last(args, ' '), *word = space != NULL ? space + 1 : args;
    const char *equals = last(word, '=');

    return word[0] != '/' && word[0] != '(' && equals != NULL ? equals + 1 : word;
}

void complete_line(void *ctx, const char *line, size_t len, struct edit_tab *out)
{
    struct completer *c = ctx;
    const struct command *command;
    struct arena scratch;
    const char *args;
    size_t name_len;
    struct tab *t;

    while (*line == ' ') {
        line++;
        len--;
    }
    lex_split(line, &name_len, &args);
    arena_init(&scratch, c->pager->sc->env->memory);
    t = arena_alloc(&scratch, sizeof(*t)); /* too large for a small stack */
    if (t == NULL)
        return;
    t->c = c;
    t->out = out;
    arena_init(&t->arena, c->pager->sc->env->memory);
    command = command_find(line, name_len);
    if (name_len == len)
        complete_command(t, line, len, true);
    else if (command != NULL && command->takes == TAKES_COMMAND)
        complete_command(t, last_word(args), strlen(last_word(args)), false);
    else
        complete_name(t, last_word(args), command != NULL ? command->takes : TAKES_FILE);
    arena_reset(&t->arena);
    arena_reset(&scratch);
}
