/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/emulator/jail_plan.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"
#include "runtime/emulator/jail.h"

#define STEPS_MAX 4096
/* blobs/sha256/DIGEST of an image layout, and some room. */
#define DEPTH_MAX 6
#define DEFAULT_TMP_BYTES ((uint64_t)512 << 20)

static const char passwd[] = "root:x:0:0:root:/root:/sbin/nologin\n"
			     "sbx_user1051:x:993:990::/home/sbx_user1051:/sbin/nologin\n";
static const char group[] = "root:x:0:\nsbx_user1051:x:990:\n";
static const char nsswitch[] = "passwd: files\ngroup: files\nhosts: files dns\n";

/* @return the new step, or NULL with err set */
static struct scar_jail_step *add(struct scar_jail_plan *plan, enum scar_jail_step_kind kind,
				  const char *path, const char *source, mode_t mode,
				  struct scar_err *err)
{
	struct scar_jail_step *step = &plan->steps[plan->count];

	if (plan->count == STEPS_MAX) {
		scar_err_set(err, SCAR_ERR_LIMIT, "the sandbox has too many mounts");
		return NULL;
	}
	*step = (struct scar_jail_step){.kind = kind, .mode = mode, .fd = -1};
	plan->count++;
	step->path = strdup(path);
	step->source = source ? strdup(source) : NULL;
	if (step->path && (!source || step->source))
		return step;
	scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	return NULL;
}

static bool has(const struct scar_jail_plan *plan, const char *path)
{
	for (size_t i = 0; i < plan->count; i++) {
		if (strcmp(plan->steps[i].path, path) == 0)
			return true;
	}
	return false;
}

/* The directories above `path`, each once. */
static int add_parents(struct scar_jail_plan *plan, const char *path, struct scar_err *err)
{
	for (const char *at = strchr(path, '/'); at; at = strchr(at + 1, '/')) {
		char parent[SCAR_LIMIT_PATH_BYTES];

		snprintf(parent, sizeof(parent), "%.*s", (int)(at - path), path);
		if (!has(plan, parent) && !add(plan, SCAR_JAIL_DIR, parent, NULL, 0755, err))
			return -1;
	}
	return 0;
}

/* A place to mount something of the same sort as the source, and the mount. */
static int add_bind(struct scar_jail_plan *plan, enum scar_jail_step_kind kind, const char *path,
		    const char *host, struct scar_err *err)
{
	struct stat st;

	if (stat(host, &st) < 0)
		return scar_err_errno(err, errno, "%s", host);
	if (add_parents(plan, path, err) < 0)
		return -1;
	if (S_ISDIR(st.st_mode) ? !add(plan, SCAR_JAIL_DIR, path, NULL, 0755, err)
				: !add(plan, SCAR_JAIL_TEXT, path, "", 0444, err))
		return -1;
	return add(plan, kind, path, host, 0, err) ? 0 : -1;
}

/* Links are followed now: later their targets would be looked up in the sandbox. */
static int add_host(struct scar_jail_plan *plan, const char *host, bool optional,
		    struct scar_err *err)
{
	scar_free_auto char *real = realpath(host, NULL);

	if (!real && optional && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (!real)
		return scar_err_errno(err, errno, "%s", host);
	return add_bind(plan, SCAR_JAIL_BIND, host + 1, real, err);
}

static int add_devices(struct scar_jail_plan *plan, struct scar_err *err)
{
	static const char *const nodes[] = {"null", "zero", "full", "random", "urandom", "tty"};
	static const char *const links[][2] = {
		{"dev/fd", "/proc/self/fd"},
		{"dev/stdin", "/proc/self/fd/0"},
		{"dev/stdout", "/proc/self/fd/1"},
		{"dev/stderr", "/proc/self/fd/2"},
	};
	char host[32];

	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		snprintf(host, sizeof(host), "/dev/%s", nodes[i]);
		if (add_bind(plan, SCAR_JAIL_DEVICE, host + 1, host, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		if (!add(plan, SCAR_JAIL_LINK, links[i][0], links[i][1], 0, err))
			return -1;
	}
	return 0;
}

static int add_etc(struct scar_jail_plan *plan, struct scar_err *err)
{
	static const char *const shown[] = {"/etc/resolv.conf", "/etc/hosts", "/etc/ssl",
					    "/etc/pki"};

	if (!add(plan, SCAR_JAIL_DIR, "etc", NULL, 0755, err) ||
	    !add(plan, SCAR_JAIL_TEXT, "etc/passwd", passwd, 0644, err) ||
	    !add(plan, SCAR_JAIL_TEXT, "etc/group", group, 0644, err) ||
	    !add(plan, SCAR_JAIL_TEXT, "etc/nsswitch.conf", nsswitch, 0644, err))
		return -1;
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		if (add_host(plan, shown[i], true, err) < 0)
			return -1;
	}
	return 0;
}

static int add_tmp(struct scar_jail_plan *plan, uint64_t bytes, struct scar_err *err)
{
	char data[96];

	snprintf(data, sizeof(data), "size=%" PRIu64 ",mode=0700,uid=%d,gid=%d",
		 bytes ? bytes : DEFAULT_TMP_BYTES, SCAR_JAIL_UID, SCAR_JAIL_GID);
	if (!add(plan, SCAR_JAIL_DIR, "tmp", NULL, 0755, err) ||
	    !add(plan, SCAR_JAIL_TMPFS, "tmp", data, 0, err))
		return -1;
	return 0;
}

static int add_program(struct scar_jail_plan *plan, const char *inside, int program_fd,
		       struct scar_err *err)
{
	struct scar_jail_step *step;

	if (add_parents(plan, inside + 1, err) < 0)
		return -1;
	step = add(plan, SCAR_JAIL_COPY, inside + 1, NULL, 0755, err);
	if (!step)
		return -1;
	step->fd = program_fd;
	return 0;
}

static int add_copy(struct scar_jail_plan *plan, const char *path, const char *host, mode_t mode,
		    struct scar_err *err)
{
	char copy[64];

	snprintf(copy, sizeof(copy), "var/shown-%zu", plan->count);
	if (!add(plan, SCAR_JAIL_COPY, copy, host, mode & 0111 ? 0555 : 0444, err) ||
	    !add(plan, SCAR_JAIL_OVER, path, copy, 0, err))
		return -1;
	return 0;
}

/*
 * Tools write the files of an image layout for their owner alone, whom user 993 is not: such files
 * are shown as copies. (An ordinary caller is user 993 there, and needs none.)
 */
static int add_readable(struct scar_jail_plan *plan, const char *path, const char *host,
			unsigned depth, struct scar_err *err)
{
	scar_dir_auto DIR *dir = NULL;
	struct dirent *entry;
	struct stat st;

	if (geteuid() != 0 || depth == DEPTH_MAX || lstat(host, &st) < 0)
		return 0;
	if (S_ISREG(st.st_mode))
		return st.st_mode & S_IROTH ? 0 : add_copy(plan, path, host, st.st_mode, err);
	if (!S_ISDIR(st.st_mode) || (dir = opendir(host)) == NULL)
		return 0;
	while ((entry = readdir(dir)) != NULL) {
		char below[SCAR_LIMIT_PATH_BYTES], shown[SCAR_LIMIT_PATH_BYTES];
		int len = snprintf(below, sizeof(below), "%s/%s", host, entry->d_name);
		int shown_len = snprintf(shown, sizeof(shown), "%s/%s", path, entry->d_name);

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    len < 0 || (size_t)len >= sizeof(below) || shown_len < 0 ||
		    (size_t)shown_len >= sizeof(shown))
			continue;
		if (add_readable(plan, shown, below, depth + 1, err) < 0)
			return -1;
	}
	return 0;
}

static int add_binds(struct scar_jail_plan *plan, const char *const *binds, struct scar_err *err)
{
	for (size_t i = 0; binds && binds[i]; i++) {
		const char *host = binds[i];

		if (host[0] != '/' || strstr(host, "/../") || strlen(host) >= SCAR_LIMIT_PATH_BYTES)
			return scar_err_set(err, SCAR_ERR_CONFIG,
					    "%s: a path shown in the sandbox must be absolute",
					    host);
		if (has(plan, host + 1) || !host[1])
			continue;
		if (add_host(plan, host, false, err) < 0 ||
		    add_readable(plan, host + 1, host, 0, err) < 0)
			return -1;
	}
	return 0;
}

/* A host's folder that the function's user can read. */
static int add_folder(struct scar_jail_plan *plan, const char *path, const char *host,
		      struct scar_err *err)
{
	struct stat st;

	if (geteuid() == 0 && stat(host, &st) == 0 && (st.st_mode & 05) != 05)
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "%s: the function's user may not read this folder: chmod o+rx",
				    host);
	if (add_bind(plan, SCAR_JAIL_BIND, path, host, err) < 0)
		return -1;
	return add_readable(plan, path, host, 0, err);
}

static int add_task(struct scar_jail_plan *plan, const char *host, struct scar_err *err)
{
	const char *const path = &SCAR_JAIL_TASK_ROOT[1];

	if (host)
		return add_folder(plan, path, host, err);
	if (add_parents(plan, path, err) < 0 || !add(plan, SCAR_JAIL_DIR, path, NULL, 0755, err))
		return -1;
	return 0;
}

static int add_layers(struct scar_jail_plan *plan, const char *host, struct scar_err *err)
{
	return host ? add_folder(plan, &SCAR_JAIL_LAYERS[1], host, err) : 0;
}

static int make(struct scar_jail_plan *plan, const struct scar_jail_options *options,
		const char *inside, int program_fd, struct scar_err *err)
{
	bool is_of_layers = options->layers && strcmp(inside, SCAR_JAIL_PROGRAM) == 0;

	if (!add(plan, SCAR_JAIL_DIR, "dev", NULL, 0755, err) || add_devices(plan, err) < 0 ||
	    !add(plan, SCAR_JAIL_DIR, "proc", NULL, 0555, err) ||
	    !add(plan, SCAR_JAIL_PROC, "proc", NULL, 0, err) ||
	    add_host(plan, "/sys", false, err) < 0 || add_etc(plan, err) < 0 ||
	    add_tmp(plan, options->tmp_bytes, err) < 0 ||
	    add_layers(plan, options->layers, err) < 0 ||
	    (!is_of_layers && add_program(plan, inside, program_fd, err) < 0) ||
	    add_task(plan, options->task, err) < 0)
		return -1;
	return add_binds(plan, options->binds, err);
}

int scar_jail_plan_make(const struct scar_jail_options *options, const char *inside, int program_fd,
			struct scar_jail_plan *ret_plan, struct scar_err *err)
{
	struct scar_jail_plan plan = {.steps = calloc(STEPS_MAX, sizeof(*plan.steps))};

	if (!plan.steps)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	if (make(&plan, options, inside, program_fd, err) < 0) {
		scar_jail_plan_clear(&plan);
		return scar_err_wrap(err, "cannot plan the sandbox's root");
	}
	*ret_plan = plan;
	return 0;
}

void scar_jail_plan_clear(struct scar_jail_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		free(plan->steps[i].path);
		free(plan->steps[i].source);
	}
	free(plan->steps);
	plan->steps = NULL;
	plan->count = 0;
}
