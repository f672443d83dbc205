/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/aws/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/base/err.h"

/* botocore's standard mode: a repetition costs 5 of these, 10 after a time-out. */
#define RETRY_QUOTA 500
/* How long a cancel may go unnoticed. */
#define CANCEL_POLL_MS 50

static void release(struct scar_aws_shared *shared)
{
	if (!shared || __atomic_sub_fetch(&shared->users, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	scar_aws_keys_clear(&shared->keys);
	scar_aws_settings_clear(&shared->settings);
	pthread_mutex_destroy(&shared->lock);
	free(shared);
}

/* Takes over one use of `shared`, also when it fails. */
static int open_with(struct scar_aws_shared *shared, const char *region, const volatile int *cancel,
		     struct scar_aws **ret_aws, struct scar_err *err)
{
	const struct scar_http_options options = {.ca_bundle = shared->settings.ca_bundle};
	struct scar_aws *aws = calloc(1, sizeof *aws);

	if (!aws) {
		release(shared);
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	}
	aws->shared = shared;
	aws->cancel = cancel;
	aws->retry_quota = RETRY_QUOTA;
	aws->failure = (struct scar_aws_failure){.service = "", .operation = ""};
	snprintf(aws->region, sizeof aws->region, "%s", region ? region : "");
	aws->http = scar_http_create(&options, err);
	if (!aws->http) {
		scar_aws_close(aws);
		return -1;
	}
	*ret_aws = aws;
	return 0;
}

int scar_aws_open(const struct scar_aws_options *options, struct scar_aws **ret_aws,
		  struct scar_err *err)
{
	struct scar_aws_shared *shared = calloc(1, sizeof *shared);

	if (!shared)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	if (scar_aws_settings_load(options, &shared->settings, err) < 0) {
		free(shared);
		return -1;
	}
	if (pthread_mutex_init(&shared->lock, NULL) != 0) {
		scar_aws_settings_clear(&shared->settings);
		free(shared);
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	}
	shared->users = 1;
	return open_with(shared, shared->settings.region, options->cancel, ret_aws, err);
}

int scar_aws_clone(const struct scar_aws *aws, struct scar_aws **ret_aws, struct scar_err *err)
{
	__atomic_add_fetch(&aws->shared->users, 1, __ATOMIC_RELAXED);
	return open_with(aws->shared, aws->region, aws->cancel, ret_aws, err);
}

void scar_aws_close(struct scar_aws *aws)
{
	if (!aws)
		return;
	scar_http_free(aws->http);
	release(aws->shared);
	free(aws);
}

const char *scar_aws_region(const struct scar_aws *aws)
{
	return *aws->region ? aws->region : NULL;
}

int scar_aws_need_region(const struct scar_aws *aws, const char **ret_region, struct scar_err *err)
{
	if (!*aws->region)
		return scar_err_set(
			err, SCAR_ERR_CONFIG,
			"no region: give --region, or set AWS_REGION, or `region` in the "
			"profile \"%s\" of ~/.aws/config",
			aws->shared->settings.profile);
	*ret_region = aws->region;
	return 0;
}

int scar_aws_set_region(struct scar_aws *aws, const char *region, struct scar_err *err)
{
	if (scar_aws_settings_check_region(region, err) < 0)
		return -1;
	snprintf(aws->region, sizeof aws->region, "%s", region);
	return 0;
}

const char *scar_aws_profile(const struct scar_aws *aws)
{
	return aws->shared->settings.profile;
}

const struct scar_aws_failure *scar_aws_failure(const struct scar_aws *aws)
{
	return &aws->failure;
}

bool scar_aws_failed_with(const struct scar_aws *aws, const char *code)
{
	return strcmp(aws->failure.code, code) == 0;
}

bool scar_aws_is_cancelled(const struct scar_aws *aws)
{
	return !aws->finishing && aws->cancel && __atomic_load_n(aws->cancel, __ATOMIC_RELAXED);
}

int scar_aws_sleep(const struct scar_aws *aws, int64_t ms, struct scar_err *err)
{
	while (ms > 0 && !scar_aws_is_cancelled(aws)) {
		int64_t piece = ms < CANCEL_POLL_MS ? ms : CANCEL_POLL_MS;

		scar_clock_sleep_ms(piece);
		ms -= piece;
	}
	return scar_aws_is_cancelled(aws) ? scar_err_set(err, SCAR_ERR_INTERRUPTED, "interrupted")
					  : 0;
}
