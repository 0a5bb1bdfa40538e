/* SPDX-License-Identifier: MIT */
/* The search for the menu, on disks with and without partitions. */
#include "core/menu/locate.h"
#include "tests/unit/term.h"
#include "tests/unit/test.h"
#include "tests/unit/tree.h"

static struct term term;

#define MENU_OF(name) "timeout 0\ntitle x\nkernel /k " name "\n"

/* Two disks of folders with a kernel each; which menu won is in the command line. */
static const struct tree_file grub_in_boot[] = {{"/boot/grub/menu.lst", MENU_OF("boot-grub-menu")},
                                                {"/boot/grub/grub.conf", MENU_OF("boot-grub-conf")},
                                                {"/grub/menu.lst", MENU_OF("grub-menu")},
                                                {"/k", "k"},
                                                {NULL, NULL}};
static const struct tree_file conf_only[] = {{"/boot/grub/grub.conf", MENU_OF("boot-grub-conf")},
                                             {"/grub/menu.lst", MENU_OF("grub-menu")},
                                             {"/k", "k"},
                                             {NULL, NULL}};
static const struct tree_file boot_partition[] = {
    {"/grub/grub.conf", MENU_OF("grub-conf")}, {"/k", "k"}, {NULL, NULL}};
static const struct tree_file no_menu[] = {
    {"/boot/grub/grub.cfg", "set x=1\n"}, {"/k", "k"}, {NULL, NULL}};

static void menu_lst_comes_before_grub_conf(void)
{
    struct mem_disk disk, *disks[] = {&disk, NULL};

    tree_disk(&disk, grub_in_boot);
    CHECK_OK(term_session(&term, disks, NULL, NULL, NULL, false));
    CHECK_STR(term.booted, "(hd0)/k [boot-grub-menu]\n");
    CHECK_OK(term_session(&term, disks, NULL, NULL, "/boot/grub/grub.conf", false));
    CHECK_STR(term.booted, "(hd0)/k [boot-grub-conf]\n");
    CHECK_OK(term_session(&term, disks, NULL, NULL, "(hd0)/grub/menu.lst", true));
    CHECK_STR(term.booted, "(hd0)/k [grub-menu]\n");
    tree_free(&disk);
    tree_disk(&disk, conf_only);
    CHECK_OK(term_session(&term, disks, NULL, NULL, NULL, true));
    CHECK_STR(term.booted, "(hd0)/k [boot-grub-conf]\n");
    tree_free(&disk);
}

static void partitions_are_searched_in_order(void)
{
    const struct tree_file *const parts[4] = {no_menu, boot_partition, grub_in_boot, NULL};
    struct mem_disk disk, *disks[] = {&disk, NULL};

    tree_disk_parts(&disk, NULL, parts);
    CHECK_OK(term_session(&term, disks, NULL, NULL, NULL, false));
    CHECK_STR(term.booted, "(hd0,1)/k [grub-conf]\n");
    CHECK(term_logged(&term, "menu: (hd0,1)/grub/grub.conf, "));
    CHECK_OK(term_session(&term, disks, NULL, NULL, NULL, true));
    CHECK_STR(term.booted, "(hd0,1)/k [grub-conf]\n");
    CHECK_OK(term_session(&term, disks, NULL, NULL, "/grub/menu.lst", false));
    CHECK_STR(term.booted, "(hd0,2)/k [grub-menu]\n");
    tree_free(&disk);
}

static void layouts_differ_in_where_they_begin(void)
{
    const struct tree_file *const parts[4] = {conf_only, NULL, NULL, NULL};
    struct mem_disk disk, *disks[] = {&disk, NULL};

    tree_disk_parts(&disk, grub_in_boot, parts);
    CHECK_OK(term_session(&term, disks, NULL, NULL, NULL, false));
    CHECK_STR(term.booted, "(hd0)/k [boot-grub-menu]\n");
    CHECK_OK(term_session(&term, disks, NULL, NULL, NULL, true));
    CHECK_STR(term.booted, "(hd0,0)/k [boot-grub-conf]\n");
    tree_free(&disk);
}

/* A disk of the other layout than the image's boots all the same, and the log says where from. */
static void the_other_layout_is_found_too(void)
{
    const struct tree_file *const parts[4] = {grub_in_boot, NULL, NULL, NULL};
    struct mem_disk whole, parted, *disks[] = {&whole, NULL};

    tree_disk(&whole, grub_in_boot);
    CHECK_OK(term_session(&term, disks, NULL, NULL, NULL, true));
    CHECK_STR(term.booted, "(hd0)/k [boot-grub-menu]\n");
    CHECK(term_logged(&term, "menu: not in (hd0,0)/boot/grub, where an hd00 image looks first: "
                             "searched on\n"));
    CHECK(term_logged(&term, "menu: (hd0)/boot/grub/menu.lst, "));
    tree_disk_parts(&parted, NULL, parts);
    disks[0] = &parted;
    CHECK_OK(term_session(&term, disks, NULL, NULL, NULL, false));
    CHECK_STR(term.booted, "(hd0,0)/k [boot-grub-menu]\n");
    CHECK(term_logged(&term, "menu: not in (hd0)/boot/grub, where an hd0 image looks first: "
                             "searched on\n"));
    CHECK(term_logged(&term, "menu: (hd0,0)/boot/grub/menu.lst, "));
    CHECK_OK(term_session(&term, disks, NULL, NULL, NULL, true));
    CHECK_STR(term.booted, "(hd0,0)/k [boot-grub-menu]\n");
    CHECK(strstr(term.log, "searched on") == NULL);
    tree_free(&whole);
    tree_free(&parted);
}

static void every_other_disk_is_searched_last(void)
{
    const struct tree_file *const parts[4] = {NULL, NULL, NULL, boot_partition};
    struct mem_disk first, second, third, *disks[] = {&first, &second, &third, NULL};

    tree_disk(&first, no_menu);
    tree_disk_parts(&second, NULL, parts);
    tree_disk(&third, grub_in_boot);
    CHECK_OK(term_session(&term, disks, NULL, NULL, NULL, false));
    CHECK_STR(term.booted, "(hd1,3)/k [grub-conf]\n");
    tree_free(&first);
    tree_free(&second);
    tree_free(&third);
}

static void a_whole_disk_boot_volume_is_found(void)
{
    struct mem_disk disk, *disks[] = {&disk, NULL};

    tree_disk(&disk, boot_partition);
    CHECK_OK(term_session(&term, disks, NULL, NULL, NULL, false));
    CHECK_STR(term.booted, "(hd0)/k [grub-conf]\n");
    tree_free(&disk);
}

static void what_was_tried_is_listed(void)
{
    const struct tree_file *const parts[4] = {no_menu, NULL, NULL, NULL};
    static uint8_t zeros[65536];
    struct mem_disk first, second, *disks[] = {&first, &second, NULL}, *none[] = {NULL};

    tree_disk_parts(&first, NULL, parts);
    mem_disk_init(&second, zeros, sizeof(zeros), 512);
    CHECK_ERR(term_session(&term, disks, NULL, NULL, NULL, false), ERR_NO_MENU);
    CHECK(term_logged(&term, "menu: not found; these places were tried:\n"));
    CHECK(
        term_logged(&term, "menu: (hd0,0): ext4, no menu.lst or grub.conf in /boot/grub, /grub\n"));
    CHECK(term_logged(&term, "menu: (hd0): Error 17: Cannot mount selected partition"));
    CHECK(term_logged(&term, "menu: (hd1): no partitions; Error 17: Cannot mount selected "
                             "partition"));
    CHECK(strstr(term.log, "(hd0,1)") == NULL);
    CHECK(term_said(&term,
                    "Error: No menu found: put a menu.lst into /boot/grub of the first disk\r\n"));
    CHECK_ERR(term_session(&term, disks, NULL, NULL, "/x/y", false), ERR_NO_MENU);
    CHECK(term_logged(&term, "menu: (hd0,0): ext4, no /x/y\n"));
    CHECK_ERR(term_session(&term, disks, NULL, NULL, "(hd0,0)/boot/grub/menu.lst", false),
              ERR_FILE_NOT_FOUND);
    CHECK(term_said(
        &term, "Error 15: File not found: (hd0,0)/boot/grub/menu.lst (ext4); /boot/grub holds: "
               "grub.cfg"));
    CHECK_ERR(term_session(&term, disks, NULL, NULL, "(cd)/menu.lst", false), ERR_DEV_FORMAT);
    CHECK_ERR(term_session(&term, none, NULL, NULL, NULL, false), ERR_NO_MENU);
    CHECK(term_said(&term, "this machine has no disk"));
    tree_free(&first);
}

static void an_empty_menu_is_passed_over(void)
{
    static const struct tree_file files[] = {{"/boot/grub/menu.lst", ""},
                                             {"/grub/menu.lst", MENU_OF("grub-menu")},
                                             {"/k", "k"},
                                             {NULL, NULL}};
    struct mem_disk disk, *disks[] = {&disk, NULL};

    tree_disk(&disk, files);
    CHECK_OK(term_session(&term, disks, NULL, NULL, NULL, false));
    CHECK_STR(term.booted, "(hd0)/k [grub-menu]\n");
    CHECK(term_logged(&term, "menu: (hd0)/boot/grub/menu.lst: Error 14: "));
    tree_free(&disk);
}

/* A session without a menu for a machine of x86_64 that was started with these words. */
static struct err run_chain(struct mem_disk *const *disks, const char *cmdline, bool chained,
                            const char *works)
{
    struct session_env env = term_env(&term, NULL);
    struct arena arena;
    struct err e;

    term.works = works;
    env.arch = "x86_64";
    env.cmdline = cmdline;
    env.chained = chained;
    arena_init(&arena, &test_memory);
    e = vols_new(&env.vols, &arena, &term.log_sink);
    for (; *disks != NULL && !failed(e); disks++)
        e = vols_add_disk(env.vols, &(*disks)->disk);
    if (!failed(e))
        e = session_run(&env);
    CHECK_U64(term.nr_held, 0);
    arena_reset(&arena);
    return e;
}

static void without_a_menu_the_guests_boot_loader_starts(void)
{
    static const struct tree_file root[] = {{"/boot/xen/pvboot-x86_64.elf", "loader"},
                                            {"/xen/pvboot-x86_64.elf", "another"},
                                            {"/boot/xen/pvboot-i386.elf", "32 bits"},
                                            {NULL, NULL}};
    static const struct tree_file boot[] = {{"/xen/pvboot-x86_64.elf", "loader"}, {NULL, NULL}};
    const struct tree_file *const parts[4] = {no_menu, boot, NULL, NULL};
    struct mem_disk first, second, *disks[] = {&first, &second, NULL};

    tree_disk_parts(&first, NULL, parts);
    tree_disk(&second, root);
    CHECK_OK(run_chain(disks, "root=/dev/sda1 ro 4", false, NULL));
    CHECK_STR(term.booted, "(hd0,1)/xen/pvboot-x86_64.elf [root=/dev/sda1 ro 4 pvboot.chained]\n");
    CHECK(term_said(&term, "There is no menu; starting the guest's own boot loader, "
                           "(hd0,1)/xen/pvboot-x86_64.elf\r\n"));
    CHECK_OK(run_chain(disks + 1, NULL, false, NULL));
    CHECK_STR(term.booted, "(hd0)/boot/xen/pvboot-x86_64.elf [pvboot.chained]\n");
    CHECK_ERR(run_chain(disks, "x pvboot.chained", true, NULL), ERR_NO_MENU);
    CHECK_STR(term.booted, "");
    CHECK(term_said(&term, "This pvboot was started by another one that found no menu"));
    CHECK_ERR(run_chain(disks, NULL, false, "something else"), ERR_EXEC_FORMAT);
    CHECK(term_said(&term, "pvboot-failed: error=13 entry=none line=none "
                           "file=\"(hd0,1)/xen/pvboot-x86_64.elf\"\r\n"));
    tree_free(&first);
    tree_free(&second);
}

static void a_menu_comes_before_the_guests_boot_loader(void)
{
    static const struct tree_file both[] = {{"/boot/xen/pvboot-x86_64.elf", "loader"},
                                            {"/boot/grub/menu.lst", MENU_OF("menu")},
                                            {"/k", "k"},
                                            {NULL, NULL}};
    static const struct tree_file other_width[] = {{"/boot/xen/pvboot-i386.elf", "32 bits"},
                                                   {NULL, NULL}};
    struct mem_disk disk, *disks[] = {&disk, NULL};
    char words[SESSION_CMDLINE_MAX];

    tree_disk(&disk, both);
    CHECK_OK(run_chain(disks, NULL, false, NULL));
    CHECK_STR(term.booted, "(hd0)/k [menu]\n");
    tree_free(&disk);
    tree_disk(&disk, other_width);
    CHECK_ERR(run_chain(disks, NULL, false, NULL), ERR_NO_MENU);
    CHECK_STR(term.booted, "");
    tree_free(&disk);
    memset(words, 'x', sizeof(words) - 1);
    words[sizeof(words) - 1] = '\0';
    static const struct tree_file loader[] = {{"/xen/pvboot-x86_64.elf", "loader"}, {NULL, NULL}};

    tree_disk(&disk, loader);
    CHECK_ERR(run_chain(disks, words, false, NULL), ERR_WONT_FIT);
    tree_free(&disk);
}

int main(void)
{
    RUN(menu_lst_comes_before_grub_conf);
    RUN(partitions_are_searched_in_order);
    RUN(layouts_differ_in_where_they_begin);
    RUN(the_other_layout_is_found_too);
    RUN(every_other_disk_is_searched_last);
    RUN(a_whole_disk_boot_volume_is_found);
    RUN(what_was_tried_is_listed);
    RUN(an_empty_menu_is_passed_over);
    RUN(without_a_menu_the_guests_boot_loader_starts);
    RUN(a_menu_comes_before_the_guests_boot_loader);
    return test_done();
}
