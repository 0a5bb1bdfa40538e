/* SPDX-License-Identifier: MIT */
/*
 * The setup header: Linux, Documentation/arch/x86/boot.rst. All numbers are little endian, all
 * offsets from the start of the file.
 *
 *     0x1f1  1  setup_sects     sectors of setup code after the first; 0 means 4
 *     0x1fe  2  boot_flag       0xaa55
 *     0x202  4  header          "HdrS"
 *     0x206  2  version         of the boot protocol, 0x0208 = 2.08
 *     0x20e  2  kernel_version  a string's place, less 0x200; 0: none
 *     0x248  4  payload_offset  from the start of the protected-mode code (2.08)
 *     0x24c  4  payload_length  (2.08)
 */
#include "core/image/bzimage.h"

#include <string.h>

#include "core/base/bytes.h"

#define SETUP_SECTS    0x1f1
#define BOOT_FLAG      0x1fe
#define HEADER         0x202
#define VERSION        0x206
#define KERNEL_VERSION 0x20e
#define PAYLOAD_OFFSET 0x248
#define PAYLOAD_LENGTH 0x24c
#define HEADER_END     0x250

#define SECTOR_BYTES        512u
#define SETUP_SECTS_DEFAULT 4u
#define PROTOCOL_MIN        0x0208

bool bzimage_detect(const uint8_t *head, size_t len)
{
    return len >= VERSION + 2 && le16(head + BOOT_FLAG) == 0xaa55 &&
           memcmp(head + HEADER, "HdrS", 4) == 0;
}

/* The version string, cut to what fits; left empty when it is not in sight. */
static void get_version(struct image *img, const uint8_t *head, size_t len)
{
    size_t off = le16(head + KERNEL_VERSION);

    if (off == 0 || off + 0x200 >= len)
        return;
    const uint8_t *s = head + off + 0x200;
    size_t most = (size_t)min_u64(len - (off + 0x200), sizeof(img->version) - 1), n = 0;

    while (n < most && s[n] != 0)
        n++;
    memcpy(img->version, s, n);
    img->version[n] = '\0';
}

struct err bzimage_parse(struct image *img, const uint8_t *head, size_t len, uint64_t file_bytes)
{
    img->boot_protocol = le16(head + VERSION);
    if (img->boot_protocol < PROTOCOL_MIN)
        return ERR1(ERR_EXEC_FORMAT,
                    "a bzImage of boot protocol %A, too old to tell where its payload lies (0x208 "
                    "is needed: Linux 2.6.24 or later): name the vmlinux that it was made of",
                    img->boot_protocol);
    if (len < HEADER_END)
        return ERR1(ERR_FILELENGTH, "a bzImage that ends inside its setup header, after %a bytes",
                    len);
    uint64_t setup_sects = head[SETUP_SECTS] != 0 ? head[SETUP_SECTS] : SETUP_SECTS_DEFAULT;

    /* At most 256 sectors and two 32-bit numbers: these sums cannot wrap. */
    img->payload_off_bytes = (setup_sects + 1) * SECTOR_BYTES + le32(head + PAYLOAD_OFFSET);
    img->payload_bytes = le32(head + PAYLOAD_LENGTH);
    if (img->payload_bytes == 0)
        return ERR(ERR_EXEC_FORMAT, "a bzImage whose setup header names no payload");
    if (!in_range(img->payload_off_bytes, img->payload_bytes, file_bytes))
        return ERR2(ERR_FILELENGTH,
                    "a truncated bzImage: the payload ends at byte %a, the file at byte %b",
                    img->payload_off_bytes + img->payload_bytes, file_bytes);
    get_version(img, head, len);
    return OK;
}

struct err bzimage_unknown_payload(const uint8_t *head, size_t len)
{
    return ERR1(ERR_EXEC_FORMAT,
                "a bzImage whose payload is in no known compression; it begins with %A",
                len >= 8 ? be64(head) : 0);
}
