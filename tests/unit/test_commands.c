/* SPDX-License-Identifier: MIT */
/* The commands of an entry, one by one, as a session runs them: what boots, and what is said. */
#include "core/menu/commands.h"
#include "tests/unit/menurun.h"
#include "tests/unit/test.h"

#include <stdlib.h>

static struct term term;

/* A Multiboot header (magic, flags 0, checksum) behind 8 bytes: what the start of Xen looks like.
 */
#define XEN_FILE "8 bytes.\x02\xb0\xad\x1b\x01\x01\x01\x01\xfd\x4e\x51\xe3 and more"

static const struct tree_file files[] = {{"/boot/a", "kernel a"},
                                         {"/boot/i", "initrd"},
                                         {"/boot/i2", "initrd 2"},
                                         {"/boot/xen", XEN_FILE},
                                         {"/both", "first"},
                                         {"/other.lst", "timeout 0\ntitle other\nkernel /boot/a o"},
                                         {"/loop.lst", "timeout 0\ntitle x\nconfigfile /loop.lst"},
                                         {"/locked.lst",
                                          "timeout 9\npassword other\ntitle x\nlock\n"
                                          "kernel /boot/a"},
                                         {"/empty.lst", "# nothing\n"},
                                         {"/bad\033[2J.lst", "timeout 0\ntitle x\nroot (hd9)"},
                                         {NULL, NULL}};

static struct err entry(const char *lines)
{
    return menurun_entry(&term, lines, NULL);
}

/* The entry fails with this code, and this is said; nothing boots. */
static void fails(const char *lines, enum err_code code, const char *says)
{
    struct err e = entry(lines);

    if (e.code != code)
        printf("the entry was:\n%s\n", lines);
    CHECK_U64(e.code, code);
    CHECK(term_said(&term, says));
    CHECK_STR(term.booted, "");
}

static void boots(const char *lines, const char *what)
{
    CHECK_OK(entry(lines));
    CHECK_STR(term.booted, what);
}

/* ---- kernel, initrd, module, chainloader ----------------------------------------------------- */

static void kernel_takes_grubs_types(void)
{
    boots("kernel --type=netbsd --no-mem-option /boot/a x", "(hd0)/boot/a [x]\n");
    boots("kernel --type=multiboot /boot/a --type=x", "(hd0)/boot/a [--type=x]\n");
    fails("kernel --type=dos /boot/a", ERR_BAD_ARGUMENT, "Error 30: Invalid argument: --type=dos");
}

static void a_second_kernel_takes_the_place_of_the_first(void)
{
    boots("kernel /boot/a 1\ninitrd /boot/i\nkernel /both 2", "(hd0)/both [2]\n");
}

static void initrd_lines_add_up(void)
{
    boots("kernel /boot/a\ninitrd /boot/i\ninitrd /boot/i2 /boot/i",
          "(hd0)/boot/a [] (hd0)/boot/i (hd0)/boot/i2 (hd0)/boot/i\n");
    fails("kernel /boot/a\ninitrd", ERR_BAD_FILENAME, "`initrd' wants a file name");
    char lines[1024] = "kernel /boot/a\ninitrd";

    for (int i = 0; i <= SESSION_INITRD_MAX; i++)
        strcat(lines, " /boot/i");
    fails(lines, ERR_LIMIT, "more than 32 initrd files");
}

static void modules_of_xen_are_linux_and_its_initrd(void)
{
    boots("kernel /boot/xen dom0_mem=512M\nmodule /boot/a root=/dev/xvda ro\nmodule /boot/i\n"
          "modulenounzip /boot/i2",
          "(hd0)/boot/a [root=/dev/xvda ro] (hd0)/boot/i (hd0)/boot/i2\n");
    CHECK(term_said(&term, "(hd0)/boot/xen is a hypervisor, and this guest runs on one already"));
    fails("kernel /boot/xen\nmodule /boot/gone", ERR_FILE_NOT_FOUND,
          "Error 15: File not found: (hd0)/boot/gone");
}

static void modules_of_linux_are_initrds(void)
{
    boots("kernel /boot/a x\nmodule /boot/i arguments\nmodule /boot/i2",
          "(hd0)/boot/a [x] (hd0)/boot/i (hd0)/boot/i2\n");
    CHECK(term_said(&term, "(hd0)/boot/i becomes an initrd: its arguments are for nobody"));
    fails("module /boot/i\nkernel /boot/a", ERR_NEED_MODULE_KERNEL,
          "Error 20: Multiboot kernel must be loaded before modules");
    fails("kernel /boot/a\nmodule", ERR_BAD_FILENAME, "`module' wants a file name");
}

static void chainloader_starts_images_but_no_boot_sectors(void)
{
    boots("chainloader /boot/a (hd0)/menu", "(hd0)/boot/a [(hd0)/menu]\n");
    boots("root (hd1)\nchainloader --force (hd0)/boot/a", "(hd0)/boot/a []\n");
    fails("root (hd0)\nchainloader +1", ERR_EXEC_FORMAT, "+1 (a boot sector needs a PC's BIOS");
    fails("chainloader (hd0,0)+1", ERR_EXEC_FORMAT, "(hd0,0)+1 (a boot sector needs a PC's BIOS");
    fails("chainloader", ERR_BAD_FILENAME, "`chainloader' wants");
}

static void boot_ends_the_entry(void)
{
    boots("kernel /boot/a\nboot\nnonsense", "(hd0)/boot/a []\n");
    fails("boot\nkernel /boot/a", ERR_BOOT_COMMAND,
          "Error 8: Kernel must be loaded before booting");
}

/* ---- root and what sets it ------------------------------------------------------------------- */

static void uuid_finds_the_root(void)
{
    boots("root (hd1)\nuuid " MENURUN_UUID "\nkernel /boot/a", "(hd0)/boot/a []\n");
    CHECK(term_said(&term, " the root is now (hd0)\r\n"));
    boots("root (hd1)\nuuid 0123456789ABCDEF0123456789abcdef\nkernel /boot/a", "(hd0)/boot/a []\n");
    fails("uuid 01234567-89ab-cdef-0123-456789abcdee\nkernel /boot/a", ERR_FILE_NOT_FOUND,
          "01234567-89ab-cdef-0123-456789abcdee (no file system has this UUID");
    fails("uuid 01234567", ERR_FILE_NOT_FOUND, "no file system has this UUID");
    fails("uuid " MENURUN_UUID "0", ERR_FILE_NOT_FOUND, "no file system has this UUID");
    boots("uuid\nuuid (hd1)\nkernel /boot/a", "(hd0)/boot/a []\n");
    CHECK(term_said(&term, " (hd0): " MENURUN_UUID ", ext4, label ROOT\r\n"));
    CHECK(term_said(&term, "uuid (hd1)\r\n (hd1): fedcba98-7654-3210-fedc-ba9876543210, ext4, "
                           "label Data disk\r\n"));
    fails("uuid (hd7)", ERR_NO_DISK, "Error 21: Selected disk does not exist: (hd7)");
    fails("uuid (hd0)x", ERR_DEV_FORMAT, "Error 11");
}

static void find_lists_devices(void)
{
    boots("find /both\nfind /data/only-here\nkernel /boot/a", "(hd0)/boot/a []\n");
    CHECK(term_said(&term, "find /both\r\n (hd0)\r\n (hd1)\r\nfind /data/only-here\r\n (hd1)\r\n"));
    fails("find /nowhere\nkernel /boot/a", ERR_FILE_NOT_FOUND,
          "Error 15: File not found: /nowhere (no disk, partition or volume holds it)");
    fails("find both", ERR_BAD_FILENAME, "a path without a device is wanted");
    fails("find", ERR_BAD_ARGUMENT, "what to look for is missing");
    fails("find --set-boot /both", ERR_BAD_ARGUMENT, "`find' knows --set-root");
    boots("root (hd1)\nfind --set-root --ignore-floppies /boot/a\nkernel /boot/a",
          "(hd0)/boot/a []\n");
}

static void search_sets_the_root(void)
{
    boots("search --no-floppy --fs-uuid --set=root --hint-xen=hd0 fedcba98-7654-3210-fedc-"
          "ba9876543210\nkernel /both",
          "(hd1)/both []\n");
}

static void search_by_label_and_file(void)
{
    boots("root (hd1)\nsearch -l --set ROOT\nkernel /boot/a", "(hd0)/boot/a []\n");
    boots("search --set root --file /both\nkernel /both", "(hd0)/both []\n");
    CHECK(term_said(&term, " the root is now (hd0)\r\n the first is taken; there is another: "
                           "(hd1)\r\n"));
    boots("search --hint hd1 -f /both\nkernel /both", "(hd0)/both []\n");
    CHECK(term_said(&term, " (hd0)\r\n (hd1)\r\n"));
    fails("search --set=prefix /both", ERR_BAD_ARGUMENT, "only the root can be set");
    fails("search --fs /both", ERR_BAD_ARGUMENT, "`search' knows --file, --label");
    fails("search --label ROO", ERR_FILE_NOT_FOUND, "ROO (no file system has this label");
    fails("search --label", ERR_BAD_ARGUMENT, "what to look for is missing");
}

static void geometry_tells_sectors(void)
{
    boots("geometry (hd0)\nkernel /boot/a", "(hd0)/boot/a []\n");
    CHECK(term_said(&term, ", 2 MiB, 4096 sectors of 512 bytes\r\n"));
    CHECK(term_said(&term, "   No partitions: Filesystem type is ext4, using whole disk\r\n"));
    fails("geometry", ERR_BAD_ARGUMENT, "`geometry' wants a device");
    fails("geometry hd0", ERR_DEV_FORMAT, "Error 11");
    fails("geometry (hd0)x", ERR_DEV_FORMAT, "only a device is wanted");
    fails("geometry (hd9)", ERR_NO_DISK, "Error 21");
}

static void rootnoverify_does_not_mount(void)
{
    boots("rootnoverify (hd0,3)\nkernel (hd0)/boot/a", "(hd0)/boot/a []\n");
    CHECK(strstr(term.out, "Filesystem type") == NULL);
    fails("rootnoverify", ERR_BAD_ARGUMENT, "`root' wants a device");
}

/* ---- the machine ----------------------------------------------------------------------------- */

static void halt_and_reboot_need_no_kernel(void)
{
    boots("halt --no-apm\nnonsense", "power off\n");
    boots("kernel /boot/a\nreboot\nboot", "reboot\n");
}

static void displaymem_tells_the_guests_memory(void)
{
    boots("displaymem\nkernel /boot/a", "(hd0)/boot/a []\n");
    CHECK(term_said(&term, " 512 MiB of memory, 480 MiB free for a kernel and its initrd\r\n"));
}

static void pause_waits_for_somebody_only(void)
{
    static const struct key keys[] = {{0, "\033"}, {1000, "\r"}, {90000, "x"}, {0, NULL}};

    boots("pause hello\033[2J there\nkernel /boot/a", "(hd0)/boot/a []\n");
    CHECK(term_said(&term, "\r\nhello\\x1b[2J there\r\nkernel"));
    CHECK_U64(term.now_ms, 0);
    CHECK_OK(menurun_entry(&term, "pause\nkernel /boot/a", keys));
    CHECK_STR(term.booted, "(hd0)/boot/a []\n");
    CHECK(term_said(&term, "Press any key to continue..."));
    CHECK_U64(term.now_ms, 90000);
}

static void clear_clears_for_somebody_only(void)
{
    boots("clear\nkernel /boot/a", "(hd0)/boot/a []\n");
    CHECK(strchr(term.out, '\033') == NULL);
}

/* ---- without effect, refused ----------------------------------------------------------------- */

static void what_is_ignored_says_so_once(void)
{
    const char *first;

    for (const struct command *c = menu_commands; c->name != NULL; c++) {
        char lines[256];

        if (c->ignored == NULL)
            continue;
        snprintf(lines, sizeof(lines), "%s x\n%s\nkernel /boot/a", c->name, c->name);
        boots(lines, "(hd0)/boot/a []\n");
        CHECK(term_said(&term, c->ignored));
        first = strstr(term.out, c->ignored);
        CHECK(first != NULL && strstr(first + 1, c->ignored) == NULL);
    }
}

static void what_is_refused_fails_by_name(void)
{
    for (const struct command *c = menu_commands; c->name != NULL; c++) {
        char lines[256], says[512];

        if (c->refused == NULL || strcmp(c->name, "title") == 0)
            continue;
        snprintf(lines, sizeof(lines), "%s (hd0)\nkernel /boot/a", c->name);
        snprintf(says, sizeof(says), "Error 27: Unrecognized command: %s (%s)", c->name,
                 c->refused);
        fails(lines, ERR_UNRECOGNIZED, says);
    }
}

/* ---- savedefault, help ----------------------------------------------------------------------- */

static void savedefault_takes_every_form(void)
{
    boots("savedefault\nsavedefault 1\nsavedefault fallback\nsavedefault --default=2 --once "
          "--wait=5 --stage2=/boot/grub/stage2\nkernel /boot/a",
          "(hd0)/boot/a []\n");
    fails("savedefault one", ERR_NUMBER_PARSING, "Error 23: Error while parsing number: one");
    fails("savedefault --twice", ERR_BAD_ARGUMENT, "Error 30: Invalid argument: --twice");
}

static void help_lists_and_explains(void)
{
    boots("help\nhelp kernel reb\nkernel /boot/a", "(hd0)/boot/a []\n");
    CHECK(
        term_said(&term, "blocklist         boot              cat               chainloader\r\n"));
    CHECK(term_said(&term, "kernel FILE [ARGUMENT]...: the kernel and its command line\r\n"));
    CHECK(term_said(&term, "reboot: start the guest again\r\n"));
    fails("help nonsense", ERR_UNRECOGNIZED, "Error 27: Unrecognized command: nonsense");
    boots("help --all\nkernel /boot/a", "(hd0)/boot/a []\n");
    for (const struct command *c = menu_commands; c->name != NULL; c++) {
        char line[64];

        snprintf(line, sizeof(line), "\r\n%s", c->name);
        CHECK(term_said(&term, line));
    }
}

/* ---- configfile ------------------------------------------------------------------------------ */

static void configfile_goes_on_with_another_menu(void)
{
    boots("configfile /other.lst", "(hd0)/boot/a [o]\n");
    CHECK(term_said(&term, "  Booting 'x'\r\n\r\nconfigfile /other.lst\r\n\r\n  Booting 'other'"));
    boots("root (hd1)\nconfigfile (hd0)/other.lst", "(hd0)/boot/a [o]\n");
    fails("configfile", ERR_BAD_FILENAME, "`configfile' wants a file name");
    fails("configfile /gone.lst", ERR_FILE_NOT_FOUND, "Error 15: File not found: (hd0)/gone.lst");
    fails("configfile /empty.lst", ERR_NO_MENU, "(hd0)/empty.lst (the file has no `title' line");
    fails("configfile /loop.lst", ERR_LIMIT, "16 menus, one after the other");
    CHECK_U64(term.nr_held, 0);
}

/* The cap is about menus that name each other; who presses Enter each time may go on for ever. */
static void menus_chosen_by_hand_are_no_loop(void)
{
    static const char menu[] = "timeout 9\ntitle x\nconfigfile /boot/grub/menu.lst\n"
                               "title y\nkernel /boot/a y\n";
    struct key keys[42] = {{0, NULL}};

    for (uint32_t i = 0; i < 40; i++)
        keys[i] = (struct key){1000 * (i + 1), "\r"};
    keys[40] = (struct key){60000, "1\r"};
    CHECK_OK(menurun(&term, menu, keys));
    CHECK_STR(term.booted, "(hd0)/boot/a [y]\n");
    CHECK_U64(term.nr_held, 0);
}

static void a_menus_name_cannot_steer_the_terminal(void)
{
    fails("configfile /bad\033[2J.lst", ERR_NO_DISK, "No entry of (hd0)/bad\\x1b[2J.lst could be");
    CHECK(strchr(term.out, '\033') == NULL && strchr(term.log, '\033') == NULL);
    fails("configfile /none\033[2J.lst", ERR_FILE_NOT_FOUND, "(hd0)/none\\x1b[2J.lst (ext4)");
    CHECK(strchr(term.out, '\033') == NULL && strchr(term.log, '\033') == NULL);
}

static void a_passwords_menu_is_beside_the_first(void)
{
    static const struct key keys[] = {
        {0, "\033"}, {1000, "p"}, {2000, "secret\r"}, {3000, "x"}, {0, NULL}};

    CHECK_OK(
        menurun(&term, "timeout 0\npassword secret /other.lst\ntitle x\nkernel /both\n", keys));
    CHECK_STR(term.booted, "(hd0)/boot/a [o]\n");
    CHECK(term_logged(&term, "menu: (hd0)/other.lst, "));
}

/* Who knows the password of one menu does not know that of the next. */
static void another_menu_asks_for_its_own_password(void)
{
    static const struct key keys[] = {
        {1000, "p"},  {2000, "secret\r"}, {3000, "\r"},  {20000, "c"},  {21000, "\r"}, {30000, "x"},
        {31000, "p"}, {32000, "other\r"}, {40000, "\r"}, {50000, "\r"}, {0, NULL}};

    CHECK_OK(menurun(&term, "timeout 9\npassword secret\ntitle x\nconfigfile /locked.lst\n", keys));
    CHECK(term_said(&term, "Error 32: Must be authenticated"));
    CHECK_STR(term.booted, "(hd0)/boot/a []\n");
}

static void a_menu_that_cannot_be_read_falls_back(void)
{
    CHECK_OK(menurun(&term,
                     "timeout 0\nfallback 1\ntitle x\nconfigfile /empty.lst\ntitle y\n"
                     "kernel /boot/a y\n",
                     NULL));
    CHECK_STR(term.booted, "(hd0)/boot/a [y]\n");
    CHECK_U64(term.nr_held, 0);
}

/* ---- lock, password, md5crypt ---------------------------------------------------------------- */

#define LOCKED "timeout 0\npassword secret\ntitle x\nlock\nkernel /boot/a\n"

static void a_locked_entry_needs_the_menus_password(void)
{
    CHECK_ERR(menurun(&term, LOCKED, NULL), ERR_PRIVILEGED);
    CHECK(term_said(&term, "Error 32: Must be authenticated: the entry is locked"));
    boots("lock\nkernel /boot/a", "(hd0)/boot/a []\n"); /* no password, no lock */
    CHECK_ERR(
        menurun(&term, "timeout 0\npassword --md5 nonsense\ntitle x\nlock\nkernel /boot/a\n", NULL),
        ERR_PRIVILEGED);
    CHECK(term_logged(&term, "menu: there is a password that nobody can know: the menu is locked"));
    CHECK(strstr(term.log, "nonsense") == NULL);
    /* A later line that is good counts, and the other way round. */
    CHECK_ERR(menurun(&term, "password\n" LOCKED, NULL), ERR_PRIVILEGED);
}

static void an_entrys_password_is_asked_for(void)
{
    static const struct key right[] = {
        {0, "\033"}, {1000, "\r"}, {2000, "secret\r"}, {3000, "x"}, {0, NULL}};
    static const struct key wrong[] = {
        {0, "\033"}, {1000, "\r"}, {2000, "secrets\r"}, {3000, "x"}, {0, NULL}};
    static const char lines[] = "password secret\nkernel /boot/a";

    fails(lines, ERR_PRIVILEGED,
          "Error 32: Must be authenticated: a password is wanted, and "
          "nobody is at the console");
    CHECK_U64(term.now_ms, 0);
    CHECK(strstr(term.out, "secret") == NULL);
    CHECK_OK(menurun_entry(&term, lines, right));
    CHECK_STR(term.booted, "(hd0)/boot/a []\n");
    CHECK(strstr(term.out, "secret") == NULL);
    CHECK(term_said(&term, "Password: "));
    CHECK_ERR(menurun_entry(&term, lines, wrong), ERR_PRIVILEGED);
    CHECK_STR(term.booted, "");
    CHECK(term_said(&term, "that was another password"));
    fails("password --md5 nonsense\nkernel /boot/a", ERR_BAD_ARGUMENT, "Error 30");
}

static void md5crypt_hashes_its_argument_or_what_is_typed(void)
{
    static const struct key keys[] = {
        {0, "\033"}, {1000, "\r"}, {2000, "secret\r"}, {3000, "x"}, {0, NULL}};
    const char *hash;

    boots("md5crypt secret\nkernel /boot/a", "(hd0)/boot/a []\n");
    hash = strstr(term.out, "Encrypted: $1$");
    CHECK(hash != NULL);
    CHECK(strstr(term.out, "secret") == NULL);
    CHECK_OK(menurun_entry(&term, "md5crypt\nkernel /boot/a", keys));
    CHECK_STR(term.booted, "(hd0)/boot/a []\n");
    CHECK(term_said(&term, "Encrypted: $1$"));
    CHECK(strstr(term.out, "secret") == NULL);
    fails("md5crypt\nkernel /boot/a", ERR_BAD_ARGUMENT, "`md5crypt' wants a password");
}

/* ---- the last line --------------------------------------------------------------------------- */

static bool last_line_is(const char *line)
{
    size_t len = strlen(line), all = strlen(term.out);

    if (all >= len && strcmp(term.out + all - len, line) == 0)
        return true;
    printf("not the last line: %s\n%s\n", line, term.out);
    return false;
}

static void the_last_line_is_for_programs(void)
{
    CHECK_ERR(menurun(&term,
                      "timeout 0\nfallback 1\ntitle x\nkernel /boot/a\ninitrd /b\ntitle y\n\n"
                      "kernel /boot/gone-\"6.1\n",
                      NULL),
              ERR_FILE_NOT_FOUND);
    CHECK(last_line_is("pvboot-failed: error=15 entry=1 line=8 "
                       "file=\"(hd0)/boot/gone-\\x226.1\"\r\n"));
    CHECK_ERR(entry("root (hd7)"), ERR_NO_DISK);
    CHECK(last_line_is("pvboot-failed: error=21 entry=0 line=3 file=\"(hd7)\"\r\n"));
    CHECK_ERR(entry("root (hd0)"), ERR_BOOT_COMMAND);
    CHECK(last_line_is("pvboot-failed: error=8 entry=0 line=3 file=\"\"\r\n"));
    CHECK_ERR(menurun(&term, "# nothing\n", NULL), ERR_NO_MENU);
    CHECK(last_line_is("pvboot-failed: error=no-menu entry=none line=none file=\"\"\r\n"));
}

int main(void)
{
    menurun_files(files);
    RUN(kernel_takes_grubs_types);
    RUN(a_second_kernel_takes_the_place_of_the_first);
    RUN(initrd_lines_add_up);
    RUN(modules_of_xen_are_linux_and_its_initrd);
    RUN(modules_of_linux_are_initrds);
    RUN(chainloader_starts_images_but_no_boot_sectors);
    RUN(boot_ends_the_entry);
    RUN(uuid_finds_the_root);
    RUN(find_lists_devices);
    RUN(search_sets_the_root);
    RUN(search_by_label_and_file);
    RUN(geometry_tells_sectors);
    RUN(rootnoverify_does_not_mount);
    RUN(halt_and_reboot_need_no_kernel);
    RUN(displaymem_tells_the_guests_memory);
    RUN(pause_waits_for_somebody_only);
    RUN(clear_clears_for_somebody_only);
    RUN(what_is_ignored_says_so_once);
    RUN(what_is_refused_fails_by_name);
    RUN(savedefault_takes_every_form);
    RUN(help_lists_and_explains);
    RUN(configfile_goes_on_with_another_menu);
    RUN(menus_chosen_by_hand_are_no_loop);
    RUN(a_menus_name_cannot_steer_the_terminal);
    RUN(a_passwords_menu_is_beside_the_first);
    RUN(another_menu_asks_for_its_own_password);
    RUN(a_menu_that_cannot_be_read_falls_back);
    RUN(a_locked_entry_needs_the_menus_password);
    RUN(an_entrys_password_is_asked_for);
    RUN(md5crypt_hashes_its_argument_or_what_is_typed);
    RUN(the_last_line_is_for_programs);
    return test_done();
}
