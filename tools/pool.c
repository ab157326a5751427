// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * See pool.h.  Nothing here flushes or waits for I/O: statuses are asked for without
 * a commit, and tables of suspended devices can be read.
 */
#include "pool.h"

#include <errno.h>
#include <libdevmapper.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "say.h"

/* ---- reading ---- */

/* A request about a device that flushes nothing; NULL: the device has gone. */
static struct dm_task *run_task(int type, const struct device *dev)
{
	struct dm_task *dmt = dm_task_create(type);

	if (!dmt)
		return NULL;
	say_quietly(true);
	if (!dm_task_set_major(dmt, dev->major) || !dm_task_set_minor(dmt, dev->minor) ||
	    !dm_task_no_flush(dmt) || !dm_task_run(dmt)) {
		dm_task_destroy(dmt);
		dmt = NULL;
	}
	say_quietly(false);
	return dmt;
}

static bool is_one_of(const char *type, const char *a, const char *b)
{
	return type && (!strcmp(type, a) || !strcmp(type, b));
}

static bool is_pool(const char *type)
{
	return is_one_of(type, "thinx-pool", "thin-pool");
}

static bool is_volume(const char *type)
{
	return is_one_of(type, "thinx", "thin");
}

static bool copy_device(struct device *to, struct dm_task *dmt, const struct device *from)
{
	struct dm_info info;
	const char *uuid = dm_task_get_uuid(dmt);

	if (!dm_task_get_info(dmt, &info) || !info.exists)
		return false;
	*to = *from;
	to->suspended = info.suspended;
	to->open = info.open_count;
	to->name = strdup(from->name);
	to->uuid = strdup(uuid ? uuid : "");
	return to->name && to->uuid;
}

static void *grown(void *array, size_t nr, size_t size)
{
	/* Doubled at each power of two. */
	if (nr & (nr - 1))
		return array;
	return realloc(array, (nr ? 2 * nr : 1) * size);
}

static bool add_pool(struct system *s, struct dm_task *dmt, const struct device *dev,
		     uint64_t length, const char *params)
{
	struct pool *more = grown(s->pools, s->nr_pools, sizeof(*more)), *p;

	if (!more)
		return false;
	s->pools = more;
	p = &more[s->nr_pools];
	memset(p, 0, sizeof(*p));
	p->sectors = length;
	if (!parse_pool_table(params, &p->table))
		return true;
	s->nr_pools++;
	return copy_device(&p->dev, dmt, dev);
}

static bool add_volume(struct system *s, struct dm_task *dmt, const struct device *dev,
		       uint64_t length, const char *type, const char *params,
		       bool whole)
{
	struct volume *more = grown(s->volumes, s->nr_volumes, sizeof(*more)), *v;

	if (!more)
		return false;
	s->volumes = more;
	v = &more[s->nr_volumes];
	memset(v, 0, sizeof(*v));
	v->sectors = length;
	v->whole = whole;
	snprintf(v->type, sizeof(v->type), "%s", type);
	if (!parse_thin_table(params, &v->table))
		return true;
	s->nr_volumes++;
	return copy_device(&v->dev, dmt, dev);
}

static bool read_table(struct system *s, const struct device *dev)
{
	struct dm_task *dmt = run_task(DM_DEVICE_TABLE, dev);
	uint64_t start, length;
	char *type, *params;
	void *next = NULL;
	bool ok = true, first = true;

	if (!dmt)
		return true;
	do {
		next = dm_get_next_target(dmt, next, &start, &length, &type, &params);
		if (is_pool(type))
			ok = add_pool(s, dmt, dev, length, params);
		else if (is_volume(type))
			ok = add_volume(s, dmt, dev, length, type, params,
					first && !next);
		first = false;
	} while (ok && next);
	dm_task_destroy(dmt);
	return ok;
}

/* Of the first target. */
static bool read_status(const struct device *dev, bool (*parse)(const char *, void *),
			void *status)
{
	struct dm_task *dmt = run_task(DM_DEVICE_STATUS, dev);
	uint64_t start, length;
	char *type, *params;
	bool ok;

	if (!dmt)
		return false;
	dm_get_next_target(dmt, NULL, &start, &length, &type, &params);
	ok = params && parse(params, status);
	dm_task_destroy(dmt);
	return ok;
}

static bool parse_pool_line(const char *text, void *status)
{
	return parse_pool_status(text, status);
}

static bool parse_thin_line(const char *text, void *status)
{
	return parse_thin_status(text, status);
}

bool pool_read_status(struct pool *p)
{
	p->known = read_status(&p->dev, parse_pool_line, &p->status);
	return p->known;
}

static void complete(struct system *s)
{
	size_t i, k;

	for (i = 0; i < s->nr_pools; i++)
		pool_read_status(&s->pools[i]);
	for (i = 0; i < s->nr_volumes; i++) {
		struct volume *v = &s->volumes[i];

		read_status(&v->dev, parse_thin_line, &v->status);
		for (k = 0; k < s->nr_pools; k++)
			if (s->pools[k].dev.major == v->table.pool_major &&
			    s->pools[k].dev.minor == v->table.pool_minor)
				v->pool = &s->pools[k];
	}
}

static bool read_all(struct system *s, struct dm_task *dmt)
{
	struct dm_names *n = dm_task_get_names(dmt);

	if (!n || !n->dev)
		return true;
	for (;;) {
		struct device dev = {
			.name = n->name,
			.major = major(n->dev),
			.minor = minor(n->dev),
		};

		if (!read_table(s, &dev))
			return false;
		if (!n->next)
			return true;
		n = (void *)((char *)n + n->next);
	}
}

bool system_read(struct system *s)
{
	struct dm_task *dmt = dm_task_create(DM_DEVICE_LIST);
	bool ok;

	memset(s, 0, sizeof(*s));
	say_quietly(true);
	ok = dmt && dm_task_run(dmt);
	say_quietly(false);
	if (!ok) {
		complain("the device-mapper cannot be asked: become root, and see that /dev/mapper/control is there");
	} else if (!read_all(s, dmt)) {
		complain("out of memory");
		ok = false;
	} else {
		complete(s);
	}
	if (dmt)
		dm_task_destroy(dmt);
	return ok;
}

static void device_free(struct device *dev)
{
	free(dev->name);
	free(dev->uuid);
}

void system_free(struct system *s)
{
	size_t i;

	for (i = 0; i < s->nr_pools; i++)
		device_free(&s->pools[i].dev);
	for (i = 0; i < s->nr_volumes; i++)
		device_free(&s->volumes[i].dev);
	free(s->pools);
	free(s->volumes);
	memset(s, 0, sizeof(*s));
}

/* ---- names ---- */

/* What LVM calls vg/lv, or a layer of it. */
static bool is_lvm_name(const char *dm_name, const char *name, const char *layer)
{
	const char *slash;
	struct dm_pool *mem;
	char *lvm, *vg;
	bool same;

	if (!strncmp(name, "/dev/", 5))
		name += 5;
	slash = strchr(name, '/');
	if (!slash || slash == name || !slash[1] || strchr(slash + 1, '/'))
		return false;
	mem = dm_pool_create("names", 1024);
	if (!mem)
		return false;
	vg = dm_pool_strndup(mem, name, slash - name);
	lvm = vg ? dm_build_dm_name(mem, vg, slash + 1, layer) : NULL;
	same = lvm && !strcmp(dm_name, lvm);
	dm_pool_destroy(mem);
	return same;
}

static bool is_device(const struct device *dev, const char *name, const char *layer)
{
	struct stat st;

	if (!layer && !strcmp(dev->name, name))
		return true;
	if (!layer && *name == '/' && !stat(name, &st) && S_ISBLK(st.st_mode))
		return major(st.st_rdev) == dev->major && minor(st.st_rdev) == dev->minor;
	return is_lvm_name(dev->name, name, layer);
}

struct pool *find_pool(struct system *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->nr_pools; i++)
		if (is_device(&s->pools[i].dev, name, NULL) ||
		    is_device(&s->pools[i].dev, name, "tpool"))
			return &s->pools[i];
	return NULL;
}

struct volume *find_volume(struct system *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->nr_volumes; i++)
		if (is_device(&s->volumes[i].dev, name, NULL))
			return &s->volumes[i];
	return NULL;
}

/* ---- messages ---- */

static int send_message(struct pool *pool, struct dm_task *dmt, const char *message,
			char **reply)
{
	const char *text;

	if (!dm_task_set_name(dmt, pool->dev.name) || !dm_task_set_sector(dmt, 0) ||
	    !dm_task_set_message(dmt, message))
		return -ENOMEM;
	if (!dm_task_run(dmt))
		return dm_task_get_errno(dmt) ? -dm_task_get_errno(dmt) : -EIO;
	if (!reply)
		return 0;
	text = dm_task_get_message_response(dmt);
	*reply = strdup(text ? text : "");
	return *reply ? 0 : -ENOMEM;
}

int pool_ask(void *pool, const char *message, char **reply)
{
	struct dm_task *dmt = dm_task_create(DM_DEVICE_TARGET_MSG);
	int r;

	if (!dmt)
		return -ENOMEM;
	say_quietly(true);
	r = send_message(pool, dmt, message, reply);
	say_quietly(false);
	dm_task_destroy(dmt);
	return r;
}

void pool_complain(const struct pool *pool, const char *message, int r)
{
	const char *name = pool->dev.name, *hint = "see the kernel's log";

	switch (r) {
	case -EINVAL:
		hint = "does the pool belong to thinx? dm-thin knows no such message; if it does, see the kernel's log";
		break;
	case -ENODATA:
		hint = "there is no such thin device in the pool";
		break;
	case -EBUSY:
		hint = "the device is being deleted, or in use and not suspended";
		break;
	case -EEXIST:
		hint = "there is such a thin device already: choose another ID";
		break;
	case -ENOSPC:
		hint = "the metadata device is full: enlarge it, or delete snapshots";
		break;
	case -EOPNOTSUPP:
		hint = "the pool is read-only or has failed: dmsetup status says which, the kernel's log why";
		break;
	case -EAGAIN:
		hint = "the device changes all the time: ask about a snapshot of it";
		break;
	case -ENXIO:
		hint = "the pool is no longer there";
		break;
	case -EPROTO:
		hint = "the answer is not understood: is this program older than the module?";
		break;
	case -EIO:
	case -EILSEQ:
		hint = "the metadata cannot be read: see the kernel's log, then thin_check";
		break;
	}
	complain("%s: %s: %s; %s", name, message, strerror(-r), hint);
}
