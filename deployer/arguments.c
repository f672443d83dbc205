/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/arguments.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "deployer/suggest.h"
#include "runtime/base/err.h"

/* ---- the command ---- */

/* Whether argv begins with the one or two words of `name`. @return how many, or 0 */
static size_t begins_with(char *const *argv, const char *name)
{
	const char *space = name ? strchr(name, ' ') : NULL;
	size_t len = space ? (size_t)(space - name) : name ? strlen(name) : 0;

	if (len == 0 || strlen(argv[0]) != len || strncmp(argv[0], name, len) != 0)
		return 0;
	if (!space)
		return 1;
	return argv[1] && strcmp(argv[1], space + 1) == 0 ? 2 : 0;
}

static int unknown(char *const *argv, struct scar_err *err)
{
	size_t count;
	const struct scar_command *commands = scar_commands(&count);
	struct scar_suggestion meant = {.word = argv[0]};
	char text[96];

	for (size_t i = 0; i < count; i++) {
		size_t len = strcspn(commands[i].name, " ");

		if (commands[i].name[len] == ' ' && strlen(argv[0]) == len &&
		    strncmp(argv[0], commands[i].name, len) == 0)
			return argv[1] ? scar_err_set(err, SCAR_ERR_CONFIG,
						      "%s %s: unknown command: scar %s --help "
						      "lists them",
						      argv[0], argv[1], argv[0])
				       : scar_err_set(
						 err, SCAR_ERR_CONFIG,
						 "%s needs a command: scar %s --help lists them",
						 argv[0], argv[0]);
		scar_suggest_offer(&meant, commands[i].name);
	}
	return scar_err_set(err, SCAR_ERR_CONFIG, "unknown command %s%s", argv[0],
			    scar_suggest_text(&meant, text));
}

int scar_arguments_find(char **argv, const struct scar_command **ret_command, char ***ret_rest,
			struct scar_err *err)
{
	size_t count;
	const struct scar_command *commands = scar_commands(&count);

	if (!argv[0])
		return scar_err_set(err, SCAR_ERR_CONFIG, "a command is missing");
	for (size_t i = 0; i < count; i++) {
		size_t words = begins_with(argv, commands[i].name);

		if (!words)
			words = begins_with(argv, commands[i].alias);
		if (!words)
			continue;
		*ret_command = &commands[i];
		*ret_rest = argv + words;
		return 0;
	}
	return unknown(argv, err);
}

const struct scar_command *scar_arguments_command(enum scar_command_id id)
{
	size_t count;
	const struct scar_command *commands = scar_commands(&count);

	for (size_t i = 0; i < count; i++) {
		if (commands[i].id == id)
			return &commands[i];
	}
	return NULL;
}

/* ---- options ---- */

static bool is_word(const char *option, const char *word, size_t len)
{
	return option && strlen(option) == len && strncmp(option, word, len) == 0;
}

static int unknown_option(const struct scar_command *command, const char *word,
			  struct scar_err *err)
{
	size_t count;
	const struct scar_option *options = scar_options(&count);
	struct scar_suggestion meant = {.word = word};
	char text[96];

	for (size_t i = 0; i < count; i++) {
		if (options[i].commands & command->id)
			scar_suggest_offer(&meant, options[i].name);
	}
	return scar_err_set(err, SCAR_ERR_CONFIG, "unknown option %.200s%s", word,
			    scar_suggest_text(&meant, text));
}

/* The option that the first `len` bytes of word are: as a whole, or as the begin of one long name. NULL: none. */
static const struct scar_option *find_option(const struct scar_command *command, const char *word,
					     size_t len, struct scar_err *err)
{
	size_t count, begins = 0;
	const struct scar_option *options = scar_options(&count);
	const struct scar_option *found = NULL;

	for (size_t i = 0; i < count; i++) {
		if (!(options[i].commands & command->id))
			continue;
		if (is_word(options[i].letters, word, len) || is_word(options[i].name, word, len))
			return &options[i];
		if (len > 3 && strncmp(options[i].name, word, len) == 0) {
			found = &options[i];
			begins++;
		}
	}
	if (begins == 1)
		return found;
	if (begins > 1)
		(void)scar_err_set(err, SCAR_ERR_CONFIG, "%.200s may be several options", word);
	else
		(void)unknown_option(command, word, err);
	return NULL;
}

static bool is_choice(const char *choices, const char *value)
{
	size_t len = strlen(value);

	while (*choices) {
		size_t one = strcspn(choices, "|");

		if (one == len && strncmp(choices, value, len) == 0)
			return true;
		choices += one + (choices[one] == '|');
	}
	return false;
}

/* One option at *words, which moves on behind it and its value. */
static int take_option(struct scar_arguments *arguments, char ***words, struct scar_err *err)
{
	const char *word = *(*words)++;
	size_t len = strcspn(word, "=");
	const struct scar_option *option = find_option(arguments->command, word, len, err);
	const char *value = NULL;

	if (!option)
		return -1;
	if (option->value)
		value = word[len] == '=' ? word + len + 1 : **words;
	if (option->value ? !value : word[len] == '=')
		return scar_err_set(err, SCAR_ERR_CONFIG, "option %.*s %s", (int)len, word,
				    option->value ? "needs a value" : "takes no value");
	if (option->value && word[len] != '=')
		(*words)++;
	if (value && option->choices && !is_choice(option->choices, value))
		return scar_err_set(err, SCAR_ERR_CONFIG, "%.*s is one of %s, not \"%.100s\"",
				    (int)len, word, option->choices, value);
	if (option->id == SCAR_OPTION_HELP)
		arguments->help = true;
	arguments->given[arguments->given_count++] = (struct scar_given){.option = option,
									 .value = value};
	return 0;
}

static int take_all(struct scar_arguments *arguments, char **words, struct scar_err *err)
{
	while (*words) {
		if ((*words)[0] == '-' && (*words)[1] && strcmp(*words, "--") != 0) {
			if (take_option(arguments, &words, err) < 0)
				return -1;
			continue;
		}
		if (strcmp(*words, "--") == 0 || arguments->command->rest) {
			/* Of a command with a rest the dashes may stand for something there. */
			words += !arguments->command->rest;
			while (*words)
				arguments->words[arguments->word_count++] = *words++;
			return 0;
		}
		arguments->words[arguments->word_count++] = *words++;
	}
	return 0;
}

/* What a command cannot do without. */
static int check_options(const struct scar_arguments *arguments, struct scar_err *err)
{
	const unsigned of_function = SCAR_COMMAND_RUN | SCAR_COMMAND_INVOKE | SCAR_COMMAND_RM |
				     SCAR_COMMAND_LOG | SCAR_COMMAND_DESCRIBE | SCAR_COMMAND_UPDATE;
	const unsigned of_files = SCAR_COMMAND_PUT | SCAR_COMMAND_GET;
	const char *name = arguments->command->name;

	if ((arguments->command->id & of_function) &&
	    !scar_arguments_has(arguments, SCAR_OPTION_NAME) &&
	    !scar_arguments_has(arguments, SCAR_OPTION_FILE) &&
	    !scar_arguments_has(arguments, SCAR_OPTION_ALL))
		return scar_err_set(err, SCAR_ERR_CONFIG, "%s needs --name or --conf-file", name);
	if ((arguments->command->id & of_files) &&
	    (!scar_arguments_has(arguments, SCAR_OPTION_BUCKET) ||
	     !scar_arguments_has(arguments, SCAR_OPTION_PATH)))
		return scar_err_set(err, SCAR_ERR_CONFIG, "%s needs --bucket and --path", name);
	return 0;
}

static int check_words(const struct scar_arguments *arguments, struct scar_err *err)
{
	const struct scar_command *command = arguments->command;

	if (arguments->word_count < command->words_min)
		return scar_err_set(err, SCAR_ERR_CONFIG, "%s needs %s", command->name,
				    command->words);
	if (!command->rest && arguments->word_count > command->words_max)
		return scar_err_set(err, SCAR_ERR_CONFIG, "unexpected argument %.200s",
				    arguments->words[command->words_max]);
	return 0;
}

int scar_arguments_parse(const struct scar_command *command, char **words,
			 struct scar_arguments *ret_arguments, struct scar_err *err)
{
	scar_arguments_auto struct scar_arguments arguments = {.command = command};
	size_t count = 0;

	while (words[count])
		count++;
	arguments.given = calloc(count + 1, sizeof *arguments.given);
	arguments.words = calloc(count + 1, sizeof *arguments.words);
	if (!arguments.given || !arguments.words)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	if (take_all(&arguments, words, err) < 0)
		return -1;
	if (!arguments.help &&
	    (check_words(&arguments, err) < 0 || check_options(&arguments, err) < 0))
		return -1;
	*ret_arguments = arguments;
	arguments = (struct scar_arguments){0};
	return 0;
}

void scar_arguments_clear(struct scar_arguments *arguments)
{
	free(arguments->given);
	free(arguments->words);
	*arguments = (struct scar_arguments){0};
}

/* ---- what was given ---- */

const char *scar_arguments_next(const struct scar_arguments *arguments, enum scar_option_id id,
				size_t *index)
{
	while (*index < arguments->given_count) {
		const struct scar_given *given = &arguments->given[(*index)++];

		if (given->option->id == id)
			return given->value ? given->value : "";
	}
	return NULL;
}

const char *scar_arguments_get(const struct scar_arguments *arguments, enum scar_option_id id)
{
	const char *value = NULL;
	const char *next;
	size_t index = 0;

	while ((next = scar_arguments_next(arguments, id, &index)))
		value = next;
	return value;
}

bool scar_arguments_has(const struct scar_arguments *arguments, enum scar_option_id id)
{
	return scar_arguments_get(arguments, id) != NULL;
}

int scar_arguments_int(const struct scar_arguments *arguments, enum scar_option_id id, int64_t min,
		       int64_t max, int64_t *ret_value, struct scar_err *err)
{
	const char *name = NULL;
	const char *text = NULL;
	long long value;
	char *end;

	for (size_t i = 0; i < arguments->given_count; i++) {
		if (arguments->given[i].option->id == id) {
			name = arguments->given[i].option->name;
			text = arguments->given[i].value;
		}
	}
	if (!text)
		return 0;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno || end == text || *end || value < min || value > max)
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "%s is a number from %lld to %lld, not \"%.100s\"", name,
				    (long long)min, (long long)max, text);
	*ret_value = value;
	return 0;
}
