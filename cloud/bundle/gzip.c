/* SPDX-License-Identifier: MIT */
#include "cloud/bundle/gzip.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

#define PIECE_BYTES ((size_t)1 << 20)
#define DICT_BYTES  ((size_t)32 << 10)
#define THREADS_MAX 16u
#define SLOTS_MAX   (THREADS_MAX + 2)
/* zlib's deflateBound of a piece is below this: stored blocks, and the marker of a flush. */
#define OUT_BYTES        (PIECE_BYTES + PIECE_BYTES / 64 + 64)
#define ZEROES_OUT_BYTES 4096 /* deflate packs at most 1 to 1032 */

enum slot_state { SLOT_EMPTY, SLOT_FILLED, SLOT_TAKEN, SLOT_DONE, SLOT_BAD };

/* Owned by the producer while it is empty or done, by a worker while it is taken. */
struct slot {
    enum slot_state state;
    bool last;
    size_t dict_len, in_len, out_len;
    uLong crc;
    uint8_t dict[DICT_BYTES], in[PIECE_BYTES], out[OUT_BYTES];
};

/*
 * A piece of zeroes after zeroes always packs to the same bytes, and an image is mostly such: one
 * worker packs it, which the others then copy.
 */
struct packed_zeroes {
    bool have;
    size_t out_len;
    uLong crc;
    uint8_t out[ZEROES_OUT_BYTES];
};

struct gzip {
    gzip_sink *sink;
    void *ctx;
    bool failed, started;
    pthread_mutex_t lock;
    pthread_cond_t filled, done;
    bool quit;
    unsigned nr_threads, nr_slots;
    pthread_t threads[THREADS_MAX];
    struct slot *slots[SLOTS_MAX];
    unsigned fill, take, drain; /* slots, in the order of the stream */
    struct packed_zeroes zeroes;
    uLong crc;
    uint64_t in_bytes;
};

/* ---- workers --------------------------------------------------------------------------------- */

static bool compress_piece(z_stream *z, struct slot *s)
{
    int flush = s->last ? Z_FINISH : Z_SYNC_FLUSH, status;

    if (deflateReset(z) != Z_OK ||
        (s->dict_len > 0 && deflateSetDictionary(z, s->dict, (uInt)s->dict_len) != Z_OK))
        return false;
    z->next_in = s->in;
    z->avail_in = (uInt)s->in_len;
    z->next_out = s->out;
    z->avail_out = (uInt)sizeof(s->out);
    status = deflate(z, flush);
    s->out_len = sizeof(s->out) - z->avail_out;
    s->crc = crc32(0, s->in, (uInt)s->in_len);
    return z->avail_in == 0 && z->avail_out > 0 && status == (s->last ? Z_STREAM_END : Z_OK);
}

static bool all_zero(const uint8_t *bytes, size_t len)
{
    return len == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0);
}

static bool is_zeroes(const struct slot *s)
{
    return !s->last && s->in_len == PIECE_BYTES && s->dict_len == DICT_BYTES &&
           all_zero(s->in, s->in_len) && all_zero(s->dict, s->dict_len);
}

/* With the lock held. */
static bool take_zeroes(const struct packed_zeroes *z, struct slot *s)
{
    if (!z->have)
        return false;
    memcpy(s->out, z->out, z->out_len);
    s->out_len = z->out_len;
    s->crc = z->crc;
    return true;
}

static void keep_zeroes(struct packed_zeroes *z, const struct slot *s)
{
    if (z->have || s->out_len > sizeof(z->out))
        return;
    memcpy(z->out, s->out, s->out_len);
    z->out_len = s->out_len;
    z->crc = s->crc;
    z->have = true;
}

static bool pack_piece(struct gzip *g, z_stream *z, struct slot *s)
{
    bool zeroes = is_zeroes(s), good;

    pthread_mutex_lock(&g->lock);
    good = zeroes && take_zeroes(&g->zeroes, s);
    pthread_mutex_unlock(&g->lock);
    if (good)
        return true;
    good = compress_piece(z, s);
    pthread_mutex_lock(&g->lock);
    if (good && zeroes)
        keep_zeroes(&g->zeroes, s);
    pthread_mutex_unlock(&g->lock);
    return good;
}

static void *work(void *ctx)
{
    struct gzip *g = ctx;
    z_stream z = {0};
    bool usable =
        deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK;

    pthread_mutex_lock(&g->lock);
    for (;;) {
        struct slot *s = g->slots[g->take];

        if (g->quit)
            break;
        if (s->state != SLOT_FILLED) {
            pthread_cond_wait(&g->filled, &g->lock);
            continue;
        }
        s->state = SLOT_TAKEN;
        g->take = (g->take + 1) % g->nr_slots;
        pthread_mutex_unlock(&g->lock);
        bool good = usable && pack_piece(g, &z, s);

        pthread_mutex_lock(&g->lock);
        s->state = good ? SLOT_DONE : SLOT_BAD;
        pthread_cond_signal(&g->done);
    }
    pthread_mutex_unlock(&g->lock);
    if (usable)
        deflateEnd(&z);
    return NULL;
}

/* ---- the producer ---------------------------------------------------------------------------- */

static bool fail(struct gzip *g)
{
    g->failed = true;
    return false;
}

/* The oldest piece, when it is ready, goes out. */
static bool drain_one(struct gzip *g)
{
    /* RFC 1952: magic, deflate, no flags, no time, no extra flags, Unix. */
    static const uint8_t header[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3};
    struct slot *s = g->slots[g->drain];
    enum slot_state state;

    pthread_mutex_lock(&g->lock);
    while ((state = s->state) != SLOT_DONE && state != SLOT_BAD)
        pthread_cond_wait(&g->done, &g->lock);
    pthread_mutex_unlock(&g->lock);
    if (state == SLOT_BAD || (!g->started && !g->sink(g->ctx, header, sizeof(header))))
        return fail(g);
    g->started = true;
    g->crc = crc32_combine(g->crc, s->crc, (z_off_t)s->in_len);
    g->in_bytes += s->in_len;
    if (!g->sink(g->ctx, s->out, s->out_len))
        return fail(g);
    s->in_len = 0;
    pthread_mutex_lock(&g->lock);
    s->state = SLOT_EMPTY;
    pthread_mutex_unlock(&g->lock);
    g->drain = (g->drain + 1) % g->nr_slots;
    return true;
}

/* Hand the slot that is being filled to the workers, and make the next one ready. */
static bool submit(struct gzip *g, bool last)
{
    struct slot *s = g->slots[g->fill], *next;

    s->last = last;
    g->fill = (g->fill + 1) % g->nr_slots;
    next = g->slots[g->fill];
    pthread_mutex_lock(&g->lock);
    s->state = SLOT_FILLED;
    pthread_cond_signal(&g->filled);
    pthread_mutex_unlock(&g->lock);
    if (last)
        return true;
    if (g->fill == g->drain && !drain_one(g))
        return false;
    /* The worker reads s->in as this does; nobody writes it before it has gone out. */
    next->dict_len = s->in_len < DICT_BYTES ? s->in_len : DICT_BYTES;
    memcpy(next->dict, s->in + s->in_len - next->dict_len, next->dict_len);
    return true;
}

bool gzip_put(struct gzip *g, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;

    while (len > 0 && !g->failed) {
        struct slot *s = g->slots[g->fill];
        size_t room = PIECE_BYTES - s->in_len, n = len < room ? len : room;

        memcpy(s->in + s->in_len, p, n);
        s->in_len += n;
        p += n;
        len -= n;
        if (s->in_len == PIECE_BYTES && !submit(g, false))
            return false;
    }
    return !g->failed;
}

bool gzip_finish(struct gzip *g)
{
    uint8_t trailer[8];

    if (g->failed || !submit(g, true))
        return false;
    do {
        if (!drain_one(g))
            return false;
    } while (g->drain != g->fill);
    for (unsigned i = 0; i < 4; i++) {
        trailer[i] = (uint8_t)(g->crc >> 8 * i);
        trailer[4 + i] = (uint8_t)(g->in_bytes >> 8 * i);
    }
    return g->sink(g->ctx, trailer, sizeof(trailer)) || fail(g);
}

struct gzip *gzip_new(unsigned nr_threads, gzip_sink *sink, void *ctx)
{
    struct gzip *g = calloc(1, sizeof(*g));
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    if (g == NULL)
        return NULL;
    if (nr_threads == 0)
        nr_threads = cpus > 0 ? (unsigned)cpus : 1;
    if (nr_threads > THREADS_MAX)
        nr_threads = THREADS_MAX;
    g->sink = sink;
    g->ctx = ctx;
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->filled, NULL);
    pthread_cond_init(&g->done, NULL);
    for (; g->nr_slots < nr_threads + 2; g->nr_slots++) {
        g->slots[g->nr_slots] = calloc(1, sizeof(struct slot));
        if (g->slots[g->nr_slots] == NULL)
            break;
    }
    while (g->nr_slots == nr_threads + 2 && g->nr_threads < nr_threads &&
           pthread_create(&g->threads[g->nr_threads], NULL, work, g) == 0)
        g->nr_threads++;
    if (g->nr_threads > 0)
        return g;
    gzip_free(g);
    return NULL;
}

void gzip_free(struct gzip *g)
{
    if (g == NULL)
        return;
    pthread_mutex_lock(&g->lock);
    g->quit = true;
    pthread_cond_broadcast(&g->filled);
    pthread_mutex_unlock(&g->lock);
    for (unsigned i = 0; i < g->nr_threads; i++)
        pthread_join(g->threads[i], NULL);
    for (unsigned i = 0; i < g->nr_slots; i++)
        free(g->slots[i]);
    pthread_cond_destroy(&g->filled);
    pthread_cond_destroy(&g->done);
    pthread_mutex_destroy(&g->lock);
    free(g);
}
