/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "registry/credentials.h"
#include "runtime/base/buf.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

#define HELPER_NAME_MAX 64
#define HELPER_TIMEOUT_MS 10000
#define END_POLL_MS 2
#define END_POLLS 500

/** A file name, nothing that leads elsewhere. */
static bool name_ok(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= HELPER_NAME_MAX &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
		       len;
}

/** Starts the program with one end of a socket pair as its input and output. @return 0, or errno */
static int start(const char *program, int fd, pid_t *ret_pid)
{
	char *argv[] = {(char *)(uintptr_t)program, (char[]){"get"}, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int failed = posix_spawn_file_actions_init(&actions);

	if (failed)
		return failed;
	failed = posix_spawnattr_init(&attributes);
	if (failed) {
		posix_spawn_file_actions_destroy(&actions);
		return failed;
	}
	sigemptyset(&none);
	failed = posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
	if (!failed)
		failed = posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
	if (!failed)
		failed = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null",
							  O_WRONLY, 0);
	/* A group of its own, so that what it starts ends with it. */
	if (!failed)
		failed = posix_spawnattr_setflags(&attributes,
						  POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
	if (!failed)
		failed = posix_spawnattr_setsigmask(&attributes, &none);
	if (!failed)
		failed = posix_spawnp(ret_pid, program, &actions, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return failed;
}

/** Until the program closes its output, fills our bound, or takes too long. @return whether it came to its end */
static bool read_answer(int fd, struct scar_buf *answer)
{
	int64_t deadline_ms = scar_clock_epoch_ms() + HELPER_TIMEOUT_MS;

	for (;;) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		int64_t left_ms = scar_clock_left_ms(deadline_ms);
		char piece[1024];
		struct scar_err ignored;
		ssize_t n;

		if (left_ms <= 0)
			return false;
		n = poll(&ready, 1, (int)left_ms);
		if (n > 0)
			n = recv(fd, piece, sizeof(piece), 0);
		else if (n == 0)
			return false;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0;
		if (scar_buf_append(answer, piece, (size_t)n, &ignored) < 0)
			return false;
		explicit_bzero(piece, sizeof(piece));
	}
}

/** Waits for the end after the output has come to its own, but not for ever. @return its exit status, -1 if it had to be ended */
static int end(pid_t pid, bool is_over)
{
	int status = 0;
	pid_t ended = 0;

	for (int i = 0; is_over && ended == 0 && i < END_POLLS; i++) {
		ended = waitpid(pid, &status, WNOHANG);
		if (ended == 0)
			scar_clock_sleep_ms(END_POLL_MS);
	}
	if (ended == pid)
		return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return -1;
}

static int run(const char *program, const char *server, struct scar_buf *answer, int *ret_status,
	       struct scar_err *err)
{
	int pair[2], failed;
	pid_t pid;
	bool is_over;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return scar_err_errno(err, errno, "%s", program);
	failed = start(program, pair[1], &pid);
	close(pair[1]);
	if (failed) {
		close(pair[0]);
		*ret_status = 127;
		return failed == ENOENT || failed == EACCES
			       ? 0
			       : scar_err_errno(err, failed, "%s", program);
	}
	/* A program that does not read its input says so by its status. */
	(void)!send(pair[0], server, strlen(server), MSG_NOSIGNAL);
	shutdown(pair[0], SHUT_WR);
	is_over = read_answer(pair[0], answer);
	close(pair[0]);
	*ret_status = end(pid, is_over);
	return 0;
}

static int take_answer(const struct scar_buf *answer, const char *program,
		       struct scar_credentials *ret_found, struct scar_err *err)
{
	scar_json_auto struct scar_json *root = NULL;
	scar_credentials_auto struct scar_credentials found = {.username = NULL};
	struct scar_err ignored;
	const char *username, *secret;

	/* The parser's words could quote the secret. */
	if (scar_json_parse(answer->data, answer->len, program, &root, &ignored) < 0)
		return scar_err_set(err, SCAR_ERR_CONFIG, "%s does not answer with JSON", program);
	username = scar_json_string(scar_json_get(root, "Username"));
	secret = scar_json_string(scar_json_get(root, "Secret"));
	if (!username || !*username || !secret)
		return scar_err_set(err, SCAR_ERR_CONFIG, "%s gives no user name and secret",
				    program);
	if (scar_credentials_set(&found, username, secret, err) < 0)
		return -1;
	*ret_found = found;
	memset(&found, 0, sizeof(found));
	return 0;
}

int scar_helper_get(const char *name, const char *server, struct scar_credentials *ret_found,
		    struct scar_err *err)
{
	scar_buf_auto struct scar_buf answer;
	char program[HELPER_NAME_MAX + 32];
	int status = 0, result = 0;

	scar_buf_init(&answer, SCAR_LIMIT_TOKEN_BYTES);
	if (!name_ok(name))
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "'%.100s' is no name of a credential helper", name);
	snprintf(program, sizeof(program), "docker-credential-%s", name);
	if (run(program, server, &answer, &status, err) < 0)
		return -1;
	if (status == 127)
		return 0;
	if (status == 0)
		result = take_answer(&answer, program, ret_found, err);
	else if (!strstr(answer.data, "credentials not found"))
		result = scar_err_set(
			err, SCAR_ERR_CONFIG,
			status < 0 ? "%s was ended: it took more than %d s or said too much"
				   : "%s failed (%d)",
			program, status < 0 ? HELPER_TIMEOUT_MS / 1000 : status);
	explicit_bzero(answer.data, answer.len);
	return result;
}
