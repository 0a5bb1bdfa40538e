/* SPDX-License-Identifier: MIT */
/*
 * The log as a row of blocks, read in large pieces ahead of time; and what transactions want to
 * be done, kept until their commit block is seen and then done to the overlay.
 */
#include "core/fs/ext_journal.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/fs/jbd2_disk.h"

/* ---- the reader --------------------------------------------------------------------------------
 */

static struct err start_stream(struct log_reader *r)
{
    uint64_t nr = min_u64(r->nr_left, r->last - r->next);
    uint64_t bytes = r->j->block_bytes;

    file_stream_close(r->stream);
    r->stream = NULL;
    r->len = 0;
    return file_stream_open(&r->stream, &r->j->file, &r->j->scratch, r->next * bytes, nr * bytes);
}

struct err log_reader_open(struct log_reader *r, struct journal *j, uint64_t first, uint64_t last,
                           uint64_t from)
{
    *r = (struct log_reader){
        .j = j, .first = first, .last = last, .next = from, .nr_left = last - first};
    r->bounce = arena_pages(&j->scratch, j->block_bytes);
    if (r->bounce == NULL)
        return arena_exhausted("a block of the journal, %a bytes", j->block_bytes);
    return start_stream(r);
}

void log_reader_close(struct log_reader *r)
{
    file_stream_close(r->stream);
    r->stream = NULL;
    arena_drop(&r->j->scratch, r->bounce);
    r->bounce = NULL;
}

/* A whole block from the stream: in its chunk, or put together from two. */
static struct err from_stream(struct log_reader *r, const uint8_t **block)
{
    size_t bytes = r->j->block_bytes, have = 0;

    while (have < bytes) {
        if (r->len == 0)
            TRY(file_stream_next(r->stream, &r->data, &r->len));
        if (r->len == 0)
            return ERR(ERR_FS_DAMAGED, "the journal ends early");
        size_t n = (size_t)min_u64(r->len, bytes - have);

        *block = n == bytes ? r->data : r->bounce;
        if (n < bytes)
            memcpy(r->bounce + have, r->data, n);
        r->data += n;
        r->len -= n;
        have += n;
    }
    return OK;
}

/* Where the block lies. */
static struct err locate(struct log_reader *r, uint64_t *where)
{
    struct journal *j = r->j;
    uint64_t bytes = j->block_bytes, off = r->next * bytes;

    if (off < r->run.file_off_bytes || off - r->run.file_off_bytes >= r->run.len_bytes)
        TRY(j->fs->ops->map(j->fs, &j->file.node, off, &r->run));
    uint64_t skip = off - r->run.file_off_bytes;

    if (r->run.kind != RUN_DISK || r->run.len_bytes - skip < bytes)
        return ERR1(ERR_FS_DAMAGED, "block %a of the journal is a hole", r->next);
    *where = r->run.disk_off_bytes + skip;
    return OK;
}

struct err log_reader_next(struct log_reader *r, const uint8_t **block, uint64_t *where)
{
    TRY(locate(r, where));
    if (!r->slow) {
        /* It reads ahead: its error may be about a block that is never asked for. */
        r->slow = failed(from_stream(r, block));
    }
    if (r->slow) {
        TRY(disk_read(r->j->fs->disk, *where, r->bounce, r->j->block_bytes));
        *block = r->bounce;
    }
    r->nr_left--;
    if (++r->next < r->last || r->nr_left == 0)
        return OK;
    /* The block in hand must outlive the stream that it came from. */
    if (*block != r->bounce)
        memcpy(r->bounce, *block, r->j->block_bytes);
    *block = r->bounce;
    r->next = r->first;
    r->slow = r->slow || failed(start_stream(r));
    return OK;
}

/* ---- what transactions want --------------------------------------------------------------------
 */

/* Room for one more of a growing array of pages. */
static struct err make_room(struct arena *a, void **array, size_t nr, size_t *room, size_t each)
{
    size_t more = *room == 0 ? 512 : *room * 2;
    void *bigger;

    if (nr < *room)
        return OK;
    bigger = arena_pages(a, more * each);
    if (bigger == NULL)
        return arena_exhausted("a transaction of %a entries", more);
    if (nr > 0)
        memcpy(bigger, *array, nr * each);
    arena_drop(a, *array);
    *array = bigger;
    *room = more;
    return OK;
}

struct err journal_add_tag(struct journal *j, const struct journal_tag *tag)
{
    void *array = j->tags;

    if (j->nr_tags == JOURNAL_TAGS_MAX)
        return ERR1(ERR_LIMIT, "a transaction of the journal has more than %a blocks",
                    JOURNAL_TAGS_MAX);
    TRY(make_room(&j->scratch, &array, j->nr_tags, &j->room_tags, sizeof(*tag)));
    j->tags = array;
    j->tags[j->nr_tags++] = *tag;
    return OK;
}

struct err journal_add_revoke(struct journal *j, uint64_t block, uint32_t sequence)
{
    void *array = j->revokes;

    if (j->nr_revokes == JOURNAL_REVOKES_MAX)
        return ERR1(ERR_LIMIT, "a transaction of the journal revokes more than %a blocks",
                    JOURNAL_REVOKES_MAX);
    TRY(make_room(&j->scratch, &array, j->nr_revokes, &j->room_revokes, sizeof(*j->revokes)));
    j->revokes = array;
    j->revokes[j->nr_revokes++] = (struct journal_revoke){block, sequence};
    return OK;
}

/* The block's first 4 bytes are the magic number; zeros stand in the journal for them. */
static struct err apply_escaped(struct journal *j, const struct journal_tag *tag)
{
    uint8_t *bytes;

    TRY(overlay_redirect(j->overlay, tag->block, tag->where));
    TRY(overlay_edit(j->overlay, tag->block, &bytes));
    bytes[0] = (uint8_t)(JBD2_MAGIC >> 24);
    bytes[1] = (uint8_t)(JBD2_MAGIC >> 16 & 0xff);
    bytes[2] = (uint8_t)(JBD2_MAGIC >> 8 & 0xff);
    bytes[3] = (uint8_t)(JBD2_MAGIC & 0xff);
    return OK;
}

static struct err apply_tag(struct journal *j, const struct journal_tag *tag)
{
    if (tag->bad) {
        if (j->nr_bad == JOURNAL_BAD_MAX)
            return ERR_AT(ERR_FS_DAMAGED, tag->where,
                          "more than %a blocks of the journal have wrong checksums; run e2fsck",
                          JOURNAL_BAD_MAX, 0);
        j->bad[j->nr_bad++] = *tag;
        return OK;
    }
    j->nr_blocks++;
    if (tag->escaped)
        return apply_escaped(j, tag);
    return overlay_redirect(j->overlay, tag->block, tag->where);
}

/* What the block was in this transaction and before is void: shown as it lies on the disk. */
static void apply_revoke(struct journal *j, uint64_t block)
{
    uint64_t before = overlay_nr_blocks(j->overlay);

    overlay_restore(j->overlay, block);
    j->nr_revoked += before - overlay_nr_blocks(j->overlay);
    for (size_t i = 0; i < j->nr_bad;) {
        if (j->bad[i].block == block)
            j->bad[i] = j->bad[--j->nr_bad];
        else
            i++;
    }
}

/* The first tags and revokes, of whole transactions. */
static struct err apply_some(struct journal *j, size_t nr_tags, size_t nr_revokes)
{
    size_t r = 0;

    /* A revoke record is good for its own transaction too: it comes last. */
    for (size_t t = 0; t < nr_tags || r < nr_revokes;) {
        uint32_t sequence = t < nr_tags ? j->tags[t].sequence : j->revokes[r].sequence;

        /* One that only revokes may lie between. */
        if (r < nr_revokes && (int32_t)(j->revokes[r].sequence - sequence) < 0)
            sequence = j->revokes[r].sequence;
        for (; t < nr_tags && j->tags[t].sequence == sequence; t++)
            TRY(apply_tag(j, &j->tags[t]));
        for (; r < nr_revokes && j->revokes[r].sequence == sequence; r++)
            apply_revoke(j, j->revokes[r].block);
    }
    j->nr_tags -= nr_tags;
    j->nr_revokes -= nr_revokes;
    if (j->nr_tags > 0)
        memmove(j->tags, j->tags + nr_tags, j->nr_tags * sizeof(*j->tags));
    if (j->nr_revokes > 0)
        memmove(j->revokes, j->revokes + nr_revokes, j->nr_revokes * sizeof(*j->revokes));
    return OK;
}

struct err journal_apply(struct journal *j)
{
    return apply_some(j, j->nr_tags, j->nr_revokes);
}

struct err journal_apply_before(struct journal *j, uint32_t sequence)
{
    size_t t = j->nr_tags, r = j->nr_revokes;

    while (t > 0 && j->tags[t - 1].sequence == sequence)
        t--;
    while (r > 0 && j->revokes[r - 1].sequence == sequence)
        r--;
    return apply_some(j, t, r);
}

void journal_forget(struct journal *j)
{
    j->nr_tags = 0;
    j->nr_revokes = 0;
}
