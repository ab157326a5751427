// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Random operations on one volume of the model of btrees: each changes tree and
 * twin alike, or compares an answer of the tree with the twin.
 */
#include "btree-ops.h"

#include <errno.h>

/* ---- randomness and keys ---- */

static u64 rnd(struct model *m)
{
	u64 z = (m->rng += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

u32 mb_below(struct model *m, u32 n)
{
	return rnd(m) % n;
}

static u64 key_of(const struct model *m, u32 index)
{
	return index < m->nr_keys - NR_TOP_KEYS ? index :
		~0ull - (m->nr_keys - 1 - index);
}

u32 mb_index_of(const struct model *m, u64 key)
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

void mb_twin_set(struct volume *v, u32 index, u64 value)
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

bool mb_two_levels(const struct model *m)
{
	return m->env.t.levels == 2;
}

static pd_block_t *root_of(struct model *m, struct volume *v)
{
	return mb_two_levels(m) ? &m->top_root : &v->root;
}

u64 *mb_fill_keys(const struct model *m, const struct volume *v, u64 key,
		  u64 *keys)
{
	keys[0] = mb_two_levels(m) ? id_of(m, v) * 7 : key;
	keys[1] = key;
	return keys;
}

u64 mb_new_value(struct model *m)
{
	return bt_value(&m->env, 1 + mb_below(m, BT_NR_THINGS - 1), rnd(m));
}

/* ---- operations ---- */

/* A value to replace @old: no reference is handed over if they are equal. */
static u64 put_value(struct model *m, u64 old)
{
	u64 value = mb_new_value(m);

	if (old && old >> 8 == value >> 8)
		m->env.things[value >> 8]--;
	return value;
}

void op_insert(struct model *m, struct volume *v)
{
	u32 index = mb_below(m, m->nr_keys);
	u64 keys[2], old = v->twin[index], value = put_value(m, old);
	__le64 le = cpu_to_le64(value);
	bool inserted;

	mb_fill_keys(m, v, key_of(m, index), keys);
	insist(!pd_btree_insert(&m->env.t, root_of(m, v), keys, &le,
				&inserted));
	insist(inserted == !old);
	mb_twin_set(v, index, value);
}

void op_insert_run(struct model *m, struct volume *v)
{
	static __le64 values[512];
	u32 index = mb_below(m, m->nr_keys);
	u32 nr = 1 + mb_below(m, 1 + mb_below(m, 500));
	u32 i, nr_inserted, wanted = 0;
	u64 keys[2];

	if (nr > nr_neighbours(m, index))
		nr = nr_neighbours(m, index);
	for (i = 0; i < nr; i++) {
		u64 old = v->twin[index + i], value = old ^ 1;

		/* Often overwrite with the same thing. */
		if (!old || mb_below(m, 3))
			value = put_value(m, old);
		wanted += !old;
		values[i] = cpu_to_le64(value);
		mb_twin_set(v, index + i, value);
	}
	mb_fill_keys(m, v, key_of(m, index), keys);
	insist(!pd_btree_insert_run(&m->env.t, root_of(m, v), keys, values, nr,
				    &nr_inserted));
	insist(nr_inserted == wanted);
}

void op_remove(struct model *m, struct volume *v)
{
	u32 index = mb_below(m, m->nr_keys);
	u64 keys[2];
	int r;

	if (mb_below(m, 4)) {
		index = next_present(m, v, index);
		if (index == m->nr_keys)
			return;
	}
	mb_fill_keys(m, v, key_of(m, index), keys);
	r = pd_btree_remove(&m->env.t, root_of(m, v), keys);
	insist(r == (v->twin[index] ? 0 : -ENODATA));
	mb_twin_set(v, index, 0);
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
		       told->v->twin[mb_index_of(told->m, key)]);
		told->begin = key + 1;
	}
	told->nr += nr;
	return 0;
}

void op_remove_range(struct model *m, struct volume *v)
{
	u32 begin = mb_below(m, m->nr_keys), max_nr = 1 + mb_below(m, m->nr_keys);
	u32 end = begin + mb_below(m, max_nr), max_leaves = 1 + mb_below(m, 20);
	struct told told = { .m = m, .v = v };
	struct pd_btree_range range = {
		.begin = key_of(m, begin),
		.end = end >= m->nr_keys ? 0 : key_of(m, end),
		.removed = mb_below(m, 2) ? check_removed : NULL,
		.context = &told,
	};
	u32 steps = mb_below(m, 3) ? 100000 : 1;

	if (end > m->nr_keys)
		end = m->nr_keys;
	if (!range.end && !range.begin)
		return;
	do {
		u64 keys[2], nr = 0;
		u32 upto;

		told.begin = range.begin;
		told.nr = 0;
		mb_fill_keys(m, v, 0, keys);
		insist(!pd_btree_remove_range(&m->env.t, root_of(m, v), keys,
					      &range, max_leaves));
		upto = range.done ? end : mb_index_of(m, range.begin);
		insist(upto <= end);
		for (; begin < upto; begin++) {
			nr += !!v->twin[begin];
			mb_twin_set(v, begin, 0);
		}
		insist(range.nr_removed == nr);
		insist(told.nr <= nr);
		insist(nr || range.done);
	} while (!range.done && --steps);
}

static int stamp(void *context, u64 key, void *value)
{
	struct told *told = context;
	u32 index = mb_index_of(told->m, key);
	__le64 *le = value;

	insist(le64_to_cpu(*le) == told->v->twin[index]);
	insist(key >= told->begin);
	told->begin = key + 1;
	told->nr++;
	*le ^= cpu_to_le64(0x80);
	told->v->twin[index] ^= 0x80;
	return 0;
}

void op_update(struct model *m, struct volume *v)
{
	u32 i, index = mb_below(m, m->nr_keys), nr = 1 + mb_below(m, 300);
	struct told told = { .m = m, .v = v };
	u64 keys[2], wanted = 0;

	if (nr > nr_neighbours(m, index))
		nr = nr_neighbours(m, index);
	for (i = 0; i < nr; i++)
		wanted += !!v->twin[index + i];
	told.begin = key_of(m, index);
	mb_fill_keys(m, v, told.begin, keys);
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
	for (i = mb_index_of(m, l->begin); i < m->nr_keys; i++) {
		u64 key = key_of(m, i), value = 0;

		if (key > l->last)
			break;
		if (at < l->nr && le64_to_cpu(l->keys[at]) == key)
			value = le64_to_cpu(values[at++]);
		insist(value == told->v->twin[i]);
	}
	insist(at == l->nr);
}

void op_lookup(struct model *m, struct volume *v)
{
	u32 index = mb_below(m, m->nr_keys);
	const struct pd_btree *t = &m->env.t;
	struct told told = { .m = m, .v = v };
	pd_block_t root = *root_of(m, v);
	u64 keys[2], key = 0;
	__le64 value = 0;
	int r;

	mb_fill_keys(m, v, key_of(m, index), keys);
	switch (mb_below(m, 5)) {
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

void op_cursor(struct model *m, struct volume *v)
{
	u32 index = mb_below(m, m->nr_keys), n = mb_below(m, 3000);
	struct pd_btree_cursor *c;
	u64 keys[2], key;
	__le64 value;
	int r;

	mb_fill_keys(m, v, key_of(m, index), keys);
	r = pd_btree_cursor_begin(&m->env.t, *root_of(m, v), keys,
				  mb_below(m, 2), &c);
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
