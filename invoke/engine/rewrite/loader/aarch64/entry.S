/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/loader/thread.h"

#define NR_gettid 178
#define NR_rt_sigprocmask 135
#define NR_rt_sigreturn 139
#define NR_mmap 222

/* struct scar_regs, then what the guest keeps across a system call and C does not. */
#define REGS_NR 0
#define REGS_ARG 8
#define REGS_RESUME 56
#define REGS_SP 64
#define REGS_TOP 72
#define REGS_MORE 80
#define REGS_FLAGS 176
#define REGS_KEPT 192
#define REGS_BYTES 272

	.text
/* The kernel starts here: sp is at argc. scar_loader_main returns entry point and stack. */
	.globl _start
_start:
	mov	x0, sp
	ldr	x1, =scar_main_block + SCAR_THREAD_STACK
	mov	sp, x1
	mov	x29, xzr
	mov	x30, xzr
	bl	scar_loader_main
	mov	sp, x1
	mov	x16, x0
	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,17,18,19,20,21,22,23,24,25,26,27,28,29,30
	mov	x\n, xzr
	.endr
	br	x16

/*
 * From a trampoline: x16 is its record; x16 and x17 of the guest are on its stack. A system call
 * changes nothing but x0, so all else is saved. The block is found by the thread's number.
 */
	.globl scar_enter
scar_enter:
	stp	x0, x1, [sp, #-48]!
	stp	x2, x3, [sp, #16]
	mrs	x17, nzcv
	stp	x8, x17, [sp, #32]
	mov	x8, #NR_gettid
	svc	#0
	ldr	x1, =scar_threads
	and	w2, w0, #(SCAR_THREADS_MAX - 1)
	mov	w8, w2
1:	add	x3, x1, x2, lsl #4
	ldar	w17, [x3]
	cmp	w17, w0
	b.eq	2f
	cbz	w17, 3f
	add	w2, w2, #1
	and	w2, w2, #(SCAR_THREADS_MAX - 1)
	cmp	w2, w8
	b.ne	1b
	b	3f
2:	ldr	x17, [x3, #8]
4:	add	x0, sp, #47
	ldr	x1, [x17, #SCAR_THREAD_ALT_LOW]
	ldr	x2, [x17, #SCAR_THREAD_ALT_BYTES]
	sub	x0, x0, x1
	cmp	x0, x2
	b.hs	6f
	mov	x0, #2			/* SIG_SETMASK */
	ldr	x1, =scar_all_signals
	add	x2, x17, #SCAR_THREAD_ALT_MASK
	mov	x3, #8
	mov	x8, #NR_rt_sigprocmask
	svc	#0
6:	ldr	x0, [x17, #SCAR_THREAD_TOP]
	ldr	x1, [x17, #SCAR_THREAD_LOW]
	mov	x3, sp
	cmp	x3, x1
	b.lo	5f
	cmp	x3, x0
	b.hi	5f
	mov	x0, x3		/* a signal handler that interrupted us: continue below */
5:	sub	x0, x0, #REGS_BYTES
	and	x0, x0, #-16
	/* Switch first and reserve after: a signal in between finds sp on our stack. */
	mov	sp, x0
	ldr	x1, [x17, #SCAR_THREAD_TOP]
	sub	x2, x1, #SCAR_HANDLER_FRAME
	str	x2, [x17, #SCAR_THREAD_TOP]
	add	x2, x3, #48
	stp	x2, x1, [sp, #REGS_SP]
	str	x16, [sp, #REGS_RESUME]
	stp	x4, x5, [sp, #REGS_ARG + 32]
	ldp	x4, x5, [x3, #32]
	str	x4, [sp, #REGS_NR]
	str	x5, [sp, #REGS_FLAGS]
	ldp	x4, x5, [x3]
	stp	x4, x5, [sp, #REGS_ARG]
	ldp	x4, x5, [x3, #16]
	stp	x4, x5, [sp, #REGS_ARG + 16]
	stp	x6, x7, [sp, #REGS_MORE]
	stp	x9, x10, [sp, #REGS_MORE + 16]
	stp	x11, x12, [sp, #REGS_MORE + 32]
	stp	x13, x14, [sp, #REGS_MORE + 48]
	stp	x15, x18, [sp, #REGS_MORE + 64]
	stp	x29, x30, [sp, #REGS_MORE + 80]
	stp	x19, x20, [sp, #REGS_KEPT]	/* C keeps them, but not if the call ends early */
	stp	x21, x22, [sp, #REGS_KEPT + 16]
	stp	x23, x24, [sp, #REGS_KEPT + 32]
	stp	x25, x26, [sp, #REGS_KEPT + 48]
	stp	x27, x28, [sp, #REGS_KEPT + 64]
	mov	x0, sp
	bl	scar_frames_begin
	mov	sp, x0
	and	x17, x0, #-SCAR_THREAD_ALIGN
	add	x17, x17, #SCAR_THREAD_STACK
	ldr	x1, [sp, #REGS_TOP]
	sub	x1, x1, #SCAR_HANDLER_FRAME
	str	x1, [x17, #SCAR_THREAD_TOP]
	bl	scar_handle
7:	mov	x17, sp
	and	x17, x17, #-SCAR_THREAD_ALIGN
	add	x17, x17, #SCAR_THREAD_STACK
	ldr	x0, [sp, #REGS_TOP]
	str	x0, [x17, #SCAR_THREAD_TOP]
	ldr	x0, [sp, #REGS_FLAGS]
	msr	nzcv, x0
	ldp	x29, x30, [sp, #REGS_MORE + 80]
	ldp	x15, x18, [sp, #REGS_MORE + 64]
	ldp	x13, x14, [sp, #REGS_MORE + 48]
	ldp	x11, x12, [sp, #REGS_MORE + 32]
	ldp	x9, x10, [sp, #REGS_MORE + 16]
	ldp	x6, x7, [sp, #REGS_MORE]
	ldp	x4, x5, [sp, #REGS_ARG + 32]
	ldp	x2, x3, [sp, #REGS_ARG + 16]
	ldp	x0, x1, [sp, #REGS_ARG]
	ldr	x8, [sp, #REGS_NR]
	ldp	x16, x17, [sp, #REGS_RESUME]
	mov	sp, x17
	br	x16

/* The call in progress ends here, from wherever it was: sp is at its registers. */
	.globl scar_enter_abort
scar_enter_abort:
	mov	x0, sp
	bl	scar_handle_abort
	ldp	x19, x20, [sp, #REGS_KEPT]
	ldp	x21, x22, [sp, #REGS_KEPT + 16]
	ldp	x23, x24, [sp, #REGS_KEPT + 32]
	ldp	x25, x26, [sp, #REGS_KEPT + 48]
	ldp	x27, x28, [sp, #REGS_KEPT + 64]
	b	7b

/* A thread's first call: a block of its own, which scar_thread_adopt enters into the table. */
3:	stp	x4, x5, [sp, #-16]!
	mov	x0, xzr
	mov	x1, #(2 * SCAR_THREAD_ALIGN)
	mov	x2, #3			/* PROT_READ | PROT_WRITE */
	mov	x3, #0x4022		/* MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE */
	mov	x4, #-1
	mov	x5, xzr
	mov	x8, #NR_mmap
	svc	#0
	ldp	x4, x5, [sp], #16
	tbnz	x0, #63, 6f
	add	x1, x0, #(SCAR_THREAD_ALIGN - 0x1000)
	add	x1, x1, #0xfff
	and	x1, x1, #-SCAR_THREAD_ALIGN
	add	x17, x1, #SCAR_THREAD_STACK
	str	x17, [x17, #SCAR_THREAD_SELF]
	str	x17, [x17, #SCAR_THREAD_TOP]
	str	x1, [x17, #SCAR_THREAD_LOW]
	str	x0, [x17, #SCAR_THREAD_REGION]
	b	4b
6:	brk	#1			/* no memory for one more thread */

/* Threads start where the guest's own instruction leaves off. */
	.globl scar_child
scar_child:
	brk	#2

/* Handler of the signals that the engine looks at first. The guest's own is entered as by the kernel. */
	.globl scar_signal_entry
scar_signal_entry:
	stp	x29, x30, [sp, #-48]!
	stp	x0, x1, [sp, #16]
	str	x2, [sp, #32]
	bl	scar_signal_decide
	mov	x16, x0
	ldr	x2, [sp, #32]
	ldp	x0, x1, [sp, #16]
	ldp	x29, x30, [sp], #48
	cbz	x16, 8f
	br	x16
8:	ret

	.globl scar_signal_return
scar_signal_return:
	mov	x8, #NR_rt_sigreturn
	svc	#0

	.section .note.GNU-stack, "", %progbits
