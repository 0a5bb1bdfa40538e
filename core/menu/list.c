/* SPDX-License-Identifier: MIT */
#include "core/menu/list.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"
#include "core/menu/columns.h"

#define PLAIN_COLS    79 /* of a line in the plain form */
#define BOX_ROWS      12 /* the box is not lower, however few the entries are, as in GRUB */
#define ROOMY_ROWS    20 /* from here on blank lines set the parts off */
#define ROOMY_COLS    60 /* from here on the help is indented as in GRUB */
#define ENTRIES_LONG  6  /* the long help must leave so many rows, */
#define ENTRIES_SHORT 3  /* the short help so many, or there is none */
#define ROW_BYTES     (SCREEN_COLS_MAX * 4 + 32)
#define BORDER_COLS   4 /* a blank, the borders, and the last column, which stays empty */

#define HELP_SELECT "Use the ^ and v keys to select which entry is highlighted. "

static const char *const help_long[] = {
    HELP_SELECT "Press enter to boot the selected OS, 'e' to edit the commands before booting, 'a' "
                "to modify the kernel arguments before booting, or 'c' for a command-line.",
    HELP_SELECT "Press enter to boot the selected OS or 'p' to enter a password to unlock the next "
                "set of features."};
static const char *const help_short[] = {
    "^ v select, enter boots, e edit, a arguments, c command-line",
    "^ v select, enter boots, p password"};

/* ---- plain lines ----------------------------------------------------------------------------- */

static uint32_t nr_digits(uint32_t v)
{
    uint32_t n = 1;

    for (; v >= 10; v /= 10)
        n++;
    return n;
}

/* " > 12  title", as wide as cols at most; unnumbered: " > title". Returns its columns. */
static uint32_t entry_text(struct text *t, const struct menu *m, uint32_t i, bool selected,
                           bool unnumbered, uint32_t cols)
{
    const char *title = m->entries[i].title;
    uint32_t pad = nr_digits(m->nr_entries - 1) - nr_digits(i);
    uint32_t used;

    text_str(t, selected ? " > " : "   ");
    if (!unnumbered) {
        for (; pad > 0; pad--)
            text_char(t, ' ');
        text_u64(t, i);
        text_str(t, "  ");
    }
    used = (uint32_t)t->len;
    return used + columns_name(t, title, strlen(title), cols > used ? cols - used : 0);
}

static void hidden_line(struct screen *sc, uint32_t nr, const char *where)
{
    if (nr == 0)
        return;
    screen_str(sc, "   ... ");
    screen_u64(sc, nr);
    screen_line(sc, where);
}

void list_lines(struct screen *sc, const struct menu *m, uint32_t selected)
{
    uint32_t nr = (uint32_t)min_u64(m->nr_entries, LIST_PLAIN_ROWS);
    uint32_t first = selected < LIST_PLAIN_ROWS / 2 ? 0 : selected - LIST_PLAIN_ROWS / 2;

    if (first > m->nr_entries - nr)
        first = m->nr_entries - nr;
    screen_line(sc, "");
    hidden_line(sc, first, " entries above");
    for (uint32_t i = first; i < first + nr; i++) {
        char buf[ROW_BYTES];
        struct text t = text_on(buf, sizeof(buf));

        entry_text(&t, m, i, i == selected, false, PLAIN_COLS);
        screen_line(sc, buf);
    }
    hidden_line(sc, m->nr_entries - (first + nr), " entries below");
    screen_line(sc, "");
}

/* ---- where things stand ---------------------------------------------------------------------- */

/* Screen rows, from 0. */
struct layout {
    uint32_t gap; /* blank lines between the parts: 0 or 1 */
    uint32_t top; /* the upper border; entries follow it, then the lower border, then the help */
    uint32_t nr_entries;
    uint32_t nr_help;
    const char *help;
    uint32_t countdown;
};

static uint32_t help_indent(const struct screen *sc)
{
    return screen_cols(sc) >= ROOMY_COLS ? 6 : 2;
}

/* Line n of the text when it is broken into lines of `width` columns; false past its end. */
static bool broken_line(const char *text, uint32_t width, uint32_t n, const char **line,
                        size_t *len)
{
    for (uint32_t i = 0; *text != '\0'; i++) {
        size_t left = strlen(text), end = left;

        if (left > width) {
            for (end = width; end > 0 && text[end] != ' '; end--)
                ;
            if (end == 0) /* a word that is longer than a line */
                end = width;
        }
        *line = text;
        *len = end;
        if (i == n)
            return true;
        text += end;
        while (*text == ' ')
            text++;
    }
    return false;
}

static uint32_t nr_broken_lines(const struct screen *sc, const char *text)
{
    const char *line;
    uint32_t n = 0;
    size_t len;

    while (broken_line(text, screen_cols(sc) - 2 * help_indent(sc), n, &line, &len))
        n++;
    return n;
}

static struct layout lay_out(const struct screen *sc, const struct list *l)
{
    uint32_t rows = screen_rows(sc), wanted = l->menu->nr_entries;
    struct layout lay = {.gap = rows >= ROOMY_ROWS ? 1 : 0};
    uint32_t room = rows - 4 - 2 * lay.gap; /* less heading, borders, countdown */
    const char *in_long = l->help_long != NULL ? l->help_long : help_long[l->locked];
    const char *in_short = l->help_short != NULL ? l->help_short : help_short[l->locked];
    uint32_t nr_long = nr_broken_lines(sc, in_long), nr_short = nr_broken_lines(sc, in_short);

    lay.help = "";
    if (room >= nr_long + ENTRIES_LONG) {
        lay.help = in_long;
        lay.nr_help = nr_long;
    } else if (room >= nr_short + ENTRIES_SHORT) {
        lay.help = in_short;
        lay.nr_help = nr_short;
    }
    if (wanted < BOX_ROWS)
        wanted = BOX_ROWS;
    lay.top = 1 + lay.gap;
    lay.nr_entries = (uint32_t)min_u64(wanted, room - lay.nr_help);
    lay.countdown = lay.top + 1 + lay.nr_entries + 1 + lay.nr_help + lay.gap;
    return lay;
}

uint32_t list_page(const struct screen *sc, const struct list *l)
{
    return lay_out(sc, l).nr_entries;
}

uint32_t list_moved(const struct screen *sc, const struct list *l, uint32_t selected, int key)
{
    uint32_t last = l->menu->nr_entries > 0 ? l->menu->nr_entries - 1 : 0;
    uint32_t page = list_page(sc, l);

    switch (key) {
    case KEY_UP:
    case KEY_CTRL('P'):
        return selected > 0 ? selected - 1 : 0;
    case KEY_DOWN:
    case KEY_CTRL('N'):
        return selected < last ? selected + 1 : last;
    case KEY_HOME:
    case KEY_CTRL('A'):
        return 0;
    case KEY_END:
    case KEY_CTRL('E'):
        return last;
    case KEY_PAGE_UP:
        return selected > page ? selected - page : 0;
    case KEY_PAGE_DOWN:
        return last - selected > page ? selected + page : last;
    default:
        return selected;
    }
}

/* ---- drawing --------------------------------------------------------------------------------- */

static void repeat(struct screen *sc, char c, uint32_t n)
{
    char buf[SCREEN_COLS_MAX];

    memset(buf, c, n);
    sc->env->put(sc->env->ctx, buf, n);
}

/* A colour as all terminals know it: a bright one is its dark one in bold. */
static void colour(struct screen *sc, const struct menu_color_pair *pair)
{
    bool bright = pair->foreground >= 90;

    screen_str(sc, pair->blink ? "\033[0;5;" : "\033[0;");
    screen_str(sc, bright ? "1;" : "");
    screen_u64(sc, bright ? pair->foreground - 60U : pair->foreground);
    screen_str(sc, ";");
    screen_u64(sc, pair->background);
    screen_str(sc, "m");
}

static void pen_on(struct screen *sc, const struct list *l, bool selected)
{
    if (l->settings->has_color)
        colour(sc, selected ? &l->settings->color_highlight : &l->settings->color_normal);
    else if (selected)
        screen_reverse(sc, true);
}

/* Back to what is around it. */
static void pen_off(struct screen *sc, const struct list *l, bool selected)
{
    if (l->settings->has_color && selected)
        colour(sc, &l->settings->color_normal);
    else if (l->settings->has_color || selected)
        screen_reverse(sc, false);
}

static bool is_ascii(const struct text *t)
{
    for (size_t i = 0; i < t->len; i++) {
        if ((uint8_t)t->buf[i] >= 0x80)
            return false;
    }
    return true;
}

static char right_border(const struct list *l, const struct layout *lay, uint32_t entry)
{
    if (entry == l->first && l->first > 0)
        return '^';
    if (entry + 1 == l->first + lay->nr_entries && entry + 1 < l->menu->nr_entries)
        return 'v';
    return '|';
}

/* The row of an entry, the cursor being at its beginning; past the last entry an empty one. */
static void draw_entry(struct screen *sc, const struct list *l, const struct layout *lay,
                       uint32_t entry)
{
    uint32_t cols = screen_cols(sc) - BORDER_COLS, used = 0;
    bool selected = entry == l->selected;
    char buf[ROW_BYTES], border[2] = {right_border(l, lay, entry), '\0'};
    struct text t = text_on(buf, sizeof(buf));

    if (entry < l->menu->nr_entries)
        used = entry_text(&t, l->menu, entry, selected, l->unnumbered, cols);
    screen_str(sc, " ");
    pen_on(sc, l, false);
    screen_str(sc, "|");
    if (selected)
        pen_on(sc, l, true);
    screen_str(sc, buf);
    repeat(sc, ' ', cols - used);
    if (selected)
        pen_off(sc, l, true);
    /* A terminal may have another opinion on the width of such a title. */
    if (!is_ascii(&t))
        screen_at(sc, lay->top + 1 + entry - l->first, screen_cols(sc) - 2);
    screen_str(sc, border);
    pen_off(sc, l, false);
}

static void draw_border(struct screen *sc, const struct list *l)
{
    screen_str(sc, " ");
    pen_on(sc, l, false);
    screen_str(sc, "+");
    repeat(sc, '-', screen_cols(sc) - BORDER_COLS);
    screen_str(sc, "+");
    pen_off(sc, l, false);
}

static void draw_help(struct screen *sc, const struct layout *lay, uint32_t n)
{
    uint32_t indent = help_indent(sc);
    const char *line;
    size_t len;

    if (!broken_line(lay->help, screen_cols(sc) - 2 * indent, n, &line, &len))
        return;
    repeat(sc, ' ', indent);
    sc->env->put(sc->env->ctx, line, len);
}

static void draw_countdown(struct screen *sc, const struct list *l)
{
    bool roomy = screen_cols(sc) > 75;

    if (!l->counting)
        return;
    screen_str(sc, roomy ? "   The highlighted entry will be booted automatically in "
                         : " Booting in ");
    screen_u64(sc, l->left_s);
    screen_str(sc, roomy ? " seconds." : " s.");
}

static void draw_heading(struct screen *sc, const struct list *l)
{
    char buf[ROW_BYTES];
    struct text t = text_on(buf, sizeof(buf));

    columns_name(&t, l->heading, strlen(l->heading), screen_cols(sc) - BORDER_COLS);
    screen_str(sc, "   ");
    screen_str(sc, buf);
}

static void draw_all(struct screen *sc, const struct list *l, const struct layout *lay)
{
    screen_clear(sc);
    draw_heading(sc, l);
    for (uint32_t i = 0; i < lay->gap + 1; i++)
        screen_line(sc, "");
    draw_border(sc, l);
    for (uint32_t i = 0; i < lay->nr_entries; i++) {
        screen_line(sc, "");
        draw_entry(sc, l, lay, l->first + i);
    }
    screen_line(sc, "");
    draw_border(sc, l);
    for (uint32_t i = 0; i < lay->nr_help; i++) {
        screen_line(sc, "");
        draw_help(sc, lay, i);
    }
    for (uint32_t i = 0; i < lay->gap + 1; i++)
        screen_line(sc, "");
    draw_countdown(sc, l);
}

/* The first row's entry, moved no further than the selected one asks for. */
static uint32_t first_row(const struct list *l, const struct layout *lay, uint32_t selected)
{
    uint32_t nr = l->menu->nr_entries, first = l->first;

    if (nr <= lay->nr_entries)
        return 0;
    if (first > nr - lay->nr_entries)
        first = nr - lay->nr_entries;
    if (selected < first)
        return selected;
    if (selected - first >= lay->nr_entries)
        return selected - lay->nr_entries + 1;
    return first;
}

/* The cursor rests at the selected entry: what reads a screen aloud follows it. */
static void rest_cursor(struct screen *sc, const struct list *l, const struct layout *lay)
{
    screen_at(sc, lay->top + 1 + l->selected - l->first, 3);
}

void list_show(struct screen *sc, struct list *l, uint32_t selected)
{
    struct layout lay = lay_out(sc, l);
    uint32_t old_first = l->first, old = l->selected;

    l->first = first_row(l, &lay, selected);
    l->selected = selected;
    if (!l->shown) {
        draw_all(sc, l, &lay);
        l->shown = true;
    } else if (l->first != old_first) {
        for (uint32_t i = 0; i < lay.nr_entries; i++) {
            screen_at(sc, lay.top + 1 + i, 0);
            draw_entry(sc, l, &lay, l->first + i);
        }
    } else if (selected != old) {
        screen_at(sc, lay.top + 1 + old - l->first, 0);
        draw_entry(sc, l, &lay, old);
        screen_at(sc, lay.top + 1 + selected - l->first, 0);
        draw_entry(sc, l, &lay, selected);
    } else {
        return;
    }
    rest_cursor(sc, l, &lay);
}

void list_forget(struct list *l)
{
    l->shown = false;
}

void list_countdown(struct screen *sc, struct list *l, bool counting, uint32_t left_s)
{
    struct layout lay = lay_out(sc, l);

    if (l->counting == counting && l->left_s == left_s)
        return;
    l->counting = counting;
    l->left_s = left_s;
    if (!l->shown)
        return;
    screen_at(sc, lay.countdown, 0);
    draw_countdown(sc, l);
    screen_clear_right(sc);
    rest_cursor(sc, l, &lay);
}
