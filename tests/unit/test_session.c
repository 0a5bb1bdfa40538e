/* SPDX-License-Identifier: MIT */
/*
 * Sessions on a real file system, with a fake terminal and a fake clock: what boots, after how
 * long, and what a person reads on the way.
 */
#include "core/menu/session.h"
#include "tests/unit/term.h"
#include "tests/unit/test.h"
#include "tests/unit/tree.h"

#include <stdlib.h>

static struct term term;

/* A session over one disk whose /boot/grub/menu.lst is `menu`. */
static struct err run_menu(const char *menu, const struct key *keys, const char *works)
{
    const struct tree_file files[] = {{"/boot/grub/menu.lst", menu}, {"/boot/a", "kernel a"},
                                      {"/boot/b", "kernel b"},       {"/boot/c", "kernel c"},
                                      {"/boot/empty", ""},           {"/boot/i", "initrd"},
                                      {"/boot/i2", "initrd 2"},      {NULL, NULL}};
    struct mem_disk disk, *disks[] = {&disk, NULL};
    struct err e;

    tree_disk(&disk, files);
    e = term_session(&term, disks, keys, works, NULL, false);
    CHECK_U64(term.nr_held, 0); /* nothing of an attempt is left */
    tree_free(&disk);
    return e;
}

static void *no_memory(void *ctx, size_t nr_bytes)
{
    (void)ctx;
    (void)nr_bytes;
    return NULL;
}

/* There is not even memory for a session: that, too, ends with the line for programs. */
static void without_memory_it_says_so(void)
{
    static const struct mem_source none = {.get = no_memory};
    struct session_env env = term_env(&term, NULL);

    env.memory = &none;
    CHECK_ERR(session_run(&env), ERR_NO_MEMORY);
    CHECK(term_said(&term, "Error: Out of memory: no memory for the menu ("));
    CHECK(term_said(&term, "pvboot-failed: error=no-memory entry=none line=none file=\"\"\r\n"));
}

#define THREE                                                                                      \
    "title Alpha\nroot (hd0)\nkernel /boot/a root=/dev/xvda ro\n"                                  \
    "title Beta\nroot (hd0)\nkernel /boot/b b\n"                                                   \
    "title Gamma\nkernel (hd0)/boot/c\n"

/* ---- nobody at the console ------------------------------------------------------------------- */

static void timeout_0_boots_at_once(void)
{
    CHECK_OK(run_menu("timeout 0\n" THREE, NULL, NULL));
    CHECK_STR(term.booted, "(hd0)/boot/a [root=/dev/xvda ro]\n");
    CHECK_U64(term.now_ms, 0);
    CHECK_STR(term.out, "\r\n  Booting 'Alpha'\r\n\r\n"
                        "root (hd0)\r\n Filesystem type is ext4, using whole disk\r\n"
                        "kernel /boot/a root=/dev/xvda ro\r\n");
    CHECK_STR(term.log, "menu: (hd0)/boot/grub/menu.lst, 137 B\n");
}

static void a_timeout_is_waited_for_once(void)
{
    CHECK_OK(run_menu("timeout 12\ndefault 2\n" THREE, NULL, NULL));
    CHECK_STR(term.booted, "(hd0)/boot/c []\n");
    CHECK_U64(term.now_ms, 12000);
    CHECK(term_said(
        &term, "\r\n   0  Alpha\r\n   1  Beta\r\n > 2  Gamma\r\n\r\n"
               "The highlighted entry will be booted automatically in 12 seconds. 10 9 8 7 6 5 4 3 "
               "2 1\r\n"));
    CHECK(strchr(term.out, '\033') == NULL);
}

static void hiddenmenu_waits_but_does_not_draw(void)
{
    CHECK_OK(run_menu("timeout 3\nhiddenmenu\n" THREE, NULL, NULL));
    CHECK_U64(term.now_ms, 3000);
    CHECK(term_said(&term, "Press `ESC' to enter the menu... 3 2 1\r\n\r\n  Booting 'Alpha'"));
    CHECK(strstr(term.out, "Beta") == NULL);
}

static void a_failed_entry_falls_back(void)
{
    CHECK_OK(run_menu("timeout 0\nfallback 1\n"
                      "title New\nroot (hd0)\nkernel /boot/gone ro\n" THREE,
                      NULL, NULL));
    CHECK(term_said(&term, "Error 15: File not found: (hd0)/boot/gone (ext4); /boot holds: "));
    CHECK(term_said(&term, "Falling back to entry 1.\r\n\r\n  Booting 'Alpha'"));
    CHECK_STR(term.booted, "(hd0)/boot/a [root=/dev/xvda ro]\n");
    CHECK_U64(term.now_ms, 0);
}

static void fallbacks_are_tried_in_order(void)
{
    CHECK_OK(run_menu("timeout 0\ndefault 1\nfallback 9 1 2 2 0\n" THREE, NULL, "kernel a"));
    CHECK_STR(term.booted, "(hd0)/boot/b [b]\n(hd0)/boot/c []\n(hd0)/boot/a [root=/dev/xvda ro]\n");
    CHECK(term_said(&term, "Fallback 9 is passed over: the menu has no such entry."));
    CHECK(term_said(&term, "Fallback 1 is passed over: it has failed already."));
    CHECK(term_said(&term, "Fallback 2 is passed over: it has failed already."));
    CHECK(term_said(
        &term, "Error 13: Invalid or unsupported executable format: (hd0)/boot/c (not a kernel)"));
}

static void with_nobody_there_the_last_error_is_the_result(void)
{
    CHECK_ERR(run_menu("timeout 0\nfallback 1\n" THREE, NULL, "none"), ERR_EXEC_FORMAT);
    CHECK_STR(term.booted, "(hd0)/boot/a [root=/dev/xvda ro]\n(hd0)/boot/b [b]\n");
    CHECK(term_said(&term, "No entry of (hd0)/boot/grub/menu.lst could be booted.\r\n"));
    CHECK_U64(term.now_ms, 0);
}

/* ---- entries --------------------------------------------------------------------------------- */

static void an_entry_without_root_uses_the_menus_volume(void)
{
    CHECK_OK(
        run_menu("timeout 0\ntitle x\nkernel /boot/a  quiet  splash \ninitrd /boot/i /boot/i2\n"
                 "initrd (hd0)/boot/i\n",
                 NULL, NULL));
    CHECK_STR(term.booted,
              "(hd0)/boot/a [quiet  splash] (hd0)/boot/i (hd0)/boot/i2 (hd0)/boot/i\n");
}

static void errors_have_grubs_numbers(void)
{
    static const struct {
        const char *entry, *says;
        enum err_code code;
    } cases[] = {
        {"foo bar\nkernel /boot/a", "Error 27: Unrecognized command: foo (line 3 of the menu)",
         ERR_UNRECOGNIZED},
        {"initrd /boot/i\nkernel /boot/a",
         "Error 19: Linux kernel must be loaded before initrd: put the `kernel' line above line 3",
         ERR_NEED_KERNEL},
        {"root (hd0)",
         "Error 8: Kernel must be loaded before booting: the entry of line 2 has no `kernel' line",
         ERR_BOOT_COMMAND},
        {"kernel /boot/empty",
         "Error 14: Filesystem compatibility error, cannot read whole file: (hd0)/boot/empty (the "
         "file is empty; a crash may have cut it)",
         ERR_FILELENGTH},
        {"kernel /boot/grub", "Error 2: Bad file or directory type: (hd0)/boot/grub",
         ERR_BAD_FILETYPE},
        {"kernel boot/a", "Error 1: Filename must be either an absolute pathname or blocklist",
         ERR_BAD_FILENAME},
        {"kernel", "Error 1: Filename must be", ERR_BAD_FILENAME},
        {"kernel --type=hurd /boot/a", "Error 30: Invalid argument: --type=hurd", ERR_BAD_ARGUMENT},
        {"kernel /boot/a\ninitrd /boot/gone", "Error 15: File not found: (hd0)/boot/gone",
         ERR_FILE_NOT_FOUND},
        {"root (hd1)\nkernel /boot/a", "Error 21: Selected disk does not exist: (hd1)",
         ERR_NO_DISK},
        {"root (hd0,1)\nkernel /boot/a", "Error 22: No such partition: (hd0,1)", ERR_NO_PART},
        {"root hd0\nkernel /boot/a", "Error 11: Unrecognized device string", ERR_DEV_FORMAT},
        {"root (nd)\nkernel /boot/a", "(nd) (the network, which is not read", ERR_DEV_FORMAT},
        {"kernel (fd0)/boot/a", "(fd0)/boot/a (a floppy drive, which", ERR_DEV_FORMAT},
        {"root (cd)\nkernel /boot/a", "(cd) (a CD-ROM, which is not read", ERR_DEV_FORMAT},
        {"root (hd0)x\nkernel /boot/a", "Error 11: Unrecognized device string", ERR_DEV_FORMAT},
        {"root /dev/sda1\nkernel /boot/a",
         "/dev/sda1 (Linux's name; (hd0) has no partitions, so its name here may be (hd0))",
         ERR_DEV_FORMAT},
        {"root /dev/xvdb2\nkernel /boot/a",
         "/dev/xvdb2 (Linux's name; its name here may be (hd1,1))", ERR_DEV_FORMAT},
        {"root /dev/md0\nkernel /boot/a", "/dev/md0 (Linux's name; RAID arrays are (md/0)",
         ERR_DEV_FORMAT},
        {"root /dev/vda\nkernel /boot/a", "/dev/vda (disks are (hd0), (hd1), ...", ERR_DEV_FORMAT},
        {"root (lvm/vg-root)\nkernel /boot/a",
         "Error 21: Selected disk does not exist: (lvm/vg-root) (no logical volume has this name; "
         "there is none)",
         ERR_NO_DISK},
        {"root /dev/mapper/x\nkernel /boot/a",
         "/dev/mapper/x (Linux's name; logical volumes are (lvm/VG-LV) here)", ERR_DEV_FORMAT},
    };
    char menu[256];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(menu, sizeof(menu), "timeout 0\ntitle x\n%s\n", cases[i].entry);
        CHECK_ERR(run_menu(menu, NULL, NULL), cases[i].code);
        CHECK(term_said(&term, cases[i].says));
        CHECK_STR(term.booted, "");
    }
}

static void menu_commands_in_an_entry_do_no_harm(void)
{
    CHECK_OK(run_menu("timeout 0\ntitle x\ndefault 3\nsavedefault\nquiet\nkernel --type=linux "
                      "--no-mem-option /boot/a --x\nboot\nnonsense\n",
                      NULL, NULL));
    CHECK_STR(term.booted, "(hd0)/boot/a [--x]\n");
    CHECK(
        term_said(&term, "menu line 3: `default': belongs before the first title; no effect here"));
    CHECK(term_said(&term, "savedefault: not saved, and the entry goes on: Error 15"));
    CHECK(strstr(term.out, "nonsense") == NULL);
}

static void a_command_line_is_whole_or_refused(void)
{
    char *menu = calloc(1, 16384), *p = menu;

    p += sprintf(p, "timeout 0\ntitle x\nkernel /boot/a ");
    memset(p, 'x', SESSION_CMDLINE_MAX - 1);
    CHECK_OK(run_menu(menu, NULL, NULL));
    CHECK_U64(strlen(term.booted), strlen("(hd0)/boot/a []\n") + SESSION_CMDLINE_MAX - 1);
    p[SESSION_CMDLINE_MAX - 1] = 'x';
    CHECK_ERR(run_menu(menu, NULL, NULL), ERR_WONT_FIT);
    CHECK(term_said(&term,
                    "(hd0)/boot/a (a kernel command line of 1024 bytes; Xen passes at most 1023)"));
    sprintf(menu, "timeout 0\ntitle x\nkernel /");
    memset(menu + strlen(menu), 'y', FS_PATH_MAX);
    CHECK_ERR(run_menu(menu, NULL, NULL), ERR_LIMIT);
    free(menu);
}

static void titles_cannot_steer_the_terminal(void)
{
    CHECK_ERR(run_menu("timeout 1\ntitle \033[2Jx\nkernel \033[2J\n", NULL, NULL),
              ERR_BAD_FILENAME);
    CHECK(term_said(&term, "  Booting '\\x1b[2Jx'"));
    CHECK(strchr(term.out, '\033') == NULL);
}

/* ---- somebody at the console ----------------------------------------------------------------- */

static void arrows_and_enter_choose(void)
{
    static const struct key keys[] = {
        {2500, "\033[B"}, {9000, "\033OB"}, {20000, "\033[A"}, {60000, "\r"}, {0, NULL}};

    CHECK_OK(run_menu("timeout 5\n" THREE, keys, NULL));
    CHECK_STR(term.booted, "(hd0)/boot/b [b]\n");
    CHECK_U64(term.now_ms, 60000);
    CHECK(term_said(&term, "\033[7m > 1  Beta  "));
}

static void an_escape_sequence_may_come_in_pieces(void)
{
    static const struct key keys[] = {
        {500, "\033"}, {550, "["}, {600, "B"}, {700, "\r"}, {0, NULL}};

    CHECK_OK(run_menu("timeout 5\n" THREE, keys, NULL));
    CHECK_STR(term.booted, "(hd0)/boot/b [b]\n");
}

static void numbers_choose(void)
{
    static const struct key two[] = {{500, "2\n"}, {0, NULL}};
    static const struct key nine[] = {{500, "9\r"}, {0, NULL}};
    static const struct key keys[] = {
        {500, "\016\016\020\033[6~\033[H\033[F\033[1~\033[5~\033[11~1\r"}, {0, NULL}};

    CHECK_OK(run_menu("timeout 5\n" THREE, two, NULL));
    CHECK_STR(term.booted, "(hd0)/boot/c []\n");
    CHECK_OK(run_menu("timeout 5\n" THREE, nine, NULL));
    CHECK_STR(term.booted, "(hd0)/boot/a [root=/dev/xvda ro]\n");
    CHECK_OK(run_menu("timeout 5\n" THREE, keys, NULL));
    CHECK_STR(term.booted, "(hd0)/boot/b [b]\n");
}

static void two_digits_choose_among_many(void)
{
    static const struct key keys[] = {{500, "12\r"}, {0, NULL}};
    char menu[2048] = "timeout 5\ndefault 19\n";

    for (int i = 0; i < 20; i++)
        sprintf(menu + strlen(menu), "title entry %d\nkernel /boot/a %d\n", i, i);
    CHECK_OK(run_menu(menu, keys, NULL));
    CHECK_STR(term.booted, "(hd0)/boot/a [12]\n");
    CHECK(term_said(&term, "   ... 8 entries above\r\n    8  entry 8\r\n"));
    CHECK(term_said(&term, " > 19  entry 19\r\n\r\n"));
}

static void escape_opens_the_hidden_menu(void)
{
    static const struct key esc[] = {{1500, "\033"}, {5000, "1"}, {5001, "\r"}, {0, NULL}};
    static const struct key other[] = {{1450, "1"}, {99999, "x"}, {0, NULL}};

    CHECK_OK(run_menu("timeout 4\nhiddenmenu\n" THREE, esc, NULL));
    CHECK_STR(term.booted, "(hd0)/boot/b [b]\n");
    CHECK_OK(run_menu("timeout 4\nhiddenmenu\n" THREE, other, NULL));
    CHECK_STR(term.booted, "(hd0)/boot/a [root=/dev/xvda ro]\n");
    CHECK_U64(term.now_ms, 3950); /* the key cuts its tenth of a second short, no more */
}

/* Who tries other keys first still has the whole time for ESC. */
static void other_keys_leave_the_hidden_menu_its_time(void)
{
    static const struct key keys[] = {{100, "abc \r\r"}, {2500, "\033"}, {5000, "1\r"}, {0, NULL}};
    static const struct key held[] = {{100, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"},
                                      {0, NULL}};

    CHECK_OK(run_menu("timeout 4\nhiddenmenu\n" THREE, keys, NULL));
    CHECK_STR(term.booted, "(hd0)/boot/b [b]\n");
    /* What never stops sending holds nothing up. */
    CHECK_OK(run_menu("timeout 4\nhiddenmenu\n" THREE, held, NULL));
    CHECK_STR(term.booted, "(hd0)/boot/a [root=/dev/xvda ro]\n");
    CHECK(term.now_ms <= 4000);
}

static void escape_is_seen_with_timeout_0(void)
{
    static const struct key esc[] = {{0, "\033"}, {5000, "1\r"}, {0, NULL}};
    static const struct key noise[] = {{0, "abc"}, {0, NULL}};

    CHECK_OK(run_menu("timeout 0\n" THREE, esc, NULL));
    CHECK_STR(term.booted, "(hd0)/boot/b [b]\n");
    CHECK_OK(run_menu("timeout 0\n" THREE, noise, NULL));
    CHECK_STR(term.booted, "(hd0)/boot/a [root=/dev/xvda ro]\n");
}

static void f4_opens_the_hidden_menu_too(void)
{
    static const struct key with_timeout[] = {{1500, "\033OS"}, {5000, "1\r"}, {0, NULL}};
    static const struct key at_once[] = {{0, "x\033[[D"}, {5000, "1\r"}, {0, NULL}};
    static const struct key noise[] = {{0, "\033[?62;22c\033[24;80R\033[A"}, {0, NULL}};

    CHECK_OK(run_menu("timeout 4\nhiddenmenu\n" THREE, with_timeout, NULL));
    CHECK_STR(term.booted, "(hd0)/boot/b [b]\n");
    CHECK_OK(run_menu("timeout 0\n" THREE, at_once, NULL));
    CHECK_STR(term.booted, "(hd0)/boot/b [b]\n");
    CHECK_OK(run_menu("timeout 0\n" THREE, noise, NULL));
    CHECK_STR(term.booted, "(hd0)/boot/a [root=/dev/xvda ro]\n");
    CHECK_U64(term.now_ms, 0);
    CHECK(strchr(term.out, '\033') == NULL);
}

/* A key that means nothing, and a sequence that nobody knows, stop the countdown for good. */
static void any_key_stops_the_countdown(void)
{
    static const char *const noise[] = {"x", "\033[200~", "\033", "\t", "\033OP", "\xc3\xa4"};

    for (size_t i = 0; i < sizeof(noise) / sizeof(noise[0]); i++) {
        const struct key keys[] = {{1500, noise[i]}, {50000, "\r"}, {0, NULL}};

        CHECK_OK(run_menu("timeout 5\n" THREE, keys, NULL));
        CHECK_U64(term.now_ms, 50000);
        CHECK(term_said(&term, "automatically in 5 seconds. 4\r\n"));
    }
}

/* "Press any key" is for a person: a terminal that tells its size late is none. */
static void a_late_size_is_no_key(void)
{
    static const struct key keys[] = {
        {500, "x\r"}, {60000, " "}, {60001, "2\r"}, {99999, "x"}, {0, NULL}};
    static struct grid grid;

    grid_init(&grid, 24, 80);
    term = (struct term){.grid = &grid, .answer_ms = 2000};
    CHECK_OK(run_menu("timeout 5\n" THREE, keys, "kernel c"));
    CHECK_STR(term.booted, "(hd0)/boot/a [root=/dev/xvda ro]\n(hd0)/boot/c []\n");
    CHECK_U64(term.now_ms, 60001 + 300);
    CHECK_STR(grid.bad, "");
    term = (struct term){.grid = NULL};
}

static void after_a_failure_somebody_gets_the_menu(void)
{
    static const struct key keys[] = {{500, "\033[B"}, {600, "\r"},   {30000, " "},
                                      {31000, "2"},    {31001, "\r"}, {0, NULL}};

    CHECK_OK(run_menu("timeout 5\n" THREE, keys, "kernel c"));
    CHECK_STR(term.booted, "(hd0)/boot/b [b]\n(hd0)/boot/c []\n");
    CHECK(term_said(&term, "Press any key to get back to the menu."));
}

static void after_a_failure_a_silent_console_ends_the_session(void)
{
    static const struct key noise[] = {{500, "x"}, {600, "\r"}, {KEYS_THEN_SILENCE, NULL}};

    CHECK_ERR(run_menu("timeout 5\n" THREE, noise, "none"), ERR_EXEC_FORMAT);
    CHECK_STR(term.booted, "(hd0)/boot/a [root=/dev/xvda ro]\n");
    CHECK(term_said(&term, "No key came for 10 minutes; nobody seems to be here."));
    CHECK(term_said(&term, "pvboot-failed: error=13 entry=0"));
    CHECK(term.now_ms >= 600000 && term.now_ms < 700000);
}

static void a_terminal_that_goes_away_ends_the_session(void)
{
    static const struct key keys[] = {{500, "x"}, {600, "\r"}, {700, "x"}, {0, NULL}};

    CHECK_ERR(run_menu("timeout 5\n" THREE, keys, "none"), ERR_EXEC_FORMAT);
    CHECK_STR(term.booted, "(hd0)/boot/a [root=/dev/xvda ro]\n");
}

static void a_menu_without_titles_is_an_error(void)
{
    CHECK_ERR(run_menu("timeout 0\n# no entries\n", NULL, NULL), ERR_NO_MENU);
    CHECK(term_said(
        &term, "Error: No menu found: (hd0)/boot/grub/menu.lst (the file has no `title' line, so "
               "nothing to boot)"));
}

int main(void)
{
    RUN(timeout_0_boots_at_once);
    RUN(without_memory_it_says_so);
    RUN(a_timeout_is_waited_for_once);
    RUN(hiddenmenu_waits_but_does_not_draw);
    RUN(a_failed_entry_falls_back);
    RUN(fallbacks_are_tried_in_order);
    RUN(with_nobody_there_the_last_error_is_the_result);
    RUN(an_entry_without_root_uses_the_menus_volume);
    RUN(errors_have_grubs_numbers);
    RUN(menu_commands_in_an_entry_do_no_harm);
    RUN(a_command_line_is_whole_or_refused);
    RUN(titles_cannot_steer_the_terminal);
    RUN(arrows_and_enter_choose);
    RUN(an_escape_sequence_may_come_in_pieces);
    RUN(numbers_choose);
    RUN(two_digits_choose_among_many);
    RUN(escape_opens_the_hidden_menu);
    RUN(other_keys_leave_the_hidden_menu_its_time);
    RUN(escape_is_seen_with_timeout_0);
    RUN(f4_opens_the_hidden_menu_too);
    RUN(any_key_stops_the_countdown);
    RUN(a_late_size_is_no_key);
    RUN(after_a_failure_somebody_gets_the_menu);
    RUN(after_a_failure_a_silent_console_ends_the_session);
    RUN(a_terminal_that_goes_away_ends_the_session);
    RUN(a_menu_without_titles_is_an_error);
    return test_done();
}
