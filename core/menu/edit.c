/* SPDX-License-Identifier: MIT */
/* The line editor's keys. */
#include "core/menu/edit.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"
#include "core/menu/edit_parts.h"

#define DEL     127
#define WAIT_MS 60000 /* how long one wait for a key lasts; there is another one behind it */

static void bell(struct editor *ed)
{
    screen_str(ed->sc, "\a");
}

/* ---- typing ----------------------------------------------------------------------------------
 */

/* The first time with a sentence, above the line. */
static void say_full(struct editor *ed)
{
    bell(ed);
    if (ed->said_full)
        return;
    ed->said_full = true;
    screen_str(ed->sc, "\r\nThe line is full: it can hold ");
    screen_u64(ed->sc, ed->cap - 1);
    screen_line(ed->sc, " bytes.");
    edit_show(ed);
}

static void type(struct editor *ed, const char *s, size_t len)
{
    size_t from = ed->at;

    if (edit_insert(ed, s, len))
        edit_show_typed(ed, from);
    else
        say_full(ed);
}

/* How many bytes a character has that begins with this one; 0: none does. */
static size_t char_bytes(unsigned char lead)
{
    if (lead >= 0xc2 && lead <= 0xdf)
        return 2;
    if (lead >= 0xe0 && lead <= 0xef)
        return 3;
    return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

/* A byte of a character of several. What turns out to be no UTF-8 is not taken, with a bell. */
static void take_part(struct editor *ed, int byte)
{
    bool first = (byte & 0xc0) != 0x80;

    if (first != (ed->part_len == 0)) {
        bell(ed);
        ed->part_len = 0;
        if (!first)
            return;
    }
    if (first && char_bytes((unsigned char)byte) == 0) {
        bell(ed);
        return;
    }
    ed->part[ed->part_len++] = (char)byte;
    if (ed->part_len < char_bytes((unsigned char)ed->part[0]))
        return;
    if (text_shown_char(ed->part, ed->part_len) == ed->part_len)
        type(ed, ed->part, ed->part_len);
    else
        bell(ed);
    ed->part_len = 0;
}

/* ---- moving ----------------------------------------------------------------------------------
 */

static void move_to(struct editor *ed, size_t at)
{
    if (at == ed->at) {
        bell(ed);
        return;
    }
    ed->at = at;
    edit_show(ed);
}

static void go_start(struct editor *ed)
{
    ed->at = 0;
    edit_show(ed);
}

static void go_end(struct editor *ed)
{
    ed->at = ed->len;
    edit_show(ed);
}

static void go_left(struct editor *ed)
{
    move_to(ed, edit_before(ed, ed->at));
}

static void go_right(struct editor *ed)
{
    move_to(ed, edit_after(ed, ed->at));
}

static void go_word_left(struct editor *ed)
{
    move_to(ed, edit_word_start(ed, ed->at));
}

static void go_word_right(struct editor *ed)
{
    move_to(ed, edit_word_end(ed, ed->at));
}

/* ---- taking out ------------------------------------------------------------------------------
 */

static void take(struct editor *ed, size_t from, size_t to, bool kill)
{
    if (from == to) {
        bell(ed);
        return;
    }
    edit_take(ed, from, to, kill);
    edit_show(ed);
}

static void delete_left(struct editor *ed)
{
    take(ed, edit_before(ed, ed->at), ed->at, false);
}

static void delete_right(struct editor *ed)
{
    take(ed, ed->at, edit_after(ed, ed->at), false);
}

static void kill_to_end(struct editor *ed)
{
    take(ed, ed->at, ed->len, true);
}

static void kill_to_start(struct editor *ed)
{
    take(ed, 0, ed->at, true);
}

static void kill_blank_word(struct editor *ed)
{
    take(ed, edit_blank_start(ed, ed->at), ed->at, true);
}

static void kill_word_right(struct editor *ed)
{
    take(ed, ed->at, edit_word_end(ed, ed->at), true);
}

static void put_back(struct editor *ed)
{
    if (ed->killed_len == 0)
        bell(ed);
    else
        type(ed, ed->killed, ed->killed_len);
}

/* The character before the cursor goes behind the one after it; at the end: the last two. */
static void swap_chars(struct editor *ed)
{
    size_t middle = ed->at < ed->len ? ed->at : edit_before(ed, ed->at);
    size_t start = edit_before(ed, middle), end = edit_after(ed, middle);
    char first[4]; /* a character's bytes */

    if (start == middle || middle == end) {
        bell(ed);
        return;
    }
    memcpy(first, ed->buf + start, middle - start);
    memmove(ed->buf + start, ed->buf + middle, end - middle);
    memcpy(ed->buf + start + (end - middle), first, middle - start);
    ed->at = end;
    edit_show(ed);
}

/* ---- older lines, completion -----------------------------------------------------------------
 */

static void recall(struct editor *ed, uint32_t age)
{
    const char *line = ed->typed;
    size_t len;

    if (age > 0)
        line = ed->opt->memory != NULL ? edit_recall(ed->opt->memory, age) : NULL;
    if (line == NULL || strlen(line) >= ed->cap) {
        bell(ed);
        return;
    }
    if (ed->age == 0)
        memcpy(ed->typed, ed->buf, ed->len + 1);
    ed->age = age;
    len = strlen(line);
    memcpy(ed->buf, line, len + 1);
    ed->len = ed->at = len;
    edit_show(ed);
}

static void older(struct editor *ed)
{
    recall(ed, ed->age + 1);
}

static void newer(struct editor *ed)
{
    if (ed->age == 0)
        bell(ed);
    else
        recall(ed, ed->age - 1);
}

static void complete(struct editor *ed)
{
    struct edit_tab tab = {.insert = ""};
    char *before = ed->typed + ed->cap; /* room for the line up to the cursor */

    if (ed->opt->complete != NULL) {
        memcpy(before, ed->buf, ed->at);
        before[ed->at] = '\0';
        ed->opt->complete(ed->opt->ctx, before, ed->at, &tab);
    }
    if (tab.wrote)
        edit_show(ed);
    if (tab.insert[0] != '\0')
        type(ed, tab.insert, strlen(tab.insert));
    else if (!tab.wrote)
        bell(ed);
}

/* ---- keys ------------------------------------------------------------------------------------
 */

static const struct {
    int key;
    void (*act)(struct editor *ed);
} keys[] = {
    {KEY_CTRL('A'), go_start},
    {KEY_HOME, go_start},
    {KEY_CTRL('E'), go_end},
    {KEY_END, go_end},
    {KEY_CTRL('B'), go_left},
    {KEY_LEFT, go_left},
    {KEY_CTRL('F'), go_right},
    {KEY_RIGHT, go_right},
    {KEY_ALT | 'b', go_word_left},
    {KEY_WORD_LEFT, go_word_left},
    {KEY_ALT | 'f', go_word_right},
    {KEY_WORD_RIGHT, go_word_right},
    {KEY_CTRL('H'), delete_left},
    {DEL, delete_left},
    {KEY_CTRL('D'), delete_right},
    {KEY_DELETE, delete_right},
    {KEY_CTRL('K'), kill_to_end},
    {KEY_CTRL('U'), kill_to_start},
    {KEY_CTRL('W'), kill_blank_word},
    {KEY_ALT | 'd', kill_word_right},
    {KEY_CTRL('Y'), put_back},
    {KEY_CTRL('T'), swap_chars},
    {KEY_CTRL('P'), older},
    {KEY_UP, older},
    {KEY_CTRL('N'), newer},
    {KEY_DOWN, newer},
    {KEY_CTRL('I'), complete},
    {KEY_CTRL('L'), edit_show},
    {KEY_SIZE, edit_show},
};

static void take_key(struct editor *ed, int key)
{
    char c = (char)key;

    if (key >= 0x80 && key <= 0xff) {
        take_part(ed, key);
        return;
    }
    if (ed->part_len > 0) { /* its last bytes never came */
        ed->part_len = 0;
        bell(ed);
    }
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (keys[i].key == key) {
            keys[i].act(ed);
            return;
        }
    }
    if (key >= 0x20 && key < DEL)
        type(ed, &c, 1);
    else
        bell(ed);
}

static enum edit_end run(struct editor *ed)
{
    edit_show(ed);
    for (;;) {
        int key = screen_key(ed->sc, WAIT_MS);

        if (key == KEY_NONE && !ed->sc->somebody)
            return EDIT_GONE;
        if (key == '\r' || key == '\n')
            return EDIT_DONE;
        if (key == KEY_ESC || key == KEY_CTRL('C') || key == KEY_CTRL('G'))
            return EDIT_CANCELLED;
        if (key != KEY_NONE && key != KEY_OTHER)
            take_key(ed, key);
    }
}

/* volatile: the compiler must not leave it out. */
void edit_wipe(char *buf, size_t len)
{
    volatile char *p = buf;

    for (size_t i = 0; i < len; i++)
        p[i] = 0;
}

/* The editor and behind it the line, the typed line, the one for completion, what was killed. */
static struct editor *editor_new(struct arena *a, struct screen *sc, const struct edit_options *opt,
                                 const char *line, size_t cap)
{
    struct editor *ed = arena_alloc(a, sizeof(*ed));
    char *room = arena_alloc(a, 4 * cap);

    if (ed == NULL || room == NULL)
        return NULL;
    *ed = (struct editor){.sc = sc, .opt = opt, .buf = room, .cap = cap};
    ed->typed = room + cap;
    ed->killed = room + 3 * cap;
    ed->len = ed->at = strlen(line);
    memcpy(ed->buf, line, ed->len + 1);
    if (opt->memory != NULL && !opt->secret && opt->memory->killed_len < cap) {
        ed->killed_len = opt->memory->killed_len;
        memcpy(ed->killed, opt->memory->killed, ed->killed_len);
    }
    return ed;
}

enum edit_end edit_line(struct screen *sc, const struct edit_options *opt, char *buf, size_t cap)
{
    enum edit_end end;
    struct editor *ed;
    struct arena arena;

    if (!sc->somebody)
        return EDIT_GONE;
    arena_init(&arena, sc->env->memory);
    ed = editor_new(&arena, sc, opt, buf, cap);
    if (ed == NULL) {
        screen_line(sc, "There is no memory to edit a line in.");
        arena_reset(&arena);
        return EDIT_CANCELLED;
    }
    end = run(ed);
    if (end != EDIT_GONE)
        screen_str(sc, "\r\n");
    if (end == EDIT_DONE)
        memcpy(buf, ed->buf, ed->len + 1);
    if (opt->secret) {
        edit_wipe(ed->buf, 4 * cap);
        edit_wipe(ed->part, sizeof(ed->part));
    } else if (opt->memory != NULL) {
        opt->memory->killed_len = ed->killed_len;
        memcpy(opt->memory->killed, ed->killed, ed->killed_len);
    }
    arena_reset(&arena);
    return end;
}
