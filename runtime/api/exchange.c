/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/api/exchange.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "runtime/api/document.h"
#include "runtime/api/protocol.h"
#include "runtime/api/response.h"
#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

#define HEAD_BYTES SCAR_KIB(4)
#define FIRST_PAUSE_MS 20
#define LONGEST_PAUSE_MS 1000
/* For what a service says before it hangs up on a body that it does not want. */
#define LAST_WORDS_MS 1000

/* Between half and the whole of the pause, so that environments started together spread out. */
static int64_t jittered(int64_t pause_ms)
{
	uint32_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
		random = (uint32_t)scar_clock_monotonic_us();
	return pause_ms / 2 + (int64_t)random % (pause_ms / 2 + 1);
}

/* Sleeps before the next attempt and lengthens the pause after it; false if patience ends. */
static bool pause_before_retry(int64_t give_up_us, int64_t *pause_ms)
{
	if (scar_clock_monotonic_us() >= give_up_us)
		return false;
	scar_clock_sleep_ms(jittered(*pause_ms));
	*pause_ms = *pause_ms * 2 < LONGEST_PAUSE_MS ? *pause_ms * 2 : LONGEST_PAUSE_MS;
	return true;
}

static int64_t patience_end_us(const struct scar_client *client)
{
	return scar_clock_monotonic_us() + client->retry_for_ms * 1000;
}

static int connect_until(struct scar_client *client, int64_t give_up_us, struct scar_err *err)
{
	int64_t pause_ms = FIRST_PAUSE_MS;
	int fd;

	if (client->connected)
		return 0;
	while (scar_http1_connect(client->api, client->connect_timeout_ms, &fd, err) < 0) {
		if (err->kind != SCAR_ERR_NETWORK && err->kind != SCAR_ERR_TIMEOUT)
			return -1;
		if (!pause_before_retry(give_up_us, &pause_ms)) {
			err->kind = SCAR_ERR_NETWORK;
			return scar_err_wrap(err, "the Runtime API is gone");
		}
	}
	scar_http1_init(&client->conn, fd);
	client->connected = true;
	client->used = false;
	return 0;
}

int scar_client_connect(struct scar_client *client, struct scar_err *err)
{
	return connect_until(client, patience_end_us(client), err);
}

void scar_client_disconnect(struct scar_client *client)
{
	if (!client->connected)
		return;
	scar_http1_close(&client->conn);
	client->connected = false;
}

int scar_client_head(const struct scar_client *client, struct scar_buf *head, const char *method,
		     const char *target, struct scar_err *err)
{
	scar_buf_init(head, HEAD_BYTES);
	return scar_buf_printf(head, err, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: scar\r\n",
			       method, target, client->api);
}

int scar_client_read_answer(struct scar_client *client, struct scar_http1_message *msg,
			    int64_t wait_ms, struct scar_err *err)
{
	int64_t deadline_us = wait_ms ? scar_clock_monotonic_us() + wait_ms * 1000 : 0;
	int got = scar_http1_read_response(&client->conn, msg, false, deadline_us, err);

	if (got == 0)
		return scar_err_set(err, SCAR_ERR_NETWORK,
				    "the Runtime API closed the connection without an answer");
	return got < 0 ? -1 : 0;
}

/*
 * One attempt. No time-out on the answer: Lambda freezes the environment at any moment, and a
 * monotonic clock that went on meanwhile would make one fire on the thaw.
 */
static int attempt(struct scar_client *client, const struct scar_buf *head, const void *body,
		   size_t len, struct scar_http1_message *msg, struct scar_err *err)
{
	struct scar_err unread;

	if (scar_http1_write(&client->conn, head->data, head->len, body, len, err) == 0)
		return scar_client_read_answer(client, msg, 0, err);
	/* It may have answered (413) before it stopped reading. */
	return scar_client_read_answer(client, msg, LAST_WORDS_MS, &unread);
}

int scar_client_exchange(struct scar_client *client, const struct scar_buf *head, const void *body,
			 size_t len, bool patient, struct scar_http1_message *msg,
			 struct scar_err *err)
{
	int64_t give_up_us = 0;
	int64_t pause_ms = FIRST_PAUSE_MS;

	for (;;) {
		bool stale;

		if (connect_until(client, give_up_us ? give_up_us : patience_end_us(client), err) <
		    0)
			return -1;
		stale = client->used;
		client->used = true;
		if (attempt(client, head, body, len, msg, err) == 0)
			return 0;
		scar_client_disconnect(client);
		scar_http1_message_clear(msg);
		scar_http1_message_init(msg);
		if (stale)
			continue;
		/* From the first failure on: a request that was waiting for hours has its full patience. */
		if (!give_up_us)
			give_up_us = patience_end_us(client);
		if (!patient || !pause_before_retry(give_up_us, &pause_ms))
			return -1;
	}
}

void scar_client_settle(struct scar_client *client, struct scar_http1_message *msg)
{
	scar_buf_auto struct scar_buf rest;
	struct scar_err unread;

	scar_buf_init(&rest, SCAR_KIB(64));
	/* The answer's words add nothing to its status; they are read so that the next answer can be. */
	if (scar_http1_read_body_all(&client->conn, msg, &rest, 0, &unread) < 0 || !msg->keep_alive)
		scar_client_disconnect(client);
}

int scar_client_verdict(struct scar_client *client, const char *what, int status,
			struct scar_err *err)
{
	if (status >= 200 && status < 300)
		return 0;
	if (status == 413)
		return scar_err_set(err, SCAR_ERR_LIMIT, "the service found the %s too large",
				    what);
	if (status >= 500) {
		client->broken = true;
		return scar_err_set(
			err, SCAR_ERR_UNAVAILABLE,
			"the service answered %d to the %s: its state is beyond recovery", status,
			what);
	}
	return scar_err_set(err, SCAR_ERR_PROTOCOL, "the service refused the %s with status %d",
			    what, status);
}

int scar_client_post(struct scar_client *client, const char *target, const char *content_type,
		     const char *fields, const void *body, size_t len, struct scar_err *err)
{
	scar_buf_auto struct scar_buf head;
	struct scar_http1_message msg;
	const char *slash = strrchr(target, '/');
	int result = -1;

	scar_http1_message_init(&msg);
	if (scar_client_head(client, &head, "POST", target, err) == 0 &&
	    scar_buf_printf(&head, err, "Content-Type: %s\r\nContent-Length: %zu\r\n%s\r\n",
			    content_type, len, fields) == 0 &&
	    scar_client_exchange(client, &head, body, len, false, &msg, err) == 0) {
		result = scar_client_verdict(client, slash ? slash + 1 : target, msg.status, err);
		scar_client_settle(client, &msg);
	}
	scar_http1_message_clear(&msg);
	return result;
}

int scar_client_post_error(struct scar_client *client, const char *target,
			   const struct scar_function_error *error, struct scar_err *err)
{
	scar_buf_auto struct scar_buf document;
	char field[sizeof(SCAR_API_ERROR_TYPE) + 192];

	scar_buf_init(&document, SCAR_LIMIT_RESPONSE_BYTES);
	if (scar_document_append(&document, error, SCAR_LIMIT_RESPONSE_BYTES, err) < 0)
		return -1;
	snprintf(field, sizeof(field), "%s: %s\r\n", SCAR_API_ERROR_TYPE,
		 scar_document_type(error));
	return scar_client_post(client, target, SCAR_API_CONTENT_TYPE_ERROR, field, document.data,
				document.len, err);
}
