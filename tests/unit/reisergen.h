/* SPDX-License-Identifier: MIT */
/*
 * ReiserFS images for tests: the ones that a kernel wrote (tests/images/reiserfs), and trees made
 * here item by item, for shapes that no kernel makes, or not in a hurry.
 */
#ifndef PVBOOT_TESTS_REISERGEN_H
#define PVBOOT_TESTS_REISERGEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* tests/images/reiserfs/NAME.img.xz in aligned memory, to be freed. Ends the program without it. */
uint8_t *reiser_image(const char *name, size_t *len);

#define GEN_BLOCK ((size_t)4096)
#define GEN_FIRST 60u /* the first block that is neither superblock nor journal */

/* An image of 3.6, R5, in the making. */
struct reiser_gen {
    uint8_t *data;
    size_t nr_blocks, next_block;
    size_t nr_items, item_end; /* of the leaf at hand, which is next_block */
    uint32_t *firsts;          /* leaves so far, by their block */
    size_t nr_leaves;
};

void gen_init(struct reiser_gen *g, size_t nr_blocks);

/* Items come in the order of their keys. offset holds the type as 3.6 does, or a uniqueness. */
void gen_item(struct reiser_gen *g, uint32_t dir_id, uint32_t objectid, uint64_t offset,
              uint32_t count, const void *bytes, size_t len);
void gen_stat(struct reiser_gen *g, uint32_t dir_id, uint32_t objectid, uint32_t mode,
              uint64_t size);

#define GEN_INDIRECT(offset) ((uint64_t)1 << 60 | (offset))
#define GEN_DIRECT(offset)   ((uint64_t)2 << 60 | (offset))
#define GEN_DIR(offset)      ((uint64_t)500 << 32 | (offset))

/* Directory entries, in the order of their offsets, into an item of their own. */
struct gen_entry {
    uint32_t offset;
    uint32_t dir_id, objectid;
    char name[24];
};
void gen_dir_item(struct reiser_gen *g, uint32_t dir_id, uint32_t objectid,
                  const struct gen_entry *entries, size_t nr);

/* Build the tree above the leaves; g->data is a disk of g->nr_blocks blocks now. */
void gen_finish(struct reiser_gen *g);

void put16(uint8_t *p, uint32_t v);
void put32(uint8_t *p, uint32_t v);
void put64(uint8_t *p, uint64_t v);

#endif
