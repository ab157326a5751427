// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Random operations on btrees, compared with a simple twin.
 *
 *   volume ─┬─ tree in metadata blocks          every answer is compared, and
 *           └─ twin: value of every key, flat   now and then form and counts
 *
 * A volume is a tree, or, with two levels, an entry of the one top tree.
 * Snapshots share blocks; the top tree can be held as a whole.  Keys are dense
 * at the bottom of the space, with a few at its very top.
 *
 * model_btree [--ops N] [--seed S] [--max CAPACITY] [--levels 1|2] [--keys N]
 */
#include "btree-ops.h"

#include "stores/stores.h"
#include "tests/check/btree-check.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_EVERY	4000

static struct volume *pick(struct model *m)
{
	for (;;) {
		struct volume *v = &m->volumes[mb_below(m, m->nr_volumes)];

		if (v->exists)
			return v;
	}
}

/* ---- volumes ---- */

static int inc_roots(void *context, const void *values, u32 nr)
{
	struct model *m = context;
	const __le64 *roots = values;
	u32 i;

	for (i = 0; i < nr; i++)
		insist(!pd_tm_inc(m->env.tm, le64_to_cpu(roots[i])));
	return 0;
}

static int dec_roots(void *context, const void *values, u32 nr)
{
	struct model *m = context;
	struct pd_btree t = bt_one_level(&m->env);
	const __le64 *roots = values;
	u32 i;

	for (i = 0; i < nr; i++)
		insist(!pd_btree_delete(&t, le64_to_cpu(roots[i]), 1u << 30));
	return 0;
}

static void copy_twin(const struct model *m, struct volume *to,
		      const struct volume *from)
{
	memcpy(to->twin, from->twin, m->nr_keys * sizeof(*to->twin));
	to->exists = from->exists;
	to->root = from->root;
	to->nr = from->nr;
}

static void op_create(struct model *m, struct volume *v)
{
	struct pd_btree t = bt_one_level(&m->env);
	u64 keys[2];
	__le64 value;

	mb_fill_keys(m, v, 0, keys);
	if (mb_two_levels(m) && mb_below(m, 2)) {
		/* The first insert makes the tree. */
		value = cpu_to_le64(mb_new_value(m));
		insist(!pd_btree_insert(&m->env.t, &m->top_root, keys, &value,
					NULL));
		mb_twin_set(v, 0, le64_to_cpu(value));
	} else {
		insist(!pd_btree_empty(&t, &v->root));
		value = cpu_to_le64(v->root);
		if (mb_two_levels(m))
			insist(!pd_btree_insert(&m->top, &m->top_root, keys,
						&value, NULL));
	}
	v->exists = true;
}

static void op_snapshot(struct model *m, struct volume *v)
{
	struct volume *from = pick(m);
	u64 keys[2];
	__le64 root;

	if (mb_two_levels(m)) {
		mb_fill_keys(m, from, 0, keys);
		insist(!pd_btree_lookup(&m->top, m->top_root, keys, &root));
		insist(!pd_tm_inc(m->env.tm, le64_to_cpu(root)));
		mb_fill_keys(m, v, 0, keys);
		insist(!pd_btree_insert(&m->top, &m->top_root, keys, &root,
					NULL));
	} else {
		bt_snap(&m->env, from->root);
	}
	copy_twin(m, v, from);
	m->nr_snaps++;
}

static void op_delete(struct model *m, struct volume *v)
{
	struct pd_btree t = bt_one_level(&m->env);
	u64 keys[2];
	int r = 0;

	mb_fill_keys(m, v, 0, keys);
	if (mb_two_levels(m)) {
		r = pd_btree_remove(&m->top, &m->top_root, keys);
	} else {
		u32 bound = mb_below(m, 20);

		r = pd_btree_delete(&t, v->root, bound);
		insist(!r || r == -E2BIG);
		if (r)
			r = pd_btree_delete(&t, v->root, 1u << 30);
	}
	insist(!r);
	memset(v->twin, 0, m->nr_keys * sizeof(*v->twin));
	v->exists = false;
	v->nr = 0;
}

static void op_volumes(struct model *m)
{
	struct volume *v = &m->volumes[mb_below(m, m->nr_volumes)];
	u32 i, nr = 0;

	for (i = 0; i < m->nr_volumes; i++)
		nr += m->volumes[i].exists;

	if (v->exists && nr > 1)
		op_delete(m, v);
	else if (!v->exists && mb_below(m, 4))
		op_snapshot(m, v);
	else if (!v->exists)
		op_create(m, v);
}

/* Hold all volumes as they are, or release them, as a metadata snapshot does. */
static void op_hold(struct model *m)
{
	u32 i;

	if (!mb_two_levels(m))
		return;
	if (m->held) {
		insist(!pd_btree_delete(&m->top, m->held_root, 1u << 30));
		m->held = false;
		return;
	}
	m->held_root = bt_snap(&m->env, m->top_root);
	for (i = 0; i < m->nr_volumes; i++)
		copy_twin(m, &m->held_volumes[i], &m->volumes[i]);
	m->held = true;
}

/* ---- checks ---- */

struct compare {
	struct model *m;
	const struct volume *volumes;
	const struct volume *only;
	unsigned long nr;
};

static int compare_leaf(void *context, const u64 *upper, const __le64 *keys,
			const void *values, u32 nr)
{
	struct compare *c = context;
	const struct volume *v = c->only ? c->only : &c->volumes[*upper / 7];
	u32 i;

	for (i = 0; i < nr; i++)
		insist(le64_to_cpu(((const __le64 *)values)[i]) ==
		       v->twin[mb_index_of(c->m, le64_to_cpu(keys[i]))]);
	c->nr += nr;
	return 0;
}

static void compare_volumes(struct model *m, const struct volume *volumes,
			    pd_block_t top_root)
{
	struct compare c = { .m = m, .volumes = volumes };
	struct pd_btree_visitor visitor = {
		.leaf = compare_leaf, .context = &c,
	};
	unsigned long nr = 0;
	u32 i;

	for (i = 0; i < m->nr_volumes; i++) {
		if (!volumes[i].exists)
			continue;
		nr += volumes[i].nr;
		if (mb_two_levels(m))
			continue;
		c.only = &volumes[i];
		insist(!pd_btree_check(&m->env.t, volumes[i].root, &visitor));
	}
	if (mb_two_levels(m))
		insist(!pd_btree_check(&m->env.t, top_root, &visitor));
	insist(c.nr == nr);
}

static void check_all(struct model *m)
{
	pd_block_t roots[NR_VOLUMES + 2];
	u32 i, nr = 0;

	if (mb_two_levels(m)) {
		roots[nr++] = m->top_root;
		if (m->held)
			roots[nr++] = m->held_root;
	} else {
		for (i = 0; i < m->nr_volumes; i++)
			if (m->volumes[i].exists)
				roots[nr++] = m->volumes[i].root;
	}
	bt_verify(&m->env, roots, nr);
	compare_volumes(m, m->volumes, m->top_root);
	if (m->held)
		compare_volumes(m, m->held_volumes, m->held_root);
	m->nr_checks++;
}

/* ---- the run ---- */

static void bind_top(struct model *m)
{
	m->top = bt_one_level(&m->env);
	m->top.value.inc = inc_roots;
	m->top.value.dec = dec_roots;
	m->top.value.equal = NULL;
	m->top.value.context = m;
	m->top.name = "top tree";
}

static void op_commit(struct model *m)
{
	if (mb_below(m, 5)) {
		bt_commit(&m->env);
	} else {
		bt_reopen(&m->env);
		bind_top(m);
	}
	m->nr_commits++;
}

static void step(struct model *m)
{
	struct volume *v = pick(m);
	u32 dice = mb_below(m, 1000);

	if (!mb_below(m, 3000))
		m->growing = !m->growing;

	if (dice < 300)
		m->growing ? op_insert(m, v) : op_remove(m, v);
	else if (dice < 400)
		op_insert(m, v);
	else if (dice < 500)
		op_remove(m, v);
	else if (dice < (m->growing ? 620 : 520))
		op_insert_run(m, v);
	else if (dice < 640)
		op_remove_range(m, v);
	else if (dice < 690)
		op_update(m, v);
	else if (dice < 980)
		op_lookup(m, v);
	else if (dice < 984)
		op_cursor(m, v);
	else if (dice < 988)
		op_volumes(m);
	else if (dice < 989)
		op_hold(m);
	else if (dice < 993)
		op_commit(m);
}

static void setup(struct model *m, u32 max_entries, u32 levels)
{
	u32 i;

	bt_begin(&m->env, 40000, max_entries, levels);
	bind_top(m);
	if (mb_two_levels(m))
		insist(!pd_btree_empty(&m->env.t, &m->top_root));
	for (i = 0; i < m->nr_volumes; i++) {
		m->volumes[i].twin = calloc(m->nr_keys, sizeof(u64));
		m->held_volumes[i].twin = calloc(m->nr_keys, sizeof(u64));
		insist(m->volumes[i].twin && m->held_volumes[i].twin);
	}
	op_create(m, &m->volumes[0]);
	m->growing = true;
}

static void teardown(struct model *m)
{
	u32 i;

	if (m->held)
		op_hold(m);
	for (i = 0; i < m->nr_volumes; i++) {
		if (m->volumes[i].exists)
			op_delete(m, &m->volumes[i]);
		free(m->volumes[i].twin);
		free(m->held_volumes[i].twin);
	}
	/* Nothing may be left but the top tree. */
	bt_verify(&m->env, &m->top_root, mb_two_levels(m));
	bt_end(&m->env);
}

static void run(unsigned long nr_ops, u64 seed, u32 max_entries, u32 levels,
		u32 nr_keys)
{
	static struct model m;

	memset(&m, 0, sizeof(m));
	m.rng = seed;
	m.nr_keys = nr_keys;
	/* Enough for a top tree with internal nodes if nodes are small. */
	m.nr_volumes = levels == 2 ? NR_VOLUMES : 5;
	printf("model_btree --ops %lu --seed %llu --max %u --levels %u --keys %u",
	       nr_ops, (unsigned long long)seed, max_entries, levels, nr_keys);
	fflush(stdout);

	setup(&m, max_entries, levels);
	while (m.nr_ops < nr_ops) {
		step(&m);
		if (!(++m.nr_ops % CHECK_EVERY))
			check_all(&m);
	}
	check_all(&m);
	printf(": %lu checks, %lu commits, %lu snapshots, %u buffers\n",
	       m.nr_checks, m.nr_commits, m.nr_snaps,
	       ram_store_max_held(m.env.io));
	teardown(&m);
}

/* With small nodes more keys would be slower and find nothing sooner. */
static u32 keys_for(u32 max_entries)
{
	return max_entries < 20 ? 2000 : 20000;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "ops", required_argument, NULL, 'o' },
		{ "seed", required_argument, NULL, 's' },
		{ "max", required_argument, NULL, 'm' },
		{ "levels", required_argument, NULL, 'l' },
		{ "keys", required_argument, NULL, 'k' },
		{ 0 }
	};
	static const u32 capacities[] = { 6, 9, 12, 252 };
	unsigned long nr_ops = 10000;
	u32 i, level, max_entries = 0, levels = 0, nr_keys = 0;
	u64 seed = 1;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'o':
			nr_ops = strtoul(optarg, NULL, 0);
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'm':
			max_entries = strtoul(optarg, NULL, 0);
			break;
		case 'l':
			levels = strtoul(optarg, NULL, 0);
			break;
		case 'k':
			nr_keys = strtoul(optarg, NULL, 0);
			break;
		default:
			return 2;
		}
	}

	for (i = 0; i < sizeof(capacities) / sizeof(*capacities); i++) {
		u32 max = max_entries ? max_entries : capacities[i];

		for (level = 1; level <= 2; level++)
			if (!levels || level == levels)
				run(nr_ops, seed++, max, level,
				    nr_keys ? nr_keys : keys_for(max));
		if (max_entries)
			break;
	}
	return 0;
}
