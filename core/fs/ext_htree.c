/* SPDX-License-Identifier: MIT */
/*
 * Looking for a name through a directory's hash tree. Source: "Hash Tree Directories" in the
 * kernel's documentation (Documentation/filesystems/ext4).
 *
 * The tree maps hashes to leaves, which are blocks of entries like any other. Names of one hash may
 * fill several leaves; then the search goes on into the next one. Nothing here trusts the tree: a
 * node must be what Linux and e2fsck take for one, and before a name is said not to be there, every
 * name in the leaves that were searched must have a hash that belongs into them. When something
 * does not hold, the answer is ERR_FS_DAMAGED, and the caller searches all blocks.
 */
#include <string.h>

#include "core/fs/ext.h"

#define HTREE_BLOCKS_MAX 4096 /* read for one name */

/* A node on the way from the root to the leaf. */
struct frame {
    uint64_t block;
    uint32_t at, count;  /* the entry that was taken, of so many */
    uint32_t hash, next; /* of that entry and of the one after it */
};

struct htree {
    struct fs *fs;
    struct node *dir;
    const struct ext_name *want;
    struct ext_hash hash;
    uint8_t *buf; /* one block */
    uint64_t where;
    uint32_t target; /* the name's hash */
    uint32_t nr_levels;
    uint32_t nr_read;
    uint64_t leaf;
    uint32_t low, high; /* hashes that belong into the leaf */
    struct frame frames[EXT_DX_LEVELS_MAX];
    uint64_t found; /* inode */
    bool stray;     /* a name that does not belong into the leaf */
};

#define TREE_DAMAGED(t, msg_, a_, b_) ERR_AT(ERR_FS_DAMAGED, (t)->where, msg_, a_, b_)

bool ext_htree_has(const struct ext *x, const struct node *dir)
{
    const struct ext_node *en = ext_node_of(dir);

    return (x->compat & EXT_COMPAT_DIR_INDEX) && (en->flags & EXT_INODE_INDEX) &&
           !(en->flags & EXT_INODE_ENCRYPT) && en->inline_bytes == NULL;
}

static struct err read_block(struct htree *t, uint64_t block)
{
    if (++t->nr_read > HTREE_BLOCKS_MAX)
        return ERR1(ERR_FS_DAMAGED, "more than %a blocks belong to one name", HTREE_BLOCKS_MAX);
    return ext_dir_block(t->fs, t->dir, block, t->buf, &t->where);
}

/* A node begins with an unused entry of a whole block. */
static bool looks_like_node(const struct htree *t)
{
    const struct ext *x = ext_of(t->fs);
    const struct ext_disk_dirent *de = (const struct ext_disk_dirent *)t->buf;

    return le32(de->inode) == 0 && ext_rec_len(x, de) == x->block_bytes;
}

/* Take the hash function and the number of levels from the root, which is in buf. */
static struct err read_root(struct htree *t)
{
    const struct ext *x = ext_of(t->fs);
    const struct ext_disk_dx_root *root = (const struct ext_disk_dx_root *)t->buf;
    const struct ext_disk_dirent *dot = (const struct ext_disk_dirent *)root->dot;
    const struct ext_disk_dirent *dotdot = (const struct ext_disk_dirent *)root->dotdot;
    uint32_t levels_max =
        x->incompat & EXT_INCOMPAT_LARGEDIR ? EXT_DX_LEVELS_MAX : EXT_DX_LEVELS_SMALL;
    uint32_t version = root->hash_version[0];

    if (ext_rec_len(x, dot) != sizeof(root->dot) ||
        ext_rec_len(x, dotdot) != x->block_bytes - sizeof(root->dot) || le32(root->reserved) != 0 ||
        root->info_bytes[0] != EXT_DX_INFO_BYTES)
        return TREE_DAMAGED(t, "the directory's first block is no root of a hash tree", 0, 0);
    if (version >= EXT_HASH_NR || (root->flags[0] & 1))
        return TREE_DAMAGED(t, "a hash tree with hash version %a and flags %b", version,
                            root->flags[0]);
    if (root->levels[0] >= levels_max)
        return TREE_DAMAGED(t, "a hash tree of %a levels, more than %b", 1 + root->levels[0],
                            levels_max);
    if (x->hash_unsigned && version < EXT_HASH_LEGACY_UNSIGNED)
        version += EXT_HASH_LEGACY_UNSIGNED;
    t->hash.version = (enum ext_hash_version)version;
    memcpy(t->hash.seed, x->hash_seed, sizeof(t->hash.seed));
    t->nr_levels = 1u + root->levels[0];
    return OK;
}

/* The entries of the node in buf: how many, and that they ascend. */
static struct err check_entries(const struct htree *t, size_t at, uint32_t *nr)
{
    const struct ext *x = ext_of(t->fs);
    const struct ext_disk_dx_countlimit *cl = (const struct ext_disk_dx_countlimit *)(t->buf + at);
    const struct ext_disk_dx_entry *entries = (const struct ext_disk_dx_entry *)(t->buf + at);
    size_t tail = ext_has_metadata_csum(x) ? sizeof(struct ext_disk_dx_tail) : 0;
    uint32_t limit = le16(cl->limit), count = le16(cl->count);

    if (limit != (x->block_bytes - tail - at) / EXT_DX_ENTRY_BYTES || count == 0 || count > limit)
        return TREE_DAMAGED(t, "a hash tree node with %a entries of %b", count, limit);
    for (uint32_t i = 2; i < count; i++) {
        if (le32(entries[i].hash) < le32(entries[i - 1].hash))
            return TREE_DAMAGED(t, "entry %a of a hash tree node is out of order", i, 0);
    }
    *nr = count;
    return OK;
}

/* The last entry whose hash is not above the target; the first one has none, and is below all. */
static uint32_t search(const struct ext_disk_dx_entry *entries, uint32_t nr, uint32_t target)
{
    uint32_t low = 1, high = nr; /* the answer + 1 lies in [low, high] */

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (le32(entries[mid].hash) <= target)
            low = mid + 1;
        else
            high = mid;
    }
    return low - 1;
}

/* Read the node of that level, and take the entry `at`, or the target's: its child's block. */
static struct err take_entry(struct htree *t, uint32_t level, bool by_hash, uint32_t at,
                             uint64_t *child)
{
    struct frame *f = &t->frames[level];
    size_t off = level == 0 ? EXT_DX_ROOT_OFF : EXT_DX_NODE_OFF;
    const struct ext_disk_dx_entry *entries = (const struct ext_disk_dx_entry *)(t->buf + off);

    TRY(read_block(t, f->block));
    if (level > 0 && !looks_like_node(t))
        return TREE_DAMAGED(t, "a hash tree points to block %a as to a node", f->block, 0);
    TRY(check_entries(t, off, &f->count));
    f->at = by_hash ? search(entries, f->count, t->target) : at;
    if (f->at >= f->count)
        return TREE_DAMAGED(t, "a hash tree node with %a entries, not %b", f->count, f->at);
    f->hash = f->at == 0 ? 0 : le32(entries[f->at].hash);
    f->next = f->at + 1 < f->count ? le32(entries[f->at + 1].hash) : UINT32_MAX;
    *child = le32(entries[f->at].block) & EXT_DX_BLOCK_MASK;
    return OK;
}

/* From the entry `at` of the level's node down to a leaf, by hash or along the first entries. */
static struct err descend(struct htree *t, uint32_t level, bool by_hash, uint32_t at)
{
    for (; level < t->nr_levels; level++, at = 0) {
        uint64_t child = 0;

        TRY(take_entry(t, level, by_hash, at, &child));
        if (level + 1 < t->nr_levels)
            t->frames[level + 1].block = child;
        t->leaf = child;
    }
    /* What an entry's hash says holds for all below it. */
    t->low = 0;
    t->high = UINT32_MAX;
    for (uint32_t i = 0; i < t->nr_levels; i++) {
        if (t->frames[i].at > 0)
            t->low = t->frames[i].hash;
        if (t->frames[i].at + 1 < t->frames[i].count)
            t->high = t->frames[i].next;
    }
    return OK;
}

/* Do names with the target's hash go on in the next leaf? Then go there. */
static struct err next_leaf(struct htree *t, bool *more)
{
    uint32_t level = t->nr_levels;

    *more = false;
    while (level > 0 && t->frames[level - 1].at + 1 >= t->frames[level - 1].count)
        level--;
    if (level == 0 || (t->frames[level - 1].next & ~UINT32_C(1)) != t->target)
        return OK;
    *more = true;
    return descend(t, level - 1, false, t->frames[level - 1].at + 1);
}

static bool compare(void *ctx, const char *name, size_t len, uint64_t ino)
{
    struct htree *t = ctx;

    if (!ext_name_is(t->want, name, len))
        return true;
    t->found = ino;
    return false;
}

static bool belongs_here(void *ctx, const char *name, size_t len, uint64_t ino)
{
    struct htree *t = ctx;
    uint32_t hash = ext_name_hash(t->want, &t->hash, name, len);

    (void)ino;
    /* A name's hash is even; an odd limit means that the even one below it is on both sides. */
    t->stray = hash < (t->low & ~UINT32_C(1)) || hash >= t->high;
    return !t->stray;
}

static struct err search_leaf(struct htree *t)
{
    TRY(read_block(t, t->leaf));
    if (t->leaf == 0 || looks_like_node(t))
        return TREE_DAMAGED(t, "a hash tree points to block %a as to a leaf", t->leaf, 0);
    TRY(ext_dir_entries(t->fs, t->buf, t->where, compare, t));
    /* Names that another kernel folded may have other hashes; the caller searches for them. */
    if (t->found != 0 || (t->want->folded != NULL && !ext_of(t->fs)->index_is_all))
        return OK;
    TRY(ext_dir_entries(t->fs, t->buf, t->where, belongs_here, t));
    if (t->stray)
        return TREE_DAMAGED(t, "a name that does not belong into its leaf of the hash tree", 0, 0);
    return OK;
}

struct err ext_htree_lookup(struct fs *fs, struct node *dir, struct arena *scratch,
                            const struct ext_name *want, uint64_t *ino)
{
    struct ext *x = ext_of(fs);
    struct htree t = {.fs = fs, .dir = dir, .want = want};
    bool more = true;

    t.buf = arena_pages(scratch, (size_t)align_up(x->block_bytes, 4096));
    if (t.buf == NULL)
        return arena_exhausted("a directory buffer of %a bytes", x->block_bytes);
    TRY(read_block(&t, 0));
    TRY(read_root(&t));
    t.target = ext_name_hash(want, &t.hash, want->name, want->len);
    TRY(descend(&t, 0, true, 0));
    while (more) {
        TRY(search_leaf(&t));
        if (t.found != 0) {
            *ino = t.found;
            return OK;
        }
        TRY(next_leaf(&t, &more));
    }
    return ERR(ERR_FILE_NOT_FOUND, "");
}
