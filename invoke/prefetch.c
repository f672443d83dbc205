/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/prefetch.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "invoke/config.h"
#include "invoke/image.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"

/* Of on-demand environments an invocation waits already, and what initialisation takes it waits as well. */
#define BEFOREHAND "provisioned-concurrency"

struct scar_prefetch {
	struct scar_images *images;
	const char *reference; /* borrowed from the configuration */
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool ended; /* under the mutex */
};

bool scar_prefetch_is_wanted(const struct scar_invoke_config *config)
{
	const char *type = scar_environment_get(config->environment,
						"AWS_LAMBDA_INITIALIZATION_TYPE");

	/* A runtime of the image is started at initialisation anyway; workers would each pull the same. */
	if (!config->image || config->execution == SCAR_EXECUTION_BATCH ||
	    config->mode == SCAR_MODE_RUNTIME || config->concurrency > 1)
		return false;
	if (config->pull_at == SCAR_PULL_AUTO)
		return type && strcmp(type, BEFOREHAND) == 0;
	return config->pull_at == SCAR_PULL_INIT;
}

static void *pull(void *arg)
{
	struct scar_prefetch *prefetch = arg;
	scar_image_use_auto struct scar_image_use use = {0};
	struct scar_err err = {0};

	if (scar_images_get(prefetch->images, prefetch->reference, 0, &use, &err) < 0)
		scar_warn("%s; the next invocation tries again", err.msg);
	pthread_mutex_lock(&prefetch->mutex);
	prefetch->ended = true;
	pthread_cond_broadcast(&prefetch->changed);
	pthread_mutex_unlock(&prefetch->mutex);
	return NULL;
}

int scar_prefetch_start(struct scar_images *images, const char *reference,
			struct scar_prefetch **ret_prefetch, struct scar_err *err)
{
	struct scar_prefetch *prefetch = calloc(1, sizeof *prefetch);
	int errnum;

	if (!prefetch)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	prefetch->images = images;
	prefetch->reference = reference;
	pthread_mutex_init(&prefetch->mutex, NULL);
	pthread_cond_init(&prefetch->changed, NULL);
	errnum = pthread_create(&prefetch->thread, NULL, pull, prefetch);
	if (errnum) {
		pthread_cond_destroy(&prefetch->changed);
		pthread_mutex_destroy(&prefetch->mutex);
		free(prefetch);
		return scar_err_errno(err, errnum, "cannot start a thread");
	}
	*ret_prefetch = prefetch;
	return 0;
}

/* By the clock of deadlines, which goes on while the environment is frozen. */
bool scar_prefetch_wait(struct scar_prefetch *prefetch, int64_t until_ms)
{
	const struct timespec until = {.tv_sec = until_ms / 1000,
				       .tv_nsec = until_ms % 1000 * 1000000};
	int errnum = 0;
	bool ended;

	pthread_mutex_lock(&prefetch->mutex);
	while (!prefetch->ended && errnum != ETIMEDOUT)
		errnum = until_ms ? pthread_cond_timedwait(&prefetch->changed, &prefetch->mutex,
							   &until)
				  : pthread_cond_wait(&prefetch->changed, &prefetch->mutex);
	ended = prefetch->ended;
	pthread_mutex_unlock(&prefetch->mutex);
	return ended;
}

void scar_prefetch_end(struct scar_prefetch *prefetch)
{
	if (!prefetch)
		return;
	/* To a pull that has ended this is nothing: the next one begins without it. */
	scar_images_cancel(prefetch->images);
	pthread_join(prefetch->thread, NULL);
	pthread_cond_destroy(&prefetch->changed);
	pthread_mutex_destroy(&prefetch->mutex);
	free(prefetch);
}
