/* SPDX-License-Identifier: MIT */
/*
 * Fuzz kernel images: the first byte chooses the guest's width and the features offered, the rest
 * is the file, read through the real file layer.
 */
#include <stdlib.h>

#include "core/image/image.h"
#include "tests/fuzz/seeds.h"
#include "tests/unit/elfgen.h"
#include "tests/unit/memfile.h"

#define SPAN_MAX ((uint64_t)16 << 20) /* larger ones are opened, but not loaded */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char *const tools[] = {"cat", "gzip -c", "lz4 -qcl", "xz -c --check=none"};
    const char *folder = seed_folder(*argc, *argv);

    for (unsigned i = 0; i < 16; i++) {
        struct gen_elf g = gen_default(i % 2 == 0);
        uint8_t first = i % 2 == 0;

        g.place = i % 3 == 0 ? GEN_NOTE_IN_SEGMENT : i % 3 == 1 ? GEN_NOTE_LOOSE : GEN_NOTE_SECTION;
        g.note_off = g.place == GEN_NOTE_LOOSE ? 0x3b0 : 0x320;
        /* Small files: one segment behind the headers, one in it. */
        g.segments[0] = (struct image_segment){0x300, 0x10, 0x1000000, 0x3000};
        g.segments[1] = (struct image_segment){0x310, 0x800, 0x1003000, 0x1000};
        if (g.place == GEN_NOTE_LOOSE)
            g.segments[1].file_bytes = 0x20;
        struct bytes elf = gen_file(&g);
        struct bytes packed = through_command(tools[i / 2 % 4], elf);
        struct bytes file = i < 8 ? packed : gen_bzimage(packed, 0x20f, (uint32_t)elf.len);

        seed(folder, i, (struct bytes){&first, 1}, file);
        if (i >= 8)
            bytes_free(&file);
        bytes_free(&packed);
        bytes_free(&elf);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mem_file m;
    struct arena a;
    struct image img;

    if (size < 1)
        return 0;
    mem_file_init(&m, data + 1, size - 1);
    arena_init(&a, &test_memory);
    if (!failed(image_open(&img, &m.file, &a, data[0] & 1 ? IMAGE_64 : IMAGE_32, NULL))) {
        uint64_t span = img.pend - img.pstart;

        if (img.pend <= img.pstart || span > IMAGE_UNPACKED_MAX || img.nr_segments == 0)
            abort();
        if (span <= SPAN_MAX) {
            void *mem = malloc((size_t)span);
            struct err e = image_load(&img, mem, data[0] >> 1);

            /* What is accepted has its entry inside of itself. */
            if (!failed(e) &&
                img.notes.entry - (img.notes.virt_base - img.notes.paddr_offset) - img.pstart >=
                    span)
                abort();
            free(mem);
        }
    }
    image_close(&img);
    arena_reset(&a);
    mem_file_free(&m);
    return 0;
}
