/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file plan.h
 * What has to be done so that what was found becomes what is wanted: a list of steps, in their order. Nothing here talks to anybody.
 */
#ifndef SCAR_DEPLOYER_PLAN_H
#define SCAR_DEPLOYER_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "deployer/aws/batch.h"
#include "deployer/target.h"

struct scar_json;

/** What exists. */
struct scar_found {
	struct scar_json *function; /**< GetFunction's answer, or NULL */
	struct scar_json *policy;   /**< GetPolicy's, or NULL */
	bool role, log_group;
	struct scar_fdl_list buckets;  /**< those of the target that are there */
	struct scar_fdl_list triggers; /**< ids of our entries in them that are as wanted */
	char *layer;                   /**< ARN of the layer's version, or NULL */
	char *api;                     /**< id of the API before the function, or NULL */
	char *api_stage;               /**< of its variable, or NULL */
	struct scar_batch_found jobs;
	struct scar_json *url; /**< GetFunctionUrlConfig's answer, or NULL */
	char *function_url;    /**< the URL itself, once it is there; or NULL */
};

void scar_found_clear(struct scar_found *found);
int scar_fdl_list_add(struct scar_fdl_list *list, const char *text, struct scar_err *err);
bool scar_fdl_list_has(const struct scar_fdl_list *list, const char *text);
void scar_fdl_list_clear(struct scar_fdl_list *list);

enum scar_step_kind {
	SCAR_STEP_BUCKET,      /**< name: the bucket */
	SCAR_STEP_ROLE,        /**< create, or change its policy */
	SCAR_STEP_LAYER,       /**< publish */
	SCAR_STEP_JOB_RUNTIME, /**< of Batch: put into the bucket */
	SCAR_STEP_JOB_QUEUE,   /**< with its compute environment and machines */
	SCAR_STEP_JOB_DEFINITION,
	SCAR_STEP_API,           /**< create */
	SCAR_STEP_CREATE,        /**< the function */
	SCAR_STEP_CODE,          /**< of the function */
	SCAR_STEP_CONFIGURATION, /**< of the function; detail: what of it */
	SCAR_STEP_TAGS,
	SCAR_STEP_LOGS,
	SCAR_STEP_RETENTION,
	SCAR_STEP_TRIGGER, /**< index: of the input; its permission too */
	SCAR_STEP_API_PERMISSION,
	SCAR_STEP_URL,    /**< with its permissions */
	SCAR_STEP_LIMITS, /**< reserved concurrency, and how asynchronous events are tried again */
};

enum scar_step_action { SCAR_STEP_KEEP, SCAR_STEP_ADD, SCAR_STEP_CHANGE };

struct scar_step {
	enum scar_step_kind kind;
	enum scar_step_action action;
	size_t index;
	char *name;
	char *detail; /**< or NULL */
};

struct scar_plan {
	struct scar_step *steps;
	size_t count;
};

/** `layer` is NULL for a package without. */
int scar_plan_make(const struct scar_target *target, const struct scar_layer *layer,
		   const struct scar_found *found, struct scar_plan *ret_plan,
		   struct scar_err *err);
void scar_plan_clear(struct scar_plan *plan);
/** How many steps do something. */
size_t scar_plan_changes(const struct scar_plan *plan);
/** "role", "function": for people. */
const char *scar_step_noun(enum scar_step_kind kind);

/** What SCAR_API_STAGE_VARIABLE has to be, NULL: not set. An API that the definition no longer names stays as it is. */
const char *scar_plan_api_stage(const struct scar_target *target, const struct scar_found *found);
/** The buckets of our account that the function needs, each once. */
int scar_plan_buckets(const struct scar_target *target, struct scar_fdl_list *buckets,
		      struct scar_err *err);
/** The id of the trigger for an input, and of the permission for its bucket; both the same each time. */
void scar_plan_trigger_id(const struct scar_fdl_function *function,
			  const struct scar_fdl_place *input, char id[128]);
void scar_plan_statement_id(const char *bucket, char id[128]);
/** Whether the definition wants a URL, and reserves concurrency or says how events are tried again. */
bool scar_plan_wants_url(const struct scar_fdl_function *function);
bool scar_plan_wants_limits(const struct scar_fdl_function *function);
/** The prefix of keys that the input's trigger waits for: "folder/", or "". */
void scar_plan_prefix(const struct scar_fdl_place *input, char bucket[64], char prefix[1100]);

#define scar_plan_auto scar_auto(scar_plan_clear)
#define scar_found_auto scar_auto(scar_found_clear)

#endif
