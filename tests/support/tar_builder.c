/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/tar_builder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 512

/* Offsets of the fields of a ustar header (POSIX.1-2017, pax, "ustar Interchange Format"). */
enum {
	NAME = 0,
	MODE = 100,
	UID = 108,
	GID = 116,
	SIZE = 124,
	MTIME = 136,
	CHECKSUM = 148,
	TYPE = 156,
	LINK = 157,
	MAGIC = 257,
	DEV_MAJOR = 329,
	DEV_MINOR = 337,
	PREFIX = 345
};

void tar_clear(struct tar_builder *tar)
{
	free(tar->data);
	*tar = (struct tar_builder){0};
}

void tar_raw(struct tar_builder *tar, const void *data, size_t len)
{
	if (tar->len + len > tar->room) {
		tar->room = (tar->len + len) * 2;
		tar->data = realloc(tar->data, tar->room);
		if (!tar->data)
			abort();
	}
	if (len > 0 && data)
		memcpy(tar->data + tar->len, data, len);
	else
		memset(tar->data + tar->len, 0, len);
	tar->len += len;
}

static void put_number(uint8_t *field, size_t width, uint64_t value)
{
	char text[32];
	size_t i;

	snprintf(text, sizeof text, "%0*llo", (int)width - 1, (unsigned long long)value);
	if (strlen(text) < width) {
		memcpy(field, text, width);
		return;
	}
	for (i = 0; i < width; i++)
		field[width - 1 - i] = i < sizeof value ? (uint8_t)(value >> (8 * i))
				       : (value >> 63)  ? 0xff
							: 0;
	field[0] = (value >> 63) ? 0xff : 0x80;
}

static void put_text(uint8_t *field, size_t width, const char *text)
{
	size_t len = text ? strlen(text) : 0;

	if (len > 0)
		memcpy(field, text, len < width ? len : width);
}

void tar_add(struct tar_builder *tar, const struct tar_member *member)
{
	uint8_t header[BLOCK] = {0};
	unsigned sum = 0;
	char text[16];
	size_t i;

	put_text(header + NAME, 100, member->name);
	put_number(header + MODE, 8, member->mode);
	put_number(header + UID, 8, member->uid);
	put_number(header + GID, 8, member->gid);
	put_number(header + SIZE, 12, member->size ? member->size : member->data_len);
	put_number(header + MTIME, 12, (uint64_t)member->mtime);
	header[TYPE] = member->type ? (uint8_t)member->type : '0';
	put_text(header + LINK, 100, member->link);
	memcpy(header + MAGIC, member->magic ? member->magic : "ustar\00000", 8);
	put_number(header + DEV_MAJOR, 8, member->dev_major);
	put_number(header + DEV_MINOR, 8, member->dev_minor);
	put_text(header + PREFIX, 155, member->prefix);
	memset(header + CHECKSUM, ' ', 8);
	for (i = 0; i < BLOCK; i++)
		sum += header[i];
	snprintf(text, sizeof text, "%06o", sum);
	memcpy(header + CHECKSUM, text, 7);
	tar_raw(tar, header, BLOCK);
	if (member->data_len > 0) {
		tar_raw(tar, member->data, member->data_len);
		tar_raw(tar, NULL, (BLOCK - member->data_len % BLOCK) % BLOCK);
	}
}

void tar_end(struct tar_builder *tar)
{
	tar_raw(tar, NULL, (size_t)2 * BLOCK);
}

void tar_file(struct tar_builder *tar, const char *name, const char *content)
{
	tar_add(tar,
		&(struct tar_member){
			.name = name, .mode = 0644, .data = content, .data_len = strlen(content)});
}

void tar_dir(struct tar_builder *tar, const char *name, unsigned mode)
{
	tar_add(tar, &(struct tar_member){.name = name, .type = '5', .mode = mode});
}

void tar_symlink(struct tar_builder *tar, const char *name, const char *target)
{
	tar_add(tar, &(struct tar_member){.name = name, .type = '2', .mode = 0777, .link = target});
}

void tar_hard_link(struct tar_builder *tar, const char *name, const char *target)
{
	tar_add(tar, &(struct tar_member){.name = name, .type = '1', .mode = 0644, .link = target});
}

void tar_pax(struct tar_builder *tar, char type, const char *key, const void *value, size_t len)
{
	/* "<length> <key>=<value>\n", where the length counts its own digits. */
	size_t rest = strlen(key) + len + 3, total = rest + 1;
	char *record;
	char digits[24];
	int n;

	while (n = snprintf(digits, sizeof digits, "%zu", total), rest + (size_t)n != total)
		total = rest + (size_t)n;
	record = malloc(total + 1);
	if (!record)
		abort();
	n = snprintf(record, total + 1, "%s %s=", digits, key);
	memcpy(record + n, value, len);
	record[total - 1] = '\n';
	tar_add(tar, &(struct tar_member){.name = "pax",
					  .type = type,
					  .mode = 0644,
					  .data = record,
					  .data_len = total});
	free(record);
}

void tar_long_name(struct tar_builder *tar, char type, const char *text)
{
	tar_add(tar, &(struct tar_member){.name = "././@LongLink",
					  .type = type,
					  .data = text,
					  .data_len = strlen(text) + 1});
}
