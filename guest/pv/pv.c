/* SPDX-License-Identifier: MIT */
/* What start_info says about this domain, and where the builder's initial mapping ends. */
#include "guest/pv/pv.h"

#include "core/base/bytes.h"
#include "guest/panic.h"

static const struct start_info *info;
static struct shared_info *shared_info;
static pfn_t boot_end, boot_mapped_end;

const struct start_info *pv_start_info(void)
{
    return info;
}

struct shared_info *pv_shared_info(void)
{
    return shared_info;
}

void pv_set_shared_info(struct shared_info *shared)
{
    shared_info = shared;
}

mfn_t pv_pfn_to_mfn(pfn_t pfn)
{
    if (pfn >= info->nr_pages)
        guest_panic("a page number past the end of memory", pfn, info->nr_pages);
    return ((const xen_pfn_t *)info->mfn_list)[pfn];
}

pfn_t pv_mfn_to_pfn(mfn_t mfn)
{
    return machine_to_phys_mapping[mfn];
}

pfn_t pv_boot_end(void)
{
    return boot_end;
}

pfn_t pv_boot_mapped_end(void)
{
    return boot_mapped_end;
}

const uint64_t *pv_boot_top(void)
{
    return (const uint64_t *)info->pt_base;
}

const uint64_t *pv_boot_frame(mfn_t mfn)
{
    for (size_t i = 0; i < info->nr_pt_frames; i++) {
        const char *va = (const char *)pv_boot_top() + i * PAGE_BYTES;

        if (mm_virt_to_mfn(va) == mfn)
            return (const uint64_t *)va;
    }
    return NULL;
}

/* pfn after the object at va, when it lies in the initial mapping. */
static pfn_t end_of(uint64_t va, uint64_t nr_bytes)
{
    return va >= PV_VIRT_BASE ? (va - PV_VIRT_BASE + nr_bytes + PAGE_BYTES - 1) >> PAGE_SHIFT : 0;
}

static pfn_t later(pfn_t a, pfn_t b)
{
    return a > b ? a : b;
}

/* The level-1 entry of the initial mapping for this pfn's address; 0 when there is none. */
static uint64_t boot_entry(pfn_t pfn)
{
    uint64_t va = PV_VIRT_BASE + (pfn << PAGE_SHIFT);
    const uint64_t *table = pv_boot_top();

    for (unsigned level = ARCH_LEVELS; level >= 1; level--) {
        uint64_t entry = table[(va >> (12 + 9 * (level - 1))) & 511];

        if (!(entry & PTE_PRESENT) || level == 1)
            return entry & PTE_PRESENT ? entry : 0;
        table = pv_boot_frame((entry & PTE_ADDRESS) >> PAGE_SHIFT);
        if (table == NULL)
            return 0;
    }
    return 0;
}

void *pv_boot_address(pfn_t pfn)
{
    return pfn < boot_mapped_end && boot_entry(pfn) != 0 ? at_va(PV_VIRT_BASE + (pfn << PAGE_SHIFT))
                                                         : NULL;
}

void pv_init(const struct start_info *si)
{
    info = si;
    boot_end = end_of(va_of(image_end), 0);
    boot_end = later(boot_end, end_of(va_of(si), sizeof(*si)));
    boot_end = later(boot_end, end_of(si->mfn_list, si->nr_pages * sizeof(xen_pfn_t)));
    /* The boot stack is the page behind the page tables. */
    boot_end = later(boot_end, end_of(si->pt_base, (si->nr_pt_frames + 1) * PAGE_BYTES));
    if (si->mod_len != 0 && !(si->flags & SIF_MOD_START_PFN))
        boot_end = later(boot_end, end_of(si->mod_start, si->mod_len));
    boot_end = later(boot_end, pv_mfn_to_pfn(si->console.domU.mfn) + 1);
    boot_end = later(boot_end, pv_mfn_to_pfn(si->store_mfn) + 1);
    boot_mapped_end = boot_end;
    while (boot_mapped_end < si->nr_pages && boot_entry(boot_mapped_end) != 0)
        boot_mapped_end++;
}
