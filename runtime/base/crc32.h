/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file crc32.h
 * The check sum of IEEE 802.3, as zlib has it: reflected, polynomial 0xedb88320. For event streams, which sum up headers and messages.
 */
#ifndef SCAR_RUNTIME_BASE_CRC32_H
#define SCAR_RUNTIME_BASE_CRC32_H

#include <stddef.h>
#include <stdint.h>

uint32_t scar_crc32(const void *data, size_t len);

#endif
