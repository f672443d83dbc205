/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file process_tree.h
 * A process and all its descendants, from /proc: where no control group counts and lists them.
 */
#ifndef SCAR_RUNTIME_EMULATOR_PROCESS_TREE_H
#define SCAR_RUNTIME_EMULATOR_PROCESS_TREE_H

#include <stdint.h>
#include <sys/types.h>

/** Anonymous memory of the descendants of `pid`; what vanishes meanwhile counts 0. */
uint64_t scar_process_tree_bytes(pid_t pid);

/** A signal to the process and its descendants, as far as they are children of main threads. @return how many */
int scar_process_tree_signal(pid_t pid, int signum);

#endif
