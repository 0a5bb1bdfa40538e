/* SPDX-License-Identifier: MIT */
/*
 * Features of ext4 that mke2fs -d does not make by itself: debugfs sets here what a kernel would.
 */
#include <stdlib.h>

#include "core/base/bytes.h"
#include "core/fs/fs.h"
#include "tests/unit/mkfs.h"
#include "tests/unit/support.h"
#include "tests/unit/test.h"

struct opened {
    struct mem_disk disk;
    struct arena arena;
    struct fs fs;
    uint8_t *data;
};

static uint8_t some[200000];

static void make_tree(void)
{
    for (size_t i = 0; i < sizeof(some); i++)
        some[i] = (uint8_t)(i * 7 + i / 251);
    run("rm -rf tree");
    put_file("tree/dir/file", some, sizeof(some));
    put_file("tree/dir/other", some, 5000);
    put_file("value", some, 20000);
    run("cd tree; ln -s dir/file link; ln -s $(printf 'd%%.0s' $(seq 59)) len59; "
        "ln -s $(printf 'd%%.0s' $(seq 60)) len60");
}

/* An image of the tree; then these requests to debugfs. */
static void open_image(struct opened *o, const char *options, const char *requests)
{
    size_t len;

    make_tree();
    free(make_ext(options, "tree", "24M", &len));
    put_file("requests", requests, strlen(requests));
    run("debugfs -w -f requests image >log 2>&1 || { cat log >&2; false; }");
    *o = (struct opened){.data = get_file("image", &len)};
    arena_init(&o->arena, &test_memory);
    mem_disk_init(&o->disk, o->data, len, 512);
    CHECK_OK(fs_mount(&o->fs, &o->disk.disk, &o->arena, NULL));
}

static void close_image(struct opened *o)
{
    arena_reset(&o->arena);
    free(o->data);
}

static void expect_file(struct opened *o, const char *path, const uint8_t *want, size_t len)
{
    static uint8_t buf[sizeof(some)];
    struct file f;
    struct err e = file_open(&f, &o->fs, &o->arena, path, NULL);

    CHECK_OK(e);
    if (failed(e))
        return;
    CHECK_U64(f.node.size_bytes, len);
    CHECK_OK(file_read(&f, 0, buf, min_u64(len, f.node.size_bytes)));
    CHECK(memcmp(buf, want, len) == 0);
}

static void expect_link(struct opened *o, const char *name, size_t want_len)
{
    char target[FS_PATH_MAX];
    struct node root, n;
    size_t len = 0;
    uint64_t ino = 0;

    CHECK_OK(o->fs.ops->get_node(&o->fs, &o->arena, o->fs.root_ino, &root));
    CHECK_OK(o->fs.ops->lookup(&o->fs, &root, name, strlen(name), &ino));
    CHECK_OK(o->fs.ops->get_node(&o->fs, &o->arena, ino, &n));
    CHECK_OK(o->fs.ops->readlink(&o->fs, &n, target, sizeof(target), &len));
    CHECK_U64(len, want_len);
    CHECK(len > 0 && target[0] == 'd');
}

/* Attributes outside the inode count among its blocks, by the cluster; a target does not. */
static void links_may_have_attributes(void)
{
    static const char *const kinds[] = {
        "-t ext2 -b 1024 -I 128",
        "-t ext4 -b 4096 -I 128",
        "-t ext4 -b 4096 -I 128 -O bigalloc -C 65536",
        "-t ext4 -b 4096 -O ea_inode",
    };

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct opened o;
        int before = test_bad_checks_;

        open_image(&o, kinds[i],
                   strstr(kinds[i], "ea_inode") != NULL
                       ? "ea_set -f value link trusted.v\nset_inode_field link blocks 48\n"
                         "ea_set -f value len59 trusted.v\nset_inode_field len59 blocks 48\n"
                       : "ea_set link trusted.v 0123456789012345678901234567890123456789\n"
                         "ea_set len59 trusted.v 0123456789012345678901234567890123456789\n"
                         "ea_set len60 trusted.v 0123456789012345678901234567890123456789\n");
        run("debugfs -R 'ea_list len59' image 2>/dev/null | grep -q trusted.v");
        expect_link(&o, "link", 8);
        expect_link(&o, "len59", 59);
        expect_link(&o, "len60", 60);
        expect_file(&o, "/link", some, sizeof(some));
        close_image(&o);
        if (test_bad_checks_ != before)
            printf("  with mke2fs %s\n", kinds[i]);
    }
}

static void inodes_may_be_large(void)
{
    static const char *const kinds[] = {
        "-t ext4 -b 8192 -I 8192 -N 64 -O ^has_journal",
        "-t ext4 -b 65536 -I 65536 -N 64 -O ^has_journal",
        "-t ext4 -b 8192 -I 8192 -N 64 -O inline_data,metadata_csum,^has_journal",
    };

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct opened o;

        open_image(&o, kinds[i], "");
        expect_file(&o, "/dir/file", some, sizeof(some));
        expect_file(&o, "/dir/other", some, 5000);
        expect_link(&o, "len60", 60);
        close_image(&o);
    }
}

/* What verifies a file lies behind its end, in blocks of the same file. */
static void verity_files_end_where_they_end(void)
{
    struct opened o;
    struct node n;
    struct run run;

    open_image(&o, "-t ext4 -b 4096 -O verity",
               "set_inode_field /dir/file flags 0x180000\nset_inode_field /dir/file size 70001\n");
    expect_file(&o, "/dir/file", some, 70001);
    CHECK_OK(fs_walk(&o.fs, &o.arena, "/dir/file", &n, NULL));
    CHECK_OK(o.fs.ops->map(&o.fs, &n, 70000, &run));
    CHECK_U64(run.kind, RUN_DISK);
    CHECK(run.file_off_bytes + run.len_bytes > 70001);
    close_image(&o);
}

static bool count(void *ctx, const char *name, size_t len, uint64_t ino)
{
    (void)name;
    (void)len;
    (void)ino;
    ++*(int *)ctx;
    return true;
}

/* Encrypted files, directories and links are refused by name; what lies beside them is read. */
static void encrypted_ones_are_refused(void)
{
    struct opened o;
    struct node n;
    struct file f;
    struct err e;
    char buf[FS_PATH_MAX];
    int nr = 0;
    size_t len;
    uint64_t ino = 0;

    open_image(&o, "-t ext4 -b 4096 -O encrypt",
               "mkdir secret\nset_inode_field /secret flags 0x80800\n"
               "set_inode_field /dir/file flags 0x80800\nset_inode_field /link flags 0x800\n");
    CHECK_OK(fs_walk(&o.fs, &o.arena, "/", &n, NULL));
    CHECK_OK(o.fs.ops->readdir(&o.fs, &n, count, &nr));
    CHECK(nr >= 8);
    expect_file(&o, "/dir/other", some, 5000);
    CHECK_OK(file_open(&f, &o.fs, &o.arena, "/dir/file", NULL));
    e = file_read(&f, 0, buf, 1000);
    CHECK_U64(e.code, ERR_REFUSED);
    CHECK(strstr(e.msg, "is encrypted") != NULL);
    CHECK_OK(o.fs.ops->lookup(&o.fs, &n, "link", 4, &ino));
    CHECK_OK(o.fs.ops->get_node(&o.fs, &o.arena, ino, &n));
    e = o.fs.ops->readlink(&o.fs, &n, buf, sizeof(buf), &len);
    CHECK_U64(e.code, ERR_REFUSED);
    CHECK(strstr(e.msg, "encrypted symbolic link") != NULL);
    CHECK_OK(fs_walk(&o.fs, &o.arena, "/secret", &n, NULL));
    e = o.fs.ops->readdir(&o.fs, &n, count, &nr);
    CHECK_U64(e.code, ERR_REFUSED);
    CHECK(strstr(e.msg, "encrypted directory") != NULL);
    CHECK_ERR(fs_walk(&o.fs, &o.arena, "/secret/x", &n, NULL), ERR_REFUSED);
    close_image(&o);
}

int main(void)
{
    RUN(links_may_have_attributes);
    RUN(inodes_may_be_large);
    RUN(verity_files_end_where_they_end);
    RUN(encrypted_ones_are_refused);
    return test_done();
}
