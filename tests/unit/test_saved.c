/* SPDX-License-Identifier: MIT */
/* The saved default: what the file may look like, and what is written into it. */
#include "core/menu/saved.h"

#include <stdlib.h>

#include "tests/unit/mkfs.h"
#include "tests/unit/test.h"
#include "tests/unit/writedisk.h"

#define FILLER "#\n#\n#\n#\n#\n#\n#\n#\n#\n#\n# WARNING: If you want to edit this file directly\n"

struct bench {
    uint8_t *image;
    size_t len;
    struct write_disk disk;
    struct arena arena;
    struct vols *vols;
    struct menu_file menu;
    struct log log;
    char said[2000], subject[400];
};

static struct bench b;

static void hear(void *ctx, const char *text)
{
    (void)ctx;
    snprintf(b.said + strlen(b.said), sizeof(b.said) - strlen(b.said), "%s\n", text);
}

/* A disk with a menu, and beside it a default of that content; NULL: none. */
static void begin(const char *content)
{
    memset(&b, 0, sizeof(b));
    b.log = (struct log){.line = hear};
    run("rm -rf tree");
    put_file("tree/boot/grub/menu.lst", "title x\nkernel /k\n", 18);
    if (content != NULL)
        put_file("tree/boot/grub/default", content, strlen(content));
    b.image = make_ext("-t ext4 -b 1024", "tree", "2M", &b.len);
    write_disk_init(&b.disk, b.image, b.len, 512);
    arena_init(&b.arena, &test_memory);
    CHECK_OK(vols_new(&b.vols, &b.arena, &b.log));
    CHECK_OK(vols_add_disk(b.vols, &b.disk.disk));
    CHECK_OK(
        menu_locate(&b.menu, b.vols, NULL, false, &b.arena, &b.log, b.subject, sizeof(b.subject)));
    b.said[0] = '\0';
}

static void end(void)
{
    arena_reset(&b.arena);
    write_disk_free(&b.disk);
    free(b.image);
}

static struct err get(uint32_t *entry)
{
    return saved_default_read(b.vols, &b.menu, &b.arena, entry, b.subject, sizeof(b.subject));
}

static struct err set(uint32_t entry)
{
    return saved_default_write(b.vols, &b.menu, &b.arena, entry, &b.log, b.subject,
                               sizeof(b.subject));
}

static void path_of(const char *menu, const char *want)
{
    struct menu_file m = {0};
    char path[64];
    struct err e;

    strcpy(m.name, menu);
    e = saved_default_path(&m, path, sizeof(path));
    if (want == NULL)
        CHECK_ERR(e, ERR_BAD_FILENAME);
    else
        CHECK_STR(failed(e) ? "" : path, want);
}

static void lies_beside_the_menu(void)
{
    struct menu_file m = {.name = "(hd0)/boot/grub/menu.lst"};
    char path[16];

    path_of("(hd0)/boot/grub/menu.lst", "(hd0)/boot/grub/default");
    path_of("(hd0,0)/grub/grub.conf", "(hd0,0)/grub/default");
    path_of("(lvm/vg-root)/menu.lst", "(lvm/vg-root)/default");
    path_of("(lvm/vg-root)0+16", NULL);
    path_of("(md/0)12+1", NULL);
    CHECK_ERR(saved_default_path(&m, path, sizeof(path)), ERR_LIMIT);
}

static void reads_what_people_and_tools_write(void)
{
    static const struct {
        const char *content;
        uint32_t entry; /* UINT32_MAX: not a number */
    } cases[] = {
        {"0\n" FILLER, 0},
        {"3\n", 3},
        {"12", 12},
        {"  7 \t\r\nx\n", 7},
        {"0x10\n", 16},
        {"1\n2\n3\n", 1},
        {"\n0\n", UINT32_MAX},
        {"one\n", UINT32_MAX},
        {"1 2\n", UINT32_MAX},
        {"-1\n", UINT32_MAX},
        {"4294967296\n", UINT32_MAX},
        {"4294967295\n", 4294967295u},
        {"#\n", UINT32_MAX},
        {"", UINT32_MAX},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t entry = 99;

        begin(cases[i].content);
        if (cases[i].entry == UINT32_MAX && cases[i].content[0] != '4') {
            CHECK_ERR(get(&entry), ERR_NUMBER_PARSING);
            CHECK_STR(b.subject, "(hd0)/boot/grub/default (ext4)");
        } else if (strcmp(cases[i].content, "4294967296\n") == 0) {
            CHECK_ERR(get(&entry), ERR_NUMBER_PARSING);
        } else {
            CHECK_OK(get(&entry));
            CHECK_U64(entry, cases[i].entry);
        }
        CHECK_U64(b.disk.nr_writes, 0);
        end();
    }
}

/* The file's content as debugfs sees it. */
static void file_is(const char *want)
{
    size_t len;
    char *got;

    put_file("written", b.image, b.len);
    run("PATH=$PATH:/sbin:/usr/sbin; e2fsck -fn written >fsck.log 2>&1 || "
        "{ cat fsck.log >&2; false; }; "
        "debugfs -R 'cat /boot/grub/default' written >got 2>/dev/null");
    got = (char *)get_file("got", &len);
    CHECK(len == strlen(want) && memcmp(got, want, len) == 0);
    free(got);
}

static void writes_a_number_and_a_newline(void)
{
    uint32_t entry;

    begin("0\n" FILLER);
    CHECK_OK(set(1));
    CHECK_STR(b.said, "saved default: entry 1, was 0, in (hd0)/boot/grub/default\n");
    CHECK_U64(b.disk.nr_writes, 1);
    CHECK_STR(b.disk.order, "rwfrr"); /* the last one by name */
    file_is("1\n" FILLER);
    CHECK_OK(get(&entry));
    CHECK_U64(entry, 1);
    /* The same again is not written. */
    write_disk_restart(&b.disk);
    b.said[0] = '\0';
    CHECK_OK(set(1));
    CHECK_U64(b.disk.nr_writes, 0);
    CHECK_STR(b.said, "");
    /* More digits eat filler, fewer leave blank lines. */
    CHECK_OK(set(123));
    file_is("123\n#\n#\n#\n#\n#\n#\n#\n#\n#\n# WARNING: If you want to edit this file directly\n");
    CHECK_OK(set(4));
    file_is("4\n3\n#\n#\n#\n#\n#\n#\n#\n#\n#\n# WARNING: If you want to edit this file directly\n");
    CHECK_OK(get(&entry));
    CHECK_U64(entry, 4);
    end();
}

static void says_why_not(void)
{
    static const struct {
        const char *content;
        uint32_t entry;
        enum err_code code;
        const char *part;
    } cases[] = {
        {NULL, 1, ERR_FILE_NOT_FOUND, "make it with: printf '0\\n#"},
        {"", 1, ERR_NUMBER_PARSING, "the file is empty"},
        {"0\n", 10, ERR_FILELENGTH, "2 bytes have no room for a number of 2 and a newline"},
        {"0", 1, ERR_FILELENGTH, "1 bytes have no room"},
        {"GRUB_DEFAULT=saved\n", 1, ERR_NUMBER_PARSING, "its first line"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[600];

        begin(cases[i].content);
        struct err e = set(cases[i].entry);

        err_format(e, b.subject, text, sizeof(text));
        CHECK_U64(e.code, cases[i].code);
        CHECK(strstr(text, "(hd0)/boot/grub/default (ext4)") != NULL);
        if (strstr(text, cases[i].part) == NULL)
            CHECK_STR(text, cases[i].part);
        CHECK_U64(b.disk.nr_writes, 0);
        CHECK_STR(b.said, "");
        end();
    }
    /* "0" alone has room for no newline, so "2\n" is enough for one digit only. */
    begin("0\n");
    CHECK_OK(set(9));
    file_is("9\n");
    b.disk.disk.read_only = true;
    end();
}

static void a_read_only_disk_is_named(void)
{
    char text[600];
    struct err e;

    memset(&b, 0, sizeof(b));
    begin("0\n" FILLER);
    b.disk.disk.read_only = true;
    e = set(1);
    err_format(e, b.subject, text, sizeof(text));
    CHECK_STR(text, "Error 29: Disk write error: (hd0)/boot/grub/default (ext4) (the disk is "
                    "read-only)");
    CHECK_U64(b.disk.nr_writes, 0);
    end();
}

static void a_disk_that_lies_is_found_out(void)
{
    uint32_t entry;

    begin("0\n" FILLER);
    b.disk.fault = WRITE_LIES;
    CHECK_ERR(set(1), ERR_WRITE);
    CHECK_STR(b.said, "");
    CHECK_OK(get(&entry));
    CHECK_U64(entry, 0);
    end();
}

int main(void)
{
    RUN(lies_beside_the_menu);
    RUN(reads_what_people_and_tools_write);
    RUN(writes_a_number_and_a_newline);
    RUN(says_why_not);
    RUN(a_read_only_disk_is_named);
    RUN(a_disk_that_lies_is_found_out);
    return test_done();
}
