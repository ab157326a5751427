/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The state a pool is in.
 */
#ifndef THINX_MODE_H
#define THINX_MODE_H

#include "control/pool-types.h"

/** thinx_pool_mode_init() - a new pool: write mode, not announced */
void thinx_pool_mode_init(struct thinx_pool *pool);

/** thinx_pool_mode_exit() - stop timer and event work */
void thinx_pool_mode_exit(struct thinx_pool *pool);

/**
 * thinx_pool_set_mode() - the one place where the mode changes
 * @pool: pool
 * @mode: wanted; write becomes read-only while needs_check is set, and out of
 *	metadata space where there is none; fail is permanent
 *
 * Sets what the data path may do, logs, raises the event, starts and stops the
 * no-space timer.
 *
 * Context: May sleep, holds thinx_pool.mode_lock.
 */
void thinx_pool_set_mode(struct thinx_pool *pool, enum thinx_mode mode)
	__must_hold(&pool->mode_lock);

/**
 * thinx_pool_write_needs_check() - retry putting the flag on disk
 * @pool: pool; nothing happens if the flag is on disk
 *
 * Context: May sleep, holds thinx_pool.mode_lock.
 */
void thinx_pool_write_needs_check(struct thinx_pool *pool)
	__must_hold(&pool->mode_lock);

/**
 * thinx_pool_abandon() - the devices are about to go away
 * @pool: pool; volumes may still use it, but neither they nor anything else
 *	touches the devices any more
 *
 * Context: May sleep, holds thinx_pool.mode_lock.
 */
void thinx_pool_abandon(struct thinx_pool *pool)
	__must_hold(&pool->mode_lock);

/** thinx_pool_metadata_failed() - for struct thinx_plane_ops and messages */
void thinx_pool_metadata_failed(void *context, const char *what, int r);

/**
 * thinx_pool_space_changed() - leave a mode that lacks space if there is some
 * @pool: pool
 *
 * Or enter one, if metadata space has run out.
 *
 * Context: May sleep, takes thinx_pool.mode_lock.
 */
void thinx_pool_space_changed(struct thinx_pool *pool);

/** thinx_pool_arm_no_space() - start or restart the timer if it is due */
void thinx_pool_arm_no_space(struct thinx_pool *pool)
	__must_hold(&pool->mode_lock);

/** thinx_pool_plane_ops - what the data plane tells us */
extern const struct thinx_plane_ops thinx_pool_plane_ops;

/* Module parameter: seconds that writes wait for data space; 0: for ever. */
extern unsigned int thinx_no_space_timeout;

#endif /* THINX_MODE_H */
