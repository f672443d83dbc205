/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file settings.h
 * What the command line, the environment and the shared configuration files say about a session, in that order. The environment is
 * read here and nowhere else. Internal to deployer/aws/.
 */
#ifndef SCAR_DEPLOYER_AWS_SETTINGS_H
#define SCAR_DEPLOYER_AWS_SETTINGS_H

#include <stdbool.h>

#include "deployer/aws/aws.h"
#include "deployer/aws/ini.h"

struct scar_aws_settings {
	char *const *environment;     /* borrowed */
	struct scar_ini *config;      /* ~/.aws/config; NULL: none */
	struct scar_ini *credentials; /* ~/.aws/credentials; NULL: none */
	char *profile;
	bool profile_said; /* on the command line: the environment's keys do not count then */
	char *region;      /* NULL: none */
	char *endpoint_url;
	char *ca_bundle;
	int max_attempts;
	bool path_style;
};

int scar_aws_settings_load(const struct scar_aws_options *options,
			   struct scar_aws_settings *ret_settings, struct scar_err *err);
void scar_aws_settings_clear(struct scar_aws_settings *settings);

/** Variable of the environment; NULL if it is not set or empty. */
const char *scar_aws_settings_env(const struct scar_aws_settings *settings, const char *name);
bool scar_aws_settings_has_profile(const struct scar_aws_settings *settings, const char *profile);
/** A profile's setting, the credentials file's before the config file's. */
const char *scar_aws_settings_get(const struct scar_aws_settings *settings, const char *profile,
				  const char *key);
/**
 * The endpoint that the user wants for a service, or NULL. `variable` is its name as in AWS_ENDPOINT_URL_<name>; the `services`
 * section has it in lower case.
 */
const char *scar_aws_settings_endpoint(const struct scar_aws_settings *settings,
				       const char *variable);
/** A region becomes part of a host's name: SCAR_ERR_CONFIG if it cannot be one. */
int scar_aws_settings_check_region(const char *region, struct scar_err *err);

#endif
