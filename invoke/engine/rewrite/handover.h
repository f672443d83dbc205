/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file handover.h
 * How a program's loader learns what it is to run.
 *
 * Whoever starts it (the host, or a guest's execve) puts two entries behind the environment,
 * so that a guest which clears its environment loses nothing; the loader takes them off
 * before the program sees them. An even number keeps the stack aligned.
 */
#ifndef SCAR_INVOKE_ENGINE_REWRITE_HANDOVER_H
#define SCAR_INVOKE_ENGINE_REWRITE_HANDOVER_H

/**
 * "SCAR_GUEST_EXE=<length>:<guest path of the program><,|;><length>:<guest path of its interpreter><path as
 * execve(2) got it>", the last entry but one. ";" asks to close the descriptor that the path names (fexecve).
 * The interpreter's path leads there without links; "0:" if it is not known. At the first start
 * "SCAR_GUEST_EXE=<fd>!": argv[0] is yet to be resolved, and trouble goes down that pipe as a
 * struct scar_handover_failure.
 */
#define SCAR_HANDOVER_EXE "SCAR_GUEST_EXE="
/** "SCAR_GUEST_CONFIG=<text form of struct scar_guest>", the last entry. */
#define SCAR_HANDOVER_CONFIG "SCAR_GUEST_CONFIG="

/** Names in the state directory. */
#define SCAR_HANDOVER_LOADER "/loader"
#define SCAR_HANDOVER_TEXTS "/text"

#define SCAR_HANDOVER_PATH_MAX 1024

/** What kept the first program from starting; fits into PIPE_BUF. */
struct scar_handover_failure {
	int error;     /**< errno value */
	int is_engine; /**< the engine failed, not the program */
	char path[SCAR_HANDOVER_PATH_MAX];
	char reason[256]; /**< "" or what the errno value does not say */
};

#endif
