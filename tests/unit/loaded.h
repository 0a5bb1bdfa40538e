/* SPDX-License-Identifier: MIT */
/* A kernel that was opened and loaded for a test, and everything that it hangs on. */
#ifndef PVBOOT_TESTS_LOADED_H
#define PVBOOT_TESTS_LOADED_H

#include "core/image/image.h"
#include "tests/unit/elfgen.h"
#include "tests/unit/memfile.h"

struct loaded {
    struct mem_file file;
    struct arena arena;
    struct image img;
    uint8_t *mem;
    size_t mem_bytes;
    size_t open_bytes; /* of the arena, in use when all was done */
    char said[4096];   /* log lines */
};

/*
 * Open and load file into memory that is not zero, of exactly the span's size; then its symbol
 * table, if it wants one, into memory that is as much larger.
 */
struct err load_image(struct loaded *l, struct bytes file, enum image_width want, uint32_t offered);
void unload_image(struct loaded *l);

/* Is the memory the segments' bytes, with zeros around them? */
bool memory_is(const struct loaded *l, struct bytes elf, const struct gen_elf *g);

/* Has the error this code, and these words in its sentence? Prints both when not. */
bool refused_as(struct err e, enum err_code code, const char *words);

#endif
