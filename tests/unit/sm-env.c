// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What every test of space maps needs; see sm-env.h.
 */
#include "sm-env.h"

#include "persistent-data/space-map-bitmap.h"
#include "tests/check/space-map-check.h"

#include <asm/byteorder.h>

static struct pd_btree index_tree(struct sm_env *e)
{
	return (struct pd_btree){
		.bm = e->bm, .tm = e->tm, .levels = 1, .value.size = 16, .name = "index",
	};
}

void sm_begin(struct sm_env *e, pd_block_t nr_meta, pd_block_t nr_data)
{
	memset(e, 0, sizeof(*e));
	e->io = ram_store_create(nr_meta);
	ok(pd_bm_create(e->io, &e->bm));
	ok(pd_tm_create(e->bm, &e->tm, &e->meta));
	ok(pd_sm_disk_create(e->tm, &e->data));
	sm_commit(e);
	if (nr_data) {
		ok(pd_sm_extend(e->data, nr_data));
		sm_commit(e);
	}
}

static void open_maps(struct sm_env *e)
{
	ok(pd_tm_open(e->bm, e->meta_root, &e->tm, &e->meta));
	ok(pd_sm_disk_open(e->tm, e->data_root, &e->data));
}

void sm_open(struct sm_env *e, const struct ram_image *img)
{
	e->io = ram_store_open(img);
	ok(pd_bm_create(e->io, &e->bm));
	open_maps(e);
}

void sm_end(struct sm_env *e)
{
	pd_sm_destroy(e->data);
	pd_tm_destroy(e->tm);
	pd_bm_destroy(e->bm);
}

void sm_close(struct sm_env *e)
{
	ok(pd_sm_close(e->data, e->data_root));
	ok(pd_tm_close(e->tm, e->meta_root));
}

void sm_complete(struct sm_env *e)
{
	ok(pd_bm_flush(e->bm));
	pd_sm_complete(e->data);
	pd_tm_complete(e->tm);
}

void sm_commit(struct sm_env *e)
{
	sm_close(e);
	sm_complete(e);
}

void sm_reopen(struct sm_env *e)
{
	pd_sm_destroy(e->data);
	pd_tm_destroy(e->tm);
	ok(pd_bm_drop(e->bm));
	open_maps(e);
}

u32 sm_count(struct pd_sm *sm, pd_block_t b)
{
	u32 count;

	ok(pd_sm_get_count(sm, b, &count));
	return count;
}

pd_block_t sm_alloc(struct pd_sm *sm)
{
	pd_block_t b;

	ok(pd_sm_alloc(sm, &b));
	return b;
}

struct pd_disk_index_entry sm_disk_entry(struct sm_env *e, struct pd_sm *sm,
					 u64 i)
{
	struct pd_btree t = index_tree(e);
	struct pd_disk_index_entry entry;

	if (sm == e->meta) {
		static struct pd_disk_metadata_index disk;

		ram_store_peek(e->io, sm->index_root, &disk);
		return disk.index[i];
	}
	ok(pd_btree_lookup(&t, sm->index_root, &i, &entry));
	return entry;
}

static int count_block(void *context, pd_block_t b)
{
	struct sm_env *e = ((void **)context)[0];
	u64 *nr = ((void **)context)[1];

	assert_int_equal(sm_count(e->meta, b), 1);
	++*nr;
	return 0;
}

/* The hints on the device must agree with our own count. */
static void verify_hints(struct sm_env *e, struct pd_sm *sm)
{
	static struct pd_disk_bitmap b;
	u64 i;

	for (i = 0; i < sm->nr_bitmaps; i++) {
		struct pd_disk_index_entry entry = sm_disk_entry(e, sm, i);
		u32 n, nr_free = 0, first = PD_ENTRIES_PER_BITMAP;

		ram_store_peek(e->io, le64_to_cpu(entry.blocknr), &b);
		assert_int_equal(le64_to_cpu(b.blocknr),
				 le64_to_cpu(entry.blocknr));
		for (n = PD_ENTRIES_PER_BITMAP; n--;) {
			if (pd_bitmap_get(&b, n))
				continue;
			nr_free++;
			first = n;
		}
		assert_int_equal(le32_to_cpu(entry.nr_free), nr_free);
		assert_int_equal(le32_to_cpu(entry.none_free_before), first);
	}
}

void sm_verify(struct sm_env *e)
{
	u64 nr = 1;	/* the superblock */
	void *context[] = { e, &nr };

	ok(pd_sm_check(e->data, count_block, context));
	ok(pd_sm_check(e->meta, count_block, context));
	assert_int_equal(sm_count(e->meta, 0), 1);
	assert_int_equal(pd_sm_nr_allocated(e->meta), nr);
	verify_hints(e, e->data);
	verify_hints(e, e->meta);
}
