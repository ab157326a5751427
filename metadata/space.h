/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Data and metadata space: room for changes, numbers, growth.
 *
 * Context of all functions: metadata lock held for writing unless stated
 * otherwise.
 */
#ifndef THINX_SPACE_H
#define THINX_SPACE_H

#include "metadata/metadata.h"

/**
 * thinx_space_ensure() - is there metadata room for a change and for closing?
 * @md: metadata
 * @nr_blocks: metadata blocks the change itself takes in the worst case
 * @nr_values: data blocks, anywhere, whose counts it changes in the worst case
 *
 * Return: 0, -ENOSPC.
 */
int __must_check thinx_space_ensure(const struct thinx_md *md, u64 nr_blocks,
				    u64 nr_values);

/**
 * thinx_space_ensure_growth() - the same for changes that do not free anything
 * @md: metadata
 * @nr_blocks: see thinx_space_ensure()
 * @nr_values: see thinx_space_ensure()
 *
 * Leaves some room for changes that do.  A refusal is remembered, until the next
 * such change is accepted; see struct thinx_md_space.
 *
 * Return: 0, -ENOSPC.
 */
int __must_check thinx_space_ensure_growth(struct thinx_md *md, u64 nr_blocks,
					   u64 nr_values);

/**
 * struct thinx_step - a step of a removal, as large as there is room for
 * @nr_mapped: mappings of the device
 * @nr_upper: metadata blocks it takes in the trees of devices, at worst
 * @whole: nothing of the device's tree is left, so nothing of it is copied
 * @scattered: it takes out leaves here and there
 * @nr: leaves it may take apart, nodes if @whole
 */
struct thinx_step {
	u64 nr_mapped;
	u64 nr_upper;
	bool whole;
	bool scattered;
	u32 nr;
};

/**
 * thinx_space_ensure_step() - thinx_space_ensure() for a step, smaller if need be
 * @md: metadata
 * @step: @step->nr is halved until there is room, down to one
 *
 * Return: 0, -ENOSPC.
 */
int __must_check thinx_space_ensure_step(const struct thinx_md *md,
					 struct thinx_step *step);

/**
 * thinx_space_note_devices() - recheck how large the trees of devices are
 * @md: metadata; a device came or went, or everything was loaded
 */
void thinx_space_note_devices(struct thinx_md *md);

/**
 * thinx_space_upper_depth() - bound on the depth of the top-level mapping tree
 * @md: metadata
 *
 * Return: upper bound, also for the details tree.
 */
u32 thinx_space_upper_depth(const struct thinx_md *md);

/** thinx_space_any_depth() - upper bound on the depth of any tree at all */
u32 thinx_space_any_depth(const struct thinx_md *md);

/**
 * thinx_space_mapping_depth() - upper bound on the depth of a device's tree
 * @md: metadata
 * @nr_mapped: its number of mappings
 */
u32 thinx_space_mapping_depth(const struct thinx_md *md, u64 nr_mapped);

/**
 * thinx_space_mapping_nodes() - upper bound on the nodes of a device's tree
 * @nr_mapped: its number of mappings
 */
u64 thinx_space_mapping_nodes(u64 nr_mapped);

/**
 * thinx_space_may_share() - may a leaf or node be reachable by two paths?
 * @md: metadata; the lock held for reading is enough
 */
bool thinx_space_may_share(const struct thinx_md *md);

/**
 * thinx_space_copied_values() - references gained by copying mapping leaves
 * @md: metadata
 * @nr_leaves: how many leaves
 *
 * Return: upper bound on the data blocks that gain a reference.
 */
u64 thinx_space_copied_values(const struct thinx_md *md, u64 nr_leaves);

/** thinx_space_get() - the numbers; the lock held for reading is enough */
void thinx_space_get(const struct thinx_md *md, struct thinx_md_space *s);

/**
 * thinx_space_extend_data() - grow the data space
 * @md: metadata
 * @nr_blocks: new size, data blocks
 *
 * Return: 0, -EINVAL not larger or too large, -ENOSPC, metadata errors.
 */
int __must_check thinx_space_extend_data(struct thinx_md *md, u64 nr_blocks);

/**
 * thinx_space_extend_metadata() - grow the metadata space
 * @md: metadata
 * @nr_blocks: new size, metadata blocks
 *
 * Return: 0, -EINVAL not larger, or larger than the device; -ENOSPC too little
 * is gained to commit it, metadata errors.
 */
int __must_check thinx_space_extend_metadata(struct thinx_md *md,
					     u64 nr_blocks);

/** thinx_space_arm_threshold() - hand the threshold to the space map */
void thinx_space_arm_threshold(struct thinx_md *md);

/**
 * thinx_space_device_blocks() - usable size of the metadata device; no lock
 * @md: metadata
 */
u64 thinx_space_device_blocks(const struct thinx_md *md);

#endif /* THINX_SPACE_H */
