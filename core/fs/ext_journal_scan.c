/* SPDX-License-Identifier: MIT */
/*
 * One pass over the log. What a transaction wants is done when its commit block has been seen and
 * found good, so that a later pass is not needed: a revoke record voids what came before it, and
 * what came before has been applied already.
 *
 * Where the log ends, and what a wrong checksum means there, is decided as Linux decides it:
 * docs/recovery.md has the table.
 */
#include <string.h>

#include "core/base/bytes.h"
#include "core/fs/ext_journal.h"
#include "core/fs/jbd2_disk.h"

struct scan {
    struct journal *j;
    struct log_reader log;
    uint8_t *descriptor; /* a copy of the one at hand */
    uint32_t sequence;   /* of the transaction at hand */
    uint64_t commit_seconds;
    uint32_t crc_be;    /* of the transaction at hand, with has_csum1 */
    bool begun;         /* some block of the transaction at hand was seen */
    bool doubtful;      /* a descriptor or revoke block of it has a wrong checksum */
    bool failed_commit; /* async: one had a wrong checksum; nothing is applied any more */
    uint32_t failed_sequence;
    bool ended;
};

/* ---- checksums ---------------------------------------------------------------------------------
 */

static uint32_t crc_be(const uint32_t *table, uint32_t crc, const uint8_t *p, size_t len)
{
    for (; len > 0; len--, p++)
        crc = table[crc >> 24 ^ *p] ^ crc << 8;
    return crc;
}

/* CRC-32C of a block of the journal, the 4 bytes at `at` taken as 0. */
static uint32_t block_csum(const struct journal *j, const uint8_t *block, size_t at)
{
    static const uint8_t zero[4] = {0};
    uint32_t crc = crc32c_fast(j->crc, j->csum_seed, block, at);

    crc = crc32c(crc, zero, sizeof(zero));
    return crc32c_fast(j->crc, crc, block + at + 4, j->block_bytes - at - 4);
}

static bool tail_is_good(const struct journal *j, const uint8_t *block)
{
    size_t at = j->block_bytes - JBD2_TAIL_BYTES;

    return !journal_has_csum23(j) || be32(block + at) == block_csum(j, block, at);
}

/*
 * A commit block that reached the disk in part: what lies behind its fields is zeros in the
 * original, whatever lies there now.
 */
static bool partial_commit_is_good(const struct journal *j, const uint8_t *block)
{
    static const uint8_t zero[64] = {0};
    const struct jbd2_disk_commit *c = (const struct jbd2_disk_commit *)block;
    size_t at = offsetof(struct jbd2_disk_commit, checksum), len = sizeof(*c);
    uint32_t crc = crc32c(j->csum_seed, block, at);

    crc = crc32c(crc, zero, 4);
    crc = crc32c(crc, block + at + 4, len - at - 4);
    while (len < j->block_bytes) {
        size_t n = (size_t)min_u64(sizeof(zero), j->block_bytes - len);

        crc = crc32c_fast(j->crc, crc, zero, n);
        len += n;
    }
    return be32(c->checksum) == crc;
}

static bool commit_is_good(const struct scan *s, const uint8_t *block)
{
    const struct journal *j = s->j;
    const struct jbd2_disk_commit *c = (const struct jbd2_disk_commit *)block;
    size_t at = offsetof(struct jbd2_disk_commit, checksum);

    if (j->has_csum1) {
        uint32_t want = be32(c->checksum), type = c->checksum_type[0], size = c->checksum_size[0];

        return (want == s->crc_be && type == JBD2_CHECKSUM_CRC32 && size == 4) ||
               (want == 0 && type == 0 && size == 0);
    }
    return !journal_has_csum23(j) || be32(c->checksum) == block_csum(j, block, at) ||
           partial_commit_is_good(j, block);
}

static bool tag_is_good(const struct journal *j, const uint8_t *tag, const uint8_t *data,
                        uint32_t sequence)
{
    uint8_t be[4] = {(uint8_t)(sequence >> 24), (uint8_t)(sequence >> 16), (uint8_t)(sequence >> 8),
                     (uint8_t)sequence};
    uint32_t crc;

    if (!journal_has_csum23(j))
        return true;
    crc = crc32c_fast(j->crc, crc32c(j->csum_seed, be, sizeof(be)), data, j->block_bytes);
    if (j->has_csum3)
        return be32(((const struct jbd2_disk_tag3 *)tag)->checksum) == crc;
    return be16(((const struct jbd2_disk_tag *)tag)->checksum) == (crc & 0xffff);
}

/* ---- blocks ------------------------------------------------------------------------------------
 */

/* The tags of a descriptor block, each with the block that follows in the log. */
static struct err take_descriptor(struct scan *s)
{
    struct journal *j = s->j;
    size_t end = j->block_bytes - (journal_has_csum23(j) ? JBD2_TAIL_BYTES : 0);
    bool last = false;

    /* Each tag takes at least 8 bytes and one block of the log. */
    for (size_t at = sizeof(struct jbd2_disk_header); !last && in_range(at, j->tag_bytes, end);) {
        /* Flags and the high half are at the same place in both kinds of tags. */
        const uint8_t *raw = s->descriptor + at;
        const struct jbd2_disk_tag *tag = (const struct jbd2_disk_tag *)raw;
        uint32_t flags = be16(tag->flags);
        struct journal_tag t = {.block = be32(tag->block), .sequence = s->sequence};
        const uint8_t *data;

        if (s->log.nr_left == 0) {
            s->ended = true;
            return OK;
        }
        TRY(log_reader_next(&s->log, &data, &t.where));
        if (j->has_64bit)
            t.block |= (uint64_t)be32(tag->block_high) << 32;
        t.escaped = (flags & JBD2_TAG_ESCAPED) != 0;
        if (!s->doubtful) {
            t.bad = !tag_is_good(j, raw, data, s->sequence);
            TRY(journal_add_tag(j, &t));
        }
        if (j->has_csum1 && !s->failed_commit)
            s->crc_be = crc_be(j->crc_be, s->crc_be, data, j->block_bytes);
        at += j->tag_bytes + (flags & JBD2_TAG_SAME_UUID ? 0 : JBD2_UUID_BYTES);
        last = (flags & JBD2_TAG_LAST) != 0;
    }
    return OK;
}

static struct err on_descriptor(struct scan *s, const uint8_t *block)
{
    struct journal *j = s->j;

    /* The log's reader goes on while it is looked at. */
    memcpy(s->descriptor, block, j->block_bytes);
    if (!tail_is_good(j, s->descriptor))
        s->doubtful = true;
    if (j->has_csum1 && !s->failed_commit)
        s->crc_be = crc_be(j->crc_be, s->crc_be, s->descriptor, j->block_bytes);
    return take_descriptor(s);
}

static struct err on_revoke(struct scan *s, const uint8_t *block, uint64_t where)
{
    struct journal *j = s->j;
    const struct jbd2_disk_revoke *head = (const struct jbd2_disk_revoke *)block;
    size_t tail = journal_has_csum23(j) ? JBD2_TAIL_BYTES : 0;
    size_t nr_bytes = be32(head->nr_bytes), each = j->has_64bit ? 8 : 4;

    if (!tail_is_good(j, block))
        s->doubtful = true;
    if (s->doubtful)
        return OK;
    if (nr_bytes > j->block_bytes - tail)
        return ERR_AT(ERR_FS_DAMAGED, where,
                      "a revoke block of the journal says that %a bytes of it are used", nr_bytes,
                      0);
    for (size_t at = sizeof(*head); in_range(at, each, nr_bytes); at += each) {
        uint64_t revoked = j->has_64bit ? be64(block + at) : be32(block + at);

        TRY(journal_add_revoke(j, revoked, s->sequence));
    }
    return OK;
}

static struct err bad_transaction(uint32_t sequence, uint64_t where)
{
    return ERR_AT(ERR_FS_DAMAGED, where,
                  "transaction %a of the journal has a wrong checksum, Linux will not mount this "
                  "either; run e2fsck",
                  sequence, 0);
}

static void end_stale(struct scan *s)
{
    s->ended = true;
    s->begun = false;
}

/* The transaction at hand is whole, if its checksum says so. */
static struct err on_commit(struct scan *s, const uint8_t *block, uint64_t where)
{
    struct journal *j = s->j;
    uint64_t seconds = be64(((const struct jbd2_disk_commit *)block)->seconds);

    /*
     * What an earlier round of the log left behind can look like the next transaction. It is older
     * than the one before it; a damaged one is not.
     */
    if (s->doubtful) {
        if (seconds >= s->commit_seconds)
            return bad_transaction(s->sequence, where);
        end_stale(s);
        return OK;
    }
    if (j->has_csum1 && s->failed_commit)
        return bad_transaction(s->failed_sequence, where);
    if (!commit_is_good(s, block)) {
        if (seconds < s->commit_seconds) {
            end_stale(s);
            return OK;
        }
        if (!j->is_async)
            return bad_transaction(s->sequence, where);
        /*
         * Written together with the blocks that it commits: they may be missing. Without a
         * further transaction, this one was torn.
         */
        if (s->failed_commit)
            TRY(journal_apply_before(j, s->sequence)); /* as Linux: the last such one is the end */
        s->failed_commit = true;
        s->failed_sequence = s->sequence;
        j->end_sequence = s->sequence;
    }
    if (!s->failed_commit) {
        TRY(journal_apply(j));
        j->end_sequence = s->sequence + 1;
    }
    s->crc_be = UINT32_MAX;
    s->commit_seconds = seconds;
    s->sequence++;
    s->begun = false;
    return OK;
}

static struct err on_block(struct scan *s, const uint8_t *block, uint64_t where)
{
    const struct jbd2_disk_header *h = (const struct jbd2_disk_header *)block;

    if (be32(h->magic) != JBD2_MAGIC || be32(h->sequence) != s->sequence) {
        s->ended = true;
        return OK;
    }
    switch (be32(h->type)) {
    case JBD2_DESCRIPTOR:
        s->begun = true;
        return on_descriptor(s, block);
    case JBD2_REVOKE:
        s->begun = true;
        return on_revoke(s, block, where);
    case JBD2_COMMIT:
        return on_commit(s, block, where);
    default:
        s->ended = true;
        return OK;
    }
}

static struct err scan_log(struct scan *s)
{
    struct journal *j = s->j;
    const uint8_t *block;
    uint64_t where;

    while (!s->ended && s->log.nr_left > 0) {
        TRY(log_reader_next(&s->log, &block, &where));
        TRY(on_block(s, block, where));
    }
    if (s->failed_commit)
        j->discarded = "its last transaction has a wrong checksum and is dropped";
    else if (s->begun)
        j->discarded = "its last transaction is not complete and is dropped";
    journal_forget(j);
    if (j->nr_bad > 0)
        return ERR_AT(ERR_FS_DAMAGED, j->bad[0].where,
                      "the journal's copy of block %a (transaction %b) has a wrong checksum, Linux "
                      "will not mount this either; run e2fsck",
                      j->bad[0].block, j->bad[0].sequence);
    return OK;
}

struct err journal_scan(struct journal *j)
{
    struct scan s = {.j = j, .sequence = j->sequence, .crc_be = UINT32_MAX};

    j->end_sequence = j->sequence;
    s.descriptor = arena_pages(&j->scratch, j->block_bytes);
    if (s.descriptor == NULL)
        return arena_exhausted("a block of the journal, %a bytes", j->block_bytes);
    TRY(log_reader_open(&s.log, j, j->first, j->last, j->start));
    struct err e = scan_log(&s);

    log_reader_close(&s.log);
    return e;
}
