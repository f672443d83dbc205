/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/events/event.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/json.h"

static struct scar_err err;
static struct scar_buf sample;
static struct scar_event event;

static void load(const char *name)
{
	char path[128];

	snprintf(path, sizeof path, "tests/fuzz/corpus/event/%s", name);
	scar_buf_init(&sample, 1 << 20);
	if (scar_fs_read_file(AT_FDCWD, path, &sample, &err) < 0)
		fail_msg("%s", err.msg);
}

static void read_sample(const char *name, bool body_is_event)
{
	load(name);
	if (scar_event_read(sample.data, sample.len, body_is_event, &event, &err) < 0)
		fail_msg("%s: %s", name, err.msg);
}

static int tidy(void **state)
{
	(void)state;
	scar_event_clear(&event);
	scar_buf_clear(&sample);
	return 0;
}

static void is_file(size_t i, const char *provider, const char *bucket, const char *key)
{
	const struct scar_event_object *object = &event.items[i].object;

	assert_true(i < event.count);
	assert_string_equal(object->provider, provider);
	if (bucket)
		assert_string_equal(object->bucket, bucket);
	else
		assert_null(object->bucket);
	assert_string_equal(object->key, key);
}

static void has_payload(size_t i, const void *bytes, size_t len)
{
	assert_true(i < event.count && event.items[i].has_payload);
	assert_int_equal(event.items[i].payload.len, len);
	assert_memory_equal(event.items[i].payload.data, bytes, len);
}

static void is_whole(size_t i)
{
	assert_int_equal(event.items[i].document.len, sample.len);
	assert_memory_equal(event.items[i].document.data, sample.data, sample.len);
}

/* ---- files in storage ---- */

static void s3_tells_bucket_key_time_and_size(void **state)
{
	(void)state;
	read_sample("s3.json", false);
	assert_string_equal(event.source, "s3");
	assert_int_equal(event.reply, SCAR_EVENT_REPLY_OUTPUT);
	assert_int_equal(event.count, 1);
	is_file(0, "s3", "scar-darknet-bucket", "scar-darknet-s3/input/dog.jpg");
	assert_int_equal(event.items[0].object.size_bytes, 999);
	assert_string_equal(event.items[0].time, "2019-02-23T11:40:46.473Z");
	is_whole(0);
}

static void every_record_of_s3_is_an_item_with_its_own_event(void **state)
{
	scar_json_auto struct scar_json *root = NULL;

	(void)state;
	read_sample("s3-two.json", false);
	assert_int_equal(event.count, 2);
	is_file(0, "s3", "scar-darknet-bucket", "in/a b\xc3\xbc+c.txt");
	is_file(1, "s3", "scar-darknet-bucket", "in/gone.txt");
	assert_false(event.items[0].object.gone);
	assert_true(event.items[1].object.gone);
	assert_int_equal(scar_json_parse(event.items[1].document.data, event.items[1].document.len,
					 "event", &root, &err),
			 0);
	assert_int_equal(scar_json_size(scar_json_get(root, "Records")), 1);
	assert_non_null(strstr(event.items[1].document.data, "in/gone.txt"));
	assert_null(strstr(event.items[1].document.data, "in/a"));
}

static void a_record_without_a_key_is_refused(void **state)
{
	(void)state;
	load("s3-no-key.json");
	assert_int_equal(scar_event_read(sample.data, sample.len, false, &event, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_EVENT);
	assert_non_null(strstr(err.msg, "s3.object.key"));
}

static void minio_writes_as_s3_does(void **state)
{
	(void)state;
	read_sample("minio.json", false);
	is_file(0, "minio", "images", "nature-wallpaper-229.jpg");
	assert_string_equal(event.items[0].time, "2018-06-29T10:23:44Z");
}

static void onedata_tells_a_path_in_a_space(void **state)
{
	(void)state;
	read_sample("onedata.json", false);
	is_file(0, "onedata", NULL, "/my-onedata-space/files/file.txt");
	assert_string_equal(event.items[0].time, "2019-02-07T09:51:04.347823");
}

static void dcache_tells_a_name(void **state)
{
	(void)state;
	read_sample("dcache.json", false);
	is_file(0, "dcache", NULL, "image2.jpg");
}

static void rucio_tells_a_scope_and_a_name(void **state)
{
	(void)state;
	read_sample("rucio.json", false);
	is_file(0, "rucio", "username", "dataset_name");
}

static void a_delegated_event_is_read_as_text_or_object(void **state)
{
	(void)state;
	read_sample("delegated.json", false);
	is_file(0, "minio", "images", "n.jpg");
	assert_string_equal(event.items[0].object.storage_id, "minio.cluster2");
	tidy(NULL);
	read_sample("delegated-object.json", false);
	is_file(0, "onedata", NULL, "/space/dir/f.bin");
	assert_string_equal(event.items[0].object.storage_id, "onedata.space1");
}

static void eventbridge_keys_are_not_url_encoded(void **state)
{
	(void)state;
	read_sample("eventbridge-s3.json", false);
	is_file(0, "s3", "bucket1", "in/a+b%20c.txt");
	assert_string_equal(event.items[0].object.version_id, "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e");
	is_whole(0);
}

/* ---- messages and records ---- */

static void each_message_of_a_queue_is_an_item_that_can_fail(void **state)
{
	(void)state;
	read_sample("sqs.json", false);
	assert_int_equal(event.reply, SCAR_EVENT_REPLY_ANY_FAILURES);
	assert_int_equal(event.count, 2);
	has_payload(0, "Test message.", 13);
	has_payload(1, "{\"a\":1}", 7);
	assert_string_equal(event.items[0].record_id, "m1");
	assert_string_equal(event.items[1].record_id, "m2");
}

static void a_fifo_queue_goes_on_from_the_first_failure(void **state)
{
	(void)state;
	read_sample("sqs-fifo.json", false);
	assert_int_equal(event.reply, SCAR_EVENT_REPLY_FROM_FAILURE);
}

static void s3_in_sns_in_sqs_gives_files_with_the_id_of_the_message(void **state)
{
	static const char *const ids[] = {"m1", "m1", "m2"};
	static const char *const keys[] = {"in/1.txt", "in/2.txt", "in/3.txt"};

	(void)state;
	read_sample("sqs-sns-s3.json", false);
	/* The third message is S3's test, which holds nothing. */
	assert_int_equal(event.count, 3);
	for (size_t i = 0; i < 3; i++) {
		is_file(i, "s3", "scar-darknet-bucket", keys[i]);
		assert_string_equal(event.items[i].record_id, ids[i]);
	}
}

static void a_topic_brings_messages_or_files(void **state)
{
	(void)state;
	read_sample("sns.json", false);
	assert_string_equal(event.source, "sns");
	has_payload(0, "Hello from SNS!", 15);
	tidy(NULL);
	read_sample("sns-s3.json", false);
	assert_int_equal(event.count, 2);
	is_file(1, "s3", "scar-darknet-bucket", "in/2.txt");
}

static void events_within_events_have_an_end(void **state)
{
	(void)state;
	load("too-deep.json");
	assert_int_equal(scar_event_read(sample.data, sample.len, false, &event, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_LIMIT);
}

static void a_schedule_is_its_own_document(void **state)
{
	(void)state;
	read_sample("eventbridge.json", false);
	assert_string_equal(event.source, "eventbridge");
	assert_null(event.items[0].object.provider);
	assert_false(event.items[0].has_payload);
	is_whole(0);
}

static void kinesis_data_are_decoded(void **state)
{
	(void)state;
	read_sample("kinesis.json", false);
	assert_int_equal(event.reply, SCAR_EVENT_REPLY_FROM_FAILURE);
	has_payload(0, "Hello\0!", 7);
	has_payload(1, "This is only a test.", 20);
	assert_string_equal(event.items[1].record_id,
			    "49590338271490256608559692540925702759324208523137515618");
}

static void dynamodb_records_keep_their_sequence_number(void **state)
{
	(void)state;
	read_sample("dynamodb.json", false);
	assert_string_equal(event.source, "dynamodb");
	assert_string_equal(event.items[0].record_id, "111");
	is_whole(0);
}

/* ---- HTTP ---- */

static void a_rest_api_brings_all_values_of_a_name(void **state)
{
	const struct scar_event_http *http = &event.http;

	(void)state;
	read_sample("api-gateway.json", false);
	assert_true(event.is_http);
	assert_int_equal(event.reply, SCAR_EVENT_REPLY_HTTP);
	assert_int_equal(http->form, SCAR_EVENT_HTTP_V1);
	assert_string_equal(http->method, "POST");
	assert_string_equal(http->path, "/launch");
	assert_string_equal(http->query, "q=one&q=two&n=a%20b%26c");
	assert_int_equal(http->parameters.count, 3);
	assert_string_equal(scar_event_pairs_get(&http->fields, "CONTENT-TYPE"),
			    "application/octet-stream");
	assert_int_equal(http->fields.count, 4);
	assert_string_equal(http->peer_address, "203.0.113.7");
	/* Not marked as base64: a body that only looks like it stays. */
	has_payload(0, "aXQgd29ya3Mh", 12);
}

static void a_binary_body_is_decoded(void **state)
{
	unsigned char all[256];

	(void)state;
	for (size_t i = 0; i < sizeof all; i++)
		all[i] = (unsigned char)i;
	read_sample("api-gateway-binary.json", false);
	has_payload(0, all, sizeof all);
}

static void an_http_api_has_its_query_and_cookies_apart(void **state)
{
	const struct scar_event_http *http = &event.http;

	(void)state;
	read_sample("http-api.json", false);
	assert_string_equal(event.source, "http-api");
	assert_int_equal(http->form, SCAR_EVENT_HTTP_V2);
	assert_string_equal(http->method, "PUT");
	assert_string_equal(http->path, "/my/path");
	assert_string_equal(http->query, "p=1&p=2%203&empty");
	assert_int_equal(http->parameters.count, 3);
	assert_string_equal(http->parameters.list[1].value, "2 3");
	assert_string_equal(http->parameters.list[2].name, "empty");
	assert_string_equal(scar_event_pairs_get(&http->fields, "Cookie"), "a=1; b=2");
	has_payload(0, "hello", 5);
}

static void a_function_url_may_have_no_body(void **state)
{
	(void)state;
	read_sample("function-url.json", false);
	assert_string_equal(event.source, "function-url");
	has_payload(0, "", 0);
}

static void a_load_balancer_leaves_parameters_encoded(void **state)
{
	const struct scar_event_http *http = &event.http;

	(void)state;
	read_sample("alb.json", false);
	assert_int_equal(http->form, SCAR_EVENT_HTTP_ALB);
	assert_true(http->multi_value);
	assert_string_equal(http->query, "query=12%2034&query=x");
	assert_string_equal(http->parameters.list[0].value, "12 34");
}

static void a_body_is_an_event_only_by_wish(void **state)
{
	(void)state;
	read_sample("api-gateway-s3.json", false);
	assert_null(event.items[0].object.provider);
	tidy(NULL);
	read_sample("api-gateway-s3.json", true);
	assert_true(event.is_http);
	assert_int_equal(event.count, 1);
	is_file(0, "s3", "scar-darknet-bucket", "in/x.txt");
	tidy(NULL);
	read_sample("api-gateway.json", true);
	has_payload(0, "aXQgd29ya3Mh", 12);
}

/* ---- the rest ---- */

static void what_nobody_knows_is_passed_through(void **state)
{
	static const struct {
		const char *name, *source;
	} samples[] = {{"unknown.json", "json"}, {"text.txt", "text"}, {"empty.txt", "empty"}};

	(void)state;
	for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
		read_sample(samples[i].name, true);
		assert_string_equal(event.source, samples[i].source);
		assert_int_equal(event.count, 1);
		assert_false(event.items[0].has_payload);
		is_whole(0);
		tidy(NULL);
	}
}

static void a_json_string_is_its_text(void **state)
{
	(void)state;
	read_sample("string.json", false);
	assert_string_equal(event.source, "text");
	has_payload(0, "plain \xc3\xa9 text", 13);
	is_whole(0);
}

static void one_common_key_makes_no_family(void **state)
{
	static const char *const events[] = {
		"{\"event\": \"x\"}",
		"{\"event\": {\"name\": \"x\"}}",
		"{\"event_type\": \"x\"}",
		"{\"Records\": []}",
		"{\"Records\": 1}",
		"{\"Records\": [{\"eventSource\": \"aws:other\"}]}",
		"{\"body\": \"x\"}",
		"{\"httpMethod\": 1}",
		"{\"version\": \"2.0\"}",
		"{\"source\": \"aws.s3\", \"detail-type\": \"Object Created\"}",
		"{\"Type\": \"Notification\"}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
		if (scar_event_read(events[i], strlen(events[i]), false, &event, &err) < 0)
			fail_msg("%s: %s", events[i], err.msg);
		assert_string_equal(event.source, "json");
		scar_event_clear(&event);
	}
}

static void file_names_are_safe(void **state)
{
	static const char *const names[][2] = {
		{"a/b/c.txt", "c.txt"}, {"c", "c"},
		{"a/..", "object"},     {"dir/", "object"},
		{"a/.", "object"},      {"../../etc/passwd", "passwd"},
		{"", "object"},         {".hidden", ".hidden"},
	};
	char longest[400];

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		scar_free_auto char *name = NULL;

		assert_int_equal(scar_event_file_name(names[i][0], &name, &err), 0);
		assert_string_equal(name, names[i][1]);
	}
	memset(longest, 'x', sizeof longest);
	memcpy(longest + sizeof longest - 8, ".tar.gz", 8);
	{
		scar_free_auto char *name = NULL;

		assert_int_equal(scar_event_file_name(longest, &name, &err), 0);
		assert_int_equal(strlen(name), 255);
		assert_string_equal(name + 252, ".gz");
	}
}

#define TEST(name) cmocka_unit_test_teardown(name, tidy)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(s3_tells_bucket_key_time_and_size),
		TEST(every_record_of_s3_is_an_item_with_its_own_event),
		TEST(a_record_without_a_key_is_refused),
		TEST(minio_writes_as_s3_does),
		TEST(onedata_tells_a_path_in_a_space),
		TEST(dcache_tells_a_name),
		TEST(rucio_tells_a_scope_and_a_name),
		TEST(a_delegated_event_is_read_as_text_or_object),
		TEST(eventbridge_keys_are_not_url_encoded),
		TEST(each_message_of_a_queue_is_an_item_that_can_fail),
		TEST(a_fifo_queue_goes_on_from_the_first_failure),
		TEST(s3_in_sns_in_sqs_gives_files_with_the_id_of_the_message),
		TEST(a_topic_brings_messages_or_files),
		TEST(events_within_events_have_an_end),
		TEST(a_schedule_is_its_own_document),
		TEST(kinesis_data_are_decoded),
		TEST(dynamodb_records_keep_their_sequence_number),
		TEST(a_rest_api_brings_all_values_of_a_name),
		TEST(a_binary_body_is_decoded),
		TEST(an_http_api_has_its_query_and_cookies_apart),
		TEST(a_function_url_may_have_no_body),
		TEST(a_load_balancer_leaves_parameters_encoded),
		TEST(a_body_is_an_event_only_by_wish),
		TEST(what_nobody_knows_is_passed_through),
		TEST(a_json_string_is_its_text),
		TEST(one_common_key_makes_no_family),
		TEST(file_names_are_safe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
