/* SPDX-License-Identifier: MIT */
/*
 * File systems: mount, walk a path, map a file to runs, read runs.
 *
 *     struct fs    a mounted file system; knows its reader (fs_ops) and its disk
 *     struct node  one inode, read and checked
 *     struct file  an open regular file: node + name, read through runs
 *
 * A reader (ext.c, ...) is one table of functions and a probe; it sees a disk and an arena, never
 * a device. Path walking, symlinks and reading by runs are done here once for all readers.
 */
#ifndef PVBOOT_FS_FS_H
#define PVBOOT_FS_FS_H

#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/disk/disk.h"

#define FS_NAME_MAX       255
#define FS_PATH_MAX       4096
#define FS_SYMLINK_MAX    40   /* symbolic links followed on one walk, as Linux */
#define FS_WALK_STEPS_MAX 4096 /* names looked up on one walk, its links' targets included */
#define FS_LABEL_MAX      64
#define FS_DESCRIBE_MAX   96

enum node_type { NODE_FILE, NODE_DIR, NODE_SYMLINK, NODE_OTHER };

/* By the type bits of a POSIX st_mode, which every reader's inodes hold. */
static inline enum node_type node_type_of(uint32_t mode)
{
    switch (mode & 0170000u) {
    case 0100000u:
        return NODE_FILE;
    case 0040000u:
        return NODE_DIR;
    case 0120000u:
        return NODE_SYMLINK;
    default:
        return NODE_OTHER;
    }
}

struct node {
    uint64_t ino;
    enum node_type type;
    uint32_t mode; /* POSIX st_mode, type bits included */
    uint64_t size_bytes;
    int64_t mtime; /* seconds since 1970 */
    void *priv;    /* the reader's, in the arena given to get_node */
};

enum run_kind { RUN_DISK, RUN_HOLE, RUN_INLINE };

/*
 * A piece of a file. Runs of a file cover it without gaps, in order, and never overlap. The last
 * one may reach past the end of the file, to the end of its block.
 */
struct run {
    enum run_kind kind;
    uint64_t file_off_bytes;
    uint64_t len_bytes;
    uint64_t disk_off_bytes;     /* RUN_DISK: on the fs's disk; sector aligned if it can be */
    const uint8_t *inline_bytes; /* RUN_INLINE: len_bytes of them, as long as the node lives */
};

struct fs;

/* Called for each entry; return false to stop. name is not terminated and may hold any byte but /
 * and NUL. */
typedef bool (*fs_entry_fn)(void *ctx, const char *name, size_t name_len, uint64_t ino);

struct fs_ops {
    const char *name; /* "ext2/3/4"; what was mounted is in fs->describe */
    /*
     * Probe and mount fs->disk. ERR_NOT_MINE when it is another format; ERR_FS_DAMAGED and
     * ERR_REFUSED as in err.h. On success fs->priv, root_ino, describe, label, uuid and
     * journal_dirty are set.
     */
    struct err (*mount)(struct fs *fs);
    /*
     * The seam for journals; NULL for a reader that cannot replay. Called when mount found the
     * journal dirty: read it through the mounted fs, and give a disk that shows fs->disk as it
     * will be after the replay (memory from fs->arena, nothing is written). fs_mount then mounts
     * that disk instead, with fs->journal_replayed set.
     */
    struct err (*replay)(struct fs *fs, struct disk **out);
    /* Read inode ino into *out; what it needs beyond lies in the arena. */
    struct err (*get_node)(struct fs *fs, struct arena *a, uint64_t ino, struct node *out);
    /* Find name in the directory; ERR_FILE_NOT_FOUND when it is not there. */
    struct err (*lookup)(struct fs *fs, struct node *dir, const char *name, size_t len,
                         uint64_t *ino);
    struct err (*readdir)(struct fs *fs, struct node *dir, fs_entry_fn fn, void *ctx);
    /* The run that holds file byte off_bytes (< size). It may begin before off_bytes. */
    struct err (*map)(struct fs *fs, struct node *n, uint64_t off_bytes, struct run *out);
    /*
     * May the file's byte at off_bytes be changed where it lies, while nothing else of the file
     * system changes? OK, or ERR_REFUSED with the reason. Where the run lies, and what a journal
     * holds, is looked at by inplace.c. NULL: never.
     */
    struct err (*may_overwrite)(struct fs *fs, struct node *n, uint64_t off_bytes);
    /* The link's target into buf (cap >= FS_PATH_MAX), not terminated; its length in *len. */
    struct err (*readlink)(struct fs *fs, struct node *n, char *buf, size_t cap, size_t *len);
};

struct fs {
    const struct fs_ops *ops;
    struct disk *disk;
    struct arena *arena; /* holds what belongs to the mount */
    const struct log *log;
    void *priv;
    uint64_t root_ino;
    char describe[FS_DESCRIBE_MAX]; /* for messages: "ext4", "ext4, journal replayed" */
    char label[FS_LABEL_MAX];
    uint8_t uuid[16];
    void *replay_state;    /* the reader's: what its replay leaves for the mount that follows */
    bool journal_dirty;    /* set by mount: the disk as it stands is not the whole truth */
    bool journal_replayed; /* set by fs_mount: disk is an overlay with the journal's blocks */
};

/*
 * Mount what lies on the disk: each known reader is asked in turn. ERR_FS_MOUNT when none knows
 * it; a reader's ERR_FS_DAMAGED or ERR_REFUSED ends the search. The arena must outlive the fs.
 */
struct err fs_mount(struct fs *fs, struct disk *disk, struct arena *a, const struct log *log);

/* What a line on the console begins with that is about a file system: "xvda: ext4". */
struct text fs_line(const struct fs *fs, char *line, size_t cap);

/* The names of the readers that are built in, in turn; NULL past the last one. */
const char *fs_reader_name(uint32_t n);

/* Where a walk ended when it failed: for the message and for hints. All text is in the arena. */
struct walk_report {
    const char *failed_at; /* the component that was not found or was no directory; "" if none */
    const char *in_dir;    /* absolute path of the directory that was searched */
    char holds[256]; /* names that in_dir holds, ", " between, "..." when cut; "" if unreadable */
};

/*
 * Walk an absolute path to a node, following symbolic links (the last one too). `..` never leaves
 * the root. ERR_FILE_NOT_FOUND, ERR_BAD_FILETYPE (a file used as a directory), ERR_SYMLINK_LOOP,
 * ERR_BAD_FILENAME (not absolute, too long), ERR_LIMIT (FS_WALK_STEPS_MAX). report may be NULL.
 */
struct err fs_walk(struct fs *fs, struct arena *a, const char *path, struct node *out,
                   struct walk_report *report);

struct file {
    struct fs *fs;
    struct node node;
    const char *path; /* as it was asked for */
};

/* fs_walk, and ERR_BAD_FILETYPE when the result is not a regular file. */
struct err file_open(struct file *f, struct fs *fs, struct arena *a, const char *path,
                     struct walk_report *report);

/*
 * Read [off, off + len) of the file into buf, holes as zeros. Whole sectors that fall on
 * sector-aligned memory go straight from the device into buf, with many requests in flight; only
 * ragged ends pass through a bounce buffer. ERR_FILELENGTH when the range passes the end.
 */
struct err file_read(struct file *f, uint64_t off_bytes, void *buf, uint64_t len_bytes);

/*
 * A file as a stream of chunks with read-ahead: while the caller works on one chunk the next are
 * under way. next() returns a pointer to the next bytes (valid until the following call) and their
 * number, 0 at the end. The file and the arena must outlive the stream; its buffers are as large
 * as the arena has memory for, 2 MiB at most.
 */
struct file_stream;
struct err file_stream_open(struct file_stream **out, struct file *f, struct arena *a,
                            uint64_t off_bytes, uint64_t len_bytes);
struct err file_stream_next(struct file_stream *s, const uint8_t **data, size_t *len);
/* Waits for what is in flight and gives the buffers back. NULL is allowed. */
void file_stream_close(struct file_stream *s);

#endif
