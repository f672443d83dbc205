/* SPDX-License-Identifier: Apache-2.0 */
/* The `scar` command. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "deployer/arguments.h"
#include "deployer/commands.h"
#include "deployer/help.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

static const struct {
	enum scar_command_id id;
	int (*run)(const struct scar_arguments *arguments, char **environment);
} programs[] = {
	{SCAR_COMMAND_APPLY, scar_apply_command},
	{SCAR_COMMAND_UPDATE, scar_update_command},
	{SCAR_COMMAND_RUN, scar_run_command},
	{SCAR_COMMAND_INVOKE, scar_invoke_command},
	{SCAR_COMMAND_LS, scar_ls_command},
	{SCAR_COMMAND_RM, scar_rm_command},
	{SCAR_COMMAND_LOG, scar_log_command},
	{SCAR_COMMAND_PUT, scar_put_command},
	{SCAR_COMMAND_GET, scar_get_command},
	{SCAR_COMMAND_DESCRIBE, scar_describe_command},
	{SCAR_COMMAND_LOCAL_RUN, scar_local_run_command},
	{SCAR_COMMAND_LOCAL_SERVE, scar_local_serve_command},
	{SCAR_COMMAND_LAYER_BUILD, scar_layer_build_command},
	{SCAR_COMMAND_LAYER_PUBLISH, scar_layer_publish_command},
	{SCAR_COMMAND_LAYER_LS, scar_layer_ls_command},
	{SCAR_COMMAND_LAYER_PRUNE, scar_layer_prune_command},
	{SCAR_COMMAND_DOCTOR, scar_doctor_command},
	{SCAR_COMMAND_COMPLETION, scar_completion_command},
	{SCAR_COMMAND_VERSION, scar_version_command},
};

static int refuse(const struct scar_err *err, const char *command)
{
	fprintf(stderr, "scar: %s\nTry: scar %s%s--help\n", err->msg, command ? command : "",
		command ? " " : "");
	return err->kind == SCAR_ERR_CONFIG ? SCAR_EXIT_USAGE : scar_err_info(err->kind)->exit_code;
}

/* Of one command, or (NULL) of all of a group, or (NULL) of all. */
static int print_help(const struct scar_command *command, const char *group)
{
	scar_buf_auto struct scar_buf text;
	struct scar_err err;

	scar_buf_init(&text, SCAR_KIB(64));
	if ((command ? scar_help_write_command(command, &text, &err)
		     : scar_help_write(group, &text, &err)) < 0)
		return refuse(&err, NULL);
	return fputs(text.data, stdout) < 0 || fflush(stdout) ? EX_IOERR : 0;
}

static int is_help(const char *word)
{
	return word && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 ||
			strcmp(word, "help") == 0);
}

int main(int argc, char **argv)
{
	const struct scar_command *command = NULL;
	scar_arguments_auto struct scar_arguments arguments = {0};
	struct scar_err err;
	char **rest = NULL;

	if (argc > 1 && is_help(argv[1]))
		return print_help(NULL, NULL);
	if (argc > 2 && (strcmp(argv[1], "local") == 0 || strcmp(argv[1], "layer") == 0) &&
	    is_help(argv[2]))
		return print_help(NULL, argv[1]);
	if (scar_arguments_find(argv + (argc > 0), &command, &rest, &err) < 0)
		return refuse(&err, NULL);
	if (scar_arguments_parse(command, rest, &arguments, &err) < 0)
		return refuse(&err, command->name);
	if (arguments.help)
		return print_help(command, NULL);
	for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
		if (programs[i].id == command->id)
			return programs[i].run(&arguments, environ);
	}
	return EX_SOFTWARE;
}
