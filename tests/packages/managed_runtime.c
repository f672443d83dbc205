/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file managed_runtime.c
 * Stands for /var/runtime/bootstrap of a managed runtime of Lambda: it starts the language's interpreter with the runtime's own program, or, where
 * AWS_LAMBDA_EXEC_WRAPPER is set, that wrapper with the interpreter's command line behind it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(void)
{
	const char *wrapper = getenv("AWS_LAMBDA_EXEC_WRAPPER");
	char *argv[] = {(char *)wrapper, (char *)"/var/lang/bin/python3.13",
			(char *)"/var/runtime/bootstrap.py", NULL};

	if (wrapper)
		execv(wrapper, argv);
	else
		execv(argv[1], argv + 1);
	perror(wrapper ? wrapper : argv[1]);
	return 1;
}
