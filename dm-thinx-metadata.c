// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The metadata façade: takes the lock, checks that the change is allowed, and
 * leaves the rest to metadata/.
 *
 * I1  A change is made between thinx_transaction_may_change() and
 *     thinx_transaction_end_change(), in one critical section; one that takes
 *     many steps drops the lock between them.
 *
 * Locks: the metadata lock.  Fields read without it are marked in
 * metadata/metadata.h.
 */
#include "dm-thinx-metadata.h"

#include <linux/random.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "metadata/device.h"
#include "metadata/held-root.h"
#include "metadata/mapping.h"
#include "metadata/metadata.h"
#include "metadata/open.h"
#include "metadata/query.h"
#include "metadata/removal.h"
#include "metadata/space.h"
#include "metadata/superblock.h"
#include "metadata/transaction.h"
#include "metadata/trim.h"
#include "persistent-data/block-io.h"
#include "include/thinx-log.h"

static const struct thinx_md_hooks no_hooks;

/* ---- the lock ---- */

void thinx_md_lock(struct thinx_md *md) __acquires(&md->lock)
{
	thinx_metadata_lock(md);
}

void thinx_md_unlock(struct thinx_md *md) __releases(&md->lock)
{
	thinx_metadata_unlock(md);
}

void thinx_md_assert_locked(struct thinx_md *md)
{
	lockdep_assert_held_write(&md->lock);
}

/* ---- transactions ---- */

int thinx_md_commit(struct thinx_md *md, bool *wrote)
{
	return thinx_transaction_commit(md, wrote);
}

int thinx_md_probe(struct thinx_md *md)
{
	return thinx_transaction_probe(md);
}

int thinx_md_abort(struct thinx_md *md)
{
	return thinx_transaction_abort(md);
}

int thinx_md_set_needs_check(struct thinx_md *md)
{
	return thinx_transaction_set_needs_check(md);
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

u32 thinx_md_nr_aborts(const struct thinx_md *md)
{
	return READ_ONCE(md->nr_aborts);	/* pairs with an abort */
}

bool thinx_md_is_dirty(const struct thinx_md *md)
{
	return READ_ONCE(md->dirty);	/* pairs with thinx_md_begin_change() */
}

bool thinx_md_is_heavy(const struct thinx_md *md)
{
	/* Pairs with thinx_transaction_end_change(). */
	return READ_ONCE(md->heavy);
}

bool thinx_md_needs_check(const struct thinx_md *md)
{
	/* Pairs with thinx_md_set_needs_check(), thinx_open_load(). */
	return READ_ONCE(md->needs_check);
}

bool thinx_md_is_broken(const struct thinx_md *md)
{
	/* Pairs with thinx_transaction_end_change(), commits and aborts. */
	return READ_ONCE(md->broken);
}

void thinx_md_set_read_only(struct thinx_md *md)
{
	/* Pairs with thinx_transaction_may_change(). */
	WRITE_ONCE(md->read_only, true);
}

void thinx_md_set_read_write(struct thinx_md *md)
{
	/* Pairs with thinx_transaction_may_change(). */
	WRITE_ONCE(md->read_only, false);
}

int thinx_md_set_device_read_only(struct thinx_md *md, bool bdev_read_only)
{
	int r = 0;

	mutex_lock(&md->commit_mutex);
	thinx_md_lock(md);
	if (md->bdev_read_only && !bdev_read_only) {
		md->bdev_read_only = false;
		r = thinx_superblock_check_features(md, md->committed);
	}
	md->bdev_read_only = bdev_read_only || r;
	if (md->bdev_read_only)
		pd_bm_set_read_only(md->bm);
	else
		pd_bm_set_read_write(md->bm);
	thinx_md_unlock(md);
	mutex_unlock(&md->commit_mutex);
	return r;
}

void thinx_md_fail(struct thinx_md *md)
{
	thinx_transaction_fail(md);
}

void thinx_md_detach(struct thinx_md *md)
{
	mutex_lock(&md->commit_mutex);
	thinx_md_lock(md);
	if (pd_bm_detach(md->bm))
		md_err(md, "cached metadata cannot be dropped");
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
	r = thinx_transaction_may_change(md);
	if (!r && md->trans_id != old) {
		md_err(md, "mismatched transaction id: it is %llu, not %llu",
		       md->trans_id, old);
		r = -EINVAL;
	}
	if (!r)
		r = thinx_space_ensure(md, 0, 0);
	if (!r) {
		thinx_md_begin_change(md);
		md->trans_id = new;
	}
	r = thinx_transaction_end_change(md, r);
	thinx_md_unlock(md);
	return r;
}

/* ---- thin devices ---- */

int thinx_md_create_thin(struct thinx_md *md, u32 id)
{
	int r;

	thinx_md_lock(md);
	r = thinx_transaction_may_change(md);
	if (!r)
		r = thinx_transaction_end_change(md, thinx_device_create_thin(md, id));
	thinx_md_unlock(md);
	return r;
}

int thinx_md_create_snaps(struct thinx_md *md, const struct thinx_md_pair *pairs,
			  u32 nr)
{
	int r;

	thinx_md_lock(md);
	r = thinx_transaction_may_change(md);
	if (!r)
		r = thinx_transaction_end_change(md, thinx_device_create_snaps(md, pairs, nr));
	thinx_md_unlock(md);
	return r;
}

int thinx_md_create_snap(struct thinx_md *md, u32 id, u32 origin)
{
	struct thinx_md_pair pair = { .id = id, .other = origin };

	return thinx_md_create_snaps(md, &pair, 1);
}

int thinx_md_swap(struct thinx_md *md, const struct thinx_md_pair *pairs, u32 nr)
{
	int r;

	thinx_md_lock(md);
	r = thinx_transaction_may_change(md);
	if (!r)
		r = thinx_transaction_end_change(md, thinx_device_swap(md, pairs, nr));
	thinx_md_unlock(md);
	return r;
}

int thinx_md_check_device_locked(struct thinx_md *md, u32 id)
{
	int r = thinx_transaction_may_look(md);

	thinx_md_assert_locked(md);
	return r ? r : thinx_device_check(md, id);
}

static int dev_may_look(const struct thinx_md_dev *dev)
{
	int r = thinx_transaction_may_look(dev->md);

	return r ? r : dev->gone ? -ENODATA : 0;
}

/* ---- reading ahead ---- */

static void read_ahead(struct thinx_md_dev *dev, struct pd_btree_ahead *a)
{
	struct thinx_md *md = dev->md;
	int r, rounds;

	for (rounds = 0; rounds < THINX_AHEAD_ROUNDS; rounds++) {
		down_read(&md->lock);
		r = dev_may_look(dev);
		/* What is written to has been looked up already. */
		if (!r && !a->removal && !thinx_space_may_share(md))
			r = -ENODATA;
		if (!r)
			thinx_mapping_read_ahead(md, md->roots.mappings,
						 dev->id, a);
		up_read(&md->lock);
		if (r || !a->missing.nr || pd_bm_wait(md->bm, a->missing.last))
			return;
	}
}

void thinx_md_read_ahead_remove(struct thinx_md_dev *dev, thinx_vblock_t begin,
				thinx_vblock_t end)
{
	struct pd_btree_ahead a = {
		.begin = begin,
		.last = end - 1,
		.max_leaves = THINX_REMOVE_LEAVES + 1,
		.removal = true,
	};

	if (begin < end)
		read_ahead(dev, &a);
}

void thinx_md_read_ahead_write(struct thinx_md_dev *dev, thinx_vblock_t begin,
			       u64 nr)
{
	struct pd_btree_ahead a = {
		.begin = begin,
		.last = begin + nr - 1,
		.max_leaves = nr / (THINX_LEAF_ENTRIES / 3) + 2,
	};

	read_ahead(dev, &a);
}

int thinx_md_delete(struct thinx_md *md, u32 id)
{
	return thinx_removal_delete(md, id);
}

int thinx_md_open_device(struct thinx_md *md, u32 id, struct thinx_md_dev **dev)
{
	int r;

	thinx_md_lock(md);
	r = thinx_transaction_may_look(md);
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
	/* Pairs with the creation of a snapshot, metadata/device.c. */
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

static int dev_may_change(const struct thinx_md_dev *dev)
{
	int r = thinx_transaction_may_change(dev->md);

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
		r = thinx_mapping_lookup(dev, b, fn, context, NULL);
	up_read(&md->lock);
	return r;
}

int thinx_md_lookup_cached(struct thinx_md_dev *dev, thinx_vblock_t b,
			   thinx_md_leaf_fn fn, void *context, u64 *missing)
{
	struct thinx_md *md = dev->md;
	int r;

	down_read(&md->lock);
	r = dev_may_look(dev);
	if (!r)
		r = thinx_mapping_lookup(dev, b, fn, context, missing);
	/* Under the lock: afterwards the device may be gone. */
	if (r == -EAGAIN)
		pd_bm_prefetch(md->bm, *missing);
	up_read(&md->lock);
	return r;
}

int thinx_md_wait(struct thinx_md *md, u64 block)
{
	return pd_bm_wait(md->bm, block);
}

int thinx_md_find_run_locked(struct thinx_md *md, u64 want,
			     thinx_dblock_t *begin, u64 *nr)
{
	int r;

	thinx_md_assert_locked(md);
	r = thinx_transaction_may_change(md);
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

void thinx_md_read_ahead_free(struct thinx_md *md, thinx_dblock_t begin)
{
	int r, rounds;

	for (rounds = 0; rounds < THINX_AHEAD_ROUNDS; rounds++) {
		struct pd_ahead missing = { };

		down_read(&md->lock);
		r = thinx_transaction_may_look(md);
		if (!r)
			thinx_trim_read_ahead(md, begin, &missing);
		up_read(&md->lock);
		if (r || !missing.nr || pd_bm_wait(md->bm, missing.last))
			return;
	}
}

int thinx_md_hold_free_locked(struct thinx_md *md, struct thinx_md_free *f)
{
	int r;

	thinx_md_assert_locked(md);
	r = thinx_transaction_may_change(md);
	return r ? r : thinx_trim_hold(md, f);
}

int thinx_md_insert_run_locked(struct thinx_md_dev *dev, thinx_vblock_t vbegin,
			       thinx_dblock_t dbegin, u64 nr,
			       thinx_word_t *mapping)
{
	int r = dev_may_change(dev);

	return r ? r : thinx_transaction_end_change(dev->md,
				  thinx_mapping_insert_run(dev, vbegin, dbegin,
							   nr, mapping));
}

int thinx_md_restamp_locked(struct thinx_md_dev *dev, thinx_vblock_t vbegin,
			    u32 nr, thinx_word_t *mappings, bool *exclusive)
{
	int r = dev_may_change(dev);

	return r ? r : thinx_transaction_end_change(dev->md,
				  thinx_mapping_restamp(dev, vbegin, nr,
							mappings, exclusive));
}

int thinx_md_remove_range_locked(struct thinx_md_dev *dev,
				 struct thinx_md_removal *removal)
{
	int r = dev_may_change(dev);

	return r ? r : thinx_transaction_end_change(dev->md,
				  thinx_mapping_remove_step(dev, removal));
}

/* ---- queries ---- */

static int query(struct thinx_md *md, struct thinx_md_query *q,
		 int (*step)(struct thinx_md *md, struct thinx_md_query *q))
{
	thinx_vblock_t from = q->from;
	int r;

	down_read(&md->lock);
	r = thinx_transaction_may_look(md);
	if (!r)
		r = step(md, q);
	/* Under the lock: afterwards the device may be gone. */
	if (r == -EAGAIN) {
		pd_bm_prefetch(md->bm, q->missing);
		q->ahead = true;
		/* What has been learned so far is worth a step. */
		if (q->from != from)
			r = 0;
	}
	up_read(&md->lock);
	return r;
}

int thinx_md_query_map(struct thinx_md *md, struct thinx_md_query *q)
{
	return query(md, q, thinx_query_map);
}

int thinx_md_query_delta(struct thinx_md *md, struct thinx_md_query *q)
{
	return query(md, q, thinx_query_delta);
}

int thinx_md_query_usage(struct thinx_md *md, struct thinx_md_query *q)
{
	return query(md, q, thinx_query_usage);
}

int thinx_md_query_devices(struct thinx_md *md, struct thinx_md_query *q)
{
	return query(md, q, thinx_query_devices);
}

/* ---- metadata snapshot ---- */

int thinx_md_reserve_snap(struct thinx_md *md)
{
	int r;

	if (thinx_md_held_root(md))
		return -EBUSY;
	r = thinx_md_commit(md, NULL);
	if (r)
		return r;
	/* What is pinned must not be halfway through drop_rest(). */
	mutex_lock(&md->close_mutex);
	thinx_md_lock(md);
	r = thinx_transaction_may_change(md);
	if (!r && md->releasing)
		r = -EBUSY;
	if (!r)
		r = thinx_transaction_end_change(md, thinx_held_root_reserve(md));
	thinx_md_unlock(md);
	mutex_unlock(&md->close_mutex);
	return r;
}

int thinx_md_release_snap(struct thinx_md *md)
{
	return thinx_removal_release_snap(md);
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
	r = thinx_transaction_may_change(md);
	if (!r)
		r = thinx_transaction_end_change(md, thinx_space_extend_data(md, nr_blocks));
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
	r = thinx_transaction_may_change(md);
	if (!r)
		r = thinx_transaction_end_change(md, thinx_space_extend_metadata(md, nr_blocks));
	thinx_md_unlock(md);
	return r;
}

void thinx_md_set_threshold(struct thinx_md *md, u64 blocks)
{
	thinx_md_lock(md);
	md->threshold = blocks;
	if (md->tm)
		thinx_space_arm_threshold(md);
	thinx_md_unlock(md);
}

void thinx_md_set_hooks(struct thinx_md *md, const struct thinx_md_hooks *hooks,
			void *context)
{
	thinx_md_lock(md);
	md->hooks = hooks ? hooks : &no_hooks;
	md->hook_context = context;
	thinx_md_unlock(md);
}

/* ---- opening ---- */

static void free_md(struct thinx_md *md)
{
	kfree(md->committed);
	kfree(md->closing);
	kfree(md->scratch);
	mutex_destroy(&md->commit_mutex);
	mutex_destroy(&md->close_mutex);
	kfree(md);
}

static struct thinx_md *alloc_md(void)
{
	struct thinx_md *md = kzalloc(sizeof(*md), GFP_NOIO);

	if (!md)
		return NULL;
	mutex_init(&md->commit_mutex);
	mutex_init(&md->close_mutex);
	init_rwsem(&md->lock);
	init_waitqueue_head(&md->closings);
	xa_init(&md->devices);
	INIT_LIST_HEAD(&md->changed);
	INIT_LIST_HEAD(&md->closing_devices);
	md->hooks = &no_hooks;
	md->open_gen = 1;
	md->instance = get_random_u64();
	xa_init(&md->idle_changes);
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
	int r = thinx_md_commit(md, NULL);

	/* Formatting does not count; users begin with generation 1. */
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
