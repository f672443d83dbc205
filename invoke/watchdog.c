/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/watchdog.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "runtime/base/err.h"

struct scar_watchdog {
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t stopped;
	struct timespec until; /* real time, as Lambda gives deadlines */
	volatile int *flag;
	bool stop;
	bool barked;
};

static void *watch(void *ctx)
{
	struct scar_watchdog *watchdog = ctx;
	int errnum = 0;

	pthread_mutex_lock(&watchdog->mutex);
	while (!watchdog->stop && errnum == 0)
		errnum = pthread_cond_timedwait(&watchdog->stopped, &watchdog->mutex,
						&watchdog->until);
	if (!watchdog->stop) {
		watchdog->barked = true;
		__atomic_store_n(watchdog->flag, 1, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&watchdog->mutex);
	return NULL;
}

static void destroy(struct scar_watchdog *watchdog)
{
	pthread_cond_destroy(&watchdog->stopped);
	pthread_mutex_destroy(&watchdog->mutex);
	free(watchdog);
}

int scar_watchdog_start(int64_t deadline_ms, volatile int *flag,
			struct scar_watchdog **ret_watchdog, struct scar_err *err)
{
	struct scar_watchdog *watchdog = calloc(1, sizeof *watchdog);
	int errnum;

	if (!watchdog)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for a timer");
	watchdog->flag = flag;
	watchdog->until = (struct timespec){.tv_sec = deadline_ms / 1000,
					    .tv_nsec = deadline_ms % 1000 * 1000000};
	pthread_mutex_init(&watchdog->mutex, NULL);
	pthread_cond_init(&watchdog->stopped, NULL);
	errnum = pthread_create(&watchdog->thread, NULL, watch, watchdog);
	if (errnum) {
		destroy(watchdog);
		return scar_err_errno(err, errnum, "cannot start a thread");
	}
	*ret_watchdog = watchdog;
	return 0;
}

bool scar_watchdog_stop(struct scar_watchdog *watchdog)
{
	bool barked;

	if (!watchdog)
		return false;
	pthread_mutex_lock(&watchdog->mutex);
	watchdog->stop = true;
	pthread_cond_signal(&watchdog->stopped);
	pthread_mutex_unlock(&watchdog->mutex);
	pthread_join(watchdog->thread, NULL);
	barked = watchdog->barked;
	destroy(watchdog);
	return barked;
}
