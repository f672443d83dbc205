/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/challenge.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

/** RFC 9110, 5.6.2. */
static bool is_token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static const char *skip_space(const char *p)
{
	while (is_space(*p))
		p++;
	return p;
}

static const char *skip_token(const char *p)
{
	while (is_token_char(*p))
		p++;
	return p;
}

static bool token_is(const char *token, size_t len, const char *name)
{
	return strlen(name) == len && strncasecmp(token, name, len) == 0;
}

/** Where a parameter goes; NULL if it is not one of ours. */
static char *slot_of(struct scar_challenge *challenge, const char *name, size_t len)
{
	if (token_is(name, len, "realm"))
		return challenge->realm;
	if (token_is(name, len, "service"))
		return challenge->service;
	if (token_is(name, len, "scope"))
		return challenge->scope;
	return NULL;
}

/** Copies a token or quoted string to slot ("" if it does not fit). @return what follows it */
static const char *take_value(const char *p, char *slot)
{
	bool quoted = *p == '"';
	size_t len = 0;

	if (quoted)
		p++;
	while (*p && (quoted ? *p != '"' : is_token_char(*p))) {
		if (quoted && *p == '\\' && p[1])
			p++;
		if (slot && len < SCAR_CHALLENGE_PARAM_MAX)
			slot[len] = *p;
		len++;
		p++;
	}
	if (slot)
		slot[len < SCAR_CHALLENGE_PARAM_MAX ? len : 0] = '\0';
	return quoted && *p ? p + 1 : p;
}

/** Takes "name=value, ..." up to the next scheme. @return where that is */
static const char *take_params(const char *p, struct scar_challenge *challenge)
{
	for (;;) {
		const char *name, *end;

		while (*p && (is_space(*p) || *p == ','))
			p++;
		name = p;
		end = skip_token(p);
		if (end == name)
			return p;
		p = skip_space(end);
		/* A token that no '=' follows is the next scheme; "==" pads a token68. */
		if (*p != '=')
			return name;
		p = skip_space(p + 1);
		p = take_value(p, slot_of(challenge, name, (size_t)(end - name)));
	}
}

static void keep_better(struct scar_challenge *kept, const struct scar_challenge *found)
{
	if (found->scheme == SCAR_CHALLENGE_BEARER && !found->realm[0])
		return;
	if (found->scheme > kept->scheme)
		*kept = *found;
}

void scar_challenge_parse(const char *value, struct scar_challenge *ret_challenge)
{
	const char *p = value;

	while (*p) {
		struct scar_challenge found = {.scheme = SCAR_CHALLENGE_NONE};
		const char *scheme = p;
		const char *end = skip_token(p);

		if (end == scheme) { /* a comma, a space, or something that does not belong here */
			p++;
			continue;
		}
		if (token_is(scheme, (size_t)(end - scheme), "Bearer"))
			found.scheme = SCAR_CHALLENGE_BEARER;
		else if (token_is(scheme, (size_t)(end - scheme), "Basic"))
			found.scheme = SCAR_CHALLENGE_BASIC;
		p = take_params(end, &found);
		keep_better(ret_challenge, &found);
	}
}
