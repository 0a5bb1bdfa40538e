/* SPDX-License-Identifier: MIT */
/*
 * Each error that can occur, as somebody at the console reads it: a machine of odd disks, and for
 * each code an entry that provokes it. A code without an entry here fails the test, and so does one
 * that docs/errors.md does not explain.
 */
#include "core/base/bytes.h"
#include "core/image/image.h"
#include "tests/unit/mkfs.h"
#include "tests/unit/term.h"
#include "tests/unit/test.h"

#include <stdlib.h>

/*
 *     (hd0)    the menu and files     (hd3)  nothing           (hd6)  is silent
 *     (hd1,0)  ends past its disk     (hd4)  cannot be read    (hd7)  a file system with a feature
 *     (hd2)    a damaged ext2         (hd5)  does not answer          that nobody knows
 */
#define TIMES_3(s)  s s s
#define TIMES_33(s) TIMES_3(TIMES_3(s s s) s s)

enum { NR_DISKS = 8, BYTES = 2 << 20 };

static struct term term;
static struct mem_disk disks[NR_DISKS];
static uint8_t *data[NR_DISKS];

static const struct provocation {
    enum err_code code;
    const char *lines;  /* of an entry; NULL: no menu at all */
    const char *global; /* before it; NULL: nothing */
    bool goes_on;       /* the error is said, and the entry boots: it is not the session's end */
} provocations[] = {
    {ERR_BAD_FILENAME, "kernel boot/a", NULL, false},
    {ERR_BAD_FILETYPE, "kernel /boot", NULL, false},
    {ERR_BAD_GZIP_DATA, "kernel /damaged.gz", NULL, false},
    {ERR_BAD_GZIP_HEADER, "kernel /method7.gz", NULL, false},
    {ERR_BAD_PART_TABLE, "kernel (hd1,0)/x", NULL, false},
    {ERR_BOOT_COMMAND, "root (hd0)", NULL, false},
    {ERR_BOOT_FAILURE, "kernel /good hand-over", NULL, false},
    {ERR_DEV_FORMAT, "root /dev/sda1", NULL, false},
    {ERR_EXEC_FORMAT, "kernel /boot/text", NULL, false},
    {ERR_FILELENGTH, "kernel /empty", NULL, false},
    {ERR_FILE_NOT_FOUND, "kernel /gone", NULL, false},
    {ERR_FS_DAMAGED, "kernel (hd2)/x", NULL, false},
    {ERR_FS_MOUNT, "kernel (hd3)/x", NULL, false},
    {ERR_NEED_KERNEL, "initrd /good", NULL, false},
    {ERR_NEED_MODULE_KERNEL, "module /good", NULL, false},
    {ERR_NO_DISK, "root (hd9)", NULL, false},
    {ERR_NO_PART, "kernel (hd0,0)/x", NULL, false},
    {ERR_NUMBER_PARSING, "savedefault one", NULL, false},
    {ERR_OUTSIDE_PART, "kernel (hd0)999999+1", NULL, false},
    {ERR_READ, "kernel (hd4)0+1", NULL, false},
    {ERR_SYMLINK_LOOP, "kernel /loop", NULL, false},
    {ERR_UNRECOGNIZED, "nonsense", NULL, false},
    {ERR_WONT_FIT, "kernel /good memory", NULL, false},
    {ERR_WRITE, "savedefault 0\nkernel /good", NULL, true},
    {ERR_BAD_ARGUMENT, "kernel --type=dos /good", NULL, false},
    {ERR_PRIVILEGED, "lock", "password secret", false},
    {ERR_REFUSED, "kernel (hd7)/x", NULL, false},
    {ERR_NO_MEMORY, "cat /large", NULL, false},
    {ERR_TIMEOUT, "kernel (hd5)0+1", NULL, false},
    {ERR_PEER, "kernel (hd6)0+1", NULL, false},
    {ERR_HYPERCALL, "kernel /good hypercall", NULL, false},
    {ERR_NO_MENU, NULL, NULL, false},
    {ERR_LIMIT, "kernel /good\ninitrd " TIMES_33("/good "), NULL, false},
};

/* ---- the machine ----------------------------------------------------------------------------- */

static void slow_submit(struct disk *d, struct disk_req *req)
{
    (void)d;
    req->done = true;
    req->result = ERR1(ERR_TIMEOUT, "the block device did not answer for %a seconds", 30);
}

static void silent_submit(struct disk *d, struct disk_req *req)
{
    (void)d;
    (void)req;
}

static void no_wait(struct disk *d, struct disk_req *req)
{
    (void)d;
    (void)req;
}

static const struct disk_ops slow_ops = {.submit = slow_submit, .wait = no_wait};
static const struct disk_ops silent_ops = {.submit = silent_submit, .wait = no_wait};

static void write_files(void)
{
    /* gzip, deflate: a block of a type that there is not. The other: a method that there is not. */
    static const uint8_t damaged[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x07, 0xff, 0xff, 0xff};
    static const uint8_t method7[] = {0x1f, 0x8b, 7, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6, 7, 8};
    static uint8_t large[70000];

    put_file("good/good", "a kernel", 8);
    put_file("good/damaged.gz", damaged, sizeof(damaged));
    put_file("good/method7.gz", method7, sizeof(method7));
    put_file("good/empty", "", 0);
    put_file("good/large", large, sizeof(large));
    put_file("good/boot/text", "#!/bin/sh\n", 10);
    put_file("good/boot/grub/default", "1\n", 2);
    run("ln -sf loop good/loop");
    run("mkdir -p nothing");
}

static uint8_t *ext2(const char *tree)
{
    size_t len;
    uint8_t *image = make_ext("-t ext2 -b 1024", tree, "2M", &len);

    if (len != BYTES)
        exit(99);
    return image;
}

static void make_disks(void)
{
    write_files();
    for (size_t i = 1; i < NR_DISKS; i++)
        data[i] = i == 2 || i == 7 ? ext2("nothing") : calloc(1, BYTES);
    /* A partition of 0xffff sectors from the last one on. */
    memcpy(data[1] + 446, "\0\0\0\0\x83\0\0\0\xff\x0f\0\0\xff\xff\0\0", 16);
    memcpy(data[1] + 510, "\x55\xaa", 2);
    memset(data[2] + 1024 + 40, 0, 4); /* no inodes in a group */
    data[7][1024 + 96 + 3] |= 0x40;    /* an incompatible feature */
}

static void plug_in(const char *menu)
{
    if (menu != NULL)
        put_file("good/boot/grub/menu.lst", menu, strlen(menu));
    else
        run("rm -f good/boot/grub/menu.lst");
    data[0] = ext2("good");
    for (size_t i = 0; i < NR_DISKS; i++)
        mem_disk_init(&disks[i], data[i], BYTES, 512);
    disks[0].disk.read_only = true; /* for ERR_WRITE */
    disks[4].fail_off_bytes = 0;
    disks[5].disk.ops = &slow_ops;
    disks[6].disk.ops = &silent_ops;
}

/* ---- what fails in the machine, not on the disks --------------------------------------------- */

/* There is none left when the entry comes to this line. */
static void *memory_that_ends(void *ctx, size_t nr_bytes)
{
    (void)ctx;
    return strstr(term.out, "cat /large") != NULL ? NULL : test_memory.get(NULL, nr_bytes);
}

/* Kernels are opened as the guest does it; /good is good, and fails later, as its arguments say. */
static struct err boot(void *ctx, struct boot_request *req, char *subject, size_t subject_cap)
{
    static struct image img;
    struct err e;

    (void)ctx;
    snprintf(subject, subject_cap, "%s", req->kernel_name);
    if (strcmp(req->cmdline, "hand-over") == 0)
        return ERR1(ERR_BOOT_FAILURE, "no page is left for page %a", 1);
    if (strcmp(req->cmdline, "memory") == 0)
        return ERR2(ERR_WONT_FIT, "the kernel takes %a MiB of memory, %b MiB are free", 9, 8);
    if (strcmp(req->cmdline, "hypercall") == 0)
        return ERR2(ERR_HYPERCALL, "hypercall %a: Xen's error %b", 1, 22);
    if (strcmp(req->kernel_name, "(hd0)/good") == 0)
        return OK;
    e = image_open(&img, &req->kernel, req->arena, IMAGE_64, NULL);
    image_close(&img);
    return e;
}

static struct err run_session(const char *menu, const struct mem_source *memory)
{
    struct session_env env = term_env(&term, NULL);
    struct arena arena;
    struct err e;

    plug_in(menu);
    env.boot = boot;
    env.memory = memory;
    arena_init(&arena, &test_memory);
    e = vols_new(&env.vols, &arena, &term.log_sink);
    for (size_t i = 0; i < NR_DISKS && !failed(e); i++)
        e = vols_add_disk(env.vols, &disks[i].disk);
    if (!failed(e))
        e = session_run(&env);
    arena_reset(&arena);
    free(data[0]);
    return e;
}

/* ---- the tests ------------------------------------------------------------------------------- */

static void check_provocation(const struct provocation *p)
{
    const struct mem_source memory = {.get = memory_that_ends, .put = test_memory.put};
    char menu[2048], says[256];
    struct err e;

    snprintf(menu, sizeof(menu), "timeout 0\n%s\ntitle x\n%s\n", p->global != NULL ? p->global : "",
             p->lines != NULL ? p->lines : "");
    e = run_session(p->lines != NULL ? menu : NULL,
                    p->code == ERR_NO_MEMORY ? &memory : &test_memory);
    if (e.code != (p->goes_on ? ERR_NONE : p->code))
        printf("%s\n%s\n", p->lines, term.out);
    CHECK_U64(e.code, p->goes_on ? ERR_NONE : p->code);
    if (p->code < ERR_NOT_MINE)
        snprintf(says, sizeof(says), "Error %d: %s", (int)p->code, err_title(p->code));
    else
        snprintf(says, sizeof(says), "Error: %s", err_title(p->code));
    CHECK(term_said(&term, says));
    if (p->code < ERR_NOT_MINE)
        snprintf(says, sizeof(says), "pvboot-failed: error=%d ", (int)p->code);
    else
        snprintf(says, sizeof(says), "pvboot-failed: error=%s ", err_name(p->code));
    CHECK(p->goes_on || term_said(&term, says));
}

static void each_error_can_be_provoked(void)
{
    make_disks();
    for (size_t i = 0; i < ARRAY_LEN(provocations); i++)
        check_provocation(&provocations[i]);
    for (size_t i = 1; i < NR_DISKS; i++)
        free(data[i]);
}

/* Every code has a title, because the compiler watches that; so the titles are the list. */
static bool exists(int code)
{
    return strcmp(err_title((enum err_code)code), "Unknown error") != 0;
}

static void no_error_is_left_out(void)
{
    int nr = 0;

    for (int code = 1; code < 1000; code++) {
        bool found = code == ERR_NOT_MINE; /* never shown: the next reader is asked */

        if (!exists(code))
            continue;
        nr++;
        for (size_t i = 0; i < ARRAY_LEN(provocations); i++)
            found = found || (int)provocations[i].code == code;
        if (!found)
            printf("nothing provokes code %d, %s\n", code, err_title((enum err_code)code));
        CHECK(found);
    }
    CHECK_U64(nr, ARRAY_LEN(provocations) + 1);
}

static void the_docs_explain_each(void)
{
    static char docs[65536];
    FILE *f = fopen("docs/errors.md", "r"); /* `make check` runs in the top folder */
    char row[256];

    CHECK(f != NULL && fread(docs, 1, sizeof(docs) - 1, f) > 0);
    if (f != NULL)
        fclose(f);
    for (int code = 1; code < 1000; code++) {
        enum err_code e = (enum err_code)code;

        if (!exists(code) || code == ERR_NOT_MINE)
            continue;
        if (code < ERR_NOT_MINE)
            snprintf(row, sizeof(row), "\n| %d | %s |", code, err_title(e));
        else
            snprintf(row, sizeof(row), "\n| `%s` | %s |", err_name(e), err_title(e));
        if (strstr(docs, row) == NULL)
            printf("not in docs/errors.md: %s\n", row + 1);
        CHECK(strstr(docs, row) != NULL);
    }
    /* All of GRUB's numbers are there, and those that cannot occur say why. */
    for (int code = 1; code <= 34; code++) {
        const char *line;

        snprintf(row, sizeof(row), "\n| %d | ", code);
        line = strstr(docs, row);
        CHECK(line != NULL);
        if (line == NULL)
            continue;
        const char *never = strstr(line, "| does not occur: ");

        CHECK((never != NULL && never < strchr(line + 1, '\n')) == !exists(code));
    }
}

int main(void)
{
    RUN(each_error_can_be_provoked);
    RUN(no_error_is_left_out);
    RUN(the_docs_explain_each);
    return test_done();
}
