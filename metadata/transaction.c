// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The generations: what may be changed, the one commit sequence, the way back.
 *
 *            changes               changes                 changes
 *   ----- generation g -----+---- generation g+1 ----+---- g+2 ----
 *                     close g under the lock   close g+1
 *                           |                        ^
 *                           +- data flush, blocks,   |
 *                              flush, superblock ----+
 *                              complete g under the lock
 *
 * I1  Closing and completing happen under the metadata lock, everything slow
 *     between them without it; the commit mutex keeps the next closing out.
 * I2  A generation is never used twice: an abort opens the next one.
 * I3  changing is set between the first and the last modification of a change.
 *     An error in between breaks the transaction.
 * I4  A broken transaction takes no change and is never committed.  If trees
 *     may be malformed (torn), they are not read either: a mapped block could
 *     be mistaken for a hole and read as zeros.
 *
 * Locks: commit_mutex, close_mutex, then lock.  Fields read without a lock are
 * marked in metadata/metadata.h.
 * Crash: before the superblock is durable, the last commit is found, after that
 * the new one; nothing either of them refers to is overwritten.
 */
#include "metadata/transaction.h"

#include <linux/ktime.h>
#include <linux/string.h>

#include "metadata/device.h"
#include "metadata/limits.h"
#include "metadata/open.h"
#include "metadata/superblock.h"

int thinx_transaction_may_look(const struct thinx_md *md)
{
	if (READ_ONCE(md->failed))	/* pairs with thinx_md_fail() */
		return -ENODEV;
	return md->torn ? -EUCLEAN : 0;
}

int thinx_transaction_may_change(const struct thinx_md *md)
{
	if (READ_ONCE(md->failed))	/* pairs with thinx_md_fail() */
		return -ENODEV;
	if (md->broken)
		return -EUCLEAN;
	/* Pairs with thinx_md_set_read_only(). */
	return READ_ONCE(md->read_only) || md->bdev_read_only ? -EPERM : 0;
}

/*
 * Read-only refuses new changes.  Those already made may still be committed,
 * and the needs_check flag written: stopping changes in a hurry must not lose
 * the last ones.
 */
static int may_write(const struct thinx_md *md)
{
	if (READ_ONCE(md->failed))	/* pairs with thinx_md_fail() */
		return -ENODEV;
	return md->bdev_read_only ? -EPERM : 0;
}

/* The change is over; keeps I3. */
int thinx_transaction_end_change(struct thinx_md *md, int r)
{
	if (r && md->changing) {
		md_err_limit(md, "a metadata change failed halfway: error %d; the transaction must be aborted",
			     r);
		WRITE_ONCE(md->broken, true);	/* pairs with the getter */
		md->torn = true;
	}
	md->changing = false;
	/* Pairs with thinx_md_is_heavy(). */
	WRITE_ONCE(md->heavy, md->data_sm &&
		   pd_sm_weight(md->data_sm) +
		   pd_sm_weight(pd_tm_sm(md->tm)) >= THINX_HEAVY);
	return r;
}

/* ---- commit ---- */

/* Close the open generation; md->closing is its superblock afterwards. */
static int close_generation(struct thinx_md *md)
{
	struct thinx_disk_superblock *sb = md->closing;
	int r;

	thinx_md_begin_change(md);
	memcpy(sb, md->committed, sizeof(*sb));
	r = thinx_device_flush(md);
	if (r)
		return r;
	r = pd_sm_close(md->data_sm, sb->data_sm_root);
	if (r)
		return r;
	r = pd_tm_close(md->tm, sb->metadata_sm_root);
	if (r)
		return r;
	thinx_superblock_pack(md, sb);
	thinx_device_close_generation(md);
	/* Pair with the lock-free getters. */
	WRITE_ONCE(md->dirty, false);
	WRITE_ONCE(md->open_gen, md->open_gen + 1);
	return 0;
}

/*
 * Blocks of the open generation are written too, even while they change, which
 * is harmless; but a device that checksums what it is given may then find a
 * mismatch.  For such a device, the lock keeps blocks from changing meanwhile.
 */
static int flush_blocks(struct thinx_md *md)
{
	bool stable = pd_bm_wants_stable_writes(md->bm);
	int r;

	if (stable)
		down_read(&md->lock);
	r = pd_bm_flush(md->bm);
	if (stable)
		up_read(&md->lock);
	return r;
}

/*
 * 1. flush of the data, metadata blocks and their flush; 2. superblock.  Nothing refers to the
 * blocks before the superblock does, so they need not wait for the data.
 */
static int write_generation(struct thinx_md *md)
{
	const struct thinx_md_hooks *hooks = md->hooks;
	int r, r_data;

	r = hooks->start_flush ? hooks->start_flush(md->hook_context) : 0;
	if (r)
		return r;
	r = flush_blocks(md);
	r_data = hooks->end_flush ? hooks->end_flush(md->hook_context) : 0;
	if (r || r_data)
		return r ? r : r_data;
	return pd_bm_write_super(md->bm, &thinx_superblock_validator,
				 md->closing);
}

/* The closed generation is durable. */
static void complete_generation(struct thinx_md *md)
{
	pd_sm_complete(md->data_sm);
	pd_tm_complete(md->tm);
	memcpy(md->committed, md->closing, sizeof(*md->committed));
	/* Pairs with thinx_md_dev_is_dirty(). */
	WRITE_ONCE(md->completed_gen, md->open_gen - 1);
	thinx_device_complete_generation(md);
}

static int commit_mutex_held(struct thinx_md *md, bool *wrote)
{
	struct thinx_md_commit_times t;
	u64 began;
	int r;

	mutex_lock(&md->close_mutex);
	thinx_metadata_lock(md);
	r = may_write(md);
	if (!r && md->broken)
		r = -EUCLEAN;
	if (r == -EPERM && !md->dirty)
		r = 0;
	*wrote = !r && md->dirty;
	began = ktime_get_ns();
	if (*wrote)
		r = thinx_transaction_end_change(md, close_generation(md));
	t.nr_blocks = pd_bm_nr_closed(md->bm);
	WRITE_ONCE(md->nr_closings, md->nr_closings + 1);
	thinx_metadata_unlock(md);
	t.close_ns = ktime_get_ns() - began;
	mutex_unlock(&md->close_mutex);
	wake_up(&md->closings);		/* see commit_between() */
	if (r || !*wrote) {
		*wrote = false;
		return r;
	}

	began = ktime_get_ns();
	r = write_generation(md);
	t.write_ns = ktime_get_ns() - began;

	thinx_metadata_lock(md);
	began = ktime_get_ns();
	if (r) {
		md_err(md, "commit failed: error %d", r);
		WRITE_ONCE(md->broken, true);	/* pairs with the getter */
	} else {
		complete_generation(md);
	}
	thinx_metadata_unlock(md);
	t.complete_ns = ktime_get_ns() - began;
	if (!r && md->hooks->committed)
		md->hooks->committed(md->hook_context, &t);
	return r;
}

int thinx_transaction_commit(struct thinx_md *md, bool *wrote)
{
	bool unused;
	int r;

	if (!wrote)
		wrote = &unused;
	*wrote = false;
	mutex_lock(&md->commit_mutex);
	r = commit_mutex_held(md, wrote);
	mutex_unlock(&md->commit_mutex);
	return r;
}

/*
 * Something that nobody has changed is not written, so a device that has gone
 * away meanwhile would not be noticed.
 */
int thinx_transaction_probe(struct thinx_md *md)
{
	bool idle;
	int r = 0;

	mutex_lock(&md->commit_mutex);
	thinx_metadata_lock(md);
	idle = !thinx_transaction_may_change(md) && !md->dirty &&
	       md->completed_gen;
	thinx_metadata_unlock(md);
	if (idle)
		r = pd_bm_write_super(md->bm, &thinx_superblock_validator,
				      md->committed);
	mutex_unlock(&md->commit_mutex);
	if (r)
		md_err(md, "the superblock cannot be written: %d", r);
	return r;
}

/* ---- abort ---- */

/*
 * A superblock whose write failed may still have reached the device, but not
 * reliably: what is built on it needs it to be durable.
 */
static int settle_superblock(struct thinx_md *md,
			     const struct thinx_disk_superblock *last)
{
	if (!memcmp(last, md->committed, sizeof(*last)) ||
	    md->bdev_read_only)
		return 0;
	md_warn(md, "the superblock on the device is one whose write failed: writing it again");
	return pd_bm_write_super(md->bm, &thinx_superblock_validator,
				 md->committed);
}

static void note_needs_check(struct thinx_md *md)
{
	thinx_superblock_set_needs_check(md->committed);
	WRITE_ONCE(md->needs_check, true);	/* pairs with the getter */
}

#define LOAD_TRIES 16

/*
 * Without an abort the pool is lost.  These allocations may wait for memory, so
 * one failure says little about the next attempt.
 */
static int load_again(struct thinx_md *md)
{
	int tries = LOAD_TRIES, r;

	do {
		thinx_open_unload(md);
		r = pd_bm_drop(md->bm);
		if (!r)
			r = thinx_open_load(md);
	} while (r == -ENOMEM && --tries);
	return r;
}

static int reload_committed(struct thinx_md *md)
{
	bool needs_check = md->needs_check;
	int r;

	memcpy(md->closing, md->committed, sizeof(*md->closing));
	r = load_again(md);
	if (r)
		return r;
	r = settle_superblock(md, md->closing);
	if (r)
		return r;
	if (needs_check)	/* even if it could not be written */
		note_needs_check(md);
	return thinx_device_abort(md);
}

int thinx_transaction_abort(struct thinx_md *md)
{
	int r;

	mutex_lock(&md->commit_mutex);
	mutex_lock(&md->close_mutex);
	thinx_metadata_lock(md);
	r = READ_ONCE(md->failed) ? -ENODEV : 0;
	if (r)
		goto out;
	WRITE_ONCE(md->open_gen, md->open_gen + 1);	/* I2 */
	WRITE_ONCE(md->nr_aborts, md->nr_aborts + 1);
	r = reload_committed(md);
	if (r) {
		md_err(md, "abort failed: error %d; the metadata can no longer be used",
		       r);
		thinx_transaction_fail(md);
		goto out;
	}
	WRITE_ONCE(md->dirty, false);
	WRITE_ONCE(md->heavy, false);
	WRITE_ONCE(md->broken, false);	/* pairs with the getter */
	md->torn = false;
out:
	thinx_metadata_unlock(md);
	mutex_unlock(&md->close_mutex);
	mutex_unlock(&md->commit_mutex);
	return r;
}

/*
 * Failed metadata can only rely on what the device says: it is the last commit
 * or the one under way, and only the flag is added.
 */
static int read_last_superblock(struct thinx_md *md)
{
	int r;

	r = pd_bm_read_super(md->bm, &thinx_superblock_validator, md->closing);
	if (!r)
		thinx_superblock_set_needs_check(md->closing);
	return r;
}

int thinx_transaction_set_needs_check(struct thinx_md *md)
{
	bool failed;
	int r;

	mutex_lock(&md->commit_mutex);
	thinx_metadata_lock(md);
	failed = READ_ONCE(md->failed);		/* pairs with thinx_md_fail() */
	note_needs_check(md);
	memcpy(md->closing, md->committed, sizeof(*md->closing));
	/* A broken transaction does not matter: none of it is written here. */
	r = md->bdev_read_only ? -EPERM : 0;
	thinx_metadata_unlock(md);
	if (!r && failed)
		r = read_last_superblock(md);
	if (!r)
		r = pd_bm_write_super(md->bm, &thinx_superblock_validator,
				      md->closing);
	if (!r) {
		thinx_metadata_lock(md);
		memcpy(md->committed, md->closing, sizeof(*md->committed));
		thinx_metadata_unlock(md);
	}
	mutex_unlock(&md->commit_mutex);
	return r;
}
