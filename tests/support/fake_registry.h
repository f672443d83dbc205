/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file fake_registry.h
 * A registry in memory that goes wrong as told, for what no real registry does on request. Serves one repository
 * "test/image". Tests against a real registry are in tests/e2e.
 */
#ifndef SCAR_TESTS_SUPPORT_FAKE_REGISTRY_H
#define SCAR_TESTS_SUPPORT_FAKE_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registry/manifest.h"
#include "tests/support/http_script.h"

#define FAKE_CONTENTS 48
#define FAKE_REQUESTS 256
#define FAKE_FAULTS 8

enum fake_fault_kind {
	FAKE_STATUS,   /**< answer `status` with header `lines` and `body` */
	FAKE_HANG_UP,  /**< close without an answer */
	FAKE_TRUNCATE, /**< announce all, send `bytes`, close */
	FAKE_SHORT,    /**< announce and send all but the last `bytes` */
	FAKE_LONG,     /**< announce and send `bytes` more */
	FAKE_FLIP,     /**< change byte number `bytes` */
	FAKE_SHIFT     /**< answer a range with the one that begins `bytes` later */
};

/** Applies to the next `times` requests whose target holds `path`. */
struct fake_fault {
	const char *path;
	unsigned times;
	enum fake_fault_kind kind;
	int status;
	const char *lines;
	const char *body;
	size_t bytes;
};

enum fake_auth { FAKE_OPEN, FAKE_BASIC, FAKE_BEARER };

struct fake_content {
	char key[160]; /**< a digest, or a tag */
	char media_type[SCAR_MEDIA_TYPE_MAX];
	char *data;
	size_t len;
};

struct fake_request {
	char target[256];
	char authorization[128]; /**< "" if there was none */
	char range[64];
	char accept[512];
	char form[512]; /**< of a POST */
};

struct fake_registry {
	struct http_script server;
	struct fake_content contents[FAKE_CONTENTS];
	size_t content_count;
	struct fake_fault faults[FAKE_FAULTS];
	size_t fault_count;
	bool no_ranges;
	const char *
		digest_header; /**< sent instead of the right Docker-Content-Digest; NULL: none is sent */
	enum fake_auth auth;
	const char *
		basic; /**< expected by FAKE_BASIC, and by the token server unless NULL: "Basic ..." */
	const char *identity; /**< form that the token server wants, unless NULL */
	const char *renewal;  /**< more members of its answer, or NULL */
	const char *realm;    /**< NULL: the registry's own /token */
	unsigned tokens;      /**< issued; only the last is valid */
	bool revoke_once;     /**< the next request with a token finds it revoked */
	struct fake_request requests[FAKE_REQUESTS];
	size_t request_count;
};

void fake_start(struct fake_registry *fake);
void fake_stop(struct fake_registry *fake);
/** "127.0.0.1:port" in static storage of the caller. */
const char *fake_host(const struct fake_registry *fake, char text[32]);
/** Adds a blob or manifest under its digest, and under `tag` unless that is NULL. @return its descriptor */
struct scar_descriptor fake_add(struct fake_registry *fake, const char *tag, const char *media_type,
				const void *data, size_t len);
void fake_fail(struct fake_registry *fake, const struct fake_fault *fault);
/** How many requests had `part` in their target. */
size_t fake_count(const struct fake_registry *fake, const char *part);

#endif
