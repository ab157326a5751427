/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What the files of the slow path share: the group, a handful of neighbouring
 * blocks decided about together, and the update, a run of them that gets new
 * data blocks.
 *
 *   deferred bios ──sort, merge──► group (holds one range)
 *                                    │ learn: what does the metadata say?
 *                                    │ plan: which blocks need new data blocks?
 *                                    ▼
 *              in place · hole · starved · update ──► data written ──► prepared
 *                                                                        │
 *            bios complete ◄── map cache, mappings, counts changed ◄─────┘
 *
 * I1  The group's range is held from before learning until every bio of it was
 *     submitted in place, completed, put aside, or its update is done.
 * I2  An update's mappings are inserted only after all its data (the bios',
 *     the zeros, the copies) is written; its bios complete only after that.
 */
#ifndef THINX_SLOW_PATH_H
#define THINX_SLOW_PATH_H

#include "data-path/volume.h"

/* What is to happen to the bios of a block. */
enum thinx_fate {
	THINX_IN_PLACE,		/* submit to the block in thinx_group_block.word */
	THINX_HOLE,		/* a hole is read */
	THINX_UPDATE,		/* wait for thinx_group_block.update */
	THINX_STARVED,		/* no data block is free */
	THINX_REFUSED,		/* fail with EIO */
};

/**
 * struct thinx_update - a run of blocks that gets new data blocks
 * @list: in thinx_volume.copied or thinx_volume.prepared
 * @group: the group it belongs to
 * @vbegin: first virtual block
 * @dbegin: first new data block, held
 * @nr: how many
 * @copy: break sharing: keep what the bios do not cover; else it is a hole
 * @source: first old data block if @copy; the others follow
 * @bios: W; struct thinx_bio by sector, whose data goes to the new blocks
 * @pending: A; writes and copies under way, and one while it is started
 * @status: A; first error of any of them
 * @retried: W; inserting met a lack of metadata space once
 * @bios_wait: I once started; the bios are written when the copy is
 */
struct thinx_update {
	struct list_head list;
	struct thinx_group *group;
	thinx_vblock_t vbegin;
	thinx_dblock_t dbegin;
	thinx_dblock_t source;
	struct list_head bios;
	atomic_t pending;
	u32 nr;
	bool copy;
	bool retried;
	bool bios_wait;
	blk_status_t status;
};

/**
 * struct thinx_group_block - one block of a group
 * @word: what the map cache or the metadata said
 * @fate: what to do with bios on it
 * @update: the update it belongs to, if that is its fate
 * @own: memory of the update that begins at this block
 */
struct thinx_group_block {
	u64 word;
	enum thinx_fate fate;
	struct thinx_update *update;
	struct thinx_update own;
};

/**
 * struct thinx_group - neighbouring blocks decided about together
 * @list: W; in the list of groups of one pass
 * @volume: I
 * @port: I; of all its bios
 * @range: held
 * @refs: A; one of the planner, one of each update
 * @bios: W; struct thinx_bio by sector
 * @begin: I; first virtual block
 * @nr: I; blocks
 * @nr_aborts: I; thinx_plane.nr_aborts before it learned
 * @pooled: I; came from the mempool
 * @is_write: I; all bios write, or all read
 * @blocks: W
 */
struct thinx_group {
	struct list_head list;
	struct thinx_volume *volume;
	struct thinx_port *port;
	struct thinx_range range;
	atomic_t refs;
	struct list_head bios;
	thinx_vblock_t begin;
	u32 nr;
	unsigned int nr_aborts;
	bool pooled;
	bool is_write;
	struct thinx_group_block blocks[];
};

/** thinx_group_size() - bytes of a group of @nr blocks */
size_t thinx_group_size(unsigned int nr);

/** thinx_group_put() - drop a reference; the last one lets the range go */
void thinx_group_put(struct thinx_group *g);

/**
 * thinx_plan() - decide about the write groups of a pass, in one hold of the
 * metadata lock
 * @v: volume
 * @groups: struct thinx_group whose blocks have words
 *
 * Every block of a write group has a fate afterwards.
 *
 * Context: The volume's worker.
 */
void thinx_plan(struct thinx_volume *v, struct list_head *groups);

/**
 * struct thinx_pass - what became of the bios of one pass of the worker
 * @starved: one found no free data block
 * @no_memory: one is deferred again for want of memory
 */
struct thinx_pass {
	bool starved;
	bool no_memory;
};

/**
 * thinx_dispatch_group() - send the bios of a group their ways, start its updates
 * @g: every block has a fate; the reference is consumed
 * @pass: what became of them is added
 *
 * Context: The volume's worker.
 */
void thinx_dispatch_group(struct thinx_group *g, struct thinx_pass *pass);

/** thinx_update_start() - write an update's data; all its bios are known */
void thinx_update_start(struct thinx_update *u);

/**
 * thinx_update_part_done() - one of the writes of an update ended
 * @u: update
 * @status: how
 *
 * Context: Any.
 */
void thinx_update_part_done(struct thinx_update *u, blk_status_t status);

/**
 * thinx_update_fill_gaps() - fill in what the bios do not cover
 * @u: update; its bios are sorted by sector
 *
 * Starts the writes; each ends in thinx_update_part_done().
 *
 * Return: true if the bios may be written meanwhile; else that happens as soon
 * as what they lie in is written.
 */
bool thinx_update_fill_gaps(struct thinx_update *u);

/**
 * thinx_update_copied() - the copy that the bios of an update waited for is written
 * @u: update; its part that is the copy becomes the worker's
 *
 * Context: Any.
 */
void thinx_update_copied(struct thinx_update *u);

/** thinx_process_copied() - write the bios of updates that are copied */
void thinx_process_copied(struct thinx_volume *v);

/** thinx_process_prepared() - insert the mappings of finished updates */
void thinx_process_prepared(struct thinx_volume *v);

/**
 * thinx_discard_start() - a deferred discard
 * @v: volume
 * @tb: the bio; completed, queued behind a range, or added to @started
 * @started: struct thinx_discard that hold their range now
 */
void thinx_discard_start(struct thinx_volume *v, struct thinx_bio *tb,
			 struct list_head *started);

/** thinx_discards_drain() - make discards just started ready for the metadata */
void thinx_discards_drain(struct thinx_volume *v, struct list_head *started);

/**
 * thinx_process_discards() - some steps of the volume's discards
 * @v: volume
 *
 * Return: true if there is more to do.
 */
bool thinx_process_discards(struct thinx_volume *v);

/**
 * thinx_bio_submit() - send a remapped bio or piece down
 * @tb: its state
 * @bio: bio or piece
 *
 * Context: The volume's worker, and nobody else: dm core takes one piece of a bio
 * at a time.
 */
void thinx_bio_submit(struct thinx_bio *tb, struct bio *bio);

#endif /* THINX_SLOW_PATH_H */
