/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file endpoint.h
 * The servers that may have the content of one repository: the mirrors that are configured for its registry, then the registry
 * itself; and with which credentials to ask each. Internal to registry/.
 */
#ifndef SCAR_REGISTRY_ENDPOINT_H
#define SCAR_REGISTRY_ENDPOINT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct scar_err;
struct scar_ref;
struct scar_source_options;
struct scar_transfer;

struct scar_endpoint {
	char *name;       /**< host[:port], "docker.io" for Docker Hub */
	char *repository; /**< as this server names it */
	struct scar_transfer *transfer;
	atomic_bool is_out; /**< it failed; not asked again */
};

#define SCAR_ENDPOINTS_MAX 9

/** All zero before open. */
struct scar_endpoints {
	struct scar_endpoint list[SCAR_ENDPOINTS_MAX];
	size_t count; /**< the last one is the registry itself */
};

/**
 * Finds the credentials for each and prepares it for requests; asks AWS for credentials where that is what it takes. Where a
 * mirror's credentials cannot be had it is left out. On failure the caller clears what is there.
 */
int scar_endpoints_open(const struct scar_ref *ref, const struct scar_source_options *options,
			struct scar_endpoints *endpoints, struct scar_err *err);
void scar_endpoints_clear(struct scar_endpoints *endpoints);

#endif
