/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/json.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/json_scan.h"
#include "runtime/base/limits.h"
#include "runtime/base/utf8.h"

/* Whole numbers up to here are exact in the double that cJSON keeps. */
#define EXACT_MAX 9007199254740991.0
/* As many digits any number may have and be the same after it was a double. */
#define EXACT_DIGITS 15

/* struct scar_json is never defined: it is what the rest of the project calls a cJSON. */
static const cJSON *item(const struct scar_json *node)
{
	return (const cJSON *)(const void *)node;
}

static const struct scar_json *node_of(const cJSON *json)
{
	return (const struct scar_json *)(const void *)json;
}

static bool only_space(const char *text, const char *end)
{
	while (text < end && (*text == ' ' || *text == '\t' || *text == '\r' || *text == '\n'))
		text++;
	return text == end;
}

/* ---- numbers that a double cannot hold ---- */

struct numbers {
	const char *at, *end;
};

/* The text was scanned before, so its strings end. */
static void skip_string(struct numbers *numbers)
{
	for (numbers->at++; *numbers->at != '"'; numbers->at++)
		numbers->at += *numbers->at == '\\';
	numbers->at++;
}

/* The next number of the text; its length, 0 after the last one. */
static size_t next_number(struct numbers *numbers, const char **ret_token)
{
	while (numbers->at < numbers->end) {
		size_t len = 0;

		if (*numbers->at == '"') {
			skip_string(numbers);
			continue;
		}
		while (numbers->at + len < numbers->end && numbers->at[len] &&
		       strchr(len ? "0123456789+-.eE" : "0123456789-", numbers->at[len]))
			len++;
		*ret_token = numbers->at;
		numbers->at += len ? len : 1;
		if (len)
			return len;
	}
	return 0;
}

static bool is_long(const char *token, size_t len)
{
	size_t digits = 0;

	for (size_t i = 0; i < len; i++)
		digits += token[i] >= '0' && token[i] <= '9';
	return digits > EXACT_DIGITS;
}

/* cJSON has values in the order of the text. A long number becomes what it prints as it was. */
static int keep_long_numbers(cJSON *node, struct numbers *numbers, struct scar_err *err)
{
	for (; node; node = node->next) {
		const char *token = NULL;
		size_t len;

		if (node->child && keep_long_numbers(node->child, numbers, err) < 0)
			return -1;
		if (!cJSON_IsNumber(node))
			continue;
		len = next_number(numbers, &token);
		if (!is_long(token, len))
			continue;
		node->valuestring = cJSON_malloc(len + 1);
		if (!node->valuestring)
			return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
		memcpy(node->valuestring, token, len);
		node->valuestring[len] = '\0';
		node->type = cJSON_Raw;
	}
	return 0;
}

static bool has_long_number(const char *text, size_t len)
{
	struct numbers numbers = {text, text + len};
	const char *token = NULL;
	size_t token_len;

	while ((token_len = next_number(&numbers, &token)) > 0) {
		if (is_long(token, token_len))
			return true;
	}
	return false;
}

int scar_json_parse(const char *text, size_t len, const char *what, struct scar_json **ret_root,
		    struct scar_err *err)
{
	const char *stop = NULL;
	cJSON *root;

	if (len > SCAR_LIMIT_JSON_BYTES)
		return scar_err_set(err, SCAR_ERR_LIMIT, "%s: JSON of more than %zu bytes", what,
				    SCAR_LIMIT_JSON_BYTES);
	if (scar_json_scan(text, len, err) < 0)
		return scar_err_wrap(err, "%s: not JSON", what);
	if (only_space(text, text + len))
		return scar_err_set(err, SCAR_ERR_PROTOCOL, "%s: not JSON: empty", what);
	root = cJSON_ParseWithLengthOpts(text, len, &stop, 0);
	if (!root || !only_space(stop, text + len)) {
		cJSON_Delete(root);
		return scar_err_set(err, SCAR_ERR_PROTOCOL, "%s: not JSON: wrong near byte %zu",
				    what, stop ? (size_t)(stop - text) : 0);
	}
	if (has_long_number(text, len) &&
	    keep_long_numbers(root, &(struct numbers){text, text + len}, err) < 0) {
		cJSON_Delete(root);
		return -1;
	}
	*ret_root = (struct scar_json *)(void *)root;
	return 0;
}

void scar_json_free(struct scar_json *root)
{
	cJSON_Delete((cJSON *)(void *)root);
}

enum scar_json_type scar_json_type(const struct scar_json *node)
{
	switch (item(node)->type & 0xff) {
	case cJSON_True:
	case cJSON_False: return SCAR_JSON_BOOL;
	case cJSON_Raw:
	case cJSON_Number: return SCAR_JSON_NUMBER;
	case cJSON_String: return SCAR_JSON_STRING;
	case cJSON_Array: return SCAR_JSON_ARRAY;
	case cJSON_Object: return SCAR_JSON_OBJECT;
	default: return SCAR_JSON_NULL;
	}
}

const struct scar_json *scar_json_get(const struct scar_json *node, const char *key)
{
	if (!node || !cJSON_IsObject(item(node)))
		return NULL;
	return node_of(cJSON_GetObjectItemCaseSensitive(item(node), key));
}

const struct scar_json *scar_json_first(const struct scar_json *node)
{
	if (!node || !(cJSON_IsArray(item(node)) || cJSON_IsObject(item(node))))
		return NULL;
	return node_of(item(node)->child);
}

const struct scar_json *scar_json_next(const struct scar_json *node)
{
	return node ? node_of(item(node)->next) : NULL;
}

size_t scar_json_size(const struct scar_json *node)
{
	size_t count = 0;

	for (node = scar_json_first(node); node; node = scar_json_next(node))
		count++;
	return count;
}

const char *scar_json_key(const struct scar_json *node)
{
	return node ? item(node)->string : NULL;
}

const char *scar_json_string(const struct scar_json *node)
{
	return node && cJSON_IsString(item(node)) ? item(node)->valuestring : NULL;
}

static int whole_number(const char *token, int64_t *ret_value)
{
	char *end = NULL;
	long long value;

	errno = 0;
	value = strtoll(token, &end, 10);
	if (errno || *end || !(fabs((double)value) <= EXACT_MAX))
		return -1;
	*ret_value = value;
	return 0;
}

int scar_json_int(const struct scar_json *node, int64_t *ret_value)
{
	double value;

	if (node && cJSON_IsRaw(item(node)))
		return whole_number(item(node)->valuestring, ret_value);
	if (!node || !cJSON_IsNumber(item(node)))
		return -1;
	value = item(node)->valuedouble;
	if (!(fabs(value) <= EXACT_MAX) || trunc(value) != value)
		return -1;
	*ret_value = (int64_t)value;
	return 0;
}

bool scar_json_bool(const struct scar_json *node, bool fallback)
{
	if (!node || !cJSON_IsBool(item(node)))
		return fallback;
	return cJSON_IsTrue(item(node));
}

static int unfit(const struct scar_json *member, const char *key, const char *what,
		 const char *wanted, struct scar_err *err)
{
	if (!member)
		return scar_err_set(err, SCAR_ERR_PROTOCOL, "%s: key '%s' is missing", what, key);
	return scar_err_set(err, SCAR_ERR_PROTOCOL, "%s: key '%s' is not %s", what, key, wanted);
}

int scar_json_need_string(const struct scar_json *node, const char *key, const char *what,
			  const char **ret_text, struct scar_err *err)
{
	const struct scar_json *member = scar_json_get(node, key);
	const char *text = scar_json_string(member);

	if (!text)
		return unfit(member, key, what, "a string", err);
	*ret_text = text;
	return 0;
}

int scar_json_need_int(const struct scar_json *node, const char *key, const char *what,
		       int64_t *ret_value, struct scar_err *err)
{
	const struct scar_json *member = scar_json_get(node, key);

	if (scar_json_int(member, ret_value) < 0)
		return unfit(member, key, what, "a whole number", err);
	return 0;
}

int scar_json_print(const struct scar_json *node, struct scar_buf *buf, struct scar_err *err)
{
	char *text = cJSON_PrintUnformatted(item(node));
	int status;

	if (!text)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	status = scar_buf_append_str(buf, text, err);
	cJSON_free(text);
	return status;
}

/* The escape of a byte, or NULL if it needs none. */
static const char *escape_of(unsigned char c, char escape[8])
{
	switch (c) {
	case '"': return "\\\"";
	case '\\': return "\\\\";
	case '\n': return "\\n";
	case '\r': return "\\r";
	case '\t': return "\\t";
	default: break;
	}
	if (c >= 0x20)
		return NULL;
	snprintf(escape, 8, "\\u%04x", c);
	return escape;
}

/* Bytes from text on that go out as they are. */
static size_t plain_len(const char *text, size_t len)
{
	size_t done = 0;

	while (done < len) {
		unsigned char c = (unsigned char)text[done];
		size_t size = scar_utf8_len(text + done, len - done);

		if (size == 0 || c < 0x20 || c == '"' || c == '\\')
			break;
		done += size;
	}
	return done;
}

int scar_json_append_string(struct scar_buf *buf, const char *text, size_t len,
			    struct scar_err *err)
{
	if (scar_buf_append_char(buf, '"', err) < 0)
		return -1;
	while (len > 0) {
		size_t plain = plain_len(text, len);
		char escape[8];
		const char *shown;

		if (scar_buf_append(buf, text, plain, err) < 0)
			return -1;
		text += plain;
		len -= plain;
		if (len == 0)
			break;
		shown = escape_of((unsigned char)*text, escape);
		if (scar_buf_append_str(buf, shown ? shown : SCAR_UTF8_REPLACEMENT, err) < 0)
			return -1;
		text++;
		len--;
	}
	return scar_buf_append_char(buf, '"', err);
}
