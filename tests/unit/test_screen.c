/* SPDX-License-Identifier: MIT */
/*
 * The menu as somebody sees it: what stands on terminals of many sizes, and that after any keys it
 * is what drawing everything anew would give.
 */
#include "core/menu/screen.h"

#include <stdlib.h>

#include "core/menu/columns.h"
#include "core/menu/parts.h"
#include "tests/unit/grid.h"
#include "tests/unit/term.h"
#include "tests/unit/test.h"

#define KEYS_MAX  400
#define MENU_TEXT ((size_t)1 << 20)

static struct term term;
static struct grid grid;

static char menu_text[MENU_TEXT];
static size_t menu_len;

static void menu_begin(void)
{
    menu_len = 0;
    menu_text[0] = '\0';
}

static void add_title(const char *title)
{
    menu_len += (size_t)snprintf(menu_text + menu_len, sizeof(menu_text) - menu_len,
                                 "title %s\nkernel /k\n", title);
    if (menu_len >= sizeof(menu_text))
        exit(99);
}

static void numbered_menu(uint32_t nr)
{
    char title[32];

    menu_begin();
    for (uint32_t i = 0; i < nr; i++) {
        snprintf(title, sizeof(title), "entry number %u", i);
        add_title(title);
    }
}

/* What runs on a session whose menu is menu_text. */
typedef uint32_t run_fn(struct session *s, uint32_t selected);

static uint32_t by_hand(struct session *s, uint32_t selected)
{
    s->screen.somebody = true;
    return choose_by_hand(s, selected, KEY_NONE);
}

static uint32_t with_timeout(struct session *s, uint32_t selected)
{
    s->screen.somebody = true;
    s->settings.timeout_s = 12;
    s->settings.default_entry = selected;
    return choose(s);
}

static uint32_t run(run_fn *fn, uint32_t selected, const struct key *keys)
{
    struct session *s = calloc(1, sizeof(*s));
    struct session_env env;
    struct arena arena;
    uint32_t entry;

    term.grid = &grid;
    env = term_env(&term, keys);
    env.heading = "pvboot 9.8.7";
    arena_init(&arena, &test_memory);
    s->env = &env;
    s->screen.env = &env;
    CHECK_OK(menu_parse(&s->menu, menu_text, menu_len, &arena, NULL));
    entry = fn(s, selected);
    CHECK(!s->screen.drawn);
    CHECK_STR(grid.bad, "");
    arena_reset(&arena);
    free(s);
    return entry;
}

/* ---- what stands there ----------------------------------------------------------------------- */

static struct grid seen; /* when the session waited for the last key */

static void take_picture(void *of)
{
    (void)of;
    seen = grid;
}

/* The picture of a menu before any key of somebody. */
static void picture(uint32_t rows, uint32_t cols, uint32_t selected)
{
    static const struct key enter[] = {{5000, "\r"}, {0, NULL}};

    grid_init(&grid, rows, cols);
    term = (struct term){.waits = take_picture};
    CHECK_U64(run(by_hand, selected, enter), selected);
}

#define CHECK_ROW(row, text) CHECK_STR(grid_row(&seen, row), text)

static void a_usual_terminal(void)
{
    menu_begin();
    add_title("Debian GNU/Linux, kernel 6.1.0-27-amd64");
    add_title("Debian GNU/Linux, kernel 6.1.0-26-amd64");
    picture(24, 80, 1);
    CHECK_ROW(0, "   pvboot 9.8.7");
    CHECK_ROW(1, "");
    CHECK_ROW(2, " +----------------------------------------------------------------------------+");
    CHECK_ROW(3, " |   0  Debian GNU/Linux, kernel 6.1.0-27-amd64                               |");
    CHECK_ROW(4, " | > 1  Debian GNU/Linux, kernel 6.1.0-26-amd64                               |");
    CHECK_ROW(14,
              " |                                                                            |");
    CHECK_ROW(15,
              " +----------------------------------------------------------------------------+");
    CHECK_ROW(16, "      Use the ^ and v keys to select which entry is highlighted. Press");
    CHECK_ROW(17, "      enter to boot the selected OS, 'e' to edit the commands before");
    CHECK_ROW(18, "      booting, 'a' to modify the kernel arguments before booting, or 'c'");
    CHECK_ROW(19, "      for a command-line.");
    CHECK_ROW(20, "");
    for (uint32_t i = 0; i < 24; i++)
        CHECK(grid_row_reversed(&seen, i) == (i == 4));
    CHECK(!seen.cells[4][1].reverse && seen.cells[4][2].reverse && seen.cells[4][77].reverse &&
          !seen.cells[4][78].reverse);
    CHECK_U64(seen.row, 4);
    CHECK_U64(seen.col, 3);
}

static void a_small_terminal(void)
{
    numbered_menu(11);
    picture(10, 40, 5);
    CHECK_ROW(0, "   pvboot 9.8.7");
    CHECK_ROW(1, " +------------------------------------+");
    CHECK_ROW(2, " |    2  entry number 2               ^");
    CHECK_ROW(5, " | >  5  entry number 5               v");
    CHECK_ROW(6, " +------------------------------------+");
    CHECK_ROW(7, "  ^ v select, enter boots, e edit, a");
    CHECK_ROW(8, "  arguments, c command-line");
    CHECK_ROW(9, "");
    picture(5, 20, 10);
    CHECK_ROW(1, " +----------------+");
    CHECK_ROW(2, " | > 10  entry ...^");
    CHECK_ROW(3, " +----------------+");
}

static void a_large_terminal(void)
{
    char title[600];

    numbered_menu(10);
    memset(title, 'x', 500);
    strcpy(title + 500, "!");
    add_title(title);
    picture(60, 200, 10);
    CHECK_U64(strlen(grid_row(&seen, 13)), 199);
    CHECK(strstr(grid_row(&seen, 13), "xxx...|") != NULL);
    CHECK(strncmp(grid_row(&seen, 2), " +---", 5) == 0);
    CHECK_ROW(
        16, "      Use the ^ and v keys to select which entry is highlighted. Press enter to boot "
            "the selected OS, 'e' to edit the commands before booting, 'a' to modify the kernel "
            "arguments before booting,");
    CHECK_ROW(17, "      or 'c' for a command-line.");
    numbered_menu(10000);
    picture(60, 200, 9999);
    CHECK(strstr(grid_row(&seen, 3), "  9948  entry number 9948") != NULL);
    CHECK(strchr(grid_row(&seen, 3), '^') != NULL);
    CHECK(strstr(grid_row(&seen, 54), " > 9999  entry number 9999") != NULL);
    CHECK(strchr(grid_row(&seen, 54), 'v') == NULL);
    picture(100, 300, 9999); /* of which 60 x 200 are used */
    CHECK(strstr(grid_row(&seen, 54), " > 9999  entry number 9999") != NULL);
}

static void titles_are_cut_by_columns(void)
{
    menu_begin();
    add_title("Gr\xc3\xbc\xc3\x9f Gott");
    add_title("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e");
    add_title("e\xcc\x81 and \033[2J and \xff and \xc2\x9b");
    picture(10, 40, 0);
    CHECK_ROW(2, " | > 0  Gr\xc3\xbc\xc3\x9f Gott                     |");
    CHECK_ROW(3, " |   1  \xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"
                 "                  |");
    CHECK_ROW(4, " |   2  e\xcc\x81 and \\x1b[2J and \\xff and ...|");
    picture(5, 20, 1);
    CHECK_ROW(2, " | > 1  \xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e... ^");
}

static void a_cut_says_so(void)
{
    static const struct {
        const char *s, *shown;
        uint32_t cols, used;
    } cases[] = {
        {"abcdef", "abcdef", 6, 6},
        {"abcdefg", "abc...", 6, 6},
        {"", "", 0, 0},
        {"abc", "..", 2, 2},
        {"abcd", "...", 3, 3},
        {"x", "", 0, 0},
        {"\xe6\x97\xa5\xe6\x9c\xac", "\xe6\x97\xa5\xe6\x9c\xac", 4, 4},
        {"\xe6\x97\xa5\xe6\x9c\xacx", "...", 4, 3},
        {"a\xff", "a\\xff", 5, 5},
        {"a\xff", "a...", 4, 4},
        {"o\xcc\x88\xcc\x88\xcc\x88\xcc\x88x", "o\xcc\x88\xcc\x88\xcc\x88\xcc\x88x", 4, 2},
    };
    char buf[64], marks[4096];
    struct text t;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        t = text_on(buf, 4 * cases[i].cols + 1);
        CHECK_U64(columns_name(&t, cases[i].s, strlen(cases[i].s), cases[i].cols), cases[i].used);
        CHECK_STR(buf, cases[i].shown);
        CHECK(!t.cut);
    }
    marks[0] = 'o';
    for (size_t i = 1; i + 2 < sizeof(marks); i += 2)
        memcpy(marks + i, "\xcc\x88", 3);
    t = text_on(buf, sizeof(buf));
    CHECK_U64(columns_name(&t, marks, strlen(marks), 15), 4);
    CHECK(strlen(buf) <= 60 && strcmp(buf + strlen(buf) - 3, "...") == 0);
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* Before each ^L a picture is taken, and what stands there after it must be the same. */
struct watch {
    const struct key *keys; /* the term's, from the first */
    struct grid before;
    bool compare;
    uint32_t nr_compared, nr_different;
};

static void watch_keys(void *of)
{
    struct watch *w = of;
    const struct key *next = term.keys;

    if (w->compare) {
        w->compare = false;
        w->nr_compared++;
        if (!grid_same(&w->before, &grid) && w->nr_different++ == 0) {
            grid_print(&w->before);
            grid_print(&grid);
        }
    }
    if (next->bytes != NULL && next->bytes[0] == KEY_CTRL('L')) {
        w->before = grid;
        w->compare = true;
    }
}

static uint32_t random_below(uint32_t n)
{
    static uint32_t state = 12345;

    state = state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)(state >> 8) * n >> 24);
}

static const char *const random_keys[] = {
    "\033[A", "\033[B", "\033[B",  "\033OB",  "\033[5~",  "\033[6~",   "\033[6~", "\033[H",
    "\033[F", "\020",   "\016",    "\001",    "\005",     "0",         "1",       "5",
    "9",      "x",      "\033",    "\033[1~", "\033[4~",  "\033[200~", "\033OP",  "\xc3\xa4",
    "\033x",  "\t",     "\033[[A", "\014",    "\033[3;3R"};

/* Random keys, each followed by ^L, a second apart. */
static void random_walk(uint32_t rows, uint32_t cols, uint32_t nr_entries, uint32_t nr_keys)
{
    struct key keys[2 * KEYS_MAX + 2];
    struct watch w = {.keys = keys};
    uint32_t nr = 0;

    for (uint32_t i = 0; i < nr_keys; i++) {
        const char *bytes = random_keys[random_below(sizeof(random_keys) / sizeof(random_keys[0]))];

        keys[nr] = (struct key){1000 * (nr + 1), bytes};
        nr++;
        keys[nr] = (struct key){1000 * (nr + 1), "\014"};
        nr++;
    }
    keys[nr] = (struct key){1000 * (nr + 1), "\r"};
    keys[nr + 1] = (struct key){0, NULL};
    grid_init(&grid, rows, cols);
    term = (struct term){.waits = watch_keys, .waits_of = &w};
    run(by_hand, random_below(nr_entries), keys);
    CHECK(w.nr_compared >= nr_keys);
    CHECK_U64(w.nr_different, 0);
}

static void any_keys_leave_what_drawing_anew_gives(void)
{
    static const uint32_t sizes[][2] = {{10, 40}, {24, 80}, {60, 200}, {5, 20}, {25, 132}};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        numbered_menu(3);
        random_walk(sizes[i][0], sizes[i][1], 3, 60);
        numbered_menu(120);
        random_walk(sizes[i][0], sizes[i][1], 120, 200);
    }
    for (uint32_t i = 0; i < 60; i++) {
        uint32_t nr = 1 + random_below(80);

        numbered_menu(nr);
        random_walk(5 + random_below(70), 20 + random_below(200), nr, 30);
    }
}

static void titles_of_any_kind_leave_it_too(void)
{
    static const char *const parts[] = {"a",         " ",           "\xc3\xa4", "\xe6\x97\xa5",
                                        "\xcc\x81",  "\xff",        "\033",     "\xf0\x9f\x98\x80",
                                        "long word", "\xe2\x80\x8b"};
    char title[512];

    for (uint32_t i = 0; i < 30; i++) {
        menu_begin();
        for (uint32_t j = 0; j < 20; j++) {
            strcpy(title, "t");
            for (uint32_t n = random_below(40); n > 0; n--)
                strcat(title, parts[random_below(sizeof(parts) / sizeof(parts[0]))]);
            add_title(title);
        }
        random_walk(5 + random_below(30), 20 + random_below(100), 20, 30);
    }
}

static void moving_costs_what_is_shown(void)
{
    static const struct key keys[] = {{5000, "\033[A"}, {6000, "\r"}, {0, NULL}};
    uint64_t nr_out;

    numbered_menu(10000);
    grid_init(&grid, 24, 80);
    term = (struct term){.grid = NULL};
    CHECK_U64(run(by_hand, 5000, keys + 1), 5000);
    nr_out = term.nr_out;
    CHECK(nr_out < 2500); /* 24 rows of 80 and what steers them */
    grid_init(&grid, 24, 80);
    CHECK_U64(run(by_hand, 5000, keys), 4999);
    CHECK(term.nr_out - nr_out < 250); /* two rows */
}

static void keys_are_grubs(void)
{
    static const struct {
        const char *keys;
        uint32_t entry;
    } cases[] = {
        {"\033[B\r", 6},     {"\016\n", 6},        {"\020\033[C", 4},   {"\033[B\006", 6},
        {"\033[Bb", 6},      {"\001\r", 0},        {"\005\r", 19},      {"\033[H\r", 0},
        {"\033OF\r", 19},    {"\033[6~\r", 19},    {"\033[5~\r", 0},    {"12\r", 12},
        {"1x2\r", 2},        {"99\r", 9},          {"\033\r", 5},       {"\033[200~\r", 5},
        {"\033[B\014\r", 6}, {"\033O\033[B\r", 6}, {"\033OB\033OM", 6},
    };

    numbered_menu(20);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct key keys[] = {{5000, cases[i].keys}, {0, NULL}};

        grid_init(&grid, 24, 80);
        term = (struct term){.grid = NULL};
        if (run(by_hand, 5, keys) != cases[i].entry)
            printf("case %zu\n", i);
        CHECK_U64(run(by_hand, 5, keys), cases[i].entry);
    }
}

/* ---- the size -------------------------------------------------------------------------------- */

static void a_late_answer_draws_anew(void)
{
    static const struct key keys[] = {{500, "\033[B"}, {9000, "\r"}, {0, NULL}};

    numbered_menu(30);
    grid_init(&grid, 30, 100);
    term = (struct term){.answer_ms = 2000, .waits = take_picture};
    CHECK_U64(run(by_hand, 0, keys), 1);
    CHECK_U64(strlen(grid_row(&seen, 2)), 99);
    CHECK(strstr(grid_row(&seen, 4), " >  1  entry number 1 ") != NULL);
    CHECK_ROW(
        25,
        "      Use the ^ and v keys to select which entry is highlighted. Press enter to boot the");
}

static void without_an_answer_it_is_80_by_24(void)
{
    static const struct key keys[] = {{5000, "\r"}, {0, NULL}};

    numbered_menu(3);
    grid_init(&grid, 30, 100);
    term = (struct term){.answer_ms = TERM_SILENT, .waits = take_picture};
    CHECK_U64(run(by_hand, 0, keys), 0);
    CHECK_U64(strlen(grid_row(&seen, 2)), 79);
    CHECK_U64(term.now_ms, 5000);
}

static void resize(void *of)
{
    if (*(uint32_t *)of == 0)
        grid_resize(&grid, 12, 44);
    seen = grid;
    ++*(uint32_t *)of;
}

/* The terminal's window has another size: ^L draws for it. */
static void another_size_is_seen_at_ctrl_l(void)
{
    static const struct key keys[] = {{1000, "\014"}, {3000, "\r"}, {0, NULL}};
    uint32_t nr_waits = 0;

    numbered_menu(30);
    grid_init(&grid, 24, 80);
    term = (struct term){.waits = resize, .waits_of = &nr_waits};
    CHECK_U64(run(by_hand, 8, keys), 8);
    CHECK_ROW(1, " +----------------------------------------+");
    CHECK_ROW(8, " +----------------------------------------+");
    CHECK_U64(nr_waits, 2);
}

/* ---- the countdown --------------------------------------------------------------------------- */

static void the_countdown_stands_in_its_place(void)
{
    static const struct key never[] = {{99000, "x"}, {0, NULL}};
    static const struct key keys[] = {{3500, "\033[B"}, {20000, "\r"}, {0, NULL}};

    numbered_menu(3);
    grid_init(&grid, 24, 80);
    term = (struct term){.waits = take_picture};
    CHECK_U64(run(with_timeout, 1, never), 1);
    CHECK_U64(term.now_ms, 12000);
    CHECK_ROW(21, "   The highlighted entry will be booted automatically in 1 seconds.");
    CHECK_U64(seen.row, 4);

    grid_init(&grid, 10, 40);
    CHECK_U64(run(with_timeout, 1, never), 1);
    CHECK_ROW(9, " Booting in 1 s.");

    grid_init(&grid, 24, 80);
    CHECK_U64(run(with_timeout, 1, keys), 2);
    CHECK_U64(term.now_ms, 20000);
    CHECK_ROW(21, "");
    CHECK_ROW(5, " | > 2  entry number 2                                                        |");
}

/* ---- leaving --------------------------------------------------------------------------------- */

static void it_leaves_a_clean_terminal(void)
{
    static const struct key enter[] = {{5000, "\033[B\r"}, {0, NULL}};
    static const struct key gone[] = {{0, "\033[B\033["}, {0, NULL}};
    const struct key *const keys[] = {enter, gone};
    struct grid empty;

    numbered_menu(30);
    for (int i = 0; i < 2; i++) {
        grid_init(&grid, 24, 80);
        grid_init(&empty, 24, 80);
        empty.row = 1;
        term = (struct term){.grid = NULL};
        CHECK_U64(run(by_hand, 5, keys[i]), 6);
        CHECK(grid_same(&grid, &empty));
        CHECK(memcmp(&grid.pen, &empty.pen, sizeof(grid.pen)) == 0);
        CHECK(!grid.places);
    }
}

static uint32_t with_nobody(struct session *s, uint32_t selected)
{
    return choose_by_hand(s, selected, KEY_NONE);
}

static uint32_t with_colours(struct session *s, uint32_t selected)
{
    s->settings.has_color = true;
    s->settings.color_normal = (struct menu_color_pair){.foreground = 37, .background = 44};
    s->settings.color_highlight =
        (struct menu_color_pair){.foreground = 93, .background = 41, .blink = true};
    return by_hand(s, selected);
}

static void colours_are_shown_in_the_box_alone(void)
{
    static const struct key keys[] = {{3000, "\033[B"}, {5000, "\r"}, {0, NULL}};
    const struct cell *c;

    numbered_menu(3);
    grid_init(&grid, 24, 80);
    term = (struct term){.waits = take_picture};
    CHECK_U64(run(with_colours, 0, keys), 1);
    for (uint32_t row = 0; row < seen.rows; row++) {
        for (uint32_t col = 0; col < seen.cols; col++) {
            bool box = row >= 2 && row <= 15 && col >= 1 && col <= 78;
            bool bar = row == 4 && col >= 2 && col <= 77;

            c = &seen.cells[row][col];
            CHECK_U64(c->fg, bar ? 33 : box ? 37 : 0);
            CHECK_U64(c->bg, bar ? 41 : box ? 44 : 0);
            CHECK(c->bold == bar && c->blink == bar && !c->reverse);
        }
    }
}

static void with_nobody_there_nothing_is_drawn(void)
{
    numbered_menu(30);
    grid_init(&grid, 24, 80);
    CHECK_U64(run(with_nobody, 7, NULL), 7);
    CHECK_STR(term.out, "");
}

int main(void)
{
    RUN(a_usual_terminal);
    RUN(a_small_terminal);
    RUN(a_large_terminal);
    RUN(titles_are_cut_by_columns);
    RUN(a_cut_says_so);
    RUN(any_keys_leave_what_drawing_anew_gives);
    RUN(titles_of_any_kind_leave_it_too);
    RUN(moving_costs_what_is_shown);
    RUN(keys_are_grubs);
    RUN(a_late_answer_draws_anew);
    RUN(without_an_answer_it_is_80_by_24);
    RUN(another_size_is_seen_at_ctrl_l);
    RUN(the_countdown_stands_in_its_place);
    RUN(it_leaves_a_clean_terminal);
    RUN(colours_are_shown_in_the_box_alone);
    RUN(with_nobody_there_nothing_is_drawn);
    return test_done();
}
