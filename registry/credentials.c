/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/credentials.h"

#include <fcntl.h>
#include <string.h>

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

static int take_pair(const char *username, const char *password, struct scar_credentials *found,
		     struct scar_err *err)
{
	found->username = strdup(username);
	found->password = strdup(password);
	if (!found->username || !found->password)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	return 0;
}

/** "auth" is Base64 of name:password. */
static int take_auth(const char *auth, struct scar_credentials *found, struct scar_err *err)
{
	scar_buf_auto struct scar_buf pair;
	char *colon;
	int result;

	scar_buf_init(&pair, SCAR_LIMIT_TOKEN_BYTES);
	if (scar_base64_decode(auth, &pair, err) < 0)
		return -1;
	colon = strchr(pair.data, ':');
	if (!colon || strlen(pair.data) != pair.len)
		return scar_err_set(err, SCAR_ERR_CONFIG, "'auth' is not NAME:PASSWORD");
	*colon = '\0';
	result = take_pair(pair.data, colon + 1, found, err);
	explicit_bzero(pair.data, pair.len);
	return result;
}

static int take_entry(const struct scar_json *entry, struct scar_credentials *found,
		      struct scar_err *err)
{
	const char *auth = scar_json_string(scar_json_get(entry, "auth"));
	const char *username = scar_json_string(scar_json_get(entry, "username"));
	const char *password = scar_json_string(scar_json_get(entry, "password"));

	if (auth && *auth)
		return take_auth(auth, found, err);
	if (username && *username && password)
		return take_pair(username, password, found, err);
	return 0; /* kept by a credential helper */
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
