/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The superblock: its validator, its conversion from and to working state.
 */
#ifndef THINX_SUPERBLOCK_H
#define THINX_SUPERBLOCK_H

#include "metadata/metadata.h"

extern const struct pd_validator thinx_superblock_validator;

/** thinx_superblock_is_blank() - are all 4096 bytes zero? */
bool thinx_superblock_is_blank(const void *data);

/**
 * thinx_superblock_init() - the superblock of a fresh device
 * @sb: 4096 bytes
 * @data_block_sectors: sectors per data block
 * @nr_blocks: metadata blocks in use
 */
void thinx_superblock_init(struct thinx_disk_superblock *sb,
			   u32 data_block_sectors, u64 nr_blocks);

/**
 * thinx_superblock_check_features() - can this metadata be used here?
 * @md: metadata; block size and read-only state of the device
 * @sb: validated superblock
 *
 * Return: 0, -EINVAL no (logged).
 */
int __must_check
thinx_superblock_check_features(const struct thinx_md *md,
				const struct thinx_disk_superblock *sb);

/**
 * thinx_superblock_unpack() - working state := superblock, less space map roots
 * @md: metadata
 * @sb: validated superblock
 */
void thinx_superblock_unpack(struct thinx_md *md,
			     const struct thinx_disk_superblock *sb);

/**
 * thinx_superblock_pack() - superblock := working state, in place
 * @md: metadata
 * @sb: a copy of the last superblock
 *
 * Bytes that mean nothing to us stay; space map roots are left to the caller.
 */
void thinx_superblock_pack(const struct thinx_md *md,
			   struct thinx_disk_superblock *sb);

/**
 * thinx_superblock_pack_held() - make the copy a metadata snapshot keeps
 * @md: metadata
 * @sb: 4096 bytes, gets a superblock without space maps
 */
void thinx_superblock_pack_held(const struct thinx_md *md,
				struct thinx_disk_superblock *sb);

/** thinx_superblock_needs_check() - is the flag set? */
bool thinx_superblock_needs_check(const struct thinx_disk_superblock *sb);

/** thinx_superblock_set_needs_check() - set it */
void thinx_superblock_set_needs_check(struct thinx_disk_superblock *sb);

#endif /* THINX_SUPERBLOCK_H */
