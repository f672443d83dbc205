/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/guest/text.h"

void scar_text_put(struct scar_text *t, const char *bytes, size_t len)
{
	size_t room = t->len < t->size ? t->size - t->len - 1 : 0;

	if (len > room) {
		t->cut = true;
		len = room;
	}
	memcpy(t->start + t->len, bytes, len);
	t->len += len;
	t->start[t->len] = '\0';
}

void scar_text_str(struct scar_text *t, const char *str)
{
	scar_text_put(t, str, strlen(str));
}

void scar_text_unsigned(struct scar_text *t, uint64_t value, unsigned base)
{
	char digits[24];
	size_t count = 0;

	do {
		digits[count++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value && count < sizeof(digits));
	while (count)
		scar_text_put(t, &digits[--count], 1);
}
