/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file config.h
 * What an engine knows about one guest: root, binds, identity, switches.
 *
 * The rewrite engine hands it from program to program as one environment string, so it has
 * a text form. Strings point into storage of the caller that must outlive the struct.
 */
#ifndef SCAR_INVOKE_ENGINE_GUEST_CONFIG_H
#define SCAR_INVOKE_ENGINE_GUEST_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCAR_GUEST_PATH_MAX 4096
#define SCAR_GUEST_BINDS_MAX 32
#define SCAR_GUEST_GROUPS_MAX 32
/** Longest text form; root, state directory and binds together stay well below. */
#define SCAR_GUEST_TEXT_MAX 16384
/** Longest host path of the root and of the state directory. */
#define SCAR_GUEST_ROOT_MAX 1024

enum scar_guest_bind_flag {
	SCAR_BIND_READ_ONLY = 1,
	SCAR_BIND_PROC = 2,  /**< a procfs: its magic links need care */
	SCAR_BIND_TMPFS = 4, /**< statfs answers as a tmpfs */
};

struct scar_guest_bind {
	const char *host, *guest; /**< absolute, without a trailing slash; guest never "/" */
	uint16_t host_len, guest_len;
	uint8_t flags;
};

enum scar_guest_flag {
	SCAR_GUEST_NO_OPENAT2 = 1,   /**< path walk only, as on kernels before 5.6 */
	SCAR_GUEST_TRAP = 2,         /**< patch every site with ud2 (tests the last resort) */
	SCAR_GUEST_TRACE = 4,        /**< print each translated call on stderr */
	SCAR_GUEST_NO_CACHE = 8,     /**< neither read nor write the cache of patched text */
	SCAR_GUEST_NO_FSGSBASE = 16, /**< as on kernels before 5.9 */
	SCAR_GUEST_TRACED = 32,      /**< a tracer brings the system calls; text stays as it is */
};

/** Ids as the guest sees them. */
struct scar_guest_ids {
	uint32_t ruid, euid, suid, fsuid;
	uint32_t rgid, egid, sgid, fsgid;
	uint32_t groups[SCAR_GUEST_GROUPS_MAX];
	uint32_t group_count;
};

struct scar_guest {
	const char *root; /**< host path of the rootfs, without a trailing slash */
	size_t root_len;
	const char *state_dir;
	const char *undo_dir; /**< where the image's baseline is (undo.h); "": changes stay */
	unsigned flags;       /**< enum scar_guest_flag */
	struct scar_guest_ids ids;
	uint32_t host_uid, host_gid; /**< owner of what the guest creates, shown as ids */
	uint32_t bind_count;
	struct scar_guest_bind binds[SCAR_GUEST_BINDS_MAX];
	uint64_t bind_marks; /**< scar_guest_name_mark of the last names of all binds */
	uint32_t ledger;     /**< number of the ledger's file (ledger.h); 0: none */
	int root_fd;         /**< descriptor of root in this process; not part of the text form */
};

/** A bit that tells most names which no bind has from those that one has. */
static inline uint64_t scar_guest_name_mark(const char *name, size_t len)
{
	return 1ull << (((unsigned char)name[0] + len) & 63);
}

/** Adds a bind, replacing one of the same guest path. @return 0, or -E2BIG or -EINVAL */
int scar_guest_bind_add(struct scar_guest *guest, const char *host, const char *path,
			unsigned flags);

/** Writes the text form. @return its length without the NUL, or -E2BIG */
int scar_guest_encode(const struct scar_guest *guest, char *text, size_t size);

/** Reads the text form; text is changed and must live as long as *guest. @return 0 or -EINVAL */
int scar_guest_decode(struct scar_guest *guest, char *text);

#endif
