/* SPDX-License-Identifier: MIT */
/*
 * The saved default: the file `default` in the menu's own folder, in GRUB 0.97's format. Its first
 * line is the number of an entry; what follows is filler ("#" lines) that only makes room, so that
 * a longer number can be written without the file growing. grub-set-default of GRUB 0.97
 * makes and changes the same file; that of GRUB 2 has another one, grubenv.
 */
#ifndef PVBOOT_MENU_SAVED_H
#define PVBOOT_MENU_SAVED_H

#include "core/fs/vols.h"
#include "core/menu/locate.h"

/* "(hd0)/boot/grub/default" into buf. ERR_BAD_FILENAME: the menu lies in no folder. */
struct err saved_default_path(const struct menu_file *menu, char *buf, size_t cap);

/*
 * The saved entry. ERR_FILE_NOT_FOUND: nothing was ever saved. ERR_NUMBER_PARSING: the file is
 * empty, or its first line is no number. On failure `subject` is what it is about, for err_format.
 */
struct err saved_default_read(struct vols *v, const struct menu_file *menu, struct arena *a,
                              uint32_t *entry, char *subject, size_t subject_cap);

/*
 * The entry that `default saved` means: the saved one. False, with a line on the log, when there is
 * none, or none of that number among nr_entries: then *entry is 0.
 */
bool saved_default_choose(struct vols *v, const struct menu_file *menu, uint32_t nr_entries,
                          struct arena *a, const struct log *log, uint32_t *entry);

/* Could saved_default_write save it? Whether the disk is read-only is not looked at. */
struct err saved_default_check(struct vols *v, const struct menu_file *menu, struct arena *a,
                               uint32_t entry, char *subject, size_t subject_cap);

/*
 * Save the entry: its number and a newline over the file's first bytes, in place (inplace.h says
 * when that is refused). Nothing is written when the number is there already. The file must be
 * there, hold a number, and be long enough. What was saved is one line on the log.
 */
struct err saved_default_write(struct vols *v, const struct menu_file *menu, struct arena *a,
                               uint32_t entry, const struct log *log, char *subject,
                               size_t subject_cap);

#endif
