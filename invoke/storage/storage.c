/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/storage/storage.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "invoke/storage/provider.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"

/* Files under way at a time. */
#define WORKERS 4

bool scar_storage_has_outputs(const struct scar_storage *storage)
{
	return storage->output_count > 0;
}

/* ---- what an output takes ---- */

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static bool ends(const char *text, const char *with)
{
	size_t len = strlen(text), with_len = strlen(with);

	return len >= with_len && strcmp(text + len - with_len, with) == 0;
}

static bool any(char *const *list, bool (*has)(const char *text, const char *with),
		const char *text)
{
	bool found = !*list;

	for (; *list && !found; list++)
		found = has(text, *list);
	return found;
}

bool scar_storage_takes(const struct scar_storage_output *output, const char *path)
{
	return any(output->prefixes, begins, path) && any(output->suffixes, ends, path);
}

const char *scar_storage_content_type(const char *path)
{
	static const struct {
		const char *suffix, *type;
	} types[] = {
		{".avi", "video/x-msvideo"},
		{".bmp", "image/bmp"},
		{".bz2", "application/x-bzip2"},
		{".css", "text/css"},
		{".csv", "text/csv"},
		{".gif", "image/gif"},
		{".gz", "application/gzip"},
		{".htm", "text/html"},
		{".html", "text/html"},
		{".jpeg", "image/jpeg"},
		{".jpg", "image/jpeg"},
		{".js", "text/javascript"},
		{".json", "application/json"},
		{".log", "text/plain"},
		{".md", "text/markdown"},
		{".mp3", "audio/mpeg"},
		{".mp4", "video/mp4"},
		{".pdf", "application/pdf"},
		{".png", "image/png"},
		{".svg", "image/svg+xml"},
		{".tar", "application/x-tar"},
		{".tif", "image/tiff"},
		{".tiff", "image/tiff"},
		{".txt", "text/plain"},
		{".wav", "audio/wav"},
		{".webm", "video/webm"},
		{".webp", "image/webp"},
		{".xml", "application/xml"},
		{".yaml", "application/yaml"},
		{".yml", "application/yaml"},
		{".zip", "application/zip"},
		{".zst", "application/zstd"},
	};
	const char *suffix = strrchr(path, '.');

	for (size_t i = 0; suffix && i < sizeof types / sizeof types[0]; i++) {
		if (strcasecmp(suffix, types[i].suffix) == 0)
			return types[i].type;
	}
	return "application/octet-stream";
}

/* ---- in ---- */

static int new_file(int dir_fd, const char *name, int *ret_fd, struct scar_err *err)
{
	int fd;

	if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return scar_err_set(err, SCAR_ERR_INTERNAL, "\"%.100s\" is no file name", name);
	fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return scar_err_errno(err, errno, "cannot make the input file %.200s", name);
	*ret_fd = fd;
	return 0;
}

static int add_size(int fd, uint64_t *bytes, struct scar_err *err)
{
	struct stat info;

	if (fstat(fd, &info) < 0)
		return scar_err_errno(err, errno, "cannot look at the input file");
	*bytes += (uint64_t)info.st_size;
	return 0;
}

/* `member` is NULL where the object itself is the file. */
static int fetch_file(const struct scar_storage_transfer *transfer,
		      const struct scar_storage_object *object,
		      const struct scar_storage_member *member, int dir_fd, const char *name,
		      uint64_t *bytes, struct scar_err *err)
{
	const struct scar_storage_ops *ops = transfer->account->ops;
	scar_fd_auto int fd = -1;
	int failed;

	if (new_file(dir_fd, name, &fd, err) < 0)
		return -1;
	failed = member ? ops->fetch_member(transfer, member, fd, err)
			: ops->fetch(transfer, object, fd, err);
	if (!failed && add_size(fd, bytes, err) == 0)
		return 0;
	unlinkat(dir_fd, name, 0);
	return -1;
}

static int fetch_members(const struct scar_storage_transfer *transfer,
			 const struct scar_storage_object *object,
			 const struct scar_storage_members *members, int dir_fd, const char *name,
			 uint64_t *ret_bytes, struct scar_err *err)
{
	scar_fd_auto int fd = -1;
	struct scar_err other;
	int failed = 0;

	if (mkdirat(dir_fd, name, 0755) < 0)
		return scar_err_errno(err, errno, "cannot make the input directory %.200s", name);
	failed = scar_fs_open_dir(dir_fd, name, true, &fd, err);
	for (size_t i = 0; i < members->count && !failed; i++)
		failed = fetch_file(transfer, object, &members->list[i], fd, members->list[i].name,
				    ret_bytes, err);
	if (!failed)
		return 0;
	(void)scar_fs_remove_tree(dir_fd, name, &other);
	return -1;
}

void scar_storage_members_clear(struct scar_storage_members *members)
{
	for (size_t i = 0; i < members->count; i++) {
		free(members->list[i].name);
		free(members->list[i].location);
	}
	free(members->list);
	*members = (struct scar_storage_members){0};
}

static int fetch_all(const struct scar_storage_transfer *transfer,
		     const struct scar_storage_object *object, int dir_fd, const char *name,
		     uint64_t *ret_bytes, struct scar_err *err)
{
	const struct scar_storage_ops *ops = transfer->account->ops;
	scar_storage_members_auto struct scar_storage_members members = {0};

	if (!ops->list)
		return fetch_file(transfer, object, NULL, dir_fd, name, ret_bytes, err);
	if (ops->list(transfer, object, &members, err) < 0)
		return -1;
	if (members.is_file)
		return fetch_file(transfer, object, &members.list[0], dir_fd, name, ret_bytes, err);
	return fetch_members(transfer, object, &members, dir_fd, name, ret_bytes, err);
}

int scar_storage_fetch(const struct scar_storage *storage, const struct scar_storage_object *object,
		       int dir_fd, const char *name, int64_t deadline_ms, uint64_t *ret_bytes,
		       struct scar_err *err)
{
	const struct scar_http_options options = {.ca_bundle = storage->ca_bundle};
	const struct scar_storage_account *account = NULL;
	scar_http_auto struct scar_http *http = NULL;
	struct scar_storage_transfer transfer;
	uint64_t bytes = 0;

	if (scar_storage_choose(storage, object, &account, err) < 0)
		return -1;
	http = scar_http_create(&options, err);
	if (!http)
		return -1;
	transfer = (struct scar_storage_transfer){
		.account = account, .http = http, .deadline_ms = deadline_ms};
	if (fetch_all(&transfer, object, dir_fd, name, &bytes, err) < 0)
		return scar_err_wrap(err, "cannot fetch the input");
	*ret_bytes = bytes;
	return 0;
}

/* ---- out ---- */

/* What the workers of one delivery share. */
struct delivery {
	const struct scar_storage *storage;
	int dir_fd;
	char *const *paths;
	size_t path_count;
	int64_t deadline_ms;
	size_t next; /* under the mutex, as the rest; counts paths times outputs */
	struct scar_storage_delivery done;
	bool failed;
	struct scar_err err;
	volatile int cancel;
	pthread_mutex_t mutex;
};

/* An open file, under a name below the output's path. */
static int deliver_to(const struct scar_storage_transfer *transfer, const char *output_path, int fd,
		      const char *name, const char *content_type, struct scar_storage_place *ret_to,
		      uint64_t *ret_bytes, struct scar_err *err)
{
	struct scar_storage_file file = {.fd = fd, .content_type = content_type};
	scar_free_auto char *to = NULL;
	struct stat info;

	if (fstat(fd, &info) < 0)
		return scar_err_errno(err, errno, "cannot look at the output file %.200s", name);
	if (!S_ISREG(info.st_mode))
		return scar_err_set(err, SCAR_ERR_IO, "the output file %.200s is no file", name);
	if (asprintf(&to, "%s/%s", output_path, name) < 0) {
		to = NULL;
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for a path");
	}
	file.size_bytes = (uint64_t)info.st_size;
	file.path = to;
	if (transfer->account->ops->deliver(transfer, &file, err) < 0)
		return -1;
	*ret_bytes = file.size_bytes;
	if (ret_to)
		*ret_to = (struct scar_storage_place){.account = transfer->account->name,
						      .path = scar_steal(to)};
	return 0;
}

static int deliver_file(const struct delivery *delivery, struct scar_http *http,
			const struct scar_storage_output *output, const char *path,
			uint64_t *ret_bytes, struct scar_err *err)
{
	const struct scar_storage_transfer transfer = {.account = output->account,
						       .http = http,
						       .deadline_ms = delivery->deadline_ms,
						       .cancel = &delivery->cancel};
	/* The program has ended; O_NONBLOCK only guards against what is no regular file after all. */
	scar_fd_auto int fd = openat(delivery->dir_fd, path,
				     O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return scar_err_errno(err, errno, "cannot open the output file %.200s", path);
	return deliver_to(&transfer, output->path, fd, path, scar_storage_content_type(path), NULL,
			  ret_bytes, err);
}

/* The next pair of file and output, or false. */
static bool take_next(struct delivery *delivery, const char **ret_path,
		      const struct scar_storage_output **ret_output)
{
	size_t outputs = delivery->storage->output_count;
	bool found = false;

	pthread_mutex_lock(&delivery->mutex);
	while (!found && !delivery->failed && delivery->next < delivery->path_count * outputs) {
		size_t next = delivery->next++;

		*ret_path = delivery->paths[next / outputs];
		*ret_output = &delivery->storage->outputs[next % outputs];
		found = scar_storage_takes(*ret_output, *ret_path);
	}
	pthread_mutex_unlock(&delivery->mutex);
	return found;
}

static void note(struct delivery *delivery, int failed, uint64_t bytes, const struct scar_err *err)
{
	pthread_mutex_lock(&delivery->mutex);
	if (failed) {
		/* Those that are cancelled for it fail too, later. */
		if (!delivery->failed)
			delivery->err = *err;
		delivery->failed = true;
		delivery->cancel = 1;
	} else {
		delivery->done.files++;
		delivery->done.bytes += bytes;
	}
	pthread_mutex_unlock(&delivery->mutex);
}

static void *work(void *ctx)
{
	struct delivery *delivery = ctx;
	const struct scar_http_options options = {.ca_bundle = delivery->storage->ca_bundle};
	const struct scar_storage_output *output = NULL;
	const char *path = NULL;
	struct scar_err err;
	scar_http_auto struct scar_http *http = scar_http_create(&options, &err);

	if (!http)
		note(delivery, -1, 0, &err);
	while (http && take_next(delivery, &path, &output)) {
		uint64_t bytes = 0;
		int failed = deliver_file(delivery, http, output, path, &bytes, &err);

		note(delivery, failed, bytes, &err);
	}
	return NULL;
}

/* The caller's own thread is one of the workers, so that there is always one. */
static void run_workers(struct delivery *delivery, size_t jobs)
{
	pthread_t threads[WORKERS - 1];
	size_t count = 0;

	while (count + 1 < jobs && count < WORKERS - 1 &&
	       pthread_create(&threads[count], NULL, work, delivery) == 0)
		count++;
	work(delivery);
	for (size_t i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}

int scar_storage_deliver(const struct scar_storage *storage, int dir_fd, char *const *paths,
			 int64_t deadline_ms, struct scar_storage_delivery *ret_delivery,
			 struct scar_err *err)
{
	struct delivery delivery = {.storage = storage,
				    .dir_fd = dir_fd,
				    .paths = paths,
				    .deadline_ms = deadline_ms,
				    .mutex = PTHREAD_MUTEX_INITIALIZER};

	while (paths[delivery.path_count])
		delivery.path_count++;
	if (delivery.path_count > 0 && storage->output_count > 0)
		run_workers(&delivery, delivery.path_count * storage->output_count);
	pthread_mutex_destroy(&delivery.mutex);
	if (delivery.failed) {
		*err = delivery.err;
		return scar_err_wrap(err, "cannot deliver the output");
	}
	*ret_delivery = delivery.done;
	return 0;
}

int scar_storage_deliver_one(const struct scar_storage *storage, int fd, const char *name,
			     const char *content_type, int64_t deadline_ms,
			     struct scar_storage_place *ret_place, struct scar_err *err)
{
	const struct scar_http_options options = {.ca_bundle = storage->ca_bundle};
	struct scar_storage_transfer transfer = {.deadline_ms = deadline_ms};
	scar_http_auto struct scar_http *http = NULL;
	uint64_t bytes;

	if (storage->output_count == 0)
		return scar_err_set(err, SCAR_ERR_CONFIG, "the function has no output");
	http = scar_http_create(&options, err);
	if (!http)
		return -1;
	transfer.account = storage->outputs[0].account;
	transfer.http = http;
	if (deliver_to(&transfer, storage->outputs[0].path, fd, name, content_type, ret_place,
		       &bytes, err) < 0)
		return scar_err_wrap(err, "cannot deliver the output");
	return 0;
}

void scar_storage_place_clear(struct scar_storage_place *place)
{
	free(place->path);
	place->path = NULL;
}
