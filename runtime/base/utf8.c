/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/utf8.h"

/* First byte and what may follow it at once (RFC 3629 section 4). */
static const struct {
	unsigned char first, last;
	unsigned char low, high;
	size_t len;
} forms[] = {
	{0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
	{0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
	{0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

size_t scar_utf8_len(const char *text, size_t left)
{
	const unsigned char *bytes = (const unsigned char *)text;
	size_t i = 0;

	while (i < sizeof forms / sizeof forms[0] &&
	       (bytes[0] < forms[i].first || bytes[0] > forms[i].last))
		i++;
	if (i == sizeof forms / sizeof forms[0] || left < forms[i].len)
		return 0;
	if (forms[i].len > 1 && (bytes[1] < forms[i].low || bytes[1] > forms[i].high))
		return 0;
	for (size_t k = 2; k < forms[i].len; k++) {
		if ((bytes[k] & 0xc0) != 0x80)
			return 0;
	}
	return forms[i].len;
}
