/* SPDX-License-Identifier: MIT */
/*
 * Statements that were made ready once, by connection: making one takes longer than running it. A
 * statement that is in use is not in here, so whoever finalizes it instead of giving it back does
 * no harm. A connection is used by one thread at a time; connections come and go while there is no
 * other.
 */
#include "cloud/service/db_priv.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NR_CONNECTIONS 16
#define NR_SLOTS       128 /* by the hash of their text; of two in one slot, the later stays */

static struct cache {
    sqlite3 *c;
    sqlite3_stmt *slot[NR_SLOTS];
} caches[NR_CONNECTIONS];

static struct cache *cache_of(const sqlite3 *c)
{
    for (unsigned i = 0; i < NR_CONNECTIONS; i++)
        if (caches[i].c == c)
            return &caches[i];
    return NULL;
}

static sqlite3_stmt **slot_of(struct cache *cache, const char *sql)
{
    uint32_t hash = 2166136261; /* FNV-1a */

    for (; *sql; sql++)
        hash = (hash ^ (unsigned char)*sql) * 16777619;
    return &cache->slot[hash % NR_SLOTS];
}

void db_cache_add(sqlite3 *c)
{
    struct cache *cache = cache_of(NULL);

    if (cache)
        cache->c = c;
}

void db_cache_drop(sqlite3 *c)
{
    struct cache *cache = c ? cache_of(c) : NULL;

    for (unsigned i = 0; cache && i < NR_SLOTS; i++)
        sqlite3_finalize(cache->slot[i]);
    if (cache)
        memset(cache, 0, sizeof(*cache));
}

sqlite3_stmt *db_cache_take(sqlite3 *c, const char *sql)
{
    struct cache *cache = cache_of(c);
    sqlite3_stmt **slot = cache ? slot_of(cache, sql) : NULL, *s;

    if (!slot || !*slot || strcmp(sqlite3_sql(*slot), sql) != 0)
        return NULL;
    s = *slot;
    *slot = NULL;
    return s;
}

void db_finish(sqlite3_stmt *s)
{
    struct cache *cache = s ? cache_of(sqlite3_db_handle(s)) : NULL;
    sqlite3_stmt **slot;

    if (!cache) {
        sqlite3_finalize(s);
        return;
    }
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    slot = slot_of(cache, sqlite3_sql(s));
    sqlite3_finalize(*slot);
    *slot = s;
}
