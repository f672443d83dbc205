/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define ROW(kind, ...) [kind] = {__VA_ARGS__}

/*
 * Exit codes: sysexits.h, and what a POSIX shell gives for a program that cannot be started
 * (126), was ended by SIGKILL (128 + 9) or, as timeout(1), ran out of time (124). EXIT and
 * SIGNAL stand for a status that the caller knows better.
 */
static const struct scar_err_info infos[SCAR_ERR_KINDS] = {
	ROW(SCAR_ERR_NONE, "none", "", 200, EX_OK, false),
	ROW(SCAR_ERR_INTERNAL, "internal", "Runtime.InternalError", 500, EX_SOFTWARE, false),
	ROW(SCAR_ERR_NOMEM, "no-memory", "Runtime.OutOfMemory", 500, EX_OSERR, true),
	ROW(SCAR_ERR_IO, "io", "Runtime.InputOutput", 500, EX_IOERR, false),
	ROW(SCAR_ERR_NOSPACE, "no-space", "Runtime.NoSpace", 507, EX_CANTCREAT, false),
	ROW(SCAR_ERR_CONFIG, "config", "Runtime.InvalidConfiguration", 400, EX_CONFIG, false),
	ROW(SCAR_ERR_REFERENCE, "reference", "Runtime.InvalidImageReference", 400, EX_USAGE, false),
	ROW(SCAR_ERR_NOT_FOUND, "not-found", "Runtime.ImageNotFound", 404, EX_NOINPUT, false),
	ROW(SCAR_ERR_AUTH, "auth", "Runtime.RegistryAuth", 403, EX_NOPERM, false),
	ROW(SCAR_ERR_RATE_LIMIT, "rate-limit", "Runtime.RegistryRateLimit", 429, EX_TEMPFAIL, true),
	ROW(SCAR_ERR_UNAVAILABLE, "unavailable", "Runtime.RegistryUnavailable", 503, EX_UNAVAILABLE,
	    true),
	ROW(SCAR_ERR_NETWORK, "network", "Runtime.RegistryNetwork", 502, EX_TEMPFAIL, true),
	ROW(SCAR_ERR_TLS, "tls", "Runtime.RegistryTls", 502, EX_PROTOCOL, false),
	ROW(SCAR_ERR_PROTOCOL, "protocol", "Runtime.RegistryProtocol", 502, EX_PROTOCOL, false),
	ROW(SCAR_ERR_INTEGRITY, "integrity", "Runtime.ImageIntegrity", 502, EX_DATAERR, false),
	ROW(SCAR_ERR_IMAGE, "image", "Runtime.InvalidImage", 422, EX_DATAERR, false),
	ROW(SCAR_ERR_PLATFORM, "platform", "Runtime.UnsupportedPlatform", 422, EX_DATAERR, false),
	ROW(SCAR_ERR_LIMIT, "limit", "Runtime.LimitExceeded", 413, EX_DATAERR, false),
	ROW(SCAR_ERR_ENGINE, "engine", "Runtime.Engine", 500, EX_SOFTWARE, false),
	ROW(SCAR_ERR_EXEC, "exec", "Runtime.InvalidEntrypoint", 422, 126, false),
	ROW(SCAR_ERR_EXIT, "exit", "Function.ExitError", 500, 1, false),
	ROW(SCAR_ERR_SIGNAL, "signal", "Function.Signal", 500, 128, false),
	ROW(SCAR_ERR_OOM, "out-of-memory", "Function.OutOfMemory", 500, 137, false),
	ROW(SCAR_ERR_SERVER, "server", "Function.ServerError", 502, EX_PROTOCOL, false),
	ROW(SCAR_ERR_TIMEOUT, "timeout", "Function.Timeout", 504, 124, false),
	ROW(SCAR_ERR_EVENT, "event", "Function.InvalidEvent", 400, EX_DATAERR, false),
	ROW(SCAR_ERR_UNSUPPORTED, "unsupported", "Runtime.Unsupported", 501, EX_UNAVAILABLE, false),
	ROW(SCAR_ERR_INTERRUPTED, "interrupted", "Runtime.Interrupted", 503, 130, true),
};

const struct scar_err_info *scar_err_info(enum scar_err_kind kind)
{
	if ((unsigned)kind >= SCAR_ERR_KINDS)
		return &infos[SCAR_ERR_INTERNAL];
	return &infos[kind];
}

void scar_err_clear(struct scar_err *err)
{
	err->kind = SCAR_ERR_NONE;
	err->errnum = 0;
	err->msg[0] = '\0';
}

/* Arguments may point into err->msg, so the text is made beside it. */
__attribute__((format(printf, 2, 0))) static size_t format_text(char text[SCAR_ERR_MSG_MAX],
								const char *fmt, va_list args)
{
	int len = vsnprintf(text, SCAR_ERR_MSG_MAX, fmt, args);

	if (len < 0) {
		text[0] = '\0';
		return 0;
	}
	return (size_t)len < SCAR_ERR_MSG_MAX ? (size_t)len : SCAR_ERR_MSG_MAX - 1;
}

#undef scar_err_set
#undef scar_err_errno
#undef scar_err_wrap

int scar_err_set(struct scar_err *err, enum scar_err_kind kind, const char *fmt, ...)
{
	char text[SCAR_ERR_MSG_MAX];
	va_list args;
	size_t len;

	va_start(args, fmt);
	len = format_text(text, fmt, args);
	va_end(args);
	err->kind = kind;
	err->errnum = 0;
	memcpy(err->msg, text, len + 1);
	return -1;
}

/* "<text>: <rest>" into err->msg. The cause, at the end, is worth more than the context at the front. */
static void join(struct scar_err *err, const char *text, size_t text_len, const char *rest)
{
	static const char ellipsis[] = "...";
	size_t rest_len = strnlen(rest, SCAR_ERR_MSG_MAX - 1);
	size_t room = SCAR_ERR_MSG_MAX - 1 - rest_len;

	memmove(err->msg + room, rest, rest_len);
	err->msg[SCAR_ERR_MSG_MAX - 1] = '\0';
	if (text_len + 2 <= room) {
		memcpy(err->msg, text, text_len);
		memcpy(err->msg + text_len, ": ", 2);
		memmove(err->msg + text_len + 2, err->msg + room, rest_len + 1);
	} else if (room >= sizeof ellipsis + 2) {
		size_t kept = room - 2 - (sizeof ellipsis - 1);

		memcpy(err->msg, ellipsis, sizeof ellipsis - 1);
		memcpy(err->msg + sizeof ellipsis - 1, text + text_len - kept, kept);
		memcpy(err->msg + room - 2, ": ", 2);
	} else {
		memmove(err->msg, err->msg + room, rest_len + 1);
	}
}

static enum scar_err_kind kind_of_errno(int errnum)
{
	switch (errnum) {
	case ENOSPC:
	case EDQUOT: return SCAR_ERR_NOSPACE;
	case ENOMEM: return SCAR_ERR_NOMEM;
	default: return SCAR_ERR_IO;
	}
}

int scar_err_errno(struct scar_err *err, int errnum, const char *fmt, ...)
{
	char text[SCAR_ERR_MSG_MAX], reason[128];
	va_list args;
	size_t len;

	va_start(args, fmt);
	len = format_text(text, fmt, args);
	va_end(args);
	/* The GNU strerror_r() returns its result, that of POSIX fills the buffer: musl has only the latter. */
#ifdef __GLIBC__
	const char *shown = strerror_r(errnum, reason, sizeof reason);
#else
	const char *shown = strerror_r(errnum, reason, sizeof reason) == 0 ? reason
									   : "unknown error";
#endif
	err->kind = kind_of_errno(errnum);
	err->errnum = errnum;
	join(err, text, len, shown);
	return -1;
}

int scar_err_wrap(struct scar_err *err, const char *fmt, ...)
{
	char text[SCAR_ERR_MSG_MAX], cause[SCAR_ERR_MSG_MAX];
	va_list args;
	size_t len;

	va_start(args, fmt);
	len = format_text(text, fmt, args);
	va_end(args);
	snprintf(cause, sizeof cause, "%s", err->msg);
	join(err, text, len, cause);
	return -1;
}
