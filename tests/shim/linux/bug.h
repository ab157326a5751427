/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The thinx authors.  Warnings: one aborts the test unless it only wants them counted. */
#pragma once
#include <stdbool.h>
#include <linux/compiler.h>

extern bool shim_warn_aborts;		/* default: true */
extern unsigned long shim_nr_warnings;

bool shim_warn(bool cond, const char *expr, const char *file, int line);

#define WARN_ON(c)	shim_warn(!!(c), #c, __FILE__, __LINE__)
#define WARN_ON_ONCE(c)	WARN_ON(c)
#define WARN(c, ...)	WARN_ON(c)
#define WARN_ONCE(c, ...) WARN_ON(c)
#define BUILD_BUG_ON(c)	_Static_assert(!(c), #c)
