/* SPDX-License-Identifier: MIT */
/* Bytes of each account that are on their way, beside those that the state counts; see quota.h. */
#include "cloud/service/quota.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct quota {
    const struct config *config;
    /* Taken before `lock`, and after the state's writer where both are held. */
    pthread_mutex_t commit_lock;
    pthread_mutex_t lock;
    uint64_t announced_bytes[CONFIG_ACCOUNTS_MAX]; /* at the account's first section */
};

struct quota *quota_new(const struct config *c)
{
    struct quota *q = xalloc(sizeof(*q));

    q->config = c;
    pthread_mutex_init(&q->commit_lock, NULL);
    pthread_mutex_init(&q->lock, NULL);
    return q;
}

void quota_free(struct quota *q)
{
    if (!q)
        return;
    pthread_mutex_destroy(&q->lock);
    pthread_mutex_destroy(&q->commit_lock);
    free(q);
}

static uint64_t *announced_by(struct quota *q, const struct account *a)
{
    size_t i = 0;

    while (strcmp(q->config->accounts[i].id, a->id) != 0)
        i++;
    return &q->announced_bytes[i];
}

/* Looked at and added to in one step, so that two bodies do not both get the same room. */
static bool try_add(struct quota *q, sqlite3 *c, const struct account *a, uint64_t own_bytes,
                    uint64_t more_bytes, struct quota_use *use)
{
    uint64_t *announced_bytes = announced_by(q, a), room_bytes;
    bool good;

    pthread_mutex_lock(&q->lock);
    use->stored_bytes = (uint64_t)db_number(
        c, 0, "SELECT bytes + record_bytes FROM usage WHERE account=?", "s", a->id);
    use->announced_bytes = *announced_bytes - own_bytes;
    good = use->stored_bytes <= a->quota_bytes;
    room_bytes = good ? a->quota_bytes - use->stored_bytes : 0;
    good = good && use->announced_bytes <= room_bytes &&
           more_bytes <= room_bytes - use->announced_bytes;
    if (good)
        *announced_bytes += more_bytes;
    pthread_mutex_unlock(&q->lock);
    return good;
}

/*
 * Between a commit and what follows it a body is counted twice. That can only refuse what has room,
 * so a refusal is thought over when no commit is under way.
 */
static bool add(struct quota *q, sqlite3 *c, const struct account *a, uint64_t own_bytes,
                uint64_t more_bytes, struct quota_use *use)
{
    bool good = try_add(q, c, a, own_bytes, more_bytes, use);

    if (good)
        return true;
    pthread_mutex_lock(&q->commit_lock);
    good = try_add(q, c, a, own_bytes, more_bytes, use);
    pthread_mutex_unlock(&q->commit_lock);
    return good;
}

bool quota_announce(struct quota *q, struct db *db, const struct account *a, uint64_t bytes,
                    struct quota_use *use)
{
    sqlite3 *c = db_reader(db);
    bool good = add(q, c, a, 0, bytes, use);

    db_done(db, c);
    return good;
}

void quota_withdraw(struct quota *q, const struct account *a, uint64_t bytes)
{
    pthread_mutex_lock(&q->lock);
    *announced_by(q, a) -= bytes;
    pthread_mutex_unlock(&q->lock);
}

bool quota_holds(struct quota *q, sqlite3 *c, const struct account *a, uint64_t own_bytes,
                 struct quota_use *use)
{
    return add(q, c, a, own_bytes, 0, use);
}

/* Commits wait for each other at the state's writer already: this lock costs them nothing. */
bool quota_commit(struct quota *q, struct db *db, const struct account *a, uint64_t bytes)
{
    bool good;

    pthread_mutex_lock(&q->commit_lock);
    good = db_commit(db);
    quota_withdraw(q, a, bytes);
    pthread_mutex_unlock(&q->commit_lock);
    return good;
}
