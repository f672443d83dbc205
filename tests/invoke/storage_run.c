/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One transfer through a provider, for measurements:
 *
 *   storage-run DEFINITION fetch PROVIDER BUCKET KEY DIRECTORY NAME
 *   storage-run DEFINITION deliver DIRECTORY PATH...
 *
 * Prints its own peak of resident memory in KiB; that of getrusage(2) would count what its parent had before exec.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "invoke/storage/storage.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/limits.h"
#include "runtime/base/yaml.h"

static int open_storage(const char *path, struct scar_storage **ret_storage, struct scar_err *err)
{
	const struct scar_storage_environment environment = {.region = "us-east-1"};
	scar_yaml_auto struct scar_yaml *root = NULL;
	scar_buf_auto struct scar_buf text;

	scar_buf_init(&text, SCAR_LIMIT_YAML_BYTES);
	if (scar_fs_read_file(AT_FDCWD, path, &text, err) < 0 ||
	    scar_yaml_parse(text.data, text.len, path, &root, err) < 0)
		return -1;
	return scar_storage_open(root, &environment, ret_storage, err);
}

static int transfer(const struct scar_storage *storage, char **argv, struct scar_err *err)
{
	bool fetch = strcmp(argv[0], "fetch") == 0;
	const struct scar_storage_object object = {.provider = argv[1],
						   .bucket = fetch ? argv[2] : NULL,
						   .key = fetch ? argv[3] : NULL};
	struct scar_storage_delivery delivery;
	scar_fd_auto int fd = -1;
	uint64_t bytes;

	if (scar_fs_open_dir(AT_FDCWD, fetch ? argv[4] : argv[1], true, &fd, err) < 0)
		return -1;
	if (fetch)
		return scar_storage_fetch(storage, &object, fd, argv[5], 0, &bytes, err);
	return scar_storage_deliver(storage, fd, argv + 2, 0, &delivery, err);
}

static void print_peak(void)
{
	scar_file_auto FILE *status = fopen("/proc/self/status", "re");
	char line[256];

	while (status && fgets(line, sizeof line, status)) {
		if (strncmp(line, "VmHWM:", 6) == 0)
			printf("%ld\n", strtol(line + 6, NULL, 10));
	}
}

int main(int argc, char **argv)
{
	scar_storage_auto struct scar_storage *storage = NULL;
	struct scar_err err;

	if (argc < 5 || (strcmp(argv[2], "fetch") == 0 && argc != 8)) {
		fprintf(stderr, "usage: storage-run DEFINITION fetch|deliver ...\n");
		return 2;
	}
	if (open_storage(argv[1], &storage, &err) < 0 || transfer(storage, argv + 2, &err) < 0) {
		fprintf(stderr, "storage-run: %s\n", err.msg);
		return 1;
	}
	print_peak();
	return 0;
}
