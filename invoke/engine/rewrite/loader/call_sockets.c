/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/loader/handle.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/un.h>
#include <stddef.h>
#include <string.h>

#include "invoke/engine/guest/sys.h"
#include "invoke/engine/guest/text.h"

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
	int parent_fd; /* keeps /proc/self/fd/N/... alive, or -1 */
};

static bool names_file(const struct sockaddr_un *addr, long len)
{
	return !scar_is_bad_pointer(addr) && len > (long)NAME_OFFSET &&
	       len <= (long)sizeof(*addr) && addr->sun_family == AF_UNIX_ && addr->sun_path[0];
}

/* sun_path holds 108 bytes: a longer place is reached through its opened directory. */
static long shorten(const struct scar_where *where, const char *path, struct name *name)
{
	char parent[SCAR_GUEST_PATH_MAX];
	struct scar_text t = scar_text_of(name->addr.sun_path, sizeof(name->addr.sun_path));
	size_t slash = strlen(path);
	long fd;

	while (slash && path[slash - 1] != '/')
		slash--;
	memcpy(parent, path, slash);
	parent[slash] = '\0';
	fd = scar_sys(__NR_openat, where->dir_fd, slash ? parent : ".",
		      O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	name->parent_fd = (int)fd;
	scar_text_str(&t, "/proc/self/fd/");
	scar_text_unsigned(&t, (unsigned)fd, 10);
	scar_text_put(&t, "/", 1);
	scar_text_str(&t, path + slash);
	name->len = (long)(NAME_OFFSET + t.len + 1);
	return t.cut ? -ENAMETOOLONG : 0;
}

static long translate(const struct sockaddr_un *addr, long len, bool creates, struct name *ret_name)
{
	char path[sizeof(addr->sun_path) + 1], flat[SCAR_GUEST_PATH_MAX];
	size_t n = strnlen(addr->sun_path, (size_t)len - NAME_OFFSET);
	struct scar_where where;
	const char *host;
	long ret;

	memcpy(path, addr->sun_path, n);
	path[n] = '\0';
	ret_name->parent_fd = -1;
	ret_name->addr.sun_family = AF_UNIX_;
	ret = scar_resolve_near(AT_FDCWD, path, creates ? SCAR_PATH_PARENT : SCAR_PATH_FOLLOW,
				&where);
	if (ret)
		return ret;
	if (creates && where.read_only)
		return -EROFS;
	host = scar_where_flat(&scar_loader.guest, &where, flat);
	n = strlen(host);
	if (n >= sizeof(ret_name->addr.sun_path))
		return shorten(&where, where.path, ret_name);
	memcpy(ret_name->addr.sun_path, host, n + 1);
	ret_name->len = (long)(NAME_OFFSET + n + 1);
	return 0;
}

static void release(const struct name *name)
{
	if (name->parent_fd >= 0)
		scar_sys(__NR_close, name->parent_fd);
}

static long with_name(const struct scar_regs *r)
{
	const bool sends = r->rax == __NR_sendto;
	const struct sockaddr_un *addr = (const struct sockaddr_un *)(sends ? r->r8 : r->rsi);
	long len = (int)(sends ? r->r9 : r->rdx), ret;
	struct name name;

	if (!addr || !names_file(addr, len))
		return SCAR_PASS;
	ret = translate(addr, len, r->rax == __NR_bind, &name);
	if (ret == 0) {
		ret = sends ? scar_sys(__NR_sendto, r->rdi, r->rsi, r->rdx, r->r10, &name.addr,
				       name.len)
			    : scar_sys(r->rax, r->rdi, &name.addr, name.len);
	}
	release(&name);
	return ret;
}

static long send_message(const struct scar_regs *r)
{
	const struct message *guest = (const struct message *)r->rsi;
	struct message message;
	struct name name;
	long ret;

	if (scar_is_bad_pointer(guest) || !guest->name || !names_file(guest->name, guest->name_len))
		return SCAR_PASS;
	message = *guest;
	ret = translate(guest->name, guest->name_len, false, &name);
	if (ret == 0) {
		message.name = &name.addr;
		message.name_len = (int)name.len;
		ret = scar_sys(__NR_sendmsg, r->rdi, &message, r->rdx);
	}
	release(&name);
	return ret;
}

/* One by one, if any has a file's name; as the kernel does, an error after the first is kept back. */
static long send_messages(const struct scar_regs *r)
{
	struct message_of_many *many = (struct message_of_many *)r->rsi;
	unsigned count = (unsigned)r->rdx, named = 0, sent = 0;

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

		one.rax = __NR_sendmsg;
		one.rsi = (long)&many[sent].header;
		one.rdx = r->r10;
		ret = send_message(&one);
		if (ret == SCAR_PASS)
			ret = scar_sys(__NR_sendmsg, one.rdi, one.rsi, one.rdx);
		if (ret < 0)
			return sent ? (long)sent : ret;
		many[sent].len = (unsigned)ret;
	}
	return sent;
}

/*
 * A name that the kernel wrote at addr, of which the guest's buffer holds size bytes. As the
 * guest's path is shorter than the host's, it is cut only where the kernel's was.
 */
static int show_name(struct sockaddr_un *addr, int size, int len)
{
	char path[SCAR_GUEST_PATH_MAX];
	int n = len < size ? len : size;

	if (n <= (int)NAME_OFFSET || addr->sun_family != AF_UNIX_ || addr->sun_path[0] != '/')
		return len;
	n -= (int)NAME_OFFSET;
	memcpy(path, addr->sun_path, (size_t)n);
	path[n] = '\0';
	n = scar_path_to_guest(&scar_loader.guest, path, sizeof(path));
	if (n < 0 || n + 1 + (int)NAME_OFFSET > size)
		return len;
	memcpy(addr->sun_path, path, (size_t)n + 1);
	return (int)NAME_OFFSET + n + 1;
}

/* getsockname, getpeername, accept, recvfrom: the address is an output. */
static long with_answer(const struct scar_regs *r, struct sockaddr_un *addr, int *len)
{
	int size;
	long ret;

	if (!addr || !len || scar_is_bad_pointer(addr) || scar_is_bad_pointer(len))
		return SCAR_PASS;
	size = *len;
	ret = scar_sys6(r->rax, r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9);
	if (ret >= 0)
		*len = show_name(addr, size, *len);
	return ret;
}

static long receive_message(const struct scar_regs *r)
{
	struct message *message = (struct message *)r->rsi;
	int size;
	long ret;

	if (scar_is_bad_pointer(message) || !message->name || scar_is_bad_pointer(message->name))
		return SCAR_PASS;
	size = message->name_len;
	ret = scar_sys(__NR_recvmsg, r->rdi, message, r->rdx);
	if (ret >= 0)
		message->name_len = show_name(message->name, size, message->name_len);
	return ret;
}

/* SO_PEERCRED: pid, uid, gid. */
static long socket_option(const struct scar_regs *r)
{
	uint32_t *credentials = (uint32_t *)r->r10;
	long ret;

	if (r->rsi != SOL_SOCKET_ || r->rdx != SO_PEERCRED_)
		return SCAR_PASS;
	ret = scar_sys(__NR_getsockopt, r->rdi, r->rsi, r->rdx, r->r10, r->r8);
	if (ret == 0 && *(const int *)r->r8 == 12) {
		credentials[1] = scar_shown_uid(credentials[1]);
		credentials[2] = scar_shown_gid(credentials[2]);
	}
	return ret;
}

long scar_call_socket(struct scar_regs *r)
{
	switch (r->rax) {
	case __NR_bind:
	case __NR_connect:
	case __NR_sendto: return with_name(r);
	case __NR_sendmsg: return send_message(r);
	case __NR_sendmmsg: return send_messages(r);
	case __NR_recvmsg: return receive_message(r);
	case __NR_getsockopt: return socket_option(r);
	case __NR_recvfrom: return with_answer(r, (struct sockaddr_un *)r->r8, (int *)r->r9);
	default: return with_answer(r, (struct sockaddr_un *)r->rsi, (int *)r->rdx);
	}
}
