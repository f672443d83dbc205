/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file filter.h
 * Which system calls stop for the tracer.
 *
 * From the table of calls (guest/calls.h), less what only rewriting must follow and what an argument
 * shows to name nothing. The same rules as a seccomp filter, where the kernel takes one, and as a
 * function for where every call stops.
 */
#ifndef SCAR_INVOKE_ENGINE_PTRACE_FILTER_H
#define SCAR_INVOKE_ENGINE_PTRACE_FILTER_H

#include <stdbool.h>
#include <stdint.h>

struct scar_err;
struct scar_launch_addresses;
struct sock_filter;

/** A filter program for seccomp(2). */
struct scar_trace_filter {
	struct sock_filter *code; /**< owned */
	unsigned short len;
};

/** What the kernel tells the tracer of a call by another architecture's entry (PTRACE_GETEVENTMSG). */
#define SCAR_TRACE_FOREIGN 1

/** True if the loader must answer this call of a guest. */
bool scar_trace_wants(long nr, const uint64_t args[6]);

/**
 * The filter: the loader's own calls run, those of the guest that it must answer stop, and those by
 * other architectures' entries; those that are refused fail at once, and numbers beyond the table.
 */
int scar_trace_filter_create(const struct scar_launch_addresses *addresses,
			     struct scar_trace_filter *ret_filter, struct scar_err *err);
void scar_trace_filter_clear(struct scar_trace_filter *filter);

/** For this process and all it becomes; async-signal-safe. @return 0 or an errno value */
int scar_trace_filter_install(const struct scar_trace_filter *filter);

#endif
