/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/guest/proctext.h"

#include <string.h>

#include "invoke/engine/guest/path.h"
#include "invoke/engine/guest/text.h"

/* Column where the kernel starts the name of a mapping (fs/proc/task_mmu.c, on 64 bits). */
#define NAME_COLUMN 73

/* One line of maps. */
struct mapping {
	uint64_t start, end, offset, ino;
	uint32_t major, minor;
	char perms[5];
	bool is_patched;
	size_t name_len;
	const char *name; /* into the text, "" if it has none */
};

/* The line at `text` without its end; *ret_next is where the next one starts. */
static size_t line_at(const char *text, const char *end, const char **ret_next)
{
	const char *newline = memchr(text, '\n', (size_t)(end - text));

	*ret_next = newline ? newline + 1 : end;
	return (size_t)((newline ? newline : end) - text);
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/* A number of that base up to `stop`, which is skipped. NULL if there is none. */
static const char *take(const char *at, const char *end, unsigned base, char stop,
			uint64_t *ret_value)
{
	const char *start = at;

	for (*ret_value = 0; at < end && digit(*at) < (int)base; at++)
		*ret_value = *ret_value * base + (unsigned)digit(*at);
	return at > start && at < end && *at == stop ? at + 1 : NULL;
}

static bool parse_mapping(const char *at, size_t len, struct mapping *m)
{
	const char *end = at + len;
	uint64_t major, minor;

	*m = (struct mapping){.perms = ""};
	at = take(at, end, 16, '-', &m->start);
	if (at)
		at = take(at, end, 16, ' ', &m->end);
	if (!at || end - at < 6 || at[4] != ' ')
		return false;
	memcpy(m->perms, at, 4);
	at = take(at + 5, end, 16, ' ', &m->offset);
	if (at)
		at = take(at, end, 16, ':', &major);
	if (at)
		at = take(at, end, 16, ' ', &minor);
	if (at)
		at = take(at, end, 10, ' ', &m->ino);
	if (!at)
		return false;
	m->major = (uint32_t)major;
	m->minor = (uint32_t)minor;
	while (at < end && *at == ' ')
		at++;
	m->name = at;
	m->name_len = (size_t)(end - at);
	return true;
}

static void put_hex(struct scar_text *t, uint64_t value, unsigned width)
{
	char digits[24];
	struct scar_text d = scar_text_of(digits, sizeof(digits));

	scar_text_unsigned(&d, value, 16);
	for (size_t i = d.len; i < width; i++)
		scar_text_str(t, "0");
	scar_text_str(t, digits);
}

/* True for what lies in the state directory itself: some of the guest's binds lie below it, too. */
static bool is_engines(const struct scar_guest *guest, const char *path)
{
	const size_t len = strlen(guest->state_dir);

	if (!scar_path_below(path, guest->state_dir, len))
		return false;
	for (uint32_t i = 0; i < guest->bind_count; i++) {
		const struct scar_guest_bind *b = &guest->binds[i];

		if (b->host_len > len && scar_path_below(path, b->host, b->host_len))
			return false;
	}
	return true;
}

/* Copies a name of the host as the guest's; "" if it is the engine's own. */
static const char *guest_name(const struct scar_proctext *p, const char *name, size_t len,
			      char buf[SCAR_GUEST_PATH_MAX])
{
	if (len >= SCAR_GUEST_PATH_MAX)
		len = SCAR_GUEST_PATH_MAX - 1;
	memcpy(buf, name, len);
	buf[len] = '\0';
	if (is_engines(p->guest, buf))
		return "";
	if (buf[0] == '/')
		scar_path_to_guest(p->guest, buf, SCAR_GUEST_PATH_MAX);
	return buf;
}

static void emit_mapping(const struct scar_proctext *p, const struct mapping *m)
{
	char line[SCAR_GUEST_PATH_MAX + 128], name[SCAR_GUEST_PATH_MAX];
	struct scar_text t = scar_text_of(line, sizeof(line));

	put_hex(&t, m->start, 8);
	scar_text_str(&t, "-");
	put_hex(&t, m->end, 8);
	scar_text_str(&t, " ");
	scar_text_str(&t, m->perms);
	scar_text_str(&t, " ");
	put_hex(&t, m->offset, 8);
	scar_text_str(&t, " ");
	put_hex(&t, m->major, 2);
	scar_text_str(&t, ":");
	put_hex(&t, m->minor, 2);
	scar_text_str(&t, " ");
	scar_text_unsigned(&t, m->ino, 10);
	scar_text_str(&t, " ");
	if (m->name_len) {
		while (t.len < NAME_COLUMN)
			scar_text_str(&t, " ");
		scar_text_str(&t, guest_name(p, m->name, m->name_len, name));
	}
	scar_text_str(&t, "\n");
	p->sink(p->sink_ctx, t.start, t.len);
}

/* True if the mapping is the engine's; patched pages of a guest's file become that file's. */
static bool is_hidden(const struct scar_proctext *p, struct mapping *m)
{
	char name[SCAR_GUEST_PATH_MAX];

	if (m->start >= p->hide_low && m->end <= p->hide_high)
		return true;
	if (!m->name_len || *guest_name(p, m->name, m->name_len, name))
		return false;
	memcpy(name, m->name, m->name_len);
	name[m->name_len] = '\0';
	if (!p->patched || !p->patched(p->patched_ctx, name, m->offset, &m->offset))
		return true;
	m->is_patched = true;
	return false;
}

static bool same_file(const struct mapping *a, const struct mapping *b)
{
	return a->major == b->major && a->minor == b->minor && a->ino == b->ino;
}

/* Patched pages belong to the file that is mapped next to them. */
static void adopt(struct mapping *m, const struct mapping *neighbour)
{
	m->major = neighbour->major;
	m->minor = neighbour->minor;
	m->ino = neighbour->ino;
	m->name = neighbour->name;
	m->name_len = neighbour->name_len;
}

static void name_patched(struct mapping *m, const struct mapping *last, const char *next,
			 const char *end)
{
	struct mapping following;
	size_t len;

	if (last->name_len && last->end == m->start) {
		adopt(m, last);
		return;
	}
	if (next < end) {
		const char *after;

		len = line_at(next, end, &after);
		if (parse_mapping(next, len, &following) && following.start == m->end &&
		    following.name_len) {
			adopt(m, &following);
			return;
		}
	}
	/* Where all of the text is patched and nothing else of the file lies beside it. */
	m->major = m->minor = 0;
	m->ino = 0;
	m->name_len = 0;
}

/* numa_maps: "<address> <policy> file=<name> ..." */
static void put_field_names(const struct scar_proctext *p, const char *line, size_t len)
{
	static const char mark[] = " file=";
	char name[SCAR_GUEST_PATH_MAX];
	const size_t mark_len = sizeof(mark) - 1;

	for (size_t i = 0; i + mark_len < len; i++) {
		size_t from = i + mark_len, to = from;

		if (memcmp(line + i, mark, mark_len) != 0)
			continue;
		while (to < len && line[to] != ' ')
			to++;
		guest_name(p, line + from, to - from, name);
		p->sink(p->sink_ctx, line, from);
		p->sink(p->sink_ctx, name, strlen(name));
		p->sink(p->sink_ctx, line + to, len - to);
		return;
	}
	p->sink(p->sink_ctx, line, len);
}

void scar_proctext_maps(const struct scar_proctext *p, const char *text, size_t len)
{
	const char *end = text + len, *next;
	struct mapping m, last = {.name = ""};
	bool pending = false, hidden = false;

	for (const char *at = text; at < end; at = next) {
		size_t n = line_at(at, end, &next);

		if (!parse_mapping(at, n, &m)) {
			/* Details of the mapping before. */
			if (pending)
				emit_mapping(p, &last);
			pending = false;
			if (!hidden)
				put_field_names(p, at, (size_t)(next - at));
			continue;
		}
		hidden = is_hidden(p, &m);
		if (hidden)
			continue;
		if (m.is_patched)
			name_patched(&m, &last, next, end);
		if (pending && (m.is_patched || last.is_patched) && last.end == m.start &&
		    memcmp(last.perms, m.perms, 4) == 0 && same_file(&last, &m) &&
		    last.offset + (last.end - last.start) == m.offset) {
			last.end = m.end;
			last.is_patched = true;
			continue;
		}
		if (pending)
			emit_mapping(p, &last);
		last = m;
		pending = true;
	}
	if (pending)
		emit_mapping(p, &last);
}

void scar_proctext_environ(const struct scar_proctext *p, const char *const *hidden,
			   const char *text, size_t len)
{
	for (size_t at = 0, n; at < len; at += n) {
		bool ours = false;

		n = strnlen(text + at, len - at);
		n += at + n < len;
		for (const char *const *name = hidden; *name; name++)
			ours |= n > strlen(*name) && memcmp(text + at, *name, strlen(*name)) == 0;
		if (!ours)
			p->sink(p->sink_ctx, text + at, n);
	}
}

static void put_numbers(struct scar_text *t, const uint32_t *numbers, size_t count, char gap)
{
	for (size_t i = 0; i < count; i++) {
		scar_text_put(t, &gap, i || gap == '\t');
		scar_text_unsigned(t, numbers[i], 10);
	}
}

void scar_proctext_status(const struct scar_proctext *p, const struct scar_guest_ids *ids,
			  const char *text, size_t len)
{
	const uint32_t users[] = {ids->ruid, ids->euid, ids->suid, ids->fsuid};
	const uint32_t groups[] = {ids->rgid, ids->egid, ids->sgid, ids->fsgid};
	const char *end = text + len, *next;

	for (const char *at = text; at < end; at = next) {
		char line[512];
		struct scar_text t = scar_text_of(line, sizeof(line));
		size_t n = line_at(at, end, &next);

		if (n > 4 && memcmp(at, "Uid:", 4) == 0) {
			scar_text_str(&t, "Uid:");
			put_numbers(&t, users, 4, '\t');
		} else if (n > 4 && memcmp(at, "Gid:", 4) == 0) {
			scar_text_str(&t, "Gid:");
			put_numbers(&t, groups, 4, '\t');
		} else if (n >= 7 && memcmp(at, "Groups:", 7) == 0) {
			scar_text_str(&t, "Groups:\t");
			put_numbers(&t, ids->groups, ids->group_count, ' ');
			/* The kernel puts a space behind each. */
			scar_text_str(&t, " ");
		} else if (n > 7 && ids->euid == 0 &&
			   (memcmp(at, "CapPrm:", 7) == 0 || memcmp(at, "CapEff:", 7) == 0)) {
			scar_text_put(&t, at, 7);
			scar_text_str(&t, "\t000001ffffffffff");
		} else if (n > 10 && (p->guest->flags & SCAR_GUEST_TRACED) &&
			   memcmp(at, "TracerPid:", 10) == 0) {
			/* Programs take a tracer for a debugger. */
			scar_text_str(&t, "TracerPid:\t0");
		} else {
			p->sink(p->sink_ctx, at, (size_t)(next - at));
			continue;
		}
		scar_text_str(&t, "\n");
		p->sink(p->sink_ctx, t.start, t.len);
	}
}
