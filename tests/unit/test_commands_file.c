/* SPDX-License-Identifier: MIT */
/* The commands that look at files: cat, cmp, testload, blocklist. */
#include "tests/unit/menurun.h"
#include "tests/unit/test.h"

#include <stdlib.h>

#define LARGE 70000

static struct term term;
static char large[LARGE + 1];

static void run_entry(const char *lines)
{
    char all[1024];

    snprintf(all, sizeof(all), "%s\nkernel /k", lines);
    CHECK_OK(menurun_entry(&term, all, NULL));
    CHECK_STR(term.booted, "(hd0)/k []\n");
}

static void fails(const char *lines, enum err_code code, const char *says)
{
    CHECK_ERR(menurun_entry(&term, lines, NULL), code);
    CHECK(term_said(&term, says));
}

static void cat_shows_lines(void)
{
    run_entry("cat /text");
    CHECK(term_said(&term, "cat /text\r\none\r\n\ttwo\r\n\r\nfour \\x1b[2J\r\nkernel"));
    fails("cat", ERR_BAD_FILENAME, "`cat' wants a file name");
    fails("cat /gone", ERR_FILE_NOT_FOUND, "Error 15: File not found: (hd0)/gone");
    fails("cat /dir", ERR_BAD_FILETYPE, "Error 2");
}

static void cat_says_what_it_does_not_show(void)
{
    run_entry("cat /large");
    CHECK(term_said(&term, "... the other 4464 bytes are not shown\r\n"));
    run_entry("cat /empty");
}

static void cmp_tells_differences(void)
{
    run_entry("cmp /text /text");
    CHECK(term_said(&term, "No difference: 20 bytes are the same\r\n"));
    run_entry("cmp /text /text2");
    CHECK(term_said(&term, "Differ at the offset 1: 0x6e in the first, 0x4e in the second\r\n"
                           "1 bytes differ\r\n"));
    run_entry("cmp /large /k");
    CHECK(term_said(&term, "Differ in size: 70000 bytes the first, 1 the second; 1 bytes differ"));
    run_entry("cmp /empty /k");
    CHECK(term_said(&term, "Differ in size: 0 bytes the first, 1 the second; no other difference"));
    fails("cmp /text", ERR_BAD_FILENAME, "`cmp' wants two file names");
    fails("cmp /text (hd1)/text", ERR_FILE_NOT_FOUND, "Error 15: File not found: (hd1)/text");
}

static void many_differences_are_counted(void)
{
    const char *p;
    int nr = 0;

    run_entry("cmp /large /large2");
    CHECK(term_said(&term, "\r\n70000 bytes differ\r\n"));
    for (p = term.out; (p = strstr(p, "Differ at")) != NULL; p++)
        nr++;
    CHECK_U64(nr, 8);
}

static void testload_tells_the_checksum(void)
{
    run_entry("testload /text2\ntestload /empty");
    CHECK(term_said(&term, "(hd0)/text2: 20 bytes read, CRC-32 0xab3f22f6\r\n"));
    CHECK(term_said(&term, "(hd0)/empty: 0 bytes read, CRC-32 0x0\r\n"));
    run_entry("testload /digits");
    CHECK(term_said(&term, "(hd0)/digits: 9 bytes read, CRC-32 0xcbf43926\r\n"));
    fails("testload", ERR_BAD_FILENAME, "`testload' wants a file name");
}

static void a_blocklist_names_the_same_bytes(void)
{
    char lines[256];
    const char *list, *end;

    run_entry("blocklist /large");
    list = strstr(term.out, "blocklist /large\r\n(hd0)");
    CHECK(list != NULL);
    if (list == NULL)
        return;
    list += strlen("blocklist /large\r\n");
    end = strchr(list, '\r');
    snprintf(lines, sizeof(lines), "cmp /large %.*s", (int)(end - list), list);
    run_entry(lines);
    /* 70000 bytes end inside the 137th sector. */
    CHECK(term_said(&term, "Differ in size: 70000 bytes the first, 70144 the second; no other "
                           "difference"));
    fails("blocklist", ERR_BAD_FILENAME, "`blocklist' wants a file name");
    run_entry("blocklist (hd1)/both");
    CHECK(term_said(&term, "\r\n(hd1)"));
}

int main(void)
{
    static char large2[LARGE + 1];

    memset(large, 'x', LARGE);
    memset(large2, 'y', LARGE);
    for (size_t i = 99; i < LARGE; i += 100)
        large[i] = large2[i] = '\n';
    for (size_t i = 99; i < LARGE; i += 100)
        large2[i] = 'z';
    const struct tree_file files[] = {{"/k", "k"},
                                      {"/text", "one\n\ttwo\r\n\nfour \033[2J"},
                                      {"/text2", "oNe\n\ttwo\r\n\nfour \033[2J"},
                                      {"/digits", "123456789"},
                                      {"/large", large},
                                      {"/large2", large2},
                                      {"/empty", ""},
                                      {"/dir/x", ""},
                                      {NULL, NULL}};

    menurun_files(files);
    RUN(cat_shows_lines);
    RUN(cat_says_what_it_does_not_show);
    RUN(cmp_tells_differences);
    RUN(many_differences_are_counted);
    RUN(testload_tells_the_checksum);
    RUN(a_blocklist_names_the_same_bytes);
    return test_done();
}
