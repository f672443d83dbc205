/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cgroup.h
 * A memory control group for one sandbox, version 1 or 2, where one may be made.
 */
#ifndef SCAR_RUNTIME_EMULATOR_CGROUP_H
#define SCAR_RUNTIME_EMULATOR_CGROUP_H

#include <stdint.h>
#include <sys/types.h>

struct scar_err;
struct scar_cgroup;

/** Makes a group whose members may use limit_bytes together (swap included where it is counted). */
int scar_cgroup_create(uint64_t limit_bytes, struct scar_cgroup **ret_group, struct scar_err *err);
/** Puts a process in; its children follow. */
int scar_cgroup_add(const struct scar_cgroup *group, pid_t pid, struct scar_err *err);
/** Anonymous memory in use now: what programs hold, without page cache and tmpfs. */
int scar_cgroup_anonymous_bytes(const struct scar_cgroup *group, uint64_t *ret_bytes,
				struct scar_err *err);
/** A signal to every member. @return how many there are; -1 if they cannot be listed */
int scar_cgroup_signal(const struct scar_cgroup *group, int signum, struct scar_err *err);
/** Removes the group, whose members must have ended, and frees. */
void scar_cgroup_free(struct scar_cgroup *group);

#endif
