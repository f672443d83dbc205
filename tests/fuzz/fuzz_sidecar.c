/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an owners file: the reader reads none outside of it. */
#include <stdlib.h>
#include <string.h>

#include "runtime/base/owners.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct scar_owners owners = {0};
	/* A copy, aligned as mmap(2) would, of exactly that size. */
	uint8_t *copy = malloc(size ? size : 1);
	size_t i;

	if (!copy)
		abort();
	memcpy(copy, data, size);
	if (scar_owners_check(copy, size, &owners) == 0) {
		for (i = 0; i < owners.count; i++) {
			const struct scar_owner *found = scar_owners_find(&owners,
									  owners.records[i].ino);

			if (found && found->ino != owners.records[i].ino)
				abort();
		}
		scar_owners_find(&owners, 0);
		scar_owners_find(&owners, UINT64_MAX);
	}
	free(copy);
	return 0;
}
