/* SPDX-License-Identifier: MIT */
/*
 * The tree of the ReiserFS reader: large, fragmented and hostile ones that are made here, item by
 * item.
 */
#include "tests/unit/reisertest.h"

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

/* Names have no terminator on the disk. */
static void copy_name(uint8_t *to, const char *name)
{
    for (; *name != '\0'; name++)
        *to++ = (uint8_t)*name;
}

/* Names that Linux does not show: invisible ones, and ones past 255 bytes. */
static void some_names_are_passed_over(void)
{
    static uint8_t item[600];
    struct reiser_gen g;
    struct opened o;
    struct node root;
    uint64_t ino;

    gen_init(&g, 100);
    gen_stat(&g, REISER_ROOT_DIR_ID, REISER_ROOT_OBJECTID, 0040755, 48);
    for (uint32_t i = 0; i < 3; i++) {
        put32(item + (size_t)i * 16, (i + 1) << 7);
        put32(item + (size_t)i * 16 + 8, 10 + i);
        put16(item + (size_t)i * 16 + 12, 600 - 256 - i * 8);
        put16(item + (size_t)i * 16 + 14, i == 1 ? 0 : REISER_DIRENT_VISIBLE);
    }
    memset(item + 600 - 256, 'n', 256);
    copy_name(item + 600 - 264, "hidden");
    copy_name(item + 600 - 272, "seen");
    gen_item(&g, REISER_ROOT_DIR_ID, REISER_ROOT_OBJECTID, GEN_DIR(128), 3, item, sizeof(item));
    gen_finish(&g);
    generated(&o, &g);
    CHECK_OK(mount(&o));
    CHECK_U64(nr_entries(&o, "/"), 1);
    CHECK_U64(nr_entries(&o, "/"), 1);
    CHECK_STR(o.said,
              "mem: ReiserFS 3.6: names of more than 255 bytes are passed over, as Linux does\n");
    root = node_at(&o, "/");
    CHECK_ERR(o.fs.ops->lookup(&o.fs, &root, "hidden", 6, &ino), ERR_FILE_NOT_FOUND);
    done(&o);
}

int main(void)
{
    RUN(some_names_are_passed_over);
    RUN(a_large_directory_is_searched_by_hash);
    RUN(a_file_in_many_fragments);
    RUN(odd_files);
    RUN(hostile_trees_are_damaged);
    return test_done();
}
