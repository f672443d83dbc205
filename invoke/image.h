/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file image.h
 * From an image reference to an unpacked image in the store.
 *
 * What a reference means is asked of the registry once and remembered for the life of the process, tags too: a warm invocation makes
 * no network request. A failure forgets it, so that the next invocation asks anew. An image that has left the store
 * meanwhile is pulled again.
 */
#ifndef SCAR_INVOKE_IMAGE_H
#define SCAR_INVOKE_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/cleanup.h"

struct scar_err;
struct scar_image;
struct scar_images;
struct scar_invoke_config;
struct scar_store_entry;

/** An image in use: the store keeps it until scar_image_use_end(). */
struct scar_image_use {
	const struct scar_image *image; /**< borrowed: valid until the next get */
	struct scar_store_entry *entry;
};

/** Opens the store; `config` is borrowed. */
int scar_images_open(const struct scar_invoke_config *config, struct scar_images **ret_images,
		     struct scar_err *err);
/** NULL is fine. No image may be in use. */
void scar_images_close(struct scar_images *images);

/**
 * Resolves `reference` and pulls what the store lacks. deadline_ms: epoch ms at which a pull is given up with SCAR_ERR_TIMEOUT; 0: never.
 * Else fails with whatever registry/client.h and extractor/store.h say; the text names the reference. Logs what was done.
 */
int scar_images_get(struct scar_images *images, const char *reference, int64_t deadline_ms,
		    struct scar_image_use *ret_use, struct scar_err *err);
/** From another thread: the get that is under way ends with SCAR_ERR_INTERRUPTED. */
void scar_images_cancel(struct scar_images *images);
/** All zero is fine. */
void scar_image_use_end(struct scar_image_use *use);

/** Whether the image brings files in its /tmp. */
bool scar_image_use_has_tmp(const struct scar_image_use *use);

#define scar_image_use_auto scar_auto(scar_image_use_end)

#endif
