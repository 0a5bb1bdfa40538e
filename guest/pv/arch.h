/* SPDX-License-Identifier: MIT */
/*
 * What depends on the width of the guest. Each width has a header (constants, the trap frame) and a
 * file of functions, of the same names; nothing else in guest/pv asks how wide it is. Private to
 * guest/pv.
 */
#ifndef PVBOOT_PV_ARCH_H
#define PVBOOT_PV_ARCH_H

#include "core/image/image.h"
#include "guest/mm.h"
#include "guest/xen/hypercall.h"

#if defined(__x86_64__)
#include "guest/pv/arch_x86_64.h"
#else
#include "guest/pv/arch_i386.h"
#endif

/*
 * The decompression libraries are compiled with stack protection: they read a canary through a
 * segment register. Make it readable; give back what that took.
 */
void arch_canary_init(void);
void arch_canary_fini(void);

/* Can the top page table of a kernel with these notes lie in this frame? */
bool arch_top_fits(mfn_t frame, const struct xen_notes *notes);

/*
 * Processor state that the domain builder would have left and that is not common to both widths,
 * for a kernel with these notes.
 */
void arch_reset(const struct xen_notes *notes);

#endif
