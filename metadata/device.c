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
 * I3  The number of a device's last change outlives its object; a deletion forgets
 *     it, and an abort raises that of all devices.
 * I4  We never make time exceed 24 bits (docs/format.md 9.4).
 * I5  A snapshot gets the next time, or the present one if no mapping has that.
 *
 * Why I5 is right.  A block counts as shared if its mapping is older than its
 * device's last snapshot, so when a snapshot gets time T,
 *   (a) every mapping in the origin's tree must be older than T, since from now
 *       on two devices have it; and
 *   (b) every mapping that one of them gets later must not be older than T, or
 *       else it would be copied in vain, which is harmless.
 * (b) is so because times never fall.  (a) is clear if T is new.  If T is the
 * present time, it says that nothing in the origin's tree was mapped, or claimed
 * by restamping, at T.  The tree may have come from another device, by a snapshot
 * or a swap, so it is asked of all devices together: time_used is set whenever a
 * mapping of any device gets the present time, and cleared only when the time
 * becomes one that no mapping has yet; both under the lock that the snapshot
 * holds.  A mapping that has its time by then but is not inserted does not
 * exist: it gets its time when it is inserted.
 * After a crash or an abort the trees are those of an earlier moment, and the
 * time with them: what they have was right at that moment.  But what had been
 * mapped at the present time by then is not known, so time_used is set.  So is
 * it after opening; the first snapshot ever thus gets time 1, and a time of 0
 * still says that nothing is shared (I4 of metadata/space.c).
 * Snapshots that are made together get the same time: nothing is mapped between
 * them.
 *
 * Context: metadata lock held for writing.
 * Crash: each change here belongs to one transaction; for deletions see drop.c.
 */
#include "metadata/device.h"

#include <asm/byteorder.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "include/thinx-memory.h"
#include "metadata/drop.h"
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

/* Keeps I3. */
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

/*
 * Upper trees: a copy and a split for each level of both, and a new root.  Trees
 * of a single leaf get no third level from THINX_MD_PAIRS_MAX more entries.
 */
static u64 upper_insert_blocks(const struct thinx_md *md, u32 nr)
{
	if (md->few_devices && nr > 1)
		return 2 * (3 * 2 + 1);
	return 2 * nr * (3 * thinx_space_upper_depth(md) + 1);
}

static int check_id_is_free(struct thinx_md *md, u32 id)
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
	return r == -ENODATA ? 0 : r ? r : -EEXIST;
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

	r = thinx_space_ensure_growth(md, upper_insert_blocks(md, 1) + 1, 0);
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

	r = check_id_is_free(md, id);
	if (r)
		return r;
	r = make_object(md, id, &dev);
	if (r)
		return r;
	r = create_empty(dev);
	if (r)
		free_object(dev);
	return r;
}

/* The root of a device's mapping tree. */
static int look_up_root(struct thinx_md *md, u32 id, u64 *root)
{
	u64 key = id;
	__le64 disk;
	int r;

	r = pd_btree_lookup(&md->top, md->roots.mappings, &key, &disk);
	if (!r)
		*root = le64_to_cpu(disk);
	return r;
}

int thinx_device_check(struct thinx_md *md, u32 id)
{
	struct thinx_md_dev *dev = xa_load(&md->devices, id);
	u64 root;

	if (dev && dev->gone)
		return -ENODATA;
	if (dev && dev->deleting)
		return -EBUSY;
	return look_up_root(md, id, &root);
}

/* Free the objects of the devices of @pairs that nobody needs. */
static void put_idle_pairs(struct thinx_md *md,
			   const struct thinx_md_pair *pairs, u32 nr)
{
	struct thinx_md_dev *dev;
	u32 i;

	for (i = 0; i < 2 * nr; i++) {
		dev = xa_load(&md->devices, i % 2 ? pairs[i / 2].other :
						    pairs[i / 2].id);
		if (dev)
			thinx_device_put_idle(dev);
	}
}

/* ---- snapshots ---- */

/* The time of a snapshot made now (I5). */
static int next_time(struct thinx_md *md, u32 *time)
{
	*time = md->time;
	if (!md->time_used)
		return 0;
	if (md->time >= THINX_TIME_MAX)
		return -EOVERFLOW;
	*time = md->time + 1;
	return 0;
}

static int check_snap(struct thinx_md *md, const struct thinx_md_pair *pairs,
		      u32 i, u64 *root)
{
	struct thinx_md_dev *origin;
	u32 k;
	int r;

	for (k = 0; k < i; k++)
		if (pairs[k].id == pairs[i].id)
			return -EINVAL;
	r = check_id_is_free(md, pairs[i].id);
	if (r)
		return r;
	/* Finds none of the new devices: they are in no tree yet. */
	r = thinx_device_get(md, pairs[i].other, &origin);
	if (!r && origin->deleting)
		r = -ENODATA;
	return r ? r : look_up_root(md, pairs[i].other, root);
}

static const char *why_no_snap(int r)
{
	switch (r) {
	case -EINVAL:
		return "its id is too large, or is wanted twice";
	case -EEXIST:
		return "its id is in use";
	case -ENODATA:
		return "there is no such origin";
	case -EOVERFLOW:
		return "all snapshot times are used up";
	default:
		return "error";
	}
}

static int make_snap(struct thinx_md *md, const struct thinx_md_pair *pair,
		     u64 root)
{
	struct thinx_md_dev *dev = xa_load(&md->devices, pair->id);
	struct thinx_md_dev *origin = xa_load(&md->devices, pair->other);
	int r;

	r = pd_tm_inc(md->tm, root);
	if (r)
		return r;
	dev->creation_time = md->time;
	dev->snapshotted_time = md->time;
	dev->transaction_id = md->trans_id;
	dev->mapped_blocks = origin->mapped_blocks;
	r = enter_device(dev, root);
	if (r)
		return r;
	WRITE_ONCE(origin->snapshotted_time, md->time);
	origin->details_changed = true;
	thinx_device_mark_changed(origin);
	return 0;
}

/* All objects are there, md->scratch has the roots of the origins. */
static int make_snaps(struct thinx_md *md, const struct thinx_md_pair *pairs,
		      u32 nr, u32 time)
{
	u64 wanted = md->wanted;
	u32 i;
	int r;

	/* The details of origins, one more than is counted anyway. */
	r = thinx_space_ensure_growth(md, upper_insert_blocks(md, nr) +
				      (nr - 1) * thinx_space_upper_depth(md), 0);
	if (r) {
		/* The others need not wait for as much. */
		if (nr > 1)
			md->wanted = wanted;
		return r;
	}
	thinx_md_begin_change(md);
	md->time = time;
	md->time_used = false;
	for (i = 0; !r && i < nr; i++)
		r = make_snap(md, &pairs[i], md->scratch[i]);
	return r;
}

int thinx_device_create_snaps(struct thinx_md *md,
			      const struct thinx_md_pair *pairs, u32 nr)
{
	struct thinx_md_dev *dev;
	u32 i = 0, made = 0, time;
	int r = nr && nr <= THINX_MD_PAIRS_MAX ? 0 : -EINVAL;

	if (r)
		return r;
	for (; !r && i < nr; i++)
		r = check_snap(md, pairs, i, &md->scratch[i]);
	if (!r)
		r = next_time(md, &time);
	if (r)
		md_err(md, "cannot create snapshot %u of device %u: %s (%d)",
		       pairs[i - 1].id, pairs[i - 1].other, why_no_snap(r), r);
	while (!r && made < nr) {
		r = make_object(md, pairs[made].id, &dev);
		made += !r;
	}
	if (!r)
		r = make_snaps(md, pairs, nr, time);
	if (!r)
		return 0;
	while (made--)
		free_object(xa_load(&md->devices, pairs[made].id));
	put_idle_pairs(md, pairs, nr);
	return r;
}

/* ---- swap ---- */

static bool is_twice(const struct thinx_md_pair *pairs, u32 i)
{
	u32 k;

	if (pairs[i].id == pairs[i].other)
		return true;
	for (k = 0; k < i; k++)
		if (pairs[k].id == pairs[i].id ||
		    pairs[k].id == pairs[i].other ||
		    pairs[k].other == pairs[i].id ||
		    pairs[k].other == pairs[i].other)
			return true;
	return false;
}

static int check_swap_one(struct thinx_md *md, u32 id, u64 *root)
{
	struct thinx_md_dev *dev;
	int r;

	r = thinx_device_get(md, id, &dev);
	if (!r && dev->deleting)
		r = -EBUSY;
	if (!r)
		r = look_up_root(md, id, root);
	if (r)
		md_err(md, "cannot swap device %u: %s (%d)", id,
		       r == -ENODATA ? "there is none" :
		       r == -EBUSY ? "it is being deleted" : "error", r);
	return r;
}

static int check_swap(struct thinx_md *md, const struct thinx_md_pair *pairs,
		      u32 i, u64 *roots)
{
	int r;

	if (is_twice(pairs, i)) {
		md_err(md, "cannot swap devices %u and %u: one of them is named twice",
		       pairs[i].id, pairs[i].other);
		return -EINVAL;
	}
	r = check_swap_one(md, pairs[i].id, &roots[0]);
	return r ? r : check_swap_one(md, pairs[i].other, &roots[1]);
}

/* In each of the upper trees, the paths to @nr entries that are there. */
static u64 upper_update_blocks(const struct thinx_md *md, u32 nr)
{
	return md->few_devices ? 2 : 2 * nr * thinx_space_upper_depth(md);
}

static int set_root(struct thinx_md *md, u32 id, u64 root)
{
	__le64 value = cpu_to_le64(root);
	u64 key = id;

	return pd_btree_insert(&md->top, &md->roots.mappings, &key, &value,
			       NULL);
}

/*
 * What was known of @dev is now true of the device that has @old's contents.
 * Whoever uses either may have lost writes.
 */
static void take_over(struct thinx_md_dev *dev, const struct thinx_md_dev *old)
{
	dev->creation_time = old->creation_time;
	WRITE_ONCE(dev->snapshotted_time, old->snapshotted_time);
	WRITE_ONCE(dev->mapped_blocks, old->mapped_blocks);
	if (old->lost_changes)
		WRITE_ONCE(dev->lost_changes, true);
	dev->details_changed = true;
	thinx_device_mark_changed(dev);
}

static int swap_pair(struct thinx_md *md, const struct thinx_md_pair *pair,
		     const u64 *roots)
{
	struct thinx_md_dev *a = xa_load(&md->devices, pair->id);
	struct thinx_md_dev *b = xa_load(&md->devices, pair->other);
	struct thinx_md_dev old = *a;
	int r;

	r = set_root(md, pair->id, roots[1]);
	if (!r)
		r = set_root(md, pair->other, roots[0]);
	if (r)
		return r;
	take_over(a, b);
	take_over(b, &old);
	return 0;
}

int thinx_device_swap(struct thinx_md *md, const struct thinx_md_pair *pairs,
		      u32 nr)
{
	int r = nr && nr <= THINX_MD_PAIRS_MAX ? 0 : -EINVAL;
	u64 wanted = md->wanted;
	u32 i;

	if (r)
		return r;
	for (i = 0; !r && i < nr; i++)
		r = check_swap(md, pairs, i, &md->scratch[2 * i]);
	if (!r)
		r = thinx_space_ensure_growth(md, upper_update_blocks(md, 2 * nr),
					      0);
	/* Nothing is taken for good: others wait for as much as before. */
	md->wanted = wanted;
	if (r)
		goto out;
	thinx_md_begin_change(md);
	for (i = 0; !r && i < nr; i++)
		r = swap_pair(md, &pairs[i], &md->scratch[2 * i]);
out:
	if (r)
		put_idle_pairs(md, pairs, nr);
	return r;
}

/* ---- delete ---- */

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
	r = thinx_drop_step(dev->md, &dev->md->roots, drop,
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
	r = thinx_drop_detach(dev->md, &dev->md->roots, drop,
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
