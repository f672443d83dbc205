/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file timeline.h
 * Whether an invocation's caller wants to know where its time goes (`scar run --timeline`), and telling it.
 */
#ifndef SCAR_INVOKE_TIMELINE_H
#define SCAR_INVOKE_TIMELINE_H

#include <stdbool.h>

struct scar_invocation;

/** The client context has {"custom": {"scar-timeline": ...}}. */
bool scar_timeline_is_wanted(const struct scar_invocation *invocation);
/** Logs what runtime/base/trace.h has noted; nothing where it was not wanted. */
void scar_timeline_tell(void);

#endif
