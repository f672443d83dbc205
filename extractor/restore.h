/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file restore.h
 * Puts a rootfs back as its baseline has it, after a guest (runtime/base/baseline.h).
 *
 * Only marked directories are looked at; what is not the image's goes, what is missing or moved comes back from `keep/`,
 * modes and times are set again. It may be killed at any point and run again. No guest may run meanwhile.
 */
#ifndef SCAR_EXTRACTOR_RESTORE_H
#define SCAR_EXTRACTOR_RESTORE_H

#include <stdint.h>

struct scar_err;

struct scar_restore_result {
	uint32_t directories; /**< looked at */
	uint32_t removed;     /**< names that were not the image's */
	uint32_t returned;    /**< files and directories that came back */
	uint32_t corrected;   /**< modes or times */
};

/**
 * Restores the rootfs `fs_name` below entry_fd by the baseline there. Without marks it is one read(2).
 * @return 0; -1 with SCAR_ERR_INTEGRITY if it cannot be done: the image has to be dropped
 */
int scar_restore(int entry_fd, const char *fs_name, struct scar_restore_result *ret_result,
		 struct scar_err *err);

#endif
