/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/http_trust.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

#define AMAZON_LINUX_BUNDLE "/etc/pki/tls/certs/ca-bundle.crt"
#define DEBIAN_BUNDLE "/etc/ssl/certs/ca-certificates.crt"

static const char *named_bundle(const char *path, const char *named_by, struct scar_err *err)
{
	if (access(path, R_OK) == 0)
		return path;
	scar_err_set(err, SCAR_ERR_TLS, "CA bundle '%s', named by %s, cannot be read", path,
		     named_by);
	return NULL;
}

const char *scar_http_ca_bundle(const char *configured, struct scar_err *err)
{
	static const char *const variables[] = {"SCAR_CA_BUNDLE", "SSL_CERT_FILE"};
	static const char *const files[] = {AMAZON_LINUX_BUNDLE, DEBIAN_BUNDLE};

	if (configured)
		return named_bundle(configured, "the configuration", err);
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		const char *path = getenv(variables[i]);

		if (path && *path)
			return named_bundle(path, variables[i], err);
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (access(files[i], R_OK) == 0)
			return files[i];
	scar_err_set(
		err, SCAR_ERR_TLS,
		"no CA bundle found: neither %s nor %s is readable; set SCAR_CA_BUNDLE to a PEM file",
		files[0], files[1]);
	return NULL;
}

bool scar_http_is_loopback(const char *url)
{
	static const char suffix[] = ".localhost";
	const char *host = strstr(url, "://");
	char text[256];
	struct in_addr v4;

	host = host ? host + 3 : url;
	size_t authority = strcspn(host, "/?#");
	for (size_t i = authority; i > 0; i--)
		if (host[i - 1] == '@') {
			host += i;
			authority -= i;
			break;
		}
	if (authority >= 5 && strncmp(host, "[::1]", 5) == 0)
		return authority == 5 || host[5] == ':';
	size_t len = strcspn(host, ":/?#");
	if (len > authority)
		len = authority;
	if (len == 0 || len >= sizeof(text))
		return false;
	memcpy(text, host, len);
	text[len] = '\0';
	if (strcasecmp(text, "localhost") == 0)
		return true;
	if (len >= sizeof(suffix) && strcasecmp(text + len - (sizeof(suffix) - 1), suffix) == 0)
		return true;
	return inet_pton(AF_INET, text, &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127;
}

bool scar_http_has_ipv6(void)
{
	/* A documentation address (RFC 3849): routed like any other, never answered. */
	struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(53)};
	scar_fd_auto int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && inet_pton(AF_INET6, "2001:db8::1", &to.sin6_addr) == 1 &&
	       connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0;
}
