/* SPDX-License-Identifier: MIT */
/*
 * Overwriting a file's bytes where they lie, on images of mke2fs: what is written, what is refused
 * and why, and what e2fsck thinks of it. XFS and ReiserFS are in test_inplace_fs.c.
 */
#include "core/fs/inplace.h"

#include <stdlib.h>

#include "core/base/bytes.h"
#include "core/fs/ext.h"
#include "tests/unit/jbd2gen.h"
#include "tests/unit/mkfs.h"
#include "tests/unit/test.h"
#include "tests/unit/writedisk.h"

#define DEFAULT "0\n#\n#\n#\n#\n#\n#\n#\n#\n#\n"

struct bench {
    uint8_t *image;
    size_t len;
    struct write_disk disk;
    struct arena arena;
    struct fs fs;
    struct file file;
    struct log log;
    char said[600];
};

static struct bench b;

static void hear(void *ctx, const char *text)
{
    (void)ctx;
    snprintf(b.said + strlen(b.said), sizeof(b.said) - strlen(b.said), "%s\n", text);
}

static void make_tree(void)
{
    static char big[30000];

    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (char)('a' + i / 512 % 26);
    put_file("tree/boot/grub/default", DEFAULT, strlen(DEFAULT));
    put_file("tree/boot/grub/menu.lst", "title x\n", 8);
    put_file("tree/big", big, sizeof(big));
    memset(big, 0, 16384);
    put_file("tree/hole", big, sizeof(big));
}

static void begin(const char *options, uint32_t sector_bytes)
{
    memset(&b, 0, sizeof(b));
    b.log = (struct log){.line = hear};
    b.image = make_ext(options, "tree", strstr(options, "bigalloc") ? "64M" : "8M", &b.len);
    write_disk_init(&b.disk, b.image, b.len, sector_bytes);
    arena_init(&b.arena, &test_memory);
}

static void open_file(const char *path)
{
    b.disk.disk.cache = NULL;
    write_disk_restart(&b.disk);
    CHECK_OK(fs_mount(&b.fs, &b.disk.disk, &b.arena, &b.log));
    CHECK_OK(file_open(&b.file, &b.fs, &b.arena, path, NULL));
}

static void end(void)
{
    arena_reset(&b.arena);
    write_disk_free(&b.disk);
    free(b.image);
}

/* Where the file's first byte is, by its map. */
static uint64_t file_at(void)
{
    struct run run;

    CHECK_OK(b.fs.ops->map(&b.fs, &b.file.node, 0, &run));
    return run.disk_off_bytes - run.file_off_bytes;
}

static void refused(size_t off, const char *bytes, enum err_code code, const char *part)
{
    struct err e = file_overwrite(&b.file, off, bytes, strlen(bytes));
    char text[400];

    err_format(e, NULL, text, sizeof(text));
    CHECK_U64(e.code, code);
    if (strstr(text, part) == NULL)
        CHECK_STR(text, part);
    CHECK(failed(file_may_overwrite(&b.file, off, strlen(bytes))));
    CHECK_U64(b.disk.nr_writes, 0);
}

/* The file as it reads now, through the same mount and its caches. */
static void holds(const char *want)
{
    char got[64] = "";

    CHECK_OK(file_read(&b.file, 0, got, strlen(want)));
    CHECK_STR(got, want);
}

/* What e2fsprogs say of the image: no complaint, and the content of the file. */
static void oracle(const char *fsck, const char *want)
{
    size_t len;
    char *got;

    put_file("written", b.image, b.len);
    run("PATH=$PATH:/sbin:/usr/sbin; %s written >fsck.log 2>&1 || { cat fsck.log >&2; false; }",
        fsck);
    run("PATH=$PATH:/sbin:/usr/sbin; debugfs -R 'cat /boot/grub/default' written >got 2>/dev/null");
    got = (char *)get_file("got", &len);
    CHECK_U64(len, strlen(DEFAULT));
    CHECK(memcmp(got, want, strlen(want)) == 0);
    free(got);
}

static void one_sector_of_every_kind_of_ext(void)
{
    static const struct {
        const char *options;
        uint32_t sector_bytes;
    } kinds[] = {
        {"-t ext2 -b 1024", 512},
        {"-t ext2 -b 1024", 4096},
        {"-t ext3 -b 2048", 512},
        {"-t ext4 -b 1024", 512},
        {"-t ext4 -b 4096", 4096},
        {"-t ext4 -b 4096 -O metadata_csum,64bit", 512},
        {"-t ext4 -b 4096 -O bigalloc -C 16384", 512},
        {"-t ext4 -b 4096 -O encrypt,verity,large_dir,ea_inode", 512},
    };

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        begin(kinds[i].options, kinds[i].sector_bytes);
        open_file("/boot/grub/default");
        holds("0\n#\n");
        CHECK_OK(file_may_overwrite(&b.file, 0, 2));
        CHECK_U64(b.disk.nr_writes, 0);
        CHECK_OK(file_overwrite(&b.file, 0, "17\n", 3));
        CHECK_U64(b.disk.nr_writes, 1);
        CHECK_U64(b.disk.nr_flushes, 1);
        CHECK_STR(b.disk.order, "rwfr");
        CHECK_U64(b.disk.len_bytes, kinds[i].sector_bytes);
        CHECK(b.disk.off_bytes <= file_at() && file_at() - b.disk.off_bytes < b.disk.len_bytes);
        CHECK(write_disk_changed_only(&b.disk, file_at(), "17\n", 3));
        CHECK_STR(b.said, "");
        holds("17\n\n#\n");
        oracle("e2fsck -fn", "17\n\n#\n");
        /* The same again is no write. */
        write_disk_restart(&b.disk);
        CHECK_OK(file_overwrite(&b.file, 0, "17\n", 3));
        CHECK_U64(b.disk.nr_writes, 0);
        end();
    }
}

static void anywhere_in_a_file(void)
{
    begin("-t ext4 -b 1024", 512);
    open_file("/big");
    CHECK_OK(file_overwrite(&b.file, 12 * 512 + 100, "here", 4));
    CHECK(write_disk_changed_only(&b.disk, file_at() + 12 * 512 + 100, "here", 4));
    CHECK_U64(b.disk.off_bytes, file_at() + 12 * 512);
    write_disk_restart(&b.disk);
    refused(1022, "1234", ERR_REFUSED, "two sectors");
    refused(510, "123", ERR_REFUSED, "two sectors");
    CHECK_OK(file_overwrite(&b.file, 509, "123", 3));
    write_disk_restart(&b.disk);
    refused(29999, "12", ERR_FILELENGTH, "cannot grow");
    refused(SIZE_MAX, "12", ERR_FILELENGTH, "cannot grow");
    refused(0, "", ERR_FILELENGTH, "cannot grow");
    open_file("/hole");
    refused(0, "12", ERR_REFUSED, "never been written");
    CHECK_OK(file_overwrite(&b.file, 20000, "12", 2));
    end();
}

/* Change the file's inode in the image, and open it again. */
static uint8_t *inode(void)
{
    return b.image + ((struct ext_node *)b.file.node.priv)->where;
}

static void seal_inode(void)
{
    ext_inode_csum_set(b.fs.priv, b.file.node.ino, inode());
    open_file("/boot/grub/default");
}

static void files_that_are_not_written_to(void)
{
    static const struct {
        uint32_t flags;
        const char *part;
    } cases[] = {
        {EXT_INODE_VERITY, "sealed"},      {EXT_INODE_COMPRESSED, "compressed"},
        {EXT_INODE_ENCRYPT, "encrypted"},  {EXT_INODE_COMPR_BLOCK, "compressed"},
        {EXT_INODE_JOURNALLED, "journal"}, {EXT_INODE_IMMUTABLE, "protected"},
        {EXT_INODE_APPEND, "protected"},
    };
    struct ext_disk_extent *extent;

    begin("-t ext4 -b 1024", 512);
    open_file("/boot/grub/default");
    struct ext_disk_inode *di = (struct ext_disk_inode *)inode();

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint32_t flags = le32(di->flags);

        for (size_t j = 0; j < 4; j++)
            di->flags[j] = (uint8_t)((flags | cases[i].flags) >> 8 * j);
        seal_inode();
        refused(0, "1\n", ERR_REFUSED, cases[i].part);
        for (size_t j = 0; j < 4; j++)
            di->flags[j] = (uint8_t)(flags >> 8 * j);
    }
    /* An extent that is there, but not written yet. */
    extent = (struct ext_disk_extent *)(di->block + sizeof(struct ext_disk_extent_header));
    CHECK_U64(le16(extent->len), 1);
    extent->len[1] = 0x80;
    seal_inode();
    refused(0, "1\n", ERR_REFUSED, "never been written");
    extent->len[1] = 0;
    seal_inode();
    CHECK_OK(file_overwrite(&b.file, 0, "1\n", 2));
    end();
    begin("-t ext4 -b 1024 -O inline_data -I 256", 512);
    open_file("/boot/grub/default");
    refused(0, "1\n", ERR_REFUSED, "inline_data");
    end();
}

static void file_systems_that_are_not_written_to(void)
{
    static const struct {
        uint32_t ro_compat, incompat;
        const char *part;
    } cases[] = {
        {EXT_RO_COMPAT_SHARED_BLOCKS, 0, "shared_blocks"},
        {EXT_RO_COMPAT_READONLY, 0, "only read"},
        {EXT_RO_COMPAT_HAS_SNAPSHOT, 0, "snapshots"},
        {0x80000000u, 0, "0x80000000"},
        {0, EXT_INCOMPAT_MMP, "mmp"},
    };

    begin("-t ext4 -b 1024", 512);
    struct ext_disk_super *sb = (struct ext_disk_super *)(b.image + EXT_SUPER_OFF);

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ext_disk_super was = *sb;

        for (size_t j = 0; j < 4; j++) {
            sb->feature_ro_compat[j] |= (uint8_t)(cases[i].ro_compat >> 8 * j);
            sb->feature_incompat[j] |= (uint8_t)(cases[i].incompat >> 8 * j);
        }
        gen_ext_super(b.image);
        open_file("/boot/grub/default");
        refused(0, "1\n", ERR_REFUSED, cases[i].part);
        *sb = was;
    }
    sb->state[0] |= EXT_STATE_ERRORS;
    gen_ext_super(b.image);
    open_file("/boot/grub/default");
    refused(0, "1\n", ERR_REFUSED, "having errors");
    end();
}

static void disks_that_do_not_take_it(void)
{
    struct err e;

    begin("-t ext4 -b 1024", 512);
    b.disk.disk.read_only = true;
    open_file("/boot/grub/default");
    e = file_overwrite(&b.file, 0, "1\n", 2);
    CHECK_U64(e.code, ERR_WRITE);
    CHECK_STR(e.msg, "the disk is read-only");
    CHECK_U64(b.disk.nr_writes, 0);
    CHECK_OK(file_may_overwrite(&b.file, 0, 2));
    b.disk.disk.read_only = false;
    for (int fault = WRITE_FAILS; fault <= READ_BACK_FAILS; fault++) {
        open_file("/boot/grub/default");
        b.disk.fault = (enum write_fault)fault;
        e = file_overwrite(&b.file, 0, "1\n", 2);
        CHECK_U64(e.code, fault == READ_BACK_FAILS ? ERR_READ : ERR_WRITE);
        b.disk.fault = WRITES_WELL;
        /* What is read afterwards is what the disk has, old or new. */
        holds(fault <= WRITE_LIES ? "0\n#\n" : "1\n#\n");
        memcpy(b.image, b.disk.before, b.len);
    }
    /* The mount's view of the file is older than the disk. */
    open_file("/boot/grub/default");
    holds("0\n");
    b.image[file_at()] = '7';
    CHECK_U64(file_overwrite(&b.file, 0, "1\n", 2).code, ERR_WRITE);
    CHECK_U64(b.disk.nr_writes, 0);
    end();
}

/* A journal with a transaction that replaces `block`. */
static void journal(uint64_t block, const uint8_t *bytes, bool revoked)
{
    struct jbd2gen g;

    gen_open(&g, b.image, b.len, 0, GEN_REVOKE, 1, 5);
    gen_blocks(&g, &block, bytes, 1);
    gen_commit(&g);
    if (revoked) {
        gen_revoke(&g, &block, 1);
        gen_commit(&g);
    }
    gen_close(&g);
}

static void beside_a_journal(void)
{
    static uint8_t bytes[1024] = "5\n#\n";
    uint64_t at;

    for (int round = 0; round < 3; round++) {
        begin("-t ext4 -b 1024 -O ^metadata_csum -J size=1", 512);
        open_file("/big");
        uint64_t other = file_at() + 3 * 1024;

        open_file("/boot/grub/default");
        at = file_at();
        b.said[0] = '\0';
        /* Another block; this one; this one, taken back. */
        journal((round == 0 ? other : at) / 1024, bytes, round == 2);
        open_file("/boot/grub/default");
        CHECK(b.fs.journal_replayed);
        b.said[0] = '\0';
        if (round == 1) {
            holds("5\n#\n");
            refused(0, "1\n", ERR_REFUSED, "the journal holds a newer copy");
        } else {
            CHECK_OK(file_overwrite(&b.file, 0, "1\n", 2));
            CHECK(write_disk_changed_only(&b.disk, at, "1\n", 2));
            CHECK_STR(b.said, "disk: ext4: 2 bytes are written to a block that "
                              "the journal does not hold; the journal stays as it is\n");
            holds("1\n#\n");
            /* e2fsck replays it, as Linux would. */
            oracle("e2fsck -fy written >/dev/null 2>&1; e2fsck -fn", "1\n#\n");
        }
        end();
    }
}

int main(void)
{
    make_tree();
    RUN(one_sector_of_every_kind_of_ext);
    RUN(anywhere_in_a_file);
    RUN(files_that_are_not_written_to);
    RUN(file_systems_that_are_not_written_to);
    RUN(disks_that_do_not_take_it);
    RUN(beside_a_journal);
    return test_done();
}
