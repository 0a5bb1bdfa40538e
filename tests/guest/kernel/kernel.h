/* SPDX-License-Identifier: MIT */
/* What the files of the test kernel share. README.md says what it is. */
#ifndef PVBOOT_TESTS_KERNEL_H
#define PVBOOT_TESTS_KERNEL_H

#include <stdbool.h>

#include "guest/xen/hypercall.h"

/* mk/rig.mk says what the kernel is; unless told it is the plain one. */
#ifndef KERNEL_LINUX
#define KERNEL_LINUX  0 /* its notes are like Linux's */
#define KERNEL_P2M    0 /* where it wants the P2M list; 0: in the initial mapping */
#define KERNEL_BY_PFN 0 /* the initrd lies by pfn, unmapped */
#endif

#define PAGE_SHIFT 12
#define PAGE_BYTES ((size_t)4096)
#define PAGES_MAX  ((uint64_t)1 << 21) /* 8 GiB: what the tables here have room for */

#define PTE_PRESENT  ((uint64_t)1)
#define PTE_WRITABLE ((uint64_t)2)
#define PTE_ACCESSED ((uint64_t)0x20)
#define PTE_DIRTY    ((uint64_t)0x40)
#define PTE_LARGE    ((uint64_t)0x80)
#define PTE_GLOBAL   ((uint64_t)0x100)
#define PTE_NX       ((uint64_t)1 << 63)
#define PTE_MFN(e)   (((e)&0x000ffffffffff000) >> PAGE_SHIFT)

#ifdef __x86_64__
#define KERNEL_WIDTH 64
#define LEVELS       4
#define GUEST_MAGIC  "xen-3.0-x86_64"
#else
#define KERNEL_WIDTH 32
#define LEVELS       3
#define GUEST_MAGIC  "xen-3.0-x86_32p"
#endif

/* In the order in which start-*.S stores them. */
struct entry_regs {
    unsigned long ax, bx, cx, dx, si, di, bp, sp, flags; /* ax: or-ed with r8 to r15 */
};

/* What tables.c finds and others need. */
struct mapping {
    uint64_t nr_pages;  /* of the initial mapping, from virt_base on */
    uint64_t nr_tables; /* that the initial mapping is made of */
};

extern struct entry_regs entry_regs;
extern uint16_t entry_selectors[5]; /* ds, es, fs, gs, ss */
extern char virt_base[], image_start[], image_end[];

extern const struct start_info *si;
extern struct mapping mapping;

/* report.c: lines on the console. */
void report_init(void);
void say(const char *key, const char *text, uint64_t number);
void wrong(const char *what, uint64_t got, uint64_t wanted);
void expect(const char *what, uint64_t got, uint64_t wanted);
unsigned nr_wrong(void);
_Noreturn void stop(unsigned reason);

/* pages.c */
uint64_t p2m(uint64_t pfn);
uint64_t m2p(uint64_t mfn);
bool is_table(uint64_t pfn);
void note_table(uint64_t pfn);
/* Show a frame in the window; NULL when Xen refuses. window_close() hides it again. */
void *window_open(uint64_t mfn, bool writable);
void window_close(void);
bool is_window(uint64_t va);
void check_pages(void);

/* tables.c */
void check_tables(void);

/* info.c */
void check_registers(void);
void check_start_info(void);
void check_layout(void); /* after check_tables */
void check_initrd(void);
void check_symbols(void);
uint64_t after_image(void); /* the first pfn behind the kernel's own */
uint64_t nr_initrd_pages(void);
uint64_t nr_p2m_pages(void);
bool argument(const char *name, uint64_t *value, uint64_t *second);

/* left.c */
void check_left_over(void);

#endif
