/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The thinx authors.  The everyday macros and the kernel's log. */
#pragma once
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/container_of.h>
#include <linux/limits.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/types.h>

#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define static_assert(e, ...)	_Static_assert(e, "" __VA_ARGS__)
#define __stringify_1(x...)	#x
#define __stringify(x...)	__stringify_1(x)
#define upper_32_bits(n)	((u32)((n) >> 32))
#define lower_32_bits(n)	((u32)(n))
#define might_sleep()		((void)0)
#define scnprintf		snprintf

/* One line of the kernel's log; printed if SHIM_VERBOSE is set. */
void shim_log(const char *fmt, ...) __printf(1, 2);

/* Lines logged since the start, so that tests can ask "was it logged?". */
extern unsigned long shim_nr_logged;

#define pr_err(fmt, ...)	shim_log(fmt, ##__VA_ARGS__)
#define pr_warn(fmt, ...)	shim_log(fmt, ##__VA_ARGS__)
#define pr_info(fmt, ...)	shim_log(fmt, ##__VA_ARGS__)
