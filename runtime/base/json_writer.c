/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/base/json_writer.h"

#include <string.h>

#include "runtime/base/base64.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"

void scar_json_writer_init(struct scar_json_writer *writer, struct scar_buf *buf,
			   struct scar_err *err)
{
	*writer = (struct scar_json_writer){.buf = buf, .err = err};
}

int scar_json_writer_end(const struct scar_json_writer *writer)
{
	return writer->failed ? -1 : 0;
}

/* The comma and the key before a value. @return whether the value may follow */
static bool begin(struct scar_json_writer *writer, const char *key)
{
	if (writer->failed)
		return false;
	writer->failed =
		(writer->follows && scar_buf_append_char(writer->buf, ',', writer->err) < 0) ||
		(key && (scar_json_append_string(writer->buf, key, strlen(key), writer->err) < 0 ||
			 scar_buf_append_char(writer->buf, ':', writer->err) < 0));
	writer->follows = true;
	return !writer->failed;
}

void scar_json_write_open(struct scar_json_writer *writer, const char *key, char bracket)
{
	if (begin(writer, key))
		writer->failed = scar_buf_append_char(writer->buf, bracket, writer->err) < 0;
	writer->follows = false;
}

void scar_json_write_close(struct scar_json_writer *writer, char bracket)
{
	if (!writer->failed)
		writer->failed = scar_buf_append_char(writer->buf, bracket, writer->err) < 0;
	writer->follows = true;
}

void scar_json_write_string(struct scar_json_writer *writer, const char *key, const char *text)
{
	if (text && begin(writer, key))
		writer->failed = scar_json_append_string(writer->buf, text, strlen(text),
							 writer->err) < 0;
}

void scar_json_write_int(struct scar_json_writer *writer, const char *key, int64_t value)
{
	if (begin(writer, key))
		writer->failed = scar_buf_printf(writer->buf, writer->err, "%lld",
						 (long long)value) < 0;
}

void scar_json_write_bool(struct scar_json_writer *writer, const char *key, bool value)
{
	if (begin(writer, key))
		writer->failed = scar_buf_append_str(writer->buf, value ? "true" : "false",
						     writer->err) < 0;
}

void scar_json_write_node(struct scar_json_writer *writer, const char *key,
			  const struct scar_json *node)
{
	if (node && begin(writer, key))
		writer->failed = scar_json_print(node, writer->buf, writer->err) < 0;
}

void scar_json_write_strings(struct scar_json_writer *writer, const char *key,
			     const char *const *list)
{
	if (!list)
		return;
	scar_json_write_open(writer, key, '[');
	for (; *list; list++)
		scar_json_write_string(writer, NULL, *list);
	scar_json_write_close(writer, ']');
}

void scar_json_write_base64(struct scar_json_writer *writer, const char *key, const void *data,
			    size_t len)
{
	if (begin(writer, key))
		writer->failed = scar_buf_append_char(writer->buf, '"', writer->err) < 0 ||
				 scar_base64_encode(data, len, writer->buf, writer->err) < 0 ||
				 scar_buf_append_char(writer->buf, '"', writer->err) < 0;
}
