/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine.h
 * Starts a program of a foreign root file system, whatever this machine allows.
 *
 * An engine never needs root, never needs a privilege it has not probed, and is no security
 * boundary: it must not let a well-behaved program out of the rootfs by accident, nothing more.
 * Everything in a spec is borrowed and only used until start() returns.
 */
#ifndef SCAR_INVOKE_ENGINE_ENGINE_H
#define SCAR_INVOKE_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct scar_err;

/** A directory or file of the host that the guest sees under another name. */
struct scar_bind {
	const char *host;  /**< absolute, exists */
	const char *guest; /**< absolute, canonical; created in the rootfs where missing */
	bool read_only;
};

/** Most binds of one spec, the engine's own (/proc, /sys, /dev, ...) not counted. */
#define SCAR_ENGINE_BINDS_MAX 16

/**
 * What to start. Besides `binds` the guest sees the host's /proc, /sys and /dev, a /dev/shm and
 * a /tmp below state_dir, and the host's /etc/resolv.conf and /etc/hosts; a bind of the same
 * guest path takes the place of any of these.
 */
struct scar_engine_spec {
	const char *rootfs; /**< absolute host path */
	int rootfs_fd;      /**< the same directory opened, or -1 */
	/** argv[0] is a guest path, or a name searched in PATH of envp as execvp(3) does. */
	char *const *argv;
	char *const *envp;
	const char *cwd; /**< guest path; NULL is "/"; created where missing */
	uint32_t uid, gid;
	const uint32_t *groups;
	size_t group_count;
	const struct scar_bind *binds;
	size_t bind_count;
	bool image_tmp; /**< /tmp is that of the rootfs; else one of state_dir, unless a bind replaces it */
	/** The program's descriptors 0, 1, 2; it gets no other. */
	int stdin_fd, stdout_fd, stderr_fd;
	/** A directory of mode 0700 for what the engine keeps: loader, index, /tmp, /dev/shm. */
	const char *state_dir;
	const char *owners_path; /**< remembered ownership (extractor's sidecar), or NULL */
	/**
	 * Directory with the baseline of the rootfs (runtime/base/baseline.h): what the program changes can be put
	 * back afterwards. NULL: it stays.
	 */
	const char *undo_dir;
};

/** A started program: the leader of a session and process group of its own. */
struct scar_process {
	pid_t pid;
	int pidfd; /**< -1 where the kernel (before 5.3) has none */
};

/** How a program ended. */
struct scar_process_status {
	bool exited; /**< true: code is its exit status; false: signal ended it */
	int code;    /**< 0..255 */
	int signal;  /**< 1.. */
	bool dumped; /**< the signal also dumped core */
	uint64_t
		max_rss_bytes; /**< peak resident memory of the program and its waited-for children */
	uint64_t cpu_us;       /**< user and system time, likewise */
};

struct scar_engine_ops {
	const char *name; /**< "rewrite", "ptrace", "native" */
	/** Tries in a forked child whether the engine can work here. 0 or SCAR_ERR_ENGINE. */
	int (*probe)(struct scar_err *err);
	/**
	 * Why "auto" shall not take it although it works: SCAR_ERR_ENGINE, or 0 if nothing speaks
	 * against it. NULL: nothing ever does.
	 */
	int (*suits)(struct scar_err *err);
	/**
	 * Starts the program. What keeps it from running (missing, not executable, wrong
	 * architecture, missing interpreter) is found before start returns: SCAR_ERR_EXEC,
	 * errnum as execve(2) would give, path and reason in the text. SCAR_ERR_ENGINE is
	 * trouble of the engine itself. On success the caller owns *ret_process.
	 */
	int (*start)(const struct scar_engine_spec *spec, struct scar_process *ret_process,
		     struct scar_err *err);
};

/** Not one of them, and nothing to probe: starts a program of this machine as it is; only argv, envp, cwd and the descriptors of a spec count. */
extern const struct scar_engine_ops scar_engine_direct;

/** The engines in the order in which "auto" tries them; NULL past the last. */
const struct scar_engine_ops *scar_engine_at(size_t index);

/** The engine's own probe, unless SCAR_ENGINE_REFUSE makes it fail. */
int scar_engine_probe(const struct scar_engine_ops *engine, struct scar_err *err);

/**
 * The engine called `name`; "auto" or NULL is the first that works and suits of native, rewrite and
 * ptrace. An engine asked for by name is probed too, so that a failure says why.
 */
int scar_engine_choose(const char *name, const struct scar_engine_ops **ret_ops,
		       struct scar_err *err);

/**
 * Waits until the program has ended, but at most timeout_ms (-1: for ever), and reaps it.
 * Fails with SCAR_ERR_TIMEOUT if it still runs. After success the process is closed.
 */
int scar_process_wait(struct scar_process *process, int64_t timeout_ms,
		      struct scar_process_status *ret_status, struct scar_err *err);

/** Sends sig to the program's process group; success if it has already ended. */
int scar_process_kill_group(const struct scar_process *process, int sig, struct scar_err *err);

#endif
