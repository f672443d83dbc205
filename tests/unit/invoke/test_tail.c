/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/tail.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct scar_tail tail;
static int log_fds[2];

/* Packets, so that each write can be told from the next. */
static int setup(void **state)
{
	(void)state;
	if (pipe2(log_fds, O_CLOEXEC | O_DIRECT | O_NONBLOCK) < 0)
		return -1;
	scar_tail_init(&tail, log_fds[1], false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(log_fds[0]);
	close(log_fds[1]);
	return 0;
}

static void add(const char *text)
{
	scar_tail_add(&tail, text, strlen(text));
}

static void expect_write(const char *text)
{
	char got[4097] = "";
	ssize_t n = read(log_fds[0], got, sizeof got - 1);

	if (n < 0)
		fail_msg("nothing was written, but \"%s\" should", text);
	assert_string_equal(got, text);
}

static void expect_nothing(void)
{
	char got[16];

	assert_int_equal(read(log_fds[0], got, sizeof got), -1);
}

static void expect_tail(const char *text)
{
	char got[SCAR_LIMIT_STDERR_TAIL_BYTES];
	size_t len = scar_tail_get(&tail, got);

	assert_int_equal(len, strlen(text));
	assert_memory_equal(got, text, len);
}

static void only_whole_lines_go_out(void **state)
{
	(void)state;
	add("one\ntw");
	expect_write("one\n");
	expect_nothing();
	add("o\nthree\nfo");
	expect_write("two\nthree\n");
	expect_nothing();
	expect_tail("one\ntwo\nthree\nfo");
}

static void the_last_line_gets_its_newline_at_the_end(void **state)
{
	(void)state;
	add("no newline");
	expect_nothing();
	scar_tail_finish(&tail);
	expect_write("no newline\n");
	scar_tail_finish(&tail);
	expect_nothing();
	expect_tail("no newline");
}

static void an_endless_line_goes_out_in_pieces(void **state)
{
	char part[1000];

	(void)state;
	memset(part, 'x', sizeof part);
	for (size_t i = 0; i < 3 * SCAR_TAIL_LINE_BYTES / sizeof part; i++)
		scar_tail_add(&tail, part, sizeof part);
	assert_true(read(log_fds[0], part, sizeof part) > 0);
	assert_true(tail.line_len < SCAR_TAIL_LINE_BYTES);
}

static void only_the_end_is_kept(void **state)
{
	char line[32], got[SCAR_LIMIT_STDERR_TAIL_BYTES];
	size_t len;

	(void)state;
	tail.fd = -1;
	for (int i = 0; i < 10000; i++) {
		snprintf(line, sizeof line, "line %d\n", i);
		add(line);
	}
	len = scar_tail_get(&tail, got);
	assert_int_equal(len, SCAR_LIMIT_STDERR_TAIL_BYTES);
	assert_memory_equal(got + len - 10, "line 9999\n", 10);
}

static void one_piece_larger_than_the_tail_is_cut_at_the_front(void **state)
{
	static char large[5 * SCAR_LIMIT_STDERR_TAIL_BYTES];
	char got[SCAR_LIMIT_STDERR_TAIL_BYTES];

	(void)state;
	tail.fd = -1;
	memset(large, 'a', sizeof large);
	memcpy(large + sizeof large - 3, "end", 3);
	add("before");
	scar_tail_add(&tail, large, sizeof large);
	assert_int_equal(scar_tail_get(&tail, got), sizeof got);
	assert_memory_equal(got + sizeof got - 4, "aend", 4);
}

static void it_does_not_begin_inside_a_character(void **state)
{
	char got[SCAR_LIMIT_STDERR_TAIL_BYTES];
	size_t len;

	(void)state;
	tail.fd = -1;
	/* Two bytes each, after one: the limit falls inside one. */
	for (size_t i = 0; i < SCAR_LIMIT_STDERR_TAIL_BYTES; i++)
		add("\xc3\xb1");
	add("x");
	len = scar_tail_get(&tail, got);
	assert_int_equal(len, SCAR_LIMIT_STDERR_TAIL_BYTES - 1);
	assert_int_equal((unsigned char)got[0], 0xc3);
}

static void a_log_that_nobody_reads_is_no_error(void **state)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	tail.fd = fd;
	add("lost\n");
	scar_tail_finish(&tail);
	expect_tail("lost\n");
	close(fd);
}

#define TAIL_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TAIL_TEST(only_whole_lines_go_out),
		TAIL_TEST(the_last_line_gets_its_newline_at_the_end),
		TAIL_TEST(an_endless_line_goes_out_in_pieces),
		TAIL_TEST(only_the_end_is_kept),
		TAIL_TEST(one_piece_larger_than_the_tail_is_cut_at_the_front),
		TAIL_TEST(it_does_not_begin_inside_a_character),
		TAIL_TEST(a_log_that_nobody_reads_is_no_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
