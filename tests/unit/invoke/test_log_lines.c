/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/log_lines.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"

static struct scar_log_lines lines;
static char *written;
static size_t written_len;

static int setup(void **state)
{
	int fd = memfd_create("log", MFD_CLOEXEC);

	(void)state;
	scar_log_lines_init(&lines, fd);
	scar_log_set_request_id("id-1");
	return fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	scar_log_lines_finish(&lines);
	close(lines.fd);
	free(written);
	written = NULL;
	return 0;
}

static void add(const char *text)
{
	scar_log_lines_add(&lines, text, strlen(text));
}

/* All that was written, NUL-terminated. */
static const char *read_log(void)
{
	off_t size = lseek(lines.fd, 0, SEEK_END);

	assert_true(size >= 0);
	free(written);
	written = calloc(1, (size_t)size + 1);
	assert_non_null(written);
	assert_int_equal(pread(lines.fd, written, (size_t)size, 0), size);
	written_len = (size_t)size;
	return written;
}

static size_t line_count(void)
{
	size_t count = 0;

	read_log();
	for (size_t i = 0; i < written_len; i++)
		count += written[i] == '\n';
	return count;
}

/* The line of that number, which must be JSON. */
static struct scar_json *parse_line(size_t number)
{
	struct scar_json *root = NULL;
	const char *text = read_log();
	struct scar_err err;

	for (; number > 0; number--) {
		text = strchr(text, '\n');
		assert_non_null(text);
		text++;
	}
	if (scar_json_parse(text, strcspn(text, "\n"), "line", &root, &err) < 0)
		fail_msg("%s: %s", err.msg, text);
	return root;
}

static void expect_message(size_t number, const char *message)
{
	scar_json_auto struct scar_json *root = parse_line(number);

	assert_string_equal(scar_json_string(scar_json_get(root, "message")), message);
	assert_string_equal(scar_json_string(scar_json_get(root, "requestId")), "id-1");
	assert_string_equal(scar_json_string(scar_json_get(root, "level")), "INFO");
	assert_string_equal(scar_json_string(scar_json_get(root, "logger")), "program");
	/* 2026-01-02T03:04:05.678Z */
	assert_int_equal(strlen(scar_json_string(scar_json_get(root, "timestamp"))), 24);
}

static void each_whole_line_is_an_object(void **state)
{
	(void)state;
	add("one\ntw");
	assert_int_equal(line_count(), 1);
	expect_message(0, "one");
	add("o\n\nlast");
	assert_int_equal(line_count(), 3);
	expect_message(1, "two");
	expect_message(2, "");
	scar_log_lines_finish(&lines);
	assert_int_equal(line_count(), 4);
	expect_message(3, "last");
	scar_log_lines_finish(&lines);
	assert_int_equal(line_count(), 4);
}

static void any_bytes_make_a_valid_line(void **state)
{
	static const char bytes[] = "a\0b \xff\xfe \"q\" \\ \x1b[31m \x7f \xc3\xb1\r\n";
	char all[256];

	(void)state;
	scar_log_lines_add(&lines, bytes, sizeof bytes - 1);
	assert_non_null(strstr(read_log(), "\"a\\u0000b \xef\xbf\xbd\xef\xbf\xbd \\\"q\\\" \\\\ "
					   "\\u001b[31m \x7f \xc3\xb1\\r\""));
	for (size_t i = 0; i < sizeof all; i++)
		all[i] = (char)i;
	scar_log_lines_add(&lines, all, sizeof all);
	scar_log_lines_finish(&lines);
	/* One newline is among them. */
	assert_int_equal(line_count(), 3);
	scar_json_free(parse_line(2));
}

static void an_object_goes_on_as_it_is_with_the_request_id(void **state)
{
	(void)state;
	add("{\"level\":\"WARN\", \"n\": 1.50}\n");
	assert_string_equal(read_log(),
			    "{\"requestId\":\"id-1\",\"level\":\"WARN\", \"n\": 1.50}\n");
}

static void an_object_that_has_a_request_id_keeps_it(void **state)
{
	(void)state;
	add("{\"requestId\":\"own\",\"m\":1}\n {}\r\n");
	assert_string_equal(read_log(), "{\"requestId\":\"own\",\"m\":1}\n {}\r\n");
}

static void without_a_request_an_object_stays_whole(void **state)
{
	(void)state;
	scar_log_set_request_id(NULL);
	add("{\"m\":1}\nplain\n");
	assert_int_equal(strncmp(read_log(), "{\"m\":1}\n", 8), 0);
	assert_null(strstr(written, "requestId"));
	assert_non_null(strstr(written, "\"message\":\"plain\""));
}

static void what_only_looks_like_an_object_is_a_message(void **state)
{
	static const char *const texts[] = {"{not json}", "{\"a\":1} and more", "[1]",
					    "\"text\"",   "{\"a\":\"\x01\"}",   "{\"a\":\"\xff\"}",
					    "{"};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		scar_json_auto struct scar_json *root = NULL;

		add(texts[i]);
		add("\n");
		assert_int_equal(line_count(), i + 1);
		root = parse_line(i);
		assert_non_null(scar_json_get(root, "message"));
	}
}

static void an_object_of_many_pieces_is_one_line(void **state)
{
	static char text[SCAR_LOG_LINES_OBJECT_BYTES - 100];

	(void)state;
	memset(text, 'x', sizeof text);
	add("{\"m\":\"");
	for (size_t i = 0; i < sizeof text; i += 1000)
		scar_log_lines_add(&lines, text + i,
				   sizeof text - i < 1000 ? sizeof text - i : 1000);
	assert_int_equal(line_count(), 0);
	add("\"}\n");
	assert_int_equal(line_count(), 1);
	assert_int_equal(strncmp(read_log(), "{\"requestId\":\"id-1\",\"m\":\"xxx", 28), 0);
	scar_json_free(parse_line(0));
}

/* Adds `size` bytes of two-byte characters after `first`, and returns what all messages hold together. */
static size_t message_bytes(const char *first, size_t size)
{
	size_t sum = 0, count;

	add(first);
	for (size_t i = 0; i < size; i += 2)
		add("\xc3\xb1");
	add("\n");
	count = line_count();
	for (size_t i = 0; i < count; i++) {
		scar_json_auto struct scar_json *root = parse_line(i);
		const char *message = scar_json_string(scar_json_get(root, "message"));

		assert_non_null(message);
		assert_null(strstr(message, "\xef\xbf\xbd"));
		assert_true(strlen(message) <= SCAR_LOG_LINES_PIECE_BYTES);
		assert_true(strlen(message) > 0);
		sum += strlen(message);
	}
	assert_true(count >= size / SCAR_LOG_LINES_PIECE_BYTES);
	return sum;
}

static void a_long_line_goes_out_in_pieces_that_cut_no_character(void **state)
{
	(void)state;
	assert_int_equal(message_bytes("x", 2 * SCAR_LOG_LINES_PIECE_BYTES + 10),
			 2 * SCAR_LOG_LINES_PIECE_BYTES + 11);
}

static void a_line_of_just_a_piece_has_no_empty_rest(void **state)
{
	(void)state;
	assert_int_equal(message_bytes("", SCAR_LOG_LINES_PIECE_BYTES), SCAR_LOG_LINES_PIECE_BYTES);
	assert_int_equal(line_count(), 1);
}

static void an_object_that_is_too_long_goes_out_in_pieces(void **state)
{
	(void)state;
	assert_int_equal(message_bytes("{", SCAR_LOG_LINES_OBJECT_BYTES),
			 SCAR_LOG_LINES_OBJECT_BYTES + 1);
}

static void many_lines_take_few_writes(void **state)
{
	int fds[2];
	char text[4000], got[65536];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_DIRECT | O_NONBLOCK), 0);
	close(lines.fd);
	lines.fd = fds[1];
	memset(text, '\n', sizeof text);
	scar_log_lines_add(&lines, text, 20);
	/* One packet. */
	assert_true(read(fds[0], got, sizeof got) > 0);
	assert_int_equal(read(fds[0], got, sizeof got), -1);
	close(fds[0]);
}

#define LINES_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LINES_TEST(each_whole_line_is_an_object),
		LINES_TEST(any_bytes_make_a_valid_line),
		LINES_TEST(an_object_goes_on_as_it_is_with_the_request_id),
		LINES_TEST(an_object_that_has_a_request_id_keeps_it),
		LINES_TEST(without_a_request_an_object_stays_whole),
		LINES_TEST(what_only_looks_like_an_object_is_a_message),
		LINES_TEST(an_object_of_many_pieces_is_one_line),
		LINES_TEST(a_long_line_goes_out_in_pieces_that_cut_no_character),
		LINES_TEST(a_line_of_just_a_piece_has_no_empty_rest),
		LINES_TEST(an_object_that_is_too_long_goes_out_in_pieces),
		LINES_TEST(many_lines_take_few_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
