/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file runtime_server.h
 * The service's side of the Runtime API for one environment: a port on loopback, the state of its
 * runtime, and the way of an invocation through it. One thread.
 */
#ifndef SCAR_RUNTIME_EMULATOR_RUNTIME_SERVER_H
#define SCAR_RUNTIME_EMULATOR_RUNTIME_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/buf.h"
#include "runtime/base/http1.h"

struct scar_call;
struct scar_err;

#define SCAR_RUNTIME_CONNECTIONS 16

struct scar_runtime_server {
	int listen_fd;
	uint16_t port;
	const char *function_arn; /**< borrowed */
	struct {
		bool open;
		struct scar_http1 http;
	} conns[SCAR_RUNTIME_CONNECTIONS];
	int waiting;                /**< connection that asked for the next invocation, or -1 */
	struct scar_call *call;     /**< the invocation under way (borrowed), or NULL */
	bool answered;              /**< it has its response or error */
	int64_t deadline_us;        /**< until when a request may be read */
	struct scar_buf init_error; /**< the document of /init/error; empty: none */
	char init_error_type[128];
};

int scar_runtime_server_open(struct scar_runtime_server *server, const char *function_arn,
			     struct scar_err *err);
void scar_runtime_server_close(struct scar_runtime_server *server);
/** The runtime has ended: its connections and state are forgotten. */
void scar_runtime_server_reset(struct scar_runtime_server *server);
/**
 * Waits until deadline_us for the runtime, or for one of two more descriptors (-1: none), and serves what
 * the runtime asks. @return bit 0: the first is readable, bit 1: the second; -1 with err
 */
int scar_runtime_server_step(struct scar_runtime_server *server, int first_fd, int second_fd,
			     int64_t deadline_us, struct scar_err *err);
/** Hands the invocation to the runtime, which must be waiting. */
int scar_runtime_server_deliver(struct scar_runtime_server *server, struct scar_call *call,
				int64_t deadline_ms, struct scar_err *err);

#endif
