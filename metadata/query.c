// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Questions about devices and their mappings, answered in steps.
 *
 *   step ─► device: object or trees ─► root of its tree ─► a few nodes ─► result
 *    ▲                                        │ not cached: -EAGAIN
 *    └──── thinx_md_wait(), no lock held ◄────┘
 *
 * I1  A step reads nothing from the device and looks at about THINX_QUERY_NODES
 *     nodes: so the lock is held for a millisecond or two at most.
 * I2  Nothing is remembered between steps but the next virtual block: devices may
 *     change, and be deleted, at any time.  They are not opened, so that a query
 *     keeps nobody from deleting them.
 * I3  A block is shared if a node on the way to it, or the block itself, is counted
 *     more than once: in the device tree, which a metadata snapshot shares, in the
 *     device's own, or in the data space.  So what is not shared is what deleting
 *     the device would free.
 *
 * Context: metadata lock held for reading.
 */
#include "metadata/query.h"

#include <asm/byteorder.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/string.h>

#include "metadata/device.h"
#include "metadata/limits.h"
#include "persistent-data/btree-diff.h"
#include "persistent-data/btree-sharing.h"

/* Nodes that are read ahead once one was missing. */
#define AHEAD 8

/* ---- devices ---- */

/**
 * struct subject - a device that is asked about
 * @root: of its mappings
 * @shared: something above the root is shared; not looked at if set before
 */
struct subject {
	pd_block_t root;
	bool shared;
};

/* An entry of a tree keyed by device id. */
struct entry {
	u64 id;
	void *value;
	u32 size;
	bool found;
};

static void copy_entry(void *context, const struct pd_btree_leaf *l)
{
	struct entry *e = context;
	u32 begin = 0, end = l->nr;

	while (begin < end) {
		u32 mid = begin + (end - begin) / 2;

		if (le64_to_cpu(l->keys[mid]) < e->id)
			begin = mid + 1;
		else
			end = mid;
	}
	if (begin == l->nr || le64_to_cpu(l->keys[begin]) != e->id)
		return;
	memcpy(e->value, l->values + begin * e->size, e->size);
	e->found = true;
}

static int find_mapped(struct thinx_md *md, u64 id,
		       const struct thinx_md_dev *dev, u64 *mapped,
		       u64 *missing)
{
	struct thinx_disk_device_details disk;
	struct entry e = { .id = id, .value = &disk, .size = sizeof(disk) };
	int r;

	if (dev) {
		*mapped = dev->mapped_blocks;
		return 0;
	}
	r = pd_btree_lookup_leaf_cached(&md->details, md->roots.details, &id,
					copy_entry, &e, missing);
	if (!r && !e.found)
		r = -ENODATA;
	if (!r)
		*mapped = le64_to_cpu(disk.mapped_blocks);
	return r;
}

static int find_root(struct thinx_md *md, struct thinx_md_query *q, u64 id,
		     struct subject *s)
{
	struct pd_btree_sharing walk = {
		.sm = pd_tm_sm(md->tm),
		.into_shared = true,
		.shared = s->shared,
	};
	__le64 root;
	struct entry e = { .id = id, .value = &root, .size = sizeof(root) };
	int r = pd_btree_sharing_cached(&md->top, md->roots.mappings, id, &walk,
					copy_entry, &e);

	q->missing = walk.missing;
	if (!r && !e.found)
		r = -ENODATA;
	if (r)
		return r;
	s->root = le64_to_cpu(root);
	s->shared = walk.shared;
	return 0;
}

/* Device number @i of the query. */
static int find_subject(struct thinx_md *md, struct thinx_md_query *q, u32 i,
			struct subject *s)
{
	struct thinx_md_dev *dev = xa_load(&md->devices, q->id[i]);
	u32 id = q->id[i];
	int r;

	if (dev && dev->gone)
		return -ENODATA;
	if (dev && dev->deleting)
		return -EBUSY;
	r = find_mapped(md, id, dev, &q->mapped[i], &q->missing);
	if (!r)
		r = find_root(md, q, id, s);
	if (r)
		return r;
	q->stamp[i].instance = md->instance;
	q->stamp[i].change = thinx_device_change(md, id);
	return 0;
}

static void begin_step(struct thinx_md_query *q)
{
	q->done = false;
	q->nr_own = 0;
	q->nr_nodes = 0;
	q->nr = 0;
}

/* ---- results ---- */

static bool continues(const struct thinx_md_range *a,
		      const struct thinx_md_range *b)
{
	return a->kind == b->kind && a->end == b->begin &&
	       a->data_begin + (a->end - a->begin) == b->data_begin;
}

/* False: no room. */
static bool note_range(struct thinx_md_query *q, const struct thinx_md_range *range)
{
	struct thinx_md_range *last = q->nr ? &q->ranges[q->nr - 1] : NULL;

	if (last && continues(last, range)) {
		last->end = range->end;
		return true;
	}
	if (q->nr == THINX_MD_QUERY_RANGES)
		return false;
	q->ranges[q->nr++] = *range;
	return true;
}

/* ---- map and usage ---- */

/**
 * struct look - looking at leaves
 * @md: metadata
 * @q: the query
 * @walk: the walk to the leaf
 * @only_count: usage; else the ranges are wanted
 * @stopped: within the leaf: no room, or an error
 * @r: the error
 */
struct look {
	struct thinx_md *md;
	struct thinx_md_query *q;
	struct pd_btree_sharing walk;
	bool only_count;
	bool stopped;
	int r;
};

/* Entries of the leaf from @i on that map neighbours to neighbours. */
static u32 run_length(const struct pd_btree_leaf *l, u32 i)
{
	const __le64 *values = l->values;
	u64 v = le64_to_cpu(l->keys[i]);
	u64 d = thinx_mapping_block(le64_to_cpu(values[i]));
	u32 n = 1;

	while (i + n < l->nr && le64_to_cpu(l->keys[i + n]) == v + n &&
	       thinx_mapping_block(le64_to_cpu(values[i + n])) == d + n)
		n++;
	return n;
}

static int check_run(struct look *look, u64 v, u64 d, u64 nr)
{
	u64 nr_data = pd_sm_nr_blocks(look->md->data_sm);

	if (d + nr <= nr_data)
		return 0;
	md_err_limit(look->md, "device %u block %llu is mapped to data block %llu, but the data space has %llu blocks",
		     look->q->id[0], v + nr - 1, d + nr - 1, nr_data);
	return -EILSEQ;
}

/* A part of a run of which the same is true; its length, 0: no room, or an error. */
static u64 look_at_run(struct look *look, u64 v, u64 d, u64 nr)
{
	struct thinx_md_query *q = look->q;
	bool shared = look->walk.shared;
	struct thinx_md_range range;

	look->r = check_run(look, v, d, nr);
	if (!look->r && !shared)
		look->r = pd_sm_sharing_cached(look->md->data_sm, d, d + nr,
					       &shared, &nr,
					       &look->walk.missing);
	if (look->r)
		return 0;
	if (look->only_count) {
		q->nr_own += shared ? 0 : nr;
		return nr;
	}
	range = (struct thinx_md_range) {
		.begin = v,
		.end = v + nr,
		.data_begin = d,
		.kind = shared ? THINX_MD_SHARED : THINX_MD_OWN,
	};
	return note_range(q, &range) ? nr : 0;
}

static void look_at_leaf(void *context, const struct pd_btree_leaf *l)
{
	struct look *look = context;
	struct thinx_md_query *q = look->q;
	const __le64 *values = l->values;
	u32 i = 0, n;
	u64 nr;

	while (i < l->nr && le64_to_cpu(l->keys[i]) < q->from)
		i++;
	while (i < l->nr) {
		u64 v = le64_to_cpu(l->keys[i]);
		u64 d = thinx_mapping_block(le64_to_cpu(values[i]));

		n = run_length(l, i);
		nr = look_at_run(look, v, d, n);
		look->stopped = !nr;
		if (look->stopped) {
			q->from = v;
			return;
		}
		i += nr;
	}
}

static int look_at_device(struct thinx_md *md, struct thinx_md_query *q,
			  bool only_count)
{
	struct look look = { .md = md, .q = q, .only_count = only_count };
	struct subject s = { 0 };
	int r;

	begin_step(q);
	r = find_subject(md, q, 0, &s);
	if (r)
		return r;
	look.walk.sm = pd_tm_sm(md->tm);
	look.walk.into_shared = !only_count;
	look.walk.ahead = q->ahead ? AHEAD : 0;
	while (look.walk.nr_nodes < THINX_QUERY_NODES) {
		look.walk.shared = s.shared;
		r = pd_btree_sharing_cached(&md->dev_mappings, s.root, q->from,
					    &look.walk, look_at_leaf, &look);
		if (!r)
			r = look.r;
		q->missing = look.walk.missing;
		if (r || look.stopped)
			break;
		q->done = look.walk.last == U64_MAX;
		if (q->done)
			break;
		q->from = look.walk.last + 1;
	}
	q->nr_nodes = look.walk.nr_nodes;
	return r;
}

int thinx_query_map(struct thinx_md *md, struct thinx_md_query *q)
{
	return look_at_device(md, q, false);
}

int thinx_query_usage(struct thinx_md *md, struct thinx_md_query *q)
{
	return look_at_device(md, q, true);
}

/* ---- delta ---- */

static const enum thinx_md_kind kinds[] = {
	[PD_BTREE_SAME] = THINX_MD_SAME,
	[PD_BTREE_DIFFERENT] = THINX_MD_DIFFERENT,
	[PD_BTREE_LEFT_ONLY] = THINX_MD_LEFT_ONLY,
	[PD_BTREE_RIGHT_ONLY] = THINX_MD_RIGHT_ONLY,
};

static bool note_difference(void *context, enum pd_btree_diff_kind kind,
			    u64 begin, u64 end)
{
	struct thinx_md_range range = {
		.begin = begin,
		.end = end,
		/* Neighbours are one range, see continues(). */
		.data_begin = begin,
		.kind = kinds[kind],
	};

	return note_range(context, &range);
}

int thinx_query_delta(struct thinx_md *md, struct thinx_md_query *q)
{
	struct pd_btree_diff diff = {
		.from = q->from,
		.ahead = q->ahead ? AHEAD : 0,
		.max_nodes = THINX_QUERY_NODES,
		.fn = note_difference,
		.context = q,
	};
	struct subject left = { .shared = true }, right = { .shared = true };
	int r;

	begin_step(q);
	r = find_subject(md, q, 0, &left);
	if (!r)
		r = find_subject(md, q, 1, &right);
	if (r)
		return r;
	r = pd_btree_diff_cached(&md->dev_mappings, left.root, right.root,
				 &diff);
	q->missing = diff.missing;
	q->from = diff.from;
	q->nr_nodes = diff.nr_nodes;
	q->done = !r && diff.done;
	return r;
}

/* ---- the list of devices ---- */

/**
 * struct listing - looking at a leaf of the details tree
 * @md: metadata
 * @q: the query
 */
struct listing {
	struct thinx_md *md;
	struct thinx_md_query *q;
};

/* The object, if there is one, knows better than the tree. */
static void note_device(struct listing *l, u32 id,
			const struct thinx_disk_device_details *disk)
{
	const struct thinx_md_dev *dev = xa_load(&l->md->devices, id);
	struct thinx_md_device_info *info = &l->q->devices[l->q->nr++];

	*info = (struct thinx_md_device_info) {
		.id = id,
		.mapped = le64_to_cpu(disk->mapped_blocks),
		.transaction_id = le64_to_cpu(disk->transaction_id),
		.creation_time = le32_to_cpu(disk->creation_time),
		.snapshotted_time = le32_to_cpu(disk->snapshotted_time),
	};
	if (!dev)
		return;
	info->in_use = dev->open_count;
	info->deleting = dev->deleting;
	info->mapped = dev->mapped_blocks;
	info->transaction_id = dev->transaction_id;
	info->creation_time = dev->creation_time;
	info->snapshotted_time = dev->snapshotted_time;
}

static void list_leaf(void *context, const struct pd_btree_leaf *l)
{
	const struct thinx_disk_device_details *disk = l->values;
	struct listing *listing = context;
	struct thinx_md_query *q = listing->q;
	u32 i;

	for (i = 0; i < l->nr; i++) {
		u64 id = le64_to_cpu(l->keys[i]);

		if (id < q->from)
			continue;
		if (q->nr == THINX_MD_QUERY_RANGES) {
			q->from = id;
			return;
		}
		note_device(listing, id, &disk[i]);
	}
	q->done = l->last == U64_MAX;
	if (!q->done)
		q->from = l->last + 1;
}

/* One leaf: a hundred devices or so. */
int thinx_query_devices(struct thinx_md *md, struct thinx_md_query *q)
{
	struct listing listing = { .md = md, .q = q };
	u64 from = q->from;

	begin_step(q);
	q->nr_nodes = 1;
	return pd_btree_lookup_leaf_cached(&md->details, md->roots.details,
					   &from, list_leaf, &listing,
					   &q->missing);
}
