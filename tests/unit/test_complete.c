/* SPDX-License-Identifier: MIT */
/* Completion, on real file systems: what TAB puts into the line, and what it lists. */
#include <stdlib.h>

#include "core/menu/complete.h"
#include "core/menu/match.h"
#include "tests/unit/mkfs.h"
#include "tests/unit/term.h"
#include "tests/unit/test.h"
#include "tests/unit/volgen.h"

#define MIB      ((size_t)1 << 20)
#define NR_DISKS 3
#define NR_MANY  700

static struct term term;
static struct session_env env;
static struct screen sc;
static struct pager pager;
static struct arena arena;
static struct mem_disk disks[NR_DISKS];
static uint8_t *data[NR_DISKS];
static struct completer completer;
static struct edit_tab tab;

/* ---- three disks: a file system, one with partitions, one of LVM ------------------------------
 */

#define GROUP                                                                                      \
    "vg {\nid = \"vvvvvv-vvvv-vvvv-vvvv-vvvv-vvvv-vvvvvv\"\nseqno = 1\nextent_size = 2048\n"       \
    "physical_volumes {\npv0 {\nid = \"AAAAAA-aaaa-aaaa-aaaa-aaaa-aaaa-aaaaaa\"\n"                 \
    "pe_start = 2048\npe_count = 2\n}\n}\nlogical_volumes {\nroot {\nstatus = [\"VISIBLE\"]\n"     \
    "segment1 {\nstart_extent = 0\nextent_count = 2\ntype = \"striped\"\nstripe_count = 1\n"       \
    "stripes = [\"pv0\", 0]\n}\n}\n}\n}\n"

static uint8_t *zeros(size_t size)
{
    return memset(aligned_alloc(4096, size), 0, size);
}

static void put_part(uint8_t *disk, size_t n, uint8_t type, size_t off, size_t size)
{
    uint8_t *entry = disk + 446 + 16 * n;

    entry[4] = type;
    gen_le32(entry + 8, (uint32_t)(off / 512));
    gen_le32(entry + 12, (uint32_t)(size / 512));
    disk[510] = 0x55;
    disk[511] = 0xaa;
}

static void make_disks(void)
{
    size_t len;
    uint8_t *fs;

    run("mkdir -p t/boot/grub t/empty t/many t/odd && cd t && echo k >boot/vmlinuz-6.1 && "
        "echo k >boot/vmlinuz-6.2 && echo i >boot/initrd.img && echo m >boot/grub/menu.lst && "
        "ln -s boot/vmlinuz-6.2 vmlinuz && ln -s boot bootlink && ln -s /gone dangling && "
        "for i in $(seq %d); do : >many/f$i; done",
        NR_MANY);
    put_file("t/odd/a b", "x", 1);
    put_file("t/odd/\033[2J", "x", 1);
    put_file("t/odd/\xc3\xa4", "x", 1);
    put_file("t/odd/\xc3\xb6", "x", 1);
    put_file("t/odd/z\xff", "x", 1);
    data[0] = make_ext("-t ext4 -b 1024 -N 1000 -O ^has_journal", "t", "4M", &len);
    mem_disk_init(&disks[0], data[0], len, 512);
    fs = make_ext("-t ext2 -b 1024", "t/boot", "2M", &len);
    data[1] = zeros(8 * MIB);
    memcpy(data[1] + 2 * MIB, fs, len);
    put_part(data[1], 0, 0x83, 2 * MIB, 2 * MIB);
    put_part(data[1], 1, 0x05, 4 * MIB, 2 * MIB); /* extended, and empty */
    put_part(data[1], 2, 0x83, 6 * MIB, 4 * MIB); /* past the end */
    mem_disk_init(&disks[1], data[1], 8 * MIB, 512);
    data[2] = zeros(4 * MIB);
    gen_pv(data[2], "AAAAAAaaaaaaaaaaaaaaaaaaaaaaaaaa", GROUP, 512);
    memcpy(data[2] + MIB, fs, len);
    mem_disk_init(&disks[2], data[2], 4 * MIB, 512);
    free(fs);
}

/* TAB at the end of the line, with these keys for the pager. */
static void press_tab(const char *line, const char *typed)
{
    const struct key keys[] = {{0, typed}, {0, NULL}};
    char *copy = strdup(line);

    env = term_env(&term, typed != NULL ? keys : keys + 1);
    sc = (struct screen){.env = &env, .somebody = true};
    pager_init(&pager, &sc);
    arena_reset(&arena);
    arena_init(&arena, &test_memory);
    CHECK_OK(vols_new(&env.vols, &arena, env.log));
    for (size_t i = 0; i < NR_DISKS; i++)
        CHECK_OK(vols_add_disk(env.vols, &disks[i].disk));
    completer = (struct completer){.pager = &pager, .vols = env.vols, .root = {0, VOL_WHOLE}};
    tab = (struct edit_tab){.insert = ""};
    complete_line(&completer, copy, strlen(copy), &tab);
    CHECK_U64(term.nr_held, 0);
    free(copy);
}

static void check_tab(const char *line, const char *insert, const char *says)
{
    press_tab(line, NULL);
    if (strcmp(tab.insert, insert) != 0 || strcmp(term.out, says) != 0)
        printf("for \"%s\":\n", line);
    CHECK_STR(tab.insert, insert);
    CHECK_STR(term.out, says);
    CHECK(tab.wrote == (says[0] != '\0'));
}

/* ---- commands ---------------------------------------------------------------------------------
 */

static void the_first_word_is_a_command(void)
{
    check_tab("ker", "nel ", "");
    check_tab("  ker", "nel ", "");
    check_tab("kernel", " ", "");
    check_tab("xyz", "", "");
    check_tab("roo", "t", "\r\n Possible commands are:\r\n root          rootnoverify\r\n");
    check_tab("timeo", "", ""); /* nothing that can be typed */
    press_tab("", NULL);
    CHECK_STR(tab.insert, "");
    CHECK(term_said(&term, " boot ") && term_said(&term, " rootnoverify"));
}

/* ---- devices ----------------------------------------------------------------------------------
 */

static void devices(void)
{
    check_tab("root (hd0", ") ", "");
    check_tab("root (hd1,", "0) ", "");
    check_tab("kernel (hd1,0", ")/", "");
    check_tab("root=(hd0", ") ", "");
    check_tab("root (hd9", "", "");
    check_tab("root (hd1", "", "\r\n Possible devices are:\r\n (hd1)    (hd1,0)\r\n");
    check_tab("root (l", "vm/vg-root) ", "");
    check_tab("root ", "(",
              "\r\n Possible devices are:\r\n (hd0)          (hd1)          (hd1,0)        (hd2)   "
              "       (lvm/vg-root)\r\n");
    check_tab("root (hd0)", "", "");
    check_tab("root x", "", "");
    check_tab("root (lvm/none)", "",
              "\r\nError 21: Selected disk does not exist: no logical volume has this name; there "
              "are (lvm/vg-root)\r\n");
}

static void volumes_are_looked_for_only_when_meant(void)
{
    press_tab("root (hd0", NULL);
    disks[2].nr_reads = 0;
    press_tab("root (hd0", NULL);
    CHECK_U64(disks[2].nr_reads, 0);
}

/* ---- files ------------------------------------------------------------------------------------
 */

static void files(void)
{
    check_tab("kernel /bo", "ot", "\r\n Possible files are:\r\n boot/     bootlink\r\n");
    check_tab("kernel /boot/i", "nitrd.img ", "");
    check_tab("kernel /boot/g", "rub/", "");
    check_tab("kernel /boot/grub/", "menu.lst ", "");
    check_tab("kernel /boot/grub/menu.lst", " ", "");
    check_tab("kernel /boot/vm", "linuz-6.",
              "\r\n Possible files are:\r\n vmlinuz-6.1  vmlinuz-6.2\r\n");
    check_tab(
        "kernel /boot/", "",
        "\r\n Possible files are:\r\n grub/        initrd.img   vmlinuz-6.1  vmlinuz-6.2\r\n");
    check_tab("kernel /v", "mlinuz ", "");  /* a link to a file */
    check_tab("kernel /bootl", "ink/", ""); /* to a directory */
    check_tab("kernel /bootlink/i", "nitrd.img ", "");
    check_tab("kernel /../boot/../boot/i", "nitrd.img ", "");
    check_tab("kernel /empty/", "", "");
    check_tab("kernel /boot/x", "", "");
    check_tab("kernel boot/i", "", "");
    check_tab("nonsense /boot/i", "nitrd.img ", "");
    check_tab("kernel /boot/vmlinuz-6.1 init=/boot/i", "nitrd.img ", "");
    check_tab("kernel (hd1,0)", "/", "");
    check_tab("kernel (hd1,0)/vmlinuz-6.1", " ", "");
    check_tab("kernel (lvm/vg-root)/g", "rub/", "");
    check_tab("kernel (hd0)0+", "", ""); /* a block list */
}

static void what_is_wrong_is_one_line(void)
{
    check_tab("kernel (hd7)/b", "",
              "\r\nError 21: Selected disk does not exist: (hd7) (hd7 was asked for; the last disk "
              "is hd2)\r\n");
    check_tab("kernel /gone/x", "", "\r\nError 15: File not found: (hd0)/gone/\r\n");
    check_tab("kernel /boot/initrd.img/", "",
              "\r\nError 2: Bad file or directory type: (hd0)/boot/initrd.img/ (a file is used as "
              "a directory)\r\n");
    check_tab("kernel /dang", "ling", "\r\nError 15: File not found: (hd0)/dangling\r\n");
    press_tab("kernel (hd1)/x", NULL);
    CHECK(term_said(&term, "Error 17: Cannot mount selected partition: (hd1)"));
    press_tab("kernel (hd0/x)", NULL);
    CHECK(term_said(&term, "\r\nError 11: Unrecognized device string"));
}

static void names_that_cannot_stand_in_a_line(void)
{
    check_tab("cat /odd/a", "", "\r\n This name cannot stand in a line: `a b'\r\n");
    check_tab("cat /odd/z", "", "\r\n This name cannot stand in a line: `z\\xff'\r\n");
    /* Half of a character that two names share is not put in. */
    check_tab("cat /odd/\xc3", "", "\r\n Possible files are:\r\n \xc3\xa4  \xc3\xb6\r\n");
    check_tab("cat /odd/\xc3\xa4", " ", "");
    check_tab(
        "cat /odd/", "",
        "\r\n Possible files are:\r\n \\x1b[2J  a b      z\\xff    \xc3\xa4        \xc3\xb6\r\n");
}

static void a_large_directory_is_listed_in_part(void)
{
    press_tab("kernel /many/", "q");
    CHECK_STR(tab.insert, "f");
    CHECK(term_said(&term, " Possible files are:\r\n f1 "));
    /* 200 names of up to 4 columns: 13 in a row, 16 rows, and a line for the rest. */
    press_tab("kernel /many/", " ");
    CHECK(term_said(&term, " ... and 500 more\r\n"));
    CHECK(strstr(term.out, "f280") == NULL && strstr(term.out, "f279") != NULL);
}

static void candidates_are_sorted_however_they_come(void)
{
    struct matches *m = malloc(sizeof(*m));
    char name[16];

    matches_init(m, &arena, "n", 1);
    for (unsigned i = 0; i < 3000; i++) { /* 1009 is a prime: all numbers, in disorder */
        snprintf(name, sizeof(name), "n%04u", i * 1009 % 3000);
        matches_add(m, name, strlen(name), i);
    }
    matches_add(m, "other", 5, 0);
    CHECK_U64(m->nr, 3000);
    CHECK_U64(m->nr_listed, COMPLETE_LIST_MAX);
    for (unsigned i = 0; i < COMPLETE_LIST_MAX; i++) {
        snprintf(name, sizeof(name), "n%04u", i);
        CHECK_STR(m->listed[i]->name, name);
    }
    CHECK_U64(m->common_len, 1);
    free(m);
}

/* ---- columns and pages ------------------------------------------------------------------------
 */

static void lists_are_in_columns(void)
{
    static const char *const names[] = {"a", "bb", "ccc", "d\033", "e", "f", "g"};
    struct session_env e = term_env(&term, NULL);
    struct screen s = {.env = &e};
    struct pager p;

    pager_init(&p, &s);
    CHECK_OK(columns_print(&p.log, &arena, names, 7, 24));
    CHECK_STR(term.out, " a      d\\x1b  g\r\n bb     e\r\n ccc    f\r\n");
    term.out[0] = '\0';
    CHECK_OK(columns_print(&p.log, &arena, names, 7, 3)); /* narrower than a name */
    CHECK_STR(term.out, " a\r\n bb\r\n ccc\r\n d\\x1b\r\n e\r\n f\r\n g\r\n");
}

/* How many of the lines 0, 1, ... were shown, with these keys. */
static uint32_t lines_shown(const char *typed, uint32_t nr, bool somebody)
{
    const struct key keys[] = {{0, typed}, {0, NULL}};
    struct session_env e = term_env(&term, typed != NULL ? keys : NULL);
    struct screen s = {.env = &e, .somebody = somebody};
    uint32_t shown = 0;
    struct pager p;

    pager_init(&p, &s);
    pager_begin(&p);
    for (uint32_t i = 0; i < nr; i++) {
        char text[16];

        snprintf(text, sizeof(text), "<%u>", i);
        log_line(&p.log, text);
    }
    for (const char *c = term.out; *c != '\0'; c++)
        shown += *c == '<';
    return shown;
}

static void output_stops_when_the_screen_is_full(void)
{
    CHECK_U64(lines_shown("q", 100, true), 23);
    CHECK(term_said(&term, "<22>\r\n--More--\r\033[K"));
    CHECK_U64(lines_shown(" q", 100, true), 46);
    CHECK_U64(lines_shown("\r\r\033[Bq", 100, true), 26);
    CHECK_U64(lines_shown("\033[6~\003", 100, true), 46);
    CHECK_U64(lines_shown(" ", 46, true), 46);
    CHECK_U64(lines_shown("q", 23, true), 23); /* full, but nothing comes */
    CHECK(strstr(term.out, "More") == NULL);
    CHECK_U64(lines_shown(NULL, 100, false), 100); /* nobody there */
    CHECK_U64(term.now_ms, 0);
}

int main(void)
{
    arena_init(&arena, &test_memory);
    make_disks();
    RUN(the_first_word_is_a_command);
    RUN(devices);
    RUN(volumes_are_looked_for_only_when_meant);
    RUN(files);
    RUN(what_is_wrong_is_one_line);
    RUN(names_that_cannot_stand_in_a_line);
    RUN(a_large_directory_is_listed_in_part);
    RUN(candidates_are_sorted_however_they_come);
    RUN(lists_are_in_columns);
    RUN(output_stops_when_the_screen_is_full);
    arena_reset(&arena);
    for (size_t i = 0; i < NR_DISKS; i++)
        free(data[i]);
    return test_done();
}
