/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/utf8.h"

#define TEXT_MAX 4096
#define LINE_MAX_BYTES (6 * TEXT_MAX + 1024) /* each byte may become \u00xx */
#define REQUEST_ID_MAX 128
#define URL_SHOWN_MAX 1024
#define TIME_MAX 64

/* The process-wide state that architecture.md allows. */
static struct scar_log_options setup = {.level = SCAR_LOG_INFO, .program = "scar"};
static char request_id[REQUEST_ID_MAX];
/* It changes between invocations, while other threads may write what a server of the image says. */
static pthread_mutex_t request_id_lock = PTHREAD_MUTEX_INITIALIZER;

static const char *const level_names[] = {"TRACE", "DEBUG", "INFO", "WARN",
					  "ERROR", "FATAL", "OFF"};

struct line {
	char text[LINE_MAX_BYTES];
	size_t len;
};

void scar_log_setup(const struct scar_log_options *options)
{
	setup = *options;
	if (!setup.program)
		setup.program = "scar";
}

int scar_log_level_parse(const char *text, enum scar_log_level *ret_level)
{
	static const struct {
		const char *name;
		enum scar_log_level level;
	} names[] = {
		{"TRACE", SCAR_LOG_TRACE}, {"DEBUG", SCAR_LOG_DEBUG},    {"INFO", SCAR_LOG_INFO},
		{"WARN", SCAR_LOG_WARN},   {"WARNING", SCAR_LOG_WARN},   {"ERROR", SCAR_LOG_ERROR},
		{"FATAL", SCAR_LOG_FATAL}, {"CRITICAL", SCAR_LOG_FATAL}, {"OFF", SCAR_LOG_OFF},
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strcasecmp(text, names[i].name) == 0) {
			*ret_level = names[i].level;
			return 0;
		}
	}
	return -1;
}

void scar_log_set_request_id(const char *id)
{
	pthread_mutex_lock(&request_id_lock);
	snprintf(request_id, sizeof request_id, "%s", id ? id : "");
	pthread_mutex_unlock(&request_id_lock);
}

static void get_request_id(char id[REQUEST_ID_MAX])
{
	pthread_mutex_lock(&request_id_lock);
	memcpy(id, request_id, REQUEST_ID_MAX);
	pthread_mutex_unlock(&request_id_lock);
}

bool scar_log_is_json(void)
{
	return setup.json;
}

int scar_log_enabled(enum scar_log_level level)
{
	return level >= setup.level && level < SCAR_LOG_OFF;
}

static void add(struct line *line, const char *text)
{
	size_t len = strlen(text);
	size_t room = sizeof line->text - 1 - line->len; /* the newline always fits */

	if (len > room)
		len = room;
	memcpy(line->text + line->len, text, len);
	line->len += len;
}

static void add_char(struct line *line, char c)
{
	add(line, (char[]){c, '\0'});
}

/*
 * A message may quote what came from outside: nothing in it may look like a new line or move a terminal's
 * cursor. JSON escapes serve for both formats; quotes need them in JSON only.
 */
static void add_escaped(struct line *line, const char *text, bool json)
{
	size_t left = strlen(text);

	while (left > 0) {
		size_t len = scar_utf8_len(text, left);
		unsigned char c = (unsigned char)*text;
		char shown[8];

		if (len == 0) {
			len = 1;
			snprintf(shown, sizeof shown, "%s", SCAR_UTF8_REPLACEMENT);
		} else if (c == '\n') {
			snprintf(shown, sizeof shown, "\\n");
		} else if (c < 0x20 || c == 0x7f) {
			snprintf(shown, sizeof shown, "\\u%04x", c);
		} else {
			snprintf(shown, sizeof shown, "%s%.*s",
				 json && (c == '"' || c == '\\') ? "\\" : "", (int)len, text);
		}
		add(line, shown);
		text += len;
		left -= len;
	}
}

static void format_time(char text[TIME_MAX])
{
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	snprintf(text, TIME_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ", tm.tm_year + 1900,
		 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		 now.tv_nsec / 1000000);
}

static void add_time(struct line *line)
{
	char text[TIME_MAX];

	format_time(text);
	add(line, text);
}

static void write_line(struct line *line)
{
	size_t done = 0;

	line->text[line->len++] = '\n';
	while (done < line->len) {
		ssize_t n = write(STDERR_FILENO, line->text + done, line->len - done);

		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno == EINTR)
			continue;
		else
			break; /* nobody is left to tell */
	}
}

static void make_text(struct line *line, enum scar_log_level level, const char *message)
{
	char id[REQUEST_ID_MAX];

	get_request_id(id);
	add_time(line);
	add_char(line, ' ');
	if (id[0]) {
		add_escaped(line, id, false);
		add_char(line, ' ');
	}
	add(line, level_names[level]);
	add_char(line, ' ');
	add(line, setup.program);
	add(line, ": ");
	add_escaped(line, message, false);
}

/* Keys as Lambda's own JSON log lines have them. */
static void make_json(struct line *line, enum scar_log_level level, const char *message)
{
	char id[REQUEST_ID_MAX];

	get_request_id(id);
	add(line, "{\"timestamp\":\"");
	add_time(line);
	add(line, "\",\"level\":\"");
	add(line, level_names[level]);
	add(line, "\",\"logger\":\"");
	add_escaped(line, setup.program, true);
	if (id[0]) {
		add(line, "\",\"requestId\":\"");
		add_escaped(line, id, true);
	}
	add(line, "\",\"message\":\"");
	add_escaped(line, message, true);
	add(line, "\"}");
}

void scar_log(enum scar_log_level level, const char *fmt, ...)
{
	int saved_errno = errno;
	char message[TEXT_MAX];
	struct line line;
	va_list args;

	if (!scar_log_enabled(level))
		return;
	va_start(args, fmt);
	if (vsnprintf(message, sizeof message, fmt, args) < 0)
		message[0] = '\0';
	va_end(args);
	line.len = 0;
	if (setup.json)
		make_json(&line, level, message);
	else
		make_text(&line, level, message);
	write_line(&line);
	errno = saved_errno;
}

/* The member "requestId" and a comma, where there is an id. */
static int append_request_id(struct scar_buf *buf, struct scar_err *err)
{
	char id[REQUEST_ID_MAX];

	get_request_id(id);
	if (!id[0])
		return 0;
	if (scar_buf_append_str(buf, "\"requestId\":", err) < 0 ||
	    scar_json_append_string(buf, id, strlen(id), err) < 0)
		return -1;
	return scar_buf_append_char(buf, ',', err);
}

int scar_log_append_line(struct scar_buf *buf, const char *logger, const char *text, size_t len,
			 struct scar_err *err)
{
	char now[TIME_MAX];

	format_time(now);
	if (scar_buf_printf(buf, err, "{\"timestamp\":\"%s\",\"level\":\"%s\",\"logger\":", now,
			    level_names[SCAR_LOG_INFO]) < 0 ||
	    scar_json_append_string(buf, logger, strlen(logger), err) < 0 ||
	    scar_buf_append_char(buf, ',', err) < 0 || append_request_id(buf, err) < 0 ||
	    scar_buf_append_str(buf, "\"message\":", err) < 0 ||
	    scar_json_append_string(buf, text, len, err) < 0)
		return -1;
	return scar_buf_append_str(buf, "}\n", err);
}

int scar_log_append_object(struct scar_buf *buf, const char *text, size_t len, struct scar_err *err)
{
	scar_json_auto struct scar_json *root = NULL;
	size_t start = 0;
	struct scar_err why;

	while (start < len && (text[start] == ' ' || text[start] == '\t'))
		start++;
	/* Most lines are none; this finds it out without the parser. */
	if (start == len || text[start] != '{')
		return 0;
	if (scar_json_parse(text, len, "a line", &root, &why) < 0)
		return why.kind == SCAR_ERR_NOMEM ? (*err = why, -1) : 0;
	if (scar_json_size(root) == 0 || scar_json_get(root, "requestId"))
		return scar_buf_append(buf, text, len, err) < 0 ||
				       scar_buf_append_char(buf, '\n', err) < 0
			       ? -1
			       : 1;
	start++;
	if (scar_buf_append_char(buf, '{', err) < 0 || append_request_id(buf, err) < 0 ||
	    scar_buf_append(buf, text + start, len - start, err) < 0 ||
	    scar_buf_append_char(buf, '\n', err) < 0)
		return -1;
	return 1;
}

const char *scar_log_url(const char *url, char *dst, size_t size)
{
	const char *colon = strstr(url, "://");
	const char *host = colon ? colon + 3 : url;
	size_t end = strcspn(host, "?#");
	size_t authority = strcspn(host, "/?#\\");
	size_t user = 0;

	if (size == 0)
		return dst;
	for (size_t i = 0; i < authority; i++) {
		if (host[i] == '@')
			user = i + 1;
	}
	if (end > URL_SHOWN_MAX + user)
		end = URL_SHOWN_MAX + user;
	snprintf(dst, size, "%.*s%.*s", (int)(host - url), url, (int)(end - user), host + user);
	return dst;
}
