/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/utf8.h"

#define TEXT_MAX 4096
#define LINE_MAX_BYTES (6 * TEXT_MAX + 1024) /* each byte may become \u00xx */
#define REQUEST_ID_MAX 128
#define URL_SHOWN_MAX 1024

/* The process-wide state that architecture.md allows. */
static struct scar_log_options setup = {.level = SCAR_LOG_INFO, .program = "scar"};
static char request_id[REQUEST_ID_MAX];

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
	snprintf(request_id, sizeof request_id, "%s", id ? id : "");
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

static void add_time(struct line *line)
{
	struct timespec now;
	struct tm tm;
	char text[64];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ", tm.tm_year + 1900,
		 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		 now.tv_nsec / 1000000);
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
	add_time(line);
	add_char(line, ' ');
	if (request_id[0]) {
		add_escaped(line, request_id, false);
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
	add(line, "{\"timestamp\":\"");
	add_time(line);
	add(line, "\",\"level\":\"");
	add(line, level_names[level]);
	add(line, "\",\"logger\":\"");
	add_escaped(line, setup.program, true);
	if (request_id[0]) {
		add(line, "\",\"requestId\":\"");
		add_escaped(line, request_id, true);
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
