/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/emulator/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/emulator/cgroup.h"
#include "runtime/emulator/jail_child.h"
#include "runtime/emulator/jail_plan.h"
#include "runtime/emulator/process_tree.h"

#define ARGS_MAX 64
#define FREEZE_PASSES 8

struct scar_jail {
	pid_t pid; /**< the first process; 0 when reaped */
	bool processes;
	bool killed;
	unsigned missing;
	int control_fd;
	int status_fd;
	struct scar_cgroup *group; /**< NULL: none could be made */
	uint64_t peak_bytes;
};

static const struct {
	enum scar_jail_missing bit;
	const char *text;
} missing_texts[] = {
	{SCAR_JAIL_NO_MOUNTS, "a read-only root, a private /tmp of the given size, no /dev/shm"},
	{SCAR_JAIL_NO_PROCESSES, "a process namespace"},
	{SCAR_JAIL_NO_USER, "user 993"},
	{SCAR_JAIL_NO_CAPS, "an empty capability bounding set"},
	{SCAR_JAIL_NO_FILTER, "the system call filter"},
	{SCAR_JAIL_NO_LIMITS, "1,024 descriptors and processes"},
	{SCAR_JAIL_NO_MEMORY, "the memory limit"},
};

const char *scar_jail_missing_text(enum scar_jail_missing bit)
{
	for (size_t i = 0; i < sizeof(missing_texts) / sizeof(missing_texts[0]); i++) {
		if (missing_texts[i].bit == bit)
			return missing_texts[i].text;
	}
	return "something unknown";
}

/* Ways to have namespaces, best first. */
static const unsigned long ways[] = {
	CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC,
	CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUSER,
	0,
};

struct started {
	pid_t pid;
	unsigned long flags;
};

/* In the child it never returns. */
static int clone_first(struct scar_jail_child *child, bool restrict_it, struct started *ret,
		       struct scar_err *err)
{
	size_t i = restrict_it ? 0 : sizeof(ways) / sizeof(ways[0]) - 1;

	for (; i < sizeof(ways) / sizeof(ways[0]); i++) {
		long pid;

		child->mounts = (ways[i] & CLONE_NEWNS) != 0;
		child->processes = (ways[i] & CLONE_NEWPID) != 0;
		pid = syscall(SYS_clone, ways[i] | SIGCHLD, 0UL, 0UL, 0UL, 0UL);
		if (pid == 0)
			scar_jail_child_run(child);
		if (pid > 0) {
			*ret = (struct started){.pid = (pid_t)pid, .flags = ways[i]};
			return 0;
		}
	}
	return scar_err_errno(err, errno, "cannot start the sandbox's first process");
}

static int write_proc(pid_t pid, const char *file, const char *text, struct scar_err *err)
{
	char path[64];
	scar_fd_auto int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return scar_err_errno(err, errno, "%s", path);
	return 0;
}

/* user_namespaces(7): one id each may be mapped without privilege, the group after setgroups is off. */
static int map_ids(pid_t pid, struct scar_err *err)
{
	char text[64];

	snprintf(text, sizeof(text), "%d %u 1", SCAR_JAIL_UID, (unsigned)geteuid());
	if (write_proc(pid, "setgroups", "deny", err) < 0 ||
	    write_proc(pid, "uid_map", text, err) < 0)
		return -1;
	snprintf(text, sizeof(text), "%d %u 1", SCAR_JAIL_GID, (unsigned)getegid());
	return write_proc(pid, "gid_map", text, err);
}

static int read_message(int fd, struct scar_jail_message *ret_message, struct scar_err *err)
{
	struct scar_jail_message message;
	ssize_t n;

	do {
		n = read(fd, &message, sizeof(message));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return scar_err_errno(err, errno, "cannot read from the sandbox");
	if (n != (ssize_t)sizeof(message))
		return scar_err_set(err, SCAR_ERR_INTERRUPTED, "the sandbox ended without a word");
	*ret_message = message;
	return 0;
}

/* The limit also holds what lies in /tmp, since a tmpfs is memory; Lambda's /tmp is a disk. */
static void limit_memory(struct scar_jail *jail, const struct scar_jail_options *options)
{
	struct scar_err ignored; /* what is missing is named, why is not */
	uint64_t limit;

	if (options->off || !options->memory_bytes)
		return;
	if (__builtin_add_overflow(options->memory_bytes, options->tmp_bytes, &limit) ||
	    scar_cgroup_create(limit, &jail->group, &ignored) < 0) {
		jail->missing |= SCAR_JAIL_NO_MEMORY;
		return;
	}
	if (scar_cgroup_add(jail->group, jail->pid, &ignored) == 0)
		return;
	scar_cgroup_free(jail->group);
	jail->group = NULL;
	jail->missing |= SCAR_JAIL_NO_MEMORY;
}

static int let_go(struct scar_jail *jail, const struct started *started, bool restrict_it,
		  const struct scar_jail_options *options, struct scar_err *err)
{
	struct scar_jail_message message;

	if ((started->flags & CLONE_NEWUSER) && map_ids(jail->pid, err) < 0)
		return scar_err_wrap(err, "cannot map the sandbox's user");
	limit_memory(jail, options);
	if (write(jail->control_fd, "g", 1) != 1)
		return scar_err_errno(err, errno, "cannot start the sandbox");
	if (read_message(jail->status_fd, &message, err) < 0)
		return -1;
	if (message.kind != SCAR_JAIL_STARTED) {
		*err = message.err;
		return -1;
	}
	jail->missing |= message.missing;
	if (restrict_it && !(started->flags & CLONE_NEWNS))
		jail->missing |= SCAR_JAIL_NO_MOUNTS | SCAR_JAIL_NO_PROCESSES;
	return 0;
}

static int start(struct scar_jail *jail, struct scar_jail_child *child,
		 const struct scar_jail_options *options, struct scar_err *err)
{
	struct started started = {0};
	int control[2];
	int status[2];
	int result;

	if (pipe2(control, O_CLOEXEC) < 0)
		return scar_err_errno(err, errno, "pipe");
	jail->control_fd = control[1];
	child->control_fd = control[0];
	if (pipe2(status, O_CLOEXEC) < 0) {
		close(control[0]);
		return scar_err_errno(err, errno, "pipe");
	}
	jail->status_fd = status[0];
	child->status_fd = status[1];
	result = clone_first(child, !options->off, &started, err);
	close(control[0]);
	close(status[1]);
	if (result < 0)
		return -1;
	jail->pid = started.pid;
	jail->processes = (started.flags & CLONE_NEWPID) != 0;
	return let_go(jail, &started, !options->off, options, err);
}

/* argv of the program: argv[0] is how the sandbox sees it. */
static int make_argv(const struct scar_jail_options *options, char *first, char **argv,
		     struct scar_err *err)
{
	size_t count = 0;

	argv[count++] = first;
	for (size_t i = 0; options->args && options->args[i]; i++) {
		if (count == ARGS_MAX - 1)
			return scar_err_set(err, SCAR_ERR_LIMIT, "too many arguments");
		argv[count++] = options->args[i];
	}
	argv[count] = NULL;
	return 0;
}

/* Where the program is in the jail; the answer is modifiable as argv[0] has to be. */
static char *place_inside(const struct scar_jail_options *options, const char *program)
{
	static char of_layers[] = SCAR_JAIL_PROGRAM, of_runtime[] = SCAR_JAIL_RUNTIME;
	scar_free_auto char *layers = options->layers ? realpath(options->layers, NULL) : NULL;
	size_t len = layers ? strlen(layers) : 0;

	if (!layers ||
	    (strncmp(program, layers, len) == 0 && strcmp(program + len, "/bootstrap") == 0))
		return of_layers;
	return of_runtime;
}

static int prepare_and_start(struct scar_jail *jail, const struct scar_jail_options *options,
			     int program_fd, int null_fd, struct scar_jail_plan *plan,
			     struct scar_jail_filter *filter, struct scar_err *err)
{
	char *inside;
	scar_free_auto char *outside = realpath(options->program, NULL);
	char *argv[ARGS_MAX];
	struct scar_jail_child child = {
		.restrict_it = !options->off,
		.plan = plan,
		.filter = filter,
		.argv = argv,
		.envp = options->envp,
		.stdin_fd = null_fd,
		.stdout_fd = options->stdout_fd,
		.stderr_fd = options->stderr_fd,
		.program_fd = program_fd,
	};

	if (!outside)
		return scar_err_errno(err, errno, "%s", options->program);
	inside = place_inside(options, outside);
	if (!options->off && (scar_jail_plan_make(options, inside, program_fd, plan, err) < 0 ||
			      scar_jail_filter_build(options->kernel, filter, err) < 0))
		return -1;
	if (make_argv(options, options->off ? outside : inside, argv, err) < 0)
		return -1;
	child.program = outside;
	child.program_inside = inside;
	return start(jail, &child, options, err);
}

int scar_jail_start(const struct scar_jail_options *options, struct scar_jail **ret_jail,
		    struct scar_err *err)
{
	scar_fd_auto int program_fd = open(options->program, O_RDONLY | O_CLOEXEC);
	scar_fd_auto int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct scar_jail_plan plan = {0};
	struct scar_jail_filter filter = {0};
	struct scar_jail *jail;
	int result;

	if (program_fd < 0)
		return scar_err_errno(err, errno, "%s", options->program);
	if (null_fd < 0)
		return scar_err_errno(err, errno, "/dev/null");
	jail = calloc(1, sizeof(*jail));
	if (!jail)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	jail->control_fd = -1;
	jail->status_fd = -1;
	result = prepare_and_start(jail, options, program_fd, null_fd, &plan, &filter, err);
	scar_jail_plan_clear(&plan);
	scar_jail_filter_clear(&filter);
	if (result < 0) {
		scar_jail_free(jail);
		return scar_err_wrap(err, "cannot start the sandbox");
	}
	*ret_jail = jail;
	return 0;
}

unsigned scar_jail_missing(const struct scar_jail *jail)
{
	return jail->missing;
}

int scar_jail_fd(const struct scar_jail *jail)
{
	return jail->status_fd;
}

void scar_jail_kill(struct scar_jail *jail)
{
	if (!jail->pid)
		return;
	jail->killed = true;
	/* Process 1 of a namespace takes the others along; elsewhere the first process has to do it. */
	if (jail->processes)
		(void)kill(jail->pid, SIGKILL);
	if (jail->control_fd >= 0)
		close(scar_steal_fd(&jail->control_fd));
}

void scar_jail_freeze(struct scar_jail *jail, bool freeze)
{
	int signum = freeze ? SIGSTOP : SIGCONT, before = -1;
	struct scar_err err;

	if (!jail->pid)
		return;
	/* Until no more have come meanwhile. */
	for (int i = 0; i < FREEZE_PASSES; i++) {
		int count = jail->group ? scar_cgroup_signal(jail->group, signum, &err) : -1;

		if (count <= 0)
			count = scar_process_tree_signal(jail->pid, signum);
		if (count == before)
			return;
		before = count;
	}
}

static void reap(struct scar_jail *jail)
{
	while (waitpid(jail->pid, NULL, 0) < 0 && errno == EINTR)
		;
	jail->pid = 0;
}

int scar_jail_wait(struct scar_jail *jail, struct scar_jail_exit *ret_exit, struct scar_err *err)
{
	struct scar_jail_message message;
	int result = read_message(jail->status_fd, &message, err);

	if (result < 0 && err->kind != SCAR_ERR_INTERRUPTED)
		return -1;
	if (jail->pid)
		reap(jail);
	*ret_exit = (struct scar_jail_exit){.killed = true};
	if (result == 0)
		*ret_exit = (struct scar_jail_exit){.killed = false, .status = message.status};
	return 0;
}

void scar_jail_sample(struct scar_jail *jail)
{
	struct scar_err ignored; /* the next sample may do better */
	uint64_t bytes = 0;

	if (!jail->pid)
		return;
	if (!jail->group || scar_cgroup_anonymous_bytes(jail->group, &bytes, &ignored) < 0)
		bytes = scar_process_tree_bytes(jail->pid);
	if (bytes > jail->peak_bytes)
		jail->peak_bytes = bytes;
}

uint64_t scar_jail_peak_bytes(const struct scar_jail *jail)
{
	return jail->peak_bytes;
}

void scar_jail_free(struct scar_jail *jail)
{
	if (!jail)
		return;
	scar_jail_kill(jail);
	if (jail->pid)
		reap(jail);
	if (jail->control_fd >= 0)
		close(jail->control_fd);
	if (jail->status_fd >= 0)
		close(jail->status_fd);
	scar_cgroup_free(jail->group);
	free(jail);
}
