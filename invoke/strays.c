/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/strays.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/clock.h"
#include "runtime/base/log.h"

/* A process may fork between our look at its child and at itself, and takes its time to die. */
#define LOOKS 50
#define BETWEEN_MS 1
#define PART_BYTES 8192

/* Is `marker` one of the NUL-terminated entries that come out of fd? */
static bool holds(int fd, const char *marker, size_t len)
{
	char part[PART_BYTES];
	size_t matched = 0; /* of this entry; more than len: it is another */
	ssize_t n;

	while ((n = read(fd, part, sizeof part)) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (part[i] == '\0') {
				if (matched == len)
					return true;
				matched = 0;
			} else if (matched < len && part[i] == marker[matched]) {
				matched++;
			} else {
				matched = len + 1;
			}
		}
	}
	return false;
}

static bool is_stray(int proc_fd, const char *pid, const char *marker, size_t len)
{
	scar_fd_auto int fd = -1;
	struct stat st;
	char path[32];

	if (fstatat(proc_fd, pid, &st, 0) < 0 || st.st_uid != geteuid())
		return false;
	snprintf(path, sizeof path, "%.16s/environ", pid);
	fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && holds(fd, marker, len);
}

static size_t kill_once(const char *marker)
{
	scar_dir_auto DIR *proc = opendir("/proc");
	struct dirent *entry;
	size_t count = 0;

	while (proc && (entry = readdir(proc))) {
		long pid = strtol(entry->d_name, NULL, 10);

		if (pid <= 1 || pid == getpid() ||
		    !is_stray(dirfd(proc), entry->d_name, marker, strlen(marker)))
			continue;
		if (kill((pid_t)pid, SIGKILL) == 0)
			count++;
		else if (errno != ESRCH)
			scar_warn(
				"cannot kill process %ld, which the program left behind: errno %d",
				pid, errno);
	}
	return count;
}

size_t scar_strays_kill(const char *marker)
{
	size_t count = 0;

	for (int look = 0; look < LOOKS; look++) {
		size_t found = kill_once(marker);

		count += found;
		if (found == 0)
			break;
		scar_clock_sleep_ms(BETWEEN_MS);
	}
	return count;
}
