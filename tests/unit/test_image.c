/* SPDX-License-Identifier: MIT */
/*
 * core/image: what loads. Synthetic kernels in every container and compression, and, where the
 * cache has them, distributions' kernels against what the compression tools make of their payload.
 */
#include "tests/unit/test.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "core/base/bytes.h"
#include "core/image/elf.h"
#include "core/image/notes.h"
#include "core/image/stream.h"
#include "tests/unit/loaded.h"

static const struct format {
    const char *command;
    enum unpack_format format;
} formats[] = {
    {"gzip -9c", UNPACK_GZIP},
    {"bzip2 -9c", UNPACK_BZIP2},
    {"xz -c --format=lzma", UNPACK_LZMA},
    {"xz -c --check=crc32 --x86 --lzma2=dict=32MiB", UNPACK_XZ},
    {"lzop -9c", UNPACK_LZO},
    {"lz4 -qc -l -9", UNPACK_LZ4},
    {"zstd -qc -19 --long=27", UNPACK_ZSTD},
};

static struct err load(struct loaded *l, struct bytes file, enum image_width want, uint32_t offered)
{
    struct err e = load_image(l, file, want, offered);

    CHECK(l->open_bytes <= 4 * ARENA_CHUNK); /* buffers and windows are given back */
    return e;
}

static void unload(struct loaded *l)
{
    unload_image(l);
}

/* Memory must be the segments' bytes and zeros around them. */
static void check_memory(const struct loaded *l, struct bytes elf, const struct gen_elf *g)
{
    CHECK(memory_is(l, elf, g));
}

static void check_default_notes(const struct xen_notes *n, bool is_64)
{
    uint64_t base = is_64 ? 0xffffffff80000000u : 0xc0000000u;

    CHECK(n->found && n->has_entry && n->has_virt_base && n->has_paddr_offset);
    CHECK_STR(n->guest_os, "linux");
    CHECK_STR(n->guest_version, "2.6");
    CHECK_STR(n->xen_version, "xen-3.0");
    CHECK_STR(n->loader, "generic");
    CHECK_STR(n->pae_mode, "yes");
    CHECK_STR(n->features, "!writable_page_tables|pae_pgdir_above_4gb|something_new");
    CHECK_U64(n->features_required, 1);
    CHECK_U64(n->features_supported, 0x8811);
    CHECK_U64(n->virt_base, base);
    CHECK_U64(n->entry, base + 0x1000100);
    CHECK_U64(n->paddr_offset, 0);
    CHECK(n->has_hypercall_page);
    CHECK_U64(n->hypercall_page, base + 0x1001000);
    CHECK(n->has_init_p2m && n->has_hv_start_low && n->mod_start_pfn && n->suspend_cancel);
    CHECK_U64(n->init_p2m, is_64 ? 0x8000000000u : 0x40000000u);
    CHECK(!n->pvh);
}

/* What a 32-bit kernel may say about page tables: each way is one that kernels have used. */
static void takes_every_pae_mode(void)
{
    static const char *const modes[] = {"yes", "yes[extended-cr3]", "bimodal"};

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        struct gen_elf g = gen_default(false);
        struct loaded l;

        gen_note(&g, 9)->text = modes[i];
        struct bytes elf = gen_file(&g);

        CHECK_OK(load(&l, elf, IMAGE_32, 0));
        CHECK_STR(l.img.notes.pae_mode, modes[i]);
        unload(&l);
        bytes_free(&elf);
    }
}

static void loads_plain_elf(void)
{
    for (int is_64 = 0; is_64 < 2; is_64++) {
        struct gen_elf g = gen_default(is_64);
        struct bytes elf = gen_file(&g);
        struct loaded l;

        CHECK_OK(load(&l, elf, is_64 ? IMAGE_64 : IMAGE_32, 0));
        CHECK_U64(l.img.container, IMAGE_ELF);
        CHECK_U64(l.img.compression, UNPACK_NONE);
        CHECK_U64(l.img.nr_segments, 2);
        CHECK_U64(l.img.entry, 0x1000000);
        CHECK_U64(l.img.pstart, 0x1000000);
        CHECK_U64(l.img.pend, 0x100d000);
        CHECK_STR(l.img.version, "");
        CHECK_STR(l.said, "");
        check_memory(&l, elf, &g);
        check_default_notes(&l.img.notes, is_64);
        unload(&l);
        bytes_free(&elf);
    }
}

static void loads_every_compression(void)
{
    struct gen_elf g = gen_default(true);
    struct bytes elf = gen_file(&g);

    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        struct bytes packed = through_command(formats[i].command, elf);
        bool gzip = formats[i].format == UNPACK_GZIP;
        struct bytes bz = gen_bzimage(packed, 0x20f, gzip ? 0 : (uint32_t)elf.len);
        struct loaded l;

        CHECK_OK(load(&l, packed, IMAGE_64, 0));
        CHECK_U64(l.img.container, IMAGE_ELF);
        CHECK_U64(l.img.compression, formats[i].format);
        CHECK_U64(l.img.unpacked_bytes, gzip ? elf.len : 0);
        check_memory(&l, elf, &g);
        check_default_notes(&l.img.notes, true);
        unload(&l);

        CHECK_OK(load(&l, bz, IMAGE_64, 0));
        CHECK_U64(l.img.container, IMAGE_BZIMAGE);
        CHECK_U64(l.img.compression, formats[i].format);
        CHECK_U64(l.img.boot_protocol, 0x20f);
        CHECK_U64(l.img.unpacked_bytes, elf.len);
        CHECK_U64(l.img.payload_off_bytes, 2048 + 0x2c4);
        CHECK_U64(l.img.payload_bytes, packed.len + (gzip ? 0 : 4));
        CHECK_STR(l.img.version, "6.1.0-test (somebody@somewhere) #1 SMP");
        check_memory(&l, elf, &g);
        unload(&l);
        bytes_free(&packed);
        bytes_free(&bz);
    }
    bytes_free(&elf);
}

/* As ld makes small kernels: the headers are part of the first segment. */
static void headers_may_lie_in_a_segment(void)
{
    static const uint64_t ends[] = {64, 232, 4095, 4096, 4097, 0x3000};
    struct gen_elf g = gen_default(true);

    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        g.segments[0] = (struct image_segment){0, ends[i], 0x1000000, 0x3000};
        struct bytes elf = gen_file(&g), packed = through_command("gzip -c", elf);
        struct loaded l;

        CHECK_OK(load(&l, elf, IMAGE_64, 0));
        check_memory(&l, elf, &g);
        unload(&l);
        CHECK_OK(load(&l, packed, IMAGE_64, 0));
        check_memory(&l, elf, &g);
        unload(&l);
        bytes_free(&elf);
        bytes_free(&packed);
    }
}

static void finds_notes_wherever_they_lie(void)
{
    static const struct {
        enum gen_note_place place;
        uint64_t off;
    } places[] = {
        {GEN_NOTE_LOOSE, 0x7000}, /* behind the segments */
        {GEN_NOTE_LOOSE, 0x4100}, /* between them */
        {GEN_NOTE_LOOSE, 0x800},  /* before them, in what was read with the headers */
        {GEN_NOTE_SECTION, 0x5100},
    };

    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        struct gen_elf g = gen_default(true);

        g.place = places[i].place;
        g.note_off = places[i].off;
        struct bytes elf = gen_file(&g), packed = through_command("gzip -c", elf);
        struct loaded l;

        CHECK_OK(load(&l, elf, IMAGE_64, 0));
        check_memory(&l, elf, &g);
        check_default_notes(&l.img.notes, true);
        unload(&l);
        CHECK_OK(load(&l, packed, IMAGE_64, 0));
        check_memory(&l, elf, &g);
        check_default_notes(&l.img.notes, true);
        CHECK_STR(l.said, g.place == GEN_NOTE_SECTION
                              ? "kernel: its Xen notes are in a section, not in a segment\n"
                              : "");
        unload(&l);
        bytes_free(&elf);
        bytes_free(&packed);
    }
}

/* Program headers may name segments in any order, and segments may be empty in the file. */
static void sorts_segments(void)
{
    struct gen_elf g = gen_default(true);

    g.nr_segments = 5;
    g.segments[2] = g.segments[0];
    g.flags[2] = g.flags[0];
    g.segments[0] = (struct image_segment){0x8000, 0x10, 0x1003000, 0x10};
    g.segments[3] = (struct image_segment){0, 0, 0x1020000, 0x2000}; /* bss only */
    g.segments[4] = (struct image_segment){0x9000, 0, 0, 0};         /* as GNU_STACK would be */
    for (uint32_t i = 0; i < g.nr_segments; i++)
        g.flags[i] = 4;
    struct bytes elf = gen_file(&g), packed = through_command("zstd -qc", elf);
    struct loaded l;

    CHECK_OK(load(&l, packed, IMAGE_64, 0));
    CHECK_U64(l.img.nr_segments, 4);
    CHECK_U64(l.img.pend, 0x1022000);
    check_memory(&l, elf, &g);
    unload(&l);
    bytes_free(&elf);
    bytes_free(&packed);
}

/* Mini-OS has no bzImage, no features, addresses that equal the physical ones. */
static void defaults_are_libelfs(void)
{
    struct gen_elf g = gen_default(true);

    g.entry = 0x1000000;
    gen_drop_note(&g, 1);  /* ENTRY */
    gen_drop_note(&g, 2);  /* HYPERCALL_PAGE */
    gen_drop_note(&g, 3);  /* VIRT_BASE */
    gen_drop_note(&g, 4);  /* PADDR_OFFSET */
    gen_drop_note(&g, 10); /* FEATURES */
    gen_drop_note(&g, 15); /* INIT_P2M */
    gen_drop_note(&g, 16); /* MOD_START_PFN */
    gen_note(&g, 6)->text = "Mini-OS";
    struct bytes elf = gen_file(&g);
    struct loaded l;

    CHECK_OK(load(&l, elf, IMAGE_64, 0));
    CHECK_U64(l.img.notes.entry, 0x1000000);
    CHECK_U64(l.img.notes.virt_base, 0);
    CHECK_U64(l.img.notes.paddr_offset, 0);
    CHECK(!l.img.notes.has_entry && !l.img.notes.has_virt_base && !l.img.notes.mod_start_pfn);
    unload(&l);
    bytes_free(&elf);
}

/* Notes that ask for what is not done load, with a line each; those that ask for nothing do not. */
static void says_which_notes_it_passes_over(void)
{
    static const struct gen_note more[] = {
        {.type = 0, .text = "built on a Monday"},
        {.type = 13, .text = "sixteen bytes.."},
        {.type = 11, .text = "yes"},
        {.type = 4096, .number = 1},
        {.type = 14, .text = "four+"},
    };
    struct gen_elf g = gen_default(true);

    memcpy(g.notes + g.nr_notes, more, sizeof(more));
    g.nr_notes += (uint32_t)ARRAY_LEN(more);
    struct bytes elf = gen_file(&g);
    struct loaded l;

    CHECK_OK(load(&l, elf, IMAGE_64, 0));
    CHECK_STR(l.said,
              "kernel: passed over a Xen note of a type that is not known: 4096\n"
              "kernel: passed over a Xen note whose number has no size that is known: type 14\n"
              "kernel: it asks for its symbol table (BSD_SYMTAB), but the file has none: its "
              "debugger will show no names\n");
    CHECK(l.img.notes.has_l1_mfn_valid && l.img.symtab.bytes == 0);
    check_default_notes(&l.img.notes, true);
    unload(&l);
    bytes_free(&elf);
    g = gen_default(true);
    g.notes[g.nr_notes++] = (struct gen_note){.type = 11, .text = "no"};
    elf = gen_file(&g);
    CHECK_OK(load(&l, elf, IMAGE_64, 0));
    CHECK_STR(l.said, "");
    unload(&l);
    bytes_free(&elf);
}

/* Old kernels wrote virtual addresses into p_paddr and said so. */
static void honours_paddr_offset(void)
{
    struct gen_elf g = gen_default(false);

    g.segments[0].paddr += 0xc0000000u;
    g.segments[1].paddr += 0xc0000000u;
    gen_note(&g, 4)->number = 0xc0000000u;
    struct bytes elf = gen_file(&g);
    struct loaded l;

    CHECK_OK(load(&l, elf, IMAGE_32, 0));
    CHECK_U64(l.img.pstart, 0xc1000000u);
    CHECK_U64(l.img.notes.paddr_offset, 0xc0000000u);
    unload(&l);
    bytes_free(&elf);
}

/* ---- kernels of distributions
 * ---------------------------------------------------------------------- */

static bool read_whole(const char *path, struct bytes *out)
{
    FILE *f = fopen(path, "rb");
    struct stat st;

    if (f == NULL || fstat(fileno(f), &st) != 0)
        return false;
    out->len = (size_t)st.st_size;
    out->data = malloc(out->len + 1);
    bool ok = fread(out->data, 1, out->len, f) == out->len;

    fclose(f);
    return ok;
}

static void check_real(const char *path, const char *unpacker)
{
    struct bytes file = {NULL, 0};
    struct loaded l;

    if (!read_whole(path, &file)) {
        printf("skipped: %s is not in the cache\n", path);
        return;
    }
    CHECK_OK(load(&l, file, IMAGE_64, 0));
    CHECK(l.img.notes.found && l.img.notes.mod_start_pfn && l.img.version[0] != '\0');
    CHECK_STR(l.said, "");
    CHECK_U64(l.img.notes.virt_base, 0xffffffff80000000u);
    struct bytes payload = {file.data + l.img.payload_off_bytes, (size_t)l.img.payload_bytes - 4};
    struct bytes elf = through_command(unpacker, payload);

    CHECK_U64(elf.len, l.img.unpacked_bytes);
    for (uint32_t i = 0; i < l.img.nr_segments; i++) {
        const struct image_segment *s = &l.img.segments[i];

        CHECK(memcmp(elf.data + s->file_off_bytes, l.mem + (s->paddr - l.img.pstart),
                     (size_t)s->file_bytes) == 0);
    }
    bytes_free(&elf);
    bytes_free(&file);
    unload(&l);
}

static void loads_distribution_kernels(void)
{
    static const struct {
        const char *name, *unpacker;
    } kernels[] = {
        {"debian12-amd64", "xz -dc"},
        {"debian12-cloud-amd64", "lz4 -qdc"},
        {"debian13-cloud-amd64", "zstd -qdc"},
    };
    const char *cache = getenv("PVBOOT_CACHE"), *home = getenv("HOME");

    for (size_t i = 0; i < ARRAY_LEN(kernels); i++) {
        char path[512];

        snprintf(path, sizeof(path), "%s%s/kernels/%s/vmlinuz",
                 cache != NULL  ? cache
                 : home != NULL ? home
                                : "/root",
                 cache != NULL ? "" : "/.cache/pvboot", kernels[i].name);
        check_real(path, kernels[i].unpacker);
    }
}

static void count(void *ctx, const char *text)
{
    *(unsigned *)ctx += strstr(text, "the others were left out") != NULL ? 1 : 100;
}

/* More of them than are looked at: that is said, once, and what was looked at counts. */
static void says_that_there_are_too_many_notes(void)
{
    unsigned nr_lines = 0;
    const struct log log = {.ctx = &nr_lines, .line = count};
    uint32_t notes[1003][4] = {{0}};
    struct xen_notes n = {0};

    for (size_t i = 0; i < ARRAY_LEN(notes); i++) {
        notes[i][0] = 4;
        memcpy(&notes[i][3], i % 1000 == 0 ? "Xen" : "GNU", 4);
        notes[i][2] = i == 0 ? 7 : 6;
    }
    CHECK_OK(notes_parse(&n, (const uint8_t *)notes, 1000 * sizeof(notes[0]), &log));
    CHECK_U64(nr_lines, 0);
    CHECK_OK(notes_parse(&n, (const uint8_t *)notes, sizeof(notes), &log));
    CHECK_U64(nr_lines, 1);
    CHECK(n.found);

    /* A segment to load behind 20 of notes; fields: type, flags, offset, address, paddr, sizes. */
    uint64_t table[21][7] = {{0}};
    struct image_stream stream = {.log = &log};
    struct image img = {.stream = &stream};
    const struct elf_header h = {.width = IMAGE_64, .phdr_bytes = 56, .nr_phdrs = 21};
    struct elf_note_range ranges[ELF_NOTE_MAX];
    uint32_t nr_notes;

    for (uint64_t i = 0; i < 20; i++)
        memcpy(table[i], (uint64_t[]){4, 100 + i, 0, 0, 8, 8}, 6 * sizeof(uint64_t));
    memcpy(table[20], (uint64_t[]){1 | UINT64_C(7) << 32, 0x1000, 0, 0x1000, 8, 8}, 48);
    CHECK_OK(elf_parse_phdrs(&img, &h, (const uint8_t *)table, ranges, &nr_notes));
    CHECK_U64(nr_notes, ELF_NOTE_MAX);
    CHECK_U64(ranges[ELF_NOTE_MAX - 1].off, 100 + ELF_NOTE_MAX - 1);
    CHECK_U64(img.nr_segments, 1);
    CHECK_U64(nr_lines, 2);
}

int main(void)
{
    RUN(loads_plain_elf);
    RUN(takes_every_pae_mode);
    RUN(loads_every_compression);
    RUN(headers_may_lie_in_a_segment);
    RUN(finds_notes_wherever_they_lie);
    RUN(sorts_segments);
    RUN(defaults_are_libelfs);
    RUN(says_which_notes_it_passes_over);
    RUN(says_that_there_are_too_many_notes);
    RUN(honours_paddr_offset);
    RUN(loads_distribution_kernels);
    return test_done();
}
