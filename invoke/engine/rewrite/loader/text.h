/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file text.h
 * Executable file mappings of the guest: patched as they appear, forgotten as they go.
 */
#ifndef SCAR_INVOKE_ENGINE_REWRITE_LOADER_TEXT_H
#define SCAR_INVOKE_ENGINE_REWRITE_LOADER_TEXT_H

#include <stdbool.h>
#include <stdint.h>

struct scar_site_record;

/** [addr, addr + len) was just mapped with PROT_EXEC from fd at offset. @return 0 or -errno */
int scar_text_map(uint64_t addr, uint64_t len, int fd, uint64_t offset, int prot);

/** [addr, addr + len) is code that was just made executable, and readable. @return 0 or -errno */
int scar_text_protect(uint64_t addr, uint64_t len, int prot);

/** [addr, addr + len) is about to be unmapped or mapped over. */
void scar_text_unmap(uint64_t addr, uint64_t len);

/** Memory of the engine that the guest knows nothing of. */
struct scar_range {
	uint64_t start, end;
};

/** The lowest range of the engine's in [addr, addr + len) that stays even if all of that goes. */
bool scar_text_engine_range(uint64_t addr, uint64_t len, struct scar_range *ret_range);

/** True if the range touches patched text. */
int scar_text_touches(uint64_t addr, uint64_t len);

/** Trampoline of a site patched with ud2, or 0. */
uint64_t scar_text_trap(uint64_t addr);

/** The record of the trampoline that pc lies in, or NULL. */
const struct scar_site_record *scar_text_record(uint64_t pc);

#endif
