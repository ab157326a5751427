// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * See say.h.
 */
#include "say.h"

#include <errno.h>
#include <libdevmapper.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/*
 * libdevmapper's levels: the lower the worse, as syslog's; above them are flags.  What
 * it prints, such as tables, are warnings without the flag.
 */
#define LEVELS		0x7
#define LEVEL_WARNING	4
#define TO_STDERR	0x80

static bool is_quiet;

void complain(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("thinx: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
}

void say_quietly(bool quiet)
{
	is_quiet = quiet;
}

__attribute__((format(printf, 5, 6)))
static void say(int level, const char *file, int line, int errno_or_class,
		const char *fmt, ...)
{
	bool to_stderr = (level & TO_STDERR) || (level & LEVELS) < LEVEL_WARNING;
	FILE *f = to_stderr ? stderr : stdout;
	va_list args;

	(void)file;
	(void)line;
	(void)errno_or_class;
	if (is_quiet || (level & LEVELS) > LEVEL_WARNING)
		return;
	va_start(args, fmt);
	vfprintf(f, fmt, args);
	fputc('\n', f);
	va_end(args);
}

bool flush_output(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return true;
	complain("writing: %s", strerror(errno));
	return false;
}

void say_init(void)
{
	dm_log_with_errno_init(say);
}
