/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file deploy.h
 * Looks at what exists in AWS, and carries out a plan, one step after the other. Each step may be repeated: what was interrupted goes on with the
 * next apply.
 */
#ifndef SCAR_DEPLOYER_DEPLOY_H
#define SCAR_DEPLOYER_DEPLOY_H

#include "deployer/plan.h"

/** Only reads. `layer` is NULL for a package without. */
int scar_deploy_look(struct scar_session *session, const struct scar_target *target,
		     const struct scar_layer *layer, struct scar_found *ret_found,
		     struct scar_err *err);
/** Tells each change on stderr when it is done; `found` learns of what was made. */
int scar_deploy_run(struct scar_session *session, const struct scar_target *target,
		    const struct scar_layer *layer, struct scar_found *found,
		    const struct scar_plan *plan, struct scar_err *err);
/** "+ role NAME", "~ settings of NAME: memory 512 -> 1024". */
void scar_deploy_tell(const struct scar_session *session, const struct scar_step *step, bool dry);

#endif
