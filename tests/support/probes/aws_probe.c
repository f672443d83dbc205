/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drives the AWS clients for comparison with others: one JSON object a line on standard input, {"op": NAME, ...}, and one line each on
 * standard output, {"ok": RESULT} or {"error": {"kind", "text", "code", "status", "request_id", "hint"}}. The session is made from the environment and
 * the words of the command line: [--profile NAME] [--region NAME] [--endpoint-url URL].
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "deployer/aws/apigateway.h"
#include "deployer/aws/batch.h"
#include "deployer/aws/call.h"
#include "deployer/aws/ecr.h"
#include "deployer/aws/event_stream.h"
#include "deployer/aws/iam.h"
#include "deployer/aws/ini.h"
#include "deployer/aws/lambda.h"
#include "deployer/aws/launch_template.h"
#include "deployer/aws/logs.h"
#include "deployer/aws/s3.h"
#include "deployer/aws/session.h"
#include "deployer/aws/sts.h"
#include "deployer/aws/tagging.h"
#include "deployer/aws/xml.h"
#include "runtime/base/base64.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/json_writer.h"
#include "runtime/base/log.h"

#define LIST_MAX 64
#define LINE_MAX_BYTES ((size_t)64 << 20)

static volatile int cancelled;

struct probe {
	struct scar_aws *aws;
	const struct scar_json *in;
	struct scar_json_writer *out;
	struct scar_err *err;
	const char *lists[8][LIST_MAX + 1];
	size_t list_count;
	struct scar_aws_pair pairs[8][LIST_MAX];
	size_t pair_lists;
	struct scar_buf bytes;
};

/* ---- arguments ---- */

static const char *text(const struct probe *p, const char *key)
{
	return scar_json_string(scar_json_get(p->in, key));
}

static int number(const struct probe *p, const char *key)
{
	int64_t n = 0;

	return scar_json_int(scar_json_get(p->in, key), &n) < 0 ? 0 : (int)n;
}

static bool truth(const struct probe *p, const char *key)
{
	return scar_json_bool(scar_json_get(p->in, key), false);
}

static const char *const *list(struct probe *p, const char *key)
{
	const struct scar_json *node = scar_json_get(p->in, key), *item;
	const char **out = p->lists[p->list_count++];
	size_t n = 0;

	if (!node)
		return NULL;
	for (item = scar_json_first(node); item && n < LIST_MAX; item = scar_json_next(item))
		out[n++] = scar_json_string(item);
	out[n] = NULL;
	return out;
}

static const struct scar_aws_pair *pairs(struct probe *p, const char *key, size_t *ret_count)
{
	const struct scar_json *node = scar_json_get(p->in, key), *item;
	struct scar_aws_pair *out = p->pairs[p->pair_lists++];
	size_t n = 0;

	*ret_count = 0;
	if (!node)
		return NULL;
	for (item = scar_json_first(node); item && n < LIST_MAX; item = scar_json_next(item))
		out[n++] = (struct scar_aws_pair){scar_json_key(item), scar_json_string(item)};
	*ret_count = n;
	return out;
}

static struct scar_lambda_code code(struct probe *p)
{
	struct scar_lambda_code out = {.s3_bucket = text(p, "s3_bucket"),
				       .s3_key = text(p, "s3_key"),
				       .s3_version = text(p, "s3_version"),
				       .image_uri = text(p, "image_uri")};

	if (text(p, "zip")) {
		if (scar_base64_decode(text(p, "zip"), &p->bytes, p->err) < 0)
			abort();
		out.zip = p->bytes.data;
		out.zip_len = p->bytes.len;
	}
	return out;
}

/* ---- results ---- */

static int give_json(struct probe *p, int failed, struct scar_json *answer)
{
	if (!failed && answer)
		scar_json_write_node(p->out, "ok", answer);
	else if (!failed)
		scar_json_write_bool(p->out, "ok", true);
	scar_json_free(answer);
	return failed;
}

static int give_text(struct probe *p, int failed, char *answer)
{
	if (!failed)
		scar_json_write_string(p->out, "ok", answer);
	free(answer);
	return failed;
}

static int give_bool(struct probe *p, int failed, bool value)
{
	if (!failed)
		scar_json_write_bool(p->out, "ok", value);
	return failed;
}

static int item_out(void *ctx, const struct scar_json *item, struct scar_err *err)
{
	struct probe *p = ctx;

	(void)err;
	scar_json_write_node(p->out, NULL, item);
	return 0;
}

#define LISTED(call)                                     \
	({                                               \
		int failed_;                             \
		scar_json_write_open(p->out, "ok", '['); \
		failed_ = (call);                        \
		scar_json_write_close(p->out, ']');      \
		failed_;                                 \
	})

/* ---- operations ---- */

static int sts_identity(struct probe *p)
{
	struct scar_sts_identity id;

	if (scar_sts_get_identity(p->aws, &id, p->err) < 0)
		return -1;
	scar_json_write_open(p->out, "ok", '{');
	scar_json_write_string(p->out, "account", id.account);
	scar_json_write_string(p->out, "partition", id.partition);
	scar_json_write_string(p->out, "arn", id.arn);
	scar_json_write_string(p->out, "name", id.name);
	scar_json_write_close(p->out, '}');
	return 0;
}

static int credentials(struct probe *p)
{
	struct scar_aws_keys keys = {.id = NULL};
	const char *source;

	if (scar_aws_find_credentials(p->aws, &source, p->err) < 0 ||
	    scar_aws_keys_get(p->aws, &keys, p->err) < 0)
		return -1;
	scar_json_write_open(p->out, "ok", '{');
	scar_json_write_string(p->out, "id", keys.id);
	scar_json_write_string(p->out, "secret", keys.secret);
	scar_json_write_string(p->out, "token", keys.token);
	scar_json_write_int(p->out, "expires_ms", keys.expires_ms);
	scar_json_write_string(p->out, "source", source);
	scar_json_write_string(p->out, "region", scar_aws_region(p->aws));
	scar_json_write_close(p->out, '}');
	scar_aws_keys_clear(&keys);
	return 0;
}

static struct scar_lambda_function function_of(struct probe *p, struct scar_lambda_mount *mount)
{
	struct scar_lambda_function f = {
		.name = text(p, "name"),
		.role = text(p, "role"),
		.runtime = text(p, "runtime"),
		.handler = text(p, "handler"),
		.description = text(p, "description"),
		.timeout_s = number(p, "timeout"),
		.memory_mb = number(p, "memory"),
		.storage_mb = number(p, "storage"),
		.architecture = text(p, "architecture"),
		.layers = list(p, "layers"),
		.subnet_ids = list(p, "subnets"),
		.security_group_ids = list(p, "groups"),
		.log_format = text(p, "log_format"),
		.log_group = text(p, "log_group"),
	};

	f.environment = pairs(p, "environment", &f.environment_count);
	f.tags = pairs(p, "tags", &f.tag_count);
	if (text(p, "mount")) {
		*mount = (struct scar_lambda_mount){text(p, "access_point"), text(p, "mount")};
		f.mounts = mount;
		f.mount_count = 1;
	}
	return f;
}

static int lambda_create(struct probe *p)
{
	struct scar_lambda_mount mount;
	struct scar_lambda_function f = function_of(p, &mount);
	struct scar_json *answer = NULL;
	int failed;

	f.code = code(p);
	failed = scar_lambda_create(p->aws, &f, &answer, p->err);
	return give_json(p, failed, answer);
}

static int lambda_configure(struct probe *p)
{
	struct scar_lambda_mount mount;
	struct scar_lambda_function f = function_of(p, &mount);
	struct scar_json *answer = NULL;
	int failed;

	failed = scar_lambda_update_configuration(p->aws, &f, &answer, p->err);
	return give_json(p, failed, answer);
}

static int lambda_code(struct probe *p)
{
	struct scar_lambda_code c = code(p);
	struct scar_json *answer = NULL;
	int failed;

	failed = scar_lambda_update_code(p->aws, text(p, "name"), &c, text(p, "architecture"),
					 &answer, p->err);
	return give_json(p, failed, answer);
}

static int lambda_get(struct probe *p)
{
	struct scar_json *answer = NULL;
	int failed;

	failed = scar_lambda_get(p->aws, text(p, "name"), &answer, p->err);
	return give_json(p, failed, answer);
}

static int lambda_delete(struct probe *p)
{
	return give_json(p, scar_lambda_delete(p->aws, text(p, "name"), p->err), NULL);
}

static int lambda_list(struct probe *p)
{
	return LISTED(scar_lambda_list(p->aws, item_out, p, p->err));
}

static int lambda_wait(struct probe *p)
{
	return give_json(p, scar_lambda_wait(p->aws, text(p, "name"), number(p, "timeout"), p->err),
			 NULL);
}

static int lambda_tag(struct probe *p)
{
	size_t n;
	const struct scar_aws_pair *tags = pairs(p, "tags", &n);

	return give_json(p, scar_lambda_tag(p->aws, text(p, "arn"), tags, n, p->err), NULL);
}

static int lambda_untag(struct probe *p)
{
	return give_json(p, scar_lambda_untag(p->aws, text(p, "arn"), list(p, "names"), p->err),
			 NULL);
}

static int lambda_tags(struct probe *p)
{
	struct scar_json *answer = NULL;
	int failed;

	failed = scar_lambda_get_tags(p->aws, text(p, "arn"), &answer, p->err);
	return give_json(p, failed, answer);
}

static int layer_publish(struct probe *p)
{
	struct scar_lambda_layer l = {.name = text(p, "name"),
				      .description = text(p, "description"),
				      .license = text(p, "license"),
				      .runtimes = list(p, "runtimes"),
				      .architectures = list(p, "architectures")};
	struct scar_json *answer = NULL;
	int failed;

	l.code = code(p);
	failed = scar_lambda_publish_layer(p->aws, &l, &answer, p->err);
	return give_json(p, failed, answer);
}

static int layer_list(struct probe *p)
{
	if (text(p, "name"))
		return LISTED(scar_lambda_list_layer_versions(p->aws, text(p, "name"), item_out, p,
							      p->err));
	return LISTED(scar_lambda_list_layers(p->aws, item_out, p, p->err));
}

static int layer_get(struct probe *p)
{
	struct scar_json *answer = NULL;
	int failed;

	failed = scar_lambda_get_layer(p->aws, text(p, "name"), number(p, "version"), &answer,
				       p->err);
	return give_json(p, failed, answer);
}

static int layer_delete(struct probe *p)
{
	return give_json(
		p, scar_lambda_delete_layer(p->aws, text(p, "name"), number(p, "version"), p->err),
		NULL);
}

static int layer_share(struct probe *p)
{
	return give_json(p,
			 scar_lambda_share_layer(p->aws, text(p, "name"), number(p, "version"),
						 text(p, "id"), text(p, "principal"), p->err),
			 NULL);
}

static int permission_add(struct probe *p)
{
	const struct scar_lambda_permission permission = {
		.statement_id = text(p, "id"),
		.action = text(p, "action"),
		.principal = text(p, "principal"),
		.source_arn = text(p, "source_arn"),
		.source_account = text(p, "source_account"),
		.url_auth_type = text(p, "url_auth_type"),
		.via_function_url = truth(p, "via_function_url"),
	};
	bool added = false;
	int failed;

	failed = scar_lambda_add_permission(p->aws, text(p, "name"), &permission, &added, p->err);
	return give_bool(p, failed, added);
}

static int permission_remove(struct probe *p)
{
	return give_json(
		p, scar_lambda_remove_permission(p->aws, text(p, "name"), text(p, "id"), p->err),
		NULL);
}

static int policy_get(struct probe *p)
{
	struct scar_json *answer = NULL;
	int failed;

	failed = scar_lambda_get_policy(p->aws, text(p, "name"), &answer, p->err);
	return give_json(p, failed, answer);
}

static int url_put(struct probe *p)
{
	const struct scar_lambda_url url = {truth(p, "iam"), truth(p, "stream")};
	char *answer = NULL;
	int failed;

	failed = scar_lambda_put_url(p->aws, text(p, "name"), &url, &answer, p->err);
	return give_text(p, failed, answer);
}

static int url_delete(struct probe *p)
{
	return give_json(p, scar_lambda_delete_url(p->aws, text(p, "name"), p->err), NULL);
}

static int concurrency_put(struct probe *p)
{
	return give_json(
		p,
		scar_lambda_put_concurrency(p->aws, text(p, "name"), number(p, "reserved"), p->err),
		NULL);
}

static int concurrency_delete(struct probe *p)
{
	return give_json(p, scar_lambda_delete_concurrency(p->aws, text(p, "name"), p->err), NULL);
}

static int retries_put(struct probe *p)
{
	return give_json(p,
			 scar_lambda_put_retries(p->aws, text(p, "name"), number(p, "retries"),
						 number(p, "age"), p->err),
			 NULL);
}

static int account(struct probe *p)
{
	struct scar_json *answer = NULL;
	int failed;

	failed = scar_lambda_get_account(p->aws, &answer, p->err);
	return give_json(p, failed, answer);
}

static int piece_out(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	return scar_buf_append(&((struct probe *)ctx)->bytes, data, len, err);
}

static int invoke(struct probe *p)
{
	const char *payload = text(p, "payload"), *type = text(p, "type");
	const struct scar_lambda_call call = {
		.function = text(p, "name"),
		.qualifier = text(p, "qualifier"),
		.type = !type          ? SCAR_LAMBDA_SYNC
			: *type == 'a' ? SCAR_LAMBDA_ASYNC
				       : SCAR_LAMBDA_DRY_RUN,
		.payload = payload,
		.payload_len = payload ? strlen(payload) : 0,
		.log_tail = truth(p, "log"),
		.client_context = text(p, "context"),
		.timeout_s = number(p, "timeout"),
	};
	scar_lambda_result_auto struct scar_lambda_result result = {.status = 0};

	if ((truth(p, "stream")
		     ? scar_lambda_invoke_stream(p->aws, &call, piece_out, p, &result, p->err)
		     : scar_lambda_invoke(p->aws, &call, &result, p->err)) < 0)
		return -1;
	scar_json_write_open(p->out, "ok", '{');
	scar_json_write_int(p->out, "status", result.status);
	scar_json_write_string(p->out, "error", result.function_error);
	scar_json_write_string(p->out, "version", result.version);
	scar_json_write_string(p->out, "log", result.log_tail);
	scar_json_write_string(p->out, "payload", result.payload);
	if (truth(p, "stream"))
		scar_json_write_string(p->out, "stream", p->bytes.data);
	scar_json_write_close(p->out, '}');
	return 0;
}

static int bucket_create(struct probe *p)
{
	bool created = false;
	int failed;

	failed = scar_s3_create_bucket(p->aws, text(p, "bucket"), &created, p->err);
	return give_bool(p, failed, created);
}

static int bucket_region(struct probe *p)
{
	char region[64];
	int failed = scar_s3_bucket_region(p->aws, text(p, "bucket"), region, p->err);

	if (!failed)
		scar_json_write_string(p->out, "ok", region);
	return failed;
}

static int bucket_delete(struct probe *p)
{
	return give_json(p, scar_s3_delete_bucket(p->aws, text(p, "bucket"), p->err), NULL);
}

static int bucket_out(void *ctx, const char *bucket, struct scar_err *err)
{
	(void)err;
	scar_json_write_string(((struct probe *)ctx)->out, NULL, bucket);
	return 0;
}

static int bucket_list(struct probe *p)
{
	return LISTED(scar_s3_list_buckets(p->aws, bucket_out, p, p->err));
}

static int object_out(void *ctx, const struct scar_s3_object *object, struct scar_err *err)
{
	struct probe *p = ctx;

	(void)err;
	scar_json_write_open(p->out, NULL, '[');
	scar_json_write_string(p->out, NULL, object->key);
	scar_json_write_int(p->out, NULL, (int64_t)object->size_bytes);
	scar_json_write_close(p->out, ']');
	return 0;
}

static int object_list(struct probe *p)
{
	return LISTED(
		scar_s3_list(p->aws, text(p, "bucket"), text(p, "prefix"), object_out, p, p->err));
}

static int object_put(struct probe *p)
{
	struct scar_s3_put put = {.bucket = text(p, "bucket"),
				  .owner = text(p, "owner"),
				  .key = text(p, "key"),
				  .fd = -1,
				  .data = text(p, "data"),
				  .content_type = text(p, "content_type")};
	struct stat st;
	int failed;

	if (text(p, "file")) {
		put.fd = open(text(p, "file"), O_RDONLY | O_CLOEXEC);
		if (put.fd < 0 || fstat(put.fd, &st) < 0)
			abort();
		put.size_bytes = (uint64_t)st.st_size;
	} else {
		put.size_bytes = strlen(put.data);
	}
	failed = scar_s3_put(p->aws, &put, p->err);
	if (put.fd >= 0)
		close(put.fd);
	return give_json(p, failed, NULL);
}

static int object_get(struct probe *p)
{
	struct scar_s3_get get = {.bucket = text(p, "bucket"),
				  .key = text(p, "key"),
				  .fd = -1,
				  .sink = piece_out,
				  .sink_ctx = p};
	int failed;

	if (text(p, "file")) {
		get.fd = open(text(p, "file"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		if (get.fd < 0)
			abort();
	}
	failed = scar_s3_get(p->aws, &get, p->err);
	if (get.fd >= 0)
		close(get.fd);
	if (!failed)
		scar_json_write_string(p->out, "ok", p->bytes.data);
	return failed;
}

static int object_head(struct probe *p)
{
	uint64_t size = 0;
	int failed = scar_s3_head(p->aws, text(p, "bucket"), text(p, "key"), &size, p->err);

	if (!failed)
		scar_json_write_int(p->out, "ok", (int64_t)size);
	return failed;
}

static int object_delete(struct probe *p)
{
	return give_json(p, scar_s3_delete(p->aws, text(p, "bucket"), text(p, "key"), p->err),
			 NULL);
}

static int give_count(struct probe *p, int failed, uint64_t count)
{
	if (!failed)
		scar_json_write_int(p->out, "ok", (int64_t)count);
	return failed;
}

static int prefix_delete(struct probe *p)
{
	uint64_t n = 0;
	int failed;

	failed = scar_s3_delete_prefix(p->aws, text(p, "bucket"), text(p, "prefix"), &n, p->err);
	return give_count(p, failed, n);
}

static int tree(struct probe *p, bool up)
{
	const struct scar_s3_tree t = {
		.path = text(p, "path"), .bucket = text(p, "bucket"), .prefix = text(p, "prefix")};
	uint64_t n = 0;
	int failed;

	failed = up ? scar_s3_put_tree(p->aws, &t, truth(p, "exact"), &n, p->err)
		    : scar_s3_get_tree(p->aws, &t, &n, p->err);
	return give_count(p, failed, n);
}

static int tree_put(struct probe *p)
{
	return tree(p, true);
}

static int tree_get(struct probe *p)
{
	return tree(p, false);
}

static int trigger_put(struct probe *p)
{
	const struct scar_s3_trigger t = {.bucket = text(p, "bucket"),
					  .id = text(p, "id"),
					  .function_arn = text(p, "function"),
					  .events = list(p, "events"),
					  .prefix = text(p, "prefix"),
					  .suffix = text(p, "suffix")};
	bool changed = false;
	int failed;

	failed = scar_s3_put_trigger(p->aws, &t, &changed, p->err);
	return give_bool(p, failed, changed);
}

static int trigger_delete(struct probe *p)
{
	bool changed = false;
	int failed;

	failed = scar_s3_delete_trigger(p->aws, text(p, "bucket"), text(p, "id"),
					text(p, "function"), &changed, p->err);
	return give_bool(p, failed, changed);
}

static int trigger_out(void *ctx, const struct scar_s3_trigger *t, struct scar_err *err)
{
	struct probe *p = ctx;

	(void)err;
	scar_json_write_open(p->out, NULL, '{');
	scar_json_write_string(p->out, "id", t->id);
	scar_json_write_string(p->out, "function", t->function_arn);
	scar_json_write_strings(p->out, "events", t->events);
	scar_json_write_string(p->out, "prefix", t->prefix);
	scar_json_write_string(p->out, "suffix", t->suffix);
	scar_json_write_close(p->out, '}');
	return 0;
}

static int trigger_list(struct probe *p)
{
	return LISTED(scar_s3_list_triggers(p->aws, text(p, "bucket"), trigger_out, p, p->err));
}

static int role_put(struct probe *p)
{
	struct scar_iam_role role = {.name = text(p, "name"),
				     .service = text(p, "service"),
				     .also = text(p, "also"),
				     .description = text(p, "description"),
				     .managed = list(p, "managed"),
				     .policy_name = text(p, "policy_name"),
				     .policy = text(p, "policy")};
	char *arn = NULL;
	bool created = false;
	int failed;

	role.tags = pairs(p, "tags", &role.tag_count);
	failed = scar_iam_put_role(p->aws, &role, &arn, &created, p->err);
	if (failed)
		return -1;
	scar_json_write_open(p->out, "ok", '{');
	scar_json_write_string(p->out, "arn", arn);
	scar_json_write_bool(p->out, "created", created);
	scar_json_write_close(p->out, '}');
	free(arn);
	return 0;
}

static int profile_put(struct probe *p)
{
	char *arn = NULL;
	int failed = scar_iam_put_profile(p->aws, text(p, "name"), text(p, "role"), &arn, p->err);

	return give_text(p, failed, arn);
}

static int profile_delete(struct probe *p)
{
	return give_json(
		p, scar_iam_delete_profile(p->aws, text(p, "name"), text(p, "role"), p->err), NULL);
}

static int template_put(struct probe *p)
{
	struct scar_launch_template template = {.name = text(p, "name"),
						.user_data = text(p, "user_data")};
	bool created = false;
	int failed;

	template.tags = pairs(p, "tags", &template.tag_count);
	failed = scar_launch_template_put(p->aws, &template, &created, p->err);
	return give_bool(p, failed, created);
}

static int template_delete(struct probe *p)
{
	return give_json(p, scar_launch_template_delete(p->aws, text(p, "name"), p->err), NULL);
}

static int batch_find(struct probe *p)
{
	struct scar_batch_found found;

	if (scar_batch_find(p->aws, text(p, "name"), &found, p->err) < 0)
		return -1;
	scar_json_write_open(p->out, "ok", '{');
	scar_json_write_bool(p->out, "environment", found.environment);
	scar_json_write_bool(p->out, "queue", found.queue);
	scar_json_write_bool(p->out, "definition", found.definition);
	scar_json_write_close(p->out, '}');
	return 0;
}

static int role_delete(struct probe *p)
{
	return give_json(p, scar_iam_delete_role(p->aws, text(p, "name"), p->err), NULL);
}

static int role_tag(struct probe *p)
{
	char *value = NULL;
	int failed;

	failed = scar_iam_get_role_tag(p->aws, text(p, "name"), text(p, "tag"), &value, p->err);
	return give_text(p, failed, value);
}

static int group_create(struct probe *p)
{
	bool created = false;
	size_t n;
	const struct scar_aws_pair *tags = pairs(p, "tags", &n);
	int failed;

	failed = scar_logs_create_group(p->aws, text(p, "group"), tags, n, &created, p->err);
	return give_bool(p, failed, created);
}

static int group_retention(struct probe *p)
{
	return give_json(
		p, scar_logs_set_retention(p->aws, text(p, "group"), number(p, "days"), p->err),
		NULL);
}

static int group_delete(struct probe *p)
{
	bool deleted = false;
	int failed;

	failed = scar_logs_delete_group(p->aws, text(p, "group"), &deleted, p->err);
	return give_bool(p, failed, deleted);
}

static int event_out(void *ctx, const struct scar_logs_event *event, struct scar_err *err)
{
	struct probe *p = ctx;

	(void)err;
	scar_json_write_open(p->out, NULL, '[');
	scar_json_write_string(p->out, NULL, event->stream);
	scar_json_write_int(p->out, NULL, event->time_ms);
	scar_json_write_string(p->out, NULL, event->message);
	scar_json_write_close(p->out, ']');
	return strcmp(event->message, "the end") == 0 ? 1 : 0;
}

static int logs_read(struct probe *p)
{
	int64_t since = 0;
	struct scar_logs_query q = {.group = text(p, "group"),
				    .stream = text(p, "stream"),
				    .stream_prefix = text(p, "stream_prefix"),
				    .pattern = text(p, "pattern")};

	if (scar_json_int(scar_json_get(p->in, "since"), &since) == 0)
		q.since_ms = since;
	if (truth(p, "follow"))
		return LISTED(scar_logs_follow(p->aws, &q, event_out, p, p->err));
	return LISTED(scar_logs_filter(p->aws, &q, event_out, p, p->err));
}

static int logs_stream(struct probe *p)
{
	return LISTED(scar_logs_get_stream(p->aws, text(p, "group"), text(p, "stream"), event_out,
					   p, p->err));
}

static struct scar_apigateway_api api_of(struct probe *p)
{
	struct scar_apigateway_api api = {
		.name = text(p, "name"),
		.function_arn = text(p, "function"),
		.stage = text(p, "stage"),
		.stream = truth(p, "stream"),
	};

	api.tags = pairs(p, "tags", &api.tag_count);
	return api;
}

static int rest_create(struct probe *p)
{
	struct scar_apigateway_api api = api_of(p);
	char *id = NULL;
	int failed = scar_apigateway_create_rest(p->aws, &api, &id, p->err);

	return give_text(p, failed, id);
}

static int rest_list(struct probe *p)
{
	return LISTED(scar_apigateway_list_rest(p->aws, item_out, p, p->err));
}

static int rest_delete(struct probe *p)
{
	return give_json(p, scar_apigateway_delete_rest(p->aws, text(p, "id"), p->err), NULL);
}

static int http_create(struct probe *p)
{
	struct scar_apigateway_api api = api_of(p);
	char *id = NULL, *url = NULL;
	int failed = scar_apigateway_create_http(p->aws, &api, &id, &url, p->err);

	free(url);
	return give_text(p, failed, id);
}

static int http_list(struct probe *p)
{
	return LISTED(scar_apigateway_list_http(p->aws, item_out, p, p->err));
}

static int http_get(struct probe *p)
{
	return give_json(p, scar_apigateway_get_http(p->aws, text(p, "id"), NULL, p->err), NULL);
}

static int http_delete(struct probe *p)
{
	return give_json(p, scar_apigateway_delete_http(p->aws, text(p, "id"), p->err), NULL);
}

static int tagging(struct probe *p)
{
	size_t n;
	const struct scar_aws_pair *tags = pairs(p, "tags", &n);

	return LISTED(scar_tagging_list(p->aws, text(p, "type"), tags, n, item_out, p, p->err));
}

static int repository_create(struct probe *p)
{
	char *uri = NULL;
	int failed = scar_ecr_create_repository(p->aws, text(p, "name"), &uri, NULL, p->err);

	return give_text(p, failed, uri);
}

static int repository_delete(struct probe *p)
{
	bool deleted = false;
	int failed = scar_ecr_delete_repository(p->aws, text(p, "name"), &deleted, p->err);

	return give_bool(p, failed, deleted);
}

static int repository_list(struct probe *p)
{
	return LISTED(scar_ecr_list_repositories(p->aws, item_out, p, p->err));
}

static int registry_password(struct probe *p)
{
	char *user = NULL, *password = NULL;
	int failed = scar_ecr_get_password(p->aws, &user, &password, p->err);

	free(password);
	return give_text(p, failed, user);
}

static int batch_environment(struct probe *p)
{
	struct scar_batch_environment e = {
		.name = text(p, "name"),
		.type = text(p, "type"),
		.min_vcpus = number(p, "min"),
		.max_vcpus = number(p, "max"),
		.desired_vcpus = number(p, "desired"),
		.instance_types = list(p, "instance_types"),
		.instance_role = text(p, "instance_role"),
		.launch_template = text(p, "launch_template"),
		.state = text(p, "state"),
		.service_role = text(p, "service_role"),
		.subnets = list(p, "subnets"),
		.security_groups = list(p, "groups"),
	};
	bool created = false;
	int failed;

	e.tags = pairs(p, "tags", &e.tag_count);
	failed = scar_batch_put_environment(p->aws, &e, &created, p->err);
	return give_bool(p, failed, created);
}

static int batch_queue(struct probe *p)
{
	bool created = false;
	int failed = scar_batch_put_queue(p->aws, text(p, "name"), text(p, "environment"), &created,
					  p->err);

	return give_bool(p, failed, created);
}

static int batch_register(struct probe *p)
{
	struct scar_batch_definition d = {
		.name = text(p, "name"),
		.image = text(p, "image"),
		.command = list(p, "command"),
		.vcpus = text(p, "vcpus"),
		.memory_mb = number(p, "memory"),
		.gpus = number(p, "gpus"),
		.fargate = truth(p, "fargate"),
		.storage_gb = number(p, "storage"),
		.architecture = text(p, "architecture"),
		.job_role = text(p, "job_role"),
		.execution_role = text(p, "execution_role"),
		.credentials = text(p, "credentials"),
		.host_path = text(p, "host_path"),
		.container_path = text(p, "container_path"),
		.nodes = number(p, "nodes"),
		.main_node = number(p, "main_node"),
		.timeout_s = number(p, "timeout"),
		.attempts = number(p, "attempts"),
	};
	struct scar_json *answer = NULL;
	int failed;

	d.environment = pairs(p, "environment", &d.environment_count);
	d.tags = pairs(p, "tags", &d.tag_count);
	failed = scar_batch_register(p->aws, &d, &answer, p->err);
	return give_json(p, failed, answer);
}

static int batch_submit(struct probe *p)
{
	struct scar_batch_job job = {.name = text(p, "name"),
				     .queue = text(p, "queue"),
				     .definition = text(p, "definition"),
				     .command = list(p, "command"),
				     .array_size = number(p, "array")};
	char *id = NULL;
	int failed;

	job.environment = pairs(p, "environment", &job.environment_count);
	failed = scar_batch_submit(p->aws, &job, &id, p->err);
	return give_text(p, failed, id);
}

static int batch_job(struct probe *p)
{
	struct scar_json *answer = NULL;
	int failed = scar_batch_get_job(p->aws, text(p, "id"), &answer, p->err);

	return give_json(p, failed, answer);
}

static int batch_jobs(struct probe *p)
{
	return LISTED(scar_batch_list_jobs(p->aws, text(p, "queue"), text(p, "status"), item_out, p,
					   p->err));
}

static int batch_end(struct probe *p)
{
	return give_json(p, scar_batch_end_job(p->aws, text(p, "id"), text(p, "reason"), p->err),
			 NULL);
}

static int batch_delete(struct probe *p)
{
	bool deleted = false;
	int failed = scar_batch_delete_all(p->aws, text(p, "name"), &deleted, p->err);

	return give_bool(p, failed, deleted);
}

static int policy_write(struct probe *p)
{
	const struct scar_iam_needs needs = {
		.partition = text(p, "partition"),
		.region = text(p, "region"),
		.account = text(p, "account"),
		.function = text(p, "name"),
		.read = list(p, "read"),
		.write = list(p, "write"),
		.vpc = truth(p, "vpc"),
		.files = truth(p, "files"),
		.batch = truth(p, "batch"),
		.repositories = list(p, "repositories"),
		.secrets = list(p, "secrets"),
	};
	int failed = scar_iam_write_policy(&needs, &p->bytes, p->err);

	if (!failed)
		scar_json_write_string(p->out, "ok", p->bytes.data);
	return failed;
}

/* ---- parsers alone ---- */

static int refusal(struct probe *p)
{
	static const char *const names[] = {"rest-json", "rest-xml", "json", "query", "ec2"};
	scar_http_response_auto struct scar_http_response http;
	struct scar_aws_refusal r;
	int protocol = 0;
	const struct scar_json *header = scar_json_first(scar_json_get(p->in, "headers"));

	for (int i = 0; i < 5; i++)
		protocol = strcmp(names[i], text(p, "protocol")) == 0 ? i : protocol;
	scar_http_response_init(&http);
	http.status = number(p, "status");
	for (; header; header = scar_json_next(header)) {
		if (scar_buf_printf(&http.headers, p->err, "%s: %s\r\n", scar_json_key(header),
				    scar_json_string(header)) < 0)
			return -1;
	}
	if (scar_buf_append_str(&http.body, text(p, "body"), p->err) < 0)
		return -1;
	scar_aws_refusal_read((enum scar_aws_protocol)protocol, &http, &r);
	scar_json_write_open(p->out, "ok", '{');
	scar_json_write_string(p->out, "code", r.code);
	scar_json_write_string(p->out, "message", r.message);
	scar_json_write_string(p->out, "request_id", r.request_id);
	scar_json_write_string(p->out, "region", r.region);
	scar_json_write_close(p->out, '}');
	return 0;
}

/* [name, text, [children]] */
static void xml_out(struct probe *p, const char *key, const struct scar_xml *node)
{
	const struct scar_xml *child = scar_xml_first(node, NULL);

	scar_json_write_open(p->out, key, '[');
	scar_json_write_string(p->out, NULL, scar_xml_name(node));
	scar_json_write_string(p->out, NULL, scar_xml_text(node));
	scar_json_write_open(p->out, NULL, '[');
	for (; child; child = scar_xml_next(child, NULL))
		xml_out(p, NULL, child);
	scar_json_write_close(p->out, ']');
	scar_json_write_close(p->out, ']');
}

static int xml(struct probe *p)
{
	scar_xml_auto struct scar_xml *root = NULL;

	if (scar_xml_parse(text(p, "text"), strlen(text(p, "text")), "text", &root, p->err) < 0)
		return -1;
	xml_out(p, "ok", root);
	return 0;
}

static int json_document(struct probe *p)
{
	scar_json_auto struct scar_json *root = NULL;

	if (scar_json_parse(text(p, "text"), strlen(text(p, "text")), "text", &root, p->err) < 0)
		return -1;
	scar_json_write_node(p->out, "ok", root);
	return 0;
}

static int ini(struct probe *p)
{
	scar_ini_auto struct scar_ini *parsed = NULL;
	const char *section, *group, *key, *value;

	if (scar_ini_parse(text(p, "text"), strlen(text(p, "text")), "text", &parsed, p->err) < 0)
		return -1;
	scar_json_write_open(p->out, "ok", '[');
	for (size_t i = 0; scar_ini_at(parsed, i, &section, &group, &key, &value); i++) {
		scar_json_write_open(p->out, NULL, '[');
		scar_json_write_string(p->out, NULL, section);
		scar_json_write_string(p->out, NULL, group);
		scar_json_write_string(p->out, NULL, key ? key : "");
		scar_json_write_string(p->out, NULL, value);
		scar_json_write_close(p->out, ']');
	}
	scar_json_write_close(p->out, ']');
	return 0;
}

static int cancel(struct probe *p)
{
	cancelled = number(p, "value");
	return give_json(p, 0, NULL);
}

static const struct {
	const char *name;
	int (*run)(struct probe *p);
} operations[] = {
	{"sts.identity", sts_identity},
	{"credentials", credentials},
	{"lambda.create", lambda_create},
	{"lambda.configure", lambda_configure},
	{"lambda.code", lambda_code},
	{"lambda.get", lambda_get},
	{"lambda.delete", lambda_delete},
	{"lambda.list", lambda_list},
	{"lambda.wait", lambda_wait},
	{"lambda.tag", lambda_tag},
	{"lambda.untag", lambda_untag},
	{"lambda.tags", lambda_tags},
	{"layer.publish", layer_publish},
	{"layer.list", layer_list},
	{"layer.get", layer_get},
	{"layer.delete", layer_delete},
	{"layer.share", layer_share},
	{"permission.add", permission_add},
	{"permission.remove", permission_remove},
	{"policy.get", policy_get},
	{"url.put", url_put},
	{"url.delete", url_delete},
	{"concurrency.put", concurrency_put},
	{"concurrency.delete", concurrency_delete},
	{"retries.put", retries_put},
	{"account", account},
	{"invoke", invoke},
	{"bucket.create", bucket_create},
	{"bucket.region", bucket_region},
	{"bucket.delete", bucket_delete},
	{"bucket.list", bucket_list},
	{"object.list", object_list},
	{"object.put", object_put},
	{"object.get", object_get},
	{"object.head", object_head},
	{"object.delete", object_delete},
	{"prefix.delete", prefix_delete},
	{"tree.put", tree_put},
	{"tree.get", tree_get},
	{"trigger.put", trigger_put},
	{"trigger.delete", trigger_delete},
	{"trigger.list", trigger_list},
	{"role.put", role_put},
	{"role.delete", role_delete},
	{"profile.put", profile_put},
	{"profile.delete", profile_delete},
	{"template.put", template_put},
	{"template.delete", template_delete},
	{"batch.find", batch_find},
	{"role.tag", role_tag},
	{"group.create", group_create},
	{"group.retention", group_retention},
	{"group.delete", group_delete},
	{"logs.read", logs_read},
	{"logs.stream", logs_stream},
	{"rest.create", rest_create},
	{"rest.list", rest_list},
	{"rest.delete", rest_delete},
	{"http.create", http_create},
	{"http.list", http_list},
	{"http.get", http_get},
	{"http.delete", http_delete},
	{"tagging", tagging},
	{"repository.create", repository_create},
	{"repository.delete", repository_delete},
	{"repository.list", repository_list},
	{"registry.password", registry_password},
	{"batch.environment", batch_environment},
	{"batch.queue", batch_queue},
	{"batch.register", batch_register},
	{"batch.submit", batch_submit},
	{"batch.job", batch_job},
	{"batch.jobs", batch_jobs},
	{"batch.end", batch_end},
	{"batch.delete", batch_delete},
	{"policy.write", policy_write},
	{"refusal", refusal},
	{"xml", xml},
	{"json", json_document},
	{"ini", ini},
	{"cancel", cancel},
};

/* ---- the loop ---- */

static int run(struct probe *p)
{
	const char *op = text(p, "op");

	for (size_t i = 0; op && i < sizeof operations / sizeof operations[0]; i++) {
		if (strcmp(operations[i].name, op) == 0)
			return operations[i].run(p);
	}
	return scar_err_set(p->err, SCAR_ERR_INTERNAL, "no such operation: %s", op ? op : "");
}

static void write_error(struct scar_json_writer *w, const struct scar_aws *aws,
			const struct scar_err *err)
{
	const struct scar_aws_failure *failure = scar_aws_failure(aws);

	scar_json_write_open(w, "error", '{');
	scar_json_write_string(w, "kind", scar_err_info(err->kind)->name);
	scar_json_write_string(w, "text", err->msg);
	scar_json_write_string(w, "code", failure->code);
	scar_json_write_string(w, "message", failure->message);
	scar_json_write_int(w, "status", failure->status);
	scar_json_write_string(w, "request_id", failure->request_id);
	scar_json_write_string(w, "hint", failure->hint);
	scar_json_write_close(w, '}');
}

static void answer(struct scar_aws *aws, const char *line, size_t len)
{
	scar_json_auto struct scar_json *in = NULL;
	scar_buf_auto struct scar_buf out;
	struct scar_json_writer w;
	struct scar_err err = {.msg = ""}, write_err = {.msg = ""};
	struct probe p = {.aws = aws, .out = &w, .err = &err};

	scar_buf_init(&out, LINE_MAX_BYTES);
	scar_buf_init(&p.bytes, LINE_MAX_BYTES);
	scar_json_writer_init(&w, &out, &write_err);
	if (scar_json_parse(line, len, "the line", &in, &err) < 0) {
		fprintf(stderr, "aws_probe: %s\n", err.msg);
		abort();
	}
	p.in = in;
	scar_json_write_open(&w, NULL, '{');
	if (run(&p) < 0)
		write_error(&w, aws, &err);
	scar_json_write_close(&w, '}');
	if (scar_json_writer_end(&w) < 0) {
		fprintf(stderr, "aws_probe: %s\n", write_err.msg);
		abort();
	}
	puts(out.data);
	fflush(stdout);
	scar_buf_clear(&p.bytes);
}

static void on_signal(int number_of_signal)
{
	(void)number_of_signal;
	cancelled = 1;
}

int main(int argc, char **argv)
{
	struct scar_aws_options options = {.environment = environ, .cancel = &cancelled};
	scar_aws_auto struct scar_aws *aws = NULL;
	scar_free_auto char *line = NULL;
	struct scar_err err = {.msg = ""};
	size_t room = 0;
	ssize_t len;

	signal(SIGINT, on_signal);
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--profile") == 0)
			options.profile = argv[i + 1];
		else if (strcmp(argv[i], "--region") == 0)
			options.region = argv[i + 1];
		else if (strcmp(argv[i], "--endpoint-url") == 0)
			options.endpoint_url = argv[i + 1];
		else if (strcmp(argv[i], "--log") == 0)
			scar_log_setup(&(struct scar_log_options){SCAR_LOG_TRACE, 0, "probe"});
	}
	if (scar_aws_open(&options, &aws, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	while ((len = getline(&line, &room, stdin)) > 0)
		answer(aws, line, (size_t)len);
	return 0;
}
