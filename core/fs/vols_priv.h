/* SPDX-License-Identifier: MIT */
/* What vols.c (disks, tables, mounts), vols_find.c (arrays and logical volumes) and vols_name.c
 * (device names) share. */
#ifndef PVBOOT_FS_VOLS_PRIV_H
#define PVBOOT_FS_VOLS_PRIV_H

#include "core/fs/vols.h"

#define NAMED_MAX    1024 /* arrays and logical volumes */
#define SENTENCE_MAX 512

/* A place where a file system can be: a device as a whole, or a partition of one. */
struct vol {
    struct vol *next; /* of the same device */
    uint32_t part;
    struct disk window;
    bool looked;              /* whether it is a member or a physical volume */
    bool unreadable;          /* its start, when it was looked at */
    struct md_member *member; /* of an array; NULL */
    bool said_member;
    bool is_pv;
    struct lvm_label label;
    bool mounted;
    struct fs fs;
    struct err result;
};

/* A device: a disk (vol_id.disk below VOLS_DISK_MAX), an array or a logical volume. */
struct device {
    enum vol_kind kind;
    struct disk *disk; /* of an array or logical volume: NULL until it is asked for */
    const char *name;  /* "lvm/vg-lv", "md/0"; NULL for a disk */
    struct md_array *array;
    struct lvm_lv *lv;
    struct part_table *table; /* as it is on the device itself; NULL until it is asked for */
    struct err table_result;
    struct vol *vols;
};

struct vols {
    struct arena *arena;
    const struct log *log;
    uint32_t nr_disks, nr_named;
    struct device disks[VOLS_DISK_MAX];
    struct device *named[NAMED_MAX];
    bool sought_arrays, sought_lvm;
    struct md_member *members;
    struct md_array *arrays;
    struct lvm lvm;
    uint8_t *pages;        /* MD_PROBE_BYTES, for looks; NULL until the first one */
    const char *listed[2]; /* sentences that list the arrays, the volumes */
};

/* The device of that number. NULL: *e is ERR_NO_DISK, or why it cannot be read. */
struct device *vols_device(struct vols *v, uint32_t n, struct err *e);

/* The table on the device itself; a member of an array has none of its own. */
struct err vols_raw_table(struct vols *v, uint32_t n, const struct part_table **out);

/* The place, without regard to arrays. NULL: *e is ERR_NO_DISK, ERR_NO_PART, or why the partition
 * is bad. */
struct vol *vols_place(struct vols *v, struct vol_id id, struct err *e);

/* See what lies at the place, once: vol->member, vol->is_pv. */
void vols_look(struct vols *v, struct vol_id id, struct vol *vol);

/* Look at all disks for members of arrays; at all disks and arrays for physical volumes. Once. */
void vols_find_arrays(struct vols *v);
void vols_find_lvm(struct vols *v);

/* The error of mounting a physical volume: which group's it is, and what that holds. */
struct err vols_pv_error(struct vols *v, const struct vol *vol);

#endif
