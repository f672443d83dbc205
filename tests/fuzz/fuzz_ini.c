/* SPDX-License-Identifier: Apache-2.0 */
/* AWS's configuration files: every entry is found again by its name, and no error shows a line, which may hold a secret. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "deployer/aws/ini.h"
#include "runtime/base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of the exact size, so that reading beyond it is seen. */
	scar_free_auto char *text = malloc(size + (size == 0));
	const char *section, *group, *key, *value;
	scar_ini_auto struct scar_ini *ini = NULL;
	struct scar_err err = {.msg = ""};

	if (!text)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	if (scar_ini_parse(text, size, "input", &ini, &err) < 0) {
		if (ini || strncmp(err.msg, "input", 5) != 0 || strlen(err.msg) > 60)
			abort();
		return 0;
	}
	for (size_t i = 0; scar_ini_at(ini, i, &section, &group, &key, &value); i++) {
		if (!*section || !scar_ini_has(ini, section) || strlen(value) > size)
			abort();
		/* The last of several counts. */
		if (key && !scar_ini_get_below(ini, section, group, key))
			abort();
	}
	return 0;
}
