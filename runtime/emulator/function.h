/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file function.h
 * A function as Lambda would be told of it, and the environment variables that its runtime sees.
 */
#ifndef SCAR_RUNTIME_EMULATOR_FUNCTION_H
#define SCAR_RUNTIME_EMULATOR_FUNCTION_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/emulator/jail_filter.h"

struct scar_err;

#define SCAR_FUNCTION_REGION "us-east-1"
#define SCAR_FUNCTION_ACCOUNT "000000000000"
#define SCAR_FUNCTION_VERSION "$LATEST"

/** Everything borrowed. */
struct scar_function {
	const char *name;
	unsigned memory_mb;
	unsigned timeout_s;
	unsigned tmp_mb;
	const char *bootstrap;        /**< path on the host */
	const char *const *variables; /**< "NAME=value", NULL-terminated; override Lambda's own */
	const char *const *binds;     /**< host paths that the function may read; NULL-terminated */
	const char
		*task; /**< directory on the host that is the function's package, or NULL: none */
	const char
		*layers; /**< directory on the host that is /opt, or NULL: one with the bootstrap */
	bool no_jail;
	bool freeze; /**< stop what is inside between invocations */
	enum scar_jail_kernel kernel;
};

/**
 * The whole environment of the runtime: Lambda's variables for `provided`, then the function's.
 * Nothing of this process's own. Owned: scar_function_environment_free().
 */
int scar_function_environment(const struct scar_function *function, uint16_t api_port,
			      char ***ret_environment, struct scar_err *err);
void scar_function_environment_free(char **environment);

#endif
