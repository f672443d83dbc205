/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/status.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/http.h"
#include "runtime/base/json.h"

#define DETAIL_MAX 256
#define HEADER_MAX 128

int64_t scar_status_retry_after_ms(const char *value, int64_t now_ms)
{
	struct tm tm = {.tm_sec = 0};
	int64_t seconds = 0;
	const char *end;
	time_t when;

	if (value[0] >= '0' && value[0] <= '9') {
		for (end = value; *end >= '0' && *end <= '9'; end++) {
			if (seconds < INT32_MAX)
				seconds = seconds * 10 + (*end - '0');
		}
		return *end ? 0 : seconds * 1000;
	}
	/* IMF-fixdate; the two obsolete forms are not sent by servers of today. */
	end = strptime(value, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	if (!end || *end)
		return 0;
	when = timegm(&tm);
	return (int64_t)when * 1000 > now_ms ? (int64_t)when * 1000 - now_ms : 0;
}

/** A server's text in our message: printable ASCII only, so that it cannot forge log lines. */
static void copy_printable(const char *text, char *dst, size_t size)
{
	size_t n = 0;

	for (; text && *text && n + 1 < size; text++)
		dst[n++] = *text < ' ' || *text > '~' ? ' ' : *text;
	dst[n] = '\0';
}

/** " (CODE: message)" of the first error in a body of the distribution specification; "" without one. */
static void read_detail(const struct scar_http_response *resp, char detail[DETAIL_MAX])
{
	scar_json_auto struct scar_json *root = NULL;
	struct scar_err ignored;
	const struct scar_json *first;
	const char *code, *message;
	char text[DETAIL_MAX - 8];
	char both[DETAIL_MAX];

	detail[0] = '\0';
	if (!resp->body.len ||
	    scar_json_parse(resp->body.data, resp->body.len, "errors", &root, &ignored) < 0)
		return;
	first = scar_json_first(scar_json_get(root, "errors"));
	code = scar_json_string(scar_json_get(first, "code"));
	message = scar_json_string(scar_json_get(first, "message"));
	if (!code && !message)
		return;
	snprintf(both, sizeof(both), "%s%s%s", code ? code : "", code && message ? ": " : "",
		 message ? message : "");
	copy_printable(both, text, sizeof(text));
	snprintf(detail, DETAIL_MAX, " (%s)", text);
}

static int not_found(const struct scar_status_context *context, const char *detail,
		     struct scar_err *err)
{
	return scar_err_set(err, SCAR_ERR_NOT_FOUND,
			    "%s has no %s%s: check the spelling of name and tag", context->registry,
			    context->what, detail);
}

/** Registries answer 401 or 403 for what is not there, too, lest private names be guessed. */
static int denied(const struct scar_status_context *context, int status, const char *detail,
		  struct scar_err *err)
{
	const char *why = "the repository does not exist or the given user may not pull it";

	if (context->elsewhere)
		return scar_err_set(err, SCAR_ERR_AUTH, "%s, where %s keeps the %s, answered %d%s",
				    context->elsewhere, context->registry, context->what, status,
				    detail);
	if (!context->has_credentials)
		why = "the repository does not exist or is private (then give a user name and "
		      "password)";
	else if (status == 401)
		why = "user name or password is wrong, or the repository does not exist";
	return scar_err_set(err, SCAR_ERR_AUTH, "%s refused access to the %s, HTTP %d%s: %s",
			    context->registry, context->what, status, detail, why);
}

/** Docker Hub: "0;w=21600", pulls left in a window of seconds. */
static bool window_is_used_up(const struct scar_http_response *resp, char limits[HEADER_MAX])
{
	char limit[HEADER_MAX / 4] = "", left[HEADER_MAX / 4] = "";

	limits[0] = '\0';
	if (!scar_http_header_get(resp, "ratelimit-remaining", 0, left, sizeof(left)))
		return false;
	(void)scar_http_header_get(resp, "ratelimit-limit", 0, limit, sizeof(limit));
	snprintf(limits, HEADER_MAX, " [limit %.31s, remaining %.31s]", limit[0] ? limit : "?",
		 left);
	copy_printable(limits, limits, HEADER_MAX);
	return left[0] == '0' && (left[1] == '\0' || left[1] == ';');
}

static int rate_limited(const struct scar_http_response *resp,
			const struct scar_status_context *context, const char *detail,
			int64_t wait_ms, bool *ret_retry, struct scar_err *err)
{
	char limits[HEADER_MAX], wait[64] = "";
	bool used_up = window_is_used_up(resp, limits);

	*ret_retry = wait_ms ? wait_ms <= SCAR_RETRY_AFTER_MAX_MS : !used_up;
	if (wait_ms)
		snprintf(wait, sizeof(wait), ", try again in %lld s", (long long)(wait_ms / 1000));
	return scar_err_set(
		err, SCAR_ERR_RATE_LIMIT, "%s limits the rate of pulls: no %s, HTTP 429%s%s%s%s",
		context->registry, context->what, detail, limits, wait,
		context->has_credentials ? ""
					 : "; log in, or copy the image to a registry of your own");
}

int scar_status_error(const struct scar_http_response *resp,
		      const struct scar_status_context *context, bool *ret_retry,
		      int64_t *ret_wait_ms, struct scar_err *err)
{
	const char *who = context->elsewhere ? context->elsewhere : context->registry;
	char detail[DETAIL_MAX], retry_after[HEADER_MAX];
	int64_t wait_ms = 0;
	int status = resp->status;

	read_detail(resp, detail);
	if (scar_http_header_get(resp, "Retry-After", 0, retry_after, sizeof(retry_after)))
		wait_ms = scar_status_retry_after_ms(retry_after, scar_clock_epoch_ms());
	*ret_wait_ms = wait_ms;
	*ret_retry = false;
	if (status == 429)
		return rate_limited(resp, context, detail, wait_ms, ret_retry, err);
	if (status == 404)
		return not_found(context, detail, err);
	if (status == 401 || status == 403) {
		/* A signed address may have expired meanwhile: the registry gives a new one. */
		*ret_retry = context->elsewhere != NULL;
		return denied(context, status, detail, err);
	}
	if (status == 408 || status >= 500) {
		*ret_retry = status != 501 && status != 505 && wait_ms <= SCAR_RETRY_AFTER_MAX_MS;
		return scar_err_set(err, SCAR_ERR_UNAVAILABLE,
				    "%s failed to give the %s, HTTP %d%s", who, context->what,
				    status, detail);
	}
	return scar_err_set(err, SCAR_ERR_PROTOCOL, "%s answered for the %s with HTTP %d%s", who,
			    context->what, status, detail);
}
