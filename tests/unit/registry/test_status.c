/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/err.h"
#include "runtime/base/http.h"

struct outcome {
	struct scar_err err;
	bool retry;
	int64_t wait_ms;
};

static struct outcome answer(int status, const char *headers, const char *body,
			     const char *elsewhere, bool has_credentials)
{
	struct scar_status_context context = {.what = "manifest a/b:1",
					      .registry = "reg.example",
					      .elsewhere = elsewhere,
					      .has_credentials = has_credentials};
	scar_http_response_auto struct scar_http_response resp;
	struct outcome outcome;

	scar_http_response_init(&resp);
	resp.status = status;
	resp.headers.max_bytes = resp.body.max_bytes = 4096;
	assert_int_equal(scar_buf_append_str(&resp.headers, headers, &outcome.err), 0);
	assert_int_equal(scar_buf_append_str(&resp.body, body, &outcome.err), 0);
	assert_int_equal(
		scar_status_error(&resp, &context, &outcome.retry, &outcome.wait_ms, &outcome.err),
		-1);
	return outcome;
}

static void assert_says(const struct outcome *outcome, const char *text)
{
	if (!strstr(outcome->err.msg, text))
		fail_msg("'%s' does not say '%s'", outcome->err.msg, text);
}

static void maps_each_status_to_its_kind(void **state)
{
	static const struct {
		int status;
		enum scar_err_kind kind;
		bool retry;
	} cases[] = {
		{400, SCAR_ERR_PROTOCOL, false},    {401, SCAR_ERR_AUTH, false},
		{403, SCAR_ERR_AUTH, false},        {404, SCAR_ERR_NOT_FOUND, false},
		{408, SCAR_ERR_UNAVAILABLE, true},  {418, SCAR_ERR_PROTOCOL, false},
		{429, SCAR_ERR_RATE_LIMIT, true},   {500, SCAR_ERR_UNAVAILABLE, true},
		{501, SCAR_ERR_UNAVAILABLE, false}, {502, SCAR_ERR_UNAVAILABLE, true},
		{503, SCAR_ERR_UNAVAILABLE, true},  {504, SCAR_ERR_UNAVAILABLE, true},
		{204, SCAR_ERR_PROTOCOL, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct outcome outcome = answer(cases[i].status, "", "", NULL, false);

		assert_int_equal(outcome.err.kind, cases[i].kind);
		assert_int_equal(outcome.retry, cases[i].retry);
		assert_says(&outcome, "reg.example");
		assert_says(&outcome, "manifest a/b:1");
	}
}

static void says_what_to_do_about_a_refusal(void **state)
{
	struct outcome anonymous = answer(401, "", "", NULL, false);
	struct outcome known = answer(403, "", "", NULL, true);

	(void)state;
	assert_says(&anonymous, "private (then give a user name and password)");
	assert_says(&known, "the given user may not pull it");
}

static void quotes_the_registry_without_its_control_characters(void **state)
{
	struct outcome outcome = answer(
		404, "",
		"{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"manifest\\nunknown\"}]}",
		NULL, false);

	(void)state;
	assert_says(&outcome, "(MANIFEST_UNKNOWN: manifest unknown)");
	outcome = answer(404, "", "<html>no json</html>", NULL, false);
	assert_null(strstr(outcome.err.msg, "html"));
}

static void tells_the_used_up_pulls_of_docker_hub_from_a_passing_throttle(void **state)
{
	struct outcome outcome = answer(429,
					"ratelimit-limit: 100;w=21600\r\n"
					"ratelimit-remaining: 0;w=21600\r\n",
					"{\"errors\":[{\"code\":\"TOOMANYREQUESTS\"}]}", NULL,
					false);

	(void)state;
	assert_false(outcome.retry);
	assert_says(&outcome, "limit 100;w=21600, remaining 0;w=21600");
	assert_says(&outcome, "TOOMANYREQUESTS");
	assert_says(&outcome, "; log in, or copy the image");
	outcome = answer(429, "Retry-After: 2\r\n", "", NULL, true);
	assert_true(outcome.retry);
	assert_int_equal(outcome.wait_ms, 2000);
	assert_null(strstr(outcome.err.msg, "log in"));
	outcome = answer(429, "Retry-After: 3600\r\n", "", NULL, true);
	assert_false(outcome.retry);
	assert_says(&outcome, "try again in 3600 s");
}

static void retries_a_signed_address_that_expired(void **state)
{
	struct outcome outcome = answer(403, "", "", "cdn.example", false);

	(void)state;
	assert_int_equal(outcome.err.kind, SCAR_ERR_AUTH);
	assert_true(outcome.retry);
	assert_says(&outcome, "cdn.example");
}

static void reads_both_forms_of_retry_after(void **state)
{
	int64_t noon_ms = 1700000000000; /* 2023-11-14T22:13:20Z */

	(void)state;
	assert_int_equal(scar_status_retry_after_ms("5", noon_ms), 5000);
	assert_int_equal(scar_status_retry_after_ms("0", noon_ms), 0);
	assert_int_equal(scar_status_retry_after_ms("Tue, 14 Nov 2023 22:13:25 GMT", noon_ms),
			 5000);
	assert_int_equal(scar_status_retry_after_ms("Tue, 14 Nov 2023 22:13:15 GMT", noon_ms), 0);
	assert_int_equal(scar_status_retry_after_ms("soon", noon_ms), 0);
	assert_int_equal(scar_status_retry_after_ms("5 minutes", noon_ms), 0);
	assert_int_equal(scar_status_retry_after_ms("-5", noon_ms), 0);
	assert_true(scar_status_retry_after_ms("99999999999999999999999", noon_ms) >
		    SCAR_RETRY_AFTER_MAX_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_each_status_to_its_kind),
		cmocka_unit_test(says_what_to_do_about_a_refusal),
		cmocka_unit_test(quotes_the_registry_without_its_control_characters),
		cmocka_unit_test(tells_the_used_up_pulls_of_docker_hub_from_a_passing_throttle),
		cmocka_unit_test(retries_a_signed_address_that_expired),
		cmocka_unit_test(reads_both_forms_of_retry_after),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
