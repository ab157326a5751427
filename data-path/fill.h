/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Giving blocks to holes because somebody asks, not because they are written.
 */
#ifndef THINX_FILL_H
#define THINX_FILL_H

#include <linux/blk_types.h>
#include <linux/wait.h>

#include "data-path/volume.h"

/**
 * struct thinx_fill - a run of holes that gets blocks
 * @port: the way of its bios into the volume; of no table
 * @claimed: L:metadata lock; data blocks set aside for it
 * @idle: woken when a bio ends
 * @nr_pending: L:idle.lock, read lock-free; bios under way
 * @status: likewise; the first error
 */
struct thinx_fill {
	struct thinx_port port;
	u64 claimed;
	wait_queue_head_t idle;
	unsigned int nr_pending;
	blk_status_t status;
};

/**
 * struct thinx_fill_room - why a claim was refused
 * @nr_free: data blocks that the device may have
 * @mapped: blocks that it maps, or will, without the claim
 * @limit: most that it may map, or THINX_NO_LIMIT
 */
struct thinx_fill_room {
	u64 nr_free;
	u64 mapped;
	u64 limit;
};

/**
 * thinx_fill_begin() - prepare to fill holes of a device
 * @f: memory
 * @plane: plane, not quiesced, nor will it be before thinx_fill_end()
 * @id: device, in a table or not
 *
 * Context: May sleep.
 * Return: as thinx_volume_use().
 */
int __must_check thinx_fill_begin(struct thinx_fill *f,
				  struct thinx_plane *plane, u32 id);

/**
 * thinx_fill_claim() - set data blocks aside
 * @f: begun
 * @nr: how many, besides those it has
 * @room: result
 *
 * Context: May sleep; no locks held.
 * Return: 0, -ENOSPC.
 */
int __must_check thinx_fill_claim(struct thinx_fill *f, u64 nr,
				  struct thinx_fill_room *room);

/** thinx_fill_unclaim_locked() - some of them are being taken; metadata lock */
void thinx_fill_unclaim_locked(struct thinx_fill *f, u64 nr);

/** thinx_fill_step() - most blocks of a thinx_fill_send() */
u64 thinx_fill_step(struct thinx_plane *plane);

/**
 * thinx_fill_send() - give blocks to the holes of a run
 * @f: begun
 * @begin: first virtual block
 * @end: one past the last, at most thinx_fill_step() from @begin
 *
 * Waits until few are under way, not for this one.  What is mapped stays as it
 * is, shared or not.
 *
 * Context: May sleep; no locks held.
 * Return: 0; errors of any that have ended: -ENOSPC there were more holes than were
 * claimed, or there is no metadata space; -EIO.
 */
int __must_check thinx_fill_send(struct thinx_fill *f, thinx_vblock_t begin,
				 thinx_vblock_t end);

/** thinx_fill_wait() - wait for all; returns the first error, and forgets it */
int __must_check thinx_fill_wait(struct thinx_fill *f);

/**
 * thinx_fill_end() - undo thinx_fill_begin(), give up what is claimed
 * @f: begun, nothing under way
 *
 * Context: May sleep; no locks held.
 */
void thinx_fill_end(struct thinx_fill *f);

#endif /* THINX_FILL_H */
