/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor/clone.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "extractor/clone_internal.h"
#include "extractor/rootfs_internal.h"
#include "extractor/store_internal.h"
#include "runtime/base/baseline.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"

#define OPEN_DIR (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define OPEN_FILE (O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC)
#define CREATE_FILE (O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC)

struct mapping {
	void *data;
	size_t size;
};

struct clone {
	struct scar_rootfs *rootfs;
	struct mapping baseline_file, owners_file;
	struct scar_baseline baseline;
	struct scar_owners owners;
	int source_fd, target_fd; /* the directory at work on either side; the way up is ".." */
	int links_fd;             /* files with several names, by the inode in the source */
	struct scar_buf path;     /* of the directory at work, "" or "/a/b" */
	struct scar_clone_copier copier;
	const volatile int *cancel;
};

static int differs(const char *name, struct scar_err *err)
{
	return scar_err_set(err, SCAR_ERR_INTEGRITY, "%.128s is not what the list of files says",
			    *name ? name : "the root");
}

/* ---- the entry ---- */

static int map_file(int dirfd, const char *name, struct mapping *ret_mapping, struct scar_err *err)
{
	scar_fd_auto int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	void *data;

	if (fd < 0 || fstat(fd, &st) < 0)
		return scar_err_errno(err, errno, "cannot open %s", name);
	if (st.st_size == 0)
		return scar_err_set(err, SCAR_ERR_INTEGRITY, "%s is empty", name);
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return scar_err_errno(err, errno, "cannot map %s", name);
	*ret_mapping = (struct mapping){data, (size_t)st.st_size};
	return 0;
}

static void unmap(struct mapping *mapping)
{
	if (mapping->data)
		munmap(mapping->data, mapping->size);
	mapping->data = NULL;
}

static int open_lists(struct clone *c, int source_fd, struct scar_err *err)
{
	if (map_file(source_fd, SCAR_BASELINE_FILE, &c->baseline_file, err) < 0 ||
	    map_file(source_fd, SCAR_STORE_OWNERS, &c->owners_file, err) < 0)
		return -1;
	if (scar_baseline_check(c->baseline_file.data, c->baseline_file.size, &c->baseline) < 0)
		return scar_err_set(err, SCAR_ERR_INTEGRITY, "the list of files is damaged");
	if (scar_owners_check(c->owners_file.data, c->owners_file.size, &c->owners) < 0)
		return scar_err_set(err, SCAR_ERR_INTEGRITY, "the list of owners is damaged");
	return 0;
}

static int open_dirs(struct clone *c, int source_fd, int dirfd, struct scar_err *err)
{
	if (scar_fs_open_dir(source_fd, SCAR_STORE_FS, true, &c->source_fd, err) < 0)
		return -1;
	c->target_fd = openat(c->rootfs->root_fd, ".", OPEN_DIR);
	if (c->target_fd < 0 || mkdirat(dirfd, SCAR_CLONE_LINKS, 0700) < 0)
		return scar_err_errno(err, errno, "cannot make a directory in the store");
	return scar_fs_open_dir(dirfd, SCAR_CLONE_LINKS, false, &c->links_fd, err);
}

/* ---- what is not a directory ---- */

/* The owner goes with the file, under its new number. */
static int copy_owner(struct clone *c, uint64_t from, uint64_t to, struct scar_err *err)
{
	const struct scar_owner *known = scar_owners_find(&c->owners, from);
	struct scar_owner owner;

	if (!known)
		return 0;
	owner = *known;
	owner.ino = to;
	return scar_owner_table_set(&c->rootfs->owners, &owner, err);
}

static const char *link_name(uint64_t ino, char name[24])
{
	snprintf(name, 24, "%llx", (unsigned long long)ino);
	return name;
}

/* Gives a file that was copied under another name this one too. @return 1 done, 0 it was not copied yet, -1 */
static int link_again(const struct clone *c, const struct stat *st, const char *name,
		      struct scar_err *err)
{
	char kept[24];

	if (st->st_nlink < 2)
		return 0;
	if (linkat(c->links_fd, link_name(st->st_ino, kept), c->target_fd, name, 0) == 0)
		return 1;
	return errno == ENOENT ? 0 : scar_err_errno(err, errno, "cannot link %.128s", name);
}

/* What comes last with every file that was made: `st` is that of the source. */
static int finish_file(struct clone *c, const struct stat *st, const char *name,
		       struct scar_err *err)
{
	struct stat made;
	char kept[24];

	if (fstatat(c->target_fd, name, &made, AT_SYMLINK_NOFOLLOW) < 0)
		return scar_err_errno(err, errno, "cannot look at the copy of %.128s", name);
	if (st->st_nlink > 1 &&
	    linkat(c->target_fd, name, c->links_fd, link_name(st->st_ino, kept), 0) < 0)
		return scar_err_errno(err, errno, "cannot link %.128s", name);
	return copy_owner(c, st->st_ino, made.st_ino, err);
}

static int copy_regular(struct clone *c, const char *name, const struct scar_baseline_node *node,
			struct scar_err *err)
{
	scar_fd_auto int from = openat(c->source_fd, name, OPEN_FILE);
	scar_fd_auto int to = -1;
	struct stat st;
	int linked;

	if (from < 0 && (errno == ENOENT || errno == ELOOP))
		return differs(name, err);
	if (from < 0 || fstat(from, &st) < 0)
		return scar_err_errno(err, errno, "cannot open %.128s", name);
	if (!S_ISREG(st.st_mode) || st.st_ino != node->ino || (uint64_t)st.st_size != node->size)
		return differs(name, err);
	linked = link_again(c, &st, name, err);
	if (linked != 0)
		return linked < 0 ? -1 : 0;
	to = openat(c->target_fd, name, CREATE_FILE, st.st_mode & 07777);
	if (to < 0)
		return scar_err_errno(err, errno, "cannot make %.128s", name);
	if (scar_clone_content(&c->copier, from, to, &st, err) < 0 ||
	    scar_clone_attributes(from, to, &st, err) < 0)
		return scar_err_wrap(err, "copying %.128s", name);
	return finish_file(c, &st, name, err);
}

/* Symbolic links and fifos. */
static int copy_special(struct clone *c, const char *name, const struct scar_baseline_node *node,
			struct scar_err *err)
{
	struct stat st;
	int linked;

	if (fstatat(c->source_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? differs(name, err)
				       : scar_err_errno(err, errno, "cannot look at %.128s", name);
	if (st.st_ino != node->ino || (st.st_mode & S_IFMT) != (node->mode & S_IFMT))
		return differs(name, err);
	linked = link_again(c, &st, name, err);
	if (linked != 0)
		return linked < 0 ? -1 : 0;
	if (scar_clone_special(c->source_fd, c->target_fd, name, &st, err) < 0)
		return -1;
	return finish_file(c, &st, name, err);
}

/* ---- directories ---- */

/* Everything that is in the directory at work; of directories only the name. */
static int copy_children(struct clone *c, const struct scar_baseline_node *directory,
			 struct scar_err *err)
{
	uint32_t i, end = directory->first + directory->count;

	if (end < directory->first || end > c->baseline.header->node_count)
		return scar_err_set(err, SCAR_ERR_INTEGRITY, "the list of files is damaged");
	for (i = directory->first; i < end; i++) {
		const struct scar_baseline_node *node = &c->baseline.nodes[i];
		const char *name = scar_baseline_name(&c->baseline, node);
		int result;

		if (S_ISREG(node->mode))
			result = copy_regular(c, name, node, err);
		else if (!S_ISDIR(node->mode))
			result = copy_special(c, name, node, err);
		else if ((result = mkdirat(c->target_fd, name, node->mode & 07777)) < 0)
			scar_err_errno(err, errno, "cannot make directory %.128s", name);
		if (result < 0)
			return -1;
		c->rootfs->entries++;
	}
	return 0;
}

/* Layers above may change the time; it is set again at the end, by a path if there can be one. */
static int note_time(struct clone *c, uint64_t ino, const struct timespec *mtime,
		     struct scar_err *err)
{
	if (c->path.len >= PATH_MAX - 2)
		return 0;
	return scar_dir_times_set(c->rootfs, ino, mtime, c->path.len ? c->path.data : "", ".", err);
}

/* The directory at work, which is that node: what is in it, then its attributes. */
static int copy_dir(struct clone *c, const struct scar_baseline_node *node, struct scar_err *err)
{
	struct stat st, made;

	if (c->cancel && __atomic_load_n(c->cancel, __ATOMIC_RELAXED))
		return scar_err_set(err, SCAR_ERR_INTERRUPTED, "told to stop");
	if (fstat(c->source_fd, &st) < 0)
		return scar_err_errno(err, errno, "cannot look at a directory of the image");
	if (st.st_ino != node->ino)
		return differs(scar_baseline_name(&c->baseline, node), err);
	if (copy_children(c, node, err) < 0 ||
	    scar_clone_attributes(c->source_fd, c->target_fd, &st, err) < 0)
		return -1;
	if (fstat(c->target_fd, &made) < 0)
		return scar_err_errno(err, errno, "cannot look at a directory of the image");
	if (copy_owner(c, st.st_ino, made.st_ino, err) < 0)
		return -1;
	return note_time(c, made.st_ino, &st.st_mtim, err);
}

static int go(struct clone *c, const char *name, struct scar_err *err)
{
	scar_fd_auto int from = openat(c->source_fd, name, OPEN_DIR);
	scar_fd_auto int to = openat(c->target_fd, name, OPEN_DIR);

	if (from < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return differs(name, err);
	if (from < 0 || to < 0)
		return scar_err_errno(err, errno, "cannot open directory %.64s of the image", name);
	close(c->source_fd);
	close(c->target_fd);
	c->source_fd = scar_steal_fd(&from);
	c->target_fd = scar_steal_fd(&to);
	return 0;
}

static int go_down(struct clone *c, const struct scar_baseline_node *node, struct scar_err *err)
{
	const char *name = scar_baseline_name(&c->baseline, node);

	if (scar_buf_append_char(&c->path, '/', err) < 0 ||
	    scar_buf_append_str(&c->path, name, err) < 0)
		return -1;
	return go(c, name, err);
}

static int go_up(struct clone *c, struct scar_err *err)
{
	while (c->path.len > 0 && c->path.data[--c->path.len] != '/')
		;
	c->path.data[c->path.len] = '\0';
	return go(c, "..", err);
}

/* In the order of the list: a directory, then what is below each of those in it. */
static int copy_tree(struct clone *c, struct scar_err *err)
{
	const struct scar_baseline_node *nodes = c->baseline.nodes;
	uint32_t at = 0, next;

	if (copy_dir(c, &nodes[0], err) < 0)
		return -1;
	next = nodes[0].first;
	for (;;) {
		uint32_t end = nodes[at].first + nodes[at].count;

		while (next < end && !S_ISDIR(nodes[next].mode))
			next++;
		if (next < end) {
			/* Else a damaged list could lead in a circle. */
			if (nodes[next].parent != at || nodes[next].first <= next)
				return scar_err_set(err, SCAR_ERR_INTEGRITY,
						    "the list of files is damaged");
			if (go_down(c, &nodes[next], err) < 0 || copy_dir(c, &nodes[next], err) < 0)
				return -1;
			at = next;
			next = nodes[at].first;
		} else if (at == 0) {
			return 0;
		} else {
			next = at + 1;
			at = nodes[at].parent;
			if (go_up(c, err) < 0)
				return -1;
		}
	}
}

static int copy_all(struct clone *c, int source_fd, int dirfd, struct scar_err *err)
{
	if (open_lists(c, source_fd, err) < 0 || open_dirs(c, source_fd, dirfd, err) < 0)
		return -1;
	c->copier.block = malloc(SCAR_CLONE_BLOCK_BYTES);
	if (!c->copier.block)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for a copy");
	scar_buf_init(&c->path, c->baseline.names_size + c->baseline.header->node_count + 1);
	if (copy_tree(c, err) < 0)
		return -1;
	c->rootfs->bytes += c->copier.bytes;
	/* Whiteouts of what comes next mean what was copied. */
	c->rootfs->layer++;
	return scar_fs_remove_tree(dirfd, SCAR_CLONE_LINKS, err);
}

int scar_clone_rootfs(struct scar_rootfs *rootfs, int source_fd, int dirfd,
		      const volatile int *cancel, struct scar_err *err)
{
	struct clone c = {
		.rootfs = rootfs,
		.source_fd = -1,
		.target_fd = -1,
		.links_fd = -1,
		.cancel = cancel,
	};
	int result = copy_all(&c, source_fd, dirfd, err);

	scar_cleanup_fd(&c.source_fd);
	scar_cleanup_fd(&c.target_fd);
	scar_cleanup_fd(&c.links_fd);
	scar_buf_clear(&c.path);
	free(c.copier.block);
	unmap(&c.baseline_file);
	unmap(&c.owners_file);
	return result;
}
