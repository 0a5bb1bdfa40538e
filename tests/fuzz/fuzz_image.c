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

/* A small kernel: one segment behind the headers, one in it. */
static struct gen_elf small(bool is_64)
{
    struct gen_elf g = gen_default(is_64);

    g.segments[0] = (struct image_segment){0x300, 0x10, 0x1000000, 0x3000};
    g.segments[1] = (struct image_segment){0x310, 0x800, 0x1003000, 0x1000};
    return g;
}

/* Kernels that are found by their sections: old ones, and such as want their symbols. */
static void seed_sections(const char *folder, unsigned first)
{
    static const char *const guests[] = {
        "GUEST_OS=linux,GUEST_VER=2.6,XEN_VER=xen-3.0,VIRT_BASE=0xC0000000,"
        "ELF_PADDR_OFFSET=0xC0000000,VIRT_ENTRY=0xC1000100,HYPERCALL_PAGE=0x1001,"
        "FEATURES=writable_page_tables|!auto_translated_physmap,PAE=yes[extended-cr3],"
        "LOADER=generic,BSD_SYMTAB=yes",
        "LOADER=generic,XEN_VER=xen-3.0,VIRT_BASE=0xffffffff80000000,HYPERCALL_PAGE=4097",
    };

    for (unsigned i = 0; i < 8; i++) {
        bool is_64 = i % 2 != 0;
        struct gen_elf g = small(is_64);
        uint8_t choice = is_64 | (i % 4 == 0 ? 1 << 3 : 0);

        g.table_first = i % 4 < 2;
        g.nr_symbols = 3;
        g.strings_bytes = 9;
        if (i < 4)
            gen_make_old(&g, guests[i % 2]);
        else
            g.notes[g.nr_notes++] = (struct gen_note){.type = 11, .text = "yes"};
        g.note_off = 0x320;
        struct bytes elf = gen_file(&g);
        struct bytes file = through_command(i / 2 % 2 == 0 ? "cat" : "gzip -c", elf);

        seed(folder, first + i, (struct bytes){&choice, 1}, file);
        bytes_free(&file);
        bytes_free(&elf);
    }
}

/* A bzImage that was compressed as a whole. */
static void seed_wrapped(const char *folder, unsigned first)
{
    static const char *const tools[] = {"lz4 -qc", "zstd -qc", "gzip -c", "lzop -c"};

    for (unsigned i = 0; i < 4; i++) {
        struct gen_elf g = small(true);
        uint8_t choice = 1;

        g.place = GEN_NOTE_SECTION;
        g.note_off = 0x320;
        struct bytes elf = gen_file(&g), packed = through_command(tools[3 - i], elf);
        struct bytes bz = gen_bzimage(i % 2 == 0 ? elf : packed, 0x208, 0);
        struct bytes file = through_command(tools[i], bz);

        seed(folder, first + i, (struct bytes){&choice, 1}, file);
        bytes_free(&file);
        bytes_free(&bz);
        bytes_free(&packed);
        bytes_free(&elf);
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char *const tools[] = {"cat", "gzip -c", "lz4 -qcl", "xz -c --check=none"};
    const char *folder = seed_folder(*argc, *argv);

    for (unsigned i = 0; i < 16; i++) {
        struct gen_elf g = small(i % 2 == 0);
        uint8_t first = i % 2 == 0;

        g.place = i % 3 == 0 ? GEN_NOTE_IN_SEGMENT : i % 3 == 1 ? GEN_NOTE_LOOSE : GEN_NOTE_SECTION;
        g.note_off = g.place == GEN_NOTE_LOOSE ? 0x3b0 : 0x320;
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
    seed_sections(folder, 16);
    seed_wrapped(folder, 24);
    return 0;
}

/* The kernel and its symbol table, into memory of exactly their size. */
static struct err load(struct image *img, uint32_t offered)
{
    uint64_t span = img->pend - img->pstart;
    void *mem = malloc((size_t)span);
    struct err e = image_load(img, mem, offered);

    if (!failed(e) && img->symtab.bytes != 0 && img->symtab.bytes <= SPAN_MAX) {
        uint64_t end = img->symtab.paddr + img->symtab.bytes;

        if (img->symtab.paddr < img->pend || end <= img->symtab.paddr)
            abort();
        mem = realloc(mem, (size_t)(end - img->pstart));
        e = image_load_symtab(img, mem);
        if (!failed(e) && img->pend != end)
            abort();
    }
    free(mem);
    return e;
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
            struct err e = load(&img, data[0] >> 1);

            /* What is accepted has its entry inside of itself. */
            if (!failed(e) &&
                img.notes.entry - (img.notes.virt_base - img.notes.paddr_offset) - img.pstart >=
                    span)
                abort();
        }
    }
    image_close(&img);
    arena_reset(&a);
    mem_file_free(&m);
    return 0;
}
