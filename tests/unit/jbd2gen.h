/* SPDX-License-Identifier: MIT */
/*
 * Journals for tests: written into an image that mke2fs made, as a kernel of any age would have
 * written them, or as none would. The checksums are computed here a second time, bit by bit.
 */
#ifndef PVBOOT_TESTS_JBD2GEN_H
#define PVBOOT_TESTS_JBD2GEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GEN_CHECKSUM 0x01 /* compat */
#define GEN_REVOKE   0x01 /* incompat */
#define GEN_64BIT    0x02
#define GEN_ASYNC    0x04
#define GEN_CSUM2    0x08
#define GEN_CSUM3    0x10
#define GEN_FAST     0x20

#define GEN_BLOCKS_MAX 65536

struct jbd2gen {
    uint8_t *image;
    size_t len;
    uint32_t block_bytes;
    uint32_t *where;    /* of each block of the journal: its block on the disk */
    uint32_t nr_blocks; /* of the journal; the last nr_fast are for fast commits */
    uint32_t nr_fast;
    uint32_t compat, incompat;
    bool version1;               /* of the superblock */
    uint32_t first, start, next; /* blocks of the log; next: written next */
    uint32_t sequence;
    uint64_t seconds;                    /* of the next commit */
    uint32_t crc_be;                     /* of the transaction at hand */
    uint32_t descriptor, revoke, commit; /* the last of each, as blocks of the journal */
    uint32_t fast_at;                    /* byte of the fast commits' area */
    uint32_t fast_crc;
};

/* Find the journal (the image is clean) and begin an empty log at block `start`. */
void gen_open(struct jbd2gen *g, uint8_t *image, size_t len, uint32_t compat, uint32_t incompat,
              uint32_t start, uint32_t sequence);
void gen_close(struct jbd2gen *g);

/* Write the superblock of the journal again, with its checksum; mark the file system dirty. */
void gen_super(struct jbd2gen *g);

/* A descriptor block, and the nr blocks that it names, of block_bytes each. */
void gen_blocks(struct jbd2gen *g, const uint64_t *blocks, const uint8_t *data, uint32_t nr);
void gen_revoke(struct jbd2gen *g, const uint64_t *blocks, uint32_t nr);
void gen_commit(struct jbd2gen *g);

/* A block of the journal, and a checksum of it made right again. */
uint8_t *gen_block(struct jbd2gen *g, uint32_t n);
void gen_fix_tail(struct jbd2gen *g, uint32_t n);

/* Fast commits of the transaction `sequence`: a tag; the tail, which ends one. */
void gen_fast_head(struct jbd2gen *g, uint32_t features);
void gen_fast_tag(struct jbd2gen *g, uint16_t tag, const void *value, uint32_t len);
void gen_fast_name(struct jbd2gen *g, uint16_t tag, uint32_t parent, uint32_t ino,
                   const char *name);
void gen_fast_range(struct jbd2gen *g, uint32_t ino, uint32_t block, uint16_t nr, uint64_t start);
void gen_fast_hole(struct jbd2gen *g, uint32_t ino, uint32_t block, uint32_t nr);
void gen_fast_inode(struct jbd2gen *g, uint32_t ino, const uint8_t *raw, uint32_t len);
void gen_fast_tail(struct jbd2gen *g);

/* Set the ext superblock's checksum, where it has one. */
void gen_ext_super(uint8_t *image);

uint32_t gen_crc32c(uint32_t crc, const void *data, size_t len);

#endif
