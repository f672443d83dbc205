/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/aws/tagging.h"

#include "deployer/aws/call.h"
#include "runtime/base/err.h"
#include "runtime/base/json_writer.h"
#include "runtime/base/limits.h"

struct question {
	const char *type;
	const struct scar_aws_pair *tags;
	size_t tag_count;
};

static void write_question(struct scar_json_writer *w, const struct question *question,
			   const char *marker)
{
	const char *const types[] = {question->type, NULL};

	scar_json_write_open(w, NULL, '{');
	scar_json_write_string(w, "PaginationToken", marker);
	scar_json_write_open(w, "TagFilters", '[');
	for (size_t i = 0; i < question->tag_count; i++) {
		const char *const values[] = {question->tags[i].value, NULL};

		scar_json_write_open(w, NULL, '{');
		scar_json_write_string(w, "Key", question->tags[i].name);
		scar_json_write_strings(w, "Values", values);
		scar_json_write_close(w, '}');
	}
	scar_json_write_close(w, ']');
	if (question->type)
		scar_json_write_strings(w, "ResourceTypeFilters", types);
	scar_json_write_close(w, '}');
}

static int ask(struct scar_aws *aws, void *ctx, const char *marker, struct scar_json **ret_answer,
	       struct scar_err *err)
{
	const struct scar_aws_call call = {.service = SCAR_AWS_TAGGING,
					   .operation = "GetResources"};
	scar_buf_auto struct scar_buf body;
	struct scar_json_writer w;

	scar_buf_init(&body, SCAR_KIB(64));
	scar_json_writer_init(&w, &body, err);
	write_question(&w, ctx, marker);
	return scar_aws_send(aws, &call, &w, ret_answer, err);
}

int scar_tagging_list(struct scar_aws *aws, const char *type, const struct scar_aws_pair *tags,
		      size_t tag_count, scar_aws_each each, void *ctx, struct scar_err *err)
{
	struct question question = {type, tags, tag_count};

	return scar_aws_list(aws, ask, &question, "ResourceTagMappingList", "PaginationToken", each,
			     ctx, err);
}
