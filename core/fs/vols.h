/* SPDX-License-Identifier: MIT */
/*
 * The disks of a machine under GRUB 0.97's names: "(hd0)", "(hd0,0)". Partition tables are read
 * and file systems mounted when they are first asked for, and kept.
 */
#ifndef PVBOOT_FS_VOLS_H
#define PVBOOT_FS_VOLS_H

#include "core/disk/part.h"
#include "core/fs/fs.h"

#define VOLS_DISK_MAX 64
#define VOL_WHOLE     UINT32_MAX /* part: the disk without its partition table */

struct vol_id {
    uint32_t disk; /* N of hdN */
    uint32_t part; /* M of (hdN,M), or VOL_WHOLE */
};

struct vols; /* opaque; lives in the arena */

/* The log and the arena must outlive it. */
struct err vols_new(struct vols **out, struct arena *a, const struct log *log);

/* The next disk, hd0 first. The disk must outlive the vols. */
struct err vols_add_disk(struct vols *v, struct disk *d);
uint32_t vols_nr_disks(const struct vols *v);
struct disk *vols_disk(struct vols *v, uint32_t n); /* NULL past the end */

/* The disk's partition table, read once. */
struct err vols_table(struct vols *v, uint32_t disk, const struct part_table **out);

/*
 * Parse a device name at the start of s: "(hd0)", "(hd0,1)". *used = its length. ERR_DEV_FORMAT
 * otherwise. Does not look whether the device exists.
 */
struct err vol_parse(const char *s, struct vol_id *out, size_t *used);

/* "(hd0)" or "(hd0,1)" into buf. */
void vol_format(struct vol_id id, char *buf, size_t cap);

/* The mounted file system. ERR_NO_DISK, ERR_NO_PART, why the partition is bad, or what fs_mount
 * says. Errors are kept too. */
struct err vols_mount(struct vols *v, struct vol_id id, struct fs **out);

/*
 * Open "(hd0,0)/boot/x", or "/boot/x" on `root`. A name that is neither is ERR_BAD_FILENAME.
 * On failure `subject` (if not NULL) gets the text for err_format: the full name, the kind of file
 * system, and what the directory holds instead:
 *   "(hd0)/boot/vmlinuz-6.1 (ext4); /boot holds: vmlinuz-6.2, initrd.img-6.2"
 */
struct err vols_open(struct vols *v, struct vol_id root, const char *name, struct arena *a,
                     struct file *out, char *subject, size_t subject_cap);

#endif
