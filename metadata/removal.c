// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Deletes devices and releases the metadata snapshot: takes the lock for each step
 * (drop.c), lets others in between, reads ahead what the next step needs, and
 * commits where a transaction has become heavy or has no room.
 *
 * I1  The steps of the last stage hold close_mutex: no transaction ends between
 *     them.  close_mutex is taken before the lock.
 *
 * Context: may sleep, holds no lock.
 */
#include "metadata/removal.h"

#include <linux/sched.h>
#include <linux/wait.h>

#include "metadata/device.h"
#include "metadata/drop.h"
#include "metadata/held-root.h"
#include "metadata/mapping.h"
#include "metadata/transaction.h"

/* Read what the next step of a removal will read; no lock is held. */
static void read_ahead_drop(struct thinx_md *md, const struct thinx_drop *drop,
			    bool held)
{
	struct pd_btree_ahead a = thinx_drop_ahead(drop);
	struct thinx_roots roots;
	int r, rounds;

	for (rounds = 0; rounds < THINX_AHEAD_ROUNDS; rounds++) {
		down_read(&md->lock);
		r = thinx_transaction_may_look(md);
		if (!r && held)
			r = md->held_root ? thinx_held_root_read(md, &roots) :
					    -ENODATA;
		if (!r)
			thinx_mapping_read_ahead(md, held ? roots.mappings :
						 md->roots.mappings, drop->id,
						 &a);
		up_read(&md->lock);
		if (r || !a.missing.nr || pd_bm_wait(md->bm, a.missing.last))
			return;
	}
}

/*
 * Commit, and wait for it; if @soon, and another thread can do it, only until the
 * generation is closed, or cannot be.  @nr_closings: as it was under the lock.
 */
static int commit_between(struct thinx_md *md, bool soon, u64 nr_closings)
{
	const struct thinx_md_hooks *hooks = md->hooks;

	if (!soon || !hooks->commit_soon)
		return hooks->commit(md->hook_context);
	hooks->commit_soon(md->hook_context);
	/* Pairs with commit_mutex_held(). */
	wait_event(md->closings, READ_ONCE(md->nr_closings) != nr_closings);
	return 0;
}

/*
 * Let others in between two steps of a removal, of which the last one ended with
 * @r, and read what the next one needs.  Commit if it became heavy, or if the
 * step found no room: that gives back what was freed, once; then a step has to
 * succeed.
 * Returns the error, if any, that rules out the next step.
 */
static int between_steps(struct thinx_md *md, int r, bool *committed,
			 const struct thinx_drop *drop, bool held)
	__must_hold(&md->lock)
{
	bool full = r == -ENOSPC && !md->broken;
	bool commit = (full || md->heavy) && md->hooks->commit;
	u64 nr_closings = md->nr_closings;

	if (r && (!full || !commit || *committed))
		return r;
	*committed = full;
	thinx_metadata_unlock(md);
	cond_resched();
	r = commit ? commit_between(md, !full, nr_closings) : 0;
	if (!r && drop->stage != THINX_DROP_REST)
		read_ahead_drop(md, drop, held);
	thinx_metadata_lock(md);
	return r ?: thinx_transaction_may_change(md);
}

/*
 * The last stage of a removal, which no transaction may divide; @dev is NULL for
 * one from the metadata snapshot.  Those who commit wait meanwhile, others get in
 * between the steps.  If there is no room even after a commit, mappings are
 * counted instead.
 */
static int drop_rest(struct thinx_md *md, struct thinx_md_dev *dev,
		     struct thinx_drop *drop, bool committed)
	__must_hold(&md->lock)
{
	int r;

	thinx_metadata_unlock(md);
	mutex_lock(&md->close_mutex);
	thinx_metadata_lock(md);
	r = thinx_transaction_may_change(md);
	if (!r)
		r = thinx_transaction_end_change(md, dev ?
			thinx_device_delete_detach(dev, drop) :
			thinx_held_root_detach(md, drop));
	if (r == -ENOSPC && committed && !md->broken) {
		drop->stage = THINX_DROP_COUNTED;
		r = 0;
		goto out;
	}
	if (r == -EAGAIN) {
		r = 0;
		goto out;
	}
	while (!r) {
		r = thinx_transaction_end_change(md, thinx_drop_rest(md, drop));
		if (r || drop->done)
			break;
		thinx_metadata_unlock(md);
		cond_resched();
		thinx_metadata_lock(md);
		/* Being read-only now is no reason to stop halfway. */
		if (md->broken || READ_ONCE(md->failed))
			r = -EUCLEAN;
	}
out:
	md->nr_dropping = 0;
	md->nr_dropping_values = 0;
	mutex_unlock(&md->close_mutex);
	return r;
}

int thinx_removal_delete(struct thinx_md *md, u32 id)
{
	struct thinx_drop drop = { .id = id };
	struct thinx_md_dev *dev;
	bool committed = false;
	int r;

	thinx_metadata_lock(md);
	r = thinx_transaction_may_change(md);
	if (!r)
		r = thinx_device_delete_begin(md, id, &dev);
	if (r)
		goto out;
	r = between_steps(md, 0, &committed, &drop, false);
	if (r)
		thinx_device_delete_cancel(dev);
	while (!r) {
		if (drop.stage == THINX_DROP_REST)
			r = drop_rest(md, dev, &drop, committed);
		else
			r = thinx_transaction_end_change(md, thinx_device_delete_step(dev, &drop));
		if (drop.done || drop.root)
			break;
		r = between_steps(md, r, &committed, &drop, false);
		if (r)
			thinx_device_delete_cancel(dev);
	}
out:
	thinx_metadata_unlock(md);
	return r;
}

int thinx_removal_release_snap(struct thinx_md *md)
{
	struct thinx_drop drop = { 0 };
	bool committed = false;
	int r;

	thinx_metadata_lock(md);
	r = thinx_transaction_may_change(md);
	if (!r && !md->held_root)
		r = -EINVAL;
	/* Between two steps nobody else may release it and reserve another. */
	if (!r && md->releasing)
		r = -EBUSY;
	if (r)
		goto out;
	md->releasing = true;
	while (!r && md->held_root) {
		if (drop.stage == THINX_DROP_REST && !drop.done) {
			r = drop_rest(md, NULL, &drop, committed);
		} else {
			r = thinx_held_root_release_step(md, &drop);
			r = thinx_transaction_end_change(md, r);
		}
		if (md->held_root)
			r = between_steps(md, r, &committed, &drop, true);
	}
	md->releasing = false;
out:
	thinx_metadata_unlock(md);
	return r;
}
