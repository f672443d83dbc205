/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/guest/calls.h"

#include "invoke/engine/guest/sys.h"

#define OWN SCAR_CALL_OWN
#define PATHS SCAR_CALL_PATHS
#define EPERM_ SCAR_CALL_EPERM
#define ENOSYS_ SCAR_CALL_ENOSYS

/* Numbers that the kernel headers of the oldest supported build machine lack. */
#define NR_mount_setattr 442
#define NR_quotactl_fd 443
#define NR_landlock_create_ruleset 444
#define NR_landlock_add_rule 445
#define NR_landlock_restrict_self 446
#define NR_fchmodat2 452
#define NR_statmount 457
#define NR_listmount 458
#define NR_open_tree_attr 467
#define NR_listns 470

const uint8_t scar_call_kinds[SCAR_CALLS_MAX] = {
	[SCAR_CALLS_END... SCAR_CALLS_MAX - 1] = ENOSYS_,

#ifdef __x86_64__
	/* Calls that newer architectures have in their "at" form only. */
	[__NR_open] = OWN,
	[__NR_creat] = OWN,
	[__NR_stat] = OWN,
	[__NR_lstat] = OWN,
	[__NR_access] = OWN,
	[__NR_readlink] = OWN,
	[__NR_chown] = OWN,
	[__NR_lchown] = OWN,
	[__NR_rename] = PATHS,
	[__NR_mkdir] = PATHS,
	[__NR_rmdir] = PATHS,
	[__NR_link] = PATHS,
	[__NR_unlink] = PATHS,
	[__NR_symlink] = PATHS,
	[__NR_chmod] = PATHS,
	[__NR_utime] = PATHS,
	[__NR_utimes] = PATHS,
	[__NR_mknod] = PATHS,
	[__NR_futimesat] = PATHS,
	[__NR_getdents] = OWN,
	[__NR_uselib] = ENOSYS_,
	[__NR_dup2] = OWN,
	[__NR_arch_prctl] = OWN,
	/* Frees what the handler keeps for the thread; elsewhere there may be no stack left for that. */
	[__NR_exit] = OWN,
#endif
	/* Files by name. */
	[__NR_openat] = OWN,
	[SCAR_NR_openat2] = OWN,
	[__NR_newfstatat] = OWN,
	[__NR_fstat] = OWN,
	[__NR_statx] = OWN,
	[__NR_faccessat] = OWN,
	[SCAR_NR_faccessat2] = OWN,
	[__NR_readlinkat] = OWN,
	[__NR_fchownat] = OWN,
	[__NR_fchown] = OWN,
	[__NR_fchmod] = OWN,
	[__NR_getcwd] = OWN,
	[__NR_getdents64] = OWN,
	[__NR_statfs] = OWN,
	[__NR_fstatfs] = OWN,
	[__NR_truncate] = PATHS,
	/* Refused in Lambda, done otherwise. */
	[__NR_fallocate] = OWN,
	[__NR_chdir] = PATHS,
	[__NR_fchdir] = OWN,
	[__NR_mkdirat] = PATHS,
	[__NR_mknodat] = PATHS,
	[__NR_unlinkat] = PATHS,
	[__NR_renameat] = PATHS,
	[__NR_renameat2] = PATHS,
	[__NR_linkat] = PATHS,
	[__NR_symlinkat] = PATHS,
	[__NR_fchmodat] = PATHS,
	[NR_fchmodat2] = PATHS,
	[__NR_utimensat] = PATHS,
	[__NR_setxattr] = PATHS,
	[__NR_lsetxattr] = PATHS,
	[__NR_getxattr] = PATHS,
	[__NR_lgetxattr] = PATHS,
	[__NR_listxattr] = PATHS,
	[__NR_llistxattr] = PATHS,
	[__NR_removexattr] = PATHS,
	[__NR_lremovexattr] = PATHS,
	[__NR_fsetxattr] = OWN,
	[__NR_fremovexattr] = OWN,
	[SCAR_NR_setxattrat] = PATHS,
	[SCAR_NR_getxattrat] = PATHS,
	[SCAR_NR_listxattrat] = PATHS,
	[SCAR_NR_removexattrat] = PATHS,
	[SCAR_NR_file_getattr] = PATHS,
	[SCAR_NR_file_setattr] = PATHS,
	[__NR_inotify_add_watch] = PATHS,
	[__NR_name_to_handle_at] = PATHS,

	/* Programs, threads, memory, signals: the rewriting must follow them. */
	[__NR_execve] = OWN,
	[__NR_execveat] = OWN,
	[__NR_clone] = OWN,
	[SCAR_NR_clone3] = OWN,
	[__NR_mmap] = OWN,
	[__NR_munmap] = OWN,
	[__NR_mremap] = OWN,
	[__NR_mprotect] = OWN,
	[__NR_pkey_mprotect] = OWN,
	[__NR_rt_sigaction] = OWN,
	[__NR_rt_sigprocmask] = OWN,
	[__NR_rt_sigsuspend] = OWN,
	[__NR_sigaltstack] = OWN,
	[__NR_prctl] = OWN,
	/* Our own descriptor must survive a guest that closes or overwrites all. */
	[__NR_dup3] = OWN,
	[SCAR_NR_close_range] = OWN,

	/* Names of UNIX sockets. */
	[__NR_bind] = OWN,
	[__NR_connect] = OWN,
	[__NR_sendto] = OWN,
	[__NR_sendmsg] = OWN,
	[__NR_sendmmsg] = OWN,
	[__NR_getsockname] = OWN,
	[__NR_getpeername] = OWN,
	[__NR_accept] = OWN,
	[__NR_accept4] = OWN,
	[__NR_recvfrom] = OWN,
	[__NR_recvmsg] = OWN,
	[__NR_recvmmsg] = OWN,
	[__NR_getsockopt] = OWN,

	/* Identity. */
	[__NR_getuid] = OWN,
	[__NR_getgid] = OWN,
	[__NR_geteuid] = OWN,
	[__NR_getegid] = OWN,
	[__NR_setuid] = OWN,
	[__NR_setgid] = OWN,
	[__NR_setreuid] = OWN,
	[__NR_setregid] = OWN,
	[__NR_getgroups] = OWN,
	[__NR_setgroups] = OWN,
	[__NR_setresuid] = OWN,
	[__NR_getresuid] = OWN,
	[__NR_setresgid] = OWN,
	[__NR_getresgid] = OWN,
	[__NR_setfsuid] = OWN,
	[__NR_setfsgid] = OWN,
	[__NR_capget] = OWN,
	[__NR_capset] = OWN,

	/* What Lambda refuses, and what would leave the rootfs. */
	[__NR_ptrace] = EPERM_,
	[__NR_seccomp] = EPERM_,
	[__NR_unshare] = EPERM_,
	[__NR_setns] = EPERM_,
	[__NR_mount] = EPERM_,
	[__NR_umount2] = EPERM_,
	[__NR_pivot_root] = EPERM_,
	[__NR_chroot] = OWN,
	[__NR_acct] = EPERM_,
	[__NR_swapon] = EPERM_,
	[__NR_swapoff] = EPERM_,
	[__NR_quotactl] = EPERM_,
	[NR_quotactl_fd] = EPERM_,
	[__NR_open_by_handle_at] = EPERM_,
	[__NR_fanotify_init] = EPERM_,
	[__NR_fanotify_mark] = EPERM_,
	[__NR_bpf] = EPERM_,
	[__NR_open_tree] = EPERM_,
	[__NR_move_mount] = EPERM_,
	[__NR_fsopen] = EPERM_,
	[__NR_fsconfig] = EPERM_,
	[__NR_fsmount] = EPERM_,
	[__NR_fspick] = EPERM_,
	[NR_mount_setattr] = EPERM_,
	[NR_statmount] = EPERM_,
	[NR_listmount] = EPERM_,
	[NR_open_tree_attr] = EPERM_,
	[NR_listns] = EPERM_,
	/* A ring's operations name files behind our back; programs fall back without it. */
	[__NR_io_uring_setup] = ENOSYS_,
	[__NR_io_uring_enter] = ENOSYS_,
	[__NR_io_uring_register] = ENOSYS_,
	[NR_landlock_create_ruleset] = ENOSYS_,
	[NR_landlock_add_rule] = ENOSYS_,
	[NR_landlock_restrict_self] = ENOSYS_,
};

#define PATH(dir, path, flags, how)                                         \
	{                                                                   \
		.dir_arg = (dir), .path_arg = (path), .flags_arg = (flags), \
		.follow = SCAR_FOLLOW_##how                                 \
	}
#define READS(...)                       \
	{                                \
		.paths = { __VA_ARGS__ } \
	}
#define WRITES(...)                                    \
	{                                              \
		.paths = {__VA_ARGS__}, .writes = true \
	}

const struct scar_call scar_call_rows[SCAR_CALLS_MAX] = {
#ifdef __x86_64__
	[__NR_rename] = WRITES(PATH(0, 1, 0, PARENT), PATH(0, 2, 0, PARENT)),
	[__NR_mkdir] = WRITES(PATH(0, 1, 0, PARENT)),
	[__NR_rmdir] = WRITES(PATH(0, 1, 0, PARENT)),
	[__NR_link] = WRITES(PATH(0, 1, 0, NEVER), PATH(0, 2, 0, PARENT)),
	[__NR_unlink] = WRITES(PATH(0, 1, 0, PARENT)),
	[__NR_symlink] = WRITES(PATH(0, 2, 0, PARENT)),
	[__NR_chmod] = WRITES(PATH(0, 1, 0, ALWAYS)),
	[__NR_utime] = WRITES(PATH(0, 1, 0, ALWAYS)),
	[__NR_utimes] = WRITES(PATH(0, 1, 0, ALWAYS)),
	[__NR_mknod] = WRITES(PATH(0, 1, 0, PARENT)),
	[__NR_futimesat] = WRITES(PATH(1, 2, 0, ALWAYS)),
#endif
	[__NR_truncate] = WRITES(PATH(0, 1, 0, ALWAYS)),
	[__NR_chdir] = READS(PATH(0, 1, 0, ALWAYS)),
	[__NR_mkdirat] = WRITES(PATH(1, 2, 0, PARENT)),
	[__NR_mknodat] = WRITES(PATH(1, 2, 0, PARENT)),
	[__NR_unlinkat] = WRITES(PATH(1, 2, 0, PARENT)),
	[__NR_renameat] = WRITES(PATH(1, 2, 0, PARENT), PATH(3, 4, 0, PARENT)),
	[__NR_renameat2] = WRITES(PATH(1, 2, 0, PARENT), PATH(3, 4, 0, PARENT)),
	[__NR_linkat] = WRITES(PATH(1, 2, 5, IF_AT), PATH(3, 4, 0, PARENT)),
	[__NR_symlinkat] = WRITES(PATH(2, 3, 0, PARENT)),
	[__NR_fchmodat] = WRITES(PATH(1, 2, 0, ALWAYS)),
	[NR_fchmodat2] = WRITES(PATH(1, 2, 4, UNLESS_AT)),
	[__NR_utimensat] = WRITES(PATH(1, 2, 4, UNLESS_AT)),
	[__NR_setxattr] = WRITES(PATH(0, 1, 0, ALWAYS)),
	[__NR_lsetxattr] = WRITES(PATH(0, 1, 0, NEVER)),
	[__NR_getxattr] = READS(PATH(0, 1, 0, ALWAYS)),
	[__NR_lgetxattr] = READS(PATH(0, 1, 0, NEVER)),
	[__NR_listxattr] = READS(PATH(0, 1, 0, ALWAYS)),
	[__NR_llistxattr] = READS(PATH(0, 1, 0, NEVER)),
	[__NR_removexattr] = WRITES(PATH(0, 1, 0, ALWAYS)),
	[__NR_lremovexattr] = WRITES(PATH(0, 1, 0, NEVER)),
	[SCAR_NR_setxattrat] = WRITES(PATH(1, 2, 3, UNLESS_AT)),
	[SCAR_NR_getxattrat] = READS(PATH(1, 2, 3, UNLESS_AT)),
	[SCAR_NR_listxattrat] = READS(PATH(1, 2, 3, UNLESS_AT)),
	[SCAR_NR_removexattrat] = WRITES(PATH(1, 2, 3, UNLESS_AT)),
	[SCAR_NR_file_getattr] = READS(PATH(1, 2, 5, UNLESS_AT)),
	[SCAR_NR_file_setattr] = WRITES(PATH(1, 2, 5, UNLESS_AT)),
	[__NR_inotify_add_watch] = READS(PATH(0, 2, 3, UNLESS_WATCH)),
	[__NR_name_to_handle_at] = READS(PATH(1, 2, 5, IF_AT)),
};
