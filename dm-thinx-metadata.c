// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The metadata façade: the lock, the generations, the one commit sequence, the
 * way back.  What a change does is in metadata/.
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
 * I4  A broken transaction takes no change and is never committed.  If trees may
 *     be malformed (torn) they are not looked at either: a hole that is none
 *     would be read as zeros.
 *
 * Locks: commit_mutex, then lock.  Fields read without a lock are marked in
 * metadata/metadata.h.
 * Crash: before the superblock is durable the last commit is what is found,
 * after it the new one; nothing either of them refers to is overwritten.
 */
#include "dm-thinx-metadata.h"

#include <linux/device-mapper.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "metadata/check.h"
#include "metadata/device.h"
#include "metadata/held-root.h"
#include "metadata/mapping.h"
#include "metadata/metadata.h"
#include "metadata/open.h"
#include "metadata/space.h"
#include "metadata/superblock.h"
#include "persistent-data/block-io.h"

/*
 * So many changed counts of data blocks make a transaction heavy: each takes some
 * memory, up to half a kilobyte if no neighbour is changed, and closing takes time
 * for each, under the lock.
 */
#define HEAVY 65536

/* ---- who may do what ---- */

static int may_look(const struct thinx_md *md)
{
	if (READ_ONCE(md->failed))	/* pairs with thinx_md_fail() */
		return -ENODEV;
	return md->torn ? -EUCLEAN : 0;
}

static int may_change(const struct thinx_md *md)
{
	if (READ_ONCE(md->failed))	/* pairs with thinx_md_fail() */
		return -ENODEV;
	if (md->broken)
		return -EUCLEAN;
	/* Pairs with thinx_md_set_read_only(). */
	return READ_ONCE(md->read_only) || md->bdev_read_only ? -EPERM : 0;
}

/*
 * Read-only refuses new changes.  Those made before may still be committed, and
 * the needs_check flag written: whoever stops changes in a hurry does not
 * leave the last ones behind.
 */
static int may_write(const struct thinx_md *md)
{
	if (READ_ONCE(md->failed))	/* pairs with thinx_md_fail() */
		return -ENODEV;
	return md->bdev_read_only ? -EPERM : 0;
}

/* The change is over: keeps I3. */
static int end_change(struct thinx_md *md, int r)
{
	if (r && md->changing) {
		DMERR_LIMIT("%s: a metadata change failed half way: %d; the transaction has to be aborted",
			    thinx_md_name(md), r);
		WRITE_ONCE(md->broken, true);	/* pairs with the getter */
		md->torn = true;
	}
	md->changing = false;
	/* Pairs with thinx_md_is_heavy(). */
	WRITE_ONCE(md->heavy,
		   md->data_sm && pd_sm_nr_changed(md->data_sm) >= HEAVY);
	return r;
}

void thinx_md_lock(struct thinx_md *md) __acquires(&md->lock)
{
	down_write(&md->lock);
	__acquire(&md->lock);	/* for sparse, to which a rwsem says nothing */
}

void thinx_md_unlock(struct thinx_md *md) __releases(&md->lock)
{
	__release(&md->lock);
	up_write(&md->lock);
}

void thinx_md_assert_locked(struct thinx_md *md)
{
	lockdep_assert_held_write(&md->lock);
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
 * Blocks of the open generation are written along, while they are changed, which
 * is harmless; but a device that makes checksums of what it is given may find
 * that they do not fit.  For such a one nobody changes blocks meanwhile.
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

/* 1. data, 2. metadata blocks and flush, 3. superblock. */
static int write_generation(struct thinx_md *md,
			    int (*pre_commit)(void *context), void *context)
{
	int r;

	r = pre_commit ? pre_commit(context) : 0;
	if (r)
		return r;
	r = flush_blocks(md);
	if (r)
		return r;
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

static int commit_mutex_held(struct thinx_md *md,
			     int (*pre_commit)(void *context), void *context)
{
	int r;

	thinx_md_lock(md);
	r = may_write(md);
	if (!r && md->broken)
		r = -EUCLEAN;
	if (r == -EPERM && !md->dirty)
		r = 0;
	if (r || !md->dirty) {
		thinx_md_unlock(md);
		return r;
	}
	r = end_change(md, close_generation(md));
	thinx_md_unlock(md);
	if (r)
		return r;

	r = write_generation(md, pre_commit, context);

	thinx_md_lock(md);
	if (r) {
		DMERR("%s: commit failed: %d", thinx_md_name(md), r);
		WRITE_ONCE(md->broken, true);	/* pairs with the getter */
	} else {
		complete_generation(md);
	}
	thinx_md_unlock(md);
	return r;
}

int thinx_md_commit(struct thinx_md *md, int (*pre_commit)(void *context),
		    void *context)
{
	int r;

	mutex_lock(&md->commit_mutex);
	r = commit_mutex_held(md, pre_commit, context);
	mutex_unlock(&md->commit_mutex);
	return r;
}

/* ---- abort ---- */

/*
 * A superblock whose write failed may be on the device all the same, but not
 * for sure: what is built on it needs it to be durable.
 */
static int settle_superblock(struct thinx_md *md,
			     const struct thinx_disk_superblock *last)
{
	if (!memcmp(last, md->committed, sizeof(*last)) ||
	    md->bdev_read_only)
		return 0;
	DMWARN("%s: the device has a superblock whose write had failed: writing it again",
	       thinx_md_name(md));
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
 * No abort, no pool.  Who asks for this memory may wait for it: that it is refused
 * once says little about the next time.
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

static int reload(struct thinx_md *md)
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
	if (needs_check)	/* also if it could not be written */
		note_needs_check(md);
	return thinx_device_abort(md);
}

int thinx_md_abort(struct thinx_md *md)
{
	int r;

	mutex_lock(&md->commit_mutex);
	thinx_md_lock(md);
	r = READ_ONCE(md->failed) ? -ENODEV : 0;
	if (r)
		goto out;
	WRITE_ONCE(md->open_gen, md->open_gen + 1);	/* I2 */
	r = reload(md);
	if (r) {
		DMERR("%s: abort failed: %d; the metadata cannot be used any more",
		      thinx_md_name(md), r);
		thinx_md_fail(md);
		goto out;
	}
	WRITE_ONCE(md->dirty, false);
	WRITE_ONCE(md->heavy, false);
	WRITE_ONCE(md->broken, false);	/* pairs with the getter */
	md->torn = false;
out:
	thinx_md_unlock(md);
	mutex_unlock(&md->commit_mutex);
	return r;
}

/*
 * Metadata that failed know nothing for sure but what the device says: it is the
 * last commit or the one under way, and only the flag is added.
 */
static int read_last_superblock(struct thinx_md *md)
{
	int r;

	r = pd_bm_read_super(md->bm, &thinx_superblock_validator, md->closing);
	if (!r)
		thinx_superblock_set_needs_check(md->closing);
	return r;
}

int thinx_md_set_needs_check(struct thinx_md *md)
{
	bool failed;
	int r;

	mutex_lock(&md->commit_mutex);
	thinx_md_lock(md);
	failed = READ_ONCE(md->failed);		/* pairs with thinx_md_fail() */
	note_needs_check(md);
	memcpy(md->closing, md->committed, sizeof(*md->closing));
	/* A broken transaction is not what is written here. */
	r = md->bdev_read_only ? -EPERM : 0;
	thinx_md_unlock(md);
	if (!r && failed)
		r = read_last_superblock(md);
	if (!r)
		r = pd_bm_write_super(md->bm, &thinx_superblock_validator,
				      md->closing);
	if (!r) {
		thinx_md_lock(md);
		memcpy(md->committed, md->closing, sizeof(*md->committed));
		thinx_md_unlock(md);
	}
	mutex_unlock(&md->commit_mutex);
	return r;
}

/* ---- state ---- */

u64 thinx_md_open_generation(const struct thinx_md *md)
{
	return READ_ONCE(md->open_gen);	/* pairs with close_generation() */
}

u64 thinx_md_completed_generation(const struct thinx_md *md)
{
	/* Pairs with complete_generation(). */
	return READ_ONCE(md->completed_gen);
}

bool thinx_md_is_dirty(const struct thinx_md *md)
{
	return READ_ONCE(md->dirty);	/* pairs with thinx_md_begin_change() */
}

bool thinx_md_is_heavy(const struct thinx_md *md)
{
	return READ_ONCE(md->heavy);	/* pairs with end_change() */
}

bool thinx_md_needs_check(const struct thinx_md *md)
{
	/* Pairs with thinx_md_set_needs_check(), thinx_open_load(). */
	return READ_ONCE(md->needs_check);
}

bool thinx_md_is_broken(const struct thinx_md *md)
{
	/* Pairs with end_change(), commits and aborts. */
	return READ_ONCE(md->broken);
}

void thinx_md_set_read_only(struct thinx_md *md)
{
	WRITE_ONCE(md->read_only, true);	/* pairs with may_change() */
}

void thinx_md_set_read_write(struct thinx_md *md)
{
	WRITE_ONCE(md->read_only, false);	/* pairs with may_change() */
}

void thinx_md_fail(struct thinx_md *md)
{
	WRITE_ONCE(md->failed, true);	/* pairs with may_look(), may_change() */
}

void thinx_md_detach(struct thinx_md *md)
{
	mutex_lock(&md->commit_mutex);
	thinx_md_lock(md);
	if (pd_bm_drop(md->bm))
		DMERR("%s: cached metadata cannot be forgotten",
		      thinx_md_name(md));
	thinx_md_unlock(md);
	mutex_unlock(&md->commit_mutex);
}

u64 thinx_md_transaction_id(struct thinx_md *md)
{
	u64 id;

	down_read(&md->lock);
	id = md->trans_id;
	up_read(&md->lock);
	return id;
}

int thinx_md_set_transaction_id(struct thinx_md *md, u64 old, u64 new)
{
	int r;

	thinx_md_lock(md);
	r = may_change(md);
	if (!r && md->trans_id != old) {
		DMERR("%s: mismatched transaction id: it is %llu, not %llu",
		      thinx_md_name(md), (unsigned long long)md->trans_id,
		      (unsigned long long)old);
		r = -EINVAL;
	}
	if (!r)
		r = thinx_space_ensure(md, 0, 0);
	if (!r) {
		thinx_md_begin_change(md);
		md->trans_id = new;
	}
	r = end_change(md, r);
	thinx_md_unlock(md);
	return r;
}

/* ---- thin devices ---- */

int thinx_md_create_thin(struct thinx_md *md, u32 id)
{
	int r;

	thinx_md_lock(md);
	r = may_change(md);
	if (!r)
		r = end_change(md, thinx_device_create_thin(md, id));
	thinx_md_unlock(md);
	return r;
}

int thinx_md_create_snap(struct thinx_md *md, u32 id, u32 origin)
{
	int r;

	thinx_md_lock(md);
	r = may_change(md);
	if (!r)
		r = end_change(md, thinx_device_create_snap(md, id, origin));
	thinx_md_unlock(md);
	return r;
}

/*
 * Let others in between two steps of a change, and commit what has become heavy.
 * Returns what keeps the next step from being made.
 */
static int between_steps(struct thinx_md *md, int (*commit)(void *context),
			 void *context) __must_hold(&md->lock)
{
	bool heavy = md->heavy;
	int r = 0;

	thinx_md_unlock(md);
	cond_resched();
	if (heavy && commit)
		r = commit(context);
	thinx_md_lock(md);
	return r ?: may_change(md);
}

int thinx_md_delete(struct thinx_md *md, u32 id, int (*commit)(void *context),
		    void *context)
{
	struct thinx_drop drop = { .id = id };
	struct thinx_md_dev *dev;
	int r;

	thinx_md_lock(md);
	r = may_change(md);
	if (!r)
		r = thinx_device_delete_begin(md, id, &dev);
	if (r)
		goto out;
	for (;;) {
		r = end_change(md, thinx_device_delete_step(dev, &drop));
		if (drop.done)
			break;
		if (!r)
			r = between_steps(md, commit, context);
		if (r) {
			thinx_device_delete_cancel(dev);
			break;
		}
	}
out:
	thinx_md_unlock(md);
	return r;
}

int thinx_md_open_device(struct thinx_md *md, u32 id, struct thinx_md_dev **dev)
{
	int r;

	thinx_md_lock(md);
	r = may_look(md);
	if (!r)
		r = thinx_device_get(md, id, dev);
	if (!r && (*dev)->deleting)
		r = -EBUSY;
	if (!r)
		(*dev)->open_count++;
	thinx_md_unlock(md);
	return r;
}

void thinx_md_close_device(struct thinx_md_dev *dev)
{
	struct thinx_md *md = dev->md;

	thinx_md_lock(md);
	if (!WARN_ON_ONCE(!dev->open_count) && !--dev->open_count) {
		dev->lost_changes = false;
		thinx_device_put_idle(dev);
	}
	thinx_md_unlock(md);
}

u32 thinx_md_dev_id(const struct thinx_md_dev *dev)
{
	return dev->id;
}

u32 thinx_md_dev_snapshotted_time(const struct thinx_md_dev *dev)
{
	/* Pairs with creating a snapshot, metadata/device.c. */
	return READ_ONCE(dev->snapshotted_time);
}

bool thinx_md_dev_is_dirty(const struct thinx_md_dev *dev)
{
	/* Pairs with thinx_device_mark_changed(), complete_generation(). */
	return READ_ONCE(dev->changed_gen) > READ_ONCE(dev->md->completed_gen);
}

u64 thinx_md_dev_generation(const struct thinx_md_dev *dev)
{
	/* Pairs with thinx_device_mark_changed(). */
	return READ_ONCE(dev->changed_gen);
}

bool thinx_md_dev_lost_changes(const struct thinx_md_dev *dev)
{
	return READ_ONCE(dev->lost_changes);	/* pairs with an abort */
}

u64 thinx_md_dev_mapped_blocks(const struct thinx_md_dev *dev)
{
	/* Pairs with thinx_device_add_mapped(), thinx_device_sub_mapped(). */
	return READ_ONCE(dev->mapped_blocks);
}

static int dev_may_look(const struct thinx_md_dev *dev)
{
	int r = may_look(dev->md);

	return r ? r : dev->gone ? -ENODATA : 0;
}

static int dev_may_change(const struct thinx_md_dev *dev)
{
	int r = may_change(dev->md);

	thinx_md_assert_locked(dev->md);
	return r ? r : dev->gone ? -ENODATA : 0;
}

int thinx_md_dev_highest_mapped(struct thinx_md_dev *dev, thinx_vblock_t *b)
{
	struct thinx_md *md = dev->md;
	u64 keys[2] = { dev->id, 0 };
	__le64 value;
	int r;

	down_read(&md->lock);
	r = dev_may_look(dev);
	if (!r)
		r = pd_btree_highest(&md->mappings, md->roots.mappings, keys, b,
				     &value);
	up_read(&md->lock);
	return r;
}

/* ---- mappings ---- */

int thinx_md_lookup(struct thinx_md_dev *dev, thinx_vblock_t b,
		    thinx_md_leaf_fn fn, void *context)
{
	struct thinx_md *md = dev->md;
	int r;

	down_read(&md->lock);
	r = dev_may_look(dev);
	if (!r)
		r = thinx_mapping_lookup(dev, b, fn, context);
	up_read(&md->lock);
	return r;
}

int thinx_md_find_run_locked(struct thinx_md *md, u64 want,
			     thinx_dblock_t *begin, u64 *nr)
{
	int r;

	thinx_md_assert_locked(md);
	r = may_change(md);
	if (r)
		return r;
	r = pd_sm_find_run(md->data_sm, want, begin, nr);
	return r == -ENOSPC ? -EXFULL : r;
}

void thinx_md_unhold_locked(struct thinx_md *md, thinx_dblock_t begin,
			    thinx_dblock_t end)
{
	thinx_md_assert_locked(md);
	if (md->data_sm)
		pd_sm_unhold(md->data_sm, begin, end);
}

void thinx_md_unhold(struct thinx_md *md, thinx_dblock_t begin,
		     thinx_dblock_t end)
{
	thinx_md_lock(md);
	thinx_md_unhold_locked(md, begin, end);
	thinx_md_unlock(md);
}

int thinx_md_insert_run_locked(struct thinx_md_dev *dev, thinx_vblock_t vbegin,
			       thinx_dblock_t dbegin, u64 nr,
			       thinx_mapping_t *mapping)
{
	int r = dev_may_change(dev);

	return r ? r : end_change(dev->md,
				  thinx_mapping_insert_run(dev, vbegin, dbegin,
							   nr, mapping));
}

int thinx_md_restamp_locked(struct thinx_md_dev *dev, thinx_vblock_t vbegin,
			    u32 nr, thinx_mapping_t *mappings, bool *exclusive)
{
	int r = dev_may_change(dev);

	return r ? r : end_change(dev->md,
				  thinx_mapping_restamp(dev, vbegin, nr,
							mappings, exclusive));
}

int thinx_md_remove_range_locked(struct thinx_md_dev *dev,
				 struct thinx_md_removal *removal)
{
	int r = dev_may_change(dev);

	return r ? r : end_change(dev->md,
				  thinx_mapping_remove_step(dev, removal));
}

/* ---- metadata snapshot ---- */

int thinx_md_reserve_snap(struct thinx_md *md, int (*pre_commit)(void *context),
			  void *context)
{
	int r;

	if (thinx_md_held_root(md))
		return -EBUSY;
	r = thinx_md_commit(md, pre_commit, context);
	if (r)
		return r;
	thinx_md_lock(md);
	r = may_change(md);
	if (!r && md->releasing)
		r = -EBUSY;
	if (!r)
		r = end_change(md, thinx_held_root_reserve(md));
	thinx_md_unlock(md);
	return r;
}

int thinx_md_release_snap(struct thinx_md *md, int (*commit)(void *context),
			  void *context)
{
	struct thinx_drop drop = { 0 };
	int r;

	thinx_md_lock(md);
	r = may_change(md);
	if (!r && !md->held_root)
		r = -EINVAL;
	/* Between two steps nobody else may release it and reserve another. */
	if (!r && md->releasing)
		r = -EBUSY;
	if (r)
		goto out;
	md->releasing = true;
	while (!r && md->held_root) {
		r = end_change(md, thinx_held_root_release_step(md, &drop));
		if (r || !md->held_root)
			break;
		r = between_steps(md, commit, context);
	}
	md->releasing = false;
out:
	thinx_md_unlock(md);
	return r;
}

u64 thinx_md_held_root(struct thinx_md *md)
{
	u64 b;

	down_read(&md->lock);
	b = md->held_root;
	up_read(&md->lock);
	return b;
}

/* ---- space ---- */

void thinx_md_get_space(struct thinx_md *md, struct thinx_md_space *s)
{
	down_read(&md->lock);
	thinx_space_get(md, s);
	up_read(&md->lock);
}

void thinx_md_get_space_locked(struct thinx_md *md, struct thinx_md_space *s)
{
	thinx_md_assert_locked(md);
	thinx_space_get(md, s);
}

int thinx_md_resize_data(struct thinx_md *md, u64 nr_blocks)
{
	int r;

	thinx_md_lock(md);
	r = may_change(md);
	if (!r)
		r = end_change(md, thinx_space_extend_data(md, nr_blocks));
	thinx_md_unlock(md);
	return r;
}

u64 thinx_md_device_blocks(struct thinx_md *md)
{
	return thinx_space_device_blocks(md);
}

int thinx_md_resize_metadata(struct thinx_md *md, u64 nr_blocks)
{
	int r;

	thinx_md_lock(md);
	r = may_change(md);
	if (!r)
		r = end_change(md, thinx_space_extend_metadata(md, nr_blocks));
	thinx_md_unlock(md);
	return r;
}

void thinx_md_set_threshold(struct thinx_md *md, u64 blocks,
			    void (*fn)(void *context), void *context)
{
	thinx_md_lock(md);
	md->threshold = blocks;
	md->threshold_fn = fn;
	md->threshold_context = context;
	if (md->tm)
		thinx_space_arm_threshold(md);
	thinx_md_unlock(md);
}

int thinx_md_check(struct thinx_md *md)
{
	int r;

	thinx_md_lock(md);
	r = may_look(md);
	if (!r)
		r = thinx_check(md);
	thinx_md_unlock(md);
	return r;
}

/* ---- opening ---- */

static void free_md(struct thinx_md *md)
{
	kfree(md->committed);
	kfree(md->closing);
	kfree(md->scratch);
	mutex_destroy(&md->commit_mutex);
	kfree(md);
}

static struct thinx_md *alloc_md(void)
{
	struct thinx_md *md = kzalloc(sizeof(*md), GFP_NOIO);

	if (!md)
		return NULL;
	mutex_init(&md->commit_mutex);
	init_rwsem(&md->lock);
	xa_init(&md->devices);
	INIT_LIST_HEAD(&md->changed);
	INIT_LIST_HEAD(&md->closing_devices);
	md->open_gen = 1;
	md->committed = kzalloc(sizeof(*md->committed), GFP_NOIO);
	md->closing = kzalloc(sizeof(*md->closing), GFP_NOIO);
	md->scratch = kcalloc(THINX_MD_RUN_MAX, sizeof(*md->scratch), GFP_NOIO);
	if (!md->committed || !md->closing || !md->scratch) {
		free_md(md);
		return NULL;
	}
	return md;
}

static int commit_format(struct thinx_md *md)
{
	int r = thinx_md_commit(md, NULL, NULL);

	/* The format is history; users begin with generation 1. */
	md->open_gen = 1;
	md->completed_gen = 0;
	return r;
}

static void warn_of_excess(const struct thinx_md *md)
{
	if (pd_bm_nr_blocks(md->bm) > PD_MAX_METADATA_BLOCKS)
		DMWARN("Metadata device %s is larger than %llu sectors: excess space will not be used.",
		       thinx_md_name(md),
		       (unsigned long long)PD_MAX_METADATA_BLOCKS *
		       PD_BLOCK_SECTORS);
}

int thinx_md_open(struct pd_block_io *io, u32 data_block_sectors,
		  bool may_format, bool bdev_read_only,
		  struct thinx_md **result)
{
	struct thinx_md *md;
	struct pd_bm *bm;
	int r;

	r = pd_bm_create(io, &bm);
	if (r)
		return r;
	md = alloc_md();
	if (!md) {
		r = -ENOMEM;
		goto err_destroy_bm;
	}
	md->bm = bm;
	md->data_block_sectors = data_block_sectors;
	md->bdev_read_only = bdev_read_only;
	if (bdev_read_only)
		pd_bm_set_read_only(bm);
	r = thinx_open_format_if_blank(md, may_format, commit_format);
	if (r)
		goto err_free_md;
	r = thinx_open_load(md);
	if (r)
		goto err_free_md;
	warn_of_excess(md);
	*result = md;
	return 0;

err_free_md:
	free_md(md);
err_destroy_bm:
	pd_bm_destroy(bm);
	return r;
}

void thinx_md_close(struct thinx_md *md)
{
	struct pd_bm *bm = md->bm;

	thinx_device_free_all(md);
	thinx_open_unload(md);
	free_md(md);
	pd_bm_destroy(bm);
}
