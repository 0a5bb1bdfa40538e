/* SPDX-License-Identifier: MIT */
/*
 * core/image: odd ways to compress a kernel, each made by the format's own tool. bzImages that were
 * compressed as a whole, payloads in several pieces, filters and windows, a wrong size behind the
 * payload, and a large kernel.
 */
#include "tests/unit/test.h"

#include <stdlib.h>

#include "core/base/bytes.h"
#include "tests/unit/loaded.h"

static const char *const tools[] = {
    "gzip -9c", "bzip2 -9c", "xz -c --format=lzma", "xz -c", "lzop -9c", "lz4 -qc", "zstd -qc",
};
static const enum unpack_format formats[] = {
    UNPACK_GZIP, UNPACK_BZIP2, UNPACK_LZMA, UNPACK_XZ, UNPACK_LZO, UNPACK_LZ4, UNPACK_ZSTD,
};

static void loads_compressed_bzimages(void)
{
    struct gen_elf g = gen_default(true);
    struct bytes elf = gen_file(&g);

    for (size_t i = 0; i < ARRAY_LEN(tools); i++) {
        for (size_t k = 0; k < 3; k++) {
            static const char *const inner_tools[] = {
                "cat", "xz -c --check=crc32 --x86 --lzma2=", "lz4 -qcl"};
            static const enum unpack_format inner[] = {UNPACK_NONE, UNPACK_XZ, UNPACK_LZ4};
            struct bytes packed = through_command(inner_tools[k], elf);
            struct bytes bz = gen_bzimage(packed, 0x20f, k == 0 ? 0 : (uint32_t)elf.len);
            struct bytes file = through_command(tools[i], bz);
            struct loaded l;

            CHECK_OK(load_image(&l, file, IMAGE_64, 0));
            CHECK_U64(l.img.container, IMAGE_BZIMAGE);
            CHECK_U64(l.img.wrapping, formats[i]);
            CHECK_U64(l.img.compression, inner[k]);
            CHECK_U64(l.img.boot_protocol, 0x20f);
            CHECK_STR(l.img.version, "6.1.0-test (somebody@somewhere) #1 SMP");
            CHECK_STR(l.said, "");
            CHECK(memory_is(&l, elf, &g));
            CHECK(l.open_bytes <= 5 * ARENA_CHUNK);
            unload_image(&l);
            bytes_free(&file);
            bytes_free(&bz);
            bytes_free(&packed);
        }
    }
    bytes_free(&elf);
}

/* The ELF file as it was packed, whatever lies around it. */
static void gives_the_elf_file(void)
{
    static const char *const outer[] = {"cat", "gzip -9c", "cat"};
    static const char *const inner[] = {"xz -c --check=crc32", "zstd -qc", "cat"};
    struct gen_elf g = gen_default(true);
    struct bytes elf = gen_file(&g);

    for (size_t i = 0; i < ARRAY_LEN(outer); i++) {
        struct bytes packed = through_command(inner[i], elf);
        struct bytes bz = gen_bzimage(packed, 0x20f, i == 2 ? 0 : (uint32_t)elf.len);
        struct bytes file = through_command(outer[i], bz);
        uint8_t *back = malloc(elf.len + 1);
        struct mem_file m;
        struct image img;
        struct arena a;
        size_t got = 0, rest = 0;

        arena_init(&a, &test_memory);
        mem_file_init(&m, file.data, file.len);
        CHECK_OK(image_open(&img, &m.file, &a, IMAGE_64, NULL));
        CHECK_OK(image_rewind(&img));
        CHECK_OK(image_read(&img, back, 100, &got));
        CHECK_U64(got, 100);
        CHECK_OK(image_read(&img, back + 100, elf.len + 1 - 100, &rest));
        CHECK_U64(rest, elf.len - 100);
        CHECK(memcmp(back, elf.data, elf.len) == 0);
        image_close(&img);
        mem_file_free(&m);
        arena_reset(&a);
        free(back);
        bytes_free(&file);
        bytes_free(&bz);
        bytes_free(&packed);
    }
    bytes_free(&elf);
}

/* Read by its sections, so unpacked from its start twice and more, both layers of it. */
static void starts_again_in_a_compressed_bzimage(void)
{
    struct gen_elf g = gen_default(true);

    g.notes[g.nr_notes++] = (struct gen_note){.type = 11, .text = "yes"};
    g.nr_symbols = 3;
    g.strings_bytes = 20;
    struct bytes elf = gen_file(&g), packed = through_command("zstd -qc", elf);
    struct bytes bz = gen_bzimage(packed, 0x20f, (uint32_t)elf.len);
    struct bytes file = through_command("xz -c", bz);
    struct loaded l;

    CHECK_OK(load_image(&l, file, IMAGE_64, 0));
    CHECK_U64(l.img.symtab.bytes, 264 + 3 * 24 + 24);
    CHECK(memory_is(&l, elf, &g));
    unload_image(&l);
    bytes_free(&file);
    bytes_free(&bz);
    bytes_free(&packed);
    bytes_free(&elf);
}

static void refuse(struct bytes file, enum err_code code, const char *words)
{
    struct loaded l;

    CHECK(refused_as(load_image(&l, file, IMAGE_64, 0), code, words));
    unload_image(&l);
}

static void refuses_bad_compressed_bzimages(void)
{
    struct gen_elf g = gen_default(true);
    struct bytes elf = gen_file(&g), packed = through_command("xz -c", elf);
    struct bytes bz = gen_bzimage(packed, 0x20f, (uint32_t)elf.len), file;
    size_t payload_end = bz.len - 777;

    /* Cut inside of the payload, and inside of the header. */
    file = through_command("gzip -c", (struct bytes){bz.data, payload_end - 9});
    refuse(file, ERR_FILELENGTH, "ends 9 bytes before its payload does");
    bytes_free(&file);
    file = through_command("gzip -c", (struct bytes){bz.data, 0x230});
    refuse(file, ERR_FILELENGTH, "inside its setup header");
    bytes_free(&file);
    /* Damage in the outer layer, behind all that the kernel needs. */
    file = through_command("gzip -c", bz);
    file.data[file.len - 5] ^= 1;
    refuse(file, ERR_BAD_GZIP_DATA, "gzip: wrong checksum");
    bytes_free(&file);
    bz.data[0x249] += 2; /* another place for the payload, still inside */
    file = through_command("lz4 -qc", bz);
    refuse(file, ERR_EXEC_FORMAT, "whose payload is in no known compression");
    bytes_free(&file);
    bz.data[0x24b] = 0xff; /* and one behind everything */
    bz.data[0x24f] = 0xff;
    file = through_command("lz4 -qc", bz);
    refuse(file, ERR_FILELENGTH, "a truncated bzImage");
    bytes_free(&file);
    file = through_command("{ gzip -c | gzip -c; }", elf);
    refuse(file, ERR_EXEC_FORMAT, "compressed more than once");
    bytes_free(&file);
    bytes_free(&bz);
    bytes_free(&packed);
    bytes_free(&elf);
}

/* The protocols that tell where the payload lies, and those before. */
static void knows_boot_protocols(void)
{
    struct gen_elf g = gen_default(true);
    struct bytes elf = gen_file(&g), packed = through_command("gzip -9c", elf);

    for (unsigned protocol = 0x200; protocol < 0x210; protocol++) {
        struct bytes bz = gen_bzimage(packed, (uint16_t)protocol, 0);
        struct loaded l;
        struct err e = load_image(&l, bz, IMAGE_64, 0);

        if (protocol >= 0x208) {
            CHECK_OK(e);
            CHECK_U64(l.img.boot_protocol, protocol);
            CHECK(memory_is(&l, elf, &g));
        } else {
            CHECK(refused_as(e, ERR_EXEC_FORMAT, "name the vmlinux that it was made of"));
        }
        unload_image(&l);
        bytes_free(&bz);
    }
    bytes_free(&packed);
    bytes_free(&elf);
}

/* Ways to write the same bytes: payloads of a bzImage, and files by themselves. */
static void loads_odd_streams(void)
{
    static const struct {
        const char *command, *said;
    } odd[] = {
        {"split -b 9000 --filter='gzip -c' /dev/stdin", "the end of its payload"},
        {"split -b 9000 --filter='xz -c --check=crc32' /dev/stdin", ""},
        {"split -b 9000 --filter='zstd -qc' /dev/stdin", "unpacking it again"},
        {"split -b 9000 --filter='lz4 -qc' /dev/stdin", ""},
        {"split -b 9000 --filter='bzip2 -c' /dev/stdin", ""},
        {"xz -c --check=crc32 --x86 --lzma2=dict=32MiB", ""},
        {"xz -c --check=crc32 --x86 --lzma2=preset=6,dict=128MiB", ""},
        {"xz -c --check=none --arm --lzma2=", ""},
        {"xz -c --check=sha256 --powerpc --delta=dist=4 --lzma2=lc=0,lp=2,pb=0", ""},
        {"xz -c --ia64 --sparc --armthumb --lzma2=preset=9e,dict=4KiB", ""},
        {"xz -c --block-size=5000", ""},
        {"lzop -1c", ""},
        {"lzop -9c --crc32", ""},
        {"lzop -c -F", ""},
        {"lz4 -qcl", ""},
        {"lz4 -qc -BD -B4 --content-size", ""},
        {"zstd -qc --ultra -22 --long=27", ""},
        {"zstd -qc --no-check", ""},
    };
    struct gen_elf g = gen_default(true);
    struct bytes elf = gen_file(&g);

    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        struct bytes packed = through_command(odd[i].command, elf);
        bool gzip = packed.data[0] == 0x1f;
        struct bytes bz = gen_bzimage(packed, 0x20f, gzip ? 0 : (uint32_t)elf.len);

        for (unsigned in_bzimage = 0; in_bzimage < 2; in_bzimage++) {
            struct loaded l;
            int before = test_bad_checks_;

            CHECK_OK(load_image(&l, in_bzimage ? bz : packed, IMAGE_64, 0));
            CHECK(memory_is(&l, elf, &g));
            CHECK(strstr(l.said, in_bzimage ? odd[i].said : "") != NULL);
            CHECK((in_bzimage && odd[i].said[0] != 0) || l.said[0] == 0);
            unload_image(&l);
            if (test_bad_checks_ > before)
                printf("  %s: %s\n", odd[i].command, l.said);
        }
        bytes_free(&bz);
        bytes_free(&packed);
    }
    bytes_free(&elf);
}

/* A window larger than what a guest should spend on it is refused, and the limit named. */
static void names_the_largest_window(void)
{
    static const struct {
        const char *command, *words;
    } large[] = {
        {"xz -c --lzma2=preset=0,dict=192MiB", "xz: the dictionary is larger than 128 MiB"},
        {"xz -c --format=lzma --lzma1=preset=0,dict=256MiB",
         "lzma: the dictionary is larger than 128 MiB"},
        {"cat | zstd -qc -1 --long=28", "zstd: the window is larger than 128 MiB"},
        {"cat | zstd -qc -1 --long=31", "zstd: the window is larger than 128 MiB"},
    };
    struct gen_elf g = gen_default(true);
    struct bytes elf = gen_file(&g);

    for (size_t i = 0; i < ARRAY_LEN(large); i++) {
        struct bytes packed = through_command(large[i].command, elf);
        struct bytes bz = gen_bzimage(packed, 0x20f, (uint32_t)elf.len);

        refuse(packed, ERR_BAD_GZIP_HEADER, large[i].words);
        refuse(bz, ERR_BAD_GZIP_HEADER, large[i].words);
        bytes_free(&bz);
        bytes_free(&packed);
    }
    bytes_free(&elf);
}

/* The size behind the payload is a hint: a wrong one is told, and the kernel loads. */
static void a_wrong_size_is_told(void)
{
    struct gen_elf g = gen_default(true);
    struct bytes elf = gen_file(&g);
    const uint32_t wrong[] = {1, 1000, (uint32_t)elf.len - 1, (uint32_t)elf.len + 1, 1u << 30};

    for (size_t i = 1; i < ARRAY_LEN(tools); i++) {
        struct bytes packed =
            through_command(formats[i] == UNPACK_LZ4 ? "lz4 -qcl" : tools[i], elf);

        for (size_t k = 0; k < ARRAY_LEN(wrong); k++) {
            struct bytes bz = gen_bzimage(packed, 0x20f, wrong[k]);
            struct loaded l;
            int before = test_bad_checks_;

            CHECK_OK(load_image(&l, bz, IMAGE_64, 0));
            CHECK(memory_is(&l, elf, &g));
            CHECK(strstr(l.said, "the end of ") != NULL && strstr(l.said, "payload says") != NULL);
            if (test_bad_checks_ > before)
                printf("  %s, size %u: %s\n", tools[i], wrong[k], l.said);
            unload_image(&l);
            bytes_free(&bz);
        }
        bytes_free(&packed);
    }
    bytes_free(&elf);
}

/* 256 MiB of segments and more; in lz4's legacy frame that is 33 blocks. */
static void loads_a_large_kernel(void)
{
    static const char *const commands[] = {"{ { cat; head -c 256M /dev/zero; } | zstd -qc1; }",
                                           "{ { cat; head -c 256M /dev/zero; } | lz4 -qcl; }"};
    struct gen_elf g = gen_default(true);
    struct bytes small = gen_file(&g);

    g.nr_segments = 3;
    g.flags[2] = 4;
    g.segments[2] = (struct image_segment){small.len, 256 << 20, 0x2000000, 256 << 20};
    bytes_free(&small);
    small = gen_file(&g);
    CHECK_U64(small.len, g.segments[2].file_off_bytes);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        struct bytes packed = through_command(commands[i], small);
        struct bytes bz = gen_bzimage(packed, 0x20f, (uint32_t)small.len + (256u << 20));
        struct loaded l;

        CHECK_OK(load_image(&l, bz, IMAGE_64, 0));
        CHECK_STR(l.said, "");
        CHECK_U64(l.mem_bytes, (256u << 20) + 0x1000000);
        size_t at = l.mem_bytes;

        while (at > 0x100d000 - 0x1000000 && l.mem[at - 1] == 0)
            at--;
        CHECK_U64(at, 0x100d000 - 0x1000000);
        unload_image(&l);
        bytes_free(&bz);
        bytes_free(&packed);
    }
    bytes_free(&small);
}

int main(void)
{
    RUN(loads_compressed_bzimages);
    RUN(gives_the_elf_file);
    RUN(starts_again_in_a_compressed_bzimage);
    RUN(refuses_bad_compressed_bzimages);
    RUN(knows_boot_protocols);
    RUN(loads_odd_streams);
    RUN(names_the_largest_window);
    RUN(a_wrong_size_is_told);
    RUN(loads_a_large_kernel);
    return test_done();
}
