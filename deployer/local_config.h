/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file local_config.h
 * The command line of `scar local run` and `scar local serve`, and what the caller's environment
 * adds to it.
 */
#ifndef SCAR_DEPLOYER_LOCAL_CONFIG_H
#define SCAR_DEPLOYER_LOCAL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "deployer/fdl.h"
#include "runtime/base/buf.h"
#include "runtime/emulator/function.h"

struct scar_arguments;
struct scar_err;

struct scar_local_config {
	const char *host; /**< borrowed; an IPv4 address */
	uint16_t port;
	unsigned concurrency;   /**< environments at once */
	const char *script;     /**< path or NULL */
	const char *stdin_path; /**< path, "-", or NULL */
	char *const *args;      /**< of the program; NULL-terminated, borrowed from argv */
	struct scar_function function;
	struct scar_fdl fdl;                        /**< of --conf-file; owned */
	const struct scar_fdl_function *definition; /**< of it, or NULL */
	bool s3_trigger;
	const char *client_context; /**< JSON for the invocation of `run`, or NULL */

	/* What function points to; owned. */
	char *bootstrap;
	char *task, *layers;
	char **variables;
	char **binds;
};

/**
 * What is given on the command line, which it borrows. `environment` is the caller's. SCAR_ERR_CONFIG names the option that is
 * wrong (exit status SCAR_EXIT_USAGE).
 */
int scar_local_config_read(bool serve, const struct scar_arguments *arguments, char **environment,
			   struct scar_local_config *ret_config, struct scar_err *err);
void scar_local_config_clear(struct scar_local_config *config);

/* For local_definition.c. */

/** A variable of the function; the last of a name counts. */
int scar_local_config_set(struct scar_local_config *config, const char *name, const char *value,
			  struct scar_err *err);
/** The image, as the command line and definitions name it; a path is shown to the function. */
int scar_local_config_take_image(struct scar_local_config *config, const char *image,
				 struct scar_err *err);

/** The event for `run`: cmd_args, script and stdin as bootstrap takes them. */
int scar_local_config_event(const struct scar_local_config *config, struct scar_buf *event,
			    struct scar_err *err);

#endif
