/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signs requests, for comparison with another signer: one JSON object a line on standard input,
 *
 *   {"method", "url", "headers": [[NAME, VALUE]...], "payload", "service", "region", "time", "id", "secret", "token" or null, "expires"}
 *
 * and one line each on standard output: the Authorization header, or the signed URL where "expires" is not 0.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/sigv4.h"

static const char *text_of(const struct scar_json *line, const char *key)
{
	return scar_json_string(scar_json_get(line, key));
}

static int64_t number_of(const struct scar_json *line, const char *key)
{
	int64_t value = 0;

	return scar_json_int(scar_json_get(line, key), &value) ? 0 : value;
}

static int sign(const struct scar_json *line, struct scar_err *err)
{
	struct scar_http_header headers[64];
	struct scar_sigv4_headers signature;
	struct scar_http_request request = {
		.method = text_of(line, "method"), .url = text_of(line, "url"), .headers = headers};
	const struct scar_sigv4 sig = {.credentials = {text_of(line, "id"), text_of(line, "secret"),
						       text_of(line, "token")},
				       .region = text_of(line, "region"),
				       .service = text_of(line, "service"),
				       .time_s = number_of(line, "time")};
	const struct scar_json *pair = scar_json_first(scar_json_get(line, "headers"));

	for (; pair && request.header_count < 64; pair = scar_json_next(pair)) {
		const struct scar_json *name = scar_json_first(pair);

		headers[request.header_count++] = (struct scar_http_header){
			scar_json_string(name), scar_json_string(scar_json_next(name))};
	}
	if (number_of(line, "expires")) {
		scar_buf_auto struct scar_buf url;

		scar_buf_init(&url, 1 << 20);
		if (scar_sigv4_presign(&sig, request.method, request.url,
				       (uint32_t)number_of(line, "expires"), &url, err))
			return -1;
		puts(url.data);
		return 0;
	}
	if (scar_sigv4_sign(&sig, &request, text_of(line, "payload"), &signature, err))
		return -1;
	puts(signature.authorization.data);
	scar_sigv4_headers_clear(&signature);
	return 0;
}

int main(void)
{
	char *text = NULL;
	size_t size = 0;
	ssize_t len;
	struct scar_err err;

	while ((len = getline(&text, &size, stdin)) > 0) {
		scar_json_auto struct scar_json *line = NULL;

		if (scar_json_parse(text, (size_t)len, "the line", &line, &err) ||
		    sign(line, &err)) {
			fprintf(stderr, "%s: %s\n", scar_err_info(err.kind)->name, err.msg);
			return 1;
		}
	}
	free(text);
	return 0;
}
