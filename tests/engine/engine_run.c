/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs one program through an engine: engine_run ENGINE ROOTFS STATE_DIR [-u UID] [-w CWD] PROGRAM [ARG...]
 * The program gets our descriptors 0, 1, 2 and a small environment; we exit as it did.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "invoke/engine/engine.h"
#include "runtime/base/err.h"

static char *const environment[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
	"LC_ALL=C", "TERM=dumb", NULL};

static volatile pid_t group;

static void pass_on(int sig)
{
	kill(-group, sig == SIGTERM ? SIGKILL : sig);
}

static int fail(const struct scar_err *err)
{
	fprintf(stderr, "engine_run: [%s] %s (errno %d)\n", scar_err_info(err->kind)->name,
		err->msg, err->errnum);
	return err->kind == SCAR_ERR_EXEC ? (err->errnum == 2 ? 127 : 126) : 125;
}

int main(int argc, char **argv)
{
	const struct scar_engine_ops *ops;
	struct scar_engine_spec spec = {
		.rootfs_fd = -1, .stdout_fd = 1, .stderr_fd = 2, .envp = environment};
	struct scar_process process;
	struct scar_process_status status;
	struct scar_err err;
	int option;

	while ((option = getopt(argc, argv, "+u:w:")) != -1) {
		if (option == 'u')
			spec.uid = spec.gid = (uint32_t)atoi(optarg);
		else if (option == 'w')
			spec.cwd = optarg;
		else
			return 125;
	}
	argv += optind;
	if (argc - optind < 4)
		return 125;
	spec.rootfs = argv[1];
	spec.state_dir = argv[2];
	spec.argv = argv + 3;
	if (scar_engine_choose(argv[0], &ops, &err) || ops->start(&spec, &process, &err))
		return fail(&err);
	group = process.pid;
	signal(SIGTERM, pass_on);
	signal(SIGINT, pass_on);
	if (scar_process_wait(&process, -1, &status, &err))
		return fail(&err);
	if (status.exited)
		return status.code;
	fprintf(stderr, "engine_run: signal %d (%s)\n", status.signal, strsignal(status.signal));
	return 128 + status.signal;
}
