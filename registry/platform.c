/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "registry/manifest.h"
#include "runtime/base/err.h"

/* Variants of one architecture, worst first; each runs what is built for those before it. */
struct variants {
	const char *architecture;
	const char *implied; /* what an image means that names none */
	const char *names[6];
};

static const struct variants families[] = {
	{"amd64", "v1", {"v1", "v2", "v3", "v4"}},
	/* Version 8 of "arm" is a 32-bit user land on a 64-bit processor. */
	{"arm", "v7", {"v5", "v6", "v7", "v8"}},
	{"arm64", "v8", {"v8", "v8.1", "v8.2", "v9"}},
};

/** Spellings of uname(1) and old tools for Go's names. */
static const struct {
	const char *alias;
	const char *name;
} aliases[] = {
	{"x86_64", "amd64"}, {"x86-64", "amd64"}, {"aarch64", "arm64"},
	{"i386", "386"},     {"armhf", "arm"},
};

static const struct variants *family_of(const char *architecture)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		if (strcmp(families[i].architecture, architecture) == 0)
			return &families[i];
	}
	return NULL;
}

static const char *canonical(const char *architecture)
{
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
		if (strcmp(aliases[i].alias, architecture) == 0)
			return aliases[i].name;
	}
	return architecture;
}

/** Rank of a variant, 1 the lowest; 0 if it is not known. */
static unsigned rank_of(const struct variants *family, const char *variant)
{
	const char *name = variant[0] ? variant : family->implied;
	size_t max = sizeof(family->names) / sizeof(family->names[0]);

	for (size_t i = 0; i < max && family->names[i]; i++) {
		const char *known = family->names[i];

		/* "8" is found for "v8". */
		if (strcmp(known, name) == 0 || strcmp(known + 1, name) == 0)
			return (unsigned)i + 1;
	}
	return 0;
}

unsigned scar_platform_match(const struct scar_platform *have, const struct scar_platform *want)
{
	const char *architecture = canonical(have->architecture);
	const struct variants *family = family_of(architecture);
	unsigned have_rank;

	if (strcmp(have->os, want->os) != 0 ||
	    strcmp(architecture, canonical(want->architecture)) != 0)
		return 0;
	if (!family)
		return strcmp(have->variant, want->variant) == 0 || !have->variant[0];
	have_rank = rank_of(family, have->variant);
	return have_rank <= rank_of(family, want->variant) ? have_rank : 0;
}

/** The levels of the x86-64 psABI as far as the compiler's run time tells them apart. */
static const char *host_variant(void)
{
#if defined(__x86_64__)
	__builtin_cpu_init();
	if (!__builtin_cpu_supports("ssse3") || !__builtin_cpu_supports("sse4.2") ||
	    !__builtin_cpu_supports("popcnt"))
		return "v1";
	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi") ||
	    !__builtin_cpu_supports("bmi2") || !__builtin_cpu_supports("fma"))
		return "v2";
	return "v3";
#elif defined(__aarch64__)
	return "v8";
#else
	return "";
#endif
}

void scar_platform_host(struct scar_platform *ret_platform)
{
#if defined(__x86_64__)
	static const char architecture[] = "amd64";
#elif defined(__aarch64__)
	static const char architecture[] = "arm64";
#else
#error "no Go name for this architecture"
#endif
	memset(ret_platform, 0, sizeof(*ret_platform));
	snprintf(ret_platform->os, sizeof(ret_platform->os), "linux");
	memcpy(ret_platform->architecture, architecture, sizeof(architecture));
	snprintf(ret_platform->variant, sizeof(ret_platform->variant), "%s", host_variant());
}

/** Copies the part up to the next slash. @return what follows it, NULL if the part is not valid */
static const char *take_part(const char *text, char part[32])
{
	size_t len = strcspn(text, "/");

	if (!len || len >= 32)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		if (text[i] <= ' ' || text[i] > '~')
			return NULL;
	}
	memcpy(part, text, len);
	part[len] = '\0';
	return text[len] ? text + len + 1 : text + len;
}

int scar_platform_parse(const char *text, struct scar_platform *ret_platform, struct scar_err *err)
{
	struct scar_platform platform = {.os = ""};
	const struct variants *family;
	const char *rest = take_part(text, platform.os);

	if (rest)
		rest = take_part(rest, platform.architecture);
	if (rest && (*rest || rest[-1] == '/'))
		rest = take_part(rest, platform.variant);
	if (!rest || *rest)
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "platform '%s' is not OS/ARCHITECTURE[/VARIANT]", text);
	family = family_of(canonical(platform.architecture));
	if (family && !rank_of(family, platform.variant))
		return scar_err_set(err, SCAR_ERR_CONFIG, "platform '%s': unknown variant of %s",
				    text, family->architecture);
	*ret_platform = platform;
	return 0;
}

const char *scar_platform_format(const struct scar_platform *platform,
				 char text[SCAR_PLATFORM_TEXT_MAX])
{
	snprintf(text, SCAR_PLATFORM_TEXT_MAX, "%s/%s%s%s", platform->os[0] ? platform->os : "?",
		 platform->architecture[0] ? platform->architecture : "?",
		 platform->variant[0] ? "/" : "", platform->variant);
	return text;
}
