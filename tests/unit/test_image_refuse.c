/* SPDX-License-Identifier: MIT */
/*
 * core/image: what is refused, and in which words. Each case bends the default kernel in one place.
 */
#include "tests/unit/test.h"

#include <stdlib.h>

#include "core/base/bytes.h"
#include "tests/unit/loaded.h"
#include "tests/unit/support.h"

static char said[1024];

static void note_line(void *ctx, const char *text)
{
    (void)ctx;
    strncat(said, text, sizeof(said) - 1 - strlen(said));
}

static struct err load_failing_at(struct bytes file, enum image_width want, uint32_t offered,
                                  uint64_t fail_off_bytes)
{
    struct log log = {.line = note_line};
    struct mem_file m;
    struct arena a;
    struct image img;

    said[0] = '\0';
    mem_file_init(&m, file.data, file.len);
    m.disk.fail_off_bytes = fail_off_bytes;
    arena_init(&a, &test_memory);
    struct err e = image_open(&img, &m.file, &a, want, &log);

    if (!failed(e)) {
        void *mem = malloc((size_t)(img.pend - img.pstart));

        e = image_load(&img, mem, offered);
        free(mem);
    }
    image_close(&img);
    arena_reset(&a);
    mem_file_free(&m);
    return e;
}

static struct err load(struct bytes file, enum image_width want, uint32_t offered)
{
    return load_failing_at(file, want, offered, UINT64_MAX);
}

static void check_refused(struct err e, enum err_code code, const char *words)
{
    CHECK(refused_as(e, code, words));
}

static void refuse_elf(struct gen_elf *g, enum err_code code, const char *words)
{
    struct bytes file = gen_file(g);

    check_refused(load(file, g->is_64 ? IMAGE_64 : IMAGE_32, 0), code, words);
    bytes_free(&file);
}

#define REFUSE(change, code, words)                                                                \
    do {                                                                                           \
        struct gen_elf g = gen_default(true);                                                      \
        change;                                                                                    \
        refuse_elf(&g, code, words);                                                               \
    } while (0)

#define REFUSE_EXEC(change, words) REFUSE(change, ERR_EXEC_FORMAT, words)

static void refuses_the_wrong_machine(void)
{
    struct gen_elf g32 = gen_default(false), g64 = gen_default(true);
    struct bytes file32 = gen_file(&g32), file64 = gen_file(&g64);

    check_refused(load(file32, IMAGE_64, 0), ERR_EXEC_FORMAT,
                  "(a 32-bit kernel; this is a 64-bit guest: start it with pvboot's i386 image "
                  "(EC2: an AKI named pv-grub-...-i386))");
    check_refused(load(file64, IMAGE_32, 0), ERR_EXEC_FORMAT,
                  "(a 64-bit kernel; this is a 32-bit guest: start it with pvboot's x86_64 image "
                  "(EC2: an AKI named pv-grub-...-x86_64))");
    bytes_free(&file32);
    bytes_free(&file64);
    REFUSE_EXEC(g.machine = 183, "a kernel for arm64; this is an x86 guest");
    REFUSE_EXEC(g.machine = 243, "a kernel for RISC-V");
    REFUSE_EXEC(g.machine = 999, "machine number 999");
    REFUSE_EXEC(g.machine = 3, "which do not match");
    REFUSE_EXEC(g.type = 1, "object file or module");
    REFUSE_EXEC(g.type = 4, "of type 4, which is not executable");
}

static void refuses_bad_segments(void)
{
    REFUSE_EXEC(g.nr_segments = 0, "without a segment to load");
    REFUSE_EXEC((g.flags[0] = 0, g.flags[1] = 0), "without a segment to load");
    REFUSE_EXEC(g.segments[1].mem_bytes = 0x1000, "4660 bytes in the file and only 4096 in memory");
    REFUSE_EXEC(g.segments[1].paddr = 0x1002000, "overlap");
    REFUSE_EXEC(g.segments[1].file_off_bytes = 0x3fff, "overlap");
    REFUSE_EXEC(g.segments[1].mem_bytes = (1 << 30) + 1, "a segment of 1073741825 bytes");
    REFUSE_EXEC(g.segments[1].paddr = 0x80000000, "span 2130743296 bytes");
    REFUSE_EXEC(g.segments[1].paddr = UINT64_MAX - 0x2000, "passes the end of everything");
    REFUSE_EXEC(g.segments[0].file_off_bytes = UINT64_MAX - 0x2000, "passes the end of everything");
    REFUSE_EXEC(g.phdrs_off = 0x9000, "program headers begin at byte 36864");
    REFUSE(g.segments[0].file_off_bytes = 0x100000000u, ERR_FILELENGTH,
           "a truncated ELF file: a segment ends at byte 4294979584, the file at byte");
    struct gen_elf g = gen_default(true);

    g.segments[0].file_off_bytes = 0x100000000u;
    struct bytes file = gen_file(&g), packed = through_command("gzip -c", file);

    check_refused(load(packed, IMAGE_64, 0), ERR_LIMIT,
                  "name 0x3000 bytes at offset 0x100000000 of what is compressed");
    bytes_free(&file);
    bytes_free(&packed);
    g.segments[0].file_off_bytes = 0x40000000;
    file = gen_file(&g);
    packed = through_command("gzip -c", file);
    check_refused(load(packed, IMAGE_64, 0), ERR_FILELENGTH, "compressed in it ends after");
    bytes_free(&file);
    bytes_free(&packed);
}

/* Where program header `index` of a 64-bit file says that its bytes lie. */
static void set_phdr_off(struct bytes file, size_t index, uint64_t off)
{
    for (size_t i = 0; i < 8; i++)
        file.data[64 + index * 56 + 8 + i] = (uint8_t)(off >> 8 * i);
}

/* Little that unpacks to very much must end with a sentence, not after hours. */
static void unpacks_no_bombs(void)
{
    struct gen_elf g = gen_default(true);
    struct bytes elf = gen_file(&g);

    /* The elf, then zeros: exactly as many as are allowed, and one more. */
    for (unsigned over = 0; over < 2; over++) {
        char command[128];

        snprintf(command, sizeof(command), "{ { cat; head -c %llu /dev/zero; } | zstd -qc1; }",
                 2 * (unsigned long long)IMAGE_UNPACKED_MAX - elf.len + over);
        struct bytes bomb = through_command(command, elf);
        struct err e = load(bomb, IMAGE_64, 0);

        CHECK(bomb.len < 1 << 20);
        if (over == 0)
            CHECK_OK(e);
        else
            check_refused(e, ERR_LIMIT, "unpacks to more than 2147483648 bytes");
        bytes_free(&bomb);
    }
    /* A note far out: refused before anything is unpacked on the way there. */
    set_phdr_off(elf, 2, (uint64_t)1 << 60);
    struct bytes packed = through_command("{ { cat; head -c 100M /dev/zero; } | xz -c0; }", elf);

    check_refused(load(packed, IMAGE_64, 0), ERR_LIMIT, "at offset 0x1000000000000000");
    bytes_free(&packed);
    bytes_free(&elf);
}

/* Packed data may be large without unpacking to anything, as empty streams and padding. */
static void reads_no_endless_payload(void)
{
    struct gen_elf g = gen_default(true);
    struct bytes elf = gen_file(&g),
                 packed = through_command("{ xz -c; head -c 32768 /dev/zero; }", elf);
    struct mem_file m;
    struct arena a;
    struct image img;

    mem_file_init(&m, packed.data, packed.len);
    m.file.node.size_bytes = 2 * IMAGE_UNPACKED_MAX + 1;
    arena_init(&a, &test_memory);
    check_refused(image_open(&img, &m.file, &a, IMAGE_64, NULL), ERR_LIMIT,
                  "a compressed kernel of 2147483649 bytes");
    arena_reset(&a);
    mem_file_free(&m);
    bytes_free(&packed);
    bytes_free(&elf);
}

static void refuses_bad_notes(void)
{
    REFUSE_EXEC(g.place = GEN_NOTE_NOWHERE, "no Xen notes: not built as a Xen PV kernel");
    REFUSE_EXEC((g.nr_notes = 2, g.notes[1] = (struct gen_note){.type = 18, .number = 0x1000}),
                "PVH only");
    REFUSE_EXEC((gen_note(&g, 6)->text = "plan9", gen_drop_note(&g, 8)), "generic loader");
    REFUSE_EXEC(gen_note(&g, 5)->text = "xen-2.0", "XEN_VERSION note is not xen-3.0");
    REFUSE_EXEC(gen_drop_note(&g, 3), "PADDR_OFFSET, but no VIRT_BASE");
    REFUSE_EXEC(gen_note(&g, 3)->number = 0xfffffffffff00000u, "do not fit its VIRT_BASE");
    REFUSE_EXEC(gen_note(&g, 4)->number = 0x2000000, "do not fit its VIRT_BASE");
    REFUSE_EXEC(gen_note(&g, 3)->number = 0xffff800000000000u, "not the guest's to use");
    REFUSE_EXEC(gen_note(&g, 3)->number = 0x7fffff000000u, "not the guest's to use");
    REFUSE_EXEC(gen_note(&g, 1)->number = 0xffffffff80fff000u,
                "entry point 0xffffffff80fff000 lies outside");
    REFUSE_EXEC(gen_note(&g, 1)->number = 0xffffffff8100d000u, "lies outside");
    REFUSE_EXEC(gen_note(&g, 2)->number = 0xffffffff81001800u, "hypercall page");
    REFUSE_EXEC(gen_note(&g, 2)->number = 0xffffffff8100d000u, "hypercall page");
    REFUSE_EXEC(gen_note(&g, 15)->number = 0xffffffff81000000u, "INIT_P2M note");
    REFUSE_EXEC(gen_note(&g, 15)->number = 0xffff800000000000u,
                "page list at 0xffff800000000000, which is not the guest's to use");
    REFUSE_EXEC(gen_note(&g, 15)->number = 0x800000000000u, "not the guest's to use");
    REFUSE_EXEC(gen_note(&g, 15)->number = 0xfffffffffffff001u, "not the guest's to use");
    REFUSE_EXEC(gen_note(&g, 4)->number = 0x800, "PADDR_OFFSET 0x800 is not on a page boundary");
}

static void knows_the_guests_addresses(void)
{
    CHECK(image_va_is_guests(IMAGE_64, 0, 0x800000000000u));
    CHECK(!image_va_is_guests(IMAGE_64, 0, 0x800000000001u));
    CHECK(image_va_is_guests(IMAGE_64, 0x7fffffffffffu, 1));
    CHECK(!image_va_is_guests(IMAGE_64, 0x7fffffffffffu, 2));
    CHECK(!image_va_is_guests(IMAGE_64, 0x800000000000u, 0));
    CHECK(!image_va_is_guests(IMAGE_64, 0x900000000000u, 0x1000));
    CHECK(!image_va_is_guests(IMAGE_64, 0xffff7ffffffff000u, 0x1000));
    CHECK(!image_va_is_guests(IMAGE_64, 0xffff800000000000u, 0x1000));
    CHECK(!image_va_is_guests(IMAGE_64, 0xffff87fffffff000u, 0x1000));
    CHECK(!image_va_is_guests(IMAGE_64, 0xffff87fffffff000u, 0x2000));
    CHECK(image_va_is_guests(IMAGE_64, 0xffff880000000000u, 0x780000000000u));
    CHECK(image_va_is_guests(IMAGE_64, 0xfffffffffffff000u, 0x1000));
    CHECK(!image_va_is_guests(IMAGE_64, 0xfffffffffffff000u, 0x1001));
    CHECK(!image_va_is_guests(IMAGE_64, 0x1000, UINT64_MAX)); /* around, and through Xen's part */
    CHECK(!image_va_is_guests(IMAGE_64, 0x1000, 0xffffffff00000000u));
    CHECK(image_va_is_guests(IMAGE_32, 0, 0xf5800000u));
    CHECK(!image_va_is_guests(IMAGE_32, 0, 0xf5800001u));
    CHECK(!image_va_is_guests(IMAGE_32, 0xf5800000u, 0));
    CHECK(!image_va_is_guests(IMAGE_32, 0x1c0000000u, 1)); /* not an address of 32 bits */
}

static void refuses_32_bit_without_pae(void)
{
    struct gen_elf g = gen_default(false);

    gen_note(&g, 9)->text = "no";
    refuse_elf(&g, ERR_EXEC_FORMAT, "a 32-bit kernel without PAE");
    gen_drop_note(&g, 9);
    refuse_elf(&g, ERR_EXEC_FORMAT, "CONFIG_X86_PAE");
    g = gen_default(false);
    gen_note(&g, 3)->number = 0xf5000000;
    gen_note(&g, 1)->number = 0xf6000000;
    refuse_elf(&g, ERR_EXEC_FORMAT, "not the guest's to use");
}

/* The other way round is fine: Xen begins higher than the kernel had room for. */
static void keeps_xen_where_it_is(void)
{
    struct gen_elf g = gen_default(false);

    gen_note(&g, 12)->number = 0xf5801000u;
    refuse_elf(&g, ERR_EXEC_FORMAT, "leaves Xen the addresses from 0xf5801000 on; Xen needs them");
    gen_note(&g, 12)->number = 0xf0000000u;
    struct bytes file = gen_file(&g);

    CHECK_OK(load(file, IMAGE_32, 0));
    bytes_free(&file);
}

static void names_missing_features(void)
{
    struct gen_elf g = gen_default(true);

    gen_note(&g, 10)->text = "writable_page_tables|!auto_translated_physmap";
    refuse_elf(&g, ERR_EXEC_FORMAT, "requires the Xen feature \"auto_translated_physmap\"");
    struct bytes file = gen_file(&g);

    CHECK_OK(load(file, IMAGE_64, 1u << 2)); /* offered: fine */
    bytes_free(&file);
    gen_note(&g, 10)->text = "!dom0";
    refuse_elf(&g, ERR_EXEC_FORMAT, "\"dom0\"");
    gen_note(&g, 10)->text = "!telepathy\n|!dom0";
    refuse_elf(&g, ERR_EXEC_FORMAT, "a Xen feature that is not known here");
    CHECK_STR(said, "the kernel requires an unknown Xen feature: telepathy\\x0a");
    gen_note(&g, 10)->text = "!writable_descriptor_tables|!pae_pgdir_above_4gb|telepathy||!";
    file = gen_file(&g);
    CHECK_OK(load(file, IMAGE_64, 0));
    bytes_free(&file);
}

static void refuses_bad_bzimages(void)
{
    struct gen_elf g = gen_default(true);
    struct bytes elf = gen_file(&g), packed = through_command("xz -c --check=crc32", elf);
    struct bytes bz = gen_bzimage(packed, 0x205, (uint32_t)elf.len);

    check_refused(load(bz, IMAGE_64, 0), ERR_EXEC_FORMAT, "boot protocol 0x205, too old");
    bytes_free(&bz);
    bz = gen_bzimage(packed, 0x20c, (uint32_t)elf.len);
    CHECK_OK(load(bz, IMAGE_64, 0));
    struct bytes cut = {bz.data, bz.len - 777 - 1};

    check_refused(load(cut, IMAGE_64, 0), ERR_FILELENGTH,
                  "a truncated bzImage: the payload ends at byte");
    cut.len = 0x220;
    check_refused(load(cut, IMAGE_64, 0), ERR_FILELENGTH, "inside its setup header");
    memset(bz.data + 0x24c, 0, 4);
    check_refused(load(bz, IMAGE_64, 0), ERR_EXEC_FORMAT, "names no payload");
    bytes_free(&bz);
    bytes_free(&packed);
    packed = joined((struct bytes){(uint8_t *)"nothing that", 12}, " is known", 9);
    bz = gen_bzimage(packed, 0x20c, 0);
    check_refused(load(bz, IMAGE_64, 0), ERR_EXEC_FORMAT,
                  "in no known compression; it begins with 0x6e6f7468696e6720");
    bytes_free(&bz);
    bytes_free(&packed);
    bytes_free(&elf);
}

static void says_what_else_it_is(void)
{
    static const struct {
        const char *make, *words;
    } others[] = {
        {"printf ''", "the file is empty"},
        {"printf '#!/bin/sh\\necho\\n'", "the file is a script"},
        {"echo hello", "the file is text"},
        {"head -c 5000 /dev/zero", "the file is zeros"},
        {"echo . | cpio -o -H newc --quiet", "a cpio archive (an initrd?)"},
        {"echo . | cpio -o -H newc --quiet | gzip -c",
         "what is compressed in it is a cpio archive (an initrd?)"},
        {"tar -cf - -C / etc/hostname | xz -c", "what is compressed in it is a tar archive"},
        {"f=$(mktemp) && mke2fs -q -F $f 512 >/dev/null && cat $f && rm $f",
         "the file is an ext2/3/4 file system"},
        {"echo hello | gzip -c | gzip -c", "compressed more than once"},
        {"printf 'MZ\\0\\0'; head -c 56 /dev/zero; printf '\\100\\0\\0\\0PE\\0\\0\\144\\252'",
         "an EFI binary for arm64"},
        {"printf '\\1\\2\\3\\4\\5\\6\\7\\10\\11'", "begins with 0x102030405060708"},
        {"printf '\\177ELF\\2\\1'", "ends inside its header, after 6 bytes"},
    };
    struct bytes nothing = {NULL, 0};

    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        nothing = (struct bytes){(uint8_t *)(uintptr_t)others[i].make, strlen(others[i].make)};
        struct bytes file = through_command("sh", nothing);
        struct err e = load(file, IMAGE_64, 0);

        check_refused(e, e.code == ERR_FILELENGTH ? ERR_FILELENGTH : ERR_EXEC_FORMAT,
                      others[i].words);
        bytes_free(&file);
    }
}

/* Every cut and every failing sector is an error, in all containers. */
static void notices_truncation_and_read_errors(void)
{
    struct gen_elf g = gen_default(true);
    struct bytes elf = gen_file(&g), packed = through_command("zstd -qc", elf);
    struct bytes files[] = {elf, packed, gen_bzimage(packed, 0x20f, (uint32_t)elf.len)};

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        /* Behind the last segment an ELF file may be cut; behind the payload a bzImage. */
        size_t needed = i == 0 ? 0x5000 + 0x1234 : i == 1 ? packed.len : files[i].len - 777;

        for (size_t n = 0; n < needed; n += n < 300 || n + 20 > needed ? 1 : 97) {
            struct bytes cut = {files[i].data, n};
            struct err e = load(cut, IMAGE_64, 0);

            CHECK(e.code == ERR_FILELENGTH || e.code == ERR_EXEC_FORMAT);
        }
        CHECK_OK(load((struct bytes){files[i].data, needed}, IMAGE_64, 0));
        for (size_t at = 0; at < needed; at += 512) {
            bool unused = i == 0 && ((at >= 0x4000 && at < 0x5000));

            if (!unused && !(i == 2 && at > 0x400 && at < 0x800))
                CHECK_ERR(load_failing_at(files[i], IMAGE_64, 0, at), ERR_READ);
        }
    }
    bytes_free(&files[2]);
    bytes_free(&elf);
    bytes_free(&packed);
}

/* A wrong checksum at the very end of the payload must not pass. */
static void checks_the_payloads_checksum(void)
{
    struct gen_elf g = gen_default(true);
    struct bytes elf = gen_file(&g), packed = through_command("gzip -c", elf);

    packed.data[packed.len - 6] ^= 1;
    check_refused(load(packed, IMAGE_64, 0), ERR_BAD_GZIP_DATA, "gzip: wrong checksum");
    bytes_free(&packed);
    bytes_free(&elf);
}

int main(void)
{
    RUN(refuses_the_wrong_machine);
    RUN(refuses_bad_segments);
    RUN(unpacks_no_bombs);
    RUN(reads_no_endless_payload);
    RUN(refuses_bad_notes);
    RUN(knows_the_guests_addresses);
    RUN(refuses_32_bit_without_pae);
    RUN(keeps_xen_where_it_is);
    RUN(names_missing_features);
    RUN(refuses_bad_bzimages);
    RUN(says_what_else_it_is);
    RUN(notices_truncation_and_read_errors);
    RUN(checks_the_payloads_checksum);
    return test_done();
}
