/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/err.h"

/* The kernel's overflowuid: what it shows for an owner that it cannot represent. */
#define NOBODY 65534

struct scar_tar {
	struct archive *archive;
	struct archive_entry *entry;
	scar_tar_source source;
	void *ctx;
	bool opened;
	bool source_failed;
	struct scar_err failure; /* the source's, when it failed */
};

struct scar_tar *scar_tar_create(scar_tar_source source, void *ctx, struct scar_err *err)
{
	struct scar_tar *tar = calloc(1, sizeof *tar);

	if (tar)
		tar->archive = archive_read_new();
	if (!tar || !tar->archive || archive_read_support_format_tar(tar->archive) != ARCHIVE_OK) {
		scar_tar_free(tar);
		scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for a tar reader");
		return NULL;
	}
	tar->source = source;
	tar->ctx = ctx;
	return tar;
}

void scar_tar_free(struct scar_tar *tar)
{
	if (!tar)
		return;
	archive_read_free(tar->archive);
	free(tar);
}

static la_ssize_t read_source(struct archive *archive, void *ctx, const void **ret_data)
{
	struct scar_tar *tar = ctx;
	const uint8_t *data;
	size_t len;

	if (tar->source(tar->ctx, &data, &len, &tar->failure) < 0) {
		tar->source_failed = true;
		archive_set_error(archive, EIO, "source failed");
		return -1;
	}
	*ret_data = data;
	return (la_ssize_t)len;
}

/* libarchive's own reason, unless the source is to blame. */
static int failed(struct scar_tar *tar, struct scar_err *err)
{
	const char *text = archive_error_string(tar->archive);

	if (tar->source_failed) {
		*err = tar->failure;
		return -1;
	}
	return scar_err_set(err, SCAR_ERR_IMAGE, "not a valid tar: %s",
			    text ? text : "no reason given");
}

/*
 * A warning may mean that a header was ignored, so that the entry is not what other readers see: those are refused.
 * Told by text, as there are no codes: a name was not converted, which is what we want; an access control
 * list was not understood, which is ignored anyway.
 */
static bool is_harmless(struct scar_tar *tar)
{
	const char *text = archive_error_string(tar->archive);

	return text && (strstr(text, "can't be converted from") || strstr(text, "Parse error: "));
}

static uint32_t owner_id(la_int64_t id)
{
	return id < 0 || id >= UINT32_MAX ? NOBODY : (uint32_t)id;
}

static void describe(struct archive_entry *entry, struct scar_tar_entry *ret_entry)
{
	const char *name = archive_entry_pathname(entry);
	mode_t type = archive_entry_filetype(entry);
	la_int64_t size = archive_entry_size(entry);

	/* Tars before ustar have no other way to say it. */
	if (type == S_IFREG && name && *name && name[strlen(name) - 1] == '/')
		type = S_IFDIR;
	*ret_entry = (struct scar_tar_entry){
		.name = name,
		.hard_link = archive_entry_hardlink(entry),
		.type = type,
		.mode = archive_entry_perm(entry) & 07777,
		.uid = owner_id(archive_entry_uid(entry)),
		.gid = owner_id(archive_entry_gid(entry)),
		.mtime = {.tv_sec = archive_entry_mtime(entry),
			  .tv_nsec = archive_entry_mtime_nsec(entry)},
	};
	if (ret_entry->mtime.tv_nsec < 0 || ret_entry->mtime.tv_nsec > 999999999)
		ret_entry->mtime.tv_nsec = 0;
	if (type == S_IFLNK)
		ret_entry->symlink = archive_entry_symlink(entry);
	if (type == S_IFCHR || type == S_IFBLK) {
		ret_entry->rdev_major = (uint32_t)archive_entry_rdevmajor(entry);
		ret_entry->rdev_minor = (uint32_t)archive_entry_rdevminor(entry);
	}
	if (type == S_IFREG && size > 0)
		ret_entry->size_bytes = (uint64_t)size;
}

/* Whether an entry that has no data claims some: other readers would take what follows for the next header. */
static bool claims_data(struct archive_entry *entry)
{
	return !archive_entry_hardlink(entry) && archive_entry_filetype(entry) != AE_IFREG &&
	       archive_entry_size(entry) > 0;
}

int scar_tar_next(struct scar_tar *tar, struct scar_tar_entry *ret_entry, struct scar_err *err)
{
	int result;

	if (!tar->opened) {
		/* Opening reads the first block and finds the format, so that an empty input is an error of it. */
		if (archive_read_open(tar->archive, tar, NULL, read_source, NULL) != ARCHIVE_OK)
			return failed(tar, err);
		tar->opened = true;
	}
	result = archive_read_next_header(tar->archive, &tar->entry);
	if (result == ARCHIVE_EOF && !tar->source_failed)
		return 0;
	if (result != ARCHIVE_OK && !(result == ARCHIVE_WARN && is_harmless(tar)))
		return failed(tar, err);
	describe(tar->entry, ret_entry);
	if (!ret_entry->name)
		return scar_err_set(err, SCAR_ERR_IMAGE, "not a valid tar: an entry has no name");
	if (claims_data(tar->entry))
		return scar_err_set(err, SCAR_ERR_IMAGE,
				    "not a valid tar: %s is no file and has a size",
				    ret_entry->name);
	archive_entry_xattr_reset(tar->entry);
	return 1;
}

int scar_tar_data(struct scar_tar *tar, const void **ret_data, size_t *ret_len,
		  uint64_t *ret_offset, struct scar_err *err)
{
	const void *data;
	size_t len;
	la_int64_t offset;
	int result = archive_read_data_block(tar->archive, &data, &len, &offset);

	if (result == ARCHIVE_EOF)
		return 0;
	if (result != ARCHIVE_OK && result != ARCHIVE_WARN)
		return failed(tar, err);
	if (offset < 0)
		return scar_err_set(err, SCAR_ERR_IMAGE, "not a valid tar: negative offset");
	*ret_data = data;
	*ret_len = len;
	*ret_offset = (uint64_t)offset;
	return 1;
}

int scar_tar_xattr(struct scar_tar *tar, const char **ret_name, const void **ret_value,
		   size_t *ret_len)
{
	return archive_entry_xattr_next(tar->entry, ret_name, ret_value, ret_len) == ARCHIVE_OK;
}
