/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file command.h
 * The commands of `scar` and their options, as one table: what is parsed, --help, the completions and the check of docs/cli.md all come
 * from it. SCAR's own flags (one dash, one or more letters) stand beside long ones.
 */
#ifndef SCAR_DEPLOYER_COMMAND_H
#define SCAR_DEPLOYER_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What an option means; rows of different commands may share it. */
enum scar_option_id {
	SCAR_OPTION_HELP,
	/* which function */
	SCAR_OPTION_NAME,
	SCAR_OPTION_FILE,
	SCAR_OPTION_ALL,
	/* AWS */
	SCAR_OPTION_REGION,
	SCAR_OPTION_PROFILE,
	SCAR_OPTION_ENDPOINT_URL,
	/* what is printed */
	SCAR_OPTION_OUTPUT,
	SCAR_OPTION_JSON,
	SCAR_OPTION_VERBOSE,
	/* definition of a function */
	SCAR_OPTION_IMAGE,
	SCAR_OPTION_IMAGE_FILE,
	SCAR_OPTION_INIT_SCRIPT,
	SCAR_OPTION_DESCRIPTION,
	SCAR_OPTION_ENV,
	SCAR_OPTION_LAMBDA_ENV,
	SCAR_OPTION_MEMORY,
	SCAR_OPTION_TIMEOUT,
	SCAR_OPTION_TIMEOUT_THRESHOLD,
	SCAR_OPTION_LOG_LEVEL,
	SCAR_OPTION_LAYERS,
	SCAR_OPTION_INPUT_BUCKET,
	SCAR_OPTION_OUTPUT_BUCKET,
	SCAR_OPTION_EXECUTION_MODE,
	SCAR_OPTION_ROLE,
	SCAR_OPTION_SUPERVISOR_VERSION,
	SCAR_OPTION_RUNTIME,
	SCAR_OPTION_BATCH_MEMORY,
	SCAR_OPTION_BATCH_VCPUS,
	SCAR_OPTION_ENABLE_GPU,
	SCAR_OPTION_PREHEAT,
	SCAR_OPTION_EXTRA_PAYLOAD,
	SCAR_OPTION_DEPLOYMENT_BUCKET,
	SCAR_OPTION_API_GATEWAY,
	SCAR_OPTION_STORAGE,
	SCAR_OPTION_ARCHITECTURE,
	/* applying */
	SCAR_OPTION_DRY_RUN,
	SCAR_OPTION_LAYER_ZIP,
	SCAR_OPTION_NO_LAYER,
	SCAR_OPTION_NO_IMAGE_CHECK,
	SCAR_OPTION_SUPERVISOR_LAYER,
	SCAR_OPTION_IGNORE_MISSING,
	SCAR_OPTION_KEEP_LOGS,
	/* running */
	SCAR_OPTION_ASYNCHRONOUS,
	SCAR_OPTION_OUTPUT_FILE,
	SCAR_OPTION_RUN_SCRIPT,
	SCAR_OPTION_DATA_BINARY,
	SCAR_OPTION_JSON_DATA,
	SCAR_OPTION_PARAMETERS,
	SCAR_OPTION_MANIFEST,
	SCAR_OPTION_CONCURRENCY,
	/* logs */
	SCAR_OPTION_FOLLOW,
	SCAR_OPTION_SINCE,
	SCAR_OPTION_REQUEST_ID,
	SCAR_OPTION_LOG_STREAM,
	/* storage */
	SCAR_OPTION_BUCKET,
	SCAR_OPTION_PATH,
	SCAR_OPTION_LIST_LAYERS,
	/* layers */
	SCAR_OPTION_TO,
	SCAR_OPTION_KEEP,
	/* this machine */
	SCAR_OPTION_ENGINE,
	SCAR_OPTION_NO_JAIL,
	SCAR_OPTION_TMP_SIZE,
	SCAR_OPTION_PLAIN_HTTP,
	SCAR_OPTION_BOOTSTRAP,
	SCAR_OPTION_TASK,
	SCAR_OPTION_OPT,
	SCAR_OPTION_STDIN,
	SCAR_OPTION_HOST,
	SCAR_OPTION_STREAM,
	SCAR_OPTION_TIMELINE,
	SCAR_OPTION_S3_TRIGGER,
	SCAR_OPTION_FREEZE,
	SCAR_OPTION_PORT,
};

/** Commands, as bits: an option's row says which ones take it. */
enum scar_command_id {
	SCAR_COMMAND_APPLY = 1 << 0,
	SCAR_COMMAND_UPDATE = 1 << 1,
	SCAR_COMMAND_RUN = 1 << 2,
	SCAR_COMMAND_INVOKE = 1 << 3,
	SCAR_COMMAND_LS = 1 << 4,
	SCAR_COMMAND_RM = 1 << 5,
	SCAR_COMMAND_LOG = 1 << 6,
	SCAR_COMMAND_PUT = 1 << 7,
	SCAR_COMMAND_GET = 1 << 8,
	SCAR_COMMAND_DESCRIBE = 1 << 9,
	SCAR_COMMAND_LOCAL_RUN = 1 << 10,
	SCAR_COMMAND_LOCAL_SERVE = 1 << 11,
	SCAR_COMMAND_LAYER_BUILD = 1 << 12,
	SCAR_COMMAND_LAYER_PUBLISH = 1 << 13,
	SCAR_COMMAND_LAYER_LS = 1 << 14,
	SCAR_COMMAND_LAYER_PRUNE = 1 << 15,
	SCAR_COMMAND_DOCTOR = 1 << 16,
	SCAR_COMMAND_COMPLETION = 1 << 17,
	SCAR_COMMAND_VERSION = 1 << 18,
};

struct scar_option {
	enum scar_option_id id;
	unsigned commands;
	const char *letters; /**< "-db", or NULL */
	const char *name;    /**< "--data-binary" */
	const char *value;   /**< its value's name in --help, "FILE"; NULL: it takes none */
	const char *choices; /**< "table|json": the only values; or NULL */
	const char *doc;
};

struct scar_command {
	enum scar_command_id id;
	const char *name;  /**< "layer build" */
	const char *alias; /**< or NULL */
	const char *
		words; /**< what stands beside options, for --help: "IMAGE [--] [ARGUMENT...]"; "" */
	size_t words_min, words_max;
	bool rest; /**< the first word that is no option ends the options: what follows is not ours */
	const char *summary;
	const char *more;     /**< lines of --help, or "" */
	const char *examples; /**< lines, or "" */
};

const struct scar_command *scar_commands(size_t *ret_count);
const struct scar_option *scar_options(size_t *ret_count);

/** Exit status for a command line that is not understood. */
#define SCAR_EXIT_USAGE 2
/** A function that failed: neither of the tool nor of AWS. */
#define SCAR_EXIT_FUNCTION 70

#endif
