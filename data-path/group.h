/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The objects of the slow path: the group, a handful of neighbouring blocks
 * handled together, and the update, a run of them that gets new data blocks.
 *
 *   deferred bios ──sort, merge──► group (holds one range)
 *                                    │ learn: what does the metadata say?
 *                                    │ plan: which blocks need new data blocks?
 *                                    ▼
 *              in place · hole · starved · update ──► data written ──► prepared
 *                                                                        │
 *            bios complete ◄── map cache, mappings, counts changed ◄─────┘
 *
 * I1  The group's range is held from before learning until each of its bios is
 *     submitted in place, completed, put aside, or has its update done.
 * I2  An update's mappings are inserted only after all its data (the bios',
 *     the zeros, the copies) is written; its bios complete only after that.
 */
#ifndef THINX_GROUP_H
#define THINX_GROUP_H

#include "data-path/bio.h"

/* Most blocks in a group, and so in a run that one update maps. */
#define THINX_GROUP_BLOCKS 64

/* What is to happen to the bios of a block. */
enum thinx_fate {
	THINX_IN_PLACE,		/* submit to thinx_group_block.word */
	THINX_HOLE,		/* read a hole, or leave it one */
	THINX_UPDATE,		/* wait for thinx_group_block.update */
	THINX_STARVED,		/* there is no space for it */
	THINX_LIMITED,		/* the volume may not map more: fail with ENOSPC */
	THINX_REFUSED,		/* fail with EIO */
};

/**
 * struct thinx_update - a run of blocks that gets new data blocks, or loses its own
 * @list: in thinx_volume.copied, prepared or undrained
 * @group: the group it belongs to
 * @vbegin: first virtual block
 * @dbegin: first new data block, held, unless @unmap
 * @nr: how many
 * @copy: break sharing: keep what the bios do not cover; else it is a hole
 * @source: first old data block if @copy and not @unmap; the others follow
 * @unmap: make holes of them; @copy is set, too, and nothing is written
 * @bios: W; struct thinx_bio by sector, whose data goes to the new blocks
 * @drain: W; ticket of the drain it waits for
 * @pending: A; writes and copies under way, plus one while it is started
 * @status: A; first error of any of them
 * @retried: W; inserting ran out of metadata space once
 * @refused: W; and again, after a commit: the bios have to wait for space
 * @bios_wait: I once started; the bios are written after the copy
 * @zeros_failed: A; the data device did not write zeros by itself
 * @since: W; ns; when its present stage began
 */
struct thinx_update {
	struct list_head list;
	struct thinx_group *group;
	thinx_vblock_t vbegin;
	thinx_dblock_t dbegin;
	thinx_dblock_t source;
	struct list_head bios;
	unsigned long drain;
	atomic_t pending;
	u32 nr;
	bool copy;
	bool unmap;
	bool retried;
	bool refused;
	bool bios_wait;
	bool zeros_failed;
	blk_status_t status;
	u64 since;
};

/**
 * struct thinx_group_block - one block of a group
 * @word: what the map cache or the metadata said
 * @fate: what to do with bios on it
 * @update: the update it belongs to, if that is its fate
 * @own: memory of the update that begins at this block
 */
struct thinx_group_block {
	thinx_word_t word;
	enum thinx_fate fate;
	struct thinx_update *update;
	struct thinx_update own;
};

/**
 * struct thinx_group - neighbouring blocks handled together
 * @list: W; in the list of groups of one pass, or thinx_volume.unlearned
 * @volume: I
 * @port: I; of all its bios
 * @range: held
 * @refs: A; one for the planner, one for each update
 * @bios: W; struct thinx_bio by sector
 * @begin: I; first virtual block
 * @nr: I; blocks
 * @nr_aborts: I; thinx_plane.nr_aborts before it learned
 * @missing: W; metadata block that has to be read before it can learn more
 * @nr_waits: W; how often it waited for one
 * @since: W; ns; when it began to learn
 * @pooled: I; came from the mempool
 * @is_write: I; all bios write, or all read
 * @is_zeroes: I; its only bio is a request for zeros
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
	u64 missing;
	unsigned int nr_waits;
	u64 since;
	bool pooled;
	bool is_write;
	bool is_zeroes;
	struct thinx_group_block blocks[];
};

/** thinx_group_size() - bytes of a group of @nr blocks */
size_t thinx_group_size(unsigned int nr);

/**
 * thinx_group_alloc() - allocate a group without bios, range or words
 * @v: volume
 * @nr: blocks, at most THINX_GROUP_BLOCKS
 *
 * Context: May sleep, but waits for no memory that others hold.
 * Return: the group, or NULL if there is no memory, not even in the reserve.
 */
struct thinx_group *thinx_group_alloc(struct thinx_volume *v, u32 nr);

/** thinx_group_free_unused() - free a group without range and bios */
void thinx_group_free_unused(struct thinx_group *g);

/** thinx_group_put() - drop a reference; the last one releases the range */
void thinx_group_put(struct thinx_group *g);

/**
 * thinx_update_part_done() - one of the writes of an update ended
 * @u: update
 * @status: its status
 *
 * Context: Any.
 */
void thinx_update_part_done(struct thinx_update *u, blk_status_t status);

/**
 * thinx_update_copied() - the copy that an update's bios waited for is written
 * @u: update; the copy's part of @pending passes to the worker
 *
 * Context: Any.
 */
void thinx_update_copied(struct thinx_update *u);

#endif /* THINX_GROUP_H */
