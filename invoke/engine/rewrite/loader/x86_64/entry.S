/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/loader/thread.h"

	.text
/* The kernel starts here: (%rsp) is argc. scar_loader_main returns entry point and stack. */
	.globl _start
_start:
	mov	%rsp, %rdi
	lea	scar_main_block + SCAR_HANDLER_FRAME * 5(%rip), %rsp
	call	scar_loader_main
	mov	%rdx, %rsp
	mov	%rax, %rcx
	xor	%eax, %eax
	xor	%edx, %edx	/* no function for atexit */
	xor	%edi, %edi
	xor	%esi, %esi
	xor	%ebp, %ebp
	xor	%ebx, %ebx
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	xor	%r12d, %r12d
	xor	%r13d, %r13d
	xor	%r14d, %r14d
	xor	%r15d, %r15d
	jmp	*%rcx

/*
 * From a trampoline: %rcx is its record, %r11 is free, all else is the guest's, whose stack may
 * have no room at all. Switch the stack first and reserve after: a signal in between finds %rsp
 * on our stack and continues below it.
 */
	.globl scar_enter
scar_enter:
	mov	%gs:SCAR_THREAD_TOP, %r11
	cmp	%gs:SCAR_THREAD_LOW, %rsp
	jb	1f
	cmp	%r11, %rsp
	ja	1f
	mov	%rsp, %r11
1:	lea	-256(%r11), %r11	/* past a red zone */
	and	$-16, %r11
	xchg	%rsp, %r11
	pushq	%gs:SCAR_THREAD_TOP
	subq	$SCAR_HANDLER_FRAME, %gs:SCAR_THREAD_TOP
	push	%r11
	push	%rcx
	push	%r9
	push	%r8
	push	%r10
	push	%rdx
	push	%rsi
	push	%rdi
	push	%rax
	mov	%rsp, %rdi
	cld
	call	scar_handle
	pop	%rax
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%r10
	pop	%r8
	pop	%r9
	pop	%rcx
	mov	8(%rsp), %r11
	mov	(%rsp), %rsp
	mov	%r11, %gs:SCAR_THREAD_TOP
	jmp	*%rcx

/* A new thread on its own stack; below it the parent left the block and the way back. */
	.globl scar_child
scar_child:
	mov	-8(%rsp), %r11
	cmpb	$0, scar_has_fsgsbase(%rip)
	je	2f
	wrgsbase %r11
1:	mov	-16(%rsp), %rcx
	mov	$0, %eax
	jmp	*%rcx
2:	mov	%rdi, -24(%rsp)
	mov	%rsi, -32(%rsp)
	mov	$158, %eax		/* arch_prctl */
	mov	$0x1001, %edi		/* ARCH_SET_GS */
	mov	%r11, %rsi
	syscall
	mov	-24(%rsp), %rdi
	mov	-32(%rsp), %rsi
	jmp	1b

/* Frees the block it runs on and ends the thread: %rdi block, %rsi size, %rdx status. */
	.globl scar_unmap_and_exit
scar_unmap_and_exit:
	mov	%rdx, %r8
	mov	$11, %eax		/* munmap */
	syscall
	mov	%r8, %rdi
	mov	$60, %eax		/* exit */
	syscall
	hlt

	.globl scar_signal_return
scar_signal_return:
	mov	$15, %eax		/* rt_sigreturn */
	syscall

	.section .note.GNU-stack, "", @progbits
