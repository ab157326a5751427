// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Contents of a device as a sparse array of blocks.
 */
#include "stores.h"

#include "include/pd-format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const unsigned char zeros[PD_BLOCK_SIZE];

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

struct ram_image *ram_image_create(pd_block_t nr_blocks)
{
	struct ram_image *img = must(malloc(sizeof(*img)));

	img->nr_blocks = nr_blocks;
	img->blocks = must(calloc(nr_blocks + 1, sizeof(*img->blocks)));
	return img;
}

struct ram_image *ram_image_copy(const struct ram_image *img)
{
	struct ram_image *n = ram_image_create(img->nr_blocks);
	pd_block_t b;

	for (b = 0; b < img->nr_blocks; b++)
		if (img->blocks[b])
			ram_image_write(n, b, img->blocks[b]);
	return n;
}

void ram_image_destroy(struct ram_image *img)
{
	pd_block_t b;

	if (!img)
		return;
	/* Most of a large one was never written. */
	for (b = 0; b < img->nr_blocks; b++)
		if (img->blocks[b])
			free(img->blocks[b]);
	free(img->blocks);
	free(img);
}

void ram_image_write(struct ram_image *img, pd_block_t b, const void *data)
{
	if (b >= img->nr_blocks)
		abort();
	if (!img->blocks[b])
		img->blocks[b] = must(malloc(PD_BLOCK_SIZE));
	memcpy(img->blocks[b], data, PD_BLOCK_SIZE);
}

const void *ram_image_read(const struct ram_image *img, pd_block_t b)
{
	if (b >= img->nr_blocks)
		abort();
	return img->blocks[b] ? img->blocks[b] : zeros;
}

int ram_image_save(const struct ram_image *img, const char *path)
{
	FILE *f = fopen(path, "wb");
	pd_block_t b;
	int r = 0;

	if (!f)
		return -errno;
	if (ftruncate(fileno(f), img->nr_blocks * PD_BLOCK_SIZE))
		r = -errno;
	for (b = 0; !r && b < img->nr_blocks; b++) {
		if (!img->blocks[b])
			continue;
		if (fseeko(f, b * PD_BLOCK_SIZE, SEEK_SET) ||
		    fwrite(img->blocks[b], PD_BLOCK_SIZE, 1, f) != 1)
			r = -EIO;
	}
	if (fclose(f) && !r)
		r = -errno;
	return r;
}

struct ram_image *ram_image_load(const char *path)
{
	unsigned char data[PD_BLOCK_SIZE];
	struct ram_image *img = NULL;
	FILE *f = fopen(path, "rb");
	struct stat st;
	pd_block_t b;

	if (!f)
		return NULL;
	if (fstat(fileno(f), &st))
		goto out;
	img = ram_image_create(st.st_size / PD_BLOCK_SIZE);
	for (b = 0; b < img->nr_blocks; b++) {
		if (fread(data, sizeof(data), 1, f) != 1) {
			ram_image_destroy(img);
			img = NULL;
			goto out;
		}
		if (memcmp(data, zeros, sizeof(data)))
			ram_image_write(img, b, data);
	}
out:
	fclose(f);
	return img;
}
