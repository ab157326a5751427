// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The message "trim": free data blocks are discarded on the data device, which
 * thin_trim does for pools that are not in use.
 *
 *   commit ─► step ─► step ... ─► "trimmed N", "next N" or "end"
 *               └ MAX reached, a suspend waits, the sender is killed: enough
 *
 * I1  What was freed before the message is free for it: it commits first.
 * I2  It changes no metadata, so whatever fails changes no mode.
 * I3  While the pool is suspended nothing goes to the data device.  A suspend
 *     waits for messages of the epoch that it ends; dm core waits for those that
 *     missed the change, and they see that the pool is suspended.
 */
#include "control/trim.h"

#include <linux/device-mapper.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "data-path/commit.h"
#include "data-path/trim.h"

/* An answer has no more bytes. */
#define ANSWER_SIZE 128

static int refuse(struct thinx_pool *pool, const char *what, const char *word)
{
	pool_warn(pool, "trim [FROM MAX]: %s expected, '%s' found", what, word);
	return -EINVAL;
}

static int parse(struct thinx_pool *pool, unsigned int argc, char **argv,
		 struct thinx_trim *t)
{
	unsigned long long from = 0, most = U64_MAX;

	if (argc != 1 && argc != 3) {
		pool_warn(pool, "trim [FROM MAX]: 1 or 3 words expected, %u found",
			  argc);
		return -EINVAL;
	}
	if (argc == 3 && kstrtoull(argv[1], 10, &from))
		return refuse(pool, "a block number", argv[1]);
	if (argc == 3 && (kstrtoull(argv[2], 10, &most) || !most))
		return refuse(pool, "a number of at least 1", argv[2]);
	t->from = from;
	t->most = most;
	return 0;
}

static int may_trim(struct thinx_pool *pool)
{
	struct block_device *bdev = pool->plane.data_bdev;

	if (READ_ONCE(pool->suspended)) {
		pool_warn(pool, "trim: the pool is suspended");
		return -EBUSY;
	}
	if (bdev_max_discard_sectors(bdev))
		return 0;
	pool_warn(pool, "trim: data device (%pg) that takes discards expected, but its largest discard is 0 sectors",
		  bdev);
	return -EOPNOTSUPP;
}

static bool is_enough(struct thinx_pool *pool, const struct thinx_trim *t,
		      const struct thinx_reply *reply)
{
	return t->done || t->trimmed >= t->most ||
	       READ_ONCE(pool->message_epoch) != reply->epoch ||
	       READ_ONCE(pool->suspended) ||
	       fatal_signal_pending(reply->sender);
}

static int make_steps(struct thinx_pool *pool, struct thinx_trim *t,
		      const struct thinx_reply *reply)
{
	int r;

	while (!is_enough(pool, t, reply)) {
		r = thinx_trim_step(&pool->plane, t);
		if (r)
			return r;
		cond_resched();
	}
	return fatal_signal_pending(reply->sender) ? -EINTR : 0;
}

static void answer(const struct thinx_trim *t, const struct thinx_reply *reply)
{
	int n = scnprintf(reply->text, reply->size, "thinx-trim 1\ntrimmed %llu\n",
			  t->trimmed);

	if (t->done)
		scnprintf(reply->text + n, reply->size - n, "end\n");
	else
		scnprintf(reply->text + n, reply->size - n, "next %llu\n",
			  t->from);
}

static int trim(struct thinx_pool *pool, unsigned int argc, char **argv,
		struct thinx_trim *t, const struct thinx_reply *reply)
{
	int r;

	r = parse(pool, argc, argv, t);
	if (!r)
		r = may_trim(pool);
	if (r)
		return r;
	if (reply->size < ANSWER_SIZE) {
		/* A full buffer: dm core has the sender ask with a larger one. */
		scnprintf(reply->text, reply->size, "%*s", ANSWER_SIZE, "");
		return 1;
	}
	r = thinx_commit_now(&pool->plane);
	if (!r)
		r = make_steps(pool, t, reply);
	if (r)
		return r;
	answer(t, reply);
	return 1;
}

int thinx_pool_trim(struct thinx_pool *pool, unsigned int argc, char **argv,
		    struct thinx_reply *reply)
{
	struct thinx_trim *t = kvzalloc(sizeof(*t), GFP_NOIO);
	int r;

	if (!t)
		return -ENOMEM;
	r = trim(pool, argc, argv, t, reply);
	kvfree(t);
	return r;
}
