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
#include "unit/btree-env.h"

#include "stores/stores.h"
#include "tests/check/btree-check.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NR_VOLUMES	20	/* at most */
#define NR_TOP_KEYS	40	/* how many keys are at the very top */
#define CHECK_EVERY	4000

#define insist(what) bt_insist(what)

struct volume {
	bool exists;
	pd_block_t root;	/* one level */
	u64 *twin;		/* by index; 0: not there */
	u32 nr;			/* entries in the twin */
};

struct model {
	struct bt_env env;
	struct pd_btree top;	/* two levels: values are roots */
	pd_block_t top_root;
	struct volume volumes[NR_VOLUMES];

	bool held;		/* two levels: an old state of all volumes */
	pd_block_t held_root;
	struct volume held_volumes[NR_VOLUMES];

	u32 nr_volumes;
	u32 nr_keys;
	bool growing;
	u64 rng;
	unsigned long nr_ops, nr_checks, nr_commits, nr_snaps;
};

/* ---- randomness and keys ---- */

static u64 rnd(struct model *m)
{
	u64 z = (m->rng += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static u32 below(struct model *m, u32 n)
{
	return rnd(m) % n;
}

static u64 key_of(const struct model *m, u32 index)
{
	return index < m->nr_keys - NR_TOP_KEYS ? index :
		~0ull - (m->nr_keys - 1 - index);
}

/* The first index whose key is at or after @key; nr_keys if none. */
static u32 index_of(const struct model *m, u64 key)
{
	u32 low = m->nr_keys - NR_TOP_KEYS;
	u64 first_top = key_of(m, low);

	if (key < low)
		return key;
	return key <= first_top ? low : low + (key - first_top);
}

/* Neighbours from @index on that also have neighbouring keys. */
static u32 nr_neighbours(const struct model *m, u32 index)
{
	u32 low = m->nr_keys - NR_TOP_KEYS;

	return index < low ? low - index : m->nr_keys - index;
}

static u32 next_present(const struct model *m, const struct volume *v, u32 i)
{
	while (i < m->nr_keys && !v->twin[i])
		i++;
	return i;
}

static void twin_set(struct volume *v, u32 index, u64 value)
{
	v->nr += !!value;
	v->nr -= !!v->twin[index];
	v->twin[index] = value;
}

/* ---- from volume to tree ---- */

static u32 id_of(const struct model *m, const struct volume *v)
{
	return v - m->volumes;
}

static bool two_levels(const struct model *m)
{
	return m->env.t.levels == 2;
}

static pd_block_t *root_of(struct model *m, struct volume *v)
{
	return two_levels(m) ? &m->top_root : &v->root;
}

static u64 *fill_keys(const struct model *m, const struct volume *v, u64 key,
		      u64 *keys)
{
	keys[0] = two_levels(m) ? id_of(m, v) * 7 : key;
	keys[1] = key;
	return keys;
}

static struct volume *pick(struct model *m)
{
	for (;;) {
		struct volume *v = &m->volumes[below(m, m->nr_volumes)];

		if (v->exists)
			return v;
	}
}

static u64 new_value(struct model *m)
{
	return bt_value(&m->env, 1 + below(m, BT_NR_THINGS - 1), rnd(m));
}

/* ---- operations ---- */

/* A value to replace @old: no reference is handed over if they are equal. */
static u64 put_value(struct model *m, u64 old)
{
	u64 value = new_value(m);

	if (old && old >> 8 == value >> 8)
		m->env.things[value >> 8]--;
	return value;
}

static void op_insert(struct model *m, struct volume *v)
{
	u32 index = below(m, m->nr_keys);
	u64 keys[2], old = v->twin[index], value = put_value(m, old);
	__le64 le = cpu_to_le64(value);
	bool inserted;

	fill_keys(m, v, key_of(m, index), keys);
	insist(!pd_btree_insert(&m->env.t, root_of(m, v), keys, &le,
				&inserted));
	insist(inserted == !old);
	twin_set(v, index, value);
}

static void op_insert_run(struct model *m, struct volume *v)
{
	static __le64 values[512];
	u32 index = below(m, m->nr_keys);
	u32 nr = 1 + below(m, 1 + below(m, 500));
	u32 i, nr_inserted, wanted = 0;
	u64 keys[2];

	if (nr > nr_neighbours(m, index))
		nr = nr_neighbours(m, index);
	for (i = 0; i < nr; i++) {
		u64 old = v->twin[index + i], value = old ^ 1;

		/* Often overwrite with the same thing. */
		if (!old || below(m, 3))
			value = put_value(m, old);
		wanted += !old;
		values[i] = cpu_to_le64(value);
		twin_set(v, index + i, value);
	}
	fill_keys(m, v, key_of(m, index), keys);
	insist(!pd_btree_insert_run(&m->env.t, root_of(m, v), keys, values, nr,
				    &nr_inserted));
	insist(nr_inserted == wanted);
}

static void op_remove(struct model *m, struct volume *v)
{
	u32 index = below(m, m->nr_keys);
	u64 keys[2];
	int r;

	if (below(m, 4)) {
		index = next_present(m, v, index);
		if (index == m->nr_keys)
			return;
	}
	fill_keys(m, v, key_of(m, index), keys);
	r = pd_btree_remove(&m->env.t, root_of(m, v), keys);
	insist(r == (v->twin[index] ? 0 : -ENODATA));
	twin_set(v, index, 0);
}

struct told {
	struct model *m;
	struct volume *v;
	u64 begin, nr;
};

static int check_removed(void *context, const __le64 *keys, const void *values,
			 u32 nr)
{
	struct told *told = context;
	u32 i;

	for (i = 0; i < nr; i++) {
		u64 key = le64_to_cpu(keys[i]);

		insist(key >= told->begin);
		insist(le64_to_cpu(((const __le64 *)values)[i]) ==
		       told->v->twin[index_of(told->m, key)]);
		told->begin = key + 1;
	}
	told->nr += nr;
	return 0;
}

static void op_remove_range(struct model *m, struct volume *v)
{
	u32 begin = below(m, m->nr_keys), max_nr = 1 + below(m, m->nr_keys);
	u32 end = begin + below(m, max_nr), max_leaves = 1 + below(m, 20);
	struct told told = { .m = m, .v = v };
	struct pd_btree_range range = {
		.begin = key_of(m, begin),
		.end = end >= m->nr_keys ? 0 : key_of(m, end),
		.removed = below(m, 2) ? check_removed : NULL,
		.context = &told,
	};
	u32 steps = below(m, 3) ? 100000 : 1;

	if (end > m->nr_keys)
		end = m->nr_keys;
	if (!range.end && !range.begin)
		return;
	do {
		u64 keys[2], nr = 0;
		u32 upto;

		told.begin = range.begin;
		told.nr = 0;
		fill_keys(m, v, 0, keys);
		insist(!pd_btree_remove_range(&m->env.t, root_of(m, v), keys,
					      &range, max_leaves));
		upto = range.done ? end : index_of(m, range.begin);
		insist(upto <= end);
		for (; begin < upto; begin++) {
			nr += !!v->twin[begin];
			twin_set(v, begin, 0);
		}
		insist(range.nr_removed == nr);
		insist(told.nr <= nr);
		insist(nr || range.done);
	} while (!range.done && --steps);
}

static int stamp(void *context, u64 key, void *value)
{
	struct told *told = context;
	u32 index = index_of(told->m, key);
	__le64 *le = value;

	insist(le64_to_cpu(*le) == told->v->twin[index]);
	insist(key >= told->begin);
	told->begin = key + 1;
	told->nr++;
	*le ^= cpu_to_le64(0x80);
	told->v->twin[index] ^= 0x80;
	return 0;
}

static void op_update(struct model *m, struct volume *v)
{
	u32 i, index = below(m, m->nr_keys), nr = 1 + below(m, 300);
	struct told told = { .m = m, .v = v };
	u64 keys[2], wanted = 0;

	if (nr > nr_neighbours(m, index))
		nr = nr_neighbours(m, index);
	for (i = 0; i < nr; i++)
		wanted += !!v->twin[index + i];
	told.begin = key_of(m, index);
	fill_keys(m, v, told.begin, keys);
	insist(!pd_btree_update(&m->env.t, root_of(m, v), keys, nr, stamp,
				&told));
	insist(told.nr == wanted);
}

static void check_found(struct model *m, struct volume *v, u32 index, int r,
			u64 key, __le64 value)
{
	insist(r == (index < m->nr_keys ? 0 : -ENODATA));
	if (r)
		return;
	insist(key == key_of(m, index));
	insist(le64_to_cpu(value) == v->twin[index]);
}

static void check_leaf(void *context, const struct pd_btree_leaf *l)
{
	const __le64 *values = l->values;
	struct told *told = context;
	struct model *m = told->m;
	u32 i, at = 0;

	insist(told->begin >= l->begin && told->begin <= l->last);
	told->nr++;
	for (i = index_of(m, l->begin); i < m->nr_keys; i++) {
		u64 key = key_of(m, i), value = 0;

		if (key > l->last)
			break;
		if (at < l->nr && le64_to_cpu(l->keys[at]) == key)
			value = le64_to_cpu(values[at++]);
		insist(value == told->v->twin[i]);
	}
	insist(at == l->nr);
}

static void op_lookup(struct model *m, struct volume *v)
{
	u32 index = below(m, m->nr_keys);
	const struct pd_btree *t = &m->env.t;
	struct told told = { .m = m, .v = v };
	pd_block_t root = *root_of(m, v);
	u64 keys[2], key = 0;
	__le64 value = 0;
	int r;

	fill_keys(m, v, key_of(m, index), keys);
	switch (below(m, 5)) {
	case 0:
		r = pd_btree_lookup(t, root, keys, &value);
		insist(r == (v->twin[index] ? 0 : -ENODATA));
		insist(r || le64_to_cpu(value) == v->twin[index]);
		break;
	case 1:
		r = pd_btree_lookup_next(t, root, keys, &key, &value);
		check_found(m, v, next_present(m, v, index), r, key, value);
		break;
	case 2:
		r = pd_btree_lowest(t, root, keys, &key, &value);
		check_found(m, v, next_present(m, v, 0), r, key, value);
		break;
	case 3:
		r = pd_btree_highest(t, root, keys, &key, &value);
		for (index = m->nr_keys; index && !v->twin[index - 1];)
			index--;
		check_found(m, v, index ? index - 1 : m->nr_keys, r, key,
			    value);
		break;
	default:
		told.begin = key_of(m, index);
		insist(!pd_btree_lookup_leaf(t, root, keys, check_leaf, &told));
		insist(told.nr == 1);
	}
}

static void op_cursor(struct model *m, struct volume *v)
{
	u32 index = below(m, m->nr_keys), n = below(m, 3000);
	struct pd_btree_cursor *c;
	u64 keys[2], key;
	__le64 value;
	int r;

	fill_keys(m, v, key_of(m, index), keys);
	r = pd_btree_cursor_begin(&m->env.t, *root_of(m, v), keys,
				  below(m, 2), &c);
	index = next_present(m, v, index);
	insist(r == (index < m->nr_keys ? 0 : -ENODATA));
	if (r)
		return;
	while (n--) {
		pd_btree_cursor_get(c, &key, &value);
		check_found(m, v, index, 0, key, value);
		index = next_present(m, v, index + 1);
		r = pd_btree_cursor_next(c);
		insist(r == (index < m->nr_keys ? 0 : -ENODATA));
		if (r)
			break;
	}
	pd_btree_cursor_end(c);
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

	fill_keys(m, v, 0, keys);
	if (two_levels(m) && below(m, 2)) {
		/* The first insert makes the tree. */
		value = cpu_to_le64(new_value(m));
		insist(!pd_btree_insert(&m->env.t, &m->top_root, keys, &value,
					NULL));
		twin_set(v, 0, le64_to_cpu(value));
	} else {
		insist(!pd_btree_empty(&t, &v->root));
		value = cpu_to_le64(v->root);
		if (two_levels(m))
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

	if (two_levels(m)) {
		fill_keys(m, from, 0, keys);
		insist(!pd_btree_lookup(&m->top, m->top_root, keys, &root));
		insist(!pd_tm_inc(m->env.tm, le64_to_cpu(root)));
		fill_keys(m, v, 0, keys);
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

	fill_keys(m, v, 0, keys);
	if (two_levels(m)) {
		r = pd_btree_remove(&m->top, &m->top_root, keys);
	} else {
		u32 bound = below(m, 20);

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
	struct volume *v = &m->volumes[below(m, m->nr_volumes)];
	u32 i, nr = 0;

	for (i = 0; i < m->nr_volumes; i++)
		nr += m->volumes[i].exists;

	if (v->exists && nr > 1)
		op_delete(m, v);
	else if (!v->exists && below(m, 4))
		op_snapshot(m, v);
	else if (!v->exists)
		op_create(m, v);
}

/* Hold all volumes as they are, or release them, as a metadata snapshot does. */
static void op_hold(struct model *m)
{
	u32 i;

	if (!two_levels(m))
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
		       v->twin[index_of(c->m, le64_to_cpu(keys[i]))]);
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
		if (two_levels(m))
			continue;
		c.only = &volumes[i];
		insist(!pd_btree_check(&m->env.t, volumes[i].root, &visitor));
	}
	if (two_levels(m))
		insist(!pd_btree_check(&m->env.t, top_root, &visitor));
	insist(c.nr == nr);
}

static void check_all(struct model *m)
{
	pd_block_t roots[NR_VOLUMES + 2];
	u32 i, nr = 0;

	if (two_levels(m)) {
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
	if (below(m, 5)) {
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
	u32 dice = below(m, 1000);

	if (!below(m, 3000))
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
	if (two_levels(m))
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
	bt_verify(&m->env, &m->top_root, two_levels(m));
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
