/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file log.h
 * Structured log lines on stderr (fd 2). One write(2) a line. Text or JSON, as
 * AWS_LAMBDA_LOG_FORMAT asks. The level, the format and the request id are the
 * process-wide state that architecture.md allows; set them from the main thread only.
 *
 * Never log a payload, a token, a credential or a query string: URLs go through
 * scar_log_url(), which keeps scheme, host and path only.
 */
#ifndef SCAR_RUNTIME_BASE_LOG_H
#define SCAR_RUNTIME_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

struct scar_buf;
struct scar_err;

enum scar_log_level {
	SCAR_LOG_TRACE,
	SCAR_LOG_DEBUG,
	SCAR_LOG_INFO,
	SCAR_LOG_WARN,
	SCAR_LOG_ERROR,
	SCAR_LOG_FATAL,
	SCAR_LOG_OFF
};

struct scar_log_options {
	enum scar_log_level level; /**< lines below are dropped */
	int json;                  /**< 0: text, 1: one JSON object a line */
	const char *program;       /**< borrowed, e.g. "bootstrap" */
};

void scar_log_setup(const struct scar_log_options *options);
/** Parses TRACE DEBUG INFO WARN(ING) ERROR CRITICAL|FATAL in any case. @return -1 if unknown */
int scar_log_level_parse(const char *text, enum scar_log_level *ret_level);
/** The request id put on every line from now on; "" or NULL: none. Copied. */
void scar_log_set_request_id(const char *request_id);
int scar_log_enabled(enum scar_log_level level);
/** Whether lines are JSON objects. */
bool scar_log_is_json(void);
/**
 * Appends one line, a JSON object with its newline, that says what another program, `logger`, wrote: `text` of `len` bytes, any
 * bytes, with time and request id of now. It is of level INFO, since nothing tells another. Safe from any thread.
 */
int scar_log_append_line(struct scar_buf *buf, const char *logger, const char *text, size_t len,
			 struct scar_err *err);
/**
 * Appends a JSON object that another program wrote as its own line of a log, with a newline: as it is, but for the request id, which is put
 * in front if it has none. @return 1; 0: it is no JSON object, and nothing was appended; -1
 */
int scar_log_append_object(struct scar_buf *buf, const char *text, size_t len,
			   struct scar_err *err);
void scar_log(enum scar_log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/** Copies scheme://host[:port]/path of url into dst: no user info, query or fragment. @return dst */
const char *scar_log_url(const char *url, char *dst, size_t size);

#define scar_debug(...) scar_log(SCAR_LOG_DEBUG, __VA_ARGS__)
#define scar_info(...) scar_log(SCAR_LOG_INFO, __VA_ARGS__)
#define scar_warn(...) scar_log(SCAR_LOG_WARN, __VA_ARGS__)
#define scar_error(...) scar_log(SCAR_LOG_ERROR, __VA_ARGS__)

#endif
