/* SPDX-License-Identifier: MIT */
/*
 * The ReiserFS reader and its journal: images that Linux wrote (tests/images/reiserfs/init.sh says
 * what is in them), as they are and damaged.
 */
#include "tests/unit/reisertest.h"

/* The n first bytes of "1\n2\n3\n..." must be there. */
static bool is_text(const uint8_t *bytes, size_t n)
{
    char line[16];
    size_t at = 0;

    for (unsigned i = 1; at < n; i++) {
        size_t len = (size_t)snprintf(line, sizeof(line), "%u\n", i);

        if (len > n - at)
            len = n - at;
        if (memcmp(bytes + at, line, len) != 0)
            return false;
        at += len;
    }
    return true;
}

static void check_text(struct opened *o, const char *path, size_t size)
{
    size_t len;

    CHECK_OK(read_file(o, path, &len));
    CHECK_U64(len, size);
    CHECK(is_text(buf, len));
}

static void check_string(struct opened *o, const char *path, const char *want)
{
    size_t len;

    CHECK_OK(read_file(o, path, &len));
    CHECK(len == strlen(want) && memcmp(buf, want, len) == 0);
}

static void check_absent(struct opened *o, const char *path)
{
    struct node n;

    CHECK_ERR(fs_walk(&o->fs, &o->arena, path, &n, NULL), ERR_FILE_NOT_FOUND);
}

static uint32_t block_bytes(struct opened *o)
{
    return le16(super_of(o)->blocksize);
}

/* ---- what Linux wrote --------------------------------------------------------------------------
 */

static void check_clean(struct opened *o)
{
    static const size_t sizes[] = {0, 1, 100, 4000, 4095, 4096, 4097, 5000, 8192, 16384, 100000};
    static const char *const same[] = {"alal", "alba", "baal", "baba"};
    char path[64], want[8];

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        snprintf(path, sizeof(path), "/size-%zu", sizes[i]);
        check_text(o, path, sizes[i]);
    }
    CHECK_U64(nr_entries(o, "/"), 19 + 2);
    CHECK_U64(nr_entries(o, "/dir"), 630 + 4 + 1 + 1 + 2);
    for (unsigned i = 1; i <= 700; i++) {
        snprintf(path, sizeof(path), "/dir/name-%u", i);
        if (i % 10 == 5)
            check_absent(o, path);
        else
            CHECK_U64(node_at(o, path).ino, node_at(o, "/size-0").ino);
    }
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        snprintf(path, sizeof(path), "/dir/same-%s", same[i]);
        snprintf(want, sizeof(want), "%s\n", same[i]);
        check_string(o, path, want);
    }
    check_absent(o, "/dir/same-bbaa");
    check_string(o, "/dir/caf\xc3\xa9", "accent\n");
    check_absent(o, "/.reiserfs_priv");
}

static void reads_what_linux_wrote(void)
{
    struct opened o;
    char target[FS_PATH_MAX];
    size_t len;

    unpack(&o, "clean");
    CHECK_OK(mount(&o));
    CHECK_STR(o.fs.describe, "ReiserFS 3.6");
    CHECK_STR(o.fs.label, "a-label");
    CHECK_U64(o.fs.uuid[15], 0xef);
    CHECK(!o.fs.journal_replayed);
    CHECK_STR(o.said, "");
    check_clean(&o);
    CHECK_U64(node_at(&o, "/link").ino, node_at(&o, "/dir/sub").ino);
    CHECK_U64(node_at(&o, "/to-name").ino, node_at(&o, "/size-0").ino);
    CHECK_U64(node_at(&o, "/fifo").mode, 0010640);
    CHECK_U64(node_at(&o, "/null").mode, 0020600);
    CHECK_U64(node_at(&o, "/null").type, NODE_OTHER);
    CHECK_U64(node_at(&o, "/size-1").mode, 0104755);
    CHECK(node_at(&o, "/dir").mtime > 1700000000);
    CHECK_OK(read_file(&o, "/sparse", &len));
    CHECK_U64(len, 200100);
    CHECK(is_text(buf + 200000, 100));
    for (size_t i = 0; i < 200000; i++)
        CHECK(buf[i] == 0);
    CHECK_OK(read_file(&o, "/long", &len));
    CHECK_U64(node_at(&o, "/long").size_bytes, 20000000);
    struct node root = node_at(&o, "/"), n;
    uint64_t ino = 0;

    CHECK_OK(o.fs.ops->lookup(&o.fs, &root, "long-link", 9, &ino));
    CHECK_OK(o.fs.ops->get_node(&o.fs, &o.arena, ino, &n));
    CHECK_OK(o.fs.ops->readlink(&o.fs, &n, target, sizeof(target), &len));
    CHECK_U64(len, 500);
    CHECK(target[0] == '0' && target[499] == '7');
    CHECK_OK(o.fs.ops->lookup(&o.fs, &root, ".", 1, &ino));
    CHECK_U64(ino, root.ino);
    done(&o);
}

static void an_unset_hash_is_found(void)
{
    static const struct {
        const char *image, *said;
    } cases[] = {
        {"clean", "hashed by R5"}, {"dirty", "hashed by TEA"}, {"moved", "hashed by Yura"}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct opened o;
        uint8_t mark[REISER_DESC_MAGIC_BYTES];

        unpack(&o, cases[i].image);
        memcpy(mark, super_of(&o)->magic, sizeof(mark));
        /* The journal has superblocks as well. */
        for (size_t at = 0; at + 512 <= o.len; at += 512) {
            if (memcmp(o.data + at + 52, mark, sizeof(mark)) == 0)
                put32(o.data + at + 64, REISER_HASH_UNSET);
        }
        CHECK_OK(mount(&o));
        CHECK(strstr(o.said, cases[i].said) != NULL);
        if (i == 0)
            check_clean(&o);
        done(&o);
    }
    struct opened o;

    unpack(&o, "clean");
    put32(super_of(&o)->hash_code, REISER_HASH_TEA);
    CHECK_OK(mount(&o));
    check_absent(&o, "/size-4096");
    put32(super_of(&o)->hash_code, 4);
    CHECK_ERR(mount(&o), ERR_REFUSED);
    done(&o);
}

static void the_old_place_is_looked_at(void)
{
    struct opened o;

    unpack(&o, "clean");
    memcpy(o.data + REISER_SUPER_OFF_OLD, o.data + REISER_SUPER_OFF, 512);
    memset(o.data + REISER_SUPER_OFF, 0, 512);
    CHECK_OK(mount(&o));
    check_clean(&o);
    memset(o.data + REISER_SUPER_OFF_OLD, 0, 512);
    CHECK_ERR(mount(&o), ERR_FS_MOUNT);
    done(&o);
}

/* ---- the journal -------------------------------------------------------------------------------
 */

static uint8_t *log_at(struct opened *o, uint32_t nr)
{
    const struct reiser_disk_journal_params *p = &super_of(o)->journal;

    return o->data + (le32(p->first_block) + (size_t)nr % le32(p->size)) * block_bytes(o);
}

static struct reiser_disk_journal_header *header_of(struct opened *o)
{
    const struct reiser_disk_journal_params *p = &super_of(o)->journal;

    return (struct reiser_disk_journal_header *)(o->data +
                                                 ((size_t)le32(p->first_block) + le32(p->size)) *
                                                     block_bytes(o));
}

/* Journal blocks of the nth unflushed transaction: its description, its commit. */
static uint8_t *nth_trans(struct opened *o, unsigned n, uint8_t **commit)
{
    uint32_t at = le32(header_of(o)->first_unflushed_offset);
    uint8_t *desc = log_at(o, at);

    for (; n > 0; n--) {
        at += le32(desc + 4) + 2;
        desc = log_at(o, at);
    }
    *commit = log_at(o, at + le32(desc + 4) + 1);
    return desc;
}

static unsigned nr_trans(struct opened *o)
{
    unsigned nr = 0;
    uint32_t id = le32(header_of(o)->last_flush_trans_id);

    for (uint8_t *commit, *desc = nth_trans(o, 0, &commit); le32(desc) == id + nr + 1 && nr < 500;
         desc = nth_trans(o, nr, &commit))
        nr++;
    return nr;
}

static void check_replayed(struct opened *o)
{
    char path[64];

    check_text(o, "/menu.lst-is-here", 3000);
    check_absent(o, "/menu.lst-is-new");
    check_text(o, "/last-of-all-files", 12000);
    check_text(o, "/a/b/c", 5000);
    check_absent(o, "/c");
    check_absent(o, "/never-to-be-seen");
    for (size_t i = 91; i <= 130; i++) {
        snprintf(path, sizeof(path), "/file-number-%zu", i % 40 + 1);
        if (i % 5 == 0)
            check_absent(o, path);
        else
            check_text(o, path, i * 11);
    }
}

static void a_dirty_journal_is_replayed(void)
{
    struct opened o;
    size_t len;

    unpack(&o, "dirty");
    CHECK_OK(mount(&o));
    CHECK(o.fs.journal_replayed);
    CHECK_STR(o.fs.describe, "ReiserFS 3.5, journal replayed");
    CHECK(strstr(o.said, "mem: ReiserFS 3.5: journal replayed: ") != NULL);
    CHECK(o.arena.used_bytes < 1000000);
    check_replayed(&o);
    CHECK_U64(node_at(&o, "/link").ino, node_at(&o, "/file-number-2").ino);
    done(&o);

    unpack(&o, "moved");
    CHECK_OK(mount(&o));
    CHECK(o.fs.journal_replayed);
    check_string(&o, "/boot/menu.lst", "title 12\n");
    CHECK_OK(read_file(&o, "/boot/vmlinuz", &len));
    CHECK_U64(len, 200000);
    CHECK(is_text(buf, 1000) && is_text(buf + 1000, 1000) && is_text(buf + 12000, 12000));
    done(&o);
}

static void without_its_header_all_of_the_journal_counts(void)
{
    struct opened o;

    unpack(&o, "dirty");
    put32(header_of(&o)->last_flush_trans_id, 0);
    CHECK_OK(mount(&o));
    CHECK(o.fs.journal_replayed);
    /* Files may have got blocks that older transactions took for the tree. */
    check_text(&o, "/menu.lst-is-here", 3000);
    check_absent(&o, "/menu.lst-is-new");
    done(&o);
}

static void what_is_not_the_journals_is_not_replayed(void)
{
    struct opened o;
    unsigned nr;
    uint8_t *commit, *desc;
    size_t len;

    unpack(&o, "dirty");
    nr = nr_trans(&o);
    CHECK(nr >= 5);
    /* Torn: the last commit has not been written. It is that of the rename. */
    desc = nth_trans(&o, nr - 1, &commit);
    put32(commit, 1);
    CHECK_OK(mount(&o));
    CHECK(o.fs.journal_replayed);
    check_text(&o, "/menu.lst-is-here", 300);
    check_text(&o, "/menu.lst-is-new", 3000);
    check_absent(&o, "/last-of-all-files");
    put32(commit, le32(desc));
    /* The length differs. */
    put32(commit + 4, le32(commit + 4) + 1);
    CHECK_OK(mount(&o));
    check_text(&o, "/menu.lst-is-here", 300);
    put32(commit + 4, le32(desc + 4));
    CHECK_OK(mount(&o));
    check_replayed(&o);
    /* Another mount's; and flushed ones, as the header says: what the tree is then, is its fault.
     */
    put32(header_of(&o)->mount_id, le32(header_of(&o)->mount_id) + 1);
    CHECK_OK(mount(&o));
    CHECK(!o.fs.journal_replayed);
    CHECK(failed(read_file(&o, "/last-of-all-files", &len)));
    put32(header_of(&o)->mount_id, le32(header_of(&o)->mount_id) - 1);
    put32(header_of(&o)->last_flush_trans_id, le32(desc));
    CHECK_OK(mount(&o));
    CHECK(!o.fs.journal_replayed);
    CHECK(failed(read_file(&o, "/last-of-all-files", &len)));
    done(&o);
}

static void a_hostile_journal_is_refused(void)
{
    struct opened o;
    uint8_t *commit, *desc;
    char text[200];

    unpack(&o, "dirty");
    desc = nth_trans(&o, 0, &commit);
    uint32_t was = le32(desc + 12);

    put32(desc + 12, le32(super_of(&o)->journal.first_block) + 5);
    CHECK_ERR(mount(&o), ERR_FS_DAMAGED);
    put32(desc + 12, le32(super_of(&o)->block_count));
    CHECK_ERR(mount(&o), ERR_FS_DAMAGED);
    put32(desc + 12, was);
    put32(header_of(&o)->params.trans_max, 1000);
    CHECK_ERR(mount(&o), ERR_FS_DAMAGED);
    put32(header_of(&o)->params.trans_max, 0);
    CHECK_OK(mount(&o));
    put32(super_of(&o)->journal.dev, 0x00100812);
    struct err e = mount(&o);

    CHECK_U64(e.code, ERR_REFUSED);
    err_format(e, NULL, text, sizeof(text));
    CHECK(strstr(text, "another disk (device 8:274)") != NULL);
    put32(super_of(&o)->journal.dev, 0);
    put32(super_of(&o)->journal.size, UINT32_MAX);
    CHECK_ERR(mount(&o), ERR_FS_DAMAGED);
    done(&o);

    unpack(&o, "moved");
    put32(super_of(&o)->journal.magic, 1);
    CHECK_ERR(mount(&o), ERR_FS_DAMAGED);
    put16(super_of(&o)->version, 1);
    CHECK_ERR(mount(&o), ERR_REFUSED);
    put32(super_of(&o)->root_block, UINT32_MAX);
    put16(super_of(&o)->version, REISER_VERSION_3_6);
    CHECK_ERR(mount(&o), ERR_REFUSED);
    done(&o);
}

/* A journal's blocks of 1 KiB cannot be laid over sectors of 4 KiB; blocks of 4 KiB can. */
static void large_sectors(void)
{
    struct opened o;

    unpack(&o, "clean");
    mem_disk_init(&o.disk, o.data, o.len, 4096);
    CHECK_OK(mount(&o));
    check_clean(&o);
    done(&o);
    unpack(&o, "dirty");
    mem_disk_init(&o.disk, o.data, o.len, 4096);
    CHECK_ERR(mount(&o), ERR_REFUSED);
    done(&o);
}

int main(void)
{
    RUN(reads_what_linux_wrote);
    RUN(an_unset_hash_is_found);
    RUN(the_old_place_is_looked_at);
    RUN(a_dirty_journal_is_replayed);
    RUN(without_its_header_all_of_the_journal_counts);
    RUN(what_is_not_the_journals_is_not_replayed);
    RUN(a_hostile_journal_is_refused);
    RUN(large_sectors);
    return test_done();
}
