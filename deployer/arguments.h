/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file arguments.h
 * A command line, read by the table of command.h: "-db FILE", "-db=FILE", "--data-binary FILE", "--data-binary=FILE", and what of a long option is
 * unambiguous; "--" ends the options.
 */
#ifndef SCAR_DEPLOYER_ARGUMENTS_H
#define SCAR_DEPLOYER_ARGUMENTS_H

#include "deployer/command.h"
#include "runtime/base/cleanup.h"

struct scar_err;

struct scar_given {
	const struct scar_option *option;
	const char *value; /**< NULL if it takes none; borrowed from argv */
};

struct scar_arguments {
	const struct scar_command *command;
	struct scar_given *given; /**< in their order */
	size_t given_count;
	char **words; /**< NULL-terminated; the texts are argv's. Of a command with `rest`, a leading "--" is kept */
	size_t word_count;
	bool help;
};

/** Finds the command that argv (without the program's name) begins with. SCAR_ERR_CONFIG with what was meant; ret_rest: what follows. */
int scar_arguments_find(char **argv, const struct scar_command **ret_command, char ***ret_rest,
			struct scar_err *err);
/** The row of the table. Never NULL for a valid id. */
const struct scar_command *scar_arguments_command(enum scar_command_id id);
/** Reads the words behind the command. SCAR_ERR_CONFIG names the one that is wrong. --help lets all else be. */
int scar_arguments_parse(const struct scar_command *command, char **words,
			 struct scar_arguments *ret_arguments, struct scar_err *err);
void scar_arguments_clear(struct scar_arguments *arguments);

/** The last value given, or NULL. */
const char *scar_arguments_get(const struct scar_arguments *arguments, enum scar_option_id id);
bool scar_arguments_has(const struct scar_arguments *arguments, enum scar_option_id id);
/** A whole number; *ret_value stays where it is not given. */
int scar_arguments_int(const struct scar_arguments *arguments, enum scar_option_id id, int64_t min,
		       int64_t max, int64_t *ret_value, struct scar_err *err);
/** Next value of an option that may be repeated; *index begins at 0. NULL: no more. */
const char *scar_arguments_next(const struct scar_arguments *arguments, enum scar_option_id id,
				size_t *index);

#define scar_arguments_auto scar_auto(scar_arguments_clear)

#endif
