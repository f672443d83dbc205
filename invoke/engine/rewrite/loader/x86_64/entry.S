/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/layout.h"
#include "invoke/engine/rewrite/loader/thread.h"

/* enum scar_traced and struct scar_regs; handle.c asserts them. */
#define SCAR_TRACED_PASS 1
#define SCAR_REGS_SAVED_TOP 72

	.text
/* struct scar_launch_table: the host finds it in the file, right before the entry point. */
	.balign	8
	.quad	SCAR_LAUNCH_MAGIC, scar_enter_traced, scar_traced_pass, __executable_start, _end

/* The kernel starts here: (%rsp) is argc. scar_loader_main returns entry point and stack. */
	.globl _start
_start:
	mov	%rsp, %rdi
	lea	scar_main_block + SCAR_THREAD_STACK(%rip), %rsp
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
 * Puts struct scar_regs on the handler's stack and calls: %rcx is its `resume`, %r11 is free, all
 * else is the guest's, whose stack may have no room at all. Switch the stack first and reserve
 * after: a signal in between finds %rsp on our stack and continues below it. Reserve before anything
 * is written: a signal's handler on an alternate stack begins where the reserved part ends.
 */
	.macro	CALL_HANDLER handler
	lea	-1(%rsp), %r11
	sub	%gs:SCAR_THREAD_ALT_LOW, %r11
	cmp	%gs:SCAR_THREAD_ALT_BYTES, %r11
	jb	7f
8:	mov	%gs:SCAR_THREAD_TOP, %r11
	cmp	%gs:SCAR_THREAD_LOW, %rsp
	jb	1f
	cmp	%r11, %rsp
	ja	1f
	mov	%rsp, %r11
1:	lea	-256(%r11), %r11	/* past a red zone */
	and	$-16, %r11
	xchg	%rsp, %r11
	subq	$SCAR_HANDLER_FRAME, %gs:SCAR_THREAD_TOP
	push	%rbx		/* C keeps them, but not if the call ends early */
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	pushq	%gs:SCAR_THREAD_TOP
	addq	$SCAR_HANDLER_FRAME, (%rsp)
	push	%r11
	push	%rcx
	push	%r9
	push	%r8
	push	%r10
	push	%rdx
	push	%rsi
	push	%rdi
	push	%rax
	cld
	mov	SCAR_REGS_SAVED_TOP(%rsp), %r11
	cmp	%gs:SCAR_THREAD_SELF, %r11
	je	9f
	mov	%rsp, %rdi
	call	scar_frames_begin
	mov	%rax, %rsp
	mov	SCAR_REGS_SAVED_TOP(%rsp), %r11
	sub	$SCAR_HANDLER_FRAME, %r11
	mov	%r11, %gs:SCAR_THREAD_TOP
9:	mov	%rsp, %rdi
	call	\handler
	.endm

/* The guest is on its alternate stack, which has room for a little below the red zone. */
	.macro	BLOCK_SIGNALS
7:	lea	-128(%rsp), %rsp
	push	%rax
	push	%rdi
	push	%rsi
	push	%rdx
	push	%r10
	push	%rcx
	mov	$14, %eax		/* rt_sigprocmask */
	mov	$2, %edi		/* SIG_SETMASK */
	lea	scar_all_signals(%rip), %rsi
	mov	%gs:SCAR_THREAD_SELF, %rdx
	add	$SCAR_THREAD_ALT_MASK, %rdx
	mov	$8, %r10d
	syscall
	pop	%rcx
	pop	%r10
	pop	%rdx
	pop	%rsi
	pop	%rdi
	pop	%rax
	lea	128(%rsp), %rsp
	jmp	8b
	.endm

/* Back to `resume`. */
	.macro	RETURN_TO_GUEST
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
	.endm

/* From a trampoline: %rcx is its record. */
	.globl scar_enter
scar_enter:
	CALL_HANDLER scar_handle
	RETURN_TO_GUEST
	BLOCK_SIGNALS

/* From the tracer, in place of a system call: %rcx is the address behind that. */
	.globl scar_enter_traced
scar_enter_traced:
	CALL_HANDLER scar_handle_traced
	cmp	$SCAR_TRACED_PASS, %eax
	je	2f
	ja	3f
1:	RETURN_TO_GUEST
	/* Only the tracer can set all registers at once; it finds them at %rsp. */
2:	mov	SCAR_REGS_SAVED_TOP(%rsp), %r11
	mov	%r11, %gs:SCAR_THREAD_TOP
	mov	$39, %eax		/* getpid, which never runs */
	syscall
	.globl scar_traced_pass
scar_traced_pass:
	hlt
3:	mov	(%rsp), %rax
	mov	8(%rsp), %rdi
	mov	16(%rsp), %rsi
	mov	24(%rsp), %rdx
	mov	32(%rsp), %r10
	mov	40(%rsp), %r8
	mov	48(%rsp), %r9
	syscall
	test	%rax, %rax
	jz	scar_child
	mov	%rax, (%rsp)
	jmp	1b
	BLOCK_SIGNALS

/* The call in progress ends here, from wherever it was: %rsp is at its registers. */
	.globl scar_enter_abort
scar_enter_abort:
	mov	%rsp, %rdi
	cld
	call	scar_handle_abort
	mov	80(%rsp), %r15
	mov	88(%rsp), %r14
	mov	96(%rsp), %r13
	mov	104(%rsp), %r12
	mov	112(%rsp), %rbp
	mov	120(%rsp), %rbx
	RETURN_TO_GUEST

/*
 * A system call that may wait: %rdi holds number and arguments, %rsi leads to the byte that is set when
 * a signal came that may end the thread. Up to scar_point_call nothing has happened yet.
 */
	.globl scar_point, scar_point_call, scar_point_after
scar_point:
	push	%rbx
	push	%rbp
	mov	%rdi, %rbx
	mov	%rsi, %rbp
1:	cmpb	$0, (%rbp)
	jne	2f
	mov	(%rbx), %rax
	mov	8(%rbx), %rdi
	mov	16(%rbx), %rsi
	mov	24(%rbx), %rdx
	mov	32(%rbx), %r10
	mov	40(%rbx), %r8
	mov	48(%rbx), %r9
	jmp	scar_point_call
2:	movb	$0, (%rbp)	/* let it come again, here */
	mov	$14, %eax		/* rt_sigprocmask */
	mov	$1, %edi		/* SIG_UNBLOCK */
	lea	scar_cancel_mask(%rip), %rsi
	xor	%edx, %edx
	mov	$8, %r10d
	syscall
	jmp	1b
scar_point_call:
	syscall
scar_point_after:
	pop	%rbp
	pop	%rbx
	ret

/* Handler of the signals that the engine looks at first. The guest's own is entered as by the kernel. */
	.globl scar_signal_entry
scar_signal_entry:
	push	%rdi
	push	%rsi
	push	%rdx
	cld
	call	scar_signal_decide
	pop	%rdx
	pop	%rsi
	pop	%rdi
	test	%rax, %rax
	jz	1f
	mov	%rax, %rcx
	xor	%eax, %eax
	jmp	*%rcx
1:	ret

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
