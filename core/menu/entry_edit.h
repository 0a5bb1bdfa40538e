/* SPDX-License-Identifier: MIT */
/*
 * Changing an entry before it boots, for this once: the keys `e' and `a' of the menu. The menu
 * itself, in memory and on the disk, stays as it is.
 */
#ifndef PVBOOT_MENU_ENTRY_EDIT_H
#define PVBOOT_MENU_ENTRY_EDIT_H

#include "core/menu/cmdline.h"

#define ENTRY_LINES_MAX ((uint32_t)512) /* of an entry that is edited */

/* The list of the entry's lines: change, add, remove, boot; ESC gives up. */
enum console_end entry_edit(struct session *s, uint32_t n);

/* The arguments of the entry's kernel, as one line; Enter boots. */
enum console_end entry_edit_arguments(struct session *s, uint32_t n);

#endif
