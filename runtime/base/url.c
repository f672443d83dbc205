/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/url.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

#define PORT_HTTP 80
#define PORT_HTTPS 443

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool scar_url_char_is_unreserved(char c)
{
	return is_alnum(c) || (c != '\0' && strchr("-._~", c));
}

/** Splits the scheme off. */
static const char *after_scheme(const char *text, bool *ret_is_https)
{
	if (strncasecmp(text, "https://", 8) == 0) {
		*ret_is_https = true;
		return text + 8;
	}
	if (strncasecmp(text, "http://", 7) == 0) {
		*ret_is_https = false;
		return text + 7;
	}
	return NULL;
}

static int check_chars(const char *text, struct scar_err *err)
{
	if (strlen(text) > SCAR_LIMIT_URL_BYTES)
		return scar_err_set(err, SCAR_ERR_PROTOCOL, "a URL is longer than %zu bytes",
				    SCAR_LIMIT_URL_BYTES);
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p <= ' ' || *p >= 0x7f || *p == '\\')
			return scar_err_set(err, SCAR_ERR_PROTOCOL,
					    "a URL has a character that URLs do not have");
	}
	return 0;
}

static int parse_port(const char *text, size_t len, uint16_t *ret_port)
{
	uint32_t value = 0;

	if (len > 5)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		value = value * 10 + (uint32_t)(text[i] - '0');
	}
	if (!value || value > UINT16_MAX)
		return -1;
	*ret_port = (uint16_t)value;
	return 0;
}

/** Length of the host at the start of an authority; 0 if there is no valid one. */
static size_t host_len(const char *authority, size_t len)
{
	size_t n = 0;

	if (len && authority[0] == '[') {
		for (n = 1; n < len && (is_alnum(authority[n]) || strchr(":.", authority[n])); n++)
			;
		return n > 1 && n < len && authority[n] == ']' ? n + 1 : 0;
	}
	while (n < len && (is_alnum(authority[n]) || strchr("-._", authority[n])))
		n++;
	return n;
}

static int parse_authority(const char *authority, size_t len, struct scar_url *url)
{
	size_t n = host_len(authority, len);

	if (!n || n >= sizeof(url->host))
		return -1;
	for (size_t i = 0; i < n; i++) {
		char c = authority[i];

		url->host[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	url->host[n] = '\0';
	url->port = url->is_https ? PORT_HTTPS : PORT_HTTP;
	if (n == len)
		return 0;
	/* "host:" without a number is valid and means the default port. */
	if (authority[n] != ':')
		return -1;
	return n + 1 == len ? 0 : parse_port(authority + n + 1, len - n - 1, &url->port);
}

int scar_url_parse(const char *text, struct scar_url *ret_url, struct scar_err *err)
{
	struct scar_url url = {.is_https = false};
	const char *authority = after_scheme(text, &url.is_https);
	size_t len;

	if (!authority)
		return scar_err_set(err, SCAR_ERR_PROTOCOL, "a URL is neither http nor https");
	if (check_chars(text, err) < 0)
		return -1;
	len = strcspn(authority, "/?#");
	if (parse_authority(authority, len, &url) < 0)
		return scar_err_set(err, SCAR_ERR_PROTOCOL, "a URL has no valid host and port");
	url.rest = authority + len;
	*ret_url = url;
	return 0;
}

bool scar_url_same_origin(const struct scar_url *a, const struct scar_url *b)
{
	return a->is_https == b->is_https && a->port == b->port && strcmp(a->host, b->host) == 0;
}

bool scar_url_is_loopback(const struct scar_url *url)
{
	unsigned part[4];
	int used = 0;

	if (strcmp(url->host, "localhost") == 0 || strcmp(url->host, "[::1]") == 0)
		return true;
	if (sscanf(url->host, "%3u.%3u.%3u.%3u%n", &part[0], &part[1], &part[2], &part[3], &used) !=
	    4)
		return false;
	return url->host[used] == '\0' && part[0] == 127 && part[1] < 256 && part[2] < 256 &&
	       part[3] < 256;
}

bool scar_url_host_is_loopback(const char *host)
{
	struct scar_url url = {.is_https = false};

	return parse_authority(host, strlen(host), &url) == 0 && scar_url_is_loopback(&url);
}

bool scar_url_may_lead(const struct scar_url *from, const struct scar_url *to, bool allow_plain)
{
	if (scar_url_is_loopback(to) && !scar_url_is_loopback(from))
		return false;
	if (to->is_https)
		return true;
	return !from->is_https && (allow_plain || scar_url_is_loopback(to));
}

int scar_url_resolve(const char *base, const char *location, char **ret_url, struct scar_err *err)
{
	struct scar_url url;
	bool is_https;
	scar_free_auto char *joined = NULL;
	const char *path;
	const char *slash = "";
	int keep; /* how much of base comes before the location */
	int n;

	if (scar_url_parse(base, &url, err) < 0)
		return -1;
	path = url.rest;
	if (after_scheme(location, &is_https))
		keep = 0;
	else if (strncmp(location, "//", 2) == 0)
		keep = url.is_https ? (int)strlen("https:") : (int)strlen("http:");
	else if (location[0] == '/')
		keep = (int)(path - base);
	else if (location[0] == '?')
		keep = (int)(path - base + (ptrdiff_t)strcspn(path, "?#"));
	else {
		const char *end = path + strcspn(path, "?#");

		while (end > path && end[-1] != '/')
			end--;
		keep = (int)(end - base);
	}
	/* A relative path after a base without one needs the slash of the root. */
	if (keep && base[keep - 1] != '/' && !strchr("/?", location[0]))
		slash = "/";
	n = asprintf(&joined, "%.*s%s%.*s", keep, base, slash, (int)strcspn(location, "#"),
		     location);
	if (n < 0) {
		joined = NULL;
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	}
	if (scar_url_parse(joined, &url, err) < 0)
		return -1;
	*ret_url = scar_steal(joined);
	return 0;
}
