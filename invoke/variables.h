/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file variables.h
 * The environment of the program. Later ones replace earlier ones of the same name:
 *
 *   1. a PATH and HOME, as Docker gives them
 *   2. those of the image
 *   3. those of the function, but for what belongs to Lambda or to this machine (below)
 *   4. CONT_VAR_<NAME> of the function as <NAME>, whatever NAME is (SCAR's way to force one)
 *   5. those that the event brings (event_variables.h)
 *   6. those of the invocation: REQUEST_ID, EVENT, ...
 *
 * Not passed in 3: SCAR_*, LD_*, LAMBDA_*, _* and UDOCKER_*; PATH, HOME, PWD and what else describes the host's shell;
 * AWS_LAMBDA_RUNTIME_API (the program is not the runtime), AWS_LAMBDA_EXEC_WRAPPER, AWS_EXECUTION_ENV; IMAGE_ID, FDL;
 * SSL_CERT_FILE and paths of the host's language runtimes; LANG and TZ if they have the very value that Lambda sets, since
 * images rarely have that locale; and with no_credentials the keys of AWS.
 */
#ifndef SCAR_INVOKE_VARIABLES_H
#define SCAR_INVOKE_VARIABLES_H

#include <stdbool.h>

#include "invoke/text.h"

struct scar_err;

#define SCAR_DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/** One variable of the invocation; value NULL: leave it out. */
struct scar_variable {
	const char *name;
	const char *value;
};

struct scar_variables_input {
	char *const *image;    /**< of the image's config; NULL: none */
	char *const *function; /**< all of bootstrap's own */
	const char *home;
	bool no_credentials;
	char *const *event;                     /**< NULL: none */
	const struct scar_variable *invocation; /**< ended by a NULL name */
};

/** The list, NULL-terminated, owned by the caller. Fails with SCAR_ERR_NOMEM only. */
int scar_variables_make(const struct scar_variables_input *input, char ***ret_list,
			struct scar_err *err);

#endif
