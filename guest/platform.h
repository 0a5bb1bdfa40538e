/* SPDX-License-Identifier: MIT */
/*
 * What the boot story needs from the machine below it: disks, a terminal, a clock, memory, and a
 * hand-over. guest/pv implements it for Xen PV; another kind of virtual machine would implement it
 * beside, and main.c would not change.
 */
#ifndef PVBOOT_GUEST_PLATFORM_H
#define PVBOOT_GUEST_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/menu/session.h"

/* Pages for arenas. */
const struct mem_source *platform_memory(void);

/* Console, clock, memory: after this, messages are seen. `start` is what the entry code got. */
void platform_init(const void *start);

/* "Xen 4.17.5, 512 MiB": hypervisor and memory, for the banner. */
void platform_describe(struct text *t);

/* "x86_64", "i386": the first word of the GNU triplet. */
const char *platform_arch(void);

/* The command line that the machine was started with; terminated. */
const char *platform_cmdline(void);

/*
 * Connect all disks; each is given to found() in the order of their numbers. A device that does
 * not answer, or holds no disk, is one line in the log.
 */
struct err platform_disks(struct arena *a, const struct log *log,
                          struct err (*found)(void *ctx, struct disk *d), void *ctx);

void platform_put(const char *s, size_t len);

/* The next byte typed, waiting at most timeout_ms; -1 when there was none. */
int platform_get(uint32_t timeout_ms);

/* Load and start what the request names. Returns only when that failed, with everything undone. */
struct err platform_boot(struct boot_request *req, const struct log *log, char *subject,
                         size_t subject_cap);

/* Power off, or start again. */
_Noreturn void platform_power(enum session_power how);

void platform_memory_size(uint64_t *total_bytes, uint64_t *free_bytes);

/* A number that is another one each time: of clocks, not of chance. */
uint64_t platform_seed(void);

/* The machine stops, as crashed: nothing could be booted. */
_Noreturn void platform_give_up(void);

#endif
