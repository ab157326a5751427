// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Messages about what a device may take of the data space.
 *
 *   reserve ID BLOCKS ─┬─► a device? so many free? ─► numbers (data-path/quota.h)
 *   limit ID BLOCKS ───┘                                └─► who waits, and the mode,
 *                                                           look again
 *
 * I1  There is a number only for a device that is there: both are looked at in one
 *     section of the metadata lock, and whoever deletes a device or makes one calls
 *     thinx_quotas_end().  If an abort takes back the creation of a device, its
 *     numbers stay until the next message about it; if it takes back a deletion,
 *     they are gone, and the pool is read-only.
 * I2  What is free is looked at in the section in which the reserve is set; what
 *     is held by writes under way, by discards or until the next commit is not free.
 */
#include "control/quotas.h"

#include <linux/device-mapper.h>

#include "control/mode.h"
#include "data-path/commit.h"
#include "data-path/volume.h"

/**
 * struct change - a message taken apart
 * @name: the message
 * @id: device
 * @nr_blocks: its number; 0 ends what there is
 * @nr_left: reserve: so many blocks there are for the device
 */
struct change {
	const char *name;
	u32 id;
	u64 nr_blocks;
	u64 nr_left;
};

static int parse(struct thinx_pool *pool, char **argv, struct change *c)
{
	unsigned long long nr;

	if (thinx_parse_device_id(argv[1], &c->id)) {
		pool_warn(pool, "Message received with invalid device id: %s",
			  argv[1]);
		return -EINVAL;
	}
	if (kstrtoull(argv[2], 10, &nr)) {
		pool_warn(pool, "%s for device %u: a number of blocks expected, '%s' found",
			  c->name, c->id, argv[2]);
		return -EINVAL;
	}
	c->nr_blocks = nr;
	return 0;
}

static int set_reserve(struct thinx_pool *pool, struct change *c)
{
	struct thinx_md_space s;

	thinx_md_get_space_locked(pool->md, &s);
	return thinx_quotas_reserve(&pool->plane.quotas, c->id, c->nr_blocks,
				    s.data_allocatable + pool->plane.nr_trimming,
				    &c->nr_left);
}

static int set_limit(struct thinx_pool *pool, struct change *c)
{
	thinx_quotas_limit(&pool->plane.quotas, c->id,
			   c->nr_blocks ?: THINX_NO_LIMIT);
	return 0;
}

static int change_number(struct thinx_pool *pool, struct change *c,
			 int (*set)(struct thinx_pool *pool, struct change *c))
{
	struct thinx_quotas *q = &pool->plane.quotas;
	int r;

	mutex_lock(&q->change);
	r = thinx_quotas_prepare(q, c->id);
	if (!r) {
		thinx_md_lock(pool->md);
		r = thinx_md_check_device_locked(pool->md, c->id);
		if (r == -ENODATA)
			thinx_quotas_forget(q, c->id);
		if (!r)
			r = set(pool, c);
		thinx_md_unlock(pool->md);
		thinx_quotas_tidy(q, c->id);
	}
	mutex_unlock(&q->change);
	return r;
}

static int explain(struct thinx_pool *pool, const struct change *c, int r)
{
	switch (r) {
	case -ENODATA:
		pool_warn(pool, "%s of %llu blocks for device %u: there is no such device",
			  c->name, c->nr_blocks, c->id);
		break;
	case -EBUSY:
		pool_warn(pool, "%s of %llu blocks for device %u: it is being deleted",
			  c->name, c->nr_blocks, c->id);
		break;
	case -ENOSPC:
		pool_warn(pool, "%s of %llu blocks for device %u: %llu are free for it",
			  c->name, c->nr_blocks, c->id, c->nr_left);
		break;
	case -ENOMEM:
		pool_warn(pool, "%s of %llu blocks for device %u: out of memory",
			  c->name, c->nr_blocks, c->id);
		break;
	}
	return r;
}

int thinx_quotas_handle_reserve(struct thinx_pool *pool, char **argv)
{
	struct change c = { .name = "reserve" };
	int r;

	r = parse(pool, argv, &c);
	if (r)
		return r;
	r = change_number(pool, &c, set_reserve);
	if (r == -ENOSPC && !thinx_commit_now(&pool->plane))
		/* The commit may have freed some. */
		r = change_number(pool, &c, set_reserve);
	if (r)
		return explain(pool, &c, r);
	/* It may go on now; or the others, if it was made smaller. */
	thinx_pool_space_changed(pool);
	thinx_volumes_retry_starved(&pool->plane);
	return 0;
}

int thinx_quotas_handle_limit(struct thinx_pool *pool, char **argv)
{
	struct change c = { .name = "limit" };
	int r;

	r = parse(pool, argv, &c);
	return r ?: explain(pool, &c, change_number(pool, &c, set_limit));
}

void thinx_quotas_end(struct thinx_pool *pool, u32 id)
{
	struct thinx_quotas *q = &pool->plane.quotas;
	bool ended = false;

	if (!thinx_quotas_has(q, id))
		return;
	mutex_lock(&q->change);
	thinx_md_lock(pool->md);
	if (thinx_md_check_device_locked(pool->md, id) == -ENODATA) {
		thinx_quotas_forget(q, id);
		ended = true;
	}
	thinx_md_unlock(pool->md);
	mutex_unlock(&q->change);
	if (!ended)
		return;
	thinx_pool_space_changed(pool);
	thinx_volumes_retry_starved(&pool->plane);
}
