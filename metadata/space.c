// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Data and metadata space.  The hard part is to say no in time: a change that
 * runs out of metadata blocks halfway costs the whole transaction, and so does
 * being unable to close it.
 *
 *   allocatable metadata blocks
 *   |<-- the change at worst -->|<-- closing at worst -->|<-- free to use -->|
 *                                  data bitmaps + index
 *                                  overflow trees
 *                                  metadata bitmaps + index
 *                                  details of changed devices
 *
 * I1  The cost is in copying: a node is copied once per transaction, so closing
 *     costs at most what there is to copy, plus splits.
 * I2  Depths are bounded by what exists: a tree of d >= 2 levels has at least
 *     2 * 84^(d-2) leaves of at least 84 entries (a third of 252).  Bounds from
 *     damaged metadata may be wrong; then a change fails halfway, no worse.
 * I3  In the overflow trees, the leaves that changed counts fall into are
 *     copied.  The space map knows them for past changes; each count the change
 *     at hand may touch could fall into another one, but there are no more than
 *     the tree has.  Counts that move in or out split leaves or bring siblings
 *     with them.
 * I4  If no snapshot was ever taken, nothing is shared: no count exceeds two,
 *     and copying a leaf changes no count.
 *
 * Rejected: setting blocks aside on disk; dm-thin would not know about them.
 */
#include "metadata/space.h"

#include <linux/math64.h>
#include <linux/minmax.h>

/* Fewest entries of a node that is not a root, for 8-byte values. */
#define MIN_ENTRIES		84

/* Fewest entries of a leaf of the data index that is not a root. */
#define MIN_INDEX_ENTRIES	56

/* Fewest entries of an overflow leaf that is not a root. */
#define MIN_OVERFLOW_ENTRIES	112

/* Metadata blocks that only deleting and unmapping may use. */
#define SPARE_RATIO		32
#define MAX_SPARE		32

static u64 nr_bitmaps(u64 nr_blocks)
{
	return div_u64(nr_blocks + PD_ENTRIES_PER_BITMAP - 1,
		       PD_ENTRIES_PER_BITMAP);
}

/* Most levels of a tree with at most @nr_leaves leaves (I2). */
static u32 depth_bound(u64 nr_leaves)
{
	u64 least = 2;
	u32 depth = 1;

	while (least <= nr_leaves && depth < PD_BTREE_MAX_DEPTH) {
		depth++;
		least *= MIN_ENTRIES;
	}
	return depth;
}

static u64 leaf_bound(u64 nr_entries, u32 min_entries)
{
	return nr_entries < 2 * min_entries ? 1 :
					      div_u64(nr_entries, min_entries);
}

static void note_single_leaf(void *context, const struct pd_btree_leaf *l)
{
	bool *single = context;

	*single = !l->begin && l->last == U64_MAX;
}

static bool is_single_leaf(const struct pd_btree *t, pd_block_t root)
{
	bool single = false;
	u64 key = 0;

	/* If it cannot be read, that is reported when it matters. */
	return !pd_btree_lookup_leaf(t, root, &key, note_single_leaf,
				     &single) && single;
}

void thinx_space_note_devices(struct thinx_md *md)
{
	md->few_devices = is_single_leaf(&md->top, md->roots.mappings) &&
			  is_single_leaf(&md->details, md->roots.details);
}

u32 thinx_space_any_depth(const struct thinx_md *md)
{
	/* Each leaf is an allocated metadata block. */
	return depth_bound(pd_sm_nr_allocated(pd_tm_sm(md->tm)));
}

u32 thinx_space_upper_depth(const struct thinx_md *md)
{
	return md->few_devices ? 1 : thinx_space_any_depth(md);
}

u32 thinx_space_mapping_depth(const struct thinx_md *md, u64 nr_mapped)
{
	return min(depth_bound(leaf_bound(nr_mapped, MIN_ENTRIES)),
		   thinx_space_any_depth(md));
}

u64 thinx_space_mapping_nodes(u64 nr_mapped)
{
	u64 n = leaf_bound(nr_mapped, MIN_ENTRIES), total = n;

	while (n > 1) {
		n = leaf_bound(n, MIN_ENTRIES);
		total += n;
	}
	return total;
}

/* Cost of copying @nr_leaves scattered leaves of a tree of @depth. */
static u64 path_blocks(u64 nr_leaves, u32 depth)
{
	if (!nr_leaves)
		return 0;
	return nr_leaves + (depth - 1) * (1 + div_u64(nr_leaves, MIN_ENTRIES));
}

/*
 * Cost, above the leaves, of copying or creating @nr_leaves of the @all leaves
 * of a tree of @depth, wherever they are.
 */
static u64 node_blocks(u64 nr_leaves, u64 all, u32 depth)
{
	u64 level = all, total = 0;

	while (--depth > 0) {
		level = depth == 1 ? 1 : 1 + div_u64(level, MIN_ENTRIES);
		total += min(nr_leaves, level);
	}
	return total;
}

/* I4. */
bool thinx_space_may_share(const struct thinx_md *md)
{
	return md->time || md->held_root;
}

/*
 * Blocks for closing one overflow tree, if @nr_values more counts may change
 * before that (I3).  A leaf is split once if it is full, and again for each
 * third of a leaf that comes in, up to as many leaves as all counts can fill.
 */
static u64 overflow_blocks(const struct thinx_md *md, struct pd_sm *sm,
			   u64 nr_values)
{
	u64 most = leaf_bound(pd_sm_nr_allocated(sm), MIN_OVERFLOW_ENTRIES);
	struct pd_sm_overflow o;
	u64 touched, moved, changed, copied, split;

	if (!thinx_space_may_share(md))	/* I4 */
		return 0;
	pd_sm_get_overflow(sm, &o);
	touched = min(o.nr_leaves, o.nr_touched + nr_values);
	moved = o.nr_moved + nr_values;
	if (!touched)
		return 0;
	changed = min(touched, moved);
	copied = min(o.nr_leaves, touched + 2 * changed);
	split = min(most, changed + div_u64(moved, MIN_OVERFLOW_ENTRIES));
	return copied + split + node_blocks(copied + split, o.nr_leaves + split,
					    o.depth + !!split);
}

u64 thinx_space_copied_values(const struct thinx_md *md, u64 nr_leaves)
{
	return thinx_space_may_share(md) ? nr_leaves * THINX_LEAF_ENTRIES : 0;
}

/* Blocks for closing the data space map. */
static u64 data_close_blocks(const struct thinx_md *md, u64 nr_values)
{
	u64 all = nr_bitmaps(pd_sm_nr_blocks(md->data_sm));
	u64 dirty = min(all, pd_sm_nr_dirty_bitmaps(md->data_sm) + nr_values);
	u64 nr_leaves = leaf_bound(all, MIN_INDEX_ENTRIES);
	u64 entries = dirty + pd_sm_nr_dirty_index(md->data_sm);

	if (!entries)
		return 0;
	return dirty + path_blocks(min(entries, nr_leaves),
				   depth_bound(nr_leaves)) +
	       overflow_blocks(md, md->data_sm, nr_values);
}

/*
 * Blocks for closing the metadata space map, if @nr_values of its counts may
 * change before that.  They may be anywhere, and all its bitmaps are few.
 */
static u64 meta_close_blocks(const struct thinx_md *md, u64 nr_values)
{
	struct pd_sm *sm = pd_tm_sm(md->tm);

	return nr_bitmaps(pd_sm_nr_blocks(sm)) + 1 /* index block */ +
	       overflow_blocks(md, sm, nr_values);
}

static u64 close_blocks(const struct thinx_md *md, u64 nr_values,
			u64 nr_blocks)
{
	u64 need = data_close_blocks(md, nr_values + md->nr_dropping_values);

	/* One more device: the one the change at hand may be about. */
	need += path_blocks(md->nr_changed + 1, thinx_space_upper_depth(md));
	/* Each block may have children, those of data blocks' leaves too. */
	return need + meta_close_blocks(md, nr_values + md->nr_dropping +
					    nr_blocks * THINX_LEAF_ENTRIES);
}

static bool has_room(const struct thinx_md *md, u64 nr_blocks, u64 nr_values)
{
	return pd_sm_nr_allocatable(pd_tm_sm(md->tm)) >=
	       nr_blocks + close_blocks(md, nr_values, nr_blocks);
}

int thinx_space_ensure(const struct thinx_md *md, u64 nr_blocks, u64 nr_values)
{
	lockdep_assert_held_write(&md->lock);
	if (has_room(md, nr_blocks, nr_values))
		return 0;
	md_warn_limit(md, "no metadata space for a change of %llu blocks: %llu available, %llu reserved for the commit",
		      nr_blocks, pd_sm_nr_allocatable(pd_tm_sm(md->tm)),
		      close_blocks(md, nr_values, nr_blocks));
	return -ENOSPC;
}

int thinx_space_ensure_growth(struct thinx_md *md, u64 nr_blocks, u64 nr_values)
{
	u64 spare = min_t(u64, MAX_SPARE,
			  pd_sm_nr_blocks(pd_tm_sm(md->tm)) / SPARE_RATIO);
	int r;

	nr_blocks += spare;
	r = thinx_space_ensure(md, nr_blocks, nr_values);
	md->wanted = r ? nr_blocks : 0;
	md->wanted_values = nr_values;
	return r;
}

/*
 * Each leaf of a tree of which something is left costs a copy of itself and of
 * two siblings, as does each node on the way; each of scattered ones, a copy of
 * its own path and of a sibling on each level.  Together never more than the
 * whole tree.
 */
static u64 step_blocks(const struct thinx_md *md, const struct thinx_step *s)
{
	u32 depth = thinx_space_mapping_depth(md, s->nr_mapped);

	if (s->whole)
		return s->nr_upper;
	return s->nr_upper + min(thinx_space_mapping_nodes(s->nr_mapped),
				 s->scattered ? 2 * (u64)depth * s->nr :
						3 * ((u64)depth + s->nr));
}

/* The mappings of those leaves and of two siblings. */
static u64 step_values(const struct thinx_step *s)
{
	u64 nr_leaves = s->whole ? s->nr : (u64)s->nr + 2;

	return min(nr_leaves * THINX_LEAF_ENTRIES, s->nr_mapped);
}

int thinx_space_ensure_step(const struct thinx_md *md, struct thinx_step *step)
{
	while (step->nr > 1 &&
	       !has_room(md, step_blocks(md, step), step_values(step)))
		step->nr /= 2;
	return thinx_space_ensure(md, step_blocks(md, step), step_values(step));
}

void thinx_space_get(const struct thinx_md *md, struct thinx_md_space *s)
{
	const struct pd_sm *meta_sm;

	*s = (struct thinx_md_space){ 0 };
	if (!md->tm)
		return;
	meta_sm = pd_tm_sm(md->tm);
	s->meta_total = pd_sm_nr_blocks(meta_sm);
	/*
	 * Not what could be handed out right now: with the copies a busy
	 * transaction makes and what it frees, every large one would look as if
	 * the device were full.
	 */
	s->meta_free = s->meta_total - pd_sm_nr_allocated(meta_sm);
	s->meta_reserve = min_t(u64, 4096, div_u64(s->meta_total, 10));
	/* What is open now is paid for by its commit. */
	s->meta_wanted = md->wanted ? md->wanted +
		close_blocks(md, md->wanted_values, md->wanted) : 0;
	s->data_total = pd_sm_nr_blocks(md->data_sm);
	s->data_used = pd_sm_nr_allocated(md->data_sm);
	s->data_allocatable = pd_sm_nr_allocatable(md->data_sm);
	if (s->data_total > s->data_used + s->data_allocatable)
		s->data_pending = s->data_total - s->data_used -
				  s->data_allocatable;
}

int thinx_space_extend_data(struct thinx_md *md, u64 nr_blocks)
{
	u64 old = pd_sm_nr_blocks(md->data_sm), added;
	int r;

	if (nr_blocks <= old || nr_blocks > THINX_DATA_BLOCK_MAX) {
		md_err(md, "cannot grow the data space from %llu to %llu blocks",
		       old, nr_blocks);
		return -EINVAL;
	}
	/* New bitmaps, the last old one, and splits of the index tree. */
	added = nr_bitmaps(nr_blocks) - nr_bitmaps(old) + 1;
	r = thinx_space_ensure(md, added + div_u64(2 * added, MIN_INDEX_ENTRIES)
			       + 4, 0);
	if (r)
		return r;
	thinx_md_begin_change(md);
	return pd_sm_extend(md->data_sm, nr_blocks);
}

int thinx_space_extend_metadata(struct thinx_md *md, u64 nr_blocks)
{
	struct pd_sm *sm = pd_tm_sm(md->tm);
	u64 old = pd_sm_nr_blocks(sm), added, nr_new;
	int r;

	if (nr_blocks <= old || nr_blocks > thinx_space_device_blocks(md)) {
		md_err(md, "cannot grow the metadata space from %llu to %llu blocks: the device has %llu",
		       old, nr_blocks, pd_bm_nr_blocks(md->bm));
		return -EINVAL;
	}
	/*
	 * The new area must provide the room for its own bitmaps, and whatever
	 * room the commit lacks.
	 */
	added = nr_blocks - old;
	nr_new = nr_bitmaps(nr_blocks) - nr_bitmaps(old);
	if (added < nr_new || added - nr_new + pd_sm_nr_allocatable(sm) <
			      close_blocks(md, 0, 0) + nr_new) {
		md_err(md, "growing the metadata space from %llu to %llu blocks leaves no space for the commit",
		       old, nr_blocks);
		return -ENOSPC;
	}
	thinx_md_begin_change(md);
	r = pd_sm_extend(sm, nr_blocks);
	if (!r) {
		md->grown = true;
		md->wanted = 0;
	}
	return r;
}

void thinx_space_arm_threshold(struct thinx_md *md)
{
	pd_sm_set_threshold(pd_tm_sm(md->tm), md->threshold,
			    md->hooks->space_low, md->hook_context);
}

u64 thinx_space_device_blocks(const struct thinx_md *md)
{
	return min_t(u64, pd_bm_nr_blocks(md->bm), PD_MAX_METADATA_BLOCKS);
}
