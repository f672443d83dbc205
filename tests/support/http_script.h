/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file http_script.h
 * An HTTP server on 127.0.0.1 for unit tests of clients: one thread, one request a connection, each answered by a
 * function of the test, which may also break off in the middle. All that cannot work here ends the test program.
 */
#ifndef SCAR_TESTS_SUPPORT_HTTP_SCRIPT_H
#define SCAR_TESTS_SUPPORT_HTTP_SCRIPT_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/http1.h"

/** Answers one request; the connection is closed afterwards. Runs in the server's thread. */
typedef void (*http_script_answer)(void *ctx, struct scar_http1 *conn,
				   const struct scar_http1_message *req);

struct http_script {
	int listen_fd;
	uint16_t port;
	http_script_answer answer;
	void *ctx;
	pthread_t thread;
};

void http_script_start(struct http_script *server, http_script_answer answer, void *ctx);
/** Waits for the request in progress; afterwards what the answers wrote may be read. */
void http_script_stop(struct http_script *server);

/** Sends a head of `status` with the given extra lines ("Name: value\r\n", or ""), announcing content_length. */
void http_script_head(struct scar_http1 *conn, int status, const char *lines,
		      uint64_t content_length);
/** Sends bytes of a body; a client that went away is no error. */
void http_script_body(struct scar_http1 *conn, const void *data, size_t len);

#endif
