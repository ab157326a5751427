// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The two-level mapping tree and the counts of data blocks that go with it.
 *
 *   roots.mappings ──► id ──► root ──► virtual block ──► data block, time
 *   |<------- top ------->|  |<------------- dev_mappings ------------->|
 *   |<--------------------------- mappings ---------------------------->|
 *
 * I1  A data block's count is the number of mapping leaves that contain it
 *     (docs/format.md 6.6).  The btree tells us when a leaf is copied or freed;
 *     neighbours are counted as one run.
 * I2  No data block number from disk is trusted before it has been compared
 *     with the size of the data space.
 * I3  Whether a block is shared is decided by its count, and only after the
 *     path down to it has been shadowed.  A block counts as no longer shared
 *     only once that is durable: the space map ensures this where the block's
 *     own count changed, unshared_gen where a node above it lost a reference.
 * I4  Blocks listed as freed are held, so that they are not handed out before
 *     the caller has passed the discard down.
 *
 * Context: metadata lock held for writing; look-ups: for reading.
 */
#include "metadata/mapping.h"

#include <asm/byteorder.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "metadata/device.h"
#include "metadata/space.h"

/* ---- what the trees' values refer to ---- */

static int count_run(struct thinx_md *md, u64 begin, u64 end,
		     int (*fn)(struct pd_sm *sm, pd_block_t b, pd_block_t e))
{
	if (end > pd_sm_nr_blocks(md->data_sm)) {
		md_err_limit(md, "mapping to data block %llu, but the data space has %llu blocks",
			     end - 1, pd_sm_nr_blocks(md->data_sm));
		return -EILSEQ;
	}
	return fn(md->data_sm, begin, end);
}

/* Count the data blocks of @nr packed mappings, run by run (I1). */
static int count_mappings(struct thinx_md *md, const void *values, u32 nr,
			  int (*fn)(struct pd_sm *sm, pd_block_t b,
				    pd_block_t e))
{
	const __le64 *v = values;
	u64 begin = 0, end = 0, b;
	u32 i;
	int r;

	for (i = 0; i < nr; i++) {
		b = thinx_mapping_block(le64_to_cpu(v[i]));
		if (i && b == end) {
			end++;
			continue;
		}
		if (i) {
			r = count_run(md, begin, end, fn);
			if (r)
				return r;
		}
		begin = b;
		end = b + 1;
	}
	return nr ? count_run(md, begin, end, fn) : 0;
}

static int inc_mappings(void *context, const void *values, u32 nr)
{
	return count_mappings(context, values, nr, pd_sm_inc);
}

static int dec_mappings(void *context, const void *values, u32 nr)
{
	return count_mappings(context, values, nr, pd_sm_dec);
}

static bool same_data_block(void *context, const void *a, const void *b)
{
	const __le64 *va = a, *vb = b;

	return thinx_mapping_block(le64_to_cpu(*va)) ==
	       thinx_mapping_block(le64_to_cpu(*vb));
}

static int inc_roots(void *context, const void *values, u32 nr)
{
	struct thinx_md *md = context;
	const __le64 *v = values;
	u32 i;
	int r;

	for (i = 0; i < nr; i++) {
		r = pd_tm_inc(md->tm, le64_to_cpu(v[i]));
		if (r)
			return r;
	}
	return 0;
}

/* Code that takes an entry out of the top tree has dealt with its subtree. */
static int keep_roots(void *context, const void *values, u32 nr)
{
	return 0;
}

void thinx_mapping_init_kinds(struct thinx_md *md)
{
	md->mappings = (struct pd_btree){
		.bm = md->bm,
		.tm = md->tm,
		.levels = 2,
		.value = {
			.size = sizeof(__le64),
			.inc = inc_mappings,
			.dec = dec_mappings,
			.equal = same_data_block,
			.context = md,
		},
		.name = "mapping tree",
	};
	md->dev_mappings = md->mappings;
	md->dev_mappings.levels = 1;
	md->top = (struct pd_btree){
		.bm = md->bm,
		.tm = md->tm,
		.levels = 1,
		.value = {
			.size = sizeof(__le64),
			.inc = inc_roots,
			.dec = keep_roots,
			.context = md,
		},
		.name = "top-level mapping tree",
	};
}

/* ---- look up ---- */

struct lookup {
	struct thinx_md_dev *dev;
	thinx_md_leaf_fn fn;
	void *context;
	int r;
};

static void show_leaf(void *context, const struct pd_btree_leaf *l)
{
	struct lookup *lookup = context;
	struct thinx_md_dev *dev = lookup->dev;
	u64 nr_data = pd_sm_nr_blocks(dev->md->data_sm);
	const __le64 *values = l->values;
	struct thinx_md_leaf leaf = {
		.begin = l->begin,
		.end = l->last + 1,
		.nr = l->nr,
		.keys = l->keys,
		.values = values,
	};
	u32 i;

	for (i = 0; i < l->nr; i++) {
		u64 b = thinx_mapping_block(le64_to_cpu(values[i]));

		if (b < nr_data)
			continue;
		md_err_limit(dev->md, "device %u block %llu is mapped to data block %llu, but the data space has %llu blocks",
			     dev->id, le64_to_cpu(l->keys[i]), b, nr_data);
		lookup->r = -EILSEQ;
		return;
	}
	lookup->fn(lookup->context, &leaf);
}

int thinx_mapping_lookup(struct thinx_md_dev *dev, thinx_vblock_t b,
			 thinx_md_leaf_fn fn, void *context, u64 *missing)
{
	struct thinx_md *md = dev->md;
	struct lookup lookup = { .dev = dev, .fn = fn, .context = context };
	u64 keys[2] = { dev->id, b };
	int r;

	if (missing)
		r = pd_btree_lookup_leaf_cached(&md->mappings,
						md->roots.mappings, keys,
						show_leaf, &lookup, missing);
	else
		r = pd_btree_lookup_leaf(&md->mappings, md->roots.mappings,
					 keys, show_leaf, &lookup);
	return r ? r : lookup.r;
}

/* ---- reading ahead ---- */

static void read_ahead_values(void *context, const void *values, u32 nr,
			      struct pd_ahead *missing)
{
	struct thinx_md *md = context;
	const __le64 *v = values;
	u64 begin, n;
	u32 i;

	for (i = 0; i < nr; i += n) {
		begin = thinx_mapping_block(le64_to_cpu(v[i]));
		for (n = 1; i + n < nr; n++)
			if (thinx_mapping_block(le64_to_cpu(v[i + n])) !=
			    begin + n)
				break;
		pd_sm_read_ahead(md->data_sm, begin, begin + n, missing);
	}
}

void thinx_mapping_read_ahead(struct thinx_md *md, pd_block_t root, u64 id,
			      struct pd_btree_ahead *ahead)
{
	u64 keys[2] = { id, 0 };

	ahead->values = read_ahead_values;
	ahead->context = md;
	pd_btree_read_ahead(&md->mappings, root, keys, ahead);
}

/* ---- insert ---- */

/*
 * Each leaf is at least a third full and may have to be copied and split, or
 * give to a sibling, which is then copied; above the leaves the same happens
 * once per level, and a root may grow.  The run touches at most two bitmaps,
 * what it replaces at most one per block.
 */
static int ensure_insert(struct thinx_md_dev *dev, u64 nr)
{
	struct thinx_md *md = dev->md;
	u32 depth = thinx_space_mapping_depth(md, dev->mapped_blocks + nr);
	u64 nr_leaves = nr / (THINX_LEAF_ENTRIES / 3) + 1;
	u64 nr_values = thinx_space_copied_values(md, nr_leaves + 2);

	return thinx_space_ensure_growth(md, thinx_space_upper_depth(md) +
					 3 * depth + 3 * (nr_leaves - 1) + 1,
					 2 + nr + nr_values);
}

int thinx_mapping_insert_run(struct thinx_md_dev *dev, thinx_vblock_t vbegin,
			     thinx_dblock_t dbegin, u64 nr,
			     thinx_word_t *mapping)
{
	struct thinx_md *md = dev->md;
	u64 keys[2] = { dev->id, vbegin };
	u32 time = min_t(u32, md->time, THINX_TIME_MAX);
	u64 nr_data = pd_sm_nr_blocks(md->data_sm);
	__le64 *values = (__le64 *)md->scratch;
	u32 nr_inserted, i;
	int r;

	if (!nr || nr > THINX_MD_RUN_MAX || vbegin + nr < vbegin ||
	    nr > nr_data || dbegin > nr_data - nr)
		return -EINVAL;
	r = ensure_insert(dev, nr);
	if (r)
		return r;

	for (i = 0; i < nr; i++)
		values[i] = cpu_to_le64(thinx_mapping_pack(dbegin + i, time));
	thinx_md_begin_change(md);
	md->time_used = true;
	r = pd_sm_inc(md->data_sm, dbegin, dbegin + nr);
	if (r)
		return r;
	r = pd_btree_insert_run(&md->mappings, &md->roots.mappings, keys,
				values, nr, &nr_inserted);
	if (r)
		return r;
	pd_sm_unhold(md->data_sm, dbegin, dbegin + nr);
	thinx_device_add_mapped(dev, nr_inserted);
	*mapping = thinx_mapping_pack(dbegin, time);
	return 0;
}

/* ---- restamp ---- */

struct restamp {
	struct thinx_md_dev *dev;
	u64 vbegin;
	u32 nr;
	u32 time;
	thinx_word_t *mappings;
	bool *exclusive;
};

static int restamp_one(void *context, u64 key, void *value)
{
	struct restamp *rs = context;
	struct thinx_md *md = rs->dev->md;
	u64 i = key - rs->vbegin;
	thinx_word_t m;
	__le64 disk;
	bool ours = true;
	int r;

	if (i >= rs->nr)
		return -EILSEQ;
	memcpy(&disk, value, sizeof(disk));
	m = le64_to_cpu(disk);
	if (thinx_mapping_block(m) >= pd_sm_nr_blocks(md->data_sm)) {
		md_err_limit(md, "device %u block %llu is mapped to data block %llu, but the data space has %llu blocks",
			     rs->dev->id, key, thinx_mapping_block(m),
			     pd_sm_nr_blocks(md->data_sm));
		return -EILSEQ;
	}
	if (thinx_mapping_time(m) < rs->dev->snapshotted_time) {
		/* The path is shadowed by now: the count is exact (I3). */
		r = pd_sm_count_is_stable_one(md->data_sm,
					      thinx_mapping_block(m), &ours);
		if (r)
			return r;
		if (md->unshared_gen > md->completed_gen)
			ours = false;
		if (ours) {
			md->time_used = true;
			m = thinx_mapping_pack(thinx_mapping_block(m),
					       rs->time);
			disk = cpu_to_le64(m);
			memcpy(value, &disk, sizeof(disk));
		}
	}
	rs->mappings[i] = m;
	rs->exclusive[i] = ours;
	return 0;
}

int thinx_mapping_restamp(struct thinx_md_dev *dev, thinx_vblock_t vbegin,
			  u32 nr, thinx_word_t *mappings, bool *exclusive)
{
	struct thinx_md *md = dev->md;
	struct restamp rs = {
		.dev = dev,
		.vbegin = vbegin,
		.nr = nr,
		.time = min_t(u32, md->time, THINX_TIME_MAX),
		.mappings = mappings,
		.exclusive = exclusive,
	};
	u64 keys[2] = { dev->id, vbegin };
	u64 nr_leaves;
	u32 depth, i;
	int r;

	if (!nr || nr > THINX_MD_RUN_MAX || vbegin + nr < vbegin)
		return -EINVAL;
	for (i = 0; i < nr; i++) {
		mappings[i] = THINX_WORD_HOLE;
		exclusive[i] = false;
	}

	/* Every leaf in the range, and the paths to them; nothing splits. */
	nr_leaves = min_t(u64, nr / (THINX_LEAF_ENTRIES / 3) + 2,
			  thinx_space_mapping_nodes(dev->mapped_blocks));
	depth = thinx_space_mapping_depth(md, dev->mapped_blocks);
	r = thinx_space_ensure_growth(md, thinx_space_upper_depth(md) +
				      nr_leaves + 2 * (depth - 1),
				      thinx_space_copied_values(md, nr_leaves));
	if (r)
		return r;
	thinx_md_begin_change(md);
	r = pd_btree_update(&md->mappings, &md->roots.mappings, keys, nr,
			    restamp_one, &rs);
	if (!r)
		thinx_device_mark_changed(dev);
	return r;
}

/* ---- remove ---- */

struct removed_blocks {
	struct thinx_md *md;
	bool want_freed;
	u64 nr_counted;		/* entries that lost a reference */
	u32 nr;			/* entries used in md->scratch */
};

static int note_removed(void *context, const __le64 *keys, const void *values,
			u32 nr)
{
	struct removed_blocks *rb = context;
	const __le64 *v = values;
	u32 i;

	rb->nr_counted += nr;
	if (!rb->want_freed)
		return 0;
	/*
	 * Blocks that do not fit the list are merely not discarded.  Damaged
	 * numbers are refused when they are counted.
	 */
	for (i = 0; i < nr && rb->nr < THINX_MD_RUN_MAX; i++)
		rb->md->scratch[rb->nr++] =
			thinx_mapping_block(le64_to_cpu(v[i]));
	return 0;
}

static void add_freed(void *context, pd_block_t begin, pd_block_t end)
{
	struct thinx_md_removal *r = context;
	struct thinx_md_run *run = &r->freed[r->nr_freed];

	if (r->nr_freed && run[-1].end == begin) {
		run[-1].end = end;
		return;
	}
	run->begin = begin;
	run->end = end;
	r->nr_freed++;
}

/*
 * Hold what became free and list it as runs (I4).  In damaged metadata a block
 * may be mapped twice; it is held, and listed, the first time only.
 */
static int list_freed(struct thinx_md *md, const struct removed_blocks *rb,
		      struct thinx_md_removal *r)
{
	const u64 *b = md->scratch;
	u32 i, n;
	int err;

	for (i = 0; i < rb->nr; i += n) {
		n = 1;
		while (i + n < rb->nr && b[i + n] == b[i] + n)
			n++;
		err = pd_sm_hold_unused(md->data_sm, b[i], b[i] + n, add_freed,
					r);
		/* Without memory for the hold, it is merely not discarded. */
		if (err && err != -ENOMEM)
			return err;
	}
	return 0;
}

int thinx_mapping_remove_step(struct thinx_md_dev *dev,
			      struct thinx_md_removal *r)
{
	struct thinx_md *md = dev->md;
	struct removed_blocks rb = { .md = md, .want_freed = r->want_freed };
	struct pd_btree_range range = {
		.begin = r->begin,
		.end = r->end,
		.removed = note_removed,
		.context = &rb,
	};
	struct thinx_step step = {
		.nr_mapped = dev->mapped_blocks,
		.nr_upper = thinx_space_upper_depth(md),
		.nr = THINX_REMOVE_LEAVES,
	};
	u64 keys[2] = { dev->id, 0 };
	int err;

	r->nr_freed = 0;
	if (r->begin >= r->end) {
		r->done = true;
		return 0;
	}
	err = thinx_space_ensure_step(md, &step);
	if (err)
		return err;
	thinx_md_begin_change(md);
	err = pd_btree_remove_range(&md->mappings, &md->roots.mappings, keys,
				    &range, step.nr);
	if (err)
		return err;
	thinx_device_sub_mapped(dev, range.nr_removed);
	if (range.nr_removed != rb.nr_counted) {
		md->unshared_gen = md->open_gen;
		md->nr_unshared++;
	}
	r->begin = range.begin;
	r->done = range.done;
	return list_freed(md, &rb, r);
}
