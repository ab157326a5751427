// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Updating values in place: which are seen, what is shadowed, when it ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "btree-env.h"

static pd_block_t empty(struct bt_env *e)
{
	pd_block_t root;

	assert_int_equal(pd_btree_empty(&e->t, &root), 0);
	return root;
}

static u64 lookup(struct bt_env *e, pd_block_t root, u64 key)
{
	__le64 value;

	assert_int_equal(pd_btree_lookup(&e->t, root, &key, &value), 0);
	return le64_to_cpu(value);
}

struct edit {
	u64 keys[64];
	u32 nr;
	int stop_at, result;
};

static int edit(void *context, u64 key, void *value)
{
	struct edit *ed = context;
	__le64 *le = value;

	if (ed->nr == ed->stop_at)
		return ed->result;
	ed->keys[ed->nr++] = key;
	*le = cpu_to_le64(le64_to_cpu(*le) | 0x55);
	return 0;
}

static void test_update_edits_what_is_there(void **state)
{
	struct edit ed = { .stop_at = -1 };
	pd_block_t roots[2];
	struct bt_env e;
	u64 key;
	u32 i;

	bt_begin(&e, 600, 6, 1);
	roots[0] = empty(&e);
	for (key = 0; key < 200; key += 4)
		bt_insert(&e, &roots[0], key, 1);
	roots[1] = bt_snap(&e, roots[0]);
	key = 50;
	assert_int_equal(pd_btree_update(&e.t, &roots[1], &key, 51, edit, &ed),
			 0);
	assert_int_equal(ed.nr, 13);		/* 52 .. 100 */
	for (i = 0; i < ed.nr; i++)
		assert_int_equal(ed.keys[i], 52 + 4 * i);
	for (key = 0; key < 200; key += 4) {
		bool edited = key >= 52 && key <= 100;

		assert_int_equal(lookup(&e, roots[0], key), 0x100);
		assert_int_equal(lookup(&e, roots[1], key),
				 edited ? 0x155 : 0x100);
	}
	bt_verify(&e, roots, 2);
	bt_end(&e);
}

static void test_update_ends_when_told(void **state)
{
	struct edit ed = { .stop_at = 5, .result = -EAGAIN };
	struct bt_env e;
	pd_block_t root;
	u64 key = 10;

	bt_begin(&e, 600, 6, 1);
	root = empty(&e);
	bt_fill(&e, &root, 0, 100);
	assert_int_equal(pd_btree_update(&e.t, &root, &key, 50, edit, &ed),
			 -EAGAIN);
	assert_int_equal(ed.nr, 5);
	assert_int_equal(bt_held(&e), 0);
	bt_verify(&e, &root, 1);
	bt_end(&e);
}

static void test_update_of_nothing_shadows_nothing(void **state)
{
	struct edit ed = { .stop_at = -1 };
	struct bt_env e;
	pd_block_t root, before;
	u64 key = 200;

	bt_begin(&e, 600, 6, 1);
	root = empty(&e);
	bt_fill(&e, &root, 0, 100);
	bt_commit(&e);
	before = root;
	assert_int_equal(pd_btree_update(&e.t, &root, &key, 1000, edit, &ed),
			 0);
	assert_int_equal(pd_btree_update(&e.t, &root, &key, 0, edit, &ed),
			 -EINVAL);
	key = ~0ull;
	assert_int_equal(pd_btree_update(&e.t, &root, &key, 1, edit, &ed), 0);
	assert_int_equal(pd_btree_update(&e.t, &root, &key, 2, edit, &ed),
			 -EINVAL);
	assert_int_equal(root, before);
	assert_int_equal(ed.nr, 0);
	bt_end(&e);
}

static void test_update_reports_a_missing_upper_key(void **state)
{
	struct edit ed = { .stop_at = -1 };
	u64 keys[2] = { 4, 0 };
	struct bt_env e;
	pd_block_t root;
	__le64 value;

	bt_begin(&e, 600, 6, 2);
	root = empty(&e);
	value = cpu_to_le64(bt_value(&e, 1, 0));
	assert_int_equal(pd_btree_insert(&e.t, &root, keys, &value, NULL), 0);
	keys[0] = 5;
	assert_int_equal(pd_btree_update(&e.t, &root, keys, 5, edit, &ed),
			 -ENODATA);
	keys[0] = 4;
	assert_int_equal(pd_btree_update(&e.t, &root, keys, 5, edit, &ed), 0);
	assert_int_equal(ed.nr, 1);
	bt_verify(&e, &root, 1);
	bt_end(&e);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_update_edits_what_is_there),
		cmocka_unit_test(test_update_ends_when_told),
		cmocka_unit_test(test_update_of_nothing_shadows_nothing),
		cmocka_unit_test(test_update_reports_a_missing_upper_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
