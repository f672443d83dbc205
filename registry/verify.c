/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/verify.h"

#include <string.h>

#include "runtime/base/err.h"

static int refuse_size(const struct scar_descriptor *desc, const char *have, uint64_t bytes,
		       struct scar_err *err)
{
	char digest[SCAR_DIGEST_TEXT_MAX];

	return scar_err_set(err, SCAR_ERR_INTEGRITY,
			    "%s has %s%llu bytes, its descriptor says %llu",
			    scar_digest_format(&desc->digest, digest), have,
			    (unsigned long long)bytes, (unsigned long long)desc->size_bytes);
}

int scar_verify_init(struct scar_verify *verify, const struct scar_descriptor *desc,
		     scar_http_sink sink, void *sink_ctx, struct scar_err *err)
{
	memset(verify, 0, sizeof(*verify));
	verify->hasher = scar_hasher_create(desc->digest.alg, err);
	if (!verify->hasher)
		return -1;
	verify->desc = desc;
	verify->sink = sink;
	verify->sink_ctx = sink_ctx;
	return 0;
}

void scar_verify_clear(struct scar_verify *verify)
{
	if (verify->hasher)
		scar_hasher_free(verify->hasher);
	memset(verify, 0, sizeof(*verify));
}

int scar_verify_sink(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	struct scar_verify *verify = ctx;

	if (len > verify->desc->size_bytes - verify->seen_bytes)
		return refuse_size(verify->desc, "at least ", verify->seen_bytes + len, err);
	if (scar_hasher_update(verify->hasher, data, len, err) < 0 ||
	    verify->sink(verify->sink_ctx, data, len, err) < 0)
		return -1;
	verify->seen_bytes += len;
	return 0;
}

static int check_digest(const struct scar_descriptor *desc, const struct scar_digest *have,
			struct scar_err *err)
{
	char want_text[SCAR_DIGEST_TEXT_MAX], have_text[SCAR_DIGEST_TEXT_MAX];

	if (scar_digest_equal(&desc->digest, have))
		return 0;
	return scar_err_set(err, SCAR_ERR_INTEGRITY, "content of %s has digest %s",
			    scar_digest_format(&desc->digest, want_text),
			    scar_digest_format(have, have_text));
}

int scar_verify_finish(struct scar_verify *verify, struct scar_err *err)
{
	struct scar_digest have;

	if (verify->seen_bytes != verify->desc->size_bytes)
		return refuse_size(verify->desc, "", verify->seen_bytes, err);
	if (scar_hasher_finish(verify->hasher, &have, err) < 0)
		return -1;
	return check_digest(verify->desc, &have, err);
}

int scar_verify_document(const void *data, size_t len, const struct scar_descriptor *desc,
			 struct scar_err *err)
{
	struct scar_digest have;

	if (len != desc->size_bytes)
		return refuse_size(desc, "", len, err);
	if (scar_digest_of(desc->digest.alg, data, len, &have, err) < 0)
		return -1;
	return check_digest(desc, &have, err);
}
