/* SPDX-License-Identifier: MIT */
/*
 * core/image: what is found by section headers. The __xen_guest section of kernels from before
 * there were notes, and the symbol table that the BSDs ask for.
 */
#include "tests/unit/test.h"

#include <elf.h>
#include <stdlib.h>

#include "core/base/bytes.h"
#include "tests/unit/loaded.h"

/* What Linux 2.6.16 to 2.6.18 with Xen's patches says of itself, by width. */
static const char linux_64[] =
    "GUEST_OS=linux,GUEST_VER=2.6,XEN_VER=xen-3.0,VIRT_BASE=0xffffffff80000000,"
    "ELF_PADDR_OFFSET=0xffffffff80000000,VIRT_ENTRY=0xffffffff81000100,HYPERCALL_PAGE=0x1001,"
    "FEATURES=writable_page_tables|writable_descriptor_tables|auto_translated_physmap|"
    "supervisor_mode_kernel,LOADER=generic";
static const char linux_32[] =
    "GUEST_OS=linux,GUEST_VER=2.6,XEN_VER=xen-3.0,VIRT_BASE=0xC0000000,"
    "ELF_PADDR_OFFSET=0xC0000000,VIRT_ENTRY=0xC1000100,HYPERCALL_PAGE=0x1001,"
    "FEATURES=writable_page_tables|writable_descriptor_tables|auto_translated_physmap|"
    "pae_pgdir_above_4gb|supervisor_mode_kernel,PAE=yes[extended-cr3],LOADER=generic";

static void check_old_notes(const struct loaded *l, bool is_64)
{
    const struct xen_notes *n = &l->img.notes;
    uint64_t base = is_64 ? 0xffffffff80000000u : 0xc0000000u;

    CHECK(n->found && n->guest_section);
    CHECK_STR(n->guest_os, "linux");
    CHECK_STR(n->guest_version, "2.6");
    CHECK_STR(n->xen_version, "xen-3.0");
    CHECK_STR(n->loader, "generic");
    CHECK_STR(n->pae_mode, is_64 ? "" : "yes[extended-cr3]");
    CHECK_U64(n->virt_base, base);
    CHECK_U64(n->paddr_offset, base);
    CHECK_U64(n->entry, base + 0x1000100);
    CHECK_U64(n->hypercall_page, base + 0x1001000);
    CHECK_U64(n->features_supported, is_64 ? 0xf : 0x1f);
    CHECK_U64(n->features_required, 0);
    CHECK(!n->has_init_p2m && !n->mod_start_pfn && !n->bsd_symtab && !n->pvh);
    CHECK_STR(l->said, "");
}

static void reads_the_guest_section(void)
{
    static const char *const tools[] = {"cat", "gzip -9c", "xz -c --check=crc32", "zstd -qc"};

    for (unsigned is_64 = 0; is_64 < 2; is_64++) {
        for (size_t i = 0; i < ARRAY_LEN(tools); i++) {
            struct gen_elf g = gen_default(is_64);
            struct loaded l;

            gen_make_old(&g, is_64 ? linux_64 : linux_32);
            struct bytes elf = gen_file(&g), file = through_command(tools[i], elf);

            CHECK_OK(load_image(&l, file, is_64 ? IMAGE_64 : IMAGE_32, 0));
            check_old_notes(&l, is_64);
            CHECK(memory_is(&l, elf, &g));
            unload_image(&l);
            bytes_free(&file);
            bytes_free(&elf);
        }
    }
}

static struct err load_old(struct loaded *l, const char *guest)
{
    struct gen_elf g = gen_default(true);

    gen_make_old(&g, guest);
    struct bytes elf = gen_file(&g);
    struct err e = load_image(l, elf, IMAGE_64, 0);

    bytes_free(&elf);
    return e;
}

#define BASE  "LOADER=generic,XEN_VER=xen-3.0,VIRT_BASE=0xffffffff80000000"
#define ENTRY ",VIRT_ENTRY=0xffffffff81000000"

/* What libelf takes for granted when a key is missing. */
static void keys_may_be_missing(void)
{
    struct gen_elf g = gen_default(true);
    struct loaded l;

    CHECK_OK(load_old(&l, BASE));
    CHECK_U64(l.img.notes.paddr_offset, 0xffffffff80000000u); /* not 0, as with notes */
    CHECK_U64(l.img.notes.entry, 0xffffffff81000000u);        /* e_entry */
    CHECK(!l.img.notes.has_paddr_offset && !l.img.notes.has_entry);
    unload_image(&l);
    /* Decimal numbers, empty items, unknown keys, a flag. */
    CHECK_OK(load_old(&l, BASE ",,HYPERCALL_PAGE=4097,COLOUR=blue\x1b,BSD_SYMTAB=yes,"));
    CHECK_U64(l.img.notes.hypercall_page, 0xffffffff81001000u);
    CHECK(l.img.notes.bsd_symtab);
    CHECK_STR(l.said, "kernel: passed over what its __xen_guest section says: COLOUR=blue\\x1b\n"
                      "kernel: it asks for its symbol table (BSD_SYMTAB), but the file has none: "
                      "its debugger will show no names\n");
    unload_image(&l);
    /* No VIRT_BASE: virtual addresses are physical ones, as in Mini-OS; the string may end with
     * its section. */
    gen_make_old(&g, "LOADER=generic,XEN_VER=xen-3.0");
    g.entry = 0x1000000;
    for (uint32_t i = 0; i < g.nr_segments; i++)
        g.segments[i].paddr -= 0xffffffff80000000u;
    struct bytes elf = gen_file(&g);

    CHECK_OK(load_image(&l, elf, IMAGE_64, 0));
    CHECK_U64(l.img.notes.virt_base | l.img.notes.paddr_offset, 0);
    unload_image(&l);
    bytes_free(&elf);
}

/* Nobody reads thousands of lines. */
static void says_so_much_and_no_more(void)
{
    char many[2048] = BASE;
    struct loaded l;
    unsigned nr_lines = 0;

    for (unsigned i = 0; i < 900; i++)
        strcat(many, ",k");
    CHECK_OK(load_old(&l, many));
    for (const char *p = l.said; *p != '\0'; p++)
        nr_lines += *p == '\n';
    CHECK_U64(nr_lines, 17);
    CHECK_U64(l.img.notes.nr_passed_over, 17);
    unload_image(&l);
}

/* Notes are asked first: a kernel with both has the section for old Xens. */
static void notes_come_before_the_section(void)
{
    struct gen_elf g = gen_default(true);
    struct loaded l;

    g.guest = "GUEST_OS=plan9,XEN_VER=xen-2.0,VIRT_BASE=0x1";
    for (unsigned i = 0; i < 2; i++) {
        g.place = i == 0 ? GEN_NOTE_IN_SEGMENT : GEN_NOTE_SECTION;
        struct bytes elf = gen_file(&g);

        CHECK_OK(load_image(&l, elf, IMAGE_64, 0));
        CHECK(l.img.notes.found && !l.img.notes.guest_section);
        CHECK_STR(l.img.notes.guest_os, "linux");
        unload_image(&l);
        bytes_free(&elf);
    }
}

static void refuse_old(const char *guest, const char *words)
{
    struct loaded l;

    CHECK(refused_as(load_old(&l, guest), ERR_EXEC_FORMAT, words));
    unload_image(&l);
}

static void refuses_bad_guest_sections(void)
{
    char *endless = malloc(6000);

    refuse_old("GUEST_OS=linux", "interface than xen-3.0");
    refuse_old("GUEST_OS=linux,XEN_VER=xen-2.0", "interface than xen-3.0");
    refuse_old("GUEST_OS=plan9,XEN_VER=xen-3.0", "generic loader");
    refuse_old("", "generic loader");
    refuse_old(BASE "0", "VIRT_BASE is no number of 64 bits");
    refuse_old("VIRT_BASE=", "VIRT_BASE is no number");
    refuse_old("VIRT_BASE", "VIRT_BASE is no number");
    refuse_old("VIRT_BASE=0x", "VIRT_BASE is no number");
    refuse_old("VIRT_BASE=12a", "VIRT_BASE is no number");
    refuse_old("ELF_PADDR_OFFSET= 1", "ELF_PADDR_OFFSET is no number");
    refuse_old("VIRT_ENTRY=-1", "VIRT_ENTRY is no number");
    refuse_old(BASE ",HYPERCALL_PAGE=0x10000000000000", "names hypercall page 0x10000000000000");
    refuse_old(BASE ",HYPERCALL_PAGE=0xfffffffffffff", "which is no page");
    refuse_old(BASE ",HYPERCALL_PAGE=0x2", "hypercall page 0xffffffff80002000 is no page of the");
    refuse_old(BASE ",VIRT_ENTRY=0x100", "entry point 0x100 lies outside");
    refuse_old(BASE ENTRY ",FEATURES=writable_page_tables|!auto_translated_physmap",
               "requires the Xen feature \"auto_translated_physmap\"");
    refuse_old(BASE ENTRY ",FEATURES=!telepathy", "a Xen feature that is not known here");
    refuse_old("LOADER=generic,XEN_VER=xen-3.0,ELF_PADDR_OFFSET=0x1000", "but no VIRT_BASE");
    memset(endless, 'x', 5999);
    endless[5999] = '\0';
    refuse_old(endless, "holds a string of 5999 bytes; 4096 is the most");
    free(endless);
    struct gen_elf g = gen_default(false);
    struct loaded l;

    gen_make_old(&g, "LOADER=generic,XEN_VER=xen-3.0,VIRT_BASE=0xc0000000,PAE=no");
    struct bytes elf = gen_file(&g);

    CHECK(refused_as(load_image(&l, elf, IMAGE_32, 0), ERR_EXEC_FORMAT, "without PAE"));
    unload_image(&l);
    bytes_free(&elf);
}

/* ---- symbol tables
 * --------------------------------------------------------------------------------- */

static uint64_t number_at(const uint8_t *p, bool is_64)
{
    return is_64 ? le64(p) : le32(p);
}

/* What a BSD's debugger does: the length, the ELF header behind it, and the sections it names. */
static void check_symtab(const struct loaded *l, struct bytes elf, const struct gen_elf *g)
{
    size_t align = g->is_64 ? 8 : 4, shdr_bytes = g->is_64 ? 64 : 40;
    size_t symbols_len = g->nr_symbols * (g->is_64 ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym));
    size_t kernel_end = 0x100d000 - 0x1000000 + (size_t)(l->img.symtab.paddr - 0x100d000);
    const uint8_t *at = l->mem + kernel_end, *header = at + 4;
    const uint8_t *table = elf.data + number_at(elf.data + (g->is_64 ? 40 : 32), g->is_64);

    CHECK_U64(l->img.symtab.paddr, 0x100d000);
    CHECK_U64(l->img.symtab.paddr % align, 0);
    CHECK_U64(l->img.pend, l->img.symtab.paddr + l->img.symtab.bytes);
    CHECK(memcmp(header, elf.data, 20) == 0);                          /* e_ident to e_machine */
    CHECK_U64(le32(header + 20), 1);                                   /* e_version */
    CHECK_U64(number_at(header + (g->is_64 ? 40 : 32), g->is_64), 64); /* e_shoff */
    CHECK_U64(number_at(header + (g->is_64 ? 32 : 28), g->is_64), 0);  /* e_phoff */
    CHECK_U64(le16(header + (g->is_64 ? 52 : 40)), g->is_64 ? 64 : 52);
    CHECK_U64(le16(header + (g->is_64 ? 58 : 46)), shdr_bytes);
    CHECK_U64(le16(header + (g->is_64 ? 60 : 48)), 3);
    CHECK_U64(le16(header + (g->is_64 ? 62 : 50)), 0);
    size_t off_at = g->is_64 ? 24 : 16, size_at = g->is_64 ? 32 : 20, end = 0;

    for (unsigned i = 1; i < 3; i++) {
        const uint8_t *shdr = header + 64 + i * shdr_bytes, *own = table + (2 + i) * shdr_bytes;
        size_t off = (size_t)number_at(shdr + off_at, g->is_64);
        size_t len = (size_t)number_at(shdr + size_at, g->is_64);

        CHECK_U64(le32(shdr + 4), i == 1 ? SHT_SYMTAB : SHT_STRTAB);
        CHECK_U64(len, i == 1 ? symbols_len : g->strings_bytes);
        CHECK_U64((off + 4) % align, 0);
        CHECK(memcmp(header + off, elf.data + number_at(own + off_at, g->is_64), len) == 0);
        CHECK(off >= 64 + 3 * shdr_bytes && off >= end);
        end = off + len;
        if (i == 1)
            CHECK_U64(le32(shdr + (g->is_64 ? 40 : 24)), 2); /* sh_link */
    }
    CHECK_U64(le32(at), end); /* without the padding at the end */
    CHECK_U64(l->img.symtab.bytes, align_up(4 + end, align));
}

static void loads_the_symbol_table(void)
{
    static const char *const tools[] = {"cat", "gzip -9c", "lzop -c"};

    for (unsigned i = 0; i < 12; i++) {
        bool is_64 = i % 2 == 1;
        struct gen_elf g = gen_default(is_64);
        struct loaded l;

        g.notes[g.nr_notes++] = (struct gen_note){.type = 11, .text = "yes"};
        g.nr_symbols = 7;
        g.strings_bytes = 101;
        g.table_first = i / 2 % 2 == 1;
        struct bytes elf = gen_file(&g), file = through_command(tools[i / 4], elf);

        CHECK_OK(load_image(&l, file, is_64 ? IMAGE_64 : IMAGE_32, 0));
        CHECK_STR(l.said, "");
        CHECK(memory_is(&l, elf, &g));
        check_symtab(&l, elf, &g);
        unload_image(&l);
        bytes_free(&file);
        bytes_free(&elf);
    }
}

/* Behind a kernel that ends anywhere, with a section that asks for it and no strings. */
static void aligns_the_symbol_table(void)
{
    struct gen_elf g = gen_default(true);
    struct loaded l;

    gen_make_old(&g, BASE ",BSD_SYMTAB=yes");
    g.segments[1].mem_bytes = 0x8ffd;
    g.nr_symbols = 1;
    struct bytes elf = gen_file(&g);

    CHECK_OK(load_image(&l, elf, IMAGE_64, 0));
    CHECK_U64(l.img.symtab.paddr, 0xffffffff8100d000u);
    CHECK_U64(l.img.symtab.bytes, 264 + 24);
    CHECK_U64(l.mem[0xcffd] | l.mem[0xcffe] | l.mem[0xcfff], 0);
    CHECK_U64(le32(l.mem + 0xd000), 264 + 24 - 4);
    unload_image(&l);
    bytes_free(&elf);
}

static void put_symtab_size(struct bytes elf, unsigned section, uint64_t len)
{
    uint8_t *p = elf.data + le64(elf.data + 40) + section * 64 + 32;

    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(len >> 8 * i);
}

static void refuses_bad_symbol_tables(void)
{
    struct gen_elf g = gen_default(true);
    struct loaded l;

    g.notes[g.nr_notes++] = (struct gen_note){.type = 11, .text = "yes"};
    g.nr_symbols = 7;
    g.strings_bytes = 100;
    struct bytes elf = gen_file(&g);

    put_symtab_size(elf, 3, UINT64_MAX);
    CHECK(refused_as(load_image(&l, elf, IMAGE_64, 0), ERR_EXEC_FORMAT, "strip the file"));
    unload_image(&l);
    put_symtab_size(elf, 3, IMAGE_UNPACKED_MAX - 0xd000);
    CHECK(refused_as(load_image(&l, elf, IMAGE_64, 0), ERR_EXEC_FORMAT, "do not fit behind it"));
    unload_image(&l);
    put_symtab_size(elf, 3, 1 << 20);
    CHECK(refused_as(load_image(&l, elf, IMAGE_64, 0), ERR_FILELENGTH, "a truncated ELF file"));
    unload_image(&l);
    bytes_free(&elf);
    /* The symbol table and a page list inside of it. */
    gen_note(&g, 15)->number = 0xffffffff8100d000u;
    elf = gen_file(&g);
    CHECK(refused_as(load_image(&l, elf, IMAGE_64, 0), ERR_EXEC_FORMAT, "INIT_P2M note"));
    unload_image(&l);
    bytes_free(&elf);
}

/* Sections in an order that would have it unpacked again and again. */
static void unpacks_not_for_ever(void)
{
    struct gen_elf g = gen_default(true);
    struct loaded l;

    g.place = GEN_NOTE_NOWHERE;
    struct bytes elf = gen_file(&g);
    uint8_t *table = elf.data + le64(elf.data + 40);

    /* Five note sections, each before the one in front of it, none in a segment. */
    for (unsigned i = 1; i < 6; i++) {
        uint8_t *shdr = table + i * 64;

        memset(shdr, 0, 64);
        shdr[4] = SHT_NOTE;
        shdr[24] = (uint8_t)(0x60 - 16 * i);
        shdr[25] = 0x40; /* 0x4000: between the segments */
        shdr[32] = 16;
        memset(elf.data + 0x4060 - 16 * i, 0, 16);
    }
    struct bytes packed = through_command("gzip -c", elf);

    CHECK(refused_as(load_image(&l, elf, IMAGE_64, 0), ERR_EXEC_FORMAT, "no Xen notes"));
    unload_image(&l);
    table[5 * 64 + 4] = 0; /* four: it just works */
    struct bytes four = through_command("gzip -c", elf);

    CHECK(refused_as(load_image(&l, four, IMAGE_64, 0), ERR_EXEC_FORMAT, "no Xen notes"));
    unload_image(&l);
    CHECK(refused_as(load_image(&l, packed, IMAGE_64, 0), ERR_LIMIT, "unpacked more than 6 times"));
    unload_image(&l);
    bytes_free(&four);
    bytes_free(&packed);
    bytes_free(&elf);
}

int main(void)
{
    RUN(reads_the_guest_section);
    RUN(keys_may_be_missing);
    RUN(says_so_much_and_no_more);
    RUN(notes_come_before_the_section);
    RUN(refuses_bad_guest_sections);
    RUN(loads_the_symbol_table);
    RUN(aligns_the_symbol_table);
    RUN(refuses_bad_symbol_tables);
    RUN(unpacks_not_for_ever);
    return test_done();
}
