/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/yaml_private.h"

/* The longest text of a number, underscores included; what is longer is refused rather than rounded. */
#define NUMBER_MAX 400

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words; words++) {
		if (strcmp(text, *words) == 0)
			return true;
	}
	return false;
}

static const char *const null_words[] = {"", "~", "null", "Null", "NULL", NULL};
static const char *const true_words[] = {"yes",  "Yes", "YES", "true", "True",
					 "TRUE", "on",  "On",  "ON",   NULL};
static const char *const false_words[] = {"no",    "No",  "NO",  "false", "False",
					  "FALSE", "off", "Off", "OFF",   NULL};
static const char *const infinity_words[] = {".inf", ".Inf", ".INF", NULL};
static const char *const nan_words[] = {".nan", ".NaN", ".NAN", NULL};

#define DECIMAL "0123456789_"

static const char *skip_sign(const char *text)
{
	return *text == '-' || *text == '+' ? text + 1 : text;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* (:[0-5]?[0-9])+ ; NULL if there is not one. */
static const char *skip_sixties(const char *at)
{
	const char *start = at;

	while (at[0] == ':' && is_digit(at[1])) {
		if (is_digit(at[2])) {
			if (at[1] > '5')
				return NULL;
			at += 3;
		} else {
			at += 2;
		}
	}
	return at == start ? NULL : at;
}

/* The shapes are those of YAML 1.1 with PyYAML's refinements: an exponent needs its sign and a dot before it. */

enum whole_shape { NO_WHOLE, BINARY, OCTAL, DECIMALS, HEXADECIMAL, SIXTIES };

static enum whole_shape whole_shape(const char *text)
{
	const char *at = skip_sign(text), *end;

	if (at[0] == '0' && at[1] == 'b')
		return at[2] && !at[2 + strspn(at + 2, "01_")] ? BINARY : NO_WHOLE;
	if (at[0] == '0' && at[1] == 'x')
		return at[2] && !at[2 + strspn(at + 2, "0123456789abcdefABCDEF_")] ? HEXADECIMAL
										   : NO_WHOLE;
	if (at[0] == '0')
		return !at[1 + strspn(at + 1, "01234567_")] ? OCTAL : NO_WHOLE;
	if (!is_digit(at[0]))
		return NO_WHOLE;
	at += strspn(at, DECIMAL);
	if (*at == '\0')
		return DECIMALS;
	end = skip_sixties(at);
	return end && *end == '\0' ? SIXTIES : NO_WHOLE;
}

static bool ends_as_exponent(const char *at)
{
	if (*at == '\0')
		return true;
	if ((*at != 'e' && *at != 'E') || (at[1] != '-' && at[1] != '+') || !is_digit(at[2]))
		return false;
	return !at[2 + strspn(at + 2, "0123456789")];
}

static bool has_real_shape(const char *text)
{
	const char *at = skip_sign(text);

	if (is_one_of(at, infinity_words) || is_one_of(text, nan_words))
		return true;
	if (text[0] == '.')
		return is_digit(text[1]) && ends_as_exponent(text + 1 + strspn(text + 1, DECIMAL));
	if (!is_digit(at[0]))
		return false;
	at += strspn(at, DECIMAL);
	if (*at == '.')
		return ends_as_exponent(at + 1 + strspn(at + 1, DECIMAL));
	at = skip_sixties(at);
	return at && *at == '.' && !at[1 + strspn(at + 1, DECIMAL)];
}

static int refuse(const struct scar_yaml *node, const char *why, struct scar_err *err)
{
	return scar_err_set(err, SCAR_ERR_CONFIG, "\"%.100s\" %s", node->text, why);
}

/* The digits alone, without sign and underscores. */
static int copy_digits(const struct scar_yaml *node, char digits[NUMBER_MAX], struct scar_err *err)
{
	size_t len = 0;

	for (const char *at = skip_sign(node->text); *at; at++) {
		if (*at == '_')
			continue;
		if (len == NUMBER_MAX - 1)
			return refuse(node, "is a number of too many digits", err);
		digits[len++] = *at;
	}
	digits[len] = '\0';
	return 0;
}

/* Magnitude of what has no colon. @return -1 if it does not fit or has no digit */
static int parse_magnitude(const char *digits, int base, uint64_t *ret_value)
{
	char *end;

	errno = 0;
	*ret_value = strtoull(digits, &end, base);
	return errno || *end || end == digits ? -1 : 0;
}

static int parse_sixties(char *digits, uint64_t *ret_value)
{
	uint64_t value = 0, part;
	char *rest = digits;

	while (rest) {
		char *part_text = strsep(&rest, ":");

		if (parse_magnitude(part_text, 10, &part) < 0 ||
		    __builtin_mul_overflow(value, 60U, &value) ||
		    __builtin_add_overflow(value, part, &value))
			return -1;
	}
	*ret_value = value;
	return 0;
}

static int set_whole(struct scar_yaml *node, enum whole_shape shape, struct scar_err *err)
{
	static const int bases[] = {[BINARY] = 2, [OCTAL] = 8, [DECIMALS] = 10, [HEXADECIMAL] = 16};
	bool negative = node->text[0] == '-';
	char digits[NUMBER_MAX];
	uint64_t value = 0;
	int failed;

	if (copy_digits(node, digits, err) < 0)
		return -1;
	if (shape == SIXTIES)
		failed = parse_sixties(digits, &value);
	else
		failed = parse_magnitude(digits + (shape == BINARY || shape == HEXADECIMAL ? 2 : 0),
					 bases[shape], &value);
	if (failed < 0 || value > (uint64_t)INT64_MAX + negative)
		return refuse(node, "is not a number of 64 bits", err);
	node->type = SCAR_YAML_INT;
	/* Negated as unsigned, since the least number has no positive counterpart. */
	node->value.whole = (int64_t)(negative ? 0 - value : value);
	return 0;
}

static int set_real(struct scar_yaml *node, struct scar_err *err)
{
	const char *at = skip_sign(node->text);
	char digits[NUMBER_MAX], *rest = digits;
	double value = 0;

	node->type = SCAR_YAML_FLOAT;
	if (is_one_of(at, infinity_words)) {
		value = INFINITY;
	} else if (is_one_of(at, nan_words)) {
		value = NAN;
	} else {
		if (copy_digits(node, digits, err) < 0)
			return -1;
		while (rest)
			value = value * 60 + strtod(strsep(&rest, ":"), NULL);
	}
	node->value.real = node->text[0] == '-' ? -value : value;
	return 0;
}

static void set_truth(struct scar_yaml *node, bool truth)
{
	node->type = SCAR_YAML_BOOL;
	node->value.truth = truth;
}

int scar_yaml_resolve(struct scar_yaml *node, struct scar_err *err)
{
	enum whole_shape shape = whole_shape(node->text);

	node->type = SCAR_YAML_STRING;
	if (is_one_of(node->text, null_words))
		node->type = SCAR_YAML_NULL;
	else if (is_one_of(node->text, true_words))
		set_truth(node, true);
	else if (is_one_of(node->text, false_words))
		set_truth(node, false);
	else if (has_real_shape(node->text))
		return set_real(node, err);
	else if (shape != NO_WHOLE)
		return set_whole(node, shape, err);
	node->is_merge = strcmp(node->text, "<<") == 0;
	return 0;
}

int scar_yaml_resolve_as(struct scar_yaml *node, enum scar_yaml_type type, struct scar_err *err)
{
	node->type = SCAR_YAML_STRING;
	if (type == SCAR_YAML_STRING)
		return 0;
	if (scar_yaml_resolve(node, err) < 0)
		return -1;
	node->is_merge = false;
	if (type == SCAR_YAML_FLOAT && node->type == SCAR_YAML_INT) {
		node->type = SCAR_YAML_FLOAT;
		node->value.real = (double)node->value.whole;
	}
	if (node->type == type)
		return 0;
	return refuse(node, "is not what its tag says", err);
}
