/* SPDX-License-Identifier: MIT */
/* The tables, as numbered steps; a step that was released is never changed. */
#include "cloud/service/db_priv.h"

/* Step 3: what a row costs; parts have no texts of a client. */
#define RECORD         "1024 + length(CAST(key || type || meta AS BLOB))"
#define PART_RECORD    "1024"
#define RECORD_OF(row) "1024 + length(CAST(" row ".key || " row ".type || " row ".meta AS BLOB))"

/* Step 3: the bytes and the record of each row of a table that comes or goes. */
#define COUNTS(table, bytes_in, record_in, bytes_out, record_out)                                  \
    "CREATE TRIGGER " table "_in AFTER INSERT ON " table " BEGIN"                                  \
    " INSERT INTO usage VALUES(new.account, " bytes_in ", " record_in ")"                          \
    " ON CONFLICT(account) DO UPDATE SET bytes = bytes + excluded.bytes,"                          \
    " record_bytes = record_bytes + excluded.record_bytes; END;"                                   \
    "CREATE TRIGGER " table "_out AFTER DELETE ON " table " BEGIN"                                 \
    " UPDATE usage SET bytes = bytes - (" bytes_out "),"                                           \
    " record_bytes = record_bytes - (" record_out ") WHERE account = old.account; END;"

/* Step 3: the rows that are there already. */
#define COUNT_NOW(table, record)                                                                   \
    "INSERT INTO usage SELECT account, 0, sum(" record ") FROM " table " WHERE true"               \
    " GROUP BY account ON CONFLICT(account)"                                                       \
    " DO UPDATE SET record_bytes = record_bytes + excluded.record_bytes;"

static const char *const steps[] = {
    /* 1: buckets. Files are named by their own random names, never by a client's. */
    "CREATE TABLE bucket(name TEXT PRIMARY KEY, account TEXT NOT NULL, created INTEGER NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE TABLE object(bucket TEXT NOT NULL REFERENCES bucket(name), key TEXT NOT NULL,"
    " account TEXT NOT NULL, file TEXT NOT NULL UNIQUE, size INTEGER NOT NULL, etag TEXT NOT NULL,"
    " type TEXT NOT NULL, meta TEXT NOT NULL, modified INTEGER NOT NULL,"
    " PRIMARY KEY(bucket, key)) WITHOUT ROWID;"
    "CREATE TABLE upload(id TEXT PRIMARY KEY, bucket TEXT NOT NULL REFERENCES bucket(name),"
    " key TEXT NOT NULL, account TEXT NOT NULL, type TEXT NOT NULL, meta TEXT NOT NULL,"
    " created INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE part(upload TEXT NOT NULL REFERENCES upload(id) ON DELETE CASCADE,"
    " number INTEGER NOT NULL, account TEXT NOT NULL, file TEXT NOT NULL UNIQUE,"
    " size INTEGER NOT NULL, etag TEXT NOT NULL, modified INTEGER NOT NULL,"
    " PRIMARY KEY(upload, number)) WITHOUT ROWID;"
    "CREATE INDEX upload_bucket ON upload(bucket, key);"
    /* What each account stores, kept by the database itself so that it cannot drift. */
    "CREATE TABLE usage(account TEXT PRIMARY KEY, bytes INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TRIGGER object_in AFTER INSERT ON object BEGIN"
    " INSERT INTO usage VALUES(new.account, new.size)"
    " ON CONFLICT(account) DO UPDATE SET bytes = bytes + excluded.bytes; END;"
    "CREATE TRIGGER object_out AFTER DELETE ON object BEGIN"
    " UPDATE usage SET bytes = bytes - old.size WHERE account = old.account; END;"
    "CREATE TRIGGER part_in AFTER INSERT ON part BEGIN"
    " INSERT INTO usage VALUES(new.account, new.size)"
    " ON CONFLICT(account) DO UPDATE SET bytes = bytes + excluded.bytes; END;"
    "CREATE TRIGGER part_out AFTER DELETE ON part BEGIN"
    " UPDATE usage SET bytes = bytes - old.size WHERE account = old.account; END;",
    /*
     * 2: images, instances, disks. Times are seconds since 1970, sizes of disks GiB as the API has
     * them, or bytes where the name says so. A text that is not known is '' and an id that is not
     * there is NULL.
     */
    "CREATE TABLE blob(id TEXT PRIMARY KEY, account TEXT NOT NULL, qcow2 INTEGER NOT NULL,"
    " parent TEXT REFERENCES blob(id), virtual_bytes INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE image(id TEXT PRIMARY KEY, account TEXT NOT NULL, type TEXT NOT NULL,"
    " state TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '', name TEXT NOT NULL,"
    " description TEXT NOT NULL DEFAULT '', location TEXT NOT NULL DEFAULT '',"
    " arch TEXT NOT NULL, kernel TEXT, ramdisk TEXT, root_type TEXT NOT NULL,"
    " root_device TEXT NOT NULL, public INTEGER NOT NULL DEFAULT 0, created INTEGER NOT NULL,"
    " blob TEXT REFERENCES blob(id),"
    /* Has its root disk a partition table? NULL: nobody looked. */
    " hd00 INTEGER) WITHOUT ROWID;"
    "CREATE UNIQUE INDEX image_name ON image(account, name);"
    "CREATE INDEX image_pending ON image(id) WHERE state = 'pending';"
    /* What a pending image is made of; the manifest of a bundle, NULL for a snapshot. */
    "CREATE TABLE image_job(image TEXT PRIMARY KEY REFERENCES image(id) ON DELETE CASCADE,"
    " manifest TEXT, arch_given INTEGER NOT NULL, not_before INTEGER NOT NULL DEFAULT 0)"
    " WITHOUT ROWID;"
    "CREATE TABLE image_mapping(image TEXT NOT NULL REFERENCES image(id) ON DELETE CASCADE,"
    " device TEXT NOT NULL, virtual TEXT, snapshot TEXT, size_gib INTEGER NOT NULL DEFAULT 0,"
    " delete_on_termination INTEGER NOT NULL DEFAULT 1, PRIMARY KEY(image, device)) WITHOUT ROWID;"
    "CREATE TABLE launch_permission(image TEXT NOT NULL REFERENCES image(id) ON DELETE CASCADE,"
    " account TEXT NOT NULL, PRIMARY KEY(image, account)) WITHOUT ROWID;"
    "CREATE TABLE snapshot(id TEXT PRIMARY KEY, account TEXT NOT NULL, volume TEXT NOT NULL,"
    " state TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '', description TEXT NOT NULL,"
    " size_gib INTEGER NOT NULL, created INTEGER NOT NULL, blob TEXT REFERENCES blob(id),"
    /* While it is 'pending': the blob that is copied, and the name of the copy. */
    " source TEXT REFERENCES blob(id), copy TEXT NOT NULL DEFAULT '',"
    " tries INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
    "CREATE INDEX snapshot_account ON snapshot(account, id);"
    "CREATE INDEX snapshot_pending ON snapshot(state) WHERE state = 'pending';"
    /* Who may make volumes of it: an account, or 'all'. */
    "CREATE TABLE snapshot_permission(snapshot TEXT NOT NULL REFERENCES snapshot(id)"
    " ON DELETE CASCADE, account TEXT NOT NULL, PRIMARY KEY(snapshot, account)) WITHOUT ROWID;"
    "CREATE TABLE reservation(id TEXT PRIMARY KEY, account TEXT NOT NULL, created INTEGER NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE TABLE instance(id TEXT PRIMARY KEY, account TEXT NOT NULL,"
    " reservation TEXT NOT NULL REFERENCES reservation(id), launch_index INTEGER NOT NULL,"
    " image TEXT NOT NULL, arch TEXT NOT NULL, kernel TEXT, ramdisk TEXT, type TEXT NOT NULL,"
    " hd00 INTEGER, memory_mib INTEGER NOT NULL, vcpus INTEGER NOT NULL,"
    " state TEXT NOT NULL, changed INTEGER NOT NULL, reason_code TEXT NOT NULL DEFAULT '',"
    " reason TEXT NOT NULL DEFAULT '', launched INTEGER NOT NULL,"
    " root_type TEXT NOT NULL, root_device TEXT NOT NULL,"
    " shutdown_behavior TEXT NOT NULL DEFAULT 'stop',"
    " disable_termination INTEGER NOT NULL DEFAULT 0, user_data TEXT NOT NULL DEFAULT '',"
    " client_token TEXT NOT NULL DEFAULT '',"
    /*
     * What was asked for and not yet done, or how far it is: 'reboot', 'force' (of stopping),
     * 'asked' (the guest to stop), 'started' (it does not run yet), or ''.
     */
    " wish TEXT NOT NULL DEFAULT '', wish_since INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
    "CREATE UNIQUE INDEX instance_account ON instance(account, reservation, launch_index);"
    "CREATE INDEX instance_busy ON instance(state) WHERE state <> 'terminated';"
    /*
     * A root disk of an instance-store image is a volume that is hidden: it is not the API's. A
     * volume that is 'creating' has no blob yet; source is the blob that it shall show.
     */
    "CREATE TABLE volume(id TEXT PRIMARY KEY, account TEXT NOT NULL, hidden INTEGER NOT NULL,"
    " state TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '', size_gib INTEGER NOT NULL,"
    " virtual_bytes INTEGER NOT NULL, snapshot TEXT, source TEXT REFERENCES blob(id),"
    " blob TEXT REFERENCES blob(id), created INTEGER NOT NULL,"
    " instance TEXT REFERENCES instance(id), device TEXT, attach_state TEXT, attached INTEGER,"
    " delete_on_termination INTEGER NOT NULL DEFAULT 0,"
    " client_token TEXT NOT NULL DEFAULT '') WITHOUT ROWID;"
    "CREATE INDEX volume_account ON volume(account, id);"
    "CREATE INDEX volume_busy ON volume(state) WHERE state IN ('creating', 'deleting');"
    "CREATE INDEX volume_moving ON volume(attach_state)"
    " WHERE attach_state IN ('attaching', 'detaching');"
    "CREATE UNIQUE INDEX volume_device ON volume(instance, device) WHERE instance IS NOT NULL;"
    "CREATE TABLE tag(resource TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,"
    " account TEXT NOT NULL, PRIMARY KEY(resource, key)) WITHOUT ROWID;"
    "CREATE INDEX tag_account ON tag(account, resource);"
    /* What a request with a ClientToken made: the same request again gets the same answer. */
    "CREATE TABLE client_token(account TEXT NOT NULL, action TEXT NOT NULL, token TEXT NOT NULL,"
    " request_sha256 TEXT NOT NULL, made TEXT NOT NULL, created INTEGER NOT NULL,"
    " PRIMARY KEY(account, action, token)) WITHOUT ROWID;"
    "CREATE VIEW blob_needed AS SELECT blob AS id FROM image WHERE blob IS NOT NULL"
    " UNION SELECT blob FROM snapshot WHERE blob IS NOT NULL"
    " UNION SELECT source FROM snapshot WHERE source IS NOT NULL"
    " UNION SELECT blob FROM volume WHERE blob IS NOT NULL"
    " UNION SELECT source FROM volume WHERE source IS NOT NULL"
    " UNION SELECT parent FROM blob WHERE parent IS NOT NULL;",

    /* 3: rows cost, too, not bytes of bodies alone. */
    /* clang-format off */
    "DROP TRIGGER object_in; DROP TRIGGER object_out; DROP TRIGGER part_in; DROP TRIGGER part_out;"
    "ALTER TABLE usage ADD COLUMN record_bytes INTEGER NOT NULL DEFAULT 0;"
    COUNT_NOW("object", RECORD) COUNT_NOW("part", PART_RECORD) COUNT_NOW("upload", RECORD)
    COUNTS("object", "new.size", RECORD_OF("new"), "old.size", RECORD_OF("old"))
    COUNTS("part", "new.size", PART_RECORD, "old.size", PART_RECORD)
    COUNTS("upload", "0", RECORD_OF("new"), "0", RECORD_OF("old")),
    /* clang-format on */

    /* 4: what goes an hour after its end is found, and its reservation goes, without a walk. */
    "CREATE INDEX instance_ended ON instance(changed) WHERE state = 'terminated';"
    "CREATE INDEX instance_reservation ON instance(reservation);",

    /* 5: each account has tags of its own on what several see; resource and key order them all. */
    "CREATE TABLE tag_by_account(resource TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,"
    " account TEXT NOT NULL, PRIMARY KEY(resource, key, account)) WITHOUT ROWID;"
    "INSERT INTO tag_by_account SELECT resource, key, value, account FROM tag;"
    "DROP TABLE tag;"
    "ALTER TABLE tag_by_account RENAME TO tag;"
    "CREATE INDEX tag_account ON tag(account, resource);",
};

#define NR_STEPS ((int64_t)(sizeof(steps) / sizeof(steps[0])))

static bool take_step(sqlite3 *c, int64_t number, struct buf *why)
{
    struct buf sql = {0};
    char *message = NULL;
    bool good;

    buf_printf(&sql, "BEGIN IMMEDIATE;%sPRAGMA user_version=%lld;COMMIT;", steps[number],
               (long long)number + 1);
    good = sqlite3_exec(c, sql.text, NULL, NULL, &message) == SQLITE_OK;
    if (!good) {
        buf_printf(why, "step %lld of the state's tables failed: %s", (long long)number + 1,
                   message ? message : "no memory");
        sqlite3_exec(c, "ROLLBACK", NULL, NULL, NULL);
    }
    sqlite3_free(message);
    buf_free(&sql);
    return good;
}

bool db_migrate(sqlite3 *c, struct buf *why)
{
    int64_t version = db_number(c, -1, "PRAGMA user_version", "");

    if (version < 0 || version > NR_STEPS) {
        buf_printf(why,
                   "the state is of version %lld, this program knows up to %lld; use the newer "
                   "program",
                   (long long)version, (long long)NR_STEPS);
        return false;
    }
    for (int64_t i = version; i < NR_STEPS; i++)
        if (!take_step(c, i, why))
            return false;
    return true;
}
