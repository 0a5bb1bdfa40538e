/* SPDX-License-Identifier: MIT */
#ifndef PVBOOT_HOST_MEMORY_H
#define PVBOOT_HOST_MEMORY_H

#include "core/base/arena.h"

/* Memory of host commands' arenas: page-aligned, from malloc. */
extern const struct mem_source host_memory;

#endif
