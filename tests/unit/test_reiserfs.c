/* SPDX-License-Identifier: MIT */
/*
 * The ReiserFS reader and its journal: images that Linux wrote (tests/images/reiserfs/init.sh says
 * what is in them), damaged ones, and trees made here.
 */
#include <stdlib.h>

#include "core/base/bytes.h"
#include "core/fs/reiserfs.h"
#include "tests/unit/reisergen.h"
#include "tests/unit/support.h"
#include "tests/unit/test.h"

struct opened {
    struct mem_disk disk;
    struct arena arena;
    struct fs fs;
    struct log log;
    uint8_t *data;
    size_t len;
    char said[600];
};

static void hear(void *ctx, const char *text)
{
    struct opened *o = ctx;

    snprintf(o->said + strlen(o->said), sizeof(o->said) - strlen(o->said), "%s\n", text);
}

static void unpack(struct opened *o, const char *name)
{
    memset(o, 0, sizeof(*o));
    o->data = reiser_image(name, &o->len);
    o->log = (struct log){.ctx = o, .line = hear};
    arena_init(&o->arena, &test_memory);
    mem_disk_init(&o->disk, o->data, o->len, 512);
}

static void generated(struct opened *o, const struct reiser_gen *g)
{
    memset(o, 0, sizeof(*o));
    o->data = g->data;
    o->len = g->nr_blocks * GEN_BLOCK;
    o->log = (struct log){.ctx = o, .line = hear};
    arena_init(&o->arena, &test_memory);
    mem_disk_init(&o->disk, o->data, o->len, 512);
}

static struct err mount(struct opened *o)
{
    o->said[0] = '\0';
    o->disk.disk.cache = NULL;
    return fs_mount(&o->fs, &o->disk.disk, &o->arena, &o->log);
}

static void done(struct opened *o)
{
    arena_reset(&o->arena);
    free(o->data);
}

/* The n first bytes of "1\n2\n3\n..." must be at buf. */
static bool is_text(const uint8_t *buf, size_t n)
{
    char line[16];
    size_t at = 0;

    for (unsigned i = 1; at < n; i++) {
        size_t len = (size_t)snprintf(line, sizeof(line), "%u\n", i);

        if (len > n - at)
            len = n - at;
        if (memcmp(buf + at, line, len) != 0)
            return false;
        at += len;
    }
    return true;
}

static uint8_t buf[400000];

static struct err read_file(struct opened *o, const char *path, size_t *len)
{
    struct file f;

    *len = 0;
    TRY(file_open(&f, &o->fs, &o->arena, path, NULL));
    *len = f.node.size_bytes < sizeof(buf) ? (size_t)f.node.size_bytes : sizeof(buf);
    return file_read(&f, 0, buf, *len);
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

static struct node node_at(struct opened *o, const char *path)
{
    struct node n = {0};

    CHECK_OK(fs_walk(&o->fs, &o->arena, path, &n, NULL));
    return n;
}

static struct reiser_disk_super *super_of(struct opened *o)
{
    return (struct reiser_disk_super *)(o->data + REISER_SUPER_OFF);
}

static uint32_t block_bytes(struct opened *o)
{
    return le16(super_of(o)->blocksize);
}

/* ---- what Linux wrote --------------------------------------------------------------------------
 */

static bool count(void *ctx, const char *name, size_t len, uint64_t ino)
{
    (void)ino;
    CHECK(len != 14 || memcmp(name, ".reiserfs_priv", 14) != 0);
    ++*(uint32_t *)ctx;
    return true;
}

static uint32_t nr_entries(struct opened *o, const char *path)
{
    struct node dir = node_at(o, path);
    uint32_t nr = 0;

    CHECK_U64(dir.type, NODE_DIR);
    CHECK_OK(o->fs.ops->readdir(&o->fs, &dir, count, &nr));
    return nr;
}

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

/* ---- trees made here ---------------------------------------------------------------------------
 */

#define NR_NAMES      200000u
#define ITEM_ENTRIES  90u
#define FILE_OBJECTID 1000u

static int by_offset(const void *a, const void *b)
{
    const struct gen_entry *x = a, *y = b;

    return (x->offset > y->offset) - (x->offset < y->offset);
}

/* The root with nr names of one empty file; offsets of one hash get numbers. */
static void gen_root(struct reiser_gen *g, uint32_t nr)
{
    struct gen_entry *e = calloc(nr + 2, sizeof(*e));

    gen_stat(g, REISER_ROOT_DIR_ID, REISER_ROOT_OBJECTID, 0040755, 48);
    e[0] = (struct gen_entry){REISER_DIRENT_DOT, 1, 2, "."};
    e[1] = (struct gen_entry){REISER_DIRENT_DOT_DOT, 0, 1, ".."};
    for (uint32_t i = 0; i < nr; i++) {
        struct gen_entry *at = &e[i + 2];

        snprintf(at->name, sizeof(at->name), "name-%u", i);
        at->offset = reiser_hash(REISER_HASH_R5, at->name, strlen(at->name));
        at->dir_id = REISER_ROOT_OBJECTID;
        at->objectid = FILE_OBJECTID;
    }
    qsort(e + 2, nr, sizeof(*e), by_offset);
    for (uint32_t i = 3; i < nr + 2; i++) {
        if ((e[i - 1].offset & REISER_DIRENT_HASH_MASK) == e[i].offset)
            e[i].offset = e[i - 1].offset + 1;
    }
    for (uint32_t i = 0; i < nr + 2; i += ITEM_ENTRIES) {
        uint32_t n = nr + 2 - i < ITEM_ENTRIES ? nr + 2 - i : ITEM_ENTRIES;

        gen_dir_item(g, REISER_ROOT_DIR_ID, REISER_ROOT_OBJECTID, e + i, n);
    }
    free(e);
}

static void a_large_directory_is_searched_by_hash(void)
{
    struct reiser_gen g;
    struct opened o;
    struct node root, n;
    char name[32];
    uint64_t ino;

    gen_init(&g, 2600);
    gen_root(&g, NR_NAMES);
    gen_stat(&g, REISER_ROOT_OBJECTID, FILE_OBJECTID, 0100644, 0);
    gen_finish(&g);
    generated(&o, &g);
    for (uint32_t i = 0; i < NR_NAMES; i += 4999) {
        snprintf(name, sizeof(name), "name-%u", i);
        CHECK_OK(mount(&o)); /* with nothing in the cache */
        CHECK_U64(reiser_of(&o.fs)->root_level, 3);
        root = node_at(&o, "/");
        o.disk.nr_reads = 0;
        CHECK_OK(o.fs.ops->lookup(&o.fs, &root, name, strlen(name), &ino));
        CHECK(o.disk.nr_reads <= 4); /* of 2,200 blocks: one a level, or one more leaf */
        CHECK_OK(o.fs.ops->get_node(&o.fs, &o.arena, ino, &n));
        CHECK(o.disk.nr_reads <= 6);
        arena_reset(&o.arena);
    }
    CHECK_OK(mount(&o));
    root = node_at(&o, "/");
    o.disk.nr_reads = 0;
    CHECK_ERR(o.fs.ops->lookup(&o.fs, &root, "name-x", 6, &ino), ERR_FILE_NOT_FOUND);
    CHECK(o.disk.nr_reads <= 4);
    CHECK_U64(nr_entries(&o, "/"), NR_NAMES + 2);
    done(&o);
}

#define NR_FRAGMENTS 100000u
#define ITEM_POINTS  1000u

/* Every second block of the file lies elsewhere; every thousandth is not there. */
static void a_file_in_many_fragments(void)
{
    struct reiser_gen g;
    struct opened o;
    struct node n;
    struct run run;
    static uint8_t item[ITEM_POINTS * 4];
    uint64_t nr_holes = 0, nr_runs = 0, at = 0;

    gen_init(&g, 200);
    gen_root(&g, 1);
    gen_stat(&g, REISER_ROOT_OBJECTID, FILE_OBJECTID, 0100644,
             (uint64_t)NR_FRAGMENTS * GEN_BLOCK + 100);
    for (uint32_t i = 0; i < ITEM_POINTS; i++)
        put32(item + (size_t)4 * i, i == 500 ? 0 : GEN_FIRST + (i & 1));
    for (uint32_t i = 0; i < NR_FRAGMENTS; i += ITEM_POINTS)
        gen_item(&g, REISER_ROOT_OBJECTID, FILE_OBJECTID, GEN_INDIRECT((uint64_t)i * GEN_BLOCK + 1),
                 0, item, sizeof(item));
    gen_item(&g, REISER_ROOT_OBJECTID, FILE_OBJECTID,
             GEN_DIRECT((uint64_t)NR_FRAGMENTS * GEN_BLOCK + 1), 0, item, 104);
    gen_finish(&g);
    generated(&o, &g);
    CHECK_OK(mount(&o));
    n = node_at(&o, "/name-0");
    CHECK_OK(o.fs.ops->map(&o.fs, &n, 0, &run));
    size_t used = o.arena.used_bytes;

    o.disk.nr_reads = 0;
    for (; at < n.size_bytes; at = run.file_off_bytes + run.len_bytes) {
        CHECK_OK(o.fs.ops->map(&o.fs, &n, at, &run));
        CHECK_U64(run.file_off_bytes, at);
        nr_holes += run.kind == RUN_HOLE;
        nr_runs++;
    }
    CHECK_U64(nr_holes, NR_FRAGMENTS / ITEM_POINTS);
    CHECK(nr_runs > NR_FRAGMENTS / 2);
    CHECK(run.kind == RUN_DISK && run.len_bytes == 104);
    CHECK(o.arena.used_bytes <= used + (size_t)600 * 1024); /* the cache, no more */
    CHECK(o.disk.nr_reads <= 110);                          /* a leaf once */
    done(&o);
}

/* Tails in several items, holes without pointers, sizes past 4 GiB. */
static void odd_files(void)
{
    static const uint8_t ones[3000] = {[0 ... 2999] = 1}, twos[800] = {[0 ... 799] = 2};
    struct reiser_gen g;
    struct opened o;
    struct node n;
    struct run run;
    uint64_t far = (uint64_t)7 << 32;
    size_t len;

    gen_init(&g, 100);
    gen_root(&g, 1);
    gen_stat(&g, REISER_ROOT_OBJECTID, FILE_OBJECTID, 0100644, far + 20000);
    gen_item(&g, REISER_ROOT_OBJECTID, FILE_OBJECTID, GEN_DIRECT(1), 0, ones, sizeof(ones));
    gen_item(&g, REISER_ROOT_OBJECTID, FILE_OBJECTID, GEN_DIRECT(3001), 0, twos, sizeof(twos));
    gen_item(&g, REISER_ROOT_OBJECTID, FILE_OBJECTID, GEN_DIRECT(far + 1), 0, ones, 100);
    gen_finish(&g);
    generated(&o, &g);
    CHECK_OK(mount(&o));
    CHECK_OK(read_file(&o, "/name-0", &len));
    CHECK(memcmp(buf, ones, 3000) == 0 && memcmp(buf + 3000, twos, 800) == 0);
    CHECK(buf[3800] == 0 && buf[len - 1] == 0);
    n = node_at(&o, "/name-0");
    CHECK_OK(o.fs.ops->map(&o.fs, &n, 5000, &run));
    CHECK(run.kind == RUN_HOLE && run.file_off_bytes + run.len_bytes == far);
    CHECK_OK(o.fs.ops->map(&o.fs, &n, far + 99, &run));
    CHECK(run.kind == RUN_DISK && run.file_off_bytes == far && run.len_bytes == 100);
    CHECK_OK(o.fs.ops->map(&o.fs, &n, far + 100, &run));
    CHECK(run.kind == RUN_HOLE && run.len_bytes > 20000);
    done(&o);
}

static struct err all_of_root(struct opened *o)
{
    struct node root;
    uint32_t nr = 0;

    arena_reset(&o->arena);
    TRY(mount(o));
    TRY(o->fs.ops->get_node(&o->fs, &o->arena, o->fs.root_ino, &root));
    return o->fs.ops->readdir(&o->fs, &root, count, &nr);
}

static void hostile_trees_are_damaged(void)
{
    struct reiser_gen g;
    struct opened o;

    gen_init(&g, 300);
    gen_root(&g, 5000);
    gen_stat(&g, REISER_ROOT_OBJECTID, FILE_OBJECTID, 0100644, 0);
    gen_finish(&g);
    generated(&o, &g);
    CHECK_OK(all_of_root(&o));
    uint8_t *root = o.data + le32(super_of(&o)->root_block) * GEN_BLOCK;
    uint32_t nr = le16(root + 2);
    uint8_t *children = root + 24 + (size_t)nr * 16, *leaf = o.data + le32(children) * GEN_BLOCK;
    struct {
        uint8_t *at;
        uint32_t value;
        uint32_t width;
    } damages[] = {
        {children + 8, le32(children), 4},                /* one leaf at two places */
        {children, le32(super_of(&o)->root_block), 4},    /* its own child */
        {children + 8, 0, 4},                             /* no block */
        {children + 8, 300, 4},                           /* past the end */
        {root + 24 + 16 + 8, 0, 4},                       /* keys out of order */
        {root + 2, 400, 2},                               /* more keys than fit */
        {root + 2, 0, 2},                                 /* none */
        {root, 1, 2},                                     /* a leaf? */
        {leaf + 2, 200, 2},                               /* more items than fit */
        {leaf + 24 + 20, 30, 2},                          /* an item in the heads */
        {leaf + 24 + 18, 4000, 2},                        /* too long */
        {leaf + 48 + 16, 250, 2},                         /* more entries than fit */
        {leaf + 48 + 12, 501, 4},                         /* no directory's item */
        {leaf + le16(leaf + 48 + 20) + 12, 8, 2},         /* a name in the heads */
        {leaf + le16(leaf + 48 + 20) + 16 + 12, 9999, 2}, /* a name outside */
        {leaf + le16(leaf + 48 + 20) + 32, 0, 4},         /* entries out of order */
        {super_of(&o)->tree_height, 4, 2},
        {super_of(&o)->tree_height, 9, 2},
        {super_of(&o)->tree_height, 1, 2},
        {super_of(&o)->blocksize, 4097, 2},
        {super_of(&o)->block_count, 301, 4},
        {super_of(&o)->root_block, 0, 4},
    };

    for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
        uint32_t was = damages[i].width == 2 ? le16(damages[i].at) : le32(damages[i].at);
        void (*put)(uint8_t *, uint32_t) = damages[i].width == 2 ? put16 : put32;

        put(damages[i].at, damages[i].value);
        struct err e = all_of_root(&o);

        if (e.code != ERR_FS_DAMAGED)
            printf("damage %zu\n", i);
        CHECK_U64(e.code, ERR_FS_DAMAGED);
        put(damages[i].at, was);
    }
    CHECK_OK(all_of_root(&o));
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
    RUN(a_large_directory_is_searched_by_hash);
    RUN(a_file_in_many_fragments);
    RUN(odd_files);
    RUN(hostile_trees_are_damaged);
    return test_done();
}
