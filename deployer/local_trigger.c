/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/local_trigger.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "deployer/aws/aws.h"
#include "deployer/aws/s3.h"
#include "deployer/fdl.h"
#include "deployer/run_event.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"
#include "runtime/emulator/call.h"
#include "runtime/emulator/pool.h"

#define INTERVAL_S 1
/* As Lambda repeats asynchronous invocations. */
#define ATTEMPTS 3
#define EVENT_MAX SCAR_KIB(64)
#define PREFIX_MAX 1025
#define OBJECTS_MAX 1000000

/** An object of a listing, or one that waits to be told of. */
struct object {
	char *key, *etag, *time;
	uint64_t size_bytes;
	const struct place *place;
};

struct objects {
	struct object *items;
	size_t count, room;
};

/** One input. */
struct place {
	char bucket[64];
	char prefix[PREFIX_MAX]; /* "" or with a slash at its end */
	struct objects known;    /* by key, as S3 lists them */
	char complaint[256];     /* what was said last, so that it is said once */
};

struct scar_local_trigger {
	struct scar_aws *aws;
	struct scar_pool *pool;
	char region[64];
	struct place *places;
	size_t place_count;
	volatile int stop; /* what calls to AWS look at; written under the lock */

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	struct objects queue; /* told of from `next` on */
	size_t next;
	pthread_t threads[SCAR_POOL_MAX + 1];
	size_t thread_count;
};

/* ---- objects ---- */

static void object_clear(struct object *object)
{
	free(object->key);
	free(object->etag);
	free(object->time);
	*object = (struct object){0};
}

static void objects_clear(struct objects *objects)
{
	for (size_t i = 0; i < objects->count; i++)
		object_clear(&objects->items[i]);
	free(objects->items);
	*objects = (struct objects){0};
}

static int objects_add(struct objects *objects, const struct object *from, struct scar_err *err)
{
	struct object copy = *from;

	if (objects->count == OBJECTS_MAX)
		return scar_err_set(err, SCAR_ERR_LIMIT, "more than %d files", OBJECTS_MAX);
	if (objects->count == objects->room) {
		size_t room = objects->room ? 2 * objects->room : 64;
		struct object *grown = reallocarray(objects->items, room, sizeof *grown);

		if (!grown)
			return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
		objects->items = grown;
		objects->room = room;
	}
	copy.key = strdup(from->key);
	copy.etag = strdup(from->etag ? from->etag : "");
	copy.time = strdup(from->time ? from->time : "");
	if (!copy.key || !copy.etag || !copy.time) {
		object_clear(&copy);
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	}
	objects->items[objects->count++] = copy;
	return 0;
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct object *)a)->key, ((const struct object *)b)->key);
}

static bool is_known(const struct objects *known, const struct object *object)
{
	const struct object *found = known->count ? bsearch(object, known->items, known->count,
							    sizeof *object, by_key)
						  : NULL;

	return found && strcmp(found->etag, object->etag) == 0 &&
	       strcmp(found->time, object->time) == 0;
}

/* ---- looking ---- */

static int note(void *ctx, const struct scar_s3_object *listed, struct scar_err *err)
{
	struct objects *now = ctx;
	size_t len = strlen(listed->key);
	const struct object object = {
		.key = (char *)listed->key,
		.etag = (char *)listed->etag,
		.time = (char *)listed->last_modified,
		.size_bytes = listed->size_bytes,
	};

	if (len == 0 || listed->key[len - 1] == '/')
		return 0;
	return objects_add(now, &object, err);
}

static void complain(struct place *place, const struct scar_err *err)
{
	if (strncmp(place->complaint, err->msg, sizeof place->complaint - 1) == 0)
		return;
	snprintf(place->complaint, sizeof place->complaint, "%.255s", err->msg);
	fprintf(stderr, "scar: trigger of s3://%s/%s: %s\n", place->bucket, place->prefix,
		err->msg);
}

static int tell(struct scar_local_trigger *trigger, const struct place *place,
		const struct object *object, struct scar_err *err)
{
	struct object copy = *object;
	int ret;

	copy.place = place;
	pthread_mutex_lock(&trigger->lock);
	ret = objects_add(&trigger->queue, &copy, err);
	pthread_cond_broadcast(&trigger->changed);
	pthread_mutex_unlock(&trigger->lock);
	return ret;
}

/* first: what is there starts nothing. A bucket that does not exist yet is an empty one. */
static int look(struct scar_local_trigger *trigger, struct place *place, bool first,
		struct scar_err *err)
{
	struct objects now = {0};
	int ret = scar_s3_list(trigger->aws, place->bucket, place->prefix, note, &now, err);

	if (ret < 0 && err->kind == SCAR_ERR_NOT_FOUND)
		ret = 0;
	if (now.count)
		qsort(now.items, now.count, sizeof *now.items, by_key);
	for (size_t i = 0; ret == 0 && !first && i < now.count; i++) {
		if (!is_known(&place->known, &now.items[i]))
			ret = tell(trigger, place, &now.items[i], err);
	}
	if (ret == 0) {
		objects_clear(&place->known);
		place->known = now;
		place->complaint[0] = '\0';
	} else {
		objects_clear(&now);
	}
	return ret;
}

/* @return false when it is time to end */
static bool pause_for(struct scar_local_trigger *trigger, int seconds)
{
	struct timespec until;
	bool goes_on;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += seconds;
	pthread_mutex_lock(&trigger->lock);
	while (!trigger->stop &&
	       pthread_cond_timedwait(&trigger->changed, &trigger->lock, &until) != ETIMEDOUT)
		;
	goes_on = !trigger->stop;
	pthread_mutex_unlock(&trigger->lock);
	return goes_on;
}

static void *watch(void *arg)
{
	struct scar_local_trigger *trigger = arg;

	while (pause_for(trigger, INTERVAL_S)) {
		for (size_t i = 0; i < trigger->place_count; i++) {
			struct scar_err err = {0};

			if (look(trigger, &trigger->places[i], false, &err) < 0 && !trigger->stop)
				complain(&trigger->places[i], &err);
		}
	}
	return NULL;
}

/* ---- invoking ---- */

static int invoke(struct scar_local_trigger *trigger, const struct scar_buf *event,
		  struct scar_err *err)
{
	const struct scar_call_request request = {.event = event->data, .event_len = event->len};
	struct scar_call *call = NULL;
	const char *type;
	int ret = 0;

	if (scar_call_create(&request, &call, err) < 0)
		return -1;
	if (scar_pool_invoke(trigger->pool, call, err) < 0) {
		scar_call_unref(call);
		return -1;
	}
	scar_call_wait(call);
	type = scar_call_error_type(call);
	if (type) {
		const struct scar_buf *document = scar_call_error_document(call);

		ret = scar_err_set(err, SCAR_ERR_EXIT, "%s: %.300s", type,
				   document->data ? document->data : "");
	}
	scar_call_unref(call);
	return ret;
}

static void handle(struct scar_local_trigger *trigger, const struct object *object)
{
	const struct place *place = object->place;
	scar_buf_auto struct scar_buf event;
	struct scar_err err = {0};
	int ret;

	scar_buf_init(&event, EVENT_MAX);
	ret = scar_run_event_write_s3(
		&(struct scar_run_event_object){
			.partition = scar_aws_partition(trigger->region),
			.region = trigger->region,
			.bucket = place->bucket,
			.key = object->key,
			.etag = object->etag,
			.size_bytes = object->size_bytes,
		},
		&event, &err);
	if (ret == 0) {
		fprintf(stderr, "scar: s3://%s/%s is new\n", place->bucket, object->key);
		ret = invoke(trigger, &event, &err);
		for (int i = 1; ret < 0 && i < ATTEMPTS && pause_for(trigger, INTERVAL_S); i++)
			ret = invoke(trigger, &event, &err);
	}
	if (ret < 0 && !trigger->stop)
		fprintf(stderr, "scar: s3://%s/%s: failed: %s\n", place->bucket, object->key,
			err.msg);
}

static void *work(void *arg)
{
	struct scar_local_trigger *trigger = arg;

	pthread_mutex_lock(&trigger->lock);
	while (!trigger->stop) {
		struct object object;

		if (trigger->next == trigger->queue.count) {
			objects_clear(&trigger->queue);
			trigger->next = 0;
			pthread_cond_wait(&trigger->changed, &trigger->lock);
			continue;
		}
		object = trigger->queue.items[trigger->next];
		trigger->queue.items[trigger->next++] = (struct object){0};
		pthread_mutex_unlock(&trigger->lock);
		handle(trigger, &object);
		object_clear(&object);
		pthread_mutex_lock(&trigger->lock);
	}
	pthread_mutex_unlock(&trigger->lock);
	return NULL;
}

/* ---- begin and end ---- */

static int take_places(struct scar_local_trigger *trigger,
		       const struct scar_fdl_function *definition, struct scar_err *err)
{
	trigger->places = calloc(definition->inputs.count + 1, sizeof *trigger->places);
	if (!trigger->places)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < definition->inputs.count; i++) {
		const struct scar_fdl_place *input = &definition->inputs.items[i];
		struct place *place = &trigger->places[trigger->place_count];
		const char *folder;

		if (!scar_fdl_is_s3(input))
			continue;
		scar_fdl_split(input->path, place->bucket, &folder);
		if (*folder &&
		    (size_t)snprintf(place->prefix, PREFIX_MAX, "%s/", folder) >= PREFIX_MAX)
			return scar_err_set(err, SCAR_ERR_CONFIG,
					    "the path of input %zu is too long", i);
		trigger->place_count++;
	}
	if (trigger->place_count == 0)
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "--s3-trigger: the definition has no input in S3");
	return 0;
}

static int start_threads(struct scar_local_trigger *trigger, size_t workers, struct scar_err *err)
{
	for (size_t i = 0; i <= workers; i++) {
		int result = pthread_create(&trigger->threads[i], NULL, i ? work : watch, trigger);

		if (result != 0)
			return scar_err_errno(err, result, "cannot start a thread");
		trigger->thread_count++;
	}
	return 0;
}

static int open_aws(struct scar_local_trigger *trigger, char **environment, struct scar_err *err)
{
	const struct scar_aws_options options = {.environment = environment,
						 .cancel = &trigger->stop};
	const char *region = NULL;

	if (scar_aws_open(&options, &trigger->aws, err) < 0 ||
	    scar_aws_need_region(trigger->aws, &region, err) < 0)
		return -1;
	snprintf(trigger->region, sizeof trigger->region, "%s", region);
	return 0;
}

static int begin(struct scar_local_trigger *trigger, const struct scar_fdl_function *definition,
		 char **environment, size_t workers, struct scar_err *err)
{
	if (take_places(trigger, definition, err) < 0 || open_aws(trigger, environment, err) < 0)
		return -1;
	for (size_t i = 0; i < trigger->place_count; i++) {
		if (look(trigger, &trigger->places[i], true, err) < 0)
			return scar_err_wrap(err, "trigger of s3://%s/%s",
					     trigger->places[i].bucket, trigger->places[i].prefix);
	}
	return start_threads(trigger, workers, err);
}

int scar_local_trigger_start(const struct scar_fdl_function *definition, char **environment,
			     struct scar_pool *pool, size_t workers,
			     struct scar_local_trigger **ret_trigger, struct scar_err *err)
{
	struct scar_local_trigger *trigger = calloc(1, sizeof *trigger);
	pthread_condattr_t attributes;

	if (!trigger)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	trigger->pool = pool;
	pthread_mutex_init(&trigger->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&trigger->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	if (begin(trigger, definition, environment, workers, err) < 0) {
		scar_local_trigger_stop(trigger);
		return -1;
	}
	*ret_trigger = trigger;
	return 0;
}

void scar_local_trigger_stop(struct scar_local_trigger *trigger)
{
	if (!trigger)
		return;
	pthread_mutex_lock(&trigger->lock);
	trigger->stop = 1;
	pthread_cond_broadcast(&trigger->changed);
	pthread_mutex_unlock(&trigger->lock);
	for (size_t i = 0; i < trigger->thread_count; i++)
		pthread_join(trigger->threads[i], NULL);
	for (size_t i = 0; i < trigger->place_count; i++)
		objects_clear(&trigger->places[i].known);
	objects_clear(&trigger->queue);
	free(trigger->places);
	scar_aws_close(trigger->aws);
	pthread_cond_destroy(&trigger->changed);
	pthread_mutex_destroy(&trigger->lock);
	free(trigger);
}
