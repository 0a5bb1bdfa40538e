/* SPDX-License-Identifier: MIT */
/* The 64-bit half of arch.h: the canary lies at %fs:0x28. */
#include "guest/pv/arch.h"

#include "guest/panic.h"
#include "guest/pv/pv.h"

static uint64_t thread_block[8] __attribute__((aligned(64)));

static void set_fs_base(unsigned long base)
{
    if (hypercall_set_segment_base(SEGBASE_FS, base) != 0)
        guest_panic("setting the FS base failed", base, 0);
}

void arch_canary_init(void)
{
    thread_block[5] = 0x5ca1ab1e0ff1ce00;
    set_fs_base((unsigned long)thread_block);
}

void arch_canary_fini(void)
{
    set_fs_base(0);
}

bool arch_top_fits(mfn_t frame, const struct xen_notes *notes)
{
    (void)frame;
    (void)notes;
    return true;
}

void arch_reset(const struct xen_notes *notes)
{
    (void)notes;
    if (hypercall_set_callbacks(0, 0, 0) != 0)
        guest_panic("removing the callbacks failed", 0, 0);
}
