/* SPDX-License-Identifier: MIT */
/*
 * Replay of the journal of ext3 and ext4 in memory: the superblock of the journal, the order of
 * the steps, and the line that says what was done. docs/recovery.md says what is applied and why
 * the rest can be left out.
 */
#include "core/fs/ext_journal.h"

#include <string.h>

#include "core/base/text.h"
#include "core/fs/jbd2_disk.h"
#include "core/fs/readers.h"

#define INCOMPAT_KNOWN                                                                             \
    (JBD2_INCOMPAT_REVOKE | JBD2_INCOMPAT_64BIT | JBD2_INCOMPAT_ASYNC_COMMIT |                     \
     JBD2_INCOMPAT_CSUM_V2 | JBD2_INCOMPAT_CSUM_V3 | JBD2_INCOMPAT_FAST_COMMIT)

#define CRC32_POLY 0x04c11db7u

#define VIEW_CACHE_BLOCKS 64 /* it stays with the overlay */

static void say(const struct fs *fs, const char *what)
{
    char line[200];
    struct text t = fs_line(fs, line, sizeof(line));

    text_str(&t, ": ");
    text_str(&t, what);
    log_line(fs->log, line);
}

/* ---- where the journal is ----------------------------------------------------------------------
 */

/*
 * The superblock keeps a copy of the journal inode's block numbers and size, for when the inode
 * is damaged.
 */
static struct err node_from_backup(struct fs *fs, const struct ext_disk_super *sb, struct arena *a,
                                   struct node *out)
{
    const uint8_t *backup = sb->jnl_blocks;
    struct ext_node *en = arena_alloc(a, sizeof(*en));

    if (en == NULL)
        return arena_exhausted("an inode of %a bytes", sizeof(*en));
    *out = (struct node){.ino = ext_of(fs)->journal_ino, .type = NODE_FILE, .priv = en};
    out->size_bytes = le32(backup + 64) | (uint64_t)le32(backup + 60) << 32;
    en->arena = a;
    en->csum_seed = ext_of(fs)->csum_seed;
    memcpy(en->block, backup, sizeof(en->block));
    if (le16(backup) == EXT_EXTENT_MAGIC)
        en->flags = EXT_INODE_EXTENTS;
    return OK;
}

static struct err find_journal(struct journal *j)
{
    struct fs *fs = j->fs;
    struct ext *x = ext_of(fs);
    struct ext_disk_super sb;
    struct node *n = &j->file.node;

    TRY(disk_read(fs->disk, EXT_SUPER_OFF, &sb, sizeof(sb)));
    if (x->journal_ino == 0)
        return ERR2(ERR_REFUSED,
                    "the journal is on another device (UUID %U) and holds the latest changes; "
                    "journals on other devices are not read",
                    be64(sb.journal_uuid), be64(sb.journal_uuid + 8));
    j->file = (struct file){.fs = fs, .path = "the journal"};
    struct err e = ext_get_node(fs, &j->scratch, x->journal_ino, n);

    if (!failed(e) && n->type != NODE_FILE)
        e = ERR1(ERR_FS_DAMAGED, "the journal (inode %a) is not a file", x->journal_ino);
    if (failed(e) && e.code == ERR_FS_DAMAGED && sb.jnl_backup_type[0] == EXT_JNL_BACKUP_BLOCKS) {
        say(fs, "the journal's inode is damaged; its copy in the superblock is used");
        e = node_from_backup(fs, &sb, &j->scratch, n);
    }
    return e;
}

/* ---- its superblock ----------------------------------------------------------------------------
 */

#define SUPER_DAMAGED(msg_, a_, b_) ERR_AT(ERR_FS_DAMAGED, where, msg_, a_, b_)

static struct err read_features(struct journal *j, const struct jbd2_disk_super *sb, uint64_t where)
{
    uint32_t compat = be32(sb->feature_compat), incompat = be32(sb->feature_incompat);

    if (be32(sb->header.type) == JBD2_SUPER_V1)
        compat = incompat = 0;
    else if (incompat & ~(uint32_t)INCOMPAT_KNOWN)
        return ERR1(ERR_REFUSED, "unknown features %A of the journal",
                    incompat & ~(uint32_t)INCOMPAT_KNOWN);
    else if (be32(sb->feature_ro_compat) != 0)
        return ERR1(ERR_REFUSED, "unknown features %A of the journal", be32(sb->feature_ro_compat));
    j->has_64bit = (incompat & JBD2_INCOMPAT_64BIT) != 0;
    j->is_async = (incompat & JBD2_INCOMPAT_ASYNC_COMMIT) != 0;
    j->has_csum1 = (compat & JBD2_COMPAT_CHECKSUM) != 0;
    j->has_csum2 = (incompat & JBD2_INCOMPAT_CSUM_V2) != 0;
    j->has_csum3 = (incompat & JBD2_INCOMPAT_CSUM_V3) != 0;
    if (j->has_csum1 + j->has_csum2 + j->has_csum3 > 1)
        return SUPER_DAMAGED("the journal has checksums of two kinds", 0, 0);
    if (j->has_csum3) {
        j->tag_bytes = sizeof(struct jbd2_disk_tag3);
    } else {
        j->tag_bytes = j->has_64bit ? 12 : 8;
        if (j->has_csum2)
            j->tag_bytes += 2; /* unused ones, by an accident that became the format */
    }
    return OK;
}

static struct err check_super_csum(struct journal *j, const struct jbd2_disk_super *sb,
                                   uint64_t where)
{
    static const uint8_t zero[4] = {0};
    size_t at = offsetof(struct jbd2_disk_super, checksum);
    uint32_t want = be32(sb->checksum), got;

    if (!journal_has_csum23(j))
        return OK;
    if (sb->checksum_type[0] != JBD2_CHECKSUM_CRC32C)
        return ERR1(ERR_REFUSED, "checksums of type %a in the journal", sb->checksum_type[0]);
    got = crc32c(UINT32_MAX, sb, at);
    got = crc32c(got, zero, sizeof(zero));
    got = crc32c(got, sb->users, sizeof(sb->users));
    if (got != want)
        return SUPER_DAMAGED("the journal's superblock has checksum %A, should be %B", want, got);
    j->csum_seed = crc32c(UINT32_MAX, sb->uuid, sizeof(sb->uuid));
    return OK;
}

static struct err read_places(struct journal *j, const struct jbd2_disk_super *sb, uint64_t where)
{
    uint64_t in_file = j->file.node.size_bytes / j->block_bytes, nr_fc = 0;

    j->last = be32(sb->max_len);
    j->first = be32(sb->first);
    j->start = be32(sb->start);
    j->sequence = be32(sb->sequence);
    j->error = be32(sb->error);
    if (j->last > in_file)
        return SUPER_DAMAGED("the journal has %a blocks, its file %b", j->last, in_file);
    /* A file can be made to show the same block again and again. */
    if (j->last > ext_of(j->fs)->nr_blocks)
        return SUPER_DAMAGED("the journal has %a blocks, the file system %b", j->last,
                             ext_of(j->fs)->nr_blocks);
    if (be32(sb->header.type) == JBD2_SUPER_V2 &&
        (be32(sb->feature_incompat) & JBD2_INCOMPAT_FAST_COMMIT)) {
        nr_fc = be32(sb->nr_fc_blocks);
        if (nr_fc == 0)
            nr_fc = JBD2_FC_BLOCKS_DEFAULT;
        if (nr_fc >= j->last)
            return SUPER_DAMAGED("the journal has %a blocks, %b of them for fast commits", j->last,
                                 nr_fc);
        j->fc_last = j->last;
        j->last -= nr_fc;
        j->fc_first = j->last + 1; /* the block between belongs to neither */
    }
    if (j->first == 0 || j->first >= j->last)
        return SUPER_DAMAGED("the log begins at block %a of a journal of %b", j->first, j->last);
    if (j->start != 0 && (j->start < j->first || j->start >= j->last))
        return SUPER_DAMAGED("the first transaction begins at block %a of a journal of %b",
                             j->start, j->last);
    return OK;
}

static struct err read_super(struct journal *j)
{
    struct fs *fs = j->fs;
    struct jbd2_disk_super sb;
    struct run run;

    if (j->file.node.size_bytes < sizeof(sb))
        return ERR1(ERR_FS_DAMAGED, "the journal's file has %a bytes", j->file.node.size_bytes);
    TRY(ext_map(fs, &j->file.node, 0, &run));
    if (run.kind != RUN_DISK)
        return ERR(ERR_FS_DAMAGED, "the journal's first block is a hole");
    uint64_t where = run.disk_off_bytes;

    TRY(disk_read(fs->disk, where, &sb, sizeof(sb)));
    uint32_t type = be32(sb.header.type);

    if (be32(sb.header.magic) != JBD2_MAGIC || (type != JBD2_SUPER_V1 && type != JBD2_SUPER_V2))
        return SUPER_DAMAGED("the journal does not begin with its superblock", 0, 0);
    if (be32(sb.block_size) != j->block_bytes)
        return SUPER_DAMAGED("the journal has blocks of %a bytes, the file system of %b",
                             be32(sb.block_size), j->block_bytes);
    TRY(read_features(j, &sb, where));
    TRY(check_super_csum(j, &sb, where));
    return read_places(j, &sb, where);
}

/* ---- the replay --------------------------------------------------------------------------------
 */

static struct err make_tables(struct journal *j)
{
    j->crc = arena_alloc(&j->scratch, sizeof(*j->crc));
    j->crc_be = arena_alloc(&j->scratch, 256 * sizeof(*j->crc_be));
    if (j->crc == NULL || j->crc_be == NULL)
        return arena_exhausted("tables of %a bytes", sizeof(*j->crc));
    crc32c_tables_init(j->crc);
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i << 24;

        for (int bit = 0; bit < 8; bit++)
            crc = crc << 1 ^ (crc >> 31 ? CRC32_POLY : 0);
        j->crc_be[i] = crc;
    }
    return OK;
}

static void count(struct text *t, uint64_t nr, const char *one)
{
    text_str(t, ", ");
    text_u64(t, nr);
    text_str(t, one);
    if (nr != 1)
        text_char(t, 's');
}

static void say_done(const struct journal *j)
{
    char line[256];
    struct text t = fs_line(j->fs, line, sizeof(line));
    uint32_t nr = j->end_sequence - j->sequence;

    text_str(&t, ": journal replayed: ");
    text_u64(&t, nr);
    text_str(&t, nr == 1 ? " transaction" : " transactions");
    if (nr > 0) {
        text_str(&t, " from ");
        text_u64(&t, j->sequence);
    }
    count(&t, j->nr_blocks, " block");
    if (j->nr_revoked > 0) {
        text_str(&t, ", ");
        text_u64(&t, j->nr_revoked);
        text_str(&t, " revoked");
    }
    if (j->nr_fast > 0)
        count(&t, j->nr_fast, " fast commit");
    if (j->discarded != NULL) {
        text_str(&t, "; ");
        text_str(&t, j->discarded);
    }
    log_line(j->fs->log, line);
}

static struct err replay_fast(struct journal *j)
{
    struct fs view = {.ops = j->fs->ops,
                      .disk = overlay_disk(j->overlay),
                      .arena = j->fs->arena,
                      .journal_replayed = true};

    if (j->fc_last == 0)
        return OK;
    TRY(disk_cache_attach(view.disk, j->fs->arena, VIEW_CACHE_BLOCKS));
    TRY(ext_mount(&view));
    TRY(journal_replay_fast(j, &view));
    j->fs->replay_state = view.replay_state;
    return OK;
}

static struct err replay(struct journal *j)
{
    struct fs *fs = j->fs;

    TRY(find_journal(j));
    TRY(read_super(j));
    if (j->error != 0)
        say(fs, "an error was recorded in the journal; run e2fsck");
    TRY(overlay_new(&j->overlay, fs->disk, fs->arena, j->block_bytes, JOURNAL_MEMORY_MAX));
    if (j->start == 0) {
        say(fs, "journal replayed: it is empty");
        return OK;
    }
    TRY(make_tables(j));
    TRY(journal_scan(j));
    TRY(replay_fast(j));
    say_done(j);
    return OK;
}

struct err ext_replay(struct fs *fs, struct disk **out)
{
    struct journal *j;
    struct arena a;

    *out = fs->disk;
    if (!(ext_of(fs)->compat & EXT_COMPAT_HAS_JOURNAL)) {
        say(fs, "a journal is to be replayed, but there is none");
        return OK;
    }
    arena_init(&a, fs->arena->source);
    j = arena_alloc(&a, sizeof(*j));
    if (j == NULL)
        return arena_exhausted("a replay of %a bytes", sizeof(*j));
    j->fs = fs;
    j->block_bytes = ext_of(fs)->block_bytes;
    arena_init(&j->scratch, fs->arena->source);
    struct err e = replay(j);

    if (!failed(e))
        *out = overlay_disk(j->overlay);
    arena_reset(&j->scratch);
    arena_reset(&a);
    return e;
}
