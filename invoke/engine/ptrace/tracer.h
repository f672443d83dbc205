/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tracer.h
 * Follows a guest and all that it starts, and brings the calls that name things to the loader.
 *
 * The tracer changes nothing but registers: it points a thread that stopped at such a call to the
 * loader in its own address space, which answers it, or asks to have it run where it was made.
 * Signals, stops and ends pass as they come.
 */
#ifndef SCAR_INVOKE_ENGINE_PTRACE_TRACER_H
#define SCAR_INVOKE_ENGINE_PTRACE_TRACER_H

#include <stdbool.h>
#include <sys/types.h>

#include "invoke/engine/rewrite/launch.h"

/**
 * In the process that is to be traced: starts its tracer, a process outside its session that ends
 * with the last of those it traces, and that takes them with it if it is killed. All system calls
 * stop until scar_tracer_ready tells that a filter is in place. Async-signal-safe.
 * @return a descriptor for scar_tracer_ready, or -errno
 */
int scar_tracer_start(const struct scar_launch_addresses *addresses);

/** The next program is the loader. @return 0 or -errno */
int scar_tracer_ready(int fd, bool has_filter);

#endif
