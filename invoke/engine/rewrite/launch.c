/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/launch.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "invoke/engine/prepare.h"
#include "invoke/engine/rewrite/handover.h"
#include "invoke/engine/rewrite/layout.h"
#include "invoke/engine/rewrite/ledger_file.h"
#include "invoke/engine/spawn.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"

extern const char scar_loader_blob[], scar_loader_blob_end[];

_Static_assert(sizeof(struct scar_spawn_failure) == sizeof(struct scar_handover_failure),
	       "the loader writes what spawn.c reads");
_Static_assert(offsetof(struct scar_spawn_failure, reason) ==
		       offsetof(struct scar_handover_failure, reason),
	       "the loader writes what spawn.c reads");

static size_t blob_size(void)
{
	/* Both are ends of one object, defined in assembly. */
	/* cppcheck-suppress comparePointers */
	return (size_t)(scar_loader_blob_end - scar_loader_blob);
}

/* True if the file is this very loader: another version may have left one. */
static bool is_installed(const char *path)
{
	scar_fd_auto int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	void *file;
	bool same;

	if (fd < 0 || fstat(fd, &st) || (size_t)st.st_size != blob_size() ||
	    !(st.st_mode & S_IXUSR))
		return false;
	file = mmap(NULL, blob_size(), PROT_READ, MAP_PRIVATE, fd, 0);
	if (file == MAP_FAILED)
		return false;
	same = memcmp(file, scar_loader_blob, blob_size()) == 0;
	munmap(file, blob_size());
	return same;
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Under a name of its own first: a running loader cannot be written to, but can be replaced. */
static int install_loader(const char *path, struct scar_err *err)
{
	char temporary[PATH_MAX + 32];
	int fd, failed;

	if (is_installed(path))
		return 0;
	snprintf(temporary, sizeof(temporary), "%s.%d", path, (int)getpid());
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0700);
	if (fd < 0)
		return scar_err_errno(err, errno, "cannot write %s", temporary);
	failed = write_all(fd, scar_loader_blob, blob_size());
	/* Closed before it is executed: ETXTBSY. */
	if (close(fd) || failed || rename(temporary, path)) {
		scar_err_errno(err, errno, "cannot write %s", path);
		unlink(temporary);
		return -1;
	}
	return 0;
}

struct scar_launch {
	struct scar_prepared prepared;
	char loader[PATH_MAX];
	char exe[64];                                                    /* environment entry */
	char config[sizeof(SCAR_HANDOVER_CONFIG) + SCAR_GUEST_TEXT_MAX]; /* likewise */
	char **argv, **envp;
};

/* The program's path, then what it shall see as argv. */
static char **make_argv(const struct scar_engine_spec *spec, char *program)
{
	size_t n = 0;
	char **argv;

	while (spec->argv[n])
		n++;
	argv = calloc(n + 2, sizeof(*argv));
	if (argv) {
		argv[0] = program;
		memcpy(argv + 1, spec->argv, n * sizeof(*argv));
	}
	return argv;
}

static char **make_envp(const struct scar_engine_spec *spec, char *exe, char *config)
{
	size_t n = 0;
	char **envp;

	while (spec->envp && spec->envp[n])
		n++;
	envp = calloc(n + 3, sizeof(*envp));
	if (envp) {
		if (n)
			memcpy(envp, spec->envp, n * sizeof(*envp));
		envp[n] = exe;
		envp[n + 1] = config;
	}
	return envp;
}

void scar_launch_exec(const struct scar_launch *launch)
{
	if (chdir(launch->prepared.cwd_host))
		scar_spawn_fail(true, errno, launch->prepared.cwd,
				"cannot enter the working directory");
	execve(launch->loader, launch->argv, launch->envp);
	scar_spawn_fail(true, errno, launch->loader, "cannot execute the loader");
}

/* Loader, cache directory and what the loader is told. */
static int make_state(struct scar_launch *s, const char *owners_path, unsigned flags,
		      struct scar_err *err)
{
	const size_t prefix = strlen(SCAR_HANDOVER_CONFIG);
	char texts[PATH_MAX + 8];
	int n = snprintf(s->loader, sizeof(s->loader), "%s" SCAR_HANDOVER_LOADER,
			 s->prepared.state_dir);

	snprintf(texts, sizeof(texts), "%s" SCAR_HANDOVER_TEXTS, s->prepared.state_dir);
	if (n < 0 || n >= (int)sizeof(s->loader))
		return scar_err_set(err, SCAR_ERR_LIMIT, "the state directory's path is too long");
	if (mkdir(texts, 0700) && errno != EEXIST)
		return scar_err_errno(err, errno, "cannot make %s", texts);
	s->prepared.guest.flags = flags;
	if (scar_ledger_file_create(s->prepared.state_dir, s->prepared.guest.root_fd, owners_path,
				    &s->prepared.guest.ledger, err))
		return -1;
	memcpy(s->config, SCAR_HANDOVER_CONFIG, prefix);
	snprintf(s->exe, sizeof(s->exe), SCAR_HANDOVER_EXE "%d!", SCAR_SPAWN_STATUS_FD);
	if (scar_guest_encode(&s->prepared.guest, s->config + prefix, sizeof(s->config) - prefix) <
	    0)
		return scar_err_set(err, SCAR_ERR_LIMIT, "too many or too long binds");
	return install_loader(s->loader, err);
}

static int fill(struct scar_launch *s, const struct scar_engine_spec *spec, unsigned flags,
		struct scar_err *err)
{
	if (scar_prepare(&s->prepared, spec, err) || make_state(s, spec->owners_path, flags, err))
		return -1;
	s->argv = make_argv(spec, s->prepared.program);
	s->envp = make_envp(spec, s->exe, s->config);
	if (!s->argv || !s->envp)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	return 0;
}

int scar_launch_create(const struct scar_engine_spec *spec, unsigned flags,
		       struct scar_launch **ret_launch, struct scar_err *err)
{
	struct scar_launch *s = calloc(1, sizeof(*s));

	if (!s)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	s->prepared.guest.root_fd = -1;
	if (fill(s, spec, flags, err)) {
		scar_launch_free(s);
		return -1;
	}
	*ret_launch = s;
	return 0;
}

void scar_launch_free(struct scar_launch *launch)
{
	if (!launch)
		return;
	scar_prepared_clear(&launch->prepared);
	free(launch->argv);
	free(launch->envp);
	free(launch);
}

int scar_launch_probe(struct scar_err *err)
{
	if (blob_size() == 0)
		return scar_err_set(err, SCAR_ERR_ENGINE, "no loader for this architecture");
	return 0;
}

/* What entry.S puts before the entry point. */
struct scar_launch_table {
	uint64_t magic, enter, pass, low, high;
};

/* Where the blob holds what will be at `address`, with `size` bytes before it; or 0. */
static size_t offset_of(uint64_t address, size_t size)
{
	Elf64_Ehdr header;
	Elf64_Phdr segment;

	memcpy(&header, scar_loader_blob, sizeof(header));
	for (unsigned i = 0; i < header.e_phnum; i++) {
		memcpy(&segment, scar_loader_blob + header.e_phoff + i * sizeof(segment),
		       sizeof(segment));
		if (segment.p_type == PT_LOAD && address >= segment.p_vaddr + size &&
		    address - segment.p_vaddr < segment.p_filesz)
			return segment.p_offset + (address - segment.p_vaddr) - size;
	}
	return 0;
}

int scar_launch_addresses(struct scar_launch_addresses *ret_addresses, struct scar_err *err)
{
	struct scar_launch_table table = {0};
	Elf64_Ehdr header;
	size_t offset = 0;

	if (scar_launch_probe(err))
		return -1;
	memcpy(&header, scar_loader_blob, sizeof(header));
	offset = offset_of(header.e_entry, sizeof(table));
	if (offset)
		memcpy(&table, scar_loader_blob + offset, sizeof(table));
	if (table.magic != SCAR_LAUNCH_MAGIC)
		return scar_err_set(err, SCAR_ERR_ENGINE,
				    "the loader for this architecture cannot be traced yet");
	*ret_addresses = (struct scar_launch_addresses){
		.enter = table.enter, .pass = table.pass, .low = table.low, .high = table.high};
	return 0;
}
