/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file result.h
 * What an invocation's end means on a command line.
 */
#ifndef SCAR_DEPLOYER_RESULT_H
#define SCAR_DEPLOYER_RESULT_H

struct scar_buf;
struct scar_err;

/** An error document, taken apart. */
struct scar_result {
	int exit_code;
	int has_exit_code; /**< the program ran, and this is its own status */
	char type[128];
	char message[2048];
};

/**
 * Reads the error document of a function: exitCode if it has one, else what its type stands for (1 if
 * nothing). What the document holds of the program's output is appended to `output`.
 */
void scar_result_parse(const char *error_type, const struct scar_buf *document,
		       struct scar_result *ret_result, struct scar_buf *output);

#endif
