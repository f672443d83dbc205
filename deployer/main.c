/* SPDX-License-Identifier: Apache-2.0 */
/* The `scar` command. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "deployer/doctor.h"
#include "deployer/local.h"
#include "runtime/base/version.h"

static const char help[] =
	"usage: scar COMMAND [...]\n"
	"\n"
	"Runs container images inside AWS Lambda.\n"
	"\n"
	"  local run IMAGE [ARGUMENT...]   run an image once, as Lambda would, on this machine\n"
	"  local serve [IMAGE]             keep a function on this machine for AWS clients\n"
	"  doctor                          tell what is possible on this machine, and why\n"
	"  version                         print the version\n"
	"\n"
	"scar local run --help and scar local serve --help tell more.\n";

static int usage(const char *wrong)
{
	if (wrong)
		fprintf(stderr, "scar: unknown command %s\n", wrong);
	fputs(help, stderr);
	return EX_USAGE;
}

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

static int print_help(void)
{
	return fputs(help, stdout) < 0 ? EX_IOERR : 0;
}

static int local(char **args)
{
	if (!args[0])
		return usage("local");
	if (is_help(args[0]))
		return print_help();
	if (strcmp(args[0], "run") == 0)
		return scar_local_command(false, args + 1, environ);
	if (strcmp(args[0], "serve") == 0)
		return scar_local_command(true, args + 1, environ);
	return usage(args[0]);
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return usage(NULL);
	if (is_help(argv[1]))
		return print_help();
	if (strcmp(argv[1], "version") == 0 || strcmp(argv[1], "--version") == 0) {
		puts("scar " SCAR_VERSION);
		return 0;
	}
	if (strcmp(argv[1], "local") == 0)
		return local(argv + 2);
	if (strcmp(argv[1], "doctor") == 0)
		return scar_doctor_command(argv + 2, environ);
	return usage(argv[1]);
}
