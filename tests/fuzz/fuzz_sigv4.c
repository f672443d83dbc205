/* SPDX-License-Identifier: Apache-2.0 */
/* Signs a request whose URL and headers come from the input: method, URL, then "name:value", one a line. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/sigv4.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct scar_http_header headers[16];
	struct scar_sigv4_headers signature;
	struct scar_http_request request = {.headers = headers};
	const struct scar_sigv4 sig = {.credentials = {"id", "secret", size % 2 ? "token" : NULL},
				       .region = "us-east-1",
				       .service = size % 3 ? "s3" : "lambda",
				       .time_s = (int64_t)size};
	char *text = malloc(size + 1), *rest = text, *line;
	struct scar_buf url;
	struct scar_err err;

	memcpy(text, data, size);
	text[size] = '\0';
	request.method = strsep(&rest, "\n");
	request.url = strsep(&rest, "\n");
	while (request.url && request.header_count < 16 && (line = strsep(&rest, "\n"))) {
		char *colon = strchr(line, ':');

		if (!colon)
			continue;
		*colon = '\0';
		headers[request.header_count++] = (struct scar_http_header){line, colon + 1};
	}
	scar_buf_init(&url, 1 << 18);
	if (request.url) {
		if (scar_sigv4_sign(&sig, &request, SCAR_SIGV4_UNSIGNED, &signature, &err) == 0)
			scar_sigv4_headers_clear(&signature);
		(void)scar_sigv4_presign(&sig, request.method, request.url, 60, &url, &err);
	}
	scar_buf_clear(&url);
	free(text);
	return 0;
}
