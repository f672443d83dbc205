/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "extractor/clone.h"
#include "extractor/rootfs.h"
#include "registry/manifest.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"
#include "runtime/base/trace.h"

struct unpack;

/* A layer in flight. */
struct flight {
	struct unpack *unpack;
	const struct scar_descriptor *descriptor;
	struct scar_layer *layer;
};

struct unpack {
	const struct scar_image *image;
	const struct scar_unpack_options *options;
	/* Layer i flies in flights[i % in_flight]: those from `applied` to `started`. */
	struct flight flights[SCAR_UNPACK_IN_FLIGHT_MAX];
	size_t started, applied;
	uint64_t pulled_bytes;
	pthread_mutex_t mutex; /* of what follows, and of flights[].layer */
	bool failed;
	struct scar_err first; /* the cause; what fails after it is a consequence */
};

static void name_layer(const struct scar_descriptor *descriptor, struct scar_err *err)
{
	char digest[SCAR_DIGEST_TEXT_MAX];

	scar_err_wrap(err, "layer %s", scar_digest_format(&descriptor->digest, digest));
}

/* Keeps the first failure and ends all transfers and whoever waits for one. From any thread. */
static void fail(struct unpack *unpack, const struct scar_err *err)
{
	size_t i;

	pthread_mutex_lock(&unpack->mutex);
	if (!unpack->failed)
		unpack->first = *err;
	unpack->failed = true;
	for (i = 0; i < SCAR_UNPACK_IN_FLIGHT_MAX; i++) {
		if (unpack->flights[i].layer)
			scar_layer_cancel(unpack->flights[i].layer);
	}
	pthread_mutex_unlock(&unpack->mutex);
	if (unpack->options->cancel)
		__atomic_store_n(unpack->options->cancel, 1, __ATOMIC_RELAXED);
}

static void on_failure(void *ctx, const struct scar_err *err)
{
	const struct flight *flight = ctx;
	struct scar_err named = *err;

	name_layer(flight->descriptor, &named);
	fail(flight->unpack, &named);
}

static int start_next(struct unpack *unpack, struct scar_err *err)
{
	size_t index = unpack->started;
	struct flight *flight = &unpack->flights[index % unpack->options->in_flight];
	const struct scar_layer_job job = {
		.descriptor = &unpack->image->layers[index],
		.diff_id = &unpack->image->config.diff_ids[index],
		.fetch = unpack->options->fetch,
		.fetch_ctx = unpack->options->fetch_ctx,
		.on_failure = on_failure,
		.failure_ctx = flight,
		.cancel = unpack->options->cancel,
	};

	struct scar_layer *layer;

	flight->unpack = unpack;
	flight->descriptor = job.descriptor;
	if (scar_layer_open(&job, &layer, err) < 0)
		return -1;
	pthread_mutex_lock(&unpack->mutex);
	flight->layer = layer;
	pthread_mutex_unlock(&unpack->mutex);
	unpack->started++;
	return 0;
}

static uint64_t close_flight(struct flight *flight)
{
	struct scar_layer *layer;

	/* Not with the mutex held: the thread that is waited for may want to fail. */
	pthread_mutex_lock(&flight->unpack->mutex);
	layer = scar_steal(flight->layer);
	pthread_mutex_unlock(&flight->unpack->mutex);
	return scar_layer_close(layer);
}

static bool has_failed(struct unpack *unpack)
{
	bool failed;

	pthread_mutex_lock(&unpack->mutex);
	failed = unpack->failed;
	pthread_mutex_unlock(&unpack->mutex);
	return failed;
}

static int apply_next(struct unpack *unpack, struct scar_rootfs *rootfs, struct scar_err *err)
{
	struct flight *flight = &unpack->flights[unpack->applied % unpack->options->in_flight];
	int64_t begin_us = scar_trace_begin();
	char hex[SCAR_DIGEST_TEXT_MAX];

	scar_rootfs_begin_layer(rootfs);
	if (scar_layer_apply(flight->layer, rootfs, err) < 0) {
		name_layer(flight->descriptor, err);
		return -1;
	}
	scar_trace_end(begin_us, "decode-and-write",
		       scar_digest_hex(&flight->descriptor->digest, hex),
		       flight->descriptor->size_bytes);
	unpack->pulled_bytes += close_flight(flight);
	unpack->applied++;
	return 0;
}

static int start_ahead(struct unpack *unpack, struct scar_err *err)
{
	while (unpack->started < unpack->image->layer_count &&
	       unpack->started - unpack->applied < unpack->options->in_flight) {
		if (start_next(unpack, err) < 0)
			return -1;
	}
	return 0;
}

/* The layers above it are on their way meanwhile. */
static int copy_base(struct unpack *unpack, struct scar_rootfs *rootfs, int dirfd,
		     struct scar_err *err)
{
	struct scar_unpack_base *base = unpack->options->base;

	unpack->started = unpack->applied = base->layers;
	if (start_ahead(unpack, err) < 0)
		return -1;
	if (scar_clone_rootfs(rootfs, base->fd, dirfd, unpack->options->cancel, err) < 0) {
		base->damaged = err->kind == SCAR_ERR_INTEGRITY;
		return scar_err_wrap(err, "copying the layers that are at hand");
	}
	close(scar_steal_fd(&base->fd));
	return 0;
}

static int apply_all(struct unpack *unpack, struct scar_rootfs *rootfs, int dirfd,
		     struct scar_err *err)
{
	if (unpack->options->base && copy_base(unpack, rootfs, dirfd, err) < 0)
		return -1;
	while (unpack->applied < unpack->image->layer_count) {
		if (start_ahead(unpack, err) < 0)
			return -1;
		if (has_failed(unpack) || apply_next(unpack, rootfs, err) < 0)
			return -1;
	}
	return 0;
}

static int make_root(int dirfd, const char *name, int *ret_fd, struct scar_err *err)
{
	int fd;

	if (mkdirat(dirfd, name, 0755) < 0)
		return scar_err_errno(err, errno, "cannot make directory %s", name);
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return scar_err_errno(err, errno, "cannot open directory %s", name);
	*ret_fd = fd;
	/* Whatever umask says: the root is 0755 unless a layer knows better. */
	if (fchmod(fd, 0755) < 0)
		return scar_err_errno(err, errno, "cannot set the mode of directory %s", name);
	return 0;
}

static int check_image(const struct scar_image *image, struct scar_err *err)
{
	if (image->layer_count != image->config.diff_id_count)
		return scar_err_set(err, SCAR_ERR_IMAGE,
				    "the manifest has %zu layers, the image config %zu diff IDs",
				    image->layer_count, image->config.diff_id_count);
	if (image->layer_count > SCAR_LIMIT_LAYERS)
		return scar_err_set(err, SCAR_ERR_LIMIT, "the image has more than %d layers",
				    SCAR_LIMIT_LAYERS);
	return 0;
}

int scar_unpack_image(const struct scar_image *image, const struct scar_unpack_options *options,
		      int dirfd, const char *rootfs_name, const char *owners_name,
		      struct scar_unpack_result *ret_result, struct scar_err *err)
{
	struct unpack unpack = {.image = image, .options = options};
	scar_rootfs_auto struct scar_rootfs *rootfs = NULL;
	scar_fd_auto int root_fd = -1;
	size_t i;

	if (check_image(image, err) < 0 || make_root(dirfd, rootfs_name, &root_fd, err) < 0)
		return -1;
	rootfs = scar_rootfs_create(root_fd, err);
	if (!rootfs)
		return -1;
	pthread_mutex_init(&unpack.mutex, NULL);
	if (apply_all(&unpack, rootfs, dirfd, err) < 0 ||
	    scar_rootfs_finish(rootfs, dirfd, owners_name, err) < 0)
		fail(&unpack, err);
	for (i = 0; i < SCAR_UNPACK_IN_FLIGHT_MAX; i++) {
		if (unpack.flights[i].unpack)
			close_flight(&unpack.flights[i]);
	}
	pthread_mutex_destroy(&unpack.mutex);
	if (unpack.failed) {
		*err = unpack.first;
		return -1;
	}
	*ret_result = (struct scar_unpack_result){
		.pulled_bytes = unpack.pulled_bytes,
		.unpacked_bytes = scar_rootfs_bytes(rootfs),
	};
	return 0;
}

int scar_unpack_chain_next(const struct scar_digest *below, const struct scar_digest *diff_id,
			   struct scar_digest *ret_chain_id, struct scar_err *err)
{
	char below_text[SCAR_DIGEST_TEXT_MAX], diff_text[SCAR_DIGEST_TEXT_MAX];
	char both[2 * SCAR_DIGEST_TEXT_MAX];
	int len;

	if (!below) {
		*ret_chain_id = *diff_id;
		return 0;
	}
	len = snprintf(both, sizeof both, "%s %s", scar_digest_format(below, below_text),
		       scar_digest_format(diff_id, diff_text));
	return scar_digest_of(SCAR_DIGEST_SHA256, both, (size_t)len, ret_chain_id, err);
}

int scar_unpack_chain_id(const struct scar_digest *diff_ids, size_t count,
			 struct scar_digest *ret_chain_id, struct scar_err *err)
{
	struct scar_digest chain_id;
	size_t i;

	if (count == 0)
		return scar_digest_of(SCAR_DIGEST_SHA256, "", 0, ret_chain_id, err);
	for (i = 0; i < count; i++) {
		if (scar_unpack_chain_next(i ? &chain_id : NULL, &diff_ids[i], &chain_id, err) < 0)
			return -1;
	}
	*ret_chain_id = chain_id;
	return 0;
}
