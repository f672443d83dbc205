/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file http1.h
 * HTTP/1.1 message framing (RFC 9112) over one descriptor, for the Runtime API: our client
 * and the emulator's server. libcurl is used everywhere else; here a server is needed too, and
 * the loop wants one write and one read a message.
 *
 * Reads are bounded (SCAR_LIMIT_HTTP_HEADER_BYTES, a body maximum given by the caller). Both
 * Content-Length together with Transfer-Encoding, and repeated different Content-Lengths, are refused.
 */
#ifndef SCAR_RUNTIME_BASE_HTTP1_H
#define SCAR_RUNTIME_BASE_HTTP1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/buf.h"

struct scar_err;

/** One connection: descriptor (owned, blocking or not) and what was read ahead. */
struct scar_http1 {
	int fd;
	struct scar_buf in;
	size_t in_used; /**< bytes at the front of `in` that were consumed */
};

struct scar_http1_field {
	const char *name; /**< borrowed from the message's head */
	const char *value;
};

enum scar_http1_framing {
	SCAR_HTTP1_NO_BODY,
	SCAR_HTTP1_LENGTH,
	SCAR_HTTP1_CHUNKED,
	SCAR_HTTP1_UNTIL_CLOSE
};

/**
 * A parsed head. Text is borrowed from the message, and good until the next head is read into it or
 * scar_http1_message_clear(). One message may serve many requests: its memory is used again.
 */
struct scar_http1_message {
	struct scar_buf head;
	struct scar_buf trailer;
	const char *method;              /**< requests */
	const char *target;              /**< requests, as sent */
	int status;                      /**< responses */
	struct scar_http1_field *fields; /**< after a chunked body, trailers are appended */
	size_t field_count;
	enum scar_http1_framing framing;
	uint64_t content_length;
	bool keep_alive;
	/* progress of the body */
	uint64_t left; /**< of the body, or of the chunk */
	bool in_chunk; /**< the line end after a chunk is still to come */
	bool done;
};

void scar_http1_init(struct scar_http1 *conn, int fd);
void scar_http1_close(struct scar_http1 *conn);
void scar_http1_message_init(struct scar_http1_message *msg);
void scar_http1_message_clear(struct scar_http1_message *msg);

/**
 * Reads a request or response head. deadline_us: CLOCK_MONOTONIC, 0 none (poll(2), not SO_RCVTIMEO).
 * @return 1 read; 0 the peer closed before the first byte; -1 error: SCAR_ERR_TIMEOUT, _NETWORK, _LIMIT, _PROTOCOL,
 * after which the connection is of no more use
 */
int scar_http1_read_request(struct scar_http1 *conn, struct scar_http1_message *msg,
			    int64_t deadline_us, struct scar_err *err);
/** `head_request`: the answered request was HEAD, so no body follows. 1xx responses are skipped. */
int scar_http1_read_response(struct scar_http1 *conn, struct scar_http1_message *msg,
			     bool head_request, int64_t deadline_us, struct scar_err *err);
/** Next piece of the body, de-chunked; size > 0; *ret_len 0 at its end (trailers are then in msg->fields). */
int scar_http1_read_body(struct scar_http1 *conn, struct scar_http1_message *msg, void *data,
			 size_t size, int64_t deadline_us, size_t *ret_len, struct scar_err *err);
/** The whole body into buf (bounded by it: SCAR_ERR_LIMIT, body not drained). */
int scar_http1_read_body_all(struct scar_http1 *conn, struct scar_http1_message *msg,
			     struct scar_buf *buf, int64_t deadline_us, struct scar_err *err);
/** First field of that name (case-insensitive), or NULL. */
const char *scar_http1_field(const struct scar_http1_message *msg, const char *name);

/** True if text is a field name (a token). */
bool scar_http1_name_ok(const char *text);
/** True if text is safe as a field value (no CR, LF, NUL). */
bool scar_http1_value_ok(const char *text);
/**
 * One gathered write of head and body, until all is written (never SIGPIPE on sockets). A peer that closed is
 * SCAR_ERR_NETWORK with its errnum; it may have answered before, so reading the response may still succeed.
 */
int scar_http1_write(struct scar_http1 *conn, const void *head, size_t head_len, const void *body,
		     size_t body_len, struct scar_err *err);
/** One chunk in one write; len 0 writes nothing (it would end the body). */
int scar_http1_write_chunk(struct scar_http1 *conn, const void *data, size_t len,
			   struct scar_err *err);
/** Last chunk and optional trailer fields (SCAR_LIMIT_HTTP_HEADER_BYTES at most); a name or value that would break the framing is SCAR_ERR_INTERNAL. */
int scar_http1_write_last_chunk(struct scar_http1 *conn, const struct scar_http1_field *trailers,
				size_t count, struct scar_err *err);

/**
 * Connects to "host:port" (or "[v6]:port") with TCP_NODELAY; numeric addresses need no resolver. timeout_ms (0: none)
 * bounds the connecting to all addresses of the host, not their look-up. SCAR_ERR_CONFIG: not such a text.
 */
int scar_http1_connect(const char *host_port, int64_t timeout_ms, int *ret_fd,
		       struct scar_err *err);

#endif
