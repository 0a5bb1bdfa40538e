/* SPDX-License-Identifier: MIT */
/*
 * The XFS reader against images that mkfs.xfs makes here: every file must come back as it was put
 * in, whatever the features. What only a kernel writes is tested by tests/images.
 */
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/test.h"
#include "tests/unit/xfs_image.h"

#define BIG_BYTES ((size_t)3 * 1024 * 1024 + 777)

static uint8_t big[BIG_BYTES];

static void make_tree(void)
{
    char name[300];

    srand(1);
    for (size_t i = 0; i < BIG_BYTES; i++)
        big[i] = (uint8_t)(rand() >> 7);
    put_file("tree/boot/vmlinuz", big, 100000);
    put_file("tree/boot/big", big, BIG_BYTES);
    put_file("tree/boot/empty", big, 0);
    for (size_t n = 1; n <= 16384; n *= 4) {
        snprintf(name, sizeof(name), "tree/sizes/%zu", n);
        put_file(name, big, n);
        snprintf(name, sizeof(name), "tree/sizes/less%zu", n - 1);
        put_file(name, big, n - 1);
    }
    run("cd tree; ln -s boot/vmlinuz relative; ln -s /boot/vmlinuz absolute; ln -s boot dirlink; "
        "ln -s ../boot/../some/./.. boot/up; ln -s $(printf 'boot/%%.0s../' $(seq 16))boot slow; "
        "mkdir -p $(printf 'd/%%.0s' $(seq 60)); mkdir some few many; "
        "for i in $(seq 6); do echo $i >few/name-$i; done; "
        "for i in $(seq 60); do echo $i >some/a-file-with-a-name-$i; done; "
        "for i in $(seq 1200); do : >many/$i-$(printf 'n%%.0s' $(seq 12)); done; "
        "mkdir many/sub; echo long >many/$(printf 'n%%.0s' $(seq 255))");
}

static bool count_entry(void *ctx, const char *name, size_t len, uint64_t ino)
{
    (void)ino;
    if (!(len == 1 && name[0] == '.') && !(len == 2 && name[0] == '.' && name[1] == '.'))
        ++*(uint32_t *)ctx;
    return true;
}

/* A file must be the one in the folder that it was made from. */
static void check_file(struct opened *o, const char *path, struct node *n)
{
    struct file f = {.fs = &o->fs, .node = *n, .path = path};
    char from[4200];
    size_t len;

    if (n->size_bytes == 0) /* most are */
        return;
    snprintf(from, sizeof(from), "tree%s", path);
    uint8_t *want = get_file(from, &len), *buf = aligned_alloc(4096, len + 8192 - len % 4096);

    CHECK_U64(n->size_bytes, len);
    if (n->size_bytes == len) {
        CHECK_OK(file_read(&f, 0, buf, len));
        CHECK(memcmp(buf, want, len) == 0);
    }
    free(buf);
    free(want);
}

/* Compare a folder that the image was made from; every name goes through the look-up. */
static uint32_t check_folder(struct opened *o, const char *path)
{
    char below[4096], full[8192], target[4096], got[FS_PATH_MAX];
    uint32_t nr = 0, seen = 0, all = 0;
    struct arena a;
    struct node dir;
    struct stat st;

    snprintf(full, sizeof(full), "%s/tree%s", temp_dir(), path);
    DIR *d = opendir(full);

    CHECK(d != NULL);
    if (d == NULL)
        return 0;
    arena_init(&a, &test_memory);
    CHECK_OK(fs_walk(&o->fs, &a, path[0] == '\0' ? "/" : path, &dir, NULL));
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        struct node n;
        uint64_t ino = 0;
        size_t len = 0;

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        nr++;
        snprintf(below, sizeof(below), "%s/%s", path, e->d_name);
        CHECK_OK(o->fs.ops->lookup(&o->fs, &dir, e->d_name, strlen(e->d_name), &ino));
        struct err err = o->fs.ops->get_node(&o->fs, &a, ino, &n);

        CHECK_OK(err);
        if (failed(err))
            continue;
        if (n.type == NODE_DIR) {
            all += check_folder(o, below);
        } else if (n.type == NODE_FILE) {
            snprintf(full, sizeof(full), "%s/tree%s", temp_dir(), below);
            CHECK(stat(full, &st) == 0 && (uint64_t)st.st_size == n.size_bytes);
            check_file(o, below, &n);
        } else {
            snprintf(full, sizeof(full), "%s/tree%s", temp_dir(), below);
            ssize_t want = readlink(full, target, sizeof(target));

            CHECK_OK(o->fs.ops->readlink(&o->fs, &n, got, sizeof(got), &len));
            CHECK(want >= 0 && len == (size_t)want && memcmp(got, target, len) == 0);
        }
    }
    closedir(d);
    CHECK_OK(o->fs.ops->readdir(&o->fs, &dir, count_entry, &seen));
    CHECK_U64(seen, nr);
    arena_reset(&a);
    return all + nr;
}

static void reads_what_mkfs_wrote(void)
{
    static const struct {
        const char *options, *size, *describe;
    } kinds[] = {
        {"", "24M", "XFS"},
        {"-b size=1024", "24M", "XFS"},
        {"-b size=2048 -i size=1024 -n size=16384", "24M", "XFS"},
        {"-b size=16384 -i size=2048 -s size=4096", "32M", "XFS"},
        {"-b size=1024 -n size=65536 -m bigtime=1,inobtcount=1,rmapbt=1", "32M", "XFS"},
        {"-n version=ci -m reflink=0,finobt=0 -i sparse=0 -d agcount=3", "48M", "XFS"},
        {"-i nrext64=1 -m uuid=01234567-89ab-cdef-0123-456789abcdef", "24M", "XFS"},
        {"-m crc=0", "24M", "XFS v4"},
        {"-m crc=0 -b size=512 -i size=256 -n ftype=0", "24M", "XFS v4"},
        {"-m crc=0 -b size=512 -n size=4096,ftype=1 -i attr=1,projid32bit=0", "24M", "XFS v4"},
        {"-m crc=0 -b size=1024 -n version=ci -l version=1,lazy-count=0", "24M", "XFS v4"},
        {"-m crc=0 -b size=65536 -i size=2048 -d agcount=1", "48M", "XFS v4"},
    };

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct opened o;
        size_t len;
        int before = test_bad_checks_;
        uint8_t *data = make_xfs(kinds[i].options, "tree", kinds[i].size, &len);
        struct err e = open_image(&o, data, len);

        CHECK_OK(e);
        CHECK_STR(o.fs.describe, kinds[i].describe);
        if (!failed(e))
            CHECK(check_folder(&o, "") > 1300);
        close_image(&o);
        if (test_bad_checks_ != before)
            printf("  with mkfs.xfs %s\n", kinds[i].options);
    }
}

static void label_and_uuid_are_known(void)
{
    struct opened o;
    size_t len;
    uint8_t *data =
        copy_of("-L label-of-it -m uuid=01234567-89ab-cdef-0123-456789abcdef,crc=0", &len);

    CHECK_OK(open_image(&o, data, len));
    CHECK_STR(o.fs.label, "label-of-it");
    CHECK_U64(o.fs.uuid[1], 0x23);
    CHECK(!o.fs.journal_dirty);
    close_image(&o);
}

/* The UUID of metadata stays when the one that people see is changed. */
static void metadata_may_have_another_uuid(void)
{
    struct opened o;
    size_t len;
    uint8_t *data = make_xfs("", "tree", "24M", &len);

    free(data);
    run("PATH=$PATH:/sbin:/usr/sbin; xfs_admin -U 00112233-4455-6677-8899-aabbccddeeff image "
        ">admin.log 2>&1 || { cat admin.log; false; }");
    data = get_file("image", &len);
    CHECK_OK(open_image(&o, data, len));
    CHECK_U64(o.fs.uuid[1], 0x11);
    CHECK(check_folder(&o, "") > 1300);
    close_image(&o);
}

static void names_may_be_found_without_case(void)
{
    static const char *const kinds[] = {"-n version=ci", "-m crc=0 -n version=ci"};

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct opened o;
        struct node n, other;
        size_t len;
        uint8_t *data = copy_of(kinds[i], &len);

        CHECK_OK(open_image(&o, data, len));
        CHECK_OK(fs_walk(&o.fs, &o.arena, "/Boot/VMLINUZ", &n, NULL));
        CHECK_OK(fs_walk(&o.fs, &o.arena, "/boot/vmlinuz", &other, NULL));
        CHECK_U64(n.ino, other.ino);
        CHECK_OK(fs_walk(&o.fs, &o.arena, "/many/1134-NNNNnnnnNNNN", &n, NULL));
        CHECK_OK(fs_walk(&o.fs, &o.arena, "/many/1134-nnnnnnnnnnnn", &other, NULL));
        CHECK_U64(n.ino, other.ino);
        CHECK_ERR(fs_walk(&o.fs, &o.arena, "/many/1134-NNNNnnnnNNN", &n, NULL), ERR_FILE_NOT_FOUND);
        /* Its hash is not sure, so that all names are compared. */
        CHECK_ERR(fs_walk(&o.fs, &o.arena, "/many/\xc3\xa4", &n, NULL), ERR_FILE_NOT_FOUND);
        close_image(&o);
    }
}

static void case_matters_elsewhere(void)
{
    struct opened o;
    struct node n;
    size_t len;
    uint8_t *data = copy_of("", &len);

    CHECK_OK(open_image(&o, data, len));
    CHECK_ERR(fs_walk(&o.fs, &o.arena, "/boot/VMLINUZ", &n, NULL), ERR_FILE_NOT_FOUND);
    CHECK_ERR(fs_walk(&o.fs, &o.arena, "/many/1134-NNNNnnnnNNNN", &n, NULL), ERR_FILE_NOT_FOUND);
    close_image(&o);
}

/* Of 200,000 names each is found in a few requests. */
static void large_directories_are_searched_by_hash(void)
{
    static const struct {
        const char *options, *size;
        unsigned nr;
    } kinds[] = {{"-m crc=0 -b size=1024", "24M", 20000}, {"-i maxpct=90", "180M", 200000}};
    char path[64];

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct opened o;
        struct node n;
        size_t len;

        run("mkdir -p large/dir; cd large/dir; seq -f 'a-name-%%.0f' %u | xargs touch",
            kinds[i].nr);
        uint8_t *data = make_xfs(kinds[i].options, "large", kinds[i].size, &len);

        for (unsigned k = 1; k <= kinds[i].nr; k += kinds[i].nr / 5 - 1) {
            CHECK_OK(open_image(&o, data, len));
            uint32_t before = o.disk.nr_reads;

            snprintf(path, sizeof(path), "/dir/a-name-%u", k);
            CHECK_OK(fs_walk(&o.fs, &o.arena, path, &n, NULL));
            CHECK(o.disk.nr_reads - before <= 12);
            before = o.disk.nr_reads;
            CHECK_OK(fs_walk(&o.fs, &o.arena, "/dir", &n, NULL));
            uint64_t ino;

            CHECK_ERR(o.fs.ops->lookup(&o.fs, &n, "no", 2, &ino), ERR_FILE_NOT_FOUND);
            CHECK(o.disk.nr_reads - before <= 6);
            arena_reset(&o.arena);
        }
        free(data);
    }
    run("rm -rf large");
}

/* A feature's bit is set, and the superblock sealed again. */
static void expect_refused(const char *options, size_t off, uint8_t bits, const char *sentence)
{
    struct opened o;
    size_t len;
    uint8_t *data = copy_of(options, &len);

    data[off] |= bits;
    if (data[101] % 16 == 5)
        seal(data, 512, offsetof(struct xfs_disk_super, crc));
    struct err e = open_image(&o, data, len);

    CHECK_U64(e.code, ERR_REFUSED);
    CHECK(e.msg != NULL && strstr(e.msg, sentence) != NULL);
    close_image(&o);
}

static void refuses_features_by_name(void)
{
    size_t incompat = offsetof(struct xfs_disk_super, features_incompat);
    size_t features2 = offsetof(struct xfs_disk_super, features2);
    struct opened o;
    size_t len;

    expect_refused("", incompat + 3, 0x10, "needsrepair");
    expect_refused("", incompat + 2, 0x02, "zoned");
    expect_refused("", incompat, 0x01, "unknown incompatible XFS features %A");
    expect_refused("-m crc=0", features2 + 1, 0x40, "unknown XFS features2 %A");
    expect_refused("-m crc=0", offsetof(struct xfs_disk_super, versionnum) + 1, 2, "version %a");
    uint8_t *data = copy_of("-m crc=0", &len);

    data[offsetof(struct xfs_disk_super, versionnum)] &= 0xdf;
    CHECK_ERR(open_image(&o, data, len), ERR_REFUSED); /* directories of version 1 */
    close_image(&o);
    data = copy_of("-m crc=0", &len);
    memset(data + offsetof(struct xfs_disk_super, logstart), 0, 8);
    CHECK_ERR(open_image(&o, data, len), ERR_REFUSED); /* an external log */
    close_image(&o);
    data = copy_of("", &len);
    data[offsetof(struct xfs_disk_super, features_ro_compat)] |= 0x80;
    data[offsetof(struct xfs_disk_super, features_compat)] |= 0x80;
    seal(data, 512, offsetof(struct xfs_disk_super, crc));
    CHECK_OK(open_image(&o, data, len)); /* what only a writer must know */
    close_image(&o);
}

static void refuses_real_time_files(void)
{
    struct opened o;
    struct node n;
    struct file f;
    uint8_t byte;
    size_t len;
    uint8_t *data = copy_of("-m crc=0", &len);

    CHECK_OK(open_image(&o, data, len));
    struct xfs_disk_inode *di = (struct xfs_disk_inode *)inode_at(&o, "/boot/vmlinuz", &n);

    di->flags[1] |= XFS_INODE_REALTIME;
    arena_reset(&o.arena);
    CHECK_OK(open_image(&o, data, len));
    CHECK_OK(file_open(&f, &o.fs, &o.arena, "/boot/vmlinuz", NULL));
    struct err e = file_read(&f, 0, &byte, 1);

    CHECK_U64(e.code, ERR_REFUSED);
    CHECK(e.msg != NULL && strstr(e.msg, "real-time") != NULL);
    close_image(&o);
}

/* Version 1 keeps the number of links in 16 bits elsewhere, and what it has as padding was used. */
static void reads_inodes_of_version_1(void)
{
    struct opened o;
    struct node n;
    size_t len;
    uint8_t *data = copy_of("-m crc=0", &len);

    CHECK_OK(open_image(&o, data, len));
    struct xfs_disk_inode *di = (struct xfs_disk_inode *)inode_at(&o, "/boot/vmlinuz", &n);

    di->version[0] = 1;
    memcpy(di->onlink, di->nlink + 2, 2);
    memset(di->nlink, 0, 4);
    arena_reset(&o.arena);
    CHECK_OK(open_image(&o, data, len));
    CHECK_OK(fs_walk(&o.fs, &o.arena, "/boot/vmlinuz", &n, NULL));
    CHECK_U64(n.size_bytes, 100000);
    close_image(&o);
}

static void times_are_understood(void)
{
    static const char *const kinds[] = {"-m bigtime=0", "-m bigtime=1", "-m crc=0"};

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct opened o;
        struct node n;
        size_t len;
        uint8_t *data = copy_of(kinds[i], &len);

        CHECK_OK(open_image(&o, data, len));
        struct xfs_disk_inode *di = (struct xfs_disk_inode *)inode_at(&o, "/boot/vmlinuz", &n);

        CHECK(n.mtime > 1600000000 && n.mtime < 4000000000);
        /* 1901-12-13 20:45:53: both ways of counting begin there. */
        if (i == 1) {
            put_be(di->mtime, 1000000001, 8);
        } else {
            put_be(di->mtime, 0x80000001, 4);
        }
        if (i < 2)
            seal((uint8_t *)di, 512, offsetof(struct xfs_disk_inode, crc));
        arena_reset(&o.arena);
        CHECK_OK(open_image(&o, data, len));
        CHECK_OK(fs_walk(&o.fs, &o.arena, "/boot/vmlinuz", &n, NULL));
        CHECK(n.mtime == -2147483647);
        close_image(&o);
    }
}

int main(void)
{
    make_tree();
    RUN(reads_what_mkfs_wrote);
    RUN(label_and_uuid_are_known);
    RUN(metadata_may_have_another_uuid);
    RUN(names_may_be_found_without_case);
    RUN(case_matters_elsewhere);
    RUN(large_directories_are_searched_by_hash);
    RUN(refuses_features_by_name);
    RUN(refuses_real_time_files);
    RUN(reads_inodes_of_version_1);
    RUN(times_are_understood);
    return test_done();
}
