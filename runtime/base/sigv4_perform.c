/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/http.h"
#include "runtime/base/limits.h"
#include "runtime/base/sigv4.h"

int scar_sigv4_perform(struct scar_http *http, const char *region, const char *service,
		       const struct scar_http_request *request, struct scar_http_response *response,
		       struct scar_err *err)
{
	scar_sigv4_headers_auto struct scar_sigv4_headers signature = {.count = 0};
	struct scar_sigv4 sig = {
		.region = region, .service = service, .time_s = scar_clock_epoch_ms() / 1000};
	struct scar_http_header headers[SCAR_SIGV4_PERFORM_HEADERS +
					sizeof signature.list / sizeof signature.list[0]];
	struct scar_http_request complete = *request;
	char payload[65];

	if (request->header_count > SCAR_SIGV4_PERFORM_HEADERS)
		return scar_err_set(err, SCAR_ERR_INTERNAL, "too many header fields to sign");
	scar_buf_init(&signature.authorization, SCAR_LIMIT_HTTP_HEADER_BYTES);
	if (scar_aws_credentials_from_environment(&sig.credentials, err) < 0 ||
	    scar_sigv4_payload(request->body ? request->body : "", request->body_len, payload,
			       err) < 0 ||
	    scar_sigv4_sign(&sig, request, payload, &signature, err) < 0)
		return -1;
	for (size_t i = 0; i < request->header_count; i++)
		headers[i] = request->headers[i];
	memcpy(headers + request->header_count, signature.list,
	       signature.count * sizeof headers[0]);
	complete.headers = headers;
	complete.header_count += signature.count;
	return scar_http_perform(http, &complete, response, err);
}
