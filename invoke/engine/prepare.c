/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "invoke/engine/guest/path.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

/* execvp(3) without a PATH; the C libraries agree on these. */
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct default_bind {
	const char *host; /* "/..." of the host, or a name below the state directory */
	const char *guest;
	unsigned flags;
};

static const struct default_bind default_binds[] = {
	{"/proc", "/proc", SCAR_BIND_PROC},
	{"/sys", "/sys", 0},
	{"/dev", "/dev", 0},
	{"shm", "/dev/shm", SCAR_BIND_TMPFS},
	{"tmp", "/tmp", 0},
	{"/etc/resolv.conf", "/etc/resolv.conf", 0},
	{"/etc/hosts", "/etc/hosts", 0},
};

static int make_state_dir(const char *state_dir, const char *name, mode_t mode, char *ret_path,
			  struct scar_err *err)
{
	int n = snprintf(ret_path, PATH_MAX, "%s/%s", state_dir, name);

	if (n < 0 || n >= PATH_MAX)
		return scar_err_set(err, SCAR_ERR_LIMIT, "the state directory's path is too long");
	if (mkdir(ret_path, mode) && errno != EEXIST)
		return scar_err_errno(err, errno, "cannot make %s", ret_path);
	if (mode & S_ISVTX && chmod(ret_path, mode))
		return scar_err_errno(err, errno, "cannot set the mode of %s", ret_path);
	return 0;
}

/* The guest without any binds sees the bare rootfs: that is where mount points are made. */
static struct scar_guest bare_guest(const struct scar_guest *guest)
{
	struct scar_guest bare = *guest;

	bare.bind_count = 0;
	return bare;
}

int scar_prepare_undo(struct scar_prepared *p, struct scar_err *err)
{
	int ret;

	if (!p->undo_dir[0] || p->undo.header)
		return 0;
	ret = scar_undo_open(&p->undo, p->undo_dir);
	return ret ? scar_err_errno(err, -ret, "cannot map the list of files in %s", p->undo_dir)
		   : 0;
}

/* The directory that a new name of the rootfs came into, and its time before. */
struct parent {
	int fd;
	struct timespec times[2];
};

/*
 * Something new comes into the rootfs: it goes with the invocation. `p` is NULL for what each start would make again: that
 * stays, and must not show in the time of its directory.
 */
static int before_creation(struct scar_prepared *p, const struct scar_where *where,
			   struct parent *ret_parent)
{
	const char *slash = strrchr(where->path, '/');
	scar_free_auto char *name = NULL;
	struct scar_err err;
	struct stat st;

	ret_parent->fd = -1;
	if (!p) {
		name = slash ? strndup(where->path, (size_t)(slash - where->path)) : strdup(".");
		if (!name)
			return -ENOMEM;
		ret_parent->fd = openat(where->dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (ret_parent->fd >= 0 && fstat(ret_parent->fd, &st) == 0) {
			ret_parent->times[0].tv_nsec = UTIME_OMIT;
			ret_parent->times[1] = st.st_mtim;
		}
		return 0;
	}
	if (!p->undo_dir[0])
		return 0;
	if (scar_prepare_undo(p, &err))
		return -EIO;
	return (int)scar_undo_name(&p->undo, where->dir_fd, where->path);
}

static void after_creation(struct parent *parent)
{
	if (parent->fd < 0)
		return;
	/* One of the image's time less is not worth failing for. */
	(void)futimens(parent->fd, parent->times);
	close(scar_steal_fd(&parent->fd));
}

/* Makes a directory of the guest and its parents; existing ones are fine. */
static int make_guest_dir(struct scar_prepared *p, const struct scar_guest *guest, const char *path,
			  mode_t mode)
{
	const struct scar_path_context ctx = {.guest = guest, .exe = "/"};
	scar_free_auto struct scar_where *where = malloc(sizeof(*where));
	char prefix[SCAR_GUEST_PATH_MAX];
	struct parent parent;
	struct stat st;

	if (!where)
		return -ENOMEM;
	for (const char *at = path; *at;) {
		size_t len;
		int ret;

		at += strspn(at, "/");
		at += strcspn(at, "/");
		len = (size_t)(at - path);
		if (len >= sizeof(prefix))
			return -ENAMETOOLONG;
		memcpy(prefix, path, len);
		prefix[len] = '\0';
		ret = scar_path_resolve(&ctx, AT_FDCWD, prefix, SCAR_PATH_FOLLOW, where);
		if (ret)
			return ret;
		if (fstatat(where->dir_fd, where->path, &st, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		ret = before_creation(p, where, &parent);
		if (ret)
			return ret;
		if (mkdirat(where->dir_fd, where->path, mode) && errno != EEXIST)
			ret = -errno;
		after_creation(&parent);
		if (ret)
			return ret;
	}
	return 0;
}

/* A place to bind over. A rootfs that cannot be written only lacks the name in its listing. */
static void make_mount_point(struct scar_prepared *p, const struct scar_guest *guest,
			     const char *host, const char *path)
{
	const struct scar_path_context ctx = {.guest = guest, .exe = "/"};
	scar_free_auto struct scar_where *where = malloc(sizeof(*where));
	char parent[SCAR_GUEST_PATH_MAX];
	struct parent parent_dir;
	struct stat st;
	size_t slash = (size_t)(strrchr(path, '/') - path);

	if (!where || stat(host, &st) || slash >= sizeof(parent))
		return;
	if (S_ISDIR(st.st_mode)) {
		(void)make_guest_dir(p, guest, path, 0755);
		return;
	}
	memcpy(parent, path, slash);
	parent[slash] = '\0';
	if (slash && make_guest_dir(p, guest, parent, 0755))
		return;
	if (scar_path_resolve(&ctx, AT_FDCWD, path, SCAR_PATH_FOLLOW, where) == 0 &&
	    fstatat(where->dir_fd, where->path, &st, AT_SYMLINK_NOFOLLOW) != 0 &&
	    before_creation(p, where, &parent_dir) == 0) {
		scar_fd_auto int fd = openat(where->dir_fd, where->path,
					     O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);

		(void)fd;
		after_creation(&parent_dir);
	}
}

static int add_bind(struct scar_prepared *p, const char *host, const char *path, unsigned flags,
		    struct scar_err *err)
{
	char *real = realpath(host, NULL);

	if (!real)
		return scar_err_errno(err, errno, "cannot bind %s", host);
	if (p->host_count == SCAR_GUEST_BINDS_MAX ||
	    scar_guest_bind_add(&p->guest, real, path, flags)) {
		free(real);
		return scar_err_set(err, SCAR_ERR_CONFIG, "cannot bind %s to \"%s\"", host, path);
	}
	p->hosts[p->host_count++] = real;
	return 0;
}

static int add_binds(struct scar_prepared *p, const struct scar_engine_spec *spec,
		     struct scar_err *err)
{
	struct scar_guest bare;
	uint32_t own;

	for (size_t i = 0; i < sizeof(default_binds) / sizeof(default_binds[0]); i++) {
		const struct default_bind *b = &default_binds[i];
		char path[PATH_MAX];

		if (spec->image_tmp && strcmp(b->guest, "/tmp") == 0)
			continue;
		if (b->host[0] == '/') {
			if (access(b->host, F_OK) == 0 &&
			    add_bind(p, b->host, b->guest, b->flags, err))
				return -1;
			continue;
		}
		if (make_state_dir(p->state_dir, b->host, 01777, path, err) ||
		    add_bind(p, path, b->guest, b->flags, err))
			return -1;
	}
	own = p->guest.bind_count;
	for (size_t i = 0; i < spec->bind_count; i++) {
		const struct scar_bind *b = &spec->binds[i];

		if (add_bind(p, b->host, b->guest, b->read_only ? SCAR_BIND_READ_ONLY : 0, err))
			return -1;
	}
	bare = bare_guest(&p->guest);
	for (uint32_t i = 0; i < p->guest.bind_count; i++)
		make_mount_point(i < own ? NULL : p, &bare, p->guest.binds[i].host,
				 p->guest.binds[i].guest);
	return 0;
}

static void set_identity(struct scar_guest *guest, const struct scar_engine_spec *spec)
{
	struct scar_guest_ids *ids = &guest->ids;

	ids->ruid = ids->euid = ids->suid = ids->fsuid = spec->uid;
	ids->rgid = ids->egid = ids->sgid = ids->fsgid = spec->gid;
	for (size_t i = 0; i < spec->group_count && i < SCAR_GUEST_GROUPS_MAX; i++)
		ids->groups[ids->group_count++] = spec->groups[i];
	guest->host_uid = geteuid();
	guest->host_gid = getegid();
}

static const char *path_variable(char *const *envp)
{
	for (; envp && *envp; envp++)
		if (strncmp(*envp, "PATH=", 5) == 0)
			return *envp + 5;
	return DEFAULT_PATH;
}

/* True if the guest's `path` is a file that may be executed; *errnum is kept for the worst case. */
static bool is_program(const struct scar_path_context *ctx, const char *path, int *errnum)
{
	scar_free_auto struct scar_where *where = malloc(sizeof(*where));
	struct stat st;

	if (!where || scar_path_resolve(ctx, AT_FDCWD, path, SCAR_PATH_FOLLOW, where) ||
	    fstatat(where->dir_fd, where->path, &st, 0) || !S_ISREG(st.st_mode))
		return false;
	if (faccessat(where->dir_fd, where->path, X_OK, 0) == 0)
		return true;
	*errnum = EACCES;
	return false;
}

/* execvp(3) in the guest: a name without a slash is looked for in PATH. */
static int find_program(struct scar_prepared *p, const struct scar_engine_spec *spec,
			struct scar_err *err)
{
	const struct scar_path_context ctx = {.guest = &p->guest, .exe = "/"};
	const char *name = spec->argv && spec->argv[0] ? spec->argv[0] : "";
	int errnum = ENOENT;

	if (strchr(name, '/')) {
		size_t len = strlen(name);

		if (len >= sizeof(p->program)) {
			scar_err_set(err, SCAR_ERR_EXEC, "the program's path is too long");
			err->errnum = ENAMETOOLONG;
			return -1;
		}
		memcpy(p->program, name, len + 1);
		return 0;
	}
	for (const char *at = path_variable(spec->envp); *name && at;) {
		size_t len = strcspn(at, ":");
		int n = snprintf(p->program, sizeof(p->program), "%.*s%s%s", (int)len, at,
				 len ? "/" : "./", name);

		if (n > 0 && n < (int)sizeof(p->program) && is_program(&ctx, p->program, &errnum))
			return 0;
		at = at[len] ? at + len + 1 : NULL;
	}
	scar_err_set(err, SCAR_ERR_EXEC, "cannot execute \"%s\": %s", name,
		     !*name             ? "no program is named"
		     : errnum == ENOENT ? "not found in PATH"
					: strerror(errnum));
	err->errnum = errnum;
	return -1;
}

static int set_cwd(struct scar_prepared *p, const struct scar_engine_spec *spec,
		   struct scar_err *err)
{
	const char *cwd = spec->cwd && *spec->cwd ? spec->cwd : "/";
	const struct scar_path_context ctx = {.guest = &p->guest, .exe = "/"};
	scar_free_auto struct scar_where *where = malloc(sizeof(*where));
	int ret;

	if (!where)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	(void)make_guest_dir(p, &p->guest, cwd, 0755);
	ret = scar_path_resolve(&ctx, AT_FDCWD, cwd, SCAR_PATH_FOLLOW, where);
	if (ret)
		return scar_err_errno(err, -ret, "working directory %s", cwd);
	memcpy(p->cwd, where->guest_len ? where->guest : "/",
	       where->guest_len ? where->guest_len + 1 : 2);
	scar_path_to_host(&p->guest, where->guest, p->cwd_host);
	if (access(p->cwd_host, X_OK))
		return scar_err_errno(err, errno, "working directory %s", cwd);
	return 0;
}

static int set_paths(struct scar_prepared *p, const struct scar_engine_spec *spec,
		     struct scar_err *err)
{
	if (!realpath(spec->rootfs, p->root))
		return scar_err_errno(err, errno, "rootfs %s", spec->rootfs);
	if (!realpath(spec->state_dir, p->state_dir))
		return scar_err_errno(err, errno, "state directory %s", spec->state_dir);
	if (spec->undo_dir && !realpath(spec->undo_dir, p->undo_dir))
		return scar_err_errno(err, errno, "baseline in %s", spec->undo_dir);
	if (strlen(p->undo_dir) >= SCAR_UNDO_DIR_MAX || strlen(p->root) >= SCAR_GUEST_ROOT_MAX ||
	    strlen(p->state_dir) >= SCAR_GUEST_ROOT_MAX)
		return scar_err_set(err, SCAR_ERR_LIMIT, "the path of the rootfs is too long");
	p->guest.root = p->root;
	p->guest.root_len = strlen(p->root);
	p->guest.state_dir = p->state_dir;
	p->guest.undo_dir = p->undo_dir;
	p->guest.root_fd = open(p->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (p->guest.root_fd < 0)
		return scar_err_errno(err, errno, "rootfs %s", p->root);
	return 0;
}

int scar_prepare(struct scar_prepared *p, const struct scar_engine_spec *spec, struct scar_err *err)
{
	memset(p, 0, sizeof(*p));
	p->guest.root_fd = -1;
	if (set_paths(p, spec, err))
		return -1;
	set_identity(&p->guest, spec);
	return add_binds(p, spec, err) || set_cwd(p, spec, err) || find_program(p, spec, err) ? -1
											      : 0;
}

void scar_prepared_clear(struct scar_prepared *p)
{
	for (size_t i = 0; i < p->host_count; i++)
		free(p->hosts[i]);
	p->host_count = 0;
	scar_undo_close(&p->undo);
	scar_cleanup_fd(&p->guest.root_fd);
	p->guest.root_fd = -1;
}
