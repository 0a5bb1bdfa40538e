/* SPDX-License-Identifier: MIT */
/*
 * What guest/pv knows about its own domain: start_info, the P2M list, the initial mapping. Private
 * to guest/pv.
 *
 * Words: a pfn is the guest's own page number, an mfn the machine's. Under PV the page tables hold
 * mfns, and which mfn stands behind which pfn is the guest's to choose.
 */
#ifndef PVBOOT_PV_PV_H
#define PVBOOT_PV_PV_H

#include "guest/mm.h"
#include "guest/pv/arch.h"

#define PTE_PRESENT     ((uint64_t)1)
#define PTE_ADDRESS     ((uint64_t)0x000ffffffffff000)
#define PTE_RO_FLAGS    ((uint64_t)0x25) /* present, user, accessed */
#define PTE_RW_FLAGS    ((uint64_t)0x67) /* present, writable, user, accessed, dirty */
#define PTE_TABLE_FLAGS ((uint64_t)0x67)

#define PFN_ANYWHERE UINT64_MAX

/* The linker script's pvboot_virt_base: pfn N of the initial mapping lies at base + N * 4096. */
extern char pvboot_virt_base[], image_end[], boot_stack[];
#define PV_VIRT_BASE ((uint64_t)(uintptr_t)pvboot_virt_base)

/* Addresses are computed with in 64 bits, whatever the width. */
static inline uint64_t va_of(const void *p)
{
    return (uintptr_t)p;
}

static inline void *at_va(uint64_t va)
{
    return (void *)(uintptr_t)va;
}

/* Keep start_info; the first call of all. */
void pv_init(const struct start_info *si);
const struct start_info *pv_start_info(void);

/* The page that Xen shares with the domain, once platform.c has mapped it; NULL before. */
struct shared_info *pv_shared_info(void);
void pv_set_shared_info(struct shared_info *shared);

mfn_t pv_pfn_to_mfn(pfn_t pfn);
pfn_t pv_mfn_to_pfn(mfn_t mfn); /* Xen's machine-to-physical table */

/* The tables of the initial mapping, top level first. */
const uint64_t *pv_boot_top(void);

/* First pfn that neither image, P2M, page tables nor boot stack occupy. */
pfn_t pv_boot_end(void);
/* First pfn that the initial mapping does not map. */
pfn_t pv_boot_mapped_end(void);

/* Where the initial mapping shows the page of this pfn, or NULL when it does not. */
void *pv_boot_address(pfn_t pfn);

/* Where the initial mapping shows this frame, if it is a page table of the initial mapping. */
const uint64_t *pv_boot_frame(mfn_t mfn);

/* Page tables, for the hand-over. */
void pv_write_table(mfn_t page, const uint64_t *entries);
void pv_set_entry(mfn_t table, unsigned index, uint64_t value);
void pv_map_one(uint64_t va, mfn_t frame);
unsigned pv_nr_own_tables(void);
unsigned pv_own_tables(pfn_t *out, unsigned max);

/* Addresses of mm_alloc and mm_map_frames lie in [start, end). */
void mm_addresses(uint64_t *start, uint64_t *end);

/* Unmap a region but keep its pages: they become page tables or belong to the next kernel. */
void mm_unmap_keep(void *p);

/* Install the trap handlers, which report and crash; or none, for the hand-over. */
void traps_init(void);
void traps_remove(void);

#endif
