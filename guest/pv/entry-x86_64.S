/* SPDX-License-Identifier: MIT */
/*
 * Where Xen starts us (64-bit PV), the hypercall page, Xen's notes, and the trap entries.
 *
 * At entry: rsi = start_info, flat segments, the initial mapping from pvboot_virt_base upwards,
 * upcalls masked. Source: xen/include/public/arch-x86/xen.h, xen/include/public/elfnote.h.
 */
#define __ASSEMBLY__
#include <xen/xen.h>
#include "guest/pv/entry.inc"

        .section .start, "ax"
        .globl  _start
_start:
        cld
        leaq    boot_stack_top(%rip), %rsp
        xorl    %ebp, %ebp
        movq    %rsi, %rdi
        call    guest_start
        ud2

        HYPERCALL_PAGE
        BOOT_STACK

/*
 * Traps. Xen pushes rcx and r11 on top of what a processor would push. Each stub gives the frame
 * the same shape: vector and error code, then all registers.
 */
        .text
.macro TRAP vector, has_code
        .balign 16
        .globl  trap_\vector
trap_\vector:
        popq    %rcx
        popq    %r11
  .if \has_code == 0
        pushq   $0
  .endif
        pushq   $\vector
        jmp     trap_common
.endm

        TRAP    0, 0
        TRAP    1, 0
        TRAP    2, 0
        TRAP    3, 0
        TRAP    4, 0
        TRAP    5, 0
        TRAP    6, 0
        TRAP    7, 0
        TRAP    10, 1
        TRAP    11, 1
        TRAP    12, 1
        TRAP    13, 1
        TRAP    14, 1
        TRAP    16, 0
        TRAP    17, 1
        TRAP    18, 0
        TRAP    19, 0

trap_common:
        pushq   %rax
        pushq   %rbx
        pushq   %rcx
        pushq   %rdx
        pushq   %rsi
        pushq   %rdi
        pushq   %rbp
        pushq   %r8
        pushq   %r9
        pushq   %r10
        pushq   %r11
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        movq    %rsp, %rdi
        cld
        andq    $-16, %rsp
        call    trap_report
        ud2

        .section .note.Xen, "a", @note
        XEN_NOTE XEN_ELFNOTE_GUEST_OS,       .asciz "pvboot"
        XEN_NOTE XEN_ELFNOTE_LOADER,         .asciz "generic"
        XEN_NOTE XEN_ELFNOTE_XEN_VERSION,    .asciz "xen-3.0"
        XEN_NOTE XEN_ELFNOTE_VIRT_BASE,      .quad pvboot_virt_base
        XEN_NOTE XEN_ELFNOTE_PADDR_OFFSET,   .quad pvboot_virt_base
        XEN_NOTE XEN_ELFNOTE_ENTRY,          .quad _start
        XEN_NOTE XEN_ELFNOTE_HYPERCALL_PAGE, .quad hypercall_page
        XEN_NOTE XEN_ELFNOTE_PAE_MODE,       .asciz "yes"
        XEN_NOTE XEN_ELFNOTE_FEATURES,       .asciz "pae_pgdir_above_4gb"
        XEN_NOTE XEN_ELFNOTE_L1_MFN_VALID,   .quad 1, 1

        .section .note.GNU-stack, "", @progbits
