/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * One thin device as the data path sees it, shared by all tables that use its
 * id.
 *
 *   dm table ── thinx_port ──┐
 *   dm table ── thinx_port ──┴─► thinx_volume ──► gate, range lock, map cache
 *                                 │
 *                                 ├ deferred   bios that need the slow path
 *                                 ├ unlearned  groups that wait for metadata
 *                                 ├ copied     updates whose copy is written
 *                                 ├ prepared   updates whose data is written
 *                                 ├ undrained  those that wait for old reads to end
 *                                 ├ queued     discards whose turn will come
 *                                 ├ discards   being worked on, step by step
 *                                 ├ zeroes     likewise requests for zeros
 *                                 └ starved    writes that found no space
 *
 * The slow path of a volume is one work item, so everything marked W below is
 * touched by one thread at a time.
 *
 * I1  A bio is inside the gate (thinx_bio.in_gate) only while it uses a
 *     mapping; every list above holds bios that are outside.
 * I2  A deferred READ or WRITE holds a range over its blocks while the slow
 *     path decides about it, so what it finds cannot change meanwhile.
 * I3  Every mapping change of the volume is made by its worker with the range
 *     held (creating a snapshot changes no mapping).  Exchanging its contents
 *     with another volume's is not one either: nobody is at work on it then.
 */
#ifndef THINX_VOLUME_H
#define THINX_VOLUME_H

#include <linux/blk_types.h>
#include <linux/cache.h>
#include <linux/list.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "data-path/gate.h"
#include "data-path/map-cache.h"
#include "data-path/plane-types.h"
#include "data-path/range-lock.h"

struct dm_target;
struct thinx_fill;

/* When so many pieces of requests for zeros are left, more can be made. */
#define THINX_ZERO_PIECES 32

/**
 * struct thinx_volume - one thin device
 * @plane: I
 * @dev: I; the metadata's view
 * @id: I; device id
 * @gate: see data-path/gate.h
 * @cache: see data-path/map-cache.h
 * @ranges: see data-path/range-lock.h
 * @lock: irq-safe
 * @deferred: L:lock; struct thinx_bio
 * @copied: L:lock; struct thinx_update
 * @prepared: L:lock; struct thinx_update
 * @starved: L:lock; struct thinx_bio
 * @undrained: W; struct thinx_update by ticket of the drain that they wait for
 * @unlearned: W; struct thinx_group that wait for metadata to be read
 * @queued: W; struct thinx_discard in order of arrival
 * @discards: W; those whose turn it is, each with a held range
 * @zeroes: W; struct thinx_bio in order of arrival, see data-path/zero-range.c
 * @nr_zero_pieces: A; pieces of them under way
 * @filling: L:metadata lock; holes to which updates under way give blocks
 * @claimed: likewise; holes that will be filled because a message asked for it
 * @turn: W; ticket of the drain that they wait for
 * @work: the slow path
 * @awaited: W; generation whose commit discards wait for, 0: none
 * @list: in thinx_plane.volumes
 * @by_id: in thinx_plane.by_id
 * @waiting: in thinx_plane.waiting or empty, under its lock
 * @ports: under thinx_plane.volumes_lock; struct thinx_port
 * @pins: likewise; how many others keep it from being destroyed
 * @users: likewise; how many use it without a table
 * @stats: A; last: see data-path/stats.h
 *
 * What a mapped bio reads comes first: nothing in these cache lines is written
 * by the slow path.
 */
struct thinx_volume {
	struct thinx_plane *plane;
	struct thinx_md_dev *dev;
	u32 id;
	struct thinx_gate gate;
	struct thinx_map_cache cache;
	struct thinx_range_lock ranges ____cacheline_aligned;
	spinlock_t lock;
	struct list_head deferred;
	struct list_head copied;
	struct list_head prepared;
	struct list_head starved;
	struct list_head undrained;
	struct list_head unlearned;
	struct list_head queued;
	struct list_head discards;
	struct list_head zeroes;
	atomic_t nr_zero_pieces;
	u64 filling;
	u64 claimed;
	struct work_struct work;
	unsigned long turn;
	u64 awaited;
	struct list_head list;
	struct hlist_node by_id;
	struct list_head waiting;
	struct list_head ports;
	unsigned int pins;
	unsigned int users;
	struct thinx_volume_stats stats ____cacheline_aligned;
};

/**
 * struct thinx_port - one table's access to a volume
 * @list: in thinx_volume.ports
 * @by_disk: in thinx_plane.by_disk
 * @by_origin: in thinx_plane.by_origin, if it has an origin
 * @volume: I
 * @ti: I; the table's target
 * @requeue: A; a noflush suspend: give bios back to dm core
 * @live: L:thinx_plane.volumes_lock; bios may be under way in it
 * @keeps_blocks: I; requests for zeros unmap no blocks of its own
 * @fill: I; it is part of this one, and of no table
 * @origin: I; external origin, which holes show; NULL: zeros
 * @origin_sectors: its size, read at each resume; zeros past it
 */
struct thinx_port {
	struct list_head list;
	struct hlist_node by_disk;
	struct hlist_node by_origin;
	struct thinx_volume *volume;
	struct dm_target *ti;
	bool requeue;
	bool live;
	bool keeps_blocks;
	struct thinx_fill *fill;
	struct block_device *origin;
	sector_t origin_sectors;
};

/**
 * thinx_port_requeues() - do bios go back to dm core?
 * @port: port
 *
 * dm core takes them only while it suspends without flushing; when such a
 * suspend is interrupted, dm_noflush_suspending() says so before we are told.
 * A bio with pieces under way ends only after them: if the suspend has been
 * interrupted by then, dm core makes it an error, as with a bio that it split
 * itself.
 */
bool thinx_port_requeues(struct thinx_port *port);

/**
 * thinx_port_open() - a table begins to use a volume
 * @port: zeroed memory with ti set, and origin if there is one
 * @plane: the pool's data plane
 * @id: device id
 *
 * Context: May sleep.
 * Return: 0; -ENODATA: no such device; -ELOOP: its external origin is in the
 * pool, or it is the origin of a volume there; -ENOMEM; what
 * thinx_md_open_device() returns.
 */
int __must_check thinx_port_open(struct thinx_port *port,
				 struct thinx_plane *plane, u32 id);

/**
 * thinx_port_close() - a table is gone
 * @port: no bio is under way in it
 *
 * Context: May sleep.
 */
void thinx_port_close(struct thinx_port *port);

/**
 * thinx_port_requeue() - noflush suspend begins or ends
 * @port: port
 * @on: give deferred bios, present and future, back to dm core
 *
 * Context: May sleep.
 */
void thinx_port_requeue(struct thinx_port *port, bool on);

/**
 * thinx_port_set_live() - the table is resumed, or all its bios are out
 * @port: port
 * @live: may bios come in from now on?
 *
 * Context: May sleep.
 */
void thinx_port_set_live(struct thinx_port *port, bool live);

/**
 * thinx_volume_pin() - keep a volume from being destroyed
 * @v: volume; stays in thinx_plane.volumes until thinx_volume_unpin()
 *
 * Context: May sleep, holds thinx_plane.volumes_lock.
 */
void thinx_volume_pin(struct thinx_volume *v);

/** thinx_volume_unpin() - undo thinx_volume_pin(), under the same lock */
void thinx_volume_unpin(struct thinx_volume *v);

/**
 * thinx_volume_use() - use a volume, whether a table does or not
 * @plane: plane, not quiesced
 * @id: device
 * @result: the volume, until thinx_volume_unuse()
 *
 * Context: May sleep.
 * Return: 0; -ELOOP a table of it has an external origin; -ENODATA: no such device;
 * -ENOMEM; what thinx_md_open_device() returns.
 */
int __must_check thinx_volume_use(struct thinx_plane *plane, u32 id,
				  struct thinx_volume **result);

/** thinx_volume_unuse() - no longer; nothing of the user is under way in it */
void thinx_volume_unuse(struct thinx_volume *v);

/** thinx_volume_has_origin() - has a table of it an external origin now? */
bool thinx_volume_has_origin(struct thinx_volume *v);

/**
 * struct thinx_stop - a device whose writes are stopped
 * @list: in thinx_plane.stops
 * @id: I; device
 * @volume: L:thinx_plane.volumes_lock; pinned, its gate closed; NULL as long as
 *	no table uses the device
 */
struct thinx_stop {
	struct list_head list;
	u32 id;
	struct thinx_volume *volume;
};

/**
 * thinx_volume_stop_writes() - stop writes before snapshots are made
 * @plane: plane
 * @stops: devices, their ids set; memory until thinx_volume_allow_writes()
 * @nr: how many
 *
 * On return no bio uses a mapping of the devices, and none will until
 * thinx_volume_allow_writes(), not even if a table begins to use one only then.
 *
 * Context: May sleep, as long as the slowest bio under way to the devices takes.
 */
void thinx_volume_stop_writes(struct thinx_plane *plane,
			      struct thinx_stop *stops, unsigned int nr);

/**
 * thinx_volume_stop_all() - stop everything before contents are exchanged
 * @plane: plane
 * @stops: as for thinx_volume_stop_writes()
 * @nr: how many
 * @busy: on failure: a device that is in use
 *
 * On return nobody is at work on the devices, the slow path included; what comes
 * in when a table is resumed meanwhile waits.
 *
 * Context: May sleep.
 * Return: 0; -EBUSY a table that is not suspended, or a message, uses one: nothing
 * was stopped.
 */
int __must_check thinx_volume_stop_all(struct thinx_plane *plane,
				       struct thinx_stop *stops,
				       unsigned int nr, u32 *busy);

/**
 * thinx_volume_forget() - drop the map caches of what is stopped
 * @plane: plane
 * @stops: stopped
 * @nr: how many
 *
 * Context: May sleep.
 */
void thinx_volume_forget(struct thinx_plane *plane, struct thinx_stop *stops,
			 unsigned int nr);

/** thinx_volume_allow_writes() - undo either */
void thinx_volume_allow_writes(struct thinx_plane *plane,
			       struct thinx_stop *stops, unsigned int nr);

/** thinx_volume_kick() - let the worker run */
void thinx_volume_kick(struct thinx_volume *v);

/** thinx_volume_unlock_range() - release a range, defer its waiters */
void thinx_volume_unlock_range(struct thinx_volume *v, struct thinx_range *r);

/**
 * thinx_volume_waits() - let thinx_volumes_retry_starved() find a volume
 * @v: volume
 *
 * Afterwards the caller looks once more at what it waits for: what had changed
 * by then, nobody will tell.
 *
 * Context: Any.
 */
void thinx_volume_waits(struct thinx_volume *v);

/** thinx_volume_waits_locked() - the same under thinx_plane.waiting_lock */
void thinx_volume_waits_locked(struct thinx_volume *v);

/**
 * thinx_volumes_retry_starved() - retry what waits for space or for a commit
 * @plane: plane
 *
 * Writes that found no data block and discards that could not go on.  Also to
 * be called when capabilities changed, so that both are judged again.  Nothing
 * happens to volumes in which nothing waits.
 *
 * Context: Any.
 */
void thinx_volumes_retry_starved(struct thinx_plane *plane);

/**
 * thinx_volumes_kick() - let the workers of all volumes run
 * @plane: plane
 *
 * Context: May sleep.
 */
void thinx_volumes_kick(struct thinx_plane *plane);

/**
 * thinx_volume_sees_shared() - may a mapping of the volume be shared?
 * @v: volume
 * @word: the mapping
 *
 * A block is assumed shared if it was mapped before the last snapshot of the
 * volume.  The answer holds only while the caller is inside the gate: a snapshot
 * closes and drains it.
 */
static inline bool thinx_volume_sees_shared(const struct thinx_volume *v,
					    thinx_word_t word)
{
	return thinx_mapping_time(word) < thinx_md_dev_snapshotted_time(v->dev);
}

/* ---- numbers ---- */

/** thinx_volume_count() - count something of a volume, and of its pool */
void thinx_volume_count(struct thinx_volume *v, enum thinx_counter c, u64 nr);

/** thinx_volume_time() - note how long something took since @began, ns */
void thinx_volume_time(struct thinx_volume *v, enum thinx_time t, u64 began);

/**
 * thinx_volume_get_stats() - the numbers of a volume
 * @plane: plane
 * @id: device
 * @copy: result
 * @reset: begin them again at zero
 *
 * Context: May sleep.
 * Return: 0, -ENODATA no table uses the device.
 */
int __must_check thinx_volume_get_stats(struct thinx_plane *plane, u32 id,
					struct thinx_stats *copy, bool reset);

#endif /* THINX_VOLUME_H */
