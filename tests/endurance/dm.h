/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Device-mapper's ioctls without the library, so that errno is returned as it is
 * and no process has to be started.  All return 0 or an errno.
 */
#ifndef ENDURANCE_DM_H
#define ENDURANCE_DM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DM_PLAIN = 0, DM_NOFLUSH = 1, DM_NOLOCKFS = 2 };

int dm_create(const char *name, uint64_t sectors, const char *target,
	      const char *arguments);
int dm_load(const char *name, uint64_t sectors, const char *target,
	    const char *arguments);
int dm_suspend(const char *name, int flags);
int dm_resume(const char *name);
int dm_remove(const char *name);
int dm_message(const char *name, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The first target's status line, and the number of events if @events is set. */
int dm_status(const char *name, int flags, char *line, size_t size,
	      uint32_t *events);
/* "major:minor" of a device; its node */
int dm_number(const char *name, char *number, size_t size);
int dm_open(const char *name, int flags);

#endif
