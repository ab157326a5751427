// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Table lines (docs/interface.md):
 *
 *   thinx-pool META DATA BLOCK_SIZE LOW_WATER [#features feature...]
 *   thinx      POOL ID [ORIGIN]
 *
 * Exactly as many features as counted are accepted: dm-thin ignores words after
 * them, and a table with a wrong count would not do what it says.
 */
#include "control/arguments.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "include/thinx-format.h"

#define MAX_FEATURES 4

static int parse_feature(const char *word, struct thinx_features *f)
{
	if (!strcasecmp(word, "skip_block_zeroing"))
		f->zero_new = false;
	else if (!strcasecmp(word, "ignore_discard"))
		f->discard = false;
	else if (!strcasecmp(word, "no_discard_passdown"))
		f->passdown = false;
	else if (!strcasecmp(word, "read_only"))
		f->read_only = true;
	else if (!strcasecmp(word, "error_if_no_space"))
		f->error_if_no_space = true;
	else
		return -EINVAL;
	return 0;
}

static int parse_features(unsigned int argc, char **argv,
			  struct thinx_features *f, char **error)
{
	unsigned int nr, i;

	f->zero_new = true;
	f->discard = true;
	f->passdown = true;
	f->read_only = false;
	f->error_if_no_space = false;
	if (!argc)
		return 0;
	if (kstrtouint(argv[0], 10, &nr) || nr > MAX_FEATURES ||
	    nr != argc - 1) {
		*error = "Invalid number of pool feature arguments";
		return -EINVAL;
	}
	for (i = 1; i <= nr; i++) {
		if (parse_feature(argv[i], f)) {
			*error = "Unrecognised pool feature requested";
			return -EINVAL;
		}
	}
	return 0;
}

int thinx_pool_args_parse(unsigned int argc, char **argv,
			  struct thinx_pool_args *args, char **error)
{
	if (argc < 4) {
		*error = "Invalid argument count";
		return -EINVAL;
	}
	args->metadata = argv[0];
	args->data = argv[1];
	if (!strcmp(args->metadata, args->data)) {
		*error = "Error setting metadata or data device";
		return -EINVAL;
	}
	return parse_features(argc - 4, argv + 4, &args->features, error);
}

int thinx_pool_args_parse_sizes(char **argv, struct thinx_pool_args *args,
				char **error)
{
	unsigned long long low_water;
	unsigned int sectors;

	if (kstrtouint(argv[2], 10, &sectors) ||
	    sectors < THINX_DATA_BLOCK_SECTORS_MIN ||
	    sectors > THINX_DATA_BLOCK_SECTORS_MAX ||
	    sectors % THINX_DATA_BLOCK_SECTORS_MIN) {
		*error = "Invalid block size";
		return -EINVAL;
	}
	if (kstrtoull(argv[3], 10, &low_water)) {
		*error = "Invalid low water mark";
		return -EINVAL;
	}
	args->block_sectors = sectors;
	args->low_water = low_water;
	return 0;
}

unsigned int thinx_features_count(const struct thinx_features *f)
{
	return !f->zero_new + !f->discard + !f->passdown + f->read_only +
	       f->error_if_no_space;
}

int thinx_thin_args_parse(unsigned int argc, char **argv,
			  struct thinx_thin_args *args, char **error)
{
	if (argc != 2 && argc != 3) {
		*error = "Invalid argument count";
		return -EINVAL;
	}
	args->pool = argv[0];
	args->id = argv[1];
	args->origin = argc == 3 ? argv[2] : NULL;
	if (args->origin && !strcmp(args->pool, args->origin)) {
		*error = "Error setting origin device";
		return -EINVAL;
	}
	return 0;
}

int thinx_parse_device_id(const char *word, u32 *id)
{
	unsigned int value;

	if (kstrtouint(word, 10, &value) || value > THINX_DEV_ID_MAX)
		return -EINVAL;
	*id = value;
	return 0;
}
