/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the upper layer of an image: decoder, tar reader and rootfs. Whatever they do, nothing beside the rootfs
 * changes.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "extractor/unpack.h"
#include "runtime/base/err.h"
#include "tests/support/rootfs_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void base_layer(struct fixture *fixture)
{
	struct tar_builder tar = {0};

	tar_file(&tar, "a/b/f", "lower");
	tar_symlink(&tar, "up", "../..");
	tar_symlink(&tar, "out", "../../outside");
	tar_symlink(&tar, "loop", "loop");
	tar_hard_link(&tar, "h", "a/b/f");
	tar_add(&tar, &(struct tar_member){.name = "o", .type = '5', .mode = 0500, .uid = 7});
	fixture_layer(fixture, &tar);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fixture fixture;

	fixture_init(&fixture);
	base_layer(&fixture);
	/* The bytes as they come, whatever they are: the diff ID is right only for a plain tar. */
	image_add(&fixture.image, data, size, SCAR_COMPRESSION_PLAIN);
	fixture_unpack(&fixture);
	if (!fixture_untouched(&fixture))
		abort();
	fixture_clear(&fixture);
	return 0;
}
