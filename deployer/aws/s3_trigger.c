/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bucket notifications. PUT replaces the whole document, and it has no version to guard it: so what others have set is sent back
 * as it came, nothing is sent that changes nothing, and what was sent is looked at again.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "deployer/aws/s3_private.h"
#include "deployer/aws/xml.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

#define DOCUMENT_MAX SCAR_MIB(1)
#define EVENTS_MAX 32
/* How long S3 may not see yet that the function lets it in. */
#define PATIENCE_MS 60000
/* Somebody else's change between our look and our change. */
#define RACES_MAX 3
#define ENTRY "CloudFunctionConfiguration"

static const char *const default_events[] = {"s3:ObjectCreated:*", NULL};

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

/* ---- reading ---- */

static int get_document(struct scar_aws *aws, const char *bucket, struct scar_aws_answer *answer,
			struct scar_err *err)
{
	const struct scar_aws_call call = {.service = SCAR_AWS_S3,
					   .operation = "GetBucketNotificationConfiguration",
					   .method = "GET",
					   .bucket = bucket,
					   .query = "notification="};

	return scar_aws_perform(aws, &call, answer, err);
}

/* What filters the keys of an entry: "prefix" or "suffix"; NULL: nothing. */
static const char *filter_of(const struct scar_xml *entry, const char *name)
{
	const struct scar_xml *rule = scar_xml_first(scar_xml_at(entry, "Filter/S3Key"),
						     "FilterRule");

	for (; rule; rule = scar_xml_next(rule, "FilterRule")) {
		/* S3 writes the names back with a capital letter. */
		if (strcasecmp(or_empty(scar_xml_text_at(rule, "Name")), name) == 0)
			return scar_xml_text_at(rule, "Value");
	}
	return NULL;
}

/* Older servers call the function's ARN otherwise. */
static const char *function_of(const struct scar_xml *entry)
{
	const char *arn = scar_xml_text_at(entry, "CloudFunction");

	return or_empty(arn ? arn : scar_xml_text_at(entry, "LambdaFunctionArn"));
}

static bool is_entry(const struct scar_xml *node)
{
	return strcmp(scar_xml_name(node), ENTRY) == 0 ||
	       strcmp(scar_xml_name(node), "LambdaFunctionConfiguration") == 0;
}

static bool is_ours(const struct scar_xml *node, const char *id, const char *function_arn)
{
	if (!is_entry(node))
		return false;
	if (id)
		return strcmp(or_empty(scar_xml_text_at(node, "Id")), id) == 0;
	return strcmp(function_of(node), function_arn) == 0;
}

static bool has_event(const struct scar_xml *entry, const char *event)
{
	const struct scar_xml *node = scar_xml_first(entry, "Event");

	for (; node; node = scar_xml_next(node, "Event")) {
		if (strcmp(scar_xml_text(node), event) == 0)
			return true;
	}
	return false;
}

static bool is_as_wanted(const struct scar_xml *entry, const struct scar_s3_trigger *trigger)
{
	const char *const *events = trigger->events ? trigger->events : default_events;
	size_t count = 0, wanted = 0;

	for (const struct scar_xml *node = scar_xml_first(entry, "Event"); node;
	     node = scar_xml_next(node, "Event"))
		count++;
	for (; events[wanted]; wanted++) {
		if (!has_event(entry, events[wanted]))
			return false;
	}
	return count == wanted && strcmp(function_of(entry), trigger->function_arn) == 0 &&
	       strcmp(or_empty(filter_of(entry, "prefix")), or_empty(trigger->prefix)) == 0 &&
	       strcmp(or_empty(filter_of(entry, "suffix")), or_empty(trigger->suffix)) == 0;
}

/* ---- writing ---- */

static int write_rule(struct scar_buf *body, const char *name, const char *value,
		      struct scar_err *err)
{
	if (!value || !*value)
		return 0;
	if (scar_buf_printf(body, err, "<FilterRule><Name>%s</Name>", name) < 0 ||
	    scar_xml_append_element(body, "Value", value, err) < 0)
		return -1;
	return scar_buf_append_str(body, "</FilterRule>", err);
}

static int write_filter(struct scar_buf *body, const struct scar_s3_trigger *trigger,
			struct scar_err *err)
{
	if (!*or_empty(trigger->prefix) && !*or_empty(trigger->suffix))
		return 0;
	if (scar_buf_append_str(body, "<Filter><S3Key>", err) < 0 ||
	    write_rule(body, "prefix", trigger->prefix, err) < 0 ||
	    write_rule(body, "suffix", trigger->suffix, err) < 0)
		return -1;
	return scar_buf_append_str(body, "</S3Key></Filter>", err);
}

static int write_entry(struct scar_buf *body, const struct scar_s3_trigger *trigger,
		       struct scar_err *err)
{
	const char *const *event = trigger->events ? trigger->events : default_events;

	if (scar_buf_append_str(body, "<" ENTRY ">", err) < 0 ||
	    scar_xml_append_element(body, "Id", trigger->id, err) < 0 ||
	    scar_xml_append_element(body, "CloudFunction", trigger->function_arn, err) < 0)
		return -1;
	for (; *event; event++) {
		if (scar_xml_append_element(body, "Event", *event, err) < 0)
			return -1;
	}
	if (write_filter(body, trigger, err) < 0)
		return -1;
	return scar_buf_append_str(body, "</" ENTRY ">", err);
}

/* Everything but our entries, and then the one that is wanted, if any. */
static int write_document(const struct scar_xml *document, const char *id, const char *function_arn,
			  const struct scar_s3_trigger *trigger, struct scar_buf *body,
			  struct scar_err *err)
{
	const struct scar_xml *node = scar_xml_first(document, NULL);

	if (scar_buf_append_str(body,
				"<NotificationConfiguration "
				"xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">",
				err) < 0)
		return -1;
	for (; node; node = scar_xml_next(node, NULL)) {
		if (!is_ours(node, id, function_arn) && scar_xml_print(node, body, err) < 0)
			return -1;
	}
	if (trigger && write_entry(body, trigger, err) < 0)
		return -1;
	return scar_buf_append_str(body, "</NotificationConfiguration>", err);
}

static int put_document(struct scar_aws *aws, const char *bucket, const struct scar_buf *body,
			struct scar_err *err)
{
	const struct scar_aws_call call = {.service = SCAR_AWS_S3,
					   .operation = "PutBucketNotificationConfiguration",
					   .method = "PUT",
					   .bucket = bucket,
					   .query = "notification=",
					   .body = body->data,
					   .body_len = body->len};
	struct scar_aws_patience patience = scar_aws_patience(PATIENCE_MS, 1000, 8000);
	scar_aws_answer_auto struct scar_aws_answer answer;

	scar_aws_answer_init(&answer);
	for (;;) {
		if (scar_aws_perform(aws, &call, &answer, err) == 0)
			return 0;
		/* The function's permission is not everywhere yet. */
		if (!scar_aws_failed_with(aws, "InvalidArgument") ||
		    !strstr(scar_aws_failure(aws)->message,
			    "Unable to validate the following destination") ||
		    !scar_aws_try_again(aws, &patience, err))
			return -1;
	}
}

/* ---- the three operations ---- */

/* How many entries of ours there are, and whether the only one is as wanted. */
static size_t count_ours(const struct scar_xml *document, const char *id, const char *function_arn,
			 const struct scar_s3_trigger *trigger, bool *ret_as_wanted)
{
	const struct scar_xml *node = scar_xml_first(document, NULL);
	size_t count = 0;
	bool as_wanted = trigger != NULL;

	for (; node; node = scar_xml_next(node, NULL)) {
		if (!is_ours(node, id, function_arn))
			continue;
		count++;
		as_wanted = as_wanted && is_as_wanted(node, trigger);
	}
	*ret_as_wanted = trigger ? count == 1 && as_wanted : count == 0;
	return count;
}

static int change(struct scar_aws *aws, const char *bucket, const char *id,
		  const char *function_arn, const struct scar_s3_trigger *trigger,
		  bool *ret_changed, struct scar_err *err)
{
	bool changed = false;

	for (int race = 0;; race++) {
		scar_aws_answer_auto struct scar_aws_answer answer;
		scar_buf_auto struct scar_buf body;
		bool as_wanted;

		scar_aws_answer_init(&answer);
		scar_buf_init(&body, DOCUMENT_MAX);
		if (get_document(aws, bucket, &answer, err) < 0)
			return -1;
		count_ours(answer.xml, id, function_arn, trigger, &as_wanted);
		if (as_wanted)
			break;
		if (race == RACES_MAX)
			return scar_err_set(
				err, SCAR_ERR_CONFIG,
				"the notifications of the bucket %s do not stay as they "
				"are set: somebody else changes them at the same time",
				bucket);
		if (write_document(answer.xml, id, function_arn, trigger, &body, err) < 0 ||
		    put_document(aws, bucket, &body, err) < 0)
			return -1;
		changed = true;
	}
	if (ret_changed)
		*ret_changed = changed;
	return 0;
}

int scar_s3_put_trigger(struct scar_aws *aws, const struct scar_s3_trigger *trigger,
			bool *ret_changed, struct scar_err *err)
{
	return change(aws, trigger->bucket, trigger->id, trigger->function_arn, trigger,
		      ret_changed, err);
}

int scar_s3_delete_trigger(struct scar_aws *aws, const char *bucket, const char *id,
			   const char *function_arn, bool *ret_changed, struct scar_err *err)
{
	if (change(aws, bucket, id, function_arn, NULL, ret_changed, err) == 0)
		return 0;
	if (err->kind != SCAR_ERR_NOT_FOUND)
		return -1;
	if (ret_changed)
		*ret_changed = false;
	return 0;
}

static int give_trigger(const struct scar_xml *entry, const char *bucket,
			int (*each)(void *ctx, const struct scar_s3_trigger *trigger,
				    struct scar_err *err),
			void *ctx, struct scar_err *err)
{
	const char *events[EVENTS_MAX + 1];
	const struct scar_xml *event = scar_xml_first(entry, "Event");
	const struct scar_s3_trigger trigger = {
		.bucket = bucket,
		.id = or_empty(scar_xml_text_at(entry, "Id")),
		.function_arn = function_of(entry),
		.events = events,
		.prefix = filter_of(entry, "prefix"),
		.suffix = filter_of(entry, "suffix"),
	};
	size_t count = 0;

	for (; event && count < EVENTS_MAX; event = scar_xml_next(event, "Event"))
		events[count++] = scar_xml_text(event);
	events[count] = NULL;
	return each(ctx, &trigger, err);
}

int scar_s3_list_triggers(struct scar_aws *aws, const char *bucket,
			  int (*each)(void *ctx, const struct scar_s3_trigger *trigger,
				      struct scar_err *err),
			  void *ctx, struct scar_err *err)
{
	scar_aws_answer_auto struct scar_aws_answer answer;
	const struct scar_xml *node;

	scar_aws_answer_init(&answer);
	if (get_document(aws, bucket, &answer, err) < 0)
		return -1;
	for (node = scar_xml_first(answer.xml, NULL); node; node = scar_xml_next(node, NULL)) {
		if (is_entry(node) && give_trigger(node, bucket, each, ctx, err) < 0)
			return -1;
	}
	return 0;
}
