/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/ref.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/digest.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

/* Bounds of the distribution grammar. */
#define REPOSITORY_MAX 255
#define TAG_MAX 128

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_name_char(char c)
{
	return is_lower(c) || is_digit(c);
}

static bool is_word(char c)
{
	return is_lower(c) || is_upper(c) || is_digit(c) || c == '_';
}

/** A piece of the text being parsed. */
struct span {
	const char *at;
	size_t len;
};

static struct span span_of(const char *text)
{
	return (struct span){.at = text, .len = strlen(text)};
}

static struct span span_between(const char *from, const char *to)
{
	return (struct span){.at = from, .len = (size_t)(to - from)};
}

static const char *span_find(struct span s, char c)
{
	return s.len ? memchr(s.at, c, s.len) : NULL;
}

static const char *span_find_last(struct span s, char c)
{
	return s.len ? memrchr(s.at, c, s.len) : NULL;
}

static bool span_is(struct span s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.at, text, s.len) == 0;
}

static int span_copy(struct span s, char **ret_text, struct scar_err *err)
{
	char *copy = strndup(s.at, s.len);

	if (!copy)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	free(*ret_text);
	*ret_text = copy;
	return 0;
}

#define SPAN_ARG(s) (int)(s).len, (s).at

/* ---- the parts of a name ---- */

/** Length of a separator at `s`: one '.', one or two '_', any number of '-'; 0 if there is none. */
static size_t separator_len(struct span s)
{
	size_t n = 0;

	if (s.len && s.at[0] == '.')
		return 1;
	while (n < s.len && n < 2 && s.at[n] == '_')
		n++;
	if (n)
		return n;
	while (n < s.len && s.at[n] == '-')
		n++;
	return n;
}

/** Why a path component is not valid, or NULL. */
static const char *component_fault(struct span s)
{
	if (!s.len)
		return "it has an empty part between slashes";
	for (size_t i = 0; i < s.len; i++) {
		if (is_upper(s.at[i]))
			return "it must be lower case";
		if (!is_name_char(s.at[i]) && !strchr("._-", s.at[i]))
			return "only a-z, 0-9 and the separators . _ - / are allowed";
	}
	while (s.len) {
		size_t word = 0;
		size_t separator;

		while (word < s.len && is_name_char(s.at[word]))
			word++;
		if (!word)
			return "each part must begin with a letter or digit, with one separator at a time";
		s = (struct span){.at = s.at + word, .len = s.len - word};
		if (!s.len)
			return NULL;
		separator = separator_len(s);
		s = (struct span){.at = s.at + separator, .len = s.len - separator};
	}
	return "each part must end with a letter or digit";
}

static int check_repository(struct span repository, struct scar_err *err)
{
	struct span rest = repository;

	if (!rest.len)
		return scar_err_set(err, SCAR_ERR_REFERENCE, "the repository name is missing");
	if (rest.len > REPOSITORY_MAX)
		return scar_err_set(err, SCAR_ERR_REFERENCE,
				    "the repository name is longer than %d bytes", REPOSITORY_MAX);
	for (;;) {
		const char *slash = span_find(rest, '/');
		struct span part = slash ? span_between(rest.at, slash) : rest;
		const char *fault = component_fault(part);

		if (fault)
			return scar_err_set(err, SCAR_ERR_REFERENCE, "repository name '%.*s': %s",
					    SPAN_ARG(repository), fault);
		if (!slash)
			return 0;
		rest = span_between(slash + 1, rest.at + rest.len);
	}
}

static int check_tag(struct span tag, struct scar_err *err)
{
	if (!tag.len)
		return scar_err_set(err, SCAR_ERR_REFERENCE, "the tag after ':' is empty");
	if (tag.len > TAG_MAX)
		return scar_err_set(err, SCAR_ERR_REFERENCE, "the tag is longer than %d bytes",
				    TAG_MAX);
	if (!is_word(tag.at[0]))
		return scar_err_set(err, SCAR_ERR_REFERENCE,
				    "tag '%.*s': it must begin with a letter, a digit or _",
				    SPAN_ARG(tag));
	for (size_t i = 1; i < tag.len; i++) {
		if (!is_word(tag.at[i]) && tag.at[i] != '.' && tag.at[i] != '-')
			return scar_err_set(
				err, SCAR_ERR_REFERENCE,
				"tag '%.*s': only letters, digits and _ . - are allowed",
				SPAN_ARG(tag));
	}
	return 0;
}

static bool port_ok(struct span port)
{
	uint32_t value = 0;

	if (!port.len || port.len > 5)
		return false;
	for (size_t i = 0; i < port.len; i++) {
		if (!is_digit(port.at[i]))
			return false;
		value = value * 10 + (uint32_t)(port.at[i] - '0');
	}
	return value > 0 && value <= UINT16_MAX;
}

static bool domain_label_ok(struct span label)
{
	if (!label.len || label.at[0] == '-' || label.at[label.len - 1] == '-')
		return false;
	for (size_t i = 0; i < label.len; i++) {
		if (!is_word(label.at[i]) && label.at[i] != '-')
			return false;
		if (label.at[i] == '_')
			return false;
	}
	return true;
}

static bool domain_ok(struct span name)
{
	for (;;) {
		const char *dot = span_find(name, '.');

		if (!domain_label_ok(dot ? span_between(name.at, dot) : name))
			return false;
		if (!dot)
			return true;
		name = span_between(dot + 1, name.at + name.len);
	}
}

static bool ipv6_ok(struct span name)
{
	if (name.len < 4 || name.at[name.len - 1] != ']')
		return false;
	for (size_t i = 1; i + 1 < name.len; i++) {
		if (!is_hex(name.at[i]) && name.at[i] != ':')
			return false;
	}
	return true;
}

static int check_registry(struct span registry, struct scar_err *err)
{
	bool is_ipv6 = registry.len && registry.at[0] == '[';
	const char *name_end = is_ipv6 ? span_find(registry, ']') : span_find(registry, ':');
	struct span name = registry;

	if (name_end) {
		const char *port = is_ipv6 ? name_end + 1 : name_end;
		const char *end = registry.at + registry.len;

		name = span_between(registry.at, port);
		if (port < end && (*port != ':' || !port_ok(span_between(port + 1, end))))
			return scar_err_set(
				err, SCAR_ERR_REFERENCE,
				"registry '%.*s': the port is not a number of 1 to 65535",
				SPAN_ARG(registry));
	}
	if (is_ipv6 ? !ipv6_ok(name) : !domain_ok(name))
		return scar_err_set(err, SCAR_ERR_REFERENCE,
				    "registry '%.*s' is not a host name or address",
				    SPAN_ARG(registry));
	return 0;
}

static int take_digest(struct span digest, struct scar_ref *ref, struct scar_err *err)
{
	struct scar_digest parsed;

	if (span_copy(digest, &ref->digest, err) < 0)
		return -1;
	if (scar_digest_parse(ref->digest, &parsed, err) < 0)
		return scar_err_set(err, SCAR_ERR_REFERENCE,
				    "'%s' after '@' is not a digest (sha256:<64 hex digits>)",
				    ref->digest);
	return 0;
}

/* ---- transports ---- */

/** Whether the part before the first slash names a registry. */
static bool is_registry(struct span head)
{
	if (span_find(head, '.') || span_find(head, ':') || span_is(head, "localhost"))
		return true;
	for (size_t i = 0; i < head.len; i++) {
		if (is_upper(head.at[i]))
			return true;
	}
	return false;
}

static bool is_docker_hub(struct span registry)
{
	return span_is(registry, SCAR_REF_DOCKER_HUB) || span_is(registry, "index.docker.io") ||
	       span_is(registry, "registry-1.docker.io");
}

static bool looks_like_id(struct span name)
{
	if (name.len != 64)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		if (!is_hex(name.at[i]) || is_upper(name.at[i]))
			return false;
	}
	return true;
}

/** Repository with "library/" added where Docker Hub asks for it. */
static int take_repository(struct span name, struct scar_ref *ref, struct scar_err *err)
{
	bool official = strcmp(ref->registry, SCAR_REF_DOCKER_HUB) == 0 && !span_find(name, '/');
	char *text = NULL;

	if (check_repository(name, err) < 0)
		return -1;
	if (asprintf(&text, "%s%.*s", official ? "library/" : "", SPAN_ARG(name)) < 0)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	ref->repository = text;
	return 0;
}

static int parse_docker(struct span text, struct scar_ref *ref, struct scar_err *err)
{
	const char *end = text.at + text.len;
	const char *at = span_find(text, '@');
	struct span registry = span_of(SCAR_REF_DOCKER_HUB);
	const char *slash;
	const char *colon;

	ref->transport = SCAR_TRANSPORT_DOCKER;
	if (at) {
		if (take_digest(span_between(at + 1, end), ref, err) < 0)
			return -1;
		text = span_between(text.at, at);
	}
	slash = span_find(text, '/');
	if (slash && is_registry(span_between(text.at, slash))) {
		registry = span_between(text.at, slash);
		text = span_between(slash + 1, text.at + text.len);
		if (check_registry(registry, err) < 0)
			return -1;
		if (is_docker_hub(registry))
			registry = span_of(SCAR_REF_DOCKER_HUB);
	} else if (looks_like_id(text)) {
		return scar_err_set(err, SCAR_ERR_REFERENCE,
				    "64 hex digits are an image ID; a registry knows names and "
				    "digests (NAME@sha256:...)");
	}
	if (span_copy(registry, &ref->registry, err) < 0)
		return -1;
	colon = span_find_last(text, ':');
	if (colon && !span_find(span_between(colon, text.at + text.len), '/')) {
		struct span tag = span_between(colon + 1, text.at + text.len);

		if (check_tag(tag, err) < 0 || span_copy(tag, &ref->tag, err) < 0)
			return -1;
		text = span_between(text.at, colon);
	} else if (!ref->digest && span_copy(span_of("latest"), &ref->tag, err) < 0) {
		return -1;
	}
	return take_repository(text, ref, err);
}

/** Reference names of image-spec annotations.md: words joined by one of -._:@+ or "--", and slashes. */
static bool oci_name_ok(struct span name)
{
	bool after_word = false;

	for (size_t i = 0; i < name.len; i++) {
		char c = name.at[i];

		if (is_lower(c) || is_upper(c) || is_digit(c)) {
			after_word = true;
			continue;
		}
		if (!after_word || !strchr("-._:@+/", c))
			return false;
		if (c == '-' && i + 1 < name.len && name.at[i + 1] == '-')
			i++;
		after_word = false;
	}
	return after_word;
}

/** FILE[:NAME]; both transports on files split at the first colon. */
static int take_path(struct span text, struct span *ret_name, struct scar_ref *ref,
		     struct scar_err *err)
{
	const char *colon = span_find(text, ':');
	struct span path = colon ? span_between(text.at, colon) : text;

	if (!path.len)
		return scar_err_set(err, SCAR_ERR_REFERENCE, "the path is missing");
	if (colon)
		*ret_name = span_between(colon + 1, text.at + text.len);
	return span_copy(path, &ref->path, err);
}

#define BUCKET_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"

static int parse_layout(struct span text, struct scar_ref *ref, struct scar_err *err)
{
	const char *at = span_find_last(text, '@');
	const char *end = text.at + text.len;
	struct span name = {.at = NULL};

	/* '@' may be in a path or name as well: only what looks like a digest is one. */
	if (at && (strncmp(at, "@sha256:", 8) == 0 || strncmp(at, "@sha512:", 8) == 0)) {
		if (take_digest(span_between(at + 1, end), ref, err) < 0)
			return -1;
		text = span_between(text.at, at);
	}
	if (take_path(text, &name, ref, err) < 0)
		return -1;
	if (!name.at)
		return 0;
	if (!oci_name_ok(name))
		return scar_err_set(err, SCAR_ERR_REFERENCE,
				    "'%.*s' after the path is not a name as the annotation "
				    "org.opencontainers.image.ref.name allows",
				    SPAN_ARG(name));
	return span_copy(name, &ref->tag, err);
}

static int parse_oci_dir(struct span text, struct scar_ref *ref, struct scar_err *err)
{
	ref->transport = SCAR_TRANSPORT_OCI_DIR;
	return parse_layout(text, ref, err);
}

static int parse_oci_archive(struct span text, struct scar_ref *ref, struct scar_err *err)
{
	ref->transport = SCAR_TRANSPORT_OCI_ARCHIVE;
	return parse_layout(text, ref, err);
}

static int parse_s3(struct span text, struct scar_ref *ref, struct scar_err *err)
{
	const char *slash;

	ref->transport = SCAR_TRANSPORT_S3;
	if (parse_layout(text, ref, err) < 0)
		return -1;
	slash = strchr(ref->path, '/');
	if (!slash || slash == ref->path || !slash[1] ||
	    strspn(ref->path, BUCKET_CHARS) != (size_t)(slash - ref->path))
		return scar_err_set(err, SCAR_ERR_REFERENCE,
				    "what follows s3:// is not BUCKET/KEY");
	return 0;
}

static int parse_docker_archive(struct span text, struct scar_ref *ref, struct scar_err *err)
{
	scar_ref_auto struct scar_ref inner = {.transport = SCAR_TRANSPORT_DOCKER};
	struct span name = {.at = NULL};

	ref->transport = SCAR_TRANSPORT_DOCKER_ARCHIVE;
	if (take_path(text, &name, ref, err) < 0)
		return -1;
	if (!name.at)
		return 0;
	if (parse_docker(name, &inner, err) < 0)
		return scar_err_wrap(err, "name after the path");
	if (inner.digest)
		return scar_err_set(err, SCAR_ERR_REFERENCE,
				    "a docker-archive has no digests: name the image by its tag");
	ref->tag = scar_ref_format(&inner);
	return ref->tag ? 0 : scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
}

static const struct {
	const char *prefix;
	int (*parse)(struct span text, struct scar_ref *ref, struct scar_err *err);
} transports[] = {
	{"docker://", parse_docker},
	{"oci:", parse_oci_dir},
	{"oci-archive:", parse_oci_archive},
	{"docker-archive:", parse_docker_archive},
	{"s3://", parse_s3},
};

/* They would pass for image names with a tag. */
static const char *const foreign_prefixes[] = {
	"docker-daemon:", "containers-storage:", "http:", "https:"};

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* A registry of such a name, as in oci:5000/NAME, must be written with docker:// in front. */
static bool looks_like_transport(const char *registry)
{
	bool found = false;

	for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++)
		found |= starts_with(registry, transports[i].prefix);
	for (size_t i = 0; i < sizeof(foreign_prefixes) / sizeof(foreign_prefixes[0]); i++)
		found |= starts_with(registry, foreign_prefixes[i]);
	return found;
}

static int parse_any(const char *text, struct scar_ref *ref, struct scar_err *err)
{
	for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++) {
		if (starts_with(text, transports[i].prefix))
			return transports[i].parse(span_of(text + strlen(transports[i].prefix)),
						   ref, err);
	}
	for (size_t i = 0; i < sizeof(foreign_prefixes) / sizeof(foreign_prefixes[0]); i++) {
		if (starts_with(text, foreign_prefixes[i]))
			return scar_err_set(err, SCAR_ERR_REFERENCE,
					    "'%s' is not supported: give NAME[:TAG], oci:DIR, "
					    "oci-archive:FILE, docker-archive:FILE or "
					    "s3://BUCKET/KEY",
					    foreign_prefixes[i]);
	}
	return parse_docker(span_of(text), ref, err);
}

static int check_text(const char *text, struct scar_err *err)
{
	size_t len = strlen(text);

	if (!len)
		return scar_err_set(err, SCAR_ERR_REFERENCE, "the image reference is empty");
	if (len > SCAR_LIMIT_REFERENCE_BYTES)
		return scar_err_set(err, SCAR_ERR_REFERENCE,
				    "the image reference is longer than %d bytes",
				    SCAR_LIMIT_REFERENCE_BYTES);
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return scar_err_set(
				err, SCAR_ERR_REFERENCE,
				"the image reference has a control character at byte %zu", i + 1);
	}
	return 0;
}

int scar_ref_parse(const char *text, struct scar_ref *ret_ref, struct scar_err *err)
{
	scar_ref_auto struct scar_ref ref = {.transport = SCAR_TRANSPORT_DOCKER};

	if (check_text(text, err) < 0)
		return -1;
	if (parse_any(text, &ref, err) < 0)
		return scar_err_wrap(err, "image reference '%s'", text);
	*ret_ref = ref;
	memset(&ref, 0, sizeof(ref));
	return 0;
}

void scar_ref_clear(struct scar_ref *ref)
{
	free(ref->registry);
	free(ref->repository);
	free(ref->tag);
	free(ref->digest);
	free(ref->path);
	memset(ref, 0, sizeof(*ref));
}

const char *scar_ref_prefix(enum scar_transport transport)
{
	switch (transport) {
	case SCAR_TRANSPORT_DOCKER: return "";
	case SCAR_TRANSPORT_OCI_DIR: return "oci:";
	case SCAR_TRANSPORT_OCI_ARCHIVE: return "oci-archive:";
	case SCAR_TRANSPORT_DOCKER_ARCHIVE: return "docker-archive:";
	case SCAR_TRANSPORT_S3: return "s3://";
	}
	return "";
}

char *scar_ref_format(const struct scar_ref *ref)
{
	const char *tag = ref->tag ? ref->tag : "";
	const char *digest = ref->digest ? ref->digest : "";
	const char *colon = ref->tag ? ":" : "";
	const char *at = ref->digest ? "@" : "";
	char *text = NULL;
	int n = -1;

	switch (ref->transport) {
	case SCAR_TRANSPORT_DOCKER:
		n = asprintf(&text, "%s%s/%s%s%s%s%s",
			     looks_like_transport(ref->registry) ? "docker://" : "", ref->registry,
			     ref->repository, colon, tag, at, digest);
		break;
	case SCAR_TRANSPORT_OCI_DIR:
	case SCAR_TRANSPORT_OCI_ARCHIVE:
	case SCAR_TRANSPORT_DOCKER_ARCHIVE:
	case SCAR_TRANSPORT_S3:
		n = asprintf(&text, "%s%s%s%s%s%s", scar_ref_prefix(ref->transport), ref->path,
			     colon, tag, at, digest);
		break;
	}
	return n < 0 ? NULL : text;
}

const char *scar_ref_host(const struct scar_ref *ref)
{
	return strcmp(ref->registry, SCAR_REF_DOCKER_HUB) == 0 ? "registry-1.docker.io"
							       : ref->registry;
}
