/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/guest/config.h"

#include <errno.h>

#include "invoke/engine/guest/text.h"

/* The ids at the start of struct scar_guest_ids, real user to file system group. */
#define ID_COUNT 8
_Static_assert(offsetof(struct scar_guest_ids, groups) == ID_COUNT * sizeof(uint32_t), "config.h");

/* Fields are "<decimal length>:<bytes>," so that any byte but NUL may stand in a path. */

int scar_guest_bind_add(struct scar_guest *guest, const char *host, const char *path,
			unsigned flags)
{
	size_t host_len = strlen(host), guest_len = strlen(path);
	struct scar_guest_bind *bind = NULL;
	const char *name = path;

	while (host_len > 1 && host[host_len - 1] == '/')
		host_len--;
	while (guest_len > 1 && path[guest_len - 1] == '/')
		guest_len--;
	if (host[0] != '/' || path[0] != '/' || guest_len < 2 || host_len >= SCAR_GUEST_PATH_MAX ||
	    guest_len >= SCAR_GUEST_PATH_MAX)
		return -EINVAL;
	for (uint32_t i = 0; i < guest->bind_count; i++)
		if (guest->binds[i].guest_len == guest_len &&
		    memcmp(guest->binds[i].guest, path, guest_len) == 0)
			bind = &guest->binds[i];
	if (!bind) {
		if (guest->bind_count == SCAR_GUEST_BINDS_MAX)
			return -E2BIG;
		bind = &guest->binds[guest->bind_count++];
	}
	for (const char *at = path; at < path + guest_len; at++)
		if (*at == '/')
			name = at + 1;
	guest->bind_marks |= scar_guest_name_mark(name, guest_len - (size_t)(name - path));
	*bind = (struct scar_guest_bind){.host = host,
					 .guest = path,
					 .host_len = (uint16_t)host_len,
					 .guest_len = (uint16_t)guest_len,
					 .flags = (uint8_t)flags};
	return 0;
}

static void put_bytes(struct scar_text *t, const char *bytes, size_t len)
{
	scar_text_unsigned(t, len, 10);
	scar_text_put(t, ":", 1);
	scar_text_put(t, bytes, len);
	scar_text_put(t, ",", 1);
}

static void put_number(struct scar_text *t, uint64_t value)
{
	char digits[24];
	struct scar_text d = scar_text_of(digits, sizeof(digits));

	scar_text_unsigned(&d, value, 10);
	put_bytes(t, digits, d.len);
}

int scar_guest_encode(const struct scar_guest *guest, char *text, size_t size)
{
	struct scar_text t = scar_text_of(text, size);
	uint32_t ids[ID_COUNT];

	memcpy(ids, &guest->ids, sizeof(ids));
	put_bytes(&t, guest->root, guest->root_len);
	put_bytes(&t, guest->state_dir, strlen(guest->state_dir));
	put_bytes(&t, guest->undo_dir ? guest->undo_dir : "",
		  guest->undo_dir ? strlen(guest->undo_dir) : 0);
	put_number(&t, guest->flags);
	put_number(&t, guest->host_uid);
	put_number(&t, guest->host_gid);
	put_number(&t, guest->ledger);
	for (int i = 0; i < ID_COUNT; i++)
		put_number(&t, ids[i]);
	put_number(&t, guest->ids.group_count);
	for (uint32_t i = 0; i < guest->ids.group_count; i++)
		put_number(&t, guest->ids.groups[i]);
	put_number(&t, guest->bind_count);
	for (uint32_t i = 0; i < guest->bind_count; i++) {
		const struct scar_guest_bind *b = &guest->binds[i];

		put_bytes(&t, b->host, b->host_len);
		put_bytes(&t, b->guest, b->guest_len);
		put_number(&t, b->flags);
	}
	return t.cut ? -E2BIG : (int)t.len;
}

/* Takes the next field off *at and NUL-terminates it in place. */
static char *take_bytes(char **at, size_t *ret_len)
{
	char *p = *at;
	size_t len = 0;

	if (*p < '0' || *p > '9')
		return NULL;
	for (; *p >= '0' && *p <= '9'; p++) {
		len = len * 10 + (size_t)(*p - '0');
		if (len > SCAR_GUEST_TEXT_MAX)
			return NULL;
	}
	if (*p++ != ':' || strnlen(p, len + 1) <= len || p[len] != ',')
		return NULL;
	p[len] = '\0';
	*at = p + len + 1;
	*ret_len = len;
	return p;
}

static bool take_number(char **at, uint32_t *ret_value)
{
	size_t len;
	const char *digits = take_bytes(at, &len);
	uint64_t value = 0;

	if (!digits || len == 0 || len > 10)
		return false;
	for (; *digits; digits++) {
		if (*digits < '0' || *digits > '9')
			return false;
		value = value * 10 + (uint64_t)(*digits - '0');
	}
	if (value > UINT32_MAX)
		return false;
	*ret_value = (uint32_t)value;
	return true;
}

static bool take_ids(char **at, struct scar_guest_ids *ids)
{
	uint32_t numbers[ID_COUNT];

	for (int i = 0; i < ID_COUNT; i++)
		if (!take_number(at, &numbers[i]))
			return false;
	memcpy(ids, numbers, sizeof(numbers));
	if (!take_number(at, &ids->group_count) || ids->group_count > SCAR_GUEST_GROUPS_MAX)
		return false;
	for (uint32_t i = 0; i < ids->group_count; i++)
		if (!take_number(at, &ids->groups[i]))
			return false;
	return true;
}

static bool take_binds(char **at, struct scar_guest *guest)
{
	uint32_t count;

	if (!take_number(at, &count) || count > SCAR_GUEST_BINDS_MAX)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		size_t len;
		uint32_t flags;
		const char *host = take_bytes(at, &len);
		const char *path = host ? take_bytes(at, &len) : NULL;

		if (!path || !take_number(at, &flags) ||
		    scar_guest_bind_add(guest, host, path, flags))
			return false;
	}
	return true;
}

int scar_guest_decode(struct scar_guest *guest, char *text)
{
	struct scar_guest g = {.root_fd = -1};
	size_t len;
	uint32_t flags;
	char *at = text;

	g.root = take_bytes(&at, &g.root_len);
	if (!g.root || g.root[0] != '/' || g.root_len >= SCAR_GUEST_ROOT_MAX)
		return -EINVAL;
	g.state_dir = take_bytes(&at, &len);
	if (!g.state_dir || len >= SCAR_GUEST_ROOT_MAX)
		return -EINVAL;
	g.undo_dir = take_bytes(&at, &len);
	if (!g.undo_dir || len >= SCAR_GUEST_ROOT_MAX || !take_number(&at, &flags) ||
	    !take_number(&at, &g.host_uid) || !take_number(&at, &g.host_gid) ||
	    !take_number(&at, &g.ledger) || !take_ids(&at, &g.ids) || !take_binds(&at, &g) ||
	    *at != '\0')
		return -EINVAL;
	g.flags = flags;
	*guest = g;
	return 0;
}
