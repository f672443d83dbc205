/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file commands.h
 * What main.c runs for each row of the table in command_table.c: its arguments are parsed, `environment` is the caller's. Results go to stdout,
 * all else to stderr. @return the exit status of the process
 */
#ifndef SCAR_DEPLOYER_COMMANDS_H
#define SCAR_DEPLOYER_COMMANDS_H

struct scar_arguments;

/* local.c, doctor.c: this machine. */
int scar_local_run_command(const struct scar_arguments *arguments, char **environment);
int scar_local_serve_command(const struct scar_arguments *arguments, char **environment);
/** 0 if images can be run here, EX_UNAVAILABLE if no engine works. */
int scar_doctor_command(const struct scar_arguments *arguments, char **environment);

/* apply.c, update.c */
int scar_apply_command(const struct scar_arguments *arguments, char **environment);
int scar_update_command(const struct scar_arguments *arguments, char **environment);
/* rm.c */
int scar_rm_command(const struct scar_arguments *arguments, char **environment);
/* run.c */
int scar_run_command(const struct scar_arguments *arguments, char **environment);
/* invoke.c */
int scar_invoke_command(const struct scar_arguments *arguments, char **environment);
/* ls.c */
int scar_ls_command(const struct scar_arguments *arguments, char **environment);
int scar_describe_command(const struct scar_arguments *arguments, char **environment);
/* log.c */
int scar_log_command(const struct scar_arguments *arguments, char **environment);
/* files.c */
int scar_put_command(const struct scar_arguments *arguments, char **environment);
int scar_get_command(const struct scar_arguments *arguments, char **environment);
/* layers.c */
int scar_layer_build_command(const struct scar_arguments *arguments, char **environment);
int scar_layer_publish_command(const struct scar_arguments *arguments, char **environment);
int scar_layer_ls_command(const struct scar_arguments *arguments, char **environment);
int scar_layer_prune_command(const struct scar_arguments *arguments, char **environment);
/* completion.c */
int scar_completion_command(const struct scar_arguments *arguments, char **environment);
int scar_version_command(const struct scar_arguments *arguments, char **environment);

#endif
