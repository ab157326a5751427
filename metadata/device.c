// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Thin devices: created, shared, taken apart, and kept in core while in use.
 *
 *   details tree:  id -> mapped, transaction id, created, snapshotted
 *        | load                              ^ thinx_device_flush() at a close
 *        v                                   |
 *   struct thinx_md_dev --a change--> md.changed --close--> closing_devices
 *        ^                                                        | complete
 *        +------------ freed if nobody has it open <--------------+
 *
 * I1  The top-level tree and the details tree contain the same ids.
 * I2  While an object exists, its fields are authoritative and the details tree
 *     may be older; when a transaction closes, they are equal.
 * I3  A tree is taken apart only after the path to its root has been shadowed:
 *     only then does the count of the root tell what else refers to it.
 * I4  The number of a device's last change outlives its object; a deletion forgets
 *     it, and an abort raises that of all devices.
 * I5  We never make time exceed 24 bits (docs/format.md 9.4).
 *
 * Context: metadata lock held for writing.
 * Crash: between two of its steps, a deletion leaves a device with fewer
 * mappings and a matching mapped_blocks.  Its last steps, which do not count
 * mappings, belong to one transaction.
 */
#include "metadata/device.h"

#include <asm/byteorder.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "include/thinx-memory.h"
#include "metadata/limits.h"
#include "metadata/space.h"

void thinx_device_init_kind(struct thinx_md *md)
{
	md->details = (struct pd_btree){
		.bm = md->bm,
		.tm = md->tm,
		.levels = 1,
		.value.size = sizeof(struct thinx_disk_device_details),
		.name = "device details tree",
	};
}

/* ---- objects ---- */

static int make_object(struct thinx_md *md, u32 id, struct thinx_md_dev **dev)
{
	struct thinx_md_dev *d = kzalloc(sizeof(*d), GFP_NOIO);
	int r;

	if (!d)
		return -ENOMEM;
	d->md = md;
	d->id = id;
	d->change = xa_to_value(xa_load(&md->idle_changes, id));
	INIT_LIST_HEAD(&d->link);
	r = xa_insert(&md->devices, id, d, GFP_NOIO);
	if (r) {
		kfree(d);
		return r;
	}
	*dev = d;
	return 0;
}

static void free_object(struct thinx_md_dev *dev)
{
	struct thinx_md *md = dev->md;

	if (!list_empty(&dev->link) && dev->changed_gen == md->open_gen)
		md->nr_changed--;
	list_del(&dev->link);
	xa_erase(&md->devices, dev->id);
	kfree(dev);
}

/* Keeps I4. */
static void remember_change(struct thinx_md_dev *dev)
{
	struct thinx_md *md = dev->md;

	if (dev->change <= md->change_floor)
		return;
	/* Without memory, it is as if all devices had changed. */
	if (thinx_xa_store(&md->idle_changes, dev->id,
			   xa_mk_value(dev->change)))
		md->change_floor = ++md->nr_changes;
}

static void forget_changes(struct thinx_md *md)
{
	md->change_floor = ++md->nr_changes;
	xa_destroy(&md->idle_changes);
}

u64 thinx_device_change(struct thinx_md *md, u32 id)
{
	struct thinx_md_dev *dev = xa_load(&md->devices, id);
	u64 change = dev ? dev->change :
			   xa_to_value(xa_load(&md->idle_changes, id));

	return max(change, md->change_floor);
}

void thinx_device_put_idle(struct thinx_md_dev *dev)
{
	if (dev->open_count || dev->deleting || !list_empty(&dev->link))
		return;
	remember_change(dev);
	free_object(dev);
}

/* Read what the trees say; -ENODATA if one of them does not know the id. */
static int load_details(struct thinx_md *md, u64 id,
			struct thinx_disk_device_details *disk)
{
	__le64 root;
	int r;

	r = pd_btree_lookup(&md->details, md->roots.details, &id, disk);
	if (r)
		return r;
	r = pd_btree_lookup(&md->top, md->roots.mappings, &id, &root);
	if (r == -ENODATA)
		md_err_limit(md, "device %llu has details but no mapping tree",
			     id);
	return r;
}

static void unpack_details(struct thinx_md_dev *dev,
			   const struct thinx_disk_device_details *disk)
{
	dev->creation_time = le32_to_cpu(disk->creation_time);
	dev->transaction_id = le64_to_cpu(disk->transaction_id);
	WRITE_ONCE(dev->snapshotted_time, le32_to_cpu(disk->snapshotted_time));
	WRITE_ONCE(dev->mapped_blocks, le64_to_cpu(disk->mapped_blocks));
}

static int write_details(struct thinx_md_dev *dev)
{
	struct thinx_disk_device_details disk = {
		.mapped_blocks = cpu_to_le64(dev->mapped_blocks),
		.transaction_id = cpu_to_le64(dev->transaction_id),
		.creation_time = cpu_to_le32(dev->creation_time),
		.snapshotted_time = cpu_to_le32(dev->snapshotted_time),
	};
	struct thinx_md *md = dev->md;
	u64 key = dev->id;
	int r;

	r = pd_btree_insert(&md->details, &md->roots.details, &key, &disk,
			    NULL);
	if (!r)
		dev->details_changed = false;
	return r;
}

int thinx_device_get(struct thinx_md *md, u64 id, struct thinx_md_dev **dev)
{
	struct thinx_disk_device_details disk;
	struct thinx_md_dev *d;
	int r;

	lockdep_assert_held_write(&md->lock);
	if (id > THINX_DEV_ID_MAX)
		return -ENODATA;
	d = xa_load(&md->devices, id);
	if (d) {
		*dev = d;
		return d->gone ? -ENODATA : 0;
	}
	r = load_details(md, id, &disk);
	if (r)
		return r;
	r = make_object(md, id, &d);
	if (r)
		return r;
	unpack_details(d, &disk);
	*dev = d;
	return 0;
}

/* ---- changes and generations ---- */

void thinx_device_mark_changed(struct thinx_md_dev *dev)
{
	struct thinx_md *md = dev->md;

	lockdep_assert_held_write(&md->lock);
	if (list_empty(&dev->link) || dev->changed_gen != md->open_gen)
		md->nr_changed++;
	list_move_tail(&dev->link, &md->changed);
	dev->change = ++md->nr_changes;
	/*
	 * If a device changed after the metadata snapshot was taken, thin_check
	 * (since 1.0) expects its details in a leaf the snapshot does not have.
	 */
	if (md->held_root)
		dev->details_changed = true;
	/* Pairs with thinx_md_dev_is_dirty(). */
	WRITE_ONCE(dev->changed_gen, md->open_gen);
}

void thinx_device_add_mapped(struct thinx_md_dev *dev, u64 nr)
{
	WRITE_ONCE(dev->mapped_blocks, dev->mapped_blocks + nr);
	dev->details_changed |= nr;
	thinx_device_mark_changed(dev);
}

void thinx_device_sub_mapped(struct thinx_md_dev *dev, u64 nr)
{
	if (nr > dev->mapped_blocks) {
		md_err_limit(dev->md, "device %u lost %llu mappings, but its details say it had %llu",
			     dev->id, nr, dev->mapped_blocks);
		nr = dev->mapped_blocks;
	}
	WRITE_ONCE(dev->mapped_blocks, dev->mapped_blocks - nr);
	dev->details_changed |= nr;
	thinx_device_mark_changed(dev);
}

int thinx_device_flush(struct thinx_md *md)
{
	struct thinx_md_dev *dev;
	int r;

	list_for_each_entry(dev, &md->changed, link) {
		if (!dev->details_changed)
			continue;
		r = write_details(dev);
		if (r)
			return r;
	}
	return 0;
}

void thinx_device_close_generation(struct thinx_md *md)
{
	list_splice_tail_init(&md->changed, &md->closing_devices);
	md->nr_changed = 0;
}

void thinx_device_complete_generation(struct thinx_md *md)
{
	struct thinx_md_dev *dev, *next;

	list_for_each_entry_safe(dev, next, &md->closing_devices, link) {
		list_del_init(&dev->link);
		thinx_device_put_idle(dev);
	}
}

static int abort_one(struct thinx_md_dev *dev)
{
	struct thinx_disk_device_details disk;
	struct thinx_md *md = dev->md;
	int r;

	if (dev->changed_gen > md->completed_gen)
		WRITE_ONCE(dev->lost_changes, true);
	WRITE_ONCE(dev->changed_gen, 0);
	dev->details_changed = false;
	list_del_init(&dev->link);
	if (!dev->open_count && !dev->deleting) {
		free_object(dev);
		return 0;
	}
	r = load_details(md, dev->id, &disk);
	if (!r)
		unpack_details(dev, &disk);
	if (r == -ENODATA) {
		dev->gone = true;
		return 0;
	}
	return r;
}

int thinx_device_abort(struct thinx_md *md)
{
	struct thinx_md_dev *dev;
	unsigned long id;
	int r = 0, err;

	md->nr_changed = 0;
	forget_changes(md);
	xa_for_each(&md->devices, id, dev) {
		err = abort_one(dev);
		if (err)
			r = err;
	}
	return r;
}

void thinx_device_free_all(struct thinx_md *md)
{
	struct thinx_md_dev *dev;
	unsigned long id;

	xa_for_each(&md->devices, id, dev)
		free_object(dev);
	xa_destroy(&md->devices);
	xa_destroy(&md->idle_changes);
}

/* ---- create ---- */

/* Upper trees: a copy and a split for each level of both, and a new root. */
static u64 upper_insert_blocks(const struct thinx_md *md)
{
	return 2 * (3 * thinx_space_upper_depth(md) + 1);
}

/* Check that the id is free and create the object that goes with it. */
static int begin_create(struct thinx_md *md, u32 id, struct thinx_md_dev **dev)
{
	struct thinx_disk_device_details disk;
	u64 key = id;
	__le64 root;
	int r;

	if (id > THINX_DEV_ID_MAX)
		return -EINVAL;
	if (xa_load(&md->devices, id))
		return -EEXIST;
	r = pd_btree_lookup(&md->top, md->roots.mappings, &key, &root);
	if (r != -ENODATA)
		return r ? r : -EEXIST;
	r = pd_btree_lookup(&md->details, md->roots.details, &key, &disk);
	if (r != -ENODATA)
		return r ? r : -EEXIST;
	return make_object(md, id, dev);
}

/* Enter the device into both trees (I1), which takes over @root. */
static int enter_device(struct thinx_md_dev *dev, pd_block_t root)
{
	struct thinx_md *md = dev->md;
	__le64 value = cpu_to_le64(root);
	u64 key = dev->id;
	int r;

	r = pd_btree_insert(&md->top, &md->roots.mappings, &key, &value, NULL);
	if (r)
		return r;
	r = write_details(dev);
	if (r)
		return r;
	thinx_device_mark_changed(dev);
	thinx_space_note_devices(md);
	return 0;
}

static int create_empty(struct thinx_md_dev *dev)
{
	struct thinx_md *md = dev->md;
	pd_block_t root;
	int r;

	r = thinx_space_ensure_growth(md, upper_insert_blocks(md) + 1, 0);
	if (r)
		return r;
	dev->creation_time = md->time;
	dev->snapshotted_time = md->time;
	dev->transaction_id = md->trans_id;
	thinx_md_begin_change(md);
	r = pd_btree_empty(&md->dev_mappings, &root);
	if (r)
		return r;
	return enter_device(dev, root);
}

int thinx_device_create_thin(struct thinx_md *md, u32 id)
{
	struct thinx_md_dev *dev;
	int r;

	r = begin_create(md, id, &dev);
	if (r)
		return r;
	r = create_empty(dev);
	if (r)
		free_object(dev);
	return r;
}

static int share_origin(struct thinx_md_dev *dev, struct thinx_md_dev *origin)
{
	struct thinx_md *md = dev->md;
	u64 key = origin->id;
	__le64 root;
	int r;

	if (md->time >= THINX_TIME_MAX) {
		md_err(md, "cannot create snapshot %u of device %u: all %u snapshot times are used up",
		       dev->id, origin->id, THINX_TIME_MAX);
		return -EOVERFLOW;
	}
	r = pd_btree_lookup(&md->top, md->roots.mappings, &key, &root);
	if (r)
		return r;
	r = thinx_space_ensure_growth(md, upper_insert_blocks(md), 0);
	if (r)
		return r;

	thinx_md_begin_change(md);
	r = pd_tm_inc(md->tm, le64_to_cpu(root));
	if (r)
		return r;
	md->time++;
	dev->creation_time = md->time;
	dev->snapshotted_time = md->time;
	dev->transaction_id = md->trans_id;
	dev->mapped_blocks = origin->mapped_blocks;
	r = enter_device(dev, le64_to_cpu(root));
	if (r)
		return r;
	WRITE_ONCE(origin->snapshotted_time, md->time);
	origin->details_changed = true;
	thinx_device_mark_changed(origin);
	return 0;
}

int thinx_device_create_snap(struct thinx_md *md, u32 id, u32 origin_id)
{
	struct thinx_md_dev *dev, *origin;
	int r;

	r = begin_create(md, id, &dev);
	if (r)
		return r;
	/* Must not find @dev itself: it is in no tree yet. */
	r = origin_id == id ? -ENODATA : thinx_device_get(md, origin_id,
							  &origin);
	if (!r && origin->deleting)
		r = -ENODATA;
	if (r)
		goto err_free_object;
	r = share_origin(dev, origin);
	if (r)
		goto err_put_origin;
	return 0;

err_put_origin:
	thinx_device_put_idle(origin);
err_free_object:
	free_object(dev);
	return r;
}

/* ---- delete ---- */

static int get_root(void *context, u64 key, void *value)
{
	u64 *root = context;
	__le64 disk;

	memcpy(&disk, value, sizeof(disk));
	*root = le64_to_cpu(disk);
	return 0;
}

/* Shadow the path to the device's root (I3). */
static int shadow_top(struct thinx_md *md, struct thinx_roots *roots, u64 id,
		      pd_block_t *root)
{
	*root = 0;
	return pd_btree_update(&md->top, &roots->mappings, &id, 1, get_root,
			       root);
}

static u32 depth_above(const struct thinx_md *md,
		       const struct thinx_roots *roots)
{
	return roots == &md->roots ? thinx_space_upper_depth(md) :
				     thinx_space_any_depth(md);
}

/*
 * Blocks that a step takes in the trees of devices besides the path to the root.
 * The details of a metadata snapshot change with each step; those of a device
 * are written when the transaction closes, and counted there.
 */
static u32 details_of_step(const struct thinx_md *md,
			   const struct thinx_roots *roots)
{
	return roots == &md->roots ? 0 : 1 + 3 * thinx_space_any_depth(md);
}

/* Its tree has been dealt with, or will be. */
static int leave_trees(struct thinx_md *md, struct thinx_roots *roots, u64 id)
{
	int r;

	r = pd_btree_remove(&md->top, &roots->mappings, &id);
	if (r)
		return r;
	r = pd_btree_remove(&md->details, &roots->details, &id);
	if (r && r != -ENODATA)
		return r;
	thinx_space_note_devices(md);
	return 0;
}

/* In each of the two trees of devices, the path and its neighbours are copied. */
static u32 blocks_to_leave(const struct thinx_md *md,
			   const struct thinx_roots *roots)
{
	return 6 * depth_above(md, roots);
}

/* Drop the whole device if its tree is small or shared; else -E2BIG. */
static int drop_whole(struct thinx_md *md, struct thinx_roots *roots, u64 id,
		      u64 nr_mapped)
{
	struct thinx_step step = {
		.nr_mapped = nr_mapped,
		.nr_upper = blocks_to_leave(md, roots),
		.whole = true,
		.nr = THINX_DROP_NODES,
	};
	pd_block_t root;
	int r;

	r = thinx_space_ensure_step(md, &step);
	if (r)
		return r;
	thinx_md_begin_change(md);
	r = shadow_top(md, roots, id, &root);
	if (r)
		return r;
	r = pd_btree_delete(&md->dev_mappings, root, step.nr);
	if (r)
		return r;
	return leave_trees(md, roots, id);
}

/* Drop the next few leaves. */
static int drop_leaves(struct thinx_md *md, struct thinx_roots *roots,
		       struct thinx_drop *drop, u64 nr_mapped)
{
	struct pd_btree_range range = {
		.begin = drop->next,
		.own_only = drop->stage == THINX_DROP_OWN,
	};
	struct thinx_step step = {
		.nr_mapped = nr_mapped,
		.nr_upper = depth_above(md, roots) + details_of_step(md, roots),
		.scattered = range.own_only,
		.nr = THINX_DROP_LEAVES,
	};
	u64 keys[2] = { drop->id, 0 };
	int r;

	r = thinx_space_ensure_step(md, &step);
	if (r)
		return r;
	thinx_md_begin_change(md);
	r = pd_btree_remove_range(&md->mappings, &roots->mappings, keys, &range,
				  step.nr);
	if (r)
		return r;
	drop->next = range.done ? 0 : range.begin;
	drop->nr_removed = range.nr_removed;
	drop->again |= !!range.nr_removed;
	if (!range.done)
		return 0;
	/*
	 * An abort may have undone steps, and others may have let go of what
	 * they shared: only what a whole pass leaves is the rest.
	 */
	if (drop->stage == THINX_DROP_COUNTED)
		drop->stage = THINX_DROP_WHOLE;
	else if (!drop->again)
		drop->stage = THINX_DROP_REST;
	drop->again = false;
	return 0;
}

static int begin_drop(struct thinx_md *md, struct thinx_roots *roots,
		      struct thinx_drop *drop, u64 nr_mapped)
{
	__le64 root;
	int r;

	r = pd_btree_lookup(&md->top, roots->mappings, &drop->id, &root);
	if (r)
		return r;
	r = drop_whole(md, roots, drop->id, nr_mapped);
	drop->done = !r;
	if (r != -E2BIG)
		return r;
	drop->stage = THINX_DROP_OWN;
	drop->next = 0;
	drop->again = false;
	return 0;
}

struct pd_btree_ahead thinx_device_drop_ahead(const struct thinx_drop *drop)
{
	return (struct pd_btree_ahead){
		.begin = drop->next,
		.last = U64_MAX,
		.max_leaves = drop->stage == THINX_DROP_WHOLE ?
			      THINX_DROP_NODES : THINX_DROP_LEAVES,
		.own_only = drop->stage != THINX_DROP_COUNTED,
		.removal = drop->stage == THINX_DROP_COUNTED,
	};
}

int thinx_device_drop_step(struct thinx_md *md, struct thinx_roots *roots,
			   struct thinx_drop *drop, u64 nr_mapped)
{
	lockdep_assert_held_write(&md->lock);
	drop->nr_removed = 0;
	/* Only the btree knows which of its nodes are shared. */
	md->unshared_gen = md->open_gen;
	if (drop->stage == THINX_DROP_WHOLE)
		return begin_drop(md, roots, drop, nr_mapped);
	return drop_leaves(md, roots, drop, nr_mapped);
}

static int detach_root(struct thinx_md *md, struct thinx_roots *roots,
		       struct thinx_drop *drop)
{
	pd_block_t root;
	int r;

	/* For the copy of a metadata snapshot, a block; and its own leaf. */
	r = thinx_space_ensure(md, 1 + blocks_to_leave(md, roots),
			       THINX_LEAF_ENTRIES);
	if (r)
		return r;
	thinx_md_begin_change(md);
	r = shadow_top(md, roots, drop->id, &root);
	if (r)
		return r;
	r = leave_trees(md, roots, drop->id);
	if (r)
		return r;
	drop->root = root;
	drop->next = 0;
	return 0;
}

int thinx_device_detach(struct thinx_md *md, struct thinx_roots *roots,
			struct thinx_drop *drop, u64 nr_mapped)
{
	__le64 root;
	int r;

	lockdep_assert_held(&md->close_mutex);
	r = pd_btree_lookup(&md->top, roots->mappings, &drop->id, &root);
	if (r)
		return r;
	md->nr_dropping = min(thinx_space_mapping_nodes(nr_mapped),
			      pd_sm_nr_allocated(pd_tm_sm(md->tm)));
	return detach_root(md, roots, drop);
}

int thinx_device_drop_rest(struct thinx_md *md, struct thinx_drop *drop)
{
	lockdep_assert_held(&md->close_mutex);
	thinx_md_begin_change(md);
	md->unshared_gen = md->open_gen;
	return pd_btree_delete_step(&md->dev_mappings, drop->root, &drop->next,
				    THINX_DROP_REFS, &drop->done);
}

int thinx_device_delete_begin(struct thinx_md *md, u32 id,
			      struct thinx_md_dev **dev)
{
	int r;

	r = thinx_device_get(md, id, dev);
	if (r)
		return r;
	if ((*dev)->open_count || (*dev)->deleting)
		return -EBUSY;
	(*dev)->deleting = true;
	return 0;
}

static void forget_deleted(struct thinx_md_dev *dev)
{
	xa_erase(&dev->md->idle_changes, dev->id);
	free_object(dev);
}

int thinx_device_delete_step(struct thinx_md_dev *dev, struct thinx_drop *drop)
{
	int r;

	if (dev->gone)
		return -ENODATA;
	r = thinx_device_drop_step(dev->md, &dev->md->roots, drop,
				   dev->mapped_blocks);
	if (r)
		return r;
	if (drop->done)
		forget_deleted(dev);
	else if (drop->nr_removed)
		thinx_device_sub_mapped(dev, drop->nr_removed);
	return 0;
}

int thinx_device_delete_detach(struct thinx_md_dev *dev, struct thinx_drop *drop)
{
	int r;

	if (dev->gone)
		return -ENODATA;
	r = thinx_device_detach(dev->md, &dev->md->roots, drop,
				dev->mapped_blocks);
	if (!r)
		forget_deleted(dev);
	return r;
}

void thinx_device_delete_cancel(struct thinx_md_dev *dev)
{
	dev->deleting = false;
	if (dev->gone)
		free_object(dev);
	else
		thinx_device_put_idle(dev);
}
