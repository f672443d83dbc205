/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials that a profile names: keys, a program, a role to assume by way of another profile, a web identity's token. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "deployer/aws/call.h"
#include "deployer/aws/session.h"
#include "deployer/aws/xml.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/limits.h"

/* Roles that are assumed one from the other. */
#define CHAIN_MAX 8
#define SOURCE_MAX 160

/* What a role is assumed with; borrowed. */
struct role {
	const char *arn;
	const char *session_name;
	const char *external_id;
	const char *duration_s;
};

/* ---- asking the token service ---- */

static int session_name(const char *said, char name[80])
{
	if (said)
		return snprintf(name, 80, "%s", said);
	return snprintf(name, 80, "scar-%lld", (long long)(scar_clock_epoch_ms() / 1000));
}

static int read_keys(const struct scar_aws_answer *answer, const char *result, const char *source,
		     struct scar_aws_keys *ret_keys, struct scar_err *err)
{
	const struct scar_xml *found = scar_xml_at(scar_xml_at(answer->xml, result), "Credentials");

	if (!found)
		return scar_err_set(err, SCAR_ERR_PROTOCOL, "%s: the answer has no credentials",
				    source);
	return scar_aws_keys_make(scar_xml_text_at(found, "AccessKeyId"),
				  scar_xml_text_at(found, "SecretAccessKey"),
				  scar_xml_text_at(found, "SessionToken"),
				  scar_xml_text_at(found, "Expiration"), source, ret_keys, err);
}

static int assume(struct scar_aws *aws, const struct role *role, const struct scar_aws_keys *by,
		  const char *web_token, const char *source, struct scar_aws_keys *ret_keys,
		  struct scar_err *err)
{
	const char *operation = web_token ? "AssumeRoleWithWebIdentity" : "AssumeRole";
	scar_aws_answer_auto struct scar_aws_answer answer;
	scar_buf_auto struct scar_buf form;
	char name[80], result[64];
	struct scar_aws_call call = {.service = SCAR_AWS_STS,
				     .operation = operation,
				     .keys = by,
				     .is_anonymous = web_token != NULL};
	int failed;

	scar_aws_answer_init(&answer);
	scar_buf_init(&form, SCAR_KIB(64));
	session_name(role->session_name, name);
	snprintf(result, sizeof result, "%sResult", operation);
	failed = scar_aws_form(&form, SCAR_AWS_STS, operation, err) ||
		 scar_aws_query(&form, "RoleArn", role->arn, err) ||
		 scar_aws_query(&form, "RoleSessionName", name, err) ||
		 scar_aws_query(&form, "ExternalId", role->external_id, err) ||
		 scar_aws_query(&form, "DurationSeconds", role->duration_s, err) ||
		 scar_aws_query(&form, "WebIdentityToken", web_token, err);
	call.body = form.data;
	call.body_len = form.len;
	if (!failed)
		failed = scar_aws_perform(aws, &call, &answer, err) < 0 ||
			 read_keys(&answer, result, source, ret_keys, err) < 0;
	explicit_bzero(form.data, form.len);
	return failed ? -1 : 0;
}

/* ---- a web identity ---- */

static int by_web_identity(struct scar_aws *aws, const char *token_file, const struct role *role,
			   struct scar_aws_keys *ret_keys, struct scar_err *err)
{
	scar_buf_auto struct scar_buf token;
	char source[SOURCE_MAX];
	int failed;

	scar_buf_init(&token, SCAR_KIB(32));
	snprintf(source, sizeof source, "web identity as %.120s", role->arn);
	if (scar_fs_read_file(AT_FDCWD, token_file, &token, err) < 0)
		return scar_err_wrap(err, "web identity");
	scar_aws_keys_first_line(&token);
	failed = assume(aws, role, NULL, token.data, source, ret_keys, err);
	explicit_bzero(token.data, token.len);
	return failed ? -1 : 1;
}

int scar_aws_keys_of_web_identity(struct scar_aws *aws, struct scar_aws_keys *ret_keys,
				  struct scar_err *err)
{
	const struct scar_aws_settings *settings = &aws->shared->settings;
	const char *file = NULL;
	struct role role = {.arn = NULL};

	if (!settings->profile_said) {
		file = scar_aws_settings_env(settings, "AWS_WEB_IDENTITY_TOKEN_FILE");
		role.arn = scar_aws_settings_env(settings, "AWS_ROLE_ARN");
		role.session_name = scar_aws_settings_env(settings, "AWS_ROLE_SESSION_NAME");
	}
	if (!file) {
		file = scar_aws_settings_get(settings, settings->profile,
					     "web_identity_token_file");
		role.arn = scar_aws_settings_get(settings, settings->profile, "role_arn");
		role.session_name = scar_aws_settings_get(settings, settings->profile,
							  "role_session_name");
	}
	if (!file)
		return 0;
	if (!role.arn)
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "a web identity's token without AWS_ROLE_ARN or role_arn");
	return by_web_identity(aws, file, &role, ret_keys, err);
}

/* ---- keys of a profile ---- */

int scar_aws_keys_of_profile(struct scar_aws *aws, const char *profile,
			     struct scar_aws_keys *ret_keys, struct scar_err *err)
{
	const struct scar_aws_settings *settings = &aws->shared->settings;
	const char *id = scar_aws_settings_get(settings, profile, "aws_access_key_id");
	const char *process = scar_aws_settings_get(settings, profile, "credential_process");
	char source[SOURCE_MAX];

	snprintf(source, sizeof source, "profile \"%.100s\"", profile);
	if (id)
		return scar_aws_keys_make(
			       id,
			       scar_aws_settings_get(settings, profile, "aws_secret_access_key"),
			       scar_aws_settings_get(settings, profile, "aws_session_token"), NULL,
			       source, ret_keys, err) < 0
			       ? -1
			       : 1;
	if (process)
		return scar_aws_keys_of_process(aws, process, source, ret_keys, err) < 0 ? -1 : 1;
	if (scar_aws_settings_get(settings, profile, "sso_session") ||
	    scar_aws_settings_get(settings, profile, "sso_start_url"))
		return scar_err_set(
			err, SCAR_ERR_UNSUPPORTED,
			"profile \"%.100s\" signs in by SSO, which only the AWS CLI does: add a profile "
			"with `credential_process = aws configure export-credentials --profile %.100s "
			"--format process`, and use that",
			profile, profile);
	return 0;
}

/* ---- a role of a profile ---- */

/* Where `credential_source` says that the first credentials are. */
static int of_credential_source(struct scar_aws *aws, const char *name,
				struct scar_aws_keys *ret_keys, struct scar_err *err)
{
	int found;

	if (strcmp(name, "Environment") == 0)
		found = scar_aws_keys_of_environment(aws, ret_keys, err);
	else if (strcmp(name, "EcsContainer") == 0)
		found = scar_aws_keys_of_container(aws, ret_keys, err);
	else if (strcmp(name, "Ec2InstanceMetadata") == 0)
		found = scar_aws_keys_of_machine(aws, ret_keys, err);
	else
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "credential_source is \"%.60s\": it may be Environment, "
				    "EcsContainer or Ec2InstanceMetadata",
				    name);
	return found ? found
		     : scar_err_set(err, SCAR_ERR_AUTH, "credential_source %s has none", name);
}

static int of_role(struct scar_aws *aws, const char *profile, unsigned depth,
		   struct scar_aws_keys *ret_keys, struct scar_err *err);

/* Credentials that the role is assumed with. A profile that is its own source gives its keys. */
static int of_source_profile(struct scar_aws *aws, const char *profile, const char *by,
			     unsigned depth, struct scar_aws_keys *ret_keys, struct scar_err *err)
{
	int found = 0;

	if (!scar_aws_settings_has_profile(&aws->shared->settings, by))
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "source_profile of \"%.60s\": there is no profile \"%.60s\"",
				    profile, by);
	if (depth >= CHAIN_MAX)
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "source_profile of \"%.60s\": the profiles go in a circle",
				    profile);
	if (strcmp(profile, by) != 0)
		found = of_role(aws, by, depth + 1, ret_keys, err);
	if (!found)
		found = scar_aws_keys_of_profile(aws, by, ret_keys, err);
	return found ? found
		     : scar_err_set(err, SCAR_ERR_AUTH,
				    "source_profile of \"%.60s\": profile \"%.60s\" has none",
				    profile, by);
}

static int of_role(struct scar_aws *aws, const char *profile, unsigned depth,
		   struct scar_aws_keys *ret_keys, struct scar_err *err)
{
	const struct scar_aws_settings *settings = &aws->shared->settings;
	const char *by = scar_aws_settings_get(settings, profile, "source_profile");
	const char *from = scar_aws_settings_get(settings, profile, "credential_source");
	scar_aws_keys_auto struct scar_aws_keys keys = {.id = NULL};
	const struct role role = {
		.arn = scar_aws_settings_get(settings, profile, "role_arn"),
		.session_name = scar_aws_settings_get(settings, profile, "role_session_name"),
		.external_id = scar_aws_settings_get(settings, profile, "external_id"),
		.duration_s = scar_aws_settings_get(settings, profile, "duration_seconds"),
	};
	char source[SOURCE_MAX];

	if (!role.arn)
		return 0;
	if (scar_aws_settings_get(settings, profile, "web_identity_token_file")) {
		if (depth == 0)
			return 0; /* the next provider's */
		return by_web_identity(
			aws, scar_aws_settings_get(settings, profile, "web_identity_token_file"),
			&role, ret_keys, err);
	}
	if (!by == !from)
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "profile \"%.100s\" has role_arn and %s source_profile %s "
				    "credential_source: it needs one of them",
				    profile, by ? "both" : "neither", by ? "and" : "nor");
	if (scar_aws_settings_get(settings, profile, "mfa_serial"))
		return scar_err_set(
			err, SCAR_ERR_UNSUPPORTED,
			"profile \"%.100s\" wants a code of an MFA device, which is not asked for here: use "
			"a profile with `credential_process = aws configure export-credentials --profile "
			"%.100s --format process`",
			profile, profile);
	if ((by ? of_source_profile(aws, profile, by, depth, &keys, err)
		: of_credential_source(aws, from, &keys, err)) < 0)
		return -1;
	snprintf(source, sizeof source, "profile \"%.60s\" as %.80s", profile, role.arn);
	return assume(aws, &role, &keys, NULL, source, ret_keys, err) < 0 ? -1 : 1;
}

int scar_aws_keys_of_profile_role(struct scar_aws *aws, struct scar_aws_keys *ret_keys,
				  struct scar_err *err)
{
	return of_role(aws, aws->shared->settings.profile, 0, ret_keys, err);
}
