/* SPDX-License-Identifier: Apache-2.0 */
/* XML of AWS: what is printed reads as the same tree, and refusals of any bytes are read within their bounds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "deployer/aws/call.h"
#include "deployer/aws/xml.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare(const struct scar_xml *a, const struct scar_xml *b)
{
	const struct scar_xml *x = scar_xml_first(a, NULL), *y = scar_xml_first(b, NULL);

	if (strcmp(scar_xml_name(a), scar_xml_name(b)) != 0 ||
	    strcmp(scar_xml_text(a), scar_xml_text(b)) != 0)
		abort();
	for (; x && y; x = scar_xml_next(x, NULL), y = scar_xml_next(y, NULL))
		compare(x, y);
	if (x || y)
		abort();
}

static void read_refusals(const char *text, size_t size)
{
	scar_http_response_auto struct scar_http_response http;
	struct scar_aws_refusal refusal;
	struct scar_err err;

	scar_http_response_init(&http);
	http.status = 400;
	if (scar_buf_append(&http.body, text, size < 60000 ? size : 60000, &err) < 0)
		abort();
	for (int i = SCAR_AWS_REST_JSON; i <= SCAR_AWS_EC2_QUERY; i++) {
		scar_aws_refusal_read((enum scar_aws_protocol)i, &http, &refusal);
		if (strpbrk(refusal.message, "\n\033"))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scar_free_auto char *text = malloc(size + (size == 0));
	scar_xml_auto struct scar_xml *root = NULL, *again = NULL;
	scar_buf_auto struct scar_buf printed;
	struct scar_err err = {.msg = ""};

	scar_buf_init(&printed, SCAR_MIB(16));
	if (!text)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	read_refusals(text, size);
	if (scar_xml_parse(text, size, "input", &root, &err) < 0) {
		if (root || strncmp(err.msg, "input: ", 7) != 0)
			abort();
		return 0;
	}
	/* A mixture of text and elements loses its order, so the text comes first when it is printed. */
	if (scar_xml_print(root, &printed, &err) < 0)
		return 0;
	if (scar_xml_parse(printed.data, printed.len, "output", &again, &err) < 0)
		abort();
	compare(root, again);
	return 0;
}
