/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/emulator/pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "runtime/base/err.h"
#include "runtime/emulator/environment.h"

struct scar_pool {
	const struct scar_function *function;
	size_t limit;
	int log_fd;
	pthread_mutex_t mutex;
	bool stopping;
	size_t count;
	struct scar_environment *environments[SCAR_POOL_MAX];
};

/* With the mutex held. */
static int grow(struct scar_pool *pool, struct scar_err *err)
{
	if (scar_environment_create(pool->function, pool->log_fd, &pool->environments[pool->count],
				    err) < 0)
		return -1;
	pool->count++;
	return 0;
}

int scar_pool_create(const struct scar_function *function, size_t limit, int log_fd,
		     struct scar_pool **ret_pool, struct scar_err *err)
{
	struct scar_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	pool->function = function;
	pool->limit = limit > SCAR_POOL_MAX ? SCAR_POOL_MAX : limit;
	pool->log_fd = log_fd;
	pthread_mutex_init(&pool->mutex, NULL);
	if (grow(pool, err) < 0) {
		scar_pool_free(pool);
		return -1;
	}
	*ret_pool = pool;
	return 0;
}

/* With the mutex held. The environment with the least to do, a new one if all are busy. */
static int choose(struct scar_pool *pool, struct scar_environment **ret_environment,
		  struct scar_err *err)
{
	size_t least = SIZE_MAX;

	for (size_t i = 0; i < pool->count; i++) {
		size_t load = scar_environment_load(pool->environments[i]);

		if (load < least) {
			least = load;
			*ret_environment = pool->environments[i];
		}
	}
	if (least == 0 || pool->count == pool->limit)
		return 0;
	if (grow(pool, err) < 0)
		return -1;
	*ret_environment = pool->environments[pool->count - 1];
	return 0;
}

int scar_pool_invoke(struct scar_pool *pool, struct scar_call *call, struct scar_err *err)
{
	struct scar_environment *environment = NULL;
	int result;

	pthread_mutex_lock(&pool->mutex);
	if (pool->stopping)
		result = scar_err_set(err, SCAR_ERR_INTERRUPTED, "the environments are ending");
	else
		result = choose(pool, &environment, err);
	if (result == 0)
		result = scar_environment_invoke(environment, call, err);
	pthread_mutex_unlock(&pool->mutex);
	return result;
}

void scar_pool_stop(struct scar_pool *pool)
{
	pthread_mutex_lock(&pool->mutex);
	pool->stopping = true;
	for (size_t i = 0; i < pool->count; i++)
		scar_environment_stop(pool->environments[i]);
	pthread_mutex_unlock(&pool->mutex);
}

void scar_pool_free(struct scar_pool *pool)
{
	if (!pool)
		return;
	/* All at once first: each takes its time to end. */
	scar_pool_stop(pool);
	for (size_t i = 0; i < pool->count; i++)
		scar_environment_free(pool->environments[i]);
	pthread_mutex_destroy(&pool->mutex);
	free(pool);
}
