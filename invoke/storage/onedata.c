/* SPDX-License-Identifier: Apache-2.0 */
/* Onedata through CDMI (ISO/IEC 17826) of a Oneprovider, with its plain objects: https://HOST/cdmi/SPACE/PATH. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "invoke/storage/exchange.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

#define AT(member) offsetof(struct scar_storage_account, member)

static const struct scar_storage_key keys[] = {
	{"oneprovider_host", AT(endpoint), true},
	{"token", AT(token), true},
	{"space", AT(space), true},
	{NULL, 0, false},
};

static int check(struct scar_storage_account *account,
		 const struct scar_storage_environment *environment, struct scar_err *err)
{
	(void)environment;
	return scar_exchange_complete_endpoint(account, err);
}

static int authorize(const struct scar_exchange *exchange, struct scar_http_request *request,
		     struct scar_buf *scratch, struct scar_err *err)
{
	(void)scratch;
	(void)err;
	scar_exchange_add(request, "X-Auth-Token", exchange->transfer->account->token);
	return 0;
}

static int make_url(const struct scar_storage_transfer *transfer, const char *path,
		    struct scar_buf *url, struct scar_err *err)
{
	const struct scar_storage_account *account = transfer->account;

	if (scar_buf_printf(url, err, "%s/cdmi", account->endpoint) < 0 ||
	    scar_exchange_append_path(url, account->space, err) < 0)
		return -1;
	return scar_exchange_append_below(url, path, err);
}

static int fetch(const struct scar_storage_transfer *transfer,
		 const struct scar_storage_object *object, int fd, struct scar_err *err)
{
	const char *space = transfer->account->space;
	const char *path = object->key + strspn(object->key, "/");
	scar_buf_auto struct scar_buf url;
	scar_exchange_auto struct scar_exchange exchange = {
		.transfer = transfer,
		.what = object->key,
		.method = "GET",
		.authorize = authorize,
		.has_sink_fd = true,
		.sink_fd = fd,
	};

	/* OneTrigger's keys begin with the space. */
	if (strncmp(path, space, strlen(space)) == 0 && path[strlen(space)] == '/')
		path += strlen(space) + 1;
	scar_buf_init(&url, SCAR_LIMIT_URL_BYTES);
	if (make_url(transfer, path, &url, err) < 0)
		return -1;
	exchange.url = url.data;
	return scar_exchange_perform(&exchange, err);
}

static int put(const struct scar_storage_transfer *transfer, const struct scar_storage_file *file,
	       const char *url, struct scar_err *err)
{
	scar_exchange_auto struct scar_exchange exchange = {
		.transfer = transfer, .url = url, .authorize = authorize};

	return scar_exchange_put(&exchange, file, err);
}

static int deliver(const struct scar_storage_transfer *transfer,
		   const struct scar_storage_file *file, struct scar_err *err)
{
	scar_buf_auto struct scar_buf url;

	scar_buf_init(&url, SCAR_LIMIT_URL_BYTES);
	if (make_url(transfer, file->path, &url, err) < 0)
		return -1;
	if (put(transfer, file, url.data, err) == 0)
		return 0;
	/* CDMI has no way to replace a file at once: better none than a part of one. */
	scar_exchange_take_back(transfer, file->path, url.data, authorize);
	return -1;
}

const struct scar_storage_ops scar_storage_onedata = {
	.type = "onedata", .keys = keys, .check = check, .fetch = fetch, .deliver = deliver};
