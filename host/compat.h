/* SPDX-License-Identifier: MIT */
/*
 * What the bytes of a kernel and its configuration tell about whether it gets on with Xen. Pure
 * functions of bytes; inspect_compat.c makes findings of them.
 */
#ifndef PVBOOT_HOST_COMPAT_H
#define PVBOOT_HOST_COMPAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/arena.h"

#define COMPAT_RELEASE_MAX 64
#define COMPAT_CONFIG_MAX  ((size_t)4 << 20) /* of a configuration, unpacked */

/* Linux's release, "6.1.0-56-amd64", by its banner in the loaded kernel. False: there is none. */
bool compat_release(const uint8_t *kernel, size_t len, char out[COMPAT_RELEASE_MAX]);

/* 2.6.32 as 2 << 16 | 6 << 8 | 32; 0: no such number at its beginning. */
uint32_t compat_version(const char *release);
#define COMPAT_VERSION(a, b, c) ((uint32_t)(a) << 16 | (uint32_t)(b) << 8 | (uint32_t)(c))

/*
 * How a pv-ops kernel for Xen sets CR4: the code of xen_write_cr4 (arch/x86/xen/enlighten.c) of
 * 2.6.32 to 2.6.35, which clears PGE and PSE, and with Amazon's patch OSXSAVE as well.
 */
enum compat_cr4 {
    CR4_NOT_SEEN,      /* no such code */
    CR4_SETS_OSXSAVE,  /* as it was */
    CR4_CLEARS_OSXSAVE /* with the patch */
};
enum compat_cr4 compat_cr4(const uint8_t *kernel, size_t len);

enum compat_value { CONFIG_UNKNOWN, CONFIG_NO, CONFIG_MODULE, CONFIG_YES };

/* The value of an option ("CONFIG_XEN_PV") in a configuration; what it does not name is NO. */
enum compat_value compat_config(const char *text, size_t len, const char *option);

/* The number that stands behind it ("CONFIG_XEN_COMPAT=0x030002"); 0: none. */
uint32_t compat_config_number(const char *text, size_t len, const char *option);

/* Is it the text of a kernel's configuration at all? */
bool compat_is_config(const char *text, size_t len);

/*
 * The configuration that lies in a kernel with CONFIG_IKCONFIG, unpacked into the arena; NULL:
 * there is none, or none that can be unpacked.
 */
const char *compat_built_in_config(const uint8_t *kernel, size_t len, struct arena *a,
                                   size_t *config_len);

#endif
