/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What thin provisioning stores on the metadata device on top of the
 * persistent-data structures: superblock, device details, mapping values.
 *
 * Facts from docs/format.md sections 3, 5 and 8.  Everything is little-endian.
 */
#ifndef THINX_FORMAT_H
#define THINX_FORMAT_H

#include <linux/types.h>

#define THINX_SUPERBLOCK_LOCATION	0
#define THINX_SUPERBLOCK_MAGIC		27022010
#define THINX_SUPERBLOCK_VERSION	2
#define THINX_SM_ROOT_SIZE		128

/* superblock flags */
#define THINX_NEEDS_CHECK		(1U << 0)

struct thinx_disk_superblock {
	__le32 csum;
	__le32 flags;
	__le64 blocknr;

	__u8 uuid[16];
	__le64 magic;
	__le32 version;
	__le32 time;

	__le64 trans_id;
	__le64 held_root;

	__u8 data_sm_root[THINX_SM_ROOT_SIZE];
	__u8 metadata_sm_root[THINX_SM_ROOT_SIZE];

	__le64 data_mapping_root;
	__le64 device_details_root;

	__le32 data_block_size;		/* sectors */
	__le32 metadata_block_size;	/* sectors */
	__le64 metadata_nr_blocks;

	__le32 compat_flags;
	__le32 compat_ro_flags;
	__le32 incompat_flags;

	__u8 unused[3732];
} __attribute__((__packed__));

struct thinx_disk_device_details {
	__le64 mapped_blocks;
	__le64 transaction_id;
	__le32 creation_time;
	__le32 snapshotted_time;
} __attribute__((__packed__));

/* A mapping value: data block in the top 40 bits, time in the low 24. */
#define THINX_TIME_BITS			24
#define THINX_TIME_MAX			((1U << THINX_TIME_BITS) - 1)
#define THINX_DATA_BLOCK_MAX		((1ULL << (64 - THINX_TIME_BITS)) - 1)

/* Thin device ids. */
#define THINX_DEV_ID_MAX		((1U << 24) - 1)

/* Data block size limits, in sectors. */
#define THINX_DATA_BLOCK_SECTORS_MIN	128
#define THINX_DATA_BLOCK_SECTORS_MAX	2097152

#define THINX_OFFSET(field) __builtin_offsetof(struct thinx_disk_superblock, field)

_Static_assert(sizeof(struct thinx_disk_superblock) == 4096, "superblock");
_Static_assert(THINX_OFFSET(uuid) == 16, "uuid");
_Static_assert(THINX_OFFSET(magic) == 32, "magic");
_Static_assert(THINX_OFFSET(time) == 44, "time");
_Static_assert(THINX_OFFSET(held_root) == 56, "held_root");
_Static_assert(THINX_OFFSET(data_sm_root) == 64, "data_sm_root");
_Static_assert(THINX_OFFSET(metadata_sm_root) == 192, "metadata_sm_root");
_Static_assert(THINX_OFFSET(data_mapping_root) == 320, "data_mapping_root");
_Static_assert(THINX_OFFSET(data_block_size) == 336, "data_block_size");
_Static_assert(THINX_OFFSET(incompat_flags) == 360, "incompat_flags");
_Static_assert(sizeof(struct thinx_disk_device_details) == 24, "details");

#endif /* THINX_FORMAT_H */
