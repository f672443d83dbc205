/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file prepare.h
 * From an engine spec to what every engine needs: binds with their mount points, identity, the
 * program found in PATH, the working directory.
 */
#ifndef SCAR_INVOKE_ENGINE_PREPARE_H
#define SCAR_INVOKE_ENGINE_PREPARE_H

#include <limits.h>

#include "invoke/engine/engine.h"
#include "invoke/engine/guest/config.h"
#include "invoke/engine/guest/undo.h"

struct scar_err;

/** A start made ready; large, so on the heap. */
struct scar_prepared {
	struct scar_guest guest;
	char root[PATH_MAX], state_dir[PATH_MAX], undo_dir[PATH_MAX];
	struct scar_undo undo;             /**< mapped when first needed: header is not NULL then */
	char *hosts[SCAR_GUEST_BINDS_MAX]; /**< resolved host paths of the binds; owned */
	size_t host_count;
	char program[SCAR_GUEST_PATH_MAX]; /**< guest path of argv[0] */
	char cwd[SCAR_GUEST_PATH_MAX];     /**< guest path */
	char cwd_host[SCAR_GUEST_ROOT_MAX + SCAR_GUEST_PATH_MAX];
};

/** Fills *p, making directories in the state directory and the rootfs where needed. */
int scar_prepare(struct scar_prepared *p, const struct scar_engine_spec *spec,
		 struct scar_err *err);
/** Maps p->undo if there is a baseline. @return 0 */
int scar_prepare_undo(struct scar_prepared *p, struct scar_err *err);
void scar_prepared_clear(struct scar_prepared *p);

#endif
