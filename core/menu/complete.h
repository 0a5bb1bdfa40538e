/* SPDX-License-Identifier: MIT */
/*
 * What TAB does on the command line: the first word becomes a command, any other a device or the
 * name of a file. What all candidates have in common is put into the line; several are listed.
 *
 *     ke<TAB>              kernel
 *     root (<TAB>          (hd0) (hd0,0) (hd1) (lvm/vg-root) (md/0)
 *     kernel /boot/vm<TAB> /boot/vmlinuz-6.1 on the root device
 *
 * Candidates are sorted by their bytes. A name that cannot stand in a line, because it has a space
 * or what is no text, goes in as far as it can, and a sentence shows the whole of it.
 */
#ifndef PVBOOT_MENU_COMPLETE_H
#define PVBOOT_MENU_COMPLETE_H

#include "core/fs/vols.h"
#include "core/menu/edit.h"
#include "core/menu/pager.h"

#define COMPLETE_LIST_MAX ((uint32_t)200)     /* names that are listed; the rest is counted */
#define COMPLETE_READ_MAX ((uint32_t)1000000) /* names of one directory that are looked at */

struct completer {
    struct pager *pager;
    struct vols *vols;
    struct vol_id root; /* where names without a device are looked for */
};

/* For edit_options.complete; ctx is a struct completer. */
void complete_line(void *ctx, const char *line, size_t len, struct edit_tab *tab);

#endif
