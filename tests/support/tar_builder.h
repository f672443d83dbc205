/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tar_builder.h
 * Writes tar bytes by hand, so that tests can say what no tar program would: any name, any type, any lie. Running out of
 * memory ends the test program.
 */
#ifndef SCAR_TESTS_SUPPORT_TAR_BUILDER_H
#define SCAR_TESTS_SUPPORT_TAR_BUILDER_H

#include <stddef.h>
#include <stdint.h>

struct tar_builder {
	uint8_t *data;
	size_t len, room;
};

/** A header; zero means 0, "" or, for type, '0'. */
struct tar_member {
	const char *name; /**< at most 100 bytes, else use tar_long_name() or tar_pax() before it */
	const char *prefix; /**< of ustar */
	char type;
	unsigned mode;
	uint64_t uid, gid; /**< base-256 when too large for octal */
	int64_t mtime;
	const char *link;
	const void *data;
	size_t data_len;
	uint64_t size; /**< what the header says when it is not data_len */
	unsigned dev_major, dev_minor;
	const char *magic; /**< 8 bytes; NULL: "ustar\0" "00" */
};

void tar_clear(struct tar_builder *tar);
void tar_add(struct tar_builder *tar, const struct tar_member *member);
/** The two zero blocks. */
void tar_end(struct tar_builder *tar);
void tar_raw(struct tar_builder *tar, const void *data, size_t len);

void tar_file(struct tar_builder *tar, const char *name, const char *content);
void tar_dir(struct tar_builder *tar, const char *name, unsigned mode);
void tar_symlink(struct tar_builder *tar, const char *name, const char *target);
void tar_hard_link(struct tar_builder *tar, const char *name, const char *target);
/** A pax header ('x') or global one ('g') of one record, for the next member. */
void tar_pax(struct tar_builder *tar, char type, const char *key, const void *value, size_t len);
/** GNU 'L' (name) or 'K' (link), for the next member. */
void tar_long_name(struct tar_builder *tar, char type, const char *text);

#endif
