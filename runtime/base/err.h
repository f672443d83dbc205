/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file err.h
 * Errors of fallible functions.
 *
 * A fallible function returns 0 (or a valid value) on success and -1 (or NULL) on
 * failure, and then has filled the caller-owned `struct scar_err` passed as its last
 * parameter. The struct has a fixed size and holds no pointer, so failing allocates
 * nothing and a forked child can write it whole down a pipe (it is smaller than
 * PIPE_BUF). `err` must not be NULL. Outputs (`ret_` parameters) are untouched on
 * failure. Callers decide on `kind`, never on the text.
 */
#ifndef SCAR_RUNTIME_BASE_ERR_H
#define SCAR_RUNTIME_BASE_ERR_H

#include <stdbool.h>
#include <stddef.h>

/** What went wrong, as a short closed list; err.c maps each to the outside world. */
enum scar_err_kind {
	SCAR_ERR_NONE = 0,
	SCAR_ERR_INTERNAL,    /**< a bug of ours */
	SCAR_ERR_NOMEM,       /**< out of memory */
	SCAR_ERR_IO,          /**< a system call failed; errnum tells which way */
	SCAR_ERR_NOSPACE,     /**< ENOSPC, EDQUOT, or a size budget exceeded */
	SCAR_ERR_CONFIG,      /**< configuration or command line refused */
	SCAR_ERR_REFERENCE,   /**< not a valid image reference */
	SCAR_ERR_NOT_FOUND,   /**< registry, archive or store has no such thing (404) */
	SCAR_ERR_AUTH,        /**< 401/403 after all credentials were tried */
	SCAR_ERR_RATE_LIMIT,  /**< 429 */
	SCAR_ERR_UNAVAILABLE, /**< 5xx */
	SCAR_ERR_NETWORK,     /**< DNS, connect, reset, time-out of the network */
	SCAR_ERR_TLS,         /**< certificate, CA bundle, handshake */
	SCAR_ERR_PROTOCOL,    /**< the peer broke its protocol */
	SCAR_ERR_INTEGRITY,   /**< digest or size of content does not match */
	SCAR_ERR_IMAGE,       /**< manifest, config or layer is malformed */
	SCAR_ERR_PLATFORM,    /**< image has no variant for this machine */
	SCAR_ERR_LIMIT,       /**< a documented bound (limits.h) was exceeded */
	SCAR_ERR_ENGINE,      /**< no engine works here, or the engine failed */
	SCAR_ERR_EXEC,        /**< the entrypoint cannot be started */
	SCAR_ERR_EXIT,        /**< the program ended with a non-zero status */
	SCAR_ERR_SIGNAL,      /**< the program was ended by a signal */
	SCAR_ERR_OOM,         /**< the program was ended for lack of memory */
	SCAR_ERR_SERVER,      /**< the image's own server does not answer as HTTP asks */
	SCAR_ERR_TIMEOUT,     /**< the deadline passed */
	SCAR_ERR_EVENT,       /**< the event is malformed */
	SCAR_ERR_UNSUPPORTED, /**< valid, but not supported here */
	SCAR_ERR_INTERRUPTED, /**< told to stop */
	SCAR_ERR_KINDS        /**< number of kinds, not a kind */
};

/** Bytes of text in an error, its NUL included; longer text is cut at the front of the context. */
#define SCAR_ERR_MSG_MAX 2048

struct scar_err {
	enum scar_err_kind kind;
	int errnum; /**< errno of the failed call, or 0 */
	char msg[SCAR_ERR_MSG_MAX];
};

/** How a kind is shown outside. */
struct scar_err_info {
	const char *name;       /**< e.g. "not-found", for logs and tests */
	const char *error_type; /**< Lambda errorType, e.g. "Runtime.ImageNotFound" */
	int http_status;        /**< for HTTP responses of the emulator and HTTP events */
	int exit_code;          /**< for command lines (sysexits.h where one fits) */
	bool transient;         /**< trying again later may succeed */
};

/** Never NULL; an unknown kind gets the row of SCAR_ERR_INTERNAL. */
const struct scar_err_info *scar_err_info(enum scar_err_kind kind);

/** Makes `err` say "no error". */
void scar_err_clear(struct scar_err *err);

/** Fills `err`; the text is one sentence part without a full stop or newline. @return -1 */
int scar_err_set(struct scar_err *err, enum scar_err_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * Fills `err` from an errno value: ENOSPC and EDQUOT give SCAR_ERR_NOSPACE, ENOMEM
 * SCAR_ERR_NOMEM, all else SCAR_ERR_IO; ": <strerror>" is added to the text. @return -1
 */
int scar_err_errno(struct scar_err *err, int errnum, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** Puts "<text>: " before what `err` says; kind and errnum stay. @return -1 */
int scar_err_wrap(struct scar_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Compiler and analyzer, which see one source at a time, learn here that these give -1 always. */
#define scar_err_set(...)                  \
	__extension__({                    \
		scar_err_set(__VA_ARGS__); \
		-1;                        \
	})
#define scar_err_errno(...)                  \
	__extension__({                      \
		scar_err_errno(__VA_ARGS__); \
		-1;                          \
	})
#define scar_err_wrap(...)                  \
	__extension__({                     \
		scar_err_wrap(__VA_ARGS__); \
		-1;                         \
	})

#endif
