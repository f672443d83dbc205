/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 framing. The first byte says whether the rest is read as requests or responses and in which
 * pieces its bodies are taken; that must not change what is read.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/err.h"
#include "runtime/base/http1.h"
#include "runtime/base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MESSAGES_MAX 8
/* What a socket pair takes without a reader. */
#define INPUT_MAX SCAR_KIB(64)

struct outcome {
	struct scar_buf text;   /* all that was read */
	enum scar_err_kind end; /* how it ended */
};

static void add(struct outcome *outcome, const char *text)
{
	struct scar_err err;

	if (scar_buf_append_str(&outcome->text, text, &err) < 0 ||
	    scar_buf_append_char(&outcome->text, '\n', &err) < 0)
		abort();
}

static int read_body(struct scar_http1 *conn, struct scar_http1_message *msg, size_t piece,
		     struct outcome *outcome, struct scar_err *err)
{
	char data[512];
	size_t len = 0;

	do {
		if (scar_http1_read_body(conn, msg, data, piece, 0, &len, err) < 0)
			return -1;
		if (len > piece)
			abort();
		if (scar_buf_append(&outcome->text, data, len, err) < 0)
			abort();
	} while (len > 0);
	return 0;
}

static int read_message(struct scar_http1 *conn, struct scar_http1_message *msg, bool response,
			size_t piece, struct outcome *outcome, struct scar_err *err)
{
	int status = response ? scar_http1_read_response(conn, msg, false, 0, err)
			      : scar_http1_read_request(conn, msg, 0, err);

	if (status != 1)
		return status;
	if (read_body(conn, msg, piece, outcome, err) < 0)
		return -1;
	for (size_t i = 0; i < msg->field_count; i++) {
		if (!scar_http1_name_ok(msg->fields[i].name) ||
		    !scar_http1_value_ok(msg->fields[i].value))
			abort();
		add(outcome, msg->fields[i].name);
		add(outcome, msg->fields[i].value);
	}
	return msg->keep_alive ? 1 : 0;
}

static void run(const uint8_t *data, size_t size, bool response, size_t piece,
		struct outcome *outcome)
{
	struct scar_http1 conn;
	struct scar_http1_message msg;
	struct scar_err err = {.kind = SCAR_ERR_NONE};
	int pair[2], status = 1;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	if (send(pair[1], data, size, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)size)
		abort();
	close(pair[1]);
	scar_http1_init(&conn, pair[0]);
	scar_http1_message_init(&msg);
	for (int i = 0; i < MESSAGES_MAX && status == 1; i++)
		status = read_message(&conn, &msg, response, piece, outcome, &err);
	outcome->end = status < 0 ? err.kind : SCAR_ERR_NONE;
	scar_http1_message_clear(&msg);
	scar_http1_close(&conn);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole, cut;
	bool response;

	if (size < 1 || size > INPUT_MAX)
		return 0;
	response = data[0] & 1;
	scar_buf_init(&whole.text, SIZE_MAX);
	scar_buf_init(&cut.text, SIZE_MAX);
	run(data + 1, size - 1, response, 512, &whole);
	run(data + 1, size - 1, response, 1 + (size_t)(data[0] >> 1), &cut);
	if (whole.end != cut.end ||
	    (whole.end == SCAR_ERR_NONE && strcmp(whole.text.data, cut.text.data) != 0))
		abort();
	if (whole.end != SCAR_ERR_NONE && whole.end != SCAR_ERR_PROTOCOL &&
	    whole.end != SCAR_ERR_LIMIT)
		abort();
	scar_buf_clear(&whole.text);
	scar_buf_clear(&cut.text);
	return 0;
}
