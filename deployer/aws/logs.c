/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/aws/logs.h"

#include <stdlib.h>
#include <string.h>

#include "deployer/aws/call.h"
#include "deployer/aws/session.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/json_writer.h"
#include "runtime/base/limits.h"

#define BODY_MAX SCAR_KIB(64)
/* They are put in order before the first is given. */
#define EVENTS_MAX 200000
/* Between two looks of who follows, and how far each looks back for what arrives late. */
#define FOLLOW_PAUSE_MS 1500
#define FOLLOW_OVERLAP_MS 10000
/* Events whose time is within the overlap, so that each is given once. */
#define SEEN_MAX 100000

static int send(struct scar_aws *aws, const char *operation, const struct scar_json_writer *w,
		struct scar_json **ret_answer, struct scar_err *err)
{
	const struct scar_aws_call call = {.service = SCAR_AWS_LOGS, .operation = operation};

	return scar_aws_send(aws, &call, w, ret_answer, err);
}

/* ---- groups ---- */

int scar_logs_create_group(struct scar_aws *aws, const char *group,
			   const struct scar_aws_pair *tags, size_t tag_count, bool *ret_created,
			   struct scar_err *err)
{
	scar_buf_auto struct scar_buf body;
	struct scar_json_writer w;
	bool created;

	scar_buf_init(&body, BODY_MAX);
	scar_json_writer_init(&w, &body, err);
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_string(&w, "logGroupName", group);
	if (tag_count) {
		scar_json_write_open(&w, "tags", '{');
		for (size_t i = 0; i < tag_count; i++)
			scar_json_write_string(&w, tags[i].name, tags[i].value);
		scar_json_write_close(&w, '}');
	}
	scar_json_write_close(&w, '}');
	created = send(aws, "CreateLogGroup", &w, NULL, err) == 0;
	if (!created && !scar_aws_failed_with(aws, "ResourceAlreadyExistsException"))
		return -1;
	if (ret_created)
		*ret_created = created;
	return 0;
}

static bool is_retention(int days)
{
	static const int known[] = {1,   3,   5,   7,   14,   30,   60,   90,   120,  150,  180,
				    365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (known[i] == days)
			return true;
	}
	return false;
}

int scar_logs_set_retention(struct scar_aws *aws, const char *group, int days, struct scar_err *err)
{
	scar_buf_auto struct scar_buf body;
	struct scar_json_writer w;

	scar_buf_init(&body, BODY_MAX);
	if (days && !is_retention(days))
		return scar_err_set(
			err, SCAR_ERR_CONFIG,
			"logs cannot be kept for %d days: CloudWatch Logs knows 1, 3, 5, 7, "
			"14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731 and more",
			days);
	scar_json_writer_init(&w, &body, err);
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_string(&w, "logGroupName", group);
	if (days)
		scar_json_write_int(&w, "retentionInDays", days);
	scar_json_write_close(&w, '}');
	return send(aws, days ? "PutRetentionPolicy" : "DeleteRetentionPolicy", &w, NULL, err);
}

int scar_logs_delete_group(struct scar_aws *aws, const char *group, bool *ret_deleted,
			   struct scar_err *err)
{
	scar_buf_auto struct scar_buf body;
	struct scar_json_writer w;
	bool deleted;

	scar_buf_init(&body, BODY_MAX);
	scar_json_writer_init(&w, &body, err);
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_string(&w, "logGroupName", group);
	scar_json_write_close(&w, '}');
	deleted = send(aws, "DeleteLogGroup", &w, NULL, err) == 0;
	if (!deleted && err->kind != SCAR_ERR_NOT_FOUND)
		return -1;
	if (ret_deleted)
		*ret_deleted = deleted;
	return 0;
}

/* ---- events ---- */

static const char *text_of(const struct scar_json *event, const char *key)
{
	const char *text = scar_json_string(scar_json_get(event, key));

	return text ? text : "";
}

static int64_t number_of(const struct scar_json *event, const char *key)
{
	int64_t number = 0;

	return scar_json_int(scar_json_get(event, key), &number) < 0 ? 0 : number;
}

/* One page of a filter. `since_ms` instead of the query's. */
static int ask_page(struct scar_aws *aws, const struct scar_logs_query *query, int64_t since_ms,
		    const char *token, struct scar_json **ret_answer, struct scar_err *err)
{
	const char *const streams[] = {query->stream, NULL};
	scar_buf_auto struct scar_buf body;
	struct scar_json_writer w;

	scar_buf_init(&body, BODY_MAX);
	scar_json_writer_init(&w, &body, err);
	scar_json_write_open(&w, NULL, '{');
	scar_json_write_string(&w, "logGroupName", query->group);
	if (query->stream)
		scar_json_write_strings(&w, "logStreamNames", streams);
	scar_json_write_string(&w, "logStreamNamePrefix", query->stream_prefix);
	if (since_ms)
		scar_json_write_int(&w, "startTime", since_ms);
	if (query->until_ms)
		scar_json_write_int(&w, "endTime", query->until_ms);
	scar_json_write_string(&w, "filterPattern", query->pattern);
	scar_json_write_string(&w, "nextToken", token);
	scar_json_write_close(&w, '}');
	return send(aws, "FilterLogEvents", &w, ret_answer, err);
}

/* The events of one look, owned by their pages. */
struct found {
	struct scar_json **pages;
	size_t page_count;
	struct scar_logs_event *events;
	size_t count, room;
};

static void clear_found(struct found *found)
{
	for (size_t i = 0; i < found->page_count; i++)
		scar_json_free(found->pages[i]);
	free(found->pages);
	free(found->events);
	*found = (struct found){.pages = NULL};
}

static int add_event(struct found *found, const struct scar_json *item, struct scar_err *err)
{
	if (found->count == EVENTS_MAX)
		return scar_err_set(
			err, SCAR_ERR_LIMIT,
			"more than %d log events: ask for a shorter time, or for one stream",
			EVENTS_MAX);
	if (found->count == found->room) {
		size_t room = found->room ? 2 * found->room : 256;
		struct scar_logs_event *more = realloc(found->events, room * sizeof *more);

		if (!more)
			return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
		found->events = more;
		found->room = room;
	}
	found->events[found->count++] = (struct scar_logs_event){
		.stream = text_of(item, "logStreamName"),
		.message = text_of(item, "message"),
		.time_ms = number_of(item, "timestamp"),
		.id = text_of(item, "eventId"),
	};
	return 0;
}

/* Takes the page over. */
static int add_page(struct found *found, struct scar_json *page, struct scar_err *err)
{
	struct scar_json **more = realloc(found->pages,
					  (found->page_count + 1) * sizeof(struct scar_json *));
	const struct scar_json *item;

	if (!more) {
		scar_json_free(page);
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	}
	found->pages = more;
	found->pages[found->page_count++] = page;
	for (item = scar_json_first(scar_json_get(page, "events")); item;
	     item = scar_json_next(item)) {
		if (add_event(found, item, err) < 0)
			return -1;
	}
	return 0;
}

/* AWS orders within a page only, and by stream. Equal times keep their order. */
static int by_time(const void *a, const void *b)
{
	const struct scar_logs_event *x = a, *y = b;

	if (x->time_ms != y->time_ms)
		return x->time_ms < y->time_ms ? -1 : 1;
	return strcmp(x->id, y->id);
}

static int find(struct scar_aws *aws, const struct scar_logs_query *query, int64_t since_ms,
		struct found *found, struct scar_err *err)
{
	scar_free_auto char *token = NULL;

	do {
		struct scar_json *page = NULL;
		const char *next;

		if (ask_page(aws, query, since_ms, token, &page, err) < 0 ||
		    add_page(found, page, err) < 0)
			return -1;
		/* A page may be empty and yet not the last. */
		next = scar_json_string(scar_json_get(page, "nextToken"));
		if (next && token && strcmp(next, token) == 0)
			return scar_err_set(err, SCAR_ERR_PROTOCOL,
					    "logs FilterLogEvents: the same page comes again");
		free(token);
		token = NULL;
		if (next && scar_aws_copy(next, &token, err) < 0)
			return -1;
	} while (token);
	if (found->count)
		qsort(found->events, found->count, sizeof found->events[0], by_time);
	return 0;
}

int scar_logs_filter(struct scar_aws *aws, const struct scar_logs_query *query, scar_logs_each each,
		     void *ctx, struct scar_err *err)
{
	struct found found = {.pages = NULL};
	int status = find(aws, query, query->since_ms, &found, err);

	for (size_t i = 0; status == 0 && i < found.count; i++)
		status = each(ctx, &found.events[i], err);
	clear_found(&found);
	return status < 0 ? -1 : 0;
}

/* ---- following ---- */

/* Which events were given, of those that another look may find again. */
struct seen {
	struct {
		char *id;
		int64_t time_ms;
	} * list;
	size_t count;
	int64_t newest_ms;
};

static bool was_seen(const struct seen *seen, const char *id)
{
	for (size_t i = seen->count; i > 0; i--) {
		if (strcmp(seen->list[i - 1].id, id) == 0)
			return true;
	}
	return false;
}

static void forget_old(struct seen *seen)
{
	size_t kept = 0;

	for (size_t i = 0; i < seen->count; i++) {
		if (seen->list[i].time_ms >= seen->newest_ms - FOLLOW_OVERLAP_MS)
			seen->list[kept++] = seen->list[i];
		else
			free(seen->list[i].id);
	}
	seen->count = kept;
}

static int note_seen(struct seen *seen, const struct scar_logs_event *event, struct scar_err *err)
{
	char *id = NULL;
	void *more;

	if (seen->count == SEEN_MAX)
		return scar_err_set(err, SCAR_ERR_LIMIT, "more than %d log events in %d s",
				    SEEN_MAX, FOLLOW_OVERLAP_MS / 1000);
	more = realloc(seen->list, (seen->count + 1) * sizeof seen->list[0]);
	if (!more)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	seen->list = more;
	if (scar_aws_copy(event->id, &id, err) < 0)
		return -1;
	seen->list[seen->count].id = id;
	seen->list[seen->count++].time_ms = event->time_ms;
	if (event->time_ms > seen->newest_ms)
		seen->newest_ms = event->time_ms;
	return 0;
}

static int give_new(const struct found *found, struct seen *seen, scar_logs_each each, void *ctx,
		    struct scar_err *err)
{
	int status = 0;

	for (size_t i = 0; status == 0 && i < found->count; i++) {
		if (was_seen(seen, found->events[i].id))
			continue;
		if (note_seen(seen, &found->events[i], err) < 0)
			return -1;
		status = each(ctx, &found->events[i], err);
	}
	forget_old(seen);
	return status;
}

int scar_logs_follow(struct scar_aws *aws, const struct scar_logs_query *query, scar_logs_each each,
		     void *ctx, struct scar_err *err)
{
	struct seen seen = {.newest_ms = query->since_ms};
	int status = 0;

	while (status == 0) {
		struct found found = {.pages = NULL};
		int64_t since_ms = seen.newest_ms - FOLLOW_OVERLAP_MS;

		/* Never before what was asked for. */
		if (since_ms < query->since_ms)
			since_ms = query->since_ms;
		status = find(aws, query, since_ms, &found, err);
		if (status < 0 && err->kind == SCAR_ERR_NOT_FOUND)
			status = 0;
		if (status == 0)
			status = give_new(&found, &seen, each, ctx, err);
		clear_found(&found);
		if (status == 0)
			status = scar_aws_sleep(aws, FOLLOW_PAUSE_MS, err);
	}
	seen.newest_ms = INT64_MAX;
	forget_old(&seen);
	free(seen.list);
	return status < 0 ? -1 : 0;
}

/* ---- one stream ---- */

int scar_logs_get_stream(struct scar_aws *aws, const char *group, const char *stream,
			 scar_logs_each each, void *ctx, struct scar_err *err)
{
	scar_free_auto char *token = NULL;

	for (;;) {
		scar_json_auto struct scar_json *page = NULL;
		scar_buf_auto struct scar_buf body;
		const struct scar_json *item;
		struct scar_json_writer w;
		const char *next;

		scar_buf_init(&body, BODY_MAX);
		scar_json_writer_init(&w, &body, err);
		scar_json_write_open(&w, NULL, '{');
		scar_json_write_string(&w, "logGroupName", group);
		scar_json_write_string(&w, "logStreamName", stream);
		scar_json_write_bool(&w, "startFromHead", true);
		scar_json_write_string(&w, "nextToken", token);
		scar_json_write_close(&w, '}');
		if (send(aws, "GetLogEvents", &w, &page, err) < 0)
			return -1;
		for (item = scar_json_first(scar_json_get(page, "events")); item;
		     item = scar_json_next(item)) {
			const struct scar_logs_event event = {stream, text_of(item, "message"),
							      number_of(item, "timestamp"), ""};
			int status = each(ctx, &event, err);

			if (status)
				return status < 0 ? -1 : 0;
		}
		/* The end has the token that was asked with. */
		next = scar_json_string(scar_json_get(page, "nextForwardToken"));
		if (!next || (token && strcmp(next, token) == 0))
			return 0;
		free(token);
		token = NULL;
		if (scar_aws_copy(next, &token, err) < 0)
			return -1;
	}
}
