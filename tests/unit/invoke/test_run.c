/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/buf.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"

/*
 * The programs are this machine's /bin/sh, started without any rootfs: what is tested is what happens from start to
 * end of a program, not how it starts.
 */

/* Of this very run: another one beside it, in a gate or under a sanitizer, kills by its own. */
static char marker[64];

static struct scar_err err;
static struct scar_run_result result;
static struct scar_buf output;
static int64_t first_output_ms, start_ms;
static bool without_pidfd;

static int start_here(const struct scar_engine_spec *spec, struct scar_process *ret_process,
		      struct scar_err *e)
{
	pid_t pid = fork();

	if (pid < 0)
		return scar_err_errno(e, errno, "fork");
	if (pid == 0) {
		setsid();
		signal(SIGPIPE, SIG_DFL);
		dup2(spec->stdin_fd, 0);
		dup2(spec->stdout_fd, 1);
		dup2(spec->stderr_fd, 2);
		execve(spec->argv[0], spec->argv, spec->envp);
		_exit(127);
	}
	ret_process->pid = pid;
	ret_process->pidfd = without_pidfd ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
	return 0;
}

static int start_never(const struct scar_engine_spec *spec, struct scar_process *ret_process,
		       struct scar_err *e)
{
	(void)ret_process;
	return scar_err_set(e, SCAR_ERR_EXEC, "cannot execute %s", spec->argv[0]);
}

static int collect(void *ctx, const void *data, size_t len, struct scar_err *e)
{
	(void)ctx;
	if (output.len == 0)
		first_output_ms = scar_clock_epoch_ms();
	return scar_buf_append(&output, data, len, e);
}

static int refuse(void *ctx, const void *data, size_t len, struct scar_err *e)
{
	(void)ctx;
	(void)data;
	(void)len;
	return scar_err_set(e, SCAR_ERR_NETWORK, "the reader went away");
}

static const struct scar_engine_ops here = {.name = "here", .start = start_here};
static const struct scar_engine_ops never = {.name = "never", .start = start_never};
static struct scar_run_options options;
static struct scar_engine_spec spec;
static char *argv[4];
static char *envp[] = {(char *)"PATH=/usr/bin:/bin", marker, NULL};

static int setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	without_pidfd = false;
	snprintf(marker, sizeof marker, "SCAR_TEST_RUN=%ld", (long)getpid());
	scar_buf_init(&output, 64 << 20);
	spec = (struct scar_engine_spec){.argv = argv, .envp = envp};
	options = (struct scar_run_options){
		.engine = &here,
		.spec = &spec,
		.sink = collect,
		.stderr_fd = -1,
		.stop_fd = -1,
		.grace_ms = 300,
		.marker = marker,
	};
	memset(&result, 0, sizeof result);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scar_buf_clear(&output);
	return 0;
}

static int run(const char *script)
{
	argv[0] = (char *)"/bin/sh";
	argv[1] = (char *)"-c";
	argv[2] = (char *)script;
	start_ms = scar_clock_epoch_ms();
	return scar_run(&options, &result, &err);
}

static void must_run(const char *script)
{
	if (run(script) < 0)
		fail_msg("%s", err.msg);
}

static int64_t took_ms(void)
{
	return scar_clock_epoch_ms() - start_ms;
}

/* Processes whose command line holds the text. */
static size_t count_processes(const char *text)
{
	scar_dir_auto DIR *proc = opendir("/proc");
	struct dirent *entry;
	size_t count = 0;

	assert_non_null(proc);
	while ((entry = readdir(proc))) {
		char path[300], line[512] = "";
		scar_fd_auto int fd = -1;
		ssize_t n;

		snprintf(path, sizeof path, "/proc/%s/cmdline", entry->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? 0 : read(fd, line, sizeof line - 1);
		for (ssize_t i = 0; i < n; i++)
			line[i] = line[i] ? line[i] : ' ';
		count += strstr(line, text) != NULL;
	}
	return count;
}

static size_t count_fds(void)
{
	scar_dir_auto DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	return count;
}

static void output_and_status_come_back(void **state)
{
	(void)state;
	must_run("printf 'a\\000b'; exit 3");
	assert_int_equal(output.len, 3);
	assert_memory_equal(output.data, "a\0b", 3);
	assert_true(result.status.exited);
	assert_int_equal(result.status.code, 3);
	assert_int_equal(result.stdout_bytes, 3);
	assert_false(result.timed_out);
}

static void a_signal_is_told(void **state)
{
	(void)state;
	must_run("kill -SEGV $$");
	assert_false(result.status.exited);
	assert_int_equal(result.status.signal, SIGSEGV);
}

static void input_reaches_the_program_whole(void **state)
{
	static char input[3 << 20];

	(void)state;
	for (size_t i = 0; i < sizeof input; i++)
		input[i] = (char)(i * 7 + i / 256);
	options.input = input;
	options.input_len = sizeof input;
	must_run("cat");
	assert_int_equal(output.len, sizeof input);
	assert_memory_equal(output.data, input, sizeof input);
}

static void a_program_need_not_read_its_input(void **state)
{
	static char input[1 << 20];

	(void)state;
	options.input = input;
	options.input_len = sizeof input;
	must_run("exec <&-; sleep 0.1; echo done");
	assert_string_equal(output.data, "done\n");
	assert_int_equal(result.status.code, 0);
}

static void without_input_there_is_an_end_of_file(void **state)
{
	(void)state;
	must_run("cat; echo end");
	assert_string_equal(output.data, "end\n");
}

static void output_is_handed_on_while_the_program_runs(void **state)
{
	(void)state;
	must_run("echo early; sleep 0.5; echo late");
	assert_string_equal(output.data, "early\nlate\n");
	assert_true(first_output_ms - start_ms < 400);
}

static void the_tail_of_standard_error_is_kept(void **state)
{
	(void)state;
	must_run("echo out; echo the reason >&2; exit 1");
	assert_int_equal(result.stderr_tail_len, 11);
	assert_memory_equal(result.stderr_tail, "the reason\n", 11);
	assert_string_equal(output.data, "out\n");
}

static void at_the_deadline_the_whole_group_is_ended(void **state)
{
	(void)state;
	options.deadline_ms = scar_clock_epoch_ms() + 300;
	must_run("sleep 31.4151 & sleep 31.4151 & echo some; sleep 31.4151");
	assert_true(result.timed_out);
	assert_true(took_ms() >= 290 && took_ms() < 1500);
	assert_string_equal(output.data, "some\n");
	assert_int_equal(count_processes("sleep 31.4151"), 0);
}

static void who_ignores_sigterm_is_killed_after_the_grace(void **state)
{
	(void)state;
	options.deadline_ms = scar_clock_epoch_ms() + 200;
	must_run("trap '' TERM; echo on; while :; do sleep 0.05; done");
	assert_true(result.timed_out);
	assert_false(result.status.exited);
	assert_int_equal(result.status.signal, SIGKILL);
	assert_true(took_ms() >= 490 && took_ms() < 1500);
}

static void who_hears_sigterm_may_say_last_words(void **state)
{
	(void)state;
	options.deadline_ms = scar_clock_epoch_ms() + 200;
	must_run("trap 'echo bye; exit 0' TERM; while :; do sleep 0.05; done");
	assert_true(result.timed_out);
	assert_string_equal(output.data, "bye\n");
	assert_true(took_ms() < 480);
}

static void a_deadline_in_the_past_ends_it_at_once(void **state)
{
	(void)state;
	options.deadline_ms = 1;
	must_run("sleep 31.4152");
	assert_true(result.timed_out);
	assert_true(took_ms() < 1000);
}

/* Takes one piece, and its time. */
static int take_slowly(void *ctx, const void *data, size_t len, struct scar_err *e)
{
	(void)ctx;
	(void)data;
	(void)len;
	(void)e;
	scar_clock_sleep_ms(1500);
	return 0;
}

static void a_slow_receiver_does_not_hide_the_deadline(void **state)
{
	char path[] = "/tmp/scar-test-XXXXXX", script[256];
	int fd = mkstemp(path);
	struct stat info;

	(void)state;
	assert_true(fd >= 0);
	options.sink = take_slowly;
	options.deadline_ms = scar_clock_epoch_ms() + 300;
	snprintf(script, sizeof script,
		 "trap 'date +%%s%%N >%s; exit 0' TERM; echo x; while :; do sleep 0.02; done",
		 path);
	must_run(script);
	assert_true(result.timed_out);
	/* The program heard of it while the receiver still took its time. */
	assert_int_equal(fstat(fd, &info), 0);
	assert_true(info.st_size > 0);
	assert_true((int64_t)info.st_mtim.tv_sec * 1000 + info.st_mtim.tv_nsec / 1000000 <
		    start_ms + 1000);
	close(fd);
	unlink(path);
}

static void being_told_to_stop_ends_the_program(void **state)
{
	int fd = eventfd(1, EFD_CLOEXEC);

	(void)state;
	options.stop_fd = fd;
	must_run("sleep 31.4157");
	assert_true(result.interrupted);
	assert_false(result.timed_out);
	assert_true(took_ms() < 1000);
	close(fd);
}

static void what_a_program_leaves_in_its_group_is_killed_at_its_end(void **state)
{
	(void)state;
	must_run("sleep 31.4153 & echo main; exit 0");
	assert_string_equal(output.data, "main\n");
	assert_int_equal(result.status.code, 0);
	assert_int_equal(count_processes("sleep 31.4153"), 0);
	assert_true(took_ms() < 1000);
}

static void a_daemon_is_found_by_its_environment(void **state)
{
	(void)state;
	must_run("setsid sh -c 'sleep 31.4154; true' >/dev/null 2>&1 & sleep 0.2; echo main");
	assert_int_equal(count_processes("sleep 31.4154"), 0);
}

static void output_held_open_by_an_unknown_process_is_not_waited_for_long(void **state)
{
	(void)state;
	must_run("env -i setsid sleep 1.4155 & sleep 0.2; echo main");
	assert_string_equal(output.data, "main\n");
	assert_true(took_ms() < 1200);
}

static void output_written_just_before_the_end_is_not_lost(void **state)
{
	(void)state;
	must_run("head -c 1000000 /dev/zero");
	assert_int_equal(output.len, 1000000);
}

static void closing_the_output_early_is_no_end(void **state)
{
	(void)state;
	must_run("exec >&- 2>&-; sleep 0.2; exit 4");
	assert_int_equal(result.status.code, 4);
}

static void a_reader_that_fails_ends_the_program(void **state)
{
	(void)state;
	options.sink = refuse;
	assert_int_equal(run("echo x; sleep 31.4156"), -1);
	assert_int_equal(err.kind, SCAR_ERR_NETWORK);
	assert_int_equal(count_processes("sleep 31.4156"), 0);
}

static void a_program_that_cannot_start_is_an_error(void **state)
{
	size_t before = count_fds();

	(void)state;
	options.engine = &never;
	assert_int_equal(run("true"), -1);
	assert_int_equal(err.kind, SCAR_ERR_EXEC);
	assert_int_equal(count_fds(), before);
}

static void kernels_without_process_descriptors_serve_too(void **state)
{
	(void)state;
	without_pidfd = true;
	must_run("echo old; sleep 0.1; exit 6");
	assert_string_equal(output.data, "old\n");
	assert_int_equal(result.status.code, 6);
	options.deadline_ms = scar_clock_epoch_ms() + 100;
	must_run("sleep 31.4157");
	assert_true(result.timed_out);
	options.sink = refuse;
	options.deadline_ms = 0;
	assert_int_equal(run("echo x; sleep 31.4158"), -1);
	assert_int_equal(count_processes("sleep 31.415[78]"), 0);
}

static void nothing_is_left_open(void **state)
{
	size_t before = count_fds();

	(void)state;
	for (int i = 0; i < 20; i++) {
		without_pidfd = i % 2;
		must_run("echo x");
	}
	assert_int_equal(count_fds(), before);
}

#define RUN_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN_TEST(output_and_status_come_back),
		RUN_TEST(a_signal_is_told),
		RUN_TEST(input_reaches_the_program_whole),
		RUN_TEST(a_program_need_not_read_its_input),
		RUN_TEST(without_input_there_is_an_end_of_file),
		RUN_TEST(output_is_handed_on_while_the_program_runs),
		RUN_TEST(the_tail_of_standard_error_is_kept),
		RUN_TEST(at_the_deadline_the_whole_group_is_ended),
		RUN_TEST(who_ignores_sigterm_is_killed_after_the_grace),
		RUN_TEST(who_hears_sigterm_may_say_last_words),
		RUN_TEST(a_deadline_in_the_past_ends_it_at_once),
		RUN_TEST(a_slow_receiver_does_not_hide_the_deadline),
		RUN_TEST(being_told_to_stop_ends_the_program),
		RUN_TEST(what_a_program_leaves_in_its_group_is_killed_at_its_end),
		RUN_TEST(a_daemon_is_found_by_its_environment),
		RUN_TEST(output_held_open_by_an_unknown_process_is_not_waited_for_long),
		RUN_TEST(output_written_just_before_the_end_is_not_lost),
		RUN_TEST(closing_the_output_early_is_no_end),
		RUN_TEST(a_reader_that_fails_ends_the_program),
		RUN_TEST(a_program_that_cannot_start_is_an_error),
		RUN_TEST(kernels_without_process_descriptors_serve_too),
		RUN_TEST(nothing_is_left_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
