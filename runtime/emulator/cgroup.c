/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/emulator/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/limits.h"

#define V1_MOUNT "/sys/fs/cgroup/memory"
#define V2_MOUNT "/sys/fs/cgroup"
/* The kernel needs a moment to let go of processes that have just ended. */
#define REMOVE_TRIES 50
#define REMOVE_PAUSE_MS 10

struct scar_cgroup {
	char path[SCAR_LIMIT_PATH_BYTES];
	int fd;
	bool v2;
};

static int write_value(int fd, const char *file, const char *text)
{
	scar_fd_auto int out = openat(fd, file, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (out < 0)
		return -1;
	do {
		n = write(out, text, strlen(text));
	} while (n < 0 && errno == EINTR);
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

/* The path behind "N:controllers:" of the line in /proc/self/cgroup; v2's line is "0::/path". */
static int own_path(bool v2, char *path, size_t size, struct scar_err *err)
{
	scar_buf_auto struct scar_buf text;
	char *save = NULL;

	scar_buf_init(&text, SCAR_KIB(64));
	if (scar_fs_read_file(AT_FDCWD, "/proc/self/cgroup", &text, err) < 0)
		return -1;
	for (char *line = strtok_r(text.data, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *controllers = strchr(line, ':');
		char *at = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!at)
			continue;
		*at++ = '\0';
		if (v2 ? strncmp(line, "0:", 2) == 0 && !controllers[1]
		       : strcmp(controllers + 1, "memory") == 0) {
			snprintf(path, size, "%s", strcmp(at, "/") == 0 ? "" : at);
			return 0;
		}
	}
	return scar_err_set(err, SCAR_ERR_UNSUPPORTED, "no memory control group");
}

static bool set_limit(const struct scar_cgroup *group, uint64_t limit_bytes)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, limit_bytes);
	if (group->v2) {
		if (write_value(group->fd, "memory.max", text) < 0)
			return false;
		/* Absent without swap accounting; then there is no swap to escape to. */
		(void)write_value(group->fd, "memory.swap.max", "0");
		return true;
	}
	if (write_value(group->fd, "memory.limit_in_bytes", text) < 0)
		return false;
	(void)write_value(group->fd, "memory.memsw.limit_in_bytes", text);
	return true;
}

static int make_below(struct scar_cgroup *group, const char *parent, uint64_t limit_bytes)
{
	static _Atomic unsigned serial;
	int n = snprintf(group->path, sizeof(group->path), "%s/scar-%d-%u", parent, (int)getpid(),
			 serial++);

	if (n < 0 || (size_t)n >= sizeof(group->path))
		return -1;
	if (group->v2) {
		scar_fd_auto int parent_fd = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);

		/* Fails where it is on already, or where the group has processes of its own; mkdir tells. */
		if (parent_fd >= 0)
			(void)write_value(parent_fd, "cgroup.subtree_control", "+memory");
	}
	if (mkdir(group->path, 0755) < 0)
		return -1;
	group->fd = open(group->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (group->fd >= 0 && set_limit(group, limit_bytes))
		return 0;
	if (group->fd >= 0)
		close(group->fd);
	group->fd = -1;
	(void)rmdir(group->path);
	return -1;
}

static int make(struct scar_cgroup *group, uint64_t limit_bytes, struct scar_err *err)
{
	const char *mount_point = group->v2 ? V2_MOUNT : V1_MOUNT;
	char own[SCAR_LIMIT_PATH_BYTES / 2];
	char parent[SCAR_LIMIT_PATH_BYTES - 64];

	if (own_path(group->v2, own, sizeof(own), err) < 0)
		return -1;
	snprintf(parent, sizeof(parent), "%s%s", mount_point, own);
	/* In a container the own path may be that of the host, and the mount already its root. */
	if (make_below(group, parent, limit_bytes) == 0 ||
	    make_below(group, mount_point, limit_bytes) == 0)
		return 0;
	return scar_err_errno(err, errno, "cannot make a memory control group below %s",
			      mount_point);
}

int scar_cgroup_create(uint64_t limit_bytes, struct scar_cgroup **ret_group, struct scar_err *err)
{
	struct scar_cgroup *group = calloc(1, sizeof(*group));

	if (!group)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	group->fd = -1;
	if (make(group, limit_bytes, err) < 0) {
		group->v2 = true;
		if (make(group, limit_bytes, err) < 0) {
			free(group);
			return -1;
		}
	}
	*ret_group = group;
	return 0;
}

int scar_cgroup_add(const struct scar_cgroup *group, pid_t pid, struct scar_err *err)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", (int)pid);
	if (write_value(group->fd, "cgroup.procs", text) == 0)
		return 0;
	return scar_err_errno(err, errno, "cannot put a process into %s", group->path);
}

/* The number behind "key " at the start of a line. */
static int stat_value(const char *text, const char *key, uint64_t *ret_value)
{
	size_t len = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, len) == 0 && line[len] == ' ') {
			*ret_value = strtoull(line + len + 1, NULL, 10);
			return 0;
		}
	}
	return -1;
}

int scar_cgroup_anonymous_bytes(const struct scar_cgroup *group, uint64_t *ret_bytes,
				struct scar_err *err)
{
	scar_buf_auto struct scar_buf text;

	scar_buf_init(&text, SCAR_KIB(64));
	if (scar_fs_read_file(group->fd, "memory.stat", &text, err) < 0)
		return -1;
	if (stat_value(text.data, group->v2 ? "anon" : "total_rss", ret_bytes) == 0)
		return 0;
	return scar_err_set(err, SCAR_ERR_UNSUPPORTED, "%s/memory.stat lacks the value",
			    group->path);
}

int scar_cgroup_signal(const struct scar_cgroup *group, int signum, struct scar_err *err)
{
	scar_buf_auto struct scar_buf text;
	int count = 0;
	char *at;

	scar_buf_init(&text, SCAR_MIB(1));
	if (scar_fs_read_file(group->fd, "cgroup.procs", &text, err) < 0)
		return -1;
	at = text.data;
	/* A member outside this process's namespace is listed as 0. */
	for (long pid; at && (pid = strtol(at, &at, 10)) > 0; count++)
		(void)kill((pid_t)pid, signum);
	return count;
}

void scar_cgroup_free(struct scar_cgroup *group)
{
	if (!group)
		return;
	if (group->fd >= 0)
		close(group->fd);
	for (int i = 0; i < REMOVE_TRIES && rmdir(group->path) < 0 && errno == EBUSY; i++)
		scar_clock_sleep_ms(REMOVE_PAUSE_MS);
	free(group);
}
