/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/json_scan.h"

#include <stdbool.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/limits.h"
#include "runtime/base/utf8.h"

struct scan {
	const char *start;
	const char *p;
	const char *end;
	size_t depth;
	size_t values;
};

static int bad(const struct scan *scan, const char *what, struct scar_err *err)
{
	return scar_err_set(err, SCAR_ERR_PROTOCOL, "%s at byte %zu", what,
			    (size_t)(scan->p - scan->start));
}

/* The next byte, or NUL at the end: no token may hold a NUL. */
static char peek(const struct scan *scan)
{
	return scan->p < scan->end ? *scan->p : '\0';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* \uXXXX, of which \u0000 cannot be held by a C string. */
static int scan_unicode_escape(struct scan *scan, struct scar_err *err)
{
	bool zero = true;

	for (int i = 0; i < 4; i++) {
		char c = peek(scan);

		if (!is_digit(c) && !(c >= 'a' && c <= 'f') && !(c >= 'A' && c <= 'F'))
			return bad(scan, "invalid escape", err);
		zero = zero && c == '0';
		scan->p++;
	}
	return zero ? bad(scan, "\\u0000 in a string", err) : 0;
}

static int scan_string(struct scan *scan, struct scar_err *err)
{
	scan->p++;
	for (;;) {
		size_t len;
		char c = peek(scan);

		if (scan->p == scan->end)
			return bad(scan, "string without an end", err);
		if (c == '"') {
			scan->p++;
			return 0;
		}
		if ((unsigned char)c < 0x20)
			return bad(scan, "control character in a string", err);
		if (c == '\\') {
			scan->p++;
			c = peek(scan);
			if (c == '\0' || !strchr("\"\\/bfnrtu", c))
				return bad(scan, "invalid escape", err);
			scan->p++;
			if (c == 'u' && scan_unicode_escape(scan, err) < 0)
				return -1;
			continue;
		}
		len = scar_utf8_len(scan->p, (size_t)(scan->end - scan->p));
		if (len == 0)
			return bad(scan, "invalid UTF-8", err);
		scan->p += len;
	}
}

static bool scan_digits(struct scan *scan)
{
	if (!is_digit(peek(scan)))
		return false;
	while (is_digit(peek(scan)))
		scan->p++;
	return true;
}

static bool scan_number(struct scan *scan)
{
	if (peek(scan) == '-')
		scan->p++;
	if (peek(scan) == '0')
		scan->p++;
	else if (!scan_digits(scan))
		return false;
	if (peek(scan) == '.') {
		scan->p++;
		if (!scan_digits(scan))
			return false;
	}
	if (peek(scan) == 'e' || peek(scan) == 'E') {
		scan->p++;
		if (peek(scan) == '+' || peek(scan) == '-')
			scan->p++;
		if (!scan_digits(scan))
			return false;
	}
	return true;
}

static bool scan_literal(struct scan *scan)
{
	static const char *const literals[] = {"true", "false", "null"};
	size_t left = (size_t)(scan->end - scan->p);

	for (size_t i = 0; i < sizeof literals / sizeof literals[0]; i++) {
		size_t len = strlen(literals[i]);

		if (left >= len && memcmp(scan->p, literals[i], len) == 0) {
			scan->p += len;
			return true;
		}
	}
	return false;
}

/* A number or literal, which must not run into the next token. */
static int scan_word(struct scan *scan, struct scar_err *err)
{
	bool number = is_digit(peek(scan)) || peek(scan) == '-';
	char c;

	if (!(number ? scan_number(scan) : scan_literal(scan)))
		return bad(scan, number ? "invalid number" : "unexpected character", err);
	c = peek(scan);
	if (scan->p < scan->end && (c == '\0' || !strchr(" \t\r\n,]}", c)))
		return bad(scan, "unexpected character", err);
	return 0;
}

static int scan_open(struct scan *scan, struct scar_err *err)
{
	scan->p++;
	if (++scan->depth > SCAR_LIMIT_JSON_DEPTH)
		return scar_err_set(err, SCAR_ERR_LIMIT, "nested deeper than %d",
				    SCAR_LIMIT_JSON_DEPTH);
	return 0;
}

static int scan_token(struct scan *scan, struct scar_err *err)
{
	switch (*scan->p) {
	case ' ':
	case '\t':
	case '\r':
	case '\n':
	case ',':
	case ':': scan->p++; return 0;
	case ']':
	case '}':
		if (scan->depth == 0)
			return bad(scan, "unexpected character", err);
		scan->depth--;
		scan->p++;
		return 0;
	default: break;
	}
	if (++scan->values > SCAR_LIMIT_JSON_VALUES)
		return scar_err_set(err, SCAR_ERR_LIMIT, "more than %d values",
				    SCAR_LIMIT_JSON_VALUES);
	switch (*scan->p) {
	case '[':
	case '{': return scan_open(scan, err);
	case '"': return scan_string(scan, err);
	default: return scan_word(scan, err);
	}
}

int scar_json_scan(const char *text, size_t len, struct scar_err *err)
{
	struct scan scan = {.start = text, .p = text, .end = text + len};

	while (scan.p < scan.end) {
		if (scan_token(&scan, err) < 0)
			return -1;
	}
	return 0;
}
