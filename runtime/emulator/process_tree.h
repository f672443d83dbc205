/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file process_tree.h
 * Memory of a process and all its descendants, from /proc: where no control group counts it.
 */
#ifndef SCAR_RUNTIME_EMULATOR_PROCESS_TREE_H
#define SCAR_RUNTIME_EMULATOR_PROCESS_TREE_H

#include <stdint.h>
#include <sys/types.h>

/** Anonymous memory of the descendants of `pid`; what vanishes meanwhile counts 0. */
uint64_t scar_process_tree_bytes(pid_t pid);

#endif
