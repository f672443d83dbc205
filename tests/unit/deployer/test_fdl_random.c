/* SPDX-License-Identifier: Apache-2.0 */
/* Two hundred definitions made of the table of keys, as YAML and as JSON, valid and broken in one place: the message names that place. */
#include "deployer/fdl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "deployer/fdl_keys.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

#define DEFINITIONS 200
#define ROWS_MAX 24
#define DEPTH_MAX 5

enum damage { SOUND, UNKNOWN_KEY, WRONG_VALUE, BAD_SYNTAX, DAMAGES };

/* A definition in the making. */
struct draft {
	uint64_t state; /* of the generator */
	bool json;
	const struct scar_fdl_key *rows[ROWS_MAX];
	size_t count;
	enum damage damage;
	size_t broken; /* which row */
	unsigned line; /* where that is in the text; 0: not written yet */
	char key[80];  /* as the message has to name it */
	struct scar_buf text;
};

/* Any generator will do that gives the same everywhere: Marsaglia's xorshift64. */
static unsigned next(struct draft *draft, unsigned below)
{
	draft->state ^= draft->state << 13;
	draft->state ^= draft->state >> 7;
	draft->state ^= draft->state << 17;
	return (unsigned)(draft->state >> 33) % below;
}

static void add(struct draft *draft, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add(struct draft *draft, const char *fmt, ...)
{
	char piece[512];
	struct scar_err err;
	va_list args;

	va_start(args, fmt);
	vsnprintf(piece, sizeof piece, fmt, args);
	va_end(args);
	assert_int_equal(scar_buf_append_str(&draft->text, piece, &err), 0);
}

static unsigned line_of(const struct draft *draft)
{
	unsigned line = 1;

	for (size_t i = 0; i < draft->text.len; i++)
		line += draft->text.data[i] == '\n';
	return line;
}

/* ---- values ---- */

static void one_of(struct draft *draft, const char *choices)
{
	size_t count = 1;
	const char *word = choices;

	for (const char *c = choices; *c; c++)
		count += *c == '|';
	for (unsigned n = next(draft, (unsigned)count); n > 0; n--)
		word = strchr(word, '|') + 1;
	add(draft, "\"%.*s\"", (int)strcspn(word, "|"), word);
}

static void fitting(struct draft *draft, const struct scar_fdl_key *row)
{
	switch (row->type) {
	case SCAR_FDL_TEXT:
	case SCAR_FDL_FIRST:
		if (row->choices)
			one_of(draft, row->choices);
		else
			add(draft, "\"text-%u\"", next(draft, 1000));
		return;
	case SCAR_FDL_INT:
	case SCAR_FDL_NUMBER:
		add(draft, "%d", row->min + (int)next(draft, (unsigned)(row->max - row->min) + 1));
		return;
	case SCAR_FDL_BOOL:
	case SCAR_FDL_NOT: add(draft, next(draft, 2) ? "true" : "false"); return;
	case SCAR_FDL_LIST: add(draft, "[\"a-%u\", \"b\"]", next(draft, 9)); return;
	case SCAR_FDL_PAIRS: add(draft, "{\"A\": \"%u\", \"B\": \"x=y\"}", next(draft, 9)); return;
	case SCAR_FDL_PLACES:
		add(draft,
		    "[{\"storage_provider\": \"s3\", \"path\": \"bucket/%u\", \"suffix\": [\"x\"]}]",
		    next(draft, 9));
		return;
	case SCAR_FDL_MOUNTS:
		add(draft, "[{\"Arn\": \"arn:x\", \"LocalMountPath\": \"/mnt/%u\"}]",
		    next(draft, 9));
		return;
	case SCAR_FDL_UNUSED: add(draft, "\"whatever\""); return;
	}
}

static void unfitting(struct draft *draft, const struct scar_fdl_key *row)
{
	static const char *const numbers[] = {"\"many\"", "-1", "99999999", "1.5", "[1]"};

	switch (row->type) {
	case SCAR_FDL_TEXT:
	case SCAR_FDL_FIRST:
		add(draft, row->choices && next(draft, 2) ? "\"none of them\"" : "{\"a\": \"b\"}");
		return;
	case SCAR_FDL_INT:
	case SCAR_FDL_NUMBER: add(draft, "%s", numbers[next(draft, 5)]); return;
	case SCAR_FDL_BOOL:
	case SCAR_FDL_NOT: add(draft, "\"maybe\""); return;
	case SCAR_FDL_LIST: add(draft, next(draft, 2) ? "\"alone\"" : "[{\"a\": 1}]"); return;
	case SCAR_FDL_PAIRS: add(draft, next(draft, 2) ? "[1]" : "{\"A\": [1]}"); return;
	case SCAR_FDL_PLACES:
	case SCAR_FDL_MOUNTS: add(draft, next(draft, 2) ? "\"bucket\"" : "[\"bucket\"]"); return;
	case SCAR_FDL_UNUSED: break;
	}
	fail_msg("%s cannot have a wrong value", row->key);
}

/* ---- the text ---- */

static int by_key(const void *a, const void *b)
{
	return strcmp((*(const struct scar_fdl_key *const *)a)->key,
		      (*(const struct scar_fdl_key *const *)b)->key);
}

static bool fits_damage(const struct draft *draft, const struct scar_fdl_key *row)
{
	return draft->damage != WRONG_VALUE || row->type != SCAR_FDL_UNUSED;
}

static void choose(struct draft *draft)
{
	size_t all;
	const struct scar_fdl_key *keys = scar_fdl_keys(&all);
	size_t wanted = 1 + next(draft, ROWS_MAX - 1);

	for (size_t i = 0; i < wanted; i++) {
		const struct scar_fdl_key *row = &keys[next(draft, (unsigned)all)];
		bool has = false;

		for (size_t j = 0; j < draft->count; j++)
			has = has || draft->rows[j] == row;
		if (!has)
			draft->rows[draft->count++] = row;
	}
	qsort(draft->rows, draft->count, sizeof draft->rows[0], by_key);
	draft->broken = next(draft, (unsigned)draft->count);
	if (!fits_damage(draft, draft->rows[draft->broken]))
		draft->damage = UNKNOWN_KEY;
}

static void indent(struct draft *draft, size_t depth)
{
	add(draft, "%*s", (int)(4 + 2 * depth), "");
}

static void write_leaf(struct draft *draft, size_t i, const char *name, size_t depth)
{
	const struct scar_fdl_key *row = draft->rows[i];
	bool broken = draft->damage != SOUND && i == draft->broken;
	const char *quote = draft->json ? "\"" : "", *more = "";

	if (broken) {
		draft->line = line_of(draft);
		more = draft->damage == UNKNOWN_KEY ? "zz" : "";
		snprintf(draft->key, sizeof draft->key, "%s%s", row->key, more);
	}
	indent(draft, depth);
	add(draft, "%s%s%s%s: ", quote, name, more, quote);
	if (broken && draft->damage == WRONG_VALUE)
		unfitting(draft, row);
	else
		fitting(draft, row);
	if (broken && draft->damage == BAD_SYNTAX)
		add(draft, draft->json ? " ]" : " }");
}

/* Opens and closes mappings so that the next key stands in its own. */
static void write_rows(struct draft *draft)
{
	char groups[DEPTH_MAX][64];
	size_t open = 0;

	for (size_t i = 0; i < draft->count; i++) {
		const char *rest = draft->rows[i]->key;
		size_t depth = 0, len;

		while ((len = strcspn(rest, ".")), rest[len] == '.' && depth < open &&
							   strlen(groups[depth]) == len &&
							   strncmp(groups[depth], rest, len) == 0) {
			rest += len + 1;
			depth++;
		}
		for (; draft->json && open > depth; open--) {
			add(draft, "\n");
			indent(draft, open);
			add(draft, "}");
		}
		open = depth;
		add(draft, draft->json && i ? ",\n" : i ? "\n" : "");
		while ((len = strcspn(rest, ".")), rest[len] == '.') {
			snprintf(groups[open], sizeof groups[open], "%.*s", (int)len, rest);
			indent(draft, open);
			add(draft, draft->json ? "\"%s\": {\n" : "%s:\n", groups[open]);
			open++;
			rest += len + 1;
		}
		write_leaf(draft, i, rest, open);
	}
	for (; draft->json && open > 0; open--) {
		add(draft, "\n");
		indent(draft, open);
		add(draft, "}");
	}
}

static void write_text(struct draft *draft)
{
	add(draft, draft->json ? "{\"functions\": {\"aws\": [{\n" : "functions:\n  aws:\n  -\n");
	write_rows(draft);
	add(draft, draft->json ? "\n}]}}\n" : "\n");
}

/* ---- */

static void check(struct draft *draft, unsigned seed)
{
	scar_fdl_auto struct scar_fdl fdl = {0};
	struct scar_err err = {.msg = ""};
	char line[32];
	int ret = scar_fdl_parse(NULL, 0, draft->text.data, draft->text.len, "dir/f.yaml", NULL,
				 &fdl, &err);

	if (draft->damage == SOUND) {
		if (ret < 0)
			fail_msg("seed %u: %s\n%s", seed, err.msg, draft->text.data);
		/* It may lack what a function needs; then that is told. */
		if (scar_fdl_check(&fdl, &err) < 0)
			assert_true(err.msg[0] != '\0');
		return;
	}
	if (ret == 0)
		fail_msg("seed %u: taken\n%s", seed, draft->text.data);
	assert_int_equal(err.kind, SCAR_ERR_CONFIG);
	snprintf(line, sizeof line, "line %u:", draft->line);
	if (draft->damage == BAD_SYNTAX) {
		if (!strstr(err.msg, "line "))
			fail_msg("seed %u: \"%s\" names no line\n%s", seed, err.msg,
				 draft->text.data);
	} else if (!strstr(err.msg, line) || !strstr(err.msg, draft->key)) {
		fail_msg("seed %u: \"%s\" does not name %s and %s\n%s", seed, err.msg, line,
			 draft->key, draft->text.data);
	}
}

static void every_damage_is_told_with_its_line_and_key(void **state)
{
	unsigned seen[DAMAGES] = {0};

	(void)state;
	for (unsigned seed = 1; seed <= DEFINITIONS; seed++) {
		struct draft draft = {.state = seed * 0x9E3779B97F4A7C15U, .json = seed % 2};

		scar_buf_init(&draft.text, SCAR_KIB(64));
		draft.damage = (enum damage)next(&draft, DAMAGES);
		choose(&draft);
		write_text(&draft);
		check(&draft, seed);
		seen[draft.damage]++;
		scar_buf_clear(&draft.text);
	}
	for (int i = 0; i < DAMAGES; i++)
		assert_true(seen[i] > DEFINITIONS / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_damage_is_told_with_its_line_and_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
