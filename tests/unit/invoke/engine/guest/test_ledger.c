/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "invoke/engine/guest/ledger.h"

static struct scar_ledger *make(size_t *ret_size)
{
	size_t size = scar_ledger_size(0);
	struct scar_ledger *ledger = calloc(1, size);

	assert_non_null(ledger);
	scar_ledger_init(ledger, 7, size);
	if (ret_size)
		*ret_size = size;
	return ledger;
}

static void what_is_claimed_is_found_once_it_has_flags(void **state)
{
	struct scar_ledger *ledger = make(NULL);
	struct scar_ledger_entry *entry = scar_ledger_claim(ledger, 42);

	(void)state;
	assert_non_null(entry);
	assert_null(scar_ledger_find(ledger, 42));
	entry->uid = 5;
	entry->flags = SCAR_LEDGER_OWNER;
	assert_ptr_equal(scar_ledger_find(ledger, 42), entry);
	assert_ptr_equal(scar_ledger_claim(ledger, 42), entry);
	assert_null(scar_ledger_find(ledger, 43));
	free(ledger);
}

static void a_forgotten_inode_is_unknown_and_its_slot_is_used_again(void **state)
{
	struct scar_ledger *ledger = make(NULL);
	struct scar_ledger_entry *entry = scar_ledger_claim(ledger, 42);

	(void)state;
	entry->flags = SCAR_LEDGER_OWNER;
	scar_ledger_forget(ledger, 42);
	scar_ledger_forget(ledger, 99);
	assert_null(scar_ledger_find(ledger, 42));
	assert_ptr_equal(scar_ledger_claim(ledger, 42), entry);
	assert_int_equal(ledger->claimed, 1);
	free(ledger);
}

static void many_inodes_are_kept_apart_until_it_is_three_quarters_full(void **state)
{
	struct scar_ledger *ledger = make(NULL);
	uint64_t ino = 1;
	struct scar_ledger_entry *entry;

	(void)state;
	while ((entry = scar_ledger_claim(ledger, ino * 4096)) != NULL) {
		entry->uid = (uint32_t)ino++;
		entry->flags = SCAR_LEDGER_OWNER;
	}
	assert_int_equal(ino - 1, SCAR_LEDGER_SLOTS_MIN / 4 * 3);
	for (uint64_t i = 1; i < ino; i++)
		assert_int_equal(scar_ledger_find(ledger, i * 4096)->uid, i);
	free(ledger);
}

static void of_most_files_nothing_but_a_bit_is_looked_at(void **state)
{
	struct scar_ledger *ledger = make(NULL);
	struct scar_ledger_entry *slots = (struct scar_ledger_entry *)(ledger->begins +
								       ledger->slots / 64);
	unsigned found = 0;

	(void)state;
	/* Entries that nobody claimed: seen only by a search that did not need to begin. */
	for (uint32_t i = 0; i < ledger->slots; i++)
		slots[i] = (struct scar_ledger_entry){.ino = i + 1, .flags = SCAR_LEDGER_OWNER};
	for (uint64_t ino = 1; ino <= 10000; ino++)
		found += scar_ledger_find(ledger, ino) != NULL;
	assert_int_equal(found, 0);
	free(ledger);
}

static void a_large_image_gets_more_slots(void **state)
{
	(void)state;
	assert_true(scar_ledger_size(100000) >= 400000 * sizeof(struct scar_ledger_entry));
}

static void other_bytes_are_no_ledger(void **state)
{
	size_t size;
	struct scar_ledger *ledger = make(&size);

	(void)state;
	assert_true(scar_ledger_is_valid(ledger, size));
	assert_false(scar_ledger_is_valid(ledger, size - 1));
	assert_false(scar_ledger_is_valid(ledger, 8));
	ledger->slots = 3;
	assert_false(scar_ledger_is_valid(ledger, size));
	ledger->slots = 4;
	ledger->magic++;
	assert_false(scar_ledger_is_valid(ledger, size));
	free(ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_claimed_is_found_once_it_has_flags),
		cmocka_unit_test(a_forgotten_inode_is_unknown_and_its_slot_is_used_again),
		cmocka_unit_test(many_inodes_are_kept_apart_until_it_is_three_quarters_full),
		cmocka_unit_test(of_most_files_nothing_but_a_bit_is_looked_at),
		cmocka_unit_test(a_large_image_gets_more_slots),
		cmocka_unit_test(other_bytes_are_no_ledger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
