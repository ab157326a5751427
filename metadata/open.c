// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * From a block store to working state: format what is blank, load the rest.
 *
 *   block 0 all zero --format--> superblock, empty trees, empty space maps
 *                                     | durable, then
 *   block 0 anything else --load------+--> transaction manager, space maps,
 *                                          kinds of trees, roots
 *
 * I1  A device is formatted only if all 4096 bytes of block 0 are zero, and
 *     the format is durable before anything uses it.
 * I2  A fresh device is laid out as in docs/format.md 10.3.
 *
 * Crash: the superblock is the last thing format writes; until then the device
 * stays blank.
 */
#include "metadata/open.h"

#include <linux/slab.h>
#include <linux/string.h>

#include "metadata/device.h"
#include "metadata/mapping.h"
#include "metadata/space.h"
#include "metadata/superblock.h"

static void init_kinds(struct thinx_md *md)
{
	thinx_mapping_init_kinds(md);
	thinx_device_init_kind(md);
}

void thinx_open_unload(struct thinx_md *md)
{
	if (md->data_sm)
		pd_sm_destroy(md->data_sm);
	if (md->tm)
		pd_tm_destroy(md->tm);
	md->data_sm = NULL;
	md->tm = NULL;
}

/* Make empty space maps and trees, in the order of the layout (I2). */
static int make_empty_pool(struct thinx_md *md)
{
	struct pd_sm *meta_sm;
	int r;

	r = pd_tm_create(md->bm, &md->tm, &meta_sm);
	if (r)
		return r;
	r = pd_sm_disk_create(md->tm, &md->data_sm);
	if (r)
		return r;
	init_kinds(md);
	r = pd_btree_empty(&md->top, &md->roots.mappings);
	if (r)
		return r;
	return pd_btree_empty(&md->details, &md->roots.details);
}

static int format_device(struct thinx_md *md, int (*commit)(struct thinx_md *md))
{
	u64 nr_blocks = thinx_space_device_blocks(md);
	int r;

	if (nr_blocks < THINX_MIN_METADATA_BLOCKS) {
		md_err(md, "metadata device of %llu blocks is too small, %u are needed",
		       nr_blocks, THINX_MIN_METADATA_BLOCKS);
		return -ENOSPC;
	}
	md_info(md, "formatting %llu metadata blocks", nr_blocks);
	r = make_empty_pool(md);
	if (!r) {
		thinx_superblock_init(md->committed, md->data_block_sectors,
				      nr_blocks);
		md->dirty = true;
		r = commit(md);
	}
	thinx_open_unload(md);
	return r;
}

int thinx_open_format_if_blank(struct thinx_md *md, bool may_format,
			       int (*commit)(struct thinx_md *md))
{
	int r;

	r = pd_bm_read_super(md->bm, NULL, md->committed);
	if (r || !thinx_superblock_is_blank(md->committed))
		return r;
	if (!may_format || md->bdev_read_only) {
		md_err(md, "metadata device is blank and must not be formatted");
		return -EPERM;
	}
	return format_device(md, commit);
}

int thinx_open_load(struct thinx_md *md)
{
	struct thinx_disk_superblock *sb = md->committed;
	struct pd_sm *meta_sm;
	int r;

	r = pd_bm_read_super(md->bm, &thinx_superblock_validator, sb);
	if (r)
		return r;
	r = thinx_superblock_check_features(md, sb);
	if (r)
		return r;
	r = pd_tm_open(md->bm, sb->metadata_sm_root, &md->tm, &meta_sm);
	if (r)
		return r;
	r = pd_sm_disk_open(md->tm, sb->data_sm_root, &md->data_sm);
	if (r)
		goto err_unload;
	if (pd_sm_nr_blocks(md->data_sm) > THINX_DATA_BLOCK_MAX) {
		md_err(md, "data space of %llu blocks is larger than a mapping can address",
		       pd_sm_nr_blocks(md->data_sm));
		r = -EILSEQ;
		goto err_unload;
	}
	thinx_superblock_unpack(md, sb);
	md->grown = false;
	/* Nobody can tell without reading all mappings. */
	md->time_used = true;
	md->unshared_gen = 0;
	/* Pairs with thinx_md_needs_check(). */
	WRITE_ONCE(md->needs_check, thinx_superblock_needs_check(sb));
	init_kinds(md);
	thinx_space_note_devices(md);
	thinx_space_arm_threshold(md);
	return 0;

err_unload:
	thinx_open_unload(md);
	return r;
}
