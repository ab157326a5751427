/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What goes to standard error.
 */
#ifndef TOOLS_SAY_H
#define TOOLS_SAY_H

#include <stdbool.h>

/** complain() - "thinx: ..." */
__attribute__((format(printf, 1, 2)))
void complain(const char *fmt, ...);

/** say_quietly() - shall libdevmapper's own messages be dropped? */
void say_quietly(bool quiet);

/** flush_output() - Return: false, and it has been said why not */
bool flush_output(void);

/** say_init() - libdevmapper says what it has to say through this file */
void say_init(void);

#endif /* TOOLS_SAY_H */
