/* SPDX-License-Identifier: MIT */
/* The command line in whole sessions on a real file system: what people type, and what comes of it.
 */
#include <stdlib.h>

#include "core/menu/session.h"
#include "tests/unit/term.h"
#include "tests/unit/test.h"
#include "tests/unit/tree.h"

#define LINES5  "a\nb\nc\nd\ne\n"
#define LINES50 LINES5 LINES5 LINES5 LINES5 LINES5 LINES5 LINES5 LINES5 LINES5 LINES5

static struct term term;

#define OTHER_MENU "timeout 0\ntitle Other\nkernel /boot/b other\n"

static struct mem_disk disk[2]; /* one with the menu, made anew for another; one with a kernel */
static char disk_menu[1024] = "not made";

static void make_disks(const char *menu)
{
    const struct tree_file files[] = {{"/boot/a", "kernel a"},
                                      {"/boot/b", "kernel b"},
                                      {"/boot/other.lst", OTHER_MENU},
                                      {"/boot/text", LINES50},
                                      {menu != NULL ? "/boot/grub/menu.lst" : NULL, menu},
                                      {NULL, NULL}};
    static const struct tree_file second[] = {{"/k", "kernel k"}, {"/i", "initrd"}, {NULL, NULL}};

    if (disk[1].data == NULL)
        tree_disk(&disk[1], second);
    if (strcmp(menu != NULL ? menu : "", disk_menu) == 0)
        return;
    tree_free(&disk[0]);
    tree_disk(&disk[0], files);
    snprintf(disk_menu, sizeof(disk_menu), "%s", menu != NULL ? menu : "");
}

/*
 * A session over the two disks; menu NULL: there is none. Somebody types the first byte, and a
 * moment later the rest.
 */
static struct err run_typed(const char *menu, const char *typed, const char *works)
{
    const char first[2] = {typed[0], '\0'};
    const struct key keys[] = {{0, first}, {2000, typed + 1}, {0, NULL}};
    struct mem_disk *disks[] = {&disk[0], &disk[1], NULL};
    struct err e;

    make_disks(menu);
    e = term_session(&term, disks, keys, works, NULL, false);
    CHECK_U64(term.nr_held, 0);
    return e;
}

#define MENU "timeout 5\ntitle Alpha\nkernel /boot/a one\n"

static void a_kernel_is_booted_by_hand(void)
{
    CHECK_OK(
        run_typed(MENU, "croot (hd1)\rkernel /k root=/dev/xvda ro\rinitrd /i\r\rboot\r", NULL));
    CHECK_STR(term.booted, "(hd1)/k [root=/dev/xvda ro] (hd1)/i\n");
    CHECK(term_said(&term, " [ Minimal BASH-like line editing is supported."));
    CHECK(term_said(&term, "pvboot> \033[Kroot (hd1)\r\n Filesystem type is ext4, using whole "
                           "disk\r\n"));
    /* Names without a device are looked for where the menu lies, as in an entry. */
    CHECK_OK(run_typed(MENU, "ckernel /boot/b\rboot\r", NULL));
    CHECK_STR(term.booted, "(hd0)/boot/b []\n");
}

static void tab_and_older_lines_help(void)
{
    CHECK_OK(run_typed(MENU, "ckern\t/bo\ta x\rboo\t\r", NULL));
    CHECK_STR(term.booted, "(hd0)/boot/a [x]\n");
    CHECK_OK(run_typed(MENU, "croot (hd1)\rkernel /\tk\rboot\r", NULL));
    CHECK_STR(term.booted, "(hd1)/k []\n");
    CHECK(term_said(&term, " Possible files are:\r\n i            k            lost+found/\r\n"));
    CHECK_OK(run_typed(MENU, "cnonsense\rkernel /boot/b\r\020\020\033[B y\rboot\r", NULL));
    CHECK_STR(term.booted, "(hd0)/boot/b [y]\n");
    /* Older lines are there when somebody comes back from the menu. */
    CHECK_OK(run_typed(MENU, "ckernel /boot/b z\r\033c\020\rboot\r", NULL));
    CHECK_STR(term.booted, "(hd0)/boot/b [z]\n");
}

static void errors_are_grubs(void)
{
    run_typed(MENU, "cnonsense x\rkernel /gone\rboot\rinitrd /i\rroot (hd5)\r", NULL);
    CHECK(term_said(&term, "Error 27: Unrecognized command: nonsense (`help' lists the commands)"));
    CHECK(term_said(&term, "Error 15: File not found: (hd0)/gone (ext4); / holds: "));
    CHECK(term_said(&term, "Error 8: Kernel must be loaded before booting"));
    CHECK(term_said(&term, "Error 19: Linux kernel must be loaded before initrd"));
    CHECK(term_said(&term, "Error 21: Selected disk does not exist: (hd5)"));
}

static void a_failed_boot_gives_all_back_but_the_root(void)
{
    CHECK_OK(run_typed(MENU,
                       "croot (hd1)\rkernel /k\rboot\rboot\rkernel (hd0)/boot/b\rinitrd /i\r"
                       "boot\r",
                       "kernel b"));
    CHECK_STR(term.booted, "(hd1)/k []\n(hd0)/boot/b [] (hd1)/i\n");
    CHECK(term_said(&term, "Error 13: Invalid or unsupported executable format: (hd1)/k (not a "
                           "kernel)"));
    CHECK(term_said(&term, "Error 8: Kernel must be loaded before booting"));
}

static void escape_leads_back_to_the_menu(void)
{
    CHECK_OK(run_typed(MENU, "ckernel /boot/b\r\033\r", NULL));
    CHECK_STR(term.booted, "(hd0)/boot/a [one]\n");
    CHECK_OK(run_typed(MENU, "c\003\r", NULL));
    CHECK_STR(term.booted, "(hd0)/boot/a [one]\n");
}

static void another_menu_is_gone_on_with(void)
{
    CHECK_OK(run_typed(MENU, "cconfigfile /boot/other.lst\r", NULL));
    CHECK_STR(term.booted, "(hd0)/boot/b [other]\n");
    CHECK_OK(run_typed(MENU, "cconfigfile /gone\rconfigfile /boot/other.lst\r", NULL));
    CHECK_STR(term.booted, "(hd0)/boot/b [other]\n");
}

/* Who reads takes time: a stop of minutes is a stop all the same. */
static void a_stop_waits_for_who_reads(void)
{
    static const struct key keys[] = {{0, "c"},           {2000, "help --all\r"}, {400000, "q"},
                                      {401000, "boot\r"}, {402000, "\033"},       {403000, "\r"},
                                      {0, NULL}};
    struct mem_disk *disks[] = {&disk[0], &disk[1], NULL};

    make_disks(MENU);
    CHECK_OK(term_session(&term, disks, keys, NULL, NULL, false));
    const char *stop = strstr(term.out, "--More--");

    CHECK(stop != NULL && strstr(stop + 1, "--More--") == NULL);
    CHECK(strstr(term.out, "viewport") == NULL); /* the last one of the list */
    CHECK_STR(term.booted, "(hd0)/boot/a [one]\n");
}

static void long_output_stops(void)
{
    run_typed(MENU, "ccat /boot/text\rqhelp help\r", NULL);
    CHECK(term_said(&term, "--More--\r\033[K"));
    CHECK(term_said(&term, "help [COMMAND]"));
    run_typed(MENU, "cpager\rcat /boot/text\rpager on\rpager x\r", NULL);
    CHECK(term_said(&term, "Internal pager is now off\r\n"));
    CHECK(term_said(&term, "Internal pager is now on\r\n"));
    CHECK(term_said(&term, "Error 30: Invalid argument"));
    CHECK(strstr(term.out, "--More--") == NULL);
}

static void passwords_are_not_remembered(void)
{
    run_typed(MENU, "c#x\rhelp help\rmd5crypt secret\r\020\020", NULL);
    CHECK(term_said(&term, "md5crypt secret\r\n"));
    CHECK(strstr(strstr(term.out, "md5crypt secret") + 1, "md5crypt secret") == NULL);
}

static void comments_and_blanks_do_nothing(void)
{
    CHECK_OK(run_typed(MENU, "c   \r# kernel /gone\r  kernel   /boot/b  x  \r boot \r", NULL));
    CHECK_STR(term.booted, "(hd0)/boot/b [x]\n");
    CHECK(strstr(term.out, "Error") == NULL);
}

/* ---- without a menu ---------------------------------------------------------------------------
 */

static void without_a_menu_who_has_typed_gets_a_command_line(void)
{
    CHECK_OK(run_typed(NULL, "xkernel /boot/a\rboot\r", NULL));
    CHECK_STR(term.booted, "(hd0)/boot/a []\n");
    CHECK(term_said(&term, "Error: No menu found"));
    CHECK(strstr(term.out, "ESC at any time") == NULL);
    CHECK_OK(run_typed(NULL, "xkernel /boot/a\033\003kernel /boot/b\rboot\r", NULL));
    CHECK_STR(term.booted, "(hd0)/boot/b []\n");
    CHECK_OK(run_typed(NULL, "xconfigfile /boot/other.lst\r", NULL));
    CHECK_STR(term.booted, "(hd0)/boot/b [other]\n");
    CHECK_ERR(run_typed(NULL, "xkernel /boot/a\r", NULL), ERR_NO_MENU);
    CHECK_ERR(run_typed(NULL, "xkernel /boot/a\rboot\r", "none"), ERR_EXEC_FORMAT);
    CHECK(term_said(&term, "pvboot-failed: error=13 entry=none line=none file=\"(hd0)/boot/a\""));
}

int main(void)
{
    RUN(a_kernel_is_booted_by_hand);
    RUN(tab_and_older_lines_help);
    RUN(errors_are_grubs);
    RUN(a_failed_boot_gives_all_back_but_the_root);
    RUN(escape_leads_back_to_the_menu);
    RUN(another_menu_is_gone_on_with);
    RUN(long_output_stops);
    RUN(a_stop_waits_for_who_reads);
    RUN(passwords_are_not_remembered);
    RUN(comments_and_blanks_do_nothing);
    RUN(without_a_menu_who_has_typed_gets_a_command_line);
    tree_free(&disk[0]);
    tree_free(&disk[1]);
    return test_done();
}
