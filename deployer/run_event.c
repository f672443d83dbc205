/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/run_event.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "deployer/arguments.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/json_writer.h"
#include "runtime/base/limits.h"
#include "runtime/base/url.h"

#define KEY_MAX 1024

/* A file's bytes at a key, if the option was given. */
static int write_file(struct scar_json_writer *writer, const char *key, const char *path,
		      struct scar_err *err)
{
	scar_buf_auto struct scar_buf bytes;

	scar_buf_init(&bytes, SCAR_LIMIT_EVENT_BYTES);
	if (!path)
		return 0;
	if ((strcmp(path, "-") == 0 ? scar_fs_read_all(STDIN_FILENO, "standard input", &bytes, err)
				    : scar_fs_read_file(AT_FDCWD, path, &bytes, err)) < 0)
		return -1;
	scar_json_write_base64(writer, key, bytes.data, bytes.len);
	return 0;
}

int scar_run_event_write(const struct scar_arguments *arguments, struct scar_buf *event,
			 struct scar_err *err)
{
	char **words = arguments->words;
	struct scar_json_writer writer;

	if (*words && strcmp(*words, "--") == 0)
		words++;
	scar_json_writer_init(&writer, event, err);
	scar_json_write_open(&writer, NULL, '{');
	if (*words)
		scar_json_write_strings(&writer, "cmd_args", (const char *const *)words);
	if (write_file(&writer, "script", scar_arguments_get(arguments, SCAR_OPTION_RUN_SCRIPT),
		       err) < 0 ||
	    write_file(&writer, "stdin", scar_arguments_get(arguments, SCAR_OPTION_STDIN), err) < 0)
		return -1;
	scar_json_write_close(&writer, '}');
	return scar_json_writer_end(&writer);
}

/* Form encoding, but for slashes. */
static int encode_key(const char *key, struct scar_buf *text, struct scar_err *err)
{
	for (; *key; key++) {
		int ret;

		if (*key == ' ')
			ret = scar_buf_append_char(text, '+', err);
		else if (*key == '/' || scar_url_char_is_unreserved(*key))
			ret = scar_buf_append_char(text, *key, err);
		else
			ret = scar_buf_printf(text, err, "%%%02X", (unsigned char)*key);
		if (ret < 0)
			return -1;
	}
	return 0;
}

/* S3 tells the ETag without the quotes that HTTP wants. */
static void write_content(struct scar_json_writer *writer,
			  const struct scar_run_event_object *object)
{
	const char *etag = object->etag;
	char plain[80];

	if (!etag)
		return;
	etag += strspn(etag, "\"");
	snprintf(plain, sizeof plain, "%.*s", (int)strcspn(etag, "\""), etag);
	scar_json_write_int(writer, "size", (int64_t)object->size_bytes);
	scar_json_write_string(writer, "eTag", plain);
}

int scar_run_event_write_s3(const struct scar_run_event_object *object, struct scar_buf *event,
			    struct scar_err *err)
{
	scar_buf_auto struct scar_buf encoded;
	struct scar_json_writer writer;
	char arn[128], moment[40];
	time_t now = time(NULL);
	struct tm tm;

	scar_buf_init(&encoded, 3 * KEY_MAX + 1);
	if (encode_key(object->key, &encoded, err) < 0)
		return -1;
	snprintf(arn, sizeof arn, "arn:%s:s3:::%s", object->partition, object->bucket);
	gmtime_r(&now, &tm);
	strftime(moment, sizeof moment, "%Y-%m-%dT%H:%M:%S.000Z", &tm);
	scar_json_writer_init(&writer, event, err);
	scar_json_write_open(&writer, NULL, '{');
	scar_json_write_open(&writer, "Records", '[');
	scar_json_write_open(&writer, NULL, '{');
	scar_json_write_string(&writer, "eventVersion", "2.1");
	scar_json_write_string(&writer, "eventSource", "aws:s3");
	scar_json_write_string(&writer, "awsRegion", object->region);
	scar_json_write_string(&writer, "eventTime", moment);
	scar_json_write_string(&writer, "eventName", "ObjectCreated:Put");
	scar_json_write_open(&writer, "s3", '{');
	scar_json_write_open(&writer, "bucket", '{');
	scar_json_write_string(&writer, "name", object->bucket);
	scar_json_write_string(&writer, "arn", arn);
	scar_json_write_close(&writer, '}');
	scar_json_write_open(&writer, "object", '{');
	scar_json_write_string(&writer, "key", encoded.data);
	write_content(&writer, object);
	scar_json_write_close(&writer, '}');
	scar_json_write_close(&writer, '}');
	scar_json_write_close(&writer, '}');
	scar_json_write_close(&writer, ']');
	scar_json_write_close(&writer, '}');
	return scar_json_writer_end(&writer);
}
