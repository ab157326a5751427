/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Damaged metadata, and operations on it.
 */
#ifndef FUZZ_HOSTILE_H
#define FUZZ_HOSTILE_H

#include "tests/unit/md-env.h"

/* A fuzzer's input, consumed from the front; zeros past its end. */
struct input {
	const u8 *p;
	size_t left;
};

u8 in_u8(struct input *in);
u32 in_u16(struct input *in);
u64 in_u64(struct input *in);

/* A small sound image with everything in it. */
const struct ram_image *hostile_seed(void);

/* How a block of the seed is sealed; 0: it is not in use. */
u32 hostile_salt(pd_block_t b);

/* The @n-th block in use, going round. */
pd_block_t hostile_used(u32 n);

/* Correct block number and checksum. */
void hostile_seal(void *block, pd_block_t b, u32 salt);

/*
 * Open the image, use it as @in says, close.  Errors are fine; crashes,
 * hangs and leaks are not.  Frees the image.
 */
void hostile_live(struct ram_image *img, struct input *in);

/* Called by libFuzzer. */
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

#endif /* FUZZ_HOSTILE_H */
