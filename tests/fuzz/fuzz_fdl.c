/* SPDX-License-Identifier: Apache-2.0 */
/* Function definitions: whatever the text, it is taken or refused with a message, and what is taken can be written for the function. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "deployer/fdl.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of the exact size, so that reading beyond it is seen. */
	scar_free_auto char *text = malloc(size + (size == 0));
	scar_fdl_auto struct scar_fdl fdl = {0};
	scar_buf_auto struct scar_buf config;
	struct scar_err err = {0};

	scar_buf_init(&config, SCAR_MIB(16));
	if (!text)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	if (scar_fdl_parse(text, size, text, size, "input", NULL, &fdl, &err) < 0 &&
	    scar_fdl_parse(NULL, 0, text, size, "input", NULL, &fdl, &err) < 0) {
		if (err.msg[0] == '\0')
			abort();
		return 0;
	}
	if (scar_fdl_check(&fdl, &err) < 0 && err.msg[0] == '\0')
		abort();
	for (size_t i = 0; i < fdl.count; i++) {
		scar_buf_reset(&config);
		(void)scar_fdl_write_config(&fdl, &fdl.functions[i], &config, &err);
	}
	return 0;
}
