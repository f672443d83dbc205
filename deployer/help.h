/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file help.h
 * Texts made from the table of commands: --help, and completions for shells.
 */
#ifndef SCAR_DEPLOYER_HELP_H
#define SCAR_DEPLOYER_HELP_H

struct scar_buf;
struct scar_command;
struct scar_err;

/** What `scar --help` prints, or with a group, such as "layer", `scar layer --help`: its commands. */
int scar_help_write(const char *group, struct scar_buf *text, struct scar_err *err);
/** What `scar COMMAND --help` prints. */
int scar_help_write_command(const struct scar_command *command, struct scar_buf *text,
			    struct scar_err *err);
/** shell: "bash", "zsh" or "fish"; else SCAR_ERR_CONFIG. */
int scar_help_write_completion(const char *shell, struct scar_buf *text, struct scar_err *err);

#endif
