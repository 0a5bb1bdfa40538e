/* SPDX-License-Identifier: MIT */
/*
 * The passage: the last instructions of pvboot. They run from a page that both worlds map at the
 * same address, switch the page tables, let go of the old ones, and jump.
 *
 * On the stack: two struct mmuext_op (new base pointer, unpin), in this page; a struct
 * sched_shutdown with reason crash, in this page; entry; stack top; start_info; this code's address
 * in the page. The end of the page is the stack: it is there before and after the switch.
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
        movl    4(%esp), %ebx
        movl    8(%esp), %edx
        movl    12(%esp), %ebp
        movl    16(%esp), %eax
        movl    20(%esp), %edi
        movl    24(%esp), %ecx
        leal    4096(%ecx), %esp
        pushl   %edx
        pushl   %ebx
        pushl   %eax
        jmp     *%ecx

        .globl  passage_code, passage_code_end
passage_code:
        movl    $__HYPERVISOR_mmuext_op, %eax
        movl    $2, %ecx
        xorl    %edx, %edx
        movl    $DOMID_SELF, %esi
        int     $0x82
        popl    %edx                    /* stack top */
        popl    %ebx                    /* the data */
        popl    %ecx                    /* the shutdown */
        testl   %eax, %eax
        jnz     1f

        movl    %edx, %esp
        movl    %edi, %esi
        movl    %ebx, %edi
        movl    $PASSAGE_DATA_BYTES / 4, %ecx
        rep stosl

        pushl   %ebp
        xorl    %ebx, %ebx
        xorl    %ecx, %ecx
        xorl    %edx, %edx
        xorl    %edi, %edi
        xorl    %ebp, %ebp
        ret

1:      movl    $__HYPERVISOR_sched_op, %eax
        movl    $PASSAGE_SCHEDOP_SHUTDOWN, %ebx
        int     $0x82
        ud2
passage_code_end:

        .section .note.GNU-stack, "", @progbits
