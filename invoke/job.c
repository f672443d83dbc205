/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/job.h"

#include <stdlib.h>
#include <string.h>

#include "invoke/text.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

/* Half of what Linux takes for arguments and environment together under its usual stack limit. */
#define ARGS_BYTES_MAX SCAR_MIB(1)

static int refuse(const char *key, const char *why, struct scar_err *err)
{
	return scar_err_set(err, SCAR_ERR_EVENT, "event: key \"%s\" %s", key, why);
}

/* Trouble of our own stays what it is; all else is the event's fault. */
static int blame_event(const char *key, struct scar_err *err)
{
	if (err->kind != SCAR_ERR_NOMEM)
		err->kind = SCAR_ERR_EVENT;
	return scar_err_wrap(err, "event: key \"%s\"", key);
}

/* @return 1 if the key holds text, 0 if it is absent or null, -1 */
static int get_text(const struct scar_json *event, const char *key, const char **ret_text,
		    struct scar_err *err)
{
	const struct scar_json *node = scar_json_get(event, key);

	if (!node || scar_json_type(node) == SCAR_JSON_NULL)
		return 0;
	*ret_text = scar_json_string(node);
	return *ret_text ? 1 : refuse(key, "is not a string", err);
}

/* @return as get_text() */
static int get_base64(const struct scar_json *event, const char *key, struct scar_buf *buf,
		      struct scar_err *err)
{
	const char *text = NULL;
	int got = get_text(event, key, &text, err);

	if (got == 1 && scar_text_decode_base64(text, buf, err) < 0)
		return blame_event(key, err);
	return got;
}

static int collect_args(const struct scar_json *list, struct scar_list *args, struct scar_err *err)
{
	const struct scar_json *item;
	size_t bytes = 0;

	if (scar_json_size(list) > SCAR_LIMIT_ARGS)
		return refuse("cmd_args", "has too many elements", err);
	for (item = scar_json_first(list); item; item = scar_json_next(item)) {
		const char *text = scar_json_string(item);

		if (!text)
			return refuse("cmd_args", "has an element that is not a string", err);
		if (strlen(text) >= SCAR_LIMIT_ARG_BYTES)
			return refuse("cmd_args", "has an element of 128 KiB or more", err);
		bytes += strlen(text) + 1;
		if (bytes > ARGS_BYTES_MAX)
			return refuse("cmd_args", "is longer than 1 MiB in all", err);
		if (scar_list_add(args, text, err) < 0)
			return -1;
	}
	return 0;
}

static int parse_list(const struct scar_json *list, char ***ret_args, struct scar_err *err)
{
	scar_list_auto struct scar_list args = {0};

	if (!list || scar_json_type(list) != SCAR_JSON_ARRAY)
		return refuse("cmd_args", "is neither a list nor a string that holds one", err);
	if (collect_args(list, &args, err) < 0)
		return -1;
	return args.count ? scar_list_steal(&args, ret_args, err) : 0;
}

static int parse_args(const struct scar_json *event, char ***ret_args, struct scar_err *err)
{
	const struct scar_json *node = scar_json_get(event, "cmd_args");
	scar_json_auto struct scar_json *inner = NULL;
	const char *text = scar_json_string(node);

	if (!node || scar_json_type(node) == SCAR_JSON_NULL)
		return 0;
	if (!text)
		return parse_list(node, ret_args, err);
	if (scar_json_parse(text, strlen(text), "its text", &inner, err) < 0)
		return blame_event("cmd_args", err);
	return parse_list(inner, ret_args, err);
}

static int parse_keys(const struct scar_json *event, struct scar_job *job, struct scar_err *err)
{
	const char *image = NULL;
	int got = get_text(event, "image", &image, err);

	if (got < 0 || (got == 1 && scar_text_copy(image, &job->image, err) < 0))
		return -1;
	got = get_base64(event, "script", &job->script, err);
	if (got < 0)
		return -1;
	job->has_script = got == 1;
	if (job->has_script && job->script.len == 0)
		return refuse("script", "is an empty script", err);
	got = get_base64(event, "stdin", &job->input, err);
	if (got < 0)
		return -1;
	job->has_input = got == 1;
	return parse_args(event, &job->args, err);
}

static bool may_be_object(const char *event, size_t len)
{
	size_t i = 0;

	while (i < len && strchr(" \t\r\n", event[i]) && event[i])
		i++;
	return i < len && event[i] == '{';
}

int scar_job_parse(const void *event, size_t len, struct scar_job *ret_job, struct scar_err *err)
{
	scar_json_auto struct scar_json *root = NULL;
	struct scar_job job = {0};

	scar_buf_init(&job.script, SCAR_LIMIT_EVENT_BYTES);
	scar_buf_init(&job.input, SCAR_LIMIT_EVENT_BYTES);
	if (may_be_object(event, len) && scar_json_parse(event, len, "event", &root, err) < 0 &&
	    err->kind == SCAR_ERR_NOMEM)
		return -1;
	/* What is no JSON after all is input like any other. */
	if (root && scar_json_type(root) == SCAR_JSON_OBJECT && parse_keys(root, &job, err) < 0) {
		scar_job_clear(&job);
		return -1;
	}
	*ret_job = job;
	return 0;
}

void scar_job_clear(struct scar_job *job)
{
	free(job->image);
	scar_buf_clear(&job->script);
	scar_list_free(job->args);
	scar_buf_clear(&job->input);
	*job = (struct scar_job){.script = job->script, .input = job->input};
}
