/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/owners.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"

void scar_owner_table_init(struct scar_owner_table *table)
{
	scar_inode_map_init(&table->map, sizeof(struct scar_owner));
}

void scar_owner_table_clear(struct scar_owner_table *table)
{
	scar_inode_map_clear(&table->map);
}

int scar_owner_table_set(struct scar_owner_table *table, const struct scar_owner *owner,
			 struct scar_err *err)
{
	struct scar_owner *value = scar_inode_map_put(&table->map, owner->ino, err);

	if (!value)
		return -1;
	*value = *owner;
	return 0;
}

void scar_owner_table_forget(struct scar_owner_table *table, uint64_t ino)
{
	scar_inode_map_remove(&table->map, ino);
}

static int by_ino(const void *a, const void *b)
{
	uint64_t x = ((const struct scar_owner *)a)->ino, y = ((const struct scar_owner *)b)->ino;

	return x < y ? -1 : x > y;
}

int scar_owner_table_write(const struct scar_owner_table *table, int dirfd, const char *name,
			   struct scar_err *err)
{
	struct scar_owners_header header = {.record_size = sizeof(struct scar_owner)};
	scar_free_auto struct scar_owner *records = NULL;
	scar_fd_auto int fd = -1;
	size_t cursor = 0, count = 0;
	uint64_t ino;
	void *value;

	if (table->map.used > UINT32_MAX)
		return scar_err_set(err, SCAR_ERR_LIMIT, "too many files with an owner");
	memcpy(header.magic, SCAR_OWNERS_MAGIC, sizeof header.magic);
	header.count = (uint32_t)table->map.used;
	records = calloc(table->map.used + 1, sizeof *records);
	if (!records)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for %zu owners",
				    table->map.used);
	while (scar_inode_map_next(&table->map, &cursor, &ino, &value))
		memcpy(&records[count++], value, sizeof *records);
	qsort(records, count, sizeof *records, by_ino);

	fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return scar_err_errno(err, errno, "cannot create %s", name);
	if (scar_fs_write_all(fd, &header, sizeof header, name, err) < 0)
		return -1;
	return scar_fs_write_all(fd, records, count * sizeof *records, name, err);
}
