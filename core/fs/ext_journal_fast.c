/* SPDX-License-Identifier: MIT */
/*
 * Fast commits: rows of tags in blocks of their own behind the log, which stand for a transaction
 * that did not get its commit block any more. Inodes are written into the overlay; names and places
 * of blocks are kept in a table beside it (ext_edits.h).
 *
 * They are read twice: up to the last tail whose checksum is right, and then to do what they say.
 */
#include <string.h>

#include "core/base/bytes.h"
#include "core/disk/cache.h"
#include "core/fs/ext_edits.h"
#include "core/fs/ext_journal.h"
#include "core/fs/jbd2_disk.h"

#define FAST_TAGS_MAX ((uint64_t)1 << 18) /* of all fast commits */

struct fast {
    struct journal *j;
    struct fs *fs; /* on the overlay */
    struct ext_edits *edits;
    uint64_t nr_tags, nr_good; /* seen; up to the last good tail */
    uint32_t crc;
    bool has_head, ended, torn;
};

struct fast_tag {
    uint32_t tag, len;
    const uint8_t *value;
    uint64_t where;
};

typedef struct err (*fast_fn)(struct fast *f, const struct fast_tag *tag);

/* Is the length one that the tag can have? */
static bool len_is_valid(const struct ext *x, uint32_t tag, uint32_t len)
{
    switch (tag) {
    case EXT_FC_ADD_RANGE:
        return len == sizeof(struct ext_disk_fc_add_range);
    case EXT_FC_DEL_RANGE:
        return len == sizeof(struct ext_disk_fc_del_range);
    case EXT_FC_CREAT:
    case EXT_FC_LINK:
    case EXT_FC_UNLINK:
        return len > sizeof(struct ext_disk_fc_name) &&
               len - sizeof(struct ext_disk_fc_name) <= FS_NAME_MAX;
    case EXT_FC_INODE:
        return len >= EXT_FC_INO_BYTES + EXT_INODE_OLD_BYTES &&
               len - EXT_FC_INO_BYTES <= x->inode_bytes;
    case EXT_FC_PAD:
        return true;
    case EXT_FC_TAIL:
        return len >= sizeof(struct ext_disk_fc_tail);
    case EXT_FC_HEAD:
        return len == sizeof(struct ext_disk_fc_head);
    default:
        return false;
    }
}

/* The tags of a block, until fn sets f->ended. */
static struct err each_tag(struct fast *f, const uint8_t *block, uint64_t where, fast_fn fn)
{
    size_t bytes = f->j->block_bytes;
    struct fast_tag t;

    for (size_t at = 0; !f->ended && in_range(at, sizeof(struct ext_disk_fc_tag), bytes);
         at += sizeof(struct ext_disk_fc_tag) + t.len) {
        const struct ext_disk_fc_tag *raw = (const struct ext_disk_fc_tag *)(block + at);

        t = (struct fast_tag){.tag = le16(raw->tag),
                              .len = le16(raw->len),
                              .value = block + at + sizeof(*raw),
                              .where = where + at};
        if (t.len > bytes - at - sizeof(*raw) || !len_is_valid(ext_of(f->fs), t.tag, t.len)) {
            f->ended = true; /* left behind by older ones, or torn */
            return OK;
        }
        if (f->nr_tags == FAST_TAGS_MAX)
            return ERR1(ERR_LIMIT, "the journal has more than %a tags of fast commits",
                        FAST_TAGS_MAX);
        f->nr_tags++;
        TRY(fn(f, &t));
    }
    return OK;
}

static struct err each_block(struct fast *f, fast_fn fn)
{
    struct journal *j = f->j;
    struct log_reader log;
    const uint8_t *block;
    uint64_t where;
    struct err e;

    f->ended = false;
    f->nr_tags = 0;
    e = log_reader_open(&log, j, j->fc_first, j->fc_last, j->fc_first);
    while (!failed(e) && !f->ended && log.nr_left > 0) {
        e = log_reader_next(&log, &block, &where);
        if (!failed(e))
            e = each_tag(f, block, where, fn);
    }
    log_reader_close(&log);
    return e;
}

/* ---- first: which are whole? -------------------------------------------------------------------
 */

static struct err check_head(struct fast *f, const struct fast_tag *t)
{
    const struct ext_disk_fc_head *head = (const struct ext_disk_fc_head *)t->value;

    if (le32(head->sequence) != f->j->end_sequence)
        f->ended = true;
    else if (le32(head->features) != 0)
        return ERR1(ERR_REFUSED, "unknown features %A of fast commits", le32(head->features));
    else
        f->has_head = true;
    return OK;
}

static struct err check_tag(struct fast *f, const struct fast_tag *t)
{
    const uint8_t *raw = t->value - sizeof(struct ext_disk_fc_tag);
    size_t len = sizeof(struct ext_disk_fc_tag) + t->len;

    if (t->tag == EXT_FC_HEAD)
        TRY(check_head(f, t));
    else if (!f->has_head)
        f->ended = true;
    if (f->ended)
        return OK;
    if (t->tag != EXT_FC_TAIL) {
        f->crc = crc32c(f->crc, raw, len);
        return OK;
    }
    const struct ext_disk_fc_tail *tail = (const struct ext_disk_fc_tail *)t->value;
    size_t covered = sizeof(struct ext_disk_fc_tag) + offsetof(struct ext_disk_fc_tail, checksum);

    if (le32(tail->sequence) != f->j->end_sequence) {
        f->ended = true;
    } else if (le32(tail->checksum) != crc32c(f->crc, raw, covered)) {
        f->ended = f->torn = true;
    } else {
        f->nr_good = f->nr_tags;
        f->j->nr_fast++;
    }
    f->crc = 0;
    return OK;
}

/* ---- then: what they say -----------------------------------------------------------------------
 */

/* The inode's mode; 0: it is free, or damaged. */
static struct err mode_of(struct fast *f, uint64_t ino, uint32_t *mode)
{
    struct arena scratch;
    struct node n;

    *mode = 0;
    arena_init(&scratch, f->fs->arena->source);
    struct err e = ext_get_node(f->fs, &scratch, ino, &n);

    if (!failed(e))
        *mode = n.mode;
    arena_reset(&scratch);
    return e.code == ERR_FS_DAMAGED ? OK : e;
}

/* The inode's bytes in the overlay, to be changed before anything is read. */
static struct err edit_inode(struct fast *f, uint64_t ino, uint64_t where, uint8_t **raw)
{
    struct ext *x = ext_of(f->fs);
    uint64_t table, at;

    if (ino < EXT_ROOT_INO || ino > x->nr_inodes)
        return ERR_AT(ERR_FS_DAMAGED, where, "a fast commit of inode %a of %b", ino, x->nr_inodes);
    TRY(ext_inode_table(f->fs, (ino - 1) / x->inodes_per_group, &table));
    at = (ino - 1) % x->inodes_per_group * x->inode_bytes;
    TRY(overlay_edit(f->j->overlay, table + at / x->block_bytes, raw));
    disk_cache_forget(f->fs->disk->cache, (table + at / x->block_bytes) * x->block_bytes,
                      x->block_bytes);
    *raw += at % x->block_bytes;
    return OK;
}

/* An extent tree without extents. */
static void empty_tree(struct ext_disk_inode *di)
{
    struct ext_disk_extent_header *h = (struct ext_disk_extent_header *)di->block;

    memset(di->block, 0, sizeof(di->block));
    h->magic[0] = EXT_EXTENT_MAGIC & 0xff;
    h->magic[1] = EXT_EXTENT_MAGIC >> 8;
    h->max[0] = (sizeof(di->block) - sizeof(*h)) / sizeof(struct ext_disk_extent);
}

/* One name more, or less. Without any, nothing of the file is left. */
static struct err count_name(struct fast *f, const struct fast_tag *t, uint64_t ino)
{
    struct ext_disk_inode *di;
    uint8_t *raw;
    uint32_t nr;

    TRY(edit_inode(f, ino, t->where, &raw));
    di = (struct ext_disk_inode *)raw;
    nr = t->tag == EXT_FC_CREAT  ? 1
         : t->tag == EXT_FC_LINK ? le16(di->links_count) + 1u
                                 : le16(di->links_count) - 1u;
    di->links_count[0] = (uint8_t)nr;
    di->links_count[1] = (uint8_t)(nr >> 8);
    ext_inode_csum_set(ext_of(f->fs), ino, raw);
    return OK;
}

/*
 * An inode as it is now, but for its tree of blocks: which blocks are its own is told by ranges.
 * One that was free has none.
 */
static struct err do_inode(struct fast *f, const struct fast_tag *t)
{
    uint64_t ino = le32(t->value);
    const uint8_t *from = t->value + EXT_FC_INO_BYTES;
    const struct ext_disk_inode *now = (const struct ext_disk_inode *)from;
    size_t len = t->len - EXT_FC_INO_BYTES, rest = offsetof(struct ext_disk_inode, generation);
    uint32_t flags = le32(now->flags);
    uint8_t *raw;

    TRY(edit_inode(f, ino, t->where, &raw));
    struct ext_disk_inode *di = (struct ext_disk_inode *)raw;
    bool is_new = le16(di->links_count) == 0 || le16(di->mode) == 0;

    if (is_new)
        ext_edits_forget(f->edits, ino);
    memcpy(raw, from, offsetof(struct ext_disk_inode, block));
    memcpy(raw + rest, from + rest, len - rest);
    if (flags & EXT_INODE_EXTENTS) {
        if (is_new || le16(di->block) != EXT_EXTENT_MAGIC)
            empty_tree(di);
    } else if (flags & EXT_INODE_INLINE_DATA) {
        memcpy(di->block, now->block, sizeof(di->block));
    }
    ext_inode_csum_set(ext_of(f->fs), ino, raw);
    return OK;
}

static struct err do_range(struct fast *f, const struct fast_tag *t)
{
    const struct ext_disk_fc_add_range *add = (const struct ext_disk_fc_add_range *)t->value;
    const struct ext_disk_fc_del_range *del = (const struct ext_disk_fc_del_range *)t->value;
    const struct ext_disk_extent *extent = (const struct ext_disk_extent *)add->extent;
    struct ext_range r = {.hole = true};
    uint32_t mode;

    TRY(mode_of(f, le32(add->ino), &mode));
    if (mode == 0)
        return OK;
    if (t->tag == EXT_FC_DEL_RANGE) {
        r.block = le32(del->block);
        r.nr = le32(del->nr_blocks);
    } else {
        r.block = le32(extent->block);
        r.nr = le16(extent->len);
        r.start = le32(extent->start_lo) | (uint64_t)le16(extent->start_hi) << 32;
        r.hole = r.nr > EXT_EXTENT_LEN_MAX; /* not written yet: reads as zeros */
        if (r.hole)
            r.nr -= EXT_EXTENT_LEN_MAX;
    }
    return r.nr == 0 ? OK : ext_edits_range(f->edits, le32(add->ino), r);
}

/* A name that no directory can have? */
static bool name_is_bad(const char *name, size_t len)
{
    return memchr(name, '/', len) != NULL || memchr(name, '\0', len) != NULL ||
           (len <= 2 && name[0] == '.' && name[len - 1] == '.');
}

static struct err do_name(struct fast *f, const struct fast_tag *t)
{
    const struct ext_disk_fc_name *raw = (const struct ext_disk_fc_name *)t->value;
    const char *name = (const char *)(raw + 1);
    size_t len = t->len - sizeof(*raw);
    uint64_t parent = le32(raw->parent_ino), ino = le32(raw->ino);
    uint32_t mode, parent_mode;

    if (name_is_bad(name, len))
        return ERR_AT(ERR_FS_DAMAGED, t->where, "a fast commit names inode %a in inode %b", ino,
                      parent);
    /*
     * What cannot be done any more is passed over: a file that was made, opened and removed has no
     * links at its commit, and its names lead nowhere.
     */
    TRY(mode_of(f, ino, &mode));
    TRY(mode_of(f, parent, &parent_mode));
    if (mode == 0 || node_type_of(parent_mode) != NODE_DIR)
        return OK;
    if (t->tag == EXT_FC_CREAT && node_type_of(mode) == NODE_DIR)
        TRY(ext_edits_new_dir(f->edits, ino, parent));
    TRY(count_name(f, t, ino));
    return ext_edits_name(f->edits, parent, name, len, ino, t->tag != EXT_FC_UNLINK);
}

static struct err do_tag(struct fast *f, const struct fast_tag *t)
{
    if (f->nr_tags == f->nr_good)
        f->ended = true;
    switch (t->tag) {
    case EXT_FC_INODE:
        return do_inode(f, t);
    case EXT_FC_ADD_RANGE:
    case EXT_FC_DEL_RANGE:
        return do_range(f, t);
    case EXT_FC_CREAT:
    case EXT_FC_LINK:
    case EXT_FC_UNLINK:
        return do_name(f, t);
    default:
        return OK;
    }
}

struct err journal_replay_fast(struct journal *j, struct fs *view)
{
    struct fast f = {.j = j, .fs = view};

    TRY(each_block(&f, check_tag));
    /*
     * The blocks of one are written in any order before its tail, so a crash can tear it. Linux
     * asks for e2fsck when it is the first one, which then drops it.
     */
    if (f.torn || (f.has_head && f.nr_good == 0))
        j->discarded = f.nr_good == 0 ? "a torn fast commit is dropped; Linux will want e2fsck"
                                      : "its last fast commit is torn and is dropped";
    if (f.nr_good == 0)
        return OK;
    TRY(ext_edits_new(&f.edits, view->arena));
    ext_of(view)->edits = f.edits;
    TRY(each_block(&f, do_tag));
    view->replay_state = f.edits;
    return OK;
}
