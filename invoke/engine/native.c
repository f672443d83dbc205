/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel does all: a mount namespace of the child's own, with a user namespace where we
 * are not root. Full speed, and the truth that the other engines are compared with.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "invoke/engine/config.h"
#include "invoke/engine/engines.h"
#include "invoke/engine/guest/path.h"
#include "invoke/engine/prepare.h"
#include "invoke/engine/spawn.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

/* A bind ready to be mounted: where the guest's path leads in the bare rootfs. */
struct mount_point {
	const char *host;
	char target[SCAR_GUEST_ROOT_MAX + SCAR_GUEST_PATH_MAX];
	bool read_only;
};

struct start {
	struct scar_prepared prepared;
	struct mount_point *mounts;
	size_t mount_count;
	uid_t uid; /* ours, before the user namespace hides it */
	gid_t gid;
	bool may_pivot;
};

static int write_text(const char *path, const char *text)
{
	scar_fd_auto int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

/* Namespaces of our own; without root the guest's ids are mapped to ours. */
static int enter_namespaces(uid_t uid, gid_t gid, uint32_t guest_uid, uint32_t guest_gid)
{
	char map[64];

	if (uid == 0)
		return unshare(CLONE_NEWNS);
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return -1;
	snprintf(map, sizeof(map), "%u %u 1\n", guest_uid, uid);
	/* user_namespaces(7): the group map may be written only once setgroups is denied. */
	if (write_text("/proc/self/setgroups", "deny") || write_text("/proc/self/uid_map", map))
		return -1;
	snprintf(map, sizeof(map), "%u %u 1\n", guest_gid, gid);
	return write_text("/proc/self/gid_map", map);
}

static int bind_mount(const char *host, const char *target, bool read_only)
{
	if (mount(host, target, NULL, MS_BIND | MS_REC, NULL))
		return -1;
	return read_only ? mount(NULL, target, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID,
				 NULL)
			 : 0;
}

/*
 * pivot_root(2), "pivot_root(".", ".")": the old root lies on top and is taken off. Where the root of
 * the machine is no mount that can be put aside (an initramfs, or the rootfs itself), chroot(2) does:
 * the mounts are private either way.
 */
static int enter_root(const char *root, bool may_pivot)
{
	if (chdir(root))
		return -1;
	if (may_pivot && syscall(SYS_pivot_root, ".", ".") == 0)
		return umount2(".", MNT_DETACH) ? -1 : chdir("/");
	return chroot(".") ? -1 : chdir("/");
}

static int take_identity(const struct scar_engine_spec *spec, uid_t uid)
{
	gid_t groups[SCAR_GUEST_GROUPS_MAX];
	size_t count = 0;

	if (uid != 0)
		return 0;
	for (; count < spec->group_count && count < SCAR_GUEST_GROUPS_MAX; count++)
		groups[count] = spec->groups[count];
	if (setgroups(count, groups) || setresgid(spec->gid, spec->gid, spec->gid))
		return -1;
	return setresuid(spec->uid, spec->uid, spec->uid);
}

static void execute(const struct scar_engine_spec *spec, const char *program)
{
	struct stat st;
	int errnum;

	fcntl(SCAR_SPAWN_STATUS_FD, F_SETFD, FD_CLOEXEC);
	execve(program, spec->argv, spec->envp ? spec->envp : (char *const[]){NULL});
	errnum = errno;
	scar_spawn_fail(false, errnum, program,
			errnum == ENOENT && stat(program, &st) == 0 ? "its interpreter is missing"
			: errnum == ENOEXEC ? "not a program for this machine"
					    : "");
}

static void in_child(const struct scar_engine_spec *spec, void *ctx)
{
	const struct start *s = ctx;
	const char *root = s->prepared.root;

	if (enter_namespaces(s->uid, s->gid, spec->uid, spec->gid) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || bind_mount(root, root, false))
		scar_spawn_fail(true, errno, root, "cannot make a mount namespace");
	for (size_t i = 0; i < s->mount_count; i++) {
		const struct mount_point *m = &s->mounts[i];

		if (bind_mount(m->host, m->target, m->read_only))
			scar_spawn_fail(true, errno, m->target, "cannot bind");
	}
	if (enter_root(root, s->may_pivot))
		scar_spawn_fail(true, errno, root, "cannot enter the root");
	if (take_identity(spec, s->uid))
		scar_spawn_fail(true, errno, root, "cannot take the identity");
	if (chdir(s->prepared.cwd))
		scar_spawn_fail(true, errno, s->prepared.cwd, "cannot enter the working directory");
	execute(spec, s->prepared.program);
}

/* Parents before what lies in them: by length of the guest path. */
static int by_length(const void *a, const void *b)
{
	const struct scar_guest_bind *x = a, *y = b;

	return (int)x->guest_len - (int)y->guest_len;
}

/*
 * Where the binds go. Links are resolved in the bare rootfs, since mount(2) would follow them on
 * the host; a mount point inside another bind lies in that bind's directory.
 */
static int place_mounts(struct start *s, struct scar_err *err)
{
	struct scar_guest *guest = &s->prepared.guest, bare = *guest;
	const struct scar_path_context ctx = {.guest = &bare, .exe = "/"};
	scar_free_auto struct scar_where *where = malloc(sizeof(*where));

	bare.bind_count = 0;
	s->mounts = calloc(SCAR_GUEST_BINDS_MAX, sizeof(*s->mounts));
	if (!where || !s->mounts)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	qsort(guest->binds, guest->bind_count, sizeof(guest->binds[0]), by_length);
	for (uint32_t i = 0; i < guest->bind_count; i++) {
		const struct scar_guest_bind *b = &guest->binds[i];
		struct mount_point *m = &s->mounts[s->mount_count];
		int ret = scar_path_resolve(&ctx, AT_FDCWD, b->guest, SCAR_PATH_FOLLOW, where);

		if (ret)
			return scar_err_errno(err, -ret, "cannot bind %s", b->guest);
		scar_path_to_host(&bare, where->guest, m->target);
		m->host = b->host;
		m->read_only = b->flags & SCAR_BIND_READ_ONLY;
		s->mount_count++;
	}
	return 0;
}

static int start_with(struct start *s, const struct scar_engine_spec *spec,
		      struct scar_process *ret_process, struct scar_err *err)
{
	s->uid = geteuid();
	s->gid = getegid();
	s->may_pivot = !scar_engine_pivot_is_refused();
	if (scar_prepare(&s->prepared, spec, err) || place_mounts(s, err) ||
	    scar_prepare_undo(&s->prepared, err))
		return -1;
	/* The kernel does not tell what the program changes. */
	if (s->prepared.undo.header)
		scar_undo_untracked(&s->prepared.undo);
	return scar_spawn(spec, in_child, s, ret_process, err);
}

static int start(const struct scar_engine_spec *spec, struct scar_process *ret_process,
		 struct scar_err *err)
{
	struct start *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	s->prepared.guest.root_fd = -1;
	ret = start_with(s, spec, ret_process, err);
	scar_prepared_clear(&s->prepared);
	free(s->mounts);
	free(s);
	return ret;
}

/* As a start, up to the program. In a child, since there is no way back out of a namespace. */
static void probe_in_child(uid_t uid, gid_t gid)
{
	bool works = enter_namespaces(uid, gid, 0, 0) == 0 &&
		     mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		     bind_mount("/proc", "/proc", false) == 0 &&
		     enter_root("/proc", !scar_engine_pivot_is_refused()) == 0;

	_exit(works ? 0 : errno & 0xff);
}

static int probe(struct scar_err *err)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return scar_err_errno(err, errno, "cannot fork");
	if (pid == 0)
		probe_in_child(uid, gid);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return scar_err_errno(err, errno, "cannot wait for the probe");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return scar_err_set(err, SCAR_ERR_ENGINE, "namespaces are not permitted here: %s",
			    WIFEXITED(status) ? strerror(WEXITSTATUS(status)) : "killed");
}

/* An image has more than one owner, and installers change owners; the rewrite engine lets them. */
static int suits(struct scar_err *err)
{
	if (geteuid() == 0)
		return 0;
	return scar_err_set(err, SCAR_ERR_ENGINE,
			    "works, but a user namespace made without root has one user only");
}

const struct scar_engine_ops scar_engine_native = {
	.name = "native", .probe = probe, .suits = suits, .start = start};
