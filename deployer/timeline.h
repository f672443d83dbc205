/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file timeline.h
 * A picture of where the time of an invocation went, from the line that the function wrote into its log for it (runtime/base/trace.h): a waterfall as SVG, or
 * trace events for chrome://tracing and Perfetto.
 */
#ifndef SCAR_DEPLOYER_TIMELINE_H
#define SCAR_DEPLOYER_TIMELINE_H

struct scar_arguments;
struct scar_err;

/** What the function has to be asked with, as client context; NULL unless --timeline is given. */
const char *scar_timeline_context(const struct scar_arguments *arguments);
/** SCAR_ERR_CONFIG if --timeline names a file that is neither .svg nor .json. */
int scar_timeline_check(const struct scar_arguments *arguments, struct scar_err *err);
/**
 * Writes the file of --timeline from the end of an invocation's log (4 KB; may be NULL); does nothing without that option. SCAR_ERR_NOT_FOUND if the log tells nothing: a
 * supervisor older than this, or an image that speaks to Lambda itself. The file is there whole or not at all.
 */
int scar_timeline_save(const struct scar_arguments *arguments, const char *function,
		       const char *log, struct scar_err *err);

#endif
