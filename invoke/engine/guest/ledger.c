/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/guest/ledger.h"

/* Bytes that a slot takes eight times. */
#define EIGHT_SLOTS (8 * sizeof(struct scar_ledger_entry) + 1)

size_t scar_ledger_size(size_t records)
{
	size_t slots = SCAR_LEDGER_SLOTS_MIN;

	while (slots < records * 4)
		slots *= 2;
	return sizeof(struct scar_ledger) + slots * sizeof(struct scar_ledger_entry) + slots / 8;
}

void scar_ledger_init(struct scar_ledger *ledger, uint64_t dev, size_t size)
{
	ledger->dev = dev;
	ledger->slots = (uint32_t)((size - sizeof(*ledger)) / EIGHT_SLOTS * 8);
	ledger->claimed = 0;
	ledger->magic = SCAR_LEDGER_MAGIC;
}

int scar_ledger_is_valid(const struct scar_ledger *ledger, size_t size)
{
	return size >= sizeof(*ledger) && ledger->magic == SCAR_LEDGER_MAGIC &&
	       ledger->slots >= 64 && (ledger->slots & (ledger->slots - 1)) == 0 &&
	       (size - sizeof(*ledger)) / EIGHT_SLOTS >= ledger->slots / 8;
}

static uint32_t home_of(const struct scar_ledger *ledger, uint64_t ino)
{
	return (uint32_t)((ino * 0x9e3779b97f4a7c15ull) >> 32) & (ledger->slots - 1);
}

/* The slot that holds the inode, or the free one where it would go, or NULL in a full table. */
static struct scar_ledger_entry *slot_of(struct scar_ledger *ledger, uint64_t ino)
{
	struct scar_ledger_entry *entries = (struct scar_ledger_entry *)(ledger->begins +
									 ledger->slots / 64);
	uint32_t mask = ledger->slots - 1, at = home_of(ledger, ino);

	for (uint32_t i = 0; i <= mask; i++, at = (at + 1) & mask) {
		uint64_t held = __atomic_load_n(&entries[at].ino, __ATOMIC_ACQUIRE);

		if (held == ino || held == 0)
			return &entries[at];
	}
	return NULL;
}

struct scar_ledger_entry *scar_ledger_find(struct scar_ledger *ledger, uint64_t ino)
{
	uint32_t home = home_of(ledger, ino);
	struct scar_ledger_entry *entry;

	if (!(__atomic_load_n(&ledger->begins[home / 64], __ATOMIC_ACQUIRE) >> home % 64 & 1))
		return NULL;
	entry = slot_of(ledger, ino);
	return entry && entry->ino == ino && __atomic_load_n(&entry->flags, __ATOMIC_ACQUIRE)
		       ? entry
		       : NULL;
}

struct scar_ledger_entry *scar_ledger_claim(struct scar_ledger *ledger, uint64_t ino)
{
	uint32_t home = home_of(ledger, ino);

	/* Before there is anything to be found. */
	__atomic_or_fetch(&ledger->begins[home / 64], 1ull << home % 64, __ATOMIC_RELEASE);
	for (;;) {
		struct scar_ledger_entry *entry = slot_of(ledger, ino);
		uint64_t empty = 0;

		if (!entry || entry->ino == ino)
			return entry;
		if (__atomic_load_n(&ledger->claimed, __ATOMIC_RELAXED) >= ledger->slots / 4 * 3)
			return NULL;
		/* Another process may take the slot for another inode: look again then. */
		if (__atomic_compare_exchange_n(&entry->ino, &empty, ino, 0, __ATOMIC_ACQ_REL,
						__ATOMIC_ACQUIRE)) {
			__atomic_add_fetch(&ledger->claimed, 1, __ATOMIC_RELAXED);
			return entry;
		}
	}
}

void scar_ledger_forget(struct scar_ledger *ledger, uint64_t ino)
{
	struct scar_ledger_entry *entry = scar_ledger_find(ledger, ino);

	if (entry)
		__atomic_store_n(&entry->flags, 0, __ATOMIC_RELEASE);
}
