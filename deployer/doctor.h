/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file doctor.h
 * `scar doctor`: what is possible on this machine, and why the rest is not.
 *
 * Everything is tried, nothing is guessed from versions; each trial is undone or in a child.
 * @return 0 if images can be run here, EX_UNAVAILABLE if no engine works, EX_USAGE
 */
#ifndef SCAR_DEPLOYER_DOCTOR_H
#define SCAR_DEPLOYER_DOCTOR_H

int scar_doctor_command(char **args, char **environment);

#endif
