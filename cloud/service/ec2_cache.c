/* SPDX-License-Identifier: MIT */
/* Answers that are given again; see ec2_cache.h. */
#include "cloud/service/ec2_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/service/ec2_common.h"

#define ENTRIES_MAX     256
#define ENTRY_BYTES_MIN 4096 /* what is smaller is made as fast as it is found */
#define CACHE_BYTES_MAX (64 << 20)

struct shared_bytes {
    _Atomic unsigned users;
    struct buf text;
};

struct entry {
    struct ec2_cache_key key;
    struct shared_bytes *bytes; /* NULL: the entry is free */
    uint64_t used;              /* when, as the cache counts */
};

struct ec2_cache {
    pthread_mutex_t lock;
    struct entry entries[ENTRIES_MAX];
    size_t bytes;
    uint64_t clock;
};

/* ---- shared bytes ----------------------------------------------------------------------------
 */

const char *shared_text(const struct shared_bytes *b)
{
    return b->text.text;
}

size_t shared_len(const struct shared_bytes *b)
{
    return b->text.len;
}

void shared_drop(struct shared_bytes *b)
{
    if (b == NULL || --b->users > 0)
        return;
    buf_free(&b->text);
    free(b);
}

/* ---- the cache -------------------------------------------------------------------------------
 */

struct ec2_cache *ec2_cache_make(void)
{
    struct ec2_cache *c = xalloc(sizeof(*c));

    pthread_mutex_init(&c->lock, NULL);
    return c;
}

static void clear(struct ec2_cache *c, struct entry *e)
{
    if (e->bytes == NULL)
        return;
    c->bytes -= shared_len(e->bytes);
    shared_drop(e->bytes);
    e->bytes = NULL;
}

void ec2_cache_free(struct ec2_cache *c)
{
    for (size_t i = 0; i < ENTRIES_MAX; i++)
        clear(c, &c->entries[i]);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* The entry of this key, or else the one that was used least of late. */
static struct entry *find(struct ec2_cache *c, const struct ec2_cache_key *key)
{
    struct entry *oldest = &c->entries[0];

    for (size_t i = 0; i < ENTRIES_MAX; i++) {
        struct entry *e = &c->entries[i];

        if (e->bytes != NULL && strcmp(e->key.hash, key->hash) == 0)
            return e;
        if (e->bytes == NULL || (oldest->bytes != NULL && e->used < oldest->used))
            oldest = e;
    }
    return oldest;
}

void ec2_cache_key(struct ec2_call *call, struct ec2_cache_key *out)
{
    char parameters[SIGN_SHA256_HEX];
    struct buf all = {0};

    out->commits = db_commits(call->r->svc->db);
    ec2_hash_request(call, parameters);
    buf_printf(&all, "%s %s %s %s", call->r->account->id, call->version, call->r->action,
               parameters);
    sign_sha256_hex(all.text, all.len, out->hash);
    buf_free(&all);
}

bool ec2_cache_answer(struct ec2_call *call, const struct ec2_cache_key *key)
{
    struct ec2_cache *c = call->r->svc->cache;
    struct shared_bytes *found = NULL;
    struct entry *e;

    pthread_mutex_lock(&c->lock);
    e = find(c, key);
    if (e->bytes != NULL && strcmp(e->key.hash, key->hash) == 0 && e->key.commits == key->commits) {
        found = e->bytes;
        found->users++;
        e->used = ++c->clock;
    }
    pthread_mutex_unlock(&c->lock);
    if (found == NULL)
        return false;
    ec2_open(call, call->r->action);
    call->r->reply_shared = found;
    reply_done(call->r, 200, NULL);
    return true;
}

void ec2_cache_keep(struct ec2_call *call, const struct ec2_cache_key *key)
{
    struct ec2_cache *c = call->r->svc->cache;
    static const char head_end[] = "</requestId>";
    const char *end = call->r->status == 200 ? strstr(call->r->reply.text, head_end) : NULL;
    struct shared_bytes *bytes;
    struct entry *e;
    size_t head;

    if (end == NULL || call->r->reply.len < ENTRY_BYTES_MIN)
        return;
    head = (size_t)(end - call->r->reply.text) + strlen(head_end);
    bytes = xalloc(sizeof(*bytes));
    bytes->users = 1;
    buf_add(&bytes->text, call->r->reply.text + head, call->r->reply.len - head);
    pthread_mutex_lock(&c->lock);
    e = find(c, key);
    clear(c, e);
    for (size_t i = 0; i < ENTRIES_MAX; i++) /* what is past is of no use to anybody */
        if (c->entries[i].bytes != NULL && c->entries[i].key.commits != key->commits)
            clear(c, &c->entries[i]);
    if (shared_len(bytes) <= CACHE_BYTES_MAX - c->bytes) {
        *e = (struct entry){.key = *key, .bytes = bytes, .used = ++c->clock};
        c->bytes += shared_len(bytes);
        bytes = NULL;
    }
    pthread_mutex_unlock(&c->lock);
    shared_drop(bytes);
}
