/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "invoke/engine/guest/path.h"
#include "invoke/engine/guest/proctext.h"
#include "invoke/engine/guest/text.h"

/* Mounts beyond these do not show; Lambda has about twenty. */
#define MOUNTS_MAX 256
/* Ids of the mounts that the engine stands for, above those the kernel gives. */
#define BIND_IDS 1000000u

struct field {
	const char *at;
	size_t len;
};

/* One line of mountinfo: proc(5). */
struct mount {
	uint64_t id, parent;
	struct field device, root, point, options, optional, type, source, super_options;
};

/* Where a mount shows in the guest. */
struct shown {
	uint64_t id, parent;
	const char *root_rest; /* path below the mount's root */
	const char *point;     /* guest path */
	bool read_only, is_tmpfs;
	bool is_whole; /* of the engine's own making: where it lies on the host is nobody's business */
};

static struct field take_field(const char **at, const char *end)
{
	struct field f = {.at = *at};

	while (*at < end && **at != ' ')
		(*at)++;
	f.len = (size_t)(*at - f.at);
	while (*at < end && **at == ' ')
		(*at)++;
	return f;
}

static uint64_t number_of(struct field f)
{
	uint64_t value = 0;

	for (size_t i = 0; i < f.len && f.at[i] >= '0' && f.at[i] <= '9'; i++)
		value = value * 10 + (unsigned)(f.at[i] - '0');
	return value;
}

static bool parse(const char *at, const char *end, struct mount *m)
{
	struct field f;

	m->id = number_of(take_field(&at, end));
	m->parent = number_of(take_field(&at, end));
	m->device = take_field(&at, end);
	m->root = take_field(&at, end);
	m->point = take_field(&at, end);
	m->options = take_field(&at, end);
	m->optional = (struct field){.at = at};
	for (f = take_field(&at, end); f.len && !(f.len == 1 && *f.at == '-');
	     f = take_field(&at, end))
		m->optional.len = (size_t)(at - m->optional.at);
	m->type = take_field(&at, end);
	m->source = take_field(&at, end);
	m->super_options = (struct field){.at = at, .len = (size_t)(end - at)};
	return m->id && m->type.len;
}

/* Spaces and the like are written as three octal digits. */
static void unescape(struct field f, char buf[SCAR_GUEST_PATH_MAX])
{
	size_t len = 0;

	for (size_t i = 0; i < f.len && len + 1 < SCAR_GUEST_PATH_MAX; i++) {
		const char *at = f.at + i;

		if (*at == '\\' && i + 3 < f.len) {
			buf[len++] = (char)((at[1] - '0') << 6 | (at[2] - '0') << 3 |
					    (at[3] - '0'));
			i += 3;
		} else {
			buf[len++] = *at;
		}
	}
	buf[len] = '\0';
}

static void put_escaped(struct scar_text *t, const char *path)
{
	for (; *path; path++) {
		if (*path != ' ' && *path != '\t' && *path != '\n' && *path != '\\') {
			scar_text_put(t, path, 1);
			continue;
		}
		scar_text_str(t, *path == '\n'   ? "\\012"
				 : *path == '\t' ? "\\011"
				 : *path == ' '  ? "\\040"
						 : "\\134");
	}
}

static void put_field(struct scar_text *t, struct field f)
{
	scar_text_put(t, f.at, f.len);
}

/* "rw,..." with the first word as it must be. */
static void put_options(struct scar_text *t, struct field f, bool read_only)
{
	if (read_only && f.len >= 2 && memcmp(f.at, "rw", 2) == 0) {
		scar_text_str(t, "ro");
		f.at += 2;
		f.len -= 2;
	}
	put_field(t, f);
}

static bool is_read_only(struct field f)
{
	return f.len >= 2 && memcmp(f.at, "ro", 2) == 0;
}

static void put_type(struct scar_text *t, const struct mount *m, const struct shown *s)
{
	if (s->is_tmpfs)
		scar_text_str(t, "tmpfs");
	else
		put_field(t, m->type);
}

static void put_info(struct scar_text *t, const struct mount *m, const struct shown *s)
{
	scar_text_unsigned(t, s->id, 10);
	scar_text_str(t, " ");
	scar_text_unsigned(t, s->parent, 10);
	scar_text_str(t, " ");
	put_field(t, m->device);
	scar_text_str(t, " ");
	if (s->is_whole) {
		scar_text_str(t, "/");
	} else {
		/* A directory of the root of a file system: "/" is not doubled. */
		if (!*s->root_rest || m->root.len > 1)
			put_field(t, m->root);
		put_escaped(t, s->root_rest);
	}
	scar_text_str(t, " ");
	put_escaped(t, s->point);
	scar_text_str(t, " ");
	put_options(t, m->options, s->read_only);
	scar_text_str(t, " ");
	put_field(t, m->optional);
	scar_text_str(t, "- ");
	put_type(t, m, s);
	scar_text_str(t, " ");
	put_field(t, m->source);
	scar_text_str(t, " ");
	put_field(t, m->super_options);
	scar_text_str(t, "\n");
}

static void put_table(struct scar_text *t, const struct mount *m, const struct shown *s)
{
	put_field(t, m->source);
	scar_text_str(t, " ");
	put_escaped(t, s->point);
	scar_text_str(t, " ");
	put_type(t, m, s);
	scar_text_str(t, " ");
	put_options(t, m->options, s->read_only || is_read_only(m->super_options));
	/* Of the file system's own options the first is ro or rw once more. */
	if (m->super_options.len > 2)
		scar_text_put(t, m->super_options.at + 2, m->super_options.len - 2);
	scar_text_str(t, " 0 0\n");
}

static void put_stats(struct scar_text *t, const struct mount *m, const struct shown *s)
{
	scar_text_str(t, "device ");
	put_field(t, m->source);
	scar_text_str(t, " mounted on ");
	put_escaped(t, s->point);
	scar_text_str(t, " with fstype ");
	put_type(t, m, s);
	scar_text_str(t, "\n");
}

static void show(const struct scar_proctext *p, enum scar_proctext_mounts layout,
		 const struct mount *m, const struct shown *s)
{
	char line[3 * SCAR_GUEST_PATH_MAX];
	struct scar_text t = scar_text_of(line, sizeof(line));

	switch (layout) {
	case SCAR_MOUNTS_INFO: put_info(&t, m, s); break;
	case SCAR_MOUNTS_TABLE: put_table(&t, m, s); break;
	case SCAR_MOUNTS_STATS: put_stats(&t, m, s); break;
	}
	if (!t.cut)
		p->sink(p->sink_ctx, t.start, t.len);
}

/* The mount table of the host, and what of it the guest can see. */
struct table {
	const struct scar_proctext *p;
	enum scar_proctext_mounts layout;
	uint64_t root_id;
	size_t count;
	struct field lines[MOUNTS_MAX];
	uint64_t visible[MOUNTS_MAX]; /* ids */
	size_t visible_count;
};

static bool parse_number(const struct table *t, size_t i, struct mount *m)
{
	return parse(t->lines[i].at, t->lines[i].at + t->lines[i].len, m);
}

/* Guest path of a mount point of the host, if that is what the guest finds there. */
static bool visible_point(const struct scar_guest *guest, const struct mount *m,
			  char ret_point[SCAR_GUEST_PATH_MAX])
{
	char host[SCAR_GUEST_PATH_MAX], back[SCAR_GUEST_ROOT_MAX + SCAR_GUEST_PATH_MAX];

	unescape(m->point, host);
	memcpy(ret_point, host, strlen(host) + 1);
	if (scar_path_to_guest(guest, ret_point, SCAR_GUEST_PATH_MAX) < 0)
		return false;
	scar_path_to_host(guest, strcmp(ret_point, "/") == 0 ? "" : ret_point, back);
	return strcmp(back, host) == 0;
}

/* The mount that a host path lies in; of several on one point the last hides the others. */
static bool mount_of(const struct table *t, const char *host, struct mount *ret_mount,
		     size_t *ret_point_len)
{
	bool found = false;

	for (size_t i = 0; i < t->count; i++) {
		char point[SCAR_GUEST_PATH_MAX];
		struct mount m;
		size_t len;

		if (!parse_number(t, i, &m))
			continue;
		unescape(m.point, point);
		len = strcmp(point, "/") == 0 ? 0 : strlen(point);
		if (!scar_path_below(host, point, len) || (found && len < *ret_point_len))
			continue;
		*ret_mount = m;
		*ret_point_len = len;
		found = true;
	}
	return found;
}

static void show_place(const struct table *t, const char *host, struct shown *s)
{
	struct mount m;
	size_t len;

	if (!mount_of(t, host, &m, &len))
		return;
	s->root_rest = host + len;
	show(t->p, t->layout, &m, s);
}

static bool is_visible_id(const struct table *t, uint64_t id)
{
	for (size_t i = 0; i < t->visible_count; i++)
		if (t->visible[i] == id)
			return true;
	return false;
}

static bool is_bind_point(const struct scar_guest *guest, const char *point)
{
	for (uint32_t i = 0; i < guest->bind_count; i++)
		if (strcmp(guest->binds[i].guest, point) == 0)
			return true;
	return false;
}

static void show_host_mounts(const struct table *t)
{
	for (size_t i = 0; i < t->count; i++) {
		char point[SCAR_GUEST_PATH_MAX];
		struct mount m;
		struct shown s = {.root_rest = "", .point = point};

		if (!parse_number(t, i, &m) || !visible_point(t->p->guest, &m, point) ||
		    strcmp(point, "/") == 0 || is_bind_point(t->p->guest, point))
			continue;
		s.id = m.id;
		s.parent = is_visible_id(t, m.parent) ? m.parent : t->root_id;
		show(t->p, t->layout, &m, &s);
	}
}

static void read_lines(struct table *t, const char *text, size_t len)
{
	const char *end = text + len;

	for (const char *at = text; at < end && t->count < MOUNTS_MAX;) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		char point[SCAR_GUEST_PATH_MAX];
		struct mount m;

		if (!newline)
			newline = end;
		t->lines[t->count++] = (struct field){.at = at, .len = (size_t)(newline - at)};
		if (parse(at, newline, &m) && visible_point(t->p->guest, &m, point) &&
		    strcmp(point, "/") != 0 && !is_bind_point(t->p->guest, point))
			t->visible[t->visible_count++] = m.id;
		at = newline + 1;
	}
}

void scar_proctext_mounts(const struct scar_proctext *p, enum scar_proctext_mounts layout,
			  const char *text, size_t len)
{
	const struct scar_guest *guest = p->guest;
	struct table t = {.p = p, .layout = layout, .root_id = BIND_IDS};
	struct shown s = {.id = BIND_IDS, .parent = 1, .point = "/", .is_whole = true};

	read_lines(&t, text, len);
	show_place(&t, guest->root, &s);
	for (uint32_t i = 0; i < guest->bind_count; i++) {
		const struct scar_guest_bind *b = &guest->binds[i];

		s = (struct shown){.id = BIND_IDS + 1 + i,
				   .parent = BIND_IDS,
				   .point = b->guest,
				   .read_only = b->flags & SCAR_BIND_READ_ONLY,
				   .is_tmpfs = b->flags & SCAR_BIND_TMPFS,
				   .is_whole = scar_path_below(b->host, guest->state_dir,
							       strlen(guest->state_dir))};
		show_place(&t, b->host, &s);
	}
	show_host_mounts(&t);
}
