/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/user.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "invoke/text.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/limits.h"

#define FILE_MAX SCAR_MIB(4)
#define PASSWD_FIELDS 7
#define GROUP_FIELDS 4

/* A piece of text that is not NUL-terminated. */
struct span {
	const char *text;
	size_t len;
};

static bool span_is(struct span span, const char *text, size_t len)
{
	return span.len == len && memcmp(span.text, text, len) == 0;
}

static bool parse_id(const char *text, size_t len, uint32_t *ret_id)
{
	uint64_t id = 0;

	if (len == 0 || len > 10)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
		id = id * 10 + (uint64_t)(text[i] - '0');
	}
	/* -1 means "leave as it is" to the kernel. */
	if (id >= UINT32_MAX)
		return false;
	*ret_id = (uint32_t)id;
	return true;
}

/* Takes the next line of *text apart at its colons; fields that it lacks are NULL. @return the number of fields; 0 at the end */
static size_t next_line(const char **text, struct span *fields, size_t max)
{
	const char *at = *text;
	size_t count = 0;

	memset(fields, 0, max * sizeof *fields);
	if (!*at)
		return 0;
	for (;;) {
		size_t len = strcspn(at, ":\n");

		if (count < max)
			fields[count] = (struct span){at, len};
		count++;
		at += len;
		if (*at != ':')
			break;
		at++;
	}
	*text = *at ? at + 1 : at;
	return count;
}

/* The first entry of that name, or of that number: as runc's, whichever comes first. */
static bool find_entry(const char *file, struct span *fields, size_t max, const char *name,
		       size_t len)
{
	uint32_t wanted = 0, id;
	bool numeric = parse_id(name, len, &wanted);
	size_t count;

	while ((count = next_line(&file, fields, max)) > 0) {
		if (count < 3 || !parse_id(fields[2].text, fields[2].len, &id))
			continue;
		if (span_is(fields[0], name, len) || (numeric && id == wanted))
			return true;
	}
	return false;
}

static bool lists_member(struct span members, struct span name)
{
	while (members.len > 0) {
		const char *comma = memchr(members.text, ',', members.len);
		size_t len = comma ? (size_t)(comma - members.text) : members.len;
		size_t step = comma ? len + 1 : len;

		if (span_is(name, members.text, len))
			return true;
		members.text += step;
		members.len -= step;
	}
	return false;
}

static void add_groups(const char *file, struct span name, struct scar_user *user)
{
	struct span fields[GROUP_FIELDS];
	size_t count;
	uint32_t id;

	while ((count = next_line(&file, fields, GROUP_FIELDS)) > 0) {
		if (count < GROUP_FIELDS || user->group_count == SCAR_USER_GROUPS_MAX)
			continue;
		if (parse_id(fields[2].text, fields[2].len, &id) && lists_member(fields[3], name))
			user->groups[user->group_count++] = id;
	}
}

static int set_group(const char *file, const char *name, struct scar_user *user,
		     struct scar_err *err)
{
	struct span fields[GROUP_FIELDS];

	user->group_count = 0;
	if (find_entry(file, fields, GROUP_FIELDS, name, strlen(name))) {
		parse_id(fields[2].text, fields[2].len, &user->gid);
		return 0;
	}
	if (parse_id(name, strlen(name), &user->gid))
		return 0;
	return scar_err_set(err, SCAR_ERR_IMAGE,
			    "the group \"%.100s\" of the image's USER is not in its /etc/group",
			    name);
}

static int set_user(const char *passwd, const char *group, const char *name, size_t len,
		    struct scar_user *user, struct scar_err *err)
{
	struct span fields[PASSWD_FIELDS];

	if (find_entry(passwd, fields, PASSWD_FIELDS, name, len)) {
		size_t home_len = 0;
		const char *home = "/";

		parse_id(fields[2].text, fields[2].len, &user->uid);
		/* A line may be cut short; next_line() gave at least three fields. */
		user->gid = 0;
		if (fields[3].text)
			parse_id(fields[3].text, fields[3].len, &user->gid);
		if (fields[5].text && fields[5].len > 0) {
			home = fields[5].text;
			home_len = fields[5].len;
		}
		add_groups(group, fields[0], user);
		user->home = strndup(home, home_len ? home_len : 1);
	} else if (parse_id(name, len, &user->uid)) {
		user->home = strdup("/");
	} else {
		return scar_err_set(err, SCAR_ERR_IMAGE,
				    "the image's USER \"%.*s\" is not in its /etc/passwd",
				    (int)(len < 100 ? len : 100), name);
	}
	return user->home ? 0 : scar_err_set(err, SCAR_ERR_NOMEM, "out of memory for a user");
}

int scar_user_find(const char *passwd, const char *group, const char *spec,
		   struct scar_user *ret_user, struct scar_err *err)
{
	scar_user_auto struct scar_user user = {0};
	const char *name = spec ? spec : "";
	const char *colon = strchr(name, ':');
	size_t len = colon ? (size_t)(colon - name) : strlen(name);

	if (set_user(passwd, group, len ? name : "0", len ? len : 1, &user, err) < 0)
		return -1;
	if (colon && colon[1] && set_group(group, colon + 1, &user, err) < 0)
		return -1;
	*ret_user = user;
	user.home = NULL;
	return 0;
}

/* A file that is missing is empty. */
static int read_file(int rootfs_fd, const char *path, struct scar_buf *buf, struct scar_err *err)
{
	/* O_NONBLOCK: a FIFO of that name must not hold us up. */
	scar_fd_auto int fd = scar_fs_open_in_root(rootfs_fd, path,
						   O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0);
	struct stat st;

	if (fd < 0) {
		if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
			return 0;
		return scar_err_errno(err, errno, "cannot open the image's %s", path);
	}
	if (fstat(fd, &st) < 0)
		return scar_err_errno(err, errno, "cannot look at the image's %s", path);
	if (!S_ISREG(st.st_mode))
		return scar_err_set(err, SCAR_ERR_IMAGE, "the image's %s is not a regular file",
				    path);
	return scar_fs_read_all(fd, path, buf, err);
}

int scar_user_resolve(int rootfs_fd, const char *spec, struct scar_user *ret_user,
		      struct scar_err *err)
{
	scar_buf_auto struct scar_buf passwd, group;

	scar_buf_init(&passwd, FILE_MAX);
	scar_buf_init(&group, FILE_MAX);
	if (read_file(rootfs_fd, "/etc/passwd", &passwd, err) < 0 ||
	    read_file(rootfs_fd, "/etc/group", &group, err) < 0)
		return -1;
	return scar_user_find(passwd.data, group.data, spec, ret_user, err);
}

void scar_user_clear(struct scar_user *user)
{
	free(user->home);
	*user = (struct scar_user){0};
}
