/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What the space map files share; private to them.  From the bottom up:
 *
 *   space-map-overlay   changed counts, 64 blocks at a time
 *   space-map-common    size, index entries, slots, holds
 *   space-map-counts    overlay and counts, completion  (pd_sm_inc(), ...)
 *   space-map-alloc     finding and holding free blocks (pd_sm_alloc(), ...)
 *   space-map-apply     overlay → bitmaps at close
 *   space-map-disk      index in a btree
 *   space-map-metadata  index in one block
 *
 * A block is *busy* (must not be handed out) for any of these reasons:
 *
 *   B  its count in the bitmaps is not zero
 *   O  it has an entry in the open overlay (even if the delta is zero again)
 *   C  it has an entry in the closed overlay: the closing transaction
 *      touched and maybe freed it
 *   H  it is held
 *
 * I1  nr_allocatable = number of blocks with none of B, O, C, H.
 * I2  nr_freed = number of blocks with C, but none of B, O, H: they become
 *     allocatable on completion.
 * I3  Closing turns B and O into B and C and thereby never makes a busy block
 *     free; only completion and pd_sm_unhold() do.
 */
#ifndef PD_SPACE_MAP_COMMON_H
#define PD_SPACE_MAP_COMMON_H

#include "include/thinx-log.h"
#include "btree.h"
#include "include/pd-format.h"
#include "space-map.h"
#include "space-map-overlay.h"

#include <linux/bitops.h>
#include <linux/kernel.h>
#include <linux/xarray.h>

struct pd_block;
struct pd_bm;
struct pd_tm;
struct pd_validator;

#define PD_SM_NR_SLOTS 4

/*
 * Fewest entries an overflow leaf other than a root may have.  So a run of n
 * windows of this many blocks spans at most n + 1 leaves.
 */
#define PD_SM_WINDOW 112

#define PD_SM_BITMAP_LONGS BITS_TO_LONGS(PD_ENTRIES_PER_BITMAP)

/* So that a long of the arrays below and an overlay entry mean the same. */
static_assert(BITS_PER_LONG == PD_SM_WORD_BLOCKS);
static_assert(PD_ENTRIES_PER_BITMAP % PD_SM_WORD_BLOCKS == 0);

/**
 * struct pd_sm_bitmap - an index entry in core
 * @blocknr: where the bitmap is
 * @nr_free: zero entries among all 16320; a hint until we have written it
 * @none_free_before: no zero entry below; a hint until we have written it
 * @maybe_free: @nr_free as it was when a block here last became free, or when
 *	the bitmap was looked at; not what a commit has yet to make free
 * @full: looked at, and found to have no block to hand out
 */
struct pd_sm_bitmap {
	pd_block_t blocknr;
	u32 nr_free;
	u32 none_free_before;
	u32 maybe_free;
	bool full;
};

/**
 * struct pd_sm_marks - some of the bitmaps
 * @bits: a bit for each bitmap
 * @nr: how many are marked
 * @begin: none below is marked
 * @end: none at or above is marked
 */
struct pd_sm_marks {
	unsigned long *bits;
	u32 nr;
	u32 begin;
	u32 end;
};

/**
 * struct pd_sm_slot - which blocks of one bitmap are busy
 * @valid: the other fields mean something
 * @index: number of the bitmap
 * @busy: one bit per block
 */
struct pd_sm_slot {
	bool valid;
	u32 index;
	unsigned long busy[PD_SM_BITMAP_LONGS];
};

/**
 * struct pd_sm_held - held blocks of one bitmap
 * @nr: how many
 * @bits: which
 * @zero: for those set in @bits: is the count in the bitmap zero?
 */
struct pd_sm_held {
	u32 nr;
	unsigned long bits[PD_SM_BITMAP_LONGS];
	unsigned long zero[PD_SM_BITMAP_LONGS];
};

/**
 * struct pd_sm_ops - what differs between the two kinds of map
 * @extend: see pd_sm_extend(); the new size is larger than the present one
 */
struct pd_sm_ops {
	int (*extend)(struct pd_sm *sm, pd_block_t nr_blocks);
};

/**
 * struct pd_sm - a space map; all of it under the metadata lock
 * @bm: block manager, all that reading needs
 * @tm: transaction manager, for changing
 * @ops: kind
 * @name: for log lines
 * @nr_blocks: size of the space
 * @nr_allocated: blocks with a working count of one or more
 * @nr_allocatable: I1
 * @nr_freed: I2
 * @first_usable: blocks below are never handed out, whatever their count
 * @index_root: data: root of the index tree; metadata: the index block
 * @overflow: the tree of counts of three or more
 * @overflow_root: its root
 * @overflow_known: the next two fields are about @overflow_root
 * @overflow_depth: see struct pd_sm_overflow
 * @overflow_leaves: see struct pd_sm_overflow
 * @windows: windows of PD_SM_WINDOW blocks with changed counts of three or more
 * @nr_windows: how many
 * @nr_window_runs: how many runs of adjacent windows they form
 * @nr_moved: see struct pd_sm_overflow
 * @nr_large: changed counts of three or more, about
 * @bitmaps: index entries in core
 * @nr_bitmaps: how many
 * @nr_full: how many have @full set
 * @marks: memory of the marks that follow
 * @pending: bitmaps with changes in the open overlay that are not applied yet
 * @index_dirty: those that differ from the index on disk
 * @touched: by overlay: those it has, or had, an entry for
 * @overlays: one open, one closed, see @open
 * @open: number of the open overlay
 * @nr_words: entries of the open overlay
 * @closing: the open overlay is being applied
 * @held: bitmap number → struct pd_sm_held
 * @cursor: where to look for free blocks first
 * @slots: bitmap i uses slot i % PD_SM_NR_SLOTS
 * @threshold: see pd_sm_set_threshold()
 * @threshold_armed: fire at or below @threshold
 * @threshold_fn: NULL: none
 * @threshold_context: for @threshold_fn
 */
struct pd_sm {
	struct pd_bm *bm;
	struct pd_tm *tm;
	const struct pd_sm_ops *ops;
	const char *name;

	pd_block_t nr_blocks;
	pd_block_t nr_allocated;
	pd_block_t nr_allocatable;
	pd_block_t nr_freed;
	pd_block_t first_usable;

	pd_block_t index_root;
	struct pd_btree overflow;
	pd_block_t overflow_root;
	bool overflow_known;
	u32 overflow_depth;
	u64 overflow_leaves;
	struct xarray windows;
	u64 nr_windows;
	u64 nr_window_runs;
	u64 nr_moved;
	u64 nr_large;

	struct pd_sm_bitmap *bitmaps;
	u32 nr_bitmaps;
	u32 nr_full;
	unsigned long *marks;
	struct pd_sm_marks pending;
	struct pd_sm_marks index_dirty;
	struct pd_sm_marks touched[2];

	struct xarray overlays[2];
	unsigned int open;
	u64 nr_words;
	bool closing;
	struct xarray held;

	pd_block_t cursor;
	struct pd_sm_slot *slots;

	pd_block_t threshold;
	bool threshold_armed;
	pd_sm_threshold_fn threshold_fn;
	void *threshold_context;
};

extern const struct pd_validator pd_sm_bitmap_validator;

static inline struct xarray *pd_sm_open_overlay(struct pd_sm *sm)
{
	return &sm->overlays[sm->open];
}

static inline struct xarray *pd_sm_closed_overlay(struct pd_sm *sm)
{
	return &sm->overlays[!sm->open];
}

/* ---- marks ---- */

/** pd_sm_is_marked() - is bitmap @i one of them? */
static inline bool pd_sm_is_marked(const struct pd_sm_marks *m, u32 i)
{
	return test_bit(i, m->bits);
}

/** pd_sm_mark() - add bitmap @i */
void pd_sm_mark(struct pd_sm_marks *m, u32 i);

/** pd_sm_unmark() - take bitmap @i out */
void pd_sm_unmark(struct pd_sm_marks *m, u32 i);

/**
 * pd_sm_next_marked() - walk through marked bitmaps in ascending order
 * @m: marks; may come and go meanwhile
 * @i: where to go on
 *
 * Return: the first one at or after @i, or @m->end or more: none.
 */
u32 pd_sm_next_marked(const struct pd_sm_marks *m, u32 i);

/* ---- geometry ---- */

/* Number of bitmaps for a space of @nr_blocks. */
u64 pd_sm_bitmaps_for(pd_block_t nr_blocks);

/* The bitmap that counts block @b, and the entry in it. */
u32 pd_sm_index_of(pd_block_t b, u32 *entry);

/* First block that bitmap @i counts. */
static inline pd_block_t pd_sm_first_block(u32 i)
{
	return (pd_block_t)i * PD_ENTRIES_PER_BITMAP;
}

/* Entries of bitmap @i that lie within the space. */
u32 pd_sm_nr_entries(const struct pd_sm *sm, u32 i);

/**
 * pd_sm_init() - what both kinds have in common
 * @bm: block manager
 * @tm: transaction manager
 * @ops: kind
 * @name: for log lines
 *
 * Return: an empty space map, or NULL if out of memory.
 */
struct pd_sm *pd_sm_init(struct pd_bm *bm, struct pd_tm *tm,
			 const struct pd_sm_ops *ops, const char *name);

/**
 * pd_sm_empty() - erase all entries (values) of an array
 * @xa: array, maybe of millions of entries
 *
 * Entry by entry: xa_destroy() would free them all with interrupts off.
 */
void pd_sm_empty(struct xarray *xa);

/** pd_sm_device() - device name for log lines */
const char *pd_sm_device(const struct pd_sm *sm);

/**
 * pd_sm_grow_index() - make room for index entries
 * @sm: space map
 * @nr_bitmaps: not fewer than before; new entries are zero
 *
 * Does not change @sm->nr_bitmaps.
 *
 * Return: 0, -ENOMEM.
 */
int __must_check pd_sm_grow_index(struct pd_sm *sm, u32 nr_bitmaps);

/**
 * pd_sm_set_size() - make the space larger
 * @sm: space map; the index has entries for all new bitmaps
 * @nr_blocks: new size
 *
 * Corrects nr_free of the bitmap that was the last one.
 *
 * Return: 0, or any error of reading that bitmap; then nothing is changed.
 */
int __must_check pd_sm_set_size(struct pd_sm *sm, pd_block_t nr_blocks);

/**
 * pd_sm_set_index_entry() - take over an entry read from disk
 * @sm: space map
 * @i: its number; there is room for it
 * @e: the entry
 *
 * Return: 0, -EILSEQ impossible block number (logged).
 */
int __must_check pd_sm_set_index_entry(struct pd_sm *sm, u32 i,
				       const struct pd_disk_index_entry *e);

/** pd_sm_get_index_entry() - an entry in the form to be written */
void pd_sm_get_index_entry(const struct pd_sm *sm, u32 i,
			   struct pd_disk_index_entry *e);

/** pd_sm_pack_root() - fill in the 32 bytes for the superblock */
void pd_sm_pack_root(const struct pd_sm *sm, void *root);

/** pd_sm_lose_allocatable() - @nr blocks became busy; maybe tell the owner */
void pd_sm_lose_allocatable(struct pd_sm *sm, pd_block_t nr);

/** pd_sm_arm_threshold() - rearm the threshold if enough is free */
void pd_sm_arm_threshold(struct pd_sm *sm);

/** pd_sm_slot_of() - the slot of bitmap @i if it is valid, else NULL */
struct pd_sm_slot *pd_sm_slot_of(struct pd_sm *sm, u32 i);

/** pd_sm_held_of() - holds in bitmap @i, NULL if none */
struct pd_sm_held *pd_sm_held_of(struct pd_sm *sm, u32 i);

/** pd_sm_held_word() - which are held of the 64 blocks of word @n of bitmap @i */
u64 pd_sm_held_word(struct pd_sm *sm, u32 i, u32 n);

/** pd_sm_clear_busy() - blocks @mask of word @n of bitmap @i became free */
void pd_sm_clear_busy(struct pd_sm *sm, u32 i, u32 n, u64 mask);

/** pd_sm_set_full() - bitmap @i has no free blocks, or may again have some */
void pd_sm_set_full(struct pd_sm *sm, u32 i, bool full);

/** pd_sm_free_holds() - forget all holds */
void pd_sm_free_holds(struct pd_sm *sm);

/* Messages prefixed with the names of the device and of the map. */
#define pd_sm_log(log, sm, fmt, ...)					\
do {									\
	const struct pd_sm *_sm = (sm);					\
									\
	log("%s: %s: " fmt, pd_sm_device(_sm), _sm->name, ##__VA_ARGS__); \
} while (0)
#define sm_err(sm, fmt, ...) pd_sm_log(DMERR, sm, fmt, ##__VA_ARGS__)
#define sm_err_limit(sm, fmt, ...) \
	pd_sm_log(DMERR_LIMIT, sm, fmt, ##__VA_ARGS__)
#define sm_warn(sm, fmt, ...) pd_sm_log(DMWARN, sm, fmt, ##__VA_ARGS__)

#endif /* PD_SPACE_MAP_COMMON_H */
