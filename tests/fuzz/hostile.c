// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Damaged metadata, and operations on it.
 */
#include "hostile.h"

#include <asm/byteorder.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "include/thinx-format.h"
#include "persistent-data/block-manager.h"
#include "tests/check/metadata-check.h"

u8 in_u8(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->p++;
}

u32 in_u16(struct input *in)
{
	u32 low = in_u8(in);

	return low | in_u8(in) << 8;
}

u64 in_u64(struct input *in)
{
	u64 v = 0;
	int i;

	for (i = 0; i < 8; i++)
		v |= (u64)in_u8(in) << 8 * i;
	return v;
}

/* ---- the seed ---- */

#ifdef MANY_STEPS	/* see tests/common.mk; several bitmaps of each kind */
#define SEED_BLOCKS 33000
#define SEED_DATA 60000
#define SEED_LEAP 9000
#else
#define SEED_BLOCKS 128
#define SEED_DATA 4000
#define SEED_LEAP 0
#endif

static struct ram_image *make_seed(void)
{
	struct thinx_md_dev *dev;
	struct md_env e;
	u32 i;

	md_begin(&e, SEED_BLOCKS, SEED_DATA);
	dev = md_create(&e, 1);
	/* Two levels, scattered; overflow counts through three snapshots. */
	for (i = 0; i < 900; i++) {
		if (i % 100 == 0)
			md_leap(&e, SEED_LEAP, SEED_LEAP);
		md_map(&e, dev, i * 7919 % 900 * 2, 1);
	}
	thinx_md_close_device(dev);
	for (i = 2; i < 5; i++) {
		md_insist(!thinx_md_create_snap(e.md, i, i - 1));
		dev = md_open(&e, i);
		md_map(&e, dev, i, 3);
		thinx_md_close_device(dev);
	}
	md_commit(&e);
	md_insist(!thinx_md_reserve_snap(e.md));
	dev = md_create(&e, 9);
	md_map(&e, dev, 0, 40);
	thinx_md_close_device(dev);
	md_commit(&e);
	md_check(&e);
	return md_pull_image(&e);
}

const struct ram_image *hostile_seed(void)
{
	static struct ram_image *seed;

	if (!seed)
		seed = make_seed();
	return seed;
}

static u32 find_salt(pd_block_t b)
{
	static const u32 salts[] = {
		PD_SUPERBLOCK_CSUM_XOR, PD_NODE_CSUM_XOR, PD_BITMAP_CSUM_XOR,
		PD_INDEX_CSUM_XOR,
	};
	const struct pd_disk_header *h = ram_image_read(hostile_seed(), b);
	int i;

	for (i = 0; h->csum && i < 4; i++)
		if (le32_to_cpu(h->csum) == pd_csum(h, salts[i]))
			return salts[i];
	return 0;
}

u32 hostile_salt(pd_block_t b)
{
	static u32 known[SEED_BLOCKS];
	static bool ready;
	u32 i;

	for (i = 0; !ready && i < SEED_BLOCKS; i++)
		known[i] = find_salt(i);
	ready = true;
	return known[b];
}

pd_block_t hostile_used(u32 n)
{
	static pd_block_t used[SEED_BLOCKS];
	static u32 nr;
	u32 b;

	if (!nr)
		for (b = 0; b < SEED_BLOCKS; b++)
			if (hostile_salt(b))
				used[nr++] = b;
	return used[n % nr];
}

void hostile_seal(void *block, pd_block_t b, u32 salt)
{
	struct pd_disk_header *h = block;

	h->blocknr = cpu_to_le64(b);
	h->csum = cpu_to_le32(pd_csum(block, salt));
}

/* ---- operations ---- */

static void touch(void *context, const struct thinx_md_leaf *l)
{
	const u8 *keys = l->keys, *values = l->values;
	u8 *sum = context;
	u32 i;

	/* Every byte promised must be readable. */
	for (i = 0; i < l->nr * 8; i++)
		*sum ^= keys[i] ^ values[i];
}

static int commit_between(void *context)
{
	struct md_env *e = context;

	return thinx_md_commit(e->md, NULL);
}

static int unmap(struct md_env *e, struct thinx_md_dev *dev, u64 begin,
		 u64 end, bool want_freed)
{
	struct thinx_md_removal *rm = calloc(1, sizeof(*rm));
	int r = 0;
	u32 i;

	rm->begin = begin;
	rm->end = end;
	rm->want_freed = want_freed;
	while (!r && !rm->done) {
		thinx_md_lock(e->md);
		r = thinx_md_remove_range_locked(dev, rm);
		for (i = 0; !r && i < rm->nr_freed; i++)
			thinx_md_unhold_locked(e->md, rm->freed[i].begin,
					       rm->freed[i].end);
		thinx_md_unlock(e->md);
		if (!r && !rm->done && thinx_md_is_heavy(e->md))
			r = commit_between(e);
	}
	free(rm);
	return r;
}

static int change_device(struct md_env *e, struct thinx_md_dev *dev,
			 struct input *in)
{
	u32 what = in_u8(in), nr = in_u8(in) + 1;
	u64 v = what & 64 ? in_u64(in) : in_u16(in);
	thinx_word_t m[256];
	bool ex[256];
	u8 sum = 0;
	u64 b;
	int r;

	switch (what & 7) {
	case 0:
		return thinx_md_lookup(dev, v, touch, &sum);
	case 1:
		return thinx_md_dev_highest_mapped(dev, &b);
	case 2:
		thinx_md_lock(e->md);
		r = thinx_md_restamp_locked(dev, v, nr, m, ex);
		thinx_md_unlock(e->md);
		return r;
	case 3:
		return unmap(e, dev, v, v + nr * 8, what & 8);
	case 4:
		return unmap(e, dev, 0, ~0ULL, what & 8);
	default:
		return md_try_map(e, dev, v, nr);
	}
}

static int beneath(void *context)
{
	struct thinx_md_dev *dev;
	struct md_env *e = context;
	int r;

	if (thinx_md_open_device(e->md, 1, &dev))
		return 0;
	/* If it fails, the flush does not. */
	r = md_try_map(e, dev, 1000, 5);
	thinx_md_close_device(dev);
	return r > 0;
}

static int snap_or_swap(struct md_env *e, u8 what, u32 id)
{
	struct thinx_md_pair p = { what % 12, id };

	return what & 0x80 ? thinx_md_swap(e->md, &p, 1) :
			     thinx_md_create_snaps(e->md, &p, 1);
}

static int live_step(struct md_env *e, struct input *in)
{
	u32 what = in_u8(in), id = in_u8(in) % 12;
	struct thinx_md_dev *dev;
	struct thinx_md_space s;
	int r;

	switch (what % 16) {
	case 0:
		return thinx_md_create_thin(e->md, id);
	case 1:
		return snap_or_swap(e, in_u8(in), id);
	case 2:
		return md_delete_with(e->md, id, commit_between, e);
	case 3:
		return md_commit_with(e->md, beneath, e);
	case 4:
		return thinx_md_abort(e->md);
	case 5:
		return md_release_snap_with(e->md, commit_between, e);
	case 6:
		return thinx_md_reserve_snap(e->md);
	case 7:
		thinx_md_get_space(e->md, &s);
		return thinx_md_resize_data(e->md, s.data_total + in_u16(in));
	case 8:
		if (thinx_md_device_blocks(e->md) < SEED_BLOCKS + 1000)
			ram_store_grow(e->io, SEED_BLOCKS + 1000);
		thinx_md_get_space(e->md, &s);
		return thinx_md_resize_metadata(e->md,
						s.meta_total + in_u16(in));
	case 9:
		return thinx_md_check(e->md);
	default:
		r = thinx_md_open_device(e->md, id, &dev);
		if (r)
			return r;
		r = change_device(e, dev, in);
		thinx_md_close_device(dev);
		return r;
	}
}

void hostile_live(struct ram_image *img, struct input *in)
{
	struct md_env e;
	int r, steps;

	r = md_push_image(&e, img);
	if (r)
		return;
	/* A full check is slow: not every time. */
	if (in_u8(in) & 1)
		r = thinx_md_check(e.md);
	for (steps = 0; in->left && steps < 64; steps++) {
		r = live_step(&e, in);
		md_insist(r >= -4095);
		if (r == -EUCLEAN && thinx_md_abort(e.md))
			break;
	}
	r = thinx_md_commit(e.md, NULL);
	md_close(&e);
}
