// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The state a pool is in, and everything that changes it.
 *
 *                    no free data block
 *            write ──────────────────────► out-of-data-space
 *              │ ◄── a commit frees some ──────┘ │   (a volume with a reserve
 *              │                                 │    goes on writing)
 *              ├── no free metadata block ───────┴► out-of-metadata-space ("ro")
 *              │ ◄── a commit frees some, the device has grown ───┘
 *              │
 *              ├── a metadata operation failed: abort, needs_check ──► read-only
 *              └── even that failed ──────────────────────────────────► fail
 *
 * I1  thinx_pool_set_mode() is the only writer of the mode.
 * I2  Fail mode is never left.  needs_check keeps the pool out of write mode.
 * I3  Metadata is opened for changes before the data path may ask for them, and
 *     closed after it no longer may, except for an abort, which must refuse
 *     changes under way.  Changes made before a mode forbids more are still
 *     committed.
 */
#include "control/mode.h"

#include <linux/device-mapper.h>
#include <linux/module.h>

#include "data-path/commit.h"
#include "data-path/plane.h"
#include "data-path/volume.h"
#include "include/compat/namespace.h"
#include "include/trace/events/thinx.h"

/* Time between attempts to write the needs_check flag; longer in fail mode. */
#define NEEDS_CHECK_RETRY (2 * HZ)
#define NEEDS_CHECK_RETRY_FAILED (10 * HZ)

/* The drop-in has the same parameter. */
unsigned int thinx_no_space_timeout = 60;
EXPORT_SYMBOL_THINX(thinx_no_space_timeout);
module_param_named(no_space_timeout, thinx_no_space_timeout, uint, 0644);
MODULE_PARM_DESC(no_space_timeout,
		 "Out of data space queue IO timeout in seconds, 0 for never");

static const struct {
	const char *name;
	unsigned int caps;
	bool read_only;		/* metadata is not changed */
} modes[] = {
	[THINX_MODE_WRITE] = {
		"write",
		THINX_CAN_MAP | THINX_CAN_CHANGE | THINX_CAN_GROW |
		THINX_CAN_PROVISION,
		false,
	},
	[THINX_MODE_OUT_OF_DATA_SPACE] = {
		NULL,	/* see mode_name() */
		THINX_CAN_MAP | THINX_CAN_CHANGE | THINX_CAN_GROW,
		false,
	},
	[THINX_MODE_OUT_OF_METADATA_SPACE] = {
		"read-only", THINX_CAN_MAP | THINX_CAN_CHANGE, false,
	},
	[THINX_MODE_READ_ONLY] = { "read-only", THINX_CAN_MAP, true, },
	[THINX_MODE_FAIL] = { "fail", 0, true, },
};

static const char *traced_name(enum thinx_mode mode)
{
	switch (mode) {
	case THINX_MODE_OUT_OF_DATA_SPACE:
		return "out-of-data-space";
	case THINX_MODE_OUT_OF_METADATA_SPACE:
		return "out-of-metadata-space";
	default:
		return modes[mode].name;
	}
}

static const char *mode_name(struct thinx_pool *pool)
{
	if (pool->mode == THINX_MODE_OUT_OF_DATA_SPACE)
		return pool->error_if_no_space ?
			"out-of-data-space (error IO)" :
			"out-of-data-space (queue IO)";
	return modes[pool->mode].name;
}

/* Do writes that find no space wait for some, or fail for lack of it? */
static bool lacks_space(enum thinx_mode mode)
{
	return mode == THINX_MODE_OUT_OF_DATA_SPACE ||
	       mode == THINX_MODE_OUT_OF_METADATA_SPACE;
}

static void raise_event(struct thinx_pool *pool)
{
	lockdep_assert_held(&pool->mode_lock);
	if (pool->bound)
		dm_table_event(pool->bound->ti->table);
}

static void announce(struct thinx_pool *pool)
{
	pool_info(pool, "switching pool to %s mode", mode_name(pool));
	raise_event(pool);
}

static void set_caps(struct thinx_pool *pool)
{
	unsigned int caps = modes[pool->mode].caps;

	if (lacks_space(pool->mode))
		caps |= pool->error_if_no_space ? THINX_NO_SPACE_ERROR :
						  THINX_NO_SPACE_HOLD;
	WRITE_ONCE(pool->plane.caps, caps);
	/* Held writes are reconsidered; see thinx_bio_starve(). */
	thinx_volumes_retry_starved(&pool->plane);
	/* So is what closed gates hold back. */
	if (!(caps & THINX_CAN_MAP))
		thinx_volumes_kick(&pool->plane);
}

void thinx_pool_arm_no_space(struct thinx_pool *pool)
{
	unsigned int seconds = READ_ONCE(thinx_no_space_timeout);

	lockdep_assert_held(&pool->mode_lock);
	if (lacks_space(pool->mode) && !pool->error_if_no_space && seconds) {
		pool->no_space_until = jiffies + (u64)seconds * HZ;
		mod_delayed_work(pool->plane.wq, &pool->no_space,
				 min_t(u64, (u64)seconds * HZ,
				       MAX_JIFFY_OFFSET));
	}
}

static bool is_out_of_metadata(struct thinx_pool *pool)
{
	struct thinx_md_space s;

	thinx_md_get_space(pool->md, &s);
	return thinx_md_space_is_out(&s);
}

static enum thinx_mode allowed_mode(struct thinx_pool *pool,
				    enum thinx_mode mode)
{
	if (pool->mode == THINX_MODE_FAIL)
		return THINX_MODE_FAIL;
	if (mode < THINX_MODE_READ_ONLY && thinx_md_needs_check(pool->md)) {
		pool_err(pool, "unable to switch pool to write mode until repaired.");
		return THINX_MODE_READ_ONLY;
	}
	if (mode < THINX_MODE_OUT_OF_METADATA_SPACE && is_out_of_metadata(pool)) {
		pool_err(pool, "No free metadata blocks");
		return THINX_MODE_OUT_OF_METADATA_SPACE;
	}
	return mode;
}

void thinx_pool_set_mode(struct thinx_pool *pool, enum thinx_mode mode)
{
	enum thinx_mode old = pool->mode;

	lockdep_assert_held(&pool->mode_lock);
	mode = allowed_mode(pool, mode);

	if (!modes[mode].read_only)
		thinx_md_set_read_write(pool->md);
	WRITE_ONCE(pool->mode, mode);
	if (mode == THINX_MODE_WRITE && pool->bound)
		pool->error_if_no_space =
			pool->bound->requested.error_if_no_space;
	set_caps(pool);
	if (mode == THINX_MODE_FAIL)
		thinx_md_fail(pool->md);
	else if (modes[mode].read_only)
		thinx_md_set_read_only(pool->md);

	if (pool->bound)
		pool->bound->mode = mode;
	if (old == mode)
		return;
	/* Its work takes mode_lock, so do not wait for it here. */
	if (lacks_space(old))
		cancel_delayed_work(&pool->no_space);
	trace_thinx_mode(pool->plane.dev, traced_name(old),
			 traced_name(mode));
	announce(pool);
	thinx_pool_arm_no_space(pool);
}

/* ---- what happens to a pool ---- */

static void no_space_expired(struct work_struct *work)
{
	struct thinx_pool *pool = container_of(to_delayed_work(work),
					       struct thinx_pool, no_space);

	mutex_lock(&pool->mode_lock);
	/* It may have waited here since an earlier shortage of space. */
	if (lacks_space(pool->mode) && !pool->error_if_no_space &&
	    time_after_eq(jiffies, pool->no_space_until)) {
		pool->error_if_no_space = true;
		if (pool->mode == THINX_MODE_OUT_OF_METADATA_SPACE)
			pool_info(pool, "writes that need metadata space fail from now on");
		announce(pool);
		set_caps(pool);
	}
	mutex_unlock(&pool->mode_lock);
}

static void abort_transaction(struct thinx_pool *pool)
{
	int r;

	pool_err(pool, "aborting current metadata transaction");
	/*
	 * The abort forgets which blocks are held by updates under way: none of
	 * these may be inserted once the gates open again.
	 */
	WRITE_ONCE(pool->plane.caps, modes[THINX_MODE_READ_ONLY].caps);
	thinx_md_set_read_only(pool->md);
	r = thinx_plane_abort(&pool->plane);
	pool->needs_check_unwritten = true;
	if (r) {
		pool_err(pool, "failed to abort metadata transaction: error = %d",
			 r);
		thinx_pool_set_mode(pool, THINX_MODE_FAIL);
	}
	thinx_pool_write_needs_check(pool);
	if (!r)
		thinx_pool_set_mode(pool, THINX_MODE_READ_ONLY);
}

/*
 * The device that made the operation fail may refuse this too.  The flag is in
 * force in memory all the same, and the write is retried until it succeeds or
 * the pool closes, in fail mode as well: the next user to set up the pool must
 * know.
 */
void thinx_pool_write_needs_check(struct thinx_pool *pool)
{
	int r;

	lockdep_assert_held(&pool->mode_lock);
	if (!pool->needs_check_unwritten)
		return;
	r = thinx_md_set_needs_check(pool->md);
	if (r) {
		pool_err_limit(pool, "failed to set 'needs_check' flag in metadata: error = %d",
			       r);
		mod_delayed_work(pool->plane.wq, &pool->needs_check,
				 pool->mode == THINX_MODE_FAIL ?
				 NEEDS_CHECK_RETRY_FAILED : NEEDS_CHECK_RETRY);
		return;
	}
	pool->needs_check_unwritten = false;
}

static void retry_needs_check(struct work_struct *work)
{
	struct thinx_pool *pool = container_of(to_delayed_work(work),
					       struct thinx_pool, needs_check);

	mutex_lock(&pool->mode_lock);
	thinx_pool_write_needs_check(pool);
	mutex_unlock(&pool->mode_lock);
}

void thinx_pool_abandon(struct thinx_pool *pool)
{
	lockdep_assert_held(&pool->mode_lock);
	thinx_pool_write_needs_check(pool);
	pool->needs_check_unwritten = false;
	thinx_pool_set_mode(pool, THINX_MODE_FAIL);
}

static void out_of_metadata(struct thinx_pool *pool)
{
	lockdep_assert_held(&pool->mode_lock);
	pool_err(pool, "No free metadata blocks");
	thinx_pool_set_mode(pool, THINX_MODE_OUT_OF_METADATA_SPACE);
	/* For what was changed since the last commit. */
	thinx_commit_note_change(&pool->plane);
}

/*
 * Metadata space ran out before anything was changed: keep what there is, and
 * wait for more, unless it has come meanwhile.
 */
static int retire_gently(struct thinx_pool *pool)
{
	struct thinx_md_space s;
	int r;

	r = thinx_md_commit(pool->md, NULL);
	if (r)
		return r;
	thinx_md_get_space(pool->md, &s);
	if (!thinx_md_space_is_back(&s))
		out_of_metadata(pool);
	else
		/* This commit may have freed data blocks, too. */
		thinx_commit_for_space(&pool->plane);
	return 0;
}

void thinx_pool_metadata_failed(void *context, const char *what, int r)
{
	struct thinx_pool *pool = context;

	mutex_lock(&pool->mode_lock);
	/*
	 * Others may have met the same failure first.  A broken transaction
	 * must be aborted in any mode: until then nothing can be looked up.
	 */
	if (pool->mode == THINX_MODE_FAIL)
		goto out;
	if (pool->mode == THINX_MODE_READ_ONLY && !thinx_md_is_broken(pool->md))
		goto out;
	if (pool->mode == THINX_MODE_OUT_OF_METADATA_SPACE && r == -ENOSPC &&
	    !thinx_md_is_broken(pool->md))
		goto out;
	pool_err_limit(pool, "metadata operation '%s' failed: error = %d", what,
		       r);
	if (r == -ENOSPC && !thinx_md_is_broken(pool->md)) {
		r = retire_gently(pool);
		if (!r)
			goto out;
		pool_err(pool, "metadata operation 'commit' failed: error = %d",
			 r);
	}
	abort_transaction(pool);
out:
	mutex_unlock(&pool->mode_lock);
}

/* The numbers as those see them who have no reserve. */
static void get_unreserved_space(struct thinx_pool *pool,
				 struct thinx_md_space *s)
{
	struct thinx_quotas *q = &pool->plane.quotas;
	u64 now, later;

	thinx_md_get_space(pool->md, s);
	now = thinx_quotas_unreserved(q, s->data_allocatable);
	later = thinx_quotas_unreserved(q, s->data_allocatable +
					   s->data_pending);
	s->data_allocatable = now;
	s->data_pending = later - min(now, later);
}

static void no_data_space(void *context, bool sure)
{
	struct thinx_pool *pool = context;
	struct thinx_md_space s;

	mutex_lock(&pool->mode_lock);
	if (pool->mode == THINX_MODE_WRITE) {
		get_unreserved_space(pool, &s);
		if ((s.data_allocatable && !sure) || s.data_pending)
			thinx_volumes_retry_starved(&pool->plane);
		else
			thinx_pool_set_mode(pool, THINX_MODE_OUT_OF_DATA_SPACE);
	}
	mutex_unlock(&pool->mode_lock);
}

static void no_metadata_space(void *context)
{
	struct thinx_pool *pool = context;

	mutex_lock(&pool->mode_lock);
	if (pool->mode >= THINX_MODE_OUT_OF_METADATA_SPACE ||
	    !is_out_of_metadata(pool))
		thinx_volumes_retry_starved(&pool->plane);
	else
		out_of_metadata(pool);
	mutex_unlock(&pool->mode_lock);
}

static void data_low(void *context)
{
	struct thinx_pool *pool = context;

	pool_warn(pool, "reached low water mark for data device: sending event.");
	mutex_lock(&pool->mode_lock);
	raise_event(pool);
	mutex_unlock(&pool->mode_lock);
}

static void space_changed(void *context)
{
	thinx_pool_space_changed(context);
}

void thinx_pool_space_changed(struct thinx_pool *pool)
{
	struct thinx_md_space s;
	bool back = false;

	/*
	 * Read mode and numbers together: another thread may be about to enter
	 * out-of-data-space because of what was true before this change.
	 */
	mutex_lock(&pool->mode_lock);
	get_unreserved_space(pool, &s);
	if (pool->mode <= THINX_MODE_OUT_OF_DATA_SPACE &&
	    thinx_md_space_is_out(&s))
		out_of_metadata(pool);
	else if (pool->mode == THINX_MODE_OUT_OF_METADATA_SPACE)
		back = thinx_md_space_is_back(&s);
	else if (pool->mode == THINX_MODE_OUT_OF_DATA_SPACE)
		/* For pending blocks writes wait in write mode. */
		back = s.data_allocatable || s.data_pending;
	if (back)
		thinx_pool_set_mode(pool, THINX_MODE_WRITE);
	else if (xchg(&pool->plane.reserve_starved, false))
		/* There may be enough for them alone; see ask_for_space(). */
		thinx_volumes_retry_starved(&pool->plane);
	mutex_unlock(&pool->mode_lock);
}

static void metadata_low(void *context)
{
	struct thinx_pool *pool = context;

	queue_work(pool->plane.wq, &pool->events);
}

const struct thinx_plane_ops thinx_pool_plane_ops = {
	.metadata_failed = thinx_pool_metadata_failed,
	.no_data_space = no_data_space,
	.no_metadata_space = no_metadata_space,
	.low_water = data_low,
	.space_changed = space_changed,
	.metadata_low = metadata_low,
};

static void send_metadata_low(struct work_struct *work)
{
	struct thinx_pool *pool = container_of(work, struct thinx_pool, events);

	pool_warn(pool, "reached low water mark for metadata device: sending event.");
	mutex_lock(&pool->mode_lock);
	raise_event(pool);
	mutex_unlock(&pool->mode_lock);
}

void thinx_pool_mode_init(struct thinx_pool *pool)
{
	mutex_init(&pool->mode_lock);
	pool->mode = THINX_MODE_WRITE;
	WRITE_ONCE(pool->plane.caps, modes[THINX_MODE_WRITE].caps);
	INIT_DELAYED_WORK(&pool->no_space, no_space_expired);
	INIT_DELAYED_WORK(&pool->needs_check, retry_needs_check);
	INIT_WORK(&pool->events, send_metadata_low);
}

void thinx_pool_mode_exit(struct thinx_pool *pool)
{
	mutex_lock(&pool->mode_lock);
	thinx_pool_write_needs_check(pool);
	mutex_unlock(&pool->mode_lock);
	cancel_delayed_work_sync(&pool->needs_check);
	cancel_delayed_work_sync(&pool->no_space);
	cancel_work_sync(&pool->events);
}
