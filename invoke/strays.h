/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file strays.h
 * Processes of an invocation that left its process group (setsid(2), a daemon) and so survive the kill of the group. They are told by a
 * variable of their environment, since where orphans go cannot be changed in Lambda. One that also dropped its environment is not
 * found.
 */
#ifndef SCAR_INVOKE_STRAYS_H
#define SCAR_INVOKE_STRAYS_H

#include <stddef.h>

/**
 * Kills (SIGKILL) the processes of this user that were started with `marker` ("NAME=value") in their environment, this one never. Looks
 * again until none is left, a few times. Without /proc it does nothing. @return how many signals were sent
 */
size_t scar_strays_kill(const char *marker);

#endif
