/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file lambda.h
 * AWS Lambda: functions, their code and settings, layers, who may invoke them, and invoking.
 *
 * `function` is a name or an ARN everywhere. Answers are AWS's documents (names as in the Lambda API reference), to be freed with
 * scar_json_free(); a NULL `ret_answer` means that the caller does not want it. What the API calls a conflict because another change is still
 * under way is waited out inside.
 */
#ifndef SCAR_DEPLOYER_AWS_LAMBDA_H
#define SCAR_DEPLOYER_AWS_LAMBDA_H

#include "deployer/aws/aws.h"

struct scar_buf;

/** Where the code of a function or layer is: one of zip, s3_*, image_uri. All NULL: not said. */
struct scar_lambda_code {
	const void *zip; /**< at most 50 MB; larger ones go through S3 */
	size_t zip_len;
	const char *s3_bucket, *s3_key, *s3_version;
	const char *image_uri;
};

struct scar_lambda_mount {
	const char *arn;  /**< access point of EFS or S3 Files */
	const char *path; /**< "/mnt/..." */
};

/** What a function shall be. NULL or 0: not said, so that AWS's default holds or what is there stays. */
struct scar_lambda_function {
	const char *name;
	const char *role; /**< ARN */
	const char *runtime;
	const char *handler;
	const char *description;
	int timeout_s;
	int memory_mb;
	int storage_mb;            /**< of /tmp, 512 to 10240 */
	const char *architecture;  /**< "x86_64" or "arm64"; with code only */
	const char *const *layers; /**< version ARNs, NULL-terminated; {NULL}: none at all */
	const struct scar_aws_pair *environment; /**< the whole of it; NULL: not said */
	size_t environment_count;
	const struct scar_aws_pair *tags; /**< with scar_lambda_create() only */
	size_t tag_count;
	const char *const *subnet_ids, *const *security_group_ids; /**< NULL-terminated */
	const struct scar_lambda_mount *mounts;
	size_t mount_count;
	const char *log_format; /**< "Text" or "JSON" */
	const char *log_group;
	struct scar_lambda_code code; /**< with scar_lambda_create() only */
};

/**
 * CreateFunction, and no waiting. A role that was made a moment ago cannot be assumed yet: this is tried again for up to a minute.
 * A function of that name: SCAR_ERR_CONFIG, code ResourceConflictException.
 */
int scar_lambda_create(struct scar_aws *aws, const struct scar_lambda_function *function,
		       struct scar_json **ret_answer, struct scar_err *err);
/** UpdateFunctionCode; architecture may be NULL. Waits before it, if need be, and not after. */
int scar_lambda_update_code(struct scar_aws *aws, const char *function,
			    const struct scar_lambda_code *code, const char *architecture,
			    struct scar_json **ret_answer, struct scar_err *err);
/** UpdateFunctionConfiguration with what is said, environment and layers being replaced whole. */
int scar_lambda_update_configuration(struct scar_aws *aws,
				     const struct scar_lambda_function *function,
				     struct scar_json **ret_answer, struct scar_err *err);
/** DeleteFunction. */
int scar_lambda_delete(struct scar_aws *aws, const char *function, struct scar_err *err);
/** GetFunction: {Configuration, Code, Tags, Concurrency}. */
int scar_lambda_get(struct scar_aws *aws, const char *function, struct scar_json **ret_answer,
		    struct scar_err *err);
/** GetFunctionConfiguration. */
int scar_lambda_get_configuration(struct scar_aws *aws, const char *function,
				  struct scar_json **ret_answer, struct scar_err *err);
/** ListFunctions: each item is a FunctionConfiguration, without State and tags. */
int scar_lambda_list(struct scar_aws *aws, scar_aws_each each, void *ctx, struct scar_err *err);
/**
 * Waits until the function is Active and its last update is Successful, for at most timeout_s (0: 300). SCAR_ERR_CONFIG with AWS's
 * reason if it failed, SCAR_ERR_TIMEOUT. A service that tells no state is believed to be done.
 */
int scar_lambda_wait(struct scar_aws *aws, const char *function, int timeout_s,
		     struct scar_err *err);

/* ---- tags ---- */

int scar_lambda_tag(struct scar_aws *aws, const char *function_arn,
		    const struct scar_aws_pair *tags, size_t tag_count, struct scar_err *err);
/** `names` is NULL-terminated. */
int scar_lambda_untag(struct scar_aws *aws, const char *function_arn, const char *const *names,
		      struct scar_err *err);
/** ListTags: {Tags: {...}}. */
int scar_lambda_get_tags(struct scar_aws *aws, const char *function_arn,
			 struct scar_json **ret_answer, struct scar_err *err);

/* ---- layers ---- */

struct scar_lambda_layer {
	const char *name;
	const char *description; /**< at most 256 characters */
	const char *license;
	const char *const *runtimes;      /**< NULL-terminated, at most 15; may be NULL */
	const char *const *architectures; /**< NULL-terminated; may be NULL */
	struct scar_lambda_code code;
};

/** PublishLayerVersion: {LayerVersionArn, Version, ...}. */
int scar_lambda_publish_layer(struct scar_aws *aws, const struct scar_lambda_layer *layer,
			      struct scar_json **ret_answer, struct scar_err *err);
/** ListLayers: {LayerName, LayerArn, LatestMatchingVersion}. */
int scar_lambda_list_layers(struct scar_aws *aws, scar_aws_each each, void *ctx,
			    struct scar_err *err);
/** ListLayerVersions, newest first: {LayerVersionArn, Version, Description, CreatedDate, ...}. `layer` is a name or an ARN. */
int scar_lambda_list_layer_versions(struct scar_aws *aws, const char *layer, scar_aws_each each,
				    void *ctx, struct scar_err *err);
/** GetLayerVersion. */
int scar_lambda_get_layer(struct scar_aws *aws, const char *layer, int64_t version,
			  struct scar_json **ret_answer, struct scar_err *err);
/** DeleteLayerVersion; what is not there is success. */
int scar_lambda_delete_layer(struct scar_aws *aws, const char *layer, int64_t version,
			     struct scar_err *err);
/** AddLayerVersionPermission: `principal` is "*" or an account. */
int scar_lambda_share_layer(struct scar_aws *aws, const char *layer, int64_t version,
			    const char *statement_id, const char *principal, struct scar_err *err);

/* ---- who may invoke; function URL ---- */

struct scar_lambda_permission {
	const char *statement_id; /**< the same for the same purpose each time: A-Z a-z 0-9 - _ */
	const char *action;       /**< NULL: "lambda:InvokeFunction" */
	const char *principal;    /**< "s3.amazonaws.com", "*" */
	const char *source_arn, *source_account; /**< or NULL */
	const char *url_auth_type;               /**< FunctionUrlAuthType, or NULL */
	bool via_function_url;                   /**< InvokedViaFunctionUrl */
};

/** AddPermission; one of that id is success, and *ret_added (may be NULL) false. */
int scar_lambda_add_permission(struct scar_aws *aws, const char *function,
			       const struct scar_lambda_permission *permission, bool *ret_added,
			       struct scar_err *err);
/** RemovePermission; none of that id is success. */
int scar_lambda_remove_permission(struct scar_aws *aws, const char *function,
				  const char *statement_id, struct scar_err *err);
/** GetPolicy, its document parsed: {Version, Statement: [...]}. SCAR_ERR_NOT_FOUND: none. */
int scar_lambda_get_policy(struct scar_aws *aws, const char *function,
			   struct scar_json **ret_answer, struct scar_err *err);

struct scar_lambda_url {
	bool iam;    /**< AuthType AWS_IAM instead of NONE */
	bool stream; /**< InvokeMode RESPONSE_STREAM instead of BUFFERED */
};

/**
 * Creates or changes the function's URL and, where its auth type is NONE, gives it both permissions that it needs. ret_url is owned
 * by the caller.
 */
int scar_lambda_put_url(struct scar_aws *aws, const char *function,
			const struct scar_lambda_url *url, char **ret_url, struct scar_err *err);
/** GetFunctionUrlConfig; SCAR_ERR_NOT_FOUND: the function has none. */
int scar_lambda_get_url(struct scar_aws *aws, const char *function, struct scar_json **ret_answer,
			struct scar_err *err);
/** The URL and its permissions; none is success. */
int scar_lambda_delete_url(struct scar_aws *aws, const char *function, struct scar_err *err);

/* ---- how it is run ---- */

/** PutFunctionConcurrency; 0 stops the function. */
int scar_lambda_put_concurrency(struct scar_aws *aws, const char *function, int reserved,
				struct scar_err *err);
int scar_lambda_delete_concurrency(struct scar_aws *aws, const char *function,
				   struct scar_err *err);
/** PutFunctionEventInvokeConfig: how often (0..2) and how long (60..21600 s; 0: not said) asynchronous events are tried again. */
int scar_lambda_put_retries(struct scar_aws *aws, const char *function, int retries, int max_age_s,
			    struct scar_err *err);
/** GetAccountSettings: {AccountLimit, AccountUsage}. */
int scar_lambda_get_account(struct scar_aws *aws, struct scar_json **ret_answer,
			    struct scar_err *err);

/* ---- invoking ---- */

enum scar_lambda_invocation {
	SCAR_LAMBDA_SYNC,  /**< RequestResponse */
	SCAR_LAMBDA_ASYNC, /**< Event */
	SCAR_LAMBDA_DRY_RUN
};

struct scar_lambda_call {
	const char *function;
	const char *qualifier; /**< or NULL */
	enum scar_lambda_invocation type;
	const void *payload; /**< JSON; NULL: none */
	size_t payload_len;
	bool log_tail;              /**< ask for the last 4 KB of the log */
	const char *client_context; /**< JSON text, or NULL */
	int timeout_s; /**< of the function: how long the answer is waited for; 0: 900 */
};

/** Cleared by scar_lambda_result_clear(). */
struct scar_lambda_result {
	int status;           /**< 200, 202 or 204 */
	char request_id[128]; /**< of the invocation */
	char *function_error; /**< "Unhandled", "Handled"; NULL: the function succeeded */
	char *version;        /**< or NULL */
	char *log_tail;       /**< decoded; or NULL */
	char *payload;        /**< with a NUL behind it; "" if streamed */
	size_t payload_len;
};

/**
 * Invoke. 0 also if the function failed (function_error). A synchronous invocation is sent once: nothing is repeated that may have
 * begun to run; what was throttled has not.
 */
int scar_lambda_invoke(struct scar_aws *aws, const struct scar_lambda_call *call,
		       struct scar_lambda_result *ret_result, struct scar_err *err);
/**
 * InvokeWithResponseStream: each piece goes to `sink` as it comes. An error after the stream began is function_error; payload then
 * is {"errorType", "errorMessage"}.
 */
int scar_lambda_invoke_stream(struct scar_aws *aws, const struct scar_lambda_call *call,
			      int (*sink)(void *ctx, const void *data, size_t len,
					  struct scar_err *err),
			      void *ctx, struct scar_lambda_result *ret_result,
			      struct scar_err *err);
void scar_lambda_result_clear(struct scar_lambda_result *result);
#define scar_lambda_result_auto scar_auto(scar_lambda_result_clear)

#endif
