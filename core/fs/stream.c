/* SPDX-License-Identifier: MIT */
/*
 * A file as a stream with read-ahead: a ring of page-aligned chunks, each with a run_reader of its
 * own. While the caller has one chunk, the others are under way.
 *
 * The first chunk begins at the page boundary before the first byte, so that requests stay aligned
 * whatever the offset; the bytes before it are skipped.
 */
#include <string.h>

#include "core/base/bytes.h"
#include "core/fs/fs.h"
#include "core/fs/runs.h"

#define STREAM_CHUNKS    4
#define STREAM_CHUNK_MAX ((uint64_t)512 * 1024)
#define STREAM_CHUNK_MIN ((uint64_t)16 * 1024)
#define STREAM_REQS      32 /* a chunk */
#define PAGE_BYTES       ((uint64_t)4096)

struct stream_chunk {
    uint8_t *buf;
    size_t skip_bytes, len_bytes; /* the stream's bytes are [skip, len) of buf; len 0: idle */
    struct run_reader reader;
    struct disk_req reqs[STREAM_REQS];
};

struct file_stream {
    struct arena *arena;
    struct file *file;
    uint64_t pos, end; /* file bytes that no chunk has been started for */
    uint64_t chunk_bytes;
    uint32_t nr_chunks, current;
    bool current_is_out; /* the caller has it */
    struct err err;      /* stays */
    struct stream_chunk chunks[STREAM_CHUNKS];
};

static void drop_buffers(struct file_stream *s)
{
    for (uint32_t i = 0; i < STREAM_CHUNKS; i++) {
        arena_drop(s->arena, s->chunks[i].buf);
        s->chunks[i].buf = NULL;
    }
    s->nr_chunks = 0;
}

/* As many and as large chunks as the length asks for and the arena can give. */
static bool get_buffers(struct file_stream *s, uint64_t len_bytes)
{
    s->chunk_bytes = STREAM_CHUNK_MAX;
    if (len_bytes < STREAM_CHUNK_MAX)
        s->chunk_bytes = align_up(len_bytes + 1, PAGE_BYTES);
    for (;; s->chunk_bytes = align_up(s->chunk_bytes / 2, PAGE_BYTES)) {
        uint64_t wanted = len_bytes / s->chunk_bytes + 1;

        while (s->nr_chunks < min_u64(wanted, STREAM_CHUNKS)) {
            uint8_t *buf = arena_pages(s->arena, (size_t)s->chunk_bytes);

            if (buf == NULL)
                break;
            s->chunks[s->nr_chunks++].buf = buf;
        }
        if (s->nr_chunks == min_u64(wanted, STREAM_CHUNKS))
            return true;
        if (s->chunk_bytes <= STREAM_CHUNK_MIN)
            return s->nr_chunks > 0;
        drop_buffers(s);
    }
}

static void start_chunk(struct file_stream *s, struct stream_chunk *c)
{
    uint64_t base = align_down(s->pos, PAGE_BYTES);
    uint64_t len = min_u64(s->chunk_bytes, s->end - base);

    c->len_bytes = 0;
    if (s->pos >= s->end)
        return;
    c->skip_bytes = (size_t)(s->pos - base);
    c->len_bytes = (size_t)len;
    s->pos = base + len;
    run_reader_init(&c->reader, s->file, c->reqs, STREAM_REQS);
    run_reader_start(&c->reader, base, c->buf, len, s->chunk_bytes);
}

struct err file_stream_open(struct file_stream **out, struct file *f, struct arena *a,
                            uint64_t off_bytes, uint64_t len_bytes)
{
    if (!in_range(off_bytes, len_bytes, f->node.size_bytes))
        return ERR2(ERR_FILELENGTH, "%a bytes were asked for past the end of a file of %b bytes",
                    len_bytes, f->node.size_bytes);
    struct file_stream *s = arena_alloc(a, sizeof(*s));

    if (s == NULL)
        return arena_exhausted("a file stream of %a bytes", sizeof(*s));
    s->arena = a;
    s->file = f;
    s->pos = off_bytes;
    s->end = off_bytes + len_bytes;
    s->err = OK;
    if (!get_buffers(s, s->end - align_down(off_bytes, PAGE_BYTES)))
        return arena_exhausted("a read-ahead buffer of %a bytes", (size_t)STREAM_CHUNK_MIN);
    for (uint32_t i = 0; i < s->nr_chunks; i++)
        start_chunk(s, &s->chunks[i]);
    *out = s;
    return OK;
}

struct err file_stream_next(struct file_stream *s, const uint8_t **data, size_t *len)
{
    *data = NULL;
    *len = 0;
    if (s->current_is_out) {
        start_chunk(s, &s->chunks[s->current]);
        s->current = (s->current + 1) % s->nr_chunks;
        s->current_is_out = false;
    }
    struct stream_chunk *c = &s->chunks[s->current];

    if (failed(s->err) || c->len_bytes == 0)
        return s->err;
    s->err = run_reader_finish(&c->reader);
    if (failed(s->err))
        return s->err;
    s->current_is_out = true;
    *data = c->buf + c->skip_bytes;
    *len = c->len_bytes - c->skip_bytes;
    return OK;
}

void file_stream_close(struct file_stream *s)
{
    if (s == NULL)
        return;
    for (uint32_t i = 0; i < s->nr_chunks; i++) {
        if (s->chunks[i].len_bytes == 0)
            continue;
        s->chunks[i].reader.end = s->chunks[i].reader.pos; /* nothing more is to be started */
        (void)run_reader_finish(&s->chunks[i].reader);
    }
    drop_buffers(s);
}
