/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/http1.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/err.h"
#include "runtime/base/http1_io.h"
#include "runtime/base/limits.h"

/* Empty lines before a request line, which RFC 9112 section 2.2 asks to tolerate. */
#define EMPTY_LINES_MAX 8
#define INTERIM_RESPONSES_MAX 16

void scar_http1_message_init(struct scar_http1_message *msg)
{
	memset(msg, 0, sizeof *msg);
	scar_buf_init(&msg->head, SCAR_LIMIT_HTTP_HEADER_BYTES);
	scar_buf_init(&msg->trailer, SCAR_LIMIT_HTTP_HEADER_BYTES);
}

void scar_http1_message_clear(struct scar_http1_message *msg)
{
	scar_buf_clear(&msg->head);
	scar_buf_clear(&msg->trailer);
	free(msg->fields);
	scar_http1_message_init(msg);
}

/* Makes the message empty but keeps its memory. */
static void reset(struct scar_http1_message *msg)
{
	struct scar_http1_message kept = *msg;

	memset(msg, 0, sizeof *msg);
	msg->head = kept.head;
	msg->trailer = kept.trailer;
	msg->fields = kept.fields;
	scar_buf_reset(&msg->head);
	scar_buf_reset(&msg->trailer);
}

/* ---- grammar (RFC 9110 section 5.6.2 and 5.5, RFC 9112 section 3 to 5) ---- */

static bool is_token_char(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

bool scar_http1_name_ok(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	if (*p == '\0')
		return false;
	while (is_token_char(*p))
		p++;
	return *p == '\0';
}

bool scar_http1_value_ok(const char *text)
{
	return text[strcspn(text, "\r\n")] == '\0';
}

/* Neither NUL nor another control character than a tab; CR and LF alone would be such. */
static bool is_field_text(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

static int bad(struct scar_err *err, const char *what)
{
	return scar_err_set(err, SCAR_ERR_PROTOCOL, "HTTP: %s", what);
}

/* Cuts the next line off *cursor: NUL over its CRLF. NULL if there is none. */
static char *cut_line(char **cursor, const char *end)
{
	char *line = *cursor;
	char *stop = memmem(line, (size_t)(end - line), "\r\n", 2);

	if (!stop)
		return NULL;
	*stop = '\0';
	*cursor = stop + 2;
	return line;
}

static int parse_field(struct scar_http1_message *msg, char *line, size_t len, struct scar_err *err)
{
	char *colon = memchr(line, ':', len);
	char *value, *end = line + len;

	if (!is_field_text(line, len))
		return bad(err, "control character in a field");
	if (!colon)
		return bad(err, "field without a colon");
	*colon = '\0';
	/* Also refuses obsolete line folding and white space before the colon. */
	if (!scar_http1_name_ok(line))
		return bad(err, "invalid field name");
	value = colon + 1 + strspn(colon + 1, " \t");
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = '\0';
	if (msg->field_count == SCAR_LIMIT_HTTP_HEADERS)
		return scar_err_set(err, SCAR_ERR_LIMIT, "HTTP: more than %d fields",
				    SCAR_LIMIT_HTTP_HEADERS);
	msg->fields[msg->field_count++] = (struct scar_http1_field){line, value};
	return 0;
}

int scar_http1_parse_fields(struct scar_http1_message *msg, struct scar_buf *buf, size_t start,
			    struct scar_err *err)
{
	char *text = buf->data + start;
	const char *end = buf->data + buf->len;

	if (!msg->fields) {
		msg->field_count = 0;
		msg->fields = calloc(SCAR_LIMIT_HTTP_HEADERS, sizeof *msg->fields);
	}
	if (!msg->fields)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	while (text < end) {
		char *line = cut_line(&text, end);

		if (!line)
			return bad(err, "field without a line end");
		if (parse_field(msg, line, (size_t)(text - 2 - line), err) < 0)
			return -1;
	}
	return 0;
}

/* "HTTP/1.0" or "HTTP/1.1" and so on. @return the minor version, -1 if not one */
static int parse_version(const char *text)
{
	static const char prefix[] = "HTTP/1.";

	if (strncmp(text, prefix, sizeof prefix - 1) != 0)
		return -1;
	text += sizeof prefix - 1;
	return *text >= '0' && *text <= '9' ? *text - '0' : -1;
}

static int parse_request_line(struct scar_http1_message *msg, char *line, size_t len,
			      int *ret_minor, struct scar_err *err)
{
	char *target = memchr(line, ' ', len);
	char *version = target ? strchr(target + 1, ' ') : NULL;
	int minor;

	if (!version || strlen(line) != len || !is_field_text(line, len))
		return bad(err, "malformed request line");
	*target++ = '\0';
	*version++ = '\0';
	minor = parse_version(version);
	if (!scar_http1_name_ok(line) || *target == '\0' || strchr(target, '\t') || minor < 0 ||
	    strlen(version) != 8)
		return bad(err, "malformed request line");
	msg->method = line;
	msg->target = target;
	*ret_minor = minor;
	return 0;
}

static int parse_status_line(struct scar_http1_message *msg, const char *line, size_t len,
			     int *ret_minor, struct scar_err *err)
{
	int minor = parse_version(line);
	int status = 0;

	if (minor < 0 || len < 12 || line[8] != ' ' || !is_field_text(line, len) ||
	    (len > 12 && line[12] != ' '))
		return bad(err, "malformed status line");
	for (size_t i = 9; i < 12; i++) {
		if (line[i] < '0' || line[i] > '9')
			return bad(err, "malformed status line");
		status = status * 10 + (line[i] - '0');
	}
	if (status < 100)
		return bad(err, "malformed status line");
	msg->status = status;
	*ret_minor = minor;
	return 0;
}

/* ---- framing (RFC 9112 section 6.3) ---- */

static int parse_length(const char *text, uint64_t *ret_length)
{
	uint64_t length = 0;

	if (*text == '\0')
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || __builtin_mul_overflow(length, 10, &length) ||
		    __builtin_add_overflow(length, (uint64_t)(*text - '0'), &length))
			return -1;
	}
	*ret_length = length;
	return 0;
}

/* Is `token` an element of a comma-separated list? */
static bool has_token(const char *list, const char *token)
{
	size_t token_len = strlen(token);

	while (*list) {
		size_t len;

		list += strspn(list, ", \t");
		len = strcspn(list, ", \t");
		if (len == token_len && strncasecmp(list, token, len) == 0)
			return true;
		list += len;
	}
	return false;
}

struct framing_fields {
	bool chunked;
	bool has_length;
	bool close;
	bool keep_alive;
};

static int read_framing_fields(struct scar_http1_message *msg, struct framing_fields *ret_found,
			       struct scar_err *err)
{
	struct framing_fields found = {0};

	for (size_t i = 0; i < msg->field_count; i++) {
		const struct scar_http1_field *field = &msg->fields[i];
		uint64_t length;

		if (strcasecmp(field->name, "Content-Length") == 0) {
			if (parse_length(field->value, &length) < 0)
				return bad(err, "invalid Content-Length");
			if (found.has_length && length != msg->content_length)
				return bad(err, "two different Content-Length fields");
			found.has_length = true;
			msg->content_length = length;
		} else if (strcasecmp(field->name, "Transfer-Encoding") == 0) {
			if (found.chunked || strcasecmp(field->value, "chunked") != 0)
				return bad(err, "unsupported Transfer-Encoding");
			found.chunked = true;
		} else if (strcasecmp(field->name, "Connection") == 0) {
			found.close = found.close || has_token(field->value, "close");
			found.keep_alive = found.keep_alive ||
					   has_token(field->value, "keep-alive");
		}
	}
	*ret_found = found;
	return 0;
}

static enum scar_http1_framing choose_framing(const struct scar_http1_message *msg,
					      const struct framing_fields *found, bool head_request)
{
	bool response = msg->status != 0;

	if (response &&
	    (head_request || msg->status < 200 || msg->status == 204 || msg->status == 304))
		return SCAR_HTTP1_NO_BODY;
	if (found->chunked)
		return SCAR_HTTP1_CHUNKED;
	if (found->has_length)
		return SCAR_HTTP1_LENGTH;
	return response ? SCAR_HTTP1_UNTIL_CLOSE : SCAR_HTTP1_NO_BODY;
}

static int decide_framing(struct scar_http1_message *msg, int minor, bool head_request,
			  struct scar_err *err)
{
	struct framing_fields found = {0};

	if (read_framing_fields(msg, &found, err) < 0)
		return -1;
	/* Either could hide a second message from one of two readers (RFC 9112 sections 6.1 and 11.2). */
	if (found.chunked && found.has_length)
		return bad(err, "both Content-Length and Transfer-Encoding");
	if (found.chunked && minor == 0)
		return bad(err, "Transfer-Encoding in HTTP/1.0");
	msg->framing = choose_framing(msg, &found, head_request);
	msg->keep_alive = !found.close && (minor > 0 || found.keep_alive) &&
			  msg->framing != SCAR_HTTP1_UNTIL_CLOSE;
	msg->left = msg->framing == SCAR_HTTP1_LENGTH ? msg->content_length : 0;
	msg->done = msg->framing == SCAR_HTTP1_NO_BODY ||
		    (msg->framing == SCAR_HTTP1_LENGTH && msg->left == 0);
	return 0;
}

/* ---- heads ---- */

/* Reads until the empty line; its head without that line goes to msg->head. */
static int read_head(struct scar_http1 *conn, struct scar_http1_message *msg, int64_t deadline_us,
		     struct scar_err *err)
{
	size_t scanned = 0, head_len;

	for (;;) {
		size_t ready = scar_http1_buffered(conn);
		const char *text = scar_http1_peek(conn), *end;
		int n;

		end = memmem(text + scanned, ready - scanned, "\r\n\r\n", 4);
		head_len = end ? (size_t)(end - text) + 2 : ready;
		if (head_len > SCAR_LIMIT_HTTP_HEADER_BYTES)
			return scar_err_set(err, SCAR_ERR_LIMIT,
					    "HTTP: head of more than %zu bytes",
					    SCAR_LIMIT_HTTP_HEADER_BYTES);
		if (end)
			break;
		scanned = ready > 3 ? ready - 3 : 0;
		n = scar_http1_fill(conn, deadline_us, err);
		if (n < 0)
			return -1;
		if (n == 0)
			return ready == 0 ? 0 : bad(err, "connection closed inside a head");
	}
	if (scar_buf_append(&msg->head, scar_http1_peek(conn), head_len, err) < 0)
		return -1;
	scar_http1_skip(conn, head_len + 2);
	return 1;
}

/* Drops empty lines before a request. @return as read_head() */
static int skip_empty_lines(struct scar_http1 *conn, int64_t deadline_us, struct scar_err *err)
{
	for (int i = 0; i < EMPTY_LINES_MAX; i++) {
		while (scar_http1_buffered(conn) < 2) {
			int n;

			if (scar_http1_buffered(conn) == 1 && *scar_http1_peek(conn) != '\r')
				return 1;
			n = scar_http1_fill(conn, deadline_us, err);
			if (n < 0)
				return -1;
			if (n == 0)
				return scar_http1_buffered(conn) == 0 && i == 0
					       ? 0
					       : bad(err, "connection closed inside a head");
		}
		if (memcmp(scar_http1_peek(conn), "\r\n", 2) != 0)
			return 1;
		scar_http1_skip(conn, 2);
	}
	return bad(err, "too many empty lines");
}

int scar_http1_read_request(struct scar_http1 *conn, struct scar_http1_message *msg,
			    int64_t deadline_us, struct scar_err *err)
{
	char *cursor, *line;
	int minor = 0, status;

	reset(msg);
	status = skip_empty_lines(conn, deadline_us, err);
	if (status == 1)
		status = read_head(conn, msg, deadline_us, err);
	if (status != 1)
		return status;
	cursor = msg->head.data;
	line = cut_line(&cursor, msg->head.data + msg->head.len);
	if (!line)
		return bad(err, "malformed request line");
	if (parse_request_line(msg, line, (size_t)(cursor - 2 - line), &minor, err) < 0 ||
	    scar_http1_parse_fields(msg, &msg->head, (size_t)(cursor - msg->head.data), err) < 0 ||
	    decide_framing(msg, minor, false, err) < 0)
		return -1;
	return 1;
}

static int read_one_response(struct scar_http1 *conn, struct scar_http1_message *msg,
			     bool head_request, int64_t deadline_us, struct scar_err *err)
{
	char *cursor, *line;
	int minor = 0, status;

	reset(msg);
	status = read_head(conn, msg, deadline_us, err);
	if (status != 1)
		return status;
	cursor = msg->head.data;
	line = cut_line(&cursor, msg->head.data + msg->head.len);
	if (!line)
		return bad(err, "malformed status line");
	if (parse_status_line(msg, line, (size_t)(cursor - 2 - line), &minor, err) < 0 ||
	    scar_http1_parse_fields(msg, &msg->head, (size_t)(cursor - msg->head.data), err) < 0 ||
	    decide_framing(msg, minor, head_request, err) < 0)
		return -1;
	return 1;
}

int scar_http1_read_response(struct scar_http1 *conn, struct scar_http1_message *msg,
			     bool head_request, int64_t deadline_us, struct scar_err *err)
{
	for (int i = 0; i < INTERIM_RESPONSES_MAX; i++) {
		int status = read_one_response(conn, msg, head_request, deadline_us, err);

		if (status == 0 && i > 0)
			return bad(err, "connection closed after an interim response");
		if (status != 1)
			return status;
		/* 101 would change the protocol, which nobody here asks for. */
		if (msg->status == 101)
			return bad(err, "unexpected 101 Switching Protocols");
		if (msg->status >= 200)
			return 1;
	}
	return bad(err, "too many interim responses");
}

const char *scar_http1_field(const struct scar_http1_message *msg, const char *name)
{
	for (size_t i = 0; i < msg->field_count; i++) {
		if (strcasecmp(msg->fields[i].name, name) == 0)
			return msg->fields[i].value;
	}
	return NULL;
}
