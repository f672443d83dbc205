/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file text.h
 * Bounded text building without a C library's printf.
 *
 * A text that does not fit is cut and remembered in `cut`; the buffer stays NUL-terminated.
 */
#ifndef SCAR_INVOKE_ENGINE_GUEST_TEXT_H
#define SCAR_INVOKE_ENGINE_GUEST_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct scar_text {
	char *start;
	size_t len, size; /**< size counts the NUL */
	bool cut;
};

static inline struct scar_text scar_text_of(char *buf, size_t size)
{
	buf[0] = '\0';
	return (struct scar_text){.start = buf, .size = size};
}

void scar_text_put(struct scar_text *t, const char *bytes, size_t len);
void scar_text_str(struct scar_text *t, const char *str);
/** base 10 or 16 */
void scar_text_unsigned(struct scar_text *t, uint64_t value, unsigned base);

/** True if path is dir or lies below it. */
static inline bool scar_path_below(const char *path, const char *dir, size_t dir_len)
{
	return strncmp(path, dir, dir_len) == 0 && (path[dir_len] == '/' || path[dir_len] == '\0');
}

#endif
