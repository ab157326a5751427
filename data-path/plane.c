// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The pool-wide half of the data path: its parts, and the two operations that
 * concern all volumes at once: quiesce and abort.
 */
#include "data-path/plane.h"

#include <linux/device-mapper.h>
#include <linux/dm-kcopyd.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "data-path/commit.h"
#include "data-path/deferred.h"
#include "data-path/group.h"
#include "data-path/passdown.h"
#include "include/trace/events/thinx.h"

/* Groups kept in reserve for when memory is short. */
#define MIN_GROUPS 4

struct dm_kcopyd_throttle thinx_copy_throttle = { .throttle = 100 };
module_param_named(snapshot_copy_throttle, thinx_copy_throttle.throttle, uint, 0644);
MODULE_PARM_DESC(snapshot_copy_throttle,
		 "A percentage of time allocated for copy on write");

static void flush_end_io(struct bio *bio)
{
	struct thinx_plane *plane = bio->bi_private;

	plane->flush_ns = ktime_get_ns() - plane->flush_began;
	thinx_stats_time(plane->stats, THINX_TIME_COMMIT_FLUSH,
			 plane->flush_ns);
	complete(&plane->flushed);
}

static int start_flush(void *context)
{
	struct thinx_plane *plane = context;
	struct bio *bio = &plane->flush_bio;

	reinit_completion(&plane->flushed);
	plane->flush_began = ktime_get_ns();
	bio_init(bio, plane->data_bdev, NULL, 0,
		 REQ_OP_WRITE | REQ_PREFLUSH | REQ_SYNC);
	bio->bi_end_io = flush_end_io;
	bio->bi_private = plane;
	submit_bio(bio);
	return 0;
}

static int end_flush(void *context)
{
	struct thinx_plane *plane = context;
	int r;

	wait_for_completion_io(&plane->flushed);
	r = blk_status_to_errno(plane->flush_bio.bi_status);
	bio_uninit(&plane->flush_bio);
	return r;
}

static int commit_between(void *context)
{
	return thinx_commit_now(context);
}

static void commit_soon(void *context)
{
	thinx_commit_soon(context);
}

static void metadata_low(void *context)
{
	struct thinx_plane *plane = context;

	plane->ops->metadata_low(plane->context);
}

static void committed(void *context, const struct thinx_md_commit_times *t)
{
	struct thinx_plane *plane = context;

	thinx_stats_count(plane->stats, THINX_COUNT_COMMITS, 1);
	thinx_stats_count(plane->stats, THINX_COUNT_COMMIT_BLOCKS, t->nr_blocks);
	thinx_stats_time(plane->stats, THINX_TIME_COMMIT_CLOSE, t->close_ns);
	thinx_stats_time(plane->stats, THINX_TIME_LOCKED, t->close_ns);
	thinx_stats_time(plane->stats, THINX_TIME_COMMIT_WRITE, t->write_ns);
	thinx_stats_time(plane->stats, THINX_TIME_COMMIT_COMPLETE,
			 t->complete_ns);
	thinx_stats_time(plane->stats, THINX_TIME_LOCKED, t->complete_ns);
	trace_thinx_commit_parts(plane->dev, t->nr_blocks, t->close_ns,
				 plane->flush_ns, t->write_ns, t->complete_ns);
}

static const struct thinx_md_hooks hooks = {
	.committed = committed,
	.start_flush = start_flush,
	.end_flush = end_flush,
	.commit = commit_between,
	.commit_soon = commit_soon,
	.space_low = metadata_low,
};

void thinx_plane_set_data_device(struct thinx_plane *plane,
				 struct block_device *bdev)
{
	plane->data_bdev = bdev;
	WRITE_ONCE(plane->data_sector_size, bdev_logical_block_size(bdev));
	WRITE_ONCE(plane->zeros_refused, false);
}

static void init_volumes(struct thinx_plane *plane)
{
	plane->volume_work = thinx_deferred_work;
	plane->quiesced = true;
	mutex_init(&plane->volumes_lock);
	INIT_LIST_HEAD(&plane->volumes);
	INIT_LIST_HEAD(&plane->stops);
	init_waitqueue_head(&plane->unpinned);
	hash_init(plane->by_id);
	hash_init(plane->by_disk);
	hash_init(plane->by_origin);
	spin_lock_init(&plane->waiting_lock);
	INIT_LIST_HEAD(&plane->waiting);
	init_waitqueue_head(&plane->idle);
}

int thinx_plane_init(struct thinx_plane *plane, struct thinx_md *md,
		     struct block_device *data_bdev, u32 block_sectors,
		     const char *name, const struct thinx_plane_ops *ops,
		     void *context)
{
	int r;

	plane->md = md;
	thinx_plane_set_data_device(plane, data_bdev);
	plane->dev = data_bdev->bd_dev;
	plane->block_sectors = block_sectors;
	plane->block_shift = is_power_of_2(block_sectors) ?
		ilog2(block_sectors) : -1;
	plane->name = name;
	plane->ops = ops;
	plane->context = context;
	init_volumes(plane);
	thinx_quotas_init(&plane->quotas);
	init_completion(&plane->flushed);
	thinx_commit_init(plane);
	thinx_passdown_init(plane);

	plane->stats = alloc_percpu(struct thinx_stats);
	if (!plane->stats)
		return -ENOMEM;
	r = -ENOMEM;
	plane->removal = kvzalloc(sizeof(*plane->removal), GFP_KERNEL);
	if (!plane->removal)
		goto err_free_stats;
	plane->wq = alloc_workqueue("thinx/%s", WQ_UNBOUND | WQ_MEM_RECLAIM, 0,
				    name);
	if (!plane->wq)
		goto err_free_removal;
	plane->commit_wq = alloc_workqueue("thinxc/%s",
					   WQ_UNBOUND | WQ_HIGHPRI |
					   WQ_MEM_RECLAIM, 0, name);
	if (!plane->commit_wq)
		goto err_destroy_wq;
	r = bioset_init(&plane->pieces, THINX_MIN_PIECES,
			offsetof(struct thinx_piece, bio), 0);
	if (r)
		goto err_destroy_commit_wq;
	r = bioset_init(&plane->bios, BIO_POOL_SIZE, 0, BIOSET_NEED_BVECS);
	if (r)
		goto err_exit_pieces;
	r = mempool_init_kmalloc_pool(&plane->groups, MIN_GROUPS,
				      thinx_group_size(THINX_GROUP_BLOCKS));
	if (r)
		goto err_exit_bios;
	plane->copier = dm_kcopyd_client_create(&thinx_copy_throttle);
	if (IS_ERR(plane->copier)) {
		r = PTR_ERR(plane->copier);
		goto err_exit_groups;
	}
	thinx_md_set_hooks(md, &hooks, plane);
	return 0;

err_exit_groups:
	mempool_exit(&plane->groups);
err_exit_bios:
	bioset_exit(&plane->bios);
err_exit_pieces:
	bioset_exit(&plane->pieces);
err_destroy_commit_wq:
	destroy_workqueue(plane->commit_wq);
err_destroy_wq:
	destroy_workqueue(plane->wq);
err_free_removal:
	kvfree(plane->removal);
err_free_stats:
	free_percpu(plane->stats);
	return r;
}

void thinx_plane_exit(struct thinx_plane *plane)
{
	WARN_ON_ONCE(!list_empty(&plane->volumes));
	thinx_quotas_exit(&plane->quotas);
	thinx_passdown_forget(plane);
	thinx_passdown_flush(plane);
	thinx_commit_exit(plane);
	dm_kcopyd_client_destroy(plane->copier);
	destroy_workqueue(plane->wq);
	destroy_workqueue(plane->commit_wq);
	mempool_exit(&plane->groups);
	bioset_exit(&plane->bios);
	bioset_exit(&plane->pieces);
	kvfree(plane->removal);
	free_percpu(plane->stats);
}

static void close_gates(struct thinx_plane *plane)
{
	struct thinx_volume *v;

	lockdep_assert_held(&plane->volumes_lock);
	list_for_each_entry(v, &plane->volumes, list)
		thinx_gate_close(&v->gate);
}

/*
 * Wait until nobody is inside any gate; all are closed.  The lock is let go
 * meanwhile: volumes may leave, except the one that is waited for, and those
 * that come are not used before the gates open.
 */
static void drain_gates(struct thinx_plane *plane)
{
	struct thinx_volume *v, *last = NULL;

	lockdep_assert_held(&plane->volumes_lock);
	list_for_each_entry(v, &plane->volumes, list) {
		thinx_volume_pin(v);
		if (last)
			thinx_volume_unpin(last);
		last = v;
		mutex_unlock(&plane->volumes_lock);
		thinx_gate_drain(&v->gate);
		mutex_lock(&plane->volumes_lock);
	}
	if (last)
		thinx_volume_unpin(last);
}

static void open_gates(struct thinx_plane *plane)
{
	struct thinx_volume *v;

	lockdep_assert_held(&plane->volumes_lock);
	list_for_each_entry(v, &plane->volumes, list) {
		thinx_gate_open(&v->gate);
		thinx_volume_kick(v);
	}
}

/*
 * Gates are closed under the lock, but workers are waited for without it: one
 * that ends a group may have to abort, which takes the lock.  A volume that
 * appears meanwhile begins with a closed gate.
 */
void thinx_plane_quiesce(struct thinx_plane *plane)
{
	mutex_lock(&plane->volumes_lock);
	if (!plane->quiesced) {
		plane->quiesced = true;
		close_gates(plane);
		drain_gates(plane);
	}
	mutex_unlock(&plane->volumes_lock);

	wait_event(plane->idle, !atomic_read(&plane->nr_busy));
	cancel_delayed_work_sync(&plane->commit.tick);
	flush_work(&plane->commit.work);
}

void thinx_plane_unquiesce(struct thinx_plane *plane)
{
	mutex_lock(&plane->volumes_lock);
	if (plane->quiesced) {
		plane->quiesced = false;
		open_gates(plane);
	}
	mutex_unlock(&plane->volumes_lock);
	if (thinx_md_is_dirty(plane->md))
		thinx_commit_note_change(plane);
	thinx_volumes_retry_starved(plane);
}

/*
 * The one that drains under the lock: no volume may come or go between the
 * closing of the gates and the end, since a map cache that is not dropped would
 * show what was undone.  Until the abort is over the metadata answer nobody, so
 * who waits for the lock meanwhile has nothing to gain.
 */
int thinx_plane_abort(struct thinx_plane *plane)
{
	struct thinx_volume *v;
	unsigned int noio;
	int r;

	mutex_lock(&plane->volumes_lock);
	close_gates(plane);
	list_for_each_entry(v, &plane->volumes, list)
		thinx_gate_drain(&v->gate);
	/* Our I/O waits for this: no memory reclaim may wait for that I/O. */
	noio = memalloc_noio_save();
	r = thinx_md_abort(plane->md);
	memalloc_noio_restore(noio);
	/* What was queued until now belongs to the aborted transaction. */
	thinx_passdown_forget(plane);
	list_for_each_entry(v, &plane->volumes, list)
		thinx_map_cache_drop_all(&v->cache);
	/* Last: a group that sees the new number learns what is true now. */
	smp_store_release(&plane->nr_aborts, plane->nr_aborts + 1);
	open_gates(plane);
	mutex_unlock(&plane->volumes_lock);
	return r;
}
