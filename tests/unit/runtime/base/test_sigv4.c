/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/err.h"
#include "runtime/base/sigv4.h"

/* Keys and results of the examples in AWS's own documentation ("Authenticating Requests", S3). */
static const struct scar_sigv4 example = {
	.credentials = {"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", NULL},
	.region = "us-east-1",
	.service = "s3",
	.time_s = 1369353600,
};

static const char empty_payload[] =
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

static void assert_signature(const struct scar_http_request *request, const char *payload,
			     const char *names, const char *signature)
{
	scar_sigv4_headers_auto struct scar_sigv4_headers headers;
	struct scar_err err;
	char wanted[512];

	assert_int_equal(scar_sigv4_sign(&example, request, payload, &headers, &err), 0);
	snprintf(wanted, sizeof(wanted),
		 "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/"
		 "aws4_request, SignedHeaders=%s, Signature=%s",
		 names, signature);
	assert_string_equal(headers.authorization.data, wanted);
	assert_string_equal(headers.date, "20130524T000000Z");
}

static void the_documented_get_object_request_has_the_documented_signature(void **state)
{
	const struct scar_http_header range = {"Range", "bytes=0-9"};
	const struct scar_http_request request = {
		.url = "https://examplebucket.s3.amazonaws.com/test.txt",
		.headers = &range,
		.header_count = 1};

	(void)state;
	assert_signature(&request, empty_payload, "host;range;x-amz-content-sha256;x-amz-date",
			 "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

static void the_documented_put_object_request_has_the_documented_signature(void **state)
{
	const struct scar_http_header list[] = {{"Date", "Fri, 24 May 2013 00:00:00 GMT"},
						{"x-amz-storage-class", "REDUCED_REDUNDANCY"}};
	const struct scar_http_request request = {
		.method = "PUT",
		.url = "https://examplebucket.s3.amazonaws.com/test%24file.text",
		.headers = list,
		.header_count = 2};
	char payload[65];
	struct scar_err err;

	(void)state;
	assert_int_equal(scar_sigv4_payload("Welcome to Amazon S3.", 21, payload, &err), 0);
	assert_string_equal(payload,
			    "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072");
	assert_signature(&request, payload,
			 "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
			 "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

static void a_subresource_without_a_value_is_signed_with_an_equals_sign(void **state)
{
	const struct scar_http_request request = {
		.url = "https://examplebucket.s3.amazonaws.com/?lifecycle"};

	(void)state;
	assert_signature(&request, empty_payload, "host;x-amz-content-sha256;x-amz-date",
			 "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

static void a_query_out_of_order_is_signed_in_order(void **state)
{
	const struct scar_http_request request = {
		.url = "https://examplebucket.s3.amazonaws.com/?prefix=J&max-keys=2"};

	(void)state;
	assert_signature(&request, empty_payload, "host;x-amz-content-sha256;x-amz-date",
			 "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

static void the_documented_signed_url_comes_out(void **state)
{
	scar_buf_auto struct scar_buf url;
	struct scar_err err;

	(void)state;
	scar_buf_init(&url, 4096);
	assert_int_equal(scar_sigv4_presign(&example, "GET",
					    "https://examplebucket.s3.amazonaws.com/test.txt",
					    86400, &url, &err),
			 0);
	assert_string_equal(
		url.data,
		"https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&"
		"X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&"
		"X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&"
		"X-Amz-Signature="
		"aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

static void a_session_token_is_sent_and_signed(void **state)
{
	scar_sigv4_headers_auto struct scar_sigv4_headers headers;
	const struct scar_http_request request = {.url = "https://sts.amazonaws.com/"};
	struct scar_sigv4 sig = example;
	struct scar_err err;

	(void)state;
	sig.credentials.session_token = "token";
	sig.service = "sts";
	assert_int_equal(scar_sigv4_sign(&sig, &request, empty_payload, &headers, &err), 0);
	assert_int_equal(headers.count, 3);
	assert_string_equal(headers.list[1].name, "X-Amz-Security-Token");
	assert_string_equal(headers.list[1].value, "token");
	assert_non_null(strstr(headers.authorization.data,
			       "SignedHeaders=host;x-amz-date;x-amz-security-token, "));
}

static void what_cannot_be_signed_is_refused_with_a_reason(void **state)
{
	static const char *const urls[] = {"/path", "ftp://host/", "https:///path",
					   "https://user@host/"};
	scar_buf_auto struct scar_buf url;
	struct scar_err err;

	(void)state;
	scar_buf_init(&url, 4096);
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		struct scar_sigv4_headers headers;
		const struct scar_http_request request = {.url = urls[i]};

		assert_int_equal(scar_sigv4_sign(&example, &request, empty_payload, &headers, &err),
				 -1);
		assert_int_equal(err.kind, SCAR_ERR_CONFIG);
		assert_null(strstr(err.msg, "EXAMPLEKEY"));
	}
	assert_int_equal(scar_sigv4_presign(&example, "GET", "https://host/", 604801, &url, &err),
			 -1);
	assert_non_null(strstr(err.msg, "604801"));
}

static void credentials_come_from_the_environment_and_errors_name_what_lacks(void **state)
{
	struct scar_aws_credentials credentials;
	struct scar_err err;

	(void)state;
	unsetenv("AWS_ACCESS_KEY_ID");
	setenv("AWS_SECRET_ACCESS_KEY", "s", 1);
	setenv("AWS_SESSION_TOKEN", "", 1);
	assert_int_equal(scar_aws_credentials_from_environment(&credentials, &err), -1);
	assert_int_equal(err.kind, SCAR_ERR_AUTH);
	assert_non_null(strstr(err.msg, "AWS_ACCESS_KEY_ID"));
	setenv("AWS_ACCESS_KEY_ID", "id", 1);
	assert_int_equal(scar_aws_credentials_from_environment(&credentials, &err), 0);
	assert_string_equal(credentials.access_key_id, "id");
	assert_null(credentials.session_token);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_documented_get_object_request_has_the_documented_signature),
		cmocka_unit_test(the_documented_put_object_request_has_the_documented_signature),
		cmocka_unit_test(a_subresource_without_a_value_is_signed_with_an_equals_sign),
		cmocka_unit_test(a_query_out_of_order_is_signed_in_order),
		cmocka_unit_test(the_documented_signed_url_comes_out),
		cmocka_unit_test(a_session_token_is_sent_and_signed),
		cmocka_unit_test(what_cannot_be_signed_is_refused_with_a_reason),
		cmocka_unit_test(credentials_come_from_the_environment_and_errors_name_what_lacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
