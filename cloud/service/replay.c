/* SPDX-License-Identifier: MIT */
/* A hash table of signatures, swept as it grows; see replay.h. */
#include "cloud/service/replay.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "host/xenhost/buf.h"

#define NR_CHAINS 4096

struct entry {
    struct entry *next;
    unsigned char digest[16]; /* of the signature */
    int64_t seen_s, valid_until_s;
};

struct replay {
    pthread_mutex_t lock;
    int64_t started_s;
    struct entry *chain[NR_CHAINS];
    unsigned nr;
};

struct replay *replay_new(int64_t started_s)
{
    struct replay *p = xalloc(sizeof(*p));

    pthread_mutex_init(&p->lock, NULL);
    p->started_s = started_s;
    return p;
}

static void sweep_chain(struct replay *p, struct entry **at, int64_t now_s)
{
    while (*at) {
        struct entry *e = *at;

        if (e->valid_until_s >= now_s) {
            at = &e->next;
            continue;
        }
        *at = e->next;
        free(e);
        p->nr--;
    }
}

void replay_free(struct replay *p)
{
    if (!p)
        return;
    for (unsigned i = 0; i < NR_CHAINS; i++)
        sweep_chain(p, &p->chain[i], INT64_MAX);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static enum replay_verdict look_up(struct replay *p, const unsigned char digest[16],
                                   int64_t valid_until_s, int64_t now_s)
{
    struct entry **chain = &p->chain[(digest[0] << 8 | digest[1]) % NR_CHAINS], *e;

    sweep_chain(p, chain, now_s);
    for (e = *chain; e; e = e->next)
        if (memcmp(e->digest, digest, sizeof(e->digest)) == 0)
            return now_s - e->seen_s > REPLAY_GRACE_S ? REPLAY_SEEN : REPLAY_FINE;
    for (unsigned i = 0; i < NR_CHAINS && p->nr >= REPLAY_ENTRIES_MAX; i++)
        sweep_chain(p, &p->chain[i], now_s);
    if (p->nr >= REPLAY_ENTRIES_MAX)
        return REPLAY_FULL;
    e = xalloc(sizeof(*e));
    memcpy(e->digest, digest, sizeof(e->digest));
    e->seen_s = now_s;
    e->valid_until_s = valid_until_s;
    e->next = *chain;
    *chain = e;
    p->nr++;
    return REPLAY_FINE;
}

enum replay_verdict replay_check(struct replay *p, const char *signature, int64_t signed_at_s,
                                 int64_t valid_until_s, int64_t now_s)
{
    unsigned char digest[32];
    enum replay_verdict verdict;

    if (signed_at_s < p->started_s)
        return REPLAY_EARLY;
    EVP_Digest(signature, strlen(signature), digest, NULL, EVP_sha256(), NULL);
    pthread_mutex_lock(&p->lock);
    verdict = look_up(p, digest, valid_until_s, now_s);
    pthread_mutex_unlock(&p->lock);
    return verdict;
}
