/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "deployer/local_config.h"
#include "runtime/base/base64.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

/* Adds `"key":`, with a comma before it if the object has a member already. */
static int begin_member(struct scar_buf *event, const char *key, struct scar_err *err)
{
	return scar_buf_printf(event, err, "%s\"%s\":", event->len > 1 ? "," : "", key);
}

/* SCAR carries the arguments as a JSON list inside a JSON string. */
static int add_args(struct scar_buf *event, char *const *args, struct scar_err *err)
{
	scar_buf_auto struct scar_buf list;

	scar_buf_init(&list, SCAR_LIMIT_EVENT_BYTES);
	if (!args || !args[0])
		return 0;
	for (size_t i = 0; args[i]; i++) {
		if (scar_buf_append_char(&list, i ? ',' : '[', err) < 0 ||
		    scar_json_append_string(&list, args[i], strlen(args[i]), err) < 0)
			return -1;
	}
	if (scar_buf_append_char(&list, ']', err) < 0 || begin_member(event, "cmd_args", err) < 0)
		return -1;
	return scar_json_append_string(event, list.data, list.len, err);
}

static int add_file(struct scar_buf *event, const char *key, const char *path, struct scar_err *err)
{
	scar_buf_auto struct scar_buf bytes;

	scar_buf_init(&bytes, SCAR_LIMIT_EVENT_BYTES);
	if (!path)
		return 0;
	if (strcmp(path, "-") == 0
		    ? scar_fs_read_all(STDIN_FILENO, "standard input", &bytes, err) < 0
		    : scar_fs_read_file(AT_FDCWD, path, &bytes, err) < 0)
		return -1;
	if (begin_member(event, key, err) < 0 || scar_buf_append_char(event, '"', err) < 0 ||
	    scar_base64_encode(bytes.data, bytes.len, event, err) < 0)
		return -1;
	return scar_buf_append_char(event, '"', err);
}

int scar_local_config_event(const struct scar_local_config *config, struct scar_buf *event,
			    struct scar_err *err)
{
	if (scar_buf_append_char(event, '{', err) == 0 && add_args(event, config->args, err) == 0 &&
	    add_file(event, "script", config->script, err) == 0 &&
	    add_file(event, "stdin", config->stdin_path, err) == 0)
		return scar_buf_append_char(event, '}', err);
	if (err->kind == SCAR_ERR_LIMIT)
		return scar_err_set(
			err, SCAR_ERR_CONFIG,
			"arguments, script and input together exceed Lambda's 6 MiB for one event");
	return -1;
}
