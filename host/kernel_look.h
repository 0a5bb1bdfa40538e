/* SPDX-License-Identifier: MIT */
/*
 * Is it a kernel that a Xen PV guest can start? With the code that starts it, behind the fence: for
 * images that are a kernel themselves.
 */
#ifndef PVBOOT_HOST_KERNEL_LOOK_H
#define PVBOOT_HOST_KERNEL_LOOK_H

#include <stdbool.h>

#include "host/aki.h"

/*
 * Can a guest of that width start what is in the file or on the block device? Of `out` boots,
 * narrow and the reason are set. False: it could not be looked at, the sentence was written.
 */
bool kernel_look(int fd, bool narrow, struct aki_image *out);

#endif
