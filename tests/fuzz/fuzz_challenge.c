/* SPDX-License-Identifier: Apache-2.0 */
/* WWW-Authenticate, and the URLs that a registry sends us to. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "registry/challenge.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scar_free_auto char *text = calloc(1, size + 1);
	scar_free_auto char *resolved = NULL;
	struct scar_challenge challenge = {.scheme = SCAR_CHALLENGE_NONE};
	struct scar_url url, again;
	struct scar_err err;

	if (!text)
		return 0;
	memcpy(text, data, size);
	scar_challenge_parse(text, &challenge);
	if (challenge.scheme == SCAR_CHALLENGE_BEARER && !challenge.realm[0])
		abort();
	if (scar_url_resolve("https://registry.example/v2/a/blobs/b?c=d", text, &resolved, &err) ==
	    0) {
		/* What is resolved is a URL, and resolves to itself. */
		scar_free_auto char *same = NULL;

		if (scar_url_parse(resolved, &url, &err) < 0 ||
		    scar_url_resolve("http://other.example", resolved, &same, &err) < 0 ||
		    strcmp(same, resolved) != 0 || scar_url_parse(same, &again, &err) < 0 ||
		    !scar_url_same_origin(&url, &again))
			abort();
	}
	return 0;
}
