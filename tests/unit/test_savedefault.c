/* SPDX-License-Identifier: MIT */
/* `default saved` and `savedefault`: what one start leaves for the next one, on the same disk. */
#include "core/menu/saved.h"
#include "tests/unit/term.h"
#include "tests/unit/test.h"
#include "tests/unit/tree.h"

#define FILLER "\n#\n#\n#\n#\n#\n#\n#\n#\n#\n#\n"

static struct term term;
static struct mem_disk disk, *disks[] = {&disk, NULL};

static void begin(const char *menu, const char *saved)
{
    const struct tree_file files[] = {{"/k", "k"},
                                      {"/boot/grub/menu.lst", menu},
                                      {saved != NULL ? "/boot/grub/default" : NULL, saved},
                                      {NULL, NULL}};

    tree_disk(&disk, files);
}

/* A start of the machine: which entry boots, when somebody types keys. */
static void boots_typing(const char *entry, const struct key *keys)
{
    char want[64];

    disk.disk.cache = NULL;
    CHECK_OK(term_session(&term, disks, keys, NULL, NULL, false));
    snprintf(want, sizeof(want), "(hd0)/k [%s]\n", entry);
    CHECK_STR(term.booted, want);
}

static void boots(const char *entry)
{
    boots_typing(entry, NULL);
}

static void falls_back_from_start_to_start(void)
{
    begin("default saved\ntimeout 0\nfallback 1 2\n"
          "title a\nkernel /k a\nsavedefault fallback\n"
          "title b\nkernel /k b\nsavedefault fallback\n"
          "title c\nkernel /k c\nsavedefault fallback\n",
          "0" FILLER);
    boots("a");
    CHECK(term_logged(&term, "menu: the saved default is entry 0"));
    CHECK(term_said(&term, "saved default: entry 1, was 0, in (hd0)/boot/grub/default"));
    boots("b");
    CHECK(term_said(&term, "saved default: entry 2, was 1, in (hd0)/boot/grub/default"));
    boots("c");
    CHECK(term_said(&term,
                    "savedefault: nothing is saved: no entry comes after this one in the list"));
    boots("c");
    tree_free(&disk);
}

/* As when loading fails: what the menu has not got is passed over, so the next start differs. */
static void passes_over_fallbacks_that_are_none(void)
{
    begin("default saved\ntimeout 0\nfallback 7 1 9\n"
          "title a\nkernel /k a\nsavedefault fallback\n"
          "title b\nkernel /k b\nsavedefault fallback\n",
          "0" FILLER);
    boots("a");
    CHECK(term_said(&term, "saved default: entry 1, was 0,"));
    boots("b");
    CHECK(term_said(&term, "savedefault: nothing is saved: no entry comes after this one"));
    tree_free(&disk);
}

static void what_is_saved(void)
{
    static const struct {
        const char *line, *next, *said;
    } cases[] = {
        {"savedefault", "a", NULL},
        {"savedefault 1", "b", "entry 1, was 0"},
        {"savedefault --default=1", "b", "entry 1, was 0"},
        {"savedefault --wait=5 --stage2=/boot/grub/stage2 1", "b", "entry 1, was 0"},
        {"savedefault --default=1 --once", "b", "--once means nothing"},
        {"savedefault 0", "a", NULL},
        {"savedefault fallback", "a", "nothing is saved: "}, /* there is no list */
        {"savedefault 7", "a", "entry 7, was 0"},            /* which there is not, the next time */
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char menu[300];

        snprintf(menu, sizeof(menu),
                 "default saved\ntimeout 0\ntitle a\nkernel /k a\n%s\ntitle b\nkernel /k b\n",
                 cases[i].line);
        begin(menu, "0" FILLER);
        boots("a");
        if (cases[i].said != NULL)
            CHECK(term_said(&term, cases[i].said));
        else
            CHECK(strstr(term.out, "saved default:") == NULL);
        boots(cases[i].next);
        if (strcmp(cases[i].line, "savedefault 7") == 0)
            CHECK(term_logged(&term, "menu: `default saved': entry 7 is saved, but the last one is "
                                     "1; entry 0 is the default"));
        tree_free(&disk);
    }
}

static void another_entry_can_be_the_default(void)
{
    begin("default saved\ntimeout 0\ntitle a\nkernel /k a\ntitle b\nkernel /k b\nsavedefault\n",
          "1" FILLER);
    boots("b");
    CHECK(strstr(term.out, "saved default:") == NULL);
    tree_free(&disk);
}

/* Lines that were edited are the entry that they were; typed ones are none. */
static void edited_and_typed_lines(void)
{
    static const struct key edit[] = {{100, "\033[B"}, {1000, "e"}, {2000, "b"}, {0, NULL}},
                            type[] = {{100, "c"},
                                      {1000, "savedefault\r"},
                                      {2000, "savedefault 2\r"},
                                      {3000, "kernel /k typed\r"},
                                      {4000, "boot\r"},
                                      {0, NULL}};

    begin("default saved\ntimeout 9\nfallback 1 2\n"
          "title a\nkernel /k a\n"
          "title b\nkernel /k b\nsavedefault\nsavedefault fallback\n"
          "title c\nkernel /k c\n",
          "0" FILLER);
    boots_typing("b", edit);
    CHECK(term_said(&term, "saved default: entry 1, was 0,"));
    CHECK(term_said(&term, "saved default: entry 2, was 1,"));
    tree_free(&disk);
    begin("default saved\ntimeout 9\ntitle a\nkernel /k a\n", "0" FILLER);
    boots_typing("typed", type);
    CHECK(term_said(&term, "savedefault: nothing is saved: no entry runs; name the number of one"));
    CHECK(term_said(&term, "saved default: entry 2, was 0,"));
    tree_free(&disk);
}

static void nothing_keeps_the_entry_from_booting(void)
{
    static const char menu[] = "default saved\ntimeout 0\n"
                               "title a\nkernel /k a\nsavedefault 1\ntitle b\nkernel /k b\n";

    begin(menu, NULL);
    boots("a");
    CHECK(term_logged(&term,
                      "menu: `default saved': Error 15: File not found: "
                      "(hd0)/boot/grub/default (ext4); /boot/grub holds: menu.lst (nothing "
                      "was saved yet; make it with: printf '0\\n#\\n#\\n#\\n#\\n#\\n#\\n#\\n' "
                      ">default); entry 0 is the "
                      "default"));
    CHECK(term_said(&term, "savedefault: not saved, and the entry goes on: Error 15: "));
    tree_free(&disk);
    begin(menu, "rubbish\n");
    boots("a");
    CHECK(term_logged(&term, "menu: `default saved': Error 23: "));
    CHECK(term_said(&term, "savedefault: not saved, and the entry goes on: Error 23: "));
    tree_free(&disk);
    begin(menu, "0" FILLER);
    disk.disk.read_only = true;
    boots("a");
    CHECK(term_said(&term, "savedefault: not saved, and the entry goes on: Error 29: Disk write "
                           "error: (hd0)/boot/grub/default (ext4) (the disk is read-only)"));
    boots("a");
    tree_free(&disk);
}

int main(void)
{
    RUN(falls_back_from_start_to_start);
    RUN(passes_over_fallbacks_that_are_none);
    RUN(what_is_saved);
    RUN(another_entry_can_be_the_default);
    RUN(edited_and_typed_lines);
    RUN(nothing_keeps_the_entry_from_booting);
    return test_done();
}
