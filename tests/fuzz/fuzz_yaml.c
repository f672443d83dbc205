/* SPDX-License-Identifier: Apache-2.0 */
/* YAML: what parses stays within its bounds, and what prints as JSON is JSON. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t walk(const struct scar_yaml *node, unsigned depth)
{
	size_t count = 1;

	if (depth > SCAR_LIMIT_YAML_DEPTH || scar_yaml_line(node) == 0 ||
	    scar_yaml_column(node) == 0)
		abort();
	for (size_t i = 0; i < scar_yaml_size(node); i++) {
		count += walk(scar_yaml_at(node, i), depth + 1);
		if (scar_yaml_type(node) == SCAR_YAML_MAPPING) {
			const char *key = scar_yaml_text(scar_yaml_key_at(node, i));

			count++;
			if (scar_yaml_get(node, key) != scar_yaml_at(node, i))
				abort();
		}
	}
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of the exact size, so that reading beyond it is seen. */
	scar_free_auto char *text = malloc(size + (size == 0));
	scar_yaml_auto struct scar_yaml *root = NULL;
	scar_json_auto struct scar_json *json = NULL;
	scar_buf_auto struct scar_buf printed;
	struct scar_err err;

	scar_buf_init(&printed, SCAR_LIMIT_JSON_BYTES);
	if (!text)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	if (scar_yaml_parse(text, size, "input", &root, &err) < 0) {
		if (root || err.msg[0] == '\0')
			abort();
		return 0;
	}
	if (walk(root, 0) > SCAR_LIMIT_YAML_NODES)
		abort();
	if (scar_yaml_print_json(root, &printed, &err) == 0 &&
	    scar_json_parse(printed.data, printed.len, "output", &json, &err) < 0)
		abort();
	return 0;
}
