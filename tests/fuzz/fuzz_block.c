// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * One block in use, of any type, replaced by the input: header fields and the
 * first entries are the fuzzer's, the rest stays.
 *
 *   input: which | length | bytes | steps
 */
#include "hostile.h"

#include <string.h>

/* The n-th block in use. */
static pd_block_t pick(u32 n)
{
	pd_block_t b, nr = hostile_seed()->nr_blocks, found = 0;

	for (b = 0; b < nr; b++) {
		if (!hostile_salt(b))
			continue;
		if (!n--)
			return b;
		found++;
	}
	return n % (found ? found : 1);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct ram_image *img = ram_image_copy(hostile_seed());
	struct input in = { data, size };
	unsigned char block[PD_BLOCK_SIZE];
	u32 i, len;
	pd_block_t b;

	b = pick(in_u8(&in) % 64);
	len = in_u16(&in) % (PD_BLOCK_SIZE + 1);
	memcpy(block, ram_image_read(img, b), sizeof(block));
	for (i = 0; i < len && in.left; i++)
		block[i] = in_u8(&in);
	hostile_seal(block, b, hostile_salt(b));
	ram_image_write(img, b, block);
	hostile_live(img, &in);
	return 0;
}
