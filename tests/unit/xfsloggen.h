/* SPDX-License-Identifier: MIT */
/*
 * A writer of XFS logs, for tests: records with operations of the caller's, laid into the log of an
 * image in memory. It writes what it is told, nonsense included.
 */
#ifndef PVBOOT_TESTS_XFSLOGGEN_H
#define PVBOOT_TESTS_XFSLOGGEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOGGEN_BODY_MAX ((size_t)256 * 1024)
#define LOGGEN_BB       512u

struct loggen {
    uint8_t *image;
    uint64_t log_off;   /* of the log in the image */
    uint32_t nr_bb;     /* blocks of 512 bytes in it */
    bool v2;            /* of the superblock */
    uint32_t buf_bytes; /* h_size: 32 KiB each have a header */
    bool no_crc;        /* write 0 for a checksum */
    uint8_t uuid[16];
    uint32_t fmt;

    uint32_t cycle, bb; /* where the next record goes */
    uint32_t tail_cycle, tail_bb;

    uint8_t *body; /* of the record that is being made */
    size_t len;
    uint32_t nr_ops;
    bool *touched;    /* blocks that hold something else than an old cycle */
    uint32_t last_bb; /* where the last record lies */
};

/* Take geometry and UUID from the image's superblock, and fill the log with an old cycle. */
void loggen_init(struct loggen *g, uint8_t *image, uint32_t buf_bytes);
void loggen_free(struct loggen *g);

/* Begin the log anew: all that lies before `bb` has `cycle`, what follows the one before. */
void loggen_restart(struct loggen *g, uint32_t cycle, uint32_t bb);

/* Where the next record goes, as an lsn. */
uint64_t loggen_lsn(const struct loggen *g);

/* Add an operation to the record. */
void loggen_op(struct loggen *g, uint32_t tid, uint8_t flags, const void *data, size_t len);

/* Write the record, with a checksum. */
void loggen_end(struct loggen *g);

/* Give the record at bb the checksum that fits what lies there. */
void loggen_seal(struct loggen *g, uint32_t bb);

/* The bytes of a block of the log. */
uint8_t *loggen_block(struct loggen *g, uint32_t bb);

/* Operations of which transactions are made; tid of the caller's choice. */
void loggen_begin(struct loggen *g, uint32_t tid);
void loggen_commit(struct loggen *g, uint32_t tid);

/* A buffer item: chunks [first, first + nr) of 128 bytes, from data. */
void loggen_buf(struct loggen *g, uint32_t tid, uint64_t daddr, uint32_t nr_bb, uint32_t flags,
                uint32_t first, uint32_t nr, const void *data);

/* The end of a clean unmount. */
void loggen_unmount(struct loggen *g);

void log_le16(uint8_t *p, uint32_t v);
void log_le32(uint8_t *p, uint32_t v);
void log_le64(uint8_t *p, uint64_t v);
void log_be16(uint8_t *p, uint32_t v);
void log_be32(uint8_t *p, uint32_t v);
void log_be64(uint8_t *p, uint64_t v);

#endif
