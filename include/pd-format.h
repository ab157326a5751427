/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The persistent-data structures as stored on the metadata device: btree
 * nodes, space-map bitmaps, the metadata index block and the space-map roots.
 *
 * Facts from docs/format.md sections 1, 2, 4 and 6.  Everything is
 * little-endian.  Every block type begins with its checksum at offset 0 and
 * carries its own block number at offset 8.
 */
#ifndef PD_FORMAT_H
#define PD_FORMAT_H

#include <linux/types.h>

#define PD_BLOCK_SIZE			4096
#define PD_BLOCK_SECTORS		8

/* XORed into the CRC-32C of bytes 4..4095 (docs/format.md section 2). */
#define PD_SUPERBLOCK_CSUM_XOR		160774
#define PD_NODE_CSUM_XOR		121107
#define PD_BITMAP_CSUM_XOR		240779
#define PD_INDEX_CSUM_XOR		160478

/* What all metadata blocks have in common. */
struct pd_disk_header {
	__le32 csum;
	__le32 type_specific;
	__le64 blocknr;
} __attribute__((__packed__));

/* ---- btree node (docs/format.md section 4) ---- */

#define PD_NODE_INTERNAL		1
#define PD_NODE_LEAF			2

struct pd_disk_node_header {
	__le32 csum;
	__le32 flags;
	__le64 blocknr;
	__le32 nr_entries;
	__le32 max_entries;
	__le32 value_size;
	__le32 padding;
} __attribute__((__packed__));

/*
 * Keys start right after the header; values start after *max_entries* keys,
 * packed at value_size.
 */
struct pd_disk_node {
	struct pd_disk_node_header header;
	__le64 keys[];
} __attribute__((__packed__));

/* ---- space maps (docs/format.md section 6) ---- */

#define PD_ENTRIES_PER_WORD		32
#define PD_WORDS_PER_BITMAP		510
#define PD_ENTRIES_PER_BITMAP		16320
#define PD_MAX_METADATA_BITMAPS		255
#define PD_MAX_METADATA_BLOCKS		4161600ULL

struct pd_disk_sm_root {
	__le64 nr_blocks;
	__le64 nr_allocated;
	__le64 bitmap_root;
	__le64 ref_count_root;
} __attribute__((__packed__));

struct pd_disk_index_entry {
	__le64 blocknr;
	__le32 nr_free;
	__le32 none_free_before;
} __attribute__((__packed__));

struct pd_disk_bitmap {
	__le32 csum;
	__le32 unused;
	__le64 blocknr;
	__le64 words[PD_WORDS_PER_BITMAP];
} __attribute__((__packed__));

struct pd_disk_metadata_index {
	__le32 csum;
	__le32 padding;
	__le64 blocknr;
	struct pd_disk_index_entry index[PD_MAX_METADATA_BITMAPS];
} __attribute__((__packed__));

_Static_assert(sizeof(struct pd_disk_header) == 16, "block header");
_Static_assert(sizeof(struct pd_disk_node_header) == 32, "node header");
_Static_assert(sizeof(struct pd_disk_sm_root) == 32, "space map root");
_Static_assert(sizeof(struct pd_disk_index_entry) == 16, "index entry");
_Static_assert(sizeof(struct pd_disk_bitmap) == PD_BLOCK_SIZE, "bitmap");
_Static_assert(sizeof(struct pd_disk_metadata_index) == PD_BLOCK_SIZE,
	       "metadata index");
_Static_assert(PD_WORDS_PER_BITMAP * PD_ENTRIES_PER_WORD ==
	       PD_ENTRIES_PER_BITMAP, "entries per bitmap");

#endif /* PD_FORMAT_H */
