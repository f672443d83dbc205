/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/variables.h"

#include <fnmatch.h>
#include <stdbool.h>
#include <string.h>

#include "runtime/base/err.h"

#define FORCED "CONT_VAR_"

/* Patterns of names, or of NAME=value, that stay on this side. */
static const char *const ours[] = {
	/* configuration of bootstrap and of the Python supervisor before it */
	"SCAR_*=*",
	"UDOCKER_*=*",
	"IMAGE_ID=*",
	"FDL=*",
	/* NOLINTNEXTLINE(bugprone-suspicious-missing-comma): one pattern */
	FORCED "*=*",
	/* Lambda's plumbing */
	"_*=*",
	"LAMBDA_*=*",
	"AWS_LAMBDA_RUNTIME_API=*",
	"AWS_LAMBDA_EXEC_WRAPPER=*",
	"AWS_EXECUTION_ENV=*",
	/* this machine, not the image */
	"LD_*=*",
	"PATH=*",
	"HOME=*",
	"PWD=*",
	"OLDPWD=*",
	"SHLVL=*",
	"SHELL=*",
	"USER=*",
	"LOGNAME=*",
	"HOSTNAME=*",
	"SSL_CERT_FILE=*",
	"PYTHONPATH=*",
	"NODE_PATH=*",
	"RUBYLIB=*",
	"GEM_PATH=*",
	"LANG=en_US.UTF-8",
	"TZ=:UTC",
};

/* What AWS's SDKs take their credentials from. */
static const char *const credentials[] = {
	"AWS_ACCESS_KEY_ID=*",  "AWS_SECRET_ACCESS_KEY=*",       "AWS_SESSION_TOKEN=*",
	"AWS_SECURITY_TOKEN=*", "AWS_CONTAINER_CREDENTIALS_*=*", "AWS_CONTAINER_AUTHORIZATION_*=*",
};

static bool matches(const char *entry, const char *const *patterns, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (fnmatch(patterns[i], entry, 0) == 0)
			return true;
	}
	return false;
}

static bool stays_here(const char *entry, bool no_credentials)
{
	if (*entry == '=' || !strchr(entry, '='))
		return true;
	return matches(entry, ours, sizeof ours / sizeof ours[0]) ||
	       (no_credentials &&
		matches(entry, credentials, sizeof credentials / sizeof credentials[0]));
}

static int set_entry(struct scar_list *list, const char *entry, struct scar_err *err)
{
	const char *equals = strchr(entry, '=');

	/* The parser of image configs lets no other pass; a name is never empty. */
	if (!equals || equals == entry)
		return 0;
	return scar_list_set_variable(list, entry, (size_t)(equals - entry), equals + 1, err);
}

static int set_all(struct scar_list *list, char *const *entries, struct scar_err *err)
{
	for (; entries && *entries; entries++) {
		if (set_entry(list, *entries, err) < 0)
			return -1;
	}
	return 0;
}

static int set_function(struct scar_list *list, char *const *entries, bool no_credentials,
			struct scar_err *err)
{
	for (; entries && *entries; entries++) {
		if (!stays_here(*entries, no_credentials) && set_entry(list, *entries, err) < 0)
			return -1;
	}
	return 0;
}

static int set_forced(struct scar_list *list, char *const *entries, struct scar_err *err)
{
	for (; entries && *entries; entries++) {
		if (strncmp(*entries, FORCED, sizeof FORCED - 1) == 0 &&
		    set_entry(list, *entries + sizeof FORCED - 1, err) < 0)
			return -1;
	}
	return 0;
}

static int set_invocation(struct scar_list *list, const struct scar_variable *variable,
			  struct scar_err *err)
{
	for (; variable->name; variable++) {
		if (variable->value &&
		    scar_list_set_variable(list, variable->name, strlen(variable->name),
					   variable->value, err) < 0)
			return -1;
	}
	return 0;
}

int scar_variables_make(const struct scar_variables_input *input, char ***ret_list,
			struct scar_err *err)
{
	const struct scar_variable defaults[] = {
		{"PATH", SCAR_DEFAULT_PATH}, {"HOME", input->home}, {NULL, NULL}};
	scar_list_auto struct scar_list list = {0};

	if (set_invocation(&list, defaults, err) < 0 || set_all(&list, input->image, err) < 0 ||
	    set_function(&list, input->function, input->no_credentials, err) < 0 ||
	    set_forced(&list, input->function, err) < 0 || set_all(&list, input->event, err) < 0 ||
	    set_invocation(&list, input->invocation, err) < 0)
		return -1;
	return scar_list_steal(&list, ret_list, err);
}
