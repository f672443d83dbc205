/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/auth.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "registry/challenge.h"
#include "registry/credentials.h"
#include "runtime/base/base64.h"
#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/http.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/base/trace.h"
#include "runtime/base/url.h"

/* The token specification: 60 seconds where expires_in is absent. */
#define TOKEN_LIFE_DEFAULT_S 60
#define TOKEN_LIFE_MAX_S 86400
/* Renewed this long before the end, so that it does not expire on its way. */
#define TOKEN_MARGIN_S 10
#define CLIENT_ID "scar"

struct scar_auth {
	char *repository;
	char *basic; /* "Basic ...", NULL without credentials */
	struct scar_url origin;
	bool allow_plain;
	pthread_mutex_t lock; /* for all below */
	char *identity;       /* what to get tokens with instead of basic, or NULL */
	struct scar_challenge challenge;
	char *bearer;       /* "Bearer ..." */
	int64_t expires_ms; /* epoch */
	unsigned serial;    /* of what is sent now; grows with each change */
};

static int make_basic(const struct scar_auth_options *options, char **ret_basic,
		      struct scar_err *err)
{
	scar_buf_auto struct scar_buf pair, text;
	const char *password = options->password ? options->password : "";

	scar_buf_init(&pair, SCAR_LIMIT_TOKEN_BYTES);
	scar_buf_init(&text, SCAR_LIMIT_TOKEN_BYTES * 2);
	/* RFC 7617: the first colon ends the name. */
	if (strchr(options->username, ':'))
		return scar_err_set(err, SCAR_ERR_CONFIG, "the registry user name has a colon");
	if (scar_buf_printf(&pair, err, "%s:%s", options->username, password) < 0 ||
	    scar_buf_append_str(&text, "Basic ", err) < 0 ||
	    scar_base64_encode(pair.data, pair.len, &text, err) < 0)
		return -1;
	explicit_bzero(pair.data, pair.len);
	*ret_basic = scar_buf_steal(&text);
	return *ret_basic ? 0 : scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
}

static int take_credentials(struct scar_auth *auth, const struct scar_auth_options *options,
			    struct scar_err *err)
{
	if (strcmp(options->username, SCAR_CREDENTIALS_TOKEN) != 0)
		return make_basic(options, &auth->basic, err);
	if (!options->password || !*options->password)
		return scar_err_set(err, SCAR_ERR_CONFIG, "the identity token is empty");
	auth->identity = strdup(options->password);
	return auth->identity ? 0 : scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
}

int scar_auth_create(const struct scar_auth_options *options, struct scar_auth **ret_auth,
		     struct scar_err *err)
{
	scar_auto(scar_cleanup_auth) struct scar_auth *auth = calloc(1, sizeof(*auth));

	if (!auth)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	pthread_mutex_init(&auth->lock, NULL);
	auth->allow_plain = options->allow_plain;
	auth->repository = strdup(options->repository);
	if (!auth->repository)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	if (options->username && take_credentials(auth, options, err) < 0)
		return -1;
	if (options->realm) {
		auth->challenge.scheme = SCAR_CHALLENGE_BEARER;
		snprintf(auth->challenge.realm, sizeof(auth->challenge.realm), "%s",
			 options->realm);
		snprintf(auth->challenge.service, sizeof(auth->challenge.service), "%s",
			 options->service ? options->service : "");
	}
	*ret_auth = scar_steal(auth);
	return 0;
}

void scar_auth_set_origin(struct scar_auth *auth, const struct scar_url *origin)
{
	auth->origin = *origin;
	auth->origin.rest = ""; /* the text is not kept */
}

static void free_secret(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void scar_auth_free(struct scar_auth *auth)
{
	if (!auth)
		return;
	pthread_mutex_destroy(&auth->lock);
	free_secret(auth->basic);
	free_secret(auth->identity);
	free_secret(auth->bearer);
	free(auth->repository);
	free(auth);
}

/* ---- tokens ---- */

/** "key=value" with what has to come before it, unless the value is empty. */
static int append_param(struct scar_buf *text, const char *before, const char *key,
			const char *value, struct scar_err *err)
{
	if (!*value)
		return 0;
	if (scar_buf_printf(text, err, "%s%s=", before, key) < 0)
		return -1;
	for (const char *p = value; *p; p++) {
		int result = scar_url_char_is_unreserved(*p)
				     ? scar_buf_append_char(text, *p, err)
				     : scar_buf_printf(text, err, "%%%02X", (unsigned char)*p);

		if (result < 0)
			return -1;
	}
	return 0;
}

/** The registry chooses the realm, so it is checked. */
static int check_realm(const struct scar_auth *auth, struct scar_url *ret_realm,
		       struct scar_err *err)
{
	const char *realm = auth->challenge.realm;
	struct scar_url parsed;

	if (scar_url_parse(realm, &parsed, err) < 0)
		return scar_err_wrap(err, "token server named by the registry");
	if (!scar_url_may_lead(&auth->origin, &parsed, auth->allow_plain))
		return scar_err_set(err, SCAR_ERR_PROTOCOL,
				    "the registry names a token server that it may not: %.*s",
				    (int)(parsed.rest - realm), realm);
	*ret_realm = parsed;
	return 0;
}

/** What the token is to be good for, as the registry says it. */
static int append_scope(const struct scar_auth *auth, const char *before, struct scar_buf *text,
			struct scar_err *err)
{
	const struct scar_challenge *challenge = &auth->challenge;
	scar_buf_auto struct scar_buf scope;
	size_t len = text->len;

	scar_buf_init(&scope, SCAR_LIMIT_URL_BYTES);
	if (append_param(text, before, "service", challenge->service, err) < 0 ||
	    scar_buf_printf(&scope, err, "repository:%s:pull", auth->repository) < 0)
		return -1;
	return append_param(text, text->len == len ? before : "&", "scope",
			    challenge->scope[0] ? challenge->scope : scope.data, err);
}

static int identity_form(const struct scar_auth *auth, struct scar_buf *form, struct scar_err *err)
{
	if (scar_buf_append_str(form, "grant_type=refresh_token&client_id=" CLIENT_ID, err) < 0 ||
	    append_scope(auth, "&", form, err) < 0)
		return -1;
	return append_param(form, "&", "refresh_token", auth->identity, err);
}

/** RFC 6750, 2.1: what may stand after "Bearer ". */
static bool token_ok(const char *token)
{
	if (!token || !*token)
		return false;
	for (const char *p = token; *p; p++) {
		if (!scar_url_char_is_unreserved(*p) && !strchr("+/=", *p))
			return false;
	}
	return true;
}

/** A token server may give a new identity token with each token; the old one is then not to be used again. */
static int renew_identity(struct scar_auth *auth, const char *identity, struct scar_err *err)
{
	char *copy;

	if (!auth->identity || !identity || !*identity)
		return 0;
	copy = strdup(identity);
	if (!copy)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	free_secret(auth->identity);
	auth->identity = copy;
	return 0;
}

static int take_token(struct scar_auth *auth, const struct scar_http_response *resp,
		      struct scar_err *err)
{
	scar_json_auto struct scar_json *root = NULL;
	const char *token;
	int64_t life_s = TOKEN_LIFE_DEFAULT_S;
	char *bearer = NULL;

	if (scar_json_parse(resp->body.data, resp->body.len, "token", &root, err) < 0)
		return -1;
	token = scar_json_string(scar_json_get(root, "token"));
	if (!token || !*token)
		token = scar_json_string(scar_json_get(root, "access_token"));
	if (!token_ok(token))
		return scar_err_set(err, SCAR_ERR_PROTOCOL, "the answer has no usable token");
	if (renew_identity(auth, scar_json_string(scar_json_get(root, "refresh_token")), err) < 0)
		return -1;
	/* Absent or nonsense: the default stays. */
	(void)scar_json_int(scar_json_get(root, "expires_in"), &life_s);
	if (life_s < TOKEN_LIFE_DEFAULT_S)
		life_s = TOKEN_LIFE_DEFAULT_S;
	if (life_s > TOKEN_LIFE_MAX_S)
		life_s = TOKEN_LIFE_MAX_S;
	if (asprintf(&bearer, "Bearer %s", token) < 0)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	free_secret(auth->bearer);
	auth->bearer = bearer;
	auth->expires_ms = scar_clock_epoch_ms() + (life_s - TOKEN_MARGIN_S) * 1000;
	auth->serial++;
	return 0;
}

static int refuse_token(const struct scar_auth *auth, int status, struct scar_err *err)
{
	/* RFC 6749, 5.2: 400 is for a grant that is no longer valid, too. */
	if (auth->identity && (status == 400 || status == 401 || status == 403))
		return scar_err_set(err, SCAR_ERR_AUTH,
				    "it refused the identity token: log in again (HTTP %d)",
				    status);
	if (auth->identity && (status == 404 || status == 405))
		return scar_err_set(err, SCAR_ERR_AUTH,
				    "it takes no identity tokens: log in with a password (HTTP %d)",
				    status);
	if (status == 401 || status == 403)
		return scar_err_set(err, SCAR_ERR_AUTH,
				    auth->basic ? "it refused the user name or password (HTTP %d)"
						: "it gives no anonymous access (HTTP %d)",
				    status);
	if (status == 429)
		return scar_err_set(err, SCAR_ERR_RATE_LIMIT, "too many requests (HTTP 429)");
	if (status >= 500)
		return scar_err_set(err, SCAR_ERR_UNAVAILABLE, "HTTP status %d", status);
	return scar_err_set(err, SCAR_ERR_PROTOCOL, "unexpected HTTP status %d", status);
}

/** Called with the lock held. */
static int fetch_token(struct scar_auth *auth, scar_auth_ask ask, void *ctx, struct scar_err *err)
{
	scar_http_response_auto struct scar_http_response resp;
	scar_buf_auto struct scar_buf url, form;
	struct scar_auth_question question = {.authorization = auth->basic};
	const char *realm = auth->challenge.realm;
	struct scar_url parsed;
	int64_t begin_us = scar_trace_begin();
	int result;

	scar_http_response_init(&resp);
	scar_buf_init(&url, SCAR_LIMIT_URL_BYTES);
	scar_buf_init(&form, 3 * SCAR_LIMIT_TOKEN_BYTES + SCAR_LIMIT_URL_BYTES);
	if (check_realm(auth, &parsed, err) < 0 || scar_buf_append_str(&url, realm, err) < 0)
		return -1;
	if (auth->identity) {
		result = identity_form(auth, &form, err);
		question.form = &form;
	} else {
		result = append_scope(auth, strchr(realm, '?') ? "&" : "?", &url, err);
	}
	question.url = url.data;
	if (result == 0)
		result = ask(ctx, &question, &resp, err);
	if (form.len)
		explicit_bzero(form.data, form.len);
	if (result == 0)
		result = resp.status == 200 ? take_token(auth, &resp, err)
					    : refuse_token(auth, resp.status, err);
	scar_trace_end(begin_us, "token", NULL, 0);
	return result < 0 ? scar_err_wrap(err, "token server %s", parsed.host) : 0;
}

/* ---- what requests need ---- */

static int current_header(struct scar_auth *auth, scar_auth_ask ask, void *ctx, char **ret_value,
			  unsigned *ret_serial, struct scar_err *err)
{
	const char *value = NULL;
	char *copy = NULL;

	if (auth->challenge.scheme == SCAR_CHALLENGE_BEARER) {
		if ((!auth->bearer || scar_clock_epoch_ms() >= auth->expires_ms) &&
		    fetch_token(auth, ask, ctx, err) < 0)
			return -1;
		value = auth->bearer;
	} else if (auth->challenge.scheme == SCAR_CHALLENGE_BASIC) {
		value = auth->basic;
	}
	if (value) {
		copy = strdup(value);
		if (!copy)
			return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	}
	*ret_value = copy;
	*ret_serial = auth->serial;
	return 0;
}

int scar_auth_header(struct scar_auth *auth, scar_auth_ask ask, void *ctx, char **ret_value,
		     unsigned *ret_serial, struct scar_err *err)
{
	int result;

	pthread_mutex_lock(&auth->lock);
	result = current_header(auth, ask, ctx, ret_value, ret_serial, err);
	pthread_mutex_unlock(&auth->lock);
	return result;
}

static void read_challenges(const struct scar_http_response *resp,
			    struct scar_challenge *ret_challenge)
{
	char value[4 * SCAR_CHALLENGE_PARAM_MAX];

	for (unsigned i = 0; i < SCAR_LIMIT_HTTP_HEADERS; i++) {
		if (!scar_http_header_get(resp, "WWW-Authenticate", i, value, sizeof(value)))
			return;
		scar_challenge_parse(value, ret_challenge);
	}
}

static int answer_challenge(struct scar_auth *auth, const struct scar_challenge *challenge,
			    scar_auth_ask ask, void *ctx, struct scar_err *err)
{
	if (challenge->scheme == SCAR_CHALLENGE_BEARER) {
		auth->challenge = *challenge;
		return fetch_token(auth, ask, ctx, err);
	}
	if (challenge->scheme == SCAR_CHALLENGE_NONE)
		return scar_err_set(
			err, SCAR_ERR_AUTH,
			"the registry asks for an authentication that is not supported");
	if (!auth->basic)
		return scar_err_set(err, SCAR_ERR_AUTH,
				    "the registry asks for a user name and password%s",
				    auth->identity ? ", not for an identity token" : "");
	if (auth->challenge.scheme == SCAR_CHALLENGE_BASIC)
		return scar_err_set(err, SCAR_ERR_AUTH,
				    "the registry refused the user name or password");
	auth->challenge = *challenge;
	auth->serial++;
	return 0;
}

int scar_auth_challenged(struct scar_auth *auth, const struct scar_http_response *resp,
			 unsigned serial, scar_auth_ask ask, void *ctx, struct scar_err *err)
{
	struct scar_challenge challenge = {.scheme = SCAR_CHALLENGE_NONE};
	int result = 0;

	read_challenges(resp, &challenge);
	pthread_mutex_lock(&auth->lock);
	/* Another thread may have met the same challenge and have new credentials by now. */
	if (auth->serial == serial)
		result = answer_challenge(auth, &challenge, ask, ctx, err);
	pthread_mutex_unlock(&auth->lock);
	return result;
}
