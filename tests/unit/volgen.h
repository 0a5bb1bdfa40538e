/* SPDX-License-Identifier: MIT */
/* Physical volumes and members of arrays, written by the tests: superblocks, labels and metadata
 * with right checksums, so that one thing at a time can be made wrong. */
#ifndef PVBOOT_TESTS_VOLGEN_H
#define PVBOOT_TESTS_VOLGEN_H

#include <stddef.h>
#include <stdint.h>

#include "core/disk/md.h"

#define GEN_AREA_OFF   4096
#define GEN_AREA_BYTES 61440 /* to 64 KiB */

/*
 * A label in the second sector and one metadata area behind it, with the text at text_off of the
 * area (512 at least; it may run over the area's end). text NULL: of no group.
 */
void gen_pv(uint8_t *disk, const char id[32], const char *text, size_t text_off);

/* Set the checksum of the label in that sector, of the area's header. */
void gen_label_sum(uint8_t *disk, size_t sector);
void gen_area_sum(uint8_t *disk);

struct gen_md {
    enum md_version version;
    const char *name; /* "host:name"; 0.90: "3" is its number */
    uint8_t uuid;     /* all bytes of it */
    uint64_t events;
    int32_t level;
    uint32_t nr_disks, number, features;
    const uint16_t *roles; /* nr_roles of them; 0.90: places in the array */
    uint32_t nr_roles;
    uint64_t data_off_bytes, size_bytes;
};

/* Write the superblock where it belongs on a disk of that size; gives its place. */
uint64_t gen_md(uint8_t *disk, uint64_t disk_bytes, const struct gen_md *md);
void gen_md_sum(uint8_t *super, enum md_version version);

void gen_le32(uint8_t *p, uint32_t v);
void gen_le64(uint8_t *p, uint64_t v);

#endif
