/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file client.h
 * Reads an image from where its reference points: a registry (OCI distribution specification), an OCI
 * image layout (a directory or a tar file), or a `docker save` archive; archives may be compressed, and in S3.
 *
 * Content is verified where it enters: manifest, config and blobs against digest and size, whatever the
 * source. Transient failures of a registry are retried with back-off (SCAR_LIMIT_RETRIES), an interrupted
 * blob goes on where it stopped. Credentials go only to the registry and to the token server it names, never to
 * the target of a redirect to another origin, and never over plain http unless allowed.
 */
#ifndef SCAR_REGISTRY_CLIENT_H
#define SCAR_REGISTRY_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "registry/manifest.h"
#include "runtime/base/http.h"

struct scar_err;
struct scar_ref;
struct scar_source;

/** All optional: zero-initialise. Strings are copied. */
struct scar_source_options {
	const char *username; /**< with password: before those of docker_config */
	const char *password;
	const char *
		docker_config; /**< path of a Docker config.json with credentials; missing file is fine */
	/** ARN of a secret with credentials, asked for when the source is opened; after username, before docker_config. */
	const char *secret;
	/**
	 * Where else to look for the content of a registry, "REGISTRY=HOST[:PORT][/PREFIX]" separated by commas or spaces; those of one
	 * registry are tried in order, then itself. What comes from there is verified as any content.
	 */
	const char *mirrors;
	const char *aws_endpoint; /**< URL of all AWS services, for tests; NULL: AWS's own */
	const char *s3_endpoint;  /**< URL of S3 alone, before that */
	const char *region;       /**< of AWS, where S3 is asked first; NULL: us-east-1 */
	bool allow_plain;         /**< http:// also to a registry that is not this machine */
	const char *ca_bundle;    /**< see http.h */
	const char *platform;     /**< "os/architecture[/variant]"; NULL: this machine */
	int64_t deadline_ms;      /**< epoch ms after which nothing is retried; 0: none */
	int64_t retry_delay_ms;   /**< first back-off; 0: 500 ms */
	const volatile int *
		cancel; /**< borrowed until close; non-zero ends all transfers: SCAR_ERR_INTERRUPTED */
};

struct scar_source_stats {
	uint64_t requests; /**< HTTP requests, those for tokens included */
	uint64_t bytes_received;
	uint64_t retries;
};

/**
 * Opens a source; no request is made yet, but to AWS for credentials (a secret; a password of ECR, where no other credentials are
 * given). The first call in a process must come before threads start
 * (see http.h). Fails with SCAR_ERR_CONFIG, _NOT_FOUND (no such directory or archive), _IMAGE (not an archive), ...
 */
int scar_source_open(const struct scar_ref *ref, const struct scar_source_options *options,
		     struct scar_source **ret_source, struct scar_err *err);
/** NULL is fine. No call may be in progress. */
void scar_source_close(struct scar_source *source);

/**
 * Finds the image for the platform: through nested indexes, then manifest and config. Not to be called from two threads at
 * once. Fails with SCAR_ERR_NOT_FOUND, _AUTH, _RATE_LIMIT, _PLATFORM, _IMAGE, _INTEGRITY, ...
 */
int scar_source_resolve(struct scar_source *source, struct scar_image **ret_image,
			struct scar_err *err);

/**
 * Streams a blob into sink, exactly once and in order, also across retries. Returns 0 only when size and
 * digest are right; the sink has had all bytes by then, so what it made of them counts only after that. Never
 * gives the sink more than size_bytes. Callable from several threads at once.
 */
int scar_source_blob(struct scar_source *source, const struct scar_descriptor *blob,
		     scar_http_sink sink, void *ctx, struct scar_err *err);

/** A snapshot; callable at any time. */
void scar_source_stats(const struct scar_source *source, struct scar_source_stats *ret_stats);

static inline void scar_cleanup_source(struct scar_source **source)
{
	scar_source_close(*source);
}
#define scar_source_auto scar_auto(scar_cleanup_source)

#endif
