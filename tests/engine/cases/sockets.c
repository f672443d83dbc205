/* SPDX-License-Identifier: Apache-2.0 */
/* UNIX sockets have names in the file system; they are paths of the guest. */
#define _GNU_SOURCE
#include "conform.h"

#include <dirent.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

static socklen_t name_of(struct sockaddr_un *address, const char *path)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	strncpy(address->sun_path, path, sizeof(address->sun_path));
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) +
			   (strlen(path) < sizeof(address->sun_path)));
}

static void see_name(const char *label, int fd, int (*get)(int, struct sockaddr *, socklen_t *))
{
	struct sockaddr_un address;
	socklen_t len = sizeof(address);

	memset(&address, 0, sizeof(address));
	if (get(fd, (struct sockaddr *)&address, &len) < 0)
		see("%s: %s", label, errno_name(errno));
	else if (len <= sizeof(sa_family_t))
		see("%s: no name", label);
	else
		see("%s: '%s' length %u", label, address.sun_path, (unsigned)len);
}

static void stream_on(const char *path)
{
	struct sockaddr_un address;
	socklen_t len = name_of(&address, path);
	int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[16] = "";
	struct stat st;

	see_ok("bind", bind(server, (struct sockaddr *)&address, len));
	see_ok("bind again",
	       bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, len));
	see_ok("listen", listen(server, 4));
	see("is a socket %d", stat(path, &st) == 0 && S_ISSOCK(st.st_mode));
	see_name("getsockname", server, getsockname);
	pid_t pid = fork();
	if (pid == 0) {
		int client = socket(AF_UNIX, SOCK_STREAM, 0);
		see_ok("connect", connect(client, (struct sockaddr *)&address, len));
		see_name("getpeername", client, getpeername);
		write(client, "hello", 5);
		_exit(0);
	}
	int peer = accept(server, NULL, NULL);
	see_result("read", read(peer, text, sizeof(text)));
	see("text '%s'", text);
	see_child("client", pid);
	see_ok("unlink", unlink(path));
	see_ok("connect to nobody",
	       connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, len));
}

static void stream(void)
{
	stream_on("/conform/socket_stream/s");
	stream_on("relative");
	symlink("/conform/socket_stream", "here");
	stream_on("here/through-a-link");
}

static void longest(void)
{
	char path[120] = "/conform/socket_longest/";
	size_t at = strlen(path);

	memset(path + at, 'n', 107 - at);
	path[107] = '\0';
	stream_on(path);
	memset(path + at, 'm', 108 - at);
	path[108] = '\0';
	struct sockaddr_un address;
	socklen_t len = name_of(&address, path);
	int server = socket(AF_UNIX, SOCK_STREAM, 0);
	see_ok("bind 108 bytes without end", bind(server, (struct sockaddr *)&address, len));
	see_name("getsockname", server, getsockname);
	see_ok("listen", listen(server, 1));
	see_ok("connect",
	       connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, len));
	char all[107], target[200];
	memset(all, 'b', sizeof(all));
	all[106] = '\0';
	stream_on(all);
	symlink(all, "link");
	server = socket(AF_UNIX, SOCK_STREAM, 0);
	len = name_of(&address, all);
	see_ok("bind 106 bytes", bind(server, (struct sockaddr *)&address, len));
	see_ok("listen", listen(server, 1));
	len = name_of(&address, "/conform/socket_longest/link");
	see_ok("connect by a link",
	       connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, len));
	see_ok("bind on a link",
	       bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, len));
	snprintf(target, sizeof(target), "../socket_longest/%.80s", all);
	server = socket(AF_UNIX, SOCK_STREAM, 0);
	len = name_of(&address, target);
	see_ok("bind by ..", bind(server, (struct sockaddr *)&address, len));
	see_name("getsockname", server, getsockname);
	socklen_t small = 20;
	memset(&address, 0, sizeof(address));
	see_ok("small buffer", getsockname(server, (struct sockaddr *)&address, &small));
	see("length %u text '%s'", (unsigned)small, address.sun_path);
	small = 0;
	see_ok("no buffer", getsockname(server, (struct sockaddr *)&address, &small));
	see("length %u", (unsigned)small);
	static const char *const bad[] = {"dir/",    "missing/x", "../socket_longest/link",
					  "link/x",  ".",         "..",
					  "dir/../", "/",         "here//sock"};
	mkdir("dir", 0755);
	symlink("/conform/socket_longest", "here");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		len = name_of(&address, bad[i]);
		server = socket(AF_UNIX, SOCK_STREAM, 0);
		see_ok(bad[i], bind(server, (struct sockaddr *)&address, len));
		see_name("getsockname", server, getsockname);
	}
	DIR *dir = opendir(".");
	int strange = 0;
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		strange += strstr(e->d_name, "scar") != NULL;
	closedir(dir);
	see("strange names: %d", strange);
}

static void datagram(void)
{
	struct sockaddr_un to, from;
	socklen_t to_len = name_of(&to, "/conform/socket_datagram/a"),
		  from_len = name_of(&from, "/conform/socket_datagram/b");
	int a = socket(AF_UNIX, SOCK_DGRAM, 0), b = socket(AF_UNIX, SOCK_DGRAM, 0);
	char text[32] = "";

	see_ok("bind a", bind(a, (struct sockaddr *)&to, to_len));
	see_ok("bind b", bind(b, (struct sockaddr *)&from, from_len));
	see_result("sendto", sendto(b, "dgram", 5, 0, (struct sockaddr *)&to, to_len));
	struct sockaddr_un sender;
	socklen_t sender_len = sizeof(sender);
	memset(&sender, 0, sizeof(sender));
	see_result("recvfrom",
		   recvfrom(a, text, sizeof(text), 0, (struct sockaddr *)&sender, &sender_len));
	see("from '%s' length %u text '%s'", sender.sun_path, (unsigned)sender_len, text);
	struct iovec part = {"message", 7};
	struct msghdr message = {
		.msg_name = &to, .msg_namelen = to_len, .msg_iov = &part, .msg_iovlen = 1};
	see_result("sendmsg", sendmsg(b, &message, 0));
	part = (struct iovec){text, sizeof(text)};
	memset(&sender, 0, sizeof(sender));
	message = (struct msghdr){.msg_name = &sender,
				  .msg_namelen = sizeof(sender),
				  .msg_iov = &part,
				  .msg_iovlen = 1};
	see_result("recvmsg", recvmsg(a, &message, 0));
	see("from '%s' length %u", sender.sun_path, (unsigned)message.msg_namelen);
	symlink("/conform/socket_datagram", "here");
	int c = socket(AF_UNIX, SOCK_DGRAM, 0);
	struct sockaddr_un odd;
	socklen_t odd_len = name_of(&odd, "here/c");
	see_ok("bind c", bind(c, (struct sockaddr *)&odd, odd_len));
	see_result("sendto from c", sendto(c, "dgram", 5, 0, (struct sockaddr *)&to, to_len));
	memset(&sender, 0, sizeof(sender));
	sender_len = sizeof(sender);
	see_result("recvfrom",
		   recvfrom(a, text, sizeof(text), 0, (struct sockaddr *)&sender, &sender_len));
	see("from '%s' length %u", sender.sun_path, (unsigned)sender_len);
	see_result("answer", sendto(a, "answer", 6, 0, (struct sockaddr *)&sender, sender_len));
	see_result("recv", recv(c, text, sizeof(text), 0));
	to_len = name_of(&to, "/conform/none");
	see_result("sendto nobody", sendto(b, "x", 1, 0, (struct sockaddr *)&to, to_len));
	struct mmsghdr many = {.msg_hdr = {.msg_name = &from,
					   .msg_namelen = from_len,
					   .msg_iov = &(struct iovec){"many", 4},
					   .msg_iovlen = 1}};
	see_result("sendmmsg", sendmmsg(a, &many, 1, 0));
	see_result("recv", recv(b, text, sizeof(text), 0));
}

static void nameless(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int pair[2];

	see_ok("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	see_name("name of a pair", pair[0], getsockname);
	snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "scar-conform-%d", getpid());
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
				    strlen(address.sun_path + 1));
	int server = socket(AF_UNIX, SOCK_STREAM, 0);
	see_ok("bind abstract", bind(server, (struct sockaddr *)&address, len));
	see_ok("listen", listen(server, 1));
	see_ok("connect abstract",
	       connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, len));
	int autobind = socket(AF_UNIX, SOCK_STREAM, 0);
	see_ok("autobind", bind(autobind, (struct sockaddr *)&address, sizeof(sa_family_t)));
}

CONFORM_GROUP(sockets, {"socket_stream", stream}, {"socket_longest", longest},
	      {"socket_datagram", datagram}, {"socket_nameless", nameless});
