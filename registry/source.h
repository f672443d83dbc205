/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file source.h
 * What a kind of image source provides to client.c, which verifies all that comes out of it. Internal to registry/;
 * a new kind is one file and one line in the table of client.c.
 */
#ifndef SCAR_REGISTRY_SOURCE_H
#define SCAR_REGISTRY_SOURCE_H

#include "registry/bytes.h"
#include "registry/client.h"
#include "registry/ref.h"
#include "registry/tar_index.h"

struct scar_buf;

struct scar_source_ops {
	enum scar_transport transport;
	/** ref is borrowed until close. */
	int (*open)(const struct scar_ref *ref, const struct scar_source_options *options,
		    void **ret_impl, struct scar_err *err);
	void (*close)(void *impl);
	/**
	 * The bytes of the index or manifest that the reference names; a source that knows several by that name picks
	 * by platform. ret_media_type: what the source says of it, "" if it says nothing. ret_expected: the digest that
	 * the bytes must have if the source knows it, else alg is 0; the caller verifies.
	 */
	int (*root)(void *impl, const struct scar_platform *platform, struct scar_buf *text,
		    char ret_media_type[SCAR_MEDIA_TYPE_MAX], struct scar_digest *ret_expected,
		    struct scar_err *err);
	/** A manifest that an index lists. */
	int (*manifest)(void *impl, const struct scar_descriptor *desc, struct scar_buf *text,
			struct scar_err *err);
	/** The bytes of a blob, in order and each once. From several threads at once. */
	int (*blob)(void *impl, const struct scar_descriptor *desc, scar_http_sink sink, void *ctx,
		    struct scar_err *err);
	/** NULL: nothing to count. */
	void (*stats)(const void *impl, struct scar_source_stats *ret_stats);
};

extern const struct scar_source_ops scar_source_remote;
extern const struct scar_source_ops scar_source_layout;
extern const struct scar_source_ops scar_source_layout_archive;
extern const struct scar_source_ops scar_source_archive;
extern const struct scar_source_ops scar_source_s3;

/** An archive, wherever it is. */
struct scar_archive_file {
	struct scar_bytes *bytes; /**< NULL: none */
	struct scar_tar_index index;
};

static inline void scar_archive_file_clear(struct scar_archive_file *file)
{
	scar_tar_index_clear(&file->index);
	scar_bytes_close(file->bytes);
	file->bytes = NULL;
}
#define scar_archive_file_auto scar_auto(scar_archive_file_clear)

/** What scar_source_layout_archive and scar_source_archive work on; ref is borrowed until close, *file is taken, also on failure. */
int scar_source_layout_from(const struct scar_ref *ref, struct scar_archive_file *file,
			    void **ret_impl, struct scar_err *err);
int scar_source_docker_from(const struct scar_ref *ref, struct scar_archive_file *file,
			    void **ret_impl, struct scar_err *err);

/** Streams bytes first..first+size of an open file into sink; `cancel` as in the options. */
int scar_source_copy_file(int fd, const char *what, uint64_t first, uint64_t size_bytes,
			  const volatile int *cancel, scar_http_sink sink, void *ctx,
			  struct scar_err *err);

#endif
