/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The commands: each has its own file.
 */
#ifndef TOOLS_COMMANDS_H
#define TOOLS_COMMANDS_H

#include "options.h"
#include "pool.h"

/** command_list() - Return: DONE, FAILED or MISUSED, as all of them. */
int command_list(struct options *o);

/** command_usage() - see command_list() */
int command_usage(struct options *o);

/** command_stat() - see command_list() */
int command_stat(struct options *o);

/** command_map() - see command_list() */
int command_map(struct options *o);

/** command_delta() - see command_list() */
int command_delta(struct options *o);

/** command_snapshot() - see command_list() */
int command_snapshot(struct options *o);

/** command_rollback() - see command_list() */
int command_rollback(struct options *o);

/** command_undo() - see command_list() */
int command_undo(struct options *o);

/** command_policy() - see command_list() */
int command_policy(struct options *o);

/** command_export() - see command_list() */
int command_export(struct options *o);

/** command_plot() - see command_list() */
int command_plot(struct options *o);

#endif /* TOOLS_COMMANDS_H */
