/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/emulator/function.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/limits.h"

struct list {
	char **items;
	size_t count;
	size_t room;
};

static size_t name_len(const char *variable)
{
	return strcspn(variable, "=");
}

/* The later of two with the same name wins, in the place of the first. */
static int put(struct list *list, const char *variable, struct scar_err *err)
{
	size_t len = name_len(variable);
	char *copy = strdup(variable);

	if (!copy)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < list->count; i++) {
		if (name_len(list->items[i]) == len &&
		    strncmp(list->items[i], variable, len) == 0) {
			free(list->items[i]);
			list->items[i] = copy;
			return 0;
		}
	}
	if (list->count == list->room) {
		free(copy);
		return scar_err_set(err, SCAR_ERR_LIMIT, "too many environment variables");
	}
	list->items[list->count++] = copy;
	return 0;
}

__attribute__((format(printf, 3, 4))) static int put_text(struct list *list, struct scar_err *err,
							  const char *fmt, ...)
{
	char text[SCAR_LIMIT_PATH_BYTES + 64];
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (len < 0 || (size_t)len >= sizeof(text))
		return scar_err_set(err, SCAR_ERR_LIMIT,
				    "a variable of Lambda's is too long: %.64s...", text);
	return put(list, text, err);
}

static int put_fixed(struct list *list, struct scar_err *err)
{
	static const char *const fixed[] = {
		"PATH=/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
		"LD_LIBRARY_PATH=/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
		"LANG=en_US.UTF-8",
		"TZ=:UTC",
		"LAMBDA_TASK_ROOT=/var/task",
		"LAMBDA_RUNTIME_DIR=/var/runtime",
		"_HANDLER=bootstrap",
		"AWS_REGION=" SCAR_FUNCTION_REGION,
		"AWS_DEFAULT_REGION=" SCAR_FUNCTION_REGION,
		"AWS_LAMBDA_FUNCTION_VERSION=" SCAR_FUNCTION_VERSION,
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"AWS_LAMBDA_LOG_FORMAT=Text",
		"AWS_XRAY_CONTEXT_MISSING=LOG_ERROR",
	};

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		if (put(list, fixed[i], err) < 0)
			return -1;
	}
	return 0;
}

static int put_all(struct list *list, const struct scar_function *function, uint16_t api_port,
		   struct scar_err *err)
{
	if (put_fixed(list, err) < 0 ||
	    put_text(list, err, "AWS_LAMBDA_FUNCTION_NAME=%s", function->name) < 0 ||
	    put_text(list, err, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=%u", function->memory_mb) < 0 ||
	    put_text(list, err, "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/%s", function->name) < 0 ||
	    put_text(list, err, "AWS_LAMBDA_LOG_STREAM_NAME=local/[" SCAR_FUNCTION_VERSION "]1") <
		    0)
		return -1;
	/* Without a jail the package is where it is. */
	if (function->no_jail && function->task &&
	    put_text(list, err, "LAMBDA_TASK_ROOT=%s", function->task) < 0)
		return -1;
	for (size_t i = 0; function->variables && function->variables[i]; i++) {
		if (put(list, function->variables[i], err) < 0)
			return -1;
	}
	/* Last: a function that names another address would wait for nobody. */
	return put_text(list, err, "AWS_LAMBDA_RUNTIME_API=127.0.0.1:%u", (unsigned)api_port);
}

int scar_function_environment(const struct scar_function *function, uint16_t api_port,
			      char ***ret_environment, struct scar_err *err)
{
	struct list list = {.room = SCAR_LIMIT_ARGS};

	list.items = calloc(list.room + 1, sizeof(*list.items));
	if (!list.items)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	if (put_all(&list, function, api_port, err) < 0) {
		scar_function_environment_free(list.items);
		return -1;
	}
	*ret_environment = list.items;
	return 0;
}

void scar_function_environment_free(char **environment)
{
	for (char **item = environment; item && *item; item++)
		free(*item);
	free(environment);
}
