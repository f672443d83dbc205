/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file user.h
 * The USER of an image, looked up in the /etc/passwd and /etc/group of its rootfs as Docker does (OCI image-spec, config.md, "User";
 * the rules for groups are those of runc's libcontainer/user). The files are the image's: opened inside the rootfs only, regular
 * files only, bounded.
 */
#ifndef SCAR_INVOKE_USER_H
#define SCAR_INVOKE_USER_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/cleanup.h"

struct scar_err;

/** Supplementary groups kept of a user; more than any system's default hands out. */
#define SCAR_USER_GROUPS_MAX 256

struct scar_user {
	uint32_t uid, gid;
	uint32_t groups[SCAR_USER_GROUPS_MAX];
	size_t group_count;
	char *home; /**< owned; "/" where passwd does not know the user */
};

/**
 * Resolves `spec`: "", NULL (root), "name", "uid", "name:group", "uid:gid" ... Without a group it is that of passwd, with all groups
 * that list the user; with one it is that alone. A number need not be known; a name that is not is SCAR_ERR_IMAGE.
 */
int scar_user_resolve(int rootfs_fd, const char *spec, struct scar_user *ret_user,
		      struct scar_err *err);
/** The same on the text of the two files. */
int scar_user_find(const char *passwd, const char *group, const char *spec,
		   struct scar_user *ret_user, struct scar_err *err);
void scar_user_clear(struct scar_user *user);

#define scar_user_auto scar_auto(scar_user_clear)

#endif
