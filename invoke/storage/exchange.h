/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file exchange.h
 * One HTTP request of a storage provider, repeated where that may help, with bodies from and to files. Internal to invoke/storage/.
 */
#ifndef SCAR_INVOKE_STORAGE_EXCHANGE_H
#define SCAR_INVOKE_STORAGE_EXCHANGE_H

#include "invoke/storage/provider.h"
#include "runtime/base/buf.h"
#include "runtime/base/http.h"

#define SCAR_EXCHANGE_HEADERS_MAX 12

struct scar_exchange;

/**
 * Completes the header fields right before a request is sent, each time anew. `request` points to them; `scratch` lives until the answer has come.
 */
typedef int (*scar_exchange_authorize)(const struct scar_exchange *exchange,
				       struct scar_http_request *request, struct scar_buf *scratch,
				       struct scar_err *err);

/** Filled with designated initialisers; borrowed strings. */
struct scar_exchange {
	const struct scar_storage_transfer *transfer;
	const char *what; /**< for messages: "bucket/key" */
	const char *method;
	const char *url;
	struct scar_http_header headers[SCAR_EXCHANGE_HEADERS_MAX];
	size_t header_count;
	scar_exchange_authorize authorize; /**< or NULL */
	const char *payload;               /**< hex SHA-256 of the body, where authorize wants it */
	const void *body;                  /**< or NULL */
	size_t body_len;
	bool has_body_fd;
	int body_fd; /**< body_len bytes from body_offset on are the body */
	uint64_t body_offset;
	bool has_sink_fd;
	int sink_fd; /**< gets the body of the answer, from its begin on; a broken transfer is resumed */
	size_t max_body_bytes; /**< of an answer without sink_fd; 0: 64 KiB */
	bool follows; /**< redirects are followed; without what authorize adds, if they lead to another server */
	struct scar_http_response response; /**< the last; scar_exchange_clear() */
};

/** Adds a field; the text is borrowed. */
void scar_exchange_header(struct scar_exchange *exchange, const char *name, const char *value);
/** For a scar_exchange_authorize: adds a field to the request that it completes; the text is borrowed. */
void scar_exchange_add(struct scar_http_request *request, const char *name, const char *value);
/** 0 for a status of 2xx. Failures that may pass are tried again until the deadline; SCAR_ERR_* by status, with what the server says. */
int scar_exchange_perform(struct scar_exchange *exchange, struct scar_err *err);
void scar_exchange_clear(struct scar_exchange *exchange);
/** Text between <name> and </name> of the answer's body, entities as they are. @return 1, 0 if absent or longer than size */
int scar_exchange_element(const struct scar_exchange *exchange, const char *name, char *text,
			  size_t size);
/** SHA-256 of a piece of a file, in the forms that signature and checksum want. */
struct scar_exchange_hash {
	char hex[65];
	char base64[45];
};
int scar_exchange_hash(int fd, uint64_t offset, uint64_t len, struct scar_exchange_hash *ret_hash,
		       struct scar_err *err);
/** Appends "/" and the path, each part encoded. */
int scar_exchange_append_path(struct scar_buf *url, const char *path, struct scar_err *err);
/** Likewise for a path from outside and a server that resolves "." and "..": one that holds either is SCAR_ERR_EVENT. */
int scar_exchange_append_below(struct scar_buf *url, const char *path, struct scar_err *err);
/** An account's endpoint that is only a host becomes an https URL. */
int scar_exchange_complete_endpoint(struct scar_storage_account *account, struct scar_err *err);
/** Makes the exchange, whose other members are set, a PUT of the whole file, and performs it. */
int scar_exchange_put(struct scar_exchange *exchange, const struct scar_storage_file *file,
		      struct scar_err *err);

/** Removes what a failed delivery left, even when the others were told to stop; there is nobody to tell if it fails too. */
void scar_exchange_take_back(const struct scar_storage_transfer *transfer, const char *what,
			     const char *url, scar_exchange_authorize authorize);

#define scar_exchange_auto scar_auto(scar_exchange_clear)

#endif
