/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/fanout.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deployer/arguments.h"
#include "deployer/aws/aws.h"
#include "deployer/aws/lambda.h"
#include "deployer/aws/s3.h"
#include "deployer/plan.h"
#include "deployer/run_event.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/limits.h"

#define WORKERS_MAX 256
#define WORKERS_DEFAULT 16
#define EVENT_MAX SCAR_KIB(64)
#define MANIFEST_MAX SCAR_MIB(256)
#define KEY_MAX 1024 /* S3's own */

struct fanout {
	struct scar_session *session;
	const char *function, *region;
	char bucket[64]; /* of all keys; "": each key has its own before it, as BUCKET/KEY */
	bool asynchronous;
	struct scar_fdl_list keys;

	pthread_mutex_t lock; /* of what follows, stdout and stderr */
	size_t next, done, failed;
	struct scar_fdl_list failures; /* "key: why" */
};

static int note_key(void *ctx, const struct scar_s3_object *object, struct scar_err *err)
{
	struct fanout *fanout = ctx;
	size_t len = strlen(object->key);

	if (len == 0 || object->key[len - 1] == '/')
		return 0;
	return scar_fdl_list_add(&fanout->keys, object->key, err);
}

/* Each thread has a session of its own with AWS. @return 0, or -1 with why it failed in err */
static int invoke(struct fanout *fanout, struct scar_aws *aws, const char *key,
		  struct scar_lambda_result *result, struct scar_err *err)
{
	scar_buf_auto struct scar_buf event;
	char own[64];
	const char *bucket = fanout->bucket, *path = key;
	struct scar_lambda_call call = {
		.function = fanout->function,
		.type = fanout->asynchronous ? SCAR_LAMBDA_ASYNC : SCAR_LAMBDA_SYNC,
	};

	scar_buf_init(&event, EVENT_MAX);
	if (!*bucket) {
		scar_fdl_split(key, own, &path);
		bucket = own;
	}
	if (scar_run_event_write_s3(
		    &(struct scar_run_event_object){
			    .partition = scar_aws_partition(fanout->region),
			    .region = fanout->region,
			    .bucket = bucket,
			    .key = path,
		    },
		    &event, err) < 0)
		return -1;
	call.payload = event.data;
	call.payload_len = event.len;
	if (scar_lambda_invoke(aws, &call, result, err) < 0)
		return -1;
	if (result->function_error)
		return scar_err_set(err, SCAR_ERR_EXIT, "%.400s", result->payload);
	return 0;
}

static void show(const struct fanout *fanout)
{
	if (fanout->session->terminal)
		fprintf(stderr, "\r%zu of %zu files, %zu failed\033[K", fanout->done,
			fanout->keys.count, fanout->failed);
}

/* Under the lock. */
static void finish(struct fanout *fanout, const char *key, const struct scar_lambda_result *result,
		   const struct scar_err *why)
{
	struct scar_err err;
	scar_free_auto char *line = NULL;

	fanout->done++;
	if (!why) {
		fwrite(result->payload, 1, result->payload_len, stdout);
		show(fanout);
		return;
	}
	fanout->failed++;
	if (asprintf(&line, "%s: %s", key, why->msg) < 0)
		line = NULL;
	/* Without memory for its name it is still counted. */
	if (line)
		(void)scar_fdl_list_add(&fanout->failures, line, &err);
	show(fanout);
}

static void *work(void *arg)
{
	struct fanout *fanout = arg;
	scar_aws_auto struct scar_aws *aws = NULL;
	struct scar_err err;
	bool has_aws = false;

	pthread_mutex_lock(&fanout->lock);
	has_aws = scar_aws_clone(fanout->session->aws, &aws, &err) == 0;
	while (fanout->next < fanout->keys.count && !*scar_session_interrupted()) {
		const char *key = fanout->keys.items[fanout->next++];
		struct scar_lambda_result result = {0};
		int ret = -1;

		pthread_mutex_unlock(&fanout->lock);
		if (has_aws)
			ret = invoke(fanout, aws, key, &result, &err);
		pthread_mutex_lock(&fanout->lock);
		finish(fanout, key, &result, ret < 0 ? &err : NULL);
		scar_lambda_result_clear(&result);
	}
	pthread_mutex_unlock(&fanout->lock);
	return NULL;
}

static int run_workers(struct fanout *fanout, size_t count, struct scar_err *err)
{
	pthread_t threads[WORKERS_MAX];
	size_t started = 0;
	int result = 0;

	while (started < count && result == 0) {
		result = pthread_create(&threads[started], NULL, work, fanout);
		started += result == 0;
	}
	for (size_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	/* Fewer than asked for do the work as well. */
	return started ? 0 : scar_err_errno(err, result, "cannot start a thread");
}

static int summarise(const struct fanout *fanout)
{
	if (fanout->session->terminal)
		fputs("\r\033[K", stderr);
	fprintf(stderr, "scar: %zu of %zu files %s, %zu failed\n", fanout->done, fanout->keys.count,
		fanout->asynchronous ? "sent" : "done", fanout->failed);
	for (size_t i = 0; i < fanout->failures.count; i++)
		fprintf(stderr, "scar: failed: %s\n", fanout->failures.items[i]);
	if (*scar_session_interrupted())
		return 128 + *scar_session_interrupted();
	return fanout->failed ? SCAR_EXIT_FUNCTION : 0;
}

static int list_bucket(struct fanout *fanout, const char *path, struct scar_err *err)
{
	const char *prefix;

	scar_fdl_split(path, fanout->bucket, &prefix);
	return scar_s3_list(fanout->session->aws, fanout->bucket, prefix, note_key, fanout, err);
}

/* @return whether it is BUCKET/KEY */
static bool is_object(const char *text)
{
	size_t bucket = strcspn(text, "/"), key = text[bucket] ? strlen(text + bucket + 1) : 0;

	return bucket >= 3 && bucket < sizeof((struct fanout *)NULL)->bucket && key > 0 &&
	       key <= KEY_MAX;
}

static int note_line(struct fanout *fanout, const char *manifest, size_t number, char *line,
		     struct scar_err *err)
{
	size_t len = strlen(line);

	if (len > 0 && line[len - 1] == '\r')
		line[len - 1] = '\0';
	if (*line == '\0' || *line == '#')
		return 0;
	if (strncmp(line, "s3://", 5) == 0)
		line += 5;
	if (!is_object(line))
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "%s, line %zu: \"%.100s\" is not BUCKET/KEY", manifest, number,
				    line);
	return scar_fdl_list_add(&fanout->keys, line, err);
}

static int read_manifest(struct fanout *fanout, const char *manifest, struct scar_err *err)
{
	scar_buf_auto struct scar_buf text;
	size_t number = 0;
	char *at, *line;

	scar_buf_init(&text, MANIFEST_MAX);
	if ((strcmp(manifest, "-") == 0
		     ? scar_fs_read_all(STDIN_FILENO, "standard input", &text, err)
		     : scar_fs_read_file(AT_FDCWD, manifest, &text, err)) < 0)
		return -1;
	if (text.len == 0)
		return 0;
	for (at = text.data; (line = strsep(&at, "\n"));) {
		if (note_line(fanout, manifest, ++number, line, err) < 0)
			return -1;
	}
	return 0;
}

static int collect(struct fanout *fanout, struct scar_err *err)
{
	const struct scar_arguments *arguments = fanout->session->arguments;
	const char *path = scar_arguments_get(arguments, SCAR_OPTION_INPUT_BUCKET);
	const char *manifest = scar_arguments_get(arguments, SCAR_OPTION_MANIFEST);

	if (path && manifest)
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "--input-bucket and --manifest exclude each other");
	if ((path ? list_bucket(fanout, path, err) : read_manifest(fanout, manifest, err)) < 0)
		return -1;
	if (fanout->keys.count == 0)
		return scar_err_set(err, SCAR_ERR_NOT_FOUND, "there are no files in %s",
				    path ? path : manifest);
	return 0;
}

static int run(struct fanout *fanout, struct scar_err *err)
{
	int64_t workers = WORKERS_DEFAULT;

	if (scar_arguments_int(fanout->session->arguments, SCAR_OPTION_CONCURRENCY, 1, WORKERS_MAX,
			       &workers, err) < 0 ||
	    scar_aws_need_region(fanout->session->aws, &fanout->region, err) < 0 ||
	    collect(fanout, err) < 0)
		return -1;
	if ((size_t)workers > fanout->keys.count)
		workers = (int64_t)fanout->keys.count;
	if (run_workers(fanout, (size_t)workers, err) < 0)
		return -1;
	if (fflush(stdout))
		return scar_err_set(err, SCAR_ERR_IO, "cannot write to standard output");
	return summarise(fanout);
}

bool scar_fanout_is_wanted(const struct scar_arguments *arguments)
{
	return scar_arguments_has(arguments, SCAR_OPTION_INPUT_BUCKET) ||
	       scar_arguments_has(arguments, SCAR_OPTION_MANIFEST);
}

int scar_fanout_run(struct scar_session *session, const char *function, struct scar_err *err)
{
	struct fanout fanout = {
		.session = session,
		.function = function,
		.asynchronous = scar_arguments_has(session->arguments, SCAR_OPTION_ASYNCHRONOUS),
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	int ret = run(&fanout, err);

	scar_fdl_list_clear(&fanout.keys);
	scar_fdl_list_clear(&fanout.failures);
	pthread_mutex_destroy(&fanout.lock);
	return ret;
}
