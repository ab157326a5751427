// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * A whole image with bytes changed here and there, checksums put right, and a
 * life on it.
 *
 *   input: number of patches | block, offset, length, bytes | ... | steps
 */
#include "hostile.h"

#include <string.h>

static void patch(struct ram_image *img, struct input *in)
{
	u32 where = in_u8(in), offset = in_u16(in), len = in_u8(in) % 24 + 1;
	pd_block_t b = where % img->nr_blocks;
	unsigned char block[PD_BLOCK_SIZE];
	u32 salt = hostile_salt(b);

	memcpy(block, ram_image_read(img, b), sizeof(block));
	for (; len; len--, offset++)
		block[offset % PD_BLOCK_SIZE] = in_u8(in);
	/* Some damage is left for the checksum to find. */
	if (where < 250)
		hostile_seal(block, b, salt);
	ram_image_write(img, b, block);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct ram_image *img = ram_image_copy(hostile_seed());
	struct input in = { data, size };
	u32 n;

	for (n = in_u8(&in) % 16; n; n--)
		patch(img, &in);
	hostile_live(img, &in);
	return 0;
}
