/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads YAML documents, for comparison with another reader: each on standard input as a line with its length and that many bytes; one line each on
 * standard output: "= " and JSON, or "! " and why not. A number that JSON lacks prints as its text.
 */
#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"
#include "runtime/base/yaml.h"

static void answer(const char *text, size_t len)
{
	scar_yaml_auto struct scar_yaml *root = NULL;
	scar_buf_auto struct scar_buf json;
	struct scar_err err;

	scar_buf_init(&json, SCAR_LIMIT_JSON_BYTES);
	if (scar_yaml_parse(text, len, "input", &root, &err) < 0 ||
	    scar_yaml_print_json(root, &json, &err) < 0)
		printf("! %s\n", err.msg);
	else
		printf("= %s\n", json.data);
}

int main(void)
{
	char line[32];

	while (fgets(line, sizeof line, stdin)) {
		size_t len = strtoul(line, NULL, 10);
		scar_free_auto char *text = malloc(len + 1);

		if (!text || fread(text, 1, len, stdin) != len)
			return 1;
		answer(text, len);
	}
	return 0;
}
