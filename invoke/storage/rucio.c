/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rucio (rucio.cern.ch): a catalogue of files, named SCOPE:NAME, whose bytes are on storage elements (RSE). Its REST API says where, the bytes move
 * over HTTP with WebDAV. A data set is a name for several files; all are fetched.
 *
 * A file is delivered as Rucio's own client does it: the catalogue tells where it belongs, it is put there, its replica is registered with size and
 * Adler-32, and a rule keeps it. Slashes in names are written "__", as SCAR writes them. What is there already is left alone if it is the same.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "invoke/storage/exchange.h"
#include "invoke/storage/issued.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/base/sigv4.h"
#include "runtime/base/url.h"

#define AT(member) offsetof(struct scar_storage_account, member)
#define NAME_BYTES_MAX 255
#define PIECE SCAR_KIB(64)

static const struct scar_storage_key keys[] = {
	{"host", AT(endpoint), true},
	{"account", AT(login), true},
	{"rse", AT(space), false},
	{"access_token", AT(token), false},
	{"refresh_token", AT(refresh_token), false},
	{"token_endpoint", AT(token_endpoint), false},
	{"client_id", AT(client_id), false},
	{"oidc_audience", AT(audience), false},
	{"scopes", AT(scopes), false},
	{"auth_host", AT(unused), false},
	{NULL, 0, false},
};

static int check(struct scar_storage_account *account,
		 const struct scar_storage_environment *environment, struct scar_err *err)
{
	(void)environment;
	if (!account->token == !account->refresh_token)
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "either access_token or refresh_token must be there");
	if (account->refresh_token && !account->token_endpoint)
		return scar_err_set(err, SCAR_ERR_CONFIG, "refresh_token needs token_endpoint");
	if (scar_exchange_complete_endpoint(account, err) < 0)
		return -1;
	return account->refresh_token ? scar_storage_issued_prepare(account, err) : 0;
}

/* ---- the catalogue ---- */

static int token_of(const struct scar_storage_transfer *transfer, struct scar_buf *scratch,
		    struct scar_err *err)
{
	if (transfer->account->token)
		return scar_buf_append_str(scratch, transfer->account->token, err);
	return scar_storage_issued_get(transfer, scratch, err);
}

static int authorize_catalogue(const struct scar_exchange *exchange,
			       struct scar_http_request *request, struct scar_buf *scratch,
			       struct scar_err *err)
{
	if (token_of(exchange->transfer, scratch, err) < 0)
		return -1;
	scar_exchange_add(request, "X-Rucio-Auth-Token", scratch->data);
	scar_exchange_add(request, "X-Rucio-Account", exchange->transfer->account->login);
	return 0;
}

static int authorize_storage(const struct scar_exchange *exchange,
			     struct scar_http_request *request, struct scar_buf *scratch,
			     struct scar_err *err)
{
	if (scar_buf_append_str(scratch, "Bearer ", err) < 0 ||
	    token_of(exchange->transfer, scratch, err) < 0)
		return -1;
	scar_exchange_add(request, "Authorization", scratch->data);
	return 0;
}

/* A POST with a JSON document, or a GET without. The caller clears the exchange. */
static int ask(struct scar_exchange *exchange, const struct scar_storage_transfer *transfer,
	       const char *path, const struct scar_buf *document, struct scar_err *err)
{
	scar_buf_auto struct scar_buf url;
	int failed;

	scar_buf_init(&url, SCAR_LIMIT_URL_BYTES);
	if (scar_buf_printf(&url, err, "%s%s", transfer->account->endpoint, path) < 0)
		return -1;
	exchange->transfer = transfer;
	exchange->method = document ? "POST" : "GET";
	exchange->url = url.data;
	exchange->what = path;
	exchange->max_body_bytes = SCAR_LIMIT_JSON_BYTES;
	exchange->authorize = authorize_catalogue;
	if (document) {
		exchange->body = document->data;
		exchange->body_len = document->len;
		scar_exchange_header(exchange, "Content-Type", "application/json");
	}
	failed = scar_exchange_perform(exchange, err);
	exchange->url = NULL;
	return failed;
}

static int append_did(struct scar_buf *json, const char *scope, const char *name,
		      struct scar_err *err)
{
	if (scar_buf_append_str(json, "\"scope\":", err) < 0 ||
	    scar_json_append_string(json, scope, strlen(scope), err) < 0 ||
	    scar_buf_append_str(json, ",\"name\":", err) < 0)
		return -1;
	return scar_json_append_string(json, name, strlen(name), err);
}

/* davs is https to a server that speaks WebDAV. What else there is (root, gsiftp, s3) cannot be reached from here. */
static int http_location(const struct scar_storage_transfer *transfer, const char *pfn,
			 char **ret_location, struct scar_err *err)
{
	const char *scheme = "", *rest = pfn;
	struct scar_url catalogue, storage;

	if (strncmp(pfn, "davs://", 7) == 0) {
		scheme = "https://";
		rest += 7;
	} else if (strncmp(pfn, "dav://", 6) == 0) {
		scheme = "http://";
		rest += 6;
	}
	if (asprintf(ret_location, "%s%s", scheme, rest) < 0) {
		*ret_location = NULL;
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	}
	if (scar_url_parse(*ret_location, &storage, err) < 0 ||
	    scar_url_parse(transfer->account->endpoint, &catalogue, err) < 0)
		return scar_err_wrap(err, "the place of a file, %.200s", pfn);
	/* It is the catalogue that says where the token goes. */
	if (!scar_url_may_lead(&catalogue, &storage, true))
		return scar_err_set(err, SCAR_ERR_PROTOCOL,
				    "the catalogue says that a file is at %.200s, which is not "
				    "safe to ask",
				    pfn);
	return 0;
}

/* ---- in ---- */

static int safe_name(const char *name, char **ret_name, struct scar_err *err)
{
	size_t len = strlen(name), slashes = 0;
	char *to;

	for (const char *at = name; *at; at++)
		slashes += *at == '/';
	if (len == 0 || len + slashes > NAME_BYTES_MAX || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return scar_err_set(err, SCAR_ERR_PROTOCOL, "\"%.100s\" cannot be a file's name",
				    name);
	to = *ret_name = malloc(len + slashes + 1);
	if (!to)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	for (; *name; name++) {
		*to++ = *name == '/' ? '_' : *name;
		if (*name == '/')
			*to++ = '_';
	}
	*to = '\0';
	return 0;
}

/* Of the places of a file, in the catalogue's order, the first that can be asked. */
static int choose_place(const struct scar_storage_transfer *transfer,
			const struct scar_json *replica, const char *name, char **ret_location,
			struct scar_err *err)
{
	const struct scar_json *places = scar_json_get(replica, "pfns");

	for (const struct scar_json *place = scar_json_first(places); place;
	     place = scar_json_next(place)) {
		const char *pfn = scar_json_key(place);

		if (strncmp(pfn, "http", 4) == 0 || strncmp(pfn, "dav", 3) == 0)
			return http_location(transfer, pfn, ret_location, err);
	}
	return scar_err_set(err, SCAR_ERR_NOT_FOUND,
			    "%.200s has no replica that can be reached over HTTP", name);
}

static int add_member(const struct scar_storage_transfer *transfer, const struct scar_json *replica,
		      struct scar_storage_members *members, struct scar_err *err)
{
	struct scar_storage_member *member, *list;
	const char *name = scar_json_string(scar_json_get(replica, "name"));
	const char *checksum = scar_json_string(scar_json_get(replica, "adler32"));
	int64_t bytes = -1;

	if (!name || scar_json_int(scar_json_get(replica, "bytes"), &bytes) < 0 || bytes < 0)
		return scar_err_set(err, SCAR_ERR_PROTOCOL,
				    "the catalogue names a file without name or size");
	if (members->count == SCAR_STORAGE_MEMBERS_MAX)
		return scar_err_set(err, SCAR_ERR_LIMIT, "the data set has more than %d files",
				    SCAR_STORAGE_MEMBERS_MAX);
	list = realloc(members->list, (members->count + 1) * sizeof *list);
	if (!list)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	members->list = list;
	member = &list[members->count++];
	*member = (struct scar_storage_member){.size_bytes = (uint64_t)bytes};
	if (checksum) {
		char *end = NULL;

		member->adler32 = (uint32_t)strtoul(checksum, &end, 16);
		member->has_adler32 = *checksum && !*end;
	}
	if (safe_name(name, &member->name, err) < 0)
		return -1;
	return choose_place(transfer, replica, name, &member->location, err);
}

static bool is_did(const struct scar_json *replica, const char *scope, const char *name)
{
	const char *its_scope = scar_json_string(scar_json_get(replica, "scope"));
	const char *its_name = scar_json_string(scar_json_get(replica, "name"));

	return its_scope && its_name && strcmp(its_scope, scope) == 0 &&
	       strcmp(its_name, name) == 0;
}

/* application/x-json-stream: a document a line. */
static int read_replicas(const struct scar_storage_transfer *transfer,
			 const struct scar_buf *answer, const char *scope, const char *name,
			 struct scar_storage_members *members, struct scar_err *err)
{
	const char *line = answer->data ? answer->data : "";

	while (*line) {
		scar_json_auto struct scar_json *replica = NULL;
		size_t len = strcspn(line, "\n");

		if (len > 0 && (scar_json_parse(line, len, "a replica", &replica, err) < 0 ||
				add_member(transfer, replica, members, err) < 0))
			return -1;
		if (replica && is_did(replica, scope, name))
			members->is_file = true;
		line += len + (line[len] == '\n');
	}
	if (members->count == 0)
		return scar_err_set(err, SCAR_ERR_NOT_FOUND, "%.100s:%.200s has no files", scope,
				    name);
	return 0;
}

static int list(const struct scar_storage_transfer *transfer,
		const struct scar_storage_object *object, struct scar_storage_members *ret_members,
		struct scar_err *err)
{
	const char *scope = object->bucket ? object->bucket : transfer->account->login;
	scar_exchange_auto struct scar_exchange exchange = {0};
	scar_buf_auto struct scar_buf query;

	scar_buf_init(&query, SCAR_KIB(16));
	if (scar_buf_append_str(&query, "{\"dids\":[{", err) < 0 ||
	    append_did(&query, scope, object->key, err) < 0 ||
	    scar_buf_append_str(&query, "}],\"schemes\":[\"davs\",\"https\",\"dav\",\"http\"]}",
				err) < 0)
		return -1;
	if (ask(&exchange, transfer, "/replicas/list", &query, err) < 0)
		return -1;
	return read_replicas(transfer, &exchange.response.body, scope, object->key, ret_members,
			     err);
}

static int checksum(int fd, uint64_t *ret_bytes, uint32_t *ret_adler32, struct scar_err *err)
{
	scar_free_auto unsigned char *piece = malloc(PIECE);
	uLong sum = adler32(0, NULL, 0);
	uint64_t bytes = 0;
	ssize_t got = 1;

	if (!piece)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	while (got > 0) {
		got = pread(fd, piece, PIECE, (off_t)bytes);
		if (got < 0)
			return scar_err_errno(err, errno, "cannot read a file");
		sum = adler32(sum, piece, (uInt)got);
		bytes += (uint64_t)got;
	}
	*ret_bytes = bytes;
	*ret_adler32 = (uint32_t)sum;
	return 0;
}

static int fetch_member(const struct scar_storage_transfer *transfer,
			const struct scar_storage_member *member, int fd, struct scar_err *err)
{
	scar_exchange_auto struct scar_exchange exchange = {
		.transfer = transfer,
		.what = member->name,
		.method = "GET",
		.url = member->location,
		.follows = true,
		.authorize = authorize_storage,
		.has_sink_fd = true,
		.sink_fd = fd,
	};
	uint64_t bytes = 0;
	uint32_t sum = 0;

	if (scar_exchange_perform(&exchange, err) < 0 || checksum(fd, &bytes, &sum, err) < 0)
		return -1;
	if (bytes != member->size_bytes || (member->has_adler32 && sum != member->adler32))
		return scar_err_set(err, SCAR_ERR_INTEGRITY,
				    "%s is not what the catalogue says: %llu bytes, Adler-32 %08x",
				    member->name, (unsigned long long)bytes, (unsigned)sum);
	return 0;
}

/* ---- out ---- */

struct upload {
	const struct scar_storage_transfer *transfer;
	const struct scar_storage_file *file;
	const char *scope;
	char *name;     /* owned, as the next */
	char *location; /* where the bytes belong */
	uint32_t adler32;
};

static void clear_upload(struct upload *upload)
{
	free(upload->name);
	free(upload->location);
}

/* The place of a name on a storage element follows from its rules, which the catalogue applies. */
static int find_place(struct upload *upload, struct scar_err *err)
{
	scar_exchange_auto struct scar_exchange exchange = {0};
	scar_json_auto struct scar_json *places = NULL;
	scar_buf_auto struct scar_buf path;
	const char *pfn;

	scar_buf_init(&path, SCAR_LIMIT_URL_BYTES);
	if (scar_buf_append_str(&path, "/rses", err) < 0 ||
	    scar_exchange_append_path(&path, upload->transfer->account->space, err) < 0 ||
	    scar_buf_append_str(
		    &path, "/lfns2pfns?domain=wan&operation=write&scheme=davs%2Chttps&lfn=", err) <
		    0 ||
	    scar_sigv4_encode(&path, upload->scope, strlen(upload->scope), "", err) < 0 ||
	    scar_buf_append_str(&path, "%3A", err) < 0 ||
	    scar_sigv4_encode(&path, upload->name, strlen(upload->name), "", err) < 0)
		return -1;
	if (ask(&exchange, upload->transfer, path.data, NULL, err) < 0 ||
	    scar_json_parse(exchange.response.body.data, exchange.response.body.len,
			    "the place of a file", &places, err) < 0)
		return -1;
	pfn = scar_json_string(scar_json_first(places));
	if (!pfn)
		return scar_err_set(err, SCAR_ERR_PROTOCOL, "the catalogue tells no place for %s",
				    upload->name);
	return http_location(upload->transfer, pfn, &upload->location, err);
}

static int append_replica(const struct upload *upload, struct scar_buf *json, struct scar_err *err)
{
	const char *rse = upload->transfer->account->space;

	if (scar_buf_append_str(json, "{\"rse\":", err) < 0 ||
	    scar_json_append_string(json, rse, strlen(rse), err) < 0 ||
	    scar_buf_append_str(json, ",\"files\":[{", err) < 0 ||
	    append_did(json, upload->scope, upload->name, err) < 0)
		return -1;
	return scar_buf_printf(json, err,
			       ",\"bytes\":%llu,\"adler32\":\"%08x\",\"state\":\"A\"}],"
			       "\"ignore_availability\":true}",
			       (unsigned long long)upload->file->size_bytes,
			       (unsigned)upload->adler32);
}

static int append_rule(const struct upload *upload, struct scar_buf *json, struct scar_err *err)
{
	const struct scar_storage_account *account = upload->transfer->account;

	if (scar_buf_append_str(json, "{\"dids\":[{", err) < 0 ||
	    append_did(json, upload->scope, upload->name, err) < 0 ||
	    scar_buf_append_str(json, "}],\"copies\":1,\"rse_expression\":", err) < 0 ||
	    scar_json_append_string(json, account->space, strlen(account->space), err) < 0 ||
	    scar_buf_append_str(json, ",\"account\":", err) < 0 ||
	    scar_json_append_string(json, account->login, strlen(account->login), err) < 0)
		return -1;
	return scar_buf_append_char(json, '}', err);
}

/* 409: there is one already. @return 1 then */
static int tell(const struct upload *upload, const char *path,
		int (*append)(const struct upload *upload, struct scar_buf *json,
			      struct scar_err *err),
		struct scar_err *err)
{
	scar_exchange_auto struct scar_exchange exchange = {0};
	scar_buf_auto struct scar_buf document;

	scar_buf_init(&document, SCAR_KIB(16));
	if (append(upload, &document, err) < 0)
		return -1;
	if (ask(&exchange, upload->transfer, path, &document, err) == 0)
		return 0;
	return exchange.response.status == 409 ? 1 : -1;
}

/* A name of Rucio stands for the same bytes for ever: what is there is either what was to be put there, or an error. */
static int is_there(const struct upload *upload, struct scar_err *err)
{
	const struct scar_storage_object object = {.bucket = upload->scope, .key = upload->name};
	scar_storage_members_auto struct scar_storage_members members = {0};

	if (list(upload->transfer, &object, &members, err) < 0)
		return err->kind == SCAR_ERR_NOT_FOUND ? 0 : -1;
	if (!members.is_file || members.list[0].size_bytes != upload->file->size_bytes ||
	    (members.list[0].has_adler32 && members.list[0].adler32 != upload->adler32))
		return scar_err_set(err, SCAR_ERR_IO,
				    "%s:%s is in the catalogue with other content; names of Rucio "
				    "cannot be used again",
				    upload->scope, upload->name);
	return 1;
}

static int put(const struct upload *upload, struct scar_err *err)
{
	scar_exchange_auto struct scar_exchange exchange = {.transfer = upload->transfer,
							    .url = upload->location,
							    .follows = true,
							    .authorize = authorize_storage};

	return scar_exchange_put(&exchange, upload->file, err);
}

static int deliver_upload(struct upload *upload, struct scar_err *err)
{
	uint64_t bytes = 0;
	int there;

	if (safe_name(upload->file->path, &upload->name, err) < 0 ||
	    checksum(upload->file->fd, &bytes, &upload->adler32, err) < 0)
		return -1;
	there = is_there(upload, err);
	if (there)
		return there < 0 ? -1 : 0;
	if (find_place(upload, err) < 0)
		return -1;
	if (put(upload, err) < 0 || tell(upload, "/replicas", append_replica, err) < 0) {
		/* What the catalogue does not know, nobody will ever remove. */
		scar_exchange_take_back(upload->transfer, upload->name, upload->location,
					authorize_storage);
		return -1;
	}
	return tell(upload, "/rules/", append_rule, err) < 0 ? -1 : 0;
}

static int deliver(const struct scar_storage_transfer *transfer,
		   const struct scar_storage_file *file, struct scar_err *err)
{
	struct upload upload = {
		.transfer = transfer, .file = file, .scope = transfer->account->login};
	int failed;

	if (!transfer->account->space)
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "%s needs the key \"rse\" to deliver files",
				    transfer->account->name);
	failed = deliver_upload(&upload, err);
	clear_upload(&upload);
	return failed;
}

const struct scar_storage_ops scar_storage_rucio = {.type = "rucio",
						    .keys = keys,
						    .check = check,
						    .list = list,
						    .fetch_member = fetch_member,
						    .deliver = deliver};
