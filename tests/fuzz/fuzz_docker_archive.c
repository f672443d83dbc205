/* SPDX-License-Identifier: Apache-2.0 */
/* The index of a tar file: every member must lie inside it. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "registry/bytes.h"
#include "registry/tar_index.h"
#include "runtime/base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BLOCK = 512, CHECKSUM = 148, CHECKSUM_END = 156, MAGIC = 257 };

/** Makes the checksum of each header right: else nearly all inputs would end at the first one. */
static void repair(uint8_t *data, size_t size)
{
	for (size_t at = 0; at + BLOCK <= size; at += BLOCK) {
		uint8_t *header = data + at;
		unsigned sum = 0;
		char text[8];

		if (memcmp(header + MAGIC, "ustar", 5) != 0)
			continue;
		for (size_t i = 0; i < BLOCK; i++)
			sum += i >= CHECKSUM && i < CHECKSUM_END ? ' ' : header[i];
		snprintf(text, sizeof(text), "%06o", sum);
		memcpy(header + CHECKSUM, text, 7);
		header[CHECKSUM + 7] = ' ';
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scar_free_auto uint8_t *copy = malloc(size + 1);
	scar_tar_index_auto struct scar_tar_index index = {.count = 0};
	scar_fd_auto int fd = memfd_create("tar", MFD_CLOEXEC);
	scar_bytes_auto struct scar_bytes *bytes = NULL;
	struct scar_err err;
	char path[32];

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	repair(copy, size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fd < 0 || write(fd, copy, size) != (ssize_t)size ||
	    scar_bytes_open_file(path, NULL, &bytes, &err) < 0 ||
	    scar_tar_index_read(bytes, &index, &err) < 0)
		return 0;
	/* What compressed bytes decompress to ends where reading says so. */
	if (scar_bytes_size(bytes) != SCAR_BYTES_UNKNOWN && scar_bytes_size(bytes) != size)
		abort();
	size = (size_t)scar_bytes_size(bytes);
	for (size_t i = 0; i < index.count; i++) {
		const struct scar_tar_member *member = &index.members[i];
		const struct scar_tar_member *found = scar_tar_index_find(&index, member->name);

		if (member->first_byte > size || member->size_bytes > size - member->first_byte)
			abort();
		if (found && found->target)
			abort();
	}
	return 0;
}
