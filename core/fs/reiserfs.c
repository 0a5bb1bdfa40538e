/* SPDX-License-Identifier: MIT */
/* The ReiserFS reader: superblock and mounting. The format's sources are in reiserfs_disk.h. */
#include "core/fs/reiserfs.h"

#include <string.h>

#include "core/base/text.h"
#include "core/fs/readers.h"

#define BLOCK_BYTES_MIN    512u
#define BLOCK_BYTES_MAX    8192u
#define JOURNAL_BLOCKS_MAX ((uint32_t)1 << 20)
#define TREE_HEIGHT_MIN    2u

enum kind { KIND_NONE, KIND_3_5, KIND_3_6, KIND_JR };

static enum kind kind_of(const struct reiser_disk_super *sb)
{
    static const struct {
        const char *magic;
        enum kind kind;
    } kinds[] = {
        {REISER_MAGIC_3_5, KIND_3_5}, {REISER_MAGIC_3_6, KIND_3_6}, {REISER_MAGIC_JR, KIND_JR}};

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (memcmp(sb->magic, kinds[i].magic, strlen(kinds[i].magic)) == 0)
            return kinds[i].kind;
    }
    return KIND_NONE;
}

/* At its old place first, as Linux does. */
static struct err find_super(struct fs *fs, struct reiser_disk_super *sb, uint64_t *where)
{
    static const uint64_t places[] = {REISER_SUPER_OFF_OLD, REISER_SUPER_OFF};

    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        *where = places[i];
        if (!in_range(*where, sizeof(*sb), fs->disk->size_bytes))
            break;
        TRY(disk_read(fs->disk, *where, sb, sizeof(*sb)));
        if (kind_of(sb) != KIND_NONE)
            return OK;
    }
    return ERR(ERR_NOT_MINE, "no ReiserFS superblock");
}

static struct err read_sizes(const struct fs *fs, struct reiser *r,
                             const struct reiser_disk_super *sb, uint64_t where)
{
    uint32_t height = le16(sb->tree_height);

    r->block_bytes = le16(sb->blocksize);
    if (r->block_bytes < BLOCK_BYTES_MIN || r->block_bytes > BLOCK_BYTES_MAX ||
        (r->block_bytes & (r->block_bytes - 1)) != 0)
        return ERR_AT(ERR_FS_DAMAGED, where, "blocks of %a bytes", r->block_bytes, 0);
    r->nr_blocks = le32(sb->block_count);
    if (r->nr_blocks > fs->disk->size_bytes / r->block_bytes)
        return ERR_AT(ERR_FS_DAMAGED, where,
                      "the file system has %a blocks, more than a disk of %b bytes holds",
                      r->nr_blocks, fs->disk->size_bytes);
    r->root_block = le32(sb->root_block);
    if (r->root_block == REISER_ROOT_REBUILDING)
        return ERR_AT(ERR_REFUSED, where,
                      "reiserfsck --rebuild-tree was interrupted and must be run again", 0, 0);
    if (height < TREE_HEIGHT_MIN || height > REISER_LEVELS_MAX + 1)
        return ERR_AT(ERR_FS_DAMAGED, where, "a tree of height %a", height, 0);
    r->root_level = height - 1;
    r->hash_code = le32(sb->hash_code);
    if (r->hash_code > REISER_HASH_R5)
        return ERR_AT(ERR_REFUSED, where, "names are hashed in an unknown way (code %a)",
                      r->hash_code, 0);
    return OK;
}

static struct err read_journal_place(struct reiser *r, const struct reiser_disk_super *sb,
                                     uint64_t where)
{
    uint32_t dev = le32(sb->journal.dev);

    /* As Linux packs device numbers: 12 bits of the major between the minor's low and high ones. */
    if (dev != 0)
        return ERR_AT(ERR_REFUSED, where, "its journal lies on another disk (device %a:%b)",
                      dev >> 8 & 0xfff, (dev & 0xff) | (dev >> 12 & 0xfff00));
    r->journal_first = le32(sb->journal.first_block);
    r->journal_blocks = le32(sb->journal.size);
    if (r->journal_blocks == 0 || r->journal_blocks > JOURNAL_BLOCKS_MAX ||
        !reiser_blocks_valid(r, r->journal_first, (uint64_t)r->journal_blocks + 1))
        return ERR_AT(ERR_FS_DAMAGED, where, "a journal of %b blocks at block %a", r->journal_first,
                      r->journal_blocks);
    r->journal_magic = le32(sb->journal.magic);
    /* What is kept free for a journal of the usual size, wherever the journal is. */
    r->reserved_first = (uint32_t)(where / r->block_bytes) +
                        (where == REISER_SUPER_OFF ? 2 : le16(sb->bmap_nr) + 1u);
    r->reserved_blocks =
        r->standard_journal ? r->journal_blocks + 1 : le16(sb->reserved_for_journal);
    return OK;
}

static void describe(struct fs *fs, const struct reiser *r, const struct reiser_disk_super *sb)
{
    struct text t = text_on(fs->describe, sizeof(fs->describe));
    size_t len = 0;

    text_str(&t, r->is_3_6 ? "ReiserFS 3.6" : "ReiserFS 3.5");
    if (fs->journal_replayed)
        text_str(&t, ", journal replayed");
    else if (fs->journal_dirty)
        text_str(&t, ", journal dirty");
    if (!r->is_3_6)
        return;
    while (len < sizeof(sb->label) && sb->label[len] != 0)
        len++;
    t = text_on(fs->label, sizeof(fs->label));
    text_name(&t, (const char *)sb->label, len);
    memcpy(fs->uuid, sb->uuid, sizeof(fs->uuid));
}

void reiser_say(const struct fs *fs, const char *what)
{
    char line[256];
    struct text t = fs_line(fs, line, sizeof(line));

    text_str(&t, what);
    log_line(fs->log, line);
}

static struct err reiser_mount(struct fs *fs)
{
    struct reiser_disk_super sb;
    uint64_t where;
    bool dirty = false;

    TRY(find_super(fs, &sb, &where));
    struct reiser *r = arena_alloc(fs->arena, sizeof(*r));

    if (r == NULL)
        return arena_exhausted("a ReiserFS mount of %a bytes", sizeof(*r));
    enum kind kind = kind_of(&sb);
    uint32_t version = le16(sb.version);

    /* Only beside the third magic is the version to be believed. */
    r->standard_journal = kind != KIND_JR;
    r->is_3_6 = kind == KIND_3_6 || (kind == KIND_JR && version == REISER_VERSION_3_6);
    if (kind == KIND_JR && version != REISER_VERSION_3_5 && version != REISER_VERSION_3_6)
        return ERR_AT(ERR_REFUSED, where, "an unknown version of ReiserFS (%a)", version, 0);
    TRY(read_sizes(fs, r, &sb, where));
    TRY(read_journal_place(r, &sb, where));
    r->has_errors = le16(sb.fs_state) != 0;
    r->has_attrs = r->is_3_6 && (le32(sb.flags) & REISER_FLAG_ATTRS);
    r->path.arena = fs->arena;
    fs->priv = r;
    fs->root_ino = reiser_ino(REISER_ROOT_DIR_ID, REISER_ROOT_OBJECTID);
    if (!fs->journal_replayed)
        TRY(reiser_journal_look(fs, &dirty));
    fs->journal_dirty = dirty;
    describe(fs, r, &sb);
    if (dirty)
        return OK; /* the tree cannot be looked into yet */
    if (le16(sb.fs_state) != 0)
        reiser_say(fs, " is marked as having errors; run reiserfsck on it");
    return r->hash_code == REISER_HASH_UNSET ? reiser_detect_hash(fs) : OK;
}

const struct fs_ops reiserfs_fs_ops = {
    .name = "ReiserFS",
    .mount = reiser_mount,
    .replay = reiser_replay,
    .get_node = reiser_get_node,
    .lookup = reiser_lookup,
    .readdir = reiser_readdir,
    .map = reiser_map,
    .may_overwrite = reiser_may_overwrite,
    .readlink = reiser_readlink,
};
