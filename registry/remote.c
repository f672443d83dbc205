/* SPDX-License-Identifier: Apache-2.0 */
/* Images in a registry (OCI distribution specification, "Pulling manifests", "Pulling blobs"). */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "registry/endpoint.h"
#include "registry/source.h"
#include "registry/transfer.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"

static const char accept_manifests[] = SCAR_MEDIA_OCI_INDEX
	", " SCAR_MEDIA_DOCKER_LIST ", " SCAR_MEDIA_OCI_MANIFEST ", " SCAR_MEDIA_DOCKER_MANIFEST;

struct remote {
	const struct scar_ref *ref;
	struct scar_endpoints endpoints;
};

static void remote_close(void *impl)
{
	struct remote *remote = impl;

	scar_endpoints_clear(&remote->endpoints);
	free(remote);
}

static int remote_open(const struct scar_ref *ref, const struct scar_source_options *options,
		       void **ret_impl, struct scar_err *err)
{
	struct remote *remote = calloc(1, sizeof(*remote));

	if (!remote)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	remote->ref = ref;
	if (scar_endpoints_open(ref, options, &remote->endpoints, err) < 0) {
		remote_close(remote);
		return -1;
	}
	*ret_impl = remote;
	return 0;
}

/* ---- one request, to one after another ---- */

/** Whether another server may have what this one did not give. */
static bool may_be_elsewhere(const struct scar_err *err)
{
	switch ((int)err->kind) {
	case SCAR_ERR_NOT_FOUND:
	case SCAR_ERR_AUTH:
	case SCAR_ERR_RATE_LIMIT:
	case SCAR_ERR_UNAVAILABLE:
	case SCAR_ERR_NETWORK:
	case SCAR_ERR_TLS:
	case SCAR_ERR_PROTOCOL:
	case SCAR_ERR_INTEGRITY: return true;
	default: return false;
	}
}

/** GETs /v2/<repository>/<kind>/<which>. */
static int get_from(const struct scar_endpoint *endpoint, const char *kind, const char *which,
		    struct scar_transfer_request *req, struct scar_http_response *resp,
		    struct scar_err *err)
{
	scar_free_auto char *path = NULL;

	if (asprintf(&path, "/v2/%s/%s/%s", endpoint->repository, kind, which) < 0) {
		path = NULL;
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	}
	req->path = path;
	return scar_transfer_get(endpoint->transfer, req, resp, err);
}

/**
 * A mirror that cannot be reached or serves no more is left out for the rest of the pull; one that merely lacks something is asked
 * again for the next thing. The error is that of the registry itself, which is last, with what the first mirror said.
 */
static int get_from_any(struct remote *remote, const char *kind, const char *which,
			struct scar_transfer_request *req, struct scar_http_response *resp,
			struct scar_err *err)
{
	const size_t last = remote->endpoints.count - 1;
	char first[256] = "";

	for (size_t i = 0; i < last; i++) {
		struct scar_endpoint *endpoint = &remote->endpoints.list[i];

		if (atomic_load(&endpoint->is_out))
			continue;
		if (get_from(endpoint, kind, which, req, resp, err) == 0)
			return 0;
		if (!may_be_elsewhere(err) || (req->progress && req->progress->sink_failed))
			return -1;
		scar_debug("mirror %s: %s", endpoint->name, err->msg);
		if (err->kind != SCAR_ERR_NOT_FOUND && err->kind != SCAR_ERR_INTEGRITY)
			atomic_store(&endpoint->is_out, true);
		if (!first[0])
			snprintf(first, sizeof(first), "mirror %.80s: %.160s", endpoint->name,
				 err->msg);
	}
	if (get_from(&remote->endpoints.list[last], kind, which, req, resp, err) == 0)
		return 0;
	return first[0] ? scar_err_wrap(err, "%s; then", first) : -1;
}

static int get_manifest(struct remote *remote, const char *which, struct scar_http_response *resp,
			struct scar_err *err)
{
	scar_free_auto char *what = NULL;
	bool by_digest = strchr(which, ':');
	struct scar_transfer_request req = {.accept = accept_manifests,
					    .max_body_bytes = SCAR_LIMIT_MANIFEST_BYTES};

	if (asprintf(&what, "manifest %s%c%s", remote->ref->repository, by_digest ? '@' : ':',
		     which) < 0) {
		what = NULL;
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	}
	req.what = what;
	return get_from_any(remote, "manifests", which, &req, resp, err);
}

static int remote_root(void *impl, const struct scar_platform *platform, struct scar_buf *text,
		       char ret_media_type[SCAR_MEDIA_TYPE_MAX], struct scar_digest *ret_expected,
		       struct scar_err *err)
{
	struct remote *remote = impl;
	scar_http_response_auto struct scar_http_response resp;
	struct scar_digest expected = {.bytes = {0}};
	char media_type[SCAR_MEDIA_TYPE_MAX] = "", content_digest[SCAR_DIGEST_TEXT_MAX];
	const char *digest = remote->ref->digest;

	(void)platform; /* the registry answers with the index */
	scar_http_response_init(&resp);
	if (get_manifest(remote, digest ? digest : remote->ref->tag, &resp, err) < 0)
		return -1;
	/* For a tag the registry's word is all there is; it still tells a body that was damaged. */
	if (!digest && scar_http_header_get(&resp, "Docker-Content-Digest", 0, content_digest,
					    sizeof(content_digest)))
		digest = content_digest;
	if (digest && scar_digest_parse(digest, &expected, err) < 0)
		return scar_err_wrap(err, "Docker-Content-Digest");
	if (scar_buf_append(text, resp.body.data, resp.body.len, err) < 0)
		return -1;
	(void)scar_http_header_get(&resp, "Content-Type", 0, media_type, sizeof(media_type));
	memcpy(ret_media_type, media_type, sizeof(media_type));
	*ret_expected = expected;
	return 0;
}

static int remote_manifest(void *impl, const struct scar_descriptor *desc, struct scar_buf *text,
			   struct scar_err *err)
{
	scar_http_response_auto struct scar_http_response resp;
	char digest[SCAR_DIGEST_TEXT_MAX];

	scar_http_response_init(&resp);
	if (get_manifest(impl, scar_digest_format(&desc->digest, digest), &resp, err) < 0)
		return -1;
	return scar_buf_append(text, resp.body.data, resp.body.len, err);
}

static int remote_blob(void *impl, const struct scar_descriptor *desc, scar_http_sink sink,
		       void *ctx, struct scar_err *err)
{
	struct remote *remote = impl;
	scar_http_response_auto struct scar_http_response resp;
	struct scar_transfer_progress progress = {.received = 0};
	char digest[SCAR_DIGEST_TEXT_MAX], what[SCAR_DIGEST_TEXT_MAX + 8];
	struct scar_transfer_request req = {.what = what,
					    .sink = sink,
					    .sink_ctx = ctx,
					    .size_bytes = desc->size_bytes,
					    .progress = &progress};

	scar_http_response_init(&resp);
	scar_digest_format(&desc->digest, digest);
	snprintf(what, sizeof(what), "blob %s", digest);
	return get_from_any(remote, "blobs", digest, &req, &resp, err);
}

static void remote_stats(const void *impl, struct scar_source_stats *ret_stats)
{
	const struct remote *remote = impl;

	for (size_t i = 0; i < remote->endpoints.count; i++) {
		struct scar_source_stats one = {.requests = 0};

		scar_transfer_stats(remote->endpoints.list[i].transfer, &one);
		ret_stats->requests += one.requests;
		ret_stats->bytes_received += one.bytes_received;
		ret_stats->retries += one.retries;
	}
}

const struct scar_source_ops scar_source_remote = {
	.transport = SCAR_TRANSPORT_DOCKER,
	.open = remote_open,
	.close = remote_close,
	.root = remote_root,
	.manifest = remote_manifest,
	.blob = remote_blob,
	.stats = remote_stats,
};
