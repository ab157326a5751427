// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The message that gives blocks to the holes of a device.
 *
 *   provision ID FROM NR ─► count the holes ─► claim as many blocks
 *                              ▲                  │ send step after step
 *                              │                  ▼ (data-path/fill.c)
 *                              └── more holes than were claimed: discarded meanwhile
 *
 * I1  All or nothing as far as space goes: what is wanted is claimed before the first
 *     hole is filled, and nobody else takes it.
 * I2  What was filled stays so if something else fails: I/O, metadata space, an
 *     abort, a suspend, a signal.  By then it may hold data, so it cannot be taken
 *     back.  The log says how far it got, and the message can be sent again.
 * I3  A suspend of the pool waits for a few steps only: it sets
 *     thinx_pool.no_fills and waits until thinx_pool.nr_fills is zero, while gates
 *     are open.  Who comes later is refused.
 *
 * Crash: see data-path/fill.c.
 */
#include "control/preallocate.h"

#include <linux/device-mapper.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "data-path/commit.h"
#include "data-path/fill.h"

/* How often holes are counted again because there are more than were claimed. */
#define MAX_ROUNDS 16

/**
 * struct job - a message taken apart
 * @fill: does the work
 * @pool: pool
 * @id: device
 * @begin: first virtual block
 * @end: one past the last
 * @nr_claimed: holes for which there were blocks
 * @stop: the sender has gone
 * @q: for counting
 */
struct job {
	struct thinx_fill fill;
	struct thinx_pool *pool;
	u32 id;
	thinx_vblock_t begin;
	thinx_vblock_t end;
	u64 nr_claimed;
	const bool *stop;
	struct thinx_md_query q;
};

static int parse(struct thinx_pool *pool, char **argv, struct job *j)
{
	unsigned long long from, nr, end, sectors;

	if (thinx_parse_device_id(argv[1], &j->id)) {
		pool_warn(pool, "Message received with invalid device id: %s",
			  argv[1]);
		return -EINVAL;
	}
	if (kstrtoull(argv[2], 10, &from) || kstrtoull(argv[3], 10, &nr) ||
	    !nr || check_add_overflow(from, nr, &end) ||
	    check_mul_overflow(end, (unsigned long long)pool->block_sectors,
			       &sectors) ||
	    sectors > LLONG_MAX >> SECTOR_SHIFT) {
		pool_warn(pool, "provision for device %u: a first block and a number of blocks expected, '%s %s' found",
			  j->id, argv[2], argv[3]);
		return -EINVAL;
	}
	j->begin = from;
	j->end = end;
	return 0;
}

static int may_go_on(struct job *j)
{
	if (READ_ONCE(*j->stop) || READ_ONCE(j->pool->no_fills))
		return -EINTR;
	if (thinx_volume_has_origin(j->fill.port.volume))
		return -ELOOP;
	cond_resched();
	return 0;
}

/* Mapped blocks of the run in one step's result. */
static u64 mapped_in(const struct job *j)
{
	const struct thinx_md_range *r = j->q.ranges;
	u64 begin, end, nr = 0;
	u32 i;

	for (i = 0; i < j->q.nr; i++) {
		begin = max(r[i].begin, j->begin);
		end = min(r[i].end, j->end);
		if (begin < end)
			nr += end - begin;
	}
	return nr;
}

static int count_holes(struct job *j, u64 *nr_holes)
{
	struct thinx_md *md = j->pool->md;
	u64 nr_mapped = 0;
	int r;

	j->q = (struct thinx_md_query){ .id[0] = j->id, .from = j->begin };
	do {
		r = may_go_on(j) ?: thinx_md_query_map(md, &j->q);
		if (r == -EAGAIN)
			r = thinx_md_wait(md, j->q.missing);
		else if (!r)
			nr_mapped += mapped_in(j);
		if (r)
			return r;
	} while (!j->q.done && j->q.from < j->end);
	*nr_holes = j->end - j->begin - nr_mapped;
	return 0;
}

static int refuse(struct job *j, u64 nr, const struct thinx_fill_room *room)
{
	if (room->limit != THINX_NO_LIMIT &&
	    (room->mapped > room->limit || nr > room->limit - room->mapped))
		pool_warn(j->pool, "provision of %llu blocks for device %u: it maps %llu, its limit is %llu",
			  nr, j->id, room->mapped, room->limit);
	else
		pool_warn(j->pool, "provision of %llu blocks for device %u: %llu are free for it",
			  nr, j->id, room->nr_free);
	return -ENOSPC;
}

static int claim(struct job *j, u64 nr)
{
	struct thinx_fill_room room;
	int r;

	r = thinx_fill_claim(&j->fill, nr, &room);
	if (r == -ENOSPC && !thinx_commit_now(&j->pool->plane))
		/* The commit may have freed some. */
		r = thinx_fill_claim(&j->fill, nr, &room);
	if (r)
		return refuse(j, nr, &room);
	j->nr_claimed += nr;
	return 0;
}

static int send_all(struct job *j)
{
	u64 step = thinx_fill_step(&j->pool->plane);
	thinx_vblock_t b, next;
	int r = 0, err;

	for (b = j->begin; b < j->end && !r; b = next) {
		next = min(b + step, j->end);
		r = may_go_on(j) ?: thinx_fill_send(&j->fill, b, next);
	}
	err = thinx_fill_wait(&j->fill);
	return err ?: r;
}

/* Keeps I1. */
static int fill_holes(struct job *j)
{
	u64 claimed, nr;
	unsigned int i;
	int r;

	r = count_holes(j, &nr);
	if (r)
		return r;
	r = claim(j, nr);
	if (r)
		return r;
	for (i = 0; i < MAX_ROUNDS; i++) {
		r = send_all(j);
		if (r != -ENOSPC)
			return r;
		r = count_holes(j, &nr);
		if (r)
			return r;
		claimed = READ_ONCE(j->fill.claimed);
		/* It was metadata space, then. */
		if (nr <= claimed)
			return -ENOSPC;
		r = claim(j, nr - claimed);
		if (r)
			return r;
	}
	return -ENOSPC;
}

/* What was filled stays (I2). */
static void explain(struct job *j, int r)
{
	u64 nr = j->nr_claimed - READ_ONCE(j->fill.claimed);

	switch (r) {
	case 0:
		break;
	case -ENODATA:
		pool_warn(j->pool, "provision for device %u: there is no such device",
			  j->id);
		break;
	case -EBUSY:
		pool_warn(j->pool, "provision for device %u: it is being deleted",
			  j->id);
		break;
	case -ELOOP:
		pool_warn(j->pool, "provision for device %u: a table of it has an external origin, which zeros would hide",
			  j->id);
		break;
	case -EINTR:
		pool_warn(j->pool, "provision for device %u: stopped, %llu of %llu holes have blocks: send it again",
			  j->id, nr, j->nr_claimed);
		break;
	case -ENOSPC:
		/* Else it was refused, and that has been said. */
		if (j->nr_claimed)
			pool_warn(j->pool, "provision for device %u: no space for more, %llu of %llu holes have blocks",
				  j->id, nr, j->nr_claimed);
		break;
	default:
		pool_warn(j->pool, "provision for device %u: error %d, %llu of %llu holes have blocks",
			  j->id, r, nr, j->nr_claimed);
	}
}

static int run(struct job *j)
{
	int r;

	r = thinx_fill_begin(&j->fill, &j->pool->plane, j->id);
	if (r) {
		explain(j, r);
		return r;
	}
	r = fill_holes(j);
	explain(j, r);
	thinx_fill_end(&j->fill);
	return r;
}

static int run_unless_suspended(struct job *j)
{
	struct thinx_pool *pool = j->pool;
	int r = -EBUSY;

	atomic_inc(&pool->nr_fills);
	/* Pairs with thinx_preallocate_pause(). */
	smp_mb__after_atomic();
	if (!READ_ONCE(pool->no_fills))
		r = run(j);
	else
		pool_warn(pool, "provision for device %u: the pool is suspended",
			  j->id);
	atomic_dec(&pool->nr_fills);
	/* Pairs with wait_var_event(). */
	smp_mb__after_atomic();
	wake_up_var(&pool->nr_fills);
	return r == -ELOOP ? -EBUSY : r;
}

int thinx_preallocate_handle(struct thinx_pool *pool, char **argv,
			     const bool *stop)
{
	struct job *j;
	int r;

	j = kzalloc(sizeof(*j), GFP_NOIO);
	if (!j)
		return -ENOMEM;
	j->pool = pool;
	j->stop = stop;
	r = parse(pool, argv, j);
	if (!r)
		r = run_unless_suspended(j);
	kfree(j);
	return r;
}

void thinx_preallocate_init(struct thinx_pool *pool)
{
	atomic_set(&pool->nr_fills, 0);
	pool->no_fills = true;
}

void thinx_preallocate_pause(struct thinx_pool *pool)
{
	WRITE_ONCE(pool->no_fills, true);
	/* Pairs with run_unless_suspended(). */
	smp_mb();
	wait_var_event(&pool->nr_fills, !atomic_read(&pool->nr_fills));
}

void thinx_preallocate_resume(struct thinx_pool *pool)
{
	WRITE_ONCE(pool->no_fills, false);
}
