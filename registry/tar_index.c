/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/tar_index.h"

#include <stdbool.h>
#include <string.h>

#include "registry/bytes.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

#define BLOCK 512
/* Three members and a directory for each layer, and some. */
#define MEMBERS_MAX 16384
#define PAX_BYTES_MAX SCAR_KIB(64)
#define LINKS_MAX 8

/** The header of POSIX ustar (pax(1), "ustar Interchange Format"). */
struct header {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char checksum[8];
	char type;
	char linkname[100];
	char magic[6];
	char version[2];
	char uname[32];
	char gname[32];
	char devmajor[8];
	char devminor[8];
	char prefix[155];
	char pad[12];
};

_Static_assert(sizeof(struct header) == BLOCK, "a tar header is one block");

struct reader {
	struct scar_bytes *bytes;
	uint64_t at;
	uint64_t end;
	/* What extended headers say of the next member; "" and has_size false where they do not. */
	struct scar_buf name;
	struct scar_buf target;
	bool has_size;
	uint64_t size;
};

static int read_at(const struct reader *reader, uint64_t offset, void *data, size_t len,
		   struct scar_err *err)
{
	return scar_bytes_read(reader->bytes, offset, data, len, err);
}

/** Octal digits with spaces around, or the base-256 form of GNU and star. @return -1 if neither */
static int parse_number(const char *field, size_t len, uint64_t *ret_value)
{
	uint64_t value = 0;
	size_t i = 0;

	if ((unsigned char)field[0] == 0x80) {
		for (i = 1; i < len; i++) {
			if (value >> 55)
				return -1;
			value = value << 8 | (unsigned char)field[i];
		}
		*ret_value = value;
		return 0;
	}
	while (i < len && field[i] == ' ')
		i++;
	for (; i < len && field[i] >= '0' && field[i] <= '7'; i++) {
		if (value >> 60)
			return -1;
		value = value << 3 | (uint64_t)(field[i] - '0');
	}
	if (i < len && field[i] != ' ' && field[i] != '\0')
		return -1;
	*ret_value = value;
	return 0;
}

static bool checksum_ok(const struct header *header)
{
	const unsigned char *bytes = (const unsigned char *)header;
	size_t first = offsetof(struct header, checksum);
	uint64_t want, sum = 0;

	if (parse_number(header->checksum, sizeof(header->checksum), &want) < 0)
		return false;
	for (size_t i = 0; i < BLOCK; i++)
		sum += i >= first && i < first + sizeof(header->checksum) ? ' ' : bytes[i];
	return sum == want;
}

static bool is_zero(const struct header *header)
{
	const char *bytes = (const char *)header;

	for (size_t i = 0; i < BLOCK; i++) {
		if (bytes[i])
			return false;
	}
	return true;
}

/* ---- names ---- */

/** Appends a path's parts, taking "." and ".." away; ".." stops at the root. */
static int append_normal(struct scar_buf *path, const char *text, struct scar_err *err)
{
	while (*text) {
		size_t len = strcspn(text, "/");

		if (len == 2 && memcmp(text, "..", 2) == 0) {
			const char *slash = memrchr(path->data, '/', path->len);

			path->len = slash ? (size_t)(slash - path->data) : 0;
		} else if (len && !(len == 1 && text[0] == '.')) {
			if ((path->len && scar_buf_append_char(path, '/', err) < 0) ||
			    scar_buf_append(path, text, len, err) < 0)
				return -1;
		}
		text += len;
		while (*text == '/')
			text++;
	}
	return 0;
}

/** The normal form of text, below the folder of `base` unless that is NULL. */
static int normalise(const char *base, const char *text, char **ret_path, struct scar_err *err)
{
	scar_buf_auto struct scar_buf path;

	scar_buf_init(&path, (size_t)2 * SCAR_LIMIT_PATH_BYTES);
	if (base && text[0] != '/') {
		const char *slash = strrchr(base, '/');

		if (slash && scar_buf_append(&path, base, (size_t)(slash - base), err) < 0)
			return -1;
	}
	if (append_normal(&path, text, err) < 0)
		return -1;
	*ret_path = strndup(path.data, path.len);
	return *ret_path ? 0 : scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
}

/** The member's name: of an extended header, else prefix and name of its own. */
static int member_name(const struct reader *reader, const struct header *header,
		       struct scar_buf *name, struct scar_err *err)
{
	if (reader->name.len)
		return scar_buf_append(name, reader->name.data, reader->name.len, err);
	/* GNU's old magic "ustar " keeps times where POSIX has the prefix. */
	if (memcmp(header->magic, "ustar", sizeof(header->magic)) == 0 && header->prefix[0]) {
		if (scar_buf_append(name, header->prefix,
				    strnlen(header->prefix, sizeof(header->prefix)), err) < 0 ||
		    scar_buf_append_char(name, '/', err) < 0)
			return -1;
	}
	return scar_buf_append(name, header->name, strnlen(header->name, sizeof(header->name)),
			       err);
}

static int member_target(const struct reader *reader, const struct header *header, const char *name,
			 char **ret_target, struct scar_err *err)
{
	char linkname[sizeof(header->linkname) + 1];
	const char *text = reader->target.data;

	if (!reader->target.len) {
		memcpy(linkname, header->linkname, sizeof(header->linkname));
		linkname[sizeof(header->linkname)] = '\0';
		text = linkname;
	}
	/* A hard link names its target from the root, a symbolic one from its own folder. */
	return normalise(header->type == '2' ? name : NULL, text, ret_target, err);
}

/* ---- members ---- */

static int grow(struct scar_tar_index *index, struct scar_err *err)
{
	size_t capacity = index->capacity ? index->capacity * 2 : 64;
	struct scar_tar_member *members;

	if (index->count < index->capacity)
		return 0;
	if (index->count >= MEMBERS_MAX)
		return scar_err_set(err, SCAR_ERR_LIMIT, "the archive has more than %d members",
				    MEMBERS_MAX);
	members = reallocarray(index->members, capacity, sizeof(*members));
	if (!members)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	index->members = members;
	index->capacity = capacity;
	return 0;
}

static int add_member(const struct reader *reader, const struct header *header, uint64_t size,
		      struct scar_tar_index *index, struct scar_err *err)
{
	bool is_link = header->type == '1' || header->type == '2';
	bool is_file = header->type == '0' || header->type == '\0' || header->type == '7';
	struct scar_tar_member member = {.first_byte = reader->at, .size_bytes = size};
	scar_buf_auto struct scar_buf name;

	scar_buf_init(&name, SCAR_LIMIT_PATH_BYTES);
	if (!is_link && !is_file)
		return 0;
	if (grow(index, err) < 0 || member_name(reader, header, &name, err) < 0 ||
	    normalise(NULL, name.data, &member.name, err) < 0)
		return -1;
	if (is_link && member_target(reader, header, member.name, &member.target, err) < 0) {
		free(member.name);
		return -1;
	}
	index->members[index->count++] = member;
	return 0;
}

/* ---- extended headers ---- */

static int take_pax_record(struct reader *reader, const char *key, const char *value, size_t len,
			   struct scar_err *err)
{
	struct scar_buf *text = NULL;

	if (strcmp(key, "path") == 0)
		text = &reader->name;
	else if (strcmp(key, "linkpath") == 0)
		text = &reader->target;
	else if (strcmp(key, "size") == 0) {
		uint64_t size = 0;

		for (size_t i = 0; i < len; i++) {
			if (value[i] < '0' || value[i] > '9' || size > UINT64_MAX / 16)
				return scar_err_set(err, SCAR_ERR_IMAGE,
						    "a size in the archive is no number");
			size = size * 10 + (uint64_t)(value[i] - '0');
		}
		reader->has_size = true;
		reader->size = size;
	}
	if (!text)
		return 0;
	scar_buf_reset(text);
	return scar_buf_append(text, value, len, err);
}

/** Records are "<length> <key>=<value>\n", the length that of the whole record (pax(1)). */
static int take_pax(struct reader *reader, char *text, size_t len, struct scar_err *err)
{
	while (len) {
		size_t record = 0, digits = 0;
		char *key, *equals;

		while (digits < len && digits < 6 && text[digits] >= '0' && text[digits] <= '9')
			record = record * 10 + (size_t)(text[digits++] - '0');
		if (!digits || digits >= len || text[digits] != ' ' || record > len ||
		    record < digits + 4 || text[record - 1] != '\n')
			return scar_err_set(err, SCAR_ERR_IMAGE,
					    "a pax header of the archive is damaged");
		key = text + digits + 1;
		equals = memchr(key, '=', record - digits - 2);
		if (!equals)
			return scar_err_set(err, SCAR_ERR_IMAGE,
					    "a pax header of the archive is damaged");
		*equals = '\0';
		if (take_pax_record(reader, key, equals + 1,
				    (size_t)(text + record - 1 - (equals + 1)), err) < 0)
			return -1;
		text += record;
		len -= record;
	}
	return 0;
}

static int take_extended(struct reader *reader, char type, uint64_t size, struct scar_err *err)
{
	struct scar_buf *name = type == 'L' ? &reader->name : &reader->target;
	scar_free_auto char *text = NULL;

	if (size > PAX_BYTES_MAX)
		return scar_err_set(err, SCAR_ERR_LIMIT,
				    "an extended header of the archive is larger than %zu bytes",
				    PAX_BYTES_MAX);
	text = calloc(1, (size_t)size + 1);
	if (!text)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	if (read_at(reader, reader->at, text, (size_t)size, err) < 0)
		return -1;
	if (type == 'x')
		return take_pax(reader, text, (size_t)size, err);
	scar_buf_reset(name);
	return scar_buf_append_str(name, text, err);
}

static void forget_extended(struct reader *reader)
{
	scar_buf_reset(&reader->name);
	scar_buf_reset(&reader->target);
	reader->has_size = false;
}

/* ---- the whole ---- */

static int refuse_format(const struct reader *reader, const struct header *header,
			 struct scar_err *err)
{
	const unsigned char *magic = (const unsigned char *)header;

	if (reader->at > BLOCK)
		return scar_err_set(err, SCAR_ERR_IMAGE, "the archive is damaged at byte %llu",
				    (unsigned long long)reader->at);
	if (memcmp(magic, "BZh", 3) == 0 || memcmp(magic,
						   "\xfd"
						   "7zXZ",
						   5) == 0)
		return scar_err_set(
			err, SCAR_ERR_UNSUPPORTED,
			"the archive is compressed with bzip2 or xz: give it uncompressed, or with "
			"gzip or zstd");
	return scar_err_set(err, SCAR_ERR_IMAGE, "it is not a tar file");
}

static int read_member(struct reader *reader, const struct header *header,
		       struct scar_tar_index *index, struct scar_err *err)
{
	bool is_extended = header->type == 'x' || header->type == 'L' || header->type == 'K';
	bool has_data = header->type != '1' && header->type != '2';
	uint64_t size = 0, padded;

	if (parse_number(header->size, sizeof(header->size), &size) < 0)
		return scar_err_set(err, SCAR_ERR_IMAGE, "a size in the archive is no number");
	if (reader->has_size && !is_extended)
		size = reader->size;
	/* Links have none; some writers repeat the size of their target. */
	if (!has_data)
		size = 0;
	if (size > reader->end - reader->at)
		return scar_err_set(err, SCAR_ERR_IMAGE, "the archive is cut short");
	if (is_extended) {
		if (take_extended(reader, header->type, size, err) < 0)
			return -1;
	} else {
		if (header->type != 'g' && add_member(reader, header, size, index, err) < 0)
			return -1;
		if (header->type != 'g')
			forget_extended(reader);
	}
	padded = (size + BLOCK - 1) / BLOCK * BLOCK;
	reader->at = padded > reader->end - reader->at ? reader->end : reader->at + padded;
	return 0;
}

static int read_members(struct reader *reader, struct scar_tar_index *index, struct scar_err *err)
{
	struct header header;

	/* The end is two zero blocks; one, or none at all, is taken for it as well. */
	while (reader->end - reader->at >= BLOCK) {
		if (read_at(reader, reader->at, &header, sizeof(header), err) < 0)
			return -1;
		if (is_zero(&header))
			break;
		reader->at += BLOCK;
		if (!checksum_ok(&header))
			return refuse_format(reader, &header, err);
		if (read_member(reader, &header, index, err) < 0)
			return -1;
	}
	return index->count ? 0 : scar_err_set(err, SCAR_ERR_IMAGE, "it is not a tar file");
}

int scar_tar_index_read(struct scar_bytes *bytes, struct scar_tar_index *ret_index,
			struct scar_err *err)
{
	scar_tar_index_auto struct scar_tar_index index = {.members = NULL};
	struct reader reader = {.bytes = bytes, .end = scar_bytes_size(bytes)};
	int result;

	scar_buf_init(&reader.name, SCAR_LIMIT_PATH_BYTES);
	scar_buf_init(&reader.target, SCAR_LIMIT_PATH_BYTES);
	result = read_members(&reader, &index, err);
	scar_buf_clear(&reader.name);
	scar_buf_clear(&reader.target);
	if (result < 0)
		return -1;
	*ret_index = index;
	memset(&index, 0, sizeof(index));
	return 0;
}

void scar_tar_index_clear(struct scar_tar_index *index)
{
	for (size_t i = 0; i < index->count; i++) {
		free(index->members[i].name);
		free(index->members[i].target);
	}
	free(index->members);
	memset(index, 0, sizeof(*index));
}

const struct scar_tar_member *scar_tar_index_find(const struct scar_tar_index *index,
						  const char *name)
{
	while (*name == '/' || strncmp(name, "./", 2) == 0)
		name += *name == '/' ? 1 : 2;
	for (unsigned links = 0; links <= LINKS_MAX; links++) {
		const struct scar_tar_member *found = NULL;

		for (size_t i = index->count; i > 0 && !found; i--) {
			if (strcmp(index->members[i - 1].name, name) == 0)
				found = &index->members[i - 1];
		}
		if (!found || !found->target)
			return found;
		name = found->target;
	}
	return NULL;
}
