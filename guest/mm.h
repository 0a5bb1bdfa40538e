/* SPDX-License-Identifier: MIT */
/*
 * Memory of the mini-OS: which pseudo-physical pages are ours, and where they are mapped.
 *
 * Every pfn of the domain is free until it is allocated here, except what the domain builder put
 * into the initial mapping. Allocations have a part of the address space of their own; pages are
 * mapped in chunks of whole level-1 tables, which Xen validates in one go.
 */
#ifndef PVBOOT_GUEST_MM_H
#define PVBOOT_GUEST_MM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SHIFT 12
#define PAGE_BYTES ((size_t)4096)

typedef uint64_t pfn_t;
typedef uint64_t mfn_t;

/* Called once, after pv_init and before anything is allocated. */
void mm_init(void);

/*
 * nr_pages pages, mapped read-write at contiguous virtual addresses, contents undefined (Xen has
 * scrubbed them when the domain was made, but they may be re-used). NULL when there are not that
 * many. Pages come from the top of memory.
 */
void *mm_alloc(size_t nr_pages);

/* The same, from pfn `first` upwards where these are free, elsewhere where they are not. */
void *mm_alloc_near(size_t nr_pages, pfn_t first);

/* Give back exactly what mm_alloc returned (p and nr_pages). */
void mm_free(void *p, size_t nr_pages);

/* The frames behind a mapped address of ours (the image's own or of mm_alloc). Fast: no hypercall.
 */
mfn_t mm_virt_to_mfn(const void *va);
pfn_t mm_virt_to_pfn(const void *va);

/* Map foreign frames (shared info, grant table) at contiguous addresses, read-write; NULL: failed.
 */
void *mm_map_frames(const mfn_t *mfns, size_t nr);
void mm_unmap_frames(void *va, size_t nr);

/* Pages that could still be allocated. */
uint64_t mm_nr_free(void);
uint64_t mm_nr_total(void);

#endif
