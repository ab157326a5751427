// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Preloaded into dmsetup, this makes the N-th allocation inside each of its
 * device-mapper requests fail; FAIL_NTH in the environment is N.  Allocations
 * for starting a program and for opening files are left alone: how file systems
 * cope with failures is not under test, and some never recover.
 */
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fail_nth = -1;

__attribute__((constructor)) static void open_file(void)
{
	fail_nth = open("/proc/thread-self/fail-nth", O_WRONLY | O_CLOEXEC);
}

static void set_nth(const char *n)
{
	if (write(fail_nth, n, strlen(n)) < 0)
		abort();
}

int ioctl(int fd, unsigned long request, ...)
{
	const char *n = getenv("FAIL_NTH");
	va_list args;
	void *arg;
	int r;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (_IOC_TYPE(request) != DM_IOCTL || !n)
		return syscall(SYS_ioctl, fd, request, arg);
	set_nth(n);
	r = syscall(SYS_ioctl, fd, request, arg);
	set_nth("0");
	return r;
}
