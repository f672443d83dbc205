/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/http_private.h"

static bool is_success(int status)
{
	return status >= 200 && status < 300;
}

/* "HTTP/1.1 200 OK" */
static int status_of(const char *line, size_t len)
{
	const char *space = memchr(line, ' ', len);
	int status = 0;

	if (!space || space + 4 > line + len)
		return 0;
	for (int i = 1; i <= 3; i++) {
		if (space[i] < '0' || space[i] > '9')
			return 0;
		status = status * 10 + (space[i] - '0');
	}
	return status;
}

size_t scar_http_on_header(char *line, size_t size, size_t count, void *ctx)
{
	struct scar_http_transfer *transfer = ctx;
	struct scar_http_response *resp = transfer->resp;
	size_t len = size * count;

	transfer->active_us = scar_clock_monotonic_us();
	/* A new block follows an interim response. */
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
		scar_buf_reset(&resp->headers);
		resp->status = status_of(line, len);
		return len;
	}
	if (len == 2 && memcmp(line, "\r\n", 2) == 0)
		return len;
	/* A NUL would hide the fields after it from scar_http_header_get(). */
	if (memchr(line, '\0', len)) {
		scar_err_set(transfer->err, SCAR_ERR_PROTOCOL, "NUL in a response header");
		transfer->failed = true;
		return 0;
	}
	if (scar_buf_append(&resp->headers, line, len, transfer->err) < 0) {
		scar_err_wrap(transfer->err, "response headers");
		transfer->failed = true;
		return 0;
	}
	return len;
}

/* @return 0, or -1 to end the transfer */
static int keep_body(struct scar_http_transfer *transfer, const char *data, size_t len)
{
	struct scar_buf *body = &transfer->resp->body;
	size_t room = body->max_bytes - body->len;

	if (!is_success(transfer->resp->status) && len > room) {
		transfer->body_full = true;
		len = room;
	}
	if (scar_buf_append(body, data, len, transfer->err) < 0) {
		scar_err_wrap(transfer->err, "response body");
		transfer->failed = true;
		return -1;
	}
	return transfer->body_full ? -1 : 0;
}

size_t scar_http_on_body(char *data, size_t size, size_t count, void *ctx)
{
	struct scar_http_transfer *transfer = ctx;
	const struct scar_http_request *req = transfer->req;
	size_t len = size * count;
	int status = 0;

	transfer->resp->body_bytes += len;
	if (req->sink && is_success(transfer->resp->status)) {
		status = req->sink(req->sink_ctx, data, len, transfer->err);
		transfer->failed = status < 0;
	} else {
		status = keep_body(transfer, data, len);
	}
	/* Time that the sink took is not the network's. */
	transfer->active_us = scar_clock_monotonic_us();
	return status < 0 ? 0 : len;
}

size_t scar_http_on_source(char *data, size_t size, size_t count, void *ctx)
{
	struct scar_http_transfer *transfer = ctx;
	size_t len = 0;

	if (transfer->req->body_source(transfer->req->body_ctx, data, size * count, &len,
				       transfer->err) < 0) {
		transfer->failed = true;
		return CURL_READFUNC_ABORT;
	}
	transfer->active_us = scar_clock_monotonic_us();
	return len;
}
