/* SPDX-License-Identifier: Apache-2.0 */
/* Image references: what parses must format to a text that parses to the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "registry/ref.h"
#include "runtime/base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scar_ref_auto struct scar_ref ref = {.path = NULL}, again = {.path = NULL};
	scar_free_auto char *text = calloc(1, size + 1);
	scar_free_auto char *canonical = NULL;
	struct scar_err err;

	if (!text)
		return 0;
	memcpy(text, data, size);
	if (scar_ref_parse(text, &ref, &err) < 0)
		return 0;
	canonical = scar_ref_format(&ref);
	/* Defaults make the text longer; only then may it be refused, for its length. */
	if (!canonical)
		return 0;
	if (scar_ref_parse(canonical, &again, &err) < 0) {
		if (!strstr(err.msg, "longer than"))
			abort();
		return 0;
	}
	if (ref.transport != again.transport || !same(ref.registry, again.registry) ||
	    !same(ref.repository, again.repository) || !same(ref.tag, again.tag) ||
	    !same(ref.digest, again.digest) || !same(ref.path, again.path))
		abort();
	return 0;
}
