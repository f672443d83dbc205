/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file report_line.h
 * What Lambda's REPORT line tells of an invocation, and what that costs.
 */
#ifndef SCAR_DEPLOYER_REPORT_LINE_H
#define SCAR_DEPLOYER_REPORT_LINE_H

#include <stdbool.h>
#include <stddef.h>

/** Zero where the line does not tell. */
struct scar_report_line {
	double duration_ms, billed_ms, init_ms;
	int memory_mb, used_mb;
};

/** Finds the last REPORT line of a log's tail. @return false if there is none */
bool scar_report_line_parse(const char *log, struct scar_report_line *ret_line);
/**
 * US dollars at the list prices of most regions for x86_64, the request included: what is asked for is not known without a further
 * call, and ARM processors cost a fifth less.
 */
double scar_report_line_cost(const struct scar_report_line *line);
/** "412 ms (billed 413 ms, init 180 ms), memory 96 of 512 MB, at most $0.0000035". @return text */
const char *scar_report_line_format(const struct scar_report_line *line, char *text, size_t size);

#endif
