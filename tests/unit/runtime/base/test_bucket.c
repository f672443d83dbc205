/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"

static void finds_buckets(void **state)
{
	static const struct {
		const char *endpoint, *region, *bucket;
		bool path_style;
		const char *url;
	} cases[] = {
		{NULL, "eu-west-1", "my-bucket1", false,
		 "https://my-bucket1.s3.eu-west-1.amazonaws.com"},
		{NULL, "eu-west-1", "my-bucket1", true,
		 "https://s3.eu-west-1.amazonaws.com/my-bucket1"},
		{NULL, "eu-west-1", "my.bucket", false,
		 "https://s3.eu-west-1.amazonaws.com/my.bucket"},
		{NULL, "eu-west-1", "Old_Bucket", false,
		 "https://s3.eu-west-1.amazonaws.com/Old_Bucket"},
		{NULL, "cn-north-1", "bucket", false,
		 "https://bucket.s3.cn-north-1.amazonaws.com.cn"},
		{NULL, "cn-north-1", "my.bucket", false,
		 "https://s3.cn-north-1.amazonaws.com.cn/my.bucket"},
		{"http://127.0.0.1:9000", "x", "bucket", false, "http://127.0.0.1:9000/bucket"},
		{"http://host/base/", "x", "a b", false, "http://host/base/a%20b"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		scar_buf_auto struct scar_buf url;
		struct scar_err err;

		scar_buf_init(&url, 1000);
		assert_int_equal(scar_bucket_append_url(&url, cases[i].endpoint, cases[i].region,
							cases[i].bucket, cases[i].path_style, &err),
				 0);
		assert_string_equal(url.data, cases[i].url);
	}
}

static void refuses_names_that_lead_elsewhere(void **state)
{
	static const char *const bad[] = {"", ".", "..", "a/b", "/"};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		scar_buf_auto struct scar_buf url;
		struct scar_err err;

		scar_buf_init(&url, 1000);
		assert_int_equal(
			scar_bucket_append_url(&url, "http://h", "eu-west-1", bad[i], false, &err),
			-1);
		assert_int_equal(err.kind, SCAR_ERR_CONFIG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_buckets),
		cmocka_unit_test(refuses_names_that_lead_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
