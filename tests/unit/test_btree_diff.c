// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Comparing two trees: what a plain array says, whatever they share, however high
 * they are; and how little is read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "btree-env.h"
#include "md-env.h"
#include "persistent-data/btree-diff.h"

#define NR_KEYS 700

/* What a comparison told, key by key; room for so many runs in a step. */
struct told {
	unsigned char kind[NR_KEYS];
	u64 next;
	u32 nr, room;
};

static bool tell(void *context, enum pd_btree_diff_kind kind, u64 begin, u64 end)
{
	struct told *t = context;

	if (t->nr == t->room)
		return false;
	t->nr++;
	assert_true(begin == t->next && end > begin && end <= NR_KEYS);
	memset(t->kind + begin, kind, end - begin);
	t->next = end;
	return true;
}

/* Compare all; returns how many nodes were missing. */
static u32 diff(struct bt_env *e, pd_block_t left, pd_block_t right, u64 from,
		u32 max_nodes, u32 ahead, struct told *t)
{
	struct pd_btree_diff d = {
		.from = from,
		.ahead = ahead,
		.max_nodes = max_nodes,
		.fn = tell,
		.context = t,
	};
	u32 nr_missing = 0;
	int r;

	t->next = from;
	while (!d.done) {
		u64 before = d.from;

		t->nr = 0;
		r = pd_btree_diff_cached(&e->t, left, right, &d);
		assert_true(d.from == t->next);
		if (r == -EAGAIN) {
			nr_missing++;
			assert_int_equal(pd_bm_wait(e->bm, d.missing), 0);
			continue;
		}
		assert_int_equal(r, 0);
		assert_true(d.done || d.from > before);
	}
	return nr_missing;
}

static u64 value_at(struct bt_env *e, pd_block_t root, u64 key)
{
	__le64 value;

	return pd_btree_lookup(&e->t, root, &key, &value) ? 0 :
	       le64_to_cpu(value);
}

static void compare_with_values(struct bt_env *e, pd_block_t left, pd_block_t right,
				u64 from, const struct told *t)
{
	u64 key, end = 0;

	for (key = 0; key < NR_KEYS; key++) {
		u64 l = value_at(e, left, key), r = value_at(e, right, key);
		/* Values that refer to the same thing are equal. */
		enum pd_btree_diff_kind kind =
			!l && r ? PD_BTREE_RIGHT_ONLY :
			l && !r ? PD_BTREE_LEFT_ONLY :
			l >> 8 != r >> 8 ? PD_BTREE_DIFFERENT : PD_BTREE_SAME;

		if (l || r)
			end = key + 1;
		if (key >= from && key < t->next)
			assert_int_equal(t->kind[key], kind);
	}
	assert_true(t->next == (end > from ? end : from));
}

static void change(struct bt_env *e, pd_block_t *root, u64 *rng)
{
	u64 begin = md_rnd(rng) % NR_KEYS, nr = 1 + md_rnd(rng) % 12, key;
	int what = md_rnd(rng) % 8;

	if (what == 0)
		nr = 1 + md_rnd(rng) % NR_KEYS;
	if (begin + nr > NR_KEYS)
		nr = NR_KEYS - begin;
	if (what < 3) {
		struct pd_btree_range range = {
			.begin = begin, .end = begin + nr,
		};
		u64 keys[1] = { 0 };

		while (!range.done)
			assert_int_equal(pd_btree_remove_range(&e->t, root, keys,
							       &range, 3), 0);
		return;
	}
	for (key = begin; key < begin + nr; key++)
		bt_insert(e, root, key, 1 + md_rnd(rng) % 500);
}

#define NR_TREES 5

static void run_random(u64 seed, u32 max_entries)
{
	pd_block_t roots[NR_TREES];
	u64 rng = seed;
	struct told t;
	struct bt_env e;
	u32 i, n;

	bt_begin(&e, 6000, max_entries, 1);
	for (i = 0; i < NR_TREES; i++) {
		if (i && md_rnd(&rng) % 4)
			roots[i] = bt_snap(&e, roots[md_rnd(&rng) % i]);
		else
			assert_int_equal(pd_btree_empty(&e.t, &roots[i]), 0);
		for (n = md_rnd(&rng) % 12; n; n--)
			change(&e, &roots[md_rnd(&rng) % (i + 1)], &rng);
		if (md_rnd(&rng) % 2)
			bt_commit(&e);
	}
	bt_watch(&e);
	for (n = 0; n < 12; n++) {
		pd_block_t l = roots[md_rnd(&rng) % NR_TREES];
		pd_block_t r = roots[md_rnd(&rng) % NR_TREES];
		u64 from = md_rnd(&rng) % 2 ? 0 : md_rnd(&rng) % NR_KEYS;

		ram_store_evict(e.io);
		t.room = 1 + md_rnd(&rng) % 5;
		diff(&e, l, r, from, 1 + md_rnd(&rng) % 20, md_rnd(&rng) % 3, &t);
		compare_with_values(&e, l, r, from, &t);
	}
	assert_int_equal(bt_held(&e), 0);
	bt_verify(&e, roots, NR_TREES);
	bt_end(&e);
}

static void test_a_comparison_says_what_the_values_say(void **state)
{
	u64 seed;

	for (seed = 1; seed <= 60; seed++)
		run_random(seed, seed % 3 == 0 ? 3 : seed % 3 == 1 ? 6 : 0);
}

/* One tree much higher than the other, both from the same root. */
static void test_trees_of_different_height_are_compared_leaf_by_leaf(void **state)
{
	struct told t = { .room = 1000 };
	pd_block_t roots[2];
	struct bt_env e;

	bt_begin(&e, 4000, 3, 1);
	assert_int_equal(pd_btree_empty(&e.t, &roots[0]), 0);
	bt_fill(&e, &roots[0], 100, 103);
	roots[1] = bt_snap(&e, roots[0]);
	bt_fill(&e, &roots[1], 1, 100);
	bt_fill(&e, &roots[1], 103, 700);
	diff(&e, roots[0], roots[1], 0, 1000, 0, &t);
	compare_with_values(&e, roots[0], roots[1], 0, &t);
	diff(&e, roots[1], roots[0], 0, 1000, 0, &t);
	compare_with_values(&e, roots[1], roots[0], 0, &t);
	bt_verify(&e, roots, 2);
	bt_end(&e);
}

static void test_only_what_differs_is_read(void **state)
{
	struct told t = { .room = 1000 };
	pd_block_t roots[2];
	struct bt_env e;
	u32 nr_missing;
	u64 key;

	bt_begin(&e, 4000, 6, 1);
	assert_int_equal(pd_btree_empty(&e.t, &roots[0]), 0);
	bt_fill(&e, &roots[0], 0, 700);
	roots[1] = bt_snap(&e, roots[0]);
	/* Equal: the last path is read, to know where it ends. */
	bt_commit(&e);
	ram_store_evict(e.io);
	nr_missing = diff(&e, roots[0], roots[1], 0, 1000, 0, &t);
	assert_in_range(nr_missing, 3, 5);
	for (key = 0; key < 700; key++)
		assert_int_equal(t.kind[key], PD_BTREE_SAME);

	bt_insert(&e, &roots[1], 333, 77);
	bt_commit(&e);
	ram_store_evict(e.io);
	nr_missing = diff(&e, roots[0], roots[1], 0, 1000, 0, &t);
	/* Two paths to the change, two to the end. */
	assert_in_range(nr_missing, 6, 20);
	for (key = 0; key < 700; key++)
		assert_int_equal(t.kind[key], key == 333 ? PD_BTREE_DIFFERENT :
							   PD_BTREE_SAME);
	bt_verify(&e, roots, 2);
	bt_end(&e);
}

/* A leaf where the others are nodes: refused, not read as something else. */
static void test_leaves_at_different_depths_are_refused(void **state)
{
	struct pd_btree_diff d = { .max_nodes = 1000, .fn = tell };
	struct told t = { .room = 1000 };
	pd_block_t roots[2], node;
	struct bt_env e;
	int r;

	bt_begin(&e, 4000, 6, 1);
	assert_int_equal(pd_btree_empty(&e.t, &roots[0]), 0);
	bt_fill(&e, &roots[0], 0, 300);
	node = bt_child(&e, roots[0], 0);
	assert_false(bt_is_leaf(&e, node));
	assert_int_equal(pd_btree_empty(&e.t, &roots[1]), 0);
	bt_fill(&e, &roots[1], 400, 700);
	/* Its first child is one of its grandchildren. */
	bt_poke_le64(&e, roots[0], 32 + 8 * 6, bt_child(&e, node, 0));
	d.context = &t;
	do {
		t.nr = 0;
		r = pd_btree_diff_cached(&e.t, roots[0], roots[1], &d);
		if (r == -EAGAIN)
			assert_int_equal(pd_bm_wait(e.bm, d.missing), 0);
	} while (r == -EAGAIN);
	assert_int_equal(r, -EILSEQ);
	assert_int_equal(d.from, 0);
	bt_end(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_comparison_says_what_the_values_say),
		cmocka_unit_test(test_trees_of_different_height_are_compared_leaf_by_leaf),
		cmocka_unit_test(test_only_what_differs_is_read),
		cmocka_unit_test(test_leaves_at_different_depths_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
