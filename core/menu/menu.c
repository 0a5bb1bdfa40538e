/* SPDX-License-Identifier: MIT */
#include "core/menu/menu.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"
#include "core/menu/lex.h"

/* What grows while lines are read: all commands in one array, entries by their first command. */
struct builder {
    struct arena *arena;
    struct menu_command *commands;
    uint32_t nr_commands, room_commands;
    struct menu_entry *entries;
    uint32_t nr_entries, room_entries;
};

/*
 * The array with room for one more element of `size` bytes, doubling: what is left behind in the
 * arena is less than what is in use. NULL: no memory.
 */
static void *with_room(struct arena *a, void *array, uint32_t nr, uint32_t *room, size_t size)
{
    if (nr < *room)
        return array;
    uint32_t new_room = *room == 0 ? 64 : *room * 2;
    void *p = arena_array(a, new_room, size);

    if (p != NULL && nr > 0)
        memcpy(p, array, nr * size);
    if (p != NULL)
        *room = new_room;
    return p;
}

static struct err add_entry(struct builder *b, const char *title, uint32_t line_nr)
{
    void *array =
        with_room(b->arena, b->entries, b->nr_entries, &b->room_entries, sizeof(*b->entries));

    if (b->nr_entries == MENU_ENTRIES_MAX)
        return ERR1(ERR_LIMIT, "the menu has more than %a entries", MENU_ENTRIES_MAX);
    if (array == NULL)
        return arena_exhausted("no memory for a menu with so many lines (%a of them)",
                               b->nr_entries);
    b->entries = array;
    /* nr_commands holds the index of the first command until finish(). */
    b->entries[b->nr_entries++] =
        (struct menu_entry){.title = title, .line_nr = line_nr, .nr_commands = b->nr_commands};
    return OK;
}

static struct err add_command(struct builder *b, const struct menu_command *c)
{
    void *array =
        with_room(b->arena, b->commands, b->nr_commands, &b->room_commands, sizeof(*b->commands));

    if (b->nr_commands == MENU_COMMANDS_MAX)
        return ERR1(ERR_LIMIT, "the menu has more than %a lines with commands", MENU_COMMANDS_MAX);
    if (array == NULL)
        return arena_exhausted("no memory for a menu with so many lines (%a of them)",
                               b->nr_commands);
    b->commands = array;
    b->commands[b->nr_commands++] = *c;
    return OK;
}

/* The arrays stand still now: turn indices into pointers and lengths. */
static void finish(struct builder *b, struct menu *out)
{
    for (uint32_t i = 0; i < b->nr_entries; i++) {
        uint32_t first = b->entries[i].nr_commands;
        uint32_t end = i + 1 < b->nr_entries ? b->entries[i + 1].nr_commands : b->nr_commands;

        /* No command at all: the array may be NULL, and is not added to. */
        b->entries[i].commands = end > first ? b->commands + first : NULL;
        b->entries[i].nr_commands = end - first;
        if (i == 0)
            out->nr_globals = first;
    }
    if (b->nr_entries == 0)
        out->nr_globals = b->nr_commands;
    out->globals = b->commands;
    out->nr_entries = b->nr_entries;
    out->entries = b->entries;
}

static void warn_of_nuls(const struct log *log, uint32_t nr_nuls)
{
    char buf[128];
    struct text t = text_on(buf, sizeof(buf));

    text_str(&t, "menu: ");
    text_u64(&t, nr_nuls);
    text_str(&t, " NUL bytes in the file read as spaces; a crash or a UTF-16 editor leaves them");
    log_line(log, buf);
}

struct err menu_parse(struct menu *out, const char *text, size_t len, struct arena *a,
                      const struct log *log)
{
    struct builder b = {.arena = a};
    struct lexer lx;
    char *copy, *line;
    uint32_t line_nr;

    *out = (struct menu){0};
    if (len > MENU_BYTES_MAX)
        return ERR2(ERR_LIMIT, "a menu of %a bytes; at most %b are read", len, MENU_BYTES_MAX);
    copy = arena_strndup(a, text, len);
    if (copy == NULL)
        return arena_exhausted("no memory for the menu's %a bytes", len);
    lex_init(&lx, copy, len);
    while (lex_line(&lx, &line, &line_nr)) {
        struct menu_command c = {.line = line, .line_nr = line_nr};

        lex_split(line, &c.name_len, &c.args);
        if (lex_is(line, c.name_len, "title"))
            TRY(add_entry(&b, c.args, line_nr));
        else
            TRY(add_command(&b, &c));
    }
    if (lx.nr_nuls > 0)
        warn_of_nuls(log, lx.nr_nuls);
    finish(&b, out);
    return OK;
}
