/* SPDX-License-Identifier: MIT */
/* The line editor: what keys do to the line, and what its row on the terminal shows. */
#include <stdlib.h>

#include "core/base/text.h"
#include "core/menu/edit.h"
#include "tests/unit/term.h"
#include "tests/unit/test.h"

#define CAP 8192

static struct term term;
static struct edit_memory memory;
static char line[CAP];
static size_t cap = CAP;

/* Edit `from` with these keys, typed at once; the result is in `line`. */
static enum edit_end edit_with(const struct edit_options *opt, const char *from, const char *typed)
{
    const struct key keys[] = {{0, typed}, {0, NULL}};
    struct session_env env = term_env(&term, typed[0] != '\0' ? keys : keys + 1);
    struct screen sc = {.env = &env, .somebody = true};
    enum edit_end end;

    snprintf(line, sizeof(line), "%s", from);
    end = edit_line(&sc, opt, line, cap);
    CHECK_U64(term.nr_held, 0);
    return end;
}

static const struct edit_options plain = {.prompt = "> ", .memory = &memory};

static void check_edit(const char *from, const char *typed, const char *want)
{
    char all[CAP + 64];

    snprintf(all, sizeof(all), "%s\r", typed);
    CHECK_U64(edit_with(&plain, from, all), EDIT_DONE);
    CHECK_STR(line, want);
}

/* ---- the row, as a terminal of 80 columns shows it --------------------------------------------
 */

struct row {
    char cells[80][8];
    size_t at;
};

static size_t csi(struct row *r, const char *s)
{
    if (*s == 'K') {
        for (size_t i = r->at; i < 80; i++)
            strcpy(r->cells[i], " ");
    } else {
        printf("a sequence that the editor has no use for: %s\n", s);
        exit(1);
    }
    return 1;
}

/* The last row of the output as text, without blanks at its end; *at is the cursor. */
static const char *last_row(size_t *at)
{
    static char text[81 * 8];
    struct row r = {.at = 0};
    const char *s = term.out;
    size_t len = 0;

    for (int i = 0; i < 80; i++)
        strcpy(r.cells[i], " ");
    while (*s != '\0') {
        size_t n = text_shown_char(s, strlen(s));

        if (*s == '\r') {
            r.at = 0;
        } else if (*s == '\b') {
            r.at--;
        } else if (*s == '\n') {
            for (int i = 0; i < 80; i++)
                strcpy(r.cells[i], " ");
        } else if (s[0] == '\033' && s[1] == '[') {
            s += 1 + csi(&r, s + 2);
        } else if (*s != '\a') {
            if (n == 0 || r.at + text_cols(s, n) > 79) {
                printf("a byte that does not belong in the row, or past its end: %s\n", s);
                exit(1);
            }
            if (text_cols(s, n) == 0) {
                strncat(r.cells[r.at - 1], s, n);
            } else {
                snprintf(r.cells[r.at], 8, "%.*s", (int)n, s);
                if (text_cols(s, n) == 2)
                    r.cells[r.at + 1][0] = '\0';
                r.at += text_cols(s, n);
            }
            s += n - 1;
        }
        s++;
    }
    for (int i = 0; i < 80; i++)
        len += (size_t)sprintf(text + len, "%s", r.cells[i]);
    while (len > 0 && text[len - 1] == ' ')
        text[--len] = '\0';
    *at = r.at;
    return text;
}

/* The row after these keys, before anything ends the editing. */
static void check_row(const char *from, const char *typed, const char *want, size_t want_at)
{
    size_t at;

    CHECK_U64(edit_with(&plain, from, typed), EDIT_GONE);
    CHECK_STR(last_row(&at), want);
    CHECK_U64(at, want_at);
}

/* ---- keys ------------------------------------------------------------------------------------ */

static void typing_inserts_at_the_cursor(void)
{
    check_edit("", "kernel", "kernel");
    check_edit("ro", "ot=x", "root=x");
    check_edit("bc", "\001a", "abc");
    check_edit("ac", "\002b", "abc");
    check_edit("", "a\n", "a");
}

static void moving(void)
{
    check_edit("abc", "\033[D\033[D.", "a.bc");
    check_edit("abc", "\033OD\033[C.", "abc.");
    check_edit("abc", "\033[H.", ".abc");
    check_edit("abc", "\001\006.", "a.bc");
    check_edit("abc", "\001\005.", "abc.");
    check_edit("abc", "\001\033[F.", "abc.");
    check_edit("abc", "\001\002\002.", ".abc");
    check_edit("a b-c d", "\033b.", "a b-c .d");
    check_edit("a b-c d", "\033b\033b.", "a b-.c d");
    check_edit("ab  cd", "\001\033f.", "ab.  cd");
    check_edit("ab  cd", "\001\033f\033f\033f.", "ab  cd.");
}

static void taking_out(void)
{
    check_edit("abc", "\010", "ab");
    check_edit("abc", "\177\177\177\177", "");
    check_edit("abc", "\001\004", "bc");
    check_edit("abc", "\001\033[3~", "bc");
    check_edit("abc", "\004", "abc");
    check_edit("abc def", "\002\002\002\013", "abc ");
    check_edit("abc def", "\002\002\002\025", "def");
    check_edit("kernel /boot/x", "\027", "kernel ");
    check_edit("kernel /boot/x  ", "\027", "kernel ");
    check_edit("a b-c d", "\001\033d", " b-c d");
    check_edit("a b-c d", "\001\033f\033d", "a-c d");
}

static void what_was_killed_comes_back(void)
{
    check_edit("abc def", "\027\001\031 ", "def abc ");
    check_edit("abc def", "\001\013\031\031", "abc defabc def");
    check_edit("abc", "\025", "");
    check_edit("x", "\031", "xabc"); /* on the next line too */
    memset(&memory, 0, sizeof(memory));
    check_edit("x", "\031", "x");
}

static void swapping(void)
{
    check_edit("ab", "\024", "ba");
    check_edit("abc", "\002\024", "acb");
    check_edit("abc", "\002\002\024\024", "bca");
    check_edit("a", "\024", "a");
    check_edit("", "\024", "");
    check_edit("abc", "\001\024", "abc");
    check_edit("a\xc3\xa4", "\024",
               "\xc3\xa4"
               "a");
    check_edit("\xe2\x82\xac\xc3\xa4.", "\002\024.", "\xe2\x82\xac.\xc3\xa4.");
}

static void keys_without_a_meaning_do_nothing(void)
{
    check_edit("ab", "\033[11~\033[5~\033[2;5X\032\021\t\033x", "ab");
    CHECK(strchr(term.out, '\a') != NULL);
}

/* ---- characters of several bytes --------------------------------------------------------------
 */

static void characters_are_whole(void)
{
    check_edit("", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7");
    check_edit("\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7", "\177", "\xc3\xa4\xe2\x82\xac");
    check_edit("\xc3\xa4\xe2\x82\xac", "\002\002.\006.", ".\xc3\xa4.\xe2\x82\xac");
    check_edit("\xc3\xa4\xe2\x82\xac", "\001\004", "\xe2\x82\xac");
    check_edit("\xc3\xa4x", "\002\177", "x");
}

static void bytes_may_come_one_by_one(void)
{
    const struct key keys[] = {
        {100, "\xe2"}, {90000, "\x82"}, {300000, "\xac"}, {300001, "\r"}, {0, NULL}};
    struct session_env env = term_env(&term, keys);
    struct screen sc = {.env = &env, .somebody = true};

    line[0] = '\0';
    CHECK_U64(edit_line(&sc, &plain, line, sizeof(line)), EDIT_DONE);
    CHECK_STR(line, "\xe2\x82\xac");
}

static void what_is_no_utf8_is_not_taken(void)
{
    check_edit("", "\x82.", ".");
    check_edit("", "\xc0\x80.", ".");
    check_edit("", "\xe2\x82.", ".");
    check_edit("", "\xe2\xe2\x82\xac", "\xe2\x82\xac");
    check_edit("", "\xed\xa0\x80.", "."); /* half of a pair of UTF-16 */
    check_edit("", "\xc2\x9b.", ".");     /* a control character */
    check_edit("", "\xff.", ".");
}

static void what_the_line_had_before_stays(void)
{
    check_edit("a\xff\033z", "\002\002.", "a\xff.\033z");
    check_edit("a\xff\033z", "\002\177", "a\xffz");
    check_row("a\xff\033z", "\002", "> a\\xff\\x1bz", 11);
}

/* ---- the ends ---------------------------------------------------------------------------------
 */

static void cancelling_changes_nothing(void)
{
    static const char *const ends[] = {"xyz\033", "\025\003", "\177\177\007", "\033[D\033"};

    for (size_t i = 0; i < 4; i++) {
        CHECK_U64(edit_with(&plain, "abc", ends[i]), EDIT_CANCELLED);
        CHECK_STR(line, "abc");
    }
    CHECK_U64(edit_with(&plain, "abc", "\025x"), EDIT_GONE);
    CHECK_STR(line, "abc");
}

static void with_nobody_there_nothing_is_waited_for(void)
{
    struct session_env env = term_env(&term, NULL);
    struct screen sc = {.env = &env};

    strcpy(line, "abc");
    CHECK_U64(edit_line(&sc, &plain, line, sizeof(line)), EDIT_GONE);
    CHECK_U64(term.now_ms, 0);
    CHECK_STR(term.out, "");
    CHECK_STR(line, "abc");
}

static void a_full_line_is_said_once(void)
{
    const char *first;

    cap = 8;
    check_edit("1234567", "8", "1234567");
    first = strstr(term.out, "The line is full: it can hold 7 bytes.");
    CHECK(first != NULL);
    check_edit("12345",
               "67\xc3\xa4"
               "89\020",
               "1234567");
    first = strstr(term.out, "The line is full");
    CHECK(first != NULL && strstr(first + 1, "The line is full") == NULL);
    check_edit("123456",
               "\xc3\xa4"
               "7",
               "1234567"); /* half of a character is never taken */
    cap = 1;
    check_edit("", "a\177\024\020\016", "");
    cap = CAP;
}

static void a_line_of_8_KiB_is_edited(void)
{
    static char from[CAP];

    memset(from, 'a', CAP - 2);
    CHECK_U64(edit_with(&plain, from, "!\001\004\006\033b.\r"), EDIT_DONE);
    CHECK_U64(strlen(line), CAP - 1);
    CHECK(line[0] == '.' && line[1] == 'a' && line[CAP - 2] == '!');
}

static void *no_pages(void *ctx, size_t nr_bytes)
{
    (void)ctx;
    (void)nr_bytes;
    return NULL;
}

static void no_memory_is_said(void)
{
    const struct key keys[] = {{0, "a\r"}, {0, NULL}};
    struct session_env env = term_env(&term, keys);
    struct screen sc = {.env = &env, .somebody = true};

    line[0] = '\0';
    term.memory.get = no_pages;
    CHECK_U64(edit_line(&sc, &plain, line, sizeof(line)), EDIT_CANCELLED);
    CHECK(term_said(&term, "There is no memory to edit a line in."));
}

/* ---- the row ----------------------------------------------------------------------------------
 */

static void the_row_shows_the_line(void)
{
    check_row("", "", ">", 2);
    check_row("root (hd0)", "", "> root (hd0)", 12);
    check_row("root (hd0)", "\001", "> root (hd0)", 2);
    check_row("root (hd0)", "\027", "> root", 7);
    check_row("a\xe4\xb8\xad"
              "b",
              "\002",
              "> a\xe4\xb8\xad"
              "b",
              5);
    check_row("ae\xcc\x81", "", "> ae\xcc\x81", 4); /* an accent of its own takes no column */
}

#define TEN "0123456789"

static void a_long_line_scrolls(void)
{
    /* 77 columns for text: 80, the prompt, and one left free. */
    check_row(TEN TEN TEN TEN TEN TEN TEN "123456789", "", "> <23456789" TEN TEN "123456789", 40);
    check_row(TEN TEN TEN TEN TEN TEN TEN "12345", "", "> " TEN TEN TEN TEN TEN TEN TEN "12345",
              77);
    check_row(TEN TEN TEN TEN TEN TEN TEN "12345", "6",
              "> <"
              "9" TEN TEN TEN "123456",
              40);
    check_row(TEN TEN TEN TEN TEN TEN TEN TEN TEN, "\001",
              "> " TEN TEN TEN TEN TEN TEN TEN "012345>", 2);
}

static void the_cursor_is_always_in_the_row(void)
{
    static char from[301];
    size_t at;

    for (int i = 0; i < 300; i++)
        from[i] = (char)('a' + i % 26);
    for (size_t left = 0; left <= 300; left += 12) {
        static char typed[301];
        const char *row;

        memset(typed, 'B' - '@', left);
        typed[left] = '\0';
        CHECK_U64(edit_with(&plain, from, typed[0] != '\0' ? typed : "\005"), EDIT_GONE);
        row = last_row(&at);
        CHECK(at >= 2 && at < 79);
        /* The byte under the cursor is the line's. */
        if (left > 0 && row[at] != from[300 - left]) {
            printf("%zu to the left: column %zu of \"%s\"\n", left, at, row);
            CHECK(false);
        }
    }
}

static void a_narrow_terminal_shows_the_end_of_the_prompt(void)
{
    const struct edit_options opt = {.prompt = "pvboot append> "};
    const struct key keys[] = {{0, "abcdefghijklmnopqrs"}, {0, NULL}};
    struct session_env env = term_env(&term, keys);
    struct screen sc = {.env = &env, .somebody = true, .cols = 20};
    size_t at;

    line[0] = '\0';
    CHECK_U64(edit_line(&sc, &opt, line, sizeof(line)), EDIT_GONE);
    CHECK_STR(last_row(&at), "> <jklmnopqrs");
    CHECK(at < 19);
}

static void typing_writes_no_more_than_it_must(void)
{
    CHECK_U64(edit_with(&plain, "", "root"), EDIT_GONE);
    CHECK_STR(term.out, "\r> \033[Kroot");
}

/* ---- older lines ------------------------------------------------------------------------------
 */

static void older_lines_come_back(void)
{
    memset(&memory, 0, sizeof(memory));
    edit_remember(&memory, "one");
    edit_remember(&memory, "two");
    edit_remember(&memory, "two");
    edit_remember(&memory, "");
    CHECK_U64(memory.nr_lines, 2);
    check_edit("", "\020", "two");
    check_edit("", "\020\020", "one");
    check_edit("", "\020\020\020", "one");
    check_edit("new", "\033[A\033[A\033[B\033[B", "new");
    check_edit("new", "\020\020\016x", "twox");
    check_edit("new", "\016", "new");
    check_edit("new", "\020\177\020\016\016", "new"); /* what was done to an older line is lost */
    cap = 3; /* an older line that does not fit is not shown in part */
    check_edit("n", "\020", "n");
    cap = CAP;
}

static void memory_is_bounded(void)
{
    static char long_line[CAP];
    char text[32];

    memset(&memory, 0, sizeof(memory));
    for (int i = 0; i < 3 * EDIT_HISTORY_LINES; i++) {
        snprintf(text, sizeof(text), "line %d", i);
        edit_remember(&memory, text);
    }
    CHECK_U64(memory.nr_lines, EDIT_HISTORY_LINES);
    check_edit("", "\020", "line 299");
    memset(long_line, 'x', CAP - 1);
    for (int i = 0; i < 5; i++) {
        long_line[0] = (char)('0' + i);
        edit_remember(&memory, long_line);
        CHECK(memory.used_bytes <= EDIT_HISTORY_BYTES);
    }
    CHECK_U64(memory.nr_lines, 2);
    check_edit("", "\020", long_line);
    memset(&memory, 0, sizeof(memory));
}

/* ---- passwords --------------------------------------------------------------------------------
 */

static void a_secret_is_not_shown_and_not_kept(void)
{
    const struct edit_options secret = {.prompt = "Password: ", .memory = &memory, .secret = true};
    size_t at;

    memset(&memory, 0, sizeof(memory));
    CHECK_U64(edit_with(&secret, "", "s3\xc3\xa4x\177t\027\031\r"), EDIT_DONE);
    CHECK_STR(line, "s3\xc3\xa4t");
    CHECK(term_said(&term, "\r\n"));
    CHECK(strstr(term.out, "s3") == NULL && strchr(term.out, 't') == NULL);
    CHECK_U64(memory.killed_len, 0);
    CHECK_U64(edit_with(&secret, "", "s3\xc3\xa4"), EDIT_GONE);
    CHECK_STR(last_row(&at), "Password: ***");
    CHECK_U64(at, 13);
}

/* ---- completion -------------------------------------------------------------------------------
 */

static char asked[64];

static void hook(void *ctx, const char *before, size_t len, struct edit_tab *tab)
{
    struct term *t = ctx;

    CHECK_U64(strlen(before), len);
    snprintf(asked, sizeof(asked), "%s", before);
    if (strcmp(before, "k") == 0)
        strcpy(tab->insert, "ernel ");
    if (strcmp(before, "r") == 0) {
        strcat(t->out, "\r\nroot rootnoverify\r\n");
        strcpy(tab->insert, "oot");
        tab->wrote = true;
    }
}

static void tab_completes(void)
{
    const struct edit_options opt = {.prompt = "> ", .complete = hook, .ctx = &term};
    size_t at;

    CHECK_U64(edit_with(&opt, "", "k\t/x\r"), EDIT_DONE);
    CHECK_STR(line, "kernel /x");
    CHECK_U64(edit_with(&opt, "ab", "\002\t\r"), EDIT_DONE);
    CHECK_STR(asked, "a");
    CHECK_STR(line, "ab");
    CHECK(strchr(term.out, '\a') != NULL);
    CHECK_U64(edit_with(&opt, "", "r\t"), EDIT_GONE);
    CHECK_STR(last_row(&at), "> root");
    CHECK(term_said(&term, "r\r\nroot rootnoverify\r\n\r> r\033[Koot"));
    cap = 6;
    CHECK_U64(edit_with(&opt, "", "k\t\r"), EDIT_DONE); /* no part of it, if not the whole */
    CHECK_STR(line, "k");
    cap = CAP;
}

int main(void)
{
    RUN(typing_inserts_at_the_cursor);
    RUN(moving);
    RUN(taking_out);
    RUN(what_was_killed_comes_back);
    RUN(swapping);
    RUN(keys_without_a_meaning_do_nothing);
    RUN(characters_are_whole);
    RUN(bytes_may_come_one_by_one);
    RUN(what_is_no_utf8_is_not_taken);
    RUN(what_the_line_had_before_stays);
    RUN(cancelling_changes_nothing);
    RUN(with_nobody_there_nothing_is_waited_for);
    RUN(a_full_line_is_said_once);
    RUN(a_line_of_8_KiB_is_edited);
    RUN(no_memory_is_said);
    RUN(the_row_shows_the_line);
    RUN(a_long_line_scrolls);
    RUN(the_cursor_is_always_in_the_row);
    RUN(a_narrow_terminal_shows_the_end_of_the_prompt);
    RUN(typing_writes_no_more_than_it_must);
    RUN(older_lines_come_back);
    RUN(memory_is_bounded);
    RUN(a_secret_is_not_shown_and_not_kept);
    RUN(tab_completes);
    return test_done();
}
