/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/guest/path.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "invoke/engine/guest/sys.h"
#include "invoke/engine/guest/text.h"

/* As the kernel (MAXSYMLINKS). */
#define LINKS_MAX 40

/* A walk in progress. Its canonical path so far is where->guest: "" for the root. */
struct walk {
	const struct scar_path_context *ctx;
	struct scar_where *where;
	const char *next; /* what is left of `rest` */
	int links;
	bool is_directory; /* where->guest is known to be one */
	bool slash;        /* the path ends in one: it must lead to a directory */
	char rest[SCAR_GUEST_PATH_MAX];
	char link[SCAR_GUEST_PATH_MAX];
};

/* The innermost bind that covers a canonical path of the guest, or NULL. */
static const struct scar_guest_bind *bind_of(const struct scar_guest *guest, const char *path,
					     size_t len)
{
	const struct scar_guest_bind *best = NULL;

	for (uint32_t i = 0; i < guest->bind_count; i++) {
		const struct scar_guest_bind *b = &guest->binds[i];

		if (len >= b->guest_len && (!best || b->guest_len > best->guest_len) &&
		    path[1] == b->guest[1] && scar_path_below(path, b->guest, b->guest_len))
			best = b;
	}
	return best;
}

void scar_path_to_host(const struct scar_guest *guest, const char *path, char *buf)
{
	const struct scar_guest_bind *b = bind_of(guest, path, strlen(path));
	struct scar_text t = scar_text_of(buf, SCAR_GUEST_ROOT_MAX + SCAR_GUEST_PATH_MAX);

	if (b) {
		scar_text_put(&t, b->host, b->host_len);
		scar_text_str(&t, path + b->guest_len);
	} else {
		scar_text_put(&t, guest->root, guest->root_len);
		scar_text_str(&t, path);
	}
}

int scar_path_to_guest(const struct scar_guest *guest, char *buf, size_t size)
{
	const char *from = guest->root, *to = "";
	size_t from_len = guest->root_len, to_len = 0, len = strlen(buf);

	if (!scar_path_below(buf, guest->root, guest->root_len))
		from_len = 0;
	for (uint32_t i = 0; i < guest->bind_count; i++) {
		const struct scar_guest_bind *b = &guest->binds[i];

		if (b->host_len > from_len && scar_path_below(buf, b->host, b->host_len)) {
			from = b->host;
			from_len = b->host_len;
			to = b->guest;
			to_len = b->guest_len;
		}
	}
	if (!from_len || strncmp(from, buf, from_len) != 0)
		return -ENOENT;
	if (len - from_len + to_len + 2 > size)
		return -ENAMETOOLONG;
	memmove(buf + to_len, buf + from_len, len - from_len + 1);
	memcpy(buf, to, to_len);
	len = len - from_len + to_len;
	if (len == 0) {
		buf[len++] = '/';
		buf[len] = '\0';
	}
	return (int)len;
}

const char *scar_where_flat(const struct scar_guest *guest, const struct scar_where *where,
			    char buf[SCAR_GUEST_PATH_MAX])
{
	struct scar_text t = scar_text_of(buf, SCAR_GUEST_PATH_MAX);

	if (where->path[0] == '/' || where->dir_fd == AT_FDCWD)
		return where->path;
	if (where->dir_fd == guest->root_fd &&
	    guest->root_len + 1 + strlen(where->path) < SCAR_GUEST_PATH_MAX) {
		scar_text_put(&t, guest->root, guest->root_len);
	} else {
		scar_text_str(&t, "/proc/self/fd/");
		scar_text_unsigned(&t, (unsigned)where->dir_fd, 10);
	}
	scar_text_put(&t, "/", 1);
	scar_text_str(&t, where->path);
	return buf;
}

static bool is_name_of_bind(const struct scar_guest *guest, const char *name, size_t len)
{
	for (uint32_t i = 0; i < guest->bind_count; i++) {
		const struct scar_guest_bind *b = &guest->binds[i];
		const char *last = b->guest + b->guest_len - len;

		if (b->guest_len > len && last[-1] == '/' && memcmp(last, name, len) == 0)
			return true;
	}
	return false;
}

bool scar_path_is_plain(const struct scar_guest *guest, const char *path)
{
	for (const char *at = path; *at;) {
		size_t len = 0;

		while (at[len] && at[len] != '/')
			len++;
		if (len == 2 && at[0] == '.' && at[1] == '.')
			return false;
		if (len && (guest->bind_marks & scar_guest_name_mark(at, len)) &&
		    is_name_of_bind(guest, at, len))
			return false;
		for (at += len; *at == '/'; at++)
			;
	}
	return true;
}

/* Points where->path (and dir_fd) at the host's place of where->guest. */
bool scar_where_place(const struct scar_guest *guest, struct scar_where *where)
{
	const struct scar_guest_bind *b = bind_of(guest, where->guest, where->guest_len);

	where->bind_flags = b ? b->flags : 0;
	where->read_only = b && (b->flags & SCAR_BIND_READ_ONLY);
	if (b) {
		struct scar_text t = scar_text_of(where->host, sizeof(where->host));

		scar_text_put(&t, b->host, b->host_len);
		scar_text_str(&t, where->guest + b->guest_len);
		where->dir_fd = AT_FDCWD;
		where->path = where->host;
	} else {
		where->dir_fd = guest->root_fd;
		where->path = where->guest_len ? where->guest + 1 : ".";
	}
	return b;
}

static void place(struct walk *w)
{
	scar_where_place(w->ctx->guest, w->where);
}

/* True if the link of a process's descriptor leads to a directory. */
static bool leads_to_directory(int dir_fd, const char *link)
{
	struct stat st;

	return scar_sys(__NR_newfstatat, dir_fd, link, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

static bool is_removed(int fd)
{
	struct stat st;

	return scar_sys(__NR_fstat, fd, &st) == 0 && st.st_nlink == 0;
}

/* Reads the host's name of an open file, or of the working directory. @return its length or -errno */
static long host_name(int dir_fd, char *buf, size_t size)
{
	char proc[40];
	struct scar_text t = scar_text_of(proc, sizeof(proc));
	long n;

	if (dir_fd == AT_FDCWD) {
		scar_text_str(&t, "/proc/self/cwd");
	} else {
		scar_text_str(&t, "/proc/self/fd/");
		scar_text_unsigned(&t, (unsigned)dir_fd, 10);
	}
	n = scar_sys(__NR_readlinkat, AT_FDCWD, proc, buf, size - 1);
	if (n >= 0)
		buf[n] = '\0';
	return n == -ENOENT ? -EBADF : n;
}

/* Takes ".." off the path, after any ".". */
static bool take_up(struct walk *w)
{
	while (w->next[0] == '.' && w->next[1] == '/')
		for (w->next++; *w->next == '/'; w->next++)
			;
	if (w->next[0] != '.' || w->next[1] != '.' || (w->next[2] && w->next[2] != '/'))
		return false;
	for (w->next += 2; *w->next == '/'; w->next++)
		;
	return true;
}

/* From a directory that was removed, by which nothing but "." and ".." can be reached. */
static long leave_removed(struct walk *w, int dir_fd)
{
	struct scar_where *where = w->where;
	long up, n = -ENOENT;
	int at = dir_fd;

	do {
		up = take_up(w)
			     ? scar_sys(__NR_openat, at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC, 0)
			     : -ENOENT;
		if (at != dir_fd)
			scar_sys(__NR_close, at);
		if (up < 0)
			return up;
		at = (int)up;
		n = host_name(at, where->guest, sizeof(where->guest));
	} while (n > 0 && is_removed(at));
	scar_sys(__NR_close, at);
	return n;
}

/* Puts the canonical guest path of an open directory (or the current one) in where->guest. */
static int start_at(struct walk *w, int dir_fd)
{
	struct scar_where *where = w->where;
	struct stat st;
	long n;

	if (dir_fd == AT_FDCWD) {
		n = scar_sys(__NR_getcwd, where->guest, sizeof(where->guest));
		n = n > 0 ? n - 1 : n;
		if (n == -ENOENT)
			n = leave_removed(w, dir_fd);
	} else if (dir_fd < 0) {
		return -EBADF;
	} else {
		n = host_name(dir_fd, where->guest, sizeof(where->guest));
		if (n < 0 || scar_sys(__NR_fstat, dir_fd, &st))
			return n < 0 ? (int)n : -EBADF;
		/* A link that is open itself must not be followed by its name. */
		if (!S_ISDIR(st.st_mode))
			return -ENOTDIR;
		if (st.st_nlink == 0)
			n = leave_removed(w, dir_fd);
	}
	if (n < 0)
		return (int)n;
	where->guest[n] = '\0';
	if (where->guest[0] != '/')
		return dir_fd == AT_FDCWD ? -ENOENT : -ENOTDIR;
	n = scar_path_to_guest(w->ctx->guest, where->guest, sizeof(where->guest));
	if (n < 0)
		return (int)n;
	where->guest_len = (size_t)(n == 1 ? 0 : n);
	where->guest[where->guest_len] = '\0';
	w->is_directory = true;
	return 0;
}

/* "..": the parent, if what we stand on is a directory. */
static int go_up(struct walk *w)
{
	struct scar_where *where = w->where;

	if (where->guest_len == 0)
		return 0;
	if (!w->is_directory) {
		char *end = where->guest + where->guest_len;
		long n;

		if (where->guest_len + 3 > sizeof(where->guest))
			return -ENAMETOOLONG;
		memcpy(end, "/.", 3);
		where->guest_len += 2;
		place(w);
		n = scar_sys(__NR_readlinkat, where->dir_fd, where->path, w->link, 1);
		where->guest_len -= 2;
		*end = '\0';
		if (n != -EINVAL)
			return n < 0 ? (int)n : -ENOTDIR;
	}
	while (where->guest[--where->guest_len] != '/')
		;
	where->guest[where->guest_len] = '\0';
	w->is_directory = true;
	return 0;
}

/* Continues with the link's text in w->link (len bytes), then what was left. */
static int follow_text(struct walk *w, size_t len, size_t parent_len)
{
	size_t left = strlen(w->next), gap = left || w->slash;

	if (++w->links > LINKS_MAX)
		return -ELOOP;
	if (len + gap + left + 1 > sizeof(w->rest))
		return -ENAMETOOLONG;
	memmove(w->rest + len + gap, w->next, left + 1);
	memcpy(w->rest, w->link, len);
	if (gap)
		w->rest[len] = '/';
	w->next = w->rest;
	w->where->guest_len = w->rest[0] == '/' ? 0 : parent_len;
	w->where->guest[w->where->guest_len] = '\0';
	w->is_directory = true;
	return 0;
}

/* Skips digits; NULL if there are none. */
static const char *skip_number(const char *at)
{
	const char *start = at;

	while (*at >= '0' && *at <= '9')
		at++;
	return at > start ? at : NULL;
}

/* What of a process directory a procfs path (after the mount point) names; "" if none. */
static const char *process_entry(const char *path)
{
	const char *at = skip_number(path + 1);

	if (path[0] != '/' || !at || *at != '/')
		return "";
	if (strncmp(at, "/task/", 6) == 0) {
		at = skip_number(at + 6);
		if (!at || *at != '/')
			return "";
	}
	return at + 1;
}

/* Files without a name have texts that look like one. */
static bool is_nameless(const char *text)
{
	return strncmp(text, "/memfd:", 7) == 0 || strncmp(text, "/[", 2) == 0;
}

/*
 * The end of a path: a link that leads to no place of the guest. The guest's own open files are its own, wherever
 * they came from; but where other processes of the host stand, and what they have open, is not for it.
 */
static int leave_to_kernel(const struct walk *w, const char *process, bool is_place)
{
	const struct scar_where *where = w->where;
	unsigned long pid = 0;

	if (w->link[0] != '/' || is_nameless(w->link))
		return 0;
	for (const char *at = process + 1; *at >= '0' && *at <= '9'; at++)
		pid = pid * 10 + (unsigned long)(*at - '0');
	if (is_place || pid != (unsigned long)scar_sys(__NR_getpid) ||
	    leads_to_directory(where->dir_fd, where->path))
		return -EACCES;
	return 0;
}

/*
 * A link of a procfs whose text is a host path, or no path at all. Returns the length of the
 * text in guest terms, 0 to leave the link to the kernel, or -errno.
 */
static int magic_text(struct walk *w, const char *process, const char *entry, size_t len)
{
	bool is_exe = strcmp(entry, "exe") == 0, is_root = strcmp(entry, "root") == 0;
	bool is_place = is_exe || is_root || strcmp(entry, "cwd") == 0;
	int n;

	w->link[len] = '\0';
	if (is_exe && w->ctx->exe_host && strcmp(w->link, w->ctx->exe_host) == 0) {
		if (w->ctx->exe_of)
			return w->ctx->exe_of(process, w->link, sizeof(w->link));
		len = strlen(w->ctx->exe);
		memcpy(w->link, w->ctx->exe, len + 1);
		return (int)len;
	}
	if (is_root && strcmp(w->link, "/") == 0)
		return 1;
	if (w->link[0] != '/')
		return *w->next ? -ENOTDIR : 0;
	/* What has its name by now need not be what it leads to. */
	if (*w->next && strncmp(entry, "fd/", 3) == 0 &&
	    !leads_to_directory(w->where->dir_fd, w->where->path))
		return -ENOTDIR;
	n = scar_path_to_guest(w->ctx->guest, w->link, sizeof(w->link));
	if (n == -ENOENT && !*w->next)
		return leave_to_kernel(w, process, is_place);
	/* Reopening a descriptor must give that file, whatever now has its name. */
	if (!*w->next && !is_place)
		return 0;
	return n == -ENOENT ? -EACCES : n;
}

static bool is_magic_entry(const char *entry)
{
	return strcmp(entry, "exe") == 0 || strcmp(entry, "cwd") == 0 ||
	       strcmp(entry, "root") == 0 || strncmp(entry, "fd/", 3) == 0 ||
	       strncmp(entry, "ns/", 3) == 0 || strncmp(entry, "map_files/", 10) == 0;
}

/* Looks at the component just appended; follows it if it is a link. 1: the walk ends here. */
static int look(struct walk *w, size_t parent_len)
{
	struct scar_where *where = w->where;
	const struct scar_guest_bind *b = bind_of(w->ctx->guest, where->guest, where->guest_len);
	long n;

	w->is_directory = false;
	if (b && b->guest_len == where->guest_len)
		return 0;
	place(w);
	n = scar_sys(__NR_readlinkat, where->dir_fd, where->path, w->link, sizeof(w->link) - 1);
	if (n == -EINVAL)
		return 0;
	if (n == -ENOENT && !*w->next)
		return 1;
	if (n < 0)
		return (int)n;
	if (b && (b->flags & SCAR_BIND_PROC)) {
		const char *process = where->guest + b->guest_len;
		const char *entry = process_entry(process);

		where->fleeting = true;
		if (is_magic_entry(entry)) {
			n = magic_text(w, process, entry, (size_t)n);
			where->magic = n == 0;
			if (n <= 0)
				return n == 0 ? 1 : (int)n;
		}
	}
	return follow_text(w, (size_t)n, parent_len);
}

static bool is_dots(const char *name, size_t len)
{
	return name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'));
}

/*
 * One component of w->next. 1: the walk ends here. `as_written`: also at the final "." or ".." of calls
 * that make or remove a name, since the kernel refuses those, each in its own way, without a look.
 */
static int step(struct walk *w, const char *name, size_t len, bool final, bool as_written)
{
	struct scar_where *where = w->where;
	size_t parent_len = where->guest_len;

	if (is_dots(name, len) && !as_written)
		return len == 1 ? 0 : go_up(w);
	/* Room for a slash at the end and for the NUL. */
	if (len > 255 || parent_len + len + 3 > sizeof(where->guest))
		return -ENAMETOOLONG;
	where->guest[parent_len] = '/';
	memcpy(where->guest + parent_len + 1, name, len);
	where->guest_len = parent_len + 1 + len;
	where->guest[where->guest_len] = '\0';
	w->is_directory = false;
	return final ? 1 : look(w, parent_len);
}

static int walk(struct walk *w, enum scar_path_follow follow)
{
	int ret = 0;

	for (;;) {
		const char *name, *end;
		bool as_written;

		while (*w->next == '/')
			w->next++;
		if (!*w->next || ret == 1)
			break;
		for (name = end = w->next; *end && *end != '/';)
			end++;
		for (w->next = end; *w->next == '/';)
			w->next++;
		/* "x/" and "x/." must be a directory, so a link there is followed. */
		w->slash = !*w->next && (*end == '/' || (end - name == 1 && *name == '.'));
		as_written = !*w->next && follow == SCAR_PATH_PARENT;
		ret = step(w, name, (size_t)(end - name),
			   as_written || (!*w->next && !w->slash && follow == SCAR_PATH_NOFOLLOW),
			   as_written);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int scar_path_resolve(const struct scar_path_context *ctx, int dir_fd, const char *path,
		      enum scar_path_follow follow, struct scar_where *ret_where)
{
	struct walk w;
	size_t len = strnlen(path, SCAR_GUEST_PATH_MAX);
	int ret;

	if (len == 0)
		return -ENOENT;
	if (len == SCAR_GUEST_PATH_MAX)
		return -ENAMETOOLONG;
	w.ctx = ctx;
	w.where = ret_where;
	w.links = 0;
	w.slash = false;
	w.is_directory = true;
	w.next = w.rest;
	memcpy(w.rest, path, len + 1);
	ret_where->guest_len = 0;
	ret_where->guest[0] = '\0';
	ret_where->magic = ret_where->fleeting = false;
	ret = path[0] == '/' ? 0 : start_at(&w, dir_fd);
	if (ret == 0)
		ret = walk(&w, follow);
	if (ret < 0)
		return ret;
	if (w.slash && ret_where->guest_len && !ret_where->magic) {
		ret_where->guest[ret_where->guest_len] = '/';
		ret_where->guest[ret_where->guest_len + 1] = '\0';
	}
	place(&w);
	return 0;
}
