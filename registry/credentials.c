/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/credentials.h"

#include <fcntl.h>
#include <string.h>

#include "registry/helper.h"
#include "registry/ref.h"
#include "runtime/base/base64.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

static void free_secret(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void scar_credentials_clear(struct scar_credentials *credentials)
{
	free_secret(credentials->username);
	free_secret(credentials->password);
	memset(credentials, 0, sizeof(*credentials));
}

int scar_credentials_set(struct scar_credentials *credentials, const char *username,
			 const char *password, struct scar_err *err)
{
	credentials->username = strdup(username);
	credentials->password = strdup(password);
	if (!credentials->username || !credentials->password)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	return 0;
}

/** Keys are hosts, or URLs of old logins: "https://index.docker.io/v1/". */
static bool key_names(const char *key, const char *registry)
{
	const char *scheme_end = strstr(key, "://");
	const char *host = scheme_end ? scheme_end + 3 : key;
	size_t len = strcspn(host, "/");

	if (strcmp(registry, SCAR_REF_DOCKER_HUB) == 0 &&
	    ((len == 15 && strncmp(host, "index.docker.io", len) == 0) ||
	     (len == 20 && strncmp(host, "registry-1.docker.io", len) == 0)))
		return true;
	/* podman keeps logins to parts of a registry under "host/name": not for all of it. */
	if (!scheme_end && host[len] == '/' && host[len + 1])
		return false;
	return strlen(registry) == len && strncmp(host, registry, len) == 0;
}

/** name:password in text, which is changed. */
static int take_joined(struct scar_buf *pair, const char *what, struct scar_credentials *found,
		       struct scar_err *err)
{
	char *colon = strchr(pair->data, ':');

	if (!colon || strlen(pair->data) != pair->len)
		return scar_err_set(err, SCAR_ERR_CONFIG, "%s is not NAME:PASSWORD", what);
	*colon = '\0';
	return scar_credentials_set(found, pair->data, colon + 1, err);
}

int scar_credentials_from_auth(const char *auth, struct scar_credentials *ret_found,
			       struct scar_err *err)
{
	scar_buf_auto struct scar_buf pair;
	int result;

	scar_buf_init(&pair, SCAR_LIMIT_TOKEN_BYTES);
	if (scar_base64_decode(auth, &pair, err) < 0)
		return -1;
	result = take_joined(&pair, "'auth'", ret_found, err);
	explicit_bzero(pair.data, pair.len);
	return result;
}

static int take_entry(const struct scar_json *entry, struct scar_credentials *found,
		      struct scar_err *err)
{
	const char *identity = scar_json_string(scar_json_get(entry, "identitytoken"));
	const char *auth = scar_json_string(scar_json_get(entry, "auth"));
	const char *username = scar_json_string(scar_json_get(entry, "username"));
	const char *password = scar_json_string(scar_json_get(entry, "password"));

	/* Beside it "auth" has a name, but no password. */
	if (identity && *identity)
		return scar_credentials_set(found, SCAR_CREDENTIALS_TOKEN, identity, err);
	if (auth && *auth)
		return scar_credentials_from_auth(auth, found, err);
	if (username && *username && password)
		return scar_credentials_set(found, username, password, err);
	return 0; /* kept by a credential helper */
}

/** Docker Hub is known to helpers by the URL that `docker login` has used from the beginning. */
static int ask_helper(const struct scar_json *root, const char *registry,
		      struct scar_credentials *found, struct scar_err *err)
{
	const char *server = strcmp(registry, SCAR_REF_DOCKER_HUB) == 0
				     ? "https://index.docker.io/v1/"
				     : registry;
	const struct scar_json *helpers = scar_json_get(root, "credHelpers");
	const char *helper = scar_json_string(scar_json_get(helpers, registry));

	if (!helper)
		helper = scar_json_string(scar_json_get(helpers, server));
	if (!helper)
		helper = scar_json_string(scar_json_get(root, "credsStore"));
	return helper && *helper ? scar_helper_get(helper, server, found, err) : 0;
}

int scar_credentials_parse(const char *text, size_t len, const char *what, const char *registry,
			   struct scar_credentials *ret_found, struct scar_err *err)
{
	scar_json_auto struct scar_json *root = NULL;
	scar_credentials_auto struct scar_credentials found = {.username = NULL};
	const struct scar_json *auths;

	if (scar_json_parse(text, len, what, &root, err) < 0) {
		err->kind = SCAR_ERR_CONFIG;
		return -1;
	}
	auths = scar_json_get(root, "auths");
	for (const struct scar_json *n = scar_json_first(auths); n; n = scar_json_next(n)) {
		const char *key = scar_json_key(n);

		if (!key || !key_names(key, registry))
			continue;
		if (take_entry(n, &found, err) < 0)
			return scar_err_wrap(err, "%s: credentials for %s", what, registry);
		if (found.username)
			break;
	}
	if (!found.username && ask_helper(root, registry, &found, err) < 0)
		return scar_err_wrap(err, "%s", what);
	*ret_found = found;
	memset(&found, 0, sizeof(found));
	return 0;
}

int scar_credentials_load(const char *path, const char *registry,
			  struct scar_credentials *ret_found, struct scar_err *err)
{
	scar_buf_auto struct scar_buf text;
	int result;

	scar_buf_init(&text, SCAR_MIB(1));
	if (scar_fs_read_file(AT_FDCWD, path, &text, err) < 0)
		return err->kind == SCAR_ERR_NOT_FOUND ? 0 : -1;
	result = scar_credentials_parse(text.data, text.len, path, registry, ret_found, err);
	explicit_bzero(text.data, text.len);
	return result;
}

/** {"username": ..., "password": ...}, as a secret in Secrets Manager has them. */
static int take_object(const struct scar_json *root, const char *what,
		       struct scar_credentials *found, struct scar_err *err)
{
	const char *username = scar_json_string(scar_json_get(root, "username"));
	const char *password = scar_json_string(scar_json_get(root, "password"));

	/* As ECR names what it keeps for pull-through caches. */
	if (!password)
		password = scar_json_string(scar_json_get(root, "accessToken"));
	if (!username || !*username || !password)
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "%s has neither \"auths\" nor \"username\" and \"password\"",
				    what);
	return scar_credentials_set(found, username, password, err);
}

int scar_credentials_from_secret(const char *text, const char *what, const char *registry,
				 bool is_pinned, struct scar_credentials *ret_found,
				 struct scar_err *err)
{
	scar_json_auto struct scar_json *root = NULL;
	scar_buf_auto struct scar_buf pair;
	struct scar_err ignored;
	int result;

	scar_buf_init(&pair, SCAR_LIMIT_TOKEN_BYTES);
	if (text[strspn(text, " \t\r\n")] != '{') {
		if (!is_pinned)
			return 0;
		if (scar_buf_append(&pair, text, strcspn(text, "\r\n"), err) < 0)
			return -1;
		result = take_joined(&pair, what, ret_found, err);
		explicit_bzero(pair.data, pair.len);
		return result;
	}
	/* The parser's words could quote the secret. */
	if (scar_json_parse(text, strlen(text), what, &root, &ignored) < 0)
		return scar_err_set(err, SCAR_ERR_CONFIG, "%s is no JSON", what);
	if (scar_json_get(root, "auths"))
		return scar_credentials_parse(text, strlen(text), what, registry, ret_found, err);
	return is_pinned ? take_object(root, what, ret_found, err) : 0;
}
