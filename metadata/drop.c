// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Taking a device out of the trees, in steps.
 *
 *   whole ─► small, or shared: done
 *     │
 *   own ──► leaves of its own, pass by pass, counted ─► a pass found none
 *     │ ▲                                                  │
 *     │ └─────── others let go of something ───────────────┤
 *     │                                                  rest: all is shared;
 *   counted ◄── no room, or too many passes in vain ────── dropped by count, in
 *     └─► leaf by leaf, shared or not ─► whole             one transaction
 *
 * I1  A tree is taken apart only after the path to its root has been shadowed:
 *     only then does the count of the root tell what else refers to it.
 * I2  What is dropped by count is not read, so its mappings are not counted
 *     either: that is for what is shared.  thinx_md.nr_unshared tells whether
 *     anything was let go of since the pass began that found the rest shared.
 *
 * Context: metadata lock held for writing.
 * Crash: between two steps there is a device with fewer mappings and a matching
 * mapped_blocks.  The steps of the last stage belong to one transaction.
 */
#include "metadata/drop.h"

#include <asm/byteorder.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "metadata/limits.h"
#include "metadata/space.h"

static int get_root(void *context, u64 key, void *value)
{
	u64 *root = context;
	__le64 disk;

	memcpy(&disk, value, sizeof(disk));
	*root = le64_to_cpu(disk);
	return 0;
}

/* Shadow the path to the device's root (I1). */
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
	md->nr_unshared++;
	return leave_trees(md, roots, id);
}

/* Most passes over a tree in vain before shared leaves are counted, too. */
#define MAX_PASSES 8

static void begin_pass(struct thinx_md *md, struct thinx_drop *drop)
{
	drop->stage = THINX_DROP_OWN;
	drop->next = 0;
	drop->again = false;
	drop->nr_unshared = md->nr_unshared;
}

/* Others were at work: look again at what they may have let go of. */
static void begin_pass_again(struct thinx_md *md, struct thinx_drop *drop)
{
	begin_pass(md, drop);
	if (++drop->nr_passes >= MAX_PASSES)
		drop->stage = THINX_DROP_COUNTED;
}

/*
 * An abort may have undone steps, and others may have let go of what they
 * shared: only what a whole pass leaves, during which nobody did, is the rest.
 */
static void end_pass(struct thinx_md *md, struct thinx_drop *drop)
{
	if (drop->stage == THINX_DROP_COUNTED) {
		drop->stage = THINX_DROP_WHOLE;
		drop->again = false;
	} else if (drop->again) {
		begin_pass(md, drop);
	} else if (drop->nr_unshared == md->nr_unshared) {
		drop->stage = THINX_DROP_REST;
	} else {
		begin_pass_again(md, drop);
	}
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
	if (drop->stage == THINX_DROP_COUNTED && range.nr_removed)
		md->nr_unshared++;
	if (range.done)
		end_pass(md, drop);
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
	begin_pass(md, drop);
	return 0;
}

struct pd_btree_ahead thinx_drop_ahead(const struct thinx_drop *drop)
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

int thinx_drop_step(struct thinx_md *md, struct thinx_roots *roots,
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

int thinx_drop_detach(struct thinx_md *md, struct thinx_roots *roots,
		      struct thinx_drop *drop, u64 nr_mapped)
{
	__le64 root;
	int r;

	lockdep_assert_held(&md->close_mutex);
	if (drop->nr_unshared != md->nr_unshared) {
		begin_pass_again(md, drop);
		return -EAGAIN;
	}
	r = pd_btree_lookup(&md->top, roots->mappings, &drop->id, &root);
	if (r)
		return r;
	md->nr_dropping_values = nr_mapped;
	md->nr_dropping = min(thinx_space_mapping_nodes(nr_mapped),
			      pd_sm_nr_allocated(pd_tm_sm(md->tm)));
	return detach_root(md, roots, drop);
}

int thinx_drop_rest(struct thinx_md *md, struct thinx_drop *drop)
{
	lockdep_assert_held(&md->close_mutex);
	thinx_md_begin_change(md);
	md->unshared_gen = md->open_gen;
	md->nr_unshared++;
	return pd_btree_delete_step(&md->dev_mappings, drop->root, &drop->next,
				    THINX_DROP_REFS, &drop->done);
}
