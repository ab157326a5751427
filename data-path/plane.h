/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The data plane of one pool: what the control plane may do with it.  Its state
 * is in plane-types.h.
 */
#ifndef THINX_PLANE_H
#define THINX_PLANE_H

#include "data-path/plane-types.h"

struct dm_kcopyd_throttle;

/**
 * thinx_plane_init() - initialize the data plane of a pool; it starts quiesced
 * @plane: zeroed memory
 * @md: open metadata; outlives the plane
 * @data_bdev: data device
 * @block_sectors: data block size, sectors
 * @name: for log lines; outlives the plane
 * @ops: what to tell the control plane
 * @context: argument of @ops
 *
 * Context: May sleep.
 * Return: 0, -ENOMEM.
 */
int __must_check thinx_plane_init(struct thinx_plane *plane,
				  struct thinx_md *md,
				  struct block_device *data_bdev,
				  u32 block_sectors, const char *name,
				  const struct thinx_plane_ops *ops,
				  void *context);

/**
 * thinx_plane_exit() - free it
 * @plane: no volume is left
 *
 * Context: May sleep.
 */
void thinx_plane_exit(struct thinx_plane *plane);

/**
 * thinx_plane_set_data_device() - look again at the data device
 * @plane: quiesced
 * @bdev: what it is now
 *
 * Context: Any.
 */
void thinx_plane_set_data_device(struct thinx_plane *plane,
				 struct block_device *bdev);

/**
 * thinx_plane_quiesce() - stop new I/O and wait for what is under way
 * @plane: plane
 *
 * Bios that come later wait inside the volumes.  Does not commit; see also
 * thinx_passdown_flush().  Does nothing if already quiesced.
 *
 * Context: May sleep.
 */
void thinx_plane_quiesce(struct thinx_plane *plane);

/**
 * thinx_plane_unquiesce() - undo thinx_plane_quiesce() and run what waited
 * @plane: plane
 *
 * Context: May sleep.
 */
void thinx_plane_unquiesce(struct thinx_plane *plane);

/**
 * thinx_plane_abort() - roll all volumes back to the last commit
 * @plane: plane
 *
 * Closes and drains every gate, forgets passdowns that wait for a commit,
 * aborts the metadata, drops every map cache, opens the gates.
 *
 * Context: May sleep; outside any gate.
 * Return: what thinx_md_abort() returns.
 */
int __must_check thinx_plane_abort(struct thinx_plane *plane);

/* Its throttle is a module parameter: percentage of time for copying blocks. */
extern struct dm_kcopyd_throttle thinx_copy_throttle;

#endif /* THINX_PLANE_H */
