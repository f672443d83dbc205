/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file suggest.h
 * Which of the words that are known somebody may have meant. Bounded: words are looked at up to 63 bytes.
 */
#ifndef SCAR_DEPLOYER_SUGGEST_H
#define SCAR_DEPLOYER_SUGGEST_H

/** Zero-initialise but for `word`. */
struct scar_suggestion {
	const char *word; /**< what was written; borrowed */
	const char *best; /**< the nearest so far, borrowed; NULL: none is near enough */
	unsigned distance;
};

/** Considers one known word: near is what a third of the letters, at least two, can be changed into. */
void scar_suggest_offer(struct scar_suggestion *suggestion, const char *known);
/** " (did you mean X?)" or "". @return text */
const char *scar_suggest_text(const struct scar_suggestion *suggestion, char text[96]);

#endif
