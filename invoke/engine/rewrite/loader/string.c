/* SPDX-License-Identifier: Apache-2.0 */
/* What the compiler may call by itself, and the few string functions that shared code uses. */
#ifdef SCAR_LOADER
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "invoke/engine/rewrite/loader/arch.h"

void *memcpy(void *restrict to, const void *restrict from, size_t len)
{
	scar_arch_copy(to, from, len);
	return to;
}

void *memmove(void *to, const void *from, size_t len)
{
	char *t = to;
	const char *f = from;

	if (t <= f || t >= f + len)
		return memcpy(to, from, len);
	while (len--)
		t[len] = f[len];
	return to;
}

void *memset(void *to, int byte, size_t len)
{
	scar_arch_fill(to, byte, len);
	return to;
}

int memcmp(const void *a, const void *b, size_t len)
{
	const uint8_t *x = a, *y = b;

	for (size_t i = 0; i < len; i++)
		if (x[i] != y[i])
			return x[i] - y[i];
	return 0;
}

void *memchr(const void *bytes, int byte, size_t len)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i < len; i++)
		if (b[i] == (uint8_t)byte)
			return (void *)(uintptr_t)(b + i);
	return NULL;
}

size_t strnlen(const char *str, size_t max)
{
	size_t len = 0;

	while (len < max && str[len])
		len++;
	return len;
}

size_t strlen(const char *str)
{
	return strnlen(str, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t max)
{
	for (size_t i = 0; i < max; i++)
		if (a[i] != b[i] || !a[i])
			return (unsigned char)a[i] - (unsigned char)b[i];
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, SIZE_MAX);
}
#else
/* Outside the loader the C library has these. */
typedef int scar_loader_string_unused;
#endif
