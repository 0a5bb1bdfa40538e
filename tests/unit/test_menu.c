/* SPDX-License-Identifier: MIT */
/* The lexer, the parser and the global commands of menu.lst, on strings. */
#include "core/menu/commands.h"
#include "core/menu/lex.h"
#include "core/menu/menu.h"
#include "tests/unit/support.h"
#include "tests/unit/test.h"

#include <stdlib.h>

/* What was logged, one line after the other. */
static char logged[8192];
static uint32_t nr_logged;

static void log_to_text(void *ctx, const char *line)
{
    (void)ctx;
    nr_logged++;
    strncat(logged, line, sizeof(logged) - strlen(logged) - 1);
    strncat(logged, "\n", sizeof(logged) - strlen(logged) - 1);
}

static const struct log test_log = {.line = log_to_text};
static struct arena arena;

static struct menu parsed(const char *text)
{
    struct menu m;

    logged[0] = '\0';
    nr_logged = 0;
    CHECK_OK(menu_parse(&m, text, strlen(text), &arena, &test_log));
    return m;
}

static struct menu_settings settings_of(const char *text)
{
    struct menu m = parsed(text);
    struct menu_settings s;

    menu_settings(&m, &s, &test_log);
    return s;
}

static void reads_a_menu_of_ec2(void)
{
    struct menu m = parsed("default 0\n"
                           "fallback 1\n"
                           "timeout 0\n"
                           "hiddenmenu\n"
                           "\n"
                           "title Vanilla EC2 Kernel 2.6.32.10\n"
                           "root (hd0)\n"
                           "kernel /boot/vmlinux-2.6.32.10 root=/dev/sda1 ro\n"
                           "initrd /boot/initrd.img\n"
                           "\n"
                           "title Original\n"
                           "\troot\t(hd0)\n"
                           "\tkernel /boot/vmlinuz root=/dev/sda1 console=hvc0\n");

    CHECK_U64(m.nr_globals, 4);
    CHECK_STR(m.globals[3].line, "hiddenmenu");
    CHECK_STR(m.globals[3].args, "");
    CHECK_U64(m.nr_entries, 2);
    CHECK_STR(m.entries[0].title, "Vanilla EC2 Kernel 2.6.32.10");
    CHECK_U64(m.entries[0].line_nr, 6);
    CHECK_U64(m.entries[0].nr_commands, 3);
    CHECK_STR(m.entries[0].commands[1].args, "/boot/vmlinux-2.6.32.10 root=/dev/sda1 ro");
    CHECK_U64(m.entries[0].commands[2].line_nr, 9);
    CHECK_U64(m.entries[1].nr_commands, 2);
    CHECK_STR(m.entries[1].commands[0].line, "root (hd0)");
    CHECK_STR(m.entries[1].commands[0].args, "(hd0)");
    CHECK_U64(nr_logged, 0);
}

static void skips_comments_blank_lines_and_carriage_returns(void)
{
    struct menu m = parsed("\xef\xbb\xbf# a comment\r\n"
                           "   \t \r\n"
                           "  # another one \\\n"
                           "that goes on\r\n"
                           "default=1\r\n"
                           "title=First \r\n"
                           "title\r\n"
                           "kernel /k # this is not a comment \t\r\n"
                           "boot");

    CHECK_U64(m.nr_globals, 1);
    CHECK_STR(m.globals[0].args, "1");
    CHECK_U64(m.globals[0].line_nr, 5);
    CHECK_U64(m.nr_entries, 2);
    CHECK_STR(m.entries[0].title, "First");
    CHECK_U64(m.entries[0].nr_commands, 0);
    CHECK_STR(m.entries[1].title, "");
    CHECK_U64(m.entries[1].nr_commands, 2);
    CHECK_STR(m.entries[1].commands[0].args, "/k # this is not a comment");
    CHECK_STR(m.entries[1].commands[1].line, "boot");
    CHECK_U64(m.entries[1].commands[1].line_nr, 9);
}

static void joins_lines_at_a_backslash(void)
{
    struct menu m = parsed("title a\\b\nkernel /k one \\\r\n  two\\\nthree\ninitrd /i\\\n");

    CHECK_STR(m.entries[0].title, "a\\b");
    CHECK_STR(m.entries[0].commands[0].args, "/k one    two three");
    CHECK_U64(m.entries[0].commands[0].line_nr, 2);
    CHECK_STR(m.entries[0].commands[1].args, "/i");
    CHECK_U64(m.entries[0].commands[1].line_nr, 5);
    m = parsed("\\\ntitle x\n\\\n\\\n");
    CHECK_U64(m.nr_entries, 1);
    CHECK_STR(m.entries[0].title, "x");
}

static void accepts_every_way_to_write_a_value(void)
{
    static const char *const menus[] = {"timeout 7\ntitle x",   "timeout=7\ntitle x",
                                        "timeout = 7\ntitle x", "timeout\t=\t7 # why\ntitle x",
                                        "timeout 0x7\ntitle x", "  timeout==7\ntitle x"};

    for (size_t i = 0; i < sizeof(menus) / sizeof(menus[0]); i++) {
        struct menu_settings s = settings_of(menus[i]);

        CHECK(s.has_timeout);
        CHECK_U64(s.timeout_s, 7);
        CHECK_U64(nr_logged, 0);
    }
}

static void settings_have_defaults(void)
{
    struct menu_settings s = settings_of("title x\n");

    CHECK_U64(s.default_entry, 0);
    CHECK(!s.has_timeout);
    CHECK_U64(s.timeout_s, MENU_TIMEOUT_S);
    CHECK(!s.hidden);
    CHECK_U64(s.nr_fallbacks, 0);
    CHECK_STR(logged, "menu: no `timeout' line; " MENU_TIMEOUT_TEXT " seconds are taken\n");
    CHECK_STR(MENU_TIMEOUT_TEXT, "5");
    CHECK_U64(MENU_TIMEOUT_S, 5);
}

static void reads_a_list_of_fallbacks(void)
{
    struct menu_settings s = settings_of("timeout 1\nhiddenmenu\nfallback 2 1  0\ntitle x\n");

    CHECK(s.hidden);
    CHECK_U64(s.nr_fallbacks, 3);
    CHECK_U64(s.fallbacks[0], 2);
    CHECK_U64(s.fallbacks[1], 1);
    CHECK_U64(s.fallbacks[2], 0);
    CHECK_U64(nr_logged, 0);
}

static void a_typo_does_not_lose_the_menu(void)
{
    struct menu_settings s = settings_of("defualt 1\ntimeout ten\nfallback 1 x\nroot (hd0)\n"
                                         "serial --unit=0\nfallback 1\nserial\ntitle x\n"
                                         "title y\n");

    CHECK_STR(logged,
              "menu line 1: `defualt': unknown command, skipped; the rest of the menu counts\n"
              "menu line 2: `timeout': Error 23: Error while parsing number: a number from 0 to "
              "4294967295 is wanted\n"
              "menu line 3: `fallback': Error 23: Error while parsing number: a list of entry "
              "numbers is wanted: fallback 1 2\n"
              "menu line 4: `root': belongs into an entry, after a title; skipped\n"
              "menu line 5: `serial': no effect here: there is one console, Xen's\n"
              "menu: no `timeout' line; 5 seconds are taken\n");
    CHECK_U64(s.default_entry, 0);
    CHECK_U64(s.timeout_s, MENU_TIMEOUT_S);
    CHECK_U64(s.nr_fallbacks, 1);
}

static void numbers_that_do_not_fit_are_refused(void)
{
    struct menu_settings s = settings_of("timeout 1\ntimeout 4294967296\ntimeout 0x\ntimeout -1\n"
                                         "timeout 99999999999999999999999\ntimeout\ntitle x");

    CHECK_U64(s.timeout_s, 1);
    CHECK_U64(nr_logged, 5);
    CHECK_U64(settings_of("timeout 4294967295\ntitle x").timeout_s, UINT32_MAX);
}

static void a_default_that_does_not_exist_is_entry_0(void)
{
    CHECK_U64(settings_of("timeout 1\ndefault 2\ntitle x\ntitle y").default_entry, 0);
    CHECK_STR(logged, "menu: default 2, but the last entry is 1; entry 0 is the default\n");
    CHECK_U64(settings_of("timeout 1\ndefault 1\ntitle x\ntitle y").default_entry, 1);
    CHECK_U64(nr_logged, 0);
    CHECK_U64(settings_of("timeout 1\ndefault saved\ntitle x\ntitle y").default_entry, 0);
    CHECK_U64(nr_logged, 0);
}

static void check_pair(const struct menu_color_pair *p, uint8_t foreground, uint8_t background,
                       bool blink)
{
    CHECK_U64(p->foreground, foreground);
    CHECK_U64(p->background, background);
    CHECK_U64(p->blink, blink);
}

static void colours_are_grubs_words(void)
{
    struct menu_settings s = settings_of("timeout 1\ncolor light-gray/blue yellow/red\ntitle x");

    CHECK(s.has_color);
    check_pair(&s.color_normal, 37, 44, false);
    check_pair(&s.color_highlight, 93, 41, false);
    s = settings_of("timeout 1\ncolor cyan/brown\ntitle x"); /* the other is its inverse */
    check_pair(&s.color_normal, 36, 43, false);
    check_pair(&s.color_highlight, 33, 46, false);
    s = settings_of("timeout 1\ncolor blink-white/black 0x70\ntitle x");
    check_pair(&s.color_normal, 97, 40, true);
    check_pair(&s.color_highlight, 30, 47, false);
    CHECK_U64(nr_logged, 0);
}

static void bad_colours_are_a_line(void)
{
    static const char *const bad[] = {"",           "mauve/blue",     "blue",          "blue/white",
                                      "blue/",      "/blue",          "0x100",         "blink-",
                                      "blink-/red", "white/blue x/y", "red/blue/green"};
    char text[128];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(text, sizeof(text), "timeout 1\ncolor %s\ntitle x", bad[i]);
        CHECK(!settings_of(text).has_color);
        CHECK_U64(nr_logged, 1);
        CHECK(strncmp(logged, "menu line 2: `color': Error 30: Invalid argument: ", 50) == 0);
    }
}

static void complaints_are_bounded(void)
{
    char text[4096] = "timeout 1\n";

    for (int i = 0; i < 100; i++)
        strcat(text, "nonsense\n");
    settings_of(strcat(text, "title x"));
    CHECK_U64(nr_logged, MENU_COMPLAINTS + 1);
    CHECK(strstr(logged, "menu: 84 more lines before the first title were not understood") != NULL);
}

static void control_bytes_do_not_reach_the_log(void)
{
    settings_of("timeout 1\nx\033[2Jy\ntitle x");
    CHECK_STR(logged, "menu line 2: `x\\x1b[2Jy': unknown command, skipped; the rest of the menu "
                      "counts\n");
}

static void nul_bytes_are_told(void)
{
    static const char text[] = "timeout\0001\0\0\ntitle a\0b\n\0\0\0";
    struct menu m;

    parsed("");
    CHECK_OK(menu_parse(&m, text, sizeof(text) - 1, &arena, &test_log));
    CHECK_STR(m.globals[0].args, "1");
    CHECK_STR(m.entries[0].title, "a b");
    CHECK_STR(logged, "menu: 7 NUL bytes in the file read as spaces; a crash or a UTF-16 editor "
                      "leaves them\n");
}

static void an_empty_menu_has_nothing(void)
{
    struct menu m = parsed("");

    CHECK_U64(m.nr_globals, 0);
    CHECK_U64(m.nr_entries, 0);
    m = parsed("# nothing\n\n \t\n");
    CHECK_U64(m.nr_globals + m.nr_entries, 0);
    m = parsed("default 0\ntimeout 1");
    CHECK_U64(m.nr_globals, 2);
    CHECK_U64(m.nr_entries, 0);
}

static void long_lines_and_many_entries_are_whole(void)
{
    enum { LINE = 100000, ENTRIES = 10000 };
    char *text = malloc(LINE + 64), *many = malloc(ENTRIES * 64), *p = many;
    struct menu m;

    strcpy(text, "title x\nkernel ");
    memset(text + 15, 'k', LINE);
    CHECK_OK(menu_parse(&m, text, LINE + 15, &arena, NULL));
    CHECK_U64(strlen(m.entries[0].commands[0].args), LINE);
    for (int i = 0; i < ENTRIES; i++)
        p += sprintf(p, "title entry %d\nroot (hd0)\nkernel /k%d\n\n", i, i);
    CHECK_OK(menu_parse(&m, many, (size_t)(p - many), &arena, NULL));
    CHECK_U64(m.nr_entries, ENTRIES);
    CHECK_STR(m.entries[0].commands[1].args, "/k0");
    CHECK_STR(m.entries[9999].title, "entry 9999");
    CHECK_U64(m.entries[9999].nr_commands, 2);
    CHECK_STR(m.entries[9999].commands[1].args, "/k9999");
    CHECK_U64(m.entries[9999].commands[1].line_nr, 39999);
    free(text);
    free(many);
}

static void past_the_caps_is_an_error(void)
{
    size_t big = (size_t)MENU_BYTES_MAX + 1;
    char *text = malloc(big);
    struct menu m;

    memset(text, '\n', big);
    CHECK_ERR(menu_parse(&m, text, big, &arena, NULL), ERR_LIMIT);
    CHECK_OK(menu_parse(&m, text, big - 1, &arena, NULL));
    CHECK_U64(m.nr_globals + m.nr_entries, 0);
    for (size_t i = 0; i < (size_t)MENU_COMMANDS_MAX * 2; i += 2)
        text[i] = 'x';
    CHECK_OK(menu_parse(&m, text, big - 1, &arena, NULL));
    CHECK_U64(m.nr_globals, MENU_COMMANDS_MAX);
    text[MENU_COMMANDS_MAX * 2] = 'x';
    CHECK_ERR(menu_parse(&m, text, big - 1, &arena, NULL), ERR_LIMIT);
    memset(text, '\n', big);
    for (size_t i = 0; i <= MENU_ENTRIES_MAX; i++)
        for (size_t j = 0; j < 5; j++)
            text[i * 6 + j] = "title"[j];
    CHECK_ERR(menu_parse(&m, text, big - 1, &arena, NULL), ERR_LIMIT);
    CHECK_OK(menu_parse(&m, text, (size_t)MENU_ENTRIES_MAX * 6, &arena, NULL));
    CHECK_U64(m.nr_entries, MENU_ENTRIES_MAX);
    free(text);
}

static void words_and_numbers(void)
{
    const char *rest = "  one two", *word;
    size_t len;
    uint64_t v;

    CHECK(lex_word(&rest, &word, &len) && lex_is(word, len, "one"));
    CHECK(lex_word(&rest, &word, &len) && lex_is(word, len, "two"));
    CHECK(!lex_is(word, len, "tw") && !lex_is(word, len, "twos"));
    CHECK(!lex_word(&rest, &word, &len));
    CHECK(lex_number("0xfF", 4, &v) && v == 255);
    CHECK(lex_number("0xffffffffffffffff", 18, &v) && v == UINT64_MAX);
    CHECK(!lex_number("0x1ffffffffffffffff", 19, &v));
    CHECK(!lex_number("0xg", 3, &v));
    CHECK(!lex_number("12a", 3, &v));
    CHECK(!lex_number("", 0, &v));
    CHECK(lex_number("010", 3, &v) && v == 10);
}

static void every_command_is_one_kind(void)
{
    for (const struct command *c = menu_commands; c->name != NULL; c++) {
        bool runs = c->menu != NULL || c->entry != NULL;

        CHECK_U64((c->ignored != NULL) + (c->refused != NULL) + runs, 1);
        CHECK(!runs || (c->usage != NULL && c->help != NULL));
        CHECK(c[1].name == NULL || strcmp(c->name, c[1].name) < 0);
        CHECK(command_find(c->name, strlen(c->name)) == c);
    }
    CHECK(command_find("kerne", 5) == NULL);
    CHECK(command_find("Kernel", 6) == NULL);
}

int main(void)
{
    arena_init(&arena, &test_memory);
    RUN(reads_a_menu_of_ec2);
    RUN(skips_comments_blank_lines_and_carriage_returns);
    RUN(joins_lines_at_a_backslash);
    RUN(accepts_every_way_to_write_a_value);
    RUN(settings_have_defaults);
    RUN(reads_a_list_of_fallbacks);
    RUN(a_typo_does_not_lose_the_menu);
    RUN(numbers_that_do_not_fit_are_refused);
    RUN(a_default_that_does_not_exist_is_entry_0);
    RUN(colours_are_grubs_words);
    RUN(bad_colours_are_a_line);
    RUN(complaints_are_bounded);
    RUN(control_bytes_do_not_reach_the_log);
    RUN(nul_bytes_are_told);
    RUN(an_empty_menu_has_nothing);
    RUN(long_lines_and_many_entries_are_whole);
    RUN(past_the_caps_is_an_error);
    RUN(words_and_numbers);
    RUN(every_command_is_one_kind);
    arena_reset(&arena);
    return test_done();
}
