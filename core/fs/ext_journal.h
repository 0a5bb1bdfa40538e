/* SPDX-License-Identifier: MIT */
/*
 * What the files of the journal's replay share. The layouts are in jbd2_disk.h.
 *
 *     ext_journal.c       finds the journal, reads its superblock, tells what was done
 *     ext_journal_scan.c  reads the log once: which transactions are whole, their checksums
 *     ext_journal_log.c   the log as a row of blocks, and what a transaction wants to be done
 *     ext_journal_fast.c  fast commits
 *     ext_edits.c         what fast commits changed, as the reader sees it
 */
#ifndef PVBOOT_FS_EXT_JOURNAL_H
#define PVBOOT_FS_EXT_JOURNAL_H

#include "core/disk/overlay.h"
#include "core/fs/crc.h"
#include "core/fs/ext.h"

/* Caps, named in docs/recovery.md. */
#define JOURNAL_MEMORY_MAX  ((uint64_t)64 * 1024 * 1024) /* of blocks that must be copied */
#define JOURNAL_TAGS_MAX    ((size_t)1 << 20)            /* blocks of one transaction */
#define JOURNAL_REVOKES_MAX ((size_t)1 << 20)            /* of one transaction */
#define JOURNAL_BAD_MAX     64                           /* blocks with a wrong checksum, so far */

/* A block that a transaction replaces, and where its bytes lie in the journal. */
struct journal_tag {
    uint64_t block;
    uint64_t where; /* byte on the disk */
    uint32_t sequence;
    bool escaped, bad; /* bad: its checksum is wrong */
};

struct journal_revoke {
    uint64_t block;
    uint32_t sequence;
};

struct journal {
    struct fs *fs;        /* as it was mounted, without its journal */
    struct file file;     /* the journal */
    struct arena scratch; /* gone with the replay */
    struct overlay *overlay;

    /* As the superblock says. The log is [first, last), fast commits [fc_first, fc_last). */
    uint32_t block_bytes;
    uint64_t first, last, fc_first, fc_last;
    uint64_t start;
    uint32_t sequence; /* of the first transaction */
    uint32_t error;
    bool has_64bit, is_async, has_csum1, has_csum2, has_csum3;
    uint32_t tag_bytes;
    uint32_t csum_seed;
    struct crc32c_tables *crc;
    uint32_t *crc_be; /* with has_csum1: the table of the other CRC-32 */

    /* What transactions want, in their order, until it is known that they are whole. */
    struct journal_tag *tags;
    struct journal_revoke *revokes;
    size_t nr_tags, room_tags, nr_revokes, room_revokes;
    struct journal_tag bad[JOURNAL_BAD_MAX]; /* applied in vain: an error, if not revoked later */
    size_t nr_bad;

    /* What was done. */
    uint32_t end_sequence; /* of the first transaction that is not there */
    uint64_t nr_blocks, nr_revoked, nr_fast, nr_fast_tags;
    const char *discarded; /* a sentence; NULL: nothing was */
};

static inline bool journal_has_csum23(const struct journal *j)
{
    return j->has_csum2 || j->has_csum3;
}

/* ---- ext_journal_log.c -------------------------------------------------------------------------
 */

/* Reads blocks [first, last) of the journal in a ring, from one of them on; one lap at most. */
struct log_reader {
    struct journal *j;
    uint64_t first, last, next;
    uint64_t nr_left;
    struct file_stream *stream;
    const uint8_t *data; /* what is left of the stream's chunk */
    size_t len;
    bool slow;       /* the stream met an error: one block at a time from here on */
    uint8_t *bounce; /* a block that no chunk holds whole */
    struct run run;  /* around the block that was read last */
};

struct err log_reader_open(struct log_reader *r, struct journal *j, uint64_t first, uint64_t last,
                           uint64_t from);
/* The next block, good until the next call; where it lies on the disk. nr_left must not be 0. */
struct err log_reader_next(struct log_reader *r, const uint8_t **block, uint64_t *where);
void log_reader_close(struct log_reader *r);

struct err journal_add_tag(struct journal *j, const struct journal_tag *tag);
struct err journal_add_revoke(struct journal *j, uint64_t block, uint32_t sequence);
/* Do what the transactions at hand want: all of them, or those before one (the last). */
struct err journal_apply(struct journal *j);
struct err journal_apply_before(struct journal *j, uint32_t sequence);
void journal_forget(struct journal *j);

/* ---- the others --------------------------------------------------------------------------------
 */

struct err journal_scan(struct journal *j);

/* Fast commits that follow end_sequence, onto the overlay, mounted as `view`. */
struct err journal_replay_fast(struct journal *j, struct fs *view);

#endif
