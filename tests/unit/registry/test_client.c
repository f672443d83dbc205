/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "registry/ref.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"
#include "tests/support/fake_registry.h"

#define LAYER_BYTES ((size_t)3 << 20)
#define USER_BASIC "Basic dXNlcjpwYXNz" /* user:pass */

/** A registry with one image of one layer, tag "one"; tests add to it. */
struct world {
	struct fake_registry fake;
	char *layer_data;
	struct scar_descriptor layer, config, manifest;
	struct scar_source_options options;
};

static const char *describe(const struct scar_descriptor *desc, char text[512])
{
	char digest[SCAR_DIGEST_TEXT_MAX];

	snprintf(text, 512, "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%llu}",
		 desc->media_type, scar_digest_format(&desc->digest, digest),
		 (unsigned long long)desc->size_bytes);
	return text;
}

static struct scar_descriptor add_text(struct world *world, const char *tag, const char *media_type,
				       const char *text)
{
	return fake_add(&world->fake, tag, media_type, text, strlen(text));
}

/** A config for `platform` ("os":..,"architecture":..) whose only layer is this one, uncompressed. */
static struct scar_descriptor add_config(struct world *world, const char *platform,
					 const struct scar_descriptor *layer)
{
	char text[1024], digest[SCAR_DIGEST_TEXT_MAX];

	snprintf(
		text, sizeof(text),
		"{%s,\"config\":{\"Cmd\":[\"/x\"]},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\"]}}",
		platform, scar_digest_format(&layer->digest, digest));
	return add_text(world, NULL, SCAR_MEDIA_OCI_CONFIG, text);
}

static struct scar_descriptor add_manifest(struct world *world, const char *tag,
					   const struct scar_descriptor *config,
					   const struct scar_descriptor *layer)
{
	char text[2048], config_text[512], layer_text[512];

	snprintf(text, sizeof(text), "{\"schemaVersion\":2,\"config\":%s,\"layers\":[%s]}",
		 describe(config, config_text), describe(layer, layer_text));
	return add_text(world, tag, SCAR_MEDIA_OCI_MANIFEST, text);
}

static struct scar_descriptor add_index(struct world *world, const char *tag,
					const struct scar_descriptor *entry, const char *platform)
{
	char text[2048], entry_text[512];

	describe(entry, entry_text);
	entry_text[strlen(entry_text) - 1] = '\0'; /* goes on with the platform */
	snprintf(text, sizeof(text), "{\"schemaVersion\":2,\"manifests\":[%s%s}]}", entry_text,
		 platform);
	return add_text(world, tag, SCAR_MEDIA_OCI_INDEX, text);
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	world->layer_data = malloc(LAYER_BYTES);
	for (size_t i = 0; i < LAYER_BYTES; i++)
		world->layer_data[i] = (char)(i * 31 + (i >> 12));
	fake_start(&world->fake);
	world->layer = fake_add(&world->fake, NULL, SCAR_MEDIA_OCI_LAYER, world->layer_data,
				LAYER_BYTES);
	world->config = add_config(world, "\"os\":\"linux\",\"architecture\":\"amd64\"",
				   &world->layer);
	world->manifest = add_manifest(world, "one", &world->config, &world->layer);
	world->options = (struct scar_source_options){
		.platform = "linux/amd64", .allow_plain = true, .retry_delay_ms = 1};
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	fake_stop(&world->fake);
	free(world->layer_data);
	free(world);
	return 0;
}

/* ---- what a test does ---- */

static struct scar_source *open_ref(struct world *world, const char *suffix)
{
	scar_ref_auto struct scar_ref ref = {.path = NULL};
	struct scar_source *source = NULL;
	char text[256], host[32];
	struct scar_err err;

	snprintf(text, sizeof(text), "%s/test/image%s", fake_host(&world->fake, host), suffix);
	if (scar_ref_parse(text, &ref, &err) < 0 ||
	    scar_source_open(&ref, &world->options, &source, &err) < 0)
		fail_msg("%s", err.msg);
	return source;
}

static void assert_failed(int result, const struct scar_err *err, enum scar_err_kind kind,
			  const char *says)
{
	assert_int_equal(result, -1);
	if (err->kind != kind || !strstr(err->msg, says))
		fail_msg("%s: '%s' does not say '%s'", scar_err_info(err->kind)->name, err->msg,
			 says);
}

static void resolve_fails(struct world *world, const char *suffix, enum scar_err_kind kind,
			  const char *says)
{
	scar_source_auto struct scar_source *source = open_ref(world, suffix);
	scar_image_auto struct scar_image *image = NULL;
	struct scar_err err;
	int result = scar_source_resolve(source, &image, &err);

	assert_failed(result, &err, kind, says);
	assert_null(image);
}

static void resolve_works(struct world *world, const char *suffix)
{
	scar_source_auto struct scar_source *source = open_ref(world, suffix);
	scar_image_auto struct scar_image *image = NULL;
	struct scar_err err;

	if (scar_source_resolve(source, &image, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(image->layer_count, 1);
	assert_true(scar_digest_equal(&image->layers[0].digest, &world->layer.digest));
	assert_true(scar_digest_equal(&image->config_desc.digest, &world->config.digest));
	assert_true(scar_digest_equal(&image->manifest.digest, &world->manifest.digest));
	assert_int_equal(image->layers_size_bytes, LAYER_BYTES);
	assert_string_equal(image->config.cmd[0], "/x");
}

/** Collects a blob; fails when `fail_at` bytes are there. */
struct collector {
	char *data;
	size_t len;
	size_t fail_at;
	int *cancel;
};

static int collect(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	struct collector *collector = ctx;

	assert_true(collector->len + len <= LAYER_BYTES);
	memcpy(collector->data + collector->len, data, len);
	collector->len += len;
	if (collector->cancel)
		*collector->cancel = 1;
	if (collector->fail_at && collector->len >= collector->fail_at)
		return scar_err_set(err, SCAR_ERR_UNAVAILABLE, "sink is full");
	return 0;
}

static int pull(struct world *world, struct collector *collector, struct scar_source_stats *stats,
		struct scar_err *err)
{
	scar_source_auto struct scar_source *source = open_ref(world, ":one");
	int result;

	collector->data = malloc(LAYER_BYTES);
	result = scar_source_blob(source, &world->layer, collect, collector, err);
	scar_source_stats(source, stats);
	return result;
}

static void pull_works(struct world *world, struct scar_source_stats *stats)
{
	struct collector collector = {.len = 0};
	struct scar_err err;

	if (pull(world, &collector, stats, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(collector.len, LAYER_BYTES);
	assert_memory_equal(collector.data, world->layer_data, LAYER_BYTES);
	free(collector.data);
}

static void pull_fails(struct world *world, enum scar_err_kind kind, const char *says)
{
	struct collector collector = {.len = 0};
	struct scar_source_stats stats;
	struct scar_err err;
	int result = pull(world, &collector, &stats, &err);

	free(collector.data);
	assert_failed(result, &err, kind, says);
}

static void fail_times(struct world *world, const char *path, unsigned times, int status,
		       const char *lines)
{
	struct fake_fault fault = {.path = path,
				   .times = times,
				   .kind = FAKE_STATUS,
				   .status = status,
				   .lines = lines};

	fake_fail(&world->fake, &fault);
}

static void damage_blob(struct world *world, enum fake_fault_kind kind, unsigned times,
			size_t bytes)
{
	struct fake_fault fault = {.path = "/blobs/", .times = times, .kind = kind, .bytes = bytes};

	fake_fail(&world->fake, &fault);
}

/* ---- resolving ---- */

static void resolves_a_tag_and_a_digest(void **state)
{
	struct world *world = *state;
	char suffix[256], digest[SCAR_DIGEST_TEXT_MAX];

	resolve_works(world, ":one");
	assert_int_equal(fake_count(&world->fake, "/manifests/one"), 1);
	assert_non_null(strstr(world->fake.requests[0].accept, SCAR_MEDIA_OCI_INDEX));
	assert_non_null(strstr(world->fake.requests[0].accept, SCAR_MEDIA_DOCKER_MANIFEST));
	/* The digest alone decides. */
	snprintf(suffix, sizeof(suffix), ":gone@%s",
		 scar_digest_format(&world->manifest.digest, digest));
	resolve_works(world, suffix);
	assert_int_equal(fake_count(&world->fake, "/manifests/gone"), 0);
}

static void goes_through_nested_indexes(void **state)
{
	struct world *world = *state;
	struct scar_descriptor next = add_index(
		world, NULL, &world->manifest,
		",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}");

	for (int depth = 2; depth < SCAR_LIMIT_INDEX_DEPTH; depth++)
		next = add_index(world, NULL, &next, "");
	next = add_index(world, "deep", &next, "");
	resolve_works(world, ":deep");
	add_index(world, "deeper", &next, "");
	resolve_fails(world, ":deeper", SCAR_ERR_LIMIT, "nested deeper");
}

static void refuses_an_image_for_another_machine(void **state)
{
	struct world *world = *state;
	struct scar_descriptor config = add_config(
		world, "\"os\":\"linux\",\"architecture\":\"arm64\"", &world->layer);
	struct scar_descriptor manifest = add_manifest(world, "arm", &config, &world->layer);

	resolve_fails(world, ":arm", SCAR_ERR_PLATFORM,
		      "is for linux/arm64; this needs linux/amd64");
	add_index(world, "arm-index", &manifest,
		  ",\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\"}");
	resolve_fails(world, ":arm-index", SCAR_ERR_PLATFORM, "is for linux/arm64; this needs");
}

static void holds_layers_against_diff_ids(void **state)
{
	struct world *world = *state;
	struct scar_descriptor config = add_text(
		world, NULL, SCAR_MEDIA_OCI_CONFIG,
		"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}");

	add_manifest(world, "short", &config, &world->layer);
	resolve_fails(world, ":short", SCAR_ERR_IMAGE, "1 layers, the config 0 diff IDs");
}

static void verifies_manifests_and_configs(void **state)
{
	struct world *world = *state;
	struct scar_descriptor wrong = world->manifest;
	struct fake_fault flip = {
		.path = "/manifests/sha256", .times = 1, .kind = FAKE_FLIP, .bytes = 9};
	char suffix[256], digest[SCAR_DIGEST_TEXT_MAX];

	wrong.size_bytes++;
	add_index(world, "wrong-size", &wrong, "");
	resolve_fails(world, ":wrong-size", SCAR_ERR_INTEGRITY, "its descriptor says");
	fake_fail(&world->fake, &flip);
	snprintf(suffix, sizeof(suffix), "@%s",
		 scar_digest_format(&world->manifest.digest, digest));
	resolve_fails(world, suffix, SCAR_ERR_INTEGRITY, "has digest");
	world->fake.digest_header = scar_digest_format(&world->layer.digest, digest);
	resolve_fails(world, ":one", SCAR_ERR_INTEGRITY, "has digest");
	world->fake.digest_header = "nonsense";
	resolve_fails(world, ":one", SCAR_ERR_IMAGE, "Docker-Content-Digest");
	world->fake.digest_header = NULL;
	damage_blob(world, FAKE_FLIP, 1, 3);
	resolve_fails(world, ":one", SCAR_ERR_INTEGRITY, "has digest");
	resolve_works(world, ":one");
}

static void bounds_what_it_reads(void **state)
{
	struct world *world = *state;
	struct scar_descriptor huge = world->config;
	scar_free_auto char *text = calloc(1, SCAR_LIMIT_MANIFEST_BYTES + 2);

	memset(text, ' ', SCAR_LIMIT_MANIFEST_BYTES + 1);
	add_text(world, "huge", SCAR_MEDIA_OCI_MANIFEST, text);
	resolve_fails(world, ":huge", SCAR_ERR_LIMIT, "");
	huge.size_bytes = SCAR_LIMIT_CONFIG_BYTES + 1;
	add_manifest(world, "huge-config", &huge, &world->layer);
	resolve_fails(world, ":huge-config", SCAR_ERR_LIMIT, "config is larger");
}

static void names_what_is_not_there(void **state)
{
	struct world *world = *state;

	resolve_fails(world, ":nope", SCAR_ERR_NOT_FOUND, "no manifest test/image:nope");
	assert_int_equal(fake_count(&world->fake, "/manifests/nope"), 1);
}

/* ---- failures that pass, and those that do not ---- */

static void tries_again_when_the_server_fails(void **state)
{
	struct world *world = *state;
	struct fake_fault hang_up = {.path = "/manifests/", .times = 1, .kind = FAKE_HANG_UP};

	fail_times(world, "/manifests/", 1, 503, "Retry-After: 0\r\n");
	fake_fail(&world->fake, &hang_up);
	fail_times(world, "/manifests/", 1, 429, "");
	fail_times(world, "/manifests/", 1, 500, "");
	resolve_works(world, ":one");
	assert_int_equal(fake_count(&world->fake, "/manifests/"), 5);
}

static void gives_up_after_some_retries(void **state)
{
	struct world *world = *state;

	fail_times(world, "/manifests/", 100, 502, "");
	resolve_fails(world, ":one", SCAR_ERR_UNAVAILABLE, "HTTP 502");
	assert_int_equal(fake_count(&world->fake, "/manifests/"), 1 + SCAR_LIMIT_RETRIES);
}

static void does_not_repeat_what_cannot_pass(void **state)
{
	struct world *world = *state;

	fail_times(world, "/manifests/", 1, 429,
		   "ratelimit-limit: 100;w=21600\r\nratelimit-remaining: 0;w=21600\r\n");
	resolve_fails(world, ":one", SCAR_ERR_RATE_LIMIT, "remaining 0;w=21600");
	fail_times(world, "/manifests/", 1, 429, "Retry-After: 600\r\n");
	resolve_fails(world, ":one", SCAR_ERR_RATE_LIMIT, "try again in 600 s");
	fail_times(world, "/manifests/", 1, 403, "");
	resolve_fails(world, ":one", SCAR_ERR_AUTH, "HTTP 403");
	fail_times(world, "/manifests/", 1, 503, "Retry-After: 600\r\n");
	resolve_fails(world, ":one", SCAR_ERR_UNAVAILABLE, "HTTP 503");
	assert_int_equal(fake_count(&world->fake, "/manifests/"), 4);
}

static void waits_as_long_as_it_is_asked_to(void **state)
{
	struct world *world = *state;
	int64_t start_us = scar_clock_monotonic_us();

	fail_times(world, "/manifests/", 1, 503, "Retry-After: 1\r\n");
	resolve_works(world, ":one");
	assert_true(scar_clock_monotonic_us() - start_us >= 1000000);
}

static void does_not_wait_beyond_the_deadline(void **state)
{
	struct world *world = *state;
	int64_t start_us = scar_clock_monotonic_us();

	world->options.deadline_ms = scar_clock_epoch_ms() + 5000;
	fail_times(world, "/manifests/", 100, 503, "Retry-After: 10\r\n");
	resolve_fails(world, ":one", SCAR_ERR_UNAVAILABLE, "HTTP 503");
	assert_true(scar_clock_monotonic_us() - start_us < 2000000);
	world->options.deadline_ms = 1;
	resolve_fails(world, ":one", SCAR_ERR_TIMEOUT, "no time");
}

static void *cancel_later(void *arg)
{
	volatile int *cancel = arg;

	scar_clock_sleep_ms(300);
	*cancel = 1;
	return NULL;
}

static void stops_waiting_when_cancelled(void **state)
{
	struct world *world = *state;
	volatile int cancel = 0;
	pthread_t thread;
	int64_t start_us = scar_clock_monotonic_us();

	world->options.cancel = &cancel;
	world->options.retry_delay_ms = 8000;
	fail_times(world, "/manifests/", 100, 503, "");
	assert_int_equal(pthread_create(&thread, NULL, cancel_later, (void *)&cancel), 0);
	resolve_fails(world, ":one", SCAR_ERR_INTERRUPTED, "while waiting");
	assert_true(scar_clock_monotonic_us() - start_us < 2000000);
	pthread_join(thread, NULL);
	assert_int_equal(fake_count(&world->fake, "/manifests/"), 1);
}

/* ---- blobs ---- */

static void goes_on_where_a_blob_broke_off(void **state)
{
	struct world *world = *state;
	struct scar_source_stats stats;
	const struct fake_request *last;
	char range[64];

	damage_blob(world, FAKE_TRUNCATE, 1, LAYER_BYTES / 3);
	damage_blob(world, FAKE_TRUNCATE, 1, LAYER_BYTES / 3);
	pull_works(world, &stats);
	assert_int_equal(stats.retries, 2);
	assert_int_equal(stats.bytes_received, LAYER_BYTES);
	last = &world->fake.requests[world->fake.request_count - 1];
	snprintf(range, sizeof(range), "bytes=%zu-", 2 * (LAYER_BYTES / 3));
	assert_string_equal(last->range, range);
}

static void skips_what_it_had_if_there_are_no_ranges(void **state)
{
	struct world *world = *state;
	struct scar_source_stats stats;

	world->fake.no_ranges = true;
	damage_blob(world, FAKE_TRUNCATE, 1, LAYER_BYTES / 2);
	damage_blob(world, FAKE_TRUNCATE, 1, LAYER_BYTES / 4); /* less than it had */
	pull_works(world, &stats);
	assert_int_equal(stats.retries, 2);
}

static void refuses_a_part_that_it_did_not_ask_for(void **state)
{
	struct world *world = *state;
	struct scar_source_stats stats;

	damage_blob(world, FAKE_TRUNCATE, 1, LAYER_BYTES / 2);
	damage_blob(world, FAKE_SHIFT, 1, 1);
	pull_works(world, &stats);
	assert_int_equal(stats.retries, 2);
}

static void retries_for_ever_only_while_there_is_progress(void **state)
{
	struct world *world = *state;

	damage_blob(world, FAKE_TRUNCATE, 100, 1000);
	pull_fails(world, SCAR_ERR_NETWORK, "");
	assert_int_equal(fake_count(&world->fake, "/blobs/"), 1 + SCAR_LIMIT_RETRIES);
}

static void refuses_a_blob_with_another_digest(void **state)
{
	struct world *world = *state;

	damage_blob(world, FAKE_FLIP, 1, LAYER_BYTES - 1);
	pull_fails(world, SCAR_ERR_INTEGRITY, "has digest");
	assert_int_equal(fake_count(&world->fake, "/blobs/"), 1);
}

static void refuses_a_blob_as_soon_as_it_is_too_long(void **state)
{
	struct world *world = *state;

	damage_blob(world, FAKE_LONG, 1, 1);
	pull_fails(world, SCAR_ERR_INTEGRITY, "at least 3145729 bytes");
	assert_int_equal(fake_count(&world->fake, "/blobs/"), 1);
}

static void refuses_a_blob_that_is_too_short(void **state)
{
	struct world *world = *state;

	world->layer.size_bytes++;
	pull_fails(world, SCAR_ERR_INTEGRITY, "its descriptor says 3145729");
	world->fake.no_ranges = true;
	pull_fails(world, SCAR_ERR_INTEGRITY, "its descriptor says 3145729");
}

static void reads_an_empty_blob(void **state)
{
	struct world *world = *state;
	scar_source_auto struct scar_source *source = open_ref(world, ":one");
	struct scar_descriptor empty = fake_add(&world->fake, NULL, SCAR_MEDIA_OCI_LAYER, "", 0);
	struct collector collector = {.len = 0};
	struct scar_err err;

	assert_int_equal(scar_source_blob(source, &empty, collect, &collector, &err), 0);
	assert_int_equal(collector.len, 0);
}

static void ends_at_once_when_the_sink_fails(void **state)
{
	struct world *world = *state;
	struct collector collector = {.fail_at = 1000};
	struct scar_source_stats stats;
	struct scar_err err;

	assert_failed(pull(world, &collector, &stats, &err), &err, SCAR_ERR_UNAVAILABLE,
		      "sink is full");
	assert_int_equal(stats.retries, 0);
	free(collector.data);
}

static void ends_when_cancelled_in_the_middle(void **state)
{
	struct world *world = *state;
	volatile int cancel = 0;
	struct collector collector = {.cancel = (int *)&cancel};
	struct scar_source_stats stats;
	struct scar_err err;

	world->options.cancel = &cancel;
	damage_blob(world, FAKE_TRUNCATE, 1, 100000);
	assert_failed(pull(world, &collector, &stats, &err), &err, SCAR_ERR_INTERRUPTED, "");
	assert_true(collector.len < LAYER_BYTES);
	free(collector.data);
}

/* ---- redirects ---- */

static void redirect(struct world *world, unsigned times, const char *location)
{
	static char lines[8][512];
	char *line = lines[world->fake.fault_count % 8];

	snprintf(line, 512, "Location: %s\r\n", location);
	fail_times(world, "/blobs/", times, 307, line);
}

static void leaves_credentials_behind_when_sent_elsewhere(void **state)
{
	struct world *world = *state;
	struct fake_registry cdn;
	scar_source_auto struct scar_source *source = NULL;
	scar_image_auto struct scar_image *image = NULL;
	struct collector collector = {.data = malloc(LAYER_BYTES)};
	char location[256], digest[SCAR_DIGEST_TEXT_MAX], host[32];
	struct scar_err err;

	fake_start(&cdn);
	fake_add(&cdn, NULL, SCAR_MEDIA_OCI_LAYER, world->layer_data, LAYER_BYTES);
	world->fake.auth = FAKE_BASIC;
	world->fake.basic = USER_BASIC;
	world->options.username = "user";
	world->options.password = "pass";
	source = open_ref(world, ":one");
	/* From now on requests to the registry have credentials. */
	assert_int_equal(scar_source_resolve(source, &image, &err), 0);
	snprintf(location, sizeof(location), "http://%s/v2/test/image/blobs/%s",
		 fake_host(&cdn, host), scar_digest_format(&world->layer.digest, digest));
	redirect(world, 1, location);
	assert_int_equal(scar_source_blob(source, &world->layer, collect, &collector, &err), 0);
	assert_string_equal(world->fake.requests[world->fake.request_count - 1].authorization,
			    USER_BASIC);
	assert_int_equal(cdn.request_count, 1);
	assert_string_equal(cdn.requests[0].authorization, "");
	fake_stop(&cdn);
	free(collector.data);
}

static void does_not_take_credentials_up_again_on_the_way_back(void **state)
{
	struct world *world = *state;
	struct fake_registry cdn;
	struct fake_fault back = {
		.path = "/blobs/", .times = 100, .kind = FAKE_STATUS, .status = 307};
	char location[256], lines[512], host[32];

	fake_start(&cdn);
	world->fake.auth = FAKE_BASIC;
	world->fake.basic = USER_BASIC;
	world->options.username = "user";
	world->options.password = "pass";
	snprintf(lines, sizeof(lines), "Location: http://%s/v2/test/image/manifests/one\r\n",
		 fake_host(&world->fake, host));
	back.lines = lines;
	fake_fail(&cdn, &back);
	snprintf(location, sizeof(location), "http://%s/v2/test/image/blobs/x",
		 fake_host(&cdn, host));
	redirect(world, 100, location);
	/* So the registry refuses it. */
	pull_fails(world, SCAR_ERR_AUTH, "answered 401");
	assert_int_equal(fake_count(&world->fake, "/manifests/one"), 1 + SCAR_LIMIT_RETRIES);
	for (size_t i = 0; i < world->fake.request_count; i++)
		assert_string_equal(world->fake.requests[i].authorization, "");
	fake_stop(&cdn);
}

static void resumes_elsewhere_by_asking_the_registry_again(void **state)
{
	struct world *world = *state;
	struct fake_registry cdn;
	struct fake_fault expired = {
		.path = "/blobs/", .times = 1, .kind = FAKE_STATUS, .status = 403};
	struct fake_fault broken = {
		.path = "/blobs/", .times = 1, .kind = FAKE_TRUNCATE, .bytes = 1000000};
	struct scar_source_stats stats;
	char location[256], digest[SCAR_DIGEST_TEXT_MAX], host[32];

	fake_start(&cdn);
	fake_add(&cdn, NULL, SCAR_MEDIA_OCI_LAYER, world->layer_data, LAYER_BYTES);
	snprintf(location, sizeof(location), "//%s/v2/test/image/blobs/%s?sig=1",
		 fake_host(&cdn, host), scar_digest_format(&world->layer.digest, digest));
	*strchr(location, '?') = '\0';
	redirect(world, 3, location);
	fake_fail(&cdn, &broken);
	fake_fail(&cdn, &expired);
	pull_works(world, &stats);
	assert_int_equal(fake_count(&world->fake, "/blobs/"), 3);
	assert_int_equal(cdn.request_count, 3);
	assert_string_equal(cdn.requests[2].range, "bytes=1000000-");
	assert_int_equal(stats.retries, 2);
	fake_stop(&cdn);
}

static void keeps_credentials_within_the_registry(void **state)
{
	struct world *world = *state;
	struct scar_source_stats stats;
	char location[256], digest[SCAR_DIGEST_TEXT_MAX];

	world->fake.auth = FAKE_BASIC;
	world->fake.basic = USER_BASIC;
	world->options.username = "user";
	world->options.password = "pass";
	snprintf(location, sizeof(location), "/v2/test/image/blobs/%s",
		 scar_digest_format(&world->layer.digest, digest));
	redirect(world, 1, location);
	pull_works(world, &stats);
	assert_int_equal(fake_count(&world->fake, "/blobs/"), 3);
}

static void bounds_redirects(void **state)
{
	struct world *world = *state;

	redirect(world, 100, "/v2/test/image/blobs/x");
	pull_fails(world, SCAR_ERR_PROTOCOL, "redirects");
	assert_int_equal(fake_count(&world->fake, "/blobs/"), 1 + SCAR_LIMIT_REDIRECTS);
}

static void refuses_a_redirect_that_leads_nowhere(void **state)
{
	struct world *world = *state;

	world->options.allow_plain = false;
	redirect(world, 1, "http://198.51.100.1/x");
	pull_fails(world, SCAR_ERR_PROTOCOL, "is not followed");
	redirect(world, 1, "ftp://127.0.0.1/x y");
	pull_fails(world, SCAR_ERR_PROTOCOL, "redirect");
	fail_times(world, "/blobs/", 1, 302, "");
	pull_fails(world, SCAR_ERR_PROTOCOL, "does not say where");
}

/* ---- authorization ---- */

static void gets_an_anonymous_token(void **state)
{
	struct world *world = *state;

	world->fake.auth = FAKE_BEARER;
	resolve_works(world, ":one");
	assert_int_equal(fake_count(&world->fake, "/token"), 1);
	assert_int_equal(fake_count(&world->fake, "/token?x=y&service=fake%20service&"
						  "scope=repository%3Atest%2Fimage%3Apull"),
			 1);
	/* Refused once, then manifest and config with the one token. */
	assert_int_equal(fake_count(&world->fake, "/v2/"), 3);
}

static void gives_credentials_to_the_token_server_only(void **state)
{
	struct world *world = *state;

	world->fake.auth = FAKE_BEARER;
	world->fake.basic = USER_BASIC;
	world->options.username = "user";
	world->options.password = "pass";
	resolve_works(world, ":one");
	for (size_t i = 0; i < world->fake.request_count; i++) {
		const struct fake_request *request = &world->fake.requests[i];

		if (strncmp(request->target, "/token", 6) == 0)
			assert_string_equal(request->authorization, USER_BASIC);
		else
			assert_null(strstr(request->authorization, "Basic"));
	}
	world->options.password = "wrong";
	resolve_fails(world, ":one", SCAR_ERR_AUTH, "refused the user name or password");
}

#define IDENTITY_FORM                                                    \
	"grant_type=refresh_token&client_id=scar&service=fake%20service" \
	"&scope=repository%3Atest%2Fimage%3Apull&refresh_token="

static void trades_an_identity_token_for_tokens(void **state)
{
	struct world *world = *state;

	world->fake.auth = FAKE_BEARER;
	world->fake.identity = IDENTITY_FORM "a%2Fb%2Bc%3D%26d";
	world->options.username = "<token>";
	world->options.password = "a/b+c=&d";
	resolve_works(world, ":one");
	/* It is in the form alone: not in the address, and the registry does not see it. */
	assert_int_equal(fake_count(&world->fake, "/token?x=y"), 1);
	assert_int_equal(fake_count(&world->fake, "scope"), 0);
	for (size_t i = 0; i < world->fake.request_count; i++)
		assert_null(strstr(world->fake.requests[i].authorization, "Basic"));
	world->options.password = "expired";
	resolve_fails(world, ":one", SCAR_ERR_AUTH, "refused the identity token");
	fail_times(world, "/token", 1, 405, "");
	resolve_fails(world, ":one", SCAR_ERR_AUTH, "takes no identity tokens");
	world->fake.auth = FAKE_BASIC;
	world->fake.basic = USER_BASIC;
	resolve_fails(world, ":one", SCAR_ERR_AUTH, "not for an identity token");
}

static void goes_on_with_the_identity_token_that_replaces_the_last(void **state)
{
	struct world *world = *state;
	scar_source_auto struct scar_source *source = NULL;
	struct collector collector = {.data = malloc(LAYER_BYTES)};
	scar_image_auto struct scar_image *image = NULL;
	struct scar_err err;

	world->fake.auth = FAKE_BEARER;
	world->fake.identity = IDENTITY_FORM "first";
	world->fake.renewal = ",\"refresh_token\":\"second\"";
	world->options.username = "<token>";
	world->options.password = "first";
	source = open_ref(world, ":one");
	assert_int_equal(scar_source_resolve(source, &image, &err), 0);
	world->fake.identity = IDENTITY_FORM "second";
	world->fake.revoke_once = true;
	assert_int_equal(scar_source_blob(source, &world->layer, collect, &collector, &err), 0);
	assert_int_equal(fake_count(&world->fake, "/token"), 2);
	free(collector.data);
}

static void replaces_a_token_that_was_revoked(void **state)
{
	struct world *world = *state;
	scar_source_auto struct scar_source *source = NULL;
	struct collector collector = {.data = malloc(LAYER_BYTES)};
	scar_image_auto struct scar_image *image = NULL;
	struct scar_err err;

	world->fake.auth = FAKE_BEARER;
	source = open_ref(world, ":one");
	assert_int_equal(scar_source_resolve(source, &image, &err), 0);
	world->fake.revoke_once = true;
	assert_int_equal(scar_source_blob(source, &world->layer, collect, &collector, &err), 0);
	assert_int_equal(fake_count(&world->fake, "/token"), 2);
	free(collector.data);
}

static void answers_basic_challenges(void **state)
{
	struct world *world = *state;

	world->fake.auth = FAKE_BASIC;
	world->fake.basic = USER_BASIC;
	resolve_fails(world, ":one", SCAR_ERR_AUTH, "asks for a user name and password");
	world->options.username = "user";
	world->options.password = "wrong";
	resolve_fails(world, ":one", SCAR_ERR_AUTH, "user name or password is wrong");
	world->options.password = "pass";
	resolve_works(world, ":one");
	/* Known by now: the config was asked for with credentials at once. */
	assert_string_equal(world->fake.requests[world->fake.request_count - 1].authorization,
			    USER_BASIC);
	assert_string_equal(world->fake.requests[world->fake.request_count - 3].authorization, "");
}

static void does_not_ask_a_token_server_it_may_not(void **state)
{
	struct world *world = *state;

	world->options.allow_plain = false;
	world->fake.auth = FAKE_BEARER;
	world->fake.realm = "http://198.51.100.1/token";
	resolve_fails(world, ":one", SCAR_ERR_PROTOCOL, "token server that it may not");
	world->fake.realm = "file:///etc/passwd";
	resolve_fails(world, ":one", SCAR_ERR_PROTOCOL, "token server");
}

static void passes_on_why_there_is_no_token(void **state)
{
	struct world *world = *state;

	world->fake.auth = FAKE_BEARER;
	fail_times(world, "/token", 1, 503, "");
	resolve_works(world, ":one");
	fail_times(world, "/token", 1, 429, "");
	resolve_fails(world, ":one", SCAR_ERR_RATE_LIMIT, "token server");
	fail_times(world, "/token", 1, 200, "");
	resolve_fails(world, ":one", SCAR_ERR_PROTOCOL, "token server");
	fail_times(world, "/token", 1, 302, "Location: /token2\r\n");
	resolve_fails(world, ":one", SCAR_ERR_PROTOCOL, "token server");
}

struct worker {
	struct world *world;
	struct scar_source *source;
	pthread_barrier_t *start;
	bool ok;
};

static void *pull_in_thread(void *arg)
{
	struct worker *worker = arg;
	struct collector collector = {.data = malloc(LAYER_BYTES)};
	struct scar_err err;

	pthread_barrier_wait(worker->start);
	worker->ok = scar_source_blob(worker->source, &worker->world->layer, collect, &collector,
				      &err) == 0 &&
		     memcmp(collector.data, worker->world->layer_data, LAYER_BYTES) == 0;
	free(collector.data);
	return NULL;
}

static void shares_one_token_between_threads(void **state)
{
	struct world *world = *state;
	scar_source_auto struct scar_source *source = NULL;
	struct worker workers[6];
	pthread_t threads[6];
	pthread_barrier_t start;

	/* All are refused before the first has a token: the server takes one request after the other. */
	assert_int_equal(pthread_barrier_init(&start, NULL, 6), 0);
	world->fake.auth = FAKE_BEARER;
	source = open_ref(world, ":one");
	for (size_t i = 0; i < 6; i++) {
		workers[i] = (struct worker){.world = world, .source = source, .start = &start};
		assert_int_equal(pthread_create(&threads[i], NULL, pull_in_thread, &workers[i]), 0);
	}
	for (size_t i = 0; i < 6; i++) {
		pthread_join(threads[i], NULL);
		assert_true(workers[i].ok);
	}
	assert_int_equal(fake_count(&world->fake, "/token"), 1);
	pthread_barrier_destroy(&start);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(resolves_a_tag_and_a_digest),
		TEST(goes_through_nested_indexes),
		TEST(refuses_an_image_for_another_machine),
		TEST(holds_layers_against_diff_ids),
		TEST(verifies_manifests_and_configs),
		TEST(bounds_what_it_reads),
		TEST(names_what_is_not_there),
		TEST(tries_again_when_the_server_fails),
		TEST(gives_up_after_some_retries),
		TEST(does_not_repeat_what_cannot_pass),
		TEST(waits_as_long_as_it_is_asked_to),
		TEST(does_not_wait_beyond_the_deadline),
		TEST(stops_waiting_when_cancelled),
		TEST(goes_on_where_a_blob_broke_off),
		TEST(skips_what_it_had_if_there_are_no_ranges),
		TEST(refuses_a_part_that_it_did_not_ask_for),
		TEST(retries_for_ever_only_while_there_is_progress),
		TEST(refuses_a_blob_with_another_digest),
		TEST(refuses_a_blob_as_soon_as_it_is_too_long),
		TEST(refuses_a_blob_that_is_too_short),
		TEST(reads_an_empty_blob),
		TEST(ends_at_once_when_the_sink_fails),
		TEST(ends_when_cancelled_in_the_middle),
		TEST(leaves_credentials_behind_when_sent_elsewhere),
		TEST(does_not_take_credentials_up_again_on_the_way_back),
		TEST(resumes_elsewhere_by_asking_the_registry_again),
		TEST(keeps_credentials_within_the_registry),
		TEST(bounds_redirects),
		TEST(refuses_a_redirect_that_leads_nowhere),
		TEST(gets_an_anonymous_token),
		TEST(gives_credentials_to_the_token_server_only),
		TEST(trades_an_identity_token_for_tokens),
		TEST(goes_on_with_the_identity_token_that_replaces_the_last),
		TEST(replaces_a_token_that_was_revoked),
		TEST(answers_basic_challenges),
		TEST(does_not_ask_a_token_server_it_may_not),
		TEST(passes_on_why_there_is_no_token),
		TEST(shares_one_token_between_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
