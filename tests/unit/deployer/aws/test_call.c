/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/aws/call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "deployer/aws/session.h"
#include "runtime/base/err.h"

struct row {
	enum scar_aws_protocol protocol;
	int status;
	const char *headers, *body;
	const char *code, *message, *request_id, *region;
};

static const struct row rows[] = {
	{SCAR_AWS_REST_JSON, 404,
	 "x-amzn-ErrorType: ResourceNotFoundException:http://internal/\r\nx-amzn-RequestId: i\r\n",
	 "{\"Message\": \"m\", \"Type\": \"User\"}", "ResourceNotFoundException", "m", "i", ""},
	{SCAR_AWS_JSON, 400, "",
	 "{\"__type\": \"com.amazon#InvalidParameterException\", \"message\": \"m\"}",
	 "InvalidParameterException", "m", "", ""},
	{SCAR_AWS_JSON, 400, "", "{\"__type\": \"a#Name:http://x/\"}", "Name", "", "", ""},
	{SCAR_AWS_REST_JSON, 400, "", "{\"code\": \"Name\"}", "Name", "", "", ""},
	{SCAR_AWS_JSON, 400, "x-amzn-query-error: AWS.Simple.Old;Sender\r\n",
	 "{\"__type\": \"New\"}", "AWS.Simple.Old", "", "", ""},
	{SCAR_AWS_REST_JSON, 502, "", "<html>no</html>", "", "", "", ""},
	{SCAR_AWS_REST_JSON, 500, "", "", "", "", "", ""},
	{SCAR_AWS_QUERY, 409, "",
	 "<ErrorResponse><Error><Type>Sender</Type><Code>EntityAlreadyExists</Code><Message>m</Message>"
	 "</Error><RequestId>i</RequestId></ErrorResponse>",
	 "EntityAlreadyExists", "m", "i", ""},
	{SCAR_AWS_REST_XML, 301, "x-amz-request-id: i\r\n",
	 "<Error><Code>PermanentRedirect</Code><Message>m</Message><Region>eu-west-1</Region></Error>",
	 "PermanentRedirect", "m", "i", "eu-west-1"},
	{SCAR_AWS_REST_XML, 301, "x-amz-bucket-region: ap-south-1\r\n", "", "", "", "",
	 "ap-south-1"},
	{SCAR_AWS_EC2_QUERY, 400, "",
	 "<Response><Errors><Error><Code>InvalidVpcID.NotFound</Code><Message>m</Message></Error></Errors>"
	 "<RequestID>i</RequestID></Response>",
	 "InvalidVpcID.NotFound", "m", "i", ""},
	{SCAR_AWS_QUERY, 503, "", "<ErrorResponse><Error>", "", "", "", ""},
	{SCAR_AWS_REST_JSON, 403, "x-amzn-ErrorType: InvalidSignatureException\r\n",
	 "{\"message\": \"no match\\nThe Canonical String: x-amz-security-token:SECRET\"}",
	 "InvalidSignatureException", "no match", "", ""},
	{SCAR_AWS_REST_JSON, 400, "x-amzn-ErrorType: A\r\n", "{\"message\": \"\\u001b[31mred\\n\"}",
	 "A", " [31mred ", "", ""},
};

static void reads_every_form_of_refusal(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		scar_http_response_auto struct scar_http_response http;
		struct scar_aws_refusal refusal;
		struct scar_err err;

		scar_http_response_init(&http);
		http.status = rows[i].status;
		assert_int_equal(scar_buf_append_str(&http.headers, rows[i].headers, &err), 0);
		assert_int_equal(scar_buf_append_str(&http.body, rows[i].body, &err), 0);
		scar_aws_refusal_read(rows[i].protocol, &http, &refusal);
		assert_string_equal(refusal.code, rows[i].code);
		assert_string_equal(refusal.message, rows[i].message);
		assert_string_equal(refusal.request_id, rows[i].request_id);
		assert_string_equal(refusal.region, rows[i].region);
	}
}

static struct scar_err refuse(const char *operation, int status, const char *code,
			      const char *message, const char **ret_hint)
{
	static struct scar_aws aws;
	const struct scar_aws_call call = {.service = SCAR_AWS_LAMBDA, .operation = operation};
	struct scar_aws_refusal refusal = {.request_id = "r1"};
	struct scar_err err;

	strcpy(refusal.code, code);
	strcpy(refusal.message, message);
	assert_int_equal(scar_aws_refuse(&aws, &call, status, &refusal, &err), -1);
	*ret_hint = aws.failure.hint;
	return err;
}

static void tells_kinds_apart(void **state)
{
	static const struct {
		int status;
		const char *code;
		enum scar_err_kind kind;
	} cases[] = {
		{404, "ResourceNotFoundException", SCAR_ERR_NOT_FOUND},
		{400, "ResourceNotFoundException", SCAR_ERR_NOT_FOUND},
		{404, "", SCAR_ERR_NOT_FOUND},
		{403, "", SCAR_ERR_AUTH},
		{400, "AccessDeniedException", SCAR_ERR_AUTH},
		{400, "ExpiredTokenException", SCAR_ERR_AUTH},
		{429, "", SCAR_ERR_RATE_LIMIT},
		{400, "ThrottlingException", SCAR_ERR_RATE_LIMIT},
		{503, "SlowDown", SCAR_ERR_RATE_LIMIT},
		{500, "ServiceException", SCAR_ERR_UNAVAILABLE},
		{409, "ResourceConflictException", SCAR_ERR_CONFIG},
		{400, "ValidationException", SCAR_ERR_CONFIG},
	};
	const char *hint;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(
			refuse("GetFunction", cases[i].status, cases[i].code, "", &hint).kind,
			cases[i].kind);
}

static void says_what_failed_and_what_to_do(void **state)
{
	const char *hint;
	struct scar_err err = refuse(
		"CreateFunction", 400, "InvalidParameterValueException",
		"The role defined for the function cannot be assumed by Lambda.", &hint);

	(void)state;
	assert_string_equal(
		err.msg,
		"lambda CreateFunction: The role defined for the function cannot be assumed by "
		"Lambda. (InvalidParameterValueException, HTTP 400, request r1)");
	assert_non_null(strstr(hint, "trust policy"));
	err = refuse("GetFunction", 502, "", "", &hint);
	assert_string_equal(err.msg, "lambda GetFunction: HTTP 502, request r1");
	assert_non_null(hint);
	refuse("GetFunction", 404, "ResourceNotFoundException", "", &hint);
	assert_null(hint);
}

static void encodes_labels_and_queries(void **state)
{
	scar_buf_auto struct scar_buf path, query;
	struct scar_err err;

	(void)state;
	scar_buf_init(&path, 1000);
	scar_buf_init(&query, 1000);
	assert_int_equal(scar_aws_path(&path, &err, "/f/{}/x/{}", "arn:aws:l/f", "a b+\xc3\xa9"),
			 0);
	assert_string_equal(path.data, "/f/arn%3Aaws%3Al%2Ff/x/a%20b%2B%C3%A9");
	assert_int_equal(scar_aws_path(&path, &err, "/f/{}", ""), -1);
	assert_int_equal(err.kind, SCAR_ERR_CONFIG);
	assert_int_equal(scar_aws_query(&query, "a", "b&c=d", &err), 0);
	assert_int_equal(scar_aws_query(&query, "no", NULL, &err), 0);
	assert_int_equal(scar_aws_query_int(&query, "n", -5, &err), 0);
	assert_string_equal(query.data, "a=b%26c%3Dd&n=-5");
}

/* URL and region of a call of a session without endpoints of its own. */
static void expect_url(const char *region, const struct scar_aws_call *call, const char *url,
		       const char *signed_region)
{
	char *const environment[] = {NULL};
	const struct scar_aws_options options = {.environment = environment, .region = region};
	scar_aws_auto struct scar_aws *aws = NULL;
	scar_buf_auto struct scar_buf found;
	struct scar_err err;
	char name[64];
	bool custom;

	scar_buf_init(&found, 1000);
	assert_int_equal(scar_aws_open(&options, &aws, &err), 0);
	assert_int_equal(scar_aws_url(aws, call, &found, name, &custom, &err), 0);
	assert_string_equal(found.data, url);
	assert_string_equal(name, signed_region);
	assert_false(custom);
}

static void finds_every_service(void **state)
{
	static const struct {
		const char *region;
		struct scar_aws_call call;
		const char *url, *signed_region;
	} cases[] = {
		{"eu-west-1",
		 {.service = SCAR_AWS_LAMBDA, .path = "/x"},
		 "https://lambda.eu-west-1.amazonaws.com/x",
		 "eu-west-1"},
		{"cn-north-1",
		 {.service = SCAR_AWS_LAMBDA},
		 "https://lambda.cn-north-1.amazonaws.com.cn/",
		 "cn-north-1"},
		{"eu-west-1", {.service = SCAR_AWS_IAM}, "https://iam.amazonaws.com/", "us-east-1"},
		{"us-gov-east-1",
		 {.service = SCAR_AWS_IAM},
		 "https://iam.us-gov.amazonaws.com/",
		 "us-gov-west-1"},
		{"cn-northwest-1",
		 {.service = SCAR_AWS_IAM},
		 "https://iam.cn-north-1.amazonaws.com.cn/",
		 "cn-north-1"},
		{NULL, {.service = SCAR_AWS_IAM}, "https://iam.amazonaws.com/", "us-east-1"},
		{NULL,
		 {.service = SCAR_AWS_STS},
		 "https://sts.us-east-1.amazonaws.com/",
		 "us-east-1"},
		{"eu-west-1",
		 {.service = SCAR_AWS_ECR},
		 "https://api.ecr.eu-west-1.amazonaws.com/",
		 "eu-west-1"},
		{"eu-west-1",
		 {.service = SCAR_AWS_APIGATEWAY2, .path = "/v2/apis"},
		 "https://apigateway.eu-west-1.amazonaws.com/v2/apis",
		 "eu-west-1"},
		{"eu-west-1",
		 {.service = SCAR_AWS_S3},
		 "https://s3.eu-west-1.amazonaws.com/",
		 "eu-west-1"},
		{"eu-west-1",
		 {.service = SCAR_AWS_S3, .bucket = "bkt", .path = "/k", .query = "a=b"},
		 "https://bkt.s3.eu-west-1.amazonaws.com/k?a=b",
		 "eu-west-1"},
		{"eu-west-1",
		 {.service = SCAR_AWS_S3, .bucket = "my.bkt"},
		 "https://s3.eu-west-1.amazonaws.com/my.bkt",
		 "eu-west-1"},
		{"cn-north-1",
		 {.service = SCAR_AWS_S3, .bucket = "bkt"},
		 "https://bkt.s3.cn-north-1.amazonaws.com.cn/",
		 "cn-north-1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		expect_url(cases[i].region, &cases[i].call, cases[i].url, cases[i].signed_region);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_form_of_refusal),
		cmocka_unit_test(tells_kinds_apart),
		cmocka_unit_test(says_what_failed_and_what_to_do),
		cmocka_unit_test(encodes_labels_and_queries),
		cmocka_unit_test(finds_every_service),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
