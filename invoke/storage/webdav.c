/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebDAV (RFC 4918), with which dCache is reached too. A file is put under another name and moved when it is whole; folders that are missing are
 * made on the way.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "invoke/storage/exchange.h"
#include "runtime/base/base64.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

#define AT(member) offsetof(struct scar_storage_account, member)

static const struct scar_storage_key keys[] = {
	{"hostname", AT(endpoint), true},
	{"login", AT(login), false},
	{"password", AT(password), false},
	{"token", AT(token), false},
	{NULL, 0, false},
};

static int check(struct scar_storage_account *account,
		 const struct scar_storage_environment *environment, struct scar_err *err)
{
	(void)environment;
	if (!account->login != !account->password)
		return scar_err_set(err, SCAR_ERR_CONFIG, "login and password go together");
	if (account->login && strchr(account->login, ':'))
		return scar_err_set(err, SCAR_ERR_CONFIG, "login holds a colon");
	if (account->login && account->token)
		return scar_err_set(err, SCAR_ERR_CONFIG, "both token and login");
	return scar_exchange_complete_endpoint(account, err);
}

static int authorize(const struct scar_exchange *exchange, struct scar_http_request *request,
		     struct scar_buf *scratch, struct scar_err *err)
{
	const struct scar_storage_account *account = exchange->transfer->account;
	scar_buf_auto struct scar_buf pair;

	if (!account->login && !account->token)
		return 0;
	scar_buf_init(&pair, SCAR_KIB(8));
	if (account->token) {
		if (scar_buf_printf(scratch, err, "Bearer %s", account->token) < 0)
			return -1;
	} else if (scar_buf_printf(&pair, err, "%s:%s", account->login, account->password) < 0 ||
		   scar_buf_append_str(scratch, "Basic ", err) < 0 ||
		   scar_base64_encode(pair.data, pair.len, scratch, err) < 0) {
		return -1;
	}
	scar_exchange_add(request, "Authorization", scratch->data);
	return 0;
}

static int make_url(const struct scar_storage_transfer *transfer, const char *path,
		    const char *suffix, struct scar_buf *url, struct scar_err *err)
{
	if (scar_buf_append_str(url, transfer->account->endpoint, err) < 0 ||
	    scar_exchange_append_below(url, path, err) < 0)
		return -1;
	return scar_buf_append_str(url, suffix, err);
}

static int fetch(const struct scar_storage_transfer *transfer,
		 const struct scar_storage_object *object, int fd, struct scar_err *err)
{
	scar_buf_auto struct scar_buf url;
	scar_exchange_auto struct scar_exchange exchange = {
		.transfer = transfer,
		.what = object->key,
		.method = "GET",
		.follows = true,
		.authorize = authorize,
		.has_sink_fd = true,
		.sink_fd = fd,
	};

	scar_buf_init(&url, SCAR_LIMIT_URL_BYTES);
	if (make_url(transfer, object->key, "", &url, err) < 0)
		return -1;
	exchange.url = url.data;
	return scar_exchange_perform(&exchange, err);
}

/* A request without a body. @return -1 with the status, if there is one */
static int simple(const struct scar_storage_transfer *transfer, const char *method, const char *url,
		  const char *destination, const char *what, int *ret_status, struct scar_err *err)
{
	scar_exchange_auto struct scar_exchange exchange = {
		.transfer = transfer,
		.what = what,
		.method = method,
		.url = url,
		.authorize = authorize,
	};
	int failed;

	if (destination) {
		scar_exchange_header(&exchange, "Destination", destination);
		scar_exchange_header(&exchange, "Overwrite", "T");
	}
	failed = scar_exchange_perform(&exchange, err);
	*ret_status = exchange.response.status;
	return failed;
}

/* 405: it exists (RFC 4918, 9.3.1); some servers say 301 for it. */
static int make_folders(const struct scar_storage_transfer *transfer, const char *path,
			struct scar_err *err)
{
	scar_free_auto char *folder = strdup(path);
	char *slash = folder;

	if (!folder)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	while ((slash = strchr(slash, '/'))) {
		scar_buf_auto struct scar_buf url;
		int status = 0;

		*slash = '\0';
		scar_buf_init(&url, SCAR_LIMIT_URL_BYTES);
		if (make_url(transfer, folder, "/", &url, err) < 0)
			return -1;
		if (simple(transfer, "MKCOL", url.data, NULL, folder, &status, err) < 0 &&
		    status != 405 && status != 301 && status != 409)
			return -1;
		*slash++ = '/';
	}
	return 0;
}

static int put(const struct scar_storage_transfer *transfer, const struct scar_storage_file *file,
	       const char *url, struct scar_err *err)
{
	scar_exchange_auto struct scar_exchange exchange = {
		.transfer = transfer, .url = url, .follows = true, .authorize = authorize};

	return scar_exchange_put(&exchange, file, err);
}

static int deliver(const struct scar_storage_transfer *transfer,
		   const struct scar_storage_file *file, struct scar_err *err)
{
	scar_buf_auto struct scar_buf url, part;
	int status = 0;

	scar_buf_init(&url, SCAR_LIMIT_URL_BYTES);
	scar_buf_init(&part, SCAR_LIMIT_URL_BYTES);
	if (make_url(transfer, file->path, "", &url, err) < 0 ||
	    make_url(transfer, file->path, ".scar-part", &part, err) < 0 ||
	    make_folders(transfer, file->path, err) < 0)
		return -1;
	if (put(transfer, file, part.data, err) == 0 &&
	    simple(transfer, "MOVE", part.data, url.data, file->path, &status, err) == 0)
		return 0;
	scar_exchange_take_back(transfer, file->path, part.data, authorize);
	return -1;
}

const struct scar_storage_ops scar_storage_webdav = {
	.type = "webdav", .keys = keys, .check = check, .fetch = fetch, .deliver = deliver};
