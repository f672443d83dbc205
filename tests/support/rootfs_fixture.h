/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file rootfs_fixture.h
 * Unpacks images made of tar builders into a fresh directory and looks at the result. Beside the rootfs lies a
 * file and a directory that no layer may touch; fixture_untouched() says so.
 *
 *   <base>/secret, <base>/outside/secret, <base>/work/fs, <base>/work/owners
 */
#ifndef SCAR_TESTS_SUPPORT_ROOTFS_FIXTURE_H
#define SCAR_TESTS_SUPPORT_ROOTFS_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "extractor/unpack.h"
#include "runtime/base/err.h"
#include "runtime/base/owners.h"
#include "tests/support/image_builder.h"
#include "tests/support/tar_builder.h"

struct fixture {
	struct image_builder image;
	char base[64];
	int work_fd; /**< <base>/work */
	int root_fd; /**< <base>/work/fs; -1 before fixture_unpack() */
	struct scar_unpack_result result;
	struct scar_err err;
	void *owners_data;
	size_t owners_size;
};

/** A directory for tests below /dev/shm or $TMPDIR or /tmp; path gets its name. */
void fixture_make_dir(char *path, size_t size);
void fixture_remove_dir(const char *path);

void fixture_init(struct fixture *fixture);
void fixture_clear(struct fixture *fixture);
/** Ends the tar and makes it the next layer. */
void fixture_layer(struct fixture *fixture, struct tar_builder *tar);
/** @return what scar_unpack_image() did; fixture->err has the error */
int fixture_unpack(struct fixture *fixture);
/** The same, and fails the test with the error's text if it does. */
void fixture_must_unpack(struct fixture *fixture);

bool fixture_exists(const struct fixture *fixture, const char *path);
/** lstat; fails the test if absent. */
struct stat fixture_stat(const struct fixture *fixture, const char *path);
/** True if it is a regular file with that content. */
bool fixture_holds(const struct fixture *fixture, const char *path, const char *content);
bool fixture_links_to(const struct fixture *fixture, const char *path, const char *target);
/** Owner record of the file, or NULL. */
const struct scar_owner *fixture_owner(struct fixture *fixture, const char *path);
/** Nothing outside the rootfs was touched. */
bool fixture_untouched(const struct fixture *fixture);

#endif
