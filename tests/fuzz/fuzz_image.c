// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * A whole image with fields changed here and there and checksums corrected, and
 * operations on it.
 *
 *   input: number of patches | block, where, width, value | ... | steps
 *
 * Most patches hit something that has a meaning: a header, the first keys, the
 * first values; and most values are interesting ones.
 */
#include "hostile.h"

#include <asm/byteorder.h>
#include <string.h>

/* Headers, keys, values of 8, 24, 16 and 4 bytes, roots in the superblock. */
static u32 choose_offset(struct input *in)
{
	static const u32 bases[] = { 0, 16, 32, 0x800, 0x410, 0x560, 0xaa0,
				     64, 192, 320 };
	u32 what = in_u8(in);

	if (what >= 240)
		return in_u16(in) % PD_BLOCK_SIZE;
	return bases[what % 10] + what / 10 * 4;
}

static u64 choose_value(struct input *in, u64 old)
{
	u32 what = in_u8(in);

	switch (what % 8) {
	case 0:
		return what >> 3;
	case 1:
		return old + (what >> 3) + 1;
	case 2:
		return old - (what >> 3) - 1;
	case 3:
		return ~0ULL >> (what >> 3);
	case 4:
		return 1ULL << (what >> 3) * 2;
	case 5:		/* another block's number */
		return hostile_used(in_u8(in));
	case 6:
		return in_u16(in);
	default:
		return in_u64(in);
	}
}

static void patch(struct ram_image *img, struct input *in)
{
	static const u32 widths[] = { 4, 8, 1, 2 };
	u32 which = in_u8(in), offset = choose_offset(in);
	u32 width = widths[in_u8(in) % 4];
	pd_block_t b = hostile_used(which);
	unsigned char block[PD_BLOCK_SIZE];
	__le64 v = 0;

	if (offset + width > PD_BLOCK_SIZE)
		return;
	memcpy(block, ram_image_read(img, b), sizeof(block));
	memcpy(&v, block + offset, width);
	v = cpu_to_le64(choose_value(in, le64_to_cpu(v)));
	memcpy(block + offset, &v, width);
	/* Some damage is left for the checksum to find. */
	if (which < 250)
		hostile_seal(block, b, hostile_salt(b));
	ram_image_write(img, b, block);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct ram_image *img = ram_image_copy(hostile_seed());
	struct input in = { data, size };
	u32 n;

	for (n = in_u8(&in) % 6 + 1; n; n--)
		patch(img, &in);
	hostile_live(img, &in);
	return 0;
}
