/* SPDX-License-Identifier: MIT */
/*
 * The boot loader of the guest itself, for a machine without a menu: Xen's protocol for PV boot
 * loaders (docs/misc/x86-xenpv-bootloader in Xen's source). A first stage, which the host provides,
 * starts /boot/xen/pvboot-ARCH.elf of the guest's disks, else /xen/pvboot-ARCH.elf where /boot is a
 * file system of its own.
 */
#ifndef PVBOOT_MENU_CHAIN_H
#define PVBOOT_MENU_CHAIN_H

#include "core/fs/vols.h"

/*
 * A word on the command line of what is started so, behind the words that we were started with. Our
 * own image may lie there, and would find no menu either: with the word it knows, and stops.
 */
#define CHAIN_MARK "pvboot.chained"

/* Open the first such file. False: there is none. name: in full; cap of FS_PATH_MAX always does. */
bool chain_find(struct vols *v, const char *arch, struct arena *a, struct file *out, char *name,
                size_t cap);

#endif
