/* SPDX-License-Identifier: MIT */
/*
 * Telling by their first bytes what people select as a kernel by mistake. The magic numbers are
 * those that file(1) knows; machine numbers are from the ELF and PE/COFF specifications.
 */
#include "core/image/describe.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/unpack/unpack.h"

/* Two sentences of each kind: the file itself, and what lies compressed in the file. */
#define SAY(what)                                                                                  \
    "not a kernel: the file is " what, "not a kernel: what is compressed in it is " what

static const struct {
    uint16_t off, len;
    const char *magic;
    const char *plain, *packed;
} kinds[] = {
    {0, 2, "#!", SAY("a script")},
    {0, 6, "070701", SAY("a cpio archive (an initrd?)")},
    {0, 6, "070702", SAY("a cpio archive (an initrd?)")},
    {0, 6, "070707", SAY("a cpio archive")},
    {257, 5, "ustar", SAY("a tar archive")},
    {0, 7, "!<arch>", SAY("an ar archive (a .deb package or a library)")},
    {0, 4, "\xed\xab\xee\xdb", SAY("an RPM package")},
    {0, 2, "PK", SAY("a zip archive")},
    {0, 4, "XFSB", SAY("an XFS file system")},
    {0, 4, "hsqs", SAY("a squashfs image")},
    {1080, 2, "\x53\xef", SAY("an ext2/3/4 file system")},
    {0, 4, "QFI\xfb", SAY("a qcow2 disk image")},
    {0, 4, "\x27\x05\x19\x56", SAY("a U-Boot image")},
    {56, 4, "ARM\x64", SAY("a kernel for arm64")},
    {56, 4, "RSC\x05", SAY("a kernel for RISC-V")},
    {4, 4, "zimg", SAY("an EFI compressed kernel (zboot), which is not made for x86")},
    {0, 4, "\x02\xb0\xad\x1b", SAY("a multiboot header without an ELF file around it")},
    {510, 2, "\x55\xaa", SAY("a boot sector or a disk image")},
};

static const struct {
    uint16_t machine;
    const char *plain, *packed;
} efi_machines[] = {
    {0x8664, SAY("an EFI program for x86_64 without a Linux setup header")},
    {0x014c, SAY("an EFI program for i386 without a Linux setup header")},
    {0xaa64, SAY("an EFI binary for arm64")},
    {0x01c0, SAY("an EFI binary for arm")},
    {0x01c2, SAY("an EFI binary for arm")},
    {0x5064, SAY("an EFI binary for RISC-V")},
    {0x6264, SAY("an EFI binary for LoongArch")},
};

static struct err say(bool packed, const char *plain_text, const char *packed_text)
{
    return ERR(ERR_EXEC_FORMAT, packed ? packed_text : plain_text);
}

static bool has_magic(const uint8_t *head, size_t len, size_t off, const void *magic, size_t n)
{
    return in_range(off, n, len) && memcmp(head + off, magic, n) == 0;
}

/* PE: "MZ", at 0x3c the place of the header "PE\0\0", behind it the machine. */
static struct err describe_efi(const uint8_t *head, size_t len, bool packed)
{
    uint32_t pe = in_range(0x3c, 4, len) ? le32(head + 0x3c) : UINT32_MAX;

    if (in_range(pe, 6, len) && memcmp(head + pe, "PE\0\0", 4) == 0) {
        for (size_t i = 0; i < ARRAY_LEN(efi_machines); i++) {
            if (le16(head + pe + 4) == efi_machines[i].machine)
                return say(packed, efi_machines[i].plain, efi_machines[i].packed);
        }
    }
    return say(packed, SAY("a DOS or EFI program"));
}

static bool all_text(const uint8_t *head, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (head[i] != '\t' && head[i] != '\n' && head[i] != '\r' &&
            (head[i] < 0x20 || head[i] == 0x7f))
            return false;
    }
    return true;
}

static bool all_zero(const uint8_t *head, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (head[i] != 0)
            return false;
    }
    return true;
}

struct err describe_not_kernel(const uint8_t *head, size_t len, bool packed)
{
    if (len == 0)
        return say(packed, SAY("empty"));
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (has_magic(head, len, kinds[i].off, kinds[i].magic, kinds[i].len))
            return say(packed, kinds[i].plain, kinds[i].packed);
    }
    if (has_magic(head, len, 0, "MZ", 2))
        return describe_efi(head, len, packed);
    if (packed && has_magic(head, len, 0x202, "HdrS", 4))
        return ERR(ERR_EXEC_FORMAT, "a bzImage that was compressed once more: unpack the file");
    if (packed && unpack_detect(head, len) != UNPACK_NONE)
        return ERR(ERR_EXEC_FORMAT, "compressed more than once: unpack the file");
    if (all_zero(head, len))
        return say(packed, SAY("zeros"));
    if (all_text(head, len))
        return say(packed, SAY("text"));
    uint8_t first[8] = {0};

    memcpy(first, head, (size_t)min_u64(len, sizeof(first)));
    return ERR1(ERR_EXEC_FORMAT,
                packed ? "not a kernel: what is compressed in it begins with %A"
                       : "not a kernel: neither bzImage nor ELF; the file begins with %A",
                be64(first));
}

struct err describe_foreign_machine(uint16_t e_machine)
{
    switch (e_machine) {
    case 20:
    case 21:
        return ERR(ERR_EXEC_FORMAT, "a kernel for PowerPC; this is an x86 guest");
    case 22:
        return ERR(ERR_EXEC_FORMAT, "a kernel for s390; this is an x86 guest");
    case 40:
        return ERR(ERR_EXEC_FORMAT, "a kernel for arm; this is an x86 guest");
    case 50:
        return ERR(ERR_EXEC_FORMAT, "a kernel for ia64; this is an x86 guest");
    case 183:
        return ERR(ERR_EXEC_FORMAT, "a kernel for arm64; this is an x86 guest");
    case 243:
        return ERR(ERR_EXEC_FORMAT, "a kernel for RISC-V; this is an x86 guest");
    case 258:
        return ERR(ERR_EXEC_FORMAT, "a kernel for LoongArch; this is an x86 guest");
    default:
        return ERR1(ERR_EXEC_FORMAT, "an ELF file for machine number %a; this is an x86 guest",
                    e_machine);
    }
}
