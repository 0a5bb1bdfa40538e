/* SPDX-License-Identifier: MIT */
/*
 * The journal of the ReiserFS reader, replayed as Linux does when it mounts.
 *
 * The header says where the first transaction lies whose blocks may not all have reached their
 * places, and its number. From there on each transaction must follow the one before it at once,
 * with a number that is not too old, of the same mount, and with a commit that matches its
 * description: the first one that does not ends the replay, which is how a torn last transaction
 * is dropped. Whether the superblock calls the file system unmounted does not matter.
 *
 * A journal holds whole blocks: what was replayed is shown from where it lies in the journal.
 */
#include <string.h>

#include "core/base/text.h"
#include "core/disk/overlay.h"
#include "core/fs/reiserfs.h"

#define BLOCK_BYTES_USUAL 4096u
#define TRANS_MAX_USUAL   1024u          /* also the largest */
#define MOUNT_ID_FIRST    9u             /* smaller ones are no mount's */
#define BUFFER_BYTES      ((size_t)8192) /* the largest block */

struct trans {
    uint32_t offset; /* of its description, in blocks from the journal's first */
    uint32_t trans_id, len, mount_id;
};

/* The journal goes round; nr may pass the end once or more. */
static uint64_t log_block(const struct reiser *r, uint64_t nr)
{
    return r->journal_first + nr % r->journal_blocks;
}

static uint64_t log_off_bytes(const struct reiser *r, uint64_t nr)
{
    return log_block(r, nr) * r->block_bytes;
}

/* Block numbers in a description; the rest are in the commit. */
static uint32_t desc_room(const struct reiser *r)
{
    return (r->block_bytes - (uint32_t)sizeof(struct reiser_disk_desc) - REISER_DESC_TAIL_BYTES) /
           4;
}

static struct err read_header(struct fs *fs, struct reiser_disk_journal_header *jh)
{
    struct reiser *r = reiser_of(fs);
    uint64_t where = ((uint64_t)r->journal_first + r->journal_blocks) * r->block_bytes;
    uint32_t max = TRANS_MAX_USUAL;

    TRY(disk_read(fs->disk, where, jh, sizeof(*jh)));
    if (!r->standard_journal && le32(jh->params.magic) != r->journal_magic)
        return ERR_AT(ERR_FS_DAMAGED, where, "the journal's header has the magic %A, should be %B",
                      le32(jh->params.magic), r->journal_magic);
    if (r->block_bytes < BLOCK_BYTES_USUAL)
        max = TRANS_MAX_USUAL / (BLOCK_BYTES_USUAL / r->block_bytes);
    r->trans_max = le32(jh->params.trans_max);
    if (r->trans_max == 0)
        r->trans_max = max;
    if (r->trans_max > max)
        return ERR_AT(ERR_FS_DAMAGED, where, "transactions of up to %a blocks, more than %b",
                      r->trans_max, max);
    return OK;
}

/* The description at the offset, if one lies there. */
static struct err read_desc(struct fs *fs, uint32_t offset, struct trans *t, bool *found)
{
    struct reiser *r = reiser_of(fs);
    struct reiser_disk_desc desc;
    uint8_t magic[REISER_DESC_MAGIC_BYTES];
    uint64_t where = log_off_bytes(r, offset);

    *found = false;
    TRY(disk_read(fs->disk, where, &desc, sizeof(desc)));
    TRY(disk_read(fs->disk, where + r->block_bytes - REISER_DESC_TAIL_BYTES, magic, sizeof(magic)));
    *t = (struct trans){.offset = offset,
                        .trans_id = le32(desc.trans_id),
                        .len = le32(desc.len),
                        .mount_id = le32(desc.mount_id)};
    *found = t->len > 0 && memcmp(magic, REISER_DESC_MAGIC, sizeof(magic)) == 0;
    return OK;
}

static struct err is_committed(struct fs *fs, const struct trans *t, bool *committed)
{
    struct reiser *r = reiser_of(fs);
    struct reiser_disk_commit commit;

    *committed = false;
    if (t->len > r->trans_max)
        return OK;
    TRY(disk_read(fs->disk, log_off_bytes(r, (uint64_t)t->offset + t->len + 1), &commit,
                  sizeof(commit)));
    *committed = le32(commit.trans_id) == t->trans_id && le32(commit.len) == t->len;
    return OK;
}

/* Is there a transaction at the offset that a replay from `from` on takes? */
static struct err next_trans(struct fs *fs, const struct reiser_replay *from, uint32_t offset,
                             struct trans *t, bool *found)
{
    TRY(read_desc(fs, offset, t, found));
    if (!*found)
        return OK;
    *found = t->trans_id >= from->trans_id && t->mount_id == from->mount_id;
    return *found ? is_committed(fs, t, found) : OK;
}

/*
 * Without a header to be believed (the first mount has not ended yet): the oldest transaction of
 * the whole journal, and the newest mount.
 */
static struct err look_through(struct fs *fs, struct reiser_replay *out)
{
    struct reiser *r = reiser_of(fs);
    uint32_t torn = 0; /* number of the oldest one without a commit; 0: none */
    bool any = false;

    *out = (struct reiser_replay){.mount_id = MOUNT_ID_FIRST};
    for (uint32_t at = 0; at < r->journal_blocks;) {
        struct trans t;
        bool found, committed = false;

        TRY(read_desc(fs, at, &t, &found));
        if (found && (torn == 0 || t.trans_id <= torn) && t.mount_id >= out->mount_id) {
            TRY(is_committed(fs, &t, &committed));
            if (!committed && t.len <= r->trans_max)
                torn = t.trans_id;
        }
        if (!committed) {
            at++;
            continue;
        }
        if (!any || t.trans_id < out->trans_id) {
            out->trans_id = t.trans_id;
            out->offset = at;
        }
        if (t.mount_id > out->mount_id)
            out->mount_id = t.mount_id;
        any = true;
        at += (uint32_t)min_u64((uint64_t)t.len + 2, r->journal_blocks - at);
    }
    return OK;
}

struct err reiser_journal_look(struct fs *fs, bool *dirty)
{
    struct reiser *r = reiser_of(fs);
    struct reiser_disk_journal_header jh;
    struct trans t;

    *dirty = false;
    TRY(read_header(fs, &jh));
    uint32_t offset = le32(jh.first_unflushed_offset), flushed = le32(jh.last_flush_trans_id);

    if (offset < r->journal_blocks && flushed > 0)
        r->replay = (struct reiser_replay){offset, flushed + 1, le32(jh.mount_id)};
    else
        TRY(look_through(fs, &r->replay));
    if (r->replay.trans_id == 0)
        return OK;
    return next_trans(fs, &r->replay, r->replay.offset, &t, dirty);
}

static bool within(uint64_t block, uint64_t first, uint64_t nr)
{
    return block >= first && block - first < nr;
}

/* Never onto the journal, or what is reserved for one. */
static struct err check_target(const struct reiser *r, uint64_t block, uint64_t where)
{
    if (block >= r->nr_blocks)
        return ERR_AT(ERR_FS_DAMAGED, where, "a transaction holds block %a of %b", block,
                      r->nr_blocks);
    if (within(block, r->journal_first, (uint64_t)r->journal_blocks + 1) ||
        within(block, r->reserved_first, r->reserved_blocks))
        return ERR_AT(ERR_FS_DAMAGED, where, "a transaction holds block %a, which is the journal's",
                      block, 0);
    return OK;
}

struct buffers {
    uint8_t *desc, *commit;
};

static struct err replay_one(struct fs *fs, struct overlay *o, const struct trans *t,
                             const struct buffers *b)
{
    struct reiser *r = reiser_of(fs);
    uint64_t desc_at = log_off_bytes(r, t->offset);
    uint64_t commit_at = log_off_bytes(r, (uint64_t)t->offset + t->len + 1);

    TRY(disk_read(fs->disk, desc_at, b->desc, r->block_bytes));
    TRY(disk_read(fs->disk, commit_at, b->commit, r->block_bytes));
    /* trans_max bounds the rounds, and the two blocks have room for so many numbers. */
    for (uint32_t i = 0; i < t->len; i++) {
        bool in_desc = i < desc_room(r);
        uint32_t block = in_desc ? le32(b->desc + sizeof(struct reiser_disk_desc) + (size_t)4 * i)
                                 : le32(b->commit + sizeof(struct reiser_disk_commit) +
                                        (size_t)4 * (i - desc_room(r)));

        TRY(check_target(r, block, in_desc ? desc_at : commit_at));
        TRY(overlay_redirect(o, block, log_off_bytes(r, (uint64_t)t->offset + 1 + i)));
    }
    return OK;
}

static void say_replayed(struct fs *fs, uint32_t nr_trans, uint64_t nr_blocks)
{
    char line[128];
    struct text t = text_on(line, sizeof(line));

    text_str(&t, ": journal replayed: ");
    text_u64(&t, nr_trans);
    text_str(&t, nr_trans == 1 ? " transaction, " : " transactions, ");
    text_u64(&t, nr_blocks);
    text_str(&t, nr_blocks == 1 ? " block" : " blocks");
    reiser_say(fs, line);
}

static struct err replay_all(struct fs *fs, struct overlay *o, const struct buffers *b)
{
    struct reiser *r = reiser_of(fs);
    uint64_t used = 0; /* journal blocks of transactions so far */
    uint32_t nr_trans = 0;
    bool found = true;

    while (used < r->journal_blocks) {
        struct trans t;

        TRY(next_trans(fs, &r->replay, (uint32_t)((r->replay.offset + used) % r->journal_blocks),
                       &t, &found));
        if (!found)
            break;
        used += (uint64_t)t.len + 2;
        if (used > r->journal_blocks)
            return ERR_AT(ERR_FS_DAMAGED, log_off_bytes(r, t.offset),
                          "a transaction reaches over the first one", 0, 0);
        TRY(replay_one(fs, o, &t, b));
        nr_trans++;
    }
    say_replayed(fs, nr_trans, overlay_nr_blocks(o));
    return OK;
}

struct err reiser_replay(struct fs *fs, struct disk **out)
{
    struct reiser *r = reiser_of(fs);
    struct buffers b = {.desc = arena_pages(fs->arena, BUFFER_BYTES),
                        .commit = arena_pages(fs->arena, BUFFER_BYTES)};
    struct err e = arena_exhausted("a journal buffer of %a bytes", BUFFER_BYTES);
    struct overlay *o;

    if (b.desc != NULL && b.commit != NULL)
        e = overlay_new(&o, fs->disk, fs->arena, r->block_bytes, 0);
    if (!failed(e))
        e = replay_all(fs, o, &b);
    arena_drop(fs->arena, b.desc);
    arena_drop(fs->arena, b.commit);
    TRY(e);
    *out = overlay_disk(o);
    return OK;
}
