/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file session.h
 * What a command that talks to AWS has at hand: its arguments, AWS, and how its answer is to look. Answers go to stdout; notes, progress and
 * errors to stderr. Colours only on terminals, and never with NO_COLOR or TERM=dumb.
 */
#ifndef SCAR_DEPLOYER_SESSION_H
#define SCAR_DEPLOYER_SESSION_H

#include <stdbool.h>

#include "runtime/base/cleanup.h"

struct scar_arguments;
struct scar_aws;
struct scar_err;
struct scar_sts_identity;

enum scar_format { SCAR_FORMAT_TABLE, SCAR_FORMAT_JSON, SCAR_FORMAT_YAML, SCAR_FORMAT_NAME };

struct scar_session {
	const struct scar_arguments *arguments;
	char **environment;
	struct scar_aws *aws;
	enum scar_format format;
	bool verbose;
	bool colour;   /**< stderr takes colours */
	bool terminal; /**< stderr is one: progress may be shown */
};

/**
 * Reads credentials' settings and lets Ctrl-C and SIGTERM end calls. A region or profile of the command line counts. SCAR_ERR_CONFIG.
 */
int scar_session_open(const struct scar_arguments *arguments, char **environment,
		      struct scar_session *ret_session, struct scar_err *err);
void scar_session_close(struct scar_session *session);
/** Non-zero once Ctrl-C or SIGTERM came: the signal's number. */
const volatile int *scar_session_interrupted(void);

/**
 * Says on stderr what failed and what to do. `err` may have been changed since the call to AWS. @return the exit status that stands for it: 130 after
 * Ctrl-C, SCAR_EXIT_USAGE for a wrong command line is not its business
 */
int scar_session_fail(const struct scar_session *session, const struct scar_err *err);
/** A line on stderr. */
void scar_session_note(const struct scar_session *session, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/** A line on stderr with -v only. */
void scar_session_detail(const struct scar_session *session, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#define scar_session_auto scar_auto(scar_session_close)

#endif
