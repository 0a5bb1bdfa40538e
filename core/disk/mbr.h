/* SPDX-License-Identifier: MIT */
/* One partition table format: part.c asks each in turn. */
#ifndef PVBOOT_DISK_MBR_H
#define PVBOOT_DISK_MBR_H

#include "core/disk/part.h"

/* ERR_NOT_MINE when sector 0 (its first 512 bytes) is no master boot record. */
struct err mbr_scan(const struct disk *d, const uint8_t sector[512], struct part_table *out);

#endif
