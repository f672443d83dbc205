/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file json_scan.h
 * A pass over JSON text before cJSON sees it, for json.c only: cJSON checks the structure, but takes
 * tokens that RFC 8259 has not (01, 1., raw control characters, bytes that are not UTF-8), cuts a
 * string at \u0000 and knows no bound on depth or number of values.
 */
#ifndef SCAR_RUNTIME_BASE_JSON_SCAN_H
#define SCAR_RUNTIME_BASE_JSON_SCAN_H

#include <stddef.h>

struct scar_err;

int scar_json_scan(const char *text, size_t len, struct scar_err *err);

#endif
