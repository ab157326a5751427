// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Device-mapper's ioctls.  Uses the nodes that devtmpfs makes, /dev/dm-N.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "dm.h"

struct request {
	struct dm_ioctl head;
	char data[4096];
};

static int control = -1;

static void prepare(struct request *r, const char *name, unsigned int flags)
{
	memset(r, 0, sizeof(*r));
	r->head.version[0] = DM_VERSION_MAJOR;
	r->head.data_size = sizeof(*r);
	r->head.data_start = sizeof(r->head);
	r->head.flags = flags;
	snprintf(r->head.name, sizeof(r->head.name), "%s", name);
}

static int call(struct request *r, unsigned long command)
{
	if (control < 0)
		control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	return ioctl(control, command, r) ? errno : 0;
}

int dm_load(const char *name, uint64_t sectors, const char *target,
	    const char *arguments)
{
	struct dm_target_spec *spec;
	struct request r;

	prepare(&r, name, 0);
	r.head.target_count = 1;
	spec = (struct dm_target_spec *)r.data;
	spec->length = sectors;
	snprintf(spec->target_type, sizeof(spec->target_type), "%s", target);
	snprintf(r.data + sizeof(*spec), sizeof(r.data) - sizeof(*spec), "%s",
		 arguments);
	spec->next = sizeof(*spec) + (strlen(arguments) + 8) / 8 * 8;
	return call(&r, DM_TABLE_LOAD);
}

int dm_create(const char *name, uint64_t sectors, const char *target,
	      const char *arguments)
{
	struct request r;
	int e;

	prepare(&r, name, 0);
	e = call(&r, DM_DEV_CREATE);
	if (e)
		return e;
	e = dm_load(name, sectors, target, arguments);
	if (!e)
		e = dm_resume(name);
	if (e)
		dm_remove(name);
	return e;
}

int dm_suspend(const char *name, int flags)
{
	struct request r;

	prepare(&r, name, DM_SUSPEND_FLAG |
		(flags & DM_NOFLUSH ? DM_NOFLUSH_FLAG : 0) |
		(flags & DM_NOLOCKFS ? DM_SKIP_LOCKFS_FLAG : 0));
	return call(&r, DM_DEV_SUSPEND);
}

int dm_resume(const char *name)
{
	struct request r;

	prepare(&r, name, 0);
	return call(&r, DM_DEV_SUSPEND);
}

int dm_remove(const char *name)
{
	struct request r;

	prepare(&r, name, 0);
	return call(&r, DM_DEV_REMOVE);
}

int dm_message(const char *name, const char *format, ...)
{
	struct dm_target_msg *m;
	struct request r;
	va_list args;

	prepare(&r, name, 0);
	m = (struct dm_target_msg *)r.data;
	va_start(args, format);
	vsnprintf(m->message, sizeof(r.data) - sizeof(*m), format, args);
	va_end(args);
	return call(&r, DM_TARGET_MSG);
}

int dm_status(const char *name, int flags, char *line, size_t size,
	      uint32_t *events)
{
	struct request r;
	int e;

	prepare(&r, name, flags & DM_NOFLUSH ? DM_NOFLUSH_FLAG : 0);
	e = call(&r, DM_TABLE_STATUS);
	if (e)
		return e;
	if (events)
		*events = r.head.event_nr;
	snprintf(line, size, "%s", (char *)&r + r.head.data_start +
		 sizeof(struct dm_target_spec));
	return r.head.target_count ? 0 : ENXIO;
}

static int numbers(const char *name, unsigned int *major, unsigned int *minor)
{
	struct request r;
	int e;

	prepare(&r, name, 0);
	e = call(&r, DM_DEV_STATUS);
	if (e)
		return e;
	*major = (r.head.dev >> 8) & 0xfff;
	*minor = (r.head.dev & 0xff) | ((r.head.dev >> 12) & 0xfff00);
	return 0;
}

int dm_number(const char *name, char *number, size_t size)
{
	unsigned int major, minor;
	int e = numbers(name, &major, &minor);

	if (!e)
		snprintf(number, size, "%u:%u", major, minor);
	return e;
}

int dm_open(const char *name, int flags)
{
	unsigned int major, minor;
	char path[64];
	int e = numbers(name, &major, &minor);

	if (e) {
		errno = e;
		return -1;
	}
	snprintf(path, sizeof(path), "/dev/dm-%u", minor);
	return open(path, flags | O_CLOEXEC);
}
