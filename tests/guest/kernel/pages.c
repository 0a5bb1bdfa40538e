/* SPDX-License-Identifier: MIT */
/*
 * Every page of the domain. Xen keeps for each page what it is used as: a page that is still
 * someone's page table or descriptor table cannot be mapped writable, so trying it with all of them
 * finds what a loader has left behind.
 */
#include "core/base/bytes.h"
#include "tests/guest/kernel/kernel.h"

#include <xen/memory.h>

static uint8_t window[4096] __attribute__((aligned(4096)));
static uint8_t tables[PAGES_MAX / 8]; /* by pfn, a bit each */

uint64_t p2m(uint64_t pfn)
{
    return ((const xen_pfn_t *)si->mfn_list)[pfn];
}

uint64_t m2p(uint64_t mfn)
{
    return machine_to_phys_mapping[mfn];
}

bool is_table(uint64_t pfn)
{
    return pfn < PAGES_MAX && (tables[pfn / 8] >> (pfn % 8) & 1) != 0;
}

void note_table(uint64_t pfn)
{
    if (is_table(pfn))
        wrong("a page table that is used twice", pfn, 0);
    tables[pfn / 8] |= (uint8_t)(1u << (pfn % 8));
}

bool is_window(uint64_t va)
{
    return va == (uintptr_t)window;
}

void *window_open(uint64_t mfn, bool writable)
{
    uint64_t pte =
        mfn << PAGE_SHIFT | PTE_PRESENT | PTE_ACCESSED | (writable ? PTE_WRITABLE | PTE_DIRTY : 0);

    return hypercall_update_va_mapping((unsigned long)window, pte, UVMF_INVLPG) == 0 ? window
                                                                                     : NULL;
}

void window_close(void)
{
    expect("result of closing the window",
           (uint64_t)hypercall_update_va_mapping((unsigned long)window, 0, UVMF_INVLPG), 0);
}

/* May this page be written over? Not the kernel's own, nor what is still needed. */
static bool is_free(uint64_t pfn)
{
    uint64_t list = si->first_p2m_pfn;

    if (pfn < mapping.nr_pages)
        return pfn > (entry_regs.sp - (uintptr_t)virt_base) >> PAGE_SHIFT;
    return !is_table(pfn) && (list == 0 || pfn < list || pfn - list >= nr_p2m_pages());
}

static uint64_t tag_of(uint64_t pfn)
{
    return pfn * 0x9e3779b97f4a7c15u ^ 0x5bd1e995u;
}

static void check_list(void)
{
    for (uint64_t pfn = 0; pfn < si->nr_pages; pfn++) {
        uint64_t mfn = p2m(pfn);

        if (mfn == (xen_pfn_t)-1)
            wrong("a page that the list lacks", pfn, 0);
        else if (m2p(mfn) != pfn)
            wrong("the pfn that Xen has for a page", m2p(mfn), pfn);
    }
}

static void check_reservation(void)
{
    domid_t self = DOMID_SELF;
    long pages =
        hypercall2(__HYPERVISOR_memory_op, XENMEM_current_reservation, (unsigned long)&self);

    expect("pages that Xen says are the domain's", (uint64_t)pages, si->nr_pages);
}

void check_pages(void)
{
    uint64_t nr_free = 0, nr_refused = 0, nr_tables = 0;

    check_list();
    check_reservation();
    for (uint64_t pfn = 0; pfn < si->nr_pages; pfn++) {
        uint64_t *page;

        if (is_window((uintptr_t)virt_base + (pfn << PAGE_SHIFT)))
            continue;
        page = window_open(p2m(pfn), true);
        if (is_table(pfn)) {
            nr_tables++;
            if (page != NULL)
                wrong("a page table that can be mapped writable", pfn, 0);
        } else if (page == NULL) {
            nr_refused++;
            wrong("a page that cannot be mapped writable", pfn, 0);
        } else if (is_free(pfn)) {
            page[pfn % 512] = tag_of(pfn);
            nr_free++;
        }
    }
    for (uint64_t pfn = 0; pfn < si->nr_pages; pfn++) {
        const uint64_t *page;

        if (!is_free(pfn) || (page = window_open(p2m(pfn), false)) == NULL)
            continue;
        if (page[pfn % 512] != tag_of(pfn))
            wrong("what a page holds that was written before", page[pfn % 512], tag_of(pfn));
    }
    window_close();
    say("free", "", nr_free);
    say("tables", "", nr_tables);
    say("refused", "", nr_refused);
}
