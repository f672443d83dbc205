/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "deployer/arguments.h"
#include "invoke/engine/engine.h"
#include "runtime/base/buf.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/err.h"
#include "runtime/base/http.h"
#include "runtime/base/json.h"
#include "runtime/base/version.h"
#include "runtime/emulator/jail.h"

#define REPORT_BYTES_MAX (256 * 1024)
#define HWCAP2_FSGSBASE 2u
/* What headers of older systems lack. */
#define NR_openat2 437
#define NR_close_range 436
#define NR_pidfd_open 434

/* What was found, in the form asked for. */
struct report {
	bool json;
	struct scar_buf text;
	bool failed; /* out of memory */
	unsigned count;
};

/* ---- the report ---- */

static void put_string(struct report *r, const char *text)
{
	struct scar_err err;

	if (scar_json_append_string(&r->text, text, strlen(text), &err))
		r->failed = true;
}

__attribute__((format(printf, 2, 3))) static void put(struct report *r, const char *fmt, ...)
{
	char text[1024];
	struct scar_err err;
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (scar_buf_append_str(&r->text, text, &err))
		r->failed = true;
}

/* One line: whether `name` of `group` is to be had, and what there is to say about it. */
static void found(struct report *r, const char *group, const char *name, bool ok, const char *text)
{
	if (!r->json) {
		put(r, "%-4s %-8s %s%s%s\n", ok ? "yes" : "no", group, name, *text ? ": " : "",
		    text);
		return;
	}
	put(r, "%s\n    {\"group\": ", r->count++ ? "," : "");
	put_string(r, group);
	put(r, ", \"name\": ");
	put_string(r, name);
	put(r, ", \"ok\": %s, \"text\": ", ok ? "true" : "false");
	put_string(r, text);
	put(r, "}");
}

/* Likewise, from an errno value; 0 is good. */
static void found_errno(struct report *r, const char *group, const char *name, int errnum)
{
	found(r, group, name, errnum == 0, errnum ? strerror(errnum) : "");
}

/* ---- engines ---- */

/* The engine that "auto" takes, or NULL. */
static const char *examine_engines(struct report *r)
{
	const struct scar_engine_ops *engine, *chosen = NULL;
	struct scar_err err = {.msg = ""};

	for (size_t i = 0; (engine = scar_engine_at(i)); i++) {
		bool works = scar_engine_probe(engine, &err) == 0;
		bool suits = works && (!engine->suits || engine->suits(&err) == 0);

		found(r, "engine", engine->name, works, works && suits ? "" : err.msg);
	}
	if (scar_engine_choose("auto", &chosen, &err))
		chosen = NULL;
	found(r, "engine", "auto", chosen != NULL, chosen ? chosen->name : err.msg);
	return chosen ? chosen->name : NULL;
}

/* ---- what the kernel and the sandbox permit ---- */

/* Runs a trial that leaves traces in a child. @return 0 or what errno was there */
static int in_child(bool (*trial)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (pid < 0)
		return errno;
	if (pid == 0) {
		errno = 0;
		_exit(trial() ? 0 : errno ? errno : EIO);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

static bool takes_user_namespace(void)
{
	return unshare(CLONE_NEWUSER) == 0;
}

static bool takes_mount_namespace(void)
{
	return unshare(CLONE_NEWNS) == 0;
}

static bool takes_chroot(void)
{
	return chroot("/") == 0;
}

static bool takes_user_993(void)
{
	return setresuid(SCAR_JAIL_UID, SCAR_JAIL_UID, SCAR_JAIL_UID) == 0;
}

static bool takes_filter(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	const struct sock_fprog program = {.len = 1, .filter = &allow};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

/* A local Lambda as `scar local run` would start it, for this very program. */
static void examine_jail(struct report *r)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *args[] = {(char *)"version", NULL}, *envp[] = {NULL};
	scar_fd_auto int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct scar_jail_options options = {
		.program = self, .args = args, .envp = envp, .stdout_fd = null, .stderr_fd = null};
	struct scar_jail *jail = NULL;
	struct scar_jail_exit end = {.status = -1};
	struct scar_err err = {.msg = ""};
	unsigned missing = 0;

	self[n > 0 ? n : 0] = '\0';
	if (scar_jail_start(&options, &jail, &err) == 0) {
		missing = scar_jail_missing(jail);
		(void)scar_jail_wait(jail, &end, &err);
		scar_jail_free(jail);
	}
	found(r, "jail", "start", end.status == 0, end.status == 0 ? "" : err.msg);
	for (unsigned bit = 1; bit <= SCAR_JAIL_NO_MEMORY && end.status == 0; bit <<= 1)
		found(r, "jail", scar_jail_missing_text((enum scar_jail_missing)bit),
		      !(missing & bit), "");
}

static void examine_permissions(struct report *r)
{
	char user[64];

	snprintf(user, sizeof(user), "uid %u, gid %u", (unsigned)geteuid(), (unsigned)getegid());
	found(r, "permits", "root", geteuid() == 0, user);
	found_errno(r, "permits", "user 993", in_child(takes_user_993));
	found_errno(r, "permits", "user namespace", in_child(takes_user_namespace));
	found_errno(r, "permits", "mount namespace", in_child(takes_mount_namespace));
	found_errno(r, "permits", "chroot", in_child(takes_chroot));
	found_errno(r, "permits", "seccomp filter", in_child(takes_filter));
}

/* Called with nonsense: what exists complains about that, what does not about itself. */
static void examine_call(struct report *r, const char *name, long nr)
{
	int errnum = syscall(nr, -1, NULL, NULL, 0, 0) < 0 ? errno : 0;

	found_errno(r, "kernel", name, errnum == ENOSYS || errnum == EPERM ? errnum : 0);
}

static void examine_kernel(struct report *r)
{
	struct utsname names;
	char text[256] = "";

	if (uname(&names) == 0)
		snprintf(text, sizeof(text), "%s %s %s", names.sysname, names.release,
			 names.machine);
	found(r, "kernel", "release", *text != '\0', text);
	examine_call(r, "openat2", NR_openat2);
	examine_call(r, "statx", SYS_statx);
	examine_call(r, "pidfd_open", NR_pidfd_open);
	/* An empty range: nothing is closed. */
	found_errno(r, "kernel", "close_range",
		    syscall(NR_close_range, ~0u, ~0u, 0u) < 0 ? errno : 0);
#ifdef __x86_64__
	found(r, "kernel", "FSGSBASE", getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE, "");
#endif
}

/* ---- surroundings ---- */

static void examine_tmp(struct report *r)
{
	struct statvfs fs;
	char text[128];

	if (statvfs("/tmp", &fs)) {
		found_errno(r, "tmp", "space", errno);
		return;
	}
	snprintf(text, sizeof(text), "%llu MiB free of %llu MiB",
		 (unsigned long long)fs.f_bavail * fs.f_frsize >> 20,
		 (unsigned long long)fs.f_blocks * fs.f_frsize >> 20);
	found(r, "tmp", "space", fs.f_bavail != 0, text);
	found_errno(r, "tmp", "writable", access("/tmp", W_OK | X_OK) ? errno : 0);
	found(r, "tmp", "executable", !(fs.f_flag & ST_NOEXEC),
	      fs.f_flag & ST_NOEXEC ? "mounted with noexec" : "");
}

static const char *variable(char *const *environment, const char *name)
{
	size_t len = strlen(name);

	for (; *environment; environment++)
		if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=')
			return *environment + len + 1;
	return NULL;
}

static void examine_surroundings(struct report *r, char *const *environment)
{
	static const char *const lambda[] = {"AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_FUNCTION_NAME",
					     "LAMBDA_TASK_ROOT"};
	scar_free_auto char *bundle = scar_http_find_ca_bundle(NULL);

	if (bundle && access(bundle, R_OK) == 0)
		found(r, "tls", "CA bundle", true, bundle);
	else
		found(r, "tls", "CA bundle", false, bundle ? strerror(errno) : "none is known");
	for (size_t i = 0; i < sizeof(lambda) / sizeof(lambda[0]); i++) {
		const char *value = variable(environment, lambda[i]);

		found(r, "lambda", lambda[i], value != NULL, value ? value : "not set");
	}
}

/* ---- the command ---- */

static int write_report(const struct report *r)
{
	if (r->failed) {
		fputs("scar doctor: out of memory\n", stderr);
		return EX_OSERR;
	}
	return fwrite(r->text.data, 1, r->text.len, stdout) == r->text.len && fflush(stdout) == 0
		       ? 0
		       : EX_IOERR;
}

static int examine(bool json, char *const *environment)
{
	struct report r = {.json = json};
	const char *engine;
	int ret;

	scar_buf_init(&r.text, REPORT_BYTES_MAX);
	if (json)
		put(&r, "{\n  \"version\": \"%s\",\n  \"checks\": [", SCAR_VERSION);
	engine = examine_engines(&r);
	examine_permissions(&r);
	examine_jail(&r);
	examine_kernel(&r);
	examine_tmp(&r);
	examine_surroundings(&r, environment);
	if (json) {
		put(&r, "\n  ],\n  \"engine\": ");
		if (engine)
			put_string(&r, engine);
		else
			put(&r, "null");
		put(&r, "\n}\n");
	}
	ret = write_report(&r);
	scar_buf_clear(&r.text);
	return ret ? ret : engine ? 0 : EX_UNAVAILABLE;
}

int scar_doctor_command(const struct scar_arguments *arguments, char **environment)
{
	const char *format = scar_arguments_get(arguments, SCAR_OPTION_OUTPUT);

	return examine(format && strcmp(format, "json") == 0, environment);
}
