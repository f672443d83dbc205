/* SPDX-License-Identifier: Apache-2.0 */
/* The image's USER, /etc/passwd and /etc/group: three texts, each ended by a NUL. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "invoke/user.h"
#include "runtime/base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Exactly as large as the texts, so that a byte read beyond is seen. */
	char *text = calloc(1, size + 3);
	scar_user_auto struct scar_user user = {0};
	const char *passwd, *group;
	struct scar_err err;

	if (!text)
		return 0;
	memcpy(text, data, size);
	passwd = text + strlen(text) + 1;
	group = passwd + strlen(passwd) + 1;
	if (scar_user_find(passwd, group, text, &user, &err) < 0) {
		if (err.kind != SCAR_ERR_IMAGE || user.home)
			abort();
	} else if (!user.home || !user.home[0] || user.uid == UINT32_MAX ||
		   user.gid == UINT32_MAX || user.group_count > SCAR_USER_GROUPS_MAX) {
		abort();
	}
	free(text);
	return 0;
}
