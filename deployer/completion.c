/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sysexits.h>

#include "deployer/arguments.h"
#include "deployer/commands.h"
#include "deployer/help.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"
#include "runtime/base/version.h"

int scar_completion_command(const struct scar_arguments *arguments, char **environment)
{
	scar_buf_auto struct scar_buf text;
	struct scar_err err;

	(void)environment;
	scar_buf_init(&text, SCAR_MIB(1));
	if (scar_help_write_completion(arguments->words[0], &text, &err) < 0) {
		fprintf(stderr, "scar: %s\n", err.msg);
		return err.kind == SCAR_ERR_CONFIG ? SCAR_EXIT_USAGE
						   : scar_err_info(err.kind)->exit_code;
	}
	return fputs(text.data, stdout) < 0 || fflush(stdout) ? EX_IOERR : 0;
}

int scar_version_command(const struct scar_arguments *arguments, char **environment)
{
	(void)arguments;
	(void)environment;
	return puts("scar " SCAR_VERSION) < 0 ? EX_IOERR : 0;
}
