/* SPDX-License-Identifier: MIT */
/*
 * The disks of a machine under GRUB's names: "(hd0)", "(hd0,0)"; RAID arrays and logical volumes
 * upon them: "(md/0)", "(lvm/vg-root)". Partition tables are read and file systems mounted when
 * they are first asked for, and kept; arrays and volumes are looked for when one is asked for.
 *
 * A disk or partition that is a member of an array means the array, wherever it is named: what it
 * holds by itself may be out of date.
 */
#ifndef PVBOOT_FS_VOLS_H
#define PVBOOT_FS_VOLS_H

#include "core/disk/lvm.h"
#include "core/disk/md.h"
#include "core/disk/part.h"
#include "core/fs/fs.h"

#define VOLS_DISK_MAX 64
#define VOL_WHOLE     UINT32_MAX /* part: the device without its partition table */
#define VOL_NAME_MAX  160        /* "(lvm/VG-LV,127)" and the terminator */

struct vol_id {
    uint32_t disk; /* N of hdN; from VOLS_DISK_MAX on: arrays and logical volumes */
    uint32_t part; /* M of (hdN,M), or VOL_WHOLE */
};

enum vol_kind { VOL_DISK, VOL_ARRAY, VOL_LOGICAL };

struct vols; /* opaque; lives in the arena */

/* The log and the arena must outlive it. */
struct err vols_new(struct vols **out, struct arena *a, const struct log *log);

/* The next disk, hd0 first, before anything is asked for. The disk must outlive the vols. */
struct err vols_add_disk(struct vols *v, struct disk *d);
uint32_t vols_nr_disks(const struct vols *v);

/*
 * The device behind device n, in this order: disks, arrays, logical volumes; UINT32_MAX gives the
 * first, and ends. Arrays and volumes are looked for when it comes to them.
 */
uint32_t vols_next(struct vols *v, uint32_t n);
enum vol_kind vols_kind(const struct vols *v, uint32_t n);

/* The device as a disk; NULL when there is none of that number, or it cannot be read. */
struct disk *vols_disk(struct vols *v, uint32_t n);

/* Why vols_disk gives NULL: ERR_NO_DISK, or what is wrong with the array or logical volume. */
struct err vols_usable(struct vols *v, uint32_t n);

/* The logical volume of that number, when it is one of the group; else NULL. */
const struct lvm_lv *vols_lv(const struct vols *v, uint32_t n, const struct lvm_vg *vg);

/* All arrays, all volume groups; looked for once. Groups are in vols_lvm()->vgs. */
const struct md_array *vols_arrays(struct vols *v);
const struct lvm *vols_lvm(struct vols *v);

/* The device's partition table, read once; of a member of an array: the array's. */
struct err vols_table(struct vols *v, uint32_t disk, const struct part_table **out);

/*
 * Where the place is read: a member of an array gives the array (or its partition), anything else
 * itself. What is met twice on a walk over all devices is what this changes.
 */
struct vol_id vols_resolve(struct vols *v, struct vol_id id);
static inline bool vol_same(struct vol_id a, struct vol_id b)
{
    return a.disk == b.disk && a.part == b.part;
}

/* The place holds an LVM physical volume; its group is *vg, or NULL. */
bool vols_is_pv(struct vols *v, struct vol_id id, const struct lvm_vg **vg);

/*
 * Parse a device name at the start of s: "(hd0)", "(hd0,1)", "(md/0)", "(lvm/vg-root)"; and GRUB
 * 2's names of partitions, which count from 1: "(hd0,msdos2)", "(hd0,gpt2)" are (hd0,1). *used =
 * its length. ERR_DEV_FORMAT otherwise. Whether a disk exists is not looked at; an array or a
 * logical volume that does not is ERR_NO_DISK, with those that do. Hyphens in names of LVM are
 * doubled, as device-mapper has them; single ones do as well where only one volume can be meant.
 */
struct err vol_parse(struct vols *v, const char *s, struct vol_id *out, size_t *used);

/* "(hd0)", "(hd0,1)", "(lvm/vg-root)" into buf; VOL_NAME_MAX bytes always do. */
void vol_format(const struct vols *v, struct vol_id id, char *buf, size_t cap);

/* The mounted file system. ERR_NO_DISK, ERR_NO_PART, why the partition is bad, or what fs_mount
 * says. Errors are kept too. */
struct err vols_mount(struct vols *v, struct vol_id id, struct fs **out);

/*
 * Open "(hd0,0)/boot/x", or "/boot/x" on `root`; or a block list there, "(hd0)0+1" or "0+1", which
 * needs no file system (blocklist.h). A name that is none of them is ERR_BAD_FILENAME.
 * On failure `subject` (if not NULL) gets the text for err_format: the full name, the kind of file
 * system, and what the directory holds instead:
 *   "(hd0)/boot/vmlinuz-6.1 (ext4); /boot holds: vmlinuz-6.2, initrd.img-6.2"
 */
struct err vols_open(struct vols *v, struct vol_id root, const char *name, struct arena *a,
                     struct file *out, char *subject, size_t subject_cap);

#endif
