/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file sys.h
 * Raw system calls, for code that also runs without a C library (the loader).
 *
 * Results are the kernel's: -errno on failure. No errno variable, no cancellation, no
 * thread-local storage is touched.
 */
#ifndef SCAR_INVOKE_ENGINE_GUEST_SYS_H
#define SCAR_INVOKE_ENGINE_GUEST_SYS_H

#include <asm/unistd.h>
#include <stdbool.h>

#include "invoke/engine/guest/legacy.h"

/* Newer than the kernel headers that we may be built with; the numbers are the same everywhere. */
#define SCAR_NR_openat2 437
#define SCAR_NR_faccessat2 439
#define SCAR_NR_close_range 436
#define SCAR_NR_clone3 435
#define SCAR_NR_setxattrat 463
#define SCAR_NR_getxattrat 464
#define SCAR_NR_listxattrat 465
#define SCAR_NR_removexattrat 466
#define SCAR_NR_file_getattr 468
#define SCAR_NR_file_setattr 469

#if defined(__x86_64__)
static inline long scar_sys6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}
#elif defined(__aarch64__)
static inline long scar_sys6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}
#else
#error "no system call sequence for this architecture"
#endif

/** scar_sys(nr, up to six arguments of any integer or pointer type) */
#define scar_sys(...) SCAR_SYS_PICK(__VA_ARGS__, 6, 5, 4, 3, 2, 1, 0)(__VA_ARGS__)
#define SCAR_SYS_PICK(nr, a, b, c, d, e, f, n, ...) SCAR_SYS_##n
#define SCAR_SYS_0(nr) scar_sys6(nr, 0, 0, 0, 0, 0, 0)
#define SCAR_SYS_1(nr, a) scar_sys6(nr, (long)(a), 0, 0, 0, 0, 0)
#define SCAR_SYS_2(nr, a, b) scar_sys6(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define SCAR_SYS_3(nr, a, b, c) scar_sys6(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define SCAR_SYS_4(nr, a, b, c, d) scar_sys6(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define SCAR_SYS_5(nr, a, b, c, d, e) \
	scar_sys6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define SCAR_SYS_6(nr, a, b, c, d, e, f) \
	scar_sys6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/** True for a -errno result; addresses of mmap are not mistaken for one. */
static inline bool scar_sys_failed(long result)
{
	return result < 0 && result > -4096;
}

#endif
