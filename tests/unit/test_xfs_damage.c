/* SPDX-License-Identifier: MIT */
/*
 * Damaged XFS: each case changes a few bytes of an image, in version 5 with the checksum made
 * right again where the check behind it is meant, and expects the sentence that names it.
 */
#include "tests/unit/test.h"
#include "tests/unit/xfs_build.h"

enum place { SUPER, INODE, FORK, ENTRIES, HASHES };

struct damage {
    const char *path; /* whose inode or block; "" for the superblock */
    enum place place;
    size_t off;     /* in that; from the end when it is past END */
    uint64_t value; /* big endian; for one byte past XOR, what is flipped */
    size_t nr_bytes;
    const char *sentence;
    bool sealed;
};

#define END ((size_t)1 << 24)
#define XOR 0x100

#define SB(field)    SUPER, offsetof(struct xfs_disk_super, field)
#define DI(field)    INODE, offsetof(struct xfs_disk_inode, field)
#define DATA5(field) ENTRIES, offsetof(struct xfs_disk_dir_data5, field)
#define DA(field)    HASHES, offsetof(struct xfs_disk_da, field)
#define DA5(field)   HASHES, offsetof(struct xfs_disk_da5, field)

#define V4 "-m crc=0 -i size=1024 -n ftype=0"
#define V5 ""

#define FIRST_HASH4  sizeof(struct xfs_disk_da)
#define FIRST_ENTRY4 sizeof(struct xfs_disk_dir_data)

static const struct damage damages4[] = {
    {"", SB(blocklog), 8, 1, "blocks of", false},
    {"", SB(blocksize), 4095, 4, "blocks of", false},
    {"", SB(sectsize), 1000, 2, "sectors of", false},
    {"", SB(sectlog), 13, 1, "sectors of", false},
    {"", SB(inodesize), 8192, 2, "inodes of", false},
    {"", SB(inodelog), 0, 1, "inodes of", false},
    {"", SB(inopblog), 3, 1, "inodes of", false},
    {"", SB(dirblklog), 5, 1, "directory blocks of", false},
    {"", SB(agblocks), 0, 4, "groups of", false},
    {"", SB(agblocks), UINT32_MAX, 4, "groups of", false},
    {"", SB(agblklog), 40, 1, "groups of", false},
    {"", SB(agcount), 0, 4, "in %b groups", false},
    {"", SB(agcount), 99, 4, "in %b groups", false},
    {"", SB(dblocks), UINT64_MAX, 8, "more than a disk", false},
    {"", SB(dblocks), 1 << 20, 8, "more than a disk", false},
    {"", SB(inprogress), 1, 1, "has not ended", false},
    {"", SB(logblocks), 0, 4, "a log of", false},
    {"", SB(logblocks), 1 << 30, 4, "a log of", false},
    {"", SB(logstart), 1ull << 40, 8, "a log of", false},
    {"", SB(rootino), UINT64_MAX, 8, "the root is inode", false},
    {"", SB(rootino), 1, 8, "the root is inode", false},
    {"/boot/vmlinuz", DI(magic), 0, 2, "begins with", false},
    {"/boot/vmlinuz", DI(version), 3, 1, "has the version", false},
    {"/boot/vmlinuz", DI(mode), 0, 2, "is free", false},
    {"/boot/vmlinuz", DI(nlink), 0, 4, "is free", false},
    {"/boot/vmlinuz", DI(size), 1ull << 63, 8, "has a size of", false},
    {"/boot/vmlinuz", DI(format), 9, 1, "has the format", false},
    {"/boot/vmlinuz", DI(format), XFS_FORMAT_DEV, 1, "has the format", false},
    {"/boot/vmlinuz", DI(format), XFS_FORMAT_LOCAL, 1, "itself", false},
    {"/boot/vmlinuz", DI(format), XFS_FORMAT_BTREE, 1, "extent tree", false},
    {"/boot/vmlinuz", DI(forkoff), 255, 1, "attributes at", false},
    {"/boot/vmlinuz", DI(nextents), 1000, 4, "a list of", false},
    {"/boot/vmlinuz", FORK, 8, UINT64_MAX, 8, "an extent of", false},
    {"/boot/vmlinuz", FORK, 8, 0, 8, "a length of", false},
    {"/boot/vmlinuz", FORK, 8, 1, 8, "an extent of", false}, /* a group's header */
    {"/many", FORK, 16, 0, 8, "out of order", false},
    {"/many", DI(size), 4095, 8, "is a directory of", false},
    {"/many", DI(size), 1ull << 36, 8, "has a size of", false},
    {"/many", DI(size), 0, 8, "is a directory of", false},
    {"/few", DI(size), 5, 8, "is a directory of", false},
    {"/few", DI(size), 1000, 8, "itself", false},
    {"/few", FORK, 0, 200, 1, "reaches past", false},
    {"/few", FORK, 6, 0, 1, "without a name", false},
    {"/few", FORK, 6, 200, 1, "reaches past", false},
    {"/few", FORK, 9, '/', 1, "a slash", false},
    {"/few", FORK, 15, UINT32_MAX, 4, "no place", false},
    {"/some", ENTRIES, 0, 0, 4, "begins with", false},
    {"/some", ENTRIES, END - 8, 1000, 4, "hashes", false},
    {"/some", ENTRIES, END - 8, UINT32_MAX, 4, "hashes", false},
    {"/some", ENTRIES, FIRST_ENTRY4, 1ull << 60, 8, "no place", false},
    {"/some", ENTRIES, FIRST_ENTRY4, 0, 8, "no place", false},
    {"/some", ENTRIES, FIRST_ENTRY4, 0xffff, 2, "a directory entry of", false},
    {"/some", ENTRIES, FIRST_ENTRY4, 0xffff0000, 4, "a directory entry of", false},
    {"/some", ENTRIES, FIRST_ENTRY4, 0xfffffff8, 4, "a directory entry of", false},
    {"/some", ENTRIES, FIRST_ENTRY4, 0xffff0009, 4, "a directory entry of", false},
    {"/some", ENTRIES, FIRST_ENTRY4 + 8, 200, 1, "a directory entry of", false},
    {"/some", ENTRIES, FIRST_ENTRY4 + 8, 0, 1, "without a name", false},
    {"/some", ENTRIES, FIRST_ENTRY4 + 9, 0, 1, "a NUL", false},
    {"/some", ENTRIES, FIRST_ENTRY4 + 14, 17, 2, "a directory entry of", false}, /* its tag */
    {"/many", ENTRIES, 0, XFS_DIR_BLOCK_MAGIC, 4, "a directory", false},
    {"/many", DA(magic), 0, 2, "begins with", false},
    {"/many", DA(count), 5000, 2, "a hash block of level", false},
    {"/many", DA(level), 0, 2, "a hash block of level", false},
    {"/many", DA(level), 6, 2, "a hash block of level", false},
    {"/many", DA(level), 3, 2, "should be", false},
    {"/many", HASHES, FIRST_HASH4, UINT32_MAX, 4, "out of order", false},
    {"/many", HASHES, FIRST_HASH4 + 4, 0, 4, "its hashes at", false},
    {"/many", HASHES, FIRST_HASH4 + 4, 1 << 24, 4, "its hashes at", false},
    {"/many", HASHES, FIRST_HASH4 + 4, 1 << 23, 4, "should be", false}, /* itself */
    {"/many", HASHES, FIRST_HASH4 + 4, 0xfffff0, 4, "a hole in its hashes", false},
    {"/absolute", DI(size), 2000, 8, "itself", false},
    {"/absolute", DI(size), 0, 8, "a symbolic link of", false},
    {"/absolute", FORK, 0, 0, 1, "an empty symbolic link", false},
};

static const struct damage damages5[] = {
    {"", SB(fname), XOR + 1, 1, "superblock checksum", false},
    {"", SB(blocklog), 9, 1, "blocks of", true},
    {"/boot/vmlinuz", DI(gen), XOR + 1, 1, "inode checksum", false},
    {"/boot/vmlinuz", DI(version), 2, 1, "has the version", true},
    {"/boot/vmlinuz", DI(ino), XOR + 1, 1, "says that it is", true},
    {"/boot/vmlinuz", DI(uuid), XOR + 1, 1, "another file system", true},
    {"/boot/vmlinuz", INODE, 127, XOR + XFS_INODE2_METADATA, 1, "is metadata", true},
    {"/some", DATA5(pad), XOR + 1, 1, "checksum", false},
    {"/some", DATA5(owner), XOR + 1, 1, "says that it is of", true},
    {"/some", DATA5(blkno), XOR + 1, 1, "says that it lies", true},
    {"/some", DATA5(uuid), XOR + 1, 1, "another file system", true},
    {"/some", DATA5(magic), XFS_DIR_BLOCK_MAGIC, 4, "begins with", true},
    {"/many", DATA5(pad), XOR + 1, 1, "checksum", false},
    {"/many", DA5(pad), XOR + 1, 1, "checksum", false},
    {"/many", DA5(owner), XOR + 1, 1, "says that it is of", true},
    {"/many", DA5(blkno), XOR + 1, 1, "says that it lies", true},
    {"/many", DA5(uuid), XOR + 1, 1, "another file system", true},
    {"/many", DA5(magic), XFS_DA_NODE_MAGIC, 2, "begins with", true},
};

static void make_tree(void)
{
    static uint8_t some[3000000];

    for (size_t i = 0; i < sizeof(some); i++)
        some[i] = (uint8_t)(i * 7 + i / 251);
    put_file("tree/boot/vmlinuz", some, 100000);
    put_file("tree/boot/big", some, sizeof(some));
    run("cd tree; ln -s /boot/vmlinuz absolute; mkdir some few many; "
        "for i in $(seq 6); do echo $i >few/name-$i; done; "
        "for i in $(seq 60); do echo $i >some/a-file-with-a-name-$i; done; "
        "for i in $(seq 1200); do : >many/$i-$(printf 'n%%.0s' $(seq 12)); done");
}

static bool count_entry(void *ctx, const char *name, size_t len, uint64_t ino)
{
    (void)name;
    (void)len;
    (void)ino;
    ++*(uint32_t *)ctx;
    return true;
}

/* Use the path as a boot would: the first error. */
static struct err use(struct opened *o, const char *path)
{
    char target[FS_PATH_MAX];
    struct node n, dir;
    struct run run;
    uint32_t nr = 0;
    uint64_t ino;
    size_t len;

    TRY(fs_walk(&o->fs, &o->arena, "/", &dir, NULL));
    if (path[0] == '\0')
        return OK;
    if (strcmp(path, "/absolute") == 0) {
        TRY(o->fs.ops->lookup(&o->fs, &dir, path + 1, 8, &ino));
        TRY(o->fs.ops->get_node(&o->fs, &o->arena, ino, &n));
        return o->fs.ops->readlink(&o->fs, &n, target, sizeof(target), &len);
    }
    TRY(fs_walk(&o->fs, &o->arena, path, &n, NULL));
    if (n.type != NODE_DIR)
        return o->fs.ops->map(&o->fs, &n, 0, &run);
    TRY(o->fs.ops->readdir(&o->fs, &n, count_entry, &nr));
    /* Names with small and with great hashes. */
    for (uint32_t i = 1; i < 1200; i += 19) {
        char name[64];

        snprintf(name, sizeof(name), "%u-nnnnnnnnnnnn", i);
        struct err e = o->fs.ops->lookup(&o->fs, &n, name, strlen(name), &ino);

        if (failed(e) && e.code != ERR_FILE_NOT_FOUND)
            return e;
    }
    return OK;
}

/* The place in the image, its length, and where its checksum stands. */
static uint8_t *find(struct opened *o, const struct damage *d, size_t *len, size_t *crc_off)
{
    struct xfs *x = o->fs.priv;
    struct node n;

    *len = 512;
    *crc_off = offsetof(struct xfs_disk_super, crc);
    if (d->place == SUPER)
        return o->data;
    uint8_t *inode = inode_at(o, strcmp(d->path, "/absolute") == 0 ? "/" : d->path, &n);

    if (strcmp(d->path, "/absolute") == 0) {
        uint64_t ino = 0;

        CHECK_OK(o->fs.ops->lookup(&o->fs, &n, "absolute", 8, &ino));
        inode = o->data + xfs_ino_off(x, ino);
    }
    *len = x->inode_bytes;
    *crc_off = offsetof(struct xfs_disk_inode, crc);
    if (d->place == INODE)
        return inode;
    if (d->place == FORK)
        return inode + (x->v5 ? sizeof(struct xfs_disk_inode) : XFS_INODE_OLD_BYTES);
    *len = x->dir_block_bytes;
    *crc_off = d->place == ENTRIES ? offsetof(struct xfs_disk_dir_data5, crc)
                                   : offsetof(struct xfs_disk_da5, crc);
    return block_at(o, &n, d->place == ENTRIES ? 0 : XFS_DIR_LEAF_OFF);
}

static void try_damage(const char *options, const struct damage *d)
{
    struct opened o;
    size_t len, part_len, crc_off, off = d->off;
    int before = test_bad_checks_;
    uint8_t *data = copy_of(options, &len);

    CHECK_OK(open_image(&o, data, len));
    CHECK_OK(use(&o, d->path));
    uint8_t *part = find(&o, d, &part_len, &crc_off);

    if (off > END / 2)
        off = part_len - (END - off);
    if (d->value >= XOR && d->nr_bytes == 1)
        part[off] ^= (uint8_t)d->value;
    else
        put_be(part + off, d->value, d->nr_bytes);
    if (d->sealed)
        seal(part, part_len, crc_off);
    arena_reset(&o.arena);
    struct err e = open_image(&o, data, len);

    if (!failed(e))
        e = use(&o, d->path);
    CHECK_U64(e.code, ERR_FS_DAMAGED);
    CHECK(e.msg != NULL && strstr(e.msg, d->sentence) != NULL);
    close_image(&o);
    if (test_bad_checks_ != before)
        printf("  %s: byte %zu should have given \"%s\", was \"%s\"\n", d->path, d->off,
               d->sentence, e.msg != NULL ? e.msg : "");
}

static void damage_is_named_in_version_4(void)
{
    for (size_t i = 0; i < ARRAY_LEN(damages4); i++)
        try_damage(V4, &damages4[i]);
}

static void damage_is_named_in_version_5(void)
{
    for (size_t i = 0; i < ARRAY_LEN(damages5); i++)
        try_damage(V5, &damages5[i]);
}

/* Leaves that form a circle, all of one hash. */
static void circles_of_leaves_end(void)
{
    struct opened o;
    struct node n;
    size_t len;
    uint64_t ino;
    uint8_t *data = copy_of(V4, &len);

    CHECK_OK(open_image(&o, data, len));
    CHECK_OK(fs_walk(&o.fs, &o.arena, "/many", &n, NULL));
    uint8_t *node = block_at(&o, &n, XFS_DIR_LEAF_OFF);
    uint32_t leaf_block = be32(node + FIRST_HASH4 + 4), nr;
    uint8_t *leaf = block_at(&o, &n, (uint64_t)leaf_block << 12);

    for (uint32_t i = 0; i < be16(node + offsetof(struct xfs_disk_da, count)); i++)
        put_be(node + FIRST_HASH4 + 8 * i, UINT32_MAX, 4);
    nr = be16(leaf + offsetof(struct xfs_disk_da, count));
    for (uint32_t i = 0; i < nr; i++)
        put_be(leaf + FIRST_HASH4 + 8 * i, (uint64_t)('n' << 7 ^ 'o') << 32, 8);
    put_be(leaf, leaf_block, 4);
    CHECK_ERR(o.fs.ops->lookup(&o.fs, &n, "no", 2, &ino), ERR_LIMIT);
    /* The same, without any entry. */
    put_be(leaf + offsetof(struct xfs_disk_da, count), 0, 2);
    arena_reset(&o.arena);
    CHECK_OK(open_image(&o, data, len));
    CHECK_OK(fs_walk(&o.fs, &o.arena, "/many", &n, NULL));
    CHECK_ERR(o.fs.ops->lookup(&o.fs, &n, "no", 2, &ino), ERR_LIMIT);
    close_image(&o);
}

/* Entries of one hash that lie in two blocks by turns: each look would read one anew. */
static void hashes_back_and_forth_end(void)
{
    struct opened o;
    struct node n;
    char text[200];
    size_t len;
    uint64_t ino;
    uint8_t *data = copy_of(V4, &len);

    CHECK_OK(open_image(&o, data, len));
    CHECK_OK(fs_walk(&o.fs, &o.arena, "/many", &n, NULL));
    uint8_t *node = block_at(&o, &n, XFS_DIR_LEAF_OFF);
    uint32_t leaf_block = be32(node + FIRST_HASH4 + 4);
    uint8_t *leaf = block_at(&o, &n, (uint64_t)leaf_block << 12);
    uint32_t nr = be16(leaf + offsetof(struct xfs_disk_da, count)) & ~1u;

    put_be(leaf + offsetof(struct xfs_disk_da, count), nr, 2);
    for (uint32_t i = 0; i < nr; i++)
        put_be(leaf + FIRST_HASH4 + 8 * i,
               (uint64_t)('n' << 7 ^ 'o') << 32 | (i % 2 * 4096 + 16) / XFS_DIRENT_ALIGN, 8);
    put_be(leaf, leaf_block, 4);
    for (uint32_t i = 0; i < be16(node + offsetof(struct xfs_disk_da, count)); i++)
        put_be(node + FIRST_HASH4 + 8 * i, UINT32_MAX, 4);
    struct err e = o.fs.ops->lookup(&o.fs, &n, "no", 2, &ino);

    CHECK_ERR(e, ERR_LIMIT);
    (void)err_format(e, NULL, text, sizeof(text));
    CHECK(strstr(text, "more than 4096 blocks") != NULL);
    close_image(&o);
}

/* ---- what mkfs.xfs does not write --------------------------------------------------------------
 */

/* Open again, with nothing in the cache. */
static void reopen(struct opened *o)
{
    arena_reset(&o->arena);
    must_be_ok(open_image(o, o->data, o->len), "an image that was built");
}

static struct err read_link(struct opened *o, char *target, size_t *len)
{
    struct node n, root;
    uint64_t ino = 0;

    TRY(fs_walk(&o->fs, &o->arena, "/", &root, NULL));
    TRY(o->fs.ops->lookup(&o->fs, &root, "absolute", 8, &ino));
    TRY(o->fs.ops->get_node(&o->fs, &o->arena, ino, &n));
    return o->fs.ops->readlink(&o->fs, &n, target, FS_PATH_MAX, len);
}

static void links_outside_the_inode_are_read(void)
{
    static const struct {
        const char *options;
        uint32_t len, nr_extents;
    } kinds[] = {
        {"-b size=1024", 968, 1},
        {"-b size=1024", 969, 2},
        {"-b size=1024", 1023, 2},
        {"", 1023, 1},
        {V4, 1023, 1},
        {"-m crc=0 -b size=512", 512, 1},
        {"-m crc=0 -b size=512", 513, 2},
        {"-m crc=0 -b size=512", 1023, 2},
    };

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        char target[1024] = {0}, got[FS_PATH_MAX];
        struct xfs_build b;
        struct opened o;
        size_t len;
        uint8_t *data = copy_of(kinds[i].options, &len);

        for (size_t k = 0; k < kinds[i].len; k++)
            target[k] = (char)('a' + k % 23);
        CHECK_OK(open_image(&o, data, len));
        xfs_build_init(&b, &o);
        xfs_build_link(&b, "absolute", target, kinds[i].nr_extents);
        reopen(&o);
        CHECK_OK(read_link(&o, got, &len));
        CHECK_U64(len, kinds[i].len);
        CHECK(memcmp(got, target, kinds[i].len) == 0);
        close_image(&o);
    }
}

static void damage_of_such_links_is_named(void)
{
    static const struct {
        size_t off; /* in the last piece */
        uint64_t value;
        bool sealed;
        const char *sentence;
    } cases[] = {
        {offsetof(struct xfs_disk_symlink, magic), 0, true, "a piece of a symbolic link"},
        {offsetof(struct xfs_disk_symlink, offset), 0, true, "a piece of a symbolic link"},
        {offsetof(struct xfs_disk_symlink, bytes), 1024, true, "a piece of a symbolic link"},
        {offsetof(struct xfs_disk_symlink, bytes), 0, false, "checksum"},
        {offsetof(struct xfs_disk_symlink, uuid), 0, true, "another file system"},
        {offsetof(struct xfs_disk_symlink, owner) + 4, 7, true, "says that it is of"},
        {offsetof(struct xfs_disk_symlink, blkno) + 4, 7, true, "says that it lies"},
    };

    for (size_t i = 0; i <= ARRAY_LEN(cases); i++) {
        char target[1001], got[FS_PATH_MAX];
        const char *sentence = i < ARRAY_LEN(cases) ? cases[i].sentence : "a hole";
        struct xfs_build b;
        struct opened o;
        size_t len;
        uint8_t *data = copy_of("-b size=1024", &len);

        memset(target, 'x', 1000);
        target[1000] = '\0';
        CHECK_OK(open_image(&o, data, len));
        xfs_build_init(&b, &o);
        xfs_build_link(&b, "absolute", target, i < ARRAY_LEN(cases) ? 2 : 1);
        if (i < ARRAY_LEN(cases)) {
            put_be(b.free_bytes - 1024 + cases[i].off, cases[i].value, 4);
            if (cases[i].sealed)
                seal(b.free_bytes - 1024, 1024, offsetof(struct xfs_disk_symlink, crc));
        }
        reopen(&o);
        struct err e = read_link(&o, got, &len);

        CHECK_U64(e.code, ERR_FS_DAMAGED);
        CHECK(e.msg != NULL && strstr(e.msg, sentence) != NULL);
        close_image(&o);
    }
}

#define NR_EXTENTS 100000u

static void check_runs(struct opened *o, struct node *n)
{
    uint64_t block_bytes = ((struct xfs *)o->fs.priv)->block_bytes, nr = 0;
    struct run run;

    for (uint64_t pos = 0; pos < n->size_bytes; pos += block_bytes, nr++) {
        uint64_t i = pos / block_bytes;
        struct err e = o->fs.ops->map(&o->fs, n, pos, &run);

        CHECK_OK(e);
        if (failed(e))
            break;
        CHECK_U64(run.kind, i % 2 != 0 || i / 2 % 3 == 1 ? RUN_HOLE : RUN_DISK);
        CHECK_U64(run.file_off_bytes, pos);
        if (i + 1 < (uint64_t)2 * NR_EXTENTS)
            CHECK_U64(run.len_bytes, block_bytes);
    }
    CHECK_U64(nr, 2 * NR_EXTENTS);
}

static void a_file_in_100000_extents_needs_no_table(void)
{
    static const char *const kinds[] = {V4, V5};

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct opened o;
        struct node n;
        struct xfs_build b;
        size_t len;
        uint8_t *data = copy_of(kinds[i], &len), *block = aligned_alloc(4096, (size_t)3 * 4096);

        CHECK_OK(open_image(&o, data, len));
        xfs_build_init(&b, &o);
        xfs_build_file(&b, "/boot/vmlinuz", NR_EXTENTS);
        reopen(&o);
        CHECK_OK(fs_walk(&o.fs, &o.arena, "/boot/vmlinuz", &n, NULL));
        uint32_t reads = o.disk.nr_reads;
        size_t used = o.arena.used_bytes;

        check_runs(&o, &n);
        CHECK(o.disk.nr_reads - reads <= NR_EXTENTS / 250 + 4); /* each block of the tree once */
        CHECK(o.arena.used_bytes - used <= (size_t)512 * 1024); /* the cache, a block a level */
        struct file f = {.fs = &o.fs, .node = n};

        CHECK_OK(file_read(&f, (uint64_t)60000 * 4096, block, (uint64_t)3 * 4096));
        CHECK_U64(block[1], 7); /* as /boot/vmlinuz began */
        CHECK_U64(block[4096 + 1], 0);
        CHECK_U64(block[2 * 4096 + 1], 0);
        free(block);
        close_image(&o);
    }
}

/* A change in the tree of that file, and what it is called. */
static void broken_trees_are_named(void)
{
    enum { ROOT_FITS = 57, PER_BLOCK = 254, HEAD = 24 }; /* an inode of 1024 bytes, version 4 */
    static const struct {
        int level; /* 2: the root */
        size_t off;
        uint64_t value;
        size_t nr_bytes;
        const char *sentence;
    } cases[] = {
        {2, 0, 0, 2, "an extent tree of"},
        {2, 0, 11, 2, "an extent tree of"},
        {2, 2, 0, 2, "keys of an extent tree"},
        {2, 2, ROOT_FITS + 1, 2, "keys of an extent tree"},
        {2, 4, UINT32_MAX, 8, "out of order"},
        {2, 4 + 8 * ROOT_FITS, 0, 8, "points to block"},
        {2, 4 + 8 * ROOT_FITS, UINT64_MAX, 8, "points to block"},
        {1, 0, 0, 4, "block begins with"},
        {1, 4, 0, 2, "block of level"},
        {1, 4, 2, 2, "block of level"},
        {1, 6, 0, 2, "keys of an extent tree"},
        {1, 6, PER_BLOCK + 1, 2, "keys of an extent tree"},
        {1, HEAD + 8 * PER_BLOCK, 0, 8, "points to block"},
        {0, 0, XFS_BMBT_MAGIC_V5, 4, "block begins with"},
        {0, 4, 1, 2, "block of level"},
        {0, 6, PER_BLOCK + 1, 2, "have room"},
        {0, 24, UINT64_MAX >> 1, 8, "out of order"},
        {0, 32, 0, 8, "a length of"},
        {0, 32, 1 << 20, 8, "a length of"},
        {0, 32, UINT64_MAX << 21 | 1, 8, "an extent of"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct xfs_build b;
        struct opened o;
        struct node n;
        struct run run;
        size_t len;
        int before = test_bad_checks_;
        uint8_t *data = copy_of(V4, &len);

        CHECK_OK(open_image(&o, data, len));
        xfs_build_init(&b, &o);
        CHECK_U64(b.root_fits, ROOT_FITS);
        xfs_build_file(&b, "/boot/vmlinuz", 80000);
        uint8_t *at = inode_at(&o, "/boot/vmlinuz", &n) + XFS_INODE_OLD_BYTES;

        if (cases[i].level < 2)
            at = data + xfs_block_off(b.x, be64(at + 4 + (size_t)8 * ROOT_FITS));
        if (cases[i].level < 1)
            at = data + xfs_block_off(b.x, be64(at + HEAD + (size_t)8 * PER_BLOCK));
        put_be(at + cases[i].off, cases[i].value, cases[i].nr_bytes);
        reopen(&o);
        CHECK_OK(fs_walk(&o.fs, &o.arena, "/boot/vmlinuz", &n, NULL));
        for (int again = 0; again < 2; again++) {
            struct err e = o.fs.ops->map(&o.fs, &n, 0, &run);

            CHECK_U64(e.code, ERR_FS_DAMAGED);
            CHECK(e.msg != NULL && strstr(e.msg, cases[i].sentence) != NULL);
        }
        close_image(&o);
        if (test_bad_checks_ != before)
            printf("  level %d, byte %zu\n", cases[i].level, cases[i].off);
    }
}

int main(void)
{
    make_tree();
    RUN(damage_is_named_in_version_4);
    RUN(circles_of_leaves_end);
    RUN(hashes_back_and_forth_end);
    RUN(links_outside_the_inode_are_read);
    RUN(damage_of_such_links_is_named);
    RUN(a_file_in_100000_extents_needs_no_table);
    RUN(broken_trees_are_named);
    RUN(damage_is_named_in_version_5);
    return test_done();
}
