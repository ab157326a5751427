/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The words of both table lines, parsed into plain structs.  Pure: opens
 * nothing, so it runs in user space too.
 */
#ifndef THINX_ARGUMENTS_H
#define THINX_ARGUMENTS_H

#include <linux/compiler.h>
#include <linux/types.h>

/**
 * struct thinx_features - optional words of a pool table
 * @zero_new: no skip_block_zeroing
 * @discard: no ignore_discard
 * @passdown: no no_discard_passdown
 * @read_only: read_only
 * @error_if_no_space: error_if_no_space
 */
struct thinx_features {
	bool zero_new;
	bool discard;
	bool passdown;
	bool read_only;
	bool error_if_no_space;
};

/**
 * struct thinx_pool_args - a pool table
 * @metadata: path or major:minor; points into the words
 * @data: the same
 * @block_sectors: data block size, sectors
 * @low_water: data blocks
 * @sectors: length of the table, which is not in the words: set by the caller
 * @features: optional words
 */
struct thinx_pool_args {
	const char *metadata;
	const char *data;
	u32 block_sectors;
	u64 low_water;
	u64 sectors;
	struct thinx_features features;
};

/**
 * thinx_pool_args_parse() - devices and features
 * @argc: number of words
 * @argv: words; not changed
 * @args: @block_sectors and @low_water stay untouched
 * @error: what is wrong, for the log
 *
 * The sizes are parsed separately, because dm-thin looks at them only after it
 * has opened the devices, and users see its order of errors.
 *
 * Return: 0, -EINVAL.
 */
int __must_check thinx_pool_args_parse(unsigned int argc, char **argv,
				       struct thinx_pool_args *args,
				       char **error);

/**
 * thinx_pool_args_parse_sizes() - block size and low water mark
 * @argv: words of the table that thinx_pool_args_parse() accepted
 * @args: gets the sizes
 * @error: what is wrong, for the log
 *
 * Return: 0, -EINVAL.
 */
int __must_check thinx_pool_args_parse_sizes(char **argv,
					     struct thinx_pool_args *args,
					     char **error);

/**
 * thinx_features_count() - how many words express them
 * @f: features
 */
unsigned int thinx_features_count(const struct thinx_features *f);

/**
 * struct thinx_thin_args - a thin table
 * @pool: path or major:minor; points into the words
 * @origin: external origin or NULL
 * @id: word of the device id
 */
struct thinx_thin_args {
	const char *pool;
	const char *origin;
	const char *id;
};

/**
 * thinx_thin_args_parse() - the words of a thin table
 * @argc: number of words
 * @argv: words; not changed
 * @args: result
 * @error: what is wrong, for the log
 *
 * Return: 0, -EINVAL.
 */
int __must_check thinx_thin_args_parse(unsigned int argc, char **argv,
				       struct thinx_thin_args *args,
				       char **error);

/**
 * thinx_parse_device_id() - a thin device id
 * @word: decimal, 0 .. 2^24 - 1
 * @id: result
 *
 * Return: 0, -EINVAL.
 */
int __must_check thinx_parse_device_id(const char *word, u32 *id);

#endif /* THINX_ARGUMENTS_H */
