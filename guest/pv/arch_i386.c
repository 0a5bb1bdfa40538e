/* SPDX-License-Identifier: MIT */
/*
 * The 32-bit half of arch.h. The canary lies at %gs:0x14, and a segment that does not begin at 0
 * needs a descriptor: a table of one page is handed to Xen, which takes it only while no writable
 * mapping of it is left, and taken back before the kernel starts.
 */
#include "guest/pv/arch.h"

#include <string.h>

#include "guest/panic.h"
#include "guest/pv/pv.h"

#define GDT_ENTRIES      512
#define GDT_THREAD       1
#define SELECTOR(n, rpl) ((uint32_t)((n) << 3 | (rpl)))
#define KERNEL_RING      1 /* of a 32-bit PV kernel */

/* Present, ring 1, data, writable, accessed; 32 bits; a limit in bytes. */
#define DATA_ACCESS ((uint64_t)0xb3 << 40)
#define DATA_32_BIT ((uint64_t)1 << 54)

static uint32_t thread_block[16] __attribute__((aligned(64)));
static uint64_t gdt[GDT_ENTRIES] __attribute__((aligned(4096)));

static void map_gdt(uint64_t flags)
{
    uint64_t pte = mm_virt_to_mfn(gdt) << PAGE_SHIFT | flags;

    if (hypercall_update_va_mapping((unsigned long)gdt, pte, UVMF_INVLPG) != 0)
        guest_panic("mapping the descriptor table failed", pte, 0);
}

static void load_gs(uint32_t selector)
{
    __asm__ volatile("movl %0, %%gs" : : "r"(selector) : "memory");
}

void arch_canary_init(void)
{
    uint64_t base = (uintptr_t)thread_block;
    unsigned long frame = (unsigned long)mm_virt_to_mfn(gdt);

    thread_block[5] = 0x0ff1ce00;
    gdt[GDT_THREAD] = (sizeof(thread_block) - 1) | (base & 0xffffff) << 16 | DATA_ACCESS |
                      DATA_32_BIT | (base >> 24) << 56;
    map_gdt(PTE_RO_FLAGS);
    if (hypercall_set_gdt(&frame, GDT_ENTRIES) != 0)
        guest_panic("Xen did not take the descriptor table", frame, 0);
    load_gs(SELECTOR(GDT_THREAD, KERNEL_RING));
}

void arch_canary_fini(void)
{
    load_gs(FLAT_KERNEL_DS);
    if (hypercall_set_gdt(NULL, 0) != 0)
        guest_panic("Xen did not give the descriptor table back", 0, 0);
    map_gdt(PTE_RW_FLAGS);
}

/*
 * Xen lets a guest say whether it understands a top page table above 4 GiB, in the format that 32
 * bits of cr3 have room for. The image does (PAE_MODE in entry-i386.S). As Xen's domain builder has
 * it, so does any kernel with a PAE_MODE note; of those with a __xen_guest section only one that
 * says so.
 */
static bool extended_cr3(const struct xen_notes *notes)
{
    return !notes->guest_section || strstr(notes->pae_mode, "extended-cr3") != NULL;
}

bool arch_top_fits(mfn_t frame, const struct xen_notes *notes)
{
    return extended_cr3(notes) || frame <= UINT32_MAX >> PAGE_SHIFT;
}

void arch_reset(const struct xen_notes *notes)
{
    unsigned cmd = extended_cr3(notes) ? VMASST_CMD_enable : VMASST_CMD_disable;
    long rc = hypercall_vm_assist(cmd, VMASST_TYPE_pae_extended_cr3);

    if (rc != 0)
        guest_panic("choosing the format of cr3 failed", cmd, (uint64_t)-rc);
}
