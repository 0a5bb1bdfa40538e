/* SPDX-License-Identifier: MIT */
/*
 * Fuzz the XFS reader, from mount to file content; see visit.h for what an input is. In version 5
 * the checksum of what was changed is made right again, so that the code behind it is reached.
 */
#include <string.h>

#include "core/base/bytes.h"
#include "tests/fuzz/seeds.h"
#include "tests/fuzz/visit.h"
#include "tests/unit/xfs_build.h"

static const struct {
    const char *options;
    bool sealed;
} kinds[] = {
    {"-m crc=0 -i size=256 -b size=512 -n ftype=0", false},
    {"-m crc=0 -n ftype=1,size=8192", false},
    {"-m crc=0 -b size=1024 -n version=ci", false},
    {"-b size=1024", true},
    {"-m bigtime=1 -i nrext64=1", true},
    {"", false},
};
#define NR_KINDS ARRAY_LEN(kinds)

static struct fuzz_image images[NR_KINDS];

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of the images that are sealed; their blocks have 1024 or 4096 bytes. */
#define SUPER     512u
#define INODE     512u
#define DIR_BLOCK 4096u

/* Where a block that begins so has its checksum, and how long it is; 0: none that has one. */
static size_t crc_off_of(const uint8_t *b, size_t block_bytes, size_t *len)
{
    *len = block_bytes;
    if (be32(b) == XFS_BMBT_MAGIC_V5)
        return offsetof(struct xfs_disk_bmbt, crc);
    if (be32(b) == XFS_SYMLINK_MAGIC)
        return offsetof(struct xfs_disk_symlink, crc);
    *len = DIR_BLOCK;
    if (be32(b) == XFS_DIR_BLOCK_MAGIC_V5 || be32(b) == XFS_DIR_DATA_MAGIC_V5)
        return offsetof(struct xfs_disk_dir_data5, crc);
    switch (be16(b + offsetof(struct xfs_disk_da5, magic))) {
    case XFS_DA_NODE_MAGIC_V5:
    case XFS_DIR_LEAF1_MAGIC5:
    case XFS_DIR_LEAFN_MAGIC5:
        return offsetof(struct xfs_disk_da5, crc);
    default:
        return 0;
    }
}

/* The metadata around `off`: where it begins, its length, and where in it the checksum stands. */
static bool find_around(const uint8_t *data, size_t off, size_t *start, size_t *len,
                        size_t *crc_off)
{
    size_t size = be32(data + offsetof(struct xfs_disk_super, blocksize)) == 1024 ? 1024 : 4096;

    *len = SUPER;
    *start = 0;
    *crc_off = offsetof(struct xfs_disk_super, crc);
    if (off < SUPER)
        return true;
    *len = INODE;
    *start = off / INODE * INODE;
    *crc_off = offsetof(struct xfs_disk_inode, crc);
    if (be16(data + *start) == XFS_INODE_MAGIC)
        return true;
    /* A directory's block may have begun some blocks before. */
    for (*start = off / size * size; off - *start < DIR_BLOCK; *start -= size) {
        *crc_off = crc_off_of(data + *start, size, len);
        if (*crc_off != 0)
            return off - *start < *len;
        if (*start < size)
            break;
    }
    return false;
}

static bool checksum(const uint8_t *data, size_t off, size_t *at, uint8_t sum[4])
{
    size_t start, len, crc_off;

    if (!find_around(data, off, &start, &len, &crc_off))
        return false;
    uint32_t crc = xfs_crc(data + start, len, crc_off);

    for (size_t i = 0; i < 4; i++)
        sum[i] = (uint8_t)(crc >> 8 * i);
    *at = start + crc_off;
    return true;
}

/* Add what mkfs.xfs does not write. */
static void build_more(uint8_t *data, size_t len)
{
    char target[1000]; /* and its NUL */
    struct xfs_build b;
    struct opened o;

    must_be_ok(open_image(&o, data, len), "an image of mkfs.xfs");
    xfs_build_init(&b, &o);
    xfs_build_file(&b, "/dir/f1", 400);
    memset(target, '/', sizeof(target));
    target[sizeof(target) - 1] = '\0';
    xfs_build_link(&b, "slow", target, 999 / (b.x->block_bytes - 56) + 1);
    arena_reset(&o.arena);
}

/* Starting points: each image's metadata, patched here and there. */
static void write_seeds(const char *folder)
{
    uint32_t state = 1;

    for (unsigned i = 0; i < NR_KINDS * 40; i++) {
        uint8_t kind = (uint8_t)(i % NR_KINDS), patches[5 * 4];

        for (size_t k = 0; k < sizeof(patches); k++)
            patches[k] = (uint8_t)(next_random(&state) >> 8);
        seed(folder, i, (struct bytes){&kind, 1}, (struct bytes){patches, sizeof(patches)});
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static uint8_t some[300000];
    size_t len;

    put_file("tree/dir/f1", some, 3);
    put_file("tree/dir/f2", some, 30000);
    put_file("tree/boot/big", some, sizeof(some));
    /* Directories in their inode, in a block, with one leaf of hashes, and with several. */
    run("cd tree; ln -s dir/f1 link; ln -s .. dir/up; ln -s x slow; ln -s /dir up; "
        "mkdir -p a/b/c/many few; for i in $(seq 20); do : > a/b/name-$i; done; "
        "for i in $(seq 70); do : > dir/name-$i-$(printf 'n%%.0s' $(seq 150)); done; "
        "for i in $(seq 1100); do : > a/b/c/many/$i; done; "
        ": > a/b/c/many/f2; : > few/f2; mkdir few/d");
    for (size_t i = 0; i < NR_KINDS; i++) {
        uint8_t *data = make_xfs(kinds[i].options, "tree", "24M", &len);

        build_more(data, len);
        fuzz_image_init(&images[i], data, len);
        images[i].checksum = kinds[i].sealed ? checksum : NULL;
    }
    write_seeds(seed_folder(*argc, *argv));
    drop_temp_dir(); /* libFuzzer does not end by exit() */
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_images(images, NR_KINDS, data, size);
    return 0;
}
