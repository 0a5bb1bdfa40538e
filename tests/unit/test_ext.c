/* SPDX-License-Identifier: MIT */
/*
 * The ext2/3/4 reader against images that mke2fs makes here: every file must come back as it was
 * put in, whatever the features. What only a kernel writes is tested by tests/images.
 */
#include <stdlib.h>

#include "core/base/bytes.h"
#include "core/fs/fs.h"
#include "tests/unit/mkfs.h"
#include "tests/unit/support.h"
#include "tests/unit/test.h"

#define BIG_BYTES ((size_t)3 * 1024 * 1024 + 777)

static uint8_t big[BIG_BYTES];

struct opened {
    struct mem_disk disk;
    struct arena arena;
    struct fs fs;
    uint8_t *data;
    char said[512];
};

static uint8_t *pages(size_t len)
{
    return aligned_alloc(4096, len + 4096 - len % 4096);
}

static void hear(void *ctx, const char *text)
{
    struct opened *o = ctx;

    snprintf(o->said + strlen(o->said), sizeof(o->said) - strlen(o->said), "%s\n", text);
}

static struct err mount_data(struct opened *o, uint8_t *data, size_t len)
{
    static struct log log;

    *o = (struct opened){.data = data};
    log = (struct log){.ctx = o, .line = hear};
    arena_init(&o->arena, &test_memory);
    mem_disk_init(&o->disk, data, len, 512);
    return fs_mount(&o->fs, &o->disk.disk, &o->arena, &log);
}

static void close_image(struct opened *o)
{
    arena_reset(&o->arena);
    free(o->data);
}

static void make_tree(void)
{
    char name[64];

    srand(1);
    for (size_t i = 0; i < BIG_BYTES; i++)
        big[i] = (uint8_t)(rand() >> 7);
    put_file("tree/boot/vmlinuz", big, 100000);
    put_file("tree/boot/big", big, BIG_BYTES);
    put_file("tree/boot/empty", big, 0);
    for (size_t n = 1; n <= 65536; n *= 2) {
        snprintf(name, sizeof(name), "tree/sizes/%zu", n);
        put_file(name, big, n);
        snprintf(name, sizeof(name), "tree/sizes/less%zu", n - 1);
        put_file(name, big, n - 1);
    }
    for (int i = 0; i < 600; i++) {
        snprintf(name, sizeof(name), "tree/many/a-file-with-a-name-%d", i);
        put_file(name, name, strlen(name));
    }
    run("cd tree; ln -s boot/vmlinuz relative; ln -s /boot/vmlinuz absolute; ln -s boot dirlink; "
        "ln -s ../boot/../many/./.. boot/up; ln -s loop2 loop1; ln -s loop1 loop2; "
        "ln -s /boot/missing dangling; ln -s $(printf '/boot%%.0s/..' $(seq 30))/boot/empty slow; "
        "mkdir deep; cd deep; for i in $(seq 60); do mkdir d; cd d; done; echo bottom > file");
    run("truncate -s 5M tree/sparse; printf x | dd of=tree/sparse bs=1 seek=3000001 conv=notrunc "
        "2>/dev/null; n=$(printf 'n%%.0s' $(seq 255)); echo long > tree/$n");
}

static void check_file(struct opened *o, const char *path, const uint8_t *want, size_t len)
{
    struct file f;
    struct err e = file_open(&f, &o->fs, &o->arena, path, NULL);

    CHECK_OK(e);
    if (failed(e))
        return;
    CHECK_U64(f.node.size_bytes, len);
    if (f.node.size_bytes != len)
        return;
    uint8_t *buf = pages(len);

    memset(buf, 0xee, len);
    CHECK_OK(file_read(&f, 0, buf, len));
    CHECK(memcmp(buf, want, len) == 0);
    /* Ragged: odd offset, length and destination. */
    if (len > 3000) {
        memset(buf, 0xee, len);
        CHECK_OK(file_read(&f, 1001, buf + 3, len - 2003));
        CHECK(memcmp(buf + 3, want + 1001, len - 2003) == 0);
        CHECK_U64(buf[2], 0xee);
        CHECK_U64(buf[3 + len - 2003], 0xee);
        memset(buf, 0xee, len);
        CHECK_OK(file_read(&f, 1001, buf + 1001, len - 2003));
        CHECK(memcmp(buf + 1001, want + 1001, len - 2003) == 0);
        CHECK_U64(buf[1000], 0xee);
        CHECK_U64(buf[1001 + len - 2003], 0xee);
    }
    CHECK_ERR(file_read(&f, 0, buf, len + 1), ERR_FILELENGTH);
    CHECK_ERR(file_read(&f, UINT64_MAX, buf, 1), ERR_FILELENGTH);
    free(buf);
}

static void check_stream(struct opened *o, const char *path, uint64_t off, const uint8_t *want,
                         size_t len)
{
    struct file_stream *s;
    const uint8_t *data;
    struct arena a;
    struct file f;
    size_t n, at = 0;

    arena_init(&a, &test_memory);
    struct err e = file_open(&f, &o->fs, &a, path, NULL);

    if (!failed(e))
        e = file_stream_open(&s, &f, &a, off, len);
    CHECK_OK(e);
    while (!failed(e)) {
        CHECK_OK(file_stream_next(s, &data, &n));
        if (n == 0)
            break;
        CHECK(n <= len - at && memcmp(data, want + at, n) == 0);
        at += n;
    }
    CHECK_U64(at, len);
    if (!failed(e))
        file_stream_close(s);
    arena_reset(&a);
}

static bool count_entry(void *ctx, const char *name, size_t len, uint64_t ino)
{
    (void)name;
    (void)len;
    (void)ino;
    ++*(uint32_t *)ctx;
    return true;
}

/* mke2fs 1.47 with inline_data loses the hole at a file's end: e2fsprogs' own debugfs says so. */
static void check_all(struct opened *o, bool sparse_is_whole)
{
    static uint8_t sparse[5 * 1024 * 1024];
    char name[300], deep[200] = "/deep";
    struct node node;
    uint32_t nr = 0;

    check_file(o, "/boot/vmlinuz", big, 100000);
    check_file(o, "/boot/big", big, BIG_BYTES);
    check_file(o, "/boot/empty", big, 0);
    for (size_t n = 1; n <= 65536; n *= 2) {
        snprintf(name, sizeof(name), "/sizes/%zu", n);
        check_file(o, name, big, n);
        snprintf(name, sizeof(name), "/sizes/less%zu", n - 1);
        check_file(o, name, big, n - 1);
    }
    for (int i = 0; i < 600; i += 37) {
        snprintf(name, sizeof(name), "tree/many/a-file-with-a-name-%d", i);
        check_file(o, name + 4, (uint8_t *)name, strlen(name));
    }
    sparse[3000001] = 'x';
    if (sparse_is_whole)
        check_file(o, "/sparse", sparse, sizeof(sparse));
    check_file(o, "/relative", big, 100000);
    check_file(o, "/absolute", big, 100000);
    check_file(o, "/dirlink/vmlinuz", big, 100000);
    check_file(o, "/boot/up/./dirlink//../../../boot/up/boot/vmlinuz", big, 100000);
    check_file(o, "/slow", big, 0);
    for (int i = 0; i < 60; i++)
        strcat(deep, "/d");
    strcat(deep, "/file");
    check_file(o, deep, (const uint8_t *)"bottom\n", 7);
    name[0] = '/';
    memset(name + 1, 'n', 255);
    name[256] = '\0';
    check_file(o, name, (const uint8_t *)"long\n", 5);
    check_stream(o, "/boot/big", 0, big, BIG_BYTES);
    check_stream(o, "/boot/big", 5001, big + 5001, BIG_BYTES - 5001);
    check_stream(o, "/boot/big", 4096, big + 4096, 1);
    check_stream(o, "/boot/big", BIG_BYTES, big, 0);
    check_stream(o, "/sparse", 1234, sparse + 1234, 3000100 - 1234);
    CHECK_OK(fs_walk(&o->fs, &o->arena, "/many", &node, NULL));
    CHECK_OK(o->fs.ops->readdir(&o->fs, &node, count_entry, &nr));
    CHECK_U64(nr, 602);
}

static void reads_what_mke2fs_wrote(void)
{
    static const struct {
        const char *options, *describe;
    } kinds[] = {
        {"-t ext2 -b 1024 -I 128", "ext2"},
        {"-t ext2 -b 4096 -r 0", "ext2"},
        {"-t ext3 -b 2048 -I 256", "ext3"},
        {"-t ext4 -O ^64bit,^metadata_csum,uninit_bg -I 128 -b 1024", "ext4"},
        {"-t ext4 -O ^64bit,^metadata_csum,^flex_bg -I 128 -b 4096", "ext4"},
        {"-t ext4 -O 64bit,metadata_csum -b 1024", "ext4"},
        {"-t ext4 -O 64bit,metadata_csum -b 4096", "ext4"},
        {"-t ext4 -O metadata_csum,metadata_csum_seed,orphan_file,large_dir -b 2048", "ext4"},
        {"-t ext4 -O meta_bg,^resize_inode,metadata_csum,64bit -b 1024 -g 1024", "ext4"},
        {"-t ext4 -O meta_bg,^resize_inode,sparse_super2,^has_journal -b 1024 -g 1024", "ext4"},
        {"-t ext4 -O inline_data,metadata_csum -b 4096", "ext4"},
        {"-t ext4 -O inline_data,^metadata_csum -b 1024 -I 1024", "ext4"},
        {"-t ext4 -O bigalloc -C 16384 -b 1024", "ext4"},
        {"-t ext4 -b 8192", "ext4"},
        {"-t ext4 -b 16384 -O ^extent,^64bit", "ext4"},
        {"-t ext4 -b 32768", "ext4"},
        {"-t ext4 -b 65536 -O ^has_journal", "ext4"},
    };

    make_tree();
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct opened o;
        size_t len;
        int before = test_bad_checks_;
        uint8_t *data = make_ext(kinds[i].options, "tree", "90M", &len);

        CHECK_OK(mount_data(&o, data, len));
        CHECK_STR(o.fs.describe, kinds[i].describe);
        CHECK_STR(o.said, "");
        if (o.fs.priv != NULL)
            check_all(&o, strstr(kinds[i].options, "inline_data") == NULL);
        close_image(&o);
        if (test_bad_checks_ != before)
            printf("  with mke2fs %s\n", kinds[i].options);
    }
}

/* One image for the tests below; each works on a copy. */
static uint8_t *copy_of(const char *options, size_t *len)
{
    static char made[256];
    static uint8_t *image;
    static size_t image_len;

    if (image == NULL || strcmp(made, options) != 0) {
        free(image);
        image = make_ext(options, "tree", "90M", &image_len);
        snprintf(made, sizeof(made), "%s", options);
    }
    uint8_t *copy = pages(image_len);

    memcpy(copy, image, image_len);
    *len = image_len;
    return copy;
}

#define EXT4                                                                                       \
    "-t ext4 -O 64bit,metadata_csum -b 4096 -U 01234567-89ab-cdef-0123-456789abcdef -L root"

static void walks_report_where_they_end(void)
{
    struct walk_report r;
    struct opened o;
    struct node n;
    size_t len;
    uint8_t *data = copy_of(EXT4, &len);

    CHECK_OK(mount_data(&o, data, len));
    CHECK_STR(o.fs.label, "root");
    CHECK_U64(o.fs.uuid[1], 0x23);
    CHECK_ERR(fs_walk(&o.fs, &o.arena, "/dirlink/vmlinux-6", &n, &r), ERR_FILE_NOT_FOUND);
    CHECK_STR(r.failed_at, "vmlinux-6");
    CHECK_STR(r.in_dir, "/boot");
    CHECK(strncmp(r.holds, "vmlinuz, ", 9) == 0); /* the one that is alike comes first */
    CHECK(strstr(r.holds, "big") != NULL && strstr(r.holds, "empty") != NULL);
    CHECK_ERR(fs_walk(&o.fs, &o.arena, "/many/none", &n, &r), ERR_FILE_NOT_FOUND);
    CHECK(strlen(r.holds) > 200 && strcmp(r.holds + strlen(r.holds) - 5, ", ...") == 0);
    CHECK_ERR(fs_walk(&o.fs, &o.arena, "/boot/vmlinuz/x", &n, &r), ERR_BAD_FILETYPE);
    CHECK_STR(r.failed_at, "vmlinuz");
    CHECK_ERR(fs_walk(&o.fs, &o.arena, "/boot/vmlinuz/", &n, NULL), ERR_BAD_FILETYPE);
    CHECK_ERR(fs_walk(&o.fs, &o.arena, "/loop1", &n, &r), ERR_SYMLINK_LOOP);
    CHECK_ERR(fs_walk(&o.fs, &o.arena, "/dangling", &n, &r), ERR_FILE_NOT_FOUND);
    CHECK_STR(r.failed_at, "missing");
    CHECK_ERR(fs_walk(&o.fs, &o.arena, "boot", &n, &r), ERR_BAD_FILENAME);
    CHECK_ERR(fs_walk(&o.fs, &o.arena, "", &n, &r), ERR_BAD_FILENAME);
    CHECK_OK(fs_walk(&o.fs, &o.arena, "/../../..", &n, &r));
    CHECK_U64(n.ino, o.fs.root_ino);
    CHECK_OK(fs_walk(&o.fs, &o.arena, "/dirlink/", &n, &r));
    CHECK_U64(n.type, NODE_DIR);
    char path[FS_PATH_MAX + 10];

    memset(path, '/', sizeof(path));
    path[FS_PATH_MAX - 1] = '\0';
    CHECK_OK(fs_walk(&o.fs, &o.arena, path, &n, &r));
    path[FS_PATH_MAX - 1] = '/';
    path[FS_PATH_MAX] = '\0';
    CHECK_ERR(fs_walk(&o.fs, &o.arena, path, &n, &r), ERR_BAD_FILENAME);
    memset(path + 1, 'x', 256);
    path[257] = '\0';
    CHECK_ERR(fs_walk(&o.fs, &o.arena, path, &n, &r), ERR_BAD_FILENAME);
    struct file f;

    CHECK_ERR(file_open(&f, &o.fs, &o.arena, "/boot", &r), ERR_BAD_FILETYPE);
    close_image(&o);
}

static void large_reads_are_few(void)
{
    struct opened o;
    struct file f;
    size_t len;
    uint8_t *data = copy_of(EXT4, &len), *buf = pages(BIG_BYTES);
    CHECK_OK(mount_data(&o, data, len));
    CHECK_OK(file_open(&f, &o.fs, &o.arena, "/boot/big", NULL));
    uint32_t before = o.disk.nr_reads;

    CHECK_OK(file_read(&f, 0, buf, BIG_BYTES));
    /* One request for each piece on the disk, and one for the ragged end. */
    CHECK(o.disk.nr_reads - before <= 6);
    free(buf);
    close_image(&o);
}

static void read_errors_arrive(void)
{
    struct opened o;
    struct file f;
    struct run run;
    size_t len;
    uint8_t *data = copy_of(EXT4, &len), *buf = pages(BIG_BYTES);
    struct file_stream *s;
    const uint8_t *bytes;
    struct err e = OK;
    size_t n = 1;

    CHECK_OK(mount_data(&o, data, len));
    CHECK_OK(file_open(&f, &o.fs, &o.arena, "/boot/big", NULL));
    CHECK_OK(o.fs.ops->map(&o.fs, &f.node, 2000000, &run));
    o.disk.fail_off_bytes = run.disk_off_bytes + (2000000 - run.file_off_bytes);
    CHECK_ERR(file_read(&f, 0, buf, BIG_BYTES), ERR_READ);
    CHECK_OK(file_stream_open(&s, &f, &o.arena, 0, BIG_BYTES));
    while (!failed(e) && n != 0)
        e = file_stream_next(s, &bytes, &n);
    CHECK_U64(e.code, ERR_READ);
    CHECK_U64(e.where, o.disk.fail_off_bytes);
    CHECK_ERR(file_stream_next(s, &bytes, &n), ERR_READ);
    file_stream_close(s);
    free(buf);
    close_image(&o);
}

static size_t find_bytes(const uint8_t *data, size_t len, const char *what)
{
    for (size_t i = 0; i + strlen(what) < len; i++) {
        if (memcmp(data + i, what, strlen(what)) == 0)
            return i;
    }
    return 0;
}

static void expect_damage(uint8_t *data, size_t len, const char *path, const char *sentence)
{
    struct opened o;
    struct node n;
    struct file f;
    struct run run;
    struct err e = mount_data(&o, data, len);

    if (!failed(e))
        e = fs_walk(&o.fs, &o.arena, path, &n, NULL);
    if (!failed(e)) {
        f = (struct file){.fs = &o.fs, .node = n};
        e = o.fs.ops->map(&o.fs, &f.node, 0, &run);
    }
    CHECK_U64(e.code, ERR_FS_DAMAGED);
    CHECK(e.msg != NULL && strstr(e.msg, sentence) != NULL);
    close_image(&o);
}

static void every_checksum_is_checked(void)
{
    size_t len;
    uint8_t *data = copy_of(EXT4, &len);

    data[1024 + 0x78] ^= 1; /* the label */
    expect_damage(data, len, "/", "superblock checksum");
    data = copy_of(EXT4, &len);
    data[4096 + 0x0c] ^= 1; /* free blocks in group 0 */
    expect_damage(data, len, "/", "group descriptor checksum");
    data = copy_of(EXT4, &len);
    data[find_bytes(data, len, "\x07\x01vmlinuz")] ^= 1; /* name length and type before it */
    expect_damage(data, len, "/boot/vmlinuz", "directory block checksum");
    data = copy_of(EXT4, &len);
    /* The inode table's place stands in the descriptor; inode 2 is the second. */
    data[(size_t)le32(data + 4096 + 8) * 4096 + 256 + 0x10] ^= 1;
    expect_damage(data, len, "/", "inode checksum");
}

static void refuses_features_by_name(void)
{
    struct opened o;
    size_t len;
    uint8_t *data = copy_of("-t ext4 -O ^metadata_csum -b 1024", &len);
    struct err e;

    data[1024 + 0x60] |= 1; /* compression */
    e = mount_data(&o, data, len);
    CHECK_U64(e.code, ERR_REFUSED);
    CHECK_STR(e.msg, "the ext feature compression is not read");
    close_image(&o);
    data = copy_of("-t ext4 -O ^metadata_csum -b 1024", &len);
    data[1024 + 0x62] |= 0x40;
    e = mount_data(&o, data, len);
    CHECK_U64(e.code, ERR_REFUSED);
    CHECK_U64(e.a, 0x400000);
    close_image(&o);
    data = copy_of("-t ext4 -O ^metadata_csum -b 1024", &len);
    data[1024 + 0x60] |= 4; /* recover */
    CHECK_OK(mount_data(&o, data, len));
    CHECK_STR(o.fs.describe, "ext4, journal replayed");
    CHECK_STR(o.said, "mem: ext4: journal replayed: it is empty\n");
    close_image(&o);
    data = copy_of("-t ext4 -O ^metadata_csum -b 1024", &len);
    memset(data + 1024 + 0x38, 0, 2);
    CHECK_ERR(mount_data(&o, data, len), ERR_FS_MOUNT);
    close_image(&o);
    data = copy_of("-t ext4 -O ^metadata_csum -b 1024", &len);
    CHECK_ERR(mount_data(&o, data, len - 1024), ERR_FS_DAMAGED); /* cut */
    close_image(&o);
}

/* Bytes of the superblock, descriptors and first inodes, one after the other set to 00 and ff: any
 * answer is good but a crash or one that does not come. */
static void damage_never_harms(void)
{
    static const char *const kinds[] = {"-t ext4 -O ^metadata_csum,^64bit -b 1024 -I 128",
                                        "-t ext2 -b 1024 -I 128"};

    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        size_t len;
        uint8_t *data = copy_of(kinds[k], &len);
        size_t inodes = (size_t)le32(data + 2048 + 8) * 1024;

        for (size_t i = 0; i < 1024 + 64 + 16 * 128; i++) {
            uint8_t *at = i < 1024        ? data + 1024 + i
                          : i < 1024 + 64 ? data + 2048 + i - 1024
                                          : data + inodes + (i - 1024 - 64);
            uint8_t was = *at;

            for (int round = 0; round < 2; round++) {
                struct opened o;
                struct file f;
                static uint8_t buf[4096];

                *at = round == 0 ? 0 : 0xff;
                if (!failed(mount_data(&o, data, len)) &&
                    !failed(file_open(&f, &o.fs, &o.arena, "/boot/vmlinuz", NULL)) &&
                    f.node.size_bytes >= sizeof(buf))
                    (void)!failed(file_read(&f, f.node.size_bytes - sizeof(buf), buf, sizeof(buf)));
                arena_reset(&o.arena);
            }
            *at = was;
        }
        free(data);
    }
}

int main(void)
{
    RUN(reads_what_mke2fs_wrote);
    RUN(walks_report_where_they_end);
    RUN(large_reads_are_few);
    RUN(read_errors_arrive);
    RUN(every_checksum_is_checked);
    RUN(refuses_features_by_name);
    RUN(damage_never_harms);
    return test_done();
}
