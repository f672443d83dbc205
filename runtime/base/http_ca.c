/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/http_ca.h"

#include <fcntl.h>
#include <openssl/asn1.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/limits.h"

#define BUNDLE_MAX_BYTES SCAR_MIB(16)

struct scar_http_ca {
	char *path;
	struct scar_buf pem;
	/* Blocks that carry more than a certificate; OpenSSL reads such a bundle itself. */
	bool is_special;
	X509_LOOKUP_METHOD *method;
};

/* ---- the blocks of a PEM file (RFC 7468) ---- */

struct block {
	const char *label, *body;
	size_t label_len, body_len;
};

static const char *find(const char *from, const char *end, const char *what)
{
	return memmem(from, (size_t)(end - from), what, strlen(what));
}

/* The next block from *at, which goes behind it. */
static bool next_block(const char **at, const char *end, struct block *ret_block)
{
	const char *begin = find(*at, end, "-----BEGIN "), *dashes, *stop;

	if (!begin)
		return false;
	begin += strlen("-----BEGIN ");
	dashes = find(begin, end, "-----");
	stop = dashes ? find(dashes + 5, end, "-----END ") : NULL;
	if (!stop)
		return false;
	*ret_block = (struct block){begin, dashes + 5, (size_t)(dashes - begin),
				    (size_t)(stop - dashes - 5)};
	*at = stop + strlen("-----END ");
	return true;
}

static bool is_labelled(const struct block *block, const char *label)
{
	return block->label_len == strlen(label) &&
	       memcmp(block->label, label, block->label_len) == 0;
}

static bool is_certificate(const struct block *block)
{
	return is_labelled(block, "CERTIFICATE") || is_labelled(block, "X509 CERTIFICATE");
}

/* @return bytes, 0 if it is no Base64 */
static size_t decode(const struct block *block, EVP_ENCODE_CTX *context, uint8_t *der)
{
	int len = 0, rest = 0;

	EVP_DecodeInit(context);
	if (EVP_DecodeUpdate(context, der, &len, (const uint8_t *)block->body,
			     (int)block->body_len) < 0 ||
	    EVP_DecodeFinal(context, der + len, &rest) < 0)
		return 0;
	return (size_t)len + (size_t)rest;
}

/* ---- the subject of a certificate (RFC 5280, 4.1), without parsing the rest ---- */

struct der {
	const uint8_t *at, *end;
};

/* Enters a constructed element, or goes past an element. @return false: it is not there whole */
static bool step(struct der *der, bool is_entered, int *ret_tag, int *ret_class)
{
	const uint8_t *content = der->at;
	long len;
	int flags = ASN1_get_object(&content, &len, ret_tag, ret_class, der->end - der->at);

	/* 0x80: an error; 1: of indefinite length, which DER has not. */
	if (flags & 0x81)
		return false;
	der->at = is_entered ? content : content + len;
	if (is_entered)
		der->end = content + len;
	return true;
}

static bool find_subject(const uint8_t *data, size_t len, struct der *ret_subject)
{
	struct der der = {data, data + len}, before;
	int tag, class;

	/* Into the certificate, and in there into what is signed. */
	for (int i = 0; i < 2; i++) {
		if (!step(&der, true, &tag, &class))
			return false;
	}
	/* The version, which may be absent, then serial number, algorithm, issuer, validity. */
	before = der;
	if (!step(&der, false, &tag, &class))
		return false;
	if (class != V_ASN1_CONTEXT_SPECIFIC)
		der = before;
	for (int i = 0; i < 4; i++) {
		if (!step(&der, false, &tag, &class))
			return false;
	}
	*ret_subject = der;
	if (!step(&der, false, &tag, &class))
		return false;
	ret_subject->end = der.at;
	return true;
}

/* Names are equal if their canonical forms are; that they are written alike is nearly always so, and quickly found. */
static bool is_named(const struct der *subject, const X509_NAME *name, const uint8_t *raw,
		     size_t raw_len)
{
	const uint8_t *at = subject->at;
	size_t len = (size_t)(subject->end - subject->at);
	X509_NAME *parsed;
	bool is_equal;

	if (len == raw_len && memcmp(subject->at, raw, len) == 0)
		return true;
	parsed = d2i_X509_NAME(NULL, &at, (long)len);
	is_equal = parsed && X509_NAME_cmp(parsed, name) == 0;
	X509_NAME_free(parsed);
	return is_equal;
}

/* ---- OpenSSL asks ---- */

/* The store keeps what was found, so *ret_object need not. */
static int give(X509_STORE *store, const uint8_t *der, size_t len, X509_OBJECT *ret_object)
{
	X509 *certificate = d2i_X509(NULL, &der, (long)len);
	int found = certificate && X509_STORE_add_cert(store, certificate) == 1 &&
		    X509_OBJECT_set1_X509(ret_object, certificate) == 1;

	/* One reference is the store's; set1 has taken another, which nobody would free. */
	if (found)
		X509_free(certificate);
	X509_free(certificate);
	return found;
}

static int search(const struct scar_http_ca *ca, X509_STORE *store, const X509_NAME *name,
		  X509_OBJECT *ret_object)
{
	const char *at = ca->pem.data, *end = ca->pem.data + ca->pem.len;
	EVP_ENCODE_CTX *context = EVP_ENCODE_CTX_new();
	uint8_t *der = malloc(ca->pem.len), *raw = NULL;
	int raw_len = i2d_X509_NAME(name, &raw), found = 0;
	struct block block;

	/* All of that name: a root may be there with its old and its new key. */
	while (context && der && raw_len > 0 && next_block(&at, end, &block)) {
		struct der subject;
		size_t len = is_certificate(&block) ? decode(&block, context, der) : 0;

		if (len > 0 && find_subject(der, len, &subject) &&
		    is_named(&subject, name, raw, (size_t)raw_len))
			found |= give(store, der, len, ret_object);
	}
	OPENSSL_free(raw);
	free(der);
	EVP_ENCODE_CTX_free(context);
	return found;
}

static int by_subject(X509_LOOKUP *lookup, X509_LOOKUP_TYPE type, const X509_NAME *name,
		      X509_OBJECT *ret_object)
{
	const struct scar_http_ca *ca = X509_LOOKUP_get_method_data(lookup);

	if (type != X509_LU_X509 || !ca)
		return 0;
	return search(ca, X509_LOOKUP_get_store(lookup), name, ret_object);
}

/* ---- for the HTTP client ---- */

static int inspect(struct scar_http_ca *ca, struct scar_err *err)
{
	const char *at = ca->pem.data, *end = ca->pem.data + ca->pem.len;
	struct block block;
	bool has_any = false;

	while (ca->pem.len > 0 && next_block(&at, end, &block)) {
		has_any = has_any || is_certificate(&block);
		ca->is_special = ca->is_special || is_labelled(&block, "TRUSTED CERTIFICATE") ||
				 is_labelled(&block, "X509 CRL");
	}
	if (!has_any && !ca->is_special)
		return scar_err_set(err, SCAR_ERR_TLS, "the CA bundle %s has no certificate in it",
				    ca->path);
	return 0;
}

static int load(struct scar_http_ca *ca, const char *path, struct scar_err *err)
{
	ca->path = strdup(path);
	ca->method = X509_LOOKUP_meth_new("certificates of a bundle when they are asked for");
	if (!ca->path || !ca->method)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	X509_LOOKUP_meth_set_get_by_subject(ca->method, by_subject);
	if (scar_fs_read_file(AT_FDCWD, path, &ca->pem, err) < 0) {
		err->kind = SCAR_ERR_TLS;
		return scar_err_wrap(err, "CA bundle");
	}
	return inspect(ca, err);
}

struct scar_http_ca *scar_http_ca_create(const char *path, struct scar_err *err)
{
	struct scar_http_ca *ca = calloc(1, sizeof *ca);

	if (!ca) {
		scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
		return NULL;
	}
	scar_buf_init(&ca->pem, BUNDLE_MAX_BYTES);
	if (load(ca, path, err) < 0) {
		scar_http_ca_free(ca);
		return NULL;
	}
	return ca;
}

void scar_http_ca_free(struct scar_http_ca *ca)
{
	if (!ca)
		return;
	X509_LOOKUP_meth_free(ca->method);
	scar_buf_clear(&ca->pem);
	free(ca->path);
	free(ca);
}

int scar_http_ca_install(struct scar_http_ca *ca, void *ssl_ctx, struct scar_err *err)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ssl_ctx);
	X509_LOOKUP *lookup;

	if (ca->is_special) {
		if (SSL_CTX_load_verify_file(ssl_ctx, ca->path) == 1)
			return 0;
		return scar_err_set(err, SCAR_ERR_TLS, "the CA bundle %s cannot be understood",
				    ca->path);
	}
	/* libcurl keeps the store for its next connection; the lookup is then there already. */
	lookup = store ? X509_STORE_add_lookup(store, ca->method) : NULL;
	if (!lookup || X509_LOOKUP_set_method_data(lookup, ca) != 1)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	return 0;
}
