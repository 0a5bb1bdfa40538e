/* SPDX-License-Identifier: MIT */
/*
 * Registers, start_info, and where the pieces lie. The order of the pieces is the domain builder's
 * (xen/include/public/xen.h, "start of day"): kernel, initrd, P2M, start_info, store, console,
 * tables, stack, slack; what is not mapped follows.
 */
#include <elf.h>

#include "core/base/bytes.h"
#include "core/base/crc32.h"
#include "core/base/text.h"
#include "tests/guest/kernel/kernel.h"

#ifdef __x86_64__
typedef Elf64_Ehdr elf_ehdr;
typedef Elf64_Shdr elf_shdr;
#else
typedef Elf32_Ehdr elf_ehdr;
typedef Elf32_Shdr elf_shdr;
#endif

#define FLAG_DIRECTION ((unsigned long)1 << 10)
#define SLACK_BYTES    ((uint64_t)512 * 1024)
#define MAPPING_ALIGN  ((uint64_t)4 << 20)

static uint64_t base(void)
{
    return (uintptr_t)virt_base;
}

static uint64_t pages_of(uint64_t nr_bytes)
{
    return (nr_bytes + PAGE_BYTES - 1) >> PAGE_SHIFT;
}

static uint64_t va_of_pfn(uint64_t pfn)
{
    return base() + (pfn << PAGE_SHIFT);
}

/* Where the symbol table begins, when it was asked for. */
static const uint8_t *symbols(void)
{
    return (const uint8_t *)(uintptr_t)align_up((uintptr_t)image_end, sizeof(long));
}

uint64_t after_image(void)
{
    uint64_t len, sum, end = (uintptr_t)image_end;

    if (argument("symbols=", &len, &sum))
        end = (uintptr_t)symbols() + 4 + len;
    return pages_of(end - base());
}

uint64_t nr_initrd_pages(void)
{
    return pages_of(si->mod_len);
}

uint64_t nr_p2m_pages(void)
{
    return pages_of(si->nr_pages * sizeof(xen_pfn_t));
}

/* "name=1234" or "name=1234,5678" on the command line. */
bool argument(const char *name, uint64_t *value, uint64_t *second)
{
    const char *p = strstr((const char *)si->cmd_line, name);

    if (p == NULL)
        return false;
    p += strlen(name);
    size_t len = strcspn(p, " ,");

    if (!text_parse_u64(p, len, value))
        return false;
    if (second == NULL)
        return true;
    p += len;
    return *p == ',' && text_parse_u64(p + 1, strcspn(p + 1, " "), second);
}

void check_registers(void)
{
    const struct entry_regs *r = &entry_regs;
#ifdef __x86_64__
    const uint16_t data = 0; /* 64-bit code has no use for them */
#else
    const uint16_t data = FLAT_KERNEL_DS;

    expect("stack segment", entry_selectors[4], FLAT_KERNEL_SS);
#endif

    for (unsigned i = 0; i < 4; i++)
        expect("a data segment", entry_selectors[i], data);
    expect("ax, and r8 to r15", r->ax, 0);
    expect("bx", r->bx, 0);
    expect("cx", r->cx, 0);
    expect("dx", r->dx, 0);
    expect("di", r->di, 0);
    expect("bp", r->bp, 0);
    expect("direction flag", r->flags & FLAG_DIRECTION, 0);
}

static void check_command_line(void)
{
    const char *line = (const char *)si->cmd_line;
    size_t len = strnlen(line, MAX_GUEST_CMDLINE);

    if (len == MAX_GUEST_CMDLINE) {
        wrong("length of the command line, which has no end", len, 0);
        return;
    }
    for (size_t i = len; i < MAX_GUEST_CMDLINE; i++) {
        if (line[i] != 0) {
            wrong("a byte behind the command line", (unsigned char)line[i], 0);
            break;
        }
    }
    if (strstr(line, "T=1") == NULL)
        wrong("the command line, which lacks T=1, with a length of", len, 0);
}

void check_start_info(void)
{
    static const char magic[sizeof(si->magic)] = GUEST_MAGIC;
    bool by_pfn = KERNEL_BY_PFN && si->mod_len != 0;
    uint64_t pages;

    if (memcmp(si->magic, magic, sizeof(magic)) != 0)
        wrong("the magic, which ends in", (unsigned char)si->magic[13], (unsigned char)magic[13]);
    if (argument("pages=", &pages, NULL))
        expect("nr_pages", si->nr_pages, pages);
    else
        wrong("pages= on the command line", 0, 1);
    if (si->nr_pages > PAGES_MAX) {
        wrong("nr_pages, too many for this kernel", si->nr_pages, PAGES_MAX);
        stop(SHUTDOWN_crash);
    }
    expect("shared_info's offset in its page", si->shared_info % PAGE_BYTES, 0);
    if (si->shared_info == 0)
        wrong("shared_info", 0, 1);
    expect("flags", si->flags, by_pfn ? SIF_MOD_START_PFN : 0);
    if (si->store_evtchn == 0 || si->console.domU.evtchn == 0 ||
        si->store_evtchn == si->console.domU.evtchn)
        wrong("the ports of xenstore and console", si->store_evtchn, si->console.domU.evtchn);
    check_command_line();
}

/* Everything in its place, given where the mapping was found to end. */
void check_layout(void)
{
    uint64_t initrd = after_image();
    uint64_t mapped_initrd = KERNEL_BY_PFN ? 0 : nr_initrd_pages();
    uint64_t list = initrd + mapped_initrd;
    uint64_t info = list + (KERNEL_P2M != 0 ? 0 : nr_p2m_pages());
    uint64_t tables = info + 3, stack = tables + mapping.nr_tables;

    if (si->mod_len != 0)
        expect("mod_start", si->mod_start, KERNEL_BY_PFN ? mapping.nr_pages : va_of_pfn(initrd));
    else
        expect("mod_start without a module", si->mod_start, 0);
    expect("mfn_list", si->mfn_list, KERNEL_P2M != 0 ? KERNEL_P2M : va_of_pfn(list));
    if (KERNEL_P2M != 0)
        expect("first_p2m_pfn", si->first_p2m_pfn,
               mapping.nr_pages + nr_initrd_pages() - mapped_initrd);
    else
        expect("first_p2m_pfn", si->first_p2m_pfn, 0);
    if (KERNEL_P2M == 0)
        expect("nr_p2m_frames", si->nr_p2m_frames, 0);
    expect("address of start_info", (uintptr_t)si, va_of_pfn(info));
    expect("store's pfn", m2p(si->store_mfn), info + 1);
    expect("console's pfn", m2p(si->console.domU.mfn), info + 2);
    expect("pt_base", si->pt_base, va_of_pfn(tables));
    expect("nr_pt_frames", si->nr_pt_frames, mapping.nr_tables);
    expect("stack pointer", entry_regs.sp, va_of_pfn(stack + 1));
    expect("si", entry_regs.si, (uintptr_t)si);
    expect("what the mapping's end has over 4 MiB", va_of_pfn(mapping.nr_pages) % MAPPING_ALIGN, 0);
    uint64_t slack = (mapping.nr_pages - (stack + 1)) << PAGE_SHIFT;

    if (stack + 1 > mapping.nr_pages || slack < SLACK_BYTES)
        wrong("bytes of slack", slack, SLACK_BYTES);
    if (slack >= SLACK_BYTES + MAPPING_ALIGN)
        wrong("bytes of slack, too many", slack, SLACK_BYTES + MAPPING_ALIGN);
}

void check_initrd(void)
{
    uint64_t nr_bytes = 0, sum = 0, left;
    uint32_t crc = CRC32_START;
    uint8_t left_over = 0;

    if (!argument("initrd=", &nr_bytes, &sum)) {
        expect("mod_len", si->mod_len, 0);
        return;
    }
    left = nr_bytes;
    expect("mod_len", si->mod_len, KERNEL_BY_PFN ? align_up(nr_bytes, PAGE_BYTES) : nr_bytes);
    for (uint64_t page = 0; left > 0 && page < si->nr_pages; page++) {
        size_t n = (size_t)min_u64(left, PAGE_BYTES);
        uint64_t pfn =
            (KERNEL_BY_PFN ? si->mod_start : (si->mod_start - base()) >> PAGE_SHIFT) + page;
        const void *data = pfn < si->nr_pages ? window_open(p2m(pfn), false) : NULL;

        if (data == NULL) {
            wrong("a page of the initrd that cannot be mapped", pfn, 0);
            break;
        }
        crc = crc32_ieee(crc, data, n);
        for (size_t i = n; i < PAGE_BYTES; i++)
            left_over |= ((const uint8_t *)data)[i];
        window_close();
        left -= n;
    }
    expect("the initrd's CRC", ~crc, sum);
    expect("bytes behind the initrd on its last page", left_over, 0);
}

/* As a BSD finds its symbols: the length, an ELF header, and in it two sections. */
void check_symbols(void)
{
    const uint8_t *at = symbols(), *elf = at + 4;
    const elf_ehdr *header = (const void *)elf;
    uint64_t len, sum;

    if (!argument("symbols=", &len, &sum))
        return;
    expect("length of the symbol table", le32(at), len);
    if (le32(at) != len)
        return;
    expect("its ELF magic", le32(elf), 0x464c457f);
    expect("its program headers", header->e_phoff + header->e_phnum, 0);
    expect("its section headers", header->e_shnum, 3);
    expect("their size", header->e_shentsize, sizeof(elf_shdr));
    const elf_shdr *section = (const void *)(elf + header->e_shoff);

    expect("kind of the symbols", section[1].sh_type, SHT_SYMTAB);
    expect("where their strings are", section[1].sh_link, 2);
    expect("kind of the strings", section[2].sh_type, SHT_STRTAB);
    expect("end of the strings", section[2].sh_offset + section[2].sh_size, len);
    if (section[1].sh_offset > len || section[2].sh_offset < section[1].sh_offset)
        wrong("offsets of symbols and strings", section[1].sh_offset, section[2].sh_offset);
    else
        expect("the symbols' CRC",
               ~crc32_ieee(CRC32_START, elf + section[1].sh_offset,
                           (size_t)(len - section[1].sh_offset)),
               sum);
}
