/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file ledger_file.h
 * Makes the file of a guest's ledger before the guest starts.
 */
#ifndef SCAR_INVOKE_ENGINE_REWRITE_LEDGER_FILE_H
#define SCAR_INVOKE_ENGINE_REWRITE_LEDGER_FILE_H

#include <stdint.h>

struct scar_err;

/**
 * Writes "<state_dir>/owners-<number>" for files of the device that holds root_fd, filled
 * from the extractor's file at owners_path (NULL: empty). The file of an earlier start of this
 * process is replaced; processes that still map it keep theirs.
 * @param ret_number  the number, never 0
 */
int scar_ledger_file_create(const char *state_dir, int root_fd, const char *owners_path,
			    uint32_t *ret_number, struct scar_err *err);

#endif
