/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file exchange.h
 * What client.c and response.c share: the connection to the service and one request with its answer.
 */
#ifndef SCAR_RUNTIME_API_EXCHANGE_H
#define SCAR_RUNTIME_API_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/http1.h"

struct scar_err;

struct scar_client {
	char *api;
	int64_t connect_timeout_ms;
	int64_t retry_for_ms;
	struct scar_http1 conn;
	bool connected;
	bool used;   /**< an exchange has gone over `conn`: the service may have closed it since */
	bool broken; /**< the service said 500: nothing can follow */
};

/** Makes sure that there is a connection, waiting for a service that is away. */
int scar_client_connect(struct scar_client *client, struct scar_err *err);
void scar_client_disconnect(struct scar_client *client);

/**
 * Starts a request head: method, target, Host and User-Agent; the caller adds fields and the empty
 * line.
 */
int scar_client_head(const struct scar_client *client, struct scar_buf *head, const char *method,
		     const char *target, struct scar_err *err);

/**
 * Sends a request and reads the head of its answer. Sent again on a new connection when the old
 * one turns out to be closed before any byte of an answer; with `patient`, on new ones too,
 * until the client's patience ends.
 */
int scar_client_exchange(struct scar_client *client, const struct scar_buf *head, const void *body,
			 size_t len, bool patient, struct scar_http1_message *msg,
			 struct scar_err *err);

/** Reads what the last write provoked, if the service said something before it hung up. */
int scar_client_read_answer(struct scar_client *client, struct scar_http1_message *msg,
			    int64_t wait_ms, struct scar_err *err);

/** Drops the rest of an answer; keeps the connection if it can carry another request. */
void scar_client_settle(struct scar_client *client, struct scar_http1_message *msg);

/**
 * What a status of a POST means. 0: accepted. -1: SCAR_ERR_UNAVAILABLE the service is beyond
 * recovery (the client is broken from now on); SCAR_ERR_LIMIT too large; SCAR_ERR_PROTOCOL it refused.
 */
int scar_client_verdict(struct scar_client *client, const char *what, int status,
			struct scar_err *err);

/** POSTs a whole body and judges the answer. `fields`: more header lines, each with CRLF, or "". */
int scar_client_post(struct scar_client *client, const char *target, const char *content_type,
		     const char *fields, const void *body, size_t len, struct scar_err *err);

struct scar_function_error;
/** POSTs an error document. */
int scar_client_post_error(struct scar_client *client, const char *target,
			   const struct scar_function_error *error, struct scar_err *err);

#endif
