/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file utf8.h
 * UTF-8 as RFC 3629 defines it: no overlong form, no surrogate, nothing above U+10FFFF.
 */
#ifndef SCAR_RUNTIME_BASE_UTF8_H
#define SCAR_RUNTIME_BASE_UTF8_H

#include <stddef.h>

/** What stands for bytes that are not UTF-8: U+FFFD. */
#define SCAR_UTF8_REPLACEMENT "\xef\xbf\xbd"

/** Bytes of the character at `text`, of which `left` bytes (> 0) may be read; 0 if it is none. */
size_t scar_utf8_len(const char *text, size_t left);

#endif
