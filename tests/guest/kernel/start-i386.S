/* SPDX-License-Identifier: MIT */
/* Entry, traps and notes, 32 bit. The registers go to entry_regs in the order of kernel.h. */
#define __ASSEMBLY__
#include <xen/xen.h>
#include "guest/pv/entry.inc"

        .section .start, "ax"
        .globl  _start
_start:
        movl    %eax, entry_regs+0
        movl    %ebx, entry_regs+4
        movl    %ecx, entry_regs+8
        movl    %edx, entry_regs+12
        movl    %esi, entry_regs+16
        movl    %edi, entry_regs+20
        movl    %ebp, entry_regs+24
        movl    %esp, entry_regs+28
        movw    %ds, entry_selectors+0
        movw    %es, entry_selectors+2
        movw    %fs, entry_selectors+4
        movw    %gs, entry_selectors+6
        movw    %ss, entry_selectors+8
        movl    $own_stack_top, %esp
        pushfl
        popl    entry_regs+32
        cld
        xorl    %ebp, %ebp
        subl    $12, %esp
        pushl   %esi
        call    kernel_main
        ud2

        .balign 4096
        .globl  hypercall_page
hypercall_page:
        .skip   4096

/* Xen pushes maybe an error code, eip and more. */
.macro TRAP vector
        .globl  trap_\vector
trap_\vector:
        pushl   $\vector
        jmp     trap_common
.endm
        .irp    v, 0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 16, 17, 18, 19
        TRAP    \v
        .endr
trap_common:
        movl    %esp, %eax
        andl    $-16, %esp
        subl    $12, %esp
        pushl   %eax
        call    trap_seen
        ud2

        .section .bss
        .balign 4096
        .skip   32768
own_stack_top:

        .section .note.Xen, "a", @note
        XEN_NOTE XEN_ELFNOTE_GUEST_OS,       .asciz "pvboot-test"
        XEN_NOTE XEN_ELFNOTE_LOADER,         .asciz "generic"
        XEN_NOTE XEN_ELFNOTE_XEN_VERSION,    .asciz "xen-3.0"
        XEN_NOTE XEN_ELFNOTE_VIRT_BASE,      .long virt_base
        XEN_NOTE XEN_ELFNOTE_ENTRY,          .long _start
        XEN_NOTE XEN_ELFNOTE_HYPERCALL_PAGE, .long hypercall_page
        XEN_NOTE XEN_ELFNOTE_PAE_MODE,       .asciz KERNEL_PAE_MODE

        .section .note.GNU-stack, "", @progbits
