/* SPDX-License-Identifier: Apache-2.0 */
/* Digests: what parses is written back as it was. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/digest.h"
#include "runtime/base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scar_free_auto char *text = calloc(1, size + 1);
	char canonical[SCAR_DIGEST_TEXT_MAX];
	struct scar_digest digest;
	struct scar_err err;

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	if (scar_digest_parse(text, &digest, &err) < 0)
		return 0;
	if (strcmp(scar_digest_format(&digest, canonical), text) != 0)
		abort();
	return 0;
}
