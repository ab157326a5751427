/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Data and metadata space: room for changes, numbers, growth.
 *
 * Context of all functions: metadata lock held for writing unless said
 * otherwise.
 */
#ifndef THINX_SPACE_H
#define THINX_SPACE_H

#include "metadata/metadata.h"

/**
 * thinx_space_ensure() - is there metadata room for a change and for closing?
 * @md: metadata
 * @nr_blocks: metadata blocks the change itself takes at worst
 * @nr_values: data blocks, anywhere, whose counts it changes at worst
 *
 * Return: 0, -ENOSPC.
 */
int __must_check thinx_space_ensure(const struct thinx_md *md, u64 nr_blocks,
				    u64 nr_values);

/**
 * thinx_space_ensure_growth() - the same for changes that do not free anything:
 * leaves some room for those that do
 * @md: metadata
 * @nr_blocks: see thinx_space_ensure()
 * @nr_values: see thinx_space_ensure()
 *
 * Return: 0, -ENOSPC.
 */
int __must_check thinx_space_ensure_growth(const struct thinx_md *md,
					   u64 nr_blocks, u64 nr_values);

/**
 * thinx_space_has_room() - thinx_space_ensure() for those who can do with less
 * @md: metadata
 * @nr_blocks: see thinx_space_ensure()
 * @nr_values: see thinx_space_ensure()
 */
bool thinx_space_has_room(const struct thinx_md *md, u64 nr_blocks,
			  u64 nr_values);

/**
 * thinx_space_note_devices() - look again how large the trees of devices are
 * @md: metadata; a device came or went, or all was loaded
 */
void thinx_space_note_devices(struct thinx_md *md);

/**
 * thinx_space_upper_depth() - at most so many levels has the top-level mapping
 * tree, and the details tree too
 * @md: metadata
 */
u32 thinx_space_upper_depth(const struct thinx_md *md);

/** thinx_space_any_depth() - at most so many levels has any tree at all */
u32 thinx_space_any_depth(const struct thinx_md *md);

/**
 * thinx_space_mapping_depth() - at most so many levels has a device's tree
 * @md: metadata
 * @nr_mapped: its mappings
 */
u32 thinx_space_mapping_depth(const struct thinx_md *md, u64 nr_mapped);

/**
 * thinx_space_mapping_nodes() - at most so many nodes has a device's tree
 * @nr_mapped: its mappings
 */
u64 thinx_space_mapping_nodes(u64 nr_mapped);

/**
 * thinx_space_copied_values() - at most so many data blocks gain a reference
 * when mapping leaves are copied
 * @md: metadata
 * @nr_leaves: how many leaves
 */
u64 thinx_space_copied_values(const struct thinx_md *md, u64 nr_leaves);

/** thinx_space_get() - the numbers; lock held for reading will do */
void thinx_space_get(const struct thinx_md *md, struct thinx_md_space *s);

/**
 * thinx_space_extend_data() - make the data space larger
 * @md: metadata
 * @nr_blocks: new size, data blocks
 *
 * Return: 0, -EINVAL not larger or too large, -ENOSPC, errors of metadata.
 */
int __must_check thinx_space_extend_data(struct thinx_md *md, u64 nr_blocks);

/**
 * thinx_space_extend_metadata() - make the metadata space larger
 * @md: metadata
 * @nr_blocks: new size, metadata blocks
 *
 * Return: 0, -EINVAL not larger, or larger than the device; -ENOSPC too little
 * is gained to commit it, errors of metadata.
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
