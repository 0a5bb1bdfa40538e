/* SPDX-License-Identifier: MIT */
/*
 * The passage: the last instructions of pvboot. They run from a page that both worlds map at the
 * same address, switch the page tables, let go of the old ones, and jump.
 *
 * In:  rdi = two struct mmuext_op (new base pointer, unpin), in this page
 *      rsi = a struct sched_shutdown with reason crash, in this page
 *      rdx = entry, rcx = stack top, r8 = start_info, r9 = this code's address in the page
 * No stack is used: the old one is gone after the first operation.
 */
#define __ASSEMBLY__
#include <xen/xen.h>

/* Not for assemblers in Xen's header; handover.c asserts both. */
#define PASSAGE_SCHEDOP_SHUTDOWN 2
#define PASSAGE_DATA_BYTES       2048

        .text
        .globl  passage_jump
passage_jump:
        cld
        movq    %rdi, %rbx
        movq    %rsi, %rbp
        movq    %rdx, %r12
        movq    %rcx, %r13
        movq    %r8, %r14
        jmp     *%r9

        .globl  passage_code, passage_code_end
passage_code:
        movl    $__HYPERVISOR_mmuext_op, %eax
        movl    $2, %esi
        xorl    %edx, %edx
        movl    $DOMID_SELF, %r10d
        syscall
        testq   %rax, %rax
        jnz     1f

        movq    %rbx, %rdi
        movl    $PASSAGE_DATA_BYTES, %ecx
        rep stosb

        movq    %r13, %rsp
        movq    %r14, %rsi
        pushq   %r12
        xorl    %ebx, %ebx
        xorl    %ecx, %ecx
        xorl    %edx, %edx
        xorl    %edi, %edi
        xorl    %ebp, %ebp
        xorl    %r8d, %r8d
        xorl    %r9d, %r9d
        xorl    %r10d, %r10d
        xorl    %r11d, %r11d
        xorl    %r12d, %r12d
        xorl    %r13d, %r13d
        xorl    %r14d, %r14d
        xorl    %r15d, %r15d
        ret

1:      movl    $__HYPERVISOR_sched_op, %eax
        movl    $PASSAGE_SCHEDOP_SHUTDOWN, %edi
        movq    %rbp, %rsi
        syscall
        ud2
passage_code_end:

        .section .note.GNU-stack, "", @progbits
