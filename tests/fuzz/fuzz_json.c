/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: what parses must print to a text that parses and prints to the same; a string must survive its escape. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
	if (!condition)
		abort();
}

static void print(const struct scar_json *root, struct scar_buf *buf)
{
	struct scar_err err;

	must(scar_json_print(root, buf, &err) == 0);
}

static void check_document(const char *text, size_t size)
{
	scar_json_auto struct scar_json *root = NULL, *again = NULL;
	scar_buf_auto struct scar_buf first, second;
	struct scar_err err;

	scar_buf_init(&first, SIZE_MAX);
	scar_buf_init(&second, SIZE_MAX);
	if (scar_json_parse(text, size, "input", &root, &err) < 0)
		return;
	print(root, &first);
	must(scar_json_parse(first.data, first.len, "output", &again, &err) == 0);
	print(again, &second);
	must(strcmp(first.data, second.data) == 0);
}

static void check_string(const char *text, size_t size)
{
	scar_json_auto struct scar_json *root = NULL;
	scar_buf_auto struct scar_buf quoted;
	struct scar_err err;
	size_t done = 0;

	scar_buf_init(&quoted, SIZE_MAX);
	must(scar_json_append_string(&quoted, text, size, &err) == 0);
	/* A NUL is written, but our parser takes none. */
	if (memchr(text, '\0', size))
		return;
	must(scar_json_parse(quoted.data, quoted.len, "string", &root, &err) == 0);
	while (done < size && scar_utf8_len(text + done, size - done) > 0)
		done += scar_utf8_len(text + done, size - done);
	must(memcmp(scar_json_string(root), text, done) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of the exact size, so that reading beyond it is seen. */
	char *text = malloc(size + (size == 0));

	if (!text)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	check_document(text, size);
	check_string(text, size);
	free(text);
	return 0;
}
