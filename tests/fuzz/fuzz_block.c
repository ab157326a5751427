// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * One block in use, of any type, overwritten by the input from some offset on.
 *
 *   input: which | keep the header? | offset | length | bytes | steps
 */
#include "hostile.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct ram_image *img = ram_image_copy(hostile_seed());
	struct input in = { data, size };
	unsigned char block[PD_BLOCK_SIZE];
	u32 i, offset, len;
	bool keep_header;
	pd_block_t b;

	b = hostile_used(in_u8(&in));
	keep_header = in_u8(&in) & 1;
	offset = in_u8(&in) % (PD_BLOCK_SIZE / 16) * 16;
	len = in_u16(&in) % (PD_BLOCK_SIZE + 1);
	memcpy(block, ram_image_read(img, b), sizeof(block));
	for (i = offset; i < PD_BLOCK_SIZE && i - offset < len && in.left; i++)
		block[i] = in_u8(&in);
	/* Everything but the number of entries. */
	if (keep_header) {
		memcpy(block, ram_image_read(img, b), 16);
		memcpy(block + 20, ram_image_read(img, b) + 20, 12);
	}
	hostile_seal(block, b, hostile_salt(b));
	ram_image_write(img, b, block);
	hostile_live(img, &in);
	return 0;
}
