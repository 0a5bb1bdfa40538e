/* SPDX-License-Identifier: MIT */
/*
 * What libraries want done before they are used: 64-bit liblzma chooses its CRC-64 by what the
 * processor has, and calls it by a pointer that is NULL until then.
 */
#include "guest/libc/constructors.h"

typedef void constructor(void);

/* image-*.lds */
extern constructor *const constructors_start[], *const constructors_end[];

void run_constructors(void)
{
    for (constructor *const *c = constructors_start; c < constructors_end; c++)
        (*c)();
}
