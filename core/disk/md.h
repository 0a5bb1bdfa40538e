/* SPDX-License-Identifier: MIT */
/*
 * Linux software RAID (md): superblocks of version 0.90 (little endian), 1.0, 1.1 and 1.2, and the
 * arrays that they make. RAID1 is read, with any of its members missing; other levels, and arrays
 * that are being reshaped, are refused by name.
 *
 * What is ignored, and why: the write-intent bitmap (it says which regions to copy again after a
 * crash; every read comes from one member, the first in sync, so both halves of a region that
 * differs are as good); resync_offset (the same); utime and ctime.
 *
 * md.c reads superblocks, md_array.c makes arrays.
 */
#ifndef PVBOOT_DISK_MD_H
#define PVBOOT_DISK_MD_H

#include "core/base/log.h"
#include "core/disk/disk.h"

#define MD_SUPER_BYTES 4096
#define MD_NAME_MAX    40 /* bytes of an array's name, terminator included */
#define MD_MEMBERS_MAX 64 /* of one array */
#define MD_ARRAYS_MAX  64

#define MD_PROBE_BYTES ((size_t)4 * MD_SUPER_BYTES)

enum md_version { MD_1_1, MD_1_2, MD_1_0, MD_0_90 };
#define MD_NR_VERSIONS 4

struct md_array;

struct md_member {
    struct md_member *next; /* of all that were found; the array's, once it has one */
    struct md_array *array;
    struct disk *disk;
    enum md_version version;
    uint8_t uuid[16]; /* of the array */
    char name[MD_NAME_MAX];
    uint64_t events;
    int32_t level;
    uint32_t nr_disks; /* that the array wants */
    uint64_t data_off_bytes, size_bytes;
    uint32_t number; /* its own place in the table of roles */
    uint32_t nr_roles;
    const uint8_t *super; /* MD_SUPER_BYTES of them */
    const char *refused;  /* the feature, or NULL */
    const char *not_used; /* why nothing is read from this member, or NULL */
    bool last_choice;     /* "write mostly": only when no other can be read */
};

struct md_array {
    struct md_array *next;
    char name[MD_NAME_MAX]; /* as in (md/NAME); unique */
    uint8_t uuid[16];
    enum md_version version;
    int32_t level;
    uint32_t nr_disks;
    struct md_member *members; /* all that were found */
    uint32_t nr_used;
    struct md_member *used[MD_MEMBERS_MAX]; /* in sync: the order in which they are tried */
    struct err bad;                         /* OK, or why it is not read */
    struct disk *disk;                      /* NULL when it is not */
    uint32_t volume;                        /* the user's: its number in core/fs/vols */
    const struct log *log;
    bool said; /* that a member could not be read */
};

const char *md_version_name(enum md_version version);

/* Where the superblock of that version lies on a device of that size; false: too small for one. */
bool md_place(enum md_version version, uint64_t size_bytes, uint64_t *off_bytes);

/*
 * Read and check one superblock, which was read from off_bytes of a device of size_bytes. Pure, but
 * for the arena: out->super is a copy there. ERR_NOT_MINE: none of that version; ERR_FS_DAMAGED: a
 * superblock that cannot be trusted.
 */
struct err md_parse(enum md_version version, const uint8_t super[MD_SUPER_BYTES],
                    uint64_t off_bytes, uint64_t size_bytes, struct arena *a,
                    struct md_member *out);

/*
 * Look for a superblock at all four places of the disk, with all reads under way at once. pages:
 * MD_PROBE_BYTES, page aligned; afterwards the first MD_SUPER_BYTES of them are the disk's first.
 * ERR_NOT_MINE: no member of an array. ERR_READ only when the disk's start cannot be read.
 */
struct err md_probe(struct disk *d, uint8_t *pages, struct arena *a, struct md_member **out);

/*
 * Sort the members (a list by next) into arrays, and make the disks of those that can be read.
 * One line a member that is not used, and one an array that lacks some. After an error the arrays
 * of *out are good, but not all that there could be.
 */
struct err md_arrays(struct md_member *members, struct arena *a, const struct log *log,
                     struct md_array **out);

#endif
