/* SPDX-License-Identifier: MIT */
/* Entries changed before they boot, in whole sessions: the keys e, a and what they lead to. */
#include <stdlib.h>

#include "core/menu/entry_edit.h"
#include "tests/unit/term.h"
#include "tests/unit/test.h"
#include "tests/unit/tree.h"

static struct term term;
static struct grid grid;
static struct mem_disk disk, other; /* made anew for another menu */
static char disk_menu[16384];

#define PARTS_MAX 8

static void make_disks(const char *menu)
{
    const struct tree_file files[] = {{"/boot/grub/menu.lst", menu},
                                      {"/boot/a", "kernel a"},
                                      {"/boot/b", "kernel b"},
                                      {"/boot/other.lst", "timeout 0\ntitle O\nkernel /boot/b o\n"},
                                      {"/boot/i", "initrd"},
                                      {NULL, NULL}};
    static const struct tree_file second[] = {{"/only/here", "kernel h"}, {NULL, NULL}};

    if (other.data == NULL)
        tree_disk(&other, second);
    if (strcmp(menu, disk_menu) == 0)
        return;
    tree_free(&disk);
    tree_disk(&disk, files);
    snprintf(disk_menu, sizeof(disk_menu), "%s", menu);
}

/* Somebody types what stands between the bars, two seconds each after the other. */
static struct err run_typed(const char *menu, const char *typed, const char *works)
{
    struct key keys[PARTS_MAX + 1] = {{0, NULL}};
    struct mem_disk *disks[] = {&disk, &other, NULL};
    char *copy = strdup(typed), *rest = copy, *part;
    uint32_t nr = 0;
    struct err e;

    while ((part = strsep(&rest, "|")) != NULL && nr < PARTS_MAX) {
        keys[nr] = (struct key){2000 * nr, part};
        nr++;
    }
    make_disks(menu);
    e = term_session(&term, disks, keys, works, NULL, false);
    CHECK_U64(term.nr_held, 0);
    free(copy);
    return e;
}

#define MENU                                                                                       \
    "timeout 5\ntitle Alpha\nroot (hd0)\nkernel /boot/a root=/dev/xvda ro\ninitrd /boot/i\n"       \
    "title Beta\nkernel /boot/b\n"

static void check_booted(const char *typed, const char *booted)
{
    CHECK_OK(run_typed(MENU, typed, NULL));
    CHECK_STR(term.booted, booted);
}

/* ---- e ----------------------------------------------------------------------------------------
 */

static void a_line_is_changed(void)
{
    check_booted("e|\016e single\rb", "(hd0)/boot/a [root=/dev/xvda ro single] (hd0)/boot/i\n");
    CHECK(term_said(&term, "pvboot edit> kernel /boot/a root=/dev/xvda ro\033[K single\r\n"));
    CHECK(term_said(&term, "  Booting 'Alpha'"));
    check_booted("e|\033[B\r single\rb", "(hd0)/boot/a [root=/dev/xvda ro single] (hd0)/boot/i\n");
    check_booted("e|\016e\025kernel /bo\tb\t\rb", "(hd0)/boot/b [] (hd0)/boot/i\n");
    /* ESC in the line leaves it as it was. */
    check_booted("e|\016e single\033|b", "(hd0)/boot/a [root=/dev/xvda ro] (hd0)/boot/i\n");
    check_booted("\016|ee x\rb", "(hd0)/boot/b [x]\n");
}

static void tab_knows_the_root_of_the_line(void)
{
    CHECK_OK(run_typed("timeout 5\ntitle x\nroot (hd1)\nkernel /gone\n", "e|\016e\027/o\th\tx\rb",
                       NULL));
    CHECK_STR(term.booted, "(hd1)/only/here [x]\n");
    CHECK_OK(run_typed("timeout 5\ntitle x\nfind --set-root /only/here\nkernel /gone\n",
                       "e|\016e\027/o\th\ty\rb", NULL));
    CHECK_STR(term.booted, "(hd1)/only/here [y]\n");
    /* On a device that is not there, it says so. */
    run_typed("timeout 5\ntitle x\nroot (hd7)\nkernel /bo\n", "e|\016e\t", NULL);
    CHECK(term_said(&term, "kernel /bo\033[K\r\nError 21: Selected disk does not exist: (hd7)"));
}

static void small_terminals_show_what_fits(void)
{
    static const struct {
        uint32_t rows, cols;
    } sizes[] = {{10, 40}, {24, 80}, {60, 200}, {5, 20}};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        grid_init(&grid, sizes[i].rows, sizes[i].cols);
        term.grid = &grid;
        run_typed(MENU, "e|\016e\001\005 xyz\t\033|c|help\rq|cat /boot/\t\t\033|\033|a y\033",
                  "none");
        CHECK_STR(grid.bad, "");
        term.grid = NULL;
    }
}

static void lines_are_added_and_removed(void)
{
    check_booted("e|\033[Fdb", "(hd0)/boot/a [root=/dev/xvda ro]\n");
    check_booted("e|\033[Foeinitrd /boot/i\rb",
                 "(hd0)/boot/a [root=/dev/xvda ro] (hd0)/boot/i (hd0)/boot/i\n");
    check_booted("e|\016Oekernel /gone\rdb", "(hd0)/boot/a [root=/dev/xvda ro] (hd0)/boot/i\n");
    check_booted("e|ddddddoe  kernel /boot/b y  \rb", "(hd0)/boot/b [y]\n");
    check_booted("e|oooe# a comment\rb", "(hd0)/boot/a [root=/dev/xvda ro] (hd0)/boot/i\n");
}

static void escape_gives_up_the_changes(void)
{
    check_booted("e|ddd\033|\r", "(hd0)/boot/a [root=/dev/xvda ro] (hd0)/boot/i\n");
    check_booted("e|ddd\033|e\016e x\rb", "(hd0)/boot/a [root=/dev/xvda ro x] (hd0)/boot/i\n");
}

static void a_failed_boot_leads_back_to_the_lines(void)
{
    CHECK_OK(run_typed(MENU, "e|\016e x\rb e\025kernel /boot/b\rb", "kernel b"));
    CHECK_STR(term.booted, "(hd0)/boot/a [root=/dev/xvda ro x] (hd0)/boot/i\n"
                           "(hd0)/boot/b [] (hd0)/boot/i\n");
    CHECK(term_said(&term, "Press any key to continue..."));
    run_typed(MENU, "e|\016e\025nonsense\rb ", NULL);
    CHECK(term_said(&term, "Error 27: Unrecognized command: nonsense (line 4 of the menu)"));
}

static void other_tools_are_at_hand(void)
{
    check_booted("e|ckernel /boot/b\rboot\r", "(hd0)/boot/b []\n");
    check_booted("e|c\033|\016e z\rb", "(hd0)/boot/a [root=/dev/xvda ro z] (hd0)/boot/i\n");
    check_booted("e|cconfigfile /boot/other.lst\r", "(hd0)/boot/b [o]\n");
    check_booted("e|ddde\rd\025oeconfigfile /boot/other.lst\rb", "(hd0)/boot/b [o]\n");
}

static void the_lines_are_shown_in_the_box(void)
{
    grid_init(&grid, 24, 80);
    term.grid = &grid;
    run_typed(MENU, "e|\016", NULL);
    CHECK_STR(grid.bad, "");
    term.grid = NULL;
    CHECK(term_said(&term, " > kernel /boot/a root=/dev/xvda ro    "));
    CHECK(term_said(&term, "'e' to edit the selected command in the boot sequence, 'c'\r\n"));
}

static void entries_of_any_size(void)
{
    static char menu[600 * 16];
    int len = sprintf(menu, "timeout 5\ntitle Many\n");

    for (int i = 0; i < 511; i++)
        len += sprintf(menu + len, "quiet\n");
    sprintf(menu + len, "kernel /boot/a\n");
    CHECK_OK(run_typed(menu, "e|\033[Fo \r q\rb", NULL)); /* no room for a line more */
    CHECK(term_said(&term, "An entry of more than 512 lines cannot be edited."));
    CHECK_STR(term.booted, "(hd0)/boot/a [q]\n");
    sprintf(menu + len, "quiet\nkernel /boot/a\n");
    CHECK_OK(run_typed(menu, "e|\r\r", NULL));
    CHECK(term_said(&term, "An entry of more than 512 lines cannot be edited."));
    CHECK_STR(term.booted, "(hd0)/boot/a []\n");
}

static void lines_that_are_too_long_are_not_cut(void)
{
    char *menu = malloc(16384);
    size_t len = (size_t)sprintf(menu, "timeout 5\ntitle Long\nkernel /boot/a ");

    memset(menu + len, 'x', 8180);
    strcpy(menu + len + 8180, "\nkernel /boot/b\n");
    run_typed(menu, "e|e\rb", NULL);
    CHECK(term_said(&term, "This line is too long to be edited here: at most 8191 bytes"));
    CHECK(term_said(&term, "Error 28"));
    free(menu);
}

/* ---- a ----------------------------------------------------------------------------------------
 */

static void the_arguments_are_changed(void)
{
    check_booted("a| single\r", "(hd0)/boot/a [root=/dev/xvda ro single] (hd0)/boot/i\n");
    CHECK(term_said(&term, "pvboot append> root=/dev/xvda ro\033[K single"));
    check_booted("a|\025x\r", "(hd0)/boot/a [x] (hd0)/boot/i\n");
    check_booted("a|\025\r", "(hd0)/boot/a [] (hd0)/boot/i\n");
    check_booted("\016|ay z \r", "(hd0)/boot/b [y z]\n");
    check_booted("a| single\033|\r", "(hd0)/boot/a [root=/dev/xvda ro] (hd0)/boot/i\n");
}

static void the_line_with_the_arguments_is_found(void)
{
    CHECK_OK(run_typed("timeout 5\ntitle x\nkernel /boot/b n\n"
                       "kernel --type=linux  /boot/a  o\ninitrd /boot/i\n",
                       "a| p\r", NULL));
    CHECK_STR(term.booted, "(hd0)/boot/a [o p] (hd0)/boot/i\n");
    /* Behind Xen the first module is the kernel. */
    run_typed("timeout 5\ntitle x\nkernel /boot/xen-4.17.gz dom0_mem=1G\nmodule /boot/a ro\n"
              "module /boot/i\n",
              "a| quiet", NULL);
    CHECK(term_said(&term, "pvboot append> ro\033[K quiet"));
    run_typed("timeout 5\ntitle x\nkernel /boot/a ro\nmodule /boot/i\n", "a| quiet", NULL);
    CHECK(term_said(&term, "pvboot append> ro\033[K quiet"));
    run_typed("timeout 5\ntitle x\nquiet\n", "a| ", NULL);
    CHECK(term_said(&term, "The entry has no `kernel' line."));
}

/* ---- p ----------------------------------------------------------------------------------------
 */

static void a_password_stands_before_all_of_it(void)
{
    CHECK_OK(run_typed("password secret\n" MENU, "x|eac\r", NULL));
    CHECK_STR(term.booted, "(hd0)/boot/a [root=/dev/xvda ro] (hd0)/boot/i\n");
    CHECK(strstr(term.out, "pvboot>") == NULL && strstr(term.out, "pvboot append>") == NULL &&
          strstr(term.out, "pvboot edit>") == NULL);
    CHECK(term_said(&term, "'p' to enter a password"));
    CHECK_OK(run_typed("password secret\n" MENU, "p|secret\r|a x\r", NULL));
    CHECK_STR(term.booted, "(hd0)/boot/a [root=/dev/xvda ro x] (hd0)/boot/i\n");
    CHECK(strstr(term.out, "secret") == NULL && strstr(term.out, "Password: \033[K******") != NULL);
    CHECK_OK(run_typed("password secret\n" MENU, "p|Secret\r|xcea\r", NULL));
    CHECK(term_said(&term, "Error 32: Must be authenticated"));
    CHECK_STR(term.booted, "(hd0)/boot/a [root=/dev/xvda ro] (hd0)/boot/i\n");
    CHECK_OK(run_typed("password\n" MENU, "p|\r|xcea\r", NULL)); /* nobody knows it */
    CHECK_STR(term.booted, "(hd0)/boot/a [root=/dev/xvda ro] (hd0)/boot/i\n");
}

static void a_password_may_lead_to_another_menu(void)
{
    CHECK_OK(run_typed("password secret /boot/other.lst\n" MENU, "p|secret\r", NULL));
    CHECK_STR(term.booted, "(hd0)/boot/b [o]\n");
    CHECK_OK(run_typed("password secret /gone\n" MENU, "p|secret\r|xa y\r", NULL));
    CHECK(term_said(&term, "Error 15: File not found: (hd0)/gone"));
    CHECK_STR(term.booted, "(hd0)/boot/a [root=/dev/xvda ro y] (hd0)/boot/i\n");
}

int main(void)
{
    RUN(a_password_stands_before_all_of_it);
    RUN(a_password_may_lead_to_another_menu);
    RUN(a_line_is_changed);
    RUN(tab_knows_the_root_of_the_line);
    RUN(small_terminals_show_what_fits);
    RUN(lines_are_added_and_removed);
    RUN(escape_gives_up_the_changes);
    RUN(a_failed_boot_leads_back_to_the_lines);
    RUN(other_tools_are_at_hand);
    RUN(the_lines_are_shown_in_the_box);
    RUN(entries_of_any_size);
    RUN(lines_that_are_too_long_are_not_cut);
    RUN(the_arguments_are_changed);
    RUN(the_line_with_the_arguments_is_found);
    tree_free(&disk);
    tree_free(&other);
    return test_done();
}
