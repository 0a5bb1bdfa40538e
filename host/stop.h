/* SPDX-License-Identifier: MIT */
/* Long work that shall end early is told so by a flag, from a signal handler or another thread. */
#ifndef PVBOOT_HOST_STOP_H
#define PVBOOT_HOST_STOP_H

#include <stdatomic.h>

#if ATOMIC_INT_LOCK_FREE != 2
#error "a signal handler may only use atomics without a lock"
#endif

/* Not 0: give up, and leave nothing half-made. */
typedef atomic_int stop_flag;

#endif
