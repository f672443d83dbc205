/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/fake_registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"

static const char prefix[] = "/v2/test/image/";

static void must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "fake registry: %s\n", what);
		abort();
	}
}

const char *fake_host(const struct fake_registry *fake, char text[32])
{
	snprintf(text, 32, "127.0.0.1:%u", fake->server.port);
	return text;
}

/* ---- what a request asks for ---- */

static void copy_field(const struct scar_http1_message *req, const char *name, char *dst,
		       size_t size)
{
	const char *value = scar_http1_field(req, name);

	snprintf(dst, size, "%s", value ? value : "");
}

/** Forms are short and not chunked, so a copy of the message is all that reading one changes. */
static void copy_form(struct scar_http1 *conn, const struct scar_http1_message *req, char *dst,
		      size_t size)
{
	struct scar_http1_message body = *req;
	scar_buf_auto struct scar_buf form;
	struct scar_err err;

	scar_buf_init(&form, size - 1);
	if (strcmp(req->method, "POST") == 0)
		must(scar_http1_read_body_all(conn, &body, &form, 0, &err) == 0, "form");
	snprintf(dst, size, "%s", form.len ? form.data : "");
}

static const struct fake_request *record(struct fake_registry *fake, struct scar_http1 *conn,
					 const struct scar_http1_message *req)
{
	struct fake_request *request = &fake->requests[fake->request_count];

	must(fake->request_count < FAKE_REQUESTS, "too many requests");
	snprintf(request->target, sizeof(request->target), "%s", req->target);
	copy_field(req, "Authorization", request->authorization, sizeof(request->authorization));
	copy_field(req, "Range", request->range, sizeof(request->range));
	copy_field(req, "Accept", request->accept, sizeof(request->accept));
	copy_form(conn, req, request->form, sizeof(request->form));
	fake->request_count++;
	return request;
}

static struct fake_fault *next_fault(struct fake_registry *fake, const char *target)
{
	for (size_t i = 0; i < fake->fault_count; i++) {
		struct fake_fault *fault = &fake->faults[i];

		if (fault->times && strstr(target, fault->path)) {
			fault->times--;
			return fault;
		}
	}
	return NULL;
}

static const struct fake_content *find(const struct fake_registry *fake, const char *target)
{
	const char *key;

	if (strncmp(target, prefix, sizeof(prefix) - 1) != 0)
		return NULL;
	key = strrchr(target, '/') + 1;
	for (size_t i = 0; i < fake->content_count; i++) {
		if (strcmp(fake->contents[i].key, key) == 0)
			return &fake->contents[i];
	}
	return NULL;
}

/* ---- authorization ---- */

static void answer_token(struct fake_registry *fake, struct scar_http1 *conn,
			 const struct fake_request *request)
{
	char body[128];

	if (fake->basic && strcmp(request->authorization, fake->basic) != 0) {
		http_script_head(conn, 401, "", 0);
		return;
	}
	if (fake->identity && strcmp(request->form, fake->identity) != 0) {
		http_script_head(conn, 400, "", 0);
		return;
	}
	snprintf(body, sizeof(body), "{\"access_token\":\"token-%u\",\"expires_in\":300%s}",
		 ++fake->tokens, fake->renewal ? fake->renewal : "");
	http_script_head(conn, 200, "Content-Type: application/json\r\n", strlen(body));
	http_script_body(conn, body, strlen(body));
}

static bool authorized(struct fake_registry *fake, const struct fake_request *request)
{
	char bearer[64];

	if (fake->auth == FAKE_OPEN)
		return true;
	if (fake->auth == FAKE_BASIC)
		return strcmp(request->authorization, fake->basic) == 0;
	snprintf(bearer, sizeof(bearer), "Bearer token-%u", fake->tokens);
	if (!fake->tokens || strcmp(request->authorization, bearer) != 0)
		return false;
	if (fake->revoke_once) {
		fake->revoke_once = false;
		return false;
	}
	return true;
}

static void challenge(struct fake_registry *fake, struct scar_http1 *conn)
{
	char realm[128], lines[512];

	snprintf(realm, sizeof(realm), "http://127.0.0.1:%u/token?x=y", fake->server.port);
	if (fake->auth == FAKE_BASIC)
		snprintf(lines, sizeof(lines), "WWW-Authenticate: Basic realm=\"fake\"\r\n");
	else
		snprintf(lines, sizeof(lines),
			 "WWW-Authenticate: Bearer realm=\"%s\",service=\"fake service\","
			 "scope=\"repository:test/image:pull\"\r\n",
			 fake->realm ? fake->realm : realm);
	http_script_head(conn, 401, lines, 0);
}

/* ---- content ---- */

static void answer_content(struct fake_registry *fake, struct scar_http1 *conn,
			   const struct fake_request *request, const struct fake_content *content,
			   const struct fake_fault *fault)
{
	char lines[512];
	char digest[256] = "";
	unsigned long long first = 0;
	size_t len, announce, send;
	bool ranged = !fake->no_ranges && sscanf(request->range, "bytes=%llu-", &first) == 1;
	scar_free_auto char *copy = NULL;

	if (ranged && first >= content->len) {
		http_script_head(conn, 416, "", 0);
		return;
	}
	if (!ranged)
		first = 0;
	else if (fault && fault->kind == FAKE_SHIFT)
		first += fault->bytes;
	len = content->len - (size_t)first;
	if (fake->digest_header)
		snprintf(digest, sizeof(digest), "Docker-Content-Digest: %s\r\n",
			 fake->digest_header);
	snprintf(lines, sizeof(lines),
		 "Content-Type: %s\r\n%sContent-Range: bytes %llu-%zu/%zu\r\n", content->media_type,
		 digest, first, content->len - 1, content->len);
	if (!ranged)
		*strstr(lines, "Content-Range") = '\0';
	/* Room for more than there is. */
	copy = calloc(1, len + (fault ? fault->bytes : 0) + 1);
	must(copy, "memory");
	memcpy(copy, content->data + first, len);
	announce = send = len;
	if (fault && fault->kind == FAKE_TRUNCATE)
		send = fault->bytes < len ? fault->bytes : len;
	if (fault && fault->kind == FAKE_SHORT)
		announce = send = len - fault->bytes;
	if (fault && fault->kind == FAKE_LONG)
		announce = send = len + fault->bytes;
	if (fault && fault->kind == FAKE_FLIP)
		copy[fault->bytes] ^= 1;
	http_script_head(conn, ranged ? 206 : 200, lines, announce);
	http_script_body(conn, copy, send);
}

static void answer(void *ctx, struct scar_http1 *conn, const struct scar_http1_message *req)
{
	struct fake_registry *fake = ctx;
	const struct fake_request *request = record(fake, conn, req);
	const struct fake_content *content = find(fake, request->target);
	const struct fake_fault *fault = next_fault(fake, request->target);

	if (fault && fault->kind == FAKE_HANG_UP)
		return;
	if (fault && fault->kind == FAKE_STATUS) {
		const char *body = fault->body ? fault->body : "";

		http_script_head(conn, fault->status, fault->lines ? fault->lines : "",
				 strlen(body));
		http_script_body(conn, body, strlen(body));
		return;
	}
	if (strncmp(request->target, "/token", 6) == 0)
		answer_token(fake, conn, request);
	else if (!authorized(fake, request))
		challenge(fake, conn);
	else if (!content)
		http_script_head(conn, 404, "", 0);
	else
		answer_content(fake, conn, request, content, fault);
}

/* ---- for the tests ---- */

void fake_start(struct fake_registry *fake)
{
	memset(fake, 0, sizeof(*fake));
	http_script_start(&fake->server, answer, fake);
}

void fake_stop(struct fake_registry *fake)
{
	http_script_stop(&fake->server);
	for (size_t i = 0; i < fake->content_count; i++)
		free(fake->contents[i].data);
	fake->content_count = 0;
}

static void add(struct fake_registry *fake, const char *key, const char *media_type,
		const void *data, size_t len)
{
	struct fake_content *content = &fake->contents[fake->content_count];

	must(fake->content_count < FAKE_CONTENTS, "too many contents");
	snprintf(content->key, sizeof(content->key), "%s", key);
	snprintf(content->media_type, sizeof(content->media_type), "%s", media_type);
	content->data = malloc(len + 1);
	must(content->data, "memory");
	memcpy(content->data, data, len);
	content->len = len;
	fake->content_count++;
}

struct scar_descriptor fake_add(struct fake_registry *fake, const char *tag, const char *media_type,
				const void *data, size_t len)
{
	struct scar_descriptor desc = {.size_bytes = len};
	char text[SCAR_DIGEST_TEXT_MAX];
	struct scar_err err;

	must(scar_digest_of(SCAR_DIGEST_SHA256, data, len, &desc.digest, &err) == 0, "digest");
	snprintf(desc.media_type, sizeof(desc.media_type), "%s", media_type);
	add(fake, scar_digest_format(&desc.digest, text), media_type, data, len);
	if (tag)
		add(fake, tag, media_type, data, len);
	return desc;
}

void fake_fail(struct fake_registry *fake, const struct fake_fault *fault)
{
	must(fake->fault_count < FAKE_FAULTS, "too many faults");
	fake->faults[fake->fault_count++] = *fault;
}

size_t fake_count(const struct fake_registry *fake, const char *part)
{
	size_t count = 0;

	for (size_t i = 0; i < fake->request_count; i++)
		count += strstr(fake->requests[i].target, part) != NULL;
	return count;
}
