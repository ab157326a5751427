// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The environment of btree tests.
 */
#include "btree-env.h"

#include "stores/stores.h"
#include "tests/check/btree-check.h"
#include "tests/check/space-map-check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bt_insist_at(bool what, const char *text, const char *file, int line)
{
	if (what)
		return;
	fprintf(stderr, "%s:%d: failed: %s\n", file, line, text);
	abort();
}

/* ---- values ---- */

static u32 thing_of(const void *value)
{
	return le64_to_cpu(*(const __le64 *)value) >> 8;
}

static int inc_values(void *context, const void *values, u32 nr)
{
	struct bt_env *e = context;
	u32 i;

	for (i = 0; i < nr; i++) {
		u32 thing = thing_of((const __le64 *)values + i);

		if (thing >= BT_NR_THINGS)
			return -EINVAL;
		e->things[thing]++;
	}
	e->nr_inc += nr;
	return 0;
}

static int dec_values(void *context, const void *values, u32 nr)
{
	struct bt_env *e = context;
	u32 i;

	bt_insist(nr);
	for (i = 0; i < nr; i++) {
		u32 thing = thing_of((const __le64 *)values + i);

		/* A space map's answer; only damaged trees get here. */
		if (thing >= BT_NR_THINGS || !e->things[thing])
			return -EINVAL;
		e->things[thing]--;
	}
	e->nr_dec += nr;
	e->nr_dec_calls++;
	return 0;
}

static bool values_equal(void *context, const void *a, const void *b)
{
	return thing_of(a) == thing_of(b);
}

u64 bt_value(struct bt_env *e, u32 thing, u8 stamp)
{
	bt_insist(thing < BT_NR_THINGS);
	e->things[thing]++;
	return (u64)thing << 8 | stamp;
}

/* ---- watching the store ---- */

/* One test runs at a time; the store's calls do not know the environment. */
static struct bt_env *watched;
static unsigned int nr_held, max_held;

static void note_held(int r)
{
	if (!r && ++nr_held > max_held)
		max_held = nr_held;
}

static int watched_read(struct pd_block_io *io, pd_block_t b, void **handle,
			void **data, struct pd_buffer_aux **aux)
{
	int r = watched->store_ops->read(io, b, handle, data, aux);

	note_held(r);
	return r;
}

static int watched_read_cached(struct pd_block_io *io, pd_block_t b,
			       void **handle, void **data,
			       struct pd_buffer_aux **aux)
{
	int r = watched->store_ops->read_cached(io, b, handle, data, aux);

	note_held(r);
	return r;
}

static int watched_get_new(struct pd_block_io *io, pd_block_t b, void **handle,
			   void **data, struct pd_buffer_aux **aux)
{
	int r = watched->store_ops->get_new(io, b, handle, data, aux);

	note_held(r);
	return r;
}

static void watched_release(struct pd_block_io *io, void *handle)
{
	bt_insist(nr_held--);
	watched->store_ops->release(io, handle);
}

static void watch_store(struct bt_env *e)
{
	watched = e;
	nr_held = 0;
	max_held = 0;
	e->store_ops = e->io->ops;
	e->ops = *e->io->ops;
	e->ops.read = watched_read;
	e->ops.read_cached = watched_read_cached;
	e->ops.get_new = watched_get_new;
	e->ops.release = watched_release;
	e->io->ops = &e->ops;
}

void bt_watch(struct bt_env *e)
{
	max_held = nr_held;
}

unsigned int bt_held(const struct bt_env *e)
{
	return nr_held;
}

unsigned int bt_max_held(const struct bt_env *e)
{
	return max_held;
}

/* ---- life ---- */

void bt_begin(struct bt_env *e, pd_block_t nr_blocks, u32 max_entries,
	      u32 levels)
{
	memset(e, 0, sizeof(*e));
	e->io = ram_store_create(nr_blocks);
	watch_store(e);
	bt_insist(!pd_bm_create(e->io, &e->bm));
	bt_insist(!pd_tm_create(e->bm, &e->tm, &e->sm));
	e->t = (struct pd_btree) {
		.bm = e->bm, .tm = e->tm,
		.levels = levels,
		.value = {
			.size = sizeof(__le64),
			.inc = inc_values,
			.dec = dec_values,
			.equal = values_equal,
			.context = e,
		},
		.max_entries = max_entries,
		.name = "test tree",
	};
}

void bt_end(struct bt_env *e)
{
	pd_tm_destroy(e->tm);
	pd_bm_destroy(e->bm);
}

void bt_commit(struct bt_env *e)
{
	bt_insist(!pd_tm_close(e->tm, e->sm_root));
	bt_insist(!pd_bm_flush(e->bm));
	pd_tm_complete(e->tm);
}

void bt_reopen(struct bt_env *e)
{
	bt_commit(e);
	pd_tm_destroy(e->tm);
	bt_insist(!pd_bm_drop(e->bm));
	bt_insist(!pd_tm_open(e->bm, e->sm_root, &e->tm, &e->sm));
	e->t.bm = e->bm;
	e->t.tm = e->tm;
}

/* ---- recounting ---- */

struct recount {
	u32 *blocks;
	pd_block_t nr_blocks;
	u32 *things;
	struct bt_size size;
};

static int count_node(void *context, pd_block_t b, bool *descend)
{
	struct recount *rc = context;

	bt_insist(b < rc->nr_blocks);
	*descend = !rc->blocks[b]++;
	return 0;
}

static int count_leaf(void *context, const u64 *upper_keys, const __le64 *keys,
		      const void *values, u32 nr)
{
	struct recount *rc = context;
	u32 i;

	for (i = 0; i < nr; i++)
		rc->things[thing_of((const __le64 *)values + i)]++;
	return 0;
}

static int count_map_block(void *context, pd_block_t b)
{
	struct recount *rc = context;

	bt_insist(b < rc->nr_blocks);
	rc->blocks[b]++;
	return 0;
}

void bt_verify(struct bt_env *e, const pd_block_t *roots, u32 nr_roots)
{
	struct recount rc = { .nr_blocks = pd_bm_nr_blocks(e->bm) };
	struct pd_btree_visitor v = {
		.node = count_node, .leaf = count_leaf, .context = &rc,
	};
	pd_block_t b;
	u32 i, count;

	rc.blocks = calloc(rc.nr_blocks, sizeof(*rc.blocks));
	rc.things = calloc(BT_NR_THINGS, sizeof(*rc.things));
	bt_insist(rc.blocks && rc.things);

	rc.blocks[0] = 1;
	bt_insist(!pd_sm_check(e->sm, count_map_block, &rc));
	for (i = 0; i < nr_roots; i++)
		bt_insist(!pd_btree_check(&e->t, roots[i], &v));

	for (b = 0; b < rc.nr_blocks; b++) {
		bt_insist(!pd_sm_get_count(e->sm, b, &count));
		if (count != rc.blocks[b])
			fprintf(stderr, "block %llu: wanted %u, got %u\n",
				(unsigned long long)b, rc.blocks[b], count);
		bt_insist(count == rc.blocks[b]);
	}
	bt_insist(!memcmp(rc.things, e->things, sizeof(e->things)));
	free(rc.blocks);
	free(rc.things);
}

static int size_node(void *context, pd_block_t b, bool *descend)
{
	struct bt_size *s = context;

	s->nr_nodes++;
	return 0;
}

static int size_leaf(void *context, const u64 *upper_keys, const __le64 *keys,
		     const void *values, u32 nr)
{
	struct bt_size *s = context;

	s->nr_leaves++;
	s->nr_entries += nr;
	return 0;
}

struct bt_size bt_size(const struct pd_btree *t, pd_block_t root)
{
	struct bt_size s = { 0 };
	struct pd_btree_visitor v = {
		.node = size_node, .leaf = size_leaf, .context = &s,
	};

	bt_insist(!pd_btree_check(t, root, &v));
	return s;
}

/* ---- small helpers ---- */

pd_block_t bt_snap(struct bt_env *e, pd_block_t root)
{
	bt_insist(!pd_tm_inc(e->tm, root));
	return root;
}

struct pd_btree bt_one_level(const struct bt_env *e)
{
	struct pd_btree t = e->t;

	t.levels = 1;
	return t;
}

void bt_insert(struct bt_env *e, pd_block_t *root, u64 key, u32 thing)
{
	__le64 value = cpu_to_le64(bt_value(e, thing, 0));

	bt_insist(!pd_btree_insert(&e->t, root, &key, &value, NULL));
}

void bt_fill(struct bt_env *e, pd_block_t *root, u64 begin, u64 end)
{
	u64 key;

	for (key = begin; key < end; key++)
		bt_insert(e, root, key, key % BT_NR_THINGS);
}

pd_block_t bt_child(struct bt_env *e, pd_block_t node, u32 i)
{
	struct pd_block blk;
	pd_block_t b;

	bt_insist(!pd_bm_read(e->bm, node, &pd_btree_node_validator, &blk));
	bt_insist(i < pd_node_nr(blk.data));
	b = pd_node_child(blk.data, i);
	pd_bm_release(e->bm, &blk);
	return b;
}

bool bt_is_leaf(struct bt_env *e, pd_block_t node)
{
	struct pd_block blk;
	bool is_leaf;

	bt_insist(!pd_bm_read(e->bm, node, &pd_btree_node_validator, &blk));
	is_leaf = pd_node_is_leaf(blk.data);
	pd_bm_release(e->bm, &blk);
	return is_leaf;
}

void bt_poke(struct bt_env *e, pd_block_t b, u32 offset, const void *data,
	     u32 len)
{
	struct pd_block blk;

	bt_commit(e);
	bt_insist(!pd_bm_write(e->bm, b, &pd_btree_node_validator, &blk));
	memcpy((char *)blk.data + offset, data, len);
	pd_bm_release(e->bm, &blk);
	bt_insist(!pd_bm_flush(e->bm));
	bt_insist(!pd_bm_drop(e->bm));
}

void bt_poke_le32(struct bt_env *e, pd_block_t b, u32 offset, u32 value)
{
	__le32 le = cpu_to_le32(value);

	bt_poke(e, b, offset, &le, sizeof(le));
}

void bt_poke_le64(struct bt_env *e, pd_block_t b, u32 offset, u64 value)
{
	__le64 le = cpu_to_le64(value);

	bt_poke(e, b, offset, &le, sizeof(le));
}

void bt_corrupt(struct bt_env *e, pd_block_t b, u32 offset)
{
	unsigned char data[4096];
	struct ram_image *img;

	bt_commit(e);
	pd_tm_destroy(e->tm);
	img = ram_store_image(e->io);
	pd_bm_destroy(e->bm);

	memcpy(data, ram_image_read(img, b), sizeof(data));
	data[offset] ^= 0xff;
	ram_image_write(img, b, data);
	e->io = ram_store_open(img);
	ram_image_destroy(img);
	watch_store(e);
	bt_insist(!pd_bm_create(e->io, &e->bm));
	bt_insist(!pd_tm_open(e->bm, e->sm_root, &e->tm, &e->sm));
	e->t.bm = e->bm;
	e->t.tm = e->tm;
}

unsigned long bt_nr_used(struct bt_env *e)
{
	pd_block_t b, nr = pd_bm_nr_blocks(e->bm);
	unsigned long used = 0;

	for (b = 0; b < nr; b++)
		used += !!bt_count(e, b);
	return used;
}

u32 bt_nr(struct bt_env *e, pd_block_t node)
{
	struct pd_block blk;
	u32 nr;

	bt_insist(!pd_bm_read(e->bm, node, &pd_btree_node_validator, &blk));
	nr = pd_node_nr(blk.data);
	pd_bm_release(e->bm, &blk);
	return nr;
}

u32 bt_count(struct bt_env *e, pd_block_t b)
{
	u32 count;

	bt_insist(!pd_tm_get_count(e->tm, b, &count));
	return count;
}
