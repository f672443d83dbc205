/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/aws/ini.h"

#include <ctype.h>
#include <string.h>

#include "runtime/base/err.h"
#include "runtime/base/limits.h"

#define BYTES_MAX SCAR_MIB(1)
#define ENTRIES_MAX 20000

/* Pieces of the text, each with a NUL behind it. A section that opens is an entry without a key. */
struct entry {
	const char *section;
	const char *group; /* "": not below another key */
	const char *key;   /* NULL: the section's begin */
	const char *value;
};

struct scar_ini {
	char *text;
	struct entry *entries;
	size_t count, room;
};

/* Where the parser is. */
struct reader {
	struct scar_ini *ini;
	const char *what;
	const char *section; /* NULL: before the first */
	const char *group;   /* the last key, if its value was empty */
	bool has_key;        /* the section has had one */
	size_t indent;       /* of the last line that was not below a key */
	unsigned line;
	struct scar_err *err;
};

static int add(struct reader *r, const char *group, const char *key, const char *value)
{
	struct scar_ini *ini = r->ini;

	if (ini->count == ENTRIES_MAX)
		return scar_err_set(r->err, SCAR_ERR_LIMIT, "%s: more than %d entries", r->what,
				    ENTRIES_MAX);
	if (ini->count == ini->room) {
		size_t room = ini->room ? 2 * ini->room : 32;
		struct entry *more = realloc(ini->entries, room * sizeof(*more));

		if (!more)
			return scar_err_set(r->err, SCAR_ERR_NOMEM, "out of memory");
		ini->entries = more;
		ini->room = room;
	}
	ini->entries[ini->count++] = (struct entry){r->section, group, key, value};
	return 0;
}

/* Cuts white space off both ends. */
static char *trim(char *text)
{
	char *end;

	while (isspace((unsigned char)*text))
		text++;
	end = text + strlen(text);
	while (end > text && isspace((unsigned char)end[-1]))
		end--;
	*end = '\0';
	return text;
}

static int refuse(const struct reader *r, const char *why)
{
	return scar_err_set(r->err, SCAR_ERR_CONFIG, "%s, line %u: %s", r->what, r->line, why);
}

/* `profile  "a  name"` is section `profile a  name`: quotes go, and so does more than one space outside of them. */
static void unquote(char *text)
{
	char *to = text, quote = '\0';

	for (; *text; text++) {
		if (quote ? *text == quote : *text == '"' || *text == '\'')
			quote = quote ? '\0' : *text;
		else if (quote || !isspace((unsigned char)*text) ||
			 !isspace((unsigned char)text[1]))
			*to++ = *text;
	}
	*to = '\0';
}

static int read_section(struct reader *r, char *line)
{
	char *end = strrchr(line, ']');

	if (!end)
		return refuse(r, "a section without its ]");
	*end = '\0';
	line = trim(line + 1);
	unquote(line);
	if (!*line)
		return refuse(r, "a section without a name");
	r->section = line;
	r->group = NULL;
	r->has_key = false;
	return add(r, "", NULL, "");
}

static int read_pair(struct reader *r, char *line, bool below)
{
	char *equal = strchr(line, '=');
	char *key, *value;

	if (!r->section)
		return refuse(r, "a key before the first section");
	/* It goes on with the value above it; nothing here has more than one line. */
	if (below && !r->group)
		return 0;
	if (!equal)
		return refuse(r, "neither a section nor `key = value`");
	*equal = '\0';
	key = trim(line);
	value = trim(equal + 1);
	if (!*key)
		return refuse(r, "no key before the =");
	if (below)
		return add(r, r->group, key, value);
	for (char *c = key; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	r->group = *value ? NULL : key;
	r->has_key = true;
	return add(r, "", key, value);
}

static int read_line(struct reader *r, char *line)
{
	size_t indent = strspn(line, " \t");
	bool below = r->has_key && indent > r->indent;

	line = trim(line);
	if (!*line || *line == '#' || *line == ';')
		return 0;
	if (!below)
		r->indent = indent;
	if (*line == '[' && !below)
		return read_section(r, line);
	return read_pair(r, line, below);
}

static int read_all(struct reader *r)
{
	char *line = r->ini->text;

	/* A byte order mark, as some editors of Windows write it. */
	if (strncmp(line, "\xef\xbb\xbf", 3) == 0)
		line += 3;
	while (line) {
		char *end = strchr(line, '\n');

		if (end)
			*end = '\0';
		r->line++;
		if (read_line(r, line) < 0)
			return -1;
		line = end ? end + 1 : NULL;
	}
	return 0;
}

int scar_ini_parse(const char *text, size_t len, const char *what, struct scar_ini **ret_ini,
		   struct scar_err *err)
{
	scar_ini_auto struct scar_ini *ini = calloc(1, sizeof *ini);
	struct reader reader = {.ini = ini, .what = what, .err = err};

	if (len > BYTES_MAX)
		return scar_err_set(err, SCAR_ERR_LIMIT, "%s: more than %zu bytes", what,
				    BYTES_MAX);
	if (memchr(text, '\0', len))
		return scar_err_set(err, SCAR_ERR_CONFIG, "%s: not a text file", what);
	if (ini)
		ini->text = malloc(len + 1);
	if (!ini || !ini->text)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	memcpy(ini->text, text, len);
	ini->text[len] = '\0';
	if (read_all(&reader) < 0)
		return -1;
	*ret_ini = scar_steal(ini);
	return 0;
}

void scar_ini_free(struct scar_ini *ini)
{
	if (!ini)
		return;
	if (ini->text)
		explicit_bzero(ini->text, strlen(ini->text));
	free(ini->text);
	free(ini->entries);
	free(ini);
}

bool scar_ini_has(const struct scar_ini *ini, const char *section)
{
	for (size_t i = 0; ini && i < ini->count; i++) {
		if (strcmp(ini->entries[i].section, section) == 0)
			return true;
	}
	return false;
}

const char *scar_ini_get_below(const struct scar_ini *ini, const char *section, const char *group,
			       const char *key)
{
	for (size_t i = ini ? ini->count : 0; i > 0; i--) {
		const struct entry *entry = &ini->entries[i - 1];

		if (entry->key && strcmp(entry->key, key) == 0 &&
		    strcmp(entry->group, group) == 0 && strcmp(entry->section, section) == 0)
			return entry->value;
	}
	return NULL;
}

const char *scar_ini_get(const struct scar_ini *ini, const char *section, const char *key)
{
	return scar_ini_get_below(ini, section, "", key);
}

bool scar_ini_at(const struct scar_ini *ini, size_t number, const char **ret_section,
		 const char **ret_group, const char **ret_key, const char **ret_value)
{
	const struct entry *entry;

	if (number >= ini->count)
		return false;
	entry = &ini->entries[number];
	*ret_section = entry->section;
	*ret_group = entry->group;
	*ret_key = entry->key;
	*ret_value = entry->value;
	return true;
}
