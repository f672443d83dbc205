/* SPDX-License-Identifier: Apache-2.0 */
/* Images in OCI image layout (OCI image specification, image-layout.md): a directory, or a tar file of one. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "registry/document.h"
#include "registry/source.h"
#include "registry/tar_index.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"

struct layout {
	const struct scar_ref *ref;
	const volatile int *cancel;
	int fd;                        /* the directory, or -1 */
	struct scar_archive_file file; /* instead of it */
};

static void layout_close(void *impl)
{
	struct layout *layout = impl;

	if (layout->fd >= 0)
		close(layout->fd);
	scar_archive_file_clear(&layout->file);
	free(layout);
}

static void cleanup_layout(struct layout **layout)
{
	if (*layout)
		layout_close(*layout);
}

/* ---- files of the layout ---- */

static int open_in_directory(const struct layout *layout, const char *path, int *ret_fd,
			     uint64_t *ret_size, struct scar_err *err)
{
	/* O_NONBLOCK: a FIFO must not hold us up before it is seen to be one. */
	scar_fd_auto int fd = openat(layout->fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return scar_err_set(err, SCAR_ERR_NOT_FOUND, "the layout has no %s", path);
	if (fd < 0)
		return scar_err_errno(err, errno, "open %s", path);
	if (fstat(fd, &st) < 0)
		return scar_err_errno(err, errno, "stat %s", path);
	if (!S_ISREG(st.st_mode))
		return scar_err_set(err, SCAR_ERR_IMAGE, "%s is no regular file", path);
	*ret_fd = scar_steal_fd(&fd);
	*ret_size = (uint64_t)st.st_size;
	return 0;
}

static int copy_member(const struct layout *layout, const char *path, scar_http_sink sink,
		       void *ctx, struct scar_err *err)
{
	const struct scar_tar_member *member = scar_tar_index_find(&layout->file.index, path);

	if (!member)
		return scar_err_set(err, SCAR_ERR_NOT_FOUND, "the layout has no %s", path);
	return scar_bytes_copy(layout->file.bytes, path, member->first_byte, member->size_bytes,
			       sink, ctx, err);
}

static int copy_file(const struct layout *layout, const char *path, scar_http_sink sink, void *ctx,
		     struct scar_err *err)
{
	scar_fd_auto int fd = -1;
	uint64_t size = 0;

	if (layout->file.bytes)
		return copy_member(layout, path, sink, ctx, err);
	if (open_in_directory(layout, path, &fd, &size, err) < 0)
		return -1;
	return scar_source_copy_file(fd, path, 0, size, layout->cancel, sink, ctx, err);
}

static int append_sink(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	return scar_buf_append(ctx, data, len, err);
}

/* ---- open ---- */

static int check_version(const struct layout *layout, struct scar_err *err)
{
	scar_buf_auto struct scar_buf text;
	scar_json_auto struct scar_json *root = NULL;
	const char *version;

	scar_buf_init(&text, SCAR_KIB(4));
	if (copy_file(layout, "oci-layout", append_sink, &text, err) < 0) {
		if (err->kind == SCAR_ERR_NOT_FOUND)
			return scar_err_set(
				err, SCAR_ERR_NOT_FOUND,
				"%s is no OCI image layout: it has no file 'oci-layout'",
				layout->ref->path);
		return -1;
	}
	if (scar_document_parse(text.data, text.len, "oci-layout", &root, err) < 0)
		return -1;
	version = scar_json_string(scar_json_get(root, "imageLayoutVersion"));
	if (!version || strncmp(version, "1.", 2) != 0)
		return scar_err_set(err, SCAR_ERR_UNSUPPORTED,
				    "oci-layout: only version 1 is supported");
	return 0;
}

static struct layout *layout_new(const struct scar_ref *ref, struct scar_err *err)
{
	struct layout *layout = calloc(1, sizeof(*layout));

	if (!layout) {
		scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
		return NULL;
	}
	layout->ref = ref;
	layout->fd = -1;
	return layout;
}

static int layout_open(const struct scar_ref *ref, const struct scar_source_options *options,
		       void **ret_impl, struct scar_err *err)
{
	scar_auto(cleanup_layout) struct layout *layout = layout_new(ref, err);

	if (!layout)
		return -1;
	layout->cancel = options->cancel;
	layout->fd = open(ref->path, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
	if (layout->fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return scar_err_set(err, SCAR_ERR_NOT_FOUND, "there is no directory %s", ref->path);
	if (layout->fd < 0)
		return scar_err_errno(err, errno, "open %s", ref->path);
	if (check_version(layout, err) < 0)
		return -1;
	*ret_impl = scar_steal(layout);
	return 0;
}

int scar_source_layout_from(const struct scar_ref *ref, struct scar_archive_file *file,
			    void **ret_impl, struct scar_err *err)
{
	scar_auto(cleanup_layout) struct layout *layout = layout_new(ref, err);

	if (!layout)
		return -1;
	layout->file = *file;
	*file = (struct scar_archive_file){.bytes = NULL};
	if (check_version(layout, err) < 0)
		return -1;
	*ret_impl = scar_steal(layout);
	return 0;
}

static int layout_open_archive(const struct scar_ref *ref,
			       const struct scar_source_options *options, void **ret_impl,
			       struct scar_err *err)
{
	scar_archive_file_auto struct scar_archive_file file = {.bytes = NULL};

	if (scar_bytes_open_file(ref->path, options->cancel, &file.bytes, err) < 0 ||
	    scar_tar_index_read(file.bytes, &file.index, err) < 0)
		return -1;
	return scar_source_layout_from(ref, &file, ret_impl, err);
}

/* ---- blobs ---- */

static int layout_blob(void *impl, const struct scar_descriptor *desc, scar_http_sink sink,
		       void *ctx, struct scar_err *err)
{
	char hex[SCAR_DIGEST_TEXT_MAX];
	char path[SCAR_DIGEST_TEXT_MAX + 16];

	snprintf(path, sizeof(path), "blobs/%s/%s",
		 desc->digest.alg == SCAR_DIGEST_SHA512 ? "sha512" : "sha256",
		 scar_digest_hex(&desc->digest, hex));
	return copy_file(impl, path, sink, ctx, err);
}

static int layout_manifest(void *impl, const struct scar_descriptor *desc, struct scar_buf *text,
			   struct scar_err *err)
{
	return layout_blob(impl, desc, append_sink, text, err);
}

/* ---- which image of index.json ---- */

/** Whether the reference asks for the entry: by digest, by name, or for any. */
static bool is_asked_for(const struct scar_ref *ref, const struct scar_index_entry *entry)
{
	char digest[SCAR_DIGEST_TEXT_MAX];

	if (entry->is_attestation)
		return false;
	if (ref->digest)
		return strcmp(scar_digest_format(&entry->descriptor.digest, digest), ref->digest) ==
		       0;
	return !ref->tag || (entry->ref_name && strcmp(entry->ref_name, ref->tag) == 0);
}

/** Moves the entries that are asked for to the front. @return their number */
static size_t gather_asked_for(struct scar_manifest *index, const struct scar_ref *ref)
{
	size_t count = 0;

	for (size_t i = 0; i < index->entry_count; i++) {
		struct scar_index_entry entry = index->entries[i];

		if (!is_asked_for(ref, &entry))
			continue;
		index->entries[i] = index->entries[count];
		index->entries[count++] = entry;
	}
	return count;
}

/** Several images under one name are one image for several platforms; under several names they are not. */
static bool have_one_name(const struct scar_index_entry *entries, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		const char *a = entries[0].ref_name, *b = entries[i].ref_name;

		if (!a != !b || (a && strcmp(a, b) != 0))
			return false;
	}
	return true;
}

static int refuse_names(const struct scar_manifest *index, const struct layout *layout,
			struct scar_err *err)
{
	const struct scar_ref *ref = layout->ref;
	scar_buf_auto struct scar_buf names;

	scar_buf_init(&names, SCAR_ERR_MSG_MAX / 2);
	for (size_t i = 0; i < index->entry_count; i++) {
		const char *name = index->entries[i].ref_name;

		/* A list too long for a message is cut. */
		if (name && scar_buf_printf(&names, err, "%s%s", names.len ? ", " : "", name) < 0)
			break;
	}
	if (ref->digest || ref->tag)
		return scar_err_set(err, SCAR_ERR_NOT_FOUND, "the layout has no image %s%s%s",
				    ref->digest ? ref->digest : ref->tag,
				    names.len ? "; it has " : "", names.data);
	if (!index->entry_count)
		return scar_err_set(err, SCAR_ERR_NOT_FOUND, "the layout has no image");
	return scar_err_set(err, SCAR_ERR_REFERENCE,
			    "the layout has several images, name one (%s%s:NAME): %s",
			    scar_ref_prefix(layout->ref->transport), layout->ref->path, names.data);
}

static int read_index(const struct layout *layout, struct scar_manifest *ret_index,
		      struct scar_err *err)
{
	scar_buf_auto struct scar_buf text;

	scar_buf_init(&text, SCAR_LIMIT_MANIFEST_BYTES);
	if (copy_file(layout, "index.json", append_sink, &text, err) < 0 ||
	    scar_manifest_parse(SCAR_MEDIA_OCI_INDEX, text.data, text.len, ret_index, err) < 0)
		return scar_err_wrap(err, "index.json");
	return 0;
}

static int layout_root(void *impl, const struct scar_platform *platform, struct scar_buf *text,
		       char ret_media_type[SCAR_MEDIA_TYPE_MAX], struct scar_digest *ret_expected,
		       struct scar_err *err)
{
	const struct layout *layout = impl;
	scar_manifest_auto struct scar_manifest index = {.is_index = true};
	struct scar_manifest asked_for;
	const struct scar_index_entry *entry;

	if (read_index(layout, &index, err) < 0)
		return -1;
	asked_for = index; /* a view: not to be cleared */
	asked_for.entry_count = gather_asked_for(&index, layout->ref);
	if (!asked_for.entry_count || !have_one_name(index.entries, asked_for.entry_count))
		return refuse_names(&index, layout, err);
	entry = &index.entries[0];
	if (asked_for.entry_count > 1 &&
	    scar_manifest_select(&asked_for, platform, &entry, err) < 0)
		return -1;
	if (layout_manifest(impl, &entry->descriptor, text, err) < 0)
		return -1;
	memcpy(ret_media_type, entry->descriptor.media_type, SCAR_MEDIA_TYPE_MAX);
	*ret_expected = entry->descriptor.digest;
	return 0;
}

const struct scar_source_ops scar_source_layout = {
	.transport = SCAR_TRANSPORT_OCI_DIR,
	.open = layout_open,
	.close = layout_close,
	.root = layout_root,
	.manifest = layout_manifest,
	.blob = layout_blob,
};

const struct scar_source_ops scar_source_layout_archive = {
	.transport = SCAR_TRANSPORT_OCI_ARCHIVE,
	.open = layout_open_archive,
	.close = layout_close,
	.root = layout_root,
	.manifest = layout_manifest,
	.blob = layout_blob,
};
