// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The metadata snapshot: "held root" on disk (docs/format.md section 11).
 *
 *   superblock ──held_root──► copy ──┬──► mapping root   one more reference
 *       │                            └──► details root   one more reference
 *       └──► working roots, which diverge from those as nodes are shadowed
 *
 * I1  Whenever the metadata lock is released, the copy refers to well-formed
 *     trees: user space may be reading, and a crash may bring any commit back.
 * I2  While the mapping root is shared, so is everything below it, and to
 *     release it is to drop one reference.  Otherwise the devices are dropped
 *     one by one, the large ones in steps, and the copy is shadowed each time.
 *
 * Context: metadata lock held for writing.
 * Crash: an unfinished release leaves a metadata snapshot with fewer devices;
 * the release can be repeated.
 */
#include "metadata/held-root.h"

#include <asm/byteorder.h>
#include <linux/string.h>

#include "metadata/device.h"
#include "metadata/space.h"
#include "metadata/superblock.h"

int thinx_held_root_reserve(struct thinx_md *md)
{
	struct pd_block blk;
	int r;

	if (md->held_root)
		return -EBUSY;
	r = thinx_space_ensure_growth(md, 1, 0);
	if (r)
		return r;
	thinx_md_begin_change(md);
	/* What is pinned must be consistent in itself. */
	r = thinx_device_flush(md);
	if (r)
		return r;
	r = pd_tm_new_block(md->tm, &thinx_superblock_validator, &blk);
	if (r)
		return r;
	thinx_superblock_pack_held(md, blk.data);
	pd_bm_release(md->bm, &blk);
	r = pd_tm_inc(md->tm, md->roots.mappings);
	if (r)
		return r;
	r = pd_tm_inc(md->tm, md->roots.details);
	if (r)
		return r;
	md->held_root = blk.nr;
	return 0;
}

int thinx_held_root_read(struct thinx_md *md, struct thinx_roots *roots)
{
	const struct thinx_disk_superblock *sb;
	struct pd_block blk;
	int r;

	r = pd_bm_read(md->bm, md->held_root, &thinx_superblock_validator,
		       &blk);
	if (r)
		return r;
	sb = blk.data;
	roots->mappings = le64_to_cpu(sb->data_mapping_root);
	roots->details = le64_to_cpu(sb->device_details_root);
	pd_bm_release(md->bm, &blk);
	return 0;
}

/* Make the copy refer to the trees as they are now. */
static int update_copy(struct thinx_md *md, const struct thinx_roots *roots)
{
	struct thinx_disk_superblock *sb;
	struct pd_block blk;
	bool inc_children;
	int r;

	r = pd_tm_shadow(md->tm, md->held_root, &thinx_superblock_validator,
			 &blk, &inc_children);
	if (r)
		return r;
	sb = blk.data;
	sb->data_mapping_root = cpu_to_le64(roots->mappings);
	sb->device_details_root = cpu_to_le64(roots->details);
	pd_bm_release(md->bm, &blk);
	if (inc_children) {
		md_err(md, "metadata snapshot in block %llu is counted more than once",
		       md->held_root);
		return -EILSEQ;
	}
	md->held_root = blk.nr;
	return 0;
}

/* No part of the mapping tree is the copy's alone any more: drop the rest. */
static int drop_copy(struct thinx_md *md, const struct thinx_roots *roots)
{
	int r;

	r = thinx_space_ensure(md, 0, 0);
	if (r)
		return r;
	thinx_md_begin_change(md);
	r = pd_btree_delete(&md->top, roots->mappings, U32_MAX);
	if (r)
		return r;
	r = pd_btree_delete(&md->details, roots->details, U32_MAX);
	if (r)
		return r;
	r = pd_tm_dec(md->tm, md->held_root);
	if (r)
		return r;
	md->held_root = 0;
	return 0;
}

/* The details must still match the number of mappings (I1). */
static int sub_held_mapped(struct thinx_md *md, struct thinx_roots *roots,
			   u64 id, u64 nr)
{
	struct thinx_disk_device_details disk;
	u64 mapped;
	int r;

	r = pd_btree_lookup(&md->details, roots->details, &id, &disk);
	if (r)
		return r == -ENODATA ? 0 : r;
	mapped = le64_to_cpu(disk.mapped_blocks);
	disk.mapped_blocks = cpu_to_le64(mapped > nr ? mapped - nr : 0);
	return pd_btree_insert(&md->details, &roots->details, &id, &disk, NULL);
}

static u64 held_mapped(struct thinx_md *md, const struct thinx_roots *roots,
		       u64 id)
{
	struct thinx_disk_device_details disk;

	if (pd_btree_lookup(&md->details, roots->details, &id, &disk))
		return U64_MAX;
	return le64_to_cpu(disk.mapped_blocks);
}

static int drop_device(struct thinx_md *md, struct thinx_roots *roots,
		       struct thinx_drop *drop)
{
	int r;

	/* The copy itself, and the path in the details tree. */
	r = thinx_space_ensure(md, 1 + thinx_space_any_depth(md), 0);
	if (r)
		return r;
	r = thinx_drop_step(md, roots, drop,
			    held_mapped(md, roots, drop->id));
	if (r)
		return r;
	if (drop->nr_removed) {
		r = sub_held_mapped(md, roots, drop->id, drop->nr_removed);
		if (r)
			return r;
	}
	return update_copy(md, roots);
}

int thinx_held_root_detach(struct thinx_md *md, struct thinx_drop *drop)
{
	struct thinx_roots roots;
	int r;

	if (!md->held_root)
		return -EINVAL;
	r = thinx_held_root_read(md, &roots);
	if (r)
		return r;
	r = thinx_drop_detach(md, &roots, drop,
			      held_mapped(md, &roots, drop->id));
	return r ? r : update_copy(md, &roots);
}

int thinx_held_root_release_step(struct thinx_md *md, struct thinx_drop *drop)
{
	struct thinx_roots roots;
	u64 any = 0, id;
	__le64 root;
	u32 count;
	int r;

	if (!md->held_root)
		return -EINVAL;
	r = thinx_held_root_read(md, &roots);
	if (r)
		return r;
	r = pd_tm_get_count(md->tm, roots.mappings, &count);
	if (r)
		return r;
	if (count > 1)
		return drop_copy(md, &roots);
	r = pd_btree_lowest(&md->top, roots.mappings, &any, &id, &root);
	if (r)
		return r == -ENODATA ? drop_copy(md, &roots) : r;
	if (drop->done || drop->id != id)
		*drop = (struct thinx_drop){ .id = id };
	return drop_device(md, &roots, drop);
}
