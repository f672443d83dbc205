/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/beside.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Where `make install` and packages put what is not a command: relative to the program, so that any prefix works. */
#define INSTALLED "../lib/scar/"

static int join(const char *folder, const char *below, const char *name, char path[PATH_MAX],
		struct scar_err *err)
{
	if ((size_t)snprintf(path, PATH_MAX, "%s/%s%s", folder, below, name) < PATH_MAX)
		return 0;
	return scar_err_set(err, SCAR_ERR_LIMIT, "the path of %s is too long", name);
}

int scar_beside(const char *name, char path[PATH_MAX], struct scar_err *err)
{
	char folder[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", folder, sizeof folder - 1);

	if (len <= 0)
		return scar_err_errno(err, errno,
				      "cannot tell where this program lies: /proc/self/exe");
	folder[len] = '\0';
	*strrchr(folder, '/') = '\0';
	if (join(folder, "", name, path, err) < 0)
		return -1;
	if (access(path, F_OK) == 0)
		return 0;
	if (join(folder, INSTALLED, name, path, err) < 0)
		return -1;
	return access(path, F_OK) == 0 ? 0 : join(folder, "", name, path, err);
}
