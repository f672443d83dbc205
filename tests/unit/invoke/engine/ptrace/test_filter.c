/* SPDX-License-Identifier: Apache-2.0 */
/* Which system calls stop for the tracer. The filter's program is run here, step by step, as the kernel would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "invoke/engine/guest/calls.h"
#include "invoke/engine/ptrace/filter.h"
#include "invoke/engine/rewrite/launch.h"
#include "runtime/base/err.h"

#define GUEST_IP 0x7f0000001234ull
#define ENOSYS_ACTION (SECCOMP_RET_ERRNO | ENOSYS)

static const struct scar_launch_addresses addresses = {
	.enter = 0x60001000, .pass = 0x60001100, .low = 0x60000000, .high = 0x60080000};

static bool compares(const struct sock_filter *s, uint32_t a)
{
	switch (BPF_OP(s->code)) {
	case BPF_JEQ: return a == s->k;
	case BPF_JGT: return a > s->k;
	case BPF_JGE: return a >= s->k;
	case BPF_JSET: return a & s->k;
	default: fail_msg("jump %x", s->code);
	}
	return false;
}

/* The verdict of a filter (the steps that libseccomp makes use of). */
static uint32_t run(const struct scar_trace_filter *f, const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (unsigned i = 0; i < f->len; i++) {
		const struct sock_filter *s = &f->code[i];

		if (BPF_CLASS(s->code) == BPF_RET) {
			return s->k;
		} else if (s->code == (BPF_LD | BPF_W | BPF_ABS)) {
			assert_true(s->k + 4 <= sizeof(*data));
			memcpy(&a, (const char *)data + s->k, 4);
		} else if (s->code == (BPF_ALU | BPF_AND | BPF_K)) {
			a &= s->k;
		} else if (BPF_CLASS(s->code) == BPF_JMP) {
			i += BPF_OP(s->code) == BPF_JA ? s->k : compares(s, a) ? s->jt : s->jf;
		} else {
			fail_msg("step %u has code %x", i, s->code);
		}
	}
	fail_msg("the filter does not end");
	return 0;
}

static uint32_t verdict(const struct scar_trace_filter *f, long nr, uint64_t ip,
			const uint64_t args[6])
{
	struct seccomp_data data = {.nr = (int)nr, .instruction_pointer = ip};

#ifdef __x86_64__
	data.arch = AUDIT_ARCH_X86_64;
#else
	data.arch = AUDIT_ARCH_AARCH64;
#endif
	memcpy(data.args, args, sizeof(data.args));
	return run(f, &data);
}

static int setup(void **state)
{
	static struct scar_trace_filter filter;
	struct scar_err err;

	*state = &filter;
	return scar_trace_filter_create(&addresses, &filter, &err);
}

static int teardown(void **state)
{
	scar_trace_filter_clear(*state);
	return 0;
}

static void the_filter_and_the_function_agree_on_every_call(void **state)
{
	static const uint64_t values[] = {
		0,          1,          2,          CLONE_VM, MAP_FIXED,      0x1001,
		0x60001000, 0x6fffffff, 1ull << 32, ~0ull,    CLONE_UNTRACED, 0x160000000ull};
	const size_t count = sizeof(values) / sizeof(values[0]);

	for (long nr = 0; nr < SCAR_CALLS_END; nr++) {
		for (size_t i = 0; i < count * 6; i++) {
			uint64_t args[6] = {0};
			enum scar_call_kind kind = scar_call_kinds[nr];
			uint32_t expected = kind == SCAR_CALL_EPERM      ? SECCOMP_RET_ERRNO | EPERM
					    : kind == SCAR_CALL_ENOSYS   ? ENOSYS_ACTION
					    : scar_trace_wants(nr, args) ? SECCOMP_RET_TRACE
									 : SECCOMP_RET_ALLOW;

			args[i / count] = values[i % count];
			if (kind == SCAR_CALL_PATHS || kind == SCAR_CALL_OWN)
				expected = scar_trace_wants(nr, args) ? SECCOMP_RET_TRACE
								      : SECCOMP_RET_ALLOW;
			if (verdict(*state, nr, GUEST_IP, args) != expected)
				fail_msg("call %ld, argument %zu = %llx: %x, not %x", nr, i / count,
					 (unsigned long long)values[i % count],
					 verdict(*state, nr, GUEST_IP, args), expected);
		}
	}
}

static void every_call_that_takes_a_path_stops(void **state)
{
	const uint64_t args[6] = {0};

	for (long nr = 0; nr < SCAR_CALLS_END; nr++)
		if (scar_call_kinds[nr] == SCAR_CALL_PATHS)
			assert_int_equal(verdict(*state, nr, GUEST_IP, args), SECCOMP_RET_TRACE);
	assert_int_equal(verdict(*state, SYS_openat, GUEST_IP, args), SECCOMP_RET_TRACE);
	assert_int_equal(verdict(*state, SYS_execve, GUEST_IP, args), SECCOMP_RET_TRACE);
	assert_int_equal(verdict(*state, SYS_newfstatat, GUEST_IP, args), SECCOMP_RET_TRACE);
}

static void what_names_nothing_does_not_stop(void **state)
{
	const uint64_t none[6] = {0}, anywhere[6] = {0, 4096, 3, MAP_PRIVATE, 5, 0},
		       fork_like[6] = {SIGCHLD}, level[6] = {3, IPPROTO_TCP};
	const uint64_t named[6] = {3, 1, 1, 0, 0x7ffe0000, 110};

	assert_int_equal(verdict(*state, SYS_read, GUEST_IP, none), SECCOMP_RET_ALLOW);
	assert_int_equal(verdict(*state, SYS_mmap, GUEST_IP, anywhere), SECCOMP_RET_ALLOW);
	assert_int_equal(verdict(*state, SYS_clone, GUEST_IP, fork_like), SECCOMP_RET_ALLOW);
	assert_int_equal(verdict(*state, SYS_getsockopt, GUEST_IP, level), SECCOMP_RET_ALLOW);
	assert_int_equal(verdict(*state, SYS_sendto, GUEST_IP, none), SECCOMP_RET_ALLOW);
	assert_int_equal(verdict(*state, SYS_sendto, GUEST_IP, named), SECCOMP_RET_TRACE);
}

static void the_loader_calls_the_kernel_itself(void **state)
{
	const uint64_t args[6] = {0};

	assert_int_equal(verdict(*state, SYS_openat, addresses.low, args), SECCOMP_RET_ALLOW);
	assert_int_equal(verdict(*state, SYS_openat, addresses.high - 1, args), SECCOMP_RET_ALLOW);
	assert_int_equal(verdict(*state, SYS_getpid, addresses.pass, args), SECCOMP_RET_TRACE);
	assert_int_equal(verdict(*state, SYS_openat, addresses.low - 1, args), SECCOMP_RET_TRACE);
	assert_int_equal(verdict(*state, SYS_openat, addresses.high, args), SECCOMP_RET_TRACE);
	assert_int_equal(verdict(*state, SYS_openat, addresses.low + (1ull << 32), args),
			 SECCOMP_RET_TRACE);
}

static void unknown_numbers_and_other_entries_do_not_exist(void **state)
{
	const uint64_t args[6] = {0};
	struct seccomp_data data = {
		.nr = 5, .arch = AUDIT_ARCH_I386, .instruction_pointer = GUEST_IP};

	assert_int_equal(verdict(*state, SCAR_CALLS_END, GUEST_IP, args), ENOSYS_ACTION);
	assert_int_equal(verdict(*state, 0x40000000 | SYS_openat, GUEST_IP, args), ENOSYS_ACTION);
	assert_int_equal(run(*state, &data), SECCOMP_RET_TRACE | SCAR_TRACE_FOREIGN);
	assert_true(scar_trace_wants(SCAR_CALLS_END, args));
	assert_true(scar_trace_wants(-1, args));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_filter_and_the_function_agree_on_every_call),
		cmocka_unit_test(every_call_that_takes_a_path_stops),
		cmocka_unit_test(what_names_nothing_does_not_stop),
		cmocka_unit_test(the_loader_calls_the_kernel_itself),
		cmocka_unit_test(unknown_numbers_and_other_entries_do_not_exist),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
