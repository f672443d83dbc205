/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/loader/handle.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/un.h>
#include <stddef.h>
#include <string.h>

#include "invoke/engine/guest/sys.h"
#include "invoke/engine/guest/text.h"
#include "invoke/engine/rewrite/loader/undo.h"

#define AF_UNIX_ 1
#define SOL_SOCKET_ 1
#define SO_PEERCRED_ 17
#define NAME_OFFSET offsetof(struct sockaddr_un, sun_path)

/* struct msghdr and mmsghdr as the kernel has them. */
struct message {
	struct sockaddr_un *name;
	int name_len;
	void *vectors;
	uint64_t vector_count;
	void *control;
	uint64_t control_len;
	unsigned flags;
};

struct message_of_many {
	struct message header;
	unsigned len;
};

/* A name translated for one call. */
struct name {
	struct sockaddr_un addr;
	long len;
};

/*
 * What getsockname(2) tells is the name that was bound, so a name that the host's cannot be turned back
 * into is bound as PROXY_PREFIX and a number, which a link in the state directory leads back from.
 */
#define PROXY_PREFIX ".scar-socket-"
#define PROXY_DIGITS 16
#define PROXY_NAMES "/names"

static bool names_file(const struct sockaddr_un *addr, long len)
{
	return !scar_is_bad_pointer(addr) && len > (long)NAME_OFFSET &&
	       len <= (long)sizeof(*addr) && addr->sun_family == AF_UNIX_ && addr->sun_path[0];
}

static void set_name(struct name *name, const char *path, size_t len)
{
	name->addr.sun_family = AF_UNIX_;
	memcpy(name->addr.sun_path, path, len + 1);
	name->len = (long)(NAME_OFFSET + len + 1);
}

static struct scar_text descriptor_path(char *buf, size_t size, long fd)
{
	struct scar_text t = scar_text_of(buf, size);

	scar_text_str(&t, "/proc/self/fd/");
	scar_text_unsigned(&t, (uint64_t)fd, 10);
	return t;
}

/* sun_path holds 108 bytes: a socket with a longer place is reached through a descriptor. */
static long name_by_descriptor(const struct scar_where *where, struct name *ret_name)
{
	char path[40];
	struct scar_text t;
	long fd = scar_sys(__NR_openat, where->dir_fd, where->path, O_PATH | O_CLOEXEC, 0);

	if (fd < 0)
		return fd;
	scar_hold((int)fd);
	t = descriptor_path(path, sizeof(path), fd);
	set_name(ret_name, path, t.len);
	return 0;
}

/* The name of an address, which need not end in a NUL. */
static void copy_path(const struct sockaddr_un *addr, long len,
		      char path[sizeof(addr->sun_path) + 1])
{
	size_t n = strnlen(addr->sun_path, (size_t)len - NAME_OFFSET);

	memcpy(path, addr->sun_path, n);
	path[n] = '\0';
}

/* Of a socket that exists: connect, sendto, sendmsg. */
static long translate(const struct sockaddr_un *addr, long len, struct name *ret_name)
{
	char path[sizeof(addr->sun_path) + 1], flat[SCAR_GUEST_PATH_MAX];
	struct scar_where where;
	const char *host;
	size_t n;
	long ret;

	copy_path(addr, len, path);
	ret = scar_resolve_near(AT_FDCWD, path, SCAR_PATH_FOLLOW, &where);
	if (ret)
		return ret;
	host = scar_where_flat(&scar_loader.guest, &where, flat);
	n = strlen(host);
	if (n >= sizeof(ret_name->addr.sun_path))
		return name_by_descriptor(&where, ret_name);
	set_name(ret_name, host, n);
	return 0;
}

/* ---- bind ---- */

/* True if the guest's name is what show_name would make of the host's. */
static bool turns_back(const char *host, const char *path)
{
	char back[SCAR_GUEST_PATH_MAX];

	if (strcmp(host, path) == 0)
		return host[0] != '/';
	memcpy(back, host, strlen(host) + 1);
	return scar_path_to_guest(&scar_loader.guest, back, sizeof(back)) > 0 &&
	       strcmp(back, path) == 0;
}

static struct scar_text record_path(char *buf, size_t size, const char *digits)
{
	struct scar_text t = scar_text_of(buf, size);

	scar_text_str(&t, scar_loader.guest.state_dir);
	scar_text_str(&t, PROXY_NAMES);
	if (digits) {
		scar_text_str(&t, "/");
		scar_text_str(&t, digits);
	}
	return t;
}

/* Remembers which name the guest gave. */
static long keep_record(const char *digits, const char *path)
{
	char record[SCAR_GUEST_ROOT_MAX + 64];
	long ret;

	record_path(record, sizeof(record), NULL);
	ret = scar_sys(__NR_mkdirat, AT_FDCWD, record, 0700);
	if (ret && ret != -EEXIST)
		return ret;
	record_path(record, sizeof(record), digits);
	return scar_sys(__NR_symlinkat, path, AT_FDCWD, record);
}

static void make_number(char digits[PROXY_DIGITS + 1])
{
	uint64_t number = 0;
	struct scar_text t = scar_text_of(digits, PROXY_DIGITS + 1);

	if (scar_sys(__NR_getrandom, &number, sizeof(number), 1 /* GRND_NONBLOCK */) < 0)
		number = (uint64_t)scar_sys(__NR_gettid) << 32 | (uint32_t)scar_sys(__NR_getpid);
	/* All sixteen digits. */
	scar_text_unsigned(&t, number | 1ull << 63, 16);
}

/* Binds under a name of ours, then gives the socket the one that was asked for. */
static long bind_by_proxy(long fd, int parent, const char *base, const char *path)
{
	char digits[PROXY_DIGITS + 1], proxy[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct scar_text t = descriptor_path(proxy, sizeof(proxy), parent);
	struct name name;
	const char *last;
	char byte;
	long ret;

	/* A socket that could not get its name would stay bound to ours. */
	ret = scar_sys(__NR_readlinkat, parent, base, &byte, 1);
	if (ret != -ENOENT)
		return ret >= 0 || ret == -EINVAL ? -EADDRINUSE : ret;
	make_number(digits);
	ret = keep_record(digits, path);
	if (ret)
		return ret;
	scar_text_str(&t, "/");
	last = proxy + t.len;
	scar_text_str(&t, PROXY_PREFIX);
	scar_text_str(&t, digits);
	set_name(&name, proxy, t.len);
	ret = scar_sys(__NR_bind, fd, &name.addr, name.len);
	if (ret)
		return ret;
	ret = scar_sys(__NR_linkat, parent, last, parent, base, 0);
	scar_sys(__NR_unlinkat, parent, last, 0);
	return ret == -EEXIST ? -EADDRINUSE : ret;
}

static long bind_name(const struct scar_regs *r)
{
	const struct sockaddr_un *addr = (const struct sockaddr_un *)r->arg[1];
	char path[sizeof(addr->sun_path) + 1], buf[SCAR_GUEST_PATH_MAX];
	const char *host, *base;
	struct scar_where where;
	struct name name;
	long fd, ret;

	if (!addr || !names_file(addr, (int)r->arg[2]))
		return SCAR_PASS;
	copy_path(addr, (int)r->arg[2], path);
	ret = scar_resolve_near(AT_FDCWD, path, SCAR_PATH_PARENT, &where);
	if (ret)
		return ret;
	if (where.read_only)
		return -EROFS;
	ret = scar_undo_creating(&where);
	if (ret)
		return ret;
	host = scar_where_flat(&scar_loader.guest, &where, buf);
	if (strlen(host) < sizeof(name.addr.sun_path) && turns_back(host, path)) {
		set_name(&name, host, strlen(host));
		return scar_sys(__NR_bind, r->arg[0], &name.addr, name.len);
	}
	base = where.path + strlen(where.path);
	while (base > where.path && base[-1] != '/')
		base--;
	/* "name/" is no name for a socket; the kernel says so in its own way. */
	if (!*base) {
		ret = scar_sys(__NR_mknodat, where.dir_fd, where.path, 0140644 /* S_IFSOCK */, 0);
		return ret == -EEXIST ? -EADDRINUSE : ret;
	}
	memcpy(buf, where.path, (size_t)(base - where.path));
	memcpy(buf + (base - where.path), ".", 2);
	fd = scar_sys(__NR_openat, where.dir_fd, buf, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	scar_hold((int)fd);
	return bind_by_proxy(r->arg[0], (int)fd, base, path);
}

/* connect and sendto */
static long with_name(const struct scar_regs *r)
{
	const bool sends = r->nr == __NR_sendto;
	const struct sockaddr_un *addr = (const struct sockaddr_un *)(sends ? r->arg[4]
									    : r->arg[1]);
	long len = (int)(sends ? r->arg[5] : r->arg[2]), ret;
	struct name name;

	if (!addr || !names_file(addr, len))
		return SCAR_PASS;
	ret = translate(addr, len, &name);
	if (ret)
		return ret;
	return sends ? scar_call_point(__NR_sendto, r->arg[0], r->arg[1], r->arg[2], r->arg[3],
				       (long)&name.addr, name.len)
		     : scar_call_point(r->nr, r->arg[0], (long)&name.addr, name.len, 0, 0, 0);
}

static long send_message(const struct scar_regs *r)
{
	const struct message *guest = (const struct message *)r->arg[1];
	struct message message;
	struct name name;
	long ret;

	if (scar_is_bad_pointer(guest) || !guest->name || !names_file(guest->name, guest->name_len))
		return SCAR_PASS;
	message = *guest;
	ret = translate(guest->name, guest->name_len, &name);
	if (ret)
		return ret;
	message.name = &name.addr;
	message.name_len = (int)name.len;
	return scar_call_point(__NR_sendmsg, r->arg[0], (long)&message, r->arg[2], 0, 0, 0);
}

/* One by one, if any has a file's name; as the kernel does, an error after the first is kept back. */
static long send_messages(const struct scar_regs *r)
{
	struct message_of_many *many = (struct message_of_many *)r->arg[1];
	unsigned count = (unsigned)r->arg[2], named = 0, sent = 0;

	if (scar_is_bad_pointer(many))
		return SCAR_PASS;
	if (count > 1024)
		count = 1024;
	for (unsigned i = 0; i < count; i++)
		named += many[i].header.name &&
			 names_file(many[i].header.name, many[i].header.name_len);
	if (!named)
		return SCAR_PASS;
	for (; sent < count; sent++) {
		struct scar_regs one = *r;
		long ret;

		one.nr = __NR_sendmsg;
		one.arg[1] = (long)&many[sent].header;
		one.arg[2] = r->arg[3];
		ret = send_message(&one);
		if (ret == SCAR_PASS)
			ret = scar_call_point(__NR_sendmsg, one.arg[0], one.arg[1], one.arg[2], 0,
					      0, 0);
		if (ret < 0)
			return sent ? (long)sent : ret;
		many[sent].len = (unsigned)ret;
	}
	return sent;
}

/* ---- names as results ---- */

/* Room for any address that the kernel writes. */
struct answer {
	struct sockaddr_un addr;
	char more[128 - sizeof(struct sockaddr_un)];
};

/* The name that the guest gave a socket which is bound by proxy. */
static long original_name(const char *host, char *path, size_t size)
{
	char record[SCAR_GUEST_ROOT_MAX + 64];
	const char *name = host;

	for (const char *at = host; *at; at++)
		if (*at == '/')
			name = at + 1;
	if (strncmp(name, PROXY_PREFIX, strlen(PROXY_PREFIX)) != 0 ||
	    strlen(name) != strlen(PROXY_PREFIX) + PROXY_DIGITS)
		return -ENOENT;
	record_path(record, sizeof(record), name + strlen(PROXY_PREFIX));
	return scar_sys(__NR_readlinkat, AT_FDCWD, record, path, size - 1);
}

/* Gives the guest an address of `len` bytes: as much as its buffer holds, and how long it really is. */
static int show_name(const struct answer *answer, int len, struct sockaddr_un *out, int size)
{
	char path[SCAR_GUEST_PATH_MAX];
	const struct sockaddr_un *addr = &answer->addr;
	int n = len - (int)NAME_OFFSET;

	if (n > 0 && addr->sun_family == AF_UNIX_ && addr->sun_path[0]) {
		char host[SCAR_GUEST_PATH_MAX];
		struct answer shown = {.addr.sun_family = AF_UNIX_};
		long got;

		n = (int)strnlen(addr->sun_path, (size_t)n);
		memcpy(host, addr->sun_path, (size_t)n);
		host[n] = '\0';
		got = original_name(host, path, sizeof(path));
		if (got < 0 && host[0] == '/') {
			memcpy(path, host, (size_t)n + 1);
			got = scar_path_to_guest(&scar_loader.guest, path, sizeof(path));
		}
		if (got > 0 && got <= (long)sizeof(addr->sun_path)) {
			memcpy(shown.addr.sun_path, path, (size_t)got);
			/* The kernel counts the NUL, whether or not it was given. */
			len = (int)NAME_OFFSET + (int)got + 1;
			memcpy(out, &shown, (size_t)(len < size ? len : size));
			return len;
		}
	}
	memcpy(out, answer, (size_t)(len < size ? len : size));
	return len;
}

/* getsockname, getpeername, accept, recvfrom: the address is an output. */
static long with_answer(const struct scar_regs *r, struct sockaddr_un *addr, int *len)
{
	const bool receives = r->nr == __NR_recvfrom;
	struct answer answer = {.addr.sun_family = 0};
	int size, got = sizeof(answer);
	long ret;

	if (!addr || !len || scar_is_bad_pointer(addr) || scar_is_bad_pointer(len) || *len < 0)
		return SCAR_PASS;
	size = *len;
	ret = scar_call_point(r->nr, r->arg[0], receives ? r->arg[1] : (long)&answer,
			      receives ? r->arg[2] : (long)&got, r->arg[3],
			      receives ? (long)&answer : r->arg[4],
			      receives ? (long)&got : r->arg[5]);
	if (ret >= 0)
		*len = show_name(&answer, got, addr, size);
	return ret;
}

static long receive_message(const struct scar_regs *r)
{
	struct message *guest = (struct message *)r->arg[1], message;
	struct answer answer = {.addr.sun_family = 0};
	long ret;

	if (scar_is_bad_pointer(guest) || !guest->name || scar_is_bad_pointer(guest->name) ||
	    guest->name_len < 0)
		return SCAR_PASS;
	message = *guest;
	message.name = &answer.addr;
	message.name_len = sizeof(answer);
	ret = scar_call_point(__NR_recvmsg, r->arg[0], (long)&message, r->arg[2], 0, 0, 0);
	if (ret < 0)
		return ret;
	guest->name_len = show_name(&answer, message.name_len, guest->name, guest->name_len);
	guest->control_len = message.control_len;
	guest->flags = message.flags;
	return ret;
}

#define MANY 64

/*
 * The names come in the guest's own buffers, so one too short for the host's name is shown empty. Of more
 * messages than MANY at once nobody asks with names.
 */
static long receive_messages(const struct scar_regs *r)
{
	struct message_of_many *many = (struct message_of_many *)r->arg[1];
	const unsigned count = (unsigned)r->arg[2];
	int sizes[MANY];
	bool named = false;
	long ret;

	for (unsigned i = 0; i < count && i < MANY; i++) {
		sizes[i] = many[i].header.name_len;
		named |= many[i].header.name != NULL;
	}
	if (!named)
		return SCAR_PASS;
	ret = scar_call_point(__NR_recvmmsg, r->arg[0], (long)many, count < MANY ? count : MANY,
			      r->arg[3], r->arg[4], 0);
	for (long i = 0; i < ret; i++) {
		struct message *m = &many[i].header;
		struct answer answer = {.addr.sun_family = 0};

		if (!m->name || m->name_len <= (int)NAME_OFFSET ||
		    m->name_len > (int)sizeof(answer) || m->name->sun_family != AF_UNIX_)
			continue;
		if (m->name_len > sizes[i]) {
			m->name_len = (int)NAME_OFFSET;
			continue;
		}
		memcpy(&answer, m->name, (size_t)m->name_len);
		m->name_len = show_name(&answer, m->name_len, m->name, sizes[i]);
	}
	return ret;
}

/* SO_PEERCRED: pid, uid, gid. */
static long socket_option(const struct scar_regs *r)
{
	uint32_t *credentials = (uint32_t *)r->arg[3];
	long ret;

	if (r->arg[1] != SOL_SOCKET_ || r->arg[2] != SO_PEERCRED_)
		return SCAR_PASS;
	ret = scar_sys(__NR_getsockopt, r->arg[0], r->arg[1], r->arg[2], r->arg[3], r->arg[4]);
	if (ret == 0 && *(const int *)r->arg[4] == 12) {
		credentials[1] = scar_shown_uid(credentials[1]);
		credentials[2] = scar_shown_gid(credentials[2]);
	}
	return ret;
}

long scar_call_socket(struct scar_regs *r)
{
	switch (r->nr) {
	case __NR_bind: return bind_name(r);
	case __NR_connect:
	case __NR_sendto: return with_name(r);
	case __NR_sendmsg: return send_message(r);
	case __NR_sendmmsg: return send_messages(r);
	case __NR_recvmsg: return receive_message(r);
	case __NR_recvmmsg: return receive_messages(r);
	case __NR_getsockopt: return socket_option(r);
	case __NR_recvfrom:
		return with_answer(r, (struct sockaddr_un *)r->arg[4], (int *)r->arg[5]);
	default: return with_answer(r, (struct sockaddr_un *)r->arg[1], (int *)r->arg[2]);
	}
}
