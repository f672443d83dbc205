/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file fdl.h
 * SCAR's function definition files: YAML or JSON, from the defaults of ~/.scar/scar.cfg, the file, and the command line, each over the one
 * before; lists add up, as in SCAR. Keys are one table (fdl_keys.c). A key that is not in it is refused with the file and its line; so is a
 * value that does not fit. Keys that only udocker or boto needed are taken and have no effect.
 */
#ifndef SCAR_DEPLOYER_FDL_H
#define SCAR_DEPLOYER_FDL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/cleanup.h"

struct scar_arguments;
struct scar_buf;
struct scar_err;
struct scar_yaml;

/** Owned texts, NULL-terminated; items is NULL while there are none. */
struct scar_fdl_list {
	char **items;
	size_t count;
};

struct scar_fdl_pair {
	char *name, *value;
};

struct scar_fdl_pairs {
	struct scar_fdl_pair *items;
	size_t count;
};

/** An entry of `input` or `output`, or of `file_system` (provider: its ARN; path: where it is mounted). */
struct scar_fdl_place {
	char *provider; /**< "s3", "minio.lab" */
	char *path;     /**< "bucket/folder", without slashes at its ends */
	struct scar_fdl_list prefixes, suffixes;
	unsigned line; /**< 0: from the command line */
};

struct scar_fdl_places {
	struct scar_fdl_place *items;
	size_t count;
};

enum scar_fdl_mode { SCAR_FDL_LAMBDA, SCAR_FDL_LAMBDA_BATCH, SCAR_FDL_BATCH };

/** A number of which 0 is one that may be said. */
struct scar_fdl_number {
	bool said;
	int value;
};

/** All plain numbers: 0 is not said. All texts: NULL is not said. */
struct scar_fdl_function {
	unsigned line;
	char *name, *region, *profile, *description, *runtime, *log_level, *mode, *architecture;
	int timeout_s, memory_mb, storage_mb;
	struct scar_fdl_list layers;
	struct scar_fdl_pairs environment; /**< of the function */
	char *deployment_bucket, *extra_payload;
	char *image, *image_file, *init_script, *run_script;
	struct scar_fdl_pairs program_environment;
	struct scar_fdl_number threshold_s;
	bool stage_in_off, preheat, no_image;
	char *supervisor_version, *layer_name;
	struct scar_fdl_places inputs, outputs, mounts;
	struct scar_fdl_list subnets, security_groups;
	char *role, *api_name, *api_type, *api_stage;
	char *url_auth, *url_mode; /**< of the function's URL; one of them makes it */
	int reserved, event_age_s;
	struct scar_fdl_number retries;
	int retention_days;
	struct {
		int vcpus, memory_mb, max_vcpus, min_vcpus, desired_vcpus, nodes, main_node;
		bool gpu, multi_node;
		char *type, *state, *instance_role, *launch_template, *service_role;
		struct scar_fdl_list instance_types, subnets, security_groups;
		struct scar_fdl_pairs environment;
	} batch;
};

struct scar_fdl {
	struct scar_fdl_function *functions;
	size_t count;
	size_t oscar_count; /**< services for OSCAR clusters, which are not looked at */
	char *name;         /**< of the file, for messages; NULL without one */
	char *directory;    /**< paths of the file begin here: "." without a file */
	struct scar_yaml *root, *defaults;
	const struct scar_yaml *providers; /**< storage_providers; or NULL */
};

/**
 * What the command line asks for: the file of -f, if there is one, else one function of it alone; over ~/.scar/scar.cfg (or
 * $SCAR_CONFIG_FOLDER/scar.cfg), which may be missing. SCAR_ERR_CONFIG names file, line and key.
 */
int scar_fdl_load(const struct scar_arguments *arguments, char *const *environment,
		  struct scar_fdl *ret_fdl, struct scar_err *err);
/** The same from texts; defaults and text may be NULL, `arguments` too. */
int scar_fdl_parse(const char *defaults, size_t defaults_len, const char *text, size_t len,
		   const char *name, const struct scar_arguments *arguments,
		   struct scar_fdl *ret_fdl, struct scar_err *err);
void scar_fdl_clear(struct scar_fdl *fdl);

/** Whether a mount is one of S3 Files; else it is EFS's. */
bool scar_fdl_is_s3_files(const struct scar_fdl_place *mount);
/** Every function has what its creation needs, and none feeds itself. */
int scar_fdl_check(const struct scar_fdl *fdl, struct scar_err *err);
/** Only functions of that name; SCAR_ERR_CONFIG if there is none. */
const struct scar_fdl_function *scar_fdl_find(const struct scar_fdl *fdl, const char *name);
enum scar_fdl_mode scar_fdl_mode_of(const struct scar_fdl_function *function);
/** Whether it is S3 of the function's own account: others come with keys of their own. */
bool scar_fdl_is_s3(const struct scar_fdl_place *place);
/** What is before, and behind, the first slash of a path; "" if nothing is. */
void scar_fdl_split(const char *path, char bucket[64], const char **ret_folder);

/**
 * function_config.yaml as the function reads it (invoke/definition.h): JSON, which is YAML too. The same definition gives the same bytes.
 */
int scar_fdl_write_config(const struct scar_fdl *fdl, const struct scar_fdl_function *function,
			  struct scar_buf *text, struct scar_err *err);

#define scar_fdl_auto scar_auto(scar_fdl_clear)

#endif
