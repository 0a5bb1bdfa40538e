/* SPDX-License-Identifier: MIT */
/* Entry, traps and notes, 64 bit. The registers go to entry_regs in the order of kernel.h. */
#define __ASSEMBLY__
#include <xen/xen.h>
#include "guest/pv/entry.inc"

        .section .start, "ax"
        .globl  _start
_start:
        movq    %rax, entry_regs+0(%rip)
        movq    %rbx, entry_regs+8(%rip)
        movq    %rcx, entry_regs+16(%rip)
        movq    %rdx, entry_regs+24(%rip)
        movq    %rsi, entry_regs+32(%rip)
        movq    %rdi, entry_regs+40(%rip)
        movq    %rbp, entry_regs+48(%rip)
        movq    %rsp, entry_regs+56(%rip)
        leaq    own_stack_top(%rip), %rsp
        pushfq
        popq    entry_regs+64(%rip)
        movw    %ds, entry_selectors+0(%rip)
        movw    %es, entry_selectors+2(%rip)
        movw    %fs, entry_selectors+4(%rip)
        movw    %gs, entry_selectors+6(%rip)
        movw    %ss, entry_selectors+8(%rip)
        orq     %r8, %rax
        orq     %r9, %rax
        orq     %r10, %rax
        orq     %r11, %rax
        orq     %r12, %rax
        orq     %r13, %rax
        orq     %r14, %rax
        orq     %r15, %rax
        movq    %rax, entry_regs+0(%rip)
        cld
        xorl    %ebp, %ebp
        movq    %rsi, %rdi
        call    kernel_main
        ud2

        .balign 4096
        .globl  hypercall_page
hypercall_page:
        .skip   4096

/* Xen pushes rcx and r11, maybe an error code, rip and more. */
.macro TRAP vector
        .globl  trap_\vector
trap_\vector:
        pushq   $\vector
        jmp     trap_common
.endm
        .irp    v, 0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 16, 17, 18, 19
        TRAP    \v
        .endr
trap_common:
        movq    %rsp, %rdi
        andq    $-16, %rsp
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
        XEN_NOTE XEN_ELFNOTE_VIRT_BASE,      .quad virt_base
        XEN_NOTE XEN_ELFNOTE_ENTRY,          .quad _start
        XEN_NOTE XEN_ELFNOTE_HYPERCALL_PAGE, .quad hypercall_page
        XEN_NOTE XEN_ELFNOTE_PAE_MODE,       .asciz "yes"
#if KERNEL_LINUX
        XEN_NOTE XEN_ELFNOTE_INIT_P2M,       .quad KERNEL_P2M
        XEN_NOTE XEN_ELFNOTE_MOD_START_PFN,  .quad 1
#endif

        .section .note.GNU-stack, "", @progbits
