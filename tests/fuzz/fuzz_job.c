/* SPDX-License-Identifier: Apache-2.0 */
/* The event: whatever a caller of the function sends. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "invoke/job.h"
#include "invoke/text.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scar_job_auto struct scar_job job = {0};
	struct scar_err err;

	if (scar_job_parse(data, size, &job, &err) < 0) {
		/* Refused for what the event says, never for anything else, and with nothing half done. */
		if (err.kind != SCAR_ERR_EVENT || !err.msg[0] || job.args || job.image)
			abort();
		return 0;
	}
	if (job.args && (!job.args[0] || scar_list_count(job.args) > SCAR_LIMIT_ARGS))
		abort();
	if ((job.script.len > 0) != job.has_script || (job.input.len > 0 && !job.has_input))
		abort();
	return 0;
}
