/* SPDX-License-Identifier: Apache-2.0 */
/* A system call of its own, in text that comes with dlopen(3). */
#include <sys/syscall.h>

int kind_look(const char *path);

int kind_look(const char *path)
{
#if defined(__x86_64__)
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"((long)SYS_access), "D"(path), "S"(0L)
			 : "rcx", "r11", "memory");
	return (int)result;
#else
	register long number __asm__("x8") = SYS_faccessat;
	register long result __asm__("x0") = -100;
	register const char *name __asm__("x1") = path;
	register long mode __asm__("x2") = 0;

	__asm__ volatile("svc #0" : "+r"(result) : "r"(number), "r"(name), "r"(mode) : "memory");
	return (int)result;
#endif
}
