/* SPDX-License-Identifier: Apache-2.0 */
/* The table that is written, the file that is read, and the map below both. */
#include "extractor/owners.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/err.h"
#include "runtime/base/owners.h"
#include "tests/support/rootfs_fixture.h"

static struct scar_err err;

static void a_map_agrees_with_a_plain_array(void **state)
{
	enum { KEYS = 500 };
	static uint64_t expected[KEYS]; /* 0: absent */
	struct scar_inode_map map;
	uint32_t random = 1;
	size_t i, cursor = 0, seen = 0, present = 0;
	uint64_t key;
	void *value;

	(void)state;
	scar_inode_map_init(&map, sizeof(uint64_t));
	for (i = 0; i < 200000; i++) {
		size_t which;

		random = random * 1664525 + 1013904223;
		which = (random >> 8) % KEYS;
		/* Keys that are neighbours, and some far apart. */
		key = which % 2 ? which + 1 : (which + 1) << 40;
		if (random >> 31) {
			uint64_t *slot = scar_inode_map_put(&map, key, &err);

			assert_non_null(slot);
			assert_int_equal(*slot, expected[which]);
			*slot = expected[which] = i + 1;
		} else {
			scar_inode_map_remove(&map, key);
			expected[which] = 0;
		}
		which = (which * 7) % KEYS;
		value = scar_inode_map_get(&map, which % 2 ? which + 1 : (which + 1) << 40);
		assert_int_equal(value ? *(uint64_t *)value : 0, expected[which]);
	}
	while (scar_inode_map_next(&map, &cursor, &key, &value))
		seen++;
	for (i = 0; i < KEYS; i++)
		present += expected[i] != 0;
	assert_int_equal(seen, present);
	assert_int_equal(map.used, present);
	scar_inode_map_clear(&map);
}

static size_t write_and_read(const struct scar_owner_table *table, uint64_t *data, size_t size)
{
	char path[64], name[96];
	ssize_t len;
	int dirfd, fd;

	fixture_make_dir(path, sizeof path);
	dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (scar_owner_table_write(table, dirfd, "owners", &err) < 0)
		fail_msg("%s", err.msg);
	snprintf(name, sizeof name, "%s/owners", path);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	len = read(fd, data, size);
	assert_true(len > 0);
	close(fd);
	close(dirfd);
	fixture_remove_dir(path);
	return (size_t)len;
}

static void what_is_written_is_found(void **state)
{
	static uint64_t data[8192];
	struct scar_owner_table table;
	struct scar_owners owners = {0};
	size_t size;
	uint64_t i;

	(void)state;
	scar_owner_table_init(&table);
	for (i = 1; i <= 1000; i++) {
		const struct scar_owner owner = {
			.ino = i * 7919, .uid = (uint32_t)i, .mode = 0100600};

		assert_int_equal(scar_owner_table_set(&table, &owner, &err), 0);
	}
	scar_owner_table_forget(&table, 3 * 7919);
	scar_owner_table_forget(&table, 12345678);
	size = write_and_read(&table, data, sizeof data);
	assert_int_equal(scar_owners_check(data, size, &owners), 0);
	assert_int_equal(owners.count, 999);
	assert_null(scar_owners_find(&owners, 3 * 7919));
	assert_null(scar_owners_find(&owners, 0));
	assert_null(scar_owners_find(&owners, UINT64_MAX));
	for (i = 4; i <= 1000; i++)
		assert_int_equal(scar_owners_find(&owners, i * 7919)->uid, i);
	scar_owner_table_clear(&table);
}

static void no_owners_are_a_file_too(void **state)
{
	uint64_t data[16];
	struct scar_owner_table table;
	struct scar_owners owners = {0};
	size_t size;

	(void)state;
	scar_owner_table_init(&table);
	size = write_and_read(&table, data, sizeof data);
	assert_int_equal(scar_owners_check(data, size, &owners), 0);
	assert_int_equal(owners.count, 0);
	assert_null(scar_owners_find(&owners, 1));
}

static void other_files_are_refused(void **state)
{
	uint64_t data[10] = {0};
	struct scar_owners_header *header = (struct scar_owners_header *)data;
	struct scar_owners owners = {0};

	(void)state;
	memcpy(header->magic, SCAR_OWNERS_MAGIC, 8);
	header->record_size = 32;
	header->count = 2;
	assert_int_equal(scar_owners_check(data, 80, &owners), 0);
	assert_int_equal(scar_owners_check(data, 79, &owners), -1);
	assert_int_equal(scar_owners_check(data, 81, &owners), -1);
	assert_int_equal(scar_owners_check(data, 15, &owners), -1);
	assert_int_equal(scar_owners_check(data, 0, &owners), -1);
	header->count = UINT32_MAX;
	assert_int_equal(scar_owners_check(data, 80, &owners), -1);
	header->count = 2;
	header->record_size = 31;
	assert_int_equal(scar_owners_check(data, 80, &owners), -1);
	header->record_size = 32;
	header->magic[7] = '2';
	assert_int_equal(scar_owners_check(data, 80, &owners), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_map_agrees_with_a_plain_array),
		cmocka_unit_test(what_is_written_is_found),
		cmocka_unit_test(no_owners_are_a_file_too),
		cmocka_unit_test(other_files_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
