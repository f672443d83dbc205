/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/digest.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/limits.h"

#define PIECE SCAR_KIB(64)

static const struct algorithm {
	enum scar_digest_alg alg;
	const char *prefix;
	size_t size_bytes;
	const EVP_MD *(*md)(void);
} algorithms[] = {
	{SCAR_DIGEST_SHA256, "sha256:", 32, EVP_sha256},
	{SCAR_DIGEST_SHA512, "sha512:", 64, EVP_sha512},
};

#define ALGORITHM_COUNT (sizeof algorithms / sizeof algorithms[0])

struct scar_hasher {
	const struct algorithm *algorithm;
	EVP_MD_CTX *ctx;
};

static const struct algorithm *find_algorithm(enum scar_digest_alg alg)
{
	for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
		if (algorithms[i].alg == alg)
			return &algorithms[i];
	}
	return NULL;
}

/* Lower case only: the image specification knows no other form. */
static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static int parse_hex(const char *text, size_t size_bytes, uint8_t *bytes)
{
	if (strlen(text) != 2 * size_bytes)
		return -1;
	for (size_t i = 0; i < size_bytes; i++) {
		int high = nibble(text[2 * i]), low = nibble(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -1;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

int scar_digest_parse(const char *text, struct scar_digest *ret_digest, struct scar_err *err)
{
	for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
		const struct algorithm *algorithm = &algorithms[i];
		struct scar_digest digest = {.alg = algorithm->alg};
		size_t prefix_len = strlen(algorithm->prefix);

		if (strncmp(text, algorithm->prefix, prefix_len) != 0)
			continue;
		if (parse_hex(text + prefix_len, algorithm->size_bytes, digest.bytes) < 0)
			break;
		*ret_digest = digest;
		return 0;
	}
	return scar_err_set(err, SCAR_ERR_IMAGE, "\"%.160s\" is not a sha256 or sha512 digest",
			    text);
}

const char *scar_digest_hex(const struct scar_digest *digest, char text[SCAR_DIGEST_TEXT_MAX])
{
	static const char digits[] = "0123456789abcdef";
	const struct algorithm *algorithm = find_algorithm(digest->alg);
	size_t size_bytes = algorithm ? algorithm->size_bytes : 0;

	for (size_t i = 0; i < size_bytes; i++) {
		text[2 * i] = digits[digest->bytes[i] >> 4];
		text[2 * i + 1] = digits[digest->bytes[i] & 15];
	}
	text[2 * size_bytes] = '\0';
	return text;
}

const char *scar_digest_format(const struct scar_digest *digest, char text[SCAR_DIGEST_TEXT_MAX])
{
	const struct algorithm *algorithm = find_algorithm(digest->alg);
	char hex[SCAR_DIGEST_TEXT_MAX];

	snprintf(text, SCAR_DIGEST_TEXT_MAX, "%s%s", algorithm ? algorithm->prefix : "",
		 scar_digest_hex(digest, hex));
	return text;
}

bool scar_digest_equal(const struct scar_digest *a, const struct scar_digest *b)
{
	return a->alg == b->alg && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

int scar_digest_of(enum scar_digest_alg alg, const void *data, size_t len,
		   struct scar_digest *ret_digest, struct scar_err *err)
{
	scar_hasher_auto struct scar_hasher *hasher = scar_hasher_create(alg, err);

	if (!hasher || scar_hasher_update(hasher, data, len, err) < 0)
		return -1;
	return scar_hasher_finish(hasher, ret_digest, err);
}

static int start(struct scar_hasher *hasher, const struct algorithm *algorithm,
		 struct scar_err *err)
{
	hasher->algorithm = algorithm;
	hasher->ctx = EVP_MD_CTX_new();
	if (!hasher->ctx)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	if (EVP_DigestInit_ex(hasher->ctx, algorithm->md(), NULL) != 1)
		return scar_err_set(err, SCAR_ERR_INTERNAL, "no digest algorithm %s",
				    algorithm->prefix);
	return 0;
}

struct scar_hasher *scar_hasher_create(enum scar_digest_alg alg, struct scar_err *err)
{
	const struct algorithm *algorithm = find_algorithm(alg);
	struct scar_hasher *hasher;

	if (!algorithm) {
		scar_err_set(err, SCAR_ERR_INTERNAL, "unknown digest algorithm %d", (int)alg);
		return NULL;
	}
	hasher = calloc(1, sizeof *hasher);
	if (!hasher) {
		scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
		return NULL;
	}
	if (start(hasher, algorithm, err) < 0) {
		scar_hasher_free(hasher);
		return NULL;
	}
	return hasher;
}

void scar_hasher_free(struct scar_hasher *hasher)
{
	if (!hasher)
		return;
	EVP_MD_CTX_free(hasher->ctx);
	free(hasher);
}

int scar_hasher_update(struct scar_hasher *hasher, const void *data, size_t len,
		       struct scar_err *err)
{
	if (len > 0 && EVP_DigestUpdate(hasher->ctx, data, len) != 1)
		return scar_err_set(err, SCAR_ERR_INTERNAL, "cannot continue a digest");
	return 0;
}

int scar_hasher_finish(struct scar_hasher *hasher, struct scar_digest *ret_digest,
		       struct scar_err *err)
{
	struct scar_digest digest = {.alg = hasher->algorithm->alg};
	unsigned int len = 0;

	if (EVP_DigestFinal_ex(hasher->ctx, digest.bytes, &len) != 1 ||
	    len != hasher->algorithm->size_bytes)
		return scar_err_set(err, SCAR_ERR_INTERNAL, "cannot finish a digest");
	*ret_digest = digest;
	return 0;
}

int scar_digest_of_file(enum scar_digest_alg alg, int fd, uint64_t offset, uint64_t len,
			struct scar_digest *ret_digest, struct scar_err *err)
{
	scar_hasher_auto struct scar_hasher *hasher = scar_hasher_create(alg, err);
	scar_free_auto char *piece = malloc(PIECE);

	if (!hasher)
		return -1;
	if (!piece)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	while (len > 0) {
		size_t got = 0;

		if (scar_fs_read_at(fd, offset, piece, len < PIECE ? (size_t)len : PIECE, &got,
				    err) < 0 ||
		    scar_hasher_update(hasher, piece, got, err) < 0)
			return -1;
		offset += got;
		len -= got;
	}
	return scar_hasher_finish(hasher, ret_digest, err);
}
