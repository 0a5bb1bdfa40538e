/* SPDX-License-Identifier: MIT */
/*
 * The tree of the ReiserFS reader: keys, blocks, search.
 *
 * A search goes from the root down, one block a level, so it reads no more than REISER_LEVELS_MAX
 * blocks, whatever they say. A path keeps the block of each level: searches that come in order find
 * most of theirs there. Every key of a block must lie between the two keys beside the pointer that
 * leads to the block; so no two places of the tree can show the same block, and a walk from item to
 * item ends.
 */
#include <string.h>

#include "core/fs/reiserfs.h"

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

int reiser_key_compare(const struct reiser_key *a, const struct reiser_key *b)
{
    int order = compare(a->dir_id, b->dir_id);

    if (order == 0)
        order = compare(a->objectid, b->objectid);
    if (order == 0)
        order = compare(a->offset, b->offset);
    return order != 0 ? order : compare(a->type, b->type);
}

static enum reiser_type type_of_uniqueness(uint32_t uniqueness)
{
    switch (uniqueness) {
    case REISER_UNIQUENESS_STAT:
        return REISER_STAT;
    case REISER_UNIQUENESS_DIR:
        return REISER_DIR;
    case REISER_UNIQUENESS_DIRECT:
        return REISER_DIRECT;
    case REISER_UNIQUENESS_INDIRECT:
        return REISER_INDIRECT;
    default:
        return REISER_UNKNOWN;
    }
}

/* The top 4 bits tell the formats apart: 3.5 has none of the values 1, 2 and 3 there. */
static struct reiser_key load_key(const struct reiser_disk_key *k)
{
    uint64_t offset = le64(k->offset);
    uint32_t type = (uint32_t)(offset >> 60);
    struct reiser_key key = {.dir_id = le32(k->dir_id), .objectid = le32(k->objectid)};

    if (type >= REISER_INDIRECT && type <= REISER_DIR) {
        key.offset = offset & (UINT64_MAX >> 4);
        key.type = (enum reiser_type)type;
    } else {
        key.offset = (uint32_t)offset;
        key.type = type_of_uniqueness((uint32_t)(offset >> 32));
    }
    return key;
}

/* A block of the tree under examination. */
struct tree_block {
    const uint8_t *bytes;
    uint64_t where;
    uint32_t level, nr;
};

static const struct reiser_disk_item_head *item_head(const struct tree_block *b, uint32_t i)
{
    return (const struct reiser_disk_item_head *)(b->bytes +
                                                  sizeof(struct reiser_disk_block_head)) +
           i;
}

static struct reiser_key key_at(const struct tree_block *b, uint32_t i)
{
    if (b->level == REISER_LEAF_LEVEL)
        return load_key(&item_head(b, i)->key);
    return load_key(
        (const struct reiser_disk_key *)(b->bytes + sizeof(struct reiser_disk_block_head)) + i);
}

static uint32_t child_at(const struct tree_block *b, uint32_t i)
{
    const struct reiser_disk_child *children =
        (const struct reiser_disk_child *)(b->bytes + sizeof(struct reiser_disk_block_head) +
                                           (size_t)b->nr * sizeof(struct reiser_disk_key));

    return le32(children[i].block);
}

/* Items lie between the heads and the block's end, each below the one before it. */
static struct err check_items(const struct tree_block *b, uint32_t block_bytes)
{
    uint32_t heads_end = (uint32_t)(sizeof(struct reiser_disk_block_head) +
                                    b->nr * sizeof(struct reiser_disk_item_head));
    uint32_t end = block_bytes;

    for (uint32_t i = 0; i < b->nr; i++) {
        const struct reiser_disk_item_head *h = item_head(b, i);
        uint32_t at = le16(h->location), len = le16(h->len);

        if (at < heads_end || !in_range(at, len, end))
            return ERR_AT(ERR_FS_DAMAGED, b->where, "an item of %b bytes lies at %a of its block",
                          at, len);
        end = at;
    }
    return OK;
}

/* What only the block's bytes tell. */
static struct err check_block(const struct tree_block *b, uint32_t block_bytes)
{
    const struct reiser_disk_block_head *h = (const struct reiser_disk_block_head *)b->bytes;
    bool leaf = b->level == REISER_LEAF_LEVEL;
    size_t entry = leaf ? sizeof(struct reiser_disk_item_head)
                        : sizeof(struct reiser_disk_key) + sizeof(struct reiser_disk_child);
    size_t room = block_bytes - sizeof(*h) - (leaf ? 0 : sizeof(struct reiser_disk_child));

    if (le16(h->level) != b->level)
        return ERR_AT(ERR_FS_DAMAGED, b->where, "a tree block of level %a, should be %b",
                      le16(h->level), b->level);
    if (b->nr == 0 || b->nr > room / entry)
        return ERR_AT(ERR_FS_DAMAGED, b->where, "a tree block with %a items", b->nr, 0);
    for (uint32_t i = 1; i < b->nr; i++) {
        struct reiser_key before = key_at(b, i - 1), key = key_at(b, i);

        if (reiser_key_compare(&before, &key) >= 0)
            return ERR_AT(ERR_FS_DAMAGED, b->where, "item %a of a tree block is out of order", i,
                          0);
    }
    return leaf ? check_items(b, block_bytes) : OK;
}

/* Bring the block into the path's level. */
static struct err load_block(struct fs *fs, struct reiser_path *path, uint32_t level,
                             uint32_t block, struct tree_block *out)
{
    struct reiser *r = reiser_of(fs);
    struct reiser_level *l = &path->levels[level - 1];
    bool fresh = l->block != block || l->bytes == NULL;

    if (!reiser_blocks_valid(r, block, 1))
        return ERR2(ERR_FS_DAMAGED, "the tree points to block %a of %b", block, r->nr_blocks);
    if (l->bytes == NULL)
        l->bytes = arena_alloc(path->arena, r->block_bytes);
    if (l->bytes == NULL)
        return arena_exhausted("a tree block of %a bytes", r->block_bytes);
    *out = (struct tree_block){
        .bytes = l->bytes, .where = (uint64_t)block * r->block_bytes, .level = level};
    if (fresh) {
        l->block = 0;
        TRY(disk_read(fs->disk, out->where, l->bytes, r->block_bytes));
    }
    out->nr = le16(((const struct reiser_disk_block_head *)l->bytes)->nr_items);
    if (fresh)
        TRY(check_block(out, r->block_bytes));
    l->block = block;
    return OK;
}

/* The number of keys that are not greater. */
static uint32_t count_up_to(const struct tree_block *b, const struct reiser_key *key)
{
    uint32_t low = 0, high = b->nr;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        struct reiser_key at = key_at(b, mid);

        if (reiser_key_compare(&at, key) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Go down to the leaf in whose range the key lies; path->right is where that range ends. */
static struct err descend(struct fs *fs, struct reiser_path *path, const struct reiser_key *key,
                          struct tree_block *leaf)
{
    struct reiser *r = reiser_of(fs);
    struct reiser_key left = {0};
    uint32_t block = r->root_block;

    path->has_right = false;
    for (uint32_t level = r->root_level;; level--) {
        TRY(load_block(fs, path, level, block, leaf));
        struct reiser_key first = key_at(leaf, 0), last = key_at(leaf, leaf->nr - 1);

        if (reiser_key_compare(&first, &left) < 0 ||
            (path->has_right && reiser_key_compare(&last, &path->right) >= 0))
            return ERR_AT(ERR_FS_DAMAGED, leaf->where,
                          "a tree block holds keys that belong elsewhere", 0, 0);
        if (level == REISER_LEAF_LEVEL)
            return OK;
        uint32_t i = count_up_to(leaf, key);

        if (i > 0)
            left = key_at(leaf, i - 1);
        if (i < leaf->nr) {
            path->right = key_at(leaf, i);
            path->has_right = true;
        }
        block = child_at(leaf, i);
    }
}

static void fill(struct reiser_path *path, const struct tree_block *leaf, uint32_t index,
                 struct reiser_item *out)
{
    const struct reiser_disk_item_head *h = item_head(leaf, index);

    *out = (struct reiser_item){.path = path,
                                .index = index,
                                .nr_items = leaf->nr,
                                .key = load_key(&h->key),
                                .version = le16(h->version),
                                .count = le16(h->count),
                                .bytes = leaf->bytes + le16(h->location),
                                .len_bytes = le16(h->len),
                                .where = leaf->where + le16(h->location)};
}

struct err reiser_search(struct fs *fs, struct reiser_path *path, const struct reiser_key *key,
                         struct reiser_item *out, bool *found)
{
    struct tree_block leaf;

    *found = false;
    TRY(descend(fs, path, key, &leaf));
    uint32_t nr = count_up_to(&leaf, key);

    /* The keys above a leaf begin with its own first one: only before the first leaf is nothing. */
    if (nr == 0)
        return OK;
    fill(path, &leaf, nr - 1, out);
    *found = true;
    return OK;
}

struct err reiser_next(struct fs *fs, struct reiser_item *item, bool *found, uint64_t *nr_leaves)
{
    struct reiser_path *path = item->path;
    struct reiser_level *l = &path->levels[0];
    struct tree_block leaf = {.bytes = l->bytes,
                              .where = (uint64_t)l->block * reiser_of(fs)->block_bytes,
                              .level = REISER_LEAF_LEVEL,
                              .nr = item->nr_items};

    *found = true;
    if (item->index + 1 < item->nr_items) {
        fill(path, &leaf, item->index + 1, item);
        return OK;
    }
    *found = path->has_right;
    if (!*found)
        return OK;
    struct reiser_key right = path->right;

    (*nr_leaves)++;
    TRY(descend(fs, path, &right, &leaf));
    fill(path, &leaf, 0, item);
    return OK;
}
