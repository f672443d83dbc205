/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "invoke/engine/guest/sys.h"
#include "invoke/engine/guest/text.h"
#include "invoke/engine/rewrite/loader/handle.h"

/* As the kernel (MAXSYMLINKS). */
#define LINKS_MAX 40
#define NAME_MAX_ 255

/* A walk that stands on a descriptor. */
struct deep {
	int fd; /* O_PATH, ours */
	int links;
	const char *next; /* what is left of rest */
	char rest[SCAR_GUEST_PATH_MAX];
	char text[SCAR_GUEST_PATH_MAX];
};

static long step_to(struct deep *d, const char *name)
{
	long fd = scar_sys(__NR_openat, d->fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
			   0);

	if (fd < 0)
		return fd;
	scar_sys(__NR_close, d->fd);
	d->fd = (int)fd;
	return 0;
}

/* The guest's name of where we stand. @return its length, -ENAMETOOLONG as long as there is none */
static long name_of(const struct deep *d, char buf[SCAR_GUEST_PATH_MAX])
{
	char link[40];
	struct scar_text t = scar_text_of(link, sizeof(link));
	long n;

	scar_text_str(&t, "/proc/self/fd/");
	scar_text_unsigned(&t, (unsigned)d->fd, 10);
	n = scar_sys(__NR_readlinkat, AT_FDCWD, link, buf, SCAR_GUEST_PATH_MAX - 1);
	if (n < 0)
		return n;
	if (n == SCAR_GUEST_PATH_MAX - 1)
		return -ENAMETOOLONG;
	buf[n] = '\0';
	return scar_path_to_guest(&scar_loader.guest, buf, SCAR_GUEST_PATH_MAX);
}

/* Goes on from an absolute path: the ordinary way. */
static long from(struct deep *d, char *base, bool slash, enum scar_path_follow follow,
		 struct scar_where *ret_where)
{
	size_t len = strlen(base), left = strlen(d->next);

	if (len + left + 2 > SCAR_GUEST_PATH_MAX)
		return -ENAMETOOLONG;
	if (left || slash)
		base[len++] = '/';
	memcpy(base + len, d->next, left + 1);
	return scar_path_resolve(&scar_loader.paths, AT_FDCWD, base, follow, ret_where);
}

static bool is_mount_point(const char *path)
{
	const struct scar_guest *guest = &scar_loader.guest;

	for (uint32_t i = 0; i < guest->bind_count; i++)
		if (strcmp(guest->binds[i].guest, path) == 0)
			return true;
	return false;
}

/*
 * ".." may leave the root or a bind only where our place has a name again, since those are short: there
 * the ordinary way takes over, as soon as what is left fits behind the name. 1: go on here.
 */
static long go_up(struct deep *d, enum scar_path_follow follow, struct scar_where *ret_where)
{
	long ret = name_of(d, d->text), left = (long)strlen(d->next);

	if (ret > 0 && strcmp(d->text, "/") == 0)
		return 1;
	if (ret > 0 && ret + left + 6 < SCAR_GUEST_PATH_MAX) {
		memcpy(d->text + ret, "/..", 4);
		return from(d, d->text, true, follow, ret_where);
	}
	if (ret > 0 && is_mount_point(d->text))
		return -ENAMETOOLONG;
	if (ret < 0 && ret != -ENAMETOOLONG)
		return ret;
	ret = step_to(d, "..");
	return ret < 0 ? ret : 1;
}

/* Puts a link's text before what is left. 1: go on here. */
static long follow_link(struct deep *d, size_t len, bool slash, enum scar_path_follow follow,
			struct scar_where *ret_where)
{
	size_t left = strlen(d->next);

	if (++d->links > LINKS_MAX)
		return -ELOOP;
	d->text[len] = '\0';
	if (d->text[0] == '/')
		return from(d, d->text, slash, follow, ret_where);
	if (len + left + 2 > sizeof(d->rest))
		return -ENAMETOOLONG;
	memmove(d->rest + len + 1, d->next, left + 1);
	memcpy(d->rest, d->text, len);
	d->rest[len] = left || slash ? '/' : '\0';
	d->next = d->rest;
	return 1;
}

/* The walk is over: `name` below where we stand. */
static long arrive(const struct deep *d, const char *name, struct scar_where *ret_where)
{
	ret_where->magic = ret_where->read_only = false;
	ret_where->bind_flags = 0;
	ret_where->guest_len = 0;
	ret_where->guest[0] = '\0';
	memcpy(ret_where->host, name, strlen(name) + 1);
	ret_where->path = ret_where->host;
	ret_where->dir_fd = d->fd;
	return 0;
}

/* One component, `name`; what follows it is in d->next. 1: go on. */
static long step(struct deep *d, char *name, bool slash, enum scar_path_follow follow,
		 struct scar_where *ret_where)
{
	const size_t len = strlen(name);
	const bool final = !*d->next;
	long n;

	if (len > NAME_MAX_)
		return -ENAMETOOLONG;
	if (final && slash) {
		name[len] = '/';
		name[len + 1] = '\0';
	}
	if (final && (follow == SCAR_PATH_PARENT || (follow == SCAR_PATH_NOFOLLOW && !slash)) &&
	    (follow == SCAR_PATH_PARENT || strcmp(name, "..") != 0))
		return arrive(d, name, ret_where);
	name[len] = '\0';
	if (strcmp(name, ".") == 0)
		return 1;
	if (strcmp(name, "..") == 0)
		return go_up(d, follow, ret_where);
	n = scar_sys(__NR_readlinkat, d->fd, name, d->text, sizeof(d->text) - 1);
	if (n >= 0)
		return follow_link(d, (size_t)n, slash, follow, ret_where);
	if (final && (n == -EINVAL || n == -ENOENT)) {
		if (slash) {
			name[len] = '/';
			name[len + 1] = '\0';
		}
		return arrive(d, name, ret_where);
	}
	if (n != -EINVAL)
		return n;
	n = step_to(d, name);
	return n < 0 ? n : 1;
}

static long walk(struct deep *d, enum scar_path_follow follow, struct scar_where *ret_where)
{
	char name[NAME_MAX_ + 3];
	long ret = 1;

	while (ret == 1) {
		size_t len = 0;
		bool slash;

		while (*d->next == '/')
			d->next++;
		if (!*d->next)
			return arrive(d, ".", ret_where);
		while (d->next[len] && d->next[len] != '/')
			len++;
		if (len > NAME_MAX_)
			return -ENAMETOOLONG;
		memcpy(name, d->next, len);
		name[len] = '\0';
		slash = d->next[len] == '/';
		for (d->next += len; *d->next == '/'; d->next++)
			;
		ret = step(d, name, slash, follow, ret_where);
	}
	return ret;
}

long scar_resolve_deep(int dir_fd, const char *path, enum scar_path_follow follow,
		       struct scar_where *ret_where)
{
	struct deep d = {.links = 0};
	size_t len = strnlen(path, sizeof(d.rest));
	char name[SCAR_GUEST_PATH_MAX];
	long fd, ret;

	if (len == sizeof(d.rest))
		return -ENAMETOOLONG;
	fd = scar_sys(__NR_openat, dir_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	d.fd = (int)fd;
	d.next = d.rest;
	memcpy(d.rest, path, len + 1);
	/* It was the path that was too long, not the directory. */
	ret = name_of(&d, name);
	ret = ret == -ENAMETOOLONG ? walk(&d, follow, ret_where) : -ENAMETOOLONG;
	if (ret == 0 && ret_where->dir_fd == d.fd)
		scar_hold(d.fd);
	else
		scar_sys(__NR_close, d.fd);
	return ret;
}
