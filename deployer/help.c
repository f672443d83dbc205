/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/help.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "deployer/command.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"

#define OPTION_COLUMN 34
#define COMMAND_COLUMN 16

/* Each line of a text, indented. */
static int put_lines(struct scar_buf *text, const char *lines, struct scar_err *err)
{
	while (*lines) {
		size_t len = strcspn(lines, "\n");

		if (scar_buf_printf(text, err, "  %.*s\n", (int)len, lines) < 0)
			return -1;
		lines += len + (lines[len] == '\n');
	}
	return 0;
}

static int put_option(struct scar_buf *text, const struct scar_option *option, struct scar_err *err)
{
	char left[128];

	snprintf(left, sizeof left, "%s%s%s%s%s", option->letters ? option->letters : "",
		 option->letters ? ", " : "", option->name, option->value ? " " : "",
		 option->value ? option->value : "");
	return scar_buf_printf(text, err, "  %-*s  %s\n", OPTION_COLUMN, left, option->doc);
}

int scar_help_write_command(const struct scar_command *command, struct scar_buf *text,
			    struct scar_err *err)
{
	size_t count;
	const struct scar_option *options = scar_options(&count);

	if (scar_buf_printf(text, err, "usage: scar %s [OPTION...]%s%s\n\n%s%s", command->name,
			    *command->words ? " " : "", command->words,
			    *command->more ? "" : command->summary, *command->more ? "" : "\n") < 0)
		return -1;
	if (scar_buf_append_str(text, command->more, err) < 0 ||
	    scar_buf_append_str(text, "\nOptions:\n", err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if ((options[i].commands & command->id) && put_option(text, &options[i], err) < 0)
			return -1;
	}
	if (!*command->examples)
		return 0;
	if (scar_buf_append_str(text, "\nExamples:\n", err) < 0)
		return -1;
	return put_lines(text, command->examples, err);
}

/* Whether it is "group NAME". */
static bool is_of(const struct scar_command *command, const char *group)
{
	size_t len = strlen(group);

	return strncmp(command->name, group, len) == 0 && command->name[len] == ' ';
}

int scar_help_write(const char *group, struct scar_buf *text, struct scar_err *err)
{
	size_t count;
	const struct scar_command *commands = scar_commands(&count);

	if (scar_buf_printf(text, err,
			    "usage: scar %s%sCOMMAND [...]\n"
			    "\n"
			    "%s",
			    group ? group : "", group ? " " : "",
			    group ? "" : "Runs container images inside AWS Lambda.\n\n") < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		char left[64];

		if (group && !is_of(&commands[i], group))
			continue;
		snprintf(left, sizeof left, "%s%s%s", commands[i].name,
			 commands[i].alias ? ", " : "", commands[i].alias ? commands[i].alias : "");
		if (scar_buf_printf(text, err, "  %-*s  %s\n", COMMAND_COLUMN, left,
				    commands[i].summary) < 0)
			return -1;
	}
	return scar_buf_printf(text, err, "\nscar %s%sCOMMAND --help tells more.\n",
			       group ? group : "", group ? " " : "");
}

/* ---- completions ---- */

static bool takes_file(const struct scar_option *option)
{
	return option->value &&
	       (strcmp(option->value, "FILE") == 0 || strcmp(option->value, "DIR") == 0 ||
		(strcmp(option->value, "PATH") == 0 && option->id != SCAR_OPTION_BUCKET &&
		 option->id != SCAR_OPTION_INPUT_BUCKET &&
		 option->id != SCAR_OPTION_OUTPUT_BUCKET));
}

/* "a b c" from "a|b|c" */
static int put_choices(struct scar_buf *text, const char *choices, struct scar_err *err)
{
	for (; *choices; choices++) {
		if (scar_buf_append_char(text, *choices == '|' ? ' ' : *choices, err) < 0)
			return -1;
	}
	return 0;
}

/* The first words of commands, each once; or the second words behind `first`. */
static int put_words(struct scar_buf *text, const char *first, struct scar_err *err)
{
	size_t count, len = first ? strlen(first) : 0;
	const struct scar_command *commands = scar_commands(&count);

	for (size_t i = 0; i < count; i++) {
		const char *name = commands[i].name;
		size_t word = strcspn(name, " ");

		if (first) {
			if (word == len && name[word] && strncmp(name, first, len) == 0 &&
			    scar_buf_printf(text, err, "%s ", name + word + 1) < 0)
				return -1;
			continue;
		}
		if (i > 0 && strncmp(commands[i - 1].name, name, word + 1) == 0)
			continue;
		if (scar_buf_printf(text, err, "%.*s ", (int)word, name) < 0)
			return -1;
		if (commands[i].alias && commands[i].alias[0] != '-' &&
		    scar_buf_printf(text, err, "%s ", commands[i].alias) < 0)
			return -1;
	}
	return 0;
}

static int put_bash_values(struct scar_buf *text, const struct scar_command *command,
			   struct scar_err *err)
{
	size_t count;
	const struct scar_option *options = scar_options(&count);

	for (size_t i = 0; i < count; i++) {
		const struct scar_option *option = &options[i];

		if (!(option->commands & command->id) || !option->value)
			continue;
		if (scar_buf_printf(text, err, "\t\"%s:%s\"", command->name, option->name) < 0 ||
		    (option->letters && scar_buf_printf(text, err, "|\"%s:%s\"", command->name,
							option->letters) < 0) ||
		    scar_buf_append_str(text, ") ", err) < 0)
			return -1;
		if (option->choices) {
			if (scar_buf_append_str(text, "COMPREPLY=($(compgen -W \"", err) < 0 ||
			    put_choices(text, option->choices, err) < 0 ||
			    scar_buf_append_str(text, "\" -- \"$current\"))", err) < 0)
				return -1;
		} else if (scar_buf_append_str(text,
					       takes_file(option)
						       ? "COMPREPLY=($(compgen -f -- \"$current\"))"
						       : "COMPREPLY=()",
					       err) < 0) {
			return -1;
		}
		if (scar_buf_append_str(text, "; return ;;\n", err) < 0)
			return -1;
	}
	return 0;
}

static int put_options(struct scar_buf *text, const struct scar_command *command,
		       struct scar_err *err)
{
	size_t count;
	const struct scar_option *options = scar_options(&count);

	for (size_t i = 0; i < count; i++) {
		if ((options[i].commands & command->id) &&
		    (scar_buf_printf(text, err, "%s ", options[i].name) < 0 ||
		     (options[i].letters &&
		      scar_buf_printf(text, err, "%s ", options[i].letters) < 0)))
			return -1;
	}
	return 0;
}

static int put_bash(struct scar_buf *text, struct scar_err *err)
{
	size_t count;
	const struct scar_command *commands = scar_commands(&count);

	if (scar_buf_append_str(
		    text,
		    "_scar() {\n"
		    "\tlocal current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
		    "\tlocal command=${COMP_WORDS[1]-}\n"
		    "\tif ((COMP_CWORD == 1)); then COMPREPLY=($(compgen -W \"",
		    err) < 0 ||
	    put_words(text, NULL, err) < 0 ||
	    scar_buf_append_str(text, "--help --version\" -- \"$current\")); return; fi\n", err) <
		    0)
		return -1;
	for (size_t i = 0; i < 2; i++) {
		const char *first = i ? "layer" : "local";

		if (scar_buf_printf(text, err,
				    "\tif [[ $command == %s ]]; then\n"
				    "\t\tif ((COMP_CWORD == 2)); then COMPREPLY=($(compgen -W \"",
				    first) < 0 ||
		    put_words(text, first, err) < 0 ||
		    scar_buf_append_str(text,
					"\" -- \"$current\")); return; fi\n"
					"\t\tcommand+=\" ${COMP_WORDS[2]}\"\n\tfi\n",
					err) < 0)
			return -1;
	}
	if (scar_buf_append_str(
		    text,
		    "\tcase $command in init) command=apply ;; logs) command=log ;; esac\n"
		    "\tcase \"$command:$before\" in\n",
		    err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (put_bash_values(text, &commands[i], err) < 0)
			return -1;
	}
	if (scar_buf_append_str(text, "\tesac\n\tlocal words=\n\tcase $command in\n", err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (scar_buf_printf(text, err, "\t\"%s\") words=\"%s", commands[i].name,
				    commands[i].id == SCAR_COMMAND_COMPLETION ? "bash zsh fish "
									      : "") < 0 ||
		    put_options(text, &commands[i], err) < 0 ||
		    scar_buf_append_str(text, "\" ;;\n", err) < 0)
			return -1;
	}
	return scar_buf_append_str(text,
				   "\tesac\n"
				   "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
				   "}\n"
				   "complete -o default -F _scar scar\n",
				   err);
}

/* zsh reads what bash reads. */
static int put_zsh(struct scar_buf *text, struct scar_err *err)
{
	if (scar_buf_append_str(text,
				"#compdef scar\n"
				"autoload -U +X compinit && compinit -C\n"
				"autoload -U +X bashcompinit && bashcompinit\n",
				err) < 0)
		return -1;
	return put_bash(text, err);
}

/* A text within single quotes of fish. */
static int put_quoted(struct scar_buf *text, const char *words, struct scar_err *err)
{
	if (scar_buf_append_char(text, '\'', err) < 0)
		return -1;
	for (; *words; words++) {
		if ((*words == '\'' || *words == '\\') && scar_buf_append_char(text, '\\', err) < 0)
			return -1;
		if (scar_buf_append_char(text, *words, err) < 0)
			return -1;
	}
	return scar_buf_append_char(text, '\'', err);
}

static int put_fish_option(struct scar_buf *text, const struct scar_command *command,
			   const struct scar_option *option, struct scar_err *err)
{
	const char *letters = option->letters ? option->letters + 1 : NULL;
	size_t word = strcspn(command->name, " ");
	const char *second = command->name[word] ? command->name + word + 1 : NULL;

	if (scar_buf_printf(text, err,
			    "complete -c scar -n '__fish_seen_subcommand_from %.*s%s%s%s%s' -l %s",
			    (int)word, command->name, command->alias ? " " : "",
			    command->alias ? command->alias : "",
			    second ? "; and __fish_seen_subcommand_from " : "",
			    second ? second : "", option->name + 2) < 0)
		return -1;
	if (letters &&
	    scar_buf_printf(text, err, " -%c %s", strlen(letters) == 1 ? 's' : 'o', letters) < 0)
		return -1;
	if (option->value &&
	    scar_buf_append_str(text, takes_file(option) ? " -r -F" : " -x", err) < 0)
		return -1;
	if (option->choices && (scar_buf_append_str(text, " -a '", err) < 0 ||
				put_choices(text, option->choices, err) < 0 ||
				scar_buf_append_char(text, '\'', err) < 0))
		return -1;
	if (scar_buf_append_str(text, " -d ", err) < 0 || put_quoted(text, option->doc, err) < 0)
		return -1;
	return scar_buf_append_char(text, '\n', err);
}

static int put_fish(struct scar_buf *text, struct scar_err *err)
{
	size_t count, option_count;
	const struct scar_command *commands = scar_commands(&count);
	const struct scar_option *options = scar_options(&option_count);

	if (scar_buf_append_str(text, "complete -c scar -f\n", err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		size_t word = strcspn(commands[i].name, " ");
		const char *second = commands[i].name[word] ? commands[i].name + word + 1 : NULL;

		if (scar_buf_printf(text, err, "complete -c scar -n '%s%.*s' -a %.*s",
				    second ? "__fish_seen_subcommand_from "
					   : "__fish_use_subcommand",
				    second ? (int)word : 0, commands[i].name,
				    (int)(second ? strlen(second) : word),
				    second ? second : commands[i].name) < 0 ||
		    scar_buf_append_str(text, " -d ", err) < 0 ||
		    put_quoted(text, commands[i].summary, err) < 0 ||
		    scar_buf_append_char(text, '\n', err) < 0)
			return -1;
		for (size_t j = 0; j < option_count; j++) {
			if ((options[j].commands & commands[i].id) &&
			    put_fish_option(text, &commands[i], &options[j], err) < 0)
				return -1;
		}
	}
	return scar_buf_append_str(
		text,
		"complete -c scar -n '__fish_use_subcommand' -a 'local layer'\n"
		"complete -c scar -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'\n",
		err);
}

int scar_help_write_completion(const char *shell, struct scar_buf *text, struct scar_err *err)
{
	if (strcmp(shell, "bash") == 0)
		return put_bash(text, err);
	if (strcmp(shell, "zsh") == 0)
		return put_zsh(text, err);
	if (strcmp(shell, "fish") == 0)
		return put_fish(text, err);
	return scar_err_set(err, SCAR_ERR_CONFIG,
			    "completion is for bash, zsh and fish, not %.100s", shell);
}
