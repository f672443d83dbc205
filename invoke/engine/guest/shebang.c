/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/guest/shebang.h"

#include <errno.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

bool scar_shebang_is(const char *head, size_t len)
{
	return len >= 2 && head[0] == '#' && head[1] == '!';
}

int scar_shebang_parse(char *head, size_t len, struct scar_shebang *ret_line)
{
	char *end = memchr(head, '\n', len), *name, *at;
	bool cut = !end;

	if (cut)
		end = head + strnlen(head, len);
	while (end > head + 2 && is_blank(end[-1]))
		end--;
	*end = '\0';
	for (name = head + 2; is_blank(*name); name++)
		;
	if (!*name)
		return -ENOEXEC;
	for (at = name; *at && !is_blank(*at); at++)
		;
	/* A name that runs to the end of what was read may be the front of a longer one. */
	if (cut && !*at && len >= SCAR_SHEBANG_BYTES && (size_t)(end - head) == len)
		return -ENOEXEC;
	ret_line->argument = NULL;
	if (*at) {
		*at++ = '\0';
		while (is_blank(*at))
			at++;
		if (*at)
			ret_line->argument = at;
	}
	ret_line->interpreter = name;
	return 0;
}
