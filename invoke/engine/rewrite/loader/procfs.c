/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/loader/procfs.h"

#include <asm/statfs.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/mman.h>
#include <string.h>

#include "invoke/engine/guest/proctext.h"
#include "invoke/engine/guest/sys.h"
#include "invoke/engine/guest/text.h"
#include "invoke/engine/rewrite/loader/image.h"

#define PROC_MAGIC 0x9fa0
#define PAGE 4096u
#define TEXT_START (256u * 1024)
#define TEXT_MAX (64u * 1024 * 1024)
#define OUT_BYTES 16384
/* Longest name below a process directory that counts: "task/<number>/<name>". */
#define LINK_MAX 64
#define LOADER_START 0x60000000ull

extern char _end[];

/* The guest has opened a list of descriptors: from now on listings are looked at. */
static volatile bool lists_descriptors;

enum kind { NOTHING, MAPS, MOUNTINFO, MOUNTS, MOUNTSTATS, ENVIRON, STATUS, DESCRIPTORS };

static const struct {
	const char *name;
	enum kind kind;
} kinds[] = {{"maps", MAPS},           {"smaps", MAPS},    {"numa_maps", MAPS},
	     {"mountinfo", MOUNTINFO}, {"mounts", MOUNTS}, {"mountstats", MOUNTSTATS},
	     {"environ", ENVIRON},     {"status", STATUS}, {"fd", DESCRIPTORS},
	     {"fdinfo", DESCRIPTORS}};

static enum kind kind_of(const char *path)
{
	const char *name = path;

	for (const char *at = path; *at; at++)
		if (*at == '/' && at[1])
			name = at + 1;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(name, kinds[i].name) == 0)
			return kinds[i].kind;
	return NOTHING;
}

static bool is_procfs(long fd)
{
	struct statfs st;

	return scar_sys(__NR_fstatfs, fd, &st) == 0 && st.f_type == PROC_MAGIC;
}

static struct scar_text link_of(long fd, char *buf, size_t size)
{
	struct scar_text t = scar_text_of(buf, size);

	scar_text_str(&t, "/proc/self/fd/");
	scar_text_unsigned(&t, (uint64_t)fd, 10);
	return t;
}

/* Name of an open file on the host; false if it is too long to be one of a process directory. */
static bool name_of(long fd, char name[LINK_MAX])
{
	char link[40];
	long n;

	link_of(fd, link, sizeof(link));
	n = scar_sys(__NR_readlinkat, AT_FDCWD, link, name, LINK_MAX - 1);
	if (n <= 0 || n == LINK_MAX - 1)
		return false;
	name[n] = '\0';
	return true;
}

/* The number in "/proc/<number>/...", or 0. */
static unsigned process_of(const char *name)
{
	unsigned pid = 0;

	for (; *name && (*name < '0' || *name > '9'); name++)
		;
	for (; *name >= '0' && *name <= '9'; name++)
		pid = pid * 10 + (unsigned)(*name - '0');
	return pid;
}

static bool is_self(unsigned pid)
{
	return pid == (unsigned)scar_sys(__NR_getpid);
}

/* ---- reading ---- */

struct text {
	char *start;
	size_t len, room;
};

static void release(const struct text *t)
{
	if (t->start)
		scar_sys(__NR_munmap, t->start, t->room);
}

/* All of a file, which procfs makes as it is read. */
static long read_all(long fd, struct text *ret_text)
{
	struct text t = {.room = TEXT_START};
	long got = scar_sys(__NR_mmap, 0, t.room, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (scar_sys_failed(got))
		return got;
	t.start = (char *)got;
	for (;;) {
		long n = scar_sys(__NR_pread64, fd, t.start + t.len, t.room - t.len, t.len);

		if (n == -EINTR)
			continue;
		if (n <= 0) {
			*ret_text = t;
			if (n < 0)
				release(&t);
			return n;
		}
		t.len += (size_t)n;
		if (t.len < t.room)
			continue;
		got = t.room < TEXT_MAX
			      ? scar_sys(__NR_mremap, t.start, t.room, 2 * t.room, MREMAP_MAYMOVE)
			      : -EFBIG;
		if (scar_sys_failed(got)) {
			release(&t);
			return got;
		}
		t.start = (char *)got;
		t.room *= 2;
	}
}

/* ---- writing ---- */

struct out {
	long fd, failed;
	size_t len;
	char bytes[OUT_BYTES];
};

static void flush(struct out *o)
{
	for (size_t at = 0; at < o->len && !o->failed;) {
		long n = scar_sys(__NR_write, o->fd, o->bytes + at, o->len - at);

		if (n > 0)
			at += (size_t)n;
		else if (n != -EINTR)
			o->failed = n ? n : -EIO;
	}
	o->len = 0;
}

static void put(void *ctx, const char *text, size_t len)
{
	struct out *o = ctx;

	while (len) {
		size_t part = OUT_BYTES - o->len;

		if (part > len)
			part = len;
		memcpy(o->bytes + o->len, text, part);
		o->len += part;
		text += part;
		len -= part;
		if (o->len == OUT_BYTES)
			flush(o);
	}
}

/* A file without a name. */
static long create_file(void)
{
	long fd = scar_sys(__NR_memfd_create, "scar-proc", 1 /* MFD_CLOEXEC */);

	if (fd < 0)
		fd = scar_sys(__NR_openat, AT_FDCWD, scar_loader.guest.state_dir,
			      O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	return fd;
}

/* ---- what is shown ---- */

/* Header of the image that was looked at last: its runs follow each other in maps. */
struct images {
	char path[SCAR_GUEST_ROOT_MAX + 64];
	bool valid;
	struct scar_image image;
};

static bool read_image(struct images *images, const char *path)
{
	size_t len = strnlen(path, sizeof(images->path));
	long fd, n;

	if (len == sizeof(images->path))
		return false;
	if (images->path[0] && strcmp(images->path, path) == 0)
		return images->valid;
	memcpy(images->path, path, len + 1);
	images->valid = false;
	fd = scar_sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	if (fd < 0)
		return false;
	n = scar_sys(__NR_read, fd, &images->image, sizeof(images->image));
	scar_sys(__NR_close, fd);
	images->valid = n == (long)sizeof(images->image) &&
			images->image.key.magic == scar_image_magic() &&
			images->image.run_count <= SCAR_IMAGE_RUNS_MAX;
	return images->valid;
}

/* Patched pages stand for the file's own; trampolines and all else is the engine's. */
static bool patched(void *ctx, const char *path, uint64_t offset, uint64_t *ret_offset)
{
	struct images *images = ctx;

	if (!read_image(images, path))
		return false;
	for (uint32_t i = 0; i < images->image.run_count; i++) {
		const struct scar_image_run *run = &images->image.runs[i];
		uint64_t low = (uint64_t)run->data_page * PAGE;

		if (offset < low || offset >= low + (uint64_t)run->count * PAGE)
			continue;
		*ret_offset = (uint64_t)run->page * PAGE + (offset - low);
		return true;
	}
	return false;
}

/* Ids of a process: our own are known; another guest's are shown as stat(2) shows its files. */
static struct scar_guest_ids ids_of(unsigned pid)
{
	struct scar_guest_ids ids = scar_loader.guest.ids;

	if (!is_self(pid)) {
		ids.ruid = ids.euid = ids.suid = ids.fsuid;
		ids.rgid = ids.egid = ids.sgid = ids.fsgid;
	}
	return ids;
}

static bool runs_loader(const char *name)
{
	char link[LINK_MAX], exe[sizeof(scar_loader.exe_host) + 1];
	struct scar_text t = scar_text_of(link, sizeof(link));
	long n;

	scar_text_str(&t, "/proc/");
	scar_text_unsigned(&t, process_of(name), 10);
	scar_text_str(&t, "/exe");
	n = scar_sys(__NR_readlinkat, AT_FDCWD, link, exe, sizeof(exe) - 1);
	exe[n > 0 ? n : 0] = '\0';
	return strcmp(exe, scar_loader.exe_host) == 0;
}

/* Mount tables are all made from mountinfo, beside the file that was opened. */
static long read_source(long fd, const char *name, enum kind kind, struct text *ret_text)
{
	char path[LINK_MAX + 16];
	size_t len = strlen(name);
	struct scar_text t = scar_text_of(path, sizeof(path));
	long source, ret;

	if (kind != MOUNTS && kind != MOUNTSTATS)
		return read_all(fd, ret_text);
	while (len && name[len - 1] != '/')
		len--;
	scar_text_put(&t, name, len);
	scar_text_str(&t, "mountinfo");
	source = scar_sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (source < 0)
		return source;
	ret = read_all(source, ret_text);
	scar_sys(__NR_close, source);
	return ret;
}

static void translate(enum kind kind, const char *name, const struct text *text, struct out *out,
		      struct images *images)
{
	static const char *const hidden[] = {SCAR_HANDOVER_EXE, SCAR_HANDOVER_CONFIG, NULL};
	struct scar_proctext p = {.guest = &scar_loader.guest,
				  .sink = put,
				  .sink_ctx = out,
				  .patched = patched,
				  .patched_ctx = images};
	struct scar_guest_ids ids;

	switch (kind) {
	case MAPS:
		if (runs_loader(name)) {
			p.hide_low = LOADER_START;
			p.hide_high = ((uint64_t)(uintptr_t)_end + PAGE - 1) &
				      ~(uint64_t)(PAGE - 1);
		}
		scar_proctext_maps(&p, text->start, text->len);
		break;
	case MOUNTINFO: scar_proctext_mounts(&p, SCAR_MOUNTS_INFO, text->start, text->len); break;
	case MOUNTS: scar_proctext_mounts(&p, SCAR_MOUNTS_TABLE, text->start, text->len); break;
	case MOUNTSTATS: scar_proctext_mounts(&p, SCAR_MOUNTS_STATS, text->start, text->len); break;
	case ENVIRON: scar_proctext_environ(&p, hidden, text->start, text->len); break;
	case STATUS:
		ids = ids_of(process_of(name));
		scar_proctext_status(&p, &ids, text->start, text->len);
		break;
	case NOTHING:
	case DESCRIPTORS: break;
	}
}

/* Everything large that one translation needs, mapped as the handler's stack is small. */
struct work {
	struct out out;
	struct images images;
};

/* Writes the guest's version of the file open as fd to `to`. */
static long write_version(long fd, const char *name, enum kind kind, long to)
{
	struct work *w = (struct work *)scar_sys(__NR_mmap, 0, sizeof(*w), PROT_READ | PROT_WRITE,
						 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct text text = {.start = NULL};
	long ret;

	if (scar_sys_failed((long)w))
		return (long)w;
	w->out.fd = to;
	ret = read_source(fd, name, kind, &text);
	if (ret == 0) {
		translate(kind, name, &text, &w->out, &w->images);
		flush(&w->out);
		ret = w->out.failed;
		release(&text);
	}
	scar_sys(__NR_munmap, w, sizeof(*w));
	return ret;
}

/* Puts a file with the guest's version in the place of fd. */
static long replace(long fd, const char *name, enum kind kind, uint64_t flags)
{
	char link[40];
	long file = create_file(), again, ret;

	if (file < 0)
		return file;
	ret = write_version(fd, name, kind, file);
	if (ret == 0) {
		/* Read-only, at its start, with the flags that the guest asked for. */
		scar_sys(__NR_fchmod, file, 0444);
		link_of(file, link, sizeof(link));
		again = scar_sys(__NR_openat, AT_FDCWD, link,
				 flags & ~(uint64_t)(O_NOFOLLOW | O_DIRECTORY), 0);
		ret = again < 0 ? again : scar_sys(__NR_dup3, again, fd, flags & O_CLOEXEC);
		if (again >= 0)
			scar_sys(__NR_close, again);
	}
	scar_sys(__NR_close, file);
	return ret;
}

long scar_procfs_opened(long fd, const char *path, uint64_t flags)
{
	enum kind kind = kind_of(path);
	char name[LINK_MAX];
	long ret;

	if (kind == NOTHING || (flags & (O_ACCMODE | O_PATH)) || !is_procfs(fd))
		return fd;
	if (kind == DESCRIPTORS) {
		lists_descriptors = true;
		return fd;
	}
	if (!name_of(fd, name) || !process_of(name))
		return fd;
	ret = replace(fd, name, kind, flags);
	if (ret < 0)
		scar_sys(__NR_close, fd);
	return ret;
}

/* ---- the engine's descriptor ---- */

/* struct linux_dirent64 and linux_dirent: only where their lengths and names are differs. */
static char *name_in(char *entry, bool wide)
{
	return entry + (wide ? 19 : 18);
}

static bool names_root(const char *name)
{
	unsigned number = 0;

	if (*name < '0' || *name > '9')
		return false;
	for (; *name >= '0' && *name <= '9'; name++)
		number = number * 10 + (unsigned)(*name - '0');
	return *name == '\0' && number == (unsigned)scar_loader.guest.root_fd;
}

/* Takes the entry of our root out of `len` bytes of a listing. */
static long drop_root(char *list, long len, bool wide)
{
	for (long at = 0; at < len;) {
		uint16_t size;

		memcpy(&size, list + at + 16, sizeof(size));
		if (names_root(name_in(list + at, wide))) {
			memmove(list + at, list + at + size, (size_t)(len - at - size));
			return len - size;
		}
		at += size;
	}
	return len;
}

long scar_call_list(struct scar_regs *r)
{
	char name[LINK_MAX];
	long ret;

	if (!lists_descriptors)
		return SCAR_PASS;
	do {
		long len;

		ret = scar_sys(r->nr, r->arg[0], r->arg[1], r->arg[2]);
		if (ret <= 0 || !is_procfs(r->arg[0]) || !name_of(r->arg[0], name) ||
		    kind_of(name) != DESCRIPTORS || !is_self(process_of(name)))
			return ret;
		len = drop_root((char *)r->arg[1], ret, r->nr == __NR_getdents64);
		/* Nothing but our own: the end would be zero too. */
		if (len)
			return len;
	} while (ret > 0);
	return ret;
}

bool scar_procfs_is_hidden(const struct scar_where *where)
{
	const char *name = where->guest + where->guest_len;
	const char *start = where->guest;

	while (name > start && name[-1] != '/')
		name--;
	if (!names_root(name) || name - start < 3)
		return false;
	start = name - 1;
	while (start > where->guest && start[-1] != '/')
		start--;
	return (strncmp(start, "fd/", 3) == 0 || strncmp(start, "fdinfo/", 7) == 0) &&
	       is_self(process_of(where->guest));
}

/* ---- programs of processes ---- */

/* The value of an environment entry of ours in a process's environ. */
static const char *find_entry(const struct text *text, const char *entry)
{
	const size_t len = strlen(entry);
	const char *found = NULL;

	for (size_t at = 0; at < text->len;) {
		size_t n = strnlen(text->start + at, text->len - at);

		/* The last one: a guest may have made up others. */
		if (n > len && at + n < text->len && memcmp(text->start + at, entry, len) == 0)
			found = text->start + at + len;
		at += n + 1;
	}
	return found;
}

int scar_procfs_exe_of(const char *process, char *buf, size_t size)
{
	char path[LINK_MAX];
	struct scar_text t = scar_text_of(path, sizeof(path)), exe = scar_text_of(buf, size);
	unsigned pid = process_of(process);
	struct text text = {.start = NULL};
	const char *entry;
	size_t len = 0;
	long fd, ret;

	if (is_self(pid)) {
		scar_text_str(&exe, scar_loader.exe);
		return exe.cut ? -ENAMETOOLONG : (int)exe.len;
	}
	scar_text_str(&t, "/proc/");
	scar_text_unsigned(&t, pid, 10);
	scar_text_str(&t, "/environ");
	fd = scar_sys(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return (int)fd;
	ret = read_all(fd, &text);
	scar_sys(__NR_close, fd);
	if (ret)
		return (int)ret;
	/* "<length>:<path>..." */
	entry = find_entry(&text, SCAR_HANDOVER_EXE);
	for (; entry && *entry >= '0' && *entry <= '9' && len < size; entry++)
		len = len * 10 + (size_t)(*entry - '0');
	if (entry && *entry == ':' && strnlen(entry + 1, len) == len)
		scar_text_put(&exe, entry + 1, len);
	release(&text);
	return exe.len && !exe.cut ? (int)exe.len : -ENOENT;
}
