/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file call.h
 * One call of an AWS API: signed, sent, judged, and repeated as botocore's standard mode does. Internal to deployer/aws/.
 *
 * Repeated are: failures of the network, 500, 502, 503, 504, throttling; up to max_attempts, after rand(0..1) * min(2^n, 20) seconds, within
 * a quota that a session's many failures use up. Once more each: a clock that differs (AWS's is believed), a bucket that is
 * elsewhere. A call with `once` is repeated only where AWS says that it did nothing.
 */
#ifndef SCAR_DEPLOYER_AWS_CALL_H
#define SCAR_DEPLOYER_AWS_CALL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "deployer/aws/aws.h"
#include "deployer/aws/keys.h"
#include "runtime/base/buf.h"
#include "runtime/base/http.h"

struct scar_json_writer;
struct scar_xml;

enum scar_aws_service {
	SCAR_AWS_LAMBDA,
	SCAR_AWS_S3,
	SCAR_AWS_IAM,
	SCAR_AWS_STS,
	SCAR_AWS_LOGS,
	SCAR_AWS_APIGATEWAY,
	SCAR_AWS_APIGATEWAY2,
	SCAR_AWS_TAGGING,
	SCAR_AWS_ECR,
	SCAR_AWS_BATCH,
	SCAR_AWS_EC2,
	SCAR_AWS_SERVICES /* number of services, not one */
};

enum scar_aws_protocol {
	SCAR_AWS_REST_JSON,
	SCAR_AWS_REST_XML,
	SCAR_AWS_JSON,  /* X-Amz-Target */
	SCAR_AWS_QUERY, /* Action=..., XML back */
	SCAR_AWS_EC2_QUERY
};

/** Filled with designated initialisers; borrowed. */
struct scar_aws_call {
	enum scar_aws_service service;
	const char *operation; /* "CreateFunction" */
	const char *method;    /* NULL: POST */
	const char *path;      /* encoded, from scar_aws_path(); NULL: "/" */
	const char *query;     /* encoded, from scar_aws_query(), without "?"; or NULL */
	const char *bucket; /* S3: the path is that of a key below it, "" for the bucket itself */
	const struct scar_http_header *headers; /* at most 8 */
	size_t header_count;
	const char *content_type; /* NULL: the protocol's, if there is a body; "": none */
	const void *body;
	size_t body_len;
	bool has_body_fd; /* instead of body: body_len bytes of body_fd from body_offset on */
	int body_fd;
	uint64_t body_offset;
	const char *payload; /* hex SHA-256 of the body, if it is known; or NULL */
	scar_http_sink sink; /* takes the answer's body; nothing is repeated after its first call */
	void *sink_ctx;
	scar_aws_progress progress; /* of the body that is sent */
	void *progress_ctx;
	uint64_t progress_base, progress_total;
	size_t max_answer_bytes; /* 0: 8 MiB */
	bool once;
	bool raw_answer;                  /* neither JSON nor XML is made of it */
	int64_t stall_timeout_ms;         /* 0: 60 s */
	int64_t total_timeout_ms;         /* of one attempt; 0: none */
	const struct scar_aws_keys *keys; /* instead of the session's */
	bool is_anonymous;                /* not signed */
	int attempts;                     /* 0: the session's */
};

/** Initialised by scar_aws_answer_init(), cleared by scar_aws_answer_clear(). */
struct scar_aws_answer {
	struct scar_http_response http;
	struct scar_json *json; /* NULL: no body, or not JSON's protocol */
	struct scar_xml *xml;
	char request_id[128];
};

void scar_aws_answer_init(struct scar_aws_answer *answer);
void scar_aws_answer_clear(struct scar_aws_answer *answer);
#define scar_aws_answer_auto scar_auto(scar_aws_answer_clear)

/** Performs the call; a status outside 2xx is a failure (see aws.h). */
int scar_aws_perform(struct scar_aws *aws, const struct scar_aws_call *call,
		     struct scar_aws_answer *answer, struct scar_err *err);
/** scar_aws_perform() for an answer's document alone; ret_json may be NULL. Without a body it is NULL. */
int scar_aws_perform_json(struct scar_aws *aws, const struct scar_aws_call *call,
			  struct scar_json **ret_json, struct scar_err *err);

/** scar_aws_perform_json() of the call with what the writer has written as its body; what failed in writing is told. */
int scar_aws_send(struct scar_aws *aws, const struct scar_aws_call *call,
		  const struct scar_json_writer *body, struct scar_json **ret_json,
		  struct scar_err *err);
/** scar_aws_perform_json() of a call whose path is `form` with its labels, as scar_aws_path() fills them in. */
int scar_aws_rest(struct scar_aws *aws, const struct scar_aws_call *call,
		  struct scar_json **ret_json, struct scar_err *err, const char *form, ...);

/** One question that is answered page by page: `ask` puts the marker (NULL at first) into its call. */
typedef int (*scar_aws_ask)(struct scar_aws *aws, void *ask_ctx, const char *marker,
			    struct scar_json **ret_answer, struct scar_err *err);
/**
 * Gives the elements of answer[key], page after page, as long as answer[marker_key] is a text. A marker that comes again is SCAR_ERR_PROTOCOL.
 */
int scar_aws_list(struct scar_aws *aws, scar_aws_ask ask, void *ask_ctx, const char *key,
		  const char *marker_key, scar_aws_each each, void *ctx, struct scar_err *err);

/** Waiting for what AWS will do in its time: the pause doubles from first_ms up to most_ms, until the deadline. */
struct scar_aws_patience {
	int64_t deadline_ms; /* since the epoch */
	int64_t pause_ms, most_ms;
};
struct scar_aws_patience scar_aws_patience(int64_t total_ms, int64_t first_ms, int64_t most_ms);
/** Sleeps for the next pause. @return 1; 0: the time is up; -1: interrupted, with err */
int scar_aws_be_patient(const struct scar_aws *aws, struct scar_aws_patience *patience,
			struct scar_err *err);
/** The same after a failure that may pass: whether to go on. If the time is up err stays that failure's; an interruption replaces it. */
bool scar_aws_try_again(const struct scar_aws *aws, struct scar_aws_patience *patience,
			struct scar_err *err);
/** A copy that the caller owns. */
int scar_aws_copy(const char *text, char **ret_text, struct scar_err *err);

/** Appends a path; each {} of the form takes an argument of type const char *, encoded. */
int scar_aws_path(struct scar_buf *path, struct scar_err *err, const char *form, ...);
int scar_aws_path_v(struct scar_buf *path, struct scar_err *err, const char *form, va_list args);
/** Appends "name=value", and "&" before it where something is there; a NULL value appends nothing. */
int scar_aws_query(struct scar_buf *query, const char *name, const char *value,
		   struct scar_err *err);
int scar_aws_query_int(struct scar_buf *query, const char *name, int64_t value,
		       struct scar_err *err);
/** Appends "<prefix>N.Key=...&<prefix>N.Value=..." for each tag, from 1 on. */
int scar_aws_query_tags(struct scar_buf *query, const char *prefix,
			const struct scar_aws_pair *tags, size_t count, struct scar_err *err);
/** Begins a form of the query protocol: "Action=...&Version=...". */
int scar_aws_form(struct scar_buf *form, enum scar_aws_service service, const char *operation,
		  struct scar_err *err);

/* ---- endpoints; endpoint.c ---- */

struct scar_aws_service_info {
	const char *name;         /* for people, and the signing name unless that is said */
	const char *signing_name; /* NULL: name */
	const char *host;         /* prefix of the host; NULL: name */
	const char *variable;     /* AWS_ENDPOINT_URL_<variable> */
	const char *target;       /* prefix of X-Amz-Target */
	const char *version;      /* of the query protocol */
	enum scar_aws_protocol protocol;
	bool is_global; /* one host for all regions of a partition */
};

const struct scar_aws_service_info *scar_aws_service_info(enum scar_aws_service service);
/** The call's URL, and the region that it is signed for. *ret_custom: the user named the host. */
int scar_aws_url(const struct scar_aws *aws, const struct scar_aws_call *call,
		 struct scar_buf *ret_url, char region[64], bool *ret_custom, struct scar_err *err);
/** Remembers where a bucket is. */
void scar_aws_note_bucket(struct scar_aws *aws, const char *bucket, const char *region);

/* ---- refusals; refusal.c ---- */

/** What an answer that is not a success says. */
struct scar_aws_refusal {
	char code[128]; /* "": it says nothing */
	char message[1024];
	char request_id[128];
	char region[64]; /* of the bucket, where S3 tells it */
};

/** Never fails: what cannot be read is "". */
void scar_aws_refusal_read(enum scar_aws_protocol protocol, const struct scar_http_response *http,
			   struct scar_aws_refusal *ret_refusal);
/** The request's id of any answer, or "". */
void scar_aws_request_id(const struct scar_http_response *http, char id[128]);
bool scar_aws_is_throttle(const char *code, int status);
/** Notes it in the session and fills err. @return -1 */
int scar_aws_refuse(struct scar_aws *aws, const struct scar_aws_call *call, int status,
		    const struct scar_aws_refusal *refusal, struct scar_err *err);

#endif
