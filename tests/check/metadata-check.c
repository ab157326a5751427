// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Verify everything against everything: what can be reached is counted, and the
 * counts are compared with the space maps.
 *
 *   superblock ─┬─ mapping tree ──── leaves ──► data blocks found
 *               ├─ details tree                        │
 *               ├─ held copy, its two trees ───────────┤
 *               └─ both space maps' own blocks         ▼
 *                        │                    = counts of the data map?
 *                        ▼
 *               metadata blocks found = counts of the metadata map?
 *
 * I1  A node is descended into once, however many references it has; a data
 *     block is counted once for each leaf that holds it (docs/format.md 6.6).
 * I2  Blocks not found must have a count of zero: the number found must be
 *     nr_allocated, which the space maps check against their bitmaps.
 *
 * Context: metadata lock held for writing; sleeps long.  For tests and
 * debugging.
 */
#include "tests/check/metadata-check.h"

#include <asm/byteorder.h>
#include <linux/sched.h>

#include "metadata/held-root.h"
#include "metadata/transaction.h"
#include "tests/check/btree-check.h"
#include "tests/check/space-map-check.h"
#include "include/thinx-log.h"

/* How often each block of a space was found. */
struct tally {
	struct thinx_md *md;
	struct pd_sm *sm;
	const char *what;
	struct xarray found;
	u64 nr_found;
};

struct checker {
	struct thinx_md *md;
	struct tally meta;
	struct tally data;
};

static void tally_init(struct tally *t, struct thinx_md *md, struct pd_sm *sm,
		       const char *what)
{
	t->md = md;
	t->sm = sm;
	t->what = what;
	xa_init(&t->found);
	t->nr_found = 0;
}

/* One more reference to @b was found; *@nr says how many there are now. */
static int tally_add(struct tally *t, u64 b, unsigned long *nr)
{
	void *old;

	if (b >= pd_sm_nr_blocks(t->sm)) {
		DMERR("%s: check: a reference to %s block %llu, but there are %llu",
		      thinx_md_name(t->md), t->what, (unsigned long long)b,
		      (unsigned long long)pd_sm_nr_blocks(t->sm));
		return -EILSEQ;
	}
	old = xa_load(&t->found, b);
	*nr = old ? xa_to_value(old) + 1 : 1;
	t->nr_found += !old;
	return xa_err(xa_store(&t->found, b, xa_mk_value(*nr), GFP_NOIO));
}

static int tally_compare(struct tally *t)
{
	unsigned long b;
	void *entry;
	u32 count;
	int r, bad = 0;

	xa_for_each(&t->found, b, entry) {
		cond_resched();
		r = pd_sm_get_count(t->sm, b, &count);
		if (r)
			return r;
		if (count == xa_to_value(entry))
			continue;
		DMERR_LIMIT("%s: check: %s block %lu has count %u, %lu references were found",
			    thinx_md_name(t->md), t->what, b, count,
			    xa_to_value(entry));
		bad = -EILSEQ;
	}
	if (t->nr_found != pd_sm_nr_allocated(t->sm)) {
		DMERR("%s: check: %llu %s blocks are allocated, %llu were found",
		      thinx_md_name(t->md),
		      (unsigned long long)pd_sm_nr_allocated(t->sm), t->what,
		      (unsigned long long)t->nr_found);
		bad = -EILSEQ;
	}
	return bad;
}

static int found_node(void *context, pd_block_t b, bool *descend)
{
	struct checker *c = context;
	unsigned long nr;
	int r;

	cond_resched();
	r = tally_add(&c->meta, b, &nr);
	if (!r)
		*descend = nr == 1;
	return r;
}

static int found_own_block(void *context, pd_block_t b)
{
	struct checker *c = context;
	unsigned long nr;

	return tally_add(&c->meta, b, &nr);
}

static int found_mappings(void *context, const u64 *upper_keys,
			  const __le64 *keys, const void *values, u32 nr)
{
	struct checker *c = context;
	const __le64 *v = values;
	unsigned long found;
	u32 i;
	int r;

	for (i = 0; i < nr; i++) {
		r = tally_add(&c->data, thinx_mapping_block(le64_to_cpu(v[i])),
			      &found);
		if (r)
			return r;
	}
	return 0;
}

static int walk_trees(struct checker *c, const struct thinx_roots *roots)
{
	const struct pd_btree_visitor mappings = {
		.node = found_node,
		.leaf = found_mappings,
		.context = c,
	};
	const struct pd_btree_visitor details = {
		.node = found_node,
		.context = c,
	};
	int r;

	r = pd_btree_check(&c->md->mappings, roots->mappings, &mappings);
	if (r)
		return r;
	return pd_btree_check(&c->md->details, roots->details, &details);
}

static int check_counts(struct checker *c)
{
	struct thinx_md *md = c->md;
	struct thinx_roots held;
	int r;

	r = found_own_block(c, THINX_SUPERBLOCK_LOCATION);
	if (r)
		return r;
	r = walk_trees(c, &md->roots);
	if (r)
		return r;
	if (md->held_root) {
		r = found_own_block(c, md->held_root);
		if (!r)
			r = thinx_held_root_read(md, &held);
		if (!r)
			r = walk_trees(c, &held);
		if (r)
			return r;
	}
	r = pd_sm_check(md->data_sm, found_own_block, c);
	if (r)
		return r;
	r = pd_sm_check(pd_tm_sm(md->tm), found_own_block, c);
	if (r)
		return r;
	r = tally_compare(&c->meta);
	if (r)
		return r;
	return tally_compare(&c->data);
}

/* ---- details against the mapping tree ---- */

static int count_leaf(void *context, const u64 *upper_keys, const __le64 *keys,
		      const void *values, u32 nr)
{
	u64 *total = context;

	cond_resched();
	*total += nr;
	return 0;
}

static int check_mapped(struct thinx_md *md, u64 id, pd_block_t root,
			u64 wanted)
{
	u64 total = 0;
	const struct pd_btree_visitor v = {
		.leaf = count_leaf,
		.context = &total,
	};
	int r;

	r = pd_btree_check(&md->dev_mappings, root, &v);
	if (r)
		return r;
	if (total == wanted)
		return 0;
	DMERR("%s: check: device %llu has %llu mappings, its details say %llu",
	      thinx_md_name(md), (unsigned long long)id,
	      (unsigned long long)total, (unsigned long long)wanted);
	return -EILSEQ;
}

/* The device at or after @*id must be the same in both trees. */
static int check_device(struct thinx_md *md, u64 *id, bool *last)
{
	struct thinx_disk_device_details disk;
	struct thinx_md_dev *dev;
	u64 in_top = 0, in_details = 0, from = *id;
	__le64 root;
	int r_top, r;

	r_top = pd_btree_lookup_next(&md->top, md->roots.mappings, &from,
				     &in_top, &root);
	if (r_top && r_top != -ENODATA)
		return r_top;
	r = pd_btree_lookup_next(&md->details, md->roots.details, &from,
				 &in_details, &disk);
	if (r && r != -ENODATA)
		return r;
	if (r != r_top || in_top != in_details) {
		DMERR("%s: check: the device at or after %llu is %llu in the mapping tree, %llu in the details",
		      thinx_md_name(md), (unsigned long long)from,
		      (unsigned long long)in_top,
		      (unsigned long long)in_details);
		return -EILSEQ;
	}
	if (r) {
		*last = true;
		return 0;
	}
	*id = in_top;
	dev = xa_load(&md->devices, in_top);
	return check_mapped(md, in_top, le64_to_cpu(root),
			    dev ? dev->mapped_blocks :
				  le64_to_cpu(disk.mapped_blocks));
}

static int check_devices(struct thinx_md *md)
{
	bool last = false;
	u64 id = 0;
	int r;

	for (;;) {
		r = check_device(md, &id, &last);
		if (r || last || id == U64_MAX)
			return r;
		id++;
	}
}

static int check(struct thinx_md *md)
{
	struct checker c = { .md = md };
	int r;

	lockdep_assert_held_write(&md->lock);
	tally_init(&c.meta, md, pd_tm_sm(md->tm), "metadata");
	tally_init(&c.data, md, md->data_sm, "data");
	r = check_counts(&c);
	xa_destroy(&c.meta.found);
	xa_destroy(&c.data.found);
	return r ? r : check_devices(md);
}

int thinx_md_check(struct thinx_md *md)
{
	int r;

	thinx_metadata_lock(md);
	/* Not in the middle of what no commit may divide. */
	while (md->nr_dropping && !md->broken) {
		thinx_metadata_unlock(md);
		cond_resched();
		thinx_metadata_lock(md);
	}
	r = thinx_transaction_may_look(md);
	if (!r)
		r = check(md);
	thinx_metadata_unlock(md);
	return r;
}
