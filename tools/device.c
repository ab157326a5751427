// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * See device.h.
 */
#include "device.h"

#include <errno.h>
#include <inttypes.h>
#include <libdevmapper.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "say.h"

/* For udev, which may look into each new device. */
#define MAX_WAIT_MS	5000
#define STEP_MS		50

/* With udev, if it is there: the nodes are in place when this returns. */
static bool run(struct dm_task *dmt, bool udev)
{
	uint32_t cookie = 0;
	bool ok;

	if (udev && !dm_task_set_cookie(dmt, &cookie, 0))
		return false;
	say_quietly(true);
	ok = dm_task_run(dmt);
	if (udev)
		dm_udev_wait(cookie);
	say_quietly(false);
	return ok;
}

static bool failed(struct dm_task *dmt, const char *name, const char *what)
{
	int e = dmt ? dm_task_get_errno(dmt) : ENOMEM;

	complain("%s: cannot be %s: %s; see the kernel's log", name, what,
		 strerror(e ? e : EIO));
	return false;
}

bool device_name_is_free(const char *name)
{
	struct dm_task *dmt;
	struct dm_info info;
	bool ok;

	if (!*name || strchr(name, '/') || strlen(name) > 127) {
		complain("'%s' is no name for a device", name);
		return false;
	}
	dmt = dm_task_create(DM_DEVICE_INFO);
	ok = dmt && dm_task_set_name(dmt, name) && run(dmt, false) &&
	     dm_task_get_info(dmt, &info);
	if (!ok)
		failed(dmt, name, "looked for");
	else if (info.exists)
		complain("there is a device %s already: choose another name", name);
	if (dmt)
		dm_task_destroy(dmt);
	return ok && !info.exists;
}

bool device_create_like(const char *name, const struct volume *like, uint32_t id)
{
	struct dm_task *dmt = dm_task_create(DM_DEVICE_CREATE);
	char params[128];
	bool ok;

	snprintf(params, sizeof(params), "%u:%u %" PRIu32 "%s%s", like->table.pool_major,
		 like->table.pool_minor, id, like->table.origin[0] ? " " : "",
		 like->table.origin);
	ok = dmt && dm_task_set_name(dmt, name) &&
	     dm_task_add_target(dmt, 0, like->sectors, like->type, params) &&
	     run(dmt, true);
	if (!ok)
		failed(dmt, name, "set up");
	if (dmt)
		dm_task_destroy(dmt);
	return ok;
}

static int open_count(const struct device *dev)
{
	struct dm_task *dmt = dm_task_create(DM_DEVICE_INFO);
	struct dm_info info;
	int n = -1;

	if (dmt && dm_task_set_name(dmt, dev->name) && run(dmt, false) &&
	    dm_task_get_info(dmt, &info) && info.exists)
		n = info.open_count;
	if (dmt)
		dm_task_destroy(dmt);
	return n;
}

bool device_is_unused(const struct device *dev)
{
	const struct timespec step = { .tv_nsec = STEP_MS * 1000000 };
	int n, waited;

	for (waited = 0; waited <= MAX_WAIT_MS; waited += STEP_MS) {
		n = open_count(dev);
		if (!n)
			return true;
		if (n < 0)
			break;
		nanosleep(&step, NULL);
	}
	if (n < 0)
		complain("%s is no longer there", dev->name);
	else
		complain("%s is in use: unmount it, or end the programs that have it open; what they remember of it would be wrong",
			 dev->name);
	return false;
}

static bool simple(int type, const struct device *dev, const char *what, bool udev)
{
	struct dm_task *dmt = dm_task_create(type);
	bool ok = dmt && dm_task_set_name(dmt, dev->name) && run(dmt, udev);

	if (!ok)
		failed(dmt, dev->name, what);
	if (dmt)
		dm_task_destroy(dmt);
	return ok;
}

bool device_suspend(const struct device *dev)
{
	return simple(DM_DEVICE_SUSPEND, dev, "suspended", false);
}

bool device_resume(const struct device *dev)
{
	return simple(DM_DEVICE_RESUME, dev, "resumed", true);
}
