/* SPDX-License-Identifier: MIT */
/*
 * Overwriting in place on XFS and ReiserFS, with their journals, and through disks upon disks.
 * test_inplace.c has the rest.
 */
#include <stdlib.h>

#include "core/disk/overlay.h"
#include "core/fs/inplace.h"
#include "tests/unit/reisertest.h"
#include "tests/unit/test.h"
#include "tests/unit/xfslogbed.h"

static void refused(struct fs *fs, struct arena *a, const char *path, uint64_t off,
                    enum err_code code, const char *part)
{
    struct file f;
    char text[400];
    struct err e;

    CHECK_OK(file_open(&f, fs, a, path, NULL));
    e = file_overwrite(&f, off, "+-", 2);
    err_format(e, NULL, text, sizeof(text));
    CHECK_U64(e.code, code);
    if (strstr(text, part) == NULL)
        CHECK_STR(text, part);
}

/* The image is `before`, but for two bytes at `at`. */
static bool only_there(const uint8_t *image, uint8_t *before, size_t len, uint64_t at)
{
    memcpy(before + at, "+-", 2);
    return memcmp(image, before, len) == 0;
}

static uint8_t *copy(const uint8_t *image, size_t len)
{
    uint8_t *c = malloc(len);

    memcpy(c, image, len);
    return c;
}

/* ---- XFS ------------------------------------------------------------------------------------- */

static void put_be(uint8_t *p, uint64_t v, size_t n)
{
    while (n-- > 0) {
        p[n] = (uint8_t)v;
        v >>= 8;
    }
}

static void seal(uint8_t *bytes, size_t len, size_t crc_off)
{
    uint32_t crc = xfs_crc(bytes, len, crc_off);

    for (size_t i = 0; i < 4; i++)
        bytes[crc_off + i] = (uint8_t)(crc >> 8 * i);
}

static void xfs_files_are_overwritten(void)
{
    for (int kind = 0; kind < NR_BEDS; kind++) {
        struct bed *b = bed_new((enum bed_kind)kind, 32768);
        struct file f;
        uint8_t *before;

        loggen_unmount(&b->g);
        before = copy(b->image, b->len);
        CHECK_OK(bed_mount(b));
        CHECK_OK(file_open(&f, &b->fs, &b->arena, "/data", NULL));
        CHECK_OK(file_overwrite(&f, 5000, "+-", 2));
        CHECK(only_there(b->image, before, b->len, b->data_off + 5000));
        CHECK(bed_data_is(b, 5000, "+-", 2));
        free(before);
        bed_free(b);
    }
}

static void xfs_refuses(void)
{
    struct bed *b = bed_new(BED_V5, 32768);
    struct xfs_disk_inode *di = (struct xfs_disk_inode *)(b->image + b->data_ino_off);
    struct xfs_disk_super *sb = (struct xfs_disk_super *)b->image;
    static const struct {
        uint32_t flags;
        uint64_t flags2;
        const char *part;
    } cases[] = {{0, XFS_INODE2_REFLINK, "reflink"},
                 {XFS_INODE_REALTIME, 0, "real-time"},
                 {XFS_INODE_IMMUTABLE, 0, "protected"},
                 {XFS_INODE_APPEND, 0, "protected"}};
    uint64_t flags2 = be64(di->flags2);

    loggen_unmount(&b->g);
    CHECK_OK(bed_mount(b));
    uint32_t inode_bytes = xfs_of(&b->fs)->inode_bytes, sector = xfs_of(&b->fs)->sector_bytes;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        put_be(di->flags, cases[i].flags, 2);
        put_be(di->flags2, flags2 | cases[i].flags2, 8);
        seal((uint8_t *)di, inode_bytes, offsetof(struct xfs_disk_inode, crc));
        CHECK_OK(bed_mount(b));
        refused(&b->fs, &b->arena, "/data", 0, ERR_REFUSED, cases[i].part);
    }
    put_be(di->flags, 0, 2);
    put_be(di->flags2, flags2, 8);
    seal((uint8_t *)di, inode_bytes, offsetof(struct xfs_disk_inode, crc));
    sb->features_ro_compat[0] = 0x80;
    seal(b->image, sector, offsetof(struct xfs_disk_super, crc));
    CHECK_OK(bed_mount(b));
    refused(&b->fs, &b->arena, "/data", 0, ERR_REFUSED, "0x80000000");
    sb->features_ro_compat[0] = 0;
    sb->flags[0] = XFS_SUPER_READONLY;
    seal(b->image, sector, offsetof(struct xfs_disk_super, crc));
    CHECK_OK(bed_mount(b));
    refused(&b->fs, &b->arena, "/data", 0, ERR_REFUSED, "only read");
    sb->flags[0] = 0;
    seal(b->image, sector, offsetof(struct xfs_disk_super, crc));
    /* Its only extent is there, but has not been written to: the highest bit of it. */
    ((uint8_t *)di)[sizeof(*di)] |= 0x80;
    seal((uint8_t *)di, inode_bytes, offsetof(struct xfs_disk_inode, crc));
    CHECK_OK(bed_mount(b));
    refused(&b->fs, &b->arena, "/data", 0, ERR_REFUSED, "never been written");
    bed_free(b);
}

static void xfs_beside_its_log(void)
{
    static uint8_t news[512];

    for (int kind = 0; kind < NR_BEDS; kind++) {
        struct bed *b = bed_new((enum bed_kind)kind, 32768);
        struct file f;
        uint8_t *before;

        loggen_begin(&b->g, 1);
        loggen_buf(&b->g, 1, b->data_off / 512 + 2, 2, 0, 0, 4, news);
        loggen_commit(&b->g, 1);
        loggen_end(&b->g);
        CHECK_OK(bed_mount(b));
        CHECK(b->fs.journal_replayed && bed_data_is(b, 1024, news, 512));
        before = copy(b->image, b->len);
        refused(&b->fs, &b->arena, "/data", 1024, ERR_REFUSED, "the journal holds a newer copy");
        refused(&b->fs, &b->arena, "/data", 2046, ERR_REFUSED, "the journal holds a newer copy");
        CHECK(memcmp(b->image, before, b->len) == 0);
        b->said[0] = '\0';
        CHECK_OK(file_open(&f, &b->fs, &b->arena, "/data", NULL));
        CHECK_OK(file_overwrite(&f, 2048, "+-", 2));
        CHECK(only_there(b->image, before, b->len, b->data_off + 2048));
        CHECK(strstr(b->said, "2 bytes are written to a block that the journal does not hold"));
        free(before);
        bed_free(b);
    }
}

/* ---- ReiserFS -------------------------------------------------------------------------------- */

static void reiserfs_files_are_overwritten(void)
{
    struct opened o;
    struct file f;
    struct run run;
    uint8_t *before;
    char got[3] = "";

    unpack(&o, "clean");
    CHECK_OK(mount(&o));
    before = copy(o.data, o.len);
    CHECK_OK(file_open(&f, &o.fs, &o.arena, "/size-100000", NULL));
    CHECK_OK(o.fs.ops->map(&o.fs, &f.node, 40000, &run));
    CHECK_OK(file_overwrite(&f, 40000, "+-", 2));
    CHECK(only_there(o.data, before, o.len, run.disk_off_bytes + 40000 - run.file_off_bytes));
    CHECK_OK(file_read(&f, 40000, got, 2));
    CHECK_STR(got, "+-");
    free(before);
    before = copy(o.data, o.len);
    /* Linux keeps files of up to a block so, unless it is told otherwise. */
    refused(&o.fs, &o.arena, "/size-100", 0, ERR_REFUSED, "a tail");
    /* Files that are protected, once the superblock says that such marks mean something. */
    struct reiser_key key = reiser_key_of(f.node.ino, 0, REISER_STAT);
    struct reiser_item item;
    bool found;

    CHECK_OK(reiser_search(&o.fs, &reiser_of(&o.fs)->path, &key, &item, &found));
    struct reiser_disk_stat_3_6 *stat = (struct reiser_disk_stat_3_6 *)(o.data + item.where);

    stat->attrs[0] = REISER_ATTR_IMMUTABLE;
    super_of(&o)->flags[0] |= REISER_FLAG_ATTRS;
    CHECK_OK(mount(&o));
    refused(&o.fs, &o.arena, "/size-100000", 0, ERR_REFUSED, "protected");
    super_of(&o)->flags[0] &= (uint8_t)~REISER_FLAG_ATTRS;
    super_of(&o)->fs_state[0] = 1;
    CHECK_OK(mount(&o));
    refused(&o.fs, &o.arena, "/size-100000", 0, ERR_REFUSED, "having errors");
    free(before);
    done(&o);
}

struct row {
    struct opened *o;
    struct node *dir;
    uint32_t nr_done, nr_refused;
};

/* Each regular file of the root, at its first byte: beside the journal, or not at all. */
static bool try_entry(void *ctx, const char *name, size_t len, uint64_t ino)
{
    struct row *row = ctx;
    struct opened *o = row->o;
    struct file f = {.fs = &o->fs, .path = "x"};
    struct run run;
    struct err e;

    if (len <= 2 && name[0] == '.')
        return true;
    CHECK_OK(o->fs.ops->get_node(&o->fs, &o->arena, ino, &f.node));
    if (f.node.type != NODE_FILE || f.node.size_bytes < 2)
        return true;
    uint8_t *before = copy(o->data, o->len);

    CHECK_OK(o->fs.ops->map(&o->fs, &f.node, 0, &run));
    e = file_overwrite(&f, 0, "+-", 2);
    if (failed(e)) {
        CHECK_U64(e.code, ERR_REFUSED);
        CHECK(memcmp(o->data, before, o->len) == 0);
        row->nr_refused++;
    } else {
        CHECK(only_there(o->data, before, o->len, run.disk_off_bytes));
        row->nr_done++;
    }
    free(before);
    return true;
}

static void reiserfs_beside_its_journal(void)
{
    struct opened o;
    struct row row = {.o = &o};
    struct node root;

    unpack(&o, "dirty");
    CHECK_OK(mount(&o));
    CHECK(o.fs.journal_replayed);
    root = node_at(&o, "/");
    row.dir = &root;
    CHECK_OK(o.fs.ops->readdir(&o.fs, &root, try_entry, &row));
    CHECK(row.nr_done > 0);
    CHECK_U64(row.nr_done, 34); /* Linux journals no data, unless it is told to */
    CHECK_U64(row.nr_refused, 0);
    done(&o);
    /* Here it was told to. */
    unpack(&o, "moved");
    CHECK_OK(mount(&o));
    CHECK(o.fs.journal_replayed);
    refused(&o.fs, &o.arena, "/boot/vmlinuz", 12500, ERR_REFUSED, "the journal holds a newer");
    done(&o);
}

/* ---- disks upon disks ------------------------------------------------------------------------ */

static void a_byte_is_followed_down(void)
{
    static uint8_t data[65536];
    struct mem_disk disk;
    struct disk part, inner, *device;
    struct overlay *o;
    struct arena a;
    uint64_t off;
    char c;

    arena_init(&a, &test_memory);
    mem_disk_init(&disk, data, sizeof(data), 512);
    CHECK_OK(disk_window(&part, &disk.disk, 8192, 32768, "part"));
    CHECK_OK(disk_window(&inner, &part, 4096, 16384, "inner"));
    CHECK_OK(disk_place(&inner, 1000, &device, &off));
    CHECK(device == &disk.disk);
    CHECK_U64(off, 8192 + 4096 + 1000);
    CHECK_ERR(disk_place(&inner, 16384, &device, &off), ERR_OUTSIDE_PART);
    CHECK_OK(overlay_new(&o, &inner, &a, 1024, 65536));
    CHECK_OK(disk_place(overlay_disk(o), 2047, &device, &off));
    CHECK_U64(off, 8192 + 4096 + 2047);
    CHECK_OK(overlay_redirect(o, 1, 8192));
    CHECK_ERR(disk_place(overlay_disk(o), 2047, &device, &off), ERR_REFUSED);
    CHECK_OK(disk_place(overlay_disk(o), 2048, &device, &off));
    overlay_restore(o, 1);
    CHECK_OK(disk_place(overlay_disk(o), 2047, &device, &off));
    /* What a cache on the way holds is forgotten. */
    CHECK_OK(disk_cache_attach(&part, &a, 4));
    CHECK_OK(disk_cache_attach(overlay_disk(o), &a, 4));
    CHECK_OK(disk_read(&part, 4096 + 100, &c, 1));
    CHECK_OK(disk_read(overlay_disk(o), 100, &c, 1));
    data[8192 + 4096 + 100] = 'x';
    CHECK_OK(disk_read(overlay_disk(o), 100, &c, 1));
    CHECK_U64(c, 0);
    disk_forget(overlay_disk(o), 100);
    CHECK_OK(disk_read(overlay_disk(o), 100, &c, 1));
    CHECK_U64(c, 'x');
    CHECK_OK(disk_read(&part, 4096 + 100, &c, 1));
    CHECK_U64(c, 'x');
    arena_reset(&a);
}

int main(void)
{
    RUN(xfs_files_are_overwritten);
    RUN(xfs_refuses);
    RUN(xfs_beside_its_log);
    RUN(reiserfs_files_are_overwritten);
    RUN(reiserfs_beside_its_journal);
    RUN(a_byte_is_followed_down);
    return test_done();
}
