/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tar.h
 * Reads the entries of an uncompressed tar (ustar, pax, GNU, old; sparse files in all their forms) through
 * libarchive, which here only parses: it writes nothing to disk.
 *
 * Names are the bytes of the archive. For that the process stays in the "C" locale, where libarchive cannot convert
 * a pax header's UTF-8 and hands it out as it is.
 */
#ifndef SCAR_EXTRACTOR_TAR_H
#define SCAR_EXTRACTOR_TAR_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct scar_err;
struct scar_tar;

/** Gives the next bytes, valid until the next call; *ret_len 0 is the end. */
typedef int (*scar_tar_source)(void *ctx, const uint8_t **ret_data, size_t *ret_len,
			       struct scar_err *err);

/** Borrowed from the reader until the next call of scar_tar_next(). */
struct scar_tar_entry {
	const char *name;
	const char *hard_link; /**< its target, as written; NULL if it is none: then type decides */
	const char *symlink;   /**< target, when type is S_IFLNK */
	mode_t type;           /**< S_IFMT part */
	mode_t mode;           /**< 07777 part */
	uint32_t uid, gid;
	uint32_t rdev_major, rdev_minor;
	struct timespec mtime;
	uint64_t size_bytes; /**< of a regular file, holes included; else 0 */
};

/** The source is borrowed until free. Reads nothing yet. */
struct scar_tar *scar_tar_create(scar_tar_source source, void *ctx, struct scar_err *err);
/** NULL is fine. */
void scar_tar_free(struct scar_tar *tar);
/** @return 1 and the next entry, 0 at the end of the archive, -1 with the source's error or SCAR_ERR_IMAGE */
int scar_tar_next(struct scar_tar *tar, struct scar_tar_entry *ret_entry, struct scar_err *err);
/**
 * The next piece of the entry's content; what lies between pieces is a hole. @return 1, 0 at its end, -1
 */
int scar_tar_data(struct scar_tar *tar, const void **ret_data, size_t *ret_len,
		  uint64_t *ret_offset, struct scar_err *err);
/** The entry's next extended attribute, in no order. @return 1, or 0 if there are no more */
int scar_tar_xattr(struct scar_tar *tar, const char **ret_name, const void **ret_value,
		   size_t *ret_len);

#endif
