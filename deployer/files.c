/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "deployer/arguments.h"
#include "deployer/aws/s3.h"
#include "deployer/commands.h"
#include "deployer/fdl.h"
#include "deployer/session.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

#define MB (1024.0 * 1024.0)

struct transfer {
	struct scar_session *session;
	bool putting;
	char *name; /* of the file under way, or NULL */
};

/* One line a file on stdout, once it is there. */
static int tell_last(struct transfer *transfer, struct scar_err *err)
{
	scar_free_auto char *name = scar_steal(transfer->name);

	if (name && (printf("%s\n", name) < 0 || fflush(stdout) < 0))
		return scar_err_set(err, SCAR_ERR_IO, "cannot write to standard output");
	return 0;
}

static int before_file(void *ctx, const struct scar_s3_tree_file *file, struct scar_err *err)
{
	struct transfer *transfer = ctx;

	if (tell_last(transfer, err) < 0)
		return -1;
	transfer->name = strdup(transfer->putting ? file->key : file->path);
	return transfer->name ? 0 : scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
}

static void show(void *ctx, uint64_t done, uint64_t total)
{
	const struct transfer *transfer = ctx;

	if (!transfer->session->terminal)
		return;
	if (done >= total)
		fputs("\r\033[K", stderr);
	else
		fprintf(stderr, "\r%.1f of %.1f MB (%" PRIu64 " %%)\033[K", (double)done / MB,
			(double)total / MB, done * 100 / total);
}

static int move(struct transfer *transfer, const char *where, const char *path,
		struct scar_err *err)
{
	char bucket[64];
	const char *prefix;
	uint64_t count = 0;
	struct scar_s3_tree tree = {
		.path = path,
		.before = before_file,
		.progress = show,
		.ctx = transfer,
	};

	scar_fdl_split(where, bucket, &prefix);
	tree.bucket = bucket;
	tree.prefix = prefix;
	if (transfer->putting) {
		if (scar_s3_create_bucket(transfer->session->aws, bucket, NULL, err) < 0 ||
		    scar_s3_put_tree(transfer->session->aws, &tree, false, &count, err) < 0)
			return -1;
	} else if (scar_s3_get_tree(transfer->session->aws, &tree, &count, err) < 0) {
		return -1;
	}
	if (tell_last(transfer, err) < 0)
		return -1;
	if (count == 0)
		return scar_err_set(err, SCAR_ERR_NOT_FOUND, "there is nothing in %s",
				    transfer->putting ? path : where);
	scar_session_detail(transfer->session, "%" PRIu64 " files", count);
	return 0;
}

static int run(bool putting, const struct scar_arguments *arguments, char **environment)
{
	scar_session_auto struct scar_session session = {0};
	struct transfer transfer = {.session = &session, .putting = putting};
	const char *bucket = scar_arguments_get(arguments, SCAR_OPTION_BUCKET);
	const char *path = scar_arguments_get(arguments, SCAR_OPTION_PATH);
	struct scar_err err;
	int failed = scar_session_open(arguments, environment, &session, &err) < 0 ||
		     move(&transfer, bucket, path, &err) < 0;

	free(transfer.name);
	return failed ? scar_session_fail(&session, &err) : 0;
}

int scar_put_command(const struct scar_arguments *arguments, char **environment)
{
	return run(true, arguments, environment);
}

int scar_get_command(const struct scar_arguments *arguments, char **environment)
{
	return run(false, arguments, environment);
}
