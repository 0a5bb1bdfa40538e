/* SPDX-License-Identifier: MIT */
/*
 * The checksums of file systems. Each takes the value so far and returns the next, without the
 * inversions at both ends that some protocols add.
 */
#ifndef PVBOOT_FS_CRC_H
#define PVBOOT_FS_CRC_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32C (Castagnoli), reflected: polynomial 0x82f63b78. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

/*
 * The same, several times as fast, for who checks megabytes: with tables that are computed once
 * into the caller's memory.
 */
struct crc32c_tables {
    uint32_t after[8][256]; /* after[n][b]: byte b, followed by n zero bytes */
};
void crc32c_tables_init(struct crc32c_tables *t);
uint32_t crc32c_fast(const struct crc32c_tables *t, uint32_t crc, const void *data, size_t len);

/* CRC-16 (ANSI), reflected: polynomial 0xa001. */
uint16_t crc16(uint16_t crc, const void *data, size_t len);

#endif
