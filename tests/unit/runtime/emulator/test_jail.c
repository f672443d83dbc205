/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs this very program inside the sandbox as a probe, which tries everything that Lambda
 * refuses and everything that it allows.
 */
#include "runtime/emulator/jail.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/buf.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/limits.h"

#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#endif
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

/* ---- the probe ------------------------------------------------------------------------------ */

/* Each line tells one result: "name errno" (0: it succeeded). */
static void tell(const char *name, long result)
{
	printf("%s %d\n", name, result < 0 ? errno : 0);
}

#define TELL(name, call)                  \
	do {                              \
		errno = 0;                \
		tell(name, (long)(call)); \
	} while (0)

/* Arguments are such that the call would fail otherwise (or do no harm) where it is not refused. */
static void probe_refused(void)
{
	TELL("ptrace", ptrace(PTRACE_TRACEME, 0, NULL, NULL));
	TELL("ptrace-attach", ptrace(PTRACE_ATTACH, 1, NULL, NULL));
	TELL("seccomp", syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, NULL));
	TELL("prctl-nnp", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	TELL("prctl-seccomp", prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
	TELL("prctl-name", prctl(PR_SET_NAME, "x"));
	TELL("prctl-pdeathsig", prctl(PR_SET_PDEATHSIG, SIGKILL));
	TELL("prctl-sud", prctl(59, 0, 0, 0, 0));
	TELL("unshare-user", unshare(CLONE_NEWUSER));
	TELL("unshare-files", unshare(CLONE_FILES));
	TELL("setns", setns(-1, 0));
	TELL("clone-user", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
	TELL("clone-pid", syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0));
	TELL("chroot", chroot("/tmp"));
	TELL("pivot_root", syscall(SYS_pivot_root, ".", "."));
	TELL("mount", mount("x", "/tmp", "tmpfs", 0, NULL));
	TELL("umount", umount2("/tmp", MNT_DETACH));
	TELL("setuid", syscall(SYS_setuid, 993));
	TELL("setgid", syscall(SYS_setgid, 990));
	TELL("setresuid", syscall(SYS_setresuid, 993, 993, 993));
	TELL("setgroups", syscall(SYS_setgroups, 0, NULL));
	TELL("bpf", syscall(SYS_bpf, 0, NULL, 0));
	TELL("perf_event_open", syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
	TELL("socket-raw", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
	TELL("socket-packet", socket(AF_PACKET, SOCK_DGRAM, 0));
	TELL("inotify_init1", inotify_init1(0));
	TELL("rseq", syscall(SYS_rseq, NULL, 0, 0, 0));
	TELL("landlock", syscall(SYS_landlock_create_ruleset, NULL, 0, 1));
	TELL("io_uring_setup", syscall(425, 1, NULL));
	TELL("clone3", syscall(SYS_clone3, NULL, 0));
}

static void probe_fallocate(void)
{
	int fd = open("/tmp/f", O_RDWR | O_CREAT, 0600);

	TELL("tmp-create", fd);
	TELL("fallocate", syscall(SYS_fallocate, fd, 0, 0L, 4096L));
	unlink("/tmp/f");
	close(fd);
}

static void probe_file(const char *path)
{
	TELL("open", open(path, O_RDONLY));
	TELL("write", open(path, O_WRONLY));
}

static void *nothing(void *arg)
{
	return arg;
}

static void probe_allowed(void)
{
	pthread_t thread;
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(7);
	TELL("fork", pid);
	waitpid(pid, &status, 0);
	errno = WEXITSTATUS(status);
	tell("fork-status", errno == 7 ? 0 : -1);
	errno = pthread_create(&thread, NULL, nothing, NULL);
	tell("thread", errno ? -1 : 0);
	if (!errno)
		pthread_join(thread, NULL);
	TELL("netlink", socket(AF_NETLINK, SOCK_RAW, 0));
	TELL("tcp", socket(AF_INET, SOCK_STREAM, 0));
	TELL("prctl-get-name", prctl(PR_GET_DUMPABLE));
	TELL("exec-memory", mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
				    ? -1
				    : 0);
	TELL("dev-null", open("/dev/null", O_RDWR));
	TELL("dev-urandom", open("/dev/urandom", O_RDONLY));
	TELL("proc-self", open("/proc/self/maps", O_RDONLY));
	probe_fallocate();
	TELL("setsid", setsid() < 0 && errno != EPERM ? -1 : 0);
}

static void probe_places(void)
{
	TELL("write-root", open("/x", O_WRONLY | O_CREAT, 0600));
	TELL("write-opt", open("/opt/bootstrap", O_WRONLY));
	TELL("write-task", open("/var/task/x", O_WRONLY | O_CREAT, 0600));
	TELL("write-etc", open("/etc/passwd", O_WRONLY));
	TELL("write-sys", open("/sys/x", O_WRONLY | O_CREAT, 0600));
	TELL("shm", access("/dev/shm", F_OK));
	TELL("home", access("/home", F_OK));
	TELL("usr-bin", access("/usr/bin", F_OK));
	TELL("proc-1-root", open("/proc/1/root/etc", O_RDONLY));
	TELL("kill-1", kill(1, SIGKILL));
}

static void probe_kernel(void)
{
	TELL("openat2", syscall(SYS_openat2, -1, NULL, NULL, 0));
	TELL("statx", syscall(SYS_statx, -1, NULL, 0, 0, NULL));
	TELL("faccessat2", syscall(439, AT_FDCWD, "/", F_OK, 0));
	TELL("close_range", syscall(436, 1000000, 1000000, 0));
	TELL("pidfd_open", syscall(434, getpid(), 0));
	TELL("futex_waitv", syscall(SYS_futex_waitv, NULL, 0, 0, NULL, 0));
	TELL("openat", openat(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY));
}

static void print_status_lines(void)
{
	static const char *const keys[] = {"CapInh:", "CapPrm:",  "CapEff:",     "CapBnd:",
					   "CapAmb:", "Seccomp:", "NoNewPrivs:", "Groups:"};
	char line[256];
	FILE *file = fopen("/proc/self/status", "re");

	while (file && fgets(line, sizeof line, file)) {
		for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
			if (strncmp(line, keys[i], strlen(keys[i])) == 0)
				fputs(line, stdout);
		}
	}
	if (file)
		fclose(file);
}

static void probe_identity(void)
{
	struct rlimit files, processes;
	struct statfs tmp;
	char cwd[64];

	getrlimit(RLIMIT_NOFILE, &files);
	getrlimit(RLIMIT_NPROC, &processes);
	statfs("/tmp", &tmp);
	printf("ids %u %u %u %u\n", getuid(), geteuid(), getgid(), getegid());
	printf("limits %ld %ld %ld %ld\n", (long)files.rlim_cur, (long)files.rlim_max,
	       (long)processes.rlim_cur, (long)processes.rlim_max);
	printf("tmp-size %ld\n", (long)(tmp.f_blocks * (unsigned long)tmp.f_bsize));
	printf("cwd %s\n", getcwd(cwd, sizeof cwd));
	print_status_lines();
}

static void list(const char *path)
{
	DIR *dir = opendir(path);

	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		if (entry->d_name[0] != '.')
			printf("[%s]", entry->d_name);
	}
	if (dir)
		closedir(dir);
	printf("\n");
}

/* Writes to /tmp until it is full. */
static void probe_fill(void)
{
	static char block[65536];
	int fd = open("/tmp/big", O_WRONLY | O_CREAT, 0600);
	long written = 0;
	ssize_t n;

	while ((n = write(fd, block, sizeof block)) > 0)
		written += n;
	printf("full %d %ld\n", errno, written);
}

static void probe_touch_memory(size_t mib)
{
	char *memory = mmap(NULL, mib << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);

	for (size_t at = 0; memory != MAP_FAILED && at < mib << 20; at += 4096)
		memory[at] = 1;
	printf("touched\n");
	fflush(stdout);
	pause();
}

/* A grandchild in a session of its own that would outlive everything it could. */
static void probe_leave_daemon(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		setsid();
		if (fork() == 0) {
			signal(SIGTERM, SIG_IGN);
			for (;;)
				pause();
		}
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	printf("left\n");
}

static int probe(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[2] : "";

	if (strcmp(what, "refused") == 0)
		probe_refused();
	else if (strcmp(what, "allowed") == 0)
		probe_allowed();
	else if (strcmp(what, "places") == 0)
		probe_places();
	else if (strcmp(what, "kernel") == 0)
		probe_kernel();
	else if (strcmp(what, "identity") == 0)
		probe_identity();
	else if (strcmp(what, "list") == 0)
		list(argv[3]);
	else if (strcmp(what, "cat") == 0)
		probe_file(argv[3]);
	else if (strcmp(what, "fill") == 0)
		probe_fill();
	else if (strcmp(what, "memory") == 0)
		probe_touch_memory((size_t)strtoul(argv[3], NULL, 10));
	else if (strcmp(what, "daemon") == 0)
		probe_leave_daemon();
	else if (strcmp(what, "kill") == 0)
		raise(SIGTERM);
	else if (strcmp(what, "environment") == 0)
		for (char **e = environ; *e; e++)
			printf("%s\n", *e);
	fflush(stdout);
	return strcmp(what, "exit") == 0 ? 42 : 0;
}

/* ---- running it ----------------------------------------------------------------------------- */

/* The test program is linked with shared libraries, which Lambda's root does not have. */
static const char *const libraries[] = {"/lib", "/lib64", "/usr/lib", NULL};
/* The leak checker traces, the sanitizer names its thread: neither is the subject here. */
static char *const plain_environment[] = {(char *)"ASAN_OPTIONS=detect_leaks=0",
					  (char *)"GIVEN=yes", NULL};

struct run {
	struct scar_jail *jail;
	struct scar_jail_exit exit;
	char text[16384]; /**< a newline and what the probe said */
	int out_fd;
};

static struct scar_jail_options usual(void)
{
	return (struct scar_jail_options){
		.memory_bytes = (uint64_t)512 << 20,
		.tmp_bytes = (uint64_t)8 << 20,
		.program = "/proc/self/exe",
		.envp = plain_environment,
		.binds = libraries,
	};
}

static void begin(struct run *run, struct scar_jail_options options, const char *what,
		  const char *arg)
{
	char *args[] = {(char *)"--probe", (char *)what, (char *)arg, NULL};
	struct scar_err err = {0};
	int fds[2];

	memset(run, 0, sizeof *run);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	options.args = args;
	options.stdout_fd = fds[1];
	options.stderr_fd = 2;
	if (scar_jail_start(&options, &run->jail, &err) < 0)
		fail_msg("%s", err.msg);
	close(fds[1]);
	run->out_fd = fds[0];
}

static void read_output(struct run *run)
{
	size_t len = 1;
	ssize_t n;

	run->text[0] = '\n';
	while ((n = read(run->out_fd, run->text + len, sizeof run->text - 1 - len)) > 0)
		len += (size_t)n;
	run->text[len] = '\0';
}

static void finish(struct run *run)
{
	struct scar_err err = {0};

	if (scar_jail_wait(run->jail, &run->exit, &err) < 0)
		fail_msg("%s", err.msg);
	scar_jail_free(run->jail);
	run->jail = NULL;
	close(run->out_fd);
}

static void run_probe(struct run *run, struct scar_jail_options options, const char *what,
		      const char *arg)
{
	begin(run, options, what, arg);
	read_output(run);
	finish(run);
}

static int result_of(const struct run *run, const char *name)
{
	char key[64];
	const char *at;

	/* The text of a run begins with a newline, so that each name is found after one. */
	snprintf(key, sizeof key, "\n%s ", name);
	at = strstr(run->text, key);
	if (!at)
		fail_msg("the probe does not tell %s:\n%s", name, run->text);
	return (int)strtol(at + strlen(key), NULL, 10);
}

static void expect(const struct run *run, const char *const *names, int errnum)
{
	for (; *names; names++) {
		if (result_of(run, *names) != errnum)
			fail_msg("%s: %s, not %s", *names, strerror(result_of(run, *names)),
				 strerror(errnum));
	}
}

/* The machine may not permit the whole jail; a test that then passes proves nothing. */
static void need_all(unsigned missing)
{
	const char *must = getenv("SCAR_MUST_WORK");

	if (!missing)
		return;
	if (must && strcmp(must, "1") == 0)
		fail_msg("the jail lacks parts (0x%x), but SCAR_MUST_WORK=1", missing);
	print_message("skipped: the jail lacks parts (0x%x) on this machine\n", missing);
	skip();
}

static unsigned missing_here(void)
{
	struct run run;
	unsigned missing;

	begin(&run, usual(), "", NULL);
	missing = scar_jail_missing(run.jail);
	read_output(&run);
	finish(&run);
	return missing;
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void every_refused_call_is_refused(void **state)
{
	static const char *const eperm[] = {"ptrace",          "ptrace-attach",
					    "seccomp",         "prctl-nnp",
					    "prctl-seccomp",   "prctl-name",
					    "prctl-pdeathsig", "prctl-sud",
					    "unshare-user",    "unshare-files",
					    "setns",           "clone-user",
					    "clone-pid",       "chroot",
					    "pivot_root",      "mount",
					    "umount",          "setuid",
					    "setgid",          "setresuid",
					    "setgroups",       "bpf",
					    "perf_event_open", "socket-raw",
					    "socket-packet",   NULL};
	static const char *const enosys[] = {"inotify_init1",  "rseq",   "landlock",
					     "io_uring_setup", "clone3", NULL};
	struct run run;

	(void)state;
	run_probe(&run, usual(), "refused", NULL);
	expect(&run, eperm, EPERM);
	expect(&run, enosys, ENOSYS);
}

static void what_lambda_allows_works(void **state)
{
	static const char *const works[] = {
		"fork",           "fork-status", "thread",   "netlink",     "tcp",
		"prctl-get-name", "exec-memory", "dev-null", "dev-urandom", "proc-self",
		"setsid",         "tmp-create",  NULL};
	static const char *const eperm[] = {"fallocate", NULL};
	struct run run;

	(void)state;
	run_probe(&run, usual(), "allowed", NULL);
	expect(&run, works, 0);
	expect(&run, eperm, EPERM);
}

static void only_tmp_is_writable_and_the_host_is_out_of_sight(void **state)
{
	static const char *const read_only[] = {"write-root", "write-opt", "write-task",
						"write-etc", NULL};
	static const char *const absent[] = {"shm", "home", "usr-bin", NULL};
	static const char *const denied[] = {"proc-1-root", NULL};
	struct run run;

	(void)state;
	need_all(missing_here());
	run_probe(&run, usual(), "places", NULL);
	for (const char *const *name = read_only; *name; name++)
		assert_true(result_of(&run, *name) == EROFS || result_of(&run, *name) == EACCES ||
			    result_of(&run, *name) == ETXTBSY);
	assert_int_not_equal(result_of(&run, "write-sys"), 0);
	expect(&run, absent, ENOENT);
	expect(&run, denied, EACCES);
	assert_int_equal(result_of(&run, "kill-1"), EPERM);
}

static void the_root_holds_what_lambda_has(void **state)
{
	static const char *const wanted[] = {"[dev]", "[proc]", "[sys]", "[etc]",
					     "[opt]", "[var]",  "[tmp]"};
	struct run run;

	(void)state;
	need_all(missing_here());
	run_probe(&run, usual(), "list", "/");
	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
		assert_non_null(strstr(run.text, wanted[i]));
	assert_null(strstr(run.text, "[root]"));
	assert_null(strstr(run.text, "[home]"));
	run_probe(&run, usual(), "list", "/dev");
	assert_non_null(strstr(run.text, "[null]"));
	assert_null(strstr(run.text, "[shm]"));
	assert_null(strstr(run.text, "[pts]"));
	run_probe(&run, usual(), "list", "/tmp");
	assert_string_equal(run.text, "\n\n");
}

static void user_capabilities_and_limits_are_those_of_lambda(void **state)
{
	static const char *const lines[] = {"ids 993 993 990 990\n",
					    "limits 1024 1024 1024 1024\n",
					    "tmp-size 8388608\n",
					    "cwd /var/task\n",
					    "CapInh:\t0000000000000000\n",
					    "CapPrm:\t0000000000000000\n",
					    "CapEff:\t0000000000000000\n",
					    "CapBnd:\t0000000000000000\n",
					    "CapAmb:\t0000000000000000\n",
					    "Seccomp:\t2\n",
					    "NoNewPrivs:\t0\n",
					    "Groups:\t \n"};
	struct run run;

	(void)state;
	need_all(missing_here());
	run_probe(&run, usual(), "identity", NULL);
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		if (!strstr(run.text, lines[i]))
			fail_msg("no line %s in:\n%s", lines[i], run.text);
	}
}

static void an_older_kernel_lacks_newer_calls(void **state)
{
	static const char *const in_4_14[] = {
		"openat2", "statx", "faccessat2", "close_range", "pidfd_open", "futex_waitv", NULL};
	static const char *const in_5_10[] = {"futex_waitv", NULL};
	static const char *const has_5_10[] = {"faccessat2", "close_range", "pidfd_open", "openat",
					       NULL};
	static const char *const always[] = {"openat", NULL};
	struct scar_jail_options options = usual();
	struct run run;

	(void)state;
	options.kernel = SCAR_JAIL_KERNEL_4_14;
	run_probe(&run, options, "kernel", NULL);
	expect(&run, in_4_14, ENOSYS);
	expect(&run, always, 0);
	options.kernel = SCAR_JAIL_KERNEL_5_10;
	run_probe(&run, options, "kernel", NULL);
	expect(&run, in_5_10, ENOSYS);
	expect(&run, has_5_10, 0);
}

static void tmp_is_full_at_its_size(void **state)
{
	struct run run;

	(void)state;
	need_all(missing_here());
	run_probe(&run, usual(), "fill", NULL);
	assert_string_equal(run.text, "\nfull 28 8388608\n");
}

static void memory_is_limited_and_measured(void **state)
{
	struct scar_jail_options options = usual();
	struct run run;
	char byte[16];

	(void)state;
	need_all(missing_here());
	begin(&run, options, "memory", "100");
	assert_int_equal(read(run.out_fd, byte, 8), 8);
	scar_jail_sample(run.jail);
	assert_in_range(scar_jail_peak_bytes(run.jail), 100 << 20, 200 << 20);
	scar_jail_kill(run.jail);
	finish(&run);
	assert_true(run.exit.killed);

	options.memory_bytes = (uint64_t)64 << 20;
	run_probe(&run, options, "memory", "200");
	assert_string_equal(run.text, "\n");
	assert_true(run.exit.killed ||
		    (WIFSIGNALED(run.exit.status) && WTERMSIG(run.exit.status) == SIGKILL));
}

static void the_end_of_the_program_is_told_as_it_was(void **state)
{
	struct run run;

	(void)state;
	run_probe(&run, usual(), "exit", NULL);
	assert_false(run.exit.killed);
	assert_true(WIFEXITED(run.exit.status));
	assert_int_equal(WEXITSTATUS(run.exit.status), 42);
	run_probe(&run, usual(), "kill", NULL);
	assert_false(run.exit.killed);
	assert_true(WIFSIGNALED(run.exit.status));
	assert_int_equal(WTERMSIG(run.exit.status), SIGTERM);
}

/* The pipe of a daemon that lives on stays open: the end of file shows that nothing does. */
static void expect_end_of_pipe(struct run *run)
{
	struct pollfd poller = {.fd = run->out_fd, .events = POLLIN};
	char byte;

	assert_int_equal(poll(&poller, 1, 5000), 1);
	assert_int_equal(read(run->out_fd, &byte, 1), 0);
}

static void nothing_outlives_the_program(struct scar_jail_options options)
{
	struct scar_err err = {0};
	struct run run;
	char text[8] = "";

	begin(&run, options, "daemon", NULL);
	assert_int_equal(read(run.out_fd, text, 5), 5);
	assert_int_equal(scar_jail_wait(run.jail, &run.exit, &err), 0);
	expect_end_of_pipe(&run);
	scar_jail_free(run.jail);
	close(run.out_fd);
}

static void a_daemon_ends_with_the_sandbox(void **state)
{
	(void)state;
	nothing_outlives_the_program(usual());
}

static void a_daemon_ends_with_the_program_even_without_a_sandbox(void **state)
{
	struct scar_jail_options options = usual();

	(void)state;
	options.off = true;
	nothing_outlives_the_program(options);
}

static void kill_ends_a_program_that_waits(void **state)
{
	struct scar_jail_options options = usual();

	(void)state;
	for (int off = 0; off < 2; off++) {
		struct run run;
		char text[16];

		options.off = off;
		begin(&run, options, "memory", "1");
		assert_int_equal(read(run.out_fd, text, 8), 8);
		scar_jail_kill(run.jail);
		expect_end_of_pipe(&run);
		finish(&run);
		assert_true(run.exit.killed);
	}
}

static void a_host_path_is_shown_read_only_where_it_was(void **state)
{
	char dir[] = "/dev/shm/scar-test-jail-XXXXXX";
	char file[64];
	const char *binds[] = {"/lib", "/lib64", "/usr/lib", dir, NULL};
	struct scar_jail_options options = usual();
	struct run run;
	int fd;

	(void)state;
	need_all(missing_here());
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chmod(dir, 0755), 0);
	snprintf(file, sizeof file, "%s/file", dir);
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	assert_true(fd >= 0);
	fchmod(fd, 0666);
	close(fd);
	options.binds = binds;
	run_probe(&run, options, "cat", file);
	assert_int_equal(result_of(&run, "open"), 0);
	assert_int_equal(result_of(&run, "write"), EROFS);
	unlink(file);
	rmdir(dir);
}

static void the_environment_is_what_was_given(void **state)
{
	struct run run;

	(void)state;
	run_probe(&run, usual(), "environment", NULL);
	assert_string_equal(run.text, "\nASAN_OPTIONS=detect_leaks=0\nGIVEN=yes\n");
}

static void a_program_that_cannot_start_is_an_error_that_names_it(void **state)
{
	struct scar_jail_options options = usual();
	struct scar_jail *jail = NULL;
	struct scar_err err = {0};

	(void)state;
	options.program = "/etc/hostname";
	options.stdout_fd = 1;
	options.stderr_fd = 2;
	assert_int_equal(scar_jail_start(&options, &jail, &err), -1);
	assert_non_null(strstr(err.msg, "cannot execute"));
	options.program = "/no/such/program";
	assert_int_equal(scar_jail_start(&options, &jail, &err), -1);
	assert_non_null(strstr(err.msg, "/no/such/program"));
	assert_null(jail);
}

/* ---- the same without privilege ------------------------------------------------------------- */

#define NOBODY 65534
#define CANNOT_RUN 77

/* This program where everybody may read it: the tree may lie in a folder of root's alone. */
static void copy_program(char path[64])
{
	scar_buf_auto struct scar_buf program;
	struct scar_err err = {0};
	int fd;

	snprintf(path, 64, "/tmp/scar-test-jail-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	scar_buf_init(&program, SCAR_MIB(256));
	assert_int_equal(scar_fs_read_file(AT_FDCWD, "/proc/self/exe", &program, &err), 0);
	assert_int_equal(scar_fs_write_all(fd, program.data, program.len, path, &err), 0);
	assert_int_equal(fchmod(fd, 0755), 0);
	close(fd);
}

static int unprivileged(const char *program)
{
	struct scar_jail_options options = usual();
	struct scar_jail *jail = NULL;
	struct scar_err err = {0};
	char *args[] = {(char *)"--probe", (char *)"identity", NULL};
	struct run run = {0};
	int fds[2];

	if (syscall(SYS_setgroups, 0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
	    setresuid(NOBODY, NOBODY, NOBODY) < 0 || prctl(PR_SET_DUMPABLE, 1) < 0 ||
	    pipe2(fds, O_CLOEXEC) < 0)
		return CANNOT_RUN;
	options.program = program;
	options.args = args;
	options.stdout_fd = fds[1];
	options.stderr_fd = 2;
	if (scar_jail_start(&options, &jail, &err) < 0) {
		print_message("%s\n", err.msg);
		return 1;
	}
	close(fds[1]);
	if (scar_jail_missing(jail) & ~(unsigned)SCAR_JAIL_NO_MEMORY)
		return CANNOT_RUN;
	run.jail = jail;
	run.out_fd = fds[0];
	read_output(&run);
	finish(&run);
	print_message("%s", run.text);
	return strstr(run.text, "ids 993 993 990 990\n") &&
			       strstr(run.text, "CapBnd:\t0000000000000000\n") &&
			       strstr(run.text, "CapEff:\t0000000000000000\n") &&
			       strstr(run.text, "Seccomp:\t2\n") &&
			       strstr(run.text, "tmp-size 8388608\n")
		       ? 0
		       : 2;
}

static void an_ordinary_user_gets_the_same_in_a_user_namespace(void **state)
{
	char program[64];
	int status;
	pid_t pid;

	(void)state;
	if (getuid() != 0)
		skip(); /* the other tests have shown it */
	copy_program(program);
	pid = fork();
	if (pid == 0)
		_exit(unprivileged(program));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	unlink(program);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == CANNOT_RUN)
		need_all(SCAR_JAIL_NO_MOUNTS);
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_refused_call_is_refused),
		cmocka_unit_test(what_lambda_allows_works),
		cmocka_unit_test(only_tmp_is_writable_and_the_host_is_out_of_sight),
		cmocka_unit_test(the_root_holds_what_lambda_has),
		cmocka_unit_test(user_capabilities_and_limits_are_those_of_lambda),
		cmocka_unit_test(an_older_kernel_lacks_newer_calls),
		cmocka_unit_test(tmp_is_full_at_its_size),
		cmocka_unit_test(memory_is_limited_and_measured),
		cmocka_unit_test(the_end_of_the_program_is_told_as_it_was),
		cmocka_unit_test(a_daemon_ends_with_the_sandbox),
		cmocka_unit_test(a_daemon_ends_with_the_program_even_without_a_sandbox),
		cmocka_unit_test(kill_ends_a_program_that_waits),
		cmocka_unit_test(a_host_path_is_shown_read_only_where_it_was),
		cmocka_unit_test(the_environment_is_what_was_given),
		cmocka_unit_test(a_program_that_cannot_start_is_an_error_that_names_it),
		cmocka_unit_test(an_ordinary_user_gets_the_same_in_a_user_namespace),
	};

	if (argc > 1 && strcmp(argv[1], "--probe") == 0)
		_exit(probe(argc, argv));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
