/* SPDX-License-Identifier: MIT */
/* core/fs/vols: disks and partitions under GRUB's names, and the sentences about them. */
#include <stdlib.h>

#include "core/fs/readers.h"
#include "core/fs/vols.h"
#include "tests/unit/mkfs.h"
#include "tests/unit/support.h"
#include "tests/unit/test.h"

#define PART_OFF ((size_t)1024 * 1024)

/* hd0: a whole-disk ext4; hd1: an MBR with ext2 in partition 1 and nothing readable in 0. */
struct machine {
    struct arena arena;
    struct mem_disk disks[2];
    uint8_t *data[2];
    struct vols *vols;
};

static void start(struct machine *m)
{
    size_t len;
    uint8_t *part;

    put_file("tree/boot/vmlinuz-6.2", "kernel", 6);
    put_file("tree/boot/initrd.img-6.2", "initrd", 6);
    arena_init(&m->arena, &test_memory);
    m->data[0] = make_ext("-t ext4 -b 4096", "tree", "8M", &len);
    mem_disk_init(&m->disks[0], m->data[0], len, 512);
    part = make_ext("-t ext2 -b 1024", "tree", "2M", &len);
    m->data[1] = aligned_alloc(4096, PART_OFF + len);
    memset(m->data[1], 0, PART_OFF);
    memcpy(m->data[1] + PART_OFF, part, len);
    free(part);
    static const uint8_t table[] = {0,    0, 0, 0, 0x82, 0, 0, 0, 1, 0,    0, 0, 0xff, 7,    0, 0,
                                    0x80, 0, 0, 0, 0x83, 0, 0, 0, 0, 0x08, 0, 0, 0,    0x10, 0, 0};

    memcpy(m->data[1] + 446, table, sizeof(table));
    m->data[1][510] = 0x55;
    m->data[1][511] = 0xaa;
    mem_disk_init(&m->disks[1], m->data[1], PART_OFF + len, 512);
    CHECK_OK(vols_new(&m->vols, &m->arena, NULL));
    CHECK_OK(vols_add_disk(m->vols, &m->disks[0].disk));
    CHECK_OK(vols_add_disk(m->vols, &m->disks[1].disk));
}

static void stop(struct machine *m)
{
    arena_reset(&m->arena);
    free(m->data[0]);
    free(m->data[1]);
}

static void names_are_parsed(void)
{
    static const char *const bad[] = {"",           "(",
                                      "(hd",        "(hd)",
                                      "(hd0",       "(hd0,",
                                      "(hd0,)",     "(hd0,1",
                                      "(hd-1)",     "(hd0 ,1)",
                                      "(fd0)",      "hd0",
                                      "(hd0,1,a)",  "(hd99999999999)",
                                      "(lvm/)",     "(lvm/a-b",
                                      "(lvm/a-b,)", "(md/)",
                                      "(md)",       "(hd0,9999999999)",
                                      "(nd)",       "(hd0,msdos0)",
                                      "(hd0,msdos", "(hd0,gpt)",
                                      "(hd0,bsd1)", "(hd0,gpt1,2)"};
    struct machine m;
    struct vol_id id;
    size_t used;
    char text[32];

    start(&m);

    CHECK_OK(vol_parse(m.vols, "(hd0)/boot", &id, &used));
    CHECK_U64(used, 5);
    CHECK_U64(id.disk, 0);
    CHECK_U64(id.part, VOL_WHOLE);
    vol_format(m.vols, id, text, sizeof(text));
    CHECK_STR(text, "(hd0)");
    CHECK_OK(vol_parse(m.vols, "(hd12,127)", &id, &used));
    CHECK_U64(used, 10);
    CHECK_U64(id.disk, 12);
    CHECK_U64(id.part, 127);
    vol_format(m.vols, id, text, sizeof(text));
    CHECK_STR(text, "(hd12,127)");
    CHECK_OK(vol_parse(m.vols, "(hd1,msdos2)/x", &id, &used)); /* GRUB 2 counts from 1 */
    CHECK_U64(used, 12);
    CHECK_U64(id.part, 1);
    CHECK_OK(vol_parse(m.vols, "(hd0,gpt128)", &id, &used));
    CHECK_U64(used, 12);
    CHECK_U64(id.part, 127);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK_ERR(vol_parse(m.vols, bad[i], &id, &used), ERR_DEV_FORMAT);
    CHECK_ERR(vol_parse(m.vols, "(hd64)", &id, &used), ERR_NO_DISK);
    stop(&m);
}

static void files_are_opened(void)
{
    struct machine m;
    struct file f;
    char subject[512], content[7] = "";
    struct vol_id root = {.disk = 1, .part = 1};

    start(&m);
    CHECK_OK(vols_open(m.vols, root, "/boot/vmlinuz-6.2", &m.arena, &f, subject, sizeof(subject)));
    CHECK_OK(file_read(&f, 0, content, 6));
    CHECK_STR(content, "kernel");
    CHECK_STR(f.fs->describe, "ext2");
    CHECK_STR(f.fs->disk->name, "(hd1,1)");
    CHECK_OK(vols_open(m.vols, root, "(hd0)/boot/initrd.img-6.2", &m.arena, &f, NULL, 0));
    CHECK_STR(f.fs->describe, "ext4");
    uint32_t reads = m.disks[0].nr_reads;
    struct fs *fs;

    CHECK_OK(vols_mount(m.vols, (struct vol_id){.disk = 0, .part = VOL_WHOLE}, &fs));
    CHECK(fs == f.fs);
    CHECK_U64(m.disks[0].nr_reads, reads); /* mounted once */
    /* A block list, of a partition and of a disk that has no file system of its own. */
    uint8_t *sector = aligned_alloc(512, 512);

    CHECK_OK(vols_open(m.vols, root, "2+1", &m.arena, &f, subject, sizeof(subject)));
    CHECK_U64(f.node.size_bytes, 512);
    CHECK_OK(file_read(&f, 0, sector, 512));
    CHECK(sector[56] == 0x53 && sector[57] == 0xef); /* ext2's magic */
    CHECK_OK(vols_open(m.vols, root, "(hd1)0+1", &m.arena, &f, subject, sizeof(subject)));
    CHECK_OK(file_read(&f, 0, sector, 512));
    CHECK(memcmp(sector, m.data[1], 512) == 0);
    free(sector);
    stop(&m);
}

static void open_error(struct machine *m, const char *name, const char *want)
{
    struct vol_id root = {.disk = 0, .part = VOL_WHOLE};
    struct file f;
    char subject[512], text[1024];
    struct err e = vols_open(m->vols, root, name, &m->arena, &f, subject, sizeof(subject));

    err_format(e, subject, text, sizeof(text));
    CHECK_STR(text, want);
}

static void errors_say_what_and_where(void)
{
    struct machine m;

    start(&m);
    open_error(&m, "/boot/vmlinuz-6.1",
               "Error 15: File not found: (hd0)/boot/vmlinuz-6.1 (ext4); /boot holds: "
               "vmlinuz-6.2, initrd.img-6.2");
    open_error(&m, "(hd1,1)/vmlinuz",
               "Error 15: File not found: (hd1,1)/vmlinuz (ext2); / holds: lost+found, boot");
    open_error(&m, "/lost+found/x",
               "Error 15: File not found: (hd0)/lost+found/x (ext4); /lost+found holds: nothing");
    open_error(&m, "/boot",
               "Error 2: Bad file or directory type: (hd0)/boot (ext4) (a directory, not a file)");
    open_error(&m, "(hd1)/x",
               "Error 17: Cannot mount selected partition: (hd1)/x (the disk has partitions: name "
               "one, such as (hd1,0))");
    memcpy(m.data[1] + 512 + 4086, "SWAPSPACE2", 10);
    open_error(&m, "(hd1,0)/x",
               "Error 17: Cannot mount selected partition: (hd1,0)/x (swap space, no file system)");
    open_error(&m, "(hd0)0+1x",
               "Error 1: Filename must be either an absolute pathname or "
               "blocklist: (hd0)0+1x (something follows the block list)");
    open_error(&m, "(hd1,2)0+1",
               "Error 22: No such partition: (hd1,2)0+1 (hd1 has no partition 2)");
    open_error(&m, "(hd1,2)/x", "Error 22: No such partition: (hd1,2)/x (hd1 has no partition 2)");
    open_error(&m, "(hd0,0)/x",
               "Error 22: No such partition: (hd0,0)/x (hd0 has no partition table: its name is "
               "(hd0))");
    open_error(&m, "(hd2)/x",
               "Error 21: Selected disk does not exist: (hd2)/x (hd2 was asked for; the last disk "
               "is hd1)");
    open_error(&m, "vmlinuz",
               "Error 1: Filename must be either an absolute pathname or blocklist: vmlinuz (a "
               "file's name is /path or (hdN,M)/path)");
    open_error(&m, "(hd0)vmlinuz",
               "Error 1: Filename must be either an absolute pathname or blocklist: (hd0)vmlinuz "
               "(a file's name is /path or (hdN,M)/path)");
    stop(&m);
}

static void unknown_content_is_said(void)
{
    struct machine m;

    start(&m);
    open_error(
        &m, "(hd1,0)/x",
        "Error 17: Cannot mount selected partition: (hd1,0)/x (no known file system; " FS_READ_LIST
        " read)");
    stop(&m);
}

static void numbers_past_the_end_are_errors(void)
{
    struct machine m;
    const struct part_table *table;

    start(&m);
    CHECK_U64(vols_nr_disks(m.vols), 2);
    CHECK(vols_disk(m.vols, 1) == &m.disks[1].disk);
    CHECK(vols_disk(m.vols, 2) == NULL);
    CHECK(vols_disk(m.vols, UINT32_MAX) == NULL);
    CHECK_ERR(vols_table(m.vols, UINT32_MAX, &table), ERR_NO_DISK);
    CHECK_OK(vols_table(m.vols, 1, &table));
    CHECK_U64(table->nr_parts, 2);
    for (uint32_t i = 2; i < VOLS_DISK_MAX; i++)
        CHECK_OK(vols_add_disk(m.vols, &m.disks[0].disk));
    CHECK_ERR(vols_add_disk(m.vols, &m.disks[0].disk), ERR_LIMIT);
    stop(&m);
}

int main(void)
{
    RUN(names_are_parsed);
    RUN(files_are_opened);
    RUN(errors_say_what_and_where);
    RUN(unknown_content_is_said);
    RUN(numbers_past_the_end_are_errors);
    return test_done();
}
