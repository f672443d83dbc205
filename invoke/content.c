/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/content.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/err.h"
#include "runtime/base/utf8.h"

/* ---- guessing ---- */

static const struct {
	size_t at;
	const char *bytes;
	size_t len;
	const char *type;
} magics[] = {
	{0, "\211PNG\r\n\032\n", 8, "image/png"},
	{0, "\377\330\377", 3, "image/jpeg"},
	{0, "GIF8", 4, "image/gif"},
	{8, "WEBP", 4, "image/webp"},
	{8, "WAVE", 4, "audio/wav"},
	{8, "AVI ", 4, "video/x-msvideo"},
	{0, "BM", 2, "image/bmp"},
	{0, "II*\0", 4, "image/tiff"},
	{0, "MM\0*", 4, "image/tiff"},
	{0, "%PDF-", 5, "application/pdf"},
	{0, "PK\3\4", 4, "application/zip"},
	{0, "PK\5\6", 4, "application/zip"},
	{0, "\037\213", 2, "application/gzip"},
	{0, "BZh", 3, "application/x-bzip2"},
	{0,
	 "\375"
	 "7zXZ\0",
	 6, "application/x-xz"},
	{0, "\050\265\057\375", 4, "application/zstd"},
	{257, "ustar", 5, "application/x-tar"},
	{4, "ftyp", 4, "video/mp4"},
	{0, "\032\105\337\243", 4, "video/webm"},
	{0, "OggS", 4, "audio/ogg"},
	{0, "fLaC", 4, "audio/flac"},
	{0, "ID3", 3, "audio/mpeg"},
	{0, "\0asm", 4, "application/wasm"},
};

/* Of text, at its first character that is no white space. */
static const struct {
	const char *begin, *type;
} texts[] = {
	{"<!doctype html", "text/html; charset=utf-8"},
	{"<html", "text/html; charset=utf-8"},
	{"<svg", "image/svg+xml"},
	{"<?xml", "application/xml"},
	{"{\"", "application/json"},
	{"{}", "application/json"},
	{"{\n", "application/json"},
	{"[{", "application/json"},
	{"[[", "application/json"},
	{"[\"", "application/json"},
	{"[]", "application/json"},
};

bool scar_content_is_text(const void *data, size_t len, bool whole)
{
	const char *text = data;

	while (len > 0) {
		unsigned char c = (unsigned char)*text;
		size_t size = scar_utf8_len(text, len);

		if (size == 0)
			/* The rest of a character may be still to come. */
			return !whole && len < 4 && c >= 0xc2;
		if (c < 0x20 && (c == 0 || !strchr("\t\n\r\f\033", c)))
			return false;
		text += size;
		len -= size;
	}
	return true;
}

static const char *sniff_text(const char *text, size_t len)
{
	while (len > 0 && strchr(" \t\r\n", *text)) {
		text++;
		len--;
	}
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		size_t wanted = strlen(texts[i].begin);

		if (len >= wanted && strncasecmp(text, texts[i].begin, wanted) == 0)
			return texts[i].type;
	}
	return "text/plain; charset=utf-8";
}

const char *scar_content_sniff(const void *data, size_t len)
{
	const char *bytes = data;

	for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++) {
		if (len >= magics[i].at + magics[i].len &&
		    memcmp(bytes + magics[i].at, magics[i].bytes, magics[i].len) == 0)
			return magics[i].type;
	}
	if (scar_content_is_text(data, len < 4096 ? len : 4096, false))
		return sniff_text(bytes, len);
	return "application/octet-stream";
}

/* ---- header fields ---- */

static int malformed(const char *what, struct scar_err *err)
{
	return scar_err_set(err, SCAR_ERR_PROTOCOL,
			    "the program's output does not begin with header fields, which "
			    "SCAR_OUTPUT_HEADERS asks for: %s",
			    what);
}

/* Bytes up to and with the empty line, or 0. */
static size_t head_len(const char *data, size_t len)
{
	for (size_t start = 0; start < len;) {
		const char *end = memchr(data + start, '\n', len - start);
		size_t next = end ? (size_t)(end - data) + 1 : len;

		if (!end)
			return 0;
		if (next == start + 1 || (next == start + 2 && data[start] == '\r'))
			return next;
		start = next;
	}
	return 0;
}

static bool is_name(const char *name)
{
	for (const char *c = name; *c; c++) {
		if (!isalnum((unsigned char)*c) && !strchr("!#$%&'*+-.^_`|~", *c))
			return false;
	}
	return *name != '\0';
}

static bool is_value(const char *value)
{
	for (; *value; value++) {
		if (((unsigned char)*value < 0x20 && *value != '\t') || *value == 0x7f)
			return false;
	}
	return true;
}

static int read_status(const char *value, int *ret_status, struct scar_err *err)
{
	char *end;
	long status = strtol(value, &end, 10);

	/* A status below 200 is not the last word of an answer. */
	if (end != value + 3 || (*end && *end != ' ') || status < 200 || status > 599)
		return malformed("Status is not a number from 200 to 599", err);
	*ret_status = (int)status;
	return 0;
}

static int read_line(char *line, struct scar_content_head *head, bool *has_status,
		     struct scar_err *err)
{
	char *colon = strchr(line, ':'), *value, *end;

	if (!colon)
		return malformed("a line without a colon", err);
	*colon = '\0';
	value = colon + 1 + strspn(colon + 1, " \t");
	end = value + strlen(value);
	while (end > value && strchr(" \t\r", end[-1]))
		*--end = '\0';
	if (!is_name(line) || !is_value(value))
		return malformed("a field's name or value holds what it must not", err);
	if (strcasecmp(line, "Status") == 0) {
		*has_status = true;
		return read_status(value, &head->status, err);
	}
	if (head->count == SCAR_CONTENT_FIELDS)
		return malformed("more than 100 fields", err);
	head->fields[head->count++] = (struct scar_content_field){line, value};
	return 0;
}

static int read_lines(struct scar_content_head *head, struct scar_err *err)
{
	bool has_status = false;
	char *rest = head->text, *line;

	while ((line = strsep(&rest, "\n")) && *line && strcmp(line, "\r") != 0) {
		if (read_line(line, head, &has_status, err) < 0)
			return -1;
	}
	if (!has_status && scar_content_head_get(head, "Location"))
		head->status = 302;
	return 0;
}

int scar_content_read_head(const char *data, size_t len, bool ended,
			   struct scar_content_head *ret_head, size_t *ret_len,
			   struct scar_err *err)
{
	size_t size = head_len(data, len < SCAR_CONTENT_HEAD_BYTES ? len : SCAR_CONTENT_HEAD_BYTES);
	scar_content_head_auto struct scar_content_head head = {.status = 200};

	if (size == 0 && (ended || len >= SCAR_CONTENT_HEAD_BYTES))
		return malformed(ended ? "no empty line ends them" : "they are longer than 64 KiB",
				 err);
	if (size == 0)
		return 0;
	if (memchr(data, 0, size))
		return malformed("a NUL byte", err);
	head.text = malloc(size + 1);
	if (!head.text)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	memcpy(head.text, data, size);
	head.text[size] = '\0';
	if (read_lines(&head, err) < 0)
		return -1;
	*ret_len = size;
	*ret_head = head;
	head.text = NULL;
	return 1;
}

void scar_content_head_clear(struct scar_content_head *head)
{
	free(head->text);
	*head = (struct scar_content_head){0};
}

const char *scar_content_head_get(const struct scar_content_head *head, const char *name)
{
	for (size_t i = 0; i < head->count; i++) {
		if (strcasecmp(head->fields[i].name, name) == 0)
			return head->fields[i].value;
	}
	return NULL;
}
