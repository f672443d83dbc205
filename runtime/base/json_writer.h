/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file json_writer.h
 * Writes a JSON document piece by piece. The first failure is kept and everything after it does nothing, so that only
 * scar_json_writer_end() has to be looked at.
 *
 *   scar_json_writer_init(&w, &buf, err);
 *   scar_json_write_open(&w, NULL, '{');
 *   scar_json_write_string(&w, "Name", name);
 *   scar_json_write_close(&w, '}');
 *   if (scar_json_writer_end(&w) < 0) ...
 *
 * `key` is NULL in an array and for the document itself.
 */
#ifndef SCAR_RUNTIME_BASE_JSON_WRITER_H
#define SCAR_RUNTIME_BASE_JSON_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scar_buf;
struct scar_err;
struct scar_json;

struct scar_json_writer {
	struct scar_buf *buf;
	struct scar_err *err;
	bool failed;
	bool follows; /* a value is there: the next one needs a comma */
};

/** `buf` is initialised by the caller, and appended to. */
void scar_json_writer_init(struct scar_json_writer *writer, struct scar_buf *buf,
			   struct scar_err *err);
/** @return 0, or -1 with the first failure in err */
int scar_json_writer_end(const struct scar_json_writer *writer);

/** bracket: '{' or '['. */
void scar_json_write_open(struct scar_json_writer *writer, const char *key, char bracket);
/** bracket: '}' or ']'. */
void scar_json_write_close(struct scar_json_writer *writer, char bracket);
/** A NULL text writes nothing at all. */
void scar_json_write_string(struct scar_json_writer *writer, const char *key, const char *text);
void scar_json_write_int(struct scar_json_writer *writer, const char *key, int64_t value);
void scar_json_write_bool(struct scar_json_writer *writer, const char *key, bool value);
/** A copy of a node; NULL writes nothing. */
void scar_json_write_node(struct scar_json_writer *writer, const char *key,
			  const struct scar_json *node);
/** An array of strings, NULL-terminated; NULL writes nothing. */
void scar_json_write_strings(struct scar_json_writer *writer, const char *key,
			     const char *const *list);
/** Bytes as a string of Base64. */
void scar_json_write_base64(struct scar_json_writer *writer, const char *key, const void *data,
			    size_t len);

#endif
