/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/bucket.h"

#include <string.h>

#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/sigv4.h"

/* Names that a host name cannot carry, or that a certificate of one level does not cover, stay in the path. */
bool scar_bucket_is_in_path(const char *endpoint, const char *bucket, bool path_style)
{
	return endpoint || path_style ||
	       strspn(bucket, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(bucket);
}

int scar_bucket_append_url(struct scar_buf *url, const char *endpoint, const char *region,
			   const char *bucket, bool path_style, struct scar_err *err)
{
	const char *tail = strncmp(region, "cn-", 3) == 0 ? ".cn" : "";
	size_t len = endpoint ? strlen(endpoint) : 0;
	int failed;

	if (!*bucket || strcmp(bucket, ".") == 0 || strcmp(bucket, "..") == 0 ||
	    strchr(bucket, '/'))
		return scar_err_set(err, SCAR_ERR_CONFIG, "\"%.100s\" is no bucket", bucket);
	if (!scar_bucket_is_in_path(endpoint, bucket, path_style))
		return scar_buf_printf(url, err, "https://%s.s3.%s.amazonaws.com%s", bucket, region,
				       tail);
	if (endpoint)
		failed = scar_buf_append(url, endpoint, len - (len > 0 && endpoint[len - 1] == '/'),
					 err);
	else
		failed = scar_buf_printf(url, err, "https://s3.%s.amazonaws.com%s", region, tail);
	if (failed || scar_buf_append_char(url, '/', err) < 0)
		return -1;
	return scar_sigv4_encode(url, bucket, strlen(bucket), "", err);
}
