/* SPDX-License-Identifier: MIT */
/*
 * CRC-32 as Ethernet, zlib and GUID partition tables have it: polynomial 0xedb88320, reflected.
 * Takes the value so far and returns the next, without the inversions at both ends: those who want
 * zlib's value begin with 0xffffffff and invert the last one.
 */
#ifndef PVBOOT_BASE_CRC32_H
#define PVBOOT_BASE_CRC32_H

#include <stddef.h>
#include <stdint.h>

#define CRC32_START 0xffffffffu

uint32_t crc32_ieee(uint32_t crc, const void *data, size_t len);

#endif
