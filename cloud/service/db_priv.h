/* SPDX-License-Identifier: MIT */
#ifndef PVBOOT_CLOUD_SERVICE_DB_PRIV_H
#define PVBOOT_CLOUD_SERVICE_DB_PRIV_H

#include "cloud/service/db.h"

/* Bring the tables up to date. */
bool db_migrate(sqlite3 *c, struct buf *why);

/* A connection whose statements are kept, from now on and until it is closed. */
void db_cache_add(sqlite3 *c);
void db_cache_drop(sqlite3 *c);

/* A kept statement with this text, for the caller alone; or NULL. */
sqlite3_stmt *db_cache_take(sqlite3 *c, const char *sql);

#endif
