/* SPDX-License-Identifier: MIT */
#include "tests/unit/elfgen.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#define SETUP_SECTS 3u
#define BASE_64     0xffffffff80000000u
#define BASE_32     0xc0000000u
#define PADDR       0x1000000u

enum { NOTE = 1, GUEST, SYMBOLS, STRINGS, NAMES, GEN_SECTIONS }; /* sections, by index */

struct gen_elf gen_default(bool is_64)
{
    uint64_t base = is_64 ? BASE_64 : BASE_32;
    struct gen_elf g = {
        .is_64 = is_64,
        .machine = is_64 ? EM_X86_64 : EM_386,
        .type = ET_EXEC,
        .entry = PADDR,
        .phdrs_off = is_64 ? 64 : 52,
        .nr_segments = 2,
        .segments = {{0x1000, 0x3000, PADDR, 0x3000}, {0x5000, 0x1234, PADDR + 0x4000, 0x9000}},
        .flags = {PF_R | PF_X, PF_R | PF_W},
        .place = GEN_NOTE_IN_SEGMENT,
        .note_off = 0x5100,
        .nr_notes = 16,
        .notes =
            {
                {.type = 1, .name = "GNU", .number = 77},
                {.type = 6, .text = "linux"},
                {.type = 7, .text = "2.6"},
                {.type = 5, .text = "xen-3.0"},
                {.type = 3, .number = base},
                {.type = 1, .number = base + PADDR + 0x100},
                {.type = 2, .number = base + PADDR + 0x1000},
                {.type = 4, .number = 0},
                {.type = 10, .text = "!writable_page_tables|pae_pgdir_above_4gb|something_new"},
                {.type = 17, .number = 0x8801},
                {.type = 9, .text = "yes"},
                {.type = 8, .text = "generic"},
                {.type = 14, .number = 1},
                {.type = 16, .number = 1},
                {.type = 12, .number = is_64 ? 0xffff800000000000u : 0xf5800000u},
                {.type = 15, .number = is_64 ? 0x8000000000u : 0x40000000u},
            },
    };

    return g;
}

struct gen_note *gen_note(struct gen_elf *g, uint32_t type)
{
    for (uint32_t i = 0; i < g->nr_notes; i++) {
        if (g->notes[i].type == type && g->notes[i].name == NULL)
            return &g->notes[i];
    }
    abort();
}

void gen_drop_note(struct gen_elf *g, uint32_t type)
{
    gen_note(g, type)->name = "Gone";
}

static void put32(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

static void put64(uint8_t *p, uint64_t v)
{
    put32(p, v);
    put32(p + 4, v >> 32);
}

static size_t put_note(uint8_t *p, const struct gen_note *n, bool is_64)
{
    const char *name = n->name != NULL ? n->name : "Xen";
    size_t name_len = strlen(name) + 1, name_room = (name_len + 3) & ~(size_t)3;
    size_t len = n->text != NULL ? strlen(n->text) + 1 : is_64 ? 8 : 4;

    put32(p, name_len);
    put32(p + 4, len);
    put32(p + 8, n->type);
    memset(p + 12, 0, name_room);
    memcpy(p + 12, name, name_len);
    p += 12 + name_room;
    memset(p, 0, (len + 3) & ~(size_t)3);
    if (n->text != NULL)
        memcpy(p, n->text, len);
    else if (is_64)
        put64(p, n->number);
    else
        put32(p, n->number);
    return 12 + name_room + ((len + 3) & ~(size_t)3);
}

static void put_phdr(uint8_t *p, bool is_64, uint32_t type, uint32_t flags,
                     const struct image_segment *s)
{
    if (is_64) {
        Elf64_Phdr h = {.p_type = type,
                        .p_flags = flags,
                        .p_offset = s->file_off_bytes,
                        .p_vaddr = s->paddr + BASE_64,
                        .p_paddr = s->paddr,
                        .p_filesz = s->file_bytes,
                        .p_memsz = s->mem_bytes};

        memcpy(p, &h, sizeof(h));
    } else {
        Elf32_Phdr h = {.p_type = type,
                        .p_flags = flags,
                        .p_offset = (Elf32_Off)s->file_off_bytes,
                        .p_vaddr = (Elf32_Addr)(s->paddr + BASE_32),
                        .p_paddr = (Elf32_Addr)s->paddr,
                        .p_filesz = (Elf32_Word)s->file_bytes,
                        .p_memsz = (Elf32_Word)s->mem_bytes};

        memcpy(p, &h, sizeof(h));
    }
}

static void put_header(uint8_t *p, const struct gen_elf *g, uint16_t nr_phdrs, uint64_t shdrs_off)
{
    uint8_t ident[EI_NIDENT] = {0x7f, 'E', 'L', 'F', 0, ELFDATA2LSB, EV_CURRENT};

    ident[EI_CLASS] = g->is_64 ? ELFCLASS64 : ELFCLASS32;
    if (g->is_64) {
        Elf64_Ehdr h = {.e_type = g->type,
                        .e_machine = g->machine,
                        .e_entry = g->entry,
                        .e_phoff = g->phdrs_off,
                        .e_shoff = shdrs_off,
                        .e_phentsize = sizeof(Elf64_Phdr),
                        .e_phnum = nr_phdrs,
                        .e_shentsize = sizeof(Elf64_Shdr),
                        .e_shnum = GEN_SECTIONS,
                        .e_shstrndx = NAMES};

        memcpy(h.e_ident, ident, sizeof(ident));
        memcpy(p, &h, sizeof(h));
    } else {
        Elf32_Ehdr h = {.e_type = g->type,
                        .e_machine = g->machine,
                        .e_entry = (Elf32_Addr)g->entry,
                        .e_phoff = (Elf32_Off)g->phdrs_off,
                        .e_shoff = (Elf32_Off)shdrs_off,
                        .e_phentsize = sizeof(Elf32_Phdr),
                        .e_phnum = nr_phdrs,
                        .e_shentsize = sizeof(Elf32_Shdr),
                        .e_shnum = GEN_SECTIONS,
                        .e_shstrndx = NAMES};

        memcpy(h.e_ident, ident, sizeof(ident));
        memcpy(p, &h, sizeof(h));
    }
}

static void put_shdr(uint8_t *table, bool is_64, int index, const Elf64_Shdr *s)
{
    if (is_64) {
        memcpy(table + (size_t)index * sizeof(*s), s, sizeof(*s));
    } else {
        Elf32_Shdr h = {.sh_name = s->sh_name,
                        .sh_type = s->sh_type,
                        .sh_offset = (Elf32_Off)s->sh_offset,
                        .sh_size = (Elf32_Word)s->sh_size,
                        .sh_link = s->sh_link};

        memcpy(table + (size_t)index * sizeof(h), &h, sizeof(h));
    }
}

static const char section_names[] = "\0.note\0__xen_guest\0.symtab\0.strtab\0.shstrtab";

/* Where the sections outside of the segments lie, and how long they are. */
struct sections {
    size_t guest, names, symbols, strings, table, end;
    size_t guest_len, symbols_len;
};

static struct sections place_sections(const struct gen_elf *g, size_t end)
{
    size_t table_len = GEN_SECTIONS * sizeof(Elf64_Shdr);
    struct sections s = {
        .guest_len = g->guest != NULL ? strlen(g->guest) + 1 : 0,
        .symbols_len = g->nr_symbols * (g->is_64 ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym)),
    };

    s.guest = (end + 15) & ~(size_t)15;
    s.names = s.guest + s.guest_len;
    s.table = (s.names + sizeof(section_names) + 15) & ~(size_t)15;
    s.symbols = s.table + (g->table_first ? table_len : 0);
    s.strings = s.symbols + s.symbols_len;
    s.end = s.strings + g->strings_bytes;
    if (!g->table_first) {
        s.table = (s.end + 15) & ~(size_t)15;
        s.end = s.table + table_len;
    }
    return s;
}

static void put_sections(uint8_t *file, const struct gen_elf *g, const struct sections *s,
                         uint64_t note_len)
{
    uint8_t *table = file + s->table;
    Elf64_Shdr note = {.sh_type = SHT_NOTE, .sh_offset = g->note_off, .sh_size = note_len};
    Elf64_Shdr guest = {.sh_type = SHT_PROGBITS, .sh_offset = s->guest, .sh_size = s->guest_len};
    Elf64_Shdr symbols = {.sh_type = SHT_SYMTAB, .sh_offset = s->symbols};
    Elf64_Shdr strings = {.sh_type = SHT_STRTAB, .sh_offset = s->strings};
    Elf64_Shdr names = {
        .sh_type = SHT_STRTAB, .sh_offset = s->names, .sh_size = sizeof(section_names)};

    note.sh_name = 1;
    guest.sh_name = 7;
    symbols.sh_name = 19;
    strings.sh_name = 27;
    names.sh_name = 35;
    symbols.sh_size = s->symbols_len;
    symbols.sh_link = STRINGS;
    strings.sh_size = g->strings_bytes;
    memset(table, 0, GEN_SECTIONS * sizeof(Elf64_Shdr));
    memcpy(file + s->names, section_names, sizeof(section_names));
    put_shdr(table, g->is_64, NAMES, &names);
    if (g->place == GEN_NOTE_SECTION)
        put_shdr(table, g->is_64, NOTE, &note);
    if (g->guest != NULL) {
        memcpy(file + s->guest, g->guest, s->guest_len);
        put_shdr(table, g->is_64, GUEST, &guest);
    }
    if (g->nr_symbols != 0) {
        put_shdr(table, g->is_64, SYMBOLS, &symbols);
        put_shdr(table, g->is_64, STRINGS, &strings);
    }
}

struct bytes gen_file(const struct gen_elf *g)
{
    size_t end = 0x1000, phdr_bytes = g->is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);

    for (uint32_t i = 0; i < g->nr_segments; i++) {
        size_t stop = (size_t)(g->segments[i].file_off_bytes + g->segments[i].file_bytes);

        end = stop > end && stop < (64 << 20) ? stop : end;
    }
    if (g->note_off + 2048 > end && g->place != GEN_NOTE_NOWHERE)
        end = (size_t)g->note_off + 2048;
    if (g->phdrs_off + 1024 > end)
        end = (size_t)g->phdrs_off + 1024;
    struct sections s = place_sections(g, end);
    struct bytes out = mixed_bytes(s.end + 300, 99);

    size_t note_len = 0;

    for (uint32_t i = 0; i < g->nr_notes && g->place != GEN_NOTE_NOWHERE; i++)
        note_len += put_note(out.data + g->note_off + note_len, &g->notes[i], g->is_64);
    struct image_segment note = {g->note_off, note_len, 0, note_len};
    bool with_phdr = g->place == GEN_NOTE_IN_SEGMENT || g->place == GEN_NOTE_LOOSE;
    uint8_t *p = out.data + g->phdrs_off;

    for (uint32_t i = 0; i < g->nr_segments; i++, p += phdr_bytes)
        put_phdr(p, g->is_64, PT_LOAD, g->flags[i], &g->segments[i]);
    if (with_phdr)
        put_phdr(p, g->is_64, PT_NOTE, PF_R, &note);
    put_sections(out.data, g, &s, note_len);
    put_header(out.data, g, (uint16_t)(g->nr_segments + with_phdr), s.table);
    return out;
}

void gen_make_old(struct gen_elf *g, const char *guest)
{
    uint64_t base = g->is_64 ? BASE_64 : BASE_32;

    g->place = GEN_NOTE_NOWHERE;
    g->guest = guest;
    g->entry += base;
    for (uint32_t i = 0; i < g->nr_segments; i++)
        g->segments[i].paddr += base;
}

struct bytes gen_bzimage(struct bytes payload, uint16_t protocol, uint32_t trailer)
{
    size_t code = (SETUP_SECTS + 1) * 512, off = 0x2c4, tail = trailer != 0 ? 4 : 0;
    struct bytes b = mixed_bytes(code + off + payload.len + tail + 777, 7);
    static const char version[] = "6.1.0-test (somebody@somewhere) #1 SMP";

    b.data[0x1f1] = SETUP_SECTS;
    b.data[0x1fe] = 0x55;
    b.data[0x1ff] = 0xaa;
    memcpy(b.data + 0x202, "HdrS", 4);
    b.data[0x206] = (uint8_t)protocol;
    b.data[0x207] = (uint8_t)(protocol >> 8);
    b.data[0x20e] = 0x40;
    b.data[0x20f] = 0x01;
    memcpy(b.data + 0x340, version, sizeof(version));
    put32(b.data + 0x248, off);
    put32(b.data + 0x24c, payload.len + tail);
    memcpy(b.data + code + off, payload.data, payload.len);
    if (trailer != 0)
        put32(b.data + code + off + payload.len, trailer);
    return b;
}
