/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file ref.h
 * Image references as users write them, with Docker's defaults.
 *
 *   [docker://][HOST[:PORT]/]NAME[:TAG][@DIGEST]   an image in a registry
 *   oci:DIR[:NAME][@DIGEST]                        a directory in OCI image layout
 *   oci-archive:FILE[:NAME][@DIGEST]               a tar file of such a directory
 *   docker-archive:FILE[:NAME[:TAG]]               a tar file as `docker save` writes it
 *   s3://BUCKET/KEY[:NAME][@DIGEST]                either of the two, in S3; a key has no colon here
 *
 * The grammar of the first form is that of github.com/distribution/reference: the part
 * before the first slash is a registry only if it holds a '.' or ':' or an upper-case letter, or is
 * "localhost"; else the registry is docker.io, and a name without a slash there is in "library/".
 * Without tag and digest the tag is "latest". With both, the digest alone decides.
 */
#ifndef SCAR_REGISTRY_REF_H
#define SCAR_REGISTRY_REF_H

#include "runtime/base/cleanup.h"

struct scar_err;

#define SCAR_REF_DOCKER_HUB "docker.io"

enum scar_transport {
	SCAR_TRANSPORT_DOCKER,
	SCAR_TRANSPORT_OCI_DIR,
	SCAR_TRANSPORT_OCI_ARCHIVE,
	SCAR_TRANSPORT_DOCKER_ARCHIVE,
	SCAR_TRANSPORT_S3
};

/** Owned strings; those that a transport does not have are NULL. */
struct scar_ref {
	enum scar_transport transport;
	char *registry;   /**< DOCKER: canonical name with its port, "docker.io" for Docker Hub */
	char *repository; /**< DOCKER: e.g. "library/alpine" */
	char *tag;    /**< DOCKER: NULL only if digest is given; the others: the name, or NULL */
	char *digest; /**< "sha256:..." or NULL */
	char *path;   /**< of a directory or file; BUCKET/KEY */
};

/**
 * Parses at most SCAR_LIMIT_REFERENCE_BYTES. Fails with SCAR_ERR_REFERENCE, naming the part that is
 * wrong and why.
 */
int scar_ref_parse(const char *text, struct scar_ref *ret_ref, struct scar_err *err);
/** Frees the strings; the reference is all zero afterwards. */
void scar_ref_clear(struct scar_ref *ref);
/** The full canonical text (free()), which parses to the same reference; NULL if out of memory. */
char *scar_ref_format(const struct scar_ref *ref);
/** What a reference of that kind begins with: "oci:"; "" for DOCKER, where it may be left out. */
const char *scar_ref_prefix(enum scar_transport transport);
/** host[:port] to connect to: "registry-1.docker.io" for Docker Hub, else ref->registry. Borrowed; DOCKER only. */
const char *scar_ref_host(const struct scar_ref *ref);

#define scar_ref_auto scar_auto(scar_ref_clear)

#endif
