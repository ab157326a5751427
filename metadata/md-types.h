/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Types exchanged between the metadata and its users.
 */
#ifndef THINX_MD_TYPES_H
#define THINX_MD_TYPES_H

#include "dm-thinx-types.h"

/* Maximum blocks of one run, and maximum runs of one removal step. */
#define THINX_MD_RUN_MAX 1024

/**
 * struct thinx_md_leaf - what one look-up learned
 * @begin: everything in [begin, end) is known: a block not listed is a hole
 * @end: one past the last block known; 0 stands for 2^64
 * @nr: entries
 * @keys: __le64[@nr], strictly increasing
 * @values: __le64[@nr], mapping values
 */
struct thinx_md_leaf {
	thinx_vblock_t begin;
	thinx_vblock_t end;
	u32 nr;
	const void *keys;
	const void *values;
};

typedef void (*thinx_md_leaf_fn)(void *context, const struct thinx_md_leaf *l);

/**
 * struct thinx_md_run - neighbouring data blocks
 * @begin: first
 * @end: one past the last
 */
struct thinx_md_run {
	thinx_dblock_t begin;
	thinx_dblock_t end;
};

/**
 * struct thinx_md_removal - unmapping a range in steps
 * @begin: first virtual block; moves forward
 * @end: one past the last
 * @want_freed: hold blocks whose count fell to zero and list them in @freed;
 *	the caller releases them (after passing the discard down)
 * @done: nothing left
 * @nr_freed: entries used in @freed
 * @freed: result of the last step
 */
struct thinx_md_removal {
	thinx_vblock_t begin;
	thinx_vblock_t end;
	bool want_freed;
	bool done;
	u32 nr_freed;
	struct thinx_md_run freed[THINX_MD_RUN_MAX];
};

/**
 * struct thinx_md_free - free data blocks to be held, in steps
 * @begin: next data block to look at; moves forward
 * @max: most blocks that a step holds
 * @done: nothing is left to look at
 * @nr_held: result of the last step: blocks held
 * @nr: result: entries used in @runs
 * @runs: result: what is held, ascending; neighbours are one run
 */
struct thinx_md_free {
	thinx_dblock_t begin;
	u64 max;
	bool done;
	u64 nr_held;
	u32 nr;
	struct thinx_md_run runs[THINX_MD_RUN_MAX];
};

/* Most pairs of devices in one change. */
#define THINX_MD_PAIRS_MAX 64

/**
 * struct thinx_md_pair - two devices of a change
 * @id: a device; the one to be made, if it is a snapshot
 * @other: the other one; its origin, if it is a snapshot
 */
struct thinx_md_pair {
	u32 id;
	u32 other;
};

/**
 * struct thinx_md_space - for status lines and decisions
 * @meta_total: metadata blocks
 * @meta_free: free metadata blocks, the reserve not subtracted
 * @meta_reserve: blocks kept back: min(4096, total / 10)
 * @meta_wanted: that many free blocks would have done for the change refused
 *	last; 0 if others of its kind were accepted since
 * @data_total: data blocks
 * @data_used: data blocks with a count
 * @data_allocatable: data blocks that can be handed out now
 * @data_pending: data blocks that become free when a commit completes or a
 *	hold ends
 */
struct thinx_md_space {
	u64 meta_total;
	u64 meta_free;
	u64 meta_reserve;
	u64 meta_wanted;
	u64 data_total;
	u64 data_used;
	u64 data_allocatable;
	u64 data_pending;
};

/** thinx_md_space_is_out() - is there no free metadata block but the reserve? */
static inline bool thinx_md_space_is_out(const struct thinx_md_space *s)
{
	return s->meta_free <= s->meta_reserve;
}

/** thinx_md_space_is_back() - is there room for what was refused? */
static inline bool thinx_md_space_is_back(const struct thinx_md_space *s)
{
	return !thinx_md_space_is_out(s) && s->meta_free >= s->meta_wanted;
}

/* What a query says about a run of virtual blocks. */
enum thinx_md_kind {
	/* a map */
	THINX_MD_OWN,		/* in nobody else's map */
	THINX_MD_SHARED,
	/* a comparison */
	THINX_MD_SAME,		/* the same data block, or none in both */
	THINX_MD_DIFFERENT,
	THINX_MD_LEFT_ONLY,
	THINX_MD_RIGHT_ONLY,
};

/**
 * struct thinx_md_range - a run of virtual blocks of which the same is true
 * @begin: first
 * @end: one past the last
 * @data_begin: a map: the data block of the first; the others follow
 * @kind: what is true
 */
struct thinx_md_range {
	thinx_vblock_t begin;
	thinx_vblock_t end;
	thinx_dblock_t data_begin;
	enum thinx_md_kind kind;
};

/**
 * struct thinx_md_stamp - says if the mappings of a device are still the same
 * @instance: a random number of each opening of the metadata
 * @change: rises with each change of the device's mappings, and with an abort
 */
struct thinx_md_stamp {
	u64 instance;
	u64 change;
};

/**
 * struct thinx_md_device_info - a thin device, as the list of them says
 * @id: device id
 * @in_use: a table has it, or a swap or a snapshot under way
 * @deleting: it is being deleted
 * @mapped: mapped blocks
 * @transaction_id: user space's, when it was made
 * @creation_time: the snapshot counter then
 * @snapshotted_time: and at its last snapshot
 */
struct thinx_md_device_info {
	u32 id;
	bool in_use;
	bool deleting;
	u64 mapped;
	u64 transaction_id;
	u32 creation_time;
	u32 snapshotted_time;
};

/* Most ranges or devices of a step; a step may have fewer for other reasons. */
#define THINX_MD_QUERY_RANGES	128

/**
 * struct thinx_md_query - a query, done in steps; zeroed before the first
 * @id: the device, or the two to compare
 * @from: the next virtual block, or device id, to look at; moves forward
 * @ahead: start reading more than the next block: set if blocks are missing
 * @missing: if -EAGAIN: the metadata block to wait for with thinx_md_wait()
 * @done: result: nothing is left
 * @stamp: result: of each device, at this step
 * @mapped: result: mapped blocks of each device, at this step
 * @nr_own: result of a usage step: mapped blocks in nobody else's map
 * @nr_nodes: result: metadata blocks looked at
 * @nr: result of other steps: entries used in @ranges or @devices
 * @ranges: result, in order; neighbours may be alike
 * @devices: result of a step of the list of devices, in order of ID
 */
struct thinx_md_query {
	u32 id[2];
	thinx_vblock_t from;
	bool ahead;
	u64 missing;
	bool done;
	struct thinx_md_stamp stamp[2];
	u64 mapped[2];
	u64 nr_own;
	u32 nr_nodes;
	u32 nr;
	union {
		struct thinx_md_range ranges[THINX_MD_QUERY_RANGES];
		struct thinx_md_device_info devices[THINX_MD_QUERY_RANGES];
	};
};

/**
 * struct thinx_md_commit_times - how long the parts of a commit took
 * @close_ns: closing the generation, under the metadata lock
 * @write_ns: flush of the data, metadata blocks, superblock
 * @complete_ns: completing the generation, under the metadata lock
 * @nr_blocks: metadata blocks made in the generation
 */
struct thinx_md_commit_times {
	u64 close_ns;
	u64 write_ns;
	u64 complete_ns;
	u64 nr_blocks;
};

/**
 * struct thinx_md_hooks - what the metadata asks of its user
 * @start_flush: start flushing the data device; called by a commit after the
 *	generation is closed and before any metadata is written.  If it fails,
 *	so does the commit
 * @end_flush: wait for that flush; called before the superblock is written.
 *	Both are called with no lock held but the commit mutex
 * @committed: a commit that wrote something is complete; called with no lock held but
 *	the commit mutex
 * @commit: commit between two steps of a change that takes many, when the
 *	transaction has become heavy or the next step has no room; called with no
 *	lock held
 * @commit_soon: have another thread commit: then a removal that has become heavy
 *	goes on as soon as its generation is closed, while that is written.
 *	Without it, or where there is no room, @commit is called
 * @space_low: metadata space is low, see thinx_md_set_threshold(); called with
 *	the metadata lock held: must not sleep
 *
 * Each may be NULL.
 */
struct thinx_md_hooks {
	int (*start_flush)(void *context);
	int (*end_flush)(void *context);
	void (*committed)(void *context, const struct thinx_md_commit_times *t);
	int (*commit)(void *context);
	void (*commit_soon)(void *context);
	void (*space_low)(void *context);
};

#endif /* THINX_MD_TYPES_H */
