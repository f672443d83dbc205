/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file legacy.h
 * Calls that architectures after x86 never had, under numbers that no call has.
 *
 * A switch over numbers can then name them without asking for the architecture; a table cannot.
 */
#ifndef SCAR_INVOKE_ENGINE_GUEST_LEGACY_H
#define SCAR_INVOKE_ENGINE_GUEST_LEGACY_H

#ifndef __NR_open
/* NOLINTBEGIN(bugprone-reserved-identifier) */
#define __NR_open (-1001)
#define __NR_creat (-1002)
#define __NR_stat (-1003)
#define __NR_lstat (-1004)
#define __NR_access (-1005)
#define __NR_readlink (-1006)
#define __NR_chown (-1007)
#define __NR_lchown (-1008)
#define __NR_rename (-1009)
#define __NR_mkdir (-1010)
#define __NR_rmdir (-1011)
#define __NR_link (-1012)
#define __NR_unlink (-1013)
#define __NR_symlink (-1014)
#define __NR_chmod (-1015)
#define __NR_utime (-1016)
#define __NR_utimes (-1017)
#define __NR_mknod (-1018)
#define __NR_futimesat (-1019)
#define __NR_getdents (-1020)
#define __NR_dup2 (-1021)
#define __NR_arch_prctl (-1022)
/* NOLINTEND(bugprone-reserved-identifier) */
#endif

#endif
