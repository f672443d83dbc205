/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/aws/iam.h"

#include <string.h>

#include "deployer/aws/iam_private.h"
#include "deployer/aws/xml.h"
#include "runtime/base/err.h"
#include "runtime/base/json_writer.h"
#include "runtime/base/limits.h"

#define FORM_MAX SCAR_KIB(64)
#define DOCUMENT_MAX SCAR_KIB(10)

int scar_iam_ask(struct scar_aws *aws, const char *operation, const char *const (*parameters)[2],
		 struct scar_aws_answer *answer, struct scar_err *err)
{
	scar_buf_auto struct scar_buf form;
	struct scar_aws_call call = {.service = SCAR_AWS_IAM, .operation = operation};

	scar_buf_init(&form, FORM_MAX);
	if (scar_aws_form(&form, SCAR_AWS_IAM, operation, err) < 0)
		return -1;
	for (; (*parameters)[0]; parameters++) {
		if (scar_aws_query(&form, (*parameters)[0], (*parameters)[1], err) < 0)
			return -1;
	}
	call.body = form.data;
	call.body_len = form.len;
	return scar_aws_perform(aws, &call, answer, err);
}

int scar_iam_tell(struct scar_aws *aws, const char *operation, const char *const (*parameters)[2],
		  struct scar_err *err)
{
	scar_aws_answer_auto struct scar_aws_answer answer;

	scar_aws_answer_init(&answer);
	return scar_iam_ask(aws, operation, parameters, &answer, err);
}

/* ---- the role ---- */

static int write_trust(const struct scar_iam_role *role, struct scar_buf *document,
		       struct scar_err *err)
{
	const char *service = role->service ? role->service : "lambda.amazonaws.com";
	const char *const both[] = {service, role->also, NULL};
	struct scar_json_writer w;

	scar_json_writer_init(&w, document, err);
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_string(&w, "Version", "2012-10-17");
	scar_json_write_open(&w, "Statement", '[');
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_string(&w, "Effect", "Allow");
	scar_json_write_open(&w, "Principal", '{');
	if (role->also)
		scar_json_write_strings(&w, "Service", both);
	else
		scar_json_write_string(&w, "Service", service);
	scar_json_write_close(&w, '}');
	scar_json_write_string(&w, "Action", "sts:AssumeRole");
	scar_json_write_close(&w, '}');
	scar_json_write_close(&w, ']');
	scar_json_write_close(&w, '}');
	return scar_json_writer_end(&w);
}

static int take_arn(const struct scar_aws_answer *answer, const char *result, char **ret_arn,
		    struct scar_err *err)
{
	const char *arn = scar_xml_text_at(scar_xml_at(answer->xml, result), "Role/Arn");

	if (!arn || !*arn)
		return scar_err_set(err, SCAR_ERR_PROTOCOL, "iam: the answer has no role");
	return scar_aws_copy(arn, ret_arn, err);
}

static int create(struct scar_aws *aws, const struct scar_iam_role *role, char **ret_arn,
		  struct scar_err *err)
{
	struct scar_aws_call call = {.service = SCAR_AWS_IAM, .operation = "CreateRole"};
	scar_aws_answer_auto struct scar_aws_answer answer;
	scar_buf_auto struct scar_buf form, trust;

	scar_aws_answer_init(&answer);
	scar_buf_init(&form, FORM_MAX);
	scar_buf_init(&trust, DOCUMENT_MAX);
	if (write_trust(role, &trust, err) < 0 ||
	    scar_aws_form(&form, SCAR_AWS_IAM, "CreateRole", err) < 0 ||
	    scar_aws_query(&form, "RoleName", role->name, err) < 0 ||
	    scar_aws_query(&form, "AssumeRolePolicyDocument", trust.data, err) < 0 ||
	    scar_aws_query(&form, "Description", role->description, err) < 0 ||
	    scar_aws_query_tags(&form, "Tags.member.", role->tags, role->tag_count, err) < 0)
		return -1;
	call.body = form.data;
	call.body_len = form.len;
	if (scar_aws_perform(aws, &call, &answer, err) < 0)
		return -1;
	return take_arn(&answer, "CreateRoleResult", ret_arn, err);
}

static int give_policies(struct scar_aws *aws, const struct scar_iam_role *role,
			 struct scar_err *err)
{
	const char *const *arn = role->managed;

	for (; arn && *arn; arn++) {
		const char *const attach[][2] = {
			{"RoleName", role->name}, {"PolicyArn", *arn}, {NULL, NULL}};

		if (scar_iam_tell(aws, "AttachRolePolicy", attach, err) < 0)
			return -1;
	}
	if (role->policy) {
		const char *const put[][2] = {{"RoleName", role->name},
					      {"PolicyName", role->policy_name},
					      {"PolicyDocument", role->policy},
					      {NULL, NULL}};

		return scar_iam_tell(aws, "PutRolePolicy", put, err);
	}
	return 0;
}

/* Of a role that was there: it may have been of a function without jobs. */
static int renew_trust(struct scar_aws *aws, const struct scar_iam_role *role, struct scar_err *err)
{
	scar_buf_auto struct scar_buf trust;
	const char *parameters[][2] = {
		{"RoleName", role->name}, {"PolicyDocument", NULL}, {NULL, NULL}};

	scar_buf_init(&trust, DOCUMENT_MAX);
	if (!role->also)
		return 0;
	if (write_trust(role, &trust, err) < 0)
		return -1;
	parameters[1][1] = trust.data;
	return scar_iam_tell(aws, "UpdateAssumeRolePolicy", (const char *const(*)[2])parameters,
			     err);
}

int scar_iam_put_role(struct scar_aws *aws, const struct scar_iam_role *role, char **ret_arn,
		      bool *ret_created, struct scar_err *err)
{
	scar_free_auto char *arn = NULL;
	bool created = false;

	if (scar_iam_get_role(aws, role->name, &arn, err) < 0) {
		if (err->kind != SCAR_ERR_NOT_FOUND)
			return -1;
		created = create(aws, role, &arn, err) == 0;
		/* Somebody was quicker. */
		if (!created && (!scar_aws_failed_with(aws, "EntityAlreadyExists") ||
				 scar_iam_get_role(aws, role->name, &arn, err) < 0))
			return -1;
	}
	if ((!created && renew_trust(aws, role, err) < 0) || give_policies(aws, role, err) < 0)
		return -1;
	if (ret_created)
		*ret_created = created;
	*ret_arn = scar_steal(arn);
	return 0;
}

int scar_iam_get_role(struct scar_aws *aws, const char *name, char **ret_arn, struct scar_err *err)
{
	const char *const parameters[][2] = {{"RoleName", name}, {NULL, NULL}};
	scar_aws_answer_auto struct scar_aws_answer answer;

	scar_aws_answer_init(&answer);
	if (scar_iam_ask(aws, "GetRole", parameters, &answer, err) < 0)
		return -1;
	return take_arn(&answer, "GetRoleResult", ret_arn, err);
}

int scar_iam_get_role_tag(struct scar_aws *aws, const char *name, const char *tag, char **ret_value,
			  struct scar_err *err)
{
	const char *const parameters[][2] = {{"RoleName", name}, {NULL, NULL}};
	scar_aws_answer_auto struct scar_aws_answer answer;
	const struct scar_xml *member;

	scar_aws_answer_init(&answer);
	if (scar_iam_ask(aws, "GetRole", parameters, &answer, err) < 0)
		return -1;
	member = scar_xml_first(scar_xml_at(answer.xml, "GetRoleResult/Role/Tags"), "member");
	for (; member; member = scar_xml_next(member, "member")) {
		const char *key = scar_xml_text_at(member, "Key");
		const char *value = scar_xml_text_at(member, "Value");

		if (key && strcmp(key, tag) == 0)
			return scar_aws_copy(value ? value : "", ret_value, err);
	}
	*ret_value = NULL;
	return 0;
}

/* ---- away with it ---- */

/* Runs `operation` for each policy that `list` shows at `path`; all pages. */
static int drop_policies(struct scar_aws *aws, const char *role, const char *list, const char *path,
			 const char *name, const char *operation, const char *parameter,
			 struct scar_err *err)
{
	scar_free_auto char *marker = NULL;

	do {
		const char *const ask_for[][2] = {
			{"RoleName", role}, {"Marker", marker}, {NULL, NULL}};
		scar_aws_answer_auto struct scar_aws_answer answer;
		const struct scar_xml *result, *member;
		const char *next;

		scar_aws_answer_init(&answer);
		if (scar_iam_ask(aws, list, ask_for, &answer, err) < 0)
			return -1;
		result = scar_xml_first(answer.xml, NULL);
		member = scar_xml_first(scar_xml_at(result, path), "member");
		for (; member; member = scar_xml_next(member, "member")) {
			const char *value = *name ? scar_xml_text_at(member, name)
						  : scar_xml_text(member);
			const char *const drop[][2] = {
				{"RoleName", role}, {parameter, value}, {NULL, NULL}};

			if (value && scar_iam_tell(aws, operation, drop, err) < 0 &&
			    err->kind != SCAR_ERR_NOT_FOUND)
				return -1;
		}
		next = scar_xml_text_at(result, "Marker");
		free(marker);
		marker = NULL;
		if (next && *next && scar_aws_copy(next, &marker, err) < 0)
			return -1;
	} while (marker);
	return 0;
}

int scar_iam_delete_role(struct scar_aws *aws, const char *name, struct scar_err *err)
{
	const char *const parameters[][2] = {{"RoleName", name}, {NULL, NULL}};

	if (drop_policies(aws, name, "ListAttachedRolePolicies", "AttachedPolicies", "PolicyArn",
			  "DetachRolePolicy", "PolicyArn", err) < 0 ||
	    drop_policies(aws, name, "ListRolePolicies", "PolicyNames", "", "DeleteRolePolicy",
			  "PolicyName", err) < 0 ||
	    scar_iam_tell(aws, "DeleteRole", parameters, err) < 0)
		return err->kind == SCAR_ERR_NOT_FOUND ? 0 : -1;
	return 0;
}
