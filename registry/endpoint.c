/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/aws.h"
#include "registry/client.h"
#include "registry/credentials.h"
#include "registry/ref.h"
#include "registry/transfer.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"
#include "runtime/base/log.h"
#include "runtime/base/url.h"

/* Token servers of registries that are known to ask for a token always. */
static const struct {
	const char *registry;
	const char *realm;
	const char *service;
} known_realms[] = {
	{SCAR_REF_DOCKER_HUB, "https://auth.docker.io/token", "registry.docker.io"},
};

/* What the endpoints of one source have in common. */
struct opening {
	const struct scar_source_options *options;
	const char *reference;
	struct scar_buf secret; /* fetched once, when it is first needed */
	bool has_secret;
};

/* ---- credentials ---- */

static int from_secret(struct opening *opening, const char *registry, bool is_mirror,
		       struct scar_credentials *found, struct scar_err *err)
{
	const char *arn = opening->options->secret;

	if (!opening->has_secret &&
	    scar_aws_secret(arn, opening->options, &opening->secret, err) < 0)
		return -1;
	opening->has_secret = true;
	return scar_credentials_from_secret(opening->secret.data, arn, registry, !is_mirror, found,
					    err);
}

/** The first of: user name and password given (not for mirrors), the secret, config.json, ECR's own way. */
static int find_credentials(struct opening *opening, const char *registry, bool is_mirror,
			    struct scar_credentials *found, struct scar_err *err)
{
	const struct scar_source_options *options = opening->options;

	if (options->username && !is_mirror)
		return scar_credentials_set(found, options->username,
					    options->password ? options->password : "", err);
	if (options->secret && from_secret(opening, registry, is_mirror, found, err) < 0)
		return -1;
	if (!found->username && options->docker_config &&
	    scar_credentials_load(options->docker_config, registry, found, err) < 0)
		return -1;
	if (!found->username && scar_aws_is_ecr(registry))
		return scar_aws_ecr_credentials(registry, options, found, err);
	return 0;
}

/* ---- one endpoint ---- */

/** http:// where it is allowed or usual. Docker Hub is never spoken to without TLS. */
static enum scar_transfer_scheme scheme_of(const char *registry, const char *host,
					   const struct scar_source_options *options)
{
	if (strcmp(registry, SCAR_REF_DOCKER_HUB) == 0)
		return SCAR_SCHEME_HTTPS;
	if (options->allow_plain)
		return SCAR_SCHEME_HTTP;
	return scar_url_host_is_loopback(host) ? SCAR_SCHEME_GUESS : SCAR_SCHEME_HTTPS;
}

static int open_endpoint(struct opening *opening, const struct scar_ref *ref, bool is_mirror,
			 struct scar_endpoint *endpoint, struct scar_err *err)
{
	scar_credentials_auto struct scar_credentials found = {.username = NULL};
	struct scar_transfer_options transfer = {.host = scar_ref_host(ref),
						 .name = ref->registry,
						 .repository = ref->repository,
						 .reference = opening->reference,
						 .has_alternative = is_mirror,
						 .source = opening->options};

	if (find_credentials(opening, ref->registry, is_mirror, &found, err) < 0)
		return -1;
	transfer.scheme = scheme_of(ref->registry, transfer.host, opening->options);
	transfer.username = found.username;
	transfer.password = found.password;
	for (size_t i = 0; i < sizeof(known_realms) / sizeof(known_realms[0]); i++) {
		if (strcmp(known_realms[i].registry, ref->registry) == 0) {
			transfer.realm = known_realms[i].realm;
			transfer.service = known_realms[i].service;
		}
	}
	endpoint->name = strdup(ref->registry);
	endpoint->repository = strdup(ref->repository);
	if (!endpoint->name || !endpoint->repository)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	return scar_transfer_create(&transfer, &endpoint->transfer, err);
}

static void clear_endpoint(struct scar_endpoint *endpoint)
{
	scar_transfer_free(endpoint->transfer);
	free(endpoint->repository);
	free(endpoint->name);
	memset(endpoint, 0, sizeof(*endpoint));
}

/* ---- the list ---- */

/**
 * "HOST[:PORT][/PREFIX]" and the repository together are a reference, which is checked as any. HOST is a registry also where it has neither
 * dot nor port, since it can be nothing else here.
 */
static int mirror_ref(const char *mirror, const char *repository, struct scar_ref *ret_ref,
		      struct scar_err *err)
{
	scar_ref_auto struct scar_ref ref = {.registry = NULL};
	scar_free_auto char *text = NULL;
	size_t host_len = strcspn(mirror, "/");

	if (asprintf(&text, "%s/%s", mirror, repository) < 0) {
		text = NULL;
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	}
	if (scar_ref_parse(text, &ref, err) < 0) {
		err->kind = SCAR_ERR_CONFIG;
		return scar_err_wrap(err, "mirror");
	}
	if (ref.transport != SCAR_TRANSPORT_DOCKER || strlen(ref.registry) != host_len ||
	    strncmp(ref.registry, mirror, host_len) != 0)
		return scar_err_set(
			err, SCAR_ERR_CONFIG,
			"mirror '%s' does not begin with HOST:PORT or the name of a host", mirror);
	*ret_ref = ref;
	memset(&ref, 0, sizeof(ref));
	return 0;
}

static int add_mirror(struct opening *opening, const char *mirror, const struct scar_ref *ref,
		      struct scar_endpoints *endpoints, struct scar_err *err)
{
	scar_ref_auto struct scar_ref at_mirror = {.registry = NULL};
	struct scar_endpoint *endpoint = &endpoints->list[endpoints->count];
	struct scar_err why;

	if (endpoints->count + 1 == SCAR_ENDPOINTS_MAX)
		return scar_err_set(err, SCAR_ERR_LIMIT, "more than %d mirrors for %s",
				    SCAR_ENDPOINTS_MAX - 1, ref->registry);
	if (mirror_ref(mirror, ref->repository, &at_mirror, err) < 0)
		return -1;
	if (open_endpoint(opening, &at_mirror, true, endpoint, &why) == 0) {
		endpoints->count++;
		return 0;
	}
	clear_endpoint(endpoint);
	scar_debug("mirror %s is left out: %s", at_mirror.registry, why.msg);
	return 0;
}

/** One "REGISTRY=MIRROR"; all are checked, those of our registry are added. */
static int take_entry(struct opening *opening, char *entry, const struct scar_ref *ref,
		      struct scar_endpoints *endpoints, struct scar_err *err)
{
	scar_ref_auto struct scar_ref checked = {.registry = NULL};
	char *equal = strchr(entry, '=');

	if (!equal || equal == entry || !equal[1])
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "mirror '%s' is not REGISTRY=HOST[:PORT][/PREFIX]", entry);
	*equal = '\0';
	if (strcmp(entry, ref->registry) == 0)
		return add_mirror(opening, equal + 1, ref, endpoints, err);
	return mirror_ref(equal + 1, "name", &checked, err);
}

static int take_mirrors(struct opening *opening, const struct scar_ref *ref,
			struct scar_endpoints *endpoints, struct scar_err *err)
{
	scar_free_auto char *text = NULL;
	char *next = NULL;

	if (!opening->options->mirrors)
		return 0;
	text = strdup(opening->options->mirrors);
	if (!text)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	for (char *entry = strtok_r(text, ", \t\n", &next); entry;
	     entry = strtok_r(NULL, ", \t\n", &next)) {
		if (take_entry(opening, entry, ref, endpoints, err) < 0)
			return -1;
	}
	return 0;
}

int scar_endpoints_open(const struct scar_ref *ref, const struct scar_source_options *options,
			struct scar_endpoints *endpoints, struct scar_err *err)
{
	scar_free_auto char *reference = scar_ref_format(ref);
	struct opening opening = {.options = options, .reference = reference};
	struct scar_endpoint *self;
	int result;

	if (!reference)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	scar_buf_init(&opening.secret, SCAR_LIMIT_TOKEN_BYTES * 2);
	result = take_mirrors(&opening, ref, endpoints, err);
	if (result == 0) {
		/* Counted first, so that it is cleared whatever becomes of it. */
		self = &endpoints->list[endpoints->count++];
		result = open_endpoint(&opening, ref, false, self, err);
	}
	explicit_bzero(opening.secret.data, opening.secret.len);
	scar_buf_clear(&opening.secret);
	return result;
}

void scar_endpoints_clear(struct scar_endpoints *endpoints)
{
	while (endpoints->count)
		clear_endpoint(&endpoints->list[--endpoints->count]);
}
