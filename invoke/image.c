/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/image.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "extractor/store.h"
#include "invoke/config.h"
#include "invoke/text.h"
#include "invoke/watchdog.h"
#include "registry/client.h"
#include "registry/manifest.h"
#include "registry/ref.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"
#include "runtime/base/trace.h"

/* References remembered at once; events may name any number of them. */
#define KNOWN_MAX 16
/* What engines make in /tmp, to mount over it. */
#define TMP_OURS "scar"

struct known {
	char *reference;
	struct scar_image *image;
	bool seen; /* its state was logged */
};

struct scar_images {
	const struct scar_invoke_config *config;
	struct scar_store *store;
	volatile int cancel; /* shared by the store, the source and the watchdog */
	struct known known[KNOWN_MAX];
	size_t known_count;
};

/* One get: the source is opened when it is first needed, which may be in a thread of the store. */
struct getter {
	struct scar_images *images;
	const char *reference;
	int64_t deadline_ms;
	pthread_mutex_t mutex;
	struct scar_source *source;
};

int scar_images_open(const struct scar_invoke_config *config, struct scar_images **ret_images,
		     struct scar_err *err)
{
	struct scar_images *images = calloc(1, sizeof *images);
	struct scar_store_options options = {0};

	if (!images)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for images");
	images->config = config;
	options.cancel = &images->cancel;
	options.keep_changes = config->keep_changes;
	if (scar_store_open(config->store_dir, &options, &images->store, err) < 0) {
		free(images);
		return -1;
	}
	*ret_images = images;
	return 0;
}

/* ---- what is known ---- */

static void forget(struct scar_images *images, size_t at)
{
	struct known *known = &images->known[at];

	free(known->reference);
	scar_image_free(known->image);
	images->known_count--;
	memmove(known, known + 1, (images->known_count - at) * sizeof *known);
}

static void forget_reference(struct scar_images *images, const char *reference)
{
	for (size_t i = 0; i < images->known_count; i++) {
		if (strcmp(images->known[i].reference, reference) == 0) {
			forget(images, i);
			return;
		}
	}
}

static struct known *find(struct scar_images *images, const char *reference)
{
	for (size_t i = 0; i < images->known_count; i++) {
		if (strcmp(images->known[i].reference, reference) == 0)
			return &images->known[i];
	}
	return NULL;
}

/* Takes the image. */
static int remember(struct scar_images *images, const char *reference, struct scar_image *image,
		    struct known **ret_known, struct scar_err *err)
{
	scar_image_auto struct scar_image *taken = image;
	struct known *known;

	if (images->known_count == KNOWN_MAX)
		forget(images, 0);
	known = &images->known[images->known_count];
	if (scar_text_copy(reference, &known->reference, err) < 0)
		return -1;
	known->image = scar_steal(taken);
	known->seen = false;
	images->known_count++;
	*ret_known = known;
	return 0;
}

void scar_images_close(struct scar_images *images)
{
	if (!images)
		return;
	while (images->known_count > 0)
		forget(images, images->known_count - 1);
	scar_store_close(images->store);
	free(images);
}

/* ---- one get ---- */

static const char *setting(const struct scar_invoke_config *config, const char *name)
{
	const char *value = config->environment ? scar_environment_get(config->environment, name)
						: NULL;

	return value && *value ? value : NULL;
}

static int open_source(struct getter *getter, struct scar_err *err)
{
	const struct scar_invoke_config *config = getter->images->config;
	const char *region = setting(config, "AWS_REGION");
	const struct scar_source_options options = {
		.username = config->registry_username,
		.password = config->registry_password,
		.docker_config = config->registry_config,
		.secret = config->registry_secret,
		.mirrors = config->registry_mirrors,
		.aws_endpoint = config->aws_endpoint,
		.s3_endpoint = setting(config, "AWS_ENDPOINT_URL_S3"),
		.region = region ? region : setting(config, "AWS_DEFAULT_REGION"),
		.allow_plain = config->plain_http,
		.ca_bundle = config->ca_bundle,
		.platform = config->platform,
		.deadline_ms = getter->deadline_ms,
		.cancel = &getter->images->cancel,
	};
	scar_ref_auto struct scar_ref ref = {0};

	if (getter->source)
		return 0;
	if (scar_ref_parse(getter->reference, &ref, err) < 0)
		return -1;
	return scar_source_open(&ref, &options, &getter->source, err);
}

static int resolve(struct getter *getter, struct known **ret_known, struct scar_err *err)
{
	struct scar_image *image = NULL;
	int64_t begin_us;

	*ret_known = find(getter->images, getter->reference);
	if (*ret_known)
		return 0;
	begin_us = scar_trace_begin();
	if (open_source(getter, err) < 0 || scar_source_resolve(getter->source, &image, err) < 0)
		return -1;
	scar_trace_end(begin_us, "manifest", NULL, 0);
	return remember(getter->images, getter->reference, image, ret_known, err);
}

/* A scar_layer_fetch. */
static int fetch(void *ctx, const struct scar_descriptor *layer, scar_http_sink sink,
		 void *sink_ctx, struct scar_err *err)
{
	struct getter *getter = ctx;
	int64_t begin_us = scar_trace_begin();
	char hex[SCAR_DIGEST_TEXT_MAX];
	int failed;

	pthread_mutex_lock(&getter->mutex);
	failed = open_source(getter, err);
	pthread_mutex_unlock(&getter->mutex);
	if (failed || scar_source_blob(getter->source, layer, sink, sink_ctx, err) < 0)
		return -1;
	scar_trace_end(begin_us, "download", scar_digest_hex(&layer->digest, hex),
		       layer->size_bytes);
	return 0;
}

static void tell(struct known *known, const struct scar_store_entry *entry, int64_t start_us)
{
	int64_t took_ms = (scar_clock_monotonic_us() - start_us) / 1000;

	if (!entry->was_cached)
		scar_info("pulled %s: %" PRIu64 " bytes in %" PRId64 " ms, %" PRIu64
			  " bytes on disk",
			  known->reference, entry->pulled_bytes, took_ms, entry->unpacked_bytes);
	else
		scar_log(known->seen ? SCAR_LOG_DEBUG : SCAR_LOG_INFO,
			 "cached %s: %" PRIu64 " bytes on disk", known->reference,
			 entry->unpacked_bytes);
	known->seen = true;
}

static int get(struct getter *getter, struct scar_image_use *ret_use, struct scar_err *err)
{
	int64_t start_us = scar_clock_monotonic_us();
	struct scar_store_entry *entry = NULL;
	struct known *known = NULL;

	if (resolve(getter, &known, err) < 0 ||
	    scar_store_get(getter->images->store, known->image, fetch, getter, &entry, err) < 0)
		return -1;
	tell(known, entry, start_us);
	ret_use->image = known->image;
	ret_use->entry = entry;
	return 0;
}

/* Only what may take long needs a timer: not an image that is known, unless it has to be pulled again. */
static int get_in_time(struct getter *getter, struct scar_image_use *ret_use, struct scar_err *err)
{
	struct scar_watchdog *watchdog = NULL;
	int failed;

	if (getter->deadline_ms &&
	    scar_watchdog_start(getter->deadline_ms, &getter->images->cancel, &watchdog, err) < 0)
		return -1;
	failed = get(getter, ret_use, err);
	if (scar_watchdog_stop(watchdog) && failed)
		scar_err_set(
			err, SCAR_ERR_TIMEOUT,
			"the image was not complete when the function's deadline was near (%s)",
			err->msg);
	return failed;
}

int scar_images_get(struct scar_images *images, const char *reference, int64_t deadline_ms,
		    struct scar_image_use *ret_use, struct scar_err *err)
{
	struct getter getter = {
		.images = images,
		.reference = reference,
		.deadline_ms = deadline_ms,
		.mutex = PTHREAD_MUTEX_INITIALIZER,
	};
	int failed;

	images->cancel = 0;
	failed = get_in_time(&getter, ret_use, err);
	scar_source_close(getter.source);
	pthread_mutex_destroy(&getter.mutex);
	if (!failed)
		return 0;
	forget_reference(images, reference);
	return strstr(err->msg, reference) ? -1 : scar_err_wrap(err, "image %s", reference);
}

void scar_images_cancel(struct scar_images *images)
{
	images->cancel = 1;
}

bool scar_image_use_has_tmp(const struct scar_image_use *use)
{
	scar_fd_auto int fd = openat(use->entry->rootfs_fd, "tmp",
				     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *name;
	bool found = false;

	/* What cannot be read has nothing to show. */
	if (!dir)
		return false;
	(void)scar_steal_fd(&fd);
	while (!found && (name = readdir(dir)))
		found = strcmp(name->d_name, ".") != 0 && strcmp(name->d_name, "..") != 0 &&
			strcmp(name->d_name, TMP_OURS) != 0;
	closedir(dir);
	return found;
}

void scar_image_use_end(struct scar_image_use *use)
{
	scar_store_put(use->entry);
	*use = (struct scar_image_use){0};
}
