/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/ledger_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "invoke/engine/guest/ledger.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/owners.h"

/* The extractor's file, mapped. */
struct source {
	void *data;
	size_t size;
	struct scar_owners owners;
};

static int map_source(const char *path, struct source *ret_source, struct scar_err *err)
{
	struct stat st;
	scar_fd_auto int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st))
		return scar_err_errno(err, errno, "remembered owners %s", path);
	if (st.st_size < (off_t)sizeof(struct scar_owners_header))
		return scar_err_set(err, SCAR_ERR_ENGINE, "remembered owners %s: cut short", path);
	ret_source->size = (size_t)st.st_size;
	ret_source->data = mmap(NULL, ret_source->size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (ret_source->data == MAP_FAILED) {
		ret_source->data = NULL;
		return scar_err_errno(err, errno, "remembered owners %s", path);
	}
	if (scar_owners_check(ret_source->data, ret_source->size, &ret_source->owners))
		return scar_err_set(err, SCAR_ERR_ENGINE, "remembered owners %s: not such a file",
				    path);
	return 0;
}

static void fill(struct scar_ledger *ledger, const struct scar_owners *owners)
{
	for (size_t i = 0; i < owners->count; i++) {
		const struct scar_owner *record = &owners->records[i];
		struct scar_ledger_entry *entry = record->ino
							  ? scar_ledger_claim(ledger, record->ino)
							  : NULL;

		if (!entry)
			continue;
		entry->uid = record->uid;
		entry->gid = record->gid;
		entry->mode = record->mode;
		entry->rdev_major = record->rdev_major;
		entry->rdev_minor = record->rdev_minor;
		entry->flags = SCAR_LEDGER_OWNER | SCAR_LEDGER_MODE;
	}
}

static int write_ledger(const char *path, int root_fd, const struct source *source,
			struct scar_err *err)
{
	size_t size = scar_ledger_size(source->owners.count);
	struct scar_ledger *ledger;
	struct stat root;
	scar_fd_auto int fd = -1;

	if (fstat(root_fd, &root))
		return scar_err_errno(err, errno, "rootfs");
	unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)size))
		return scar_err_errno(err, errno, "cannot write %s", path);
	ledger = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ledger == MAP_FAILED)
		return scar_err_errno(err, errno, "cannot map %s", path);
	scar_ledger_init(ledger, root.st_dev, size);
	fill(ledger, &source->owners);
	munmap(ledger, size);
	return 0;
}

int scar_ledger_file_create(const char *state_dir, int root_fd, const char *owners_path,
			    uint32_t *ret_number, struct scar_err *err)
{
	char path[PATH_MAX];
	struct source source = {.data = NULL};
	uint32_t number = (uint32_t)getpid();
	int ret = -1, n;

	n = snprintf(path, sizeof(path), "%s" SCAR_LEDGER_NAME "%u", state_dir, number);
	if (n < 0 || n >= (int)sizeof(path))
		return scar_err_set(err, SCAR_ERR_LIMIT, "the state directory's path is too long");
	if (!owners_path || map_source(owners_path, &source, err) == 0)
		ret = write_ledger(path, root_fd, &source, err);
	if (source.data)
		munmap(source.data, source.size);
	if (ret == 0)
		*ret_number = number;
	return ret;
}
