/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * One btree node in memory: where its parts lie and how entries move.
 *
 *   0        32                 32 + 8 * max_entries
 *   | header | keys[max_entries] | values[max_entries], packed |  slack  |
 *
 * Nodes that passed the validator have nr_entries <= max_entries, both arrays
 * inside the block, and strictly increasing keys; nothing more is checked here.
 * pd_tree_check_place() checks that the values have the size the tree wants.
 * Internal to the btree.
 */
#ifndef PD_BTREE_NODE_H
#define PD_BTREE_NODE_H

#include "include/pd-format.h"
#include "pd-types.h"

#include <asm/byteorder.h>

struct pd_validator;

/* The block type "btree node". */
extern const struct pd_validator pd_btree_node_validator;

static inline bool pd_node_is_leaf(const struct pd_disk_node *n)
{
	return le32_to_cpu(n->header.flags) == PD_NODE_LEAF;
}

static inline u32 pd_node_nr(const struct pd_disk_node *n)
{
	return le32_to_cpu(n->header.nr_entries);
}

static inline u32 pd_node_max(const struct pd_disk_node *n)
{
	return le32_to_cpu(n->header.max_entries);
}

/* Fewest entries a node other than a root may have. */
static inline u32 pd_node_min(const struct pd_disk_node *n)
{
	return pd_node_max(n) / 3;
}

static inline bool pd_node_is_full(const struct pd_disk_node *n)
{
	return pd_node_nr(n) == pd_node_max(n);
}

static inline u32 pd_node_value_size(const struct pd_disk_node *n)
{
	return le32_to_cpu(n->header.value_size);
}

static inline void pd_node_set_nr(struct pd_disk_node *n, u32 nr)
{
	n->header.nr_entries = cpu_to_le32(nr);
}

static inline __le64 *pd_node_keys(const struct pd_disk_node *n)
{
	return (__le64 *)((char *)n + sizeof(struct pd_disk_node_header));
}

static inline u64 pd_node_key(const struct pd_disk_node *n, u32 i)
{
	return le64_to_cpu(pd_node_keys(n)[i]);
}

static inline u64 pd_node_last_key(const struct pd_disk_node *n)
{
	return pd_node_key(n, pd_node_nr(n) - 1);
}

static inline void pd_node_set_key(struct pd_disk_node *n, u32 i, u64 key)
{
	pd_node_keys(n)[i] = cpu_to_le64(key);
}

static inline void *pd_node_value(const struct pd_disk_node *n, u32 i)
{
	return (char *)(pd_node_keys(n) + pd_node_max(n)) +
	       (size_t)pd_node_value_size(n) * i;
}

/* Block number @i of an internal node or of a leaf that holds roots. */
static inline pd_block_t pd_node_child(const struct pd_disk_node *n, u32 i)
{
	return le64_to_cpu(*(const __le64 *)pd_node_value(n, i));
}

static inline void pd_node_set_child(struct pd_disk_node *n, u32 i,
				     pd_block_t b)
{
	*(__le64 *)pd_node_value(n, i) = cpu_to_le64(b);
}

/**
 * pd_node_capacity() - how many entries fit in a block
 * @value_size: bytes per value
 *
 * Return: a multiple of three.
 */
u32 pd_node_capacity(u32 value_size);

/**
 * pd_node_init() - make a node empty
 * @n: node; everything in it but the block header is discarded
 * @flags: PD_NODE_LEAF or PD_NODE_INTERNAL
 * @max_entries: capacity
 * @value_size: bytes per value
 */
void pd_node_init(struct pd_disk_node *n, u32 flags, u32 max_entries,
		  u32 value_size);

/**
 * pd_node_find() - the last entry with a key <= @key
 * @n: node
 * @key: key
 *
 * Return: its index; -1 if all keys are larger.
 */
int pd_node_find(const struct pd_disk_node *n, u64 key);

/**
 * pd_node_lower_bound() - the first entry with a key >= @key
 * @n: node
 * @key: key
 *
 * Return: its index; the number of entries if all keys are smaller.
 */
u32 pd_node_lower_bound(const struct pd_disk_node *n, u64 key);

/**
 * pd_node_has_key() - is @key among the node's keys?
 * @n: node
 * @key: key
 * @index: where, if it is
 */
bool pd_node_has_key(const struct pd_disk_node *n, u64 key, u32 *index);

/**
 * pd_node_open_gap() - make room for new entries
 * @n: node with at least @nr free slots
 * @i: index of the first new entry
 * @nr: how many; the caller writes their keys and values
 */
void pd_node_open_gap(struct pd_disk_node *n, u32 i, u32 nr);

/**
 * pd_node_close_gap() - remove entries
 * @n: node
 * @i: index of the first one
 * @nr: how many
 */
void pd_node_close_gap(struct pd_disk_node *n, u32 i, u32 nr);

/**
 * pd_node_copy() - copy entries over others
 * @to: node of the same shape as @from
 * @to_i: index of the first entry overwritten
 * @from: another node
 * @from_i: index of the first entry copied
 * @nr: how many
 */
void pd_node_copy(struct pd_disk_node *to, u32 to_i,
		  const struct pd_disk_node *from, u32 from_i, u32 nr);

/**
 * pd_node_put() - insert one entry
 * @n: node with a free slot
 * @i: index of the new entry
 * @key: its key
 * @value: its value
 */
void pd_node_put(struct pd_disk_node *n, u32 i, u64 key, const void *value);

/**
 * pd_node_put_child() - insert one child
 * @n: internal node with a free slot
 * @i: index of the new entry
 * @key: its key
 * @b: the child
 */
void pd_node_put_child(struct pd_disk_node *n, u32 i, u64 key, pd_block_t b);

/**
 * pd_node_same_shape() - may entries move between two nodes?
 * @a: one node
 * @b: the other
 */
bool pd_node_same_shape(const struct pd_disk_node *a,
			const struct pd_disk_node *b);

/**
 * pd_node_shift_left() - move the first entries of @right after those of @left
 * @left: has room for them
 * @right: the next sibling
 * @nr: how many
 */
void pd_node_shift_left(struct pd_disk_node *left, struct pd_disk_node *right,
			u32 nr);

/**
 * pd_node_shift_right() - move the last entries of @left before those of @right
 * @left: a node
 * @right: its next sibling; has room for them
 * @nr: how many
 */
void pd_node_shift_right(struct pd_disk_node *left, struct pd_disk_node *right,
			 u32 nr);

#endif /* PD_BTREE_NODE_H */
