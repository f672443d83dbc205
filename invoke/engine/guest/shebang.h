/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file shebang.h
 * The "#!" line of a script, as Linux reads it (fs/binfmt_script.c).
 */
#ifndef SCAR_INVOKE_ENGINE_GUEST_SHEBANG_H
#define SCAR_INVOKE_ENGINE_GUEST_SHEBANG_H

#include <stdbool.h>
#include <stddef.h>

/** What is read of a script's first line, as the kernel (BINPRM_BUF_SIZE). */
#define SCAR_SHEBANG_BYTES 256
/** Interpreters of interpreters, as the kernel allows. */
#define SCAR_SHEBANG_DEPTH_MAX 5

struct scar_shebang {
	char *interpreter;
	char *argument; /**< all after the interpreter as one argument, or NULL */
};

bool scar_shebang_is(const char *head, size_t len);

/**
 * Splits the first line in place; `head` must have room for a NUL after `len` bytes.
 * @return 0; -ENOEXEC if there is no interpreter, or its name was cut off at `len` bytes
 */
int scar_shebang_parse(char *head, size_t len, struct scar_shebang *ret_line);

#endif
