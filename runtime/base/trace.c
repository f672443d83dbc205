/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/trace.h"

#include <ctype.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"

#define NAME_MAX_BYTES 24
#define DETAIL_MAX_BYTES 12

struct span {
	char name[NAME_MAX_BYTES + 1 + DETAIL_MAX_BYTES + 1];
	int64_t begin_us, end_us;
	uint64_t bytes;
};

static atomic_bool wanted;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
/* Under the mutex. */
static struct span spans[SCAR_TRACE_SPANS];
static size_t count;
static int64_t start_us;

void scar_trace_start(void)
{
	pthread_mutex_lock(&mutex);
	count = 0;
	start_us = scar_clock_monotonic_us();
	pthread_mutex_unlock(&mutex);
	atomic_store(&wanted, true);
}

void scar_trace_stop(void)
{
	atomic_store(&wanted, false);
}

int64_t scar_trace_begin(void)
{
	return atomic_load_explicit(&wanted, memory_order_relaxed) ? scar_clock_monotonic_us() : 0;
}

static void copy(char *to, size_t max, const char *from)
{
	size_t i;

	for (i = 0; i < max && from[i]; i++)
		to[i] = isalnum((unsigned char)from[i]) || strchr("-_.", from[i]) ? from[i] : '_';
	to[i] = '\0';
}

void scar_trace_end(int64_t begin_us, const char *name, const char *detail, uint64_t bytes)
{
	struct span span = {.begin_us = begin_us, .bytes = bytes};
	size_t len;

	if (!begin_us || !atomic_load(&wanted))
		return;
	span.end_us = scar_clock_monotonic_us();
	copy(span.name, NAME_MAX_BYTES, name);
	len = strlen(span.name);
	if (detail) {
		span.name[len] = ':';
		copy(span.name + len + 1, DETAIL_MAX_BYTES, detail);
	}
	pthread_mutex_lock(&mutex);
	/* One that began before somebody wanted it belongs to an earlier invocation. */
	if (count < SCAR_TRACE_SPANS && begin_us >= start_us)
		spans[count++] = span;
	pthread_mutex_unlock(&mutex);
}

int scar_trace_write(struct scar_buf *line, struct scar_err *err)
{
	int ret = scar_buf_append_str(line, SCAR_TRACE_MARK, err);

	pthread_mutex_lock(&mutex);
	for (size_t i = 0; ret == 0 && i < count; i++)
		ret = scar_buf_printf(line, err, "%s%s %" PRId64 " %" PRId64 " %" PRIu64,
				      i ? "," : "", spans[i].name, spans[i].begin_us - start_us,
				      spans[i].end_us - spans[i].begin_us, spans[i].bytes);
	pthread_mutex_unlock(&mutex);
	return ret;
}
