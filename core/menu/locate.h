/* SPDX-License-Identifier: MIT */
/*
 * The search for the menu: PV-GRUB's order first, then every other disk, partition and volume.
 *
 *     hd0   (hd0)/boot/grub, (hd0,0)/boot/grub, (hd0,0)/grub, ... (hd0,3)/boot/grub, (hd0,3)/grub
 *     hd00  (hd0,0)/boot/grub, then as hd0
 *     then  /boot/grub and /grub of what is left: each disk as a whole, each of its partitions;
 *           then RAID arrays and logical volumes
 *
 * In each folder menu.lst, then grub.conf. First hit wins. What was found where is one line on the
 * log; a file that is there but cannot be read is a line too, and the search goes on.
 */
#ifndef PVBOOT_MENU_LOCATE_H
#define PVBOOT_MENU_LOCATE_H

#include "core/fs/vols.h"

struct menu_file {
    struct vol_id vol;      /* where it lies; the root of entries that name none */
    char name[FS_PATH_MAX]; /* "(hd0)/boot/grub/menu.lst" */
    const char *text;       /* in the arena */
    size_t len;
};

/*
 * Find the menu and read it. menu_arg: its path when somebody named one, "(hd0)/x" or "/x" (looked
 * for on the search's volumes), else NULL; a menu that was named is not replaced by another one.
 * Nothing found: each place tried is one line on the log, and ERR_NO_MENU (or the error of the file
 * that was named, with the subject for err_format).
 */
struct err menu_locate(struct menu_file *out, struct vols *v, const char *menu_arg, bool hd00,
                       struct arena *a, const struct log *log, char *subject, size_t subject_cap);

#endif
