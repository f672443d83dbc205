/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/suggest.h"

#include <stdio.h>
#include <string.h>

#define WORD_MAX 63

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned least = a < b ? a : b;

	return least < c ? least : c;
}

/* Levenshtein's distance, one row at a time. */
static unsigned distance(const char *a, const char *b)
{
	size_t a_len = strnlen(a, WORD_MAX);
	size_t b_len = strnlen(b, WORD_MAX);
	unsigned row[WORD_MAX + 1];

	for (size_t j = 0; j <= b_len; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned corner = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned above = row[j];

			row[j] = min3(above + 1, row[j - 1] + 1, corner + (a[i - 1] != b[j - 1]));
			corner = above;
		}
	}
	return row[b_len];
}

void scar_suggest_offer(struct scar_suggestion *suggestion, const char *known)
{
	size_t len = strnlen(suggestion->word, WORD_MAX);
	unsigned near = len / 3 > 2 ? (unsigned)(len / 3) : 2;
	unsigned found = distance(suggestion->word, known);

	if (found > near || found >= len || (suggestion->best && found >= suggestion->distance))
		return;
	suggestion->best = known;
	suggestion->distance = found;
}

const char *scar_suggest_text(const struct scar_suggestion *suggestion, char text[96])
{
	text[0] = '\0';
	if (suggestion->best)
		snprintf(text, 96, " (did you mean %s?)", suggestion->best);
	return text;
}
