/* SPDX-License-Identifier: MIT */
/*
 * What an account's buckets may hold: bytes that are stored, and bodies that were announced and are
 * on their way into files, judged together. Stored bytes are the table `usage`, in which each
 * object, part and open upload costs a record besides its body: rows without bytes fill a disk,
 * too.
 *
 * A body is counted once at each moment that anybody is refused, either as announced or as stored;
 * see quota_commit. Safe from any thread. Two sections of the configuration with one account's
 * number share what is counted.
 */
#ifndef PVBOOT_CLOUD_SERVICE_QUOTA_H
#define PVBOOT_CLOUD_SERVICE_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "cloud/service/config.h"
#include "cloud/service/db.h"

/* The least that a record counts, as the triggers of db_migrate.c have it. */
#define QUOTA_RECORD_BYTES 1024

struct quota;

struct quota_use {
    uint64_t stored_bytes;
    uint64_t announced_bytes; /* by other requests */
};

struct quota *quota_new(const struct config *c);
void quota_free(struct quota *q);

/*
 * A body of so many bytes is about to come. True: there is room, and the bytes are the request's
 * until quota_commit or quota_withdraw gives them back. The caller holds no connection of `db`.
 */
bool quota_announce(struct quota *q, struct db *db, const struct account *a, uint64_t bytes,
                    struct quota_use *use);
void quota_withdraw(struct quota *q, const struct account *a, uint64_t bytes);

/*
 * Within a transaction of `c`, db_begin's: is what it leaves within the quota? `own_bytes` is what
 * its request announced and has stored now.
 */
bool quota_holds(struct quota *q, sqlite3 *c, const struct account *a, uint64_t own_bytes,
                 struct quota_use *use);

/* db_commit; what the request announced is stored now, or is not wanted any more. */
bool quota_commit(struct quota *q, struct db *db, const struct account *a, uint64_t bytes);

#endif
