// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The layout of a btree node: checked once, when it comes from the device, then
 * searched and edited without further checks.
 *
 *   | header | k0 k1 k2 .. .. | v0 v1 v2 .. .. |      nr 3, max 5
 *                     '--'--------------'--'---- stale, ignored
 *
 * I1  A node that passed check_node() cannot lead a reader outside its block:
 *     the arrays fit, nr_entries <= max_entries.
 * I2  Its keys strictly increase, so a binary search ends at the right entry.
 *
 * Context: plain memory; the caller holds the block.
 */
#include "btree-node.h"

#include "block-manager.h"

#include <linux/errno.h>
#include <linux/string.h>

#define NODE_SPACE (PD_BLOCK_SIZE - sizeof(struct pd_disk_node_header))

static int refuse_node(struct pd_bm *bm, pd_block_t b, const char *what, u64 got)
{
	bm_err_limit(bm, "btree node %llu: bad %s: %llu", b, what, got);
	return -EILSEQ;
}

static int check_shape(struct pd_bm *bm, pd_block_t b,
		       const struct pd_disk_node *n)
{
	u32 flags = le32_to_cpu(n->header.flags);
	u32 size = pd_node_value_size(n);
	u32 max = pd_node_max(n);

	if (flags != PD_NODE_LEAF && flags != PD_NODE_INTERNAL)
		return refuse_node(bm, b, "flags", flags);
	if (!size || size > NODE_SPACE ||
	    (flags == PD_NODE_INTERNAL && size != sizeof(__le64)))
		return refuse_node(bm, b, "value_size", size);
	if (max < 3 || max % 3 || max > NODE_SPACE / (sizeof(__le64) + size))
		return refuse_node(bm, b, "max_entries", max);
	if (pd_node_nr(n) > max)
		return refuse_node(bm, b, "nr_entries", pd_node_nr(n));
	return 0;
}

static int check_node(struct pd_bm *bm, pd_block_t b, const void *data)
{
	const struct pd_disk_node *n = data;
	int r = check_shape(bm, b, n);
	u32 i;

	if (r)
		return r;

	for (i = 1; i < pd_node_nr(n); i++)
		if (pd_node_key(n, i) <= pd_node_key(n, i - 1))
			return refuse_node(bm, b, "order of keys, at index", i);
	return 0;
}

const struct pd_validator pd_btree_node_validator = {
	.name = "btree node",
	.csum_xor = PD_NODE_CSUM_XOR,
	.check = check_node,
};

u32 pd_node_capacity(u32 value_size)
{
	u32 fit = NODE_SPACE / (sizeof(__le64) + value_size);

	return fit - fit % 3;
}

void pd_node_init(struct pd_disk_node *n, u32 flags, u32 max_entries,
		  u32 value_size)
{
	n->header.flags = cpu_to_le32(flags);
	n->header.nr_entries = 0;
	n->header.max_entries = cpu_to_le32(max_entries);
	n->header.value_size = cpu_to_le32(value_size);
	n->header.padding = 0;
}

/* The first entry with a key > @key. */
static u32 upper_bound(const struct pd_disk_node *n, u64 key)
{
	const __le64 *keys = pd_node_keys(n);
	u32 begin = 0, end = pd_node_nr(n);

	while (begin < end) {
		u32 mid = begin + (end - begin) / 2;

		if (le64_to_cpu(keys[mid]) <= key)
			begin = mid + 1;
		else
			end = mid;
	}
	return begin;
}

int pd_node_find(const struct pd_disk_node *n, u64 key)
{
	return (int)upper_bound(n, key) - 1;
}

u32 pd_node_lower_bound(const struct pd_disk_node *n, u64 key)
{
	u32 i = upper_bound(n, key);

	return i && pd_node_key(n, i - 1) == key ? i - 1 : i;
}

bool pd_node_has_key(const struct pd_disk_node *n, u64 key, u32 *index)
{
	int i = pd_node_find(n, key);

	if (i < 0 || pd_node_key(n, i) != key)
		return false;
	*index = i;
	return true;
}

/* Move entries [i, nr_entries) so that they begin at index @to. */
static void slide_entries(struct pd_disk_node *n, u32 to, u32 i)
{
	u32 nr = pd_node_nr(n) - i;

	memmove(pd_node_keys(n) + to, pd_node_keys(n) + i,
		nr * sizeof(__le64));
	memmove(pd_node_value(n, to), pd_node_value(n, i),
		nr * pd_node_value_size(n));
}

void pd_node_open_gap(struct pd_disk_node *n, u32 i, u32 nr)
{
	pd_assert(i <= pd_node_nr(n));
	pd_assert(pd_node_nr(n) + nr <= pd_node_max(n));

	slide_entries(n, i + nr, i);
	pd_node_set_nr(n, pd_node_nr(n) + nr);
}

void pd_node_close_gap(struct pd_disk_node *n, u32 i, u32 nr)
{
	pd_assert(i + nr <= pd_node_nr(n));

	slide_entries(n, i, i + nr);
	pd_node_set_nr(n, pd_node_nr(n) - nr);
}

void pd_node_copy(struct pd_disk_node *to, u32 to_i,
		  const struct pd_disk_node *from, u32 from_i, u32 nr)
{
	pd_assert(pd_node_same_shape(to, from));
	pd_assert(to_i + nr <= pd_node_max(to));
	pd_assert(from_i + nr <= pd_node_nr(from));

	memcpy(pd_node_keys(to) + to_i, pd_node_keys(from) + from_i,
	       nr * sizeof(__le64));
	memcpy(pd_node_value(to, to_i), pd_node_value(from, from_i),
	       nr * pd_node_value_size(to));
}

void pd_node_put(struct pd_disk_node *n, u32 i, u64 key, const void *value)
{
	pd_node_open_gap(n, i, 1);
	pd_node_set_key(n, i, key);
	memcpy(pd_node_value(n, i), value, pd_node_value_size(n));
}

void pd_node_put_child(struct pd_disk_node *n, u32 i, u64 key, pd_block_t b)
{
	__le64 value = cpu_to_le64(b);

	pd_node_put(n, i, key, &value);
}

bool pd_node_same_shape(const struct pd_disk_node *a,
			const struct pd_disk_node *b)
{
	return a->header.flags == b->header.flags &&
	       a->header.max_entries == b->header.max_entries &&
	       a->header.value_size == b->header.value_size;
}

void pd_node_shift_left(struct pd_disk_node *left, struct pd_disk_node *right,
			u32 nr)
{
	u32 at = pd_node_nr(left);

	pd_node_copy(left, at, right, 0, nr);
	pd_node_set_nr(left, at + nr);
	pd_node_close_gap(right, 0, nr);
}

void pd_node_shift_right(struct pd_disk_node *left, struct pd_disk_node *right,
			 u32 nr)
{
	u32 keep = pd_node_nr(left) - nr;

	pd_node_open_gap(right, 0, nr);
	pd_node_copy(right, 0, left, keep, nr);
	pd_node_set_nr(left, keep);
}
