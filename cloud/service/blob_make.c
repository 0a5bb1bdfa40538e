/* SPDX-License-Identifier: MIT */
/*
 * New blobs; see blob.h. An empty child is written here and not by qemu-img: it is four clusters,
 * and a program that outlives a killed service could still make a file after the next sweep.
 */
#include "cloud/service/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloud/bundle/program.h"
#include "cloud/service/request.h"

#define PIECE_BYTES (1 << 20)

/* A qcow2 file of version 3, as QEMU's docs/interop/qcow2.txt has it; all numbers big-endian. */
#define CLUSTER_BITS      16
#define CLUSTER           (1u << CLUSTER_BITS)
#define L1_ENTRIES_MAX    (CLUSTER / 8) /* one cluster of them: 4 TiB */
#define BYTES_OF_L1_ENTRY ((uint64_t)CLUSTER / 8 * CLUSTER)
#define HEADER_BYTES      104
/* Behind it an extension with the parent's format, padded to 8 bytes, the empty one, and a name. */
#define PARENT_AT          (HEADER_BYTES + 8 + 8 + 8)
#define CHILD_HEADER_BYTES (PARENT_AT + BLOB_ID_BYTES - 1)
#define BACKING_FORMAT     0xe2792acau
#define NR_CLUSTERS        4 /* header, table of refcounts, refcounts, L1 table */

static bool write_all(int fd, const void *bytes, size_t len, off_t at)
{
    for (const char *p = bytes; len > 0;) {
        ssize_t n = pwrite(fd, p, len, at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

/* ---- empty ones and children ------------------------------------------------------------------
 */

/* Ends what blob_begin began; `good`: the file is as it should be, else errno says why not. */
static bool end_new(const char *dir, int fd, bool good, const struct blob *b, struct buf *why)
{
    if (!good)
        blob_say(why, "made", errno);
    close(fd);
    if (good && blob_make_durable(dir, b, why))
        return true;
    blob_throw_away(dir, b);
    return false;
}

bool blob_make_empty(const char *dir, uint64_t virtual_bytes, struct blob *out, struct buf *why)
{
    int fd = blob_begin(dir, out, why);

    if (fd < 0)
        return false;
    out->virtual_bytes = virtual_bytes;
    return end_new(dir, fd, ftruncate(fd, (off_t)virtual_bytes) == 0, out, why);
}

static void put32(unsigned char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(value >> (24 - 8 * i));
}

static void put64(unsigned char *at, uint64_t value)
{
    put32(at, (uint32_t)(value >> 32));
    put32(at + 4, (uint32_t)value);
}

static void put_text(unsigned char *at, const char *text)
{
    while (*text)
        *at++ = (unsigned char)*text++;
}

/* The parent by its bare name: it lies in the same folder, wherever that is. */
static void fill_header(unsigned char *h, const struct blob *parent, uint64_t virtual_bytes)
{
    const char *format = parent->qcow2 ? "qcow2" : "raw";

    put32(h, 0x514649fb); /* "QFI" */
    put32(h + 4, 3);      /* version */
    put64(h + 8, PARENT_AT);
    put32(h + 16, (uint32_t)strlen(parent->id));
    put32(h + 20, CLUSTER_BITS);
    put64(h + 24, virtual_bytes);
    put32(h + 36, (uint32_t)((virtual_bytes + BYTES_OF_L1_ENTRY - 1) / BYTES_OF_L1_ENTRY));
    put64(h + 40, 3 * (uint64_t)CLUSTER); /* the L1 table */
    put64(h + 48, CLUSTER);               /* the table of refcounts, */
    put32(h + 56, 1);                     /* of one cluster */
    put32(h + 96, 4);                     /* refcounts of 16 bits */
    put32(h + 100, HEADER_BYTES);
    put32(h + HEADER_BYTES, BACKING_FORMAT);
    put32(h + HEADER_BYTES + 4, (uint32_t)strlen(format));
    put_text(h + HEADER_BYTES + 8, format);
    put_text(h + PARENT_AT, parent->id);
}

/* What is not written are zeros: an L1 table of nothing. */
static bool write_child(int fd, const struct blob *parent, uint64_t virtual_bytes)
{
    unsigned char header[CHILD_HEADER_BYTES] = {0}, table[8] = {0}, refcounts[2 * NR_CLUSTERS];

    fill_header(header, parent, virtual_bytes);
    put64(table, 2 * (uint64_t)CLUSTER);
    for (size_t i = 0; i < sizeof(refcounts); i++)
        refcounts[i] = i % 2; /* 1, in 16 bits */
    return ftruncate(fd, (off_t)NR_CLUSTERS * CLUSTER) == 0 &&
           write_all(fd, header, sizeof(header), 0) &&
           write_all(fd, table, sizeof(table), CLUSTER) &&
           write_all(fd, refcounts, sizeof(refcounts), 2 * (off_t)CLUSTER);
}

bool blob_make_child(const char *dir, const struct blob *parent, uint64_t virtual_bytes,
                     struct blob *out, struct buf *why)
{
    int fd;

    if (virtual_bytes > L1_ENTRIES_MAX * BYTES_OF_L1_ENTRY) {
        blob_say(why, "made", EFBIG);
        return false;
    }
    fd = blob_begin(dir, out, why);
    if (fd < 0)
        return false;
    out->qcow2 = true;
    out->virtual_bytes = virtual_bytes;
    memcpy(out->parent, parent->id, sizeof(out->parent));
    return end_new(dir, fd, write_child(fd, parent, virtual_bytes), out, why);
}

/* ---- copies -----------------------------------------------------------------------------------
 */

static int open_blob(const char *dir, const char *id, int flags)
{
    struct buf path = {0};
    int fd;

    blob_path(dir, id, &path);
    fd = open(path.text, flags | O_CLOEXEC, 0600);
    buf_free(&path);
    return fd;
}

/* The bytes from *at on that are not a hole, [*at, *end). False: there are none. */
static bool next_data(int fd, off_t size, off_t *at, off_t *end)
{
    *at = lseek(fd, *at, SEEK_DATA);
    *end = *at < 0 ? -1 : lseek(fd, *at, SEEK_HOLE);
    if (*at >= 0 && *end > size)
        *end = size;
    return *at >= 0 && *at < *end;
}

static bool copy_piece(int from, int to, off_t *at, off_t end, char *piece)
{
    size_t want = end - *at < PIECE_BYTES ? (size_t)(end - *at) : PIECE_BYTES;
    ssize_t n = pread(from, piece, want, *at);

    if (n == 0)
        errno = EIO; /* shorter than it was */
    if (n <= 0 || !write_all(to, piece, (size_t)n, *at))
        return false;
    *at += n;
    return true;
}

/* Holes stay holes. False: errno; 0: it was stopped. */
static bool copy_bytes(int from, int to, off_t size, const stop_flag *stop)
{
    char *piece = xalloc(PIECE_BYTES);
    bool good = ftruncate(to, size) == 0;
    off_t at = 0, end = 0;

    while (good && next_data(from, size, &at, &end))
        while (good && at < end) {
            good = *stop == 0 && copy_piece(from, to, &at, end, piece);
            if (*stop != 0)
                errno = 0;
        }
    free(piece);
    return good && (at >= size || errno == ENXIO);
}

/* Was nothing written between the two looks? */
static bool unchanged(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static enum blob_result copy_file(const char *dir, int from, int to, const stop_flag *stop,
                                  struct buf *why)
{
    struct stat before, after;

    if (fstat(from, &before) != 0) {
        blob_say(why, "copied", errno);
        return BLOB_FAILED;
    }
    if (ioctl(to, FICLONE, from) != 0) {
        if (!blob_room_for(dir, (uint64_t)before.st_blocks * 512, why))
            return BLOB_FAILED;
        errno = 0;
        if (!copy_bytes(from, to, before.st_size, stop)) {
            if (*stop != 0)
                return BLOB_AGAIN;
            blob_say(why, "copied", errno);
            return BLOB_FAILED;
        }
    }
    if (fstat(from, &after) == 0 && unchanged(&before, &after))
        return BLOB_DONE;
    buf_puts(why, "The disk was written to while it was copied.");
    return BLOB_AGAIN;
}

enum blob_result blob_copy(const char *dir, const struct blob *from, const stop_flag *stop,
                           struct blob *out, struct buf *why)
{
    int source = open_blob(dir, from->id, O_RDONLY), target;
    enum blob_result result = BLOB_FAILED;
    char id[BLOB_ID_BYTES];

    memcpy(id, out->id, sizeof(id));
    *out = *from;
    memcpy(out->id, id, sizeof(id));
    target = source >= 0 ? open_blob(dir, id, O_RDWR | O_CREAT | O_EXCL) : -1;
    if (target >= 0)
        result = copy_file(dir, source, target, stop, why);
    else
        blob_say(why, "copied", errno);
    if (source >= 0)
        close(source);
    if (target < 0)
        return result;
    close(target);
    if (result == BLOB_DONE && !blob_make_durable(dir, out, why))
        result = BLOB_FAILED;
    if (result != BLOB_DONE)
        blob_throw_away(dir, out);
    return result;
}

enum blob_result blob_flatten(const char *dir, const struct blob *from, const stop_flag *stop,
                              struct blob *out, struct buf *why)
{
    struct buf source = {0}, target = {0};
    char said[512];
    bool good;

    *out = (struct blob){.qcow2 = true, .virtual_bytes = from->virtual_bytes};
    blob_new_id(out);
    blob_path(dir, from->id, &source);
    blob_path(dir, out->id, &target);
    /* It must end with this thread: after the next start nobody would wait for its file. */
    good = program_run((const char *const[]){"setpriv", "--pdeathsig", "KILL", "qemu-img",
                                             "convert", "-q", "-f", from->qcow2 ? "qcow2" : "raw",
                                             "-O", "qcow2", source.text, target.text, NULL},
                       stop, NULL, 0, said, sizeof(said));
    buf_free(&source);
    buf_free(&target);
    if (good && blob_make_durable(dir, out, why))
        return BLOB_DONE;
    blob_throw_away(dir, out);
    if (*stop != 0)
        return BLOB_AGAIN;
    if (!good) {
        fprintf(stderr, "pvbootd: %s\n", said);
        blob_say(why, "copied", strstr(said, strerror(ENOSPC)) ? ENOSPC : EIO);
    }
    return BLOB_FAILED;
}
