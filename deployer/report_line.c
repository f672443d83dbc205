/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/report_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* https://aws.amazon.com/lambda/pricing, first tier. */
#define PRICE_REQUEST 0.0000002
#define PRICE_GB_SECOND 0.0000166667
#define MB_A_GB 1024.0

/* The number behind "<name>: ". A name must begin a field, since "Billed Duration" ends like "Duration". */
static double field(const char *line, size_t len, const char *name)
{
	size_t name_len = strlen(name);

	for (size_t i = 0; i + name_len + 2 < len; i++) {
		if ((i == 0 || line[i - 1] == '\t' ||
		     (i > 1 && line[i - 1] == ' ' && line[i - 2] == '\t')) &&
		    strncmp(line + i, name, name_len) == 0 && line[i + name_len] == ':')
			return strtod(line + i + name_len + 1, NULL);
	}
	return 0;
}

bool scar_report_line_parse(const char *log, struct scar_report_line *ret_line)
{
	const char *line = NULL;
	const char *next = log;
	size_t len;

	while ((next = strstr(next, "REPORT RequestId:"))) {
		line = next;
		next++;
	}
	if (!line)
		return false;
	len = strcspn(line, "\n");
	*ret_line = (struct scar_report_line){
		.duration_ms = field(line, len, "Duration"),
		.billed_ms = field(line, len, "Billed Duration"),
		.init_ms = field(line, len, "Init Duration"),
		.memory_mb = (int)field(line, len, "Memory Size"),
		.used_mb = (int)field(line, len, "Max Memory Used"),
	};
	return true;
}

double scar_report_line_cost(const struct scar_report_line *line)
{
	double gb_seconds = line->billed_ms / 1000.0 * line->memory_mb / MB_A_GB;

	return PRICE_REQUEST + gb_seconds * PRICE_GB_SECOND;
}

const char *scar_report_line_format(const struct scar_report_line *line, char *text, size_t size)
{
	char init[48] = "";

	if (line->init_ms > 0)
		snprintf(init, sizeof init, ", init %.0f ms", line->init_ms);
	snprintf(text, size, "%.0f ms (billed %.0f ms%s), memory %d of %d MB, at most $%.7f",
		 line->duration_ms, line->billed_ms, init, line->used_mb, line->memory_mb,
		 scar_report_line_cost(line));
	return text;
}
