/* SPDX-License-Identifier: MIT */
/*
 * Disks: the contents of images, snapshots and volumes.
 *
 * A blob is a file blobs/ID in the state's directory, raw or qcow2. A qcow2 blob may have a parent,
 * whose bytes it shares and which therefore never changes: only blobs of volumes are written to.
 * The file is complete before the database tells of it, and it is removed after the last row that
 * needs it is gone; what a crash leaves over is a file that nothing tells of, and blobs_sweep
 * removes it at the next start.
 *
 *   blob.c        the folder and the rows
 *   blob_make.c   new blobs: empty ones, children, copies
 */
#ifndef PVBOOT_CLOUD_SERVICE_BLOB_H
#define PVBOOT_CLOUD_SERVICE_BLOB_H

#include "cloud/service/db.h"
#include "host/stop.h"

#define BLOB_ID_BYTES 33

struct blob {
    char id[BLOB_ID_BYTES];
    bool qcow2;                 /* else raw */
    char parent[BLOB_ID_BYTES]; /* "" for none */
    uint64_t virtual_bytes;     /* what a guest sees */
};

/* The folder; false: `why` holds one sentence. */
bool blobs_prepare(const char *dir, struct buf *why);

/* At the start, before anything else uses blobs: remove files that no row tells of. */
void blobs_sweep(const char *dir, struct db *db);

/* Remove the blobs that no image, snapshot, volume or other blob needs any more. */
void blobs_drop_unused(const char *dir, struct db *db);

/* Where its file is. */
void blob_path(const char *dir, const char *id, struct buf *out);

/* An empty blob of that size. False: `why`; nothing is left. Nothing is in the database yet. */
bool blob_make_empty(const char *dir, uint64_t virtual_bytes, struct blob *out, struct buf *why);

/* A blob that shows the parent's bytes and takes writes. It may be larger than the parent. */
bool blob_make_child(const char *dir, const struct blob *parent, uint64_t virtual_bytes,
                     struct blob *out, struct buf *why);

enum blob_result {
    BLOB_DONE,
    BLOB_AGAIN,  /* stopped, or the source was written to meanwhile; nothing is left */
    BLOB_FAILED, /* `why`; nothing is left */
};

/*
 * A copy with the same parent: only the blob's own bytes are copied, or shared where the file
 * system can. The caller has given out->id (blob_new_id). *stop becoming not 0 ends it.
 */
enum blob_result blob_copy(const char *dir, const struct blob *from, const stop_flag *stop,
                           struct blob *out, struct buf *why);

/* The same without a parent: all that a guest would read is copied. `from` is not written to. */
enum blob_result blob_flatten(const char *dir, const struct blob *from, const stop_flag *stop,
                              struct blob *out, struct buf *why);

/* What the file takes on the disk; 0: it is not there. */
uint64_t blob_file_bytes(const char *dir, const char *id);

/* Has the service's disk this much room, and some for the state? False: `why`. */
bool blob_room_for(const char *dir, uint64_t bytes, struct buf *why);

/*
 * A raw blob that the caller writes: a descriptor of an empty file, then blob_keep, which makes it
 * durable, or blob_throw_away. -1: `why`.
 */
int blob_begin(const char *dir, struct blob *out, struct buf *why);
bool blob_keep(const char *dir, int fd, struct blob *b, struct buf *why);
void blob_throw_away(const char *dir, const struct blob *b);

/* For a file that something else makes at blob_path: its name, and then its durability. */
void blob_new_id(struct blob *out);
bool blob_make_durable(const char *dir, const struct blob *b, struct buf *why);

/* One sentence: a disk could not be `what`. */
void blob_say(struct buf *why, const char *what, int error);

/* Its row, to be inserted in the transaction that inserts what needs it. */
bool blob_insert(sqlite3 *c, const struct blob *b, const char *account);

/* How many blobs lie under it. */
unsigned blob_depth(sqlite3 *c, const char *id);

/* False: there is none. */
bool blob_find(sqlite3 *c, const char *id, struct blob *out);

#endif
