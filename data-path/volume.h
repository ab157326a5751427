/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * One thin device as the data path sees it, shared by all tables that use its
 * id, and the state each bio carries.
 *
 *   dm table ── thinx_port ──┐
 *   dm table ── thinx_port ──┴─► thinx_volume ──► gate, range lock, map cache
 *                                     │
 *                                     ├ deferred   bios that need the slow path
 *                                     ├ copied     updates whose bios may be written now
 *                                     ├ prepared   updates whose data is written
 *                                     ├ discards   being worked on, step by step
 *                                     └ starved    writes that found no data block
 *
 * The slow path of a volume is one work item, so everything marked W below is
 * touched by one thread at a time.
 *
 * I1  A bio is inside the gate (thinx_bio.in_gate) only while it runs on a
 *     mapping; every list above holds bios that are outside.
 * I2  A deferred READ or WRITE holds a range over its blocks while the slow
 *     path decides about it, so what it finds cannot change meanwhile.
 * I3  Every mapping change of the volume is made by its worker with the range
 *     held (creating a snapshot changes no mapping).
 */
#ifndef THINX_VOLUME_H
#define THINX_VOLUME_H

#include <linux/blk_types.h>
#include <linux/list.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "data-path/gate.h"
#include "data-path/map-cache.h"
#include "data-path/plane.h"
#include "data-path/range-lock.h"

struct dm_target;

/* A group, and so a run that one update maps, has at most so many blocks. */
#define THINX_GROUP_BLOCKS 64

/**
 * struct thinx_volume - one thin device
 * @list: in thinx_plane.volumes
 * @plane: I
 * @dev: I; metadata's view
 * @id: I; device id
 * @ports: under thinx_plane.volumes_lock; struct thinx_port
 * @gate: see data-path/gate.h
 * @ranges: see data-path/range-lock.h
 * @cache: see data-path/map-cache.h
 * @lock: irq-safe
 * @deferred: L:lock; struct thinx_bio
 * @copied: L:lock; struct thinx_update
 * @prepared: L:lock; struct thinx_update
 * @starved: L:lock; struct thinx_bio
 * @discards: W; struct thinx_discard, each with a held range
 * @work: the slow path
 * @removal: W; scratch of the discard
 * @awaited: W; generation whose commit discards wait for, 0: none
 */
struct thinx_volume {
	struct list_head list;
	struct thinx_plane *plane;
	struct thinx_md_dev *dev;
	u32 id;
	struct list_head ports;
	struct thinx_gate gate;
	struct thinx_range_lock ranges;
	struct thinx_map_cache cache;
	spinlock_t lock;
	struct list_head deferred;
	struct list_head copied;
	struct list_head prepared;
	struct list_head starved;
	struct list_head discards;
	struct work_struct work;
	struct thinx_md_removal *removal;
	u64 awaited;
};

/**
 * struct thinx_port - one table's door to a volume
 * @list: in thinx_volume.ports
 * @volume: I
 * @ti: I; the table's target
 * @requeue: A; a noflush suspend: give bios back to dm core
 * @origin: I; external origin, what holes show; NULL: zeros
 * @origin_sectors: its size, read at each resume; behind it are zeros
 */
struct thinx_port {
	struct list_head list;
	struct thinx_volume *volume;
	struct dm_target *ti;
	bool requeue;
	struct block_device *origin;
	sector_t origin_sectors;
};

/**
 * thinx_port_requeues() - do bios go back to dm core?
 * @port: port
 *
 * dm core takes them only while it suspends without flushing; when such a
 * suspend is interrupted it says so before it tells us.  A bio some pieces of which
 * are under way ends only after them: if the suspend is interrupted by then, dm core
 * makes it an error, as with a bio that it cut itself.
 */
bool thinx_port_requeues(struct thinx_port *port);

struct thinx_update;

/**
 * struct thinx_bio - what a bio carries through the data path
 * @port: where it came in
 * @update: the update that waits for this bio's data, or NULL
 * @parent: for a piece: the bio it was cut off
 * @list: in one of the lists above or in thinx_commit.waiters
 * @waiter: while it waits for a range
 * @epoch: of the gate, if @in_gate
 * @in_gate: must leave the gate when it completes
 * @await_commit: once its data is written, hold it until a commit
 * @fua: was submitted with REQ_FUA, which the block layer may have cleared
 * @is_piece: cut off another bio, lives in thinx_plane.pieces
 * @is_counted: in thinx_plane.nr_reserved
 * @is_cut: a part of it is on its way in pieces, so that all of it has to be
 *
 * dm core keeps it beside its clones and does not clear it.
 */
struct thinx_bio {
	struct thinx_port *port;
	struct thinx_update *update;
	struct bio *parent;
	union {
		struct list_head list;
		struct thinx_range_waiter waiter;
	};
	unsigned int epoch;
	bool in_gate;
	bool await_commit;
	bool fua;
	bool is_piece;
	bool is_counted;
	bool is_cut;
};

/**
 * struct thinx_piece - a bio of thinx_plane.pieces
 * @state: its state
 * @bio: the bio, last
 */
struct thinx_piece {
	struct thinx_bio state;
	struct bio bio;
};

/** thinx_bio_of() - the bio a state belongs to */
struct bio *thinx_bio_of(struct thinx_bio *tb);

/** thinx_bio_state() - the state of a bio on plane @plane */
struct thinx_bio *thinx_bio_state(struct thinx_plane *plane, struct bio *bio);

/* ---- life ---- */

/**
 * thinx_port_open() - a table begins to use a volume
 * @port: zeroed memory, ti set, and origin if there is one
 * @plane: the pool's data plane
 * @id: device id
 *
 * Context: May sleep.
 * Return: 0; -ENODATA no such device; -ELOOP its external origin is in the pool,
 * or it is the origin of a volume there; -ENOMEM; what thinx_md_open_device()
 * says.
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
 * @on: give deferred bios, also those to come, back to dm core
 *
 * Context: May sleep.
 */
void thinx_port_requeue(struct thinx_port *port, bool on);

/**
 * thinx_volume_stop_writes() - before a snapshot of it is made
 * @plane: plane
 * @id: device; nothing happens if no table uses it
 *
 * On return no bio runs on a mapping of the volume, and none will until
 * thinx_volume_allow_writes().  No new volume can appear meanwhile.
 *
 * Context: May sleep.  Returns with thinx_plane.volumes_lock held.
 */
void thinx_volume_stop_writes(struct thinx_plane *plane, u32 id)
	__acquires(&plane->volumes_lock);

/** thinx_volume_allow_writes() - undo thinx_volume_stop_writes() */
void thinx_volume_allow_writes(struct thinx_plane *plane, u32 id)
	__releases(&plane->volumes_lock);

/* ---- bios ---- */

/** thinx_map_bio_size() - what a target puts into per_io_data_size */
#define thinx_map_bio_size sizeof(struct thinx_bio)

/**
 * thinx_map_bio() - a bio arrives from dm core
 * @port: where
 * @bio: dm core's clone
 *
 * Context: map(); never sleeps for a read or write.
 * Return: DM_MAPIO_*.
 */
int thinx_map_bio(struct thinx_port *port, struct bio *bio);

/**
 * thinx_map_end_io() - a bio completes
 * @port: where
 * @bio: dm core's clone
 * @error: its status, may be changed
 *
 * Context: Any, hard interrupt included.
 * Return: DM_ENDIO_*.
 */
int thinx_map_end_io(struct thinx_port *port, struct bio *bio,
		     blk_status_t *error);

/**
 * thinx_bio_done() - I/O on the data device ended for a bio or piece
 * @plane: plane
 * @tb: its state
 * @status: how
 *
 * Leaves the gate; hands the bio to its update or to the committer if one of
 * them waits for it.
 *
 * Context: Any.
 * Return: true if it was handed on: the bio must not complete now.
 */
bool thinx_bio_done(struct thinx_plane *plane, struct thinx_bio *tb,
		    blk_status_t status);

/**
 * thinx_bio_read_hole() - let a read see what is where nothing is mapped
 * @port: where it came in
 * @bio: bio or piece, its sectors those of the volume
 *
 * Zeros, or the external origin and zeros behind its end.
 *
 * Return: true if the bio is ready to be submitted to the origin, false if it
 * holds zeros and can complete.
 */
bool __must_check thinx_bio_read_hole(struct thinx_port *port,
				      struct bio *bio);

/* Where an empty flush has to go. */
enum thinx_flush_way {
	THINX_FLUSH_WAIT,	/* the gate is closed: defer it */
	THINX_FLUSH_LOST,	/* what it covers was lost: fail it */
	THINX_FLUSH_COMMIT,	/* outside the gate; a commit is needed */
	THINX_FLUSH_DOWN,	/* inside the gate; the data device suffices */
};

/**
 * thinx_bio_flush_way() - decide about an empty flush
 * @v: volume
 * @tb: its state
 *
 * Judged inside the gate, which an abort closes and drains: no changes can be
 * lost between looking for lost and for uncommitted ones.
 *
 * Context: Any.
 */
enum thinx_flush_way thinx_bio_flush_way(struct thinx_volume *v,
					 struct thinx_bio *tb);

/**
 * thinx_flush() - send an empty flush where it has to go now
 * @v: volume
 * @tb: its state, outside the gate
 *
 * Context: The volume's worker or the committer.
 */
void thinx_flush(struct thinx_volume *v, struct thinx_bio *tb);

/** thinx_bio_end() - complete a bio with @status */
void thinx_bio_end(struct bio *bio, blk_status_t status);

/* ---- slow path, between its files ---- */

/** thinx_volume_defer() - put a bio outside the gate on the deferred list */
void thinx_volume_defer(struct thinx_volume *v, struct thinx_bio *tb);

/** thinx_volume_kick() - let the worker run */
void thinx_volume_kick(struct thinx_volume *v);

/** thinx_volume_unlock_range() - let a range go, defer who waited for it */
void thinx_volume_unlock_range(struct thinx_volume *v, struct thinx_range *r);

/** thinx_volume_work() - the worker, data-path/deferred.c */
void thinx_volume_work(struct work_struct *work);

#endif /* THINX_VOLUME_H */
