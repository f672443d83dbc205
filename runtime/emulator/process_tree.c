/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/emulator/process_tree.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/limits.h"

#define DEPTH_MAX 64

static int read_proc(pid_t pid, const char *file, struct scar_buf *text)
{
	struct scar_err vanished;
	char path[64];

	scar_buf_init(text, SCAR_KIB(64));
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	return scar_fs_read_file(AT_FDCWD, path, text, &vanished);
}

static uint64_t anonymous_bytes(pid_t pid)
{
	static const char key[] = "RssAnon:";
	scar_buf_auto struct scar_buf text;
	const char *at;

	if (read_proc(pid, "status", &text) < 0)
		return 0;
	at = strstr(text.data, key);
	return at ? (uint64_t)strtoull(at + sizeof(key) - 1, NULL, 10) * 1024 : 0;
}

/* Children of the main thread; a shell or an interpreter starts them there. */
static int read_children(pid_t pid, unsigned depth, struct scar_buf *text)
{
	char path[48];

	snprintf(path, sizeof(path), "task/%d/children", (int)pid);
	return read_proc(pid, path, text) < 0 || depth == DEPTH_MAX ? -1 : 0;
}

static uint64_t descendants_bytes(pid_t pid, unsigned depth)
{
	scar_buf_auto struct scar_buf text;
	uint64_t sum = 0;
	char *at;

	if (read_children(pid, depth, &text) < 0)
		return 0;
	at = text.data;
	for (long child; (child = strtol(at, &at, 10)) > 0;)
		sum += anonymous_bytes((pid_t)child) + descendants_bytes((pid_t)child, depth + 1);
	return sum;
}

uint64_t scar_process_tree_bytes(pid_t pid)
{
	return descendants_bytes(pid, 0);
}

static int signal_tree(pid_t pid, int signum, unsigned depth)
{
	scar_buf_auto struct scar_buf text;
	int count = 1;
	char *at;

	(void)kill(pid, signum);
	if (read_children(pid, depth, &text) < 0)
		return count;
	at = text.data;
	for (long child; (child = strtol(at, &at, 10)) > 0;)
		count += signal_tree((pid_t)child, signum, depth + 1);
	return count;
}

int scar_process_tree_signal(pid_t pid, int signum)
{
	return signal_tree(pid, signum, 0);
}
