/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/arguments.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "deployer/help.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

#define WORDS(...) ((char **)(const char *[]){__VA_ARGS__, NULL})

static struct scar_arguments parsed(char **argv)
{
	const struct scar_command *command = NULL;
	struct scar_arguments arguments = {0};
	struct scar_err err = {0};
	char **rest = NULL;

	if (scar_arguments_find(argv, &command, &rest, &err) < 0 ||
	    scar_arguments_parse(command, rest, &arguments, &err) < 0)
		fail_msg("%s", err.msg);
	return arguments;
}

static void refused(char **argv, const char *words)
{
	const struct scar_command *command = NULL;
	struct scar_arguments arguments = {0};
	struct scar_err err = {0};
	char **rest = NULL;

	if (scar_arguments_find(argv, &command, &rest, &err) == 0 &&
	    scar_arguments_parse(command, rest, &arguments, &err) == 0) {
		scar_arguments_clear(&arguments);
		fail_msg("\"%s %s\" is taken", argv[0], argv[1] ? argv[1] : "");
	}
	assert_int_equal(err.kind, SCAR_ERR_CONFIG);
	if (!strstr(err.msg, words))
		fail_msg("\"%s\" does not say \"%s\"", err.msg, words);
}

static void flags_of_scar_and_long_names_mean_the_same(void **state)
{
	static const char *const spellings[][2] = {{"-db", "b"},
						   {"-db=b", NULL},
						   {"--deployment-bucket", "b"},
						   {"--deployment-bucket=b", NULL},
						   {"--deploy=b", NULL}};

	(void)state;
	for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
		struct scar_arguments arguments = parsed(
			WORDS("apply", spellings[i][0], spellings[i][1]));

		assert_string_equal(scar_arguments_get(&arguments, SCAR_OPTION_DEPLOYMENT_BUCKET),
				    "b");
		scar_arguments_clear(&arguments);
	}
}

static void one_flag_means_what_its_command_says(void **state)
{
	struct scar_arguments arguments = parsed(WORDS("rm", "-a"));

	(void)state;
	assert_true(scar_arguments_has(&arguments, SCAR_OPTION_ALL));
	scar_arguments_clear(&arguments);
	arguments = parsed(WORDS("run", "-n", "x", "-a", "-s", "f"));
	assert_true(scar_arguments_has(&arguments, SCAR_OPTION_ASYNCHRONOUS));
	assert_string_equal(scar_arguments_get(&arguments, SCAR_OPTION_RUN_SCRIPT), "f");
	scar_arguments_clear(&arguments);
	arguments = parsed(WORDS("init", "-n", "x", "-s", "f"));
	assert_string_equal(scar_arguments_get(&arguments, SCAR_OPTION_INIT_SCRIPT), "f");
	scar_arguments_clear(&arguments);
	arguments = parsed(WORDS("update", "-a", "-sl"));
	assert_true(scar_arguments_has(&arguments, SCAR_OPTION_SUPERVISOR_LAYER));
	scar_arguments_clear(&arguments);
}

/* Of SCAR 4.3's parsers, and of the last versions that had update and ls -l. Options without a value end in "!". */
static const struct {
	const char *commands, *flags;
} scar_flags[] = {
	{"init invoke run ls rm log put get", "-pf --profile"},
	{"init", "-i --image|-if --image-file|-f --conf-file|-n --name|-s --init-script|"
		 "-ph --preheat!|-ep --extra-payload|-db --deployment-bucket|"
		 "-api --api-gateway-name"},
	{"init update",
	 "-d --description|-e --environment|-le --lambda-environment|-m --memory|-t --timeout|"
	 "-tt --timeout-threshold|-ll --log-level|-l --layers|-ib --input-bucket|"
	 "-ob --output-bucket|-em --execution-mode|-r --iam-role|-sv --supervisor-version|"
	 "-rt --runtime|-bm --batch-memory|-bc --batch-vcpus|-g --enable-gpu!"},
	{"init run rm ls", "-j --json!|-v --verbose!"},
	{"invoke run", "-a --asynchronous!|-o --output-file"},
	{"invoke run rm log update", "-n --name|-f --conf-file"},
	{"invoke", "-db --data-binary|-jd --json-data|-p --parameters"},
	{"run", "-s --run-script|-ib --input-bucket"},
	{"rm update", "-a --all!"},
	{"update", "-sl --supervisor-layer!"},
	{"log", "-ls --log-stream-name|-ri --request-id"},
	{"ls", "-b --bucket|-l --list-layers!"},
	{"put get", "-b --bucket|-p --path"},
};

/* A value that the option takes, whatever its kind. */
static const char *value_for(const char *name)
{
	if (strcmp(name, "--execution-mode") == 0)
		return "lambda";
	if (strcmp(name, "--log-level") == 0)
		return "DEBUG";
	return "1";
}

/* The line `command word [value]`, and behind it what the command cannot do without. */
static struct scar_arguments parsed_flag(const char *command, const char *word, const char *value)
{
	bool of_files = strcmp(command, "put") == 0 || strcmp(command, "get") == 0;
	bool alone = strcmp(command, "init") == 0 || strcmp(command, "ls") == 0;
	const char *argv[8] = {command, word};
	size_t count = 2;

	if (value)
		argv[count++] = value;
	if (of_files) {
		memcpy(argv + count, (const char *[]){"-b", "x", "-p", "x"}, 4 * sizeof *argv);
	} else if (!alone) {
		memcpy(argv + count, (const char *[]){"-n", "x"}, 2 * sizeof *argv);
	}
	return parsed((char **)argv);
}

/* "-if --image-file" or "-ph --preheat!": both words are one option of the command, with its value. */
static void expect_pair(const char *command, char *pair)
{
	size_t len = strlen(pair);
	bool takes = pair[len - 1] != '!';
	char *name = strchr(pair, ' ');
	enum scar_option_id ids[2];

	if (!takes)
		pair[len - 1] = '\0';
	*name++ = '\0';
	for (size_t i = 0; i < 2; i++) {
		struct scar_arguments arguments = parsed_flag(command, i ? name : pair,
							      takes ? value_for(name) : NULL);

		assert_string_equal(arguments.given[0].option->name, name);
		ids[i] = arguments.given[0].option->id;
		if (takes)
			assert_string_equal(arguments.given[0].value, value_for(name));
		else
			assert_null(arguments.given[0].value);
		scar_arguments_clear(&arguments);
	}
	assert_int_equal(ids[0], ids[1]);
}

static void every_flag_of_every_command_of_scar_is_taken(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof scar_flags / sizeof scar_flags[0]; i++) {
		char commands[64], *rest = commands, *command;

		snprintf(commands, sizeof commands, "%s", scar_flags[i].commands);
		while ((command = strsep(&rest, " "))) {
			char flags[1024], *left = flags, *pair;

			snprintf(flags, sizeof flags, "%s", scar_flags[i].flags);
			while ((pair = strsep(&left, "|")))
				expect_pair(command, pair);
		}
	}
}

static void aliases_and_two_words_find_their_command(void **state)
{
	struct scar_arguments arguments = parsed(WORDS("init"));

	(void)state;
	assert_int_equal(arguments.command->id, SCAR_COMMAND_APPLY);
	scar_arguments_clear(&arguments);
	arguments = parsed(WORDS("layer", "ls"));
	assert_int_equal(arguments.command->id, SCAR_COMMAND_LAYER_LS);
	scar_arguments_clear(&arguments);
	arguments = parsed(WORDS("logs", "-n", "x"));
	assert_int_equal(arguments.command->id, SCAR_COMMAND_LOG);
	scar_arguments_clear(&arguments);
}

static void what_follows_the_first_word_of_run_is_the_programs(void **state)
{
	struct scar_arguments arguments = parsed(WORDS("run", "-n", "f", "ls", "-n", "--", "-x"));

	(void)state;
	assert_string_equal(scar_arguments_get(&arguments, SCAR_OPTION_NAME), "f");
	assert_int_equal(arguments.word_count, 4);
	assert_string_equal(arguments.words[1], "-n");
	scar_arguments_clear(&arguments);
}

static void an_option_may_be_given_again_and_the_last_counts(void **state)
{
	struct scar_arguments arguments = parsed(
		WORDS("init", "-m", "1", "-e", "A=1", "-m", "2", "-e", "B=2"));
	size_t index = 0;
	int64_t memory = 0;
	struct scar_err err;

	(void)state;
	assert_int_equal(scar_arguments_int(&arguments, SCAR_OPTION_MEMORY, 0, 9, &memory, &err),
			 0);
	assert_int_equal(memory, 2);
	assert_string_equal(scar_arguments_next(&arguments, SCAR_OPTION_ENV, &index), "A=1");
	assert_string_equal(scar_arguments_next(&arguments, SCAR_OPTION_ENV, &index), "B=2");
	assert_null(scar_arguments_next(&arguments, SCAR_OPTION_ENV, &index));
	assert_int_equal(scar_arguments_int(&arguments, SCAR_OPTION_MEMORY, 3, 9, &memory, &err),
			 -1);
	assert_non_null(strstr(err.msg, "--memory"));
	scar_arguments_clear(&arguments);
}

static void wrong_lines_are_refused_with_what_may_be_meant(void **state)
{
	(void)state;
	refused(WORDS("aply"), "did you mean apply?");
	refused(WORDS("layer", "lst"), "layer lst");
	refused(WORDS("layer"), "layer");
	refused(WORDS("apply", "--memroy", "1"), "did you mean --memory?");
	refused(WORDS("apply", "-m"), "-m needs a value");
	refused(WORDS("apply", "--dry-run=1"), "takes no value");
	refused(WORDS("ls", "-o", "xml"), "table|json|yaml|name");
	refused(WORDS("ls", "more"), "more");
	refused(WORDS("run"), "--name");
	refused(WORDS("put", "-b", "x"), "--path");
	refused(WORDS("completion"), "bash|zsh|fish");
	refused(WORDS("apply", "--no-"), "several");
}

static void help_wins_over_what_is_missing(void **state)
{
	struct scar_arguments arguments = parsed(WORDS("run", "--help"));

	(void)state;
	assert_true(arguments.help);
	scar_arguments_clear(&arguments);
}

/* Of one command no two options share a word. */
static void every_command_can_tell_its_options_apart(void **state)
{
	size_t commands, options;
	const struct scar_command *command = scar_commands(&commands);
	const struct scar_option *option = scar_options(&options);

	(void)state;
	for (size_t c = 0; c < commands; c++) {
		for (size_t i = 0; i < options; i++) {
			for (size_t j = i + 1; j < options; j++) {
				if (!(option[i].commands & option[j].commands & command[c].id))
					continue;
				assert_string_not_equal(option[i].name, option[j].name);
				if (option[i].letters && option[j].letters)
					assert_string_not_equal(option[i].letters,
								option[j].letters);
			}
		}
	}
}

static void help_and_completions_name_every_option(void **state)
{
	static const char *const shells[] = {"bash", "zsh", "fish"};
	size_t commands, options;
	const struct scar_command *command = scar_commands(&commands);
	const struct scar_option *option = scar_options(&options);
	struct scar_err err;

	(void)state;
	for (size_t c = 0; c < commands; c++) {
		scar_buf_auto struct scar_buf text;

		scar_buf_init(&text, SCAR_MIB(1));
		assert_int_equal(scar_help_write_command(&command[c], &text, &err), 0);
		for (size_t i = 0; i < options; i++) {
			if (option[i].commands & command[c].id)
				assert_non_null(strstr(text.data, option[i].name));
		}
	}
	for (size_t s = 0; s < sizeof shells / sizeof shells[0]; s++) {
		scar_buf_auto struct scar_buf text;

		scar_buf_init(&text, SCAR_MIB(1));
		assert_int_equal(scar_help_write_completion(shells[s], &text, &err), 0);
		for (size_t i = 0; i < options; i++)
			assert_non_null(strstr(text.data, option[i].name + 2));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_of_scar_and_long_names_mean_the_same),
		cmocka_unit_test(one_flag_means_what_its_command_says),
		cmocka_unit_test(every_flag_of_every_command_of_scar_is_taken),
		cmocka_unit_test(aliases_and_two_words_find_their_command),
		cmocka_unit_test(what_follows_the_first_word_of_run_is_the_programs),
		cmocka_unit_test(an_option_may_be_given_again_and_the_last_counts),
		cmocka_unit_test(wrong_lines_are_refused_with_what_may_be_meant),
		cmocka_unit_test(help_wins_over_what_is_missing),
		cmocka_unit_test(every_command_can_tell_its_options_apart),
		cmocka_unit_test(help_and_completions_name_every_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
