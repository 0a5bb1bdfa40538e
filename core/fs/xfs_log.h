/* SPDX-License-Identifier: MIT */
/*
 * What the files of XFS's log recovery share.
 *
 *     xfs_log.c         what others call: is the log dirty, replay it
 *     xfs_log_read.c    basic blocks and records, as they lie on the disk
 *     xfs_log_head.c    where the log ends and where replaying begins
 *     xfs_log_trans.c   operations gathered into items of transactions
 *     xfs_log_items.c   buffers and new inodes
 *     xfs_log_inode.c   inodes
 *     xfs_log_seal.c    checksums of what was changed
 *     xfs_log_intents.c what was begun and not finished
 *     xfs_log_fork.c    a file's mapping, read and written as a whole
 *
 * The log is a ring of basic blocks of 512 bytes. Each is stamped with the cycle in which it was
 * written, so the place where the cycle falls is the head; the record before the head tells the
 * tail. Replaying goes through the records from tail to head twice: first to learn which buffers
 * were given up (a buffer that is freed must not be written any more: its blocks may hold a file's
 * data by now), then to apply each transaction that was committed, in the order of the commits.
 */
#ifndef PVBOOT_FS_XFS_LOG_H
#define PVBOOT_FS_XFS_LOG_H

#include "core/disk/overlay.h"
#include "core/fs/crc.h"
#include "core/fs/xfs.h"
#include "core/fs/xfs_log_disk.h"

/* Caps on what a log may ask for. */
#define XLOG_MEMORY_MAX   ((uint64_t)60 << 20) /* of transactions and tables */
#define XLOG_REPLACED_MAX ((uint64_t)1 << 30)  /* of blocks that are seen replaced */
#define XLOG_TRANS_MAX    4096u                /* transactions that are open at a time */
#define XLOG_REGION_MAX   ((uint32_t)128 * 1024)
#define XLOG_INTENTS_MAX  65536u
#define XLOG_FILE_BLOCKS  ((uint64_t)1 << 54) /* what an extent's place in a file can say */
#define XLOG_BYTES_MAX    ((uint64_t)1 << 31) /* of the log: as Linux */

struct xlog_window {
    uint8_t *bytes;
    uint32_t bb, nr_bb; /* what it holds */
};

/* Number -> number: open addressing, at most half full. Key UINT64_MAX is never put in. */
struct xlog_slot {
    uint64_t key, value;
};
struct xlog_table {
    struct xlog_slot *slots;
    size_t nr_slots, nr_used;
};

struct xlog_trans;
struct xlog_chunk;
struct xlog_intent;
#define XLOG_CHUNK_CLASSES 4
#define XLOG_TRANS_SLOTS   1024

struct xlog_counts {
    uint64_t records, transactions, buffers, inodes, new_inodes, intents_done;
    uint64_t cancelled, newer, quota, intents_left, incomplete;
};

struct xlog {
    struct fs *fs;
    const struct xfs *x; /* of the mounted fs, or replayed_x once the log had a superblock */
    struct xfs replayed_x;
    struct disk *disk;
    struct arena *arena;
    uint64_t off_bytes; /* of the log on the disk */
    uint32_t nr_bb;
    bool v2;

    uint32_t head, tail; /* basic blocks; equal when there is nothing to do */
    bool clean;          /* the last record says that the file system was unmounted */
    bool torn;           /* records before the head were cut off */

    struct xlog_window window;
    uint8_t *record; /* one record: headers, then operations */
    struct crc32c_tables *crc;
    uint64_t memory_bytes;

    struct overlay *overlay;
    int pass;
    struct xlog_trans *open[XLOG_TRANS_SLOTS]; /* by the hash of their tid */
    uint32_t nr_open;
    struct xlog_chunk *spare[XLOG_CHUNK_CLASSES];
    struct xlog_table cancelled;    /* basic block and length -> how often still */
    struct xlog_table changed;      /* basic block -> length: whose checksums must be made anew */
    struct xlog_table open_intents; /* see xfs_log_intents.c */
    struct xlog_intent *intents;    /* that are to be finished, in the order of the log */
    struct xlog_intent **intents_end, *spare_intents;
    uint32_t nr_intents;
    struct xlog_table new_owners; /* inodes whose extent tree was another's */
    uint32_t nr_owned;
    uint64_t fork_work;      /* see xfs_log_fork.c */
    uint32_t next_log_block; /* blocks of the log given to new B+trees, see xfs_log_fork.c */
    uint8_t *buffer;         /* XLOG_BUF_MAX_BYTES to work on */
    struct xlog_counts n;
};

static inline uint32_t xlog_bbs(uint64_t bytes)
{
    return (uint32_t)((bytes + XLOG_BB - 1) / XLOG_BB);
}

static inline uint64_t xlog_where(const struct xlog *log, uint32_t bb)
{
    return log->off_bytes + (uint64_t)bb * XLOG_BB;
}

/* (a + b) around the ring; both at most nr_bb. */
static inline uint32_t xlog_add(const struct xlog *log, uint32_t a, uint32_t b)
{
    return (uint32_t)(((uint64_t)a + b) % log->nr_bb);
}

/* How far it is from a forward to b, both below nr_bb. */
static inline uint32_t xlog_distance(const struct xlog *log, uint32_t a, uint32_t b)
{
    return b >= a ? b - a : log->nr_bb - a + b;
}

static inline void xlog_put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void xlog_put64(uint8_t *p, uint64_t v)
{
    for (int i = 7; i >= 0; i--, v >>= 8)
        p[i] = (uint8_t)v;
}

/* ---- xfs_log_read.c ---- */

struct xlog_record {
    uint32_t bb, version;
    uint32_t nr_header_bb, nr_body_bb;
    uint32_t len_bytes, nr_ops;
    uint32_t size_bytes; /* of the buffer it was written from; 0 in version 1 */
    uint64_t lsn, tail_lsn;
    uint8_t *ops; /* len_bytes of them, after xlog_read_record */
};

/* Pages that count against XLOG_MEMORY_MAX. */
struct err xlog_pages(struct xlog *log, size_t nr_bytes, const char *what, void *out);
void xlog_drop(struct xlog *log, void *pages, size_t nr_bytes);

/* The cycle that the block is stamped with; *is_header: a record begins here. */
struct err xlog_peek(struct xlog *log, uint32_t bb, uint32_t *cycle, bool *is_header);

/* nr_bb blocks from bb on, not past the end of the log, in large reads. */
struct err xlog_view(struct xlog *log, uint32_t bb, uint32_t nr_bb, const uint8_t **bytes);

/* One block, when those before it will be asked for next. */
struct err xlog_view_back(struct xlog *log, uint32_t bb, const uint8_t **bytes);

/*
 * The header of the record at bb, as it stands there: its numbers may be nonsense when it is torn.
 * ERR_FS_DAMAGED when there is none.
 */
struct err xlog_read_header(struct xlog *log, uint32_t bb, struct xlog_record *r);

/*
 * The record at bb, which must end within room_bb blocks. Its checksum is checked when asked for;
 * r->ops are as they were before they were stamped. ERR_FS_DAMAGED for a bad one, with `where`.
 */
struct err xlog_read_record(struct xlog *log, uint32_t bb, uint32_t room_bb, bool check_crc,
                            struct xlog_record *r);

/* Can it be replayed here: written on a little-endian machine, of this file system? */
struct err xlog_check_origin(const struct xlog *log, const struct xlog_record *r);

/* ---- xfs_log_head.c ---- */

/* Set head, tail, clean and torn. */
struct err xlog_find_ends(struct xlog *log);

/* The first record at or after bb, before the head. */
struct err xlog_next_header(struct xlog *log, uint32_t bb, uint32_t *out);

/* ---- xfs_log_trans.c ---- */

struct xlog_region {
    uint8_t *bytes;
    uint32_t len;
};

struct xlog_item {
    struct xlog_item *next;
    uint16_t type;
    uint16_t nr, got; /* regions it says it has, and that were found */
    struct xlog_region *regions;
};

/* The record's operations; lsn for messages. Commits call xlog_commit. */
struct err xlog_take_record(struct xlog *log, const struct xlog_record *r);

/* Forget the transactions that are still open, and the memory of all of them. */
void xlog_forget_open(struct xlog *log);
void xlog_drop_chunks(struct xlog *log);

/* ---- xfs_log_items.c ---- */

/* Apply the items of a committed transaction, in pass 1 or 2. */
struct err xlog_commit(struct xlog *log, struct xlog_item *items, uint64_t lsn);

/* Is the buffer given up later in the log? */
bool xlog_is_cancelled(const struct xlog *log, uint64_t bb, uint32_t nr_bb);

/* ---- xfs_log_inode.c ---- */

struct err xlog_apply_inode(struct xlog *log, const struct xlog_item *item, uint64_t lsn);

/* Where in the inode its data or attribute fork lies; false when there is none. */
struct xlog_area {
    uint8_t *bytes;
    uint32_t len;
};
bool xlog_find_fork(const struct xlog *log, uint8_t *inode, bool attr, struct xlog_area *a);

/* ---- xfs_log_seal.c ---- */

/* Where the lsn and the uuid of a version 5 block lie, by its first bytes; false: it has none. */
bool xlog_block_lsn(const struct xlog *log, const uint8_t *bytes, uint32_t len, uint64_t *lsn,
                    const uint8_t **uuid);

/* The blocks of [bb, bb + nr) were changed: they get a new checksum by xlog_seal. */
struct err xlog_note_changed(struct xlog *log, uint64_t bb, uint32_t nr_bb);
struct err xlog_seal(struct xlog *log);
struct err xlog_seal_one(struct xlog *log, uint64_t bb, uint32_t nr_bb);

/* Read and write through the overlay; in whole basic blocks. */
struct err xlog_load(struct xlog *log, uint64_t bb, uint32_t nr_bb, uint8_t *bytes);
struct err xlog_store(struct xlog *log, uint64_t off_bytes, const uint8_t *bytes, uint32_t len);

/* The inode at off_bytes, in place in the overlay. */
struct err xlog_inode_at(struct xlog *log, uint64_t off_bytes, uint8_t **inode);

struct err xlog_table_put(struct xlog *log, struct xlog_table *t, uint64_t key,
                          struct xlog_slot **out);
struct xlog_slot *xlog_table_find(const struct xlog_table *t, uint64_t key);
void xlog_table_free(struct xlog *log, struct xlog_table *t);

/* ---- xfs_log_intents.c ---- */

bool xlog_is_intent(uint16_t type);
struct err xlog_take_intent(struct xlog *log, const struct xlog_item *item);
struct err xlog_finish_intents(struct xlog *log);

/* ---- xfs_log_fork.c ---- */

/* A row of blocks of a file. block: an fsblock. */
struct xlog_extent {
    uint64_t off, block, len; /* blocks */
    bool unwritten;
};

struct xlog_fork {
    uint64_t ino, inode_off; /* where it lies on the disk */
    struct xlog_extent *extents;
    size_t nr, cap;
};

struct err xlog_fork_read(struct xlog *log, uint64_t ino, struct xlog_fork *f);
/* Take [off, off + len) out of the mapping. */
struct err xlog_fork_unmap(struct xlog *log, struct xlog_fork *f, uint64_t off, uint64_t len);
struct err xlog_fork_map(struct xlog *log, struct xlog_fork *f, const struct xlog_extent *e);
/* The first extent that ends behind block off; nr when there is none. */
size_t xlog_fork_find(const struct xlog_fork *f, uint64_t off);
struct err xlog_fork_write(struct xlog *log, struct xlog_fork *f);

/* All blocks of the inode's extent tree, if it has one, name it as their owner from now on. */
struct err xlog_fork_own(struct xlog *log, uint64_t ino);
void xlog_fork_free(struct xlog *log, struct xlog_fork *f);

#endif
