/* SPDX-License-Identifier: Apache-2.0 */
/* Images in a registry (OCI distribution specification, "Pulling manifests", "Pulling blobs"). */
#include <stdio.h>
#include <string.h>

#include "registry/credentials.h"
#include "registry/source.h"
#include "registry/transfer.h"
#include "registry/url.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

static const char accept_manifests[] = SCAR_MEDIA_OCI_INDEX
	", " SCAR_MEDIA_DOCKER_LIST ", " SCAR_MEDIA_OCI_MANIFEST ", " SCAR_MEDIA_DOCKER_MANIFEST;

/* Token servers of registries that are known to ask for a token always. */
static const struct {
	const char *registry;
	const char *realm;
	const char *service;
} known_realms[] = {
	{SCAR_REF_DOCKER_HUB, "https://auth.docker.io/token", "registry.docker.io"},
};

struct remote {
	const struct scar_ref *ref;
	struct scar_transfer *transfer;
};

static void remote_close(void *impl)
{
	struct remote *remote = impl;

	scar_transfer_free(remote->transfer);
	free(remote);
}

/** http:// where it is allowed or usual. Docker Hub is never spoken to without TLS. */
static enum scar_transfer_scheme scheme_of(const struct scar_ref *ref,
					   const struct scar_source_options *options)
{
	if (strcmp(ref->registry, SCAR_REF_DOCKER_HUB) == 0)
		return SCAR_SCHEME_HTTPS;
	if (options->allow_plain)
		return SCAR_SCHEME_HTTP;
	return scar_url_host_is_loopback(scar_ref_host(ref)) ? SCAR_SCHEME_GUESS
							     : SCAR_SCHEME_HTTPS;
}

static int open_transfer(const struct scar_ref *ref, const struct scar_source_options *options,
			 struct scar_transfer **ret_transfer, struct scar_err *err)
{
	scar_free_auto char *reference = scar_ref_format(ref);
	scar_credentials_auto struct scar_credentials found = {.username = NULL};
	struct scar_transfer_options transfer = {.host = scar_ref_host(ref),
						 .name = ref->registry,
						 .repository = ref->repository,
						 .reference = reference,
						 .scheme = scheme_of(ref, options),
						 .username = options->username,
						 .password = options->password,
						 .source = options};

	if (!reference)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	if (!transfer.username && options->docker_config) {
		if (scar_credentials_load(options->docker_config, ref->registry, &found, err) < 0)
			return -1;
		transfer.username = found.username;
		transfer.password = found.password;
	}
	for (size_t i = 0; i < sizeof(known_realms) / sizeof(known_realms[0]); i++) {
		if (strcmp(known_realms[i].registry, ref->registry) == 0) {
			transfer.realm = known_realms[i].realm;
			transfer.service = known_realms[i].service;
		}
	}
	return scar_transfer_create(&transfer, ret_transfer, err);
}

static int remote_open(const struct scar_ref *ref, const struct scar_source_options *options,
		       void **ret_impl, struct scar_err *err)
{
	struct scar_transfer *transfer = NULL;
	struct remote *remote;

	if (open_transfer(ref, options, &transfer, err) < 0)
		return -1;
	remote = calloc(1, sizeof(*remote));
	if (!remote) {
		scar_transfer_free(transfer);
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	}
	remote->ref = ref;
	remote->transfer = transfer;
	*ret_impl = remote;
	return 0;
}

/** GETs /v2/<repository>/manifests/<which>. */
static int get_manifest(struct remote *remote, const char *which, struct scar_http_response *resp,
			struct scar_err *err)
{
	scar_free_auto char *path = NULL, *what = NULL;
	bool by_digest = strchr(which, ':');
	struct scar_transfer_request req = {.accept = accept_manifests,
					    .max_body_bytes = SCAR_LIMIT_MANIFEST_BYTES};

	if (asprintf(&path, "/v2/%s/manifests/%s", remote->ref->repository, which) < 0) {
		path = NULL;
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	}
	if (asprintf(&what, "manifest %s%c%s", remote->ref->repository, by_digest ? '@' : ':',
		     which) < 0) {
		what = NULL;
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	}
	req.path = path;
	req.what = what;
	return scar_transfer_get(remote->transfer, &req, resp, err);
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
	scar_free_auto char *path = NULL;
	char digest[SCAR_DIGEST_TEXT_MAX], what[SCAR_DIGEST_TEXT_MAX + 8];
	struct scar_transfer_request req = {
		.what = what, .sink = sink, .sink_ctx = ctx, .size_bytes = desc->size_bytes};

	scar_http_response_init(&resp);
	scar_digest_format(&desc->digest, digest);
	snprintf(what, sizeof(what), "blob %s", digest);
	if (asprintf(&path, "/v2/%s/blobs/%s", remote->ref->repository, digest) < 0) {
		path = NULL;
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	}
	req.path = path;
	return scar_transfer_get(remote->transfer, &req, &resp, err);
}

static void remote_stats(const void *impl, struct scar_source_stats *ret_stats)
{
	const struct remote *remote = impl;

	scar_transfer_stats(remote->transfer, ret_stats);
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
