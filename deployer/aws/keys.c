/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/aws/keys.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "deployer/aws/session.h"
#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"

/* Credentials are renewed this long before their end. */
#define REFRESH_MS ((int64_t)5 * 60 * 1000)

static void wipe(char **text)
{
	if (*text)
		explicit_bzero(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

void scar_aws_keys_clear(struct scar_aws_keys *keys)
{
	wipe(&keys->id);
	wipe(&keys->secret);
	wipe(&keys->token);
	keys->expires_ms = 0;
	keys->source[0] = '\0';
}

/* "2026-11-23T17:00:00Z", with or without fractions, or with an offset. @return -1: no such time */
static int parse_time(const char *text, int64_t *ret_ms)
{
	struct tm tm = {.tm_sec = 0};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	int hours = 0, minutes = 0;
	char sign;
	int64_t s;

	if (!rest)
		return -1;
	s = timegm(&tm);
	if (*rest == '.')
		rest += 1 + strspn(rest + 1, "0123456789");
	if (sscanf(rest, "%c%2d:%2d", &sign, &hours, &minutes) == 3 && (sign == '+' || sign == '-'))
		s -= (sign == '+' ? 1 : -1) * (hours * 3600 + minutes * 60);
	else if (*rest && strcmp(rest, "Z") != 0)
		return -1;
	*ret_ms = s * 1000;
	return 0;
}

int scar_aws_keys_make(const char *id, const char *secret, const char *token, const char *expires,
		       const char *source, struct scar_aws_keys *ret_keys, struct scar_err *err)
{
	struct scar_aws_keys keys = {.id = NULL};

	if (!id || !*id || !secret || !*secret)
		return scar_err_set(err, SCAR_ERR_AUTH, "%s: no %s", source,
				    id && *id ? "secret access key" : "access key id");
	if (expires && *expires && parse_time(expires, &keys.expires_ms) < 0)
		return scar_err_set(err, SCAR_ERR_AUTH, "%s: an expiry that is no time", source);
	keys.id = strdup(id);
	keys.secret = strdup(secret);
	if (token && *token)
		keys.token = strdup(token);
	snprintf(keys.source, sizeof keys.source, "%s", source);
	if (!keys.id || !keys.secret || (token && *token && !keys.token)) {
		scar_aws_keys_clear(&keys);
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	}
	*ret_keys = keys;
	return 0;
}

int scar_aws_keys_from_json(const struct scar_json *document, const char *source,
			    struct scar_aws_keys *ret_keys, struct scar_err *err)
{
	const struct scar_json *token = scar_json_get(document, "Token");

	if (!token)
		token = scar_json_get(document, "SessionToken");
	return scar_aws_keys_make(scar_json_string(scar_json_get(document, "AccessKeyId")),
				  scar_json_string(scar_json_get(document, "SecretAccessKey")),
				  scar_json_string(token),
				  scar_json_string(scar_json_get(document, "Expiration")), source,
				  ret_keys, err);
}

void scar_aws_keys_first_line(struct scar_buf *text)
{
	size_t len = strcspn(text->data, "\r\n");

	/* An empty buffer has no memory of its own. */
	if (len < text->len)
		text->data[len] = '\0';
	text->len = len;
}

int scar_aws_keys_of_environment(struct scar_aws *aws, struct scar_aws_keys *ret_keys,
				 struct scar_err *err)
{
	const struct scar_aws_settings *settings = &aws->shared->settings;
	const char *id = scar_aws_settings_env(settings, "AWS_ACCESS_KEY_ID");

	if (!id)
		return 0;
	return scar_aws_keys_make(id, scar_aws_settings_env(settings, "AWS_SECRET_ACCESS_KEY"),
				  scar_aws_settings_env(settings, "AWS_SESSION_TOKEN"),
				  scar_aws_settings_env(settings, "AWS_CREDENTIAL_EXPIRATION"),
				  "the environment", ret_keys, err) < 0
		       ? -1
		       : 1;
}

/* ---- the order ---- */

static int find(struct scar_aws *aws, struct scar_aws_keys *ret_keys, struct scar_err *err)
{
	const struct scar_aws_settings *settings = &aws->shared->settings;
	int found = settings->profile_said ? 0 : scar_aws_keys_of_environment(aws, ret_keys, err);

	if (!found)
		found = scar_aws_keys_of_profile_role(aws, ret_keys, err);
	if (!found)
		found = scar_aws_keys_of_web_identity(aws, ret_keys, err);
	if (!found)
		found = scar_aws_keys_of_profile(aws, settings->profile, ret_keys, err);
	if (!found)
		found = scar_aws_keys_of_container(aws, ret_keys, err);
	if (!found)
		found = scar_aws_keys_of_machine(aws, ret_keys, err);
	if (found < 0)
		return scar_err_wrap(err, "AWS credentials");
	if (!found)
		return scar_err_set(
			err, SCAR_ERR_AUTH,
			"no AWS credentials: neither in the environment (AWS_ACCESS_KEY_ID and "
			"AWS_SECRET_ACCESS_KEY) nor in the profile \"%s\" of ~/.aws/config and "
			"~/.aws/credentials, nor from a container or this machine",
			settings->profile);
	return 0;
}

static bool is_fresh(const struct scar_aws_keys *keys)
{
	return keys->id && (!keys->expires_ms || scar_clock_left_ms(keys->expires_ms) > REFRESH_MS);
}

/* Those at hand serve to their very end when no others can be got. */
static int renew(struct scar_aws *aws, struct scar_err *err)
{
	struct scar_aws_keys *keys = &aws->shared->keys;
	struct scar_aws_keys fresh = {.id = NULL};

	if (is_fresh(keys))
		return 0;
	if (find(aws, &fresh, err) < 0)
		return keys->id && scar_clock_left_ms(keys->expires_ms) > 0 ? 0 : -1;
	scar_aws_keys_clear(keys);
	*keys = fresh;
	return 0;
}

static int copy(const struct scar_aws_keys *keys, struct scar_aws_keys *ret_keys,
		struct scar_err *err)
{
	struct scar_aws_keys made;

	if (scar_aws_keys_make(keys->id, keys->secret, keys->token, NULL, keys->source, &made,
			       err) < 0)
		return -1;
	made.expires_ms = keys->expires_ms;
	*ret_keys = made;
	return 0;
}

int scar_aws_keys_get(struct scar_aws *aws, struct scar_aws_keys *ret_keys, struct scar_err *err)
{
	struct scar_aws_shared *shared = aws->shared;
	int failed;

	pthread_mutex_lock(&shared->lock);
	failed = renew(aws, err);
	if (!failed)
		failed = copy(&shared->keys, ret_keys, err);
	pthread_mutex_unlock(&shared->lock);
	return failed;
}

int scar_aws_find_credentials(struct scar_aws *aws, const char **ret_source, struct scar_err *err)
{
	struct scar_aws_keys keys = {.id = NULL};

	if (scar_aws_keys_get(aws, &keys, err) < 0)
		return -1;
	scar_aws_keys_clear(&keys);
	*ret_source = aws->shared->keys.source;
	return 0;
}
