/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/ref.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/err.h"
#include "runtime/base/limits.h"

#define HEX64 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define DIGEST "sha256:" HEX64

static const struct {
	const char *text;
	const char *registry;
	const char *repository;
	const char *tag;
	const char *digest;
} docker_cases[] = {
	{"alpine", "docker.io", "library/alpine", "latest", NULL},
	{"alpine:3.19", "docker.io", "library/alpine", "3.19", NULL},
	{"docker://alpine:3.19", "docker.io", "library/alpine", "3.19", NULL},
	{"grycap/cowsay", "docker.io", "grycap/cowsay", "latest", NULL},
	{"docker.io/alpine", "docker.io", "library/alpine", "latest", NULL},
	{"index.docker.io/library/alpine", "docker.io", "library/alpine", "latest", NULL},
	{"registry-1.docker.io/alpine", "docker.io", "library/alpine", "latest", NULL},
	{"ghcr.io/grycap/cowsay:1", "ghcr.io", "grycap/cowsay", "1", NULL},
	{"ghcr.io/single", "ghcr.io", "single", "latest", NULL},
	/* Without a slash, what is before the colon is a name. */
	{"localhost:5000", "docker.io", "library/localhost", "5000", NULL},
	{"localhost/a", "localhost", "a", "latest", NULL},
	{"localhost:5000/a/b/c:t", "localhost:5000", "a/b/c", "t", NULL},
	{"registry:5000/a", "registry:5000", "a", "latest", NULL},
	{"Registry/a", "Registry", "a", "latest", NULL},
	{"registry/a", "docker.io", "registry/a", "latest", NULL},
	{"127.0.0.1:5000/a@" DIGEST, "127.0.0.1:5000", "a", NULL, DIGEST},
	{"[::1]:5000/a:x", "[::1]:5000", "a", "x", NULL},
	{"[2001:db8::1]/a", "[2001:db8::1]", "a", "latest", NULL},
	{"alpine@" DIGEST, "docker.io", "library/alpine", NULL, DIGEST},
	{"alpine:3.19@" DIGEST, "docker.io", "library/alpine", "3.19", DIGEST},
	{"a/b_c/d__e/f.g/h-i/j---k:_T.a-g", "docker.io", "a/b_c/d__e/f.g/h-i/j---k", "_T.a-g",
	 NULL},
	{HEX64 ":tag/x", NULL, NULL, NULL, NULL},
};

static void assert_text(const char *have, const char *want)
{
	if (want)
		assert_string_equal(have, want);
	else
		assert_null(have);
}

static void applies_the_defaults_of_docker(void **state)
{
	(void)state;
	for (size_t i = 0; docker_cases[i].registry; i++) {
		scar_ref_auto struct scar_ref ref = {.path = NULL};
		struct scar_err err;

		if (scar_ref_parse(docker_cases[i].text, &ref, &err) < 0)
			fail_msg("%s: %s", docker_cases[i].text, err.msg);
		assert_int_equal(ref.transport, SCAR_TRANSPORT_DOCKER);
		assert_text(ref.registry, docker_cases[i].registry);
		assert_text(ref.repository, docker_cases[i].repository);
		assert_text(ref.tag, docker_cases[i].tag);
		assert_text(ref.digest, docker_cases[i].digest);
		assert_null(ref.path);
	}
}

static void names_what_is_wrong(void **state)
{
	static const struct {
		const char *text;
		const char *says;
	} cases[] = {
		{"", "empty"},
		{"Alpine", "lower case"},
		{"library/Alpine", "lower case"},
		{"a//b", "empty part"},
		{"/a", "empty part"},
		{"a/", "empty part"},
		{":tag", "repository name is missing"},
		{"alpine:", "tag after ':' is empty"},
		{"alpine:-x", "must begin with"},
		{"alpine:a b", "only letters"},
		{"al pine", "only a-z"},
		{"-alpine", "must begin with a letter or digit"},
		{"alpine-", "must end with"},
		{"al..pine", "one separator at a time"},
		{"al___pine", "one separator at a time"},
		{"alpine@sha256:12", "not a digest"},
		{"alpine@", "not a digest"},
		{"alpine@md5:" HEX64, "not a digest"},
		{"alpine@" DIGEST "@" DIGEST, "not a digest"},
		{HEX64, "image ID"},
		{"host:0/a", "port"},
		{"host:65536/a", "port"},
		{"host:x/a", "port"},
		{"[::1]x/a", "port"},
		{"[:g:1]:5/a", "not a host name"},
		{"-host.io/a", "not a host name"},
		{"ho_st.io/a", "not a host name"},
		{"host..io/a", "not a host name"},
		{"https://ghcr.io/a", "not supported"},
		{"oci-archive:", "path is missing"},
		{"oci-archive:/tmp/x.tar:a b", "not a name"},
		{"docker-daemon:alpine", "not supported"},
		{"a:b:c", "only a-z"},
		{"alpine\n", "control character at byte 7"},
		{"oci:", "path is missing"},
		{"oci::name", "path is missing"},
		{"oci:/tmp/x:a b", "not a name"},
		{"oci:/tmp/x:", "not a name"},
		{"oci:/tmp/x@sha256:1", "not a digest"},
		{"docker-archive:", "path is missing"},
		{"docker-archive:/tmp/x:Foo", "lower case"},
		{"docker-archive:/tmp/x:foo@" DIGEST, "no digests"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scar_ref ref = {.path = (char *)"untouched"};
		struct scar_err err;

		if (scar_ref_parse(cases[i].text, &ref, &err) == 0)
			fail_msg("'%s' was accepted", cases[i].text);
		assert_int_equal(err.kind, SCAR_ERR_REFERENCE);
		if (!strstr(err.msg, cases[i].says))
			fail_msg("'%s': '%s' does not say '%s'", cases[i].text, err.msg,
				 cases[i].says);
		assert_string_equal(ref.path, "untouched");
	}
}

static void keeps_the_bounds_of_the_grammar(void **state)
{
	char text[SCAR_LIMIT_REFERENCE_BYTES + 2];
	scar_ref_auto struct scar_ref ref = {.path = NULL};
	struct scar_err err;

	(void)state;
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(scar_ref_parse(text, &ref, &err), -1);
	assert_non_null(strstr(err.msg, "longer than 1024"));
	text[256] = '\0';
	assert_int_equal(scar_ref_parse(text, &ref, &err), -1);
	assert_non_null(strstr(err.msg, "longer than 255"));
	text[255] = '\0';
	assert_int_equal(scar_ref_parse(text, &ref, &err), 0);
	scar_ref_clear(&ref);
	text[1] = ':';
	text[2 + 129] = '\0';
	assert_int_equal(scar_ref_parse(text, &ref, &err), -1);
	text[2 + 128] = '\0';
	assert_int_equal(scar_ref_parse(text, &ref, &err), 0);
}

static void reads_paths_with_names(void **state)
{
	static const struct {
		const char *text;
		enum scar_transport transport;
		const char *path, *tag, *digest;
	} cases[] = {
		{"oci-archive:/tmp/x.tar", SCAR_TRANSPORT_OCI_ARCHIVE, "/tmp/x.tar", NULL, NULL},
		{"oci-archive:x.tar:v1@" DIGEST, SCAR_TRANSPORT_OCI_ARCHIVE, "x.tar", "v1", DIGEST},
		{"oci:/tmp/layout", SCAR_TRANSPORT_OCI_DIR, "/tmp/layout", NULL, NULL},
		{"oci:rel/dir:v1.0", SCAR_TRANSPORT_OCI_DIR, "rel/dir", "v1.0", NULL},
		{"oci:d:docker.io/library/a:1--2+3", SCAR_TRANSPORT_OCI_DIR, "d",
		 "docker.io/library/a:1--2+3", NULL},
		{"oci:a@b/d:n", SCAR_TRANSPORT_OCI_DIR, "a@b/d", "n", NULL},
		{"oci:d@" DIGEST, SCAR_TRANSPORT_OCI_DIR, "d", NULL, DIGEST},
		{"oci:d:n@" DIGEST, SCAR_TRANSPORT_OCI_DIR, "d", "n", DIGEST},
		{"docker-archive:/x y.tar", SCAR_TRANSPORT_DOCKER_ARCHIVE, "/x y.tar", NULL, NULL},
		{"docker-archive:x.tar:alpine", SCAR_TRANSPORT_DOCKER_ARCHIVE, "x.tar",
		 "docker.io/library/alpine:latest", NULL},
		{"docker-archive:x.tar:h:5000/a:b", SCAR_TRANSPORT_DOCKER_ARCHIVE, "x.tar",
		 "h:5000/a:b", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		scar_ref_auto struct scar_ref ref = {.path = NULL};
		struct scar_err err;

		if (scar_ref_parse(cases[i].text, &ref, &err) < 0)
			fail_msg("%s: %s", cases[i].text, err.msg);
		assert_int_equal(ref.transport, cases[i].transport);
		assert_string_equal(ref.path, cases[i].path);
		assert_text(ref.tag, cases[i].tag);
		assert_text(ref.digest, cases[i].digest);
	}
}

static void formats_what_parses_to_the_same(void **state)
{
	static const char *const texts[] = {"alpine",
					    "a/b:c@" DIGEST,
					    "[::1]:5000/a:x",
					    "oci:/d:n@" DIGEST,
					    "oci:/d",
					    "docker-archive:/f:alpine:3",
					    "docker-archive:/f",
					    "docker://oci:5/a",
					    "s3://b/k/l.tar:n@" DIGEST,
					    "s3://b/k",
					    "docker://http:5/a"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		scar_ref_auto struct scar_ref ref = {.path = NULL}, again = {.path = NULL};
		scar_free_auto char *text = NULL, *text_again = NULL;
		struct scar_err err;

		assert_int_equal(scar_ref_parse(texts[i], &ref, &err), 0);
		text = scar_ref_format(&ref);
		assert_int_equal(scar_ref_parse(text, &again, &err), 0);
		text_again = scar_ref_format(&again);
		assert_int_equal(again.transport, ref.transport);
		assert_string_equal(text, text_again);
		assert_text(again.registry, ref.registry);
		assert_text(again.repository, ref.repository);
		assert_text(again.tag, ref.tag);
		assert_text(again.digest, ref.digest);
		assert_text(again.path, ref.path);
	}
}

static void connects_to_the_real_host_of_docker_hub(void **state)
{
	scar_ref_auto struct scar_ref ref = {.path = NULL};
	struct scar_err err;

	(void)state;
	assert_int_equal(scar_ref_parse("alpine", &ref, &err), 0);
	assert_string_equal(scar_ref_host(&ref), "registry-1.docker.io");
	scar_ref_clear(&ref);
	assert_int_equal(scar_ref_parse("quay.io:444/a", &ref, &err), 0);
	assert_string_equal(scar_ref_host(&ref), "quay.io:444");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(applies_the_defaults_of_docker),
		cmocka_unit_test(names_what_is_wrong),
		cmocka_unit_test(keeps_the_bounds_of_the_grammar),
		cmocka_unit_test(reads_paths_with_names),
		cmocka_unit_test(formats_what_parses_to_the_same),
		cmocka_unit_test(connects_to_the_real_host_of_docker_hub),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
