/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file baseline.h
 * Writes the baseline of a rootfs (runtime/base/baseline.h) when it is complete.
 */
#ifndef SCAR_EXTRACTOR_BASELINE_H
#define SCAR_EXTRACTOR_BASELINE_H

struct scar_err;

/**
 * Lists the tree below root_fd and writes the new file `name` below dirfd. Nobody may change the tree meanwhile. Directories
 * may lie deeper than there are descriptors.
 */
int scar_baseline_write(int root_fd, int dirfd, const char *name, struct scar_err *err);

#endif
