/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file jail_drop.h
 * The last act before the program is executed: another user, no capabilities, the filter.
 */
#ifndef SCAR_RUNTIME_EMULATOR_JAIL_DROP_H
#define SCAR_RUNTIME_EMULATOR_JAIL_DROP_H

struct scar_jail_filter;

/**
 * System calls only. The filter is loaded by CAP_SYS_ADMIN where there is one, so that the program's
 * no_new_privs stays what Lambda's is; else with no_new_privs set.
 * @return bits of enum scar_jail_missing that could not be had
 */
unsigned scar_jail_drop(const struct scar_jail_filter *filter);

#endif
