#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# AWS_ENDPOINT_URL is a local S3's; older versions of the CLI take it as an option only.
aws ${AWS_ENDPOINT_URL:+--endpoint-url "$AWS_ENDPOINT_URL"} s3 ls --recursive s3://listed > "$TMP_OUTPUT_DIR/listing.txt"
