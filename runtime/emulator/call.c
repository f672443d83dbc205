/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/emulator/call.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "runtime/api/protocol.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"
#include "runtime/emulator/output.h"

/* What may be on its way to a reader. */
#define STREAM_BYTES SCAR_MIB(1)

struct scar_call {
	char id[SCAR_CALL_ID_BYTES];
	char trace_id[256];
	char *content_type;
	char *client_context;
	char *tenant_id;
	struct scar_buf event;
	bool stream;

	pthread_mutex_t mutex;
	pthread_cond_t changed;
	unsigned references;
	bool done;
	bool left;
	char answer_type[256];
	char error_type[SCAR_CALL_TYPE_BYTES];
	struct scar_buf document;
	struct scar_buf answer;
	struct scar_buf log_tail;
};

static void make_ids(struct scar_call *call, const char *trace_id)
{
	unsigned char r[32];

	/* Blocks only before the kernel has any randomness; ids need not be secret. */
	if (getrandom(r, sizeof(r), 0) != (ssize_t)sizeof(r))
		memset(r, (int)time(NULL), sizeof(r));
	snprintf(call->id, sizeof(call->id),
		 "%02x%02x%02x%02x-%02x%02x-4%01x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", r[0],
		 r[1], r[2], r[3], r[4], r[5], r[6] & 15, r[7], (r[8] & 63) | 128, r[9], r[10],
		 r[11], r[12], r[13], r[14], r[15]);
	if (trace_id)
		snprintf(call->trace_id, sizeof(call->trace_id), "%s", trace_id);
	else
		snprintf(
			call->trace_id, sizeof(call->trace_id),
			"Root=1-%08llx-%02x%02x%02x%02x%02x%02x%02x%02x%02x%02x%02x%02x;Parent=%02x%02x%02x%02x%02x%02x%02x%02x;"
			"Sampled=0",
			(unsigned long long)time(NULL), r[0], r[1], r[2], r[3], r[4], r[5], r[6],
			r[7], r[8], r[9], r[10], r[11], r[16], r[17], r[18], r[19], r[20], r[21],
			r[22], r[23]);
}

static int copy_text(const char *text, char **ret, struct scar_err *err)
{
	if (!text)
		return 0;
	*ret = strdup(text);
	return *ret ? 0 : scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
}

static void init_sync(struct scar_call *call)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&call->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&call->changed, &attr);
	pthread_condattr_destroy(&attr);
}

int scar_call_create(const struct scar_call_request *request, struct scar_call **ret_call,
		     struct scar_err *err)
{
	struct scar_call *call = calloc(1, sizeof(*call));

	if (!call)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	init_sync(call);
	call->references = 1;
	call->stream = request->stream;
	scar_buf_init(&call->event, SCAR_LIMIT_EVENT_BYTES);
	scar_buf_init(&call->document, SCAR_LIMIT_RESPONSE_BYTES);
	scar_buf_init(&call->answer, request->stream ? STREAM_BYTES : SCAR_LIMIT_RESPONSE_BYTES);
	scar_buf_init(&call->log_tail, SCAR_OUTPUT_TAIL_BYTES);
	make_ids(call, request->trace_id);
	if (scar_buf_append(&call->event, request->event, request->event_len, err) < 0 ||
	    copy_text(request->content_type ? request->content_type : SCAR_API_CONTENT_TYPE_JSON,
		      &call->content_type, err) < 0 ||
	    copy_text(request->client_context, &call->client_context, err) < 0 ||
	    copy_text(request->tenant_id, &call->tenant_id, err) < 0) {
		scar_call_unref(call);
		return -1;
	}
	*ret_call = call;
	return 0;
}

struct scar_call *scar_call_ref(struct scar_call *call)
{
	pthread_mutex_lock(&call->mutex);
	call->references++;
	pthread_mutex_unlock(&call->mutex);
	return call;
}

void scar_call_unref(struct scar_call *call)
{
	unsigned left;

	if (!call)
		return;
	pthread_mutex_lock(&call->mutex);
	left = --call->references;
	pthread_mutex_unlock(&call->mutex);
	if (left)
		return;
	pthread_cond_destroy(&call->changed);
	pthread_mutex_destroy(&call->mutex);
	scar_buf_clear(&call->event);
	scar_buf_clear(&call->document);
	scar_buf_clear(&call->answer);
	scar_buf_clear(&call->log_tail);
	free(call->content_type);
	free(call->client_context);
	free(call->tenant_id);
	free(call);
}

const char *scar_call_id(const struct scar_call *call)
{
	return call->id;
}

const struct scar_buf *scar_call_event(const struct scar_call *call)
{
	return &call->event;
}

const char *scar_call_content_type(const struct scar_call *call)
{
	return call->content_type;
}

const char *scar_call_client_context(const struct scar_call *call)
{
	return call->client_context;
}

const char *scar_call_trace_id(const struct scar_call *call)
{
	return call->trace_id;
}

const char *scar_call_tenant_id(const struct scar_call *call)
{
	return call->tenant_id;
}

void scar_call_begin(struct scar_call *call, const char *content_type)
{
	pthread_mutex_lock(&call->mutex);
	snprintf(call->answer_type, sizeof(call->answer_type), "%s", content_type);
	pthread_mutex_unlock(&call->mutex);
}

static struct timespec timespec_of(int64_t us)
{
	return (struct timespec){.tv_sec = (time_t)(us / 1000000), .tv_nsec = us % 1000000 * 1000};
}

/* @return false when the deadline passed first */
static bool wait_for_room(struct scar_call *call, size_t len, int64_t deadline_us)
{
	const struct timespec until = timespec_of(deadline_us);

	while (!call->left && call->answer.len > 0 && call->answer.len + len > STREAM_BYTES) {
		if (!deadline_us)
			pthread_cond_wait(&call->changed, &call->mutex);
		else if (pthread_cond_timedwait(&call->changed, &call->mutex, &until) != 0)
			return false;
	}
	return true;
}

int scar_call_write(struct scar_call *call, const void *data, size_t len, int64_t deadline_us,
		    struct scar_err *err)
{
	int result = 0;

	pthread_mutex_lock(&call->mutex);
	if (call->stream && !wait_for_room(call, len, deadline_us))
		result = scar_err_set(err, SCAR_ERR_TIMEOUT, "the caller does not read the answer");
	else if (!call->left)
		result = scar_buf_append(&call->answer, data, len, err);
	pthread_cond_broadcast(&call->changed);
	pthread_mutex_unlock(&call->mutex);
	return result;
}

void scar_call_fail(struct scar_call *call, const char *error_type, const char *document)
{
	struct scar_err cut; /* the document is bounded by what the service takes */

	pthread_mutex_lock(&call->mutex);
	if (!call->error_type[0]) {
		snprintf(call->error_type, sizeof(call->error_type), "%s", error_type);
		(void)scar_buf_append_str(&call->document, document, &cut);
	}
	pthread_mutex_unlock(&call->mutex);
}

bool scar_call_failed(struct scar_call *call)
{
	bool failed;

	pthread_mutex_lock(&call->mutex);
	failed = call->error_type[0] != '\0';
	pthread_mutex_unlock(&call->mutex);
	return failed;
}

void scar_call_finish(struct scar_call *call, const struct scar_buf *log_tail)
{
	struct scar_err cut;

	pthread_mutex_lock(&call->mutex);
	/* Without memory for the tail the answer still stands. */
	if (log_tail)
		(void)scar_buf_append(&call->log_tail, log_tail->data, log_tail->len, &cut);
	call->done = true;
	pthread_cond_broadcast(&call->changed);
	pthread_mutex_unlock(&call->mutex);
}

bool scar_call_wait(struct scar_call *call)
{
	bool done;

	pthread_mutex_lock(&call->mutex);
	while (!call->done && !(call->stream && call->answer.len > 0))
		pthread_cond_wait(&call->changed, &call->mutex);
	done = call->done;
	pthread_mutex_unlock(&call->mutex);
	return done;
}

int scar_call_read(struct scar_call *call, struct scar_buf *data, struct scar_err *err)
{
	int result = 0;

	scar_buf_reset(data);
	pthread_mutex_lock(&call->mutex);
	while (!call->done && !(call->stream && call->answer.len > 0))
		pthread_cond_wait(&call->changed, &call->mutex);
	if (call->answer.len > 0) {
		result = scar_buf_append(data, call->answer.data, call->answer.len, err) < 0 ? -1
											     : 1;
		scar_buf_reset(&call->answer);
		pthread_cond_broadcast(&call->changed);
	}
	pthread_mutex_unlock(&call->mutex);
	return result;
}

void scar_call_leave(struct scar_call *call)
{
	pthread_mutex_lock(&call->mutex);
	call->left = true;
	pthread_cond_broadcast(&call->changed);
	pthread_mutex_unlock(&call->mutex);
}

const char *scar_call_answer_type(const struct scar_call *call)
{
	return call->answer_type[0] ? call->answer_type : SCAR_API_CONTENT_TYPE_JSON;
}

const char *scar_call_error_type(const struct scar_call *call)
{
	return call->error_type[0] ? call->error_type : NULL;
}

const struct scar_buf *scar_call_error_document(const struct scar_call *call)
{
	return &call->document;
}

const struct scar_buf *scar_call_log_tail(const struct scar_call *call)
{
	return &call->log_tail;
}
