/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file conform.h
 * Conformance cases of the engines: what a program in the guest observes.
 *
 * Each case prints what it sees, as lines without anything that differs between two runs in
 * a real chroot (process ids, inode numbers, addresses, times). The runner (conformance.py)
 * runs the program natively and through an engine and compares case by case: a real chroot is
 * the truth, so no case knows its expected output. A case runs in a child of its own, in an
 * empty directory /conform/<case>, with a time limit.
 */
#ifndef SCAR_TESTS_ENGINE_CONFORM_H
#define SCAR_TESTS_ENGINE_CONFORM_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

struct conform_case {
	const char *name;
	void (*run)(void);
};

struct conform_group {
	const struct conform_case *cases;
	size_t count;
};

extern const struct conform_group conform_jobs;
extern const struct conform_group conform_paths, conform_calls, conform_exec, conform_proc,
	conform_process, conform_signals, conform_sockets, conform_identity, conform_memory,
	conform_pointers, conform_matrix, conform_moves_group, conform_descriptors, conform_random,
	conform_canary, conform_corners, conform_stacks;

/** One line of what is observed. */
void see(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/** "<label>: ok" or "<label>: ok <value>" is not printed for value < 0, but "<label>: <errno name>". */
void see_result(const char *label, long result);
/** Like see_result, but a good result is not shown as a number (descriptors, pids, sizes that differ). */
void see_ok(const char *label, long result);
/** Symbolic name of an errno value. */
const char *errno_name(int errnum);
/** Path of this program, as it was started. */
extern const char *conform_self;

/** Creates a file with that text. */
void put_file(const char *path, const char *text);
/** Prints "<label>: <first bytes of the file>" or its error. */
void see_file(const char *label, const char *path);
/** Waits for the child and prints how it ended. */
void see_child(const char *label, int pid);
/** Starts argv[0] with argv and envp by fork and execve; prints the child's end. */
void see_exec(const char *label, const char *path, char *const argv[], char *const envp[]);

#define CONFORM_GROUP(group, ...)                                         \
	static const struct conform_case group##_cases[] = {__VA_ARGS__}; \
	const struct conform_group conform_##group = {                    \
		group##_cases, sizeof(group##_cases) / sizeof(group##_cases[0])}

#endif
