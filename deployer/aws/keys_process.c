/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credential_process: a program that writes credentials as JSON. It has our terminal and standard error, so that it may ask for a
 * code; only its output is ours, and is never shown.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "deployer/aws/session.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

#define ARGS_MAX 64
#define POLL_MS 50

/* ---- the command line, as a shell's words: quotes and backslashes, nothing else ---- */

/* Takes the next word of *at and writes it over `out`, which may be the same memory. @return NULL: a quote is open */
static char *take_word(const char **at, char *out)
{
	const char *p = *at;
	char quote = '\0';

	for (; *p && (quote || !strchr(" \t", *p)); p++) {
		if (quote && *p == quote)
			quote = '\0';
		else if (!quote && (*p == '"' || *p == '\''))
			quote = *p;
		else if (*p == '\\' && quote != '\'' && p[1] &&
			 (!quote || p[1] == '"' || p[1] == '\\'))
			*out++ = *++p;
		else
			*out++ = *p;
	}
	*at = p + strspn(p, " \t");
	if (quote)
		return NULL;
	*out = '\0';
	return out + 1;
}

static int split(char *line, char *argv[ARGS_MAX + 1], struct scar_err *err)
{
	const char *at = line + strspn(line, " \t");
	char *out = line;
	size_t count = 0;

	while (*at) {
		if (count == ARGS_MAX)
			return scar_err_set(err, SCAR_ERR_CONFIG, "more than %d words", ARGS_MAX);
		argv[count++] = out;
		out = take_word(&at, out);
		if (!out)
			return scar_err_set(err, SCAR_ERR_CONFIG, "a quote is not closed");
	}
	argv[count] = NULL;
	return count ? 0 : scar_err_set(err, SCAR_ERR_CONFIG, "no program");
}

/* ---- the program ---- */

static int start(char *const *argv, int out, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	int failed = posix_spawn_file_actions_init(&actions);

	if (failed)
		return failed;
	failed = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (!failed)
		failed = posix_spawnp(ret_pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return failed;
}

static int read_output(const struct scar_aws *aws, int fd, struct scar_buf *output,
		       struct scar_err *err)
{
	for (;;) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		char piece[1024];
		ssize_t n = poll(&ready, 1, POLL_MS);
		int failed;

		if (scar_aws_is_cancelled(aws))
			return scar_err_set(err, SCAR_ERR_INTERRUPTED, "interrupted");
		if (n == 0 || (n < 0 && errno == EINTR))
			continue;
		if (n > 0)
			n = read(fd, piece, sizeof piece);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return scar_err_errno(err, errno, "its output");
		if (n == 0)
			return 0;
		failed = scar_buf_append(output, piece, (size_t)n, err);
		explicit_bzero(piece, sizeof piece);
		if (failed)
			return scar_err_wrap(err, "its output");
	}
}

static int run(const struct scar_aws *aws, char *const *argv, struct scar_buf *output,
	       struct scar_err *err)
{
	int ends[2], failed, status = 0;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return scar_err_errno(err, errno, "pipe");
	failed = start(argv, ends[1], &pid);
	close(ends[1]);
	if (failed) {
		close(ends[0]);
		return scar_err_set(err, SCAR_ERR_CONFIG, "%s: %s", argv[0], strerror(failed));
	}
	failed = read_output(aws, ends[0], output, err);
	close(ends[0]);
	if (failed)
		kill(pid, SIGTERM);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (failed)
		return -1;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return scar_err_set(err, SCAR_ERR_AUTH, "%s failed with %s %d", argv[0],
				    WIFEXITED(status) ? "status" : "signal",
				    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	return 0;
}

static int read_document(const struct scar_buf *output, const char *program, const char *source,
			 struct scar_aws_keys *ret_keys, struct scar_err *err)
{
	scar_json_auto struct scar_json *root = NULL;
	struct scar_err ignored;
	int64_t version = 0;

	/* The parser's words could quote a secret. */
	if (scar_json_parse(output->data, output->len, program, &root, &ignored) < 0)
		return scar_err_set(err, SCAR_ERR_CONFIG, "%s does not write JSON", program);
	if (scar_json_int(scar_json_get(root, "Version"), &version) < 0 || version != 1)
		return scar_err_set(err, SCAR_ERR_CONFIG, "%s: Version is not 1", program);
	return scar_aws_keys_from_json(root, source, ret_keys, err);
}

int scar_aws_keys_of_process(struct scar_aws *aws, const char *command, const char *source,
			     struct scar_aws_keys *ret_keys, struct scar_err *err)
{
	scar_free_auto char *line = strdup(command);
	scar_buf_auto struct scar_buf output;
	char *argv[ARGS_MAX + 1];
	int failed;

	scar_buf_init(&output, SCAR_KIB(64));
	if (!line)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	failed = split(line, argv, err) < 0 || run(aws, argv, &output, err) < 0 ||
		 read_document(&output, argv[0], source, ret_keys, err) < 0;
	explicit_bzero(output.data, output.len);
	return failed ? scar_err_wrap(err, "credential_process of %s", source) : 0;
}
