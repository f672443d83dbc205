/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/base64.h"

#include <stdint.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int scar_base64_encode(const void *data, size_t len, struct scar_buf *buf, struct scar_err *err)
{
	const uint8_t *in = data;

	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t bits = (uint32_t)in[i] << 16;
		char out[4];

		if (left > 1)
			bits |= (uint32_t)in[i + 1] << 8;
		if (left > 2)
			bits |= in[i + 2];
		out[0] = alphabet[bits >> 18];
		out[1] = alphabet[bits >> 12 & 63];
		out[2] = left > 1 ? alphabet[bits >> 6 & 63] : '=';
		out[3] = left > 2 ? alphabet[bits & 63] : '=';
		if (scar_buf_append(buf, out, sizeof(out), err) < 0)
			return -1;
	}
	return 0;
}

int scar_base64_decode(const char *text, struct scar_buf *buf, struct scar_err *err)
{
	size_t len = strlen(text);
	uint32_t bits = 0;
	unsigned held = 0; /* bits not yet written */

	while (len && text[len - 1] == '=')
		len--;
	for (size_t i = 0; i < len; i++) {
		const char *at = memchr(alphabet, text[i], sizeof(alphabet) - 1);

		if (!at)
			return scar_err_set(err, SCAR_ERR_CONFIG, "not Base64");
		bits = bits << 6 | (uint32_t)(at - alphabet);
		held += 6;
		if (held < 8)
			continue;
		held -= 8;
		if (scar_buf_append_char(buf, (char)(bits >> held & 255), err) < 0)
			return -1;
	}
	/* One character alone in the last group holds no byte. */
	return held >= 6 ? scar_err_set(err, SCAR_ERR_CONFIG, "not Base64") : 0;
}
