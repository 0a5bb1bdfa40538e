/* SPDX-License-Identifier: MIT */
/*
 * Directories of the ext2/3/4 reader. Every directory can be read as a row of blocks of entries:
 * the inner nodes of a hash tree look like blocks with one unused entry. They are listed in that
 * way; a name is looked for through the hash tree (ext_htree.c) where there is one.
 */
#include <string.h>

#include "core/base/text.h"
#include "core/fs/crc.h"
#include "core/fs/ext.h"

#define DIR_BYTES_MAX       ((uint64_t)2 << 30) /* read of one directory */
#define DIR_PIECE_BYTES     ((uint64_t)65536)   /* read at once */
#define REC_LEN_MIN         12u
#define INLINE_PARENT_BYTES 4u
#define INDEX_LINES_MAX     16u /* on damaged indexes, for a mount */

struct dir_walk {
    struct fs *fs;
    struct node *dir;
    fs_entry_fn fn;
    void *ctx;
    bool stopped;
    /* Only for a name that the damaged index cannot find: its nodes' checksums do not end the walk.
     * The first one that is wrong. */
    bool without_index;
    struct err passed_over;
};

uint32_t ext_rec_len(const struct ext *x, const struct ext_disk_dirent *de)
{
    uint32_t len = le16(de->rec_len);

    if (x->block_bytes < 65536)
        return len;
    return len == 0 || len == 65535 ? x->block_bytes : len;
}

static struct err csum_error(uint64_t where, uint32_t want, uint32_t got)
{
    return ERR_AT(ERR_FS_DAMAGED, where, "directory block checksum is %A, should be %B", want, got);
}

/*
 * Inner nodes of the hash tree have their checksum behind the room for their entries, and it
 * covers only the entries in use. false: the block is none. (A leaf with a checksum has no entry
 * that reaches the block's end.)
 */
static bool is_dx_node(const struct ext *x, const uint8_t *block, size_t *countlimit)
{
    const struct ext_disk_dirent *first = (const struct ext_disk_dirent *)block;
    const struct ext_disk_dirent *second = (const struct ext_disk_dirent *)(block + 12);

    if (le32(first->inode) == 0 && ext_rec_len(x, first) == x->block_bytes) {
        *countlimit = EXT_DX_NODE_OFF;
        return true;
    }
    *countlimit = EXT_DX_ROOT_OFF;
    return ext_rec_len(x, first) == 12 && ext_rec_len(x, second) == x->block_bytes - 12;
}

static struct err check_dx_csum(const struct ext *x, const struct ext_node *en,
                                const uint8_t *block, size_t at, uint64_t where)
{
    static const uint8_t zero[4] = {0};
    const struct ext_disk_dx_countlimit *cl = (const struct ext_disk_dx_countlimit *)(block + at);
    size_t limit = le16(cl->limit), count = le16(cl->count);
    size_t fits = (x->block_bytes - sizeof(struct ext_disk_dx_tail) - at) / EXT_DX_ENTRY_BYTES;

    if (limit > fits || count > limit)
        return ERR_AT(ERR_FS_DAMAGED, where, "a hash tree node with %a entries of %b", count,
                      limit);
    const struct ext_disk_dx_tail *tail =
        (const struct ext_disk_dx_tail *)(block + at + limit * EXT_DX_ENTRY_BYTES);
    uint32_t want = le32(tail->checksum);
    uint32_t got = crc32c(en->csum_seed, block, at + count * EXT_DX_ENTRY_BYTES);

    got = crc32c(got, tail->reserved, sizeof(tail->reserved));
    got = crc32c(got, zero, sizeof(zero));
    return got == want ? OK : csum_error(where, want, got);
}

static struct err check_csum(const struct ext *x, const struct ext_node *en, const uint8_t *block,
                             uint64_t where)
{
    size_t at = x->block_bytes - sizeof(struct ext_disk_dirent_tail), countlimit;
    const struct ext_disk_dirent_tail *tail = (const struct ext_disk_dirent_tail *)(block + at);

    if (!ext_has_metadata_csum(x))
        return OK;
    /* First: an inner node keeps the tail of the leaf that its block once was. */
    if ((en->flags & EXT_INODE_INDEX) && is_dx_node(x, block, &countlimit))
        return check_dx_csum(x, en, block, countlimit, where);
    if (le32(tail->inode) != 0 || le16(tail->rec_len) != sizeof(*tail) || tail->name_len[0] != 0 ||
        tail->file_type[0] != EXT_DIRENT_TAIL_TYPE)
        return ERR_AT(ERR_FS_DAMAGED, where, "a directory block has no checksum", 0, 0);
    uint32_t want = le32(tail->checksum), got = crc32c(en->csum_seed, block, at);

    return got == want ? OK : csum_error(where, want, got);
}

/*
 * Check the entry at `at` of block[0..size) and give its length; the name is good to use when ino
 * is not 0.
 */
static struct err check_entry(const struct ext *x, const uint8_t *block, uint32_t size, uint32_t at,
                              uint64_t where, uint32_t *len, uint32_t *ino)
{
    const struct ext_disk_dirent *de = (const struct ext_disk_dirent *)(block + at);
    uint32_t name_len = de->name_len[0];

    *len = ext_rec_len(x, de);
    *ino = le32(de->inode);
    if (*len < REC_LEN_MIN || *len % 4 != 0 || *len > size - at)
        return ERR_AT(ERR_FS_DAMAGED, where + at, "a directory entry of %a bytes", *len, 0);
    if (*ino == 0)
        return OK;
    if (name_len == 0 || name_len > *len - sizeof(*de))
        return ERR_AT(ERR_FS_DAMAGED, where + at, "a directory entry of %a bytes for a name of %b",
                      *len, name_len);
    if (*ino > x->nr_inodes || (*ino < x->first_ino && *ino != EXT_ROOT_INO))
        return ERR_AT(ERR_FS_DAMAGED, where + at, "a directory entry for inode %a of %b", *ino,
                      x->nr_inodes);
    if (memchr(de + 1, '/', name_len) != NULL || memchr(de + 1, '\0', name_len) != NULL)
        return ERR_AT(ERR_FS_DAMAGED, where + at, "a name with a slash or a NUL in it", 0, 0);
    return OK;
}

/* A row of entries: a block, or a part of an inode; it lies at `where` or nearby. */
static struct err walk_entries(struct dir_walk *w, const uint8_t *block, uint32_t size,
                               uint64_t where)
{
    struct ext *x = ext_of(w->fs);
    uint32_t len, ino;

    /* Each entry is at least REC_LEN_MIN long, so this ends. The rest is too short for one. */
    for (uint32_t at = 0; size - at >= REC_LEN_MIN && !w->stopped; at += len) {
        TRY(check_entry(x, block, size, at, where, &len, &ino));
        const struct ext_disk_dirent *de = (const struct ext_disk_dirent *)(block + at);

        if (ino != 0 && !w->fn(w->ctx, (const char *)(de + 1), de->name_len[0], ino))
            w->stopped = true;
    }
    return OK;
}

/*
 * A directory in its inode: the parent's number in place of "." and "..", then entries; those in
 * the attribute are a row of their own.
 */
static struct err walk_inline(struct dir_walk *w)
{
    const struct ext_node *en = ext_node_of(w->dir);
    uint64_t size = min_u64(w->dir->size_bytes, en->inline_len);
    uint32_t first = sizeof(en->block) - INLINE_PARENT_BYTES;

    if (size < sizeof(en->block))
        return ERR2(ERR_FS_DAMAGED, "inode %a is a directory of %b bytes", w->dir->ino, size);
    TRY(walk_entries(w, en->inline_bytes + INLINE_PARENT_BYTES, first, en->where));
    return walk_entries(w, en->inline_bytes + sizeof(en->block),
                        (uint32_t)(size - sizeof(en->block)), en->where);
}

static struct err walk_block(struct dir_walk *w, const uint8_t *block, uint64_t where)
{
    struct ext *x = ext_of(w->fs);

    struct err e = check_csum(x, ext_node_of(w->dir), block, where);
    size_t countlimit;

    /* A leaf that looks like a node now holds names that are not seen: hence not for a listing, and
     * not without a word when the name is not found. */
    if (failed(e) && w->without_index && is_dx_node(x, block, &countlimit)) {
        if (!failed(w->passed_over))
            w->passed_over = e;
        return OK;
    }
    TRY(e);
    return walk_entries(w, block, x->block_bytes, where);
}

static struct err walk_run(struct dir_walk *w, const struct run *run, uint64_t skip, uint64_t len,
                           uint8_t *buf)
{
    struct ext *x = ext_of(w->fs);

    for (uint64_t done = 0; done < len && !w->stopped;) {
        uint64_t piece = min_u64(len - done, DIR_PIECE_BYTES);
        uint64_t where = run->disk_off_bytes + skip + done;

        TRY(disk_read(w->fs->disk, where, buf, piece));
        for (uint64_t at = 0; at < piece && !w->stopped; at += x->block_bytes)
            TRY(walk_block(w, buf + at, where + at));
        done += piece;
    }
    return OK;
}

static struct err walk_dir(struct dir_walk *w, struct arena *scratch)
{
    struct ext *x = ext_of(w->fs);
    uint64_t size = w->dir->size_bytes, budget = DIR_BYTES_MAX;
    uint8_t *buf = arena_pages(scratch, (size_t)min_u64(align_up(size, 4096), DIR_PIECE_BYTES));
    struct run run;

    if (buf == NULL)
        return arena_exhausted("a directory buffer of %a bytes", (size_t)DIR_PIECE_BYTES);
    for (uint64_t pos = 0; pos < size && !w->stopped;) {
        TRY(ext_map(w->fs, w->dir, pos, &run));
        uint64_t skip = pos - run.file_off_bytes;
        uint64_t len = min_u64(run.len_bytes - skip, size - pos);

        /* Linux passes over the holes of a directory, too. One counts as a block, so that a tree
         * of nothing but holes ends as well. */
        uint64_t cost = run.kind == RUN_DISK ? len : x->block_bytes;

        if (cost > budget)
            return ERR2(ERR_LIMIT, "the directory (inode %a) has more than %b bytes", w->dir->ino,
                        DIR_BYTES_MAX);
        budget -= cost;
        if (run.kind == RUN_DISK)
            TRY(walk_run(w, &run, skip, len, buf));
        pos += len;
    }
    return OK;
}

struct err ext_dir_entries(struct fs *fs, const uint8_t *block, uint64_t where, fs_entry_fn fn,
                           void *ctx)
{
    struct dir_walk w = {.fs = fs, .fn = fn, .ctx = ctx};

    return walk_entries(&w, block, ext_of(fs)->block_bytes, where);
}

struct err ext_dir_block(struct fs *fs, struct node *dir, uint64_t block, uint8_t *buf,
                         uint64_t *where)
{
    struct ext *x = ext_of(fs);
    struct run run;

    if (block >= dir->size_bytes / x->block_bytes)
        return ERR2(ERR_FS_DAMAGED, "block %a of a directory of %b bytes", block, dir->size_bytes);
    TRY(ext_map(fs, dir, block * x->block_bytes, &run));
    if (run.kind != RUN_DISK)
        return ERR2(ERR_FS_DAMAGED, "block %a of the directory (inode %b) is a hole", block,
                    dir->ino);
    *where = run.disk_off_bytes + (block * x->block_bytes - run.file_off_bytes);
    TRY(disk_read(fs->disk, *where, buf, x->block_bytes));
    return check_csum(x, ext_node_of(dir), buf, *where);
}

static struct err walk(struct dir_walk *w, struct arena *scratch)
{
    const struct node *dir = w->dir;

    if (ext_node_of(dir)->flags & EXT_INODE_ENCRYPT)
        return ERR1(ERR_REFUSED, "inode %a is an encrypted directory", dir->ino);
    if (ext_node_of(dir)->inline_bytes != NULL)
        return walk_inline(w);
    if (dir->size_bytes == 0 || dir->size_bytes % ext_of(w->fs)->block_bytes != 0)
        return ERR2(ERR_FS_DAMAGED, "inode %a is a directory of %b bytes", dir->ino,
                    dir->size_bytes);
    return walk_dir(w, scratch);
}

struct err ext_readdir(struct fs *fs, struct node *dir, fs_entry_fn fn, void *ctx)
{
    struct dir_walk w = {.fs = fs, .dir = dir, .fn = fn, .ctx = ctx, .passed_over = OK};
    struct arena scratch;

    arena_init(&scratch, fs->arena->source);
    struct err e = walk(&w, &scratch);

    arena_reset(&scratch);
    return e;
}

bool ext_name_is(const struct ext_name *want, const char *name, size_t len)
{
    struct ext_folded *f = want->folded;
    uint8_t first = (uint8_t)name[0];
    size_t other_len = 0;

    if (len == want->len && memcmp(name, want->name, len) == 0)
        return true;
    /* Most names can be told apart by an ASCII letter in front, which stays there. */
    if (f != NULL && first < 0x80 &&
        (f->want_len == 0 || (first >= 'A' && first <= 'Z' ? first | 0x20 : first) != f->want[0]))
        return false;
    return f != NULL && f->has_want && fold_name(&f->work, name, len, f->other, &other_len) &&
           other_len == f->want_len && memcmp(f->other, f->want, other_len) == 0;
}

uint32_t ext_name_hash(const struct ext_name *want, const struct ext_hash *h, const char *name,
                       size_t len)
{
    struct ext_folded *f = want->folded;
    size_t other_len = 0;

    if (f != NULL && fold_name(&f->work, name, len, f->other, &other_len))
        return ext_hash_name(h, f->other, other_len);
    return ext_hash_name(h, (const uint8_t *)name, len);
}

struct search {
    const struct ext_name *want;
    uint64_t ino;
};

static bool compare(void *ctx, const char *name, size_t len, uint64_t ino)
{
    struct search *s = ctx;

    if (!ext_name_is(s->want, name, len))
        return true;
    s->ino = ino;
    return false;
}

/* Look at every entry of the directory. */
static struct err search_all(struct fs *fs, struct node *dir, struct arena *scratch,
                             const struct ext_name *want, bool without_index, uint64_t *ino)
{
    struct search s = {.want = want};
    struct dir_walk w = {.fs = fs,
                         .dir = dir,
                         .fn = compare,
                         .ctx = &s,
                         .without_index = without_index,
                         .passed_over = OK};

    TRY(walk(&w, scratch));
    if (s.ino == 0)
        return failed(w.passed_over) ? w.passed_over : ERR(ERR_FILE_NOT_FOUND, "");
    *ino = s.ino;
    return OK;
}

/* Once for a directory, as long as no other one is damaged as well; and not for ever. */
static void say_index_damaged(struct fs *fs, const struct node *dir, struct err e)
{
    struct ext *x = ext_of(fs);
    char line[320], why[200];
    struct text t = fs_line(fs, line, sizeof(line));

    if (x->index_damaged == dir->ino || x->nr_index_lines == INDEX_LINES_MAX)
        return;
    x->index_damaged = dir->ino;
    x->nr_index_lines++;
    (void)err_format(e, NULL, why, sizeof(why));
    text_str(&t, ": the index of the directory (inode ");
    text_u64(&t, dir->ino);
    text_str(&t, ") is not used, all its blocks are searched: ");
    text_str(&t, why);
    log_line(fs->log, line);
    if (x->nr_index_lines == INDEX_LINES_MAX) {
        t = fs_line(fs, line, sizeof(line));
        text_str(&t, ": further damaged indexes of directories are not reported");
        log_line(fs->log, line);
    }
}

static bool is_dots(const struct ext_name *want)
{
    return (want->len == 1 || want->len == 2) && memcmp(want->name, "..", want->len) == 0;
}

bool ext_folds(const struct ext *x, const struct node *dir)
{
    return (x->incompat & EXT_INCOMPAT_CASEFOLD) && (ext_node_of(dir)->flags & EXT_INODE_CASEFOLD);
}

/* Where a directory has no case, the name is folded once here. */
static struct err fold_want(const struct ext *x, const struct node *dir, struct arena *scratch,
                            struct ext_name *want)
{
    if (!ext_folds(x, dir))
        return OK;
    struct ext_folded *f = arena_alloc(scratch, sizeof(*f));

    if (f == NULL)
        return arena_exhausted("a folded name of %a bytes", sizeof(*f));
    f->has_want = fold_name(&f->work, want->name, want->len, f->want, &f->want_len);
    want->folded = f;
    return OK;
}

static struct err lookup(struct fs *fs, struct node *dir, struct arena *scratch,
                         struct ext_name *want, uint64_t *ino)
{
    const struct ext *x = ext_of(fs);

    TRY(fold_want(x, dir, scratch, want));
    /* The index does not know of "." and ".."; they are the first block's first entries. */
    if (!ext_htree_has(x, dir) || is_dots(want))
        return search_all(fs, dir, scratch, want, false, ino);
    struct err e = ext_htree_lookup(fs, dir, scratch, want, ino);

    /* Kernels did not always fold alike; Linux, too, searches once more then. */
    if (e.code == ERR_FILE_NOT_FOUND && want->folded != NULL && !x->index_is_all)
        return search_all(fs, dir, scratch, want, false, ino);
    if (e.code != ERR_FS_DAMAGED)
        return e;
    say_index_damaged(fs, dir, e);
    return search_all(fs, dir, scratch, want, true, ino);
}

struct err ext_lookup(struct fs *fs, struct node *dir, const char *name, size_t len, uint64_t *ino)
{
    struct ext_name want = {.name = name, .len = len};
    struct arena scratch;

    arena_init(&scratch, fs->arena->source);
    struct err e = lookup(fs, dir, &scratch, &want, ino);

    arena_reset(&scratch);
    return e;
}

struct err ext_lookup_listed(struct fs *fs, struct node *dir,
                             struct err (*list)(struct fs *fs, struct node *dir, fs_entry_fn fn,
                                                void *ctx),
                             const char *name, size_t len, uint64_t *ino)
{
    struct ext_name want = {.name = name, .len = len};
    struct search s = {.want = &want};
    struct arena scratch;

    arena_init(&scratch, fs->arena->source);
    struct err e = fold_want(ext_of(fs), dir, &scratch, &want);

    if (!failed(e))
        e = list(fs, dir, compare, &s);
    arena_reset(&scratch);
    TRY(e);
    *ino = s.ino;
    return s.ino == 0 ? ERR(ERR_FILE_NOT_FOUND, "") : OK;
}
