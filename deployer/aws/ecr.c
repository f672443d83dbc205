/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/aws/ecr.h"

#include <string.h>

#include "deployer/aws/call.h"
#include "runtime/base/base64.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/json_writer.h"
#include "runtime/base/limits.h"

static int send(struct scar_aws *aws, const char *operation, const struct scar_json_writer *w,
		struct scar_json **ret_answer, struct scar_err *err)
{
	const struct scar_aws_call call = {.service = SCAR_AWS_ECR, .operation = operation};

	return scar_aws_send(aws, &call, w, ret_answer, err);
}

/* An operation on one repository, by its name. */
static int send_name(struct scar_aws *aws, const char *operation, const char *name, bool force,
		     struct scar_json **ret_answer, struct scar_err *err)
{
	scar_buf_auto struct scar_buf body;
	struct scar_json_writer w;

	scar_buf_init(&body, SCAR_KIB(4));
	scar_json_writer_init(&w, &body, err);
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_string(&w, "repositoryName", name);
	if (force)
		scar_json_write_bool(&w, "force", true);
	scar_json_write_close(&w, '}');
	return send(aws, operation, &w, ret_answer, err);
}

/* ---- repositories ---- */

static int describe_one(struct scar_aws *aws, const char *name, struct scar_json **ret_answer,
			struct scar_err *err)
{
	const char *const names[] = {name, NULL};
	scar_buf_auto struct scar_buf body;
	struct scar_json_writer w;

	scar_buf_init(&body, SCAR_KIB(4));
	scar_json_writer_init(&w, &body, err);
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_strings(&w, "repositoryNames", names);
	scar_json_write_close(&w, '}');
	return send(aws, "DescribeRepositories", &w, ret_answer, err);
}

int scar_ecr_create_repository(struct scar_aws *aws, const char *name, char **ret_uri,
			       bool *ret_created, struct scar_err *err)
{
	scar_json_auto struct scar_json *answer = NULL;
	bool created = send_name(aws, "CreateRepository", name, false, &answer, err) == 0;
	const struct scar_json *repository;
	const char *uri;

	if (!created && (!scar_aws_failed_with(aws, "RepositoryAlreadyExistsException") ||
			 describe_one(aws, name, &answer, err) < 0))
		return -1;
	repository = created ? scar_json_get(answer, "repository")
			     : scar_json_first(scar_json_get(answer, "repositories"));
	if (scar_json_need_string(repository, "repositoryUri", "the ECR repository", &uri, err) <
		    0 ||
	    scar_aws_copy(uri, ret_uri, err) < 0)
		return -1;
	if (ret_created)
		*ret_created = created;
	return 0;
}

int scar_ecr_delete_repository(struct scar_aws *aws, const char *name, bool *ret_deleted,
			       struct scar_err *err)
{
	bool deleted = send_name(aws, "DeleteRepository", name, true, NULL, err) == 0;

	if (!deleted && err->kind != SCAR_ERR_NOT_FOUND)
		return -1;
	if (ret_deleted)
		*ret_deleted = deleted;
	return 0;
}

static int ask(struct scar_aws *aws, void *ctx, const char *marker, struct scar_json **ret_answer,
	       struct scar_err *err)
{
	scar_buf_auto struct scar_buf body;
	struct scar_json_writer w;

	(void)ctx;
	scar_buf_init(&body, SCAR_KIB(8));
	scar_json_writer_init(&w, &body, err);
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_string(&w, "nextToken", marker);
	scar_json_write_close(&w, '}');
	return send(aws, "DescribeRepositories", &w, ret_answer, err);
}

int scar_ecr_list_repositories(struct scar_aws *aws, scar_aws_each each, void *ctx,
			       struct scar_err *err)
{
	return scar_aws_list(aws, ask, NULL, "repositories", "nextToken", each, ctx, err);
}

/* ---- the password ---- */

/* "user:password" in Base64. */
static int split_token(const char *token, char **ret_user, char **ret_password,
		       struct scar_err *err)
{
	scar_buf_auto struct scar_buf text;
	scar_free_auto char *user = NULL;
	char *colon;
	int failed = -1;

	scar_buf_init(&text, SCAR_KIB(32));
	if (scar_base64_decode(token, &text, err) == 0) {
		colon = strchr(text.data, ':');
		if (!colon) {
			scar_err_set(err, SCAR_ERR_PROTOCOL, "ecr: no user name in the token");
		} else {
			*colon = '\0';
			failed = scar_aws_copy(text.data, &user, err) < 0 ||
				 scar_aws_copy(colon + 1, ret_password, err) < 0;
		}
	} else {
		scar_err_set(err, SCAR_ERR_PROTOCOL, "ecr: the token is not Base64");
	}
	explicit_bzero(text.data, text.len);
	if (failed)
		return -1;
	*ret_user = scar_steal(user);
	return 0;
}

int scar_ecr_get_password(struct scar_aws *aws, char **ret_user, char **ret_password,
			  struct scar_err *err)
{
	scar_json_auto struct scar_json *answer = NULL;
	scar_buf_auto struct scar_buf body;
	struct scar_json_writer w;
	const char *token;

	scar_buf_init(&body, 16);
	scar_json_writer_init(&w, &body, err);
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_close(&w, '}');
	if (send(aws, "GetAuthorizationToken", &w, &answer, err) < 0 ||
	    scar_json_need_string(scar_json_first(scar_json_get(answer, "authorizationData")),
				  "authorizationToken", "ecr", &token, err) < 0)
		return -1;
	return split_token(token, ret_user, ret_password, err);
}
