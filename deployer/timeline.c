/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/timeline.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deployer/arguments.h"
#include "deployer/report_line.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/json_writer.h"
#include "runtime/base/limits.h"
#include "runtime/base/trace.h"

#define CONTEXT "{\"custom\":{\"scar-timeline\":\"1\"}}"
#define FILE_MAX SCAR_KIB(256)
#define NAME_BYTES 48

/* Of the picture, in points. */
#define WIDTH 960
#define LABELS 250
#define NOTES 190
#define ROW 22
#define TOP 58
#define TICKS 5

struct span {
	char name[NAME_BYTES];
	int64_t begin_us, duration_us;
	uint64_t bytes;
};

/* In the order of their beginnings; the first two are Lambda's own. */
struct spans {
	struct span items[SCAR_TRACE_SPANS + 2];
	size_t count;
	int64_t end_us;
};

/* ---- reading ---- */

static void add(struct spans *spans, const char *name, size_t name_len, int64_t begin_us,
		int64_t duration_us, uint64_t bytes)
{
	struct span *span = &spans->items[spans->count++];

	snprintf(span->name, sizeof span->name, "%.*s", (int)name_len, name);
	span->begin_us = begin_us;
	span->duration_us = duration_us;
	span->bytes = bytes;
	if (begin_us + duration_us > spans->end_us)
		spans->end_us = begin_us + duration_us;
}

/* "NAME BEGIN DURATION BYTES" at *at, which is moved behind it. Names are of safe characters (trace.h), which is looked at here again. */
static bool read_span(const char **at, struct spans *spans, int64_t offset_us)
{
	static const char safe[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:";
	size_t len = strspn(*at, safe);
	const char *numbers = *at + len;
	char *end = NULL;
	long long values[3];

	if (len == 0 || len >= NAME_BYTES)
		return false;
	for (size_t i = 0; i < 3; i++) {
		if (*numbers != ' ')
			return false;
		values[i] = strtoll(numbers, &end, 10);
		if (end == numbers + 1 || values[i] < 0 || values[i] > INT64_MAX / 4)
			return false;
		numbers = end;
	}
	add(spans, *at, len, offset_us + values[0], values[1], (uint64_t)values[2]);
	*at = numbers;
	return true;
}

static const char *last_mark(const char *log)
{
	const char *found = NULL;

	for (const char *at = log; at && (at = strstr(at, SCAR_TRACE_MARK)) != NULL; at++)
		found = at;
	return found ? found + strlen(SCAR_TRACE_MARK) : NULL;
}

static int by_begin(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	if (x->begin_us != y->begin_us)
		return x->begin_us < y->begin_us ? -1 : 1;
	/* What holds others stands above them. */
	return (y->duration_us > x->duration_us) - (y->duration_us < x->duration_us);
}

static int read_log(const char *log, struct spans *spans, struct scar_err *err)
{
	struct scar_report_line report = {0};
	const char *at = last_mark(log);
	int64_t init_us;

	if (!at)
		return scar_err_set(
			err, SCAR_ERR_NOT_FOUND,
			"the end of the function's log has no timeline: its layer is older than this, its "
			"image speaks to Lambda itself, or its program logged more than 4 KB at the end");
	(void)scar_report_line_parse(log, &report);
	init_us = (int64_t)(report.init_ms * 1000);
	if (init_us > 0)
		add(spans, "init", 4, 0, init_us, 0);
	if (report.duration_ms > 0)
		add(spans, "invocation", 10, init_us, (int64_t)(report.duration_ms * 1000), 0);
	while (spans->count < SCAR_TRACE_SPANS + 2 && read_span(&at, spans, init_us) && *at == ',')
		at++;
	if (spans->count == 0)
		return scar_err_set(err, SCAR_ERR_NOT_FOUND, "the function's timeline is empty");
	qsort(spans->items, spans->count, sizeof spans->items[0], by_begin);
	return 0;
}

/* ---- the picture ---- */

static const char *colour_of(const char *name)
{
	static const struct {
		const char *begins, *colour;
	} colours[] = {
		{"init", "#999999"},     {"invocation", "#cccccc"},   {"token", "#a05195"},
		{"manifest", "#a05195"}, {"download", "#2f6fb5"},     {"decode", "#1b7837"},
		{"image", "#7fbf7b"},    {"engine-start", "#d98b4a"}, {"first-byte", "#c9a227"},
		{"inputs", "#5ab4ac"},   {"outputs", "#5ab4ac"},
	};

	for (size_t i = 0; i < sizeof colours / sizeof colours[0]; i++) {
		if (strncmp(name, colours[i].begins, strlen(colours[i].begins)) == 0)
			return colours[i].colour;
	}
	return "#e0b050";
}

static double ms(int64_t us)
{
	return (double)us / 1000;
}

static double x_of(const struct spans *spans, int64_t us)
{
	return LABELS +
	       (double)us / (double)(spans->end_us ? spans->end_us : 1) * (WIDTH - LABELS - NOTES);
}

static int draw_axis(const struct spans *spans, struct scar_buf *svg, struct scar_err *err)
{
	double bottom = TOP + (double)spans->count * ROW;

	for (int i = 0; i <= TICKS; i++) {
		int64_t us = spans->end_us * i / TICKS;

		if (scar_buf_printf(
			    svg, err,
			    "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>"
			    "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.4g ms</text>\n",
			    x_of(spans, us), TOP - 6, x_of(spans, us), bottom, x_of(spans, us),
			    TOP - 12, ms(us)) < 0)
			return -1;
	}
	return 0;
}

static int draw_span(const struct spans *spans, size_t i, struct scar_buf *svg,
		     struct scar_err *err)
{
	const struct span *span = &spans->items[i];
	double x = x_of(spans, span->begin_us);
	double width = x_of(spans, span->begin_us + span->duration_us) - x;
	double y = TOP + (double)i * ROW;
	char size[64] = "";

	if (span->bytes && span->duration_us)
		snprintf(size, sizeof size, ", %.1f MB, %.0f MB/s", (double)span->bytes / 1e6,
			 (double)span->bytes / (double)span->duration_us);
	return scar_buf_printf(
		svg, err,
		"<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>"
		"<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>"
		"<text x=\"%.1f\" y=\"%.1f\">%.1f ms%s</text>\n",
		LABELS - 8, y + 14, span->name, x, y + 2, width < 1 ? 1 : width, ROW - 4,
		colour_of(span->name), x + (width < 1 ? 1 : width) + 6, y + 14,
		ms(span->duration_us), size);
}

static int write_svg(const struct spans *spans, const char *function, struct scar_buf *svg,
		     struct scar_err *err)
{
	double height = TOP + (double)spans->count * ROW + 12;

	if (scar_buf_printf(
		    svg, err,
		    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%.0f\" "
		    "font-family=\"sans-serif\" font-size=\"12\">\n"
		    "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
		    "<text x=\"10\" y=\"20\" font-size=\"14\">%s: %.1f ms</text>\n",
		    WIDTH, height, function, ms(spans->end_us)) < 0 ||
	    draw_axis(spans, svg, err) < 0)
		return -1;
	for (size_t i = 0; i < spans->count; i++) {
		if (draw_span(spans, i, svg, err) < 0)
			return -1;
	}
	return scar_buf_append_str(svg, "</svg>\n", err);
}

/* ---- trace events ---- */

/* Each in a row of its own, since the pull's overlap. */
static int write_json(const struct spans *spans, const char *function, struct scar_buf *text,
		      struct scar_err *err)
{
	struct scar_json_writer writer;

	scar_json_writer_init(&writer, text, err);
	scar_json_write_open(&writer, NULL, '{');
	scar_json_write_string(&writer, "displayTimeUnit", "ms");
	scar_json_write_open(&writer, "traceEvents", '[');
	for (size_t i = 0; i < spans->count; i++) {
		const struct span *span = &spans->items[i];

		scar_json_write_open(&writer, NULL, '{');
		scar_json_write_string(&writer, "name", span->name);
		scar_json_write_string(&writer, "cat", function);
		scar_json_write_string(&writer, "ph", "X");
		scar_json_write_int(&writer, "ts", span->begin_us);
		scar_json_write_int(&writer, "dur", span->duration_us);
		scar_json_write_int(&writer, "pid", 1);
		scar_json_write_int(&writer, "tid", (int64_t)i + 1);
		if (span->bytes) {
			scar_json_write_open(&writer, "args", '{');
			scar_json_write_int(&writer, "bytes", (int64_t)span->bytes);
			scar_json_write_close(&writer, '}');
		}
		scar_json_write_close(&writer, '}');
	}
	scar_json_write_close(&writer, ']');
	scar_json_write_close(&writer, '}');
	return scar_json_writer_end(&writer);
}

/* ---- the option ---- */

static bool ends_with(const char *path, const char *suffix)
{
	size_t len = strlen(path), suffix_len = strlen(suffix);

	return len > suffix_len && strcmp(path + len - suffix_len, suffix) == 0;
}

const char *scar_timeline_context(const struct scar_arguments *arguments)
{
	return scar_arguments_has(arguments, SCAR_OPTION_TIMELINE) ? CONTEXT : NULL;
}

int scar_timeline_check(const struct scar_arguments *arguments, struct scar_err *err)
{
	const char *path = scar_arguments_get(arguments, SCAR_OPTION_TIMELINE);

	if (!path || ends_with(path, ".svg") || ends_with(path, ".json"))
		return 0;
	return scar_err_set(err, SCAR_ERR_CONFIG,
			    "--timeline takes FILE.svg or FILE.json, not \"%.200s\"", path);
}

int scar_timeline_save(const struct scar_arguments *arguments, const char *function,
		       const char *log, struct scar_err *err)
{
	const char *path = scar_arguments_get(arguments, SCAR_OPTION_TIMELINE);
	struct spans spans = {.count = 0};
	scar_buf_auto struct scar_buf text;

	scar_buf_init(&text, FILE_MAX);
	if (!path)
		return 0;
	if (read_log(log, &spans, err) < 0 ||
	    (ends_with(path, ".svg") ? write_svg(&spans, function, &text, err)
				     : write_json(&spans, function, &text, err)) < 0)
		return scar_err_wrap(err, "--timeline");
	return scar_fs_write_file(AT_FDCWD, path, 0644, text.data, text.len, err);
}
