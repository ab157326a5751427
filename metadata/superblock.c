// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The superblock: validated on the way in, edited in place on the way out.
 *
 *   block 0 ──validate──► features ──unpack──► working state
 *      ▲                                           │
 *      └── write with FUA ◄── last image + pack ◄──┘
 *
 * I1  Bytes and flags unknown to us are preserved unchanged: pack() works on a
 *     copy of the last image (docs/format.md section 3).
 * I2  Order of checks: block number (-ENOTBLK), magic (-EILSEQ), checksum
 *     (-EILSEQ), features (-EINVAL).
 *
 * Context: no locks of its own; see the fields of struct thinx_md.
 * Crash: all fields in use lie in the first sector, which is written whole.
 */
#include "metadata/superblock.h"

#include <asm/byteorder.h>
#include <linux/string.h>

static int check_magic(struct pd_bm *bm, pd_block_t b, const void *data)
{
	const struct thinx_disk_superblock *sb = data;

	if (le64_to_cpu(sb->magic) == THINX_SUPERBLOCK_MAGIC)
		return 0;
	bm_err_limit(bm, "superblock in block %llu: magic is %llu, wanted %u",
		     b, le64_to_cpu(sb->magic), THINX_SUPERBLOCK_MAGIC);
	return -EILSEQ;
}

const struct pd_validator thinx_superblock_validator = {
	.name = "superblock",
	.csum_xor = PD_SUPERBLOCK_CSUM_XOR,
	.check = check_magic,
};

bool thinx_superblock_is_blank(const void *data)
{
	return !memchr_inv(data, 0, PD_BLOCK_SIZE);
}

void thinx_superblock_init(struct thinx_disk_superblock *sb,
			   u32 data_block_sectors, u64 nr_blocks)
{
	memset(sb, 0, sizeof(*sb));
	sb->magic = cpu_to_le64(THINX_SUPERBLOCK_MAGIC);
	sb->version = cpu_to_le32(THINX_SUPERBLOCK_VERSION);
	sb->data_block_size = cpu_to_le32(data_block_sectors);
	sb->metadata_block_size = cpu_to_le32(PD_BLOCK_SECTORS);
	sb->metadata_nr_blocks = cpu_to_le64(nr_blocks);
}

int thinx_superblock_check_features(const struct thinx_md *md,
				    const struct thinx_disk_superblock *sb)
{
	u32 features = le32_to_cpu(sb->incompat_flags);

	if (features) {
		md_err(md, "superblock has unknown incompatible features %#x: cannot be used",
		       features);
		return -EINVAL;
	}
	features = le32_to_cpu(sb->compat_ro_flags);
	if (features && !md->bdev_read_only) {
		md_err(md, "superblock has unknown features %#x: can only be used on a read-only device",
		       features);
		return -EINVAL;
	}
	if (le32_to_cpu(sb->data_block_size) != md->data_block_sectors) {
		md_err(md, "data block size is %u sectors in the superblock, %u in the table",
		       le32_to_cpu(sb->data_block_size),
		       md->data_block_sectors);
		return -EINVAL;
	}
	return 0;
}

void thinx_superblock_unpack(struct thinx_md *md,
			     const struct thinx_disk_superblock *sb)
{
	md->roots.mappings = le64_to_cpu(sb->data_mapping_root);
	md->roots.details = le64_to_cpu(sb->device_details_root);
	md->time = le32_to_cpu(sb->time);
	md->trans_id = le64_to_cpu(sb->trans_id);
	md->held_root = le64_to_cpu(sb->held_root);
}

void thinx_superblock_pack(const struct thinx_md *md,
			   struct thinx_disk_superblock *sb)
{
	sb->data_mapping_root = cpu_to_le64(md->roots.mappings);
	sb->device_details_root = cpu_to_le64(md->roots.details);
	sb->time = cpu_to_le32(md->time);
	sb->trans_id = cpu_to_le64(md->trans_id);
	sb->held_root = cpu_to_le64(md->held_root);
	if (md->grown)
		sb->metadata_nr_blocks =
			cpu_to_le64(pd_sm_nr_blocks(pd_tm_sm(md->tm)));
}

void thinx_superblock_pack_held(const struct thinx_md *md,
				struct thinx_disk_superblock *sb)
{
	memcpy(sb, md->committed, sizeof(*sb));
	thinx_superblock_pack(md, sb);
	sb->held_root = 0;
	memset(sb->data_sm_root, 0, sizeof(sb->data_sm_root));
	memset(sb->metadata_sm_root, 0, sizeof(sb->metadata_sm_root));
}

bool thinx_superblock_needs_check(const struct thinx_disk_superblock *sb)
{
	return le32_to_cpu(sb->flags) & THINX_NEEDS_CHECK;
}

void thinx_superblock_set_needs_check(struct thinx_disk_superblock *sb)
{
	sb->flags |= cpu_to_le32(THINX_NEEDS_CHECK);
}
