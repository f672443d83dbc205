/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/report.h"

#include <inttypes.h>
#include <string.h>

#include "invoke/content.h"
#include "invoke/failure.h"
#include "invoke/run.h"
#include "runtime/base/base64.h"
#include "runtime/base/buf.h"
#include "runtime/base/json.h"

static int append_member(struct scar_buf *text, const char *key, const char *value,
			 struct scar_err *err)
{
	if (scar_buf_printf(text, err, ",\"%s\":", key) < 0)
		return -1;
	return value ? scar_json_append_string(text, value, strlen(value), err)
		     : scar_buf_append_str(text, "null", err);
}

static int append_output(const struct scar_report *report, struct scar_buf *text,
			 struct scar_err *err)
{
	bool cut = report->output_len > SCAR_REPORT_OUTPUT_BYTES;
	size_t len = cut ? SCAR_REPORT_OUTPUT_BYTES : report->output_len;
	bool is_text = scar_content_is_text(report->output, len, true);

	if (scar_buf_printf(text, err, ",\"stdoutEncoding\":\"%s\",\"stdout\":",
			    is_text ? "utf-8" : "base64") < 0)
		return -1;
	if (is_text) {
		if (scar_json_append_string(text, report->output, len, err) < 0)
			return -1;
	} else if (scar_buf_append_char(text, '"', err) < 0 ||
		   scar_base64_encode(report->output, len, text, err) < 0 ||
		   scar_buf_append_char(text, '"', err) < 0) {
		return -1;
	}
	return scar_buf_printf(text, err, ",\"stdoutBytes\":%" PRIu64 ",\"stdoutTruncated\":%s",
			       report->result->stdout_bytes,
			       cut || report->truncated ? "true" : "false");
}

int scar_report_append(const struct scar_report *report, struct scar_buf *text,
		       struct scar_err *err)
{
	static const struct scar_failure none = {.ran = true};
	const struct scar_failure *failure = report->failure ? report->failure : &none;

	if (scar_buf_append_char(text, '{', err) < 0 ||
	    scar_failure_members(failure, report->result, text, err) < 0 ||
	    append_member(text, "requestId", report->request_id, err) < 0 ||
	    append_member(text, "errorType", failure->type, err) < 0 ||
	    append_member(text, "errorMessage", failure->type ? failure->message : NULL, err) < 0 ||
	    scar_buf_printf(text, err, ",\"durationMs\":%" PRId64 ",\"maxMemoryBytes\":%" PRIu64,
			    report->result->elapsed_ms, report->result->status.max_rss_bytes) < 0 ||
	    append_output(report, text, err) < 0)
		return -1;
	return scar_buf_append_char(text, '}', err);
}
