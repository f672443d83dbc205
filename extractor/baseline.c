/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/baseline.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "extractor/name.h"
#include "runtime/base/baseline.h"
#include "runtime/base/buf.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/limits.h"

#define OPEN_LIST (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define NAMES_MAX_BYTES ((size_t)1 << 31)

struct listing {
	int fd; /* the directory at work; owned. The way back up is "..", checked by inode. */
	struct scar_baseline_node *nodes;
	uint32_t count, room;
	struct scar_buf names;
	uint32_t *slots;
	uint32_t slot_count;
};

/* ---- the tree ---- */

static void describe(struct scar_baseline_node *node, const struct stat *st)
{
	node->ino = st->st_ino;
	node->size = (uint64_t)st->st_size;
	node->mtime = st->st_mtim.tv_sec;
	node->mtime_ns = (uint32_t)st->st_mtim.tv_nsec;
	node->ctime = st->st_ctim.tv_sec;
	node->ctime_ns = (uint32_t)st->st_ctim.tv_nsec;
	node->mode = st->st_mode;
}

static struct scar_baseline_node *add(struct listing *l, uint32_t parent, const char *name,
				      struct scar_err *err)
{
	struct scar_baseline_node *node;

	if (l->count == l->room) {
		uint32_t room = l->room ? l->room * 2 : 4096;
		void *more = room > SCAR_LIMIT_TAR_ENTRIES * 2u
				     ? NULL
				     : reallocarray(l->nodes, room, sizeof *l->nodes);

		if (!more) {
			scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for the list of files");
			return NULL;
		}
		l->nodes = more;
		l->room = room;
	}
	node = &l->nodes[l->count];
	*node = (struct scar_baseline_node){.parent = parent, .name = (uint32_t)l->names.len};
	if (scar_buf_append(&l->names, name, strlen(name) + 1, err) < 0)
		return NULL;
	l->count++;
	return node;
}

static int by_name(const void *a, const void *b, void *names)
{
	const struct scar_baseline_node *x = a, *y = b;

	return strcmp((const char *)names + x->name, (const char *)names + y->name);
}

/* The children of the directory at work. */
static int expand(struct listing *l, uint32_t directory, struct scar_err *err)
{
	scar_fd_auto int copy = openat(l->fd, ".", OPEN_LIST);
	scar_dir_auto DIR *stream = copy >= 0 ? fdopendir(copy) : NULL;
	uint32_t first = l->count;
	const struct dirent *entry;

	if (!stream)
		return scar_err_errno(err, errno, "cannot read a directory of the image");
	scar_steal_fd(&copy);
	while (errno = 0, (entry = readdir(stream)) != NULL) {
		struct scar_baseline_node *node;
		struct stat st;

		if (scar_name_is_dots(entry->d_name))
			continue;
		if (fstatat(l->fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return scar_err_errno(err, errno, "cannot look at %.64s", entry->d_name);
		node = add(l, directory, entry->d_name, err);
		if (!node)
			return -1;
		describe(node, &st);
	}
	if (errno)
		return scar_err_errno(err, errno, "cannot read a directory of the image");
	qsort_r(l->nodes + first, l->count - first, sizeof *l->nodes, by_name, l->names.data);
	l->nodes[directory].first = first;
	l->nodes[directory].count = l->count - first;
	return 0;
}

/* Goes to a directory by a name in the one at work; it must be that node. */
static int go(struct listing *l, const char *name, uint32_t node, struct scar_err *err)
{
	scar_fd_auto int fd = openat(l->fd, name, OPEN_LIST);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return scar_err_errno(err, errno, "cannot open directory %.64s of the image", name);
	if (st.st_ino != l->nodes[node].ino)
		return scar_err_set(err, SCAR_ERR_INTERNAL,
				    "the image changed while it was listed");
	close(l->fd);
	l->fd = scar_steal_fd(&fd);
	return 0;
}

static int list_tree(struct listing *l, struct scar_err *err)
{
	uint32_t at = 0, next;

	if (expand(l, 0, err) < 0)
		return -1;
	next = l->nodes[0].first;
	for (;;) {
		uint32_t end = l->nodes[at].first + l->nodes[at].count;

		while (next < end && !S_ISDIR(l->nodes[next].mode))
			next++;
		if (next < end) {
			if (go(l, l->names.data + l->nodes[next].name, next, err) < 0 ||
			    expand(l, next, err) < 0)
				return -1;
			at = next;
			next = l->nodes[at].first;
		} else if (at == 0) {
			return 0;
		} else {
			next = at + 1;
			at = l->nodes[at].parent;
			if (go(l, "..", at, err) < 0)
				return -1;
		}
	}
}

/* ---- the file ---- */

static int make_table(struct listing *l, struct scar_err *err)
{
	l->slot_count = 1024;
	while (l->slot_count < l->count * 2u)
		l->slot_count *= 2;
	l->slots = malloc(l->slot_count * sizeof *l->slots);
	if (!l->slots)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for the list of files");
	memset(l->slots, 0xff, l->slot_count * sizeof *l->slots);
	for (uint32_t i = 0; i < l->count; i++) {
		uint32_t at = scar_baseline_slot(l->nodes[i].ino, l->slot_count);

		while (l->slots[at] != SCAR_BASELINE_NONE &&
		       l->nodes[l->slots[at]].ino != l->nodes[i].ino)
			at = (at + 1) & (l->slot_count - 1);
		if (l->slots[at] == SCAR_BASELINE_NONE)
			l->slots[at] = i;
	}
	return 0;
}

static int write_file(const struct listing *l, uint64_t dev, int dirfd, const char *name,
		      struct scar_err *err)
{
	scar_fd_auto int fd = openat(dirfd, name,
				     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct scar_baseline_header header = {
		.dev = dev,
		.node_size = sizeof *l->nodes,
		.node_count = l->count,
		.slot_count = l->slot_count,
	};

	if (fd < 0)
		return scar_err_errno(err, errno, "cannot make the list of files");
	memcpy(header.magic, SCAR_BASELINE_MAGIC, sizeof header.magic);
	header.nodes_offset = SCAR_BASELINE_MARKS_OFFSET + (l->count / 8 + 4096) / 4096 * 4096;
	header.hash_offset = header.nodes_offset + (uint64_t)l->count * sizeof *l->nodes;
	header.names_offset = header.hash_offset + (uint64_t)l->slot_count * sizeof *l->slots;
	header.file_size = header.names_offset + l->names.len;
	if (scar_fs_write_all(fd, &header, sizeof header, "the list of files", err) < 0)
		return -1;
	if (lseek(fd, (off_t)header.nodes_offset, SEEK_SET) < 0)
		return scar_err_errno(err, errno, "cannot write the list of files");
	if (scar_fs_write_all(fd, l->nodes, l->count * sizeof *l->nodes, "the list of files", err) <
		    0 ||
	    scar_fs_write_all(fd, l->slots, l->slot_count * sizeof *l->slots, "the list of files",
			      err) < 0)
		return -1;
	return scar_fs_write_all(fd, l->names.data, l->names.len, "the list of files", err);
}

static int write_baseline(struct listing *l, int dirfd, const char *name, struct scar_err *err)
{
	struct scar_baseline_node *root = add(l, 0, "", err);
	struct stat st;

	if (!root)
		return -1;
	if (l->fd < 0 || fstat(l->fd, &st) < 0)
		return scar_err_errno(err, errno, "cannot open the rootfs");
	describe(root, &st);
	if (list_tree(l, err) < 0 || make_table(l, err) < 0)
		return -1;
	return write_file(l, st.st_dev, dirfd, name, err);
}

int scar_baseline_write(int root_fd, int dirfd, const char *name, struct scar_err *err)
{
	struct listing l = {.fd = openat(root_fd, ".", OPEN_LIST)};
	int failed;

	scar_buf_init(&l.names, NAMES_MAX_BYTES);
	failed = write_baseline(&l, dirfd, name, err);
	scar_cleanup_fd(&l.fd);
	free(l.nodes);
	free(l.slots);
	scar_buf_clear(&l.names);
	return failed;
}
