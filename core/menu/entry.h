/* SPDX-License-Identifier: MIT */
/* The commands of an entry, for the table in commands.c. */
#ifndef PVBOOT_MENU_ENTRY_H
#define PVBOOT_MENU_ENTRY_H

#include "core/menu/commands.h"

struct err entry_root(struct shell *sh, const char *args);
struct err entry_rootnoverify(struct shell *sh, const char *args);
struct err entry_kernel(struct shell *sh, const char *args);
struct err entry_initrd(struct shell *sh, const char *args);
struct err entry_boot(struct shell *sh, const char *args);

#endif
