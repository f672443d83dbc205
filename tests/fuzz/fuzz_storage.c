/* SPDX-License-Identifier: Apache-2.0 */
/* A function's definition: whatever it says about storage is taken or refused with a reason, and what is taken can be asked. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "invoke/storage/provider.h"
#include "runtime/base/err.h"
#include "runtime/base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct scar_storage *storage)
{
	static const char *const names[] = {"s3", "minio", "dcache", "onedata", "rucio"};
	struct scar_err err;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const struct scar_storage_object object = {.provider = names[i]};
		const struct scar_storage_account *account = NULL;

		if (scar_storage_choose(storage, &object, &account, &err) == 0 && !account->name)
			abort();
	}
	for (size_t i = 0; i < storage->output_count; i++) {
		size_t len = strlen(storage->outputs[i].path);

		if (len == 0 || storage->outputs[i].path[len - 1] == '/')
			abort();
		(void)scar_storage_takes(&storage->outputs[i], "a/b.txt");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct scar_storage_environment environment = {.region = "r"};
	scar_yaml_auto struct scar_yaml *root = NULL;
	scar_storage_auto struct scar_storage *storage = NULL;
	struct scar_err err;

	if (scar_yaml_parse((const char *)data, size, "input", &root, &err) < 0)
		return 0;
	if (scar_storage_open(root, &environment, &storage, &err) == 0)
		ask(storage);
	else if (err.msg[0] == '\0')
		abort();
	return 0;
}
