/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file prefetch.h
 * The image, pulled by a thread while Lambda initialises the function. Initialisation has ten seconds; a pull that takes longer goes on with the first
 * invocation, and where that ends too soon with the next, without starting over: the environment is only frozen in between.
 */
#ifndef SCAR_INVOKE_PREFETCH_H
#define SCAR_INVOKE_PREFETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/cleanup.h"

struct scar_err;
struct scar_images;
struct scar_invoke_config;
struct scar_prefetch;

/** Whether the settings ask for it: SCAR_PULL_AT. */
bool scar_prefetch_is_wanted(const struct scar_invoke_config *config);
/** Begins. Until scar_prefetch_end() `images` is the thread's alone. */
int scar_prefetch_start(struct scar_images *images, const char *reference,
			struct scar_prefetch **ret_prefetch, struct scar_err *err);
/** Waits for the end of the pull, good or bad, until then at most (epoch ms; 0: without end). @return whether it has come */
bool scar_prefetch_wait(struct scar_prefetch *prefetch, int64_t until_ms);
/** Gives up what is under way and frees. A pull that failed was logged; whoever wants the image next tries again. NULL is fine. */
void scar_prefetch_end(struct scar_prefetch *prefetch);

#endif
