/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verify.h
 * A sink that passes content on and holds it against its descriptor: more bytes than promised are refused as they
 * come, size and digest are decided at the end. Internal to registry/.
 */
#ifndef SCAR_REGISTRY_VERIFY_H
#define SCAR_REGISTRY_VERIFY_H

#include "registry/manifest.h"
#include "runtime/base/http.h"

struct scar_verify {
	const struct scar_descriptor *desc; /**< borrowed */
	struct scar_hasher *hasher;
	uint64_t seen_bytes;
	scar_http_sink sink;
	void *sink_ctx;
};

int scar_verify_init(struct scar_verify *verify, const struct scar_descriptor *desc,
		     scar_http_sink sink, void *sink_ctx, struct scar_err *err);
void scar_verify_clear(struct scar_verify *verify);
/** A scar_http_sink; ctx is the struct scar_verify. */
int scar_verify_sink(void *ctx, const void *data, size_t len, struct scar_err *err);
/** After the last byte: SCAR_ERR_INTEGRITY unless all was right. */
int scar_verify_finish(struct scar_verify *verify, struct scar_err *err);
/** A whole document against digest and size. */
int scar_verify_document(const void *data, size_t len, const struct scar_descriptor *desc,
			 struct scar_err *err);

#define scar_verify_auto scar_auto(scar_verify_clear)

#endif
