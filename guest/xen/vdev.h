/* SPDX-License-Identifier: MIT */
/*
 * Virtual device numbers and the names that Linux gives the devices: 51712 = xvda, 51713 = xvda1,
 * 2048 = sda, 2064 = sdb, 768 = hda, (1 << 28 | 16 << 8) = xvdq. Source: xen-vbd-interface(7), and
 * Linux's list of major numbers for the further SCSI and IDE disks.
 */
#ifndef PVBOOT_XEN_VDEV_H
#define PVBOOT_XEN_VDEV_H

#include <stdint.h>

#include "core/base/text.h"

/* Append the name; "vbd 12345" for a number that means nothing to Linux. */
void vdev_name(uint64_t vdev, struct text *t);

#endif
