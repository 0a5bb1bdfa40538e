/* SPDX-License-Identifier: MIT */
/*
 * Directories of the XFS reader, as rows of entries: in the inode, or in the blocks that lie in the
 * first 32 GiB of the directory seen as a file. What comes behind (hashes, free space) repeats what
 * the entries say; xfs_dir_hash.c uses the hashes.
 */
#include "core/fs/xfs_dir.h"

#include <string.h>

#define DIR_BLOCKS_MAX ((uint64_t)1 << 19) /* read of one directory; 2 GiB with 4 KiB blocks */

/* ---- blocks ------------------------------------------------------------------------------------
 */

/* A directory's block of several blocks, which may lie in several places. */
static struct err gather(struct xfs_dir_io *io, uint64_t pos, uint64_t *where)
{
    uint64_t size = xfs_of(io->fs)->dir_block_bytes;
    struct run run;

    /* Each round takes at least one block. */
    for (uint64_t done = 0; done < size;) {
        TRY(xfs_map(io->fs, io->dir, pos + done, &run));
        uint64_t skip = pos + done - run.file_off_bytes;
        uint64_t len = min_u64(run.len_bytes - skip, size - done);

        if (run.kind != RUN_DISK)
            return ERR2(ERR_FS_DAMAGED, "directory inode %a has a block with a hole, at byte %b",
                        io->dir->ino, pos + done);
        if (done == 0)
            *where = run.disk_off_bytes + skip;
        TRY(disk_read(io->fs->disk, run.disk_off_bytes + skip, io->buf + done, len));
        done += len;
    }
    return OK;
}

static struct err read_blocks(struct xfs_dir_io *io, uint64_t pos, struct xfs_dir_block *out)
{
    uint64_t size = xfs_of(io->fs)->dir_block_bytes;
    struct run run;

    TRY(xfs_map(io->fs, io->dir, pos, &run));
    uint64_t skip = pos - run.file_off_bytes;
    uint64_t len = align_down(run.len_bytes - skip, size);

    if (run.kind != RUN_DISK && len > 0) {
        out->hole_end = pos + len;
        return OK;
    }
    if (len > 0) {
        len = min_u64(len, io->buf_bytes);
        io->where = run.disk_off_bytes + skip;
        TRY(disk_read(io->fs->disk, io->where, io->buf, len));
    } else {
        len = size;
        TRY(gather(io, pos, &io->where));
    }
    io->pos = pos;
    io->len = (size_t)len;
    return OK;
}

struct err xfs_dir_load(struct xfs_dir_io *io, uint64_t pos, struct xfs_dir_block *out)
{
    *out = (struct xfs_dir_block){0};
    if (pos < io->pos || pos - io->pos >= io->len) {
        io->len = 0;
        TRY(read_blocks(io, pos, out));
        if (io->len == 0)
            return OK;
    }
    out->bytes = io->buf + (pos - io->pos);
    out->where = io->where + (pos - io->pos);
    return OK;
}

struct err xfs_dir_check(const struct xfs *x, const struct node *dir, const struct xfs_dir_block *b,
                         size_t *at, size_t *end)
{
    static const struct xfs_self self = {
        offsetof(struct xfs_disk_dir_data5, crc), offsetof(struct xfs_disk_dir_data5, blkno),
        offsetof(struct xfs_disk_dir_data5, uuid), offsetof(struct xfs_disk_dir_data5, owner)};
    uint32_t magic = be32(b->bytes);
    size_t size = x->dir_block_bytes;

    *at = x->v5 ? sizeof(struct xfs_disk_dir_data5) : sizeof(struct xfs_disk_dir_data);
    *end = size;
    if (magic == (x->v5 ? XFS_DIR_BLOCK_MAGIC_V5 : XFS_DIR_BLOCK_MAGIC)) {
        size_t nr = be32(b->bytes + size - XFS_DIR_TAIL_BYTES);

        *end -= XFS_DIR_TAIL_BYTES;
        if (nr > (*end - *at) / sizeof(struct xfs_disk_hash))
            return ERR_AT(ERR_FS_DAMAGED, b->where, "a directory block with %a hashes", nr, 0);
        *end -= nr * sizeof(struct xfs_disk_hash);
    } else if (magic != (x->v5 ? XFS_DIR_DATA_MAGIC_V5 : XFS_DIR_DATA_MAGIC)) {
        return ERR_AT(ERR_FS_DAMAGED, b->where, "a block of directory inode %a begins with %B",
                      dir->ino, magic);
    }
    return xfs_check_self(x, &self, b->bytes, size, b->where, dir->ino);
}

/* ---- entries -----------------------------------------------------------------------------------
 */

static struct err check_name(const struct xfs *x, const struct xfs_dir_entry *e, uint64_t where)
{
    if (e->name_len == 0)
        return ERR_AT(ERR_FS_DAMAGED, where, "a directory entry without a name", 0, 0);
    if (!xfs_ino_valid(x, e->ino))
        return ERR_AT(ERR_FS_DAMAGED, where, "a directory entry for inode %a, which has no place",
                      e->ino, 0);
    if (memchr(e->name, '/', e->name_len) != NULL || memchr(e->name, '\0', e->name_len) != NULL)
        return ERR_AT(ERR_FS_DAMAGED, where, "a name with a slash or a NUL in it", 0, 0);
    return OK;
}

struct err xfs_dir_entry(const struct xfs *x, const struct xfs_dir_block *b, size_t at, size_t end,
                         struct xfs_dir_entry *out)
{
    /* There are 8 bytes at least: at and end are multiples of it. */
    const uint8_t *p = b->bytes + at;
    const struct xfs_disk_dirfree *f = (const struct xfs_disk_dirfree *)p;
    const struct xfs_disk_dirent *de = (const struct xfs_disk_dirent *)p;
    bool is_free = be16(f->freetag) == XFS_DIRENT_FREE;

    *out = (struct xfs_dir_entry){0};
    if (is_free) {
        out->bytes = be16(f->length);
    } else if (end - at > sizeof(*de)) {
        out->name = (const char *)(de + 1);
        out->name_len = de->namelen[0];
        out->ino = be64(de->inumber);
        out->bytes = (size_t)align_up(sizeof(*de) + out->name_len + x->ftype + XFS_DIRENT_TAG,
                                      XFS_DIRENT_ALIGN);
    }
    if (out->bytes == 0 || out->bytes % XFS_DIRENT_ALIGN != 0 || out->bytes > end - at ||
        be16(p + out->bytes - XFS_DIRENT_TAG) != at)
        return ERR_AT(ERR_FS_DAMAGED, b->where + at, "a directory entry of %a bytes", out->bytes,
                      0);
    return is_free ? OK : check_name(x, out, b->where + at);
}

/* ---- all of a directory ------------------------------------------------------------------------
 */

struct dir_walk {
    struct fs *fs;
    struct node *dir;
    fs_entry_fn fn;
    void *ctx;
    bool stopped;
};

/* A directory in its inode: no "." and no "..". */
static struct err walk_short(struct dir_walk *w)
{
    const struct xfs *x = xfs_of(w->fs);
    const struct xfs_node *xn = xfs_node_of(w->dir);
    const struct xfs_disk_sf *sf = (const struct xfs_disk_sf *)xn->fork;
    size_t size = (size_t)w->dir->size_bytes, at = sizeof(*sf), ino_bytes = 8;

    if (size < sizeof(*sf) - 4)
        return ERR_AT(ERR_FS_DAMAGED, xn->where, "inode %a is a directory of %b bytes", w->dir->ino,
                      size);
    if (sf->i8count[0] == 0) {
        ino_bytes = 4;
        at -= 4;
    }
    for (uint32_t i = 0; i < sf->count[0] && !w->stopped; i++) {
        const uint8_t *p = xn->fork + at;
        struct xfs_dir_entry e = {.name = (const char *)p + 3};

        if (at < size)
            e.name_len = p[0];
        e.bytes = 3 + e.name_len + x->ftype + ino_bytes;
        if (!in_range(at, e.bytes, size))
            return ERR_AT(ERR_FS_DAMAGED, xn->where,
                          "entry %a of a directory in its inode reaches past its %b bytes", i,
                          size);
        p += e.bytes - ino_bytes;
        e.ino = ino_bytes == 4 ? be32(p) : be64(p);
        TRY(check_name(x, &e, xn->where));
        w->stopped = !w->fn(w->ctx, e.name, e.name_len, e.ino);
        at += e.bytes;
    }
    return OK;
}

static struct err walk_block(struct dir_walk *w, const struct xfs_dir_block *b)
{
    const struct xfs *x = xfs_of(w->fs);
    struct xfs_dir_entry e;
    size_t at, end;

    TRY(xfs_dir_check(x, w->dir, b, &at, &end));
    /* Each entry has a length, so this ends. */
    for (; at < end && !w->stopped; at += e.bytes) {
        TRY(xfs_dir_entry(x, b, at, end, &e));
        if (e.ino != 0)
            w->stopped = !w->fn(w->ctx, e.name, e.name_len, e.ino);
    }
    return OK;
}

static struct err walk_blocks(struct dir_walk *w, struct arena *scratch)
{
    uint64_t size = w->dir->size_bytes, block_bytes = xfs_of(w->fs)->dir_block_bytes;
    struct xfs_dir_io io = {
        .fs = w->fs, .dir = w->dir, .buf_bytes = (size_t)min_u64(size, XFS_DIR_BLOCK_MAX)};
    struct xfs_dir_block b;
    uint64_t nr_blocks = 0;

    io.buf = arena_pages(scratch, (size_t)align_up(io.buf_bytes, 4096));
    if (io.buf == NULL)
        return arena_exhausted("a directory buffer of %a bytes", io.buf_bytes);
    for (uint64_t pos = 0; pos < size && !w->stopped;) {
        /* A hole counts as a block, so that a tree of nothing but holes ends as well. */
        if (nr_blocks++ == DIR_BLOCKS_MAX)
            return ERR2(ERR_LIMIT, "the directory (inode %a) has more than %b blocks", w->dir->ino,
                        DIR_BLOCKS_MAX);
        TRY(xfs_dir_load(&io, pos, &b));
        if (b.bytes != NULL)
            TRY(walk_block(w, &b));
        pos = b.bytes != NULL ? pos + block_bytes : b.hole_end;
    }
    return OK;
}

struct err xfs_readdir(struct fs *fs, struct node *dir, fs_entry_fn fn, void *ctx)
{
    struct dir_walk w = {.fs = fs, .dir = dir, .fn = fn, .ctx = ctx};
    struct arena scratch;

    if (xfs_node_of(dir)->format == XFS_FORMAT_LOCAL)
        return walk_short(&w);
    if (dir->size_bytes == 0 || dir->size_bytes % xfs_of(fs)->dir_block_bytes != 0)
        return ERR2(ERR_FS_DAMAGED, "inode %a is a directory of %b bytes", dir->ino,
                    dir->size_bytes);
    arena_init(&scratch, fs->arena->source);
    struct err e = walk_blocks(&w, &scratch);

    arena_reset(&scratch);
    return e;
}

/* ---- one name ----------------------------------------------------------------------------------
 */

static bool equal_but_for_case(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint8_t x = (uint8_t)a[i], y = (uint8_t)b[i];

        if ((xfs_is_upper(x) ? x + 32 : x) != (xfs_is_upper(y) ? y + 32 : y))
            return false;
    }
    return true;
}

bool xfs_dir_match(struct xfs_wanted *w, const char *name, size_t len, uint64_t ino)
{
    if (len != w->len)
        return false;
    if (memcmp(name, w->name, len) == 0) {
        w->ino = ino;
        return true;
    }
    if (w->ascii_ci && w->folded_ino == 0 && equal_but_for_case(name, w->name, len))
        w->folded_ino = ino;
    return false;
}

static bool compare(void *ctx, const char *name, size_t len, uint64_t ino)
{
    return !xfs_dir_match(ctx, name, len, ino);
}

/*
 * Is the name's hash the same for everybody? Of letters beyond ASCII, Linux and mkfs.xfs have made
 * different ones in the course of time.
 */
static bool hash_is_sure(const struct xfs_wanted *w)
{
    for (size_t i = 0; w->ascii_ci && i < w->len; i++) {
        if ((uint8_t)w->name[i] >= 0x80)
            return false;
    }
    return true;
}

struct err xfs_lookup(struct fs *fs, struct node *dir, const char *name, size_t len, uint64_t *ino)
{
    const struct xfs *x = xfs_of(fs);
    struct xfs_wanted w = {.name = name, .len = len, .ascii_ci = x->ascii_ci};

    if (xfs_node_of(dir)->format == XFS_FORMAT_LOCAL || dir->size_bytes <= x->dir_block_bytes ||
        !hash_is_sure(&w))
        TRY(xfs_readdir(fs, dir, compare, &w));
    else
        TRY(xfs_dir_find(fs, dir, &w));
    *ino = w.ino != 0 ? w.ino : w.folded_ino;
    return *ino != 0 ? OK : ERR(ERR_FILE_NOT_FOUND, "");
}
