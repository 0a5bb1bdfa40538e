/* SPDX-License-Identifier: MIT */
/* Bytes to keys: the sequences of real terminals, whole, in pieces, cut off, and hostile ones. */
#include "core/menu/keys.h"

#include <stdlib.h>

#include "core/menu/screen.h"
#include "tests/unit/test.h"

#define ANY_TIME 1000
#define KEYS_MAX 1200

/* A terminal: the bytes come gap_ms after one another. */
struct source {
    const char *bytes;
    size_t len, at;
    uint32_t gap_ms;
    uint64_t now_ms, next_ms;
    char out[256];
};

static void put(void *ctx, const char *s, size_t len)
{
    struct source *src = ctx;

    strncat(src->out, s, len < 100 ? len : 100);
}

static int get(void *ctx, uint32_t timeout_ms)
{
    struct source *src = ctx;

    if (src->at == src->len || src->next_ms > src->now_ms + timeout_ms) {
        src->now_ms += timeout_ms;
        return src->at == src->len ? SESSION_GONE : -1;
    }
    if (src->next_ms > src->now_ms)
        src->now_ms = src->next_ms;
    src->next_ms = src->now_ms + src->gap_ms;
    return (unsigned char)src->bytes[src->at++];
}

static struct source src;
static struct session_env env = {.ctx = &src, .put = put, .get = get};

/* All keys of the bytes; the list ends with KEY_NONE. */
static const int *keys_of_mem(const char *bytes, size_t len, uint32_t gap_ms)
{
    static int keys[KEYS_MAX + 1];
    struct screen sc = {.env = &env};
    size_t n = 0;

    src = (struct source){.bytes = bytes, .len = len, .gap_ms = gap_ms};
    for (;;) {
        int key = screen_key(&sc, ANY_TIME);

        if (key == KEY_NONE || n == KEYS_MAX)
            break;
        keys[n++] = key;
    }
    keys[n] = KEY_NONE;
    return keys;
}

static bool same(const char *bytes, const int *want, size_t nr, uint32_t gap_ms)
{
    const int *got = keys_of_mem(bytes, strlen(bytes), gap_ms);

    for (size_t i = 0; i <= nr; i++) {
        if (got[i] != (i < nr ? want[i] : KEY_NONE)) {
            printf("key %zu of \"ESC%s\" is %d\n", i, bytes + 1, got[i]);
            return false;
        }
    }
    return true;
}

/* Whole, and with each byte 90 ms after the one before. */
#define CHECK_KEYS(bytes, ...)                                                                     \
    do {                                                                                           \
        const int want_[] = {__VA_ARGS__};                                                         \
        CHECK(same(bytes, want_, sizeof(want_) / sizeof(want_[0]), 0));                            \
        CHECK(same(bytes, want_, sizeof(want_) / sizeof(want_[0]), 90));                           \
    } while (0)

static void bytes_are_themselves(void)
{
    CHECK_KEYS("aZ0\r\n\t\x7f\x01", 'a', 'Z', '0', '\r', '\n', '\t', 0x7f, 1);
    CHECK_KEYS("\xc3\xa4\xff", 0xc3, 0xa4, 0xff);
    CHECK_U64(keys_of_mem("\0x", 2, 0)[0], 0);
}

static void terminals_send_different_sequences(void)
{
    /* xterm, tmux; in application mode: VT100, xterm; rxvt's and the Linux console's Home and End
     */
    CHECK_KEYS("\033[A\033[B\033[C\033[D", KEY_UP, KEY_DOWN, KEY_RIGHT, KEY_LEFT);
    CHECK_KEYS("\033OA\033OB\033OC\033OD", KEY_UP, KEY_DOWN, KEY_RIGHT, KEY_LEFT);
    CHECK_KEYS("\033[H\033[F\033OH\033OF", KEY_HOME, KEY_END, KEY_HOME, KEY_END);
    CHECK_KEYS("\033[1~\033[4~\033[7~\033[8~", KEY_HOME, KEY_END, KEY_HOME, KEY_END);
    CHECK_KEYS("\033[2~\033[3~\033[5~\033[6~", KEY_INSERT, KEY_DELETE, KEY_PAGE_UP, KEY_PAGE_DOWN);
    CHECK_KEYS("\033OS\033[14~\033[[D", KEY_F4, KEY_F4, KEY_F4);
    CHECK_KEYS("\033OM\033Op\033Oy\033Om", '\r', '0', '9', '-');
}

static void modifiers_are_understood(void)
{
    CHECK_KEYS("\033[1;5C\033[1;3D\033[1;2A", KEY_WORD_RIGHT, KEY_WORD_LEFT, KEY_UP);
    CHECK_KEYS("\033Oc\033Od\033O5C", KEY_WORD_RIGHT, KEY_WORD_LEFT, KEY_WORD_RIGHT);
    CHECK_KEYS("\033\033[D\033\033OC\033\033[A", KEY_WORD_LEFT, KEY_WORD_RIGHT, KEY_UP);
    CHECK_KEYS("\033[3;5~\033[1;5H", KEY_DELETE, KEY_HOME);
    CHECK_KEYS("\033b\033f\033\x7f", KEY_ALT | 'b', KEY_ALT | 'f', KEY_ALT | 0x7f);
}

static void unknown_sequences_are_eaten_whole(void)
{
    CHECK_KEYS("\033[11~x", KEY_OTHER, 'x'); /* F1 */
    CHECK_KEYS("\033[[Ax", KEY_OTHER, 'x');  /* F1 of the Linux console */
    CHECK_KEYS("\033OPx", KEY_OTHER, 'x');   /* F1 of xterm */
    CHECK_KEYS("\033[200~e\033[201~x", KEY_OTHER, 'e', KEY_OTHER, 'x'); /* bracketed paste */
    CHECK_KEYS("\033[<0;12;30Mx", KEY_OTHER, 'x');                      /* mouse, SGR form */
    CHECK_KEYS("\033[32;12;30Mx", KEY_OTHER, 'x');                      /* mouse, rxvt's form */
    CHECK_KEYS("\033[M !\"x", KEY_OTHER, 'x');                          /* mouse, X10 form */
    CHECK_KEYS("\033[Mcbex", KEY_OTHER, 'x');
    CHECK_KEYS("\033[I\033[Ox", KEY_OTHER, KEY_OTHER, 'x'); /* focus */
    CHECK_KEYS("\033[?62;22cx", KEY_OTHER, 'x');            /* what the terminal is */
    CHECK_KEYS("\033[24;80Rx", KEY_OTHER, 'x');             /* a size that nobody asked for */
    CHECK_KEYS("\033[5$x", KEY_OTHER, 'x');                 /* rxvt, Shift */
    CHECK_KEYS("\033[97;5ux", KEY_OTHER, 'x');
    CHECK_KEYS("\033[38:2:1mx", KEY_OTHER, 'x');
    CHECK_KEYS("\033]10;rgb:0/0/0\007x", KEY_OTHER, 'x'); /* a colour */
    CHECK_KEYS("\033]10;rgb:0/0/0\033\\x", KEY_OTHER, 'x');
    CHECK_KEYS("\033P1$r0m\033\\x", KEY_OTHER, 'x');
    CHECK_KEYS("\033[1\030x\033[1\032x", KEY_OTHER, 'x', KEY_OTHER, 'x');
}

static void escape_alone_is_a_key(void)
{
    const int *keys;

    CHECK_KEYS("\033", KEY_ESC);
    CHECK_KEYS("\033\r", KEY_ESC, '\r');
    CHECK_KEYS("\033\033", KEY_ESC, KEY_ESC);
    CHECK_KEYS("\033\033\033x", KEY_ESC, KEY_ESC, KEY_ALT | 'x');
    CHECK_KEYS("\033\xc3\xa4", KEY_ESC, 0xc3, 0xa4);
    keys = keys_of_mem("\033[A", 3, 101); /* too slow to be one key */
    CHECK(keys[0] == KEY_ESC && keys[1] == '[' && keys[2] == 'A');
    keys = keys_of_mem("\033", 1, 0);
    CHECK(keys[0] == KEY_ESC);
    CHECK_U64(src.now_ms, 100 + ANY_TIME);
}

static void a_broken_sequence_loses_no_key_behind_it(void)
{
    CHECK_KEYS("\033[1;\033[B", KEY_OTHER, KEY_DOWN);
    CHECK_KEYS("\033[\r", KEY_OTHER, '\r');
    CHECK_KEYS("\033O\033OA", KEY_OTHER, KEY_UP);
    CHECK_KEYS("\033[5\xc3\xa4", KEY_OTHER, 0xc3, 0xa4);
    CHECK_KEYS("\033[", KEY_OTHER);
}

static void a_sequence_without_end_ends(void)
{
    char bytes[1200];
    const int *keys;
    size_t n;

    memset(bytes, ';', sizeof(bytes));
    bytes[0] = '\033';
    bytes[1] = '[';
    keys = keys_of_mem(bytes, 2 + 256 + 1, 0);
    CHECK(keys[0] == KEY_OTHER && keys[1] == ';' && keys[2] == KEY_NONE);
    memset(bytes + 2, '9', sizeof(bytes) - 2); /* no number overflows */
    bytes[200] = '~';
    bytes[201] = 'x';
    keys = keys_of_mem(bytes, 202, 0);
    CHECK(keys[0] == KEY_OTHER && keys[1] == 'x' && keys[2] == KEY_NONE);
    bytes[1] = ']';
    keys = keys_of_mem(bytes, sizeof(bytes), 99);
    for (n = 0; keys[n] != KEY_NONE; n++)
        ;
    CHECK_U64(n, 1 + sizeof(bytes) - 2 - 256);
}

/* ---- the size -------------------------------------------------------------------------------- */

static struct screen ask(const char *answer, uint32_t gap_ms)
{
    struct screen sc = {.env = &env, .somebody = true};

    src = (struct source){.bytes = answer, .len = strlen(answer), .gap_ms = gap_ms};
    screen_ask_size(&sc);
    return sc;
}

static void the_terminal_tells_its_size(void)
{
    struct screen sc = ask("\033[50;132R", 90);

    CHECK_STR(src.out, "\033[999;999H\033[6n");
    CHECK_U64(screen_rows(&sc), 50);
    CHECK_U64(screen_cols(&sc), 132);
    CHECK(screen_key(&sc, 0) == KEY_NONE);
    sc = ask("\033[500;900R", 0);
    CHECK_U64(screen_rows(&sc), SCREEN_ROWS_MAX);
    CHECK_U64(screen_cols(&sc), SCREEN_COLS_MAX);
    sc = ask("\033[3;10R", 0);
    CHECK_U64(screen_rows(&sc), SCREEN_ROWS_MIN);
    CHECK_U64(screen_cols(&sc), SCREEN_COLS_MIN);
}

static void a_size_that_cannot_be_is_none(void)
{
    static const char *const answers[] = {"\033[999;999R", "\033[24R",   "\033[0;80R",
                                          "\033[1;2R",     "\033[R",     "\033[?24;80R",
                                          "\033[24;80;1R", "\033[24:80R"};

    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct screen sc = ask(answers[i], 0);

        CHECK_U64(screen_rows(&sc), 24);
        CHECK_U64(screen_cols(&sc), 80);
        CHECK(sc.asked);
    }
}

static void keys_typed_before_the_answer_come_after_it(void)
{
    struct screen sc = ask("a\033[B\033[30;90Rb", 10);

    CHECK_U64(screen_rows(&sc), 30);
    CHECK(screen_key(&sc, ANY_TIME) == 'a');
    CHECK(screen_key(&sc, ANY_TIME) == KEY_DOWN);
    CHECK(screen_key(&sc, ANY_TIME) == 'b');
    CHECK(screen_key(&sc, ANY_TIME) == KEY_NONE);
}

static void no_key_of_a_paste_is_lost(void)
{
    char paste[101] = "";
    struct screen sc;

    memset(paste, 'x', 90);
    strcpy(paste + 90, "\033[30;90R");
    sc = ask(paste, 0);
    CHECK(sc.asked);
    for (int i = 0; i < 90; i++)
        CHECK(screen_key(&sc, ANY_TIME) == 'x');
    CHECK(screen_key(&sc, ANY_TIME) == KEY_SIZE); /* late, and still good */
    CHECK_U64(screen_cols(&sc), 90);
    CHECK(screen_key(&sc, ANY_TIME) == KEY_NONE);
}

static void a_silent_terminal_is_waited_for_once(void)
{
    struct screen sc = ask("ab", 1000);

    CHECK_U64(src.now_ms, 300);
    CHECK(sc.silent);
    screen_ask_size(&sc);
    CHECK_U64(src.now_ms, 300);
    CHECK(screen_key(&sc, ANY_TIME) == 'a');
}

int main(void)
{
    RUN(bytes_are_themselves);
    RUN(terminals_send_different_sequences);
    RUN(modifiers_are_understood);
    RUN(unknown_sequences_are_eaten_whole);
    RUN(escape_alone_is_a_key);
    RUN(a_broken_sequence_loses_no_key_behind_it);
    RUN(a_sequence_without_end_ends);
    RUN(the_terminal_tells_its_size);
    RUN(a_size_that_cannot_be_is_none);
    RUN(keys_typed_before_the_answer_come_after_it);
    RUN(no_key_of_a_paste_is_lost);
    RUN(a_silent_terminal_is_waited_for_once);
    return test_done();
}
