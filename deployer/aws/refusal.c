/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What AWS says when it refuses. Each protocol has its own form; botocore's parsers are the measure of which of several places counts.
 */
#include <stdio.h>
#include <string.h>

#include "deployer/aws/call.h"
#include "deployer/aws/session.h"
#include "deployer/aws/xml.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"

/* ---- reading ---- */

/* For a terminal: without control characters. */
static void copy_text(char *dst, size_t size, const char *text, size_t len)
{
	size_t n = 0;

	for (; len > 0 && *text && n + 1 < size; text++, len--)
		dst[n++] = (unsigned char)*text < ' ' || *text == 0x7f ? ' ' : *text;
	dst[n] = '\0';
}

/* "namespace#Name:uri" is Name. */
static void copy_code(char code[128], const char *text)
{
	const char *hash = strchr(text, '#');

	if (hash)
		text = hash + 1;
	copy_text(code, 128, text, strcspn(text, ":"));
}

/* What a signature was made of comes back in the message where it does not match, the session token among it. */
static void copy_message(struct scar_aws_refusal *refusal, const char *text)
{
	size_t len = strlen(text);

	if (strstr(refusal->code, "Signature"))
		len = strcspn(text, "\n");
	copy_text(refusal->message, sizeof refusal->message, text, len);
}

static const char *either(const struct scar_json *root, const char *a, const char *b)
{
	const char *text = scar_json_string(scar_json_get(root, a));

	return text ? text : scar_json_string(scar_json_get(root, b));
}

static void read_json(const struct scar_http_response *http, struct scar_aws_refusal *refusal)
{
	scar_json_auto struct scar_json *root = NULL;
	struct scar_err ignored;
	char header[256];
	const char *code = NULL, *message;

	if (scar_json_parse(http->body.data, http->body.len, "", &root, &ignored) < 0)
		root = NULL;
	/* Of services that spoke the query protocol once: "Code;Sender". */
	if (scar_http_header_get(http, "x-amzn-query-error", 0, header, sizeof header) == 1) {
		header[strcspn(header, ";")] = '\0';
		code = header;
	} else if (scar_http_header_get(http, "x-amzn-ErrorType", 0, header, sizeof header) == 1) {
		code = header;
	} else {
		code = either(root, "__type", "code");
		if (!code)
			code = scar_json_string(scar_json_get(root, "Code"));
	}
	if (code)
		copy_code(refusal->code, code);
	message = either(root, "message", "Message");
	if (message)
		copy_message(refusal, message);
}

/* <ErrorResponse><Error>, <Error>, <Response><Errors><Error>. */
static const struct scar_xml *error_element(const struct scar_xml *root)
{
	const struct scar_xml *found;

	if (!root || strcmp(scar_xml_name(root), "Error") == 0)
		return root;
	found = scar_xml_at(root, "Error");
	return found ? found : scar_xml_at(root, "Errors/Error");
}

static void read_xml(const struct scar_http_response *http, struct scar_aws_refusal *refusal)
{
	scar_xml_auto struct scar_xml *root = NULL;
	const struct scar_xml *error;
	struct scar_err ignored;
	const char *text;

	if (http->body.len == 0 ||
	    scar_xml_parse(http->body.data, http->body.len, "", &root, &ignored) < 0)
		root = NULL;
	error = error_element(root);
	text = scar_xml_text_at(error, "Code");
	if (text)
		copy_code(refusal->code, text);
	text = scar_xml_text_at(error, "Message");
	if (text)
		copy_message(refusal, text);
	text = scar_xml_text_at(error, "Region");
	if (text)
		copy_text(refusal->region, sizeof refusal->region, text, strlen(text));
	text = scar_xml_text_at(root, "RequestId");
	if (!text)
		text = scar_xml_text_at(root, "RequestID");
	if (!text)
		text = scar_xml_text_at(error, "RequestId");
	if (text)
		copy_text(refusal->request_id, sizeof refusal->request_id, text, strlen(text));
}

void scar_aws_request_id(const struct scar_http_response *http, char id[128])
{
	id[0] = '\0';
	if (scar_http_header_get(http, "x-amzn-RequestId", 0, id, 128) != 1 &&
	    scar_http_header_get(http, "x-amz-request-id", 0, id, 128) != 1)
		id[0] = '\0';
}

void scar_aws_refusal_read(enum scar_aws_protocol protocol, const struct scar_http_response *http,
			   struct scar_aws_refusal *ret_refusal)
{
	struct scar_aws_refusal refusal = {.code = ""};
	char header[64], id[128];

	if (protocol == SCAR_AWS_REST_JSON || protocol == SCAR_AWS_JSON)
		read_json(http, &refusal);
	else
		read_xml(http, &refusal);
	scar_aws_request_id(http, id);
	if (*id)
		copy_text(refusal.request_id, sizeof refusal.request_id, id, sizeof id);
	/* A HEAD request has no body. */
	if (scar_http_header_get(http, "x-amz-bucket-region", 0, header, sizeof header) == 1)
		copy_text(refusal.region, sizeof refusal.region, header, sizeof header);
	*ret_refusal = refusal;
}

/* ---- what it means ---- */

static bool is_one_of(const char *code, const char *const *list)
{
	for (; *list; list++) {
		if (strcmp(code, *list) == 0)
			return true;
	}
	return false;
}

bool scar_aws_is_throttle(const char *code, int status)
{
	/* Those of botocore's standard mode. */
	static const char *const codes[] = {"Throttling",
					    "ThrottlingException",
					    "ThrottledException",
					    "RequestThrottledException",
					    "TooManyRequestsException",
					    "ProvisionedThroughputExceededException",
					    "TransactionInProgressException",
					    "RequestLimitExceeded",
					    "BandwidthLimitExceeded",
					    "LimitExceededException",
					    "RequestThrottled",
					    "SlowDown",
					    "PriorRequestNotComplete",
					    "EC2ThrottledException",
					    NULL};

	return status == 429 || is_one_of(code, codes);
}

static bool is_about_identity(const char *code, int status)
{
	static const char *const codes[] = {"UnrecognizedClientException",
					    "InvalidClientTokenId",
					    "InvalidAccessKeyId",
					    "InvalidSignatureException",
					    "SignatureDoesNotMatch",
					    "IncompleteSignature",
					    "MissingAuthenticationToken",
					    "MissingAuthenticationTokenException",
					    "AuthFailure",
					    "UnauthorizedOperation",
					    "InvalidToken",
					    "RequestTimeTooSkewed",
					    "RequestExpired",
					    "OptInRequired",
					    "InvalidIdentityToken",
					    "ExpiredTokenException",
					    "ExpiredToken",
					    NULL};

	return status == 401 || status == 403 || strstr(code, "AccessDenied") ||
	       is_one_of(code, codes);
}

static bool is_about_absence(const char *code, int status)
{
	return status == 404 || strncmp(code, "NoSuch", 6) == 0 || strstr(code, "NotFound");
}

static enum scar_err_kind kind_of(const char *code, int status)
{
	if (scar_aws_is_throttle(code, status))
		return SCAR_ERR_RATE_LIMIT;
	if (is_about_identity(code, status))
		return SCAR_ERR_AUTH;
	if (is_about_absence(code, status))
		return SCAR_ERR_NOT_FOUND;
	return status >= 500 ? SCAR_ERR_UNAVAILABLE : SCAR_ERR_CONFIG;
}

/* What to do; the first row that fits. A NULL part fits all. */
static const struct {
	const char *code, *operation, *message, *hint;
} hints[] = {
	{"RequestTimeTooSkewed", NULL, NULL, "set this machine's clock"},
	{"RequestExpired", NULL, NULL, "set this machine's clock"},
	{"ExpiredToken", NULL, NULL,
	 "the session's credentials have expired: sign in again, or remove AWS_SESSION_TOKEN"},
	{"ExpiredTokenException", NULL, NULL,
	 "the session's credentials have expired: sign in again, or remove AWS_SESSION_TOKEN"},
	{"InvalidClientTokenId", NULL, NULL,
	 "AWS does not know this access key: check AWS_ACCESS_KEY_ID or the profile"},
	{"UnrecognizedClientException", NULL, NULL,
	 "AWS does not know this access key: check AWS_ACCESS_KEY_ID or the profile"},
	{"InvalidAccessKeyId", NULL, NULL,
	 "AWS does not know this access key: check AWS_ACCESS_KEY_ID or the profile"},
	{"InvalidSignatureException", NULL, NULL,
	 "the secret key does not belong to the access key, or something on the way changed the request"},
	{"SignatureDoesNotMatch", NULL, NULL,
	 "the secret key does not belong to the access key, or something on the way changed the request"},
	{"AccessDenied", "AssumeRole", NULL,
	 "the role's trust policy has to name who asks, who needs sts:AssumeRole on it"},
	{"AccessDenied", "HeadBucket", NULL,
	 "the bucket is somebody else's, or you lack s3:ListBucket on it"},
	{"InvalidParameterValueException", NULL, "cannot be assumed by Lambda",
	 "the role's trust policy has to allow lambda.amazonaws.com to assume it"},
	{"InvalidParameterValueException", NULL, "execution role does not have permissions",
	 "add what the message names to the function's role"},
	{"InvalidParameterValueException", NULL, "nzipped size must be smaller",
	 "layers and code together may have 250 MB: leave something out, or keep the image in a registry"},
	{"RequestEntityTooLargeException", NULL, NULL,
	 "give a deployment bucket: through S3 a package may have 250 MB"},
	{"CodeStorageExceededException", NULL, NULL,
	 "the account's 75 GB for code are used up: remove old layer versions (scar layer prune)"},
	{"ResourceConflictException", "CreateFunction", NULL,
	 "there is such a function: update it"},
	{"ResourceConflictException", NULL, "in progress",
	 "another change is under way: try again in a minute"},
	{"TooManyRequestsException", "Invoke", NULL,
	 "the function's or account's concurrency is used up: wait, or raise it"},
	{"BucketAlreadyExists", NULL, NULL,
	 "names of buckets are the world's, and this one is somebody else's: choose another"},
	{"InvalidBucketName", NULL, NULL,
	 "3 to 63 characters, of a-z 0-9 - and ., with a letter or digit at both ends"},
	{"BucketNotEmpty", NULL, NULL, "remove its objects first"},
	{"InvalidArgument", "PutBucketNotificationConfiguration", "overlap",
	 "another function has a trigger on the same prefix and event: choose another input path"},
	{"InvalidArgument", "PutBucketNotificationConfiguration", "ambiguously",
	 "another function has a trigger on the same prefix and event: choose another input path"},
	{"InvalidArgument", "PutBucketNotificationConfiguration", "destination",
	 "the function has to be there, and to allow s3.amazonaws.com to invoke it"},
	{"NoSuchBucket", NULL, NULL, "check its name, and --region"},
	{"NoSuchEntity", NULL, NULL, NULL},
	{"LimitExceeded", NULL, NULL,
	 "a quota of the account is used up: remove something, or ask AWS for more"},
	{NULL, NULL, "is not authorized to perform",
	 "let somebody allow you what the message names"},
	{"AccessDenied", NULL, NULL, "let somebody allow you this operation on that resource"},
	{"AccessDeniedException", NULL, NULL,
	 "let somebody allow you this operation on that resource"},
};

static bool fits(const char *wanted, const char *text)
{
	return !wanted || strcmp(wanted, text) == 0;
}

static const char *hint_of(const struct scar_aws_failure *failure)
{
	for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++) {
		if (fits(hints[i].code, failure->code) &&
		    fits(hints[i].operation, failure->operation) &&
		    (!hints[i].message || strstr(failure->message, hints[i].message)))
			return hints[i].hint;
	}
	switch (failure->status) {
	case 429: return "wait a little and try again";
	case 500:
	case 502:
	case 503:
	case 504: return "AWS has a problem of its own: try again";
	default: return NULL;
	}
}

int scar_aws_refuse(struct scar_aws *aws, const struct scar_aws_call *call, int status,
		    const struct scar_aws_refusal *refusal, struct scar_err *err)
{
	struct scar_aws_failure *failure = &aws->failure;
	const char *code = refusal->code;

	*failure = (struct scar_aws_failure){
		.service = scar_aws_service_info(call->service)->name,
		.operation = call->operation,
		.status = status,
	};
	/* HEAD requests, and proxies, say nothing else. */
	if (!*code && status == 404)
		code = "NotFound";
	else if (!*code && status == 403)
		code = "AccessDenied";
	snprintf(failure->code, sizeof failure->code, "%s", code);
	snprintf(failure->message, sizeof failure->message, "%s", refusal->message);
	snprintf(failure->request_id, sizeof failure->request_id, "%s", refusal->request_id);
	failure->hint = hint_of(failure);
	return scar_err_set(err, kind_of(code, status), "%s %s: %s%s%s%sHTTP %d%s%s%s",
			    failure->service, failure->operation, refusal->message,
			    *refusal->message ? " (" : "", code, *code ? ", " : "", status,
			    *refusal->request_id ? ", request " : "", refusal->request_id,
			    *refusal->message ? ")" : "");
}
