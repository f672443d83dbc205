/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/aws/settings.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/limits.h"

#define NAME_MAX_BYTES 256
#define ATTEMPTS_DEFAULT 3
#define ATTEMPTS_MAX 100

static int copy(char **member, const char *text, struct scar_err *err)
{
	if (!text)
		return 0;
	free(*member);
	*member = strdup(text);
	return *member ? 0 : scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
}

const char *scar_aws_settings_env(const struct scar_aws_settings *settings, const char *name)
{
	size_t len = strlen(name);

	for (char *const *variable = settings->environment; *variable; variable++) {
		if (strncmp(*variable, name, len) == 0 && (*variable)[len] == '=')
			return (*variable)[len + 1] ? *variable + len + 1 : NULL;
	}
	return NULL;
}

/* ---- the files ---- */

/* `~/.aws/<name>` unless the variable says otherwise; a "~" at the begin is the home directory. @return NULL: nowhere */
static char *path_of(const struct scar_aws_settings *settings, const char *variable,
		     const char *name)
{
	const char *said = scar_aws_settings_env(settings, variable);
	const char *home = scar_aws_settings_env(settings, "HOME");
	char *path = NULL;
	int n;

	if (said && (strncmp(said, "~/", 2) != 0 || !home))
		n = asprintf(&path, "%s", said);
	else if (said)
		n = asprintf(&path, "%s%s", home, said + 1);
	else if (home)
		n = asprintf(&path, "%s/.aws/%s", home, name);
	else
		return NULL;
	return n < 0 ? NULL : path;
}

/* A file that is not there, or may not be looked for, is none. */
static int load_file(const struct scar_aws_settings *settings, const char *variable,
		     const char *name, struct scar_ini **ret_ini, struct scar_err *err)
{
	scar_free_auto char *path = path_of(settings, variable, name);
	scar_buf_auto struct scar_buf text;
	struct scar_err read;
	int status;

	scar_buf_init(&text, SCAR_MIB(1));
	if (!path)
		return 0;
	if (scar_fs_read_file(AT_FDCWD, path, &text, &read) < 0) {
		if (read.kind == SCAR_ERR_NOT_FOUND || read.errnum == ENOTDIR)
			return 0;
		return scar_err_set(err, SCAR_ERR_CONFIG, "%s", read.msg);
	}
	status = scar_ini_parse(text.data, text.len, path, ret_ini, err);
	explicit_bzero(text.data, text.len);
	return status;
}

/* ---- profiles ---- */

/* A setting as one of the files has it; `group` "": not below another key. */
static const char *config_get(const struct scar_aws_settings *settings, const char *profile,
			      const char *group, const char *key)
{
	char section[NAME_MAX_BYTES + 16];
	const char *value;

	snprintf(section, sizeof section, "profile %s", profile);
	value = scar_ini_get_below(settings->config, section, group, key);
	if (!value && strcmp(profile, "default") == 0)
		value = scar_ini_get_below(settings->config, profile, group, key);
	return value;
}

bool scar_aws_settings_has_profile(const struct scar_aws_settings *settings, const char *profile)
{
	char section[NAME_MAX_BYTES + 16];

	snprintf(section, sizeof section, "profile %s", profile);
	return scar_ini_has(settings->credentials, profile) ||
	       scar_ini_has(settings->config, section) ||
	       (strcmp(profile, "default") == 0 && scar_ini_has(settings->config, profile));
}

const char *scar_aws_settings_get(const struct scar_aws_settings *settings, const char *profile,
				  const char *key)
{
	const char *value = scar_ini_get(settings->credentials, profile, key);

	if (!value || !*value)
		value = config_get(settings, profile, "", key);
	return value && *value ? value : NULL;
}

/* ---- endpoints ---- */

static bool is_true(const char *text)
{
	return text && strcasecmp(text, "true") == 0;
}

static const char *service_endpoint(const struct scar_aws_settings *settings, const char *variable)
{
	const char *services = scar_aws_settings_get(settings, settings->profile, "services");
	char section[NAME_MAX_BYTES], name[64];
	size_t i;

	if (!services)
		return NULL;
	snprintf(section, sizeof section, "services %s", services);
	for (i = 0; variable[i] && i + 1 < sizeof name; i++)
		name[i] = (char)tolower((unsigned char)variable[i]);
	name[i] = '\0';
	return scar_ini_get_below(settings->config, section, name, "endpoint_url");
}

const char *scar_aws_settings_endpoint(const struct scar_aws_settings *settings,
				       const char *variable)
{
	const char *value = settings->endpoint_url;
	char name[96];

	if (value)
		return value;
	if (is_true(scar_aws_settings_env(settings, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")) ||
	    is_true(scar_aws_settings_get(settings, settings->profile,
					  "ignore_configured_endpoint_urls")))
		return NULL;
	snprintf(name, sizeof name, "AWS_ENDPOINT_URL_%s", variable);
	value = scar_aws_settings_env(settings, name);
	if (!value)
		value = scar_aws_settings_env(settings, "AWS_ENDPOINT_URL");
	if (!value)
		value = service_endpoint(settings, variable);
	if (!value)
		value = scar_aws_settings_get(settings, settings->profile, "endpoint_url");
	return value;
}

/* ---- all of it ---- */

static int choose_profile(struct scar_aws_settings *settings, const char *said,
			  struct scar_err *err)
{
	const char *name = said;

	if (!name)
		name = scar_aws_settings_env(settings, "AWS_PROFILE");
	if (!name)
		name = scar_aws_settings_env(settings, "AWS_DEFAULT_PROFILE");
	settings->profile_said = said != NULL;
	if (name && strlen(name) >= NAME_MAX_BYTES)
		return scar_err_set(err, SCAR_ERR_CONFIG, "the name of the profile is too long");
	if (name && strcmp(name, "default") != 0 && !scar_aws_settings_has_profile(settings, name))
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "there is no profile \"%.100s\" in ~/.aws/config and "
				    "~/.aws/credentials",
				    name);
	return copy(&settings->profile, name ? name : "default", err);
}

/* The first of the variables that is set, else the profile's key. */
static const char *choose(const struct scar_aws_settings *settings, const char *variable,
			  const char *other, const char *key)
{
	const char *value = scar_aws_settings_env(settings, variable);

	if (!value && other)
		value = scar_aws_settings_env(settings, other);
	return value ? value : scar_aws_settings_get(settings, settings->profile, key);
}

int scar_aws_settings_check_region(const char *region, struct scar_err *err)
{
	size_t len = strlen(region);

	if (len > 0 && len < 64 && strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-") == len)
		return 0;
	return scar_err_set(err, SCAR_ERR_CONFIG, "\"%.80s\" is not a region", region);
}

static int choose_attempts(struct scar_aws_settings *settings, struct scar_err *err)
{
	const char *text = choose(settings, "AWS_MAX_ATTEMPTS", NULL, "max_attempts");
	char *end;
	long number;

	settings->max_attempts = ATTEMPTS_DEFAULT;
	if (!text)
		return 0;
	errno = 0;
	number = strtol(text, &end, 10);
	if (errno || *end || number < 1 || number > ATTEMPTS_MAX)
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "AWS_MAX_ATTEMPTS or max_attempts: not a number from 1 to %d",
				    ATTEMPTS_MAX);
	settings->max_attempts = (int)number;
	return 0;
}

static int choose_rest(struct scar_aws_settings *settings, const struct scar_aws_options *options,
		       struct scar_err *err)
{
	const char *style = config_get(settings, settings->profile, "s3", "addressing_style");
	const char *region = options->region;
	const char *bundle = options->ca_bundle;

	if (!region)
		region = choose(settings, "AWS_REGION", "AWS_DEFAULT_REGION", "region");
	if (!bundle)
		bundle = choose(settings, "AWS_CA_BUNDLE", NULL, "ca_bundle");
	settings->path_style = style && strcmp(style, "path") == 0;
	if ((region && scar_aws_settings_check_region(region, err) < 0) ||
	    copy(&settings->region, region, err) < 0 ||
	    copy(&settings->ca_bundle, bundle, err) < 0 ||
	    copy(&settings->endpoint_url, options->endpoint_url, err) < 0)
		return -1;
	return choose_attempts(settings, err);
}

int scar_aws_settings_load(const struct scar_aws_options *options,
			   struct scar_aws_settings *ret_settings, struct scar_err *err)
{
	struct scar_aws_settings settings = {.environment = options->environment};

	if (load_file(&settings, "AWS_CONFIG_FILE", "config", &settings.config, err) < 0 ||
	    load_file(&settings, "AWS_SHARED_CREDENTIALS_FILE", "credentials",
		      &settings.credentials, err) < 0 ||
	    choose_profile(&settings, options->profile, err) < 0 ||
	    choose_rest(&settings, options, err) < 0) {
		scar_aws_settings_clear(&settings);
		return -1;
	}
	*ret_settings = settings;
	return 0;
}

void scar_aws_settings_clear(struct scar_aws_settings *settings)
{
	scar_ini_free(settings->config);
	scar_ini_free(settings->credentials);
	free(settings->profile);
	free(settings->region);
	free(settings->endpoint_url);
	free(settings->ca_bundle);
	*settings = (struct scar_aws_settings){.profile = NULL};
}
