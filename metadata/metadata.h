/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Shared by the files of this folder and the façade (dm-thinx-metadata.c): the
 * working state of one open metadata device.
 *
 *   committed ──load──► roots, time, trans_id, held_root  ◄── every change
 *   superblock            (working state, one transaction)
 *       ▲                              │ close
 *       └── complete ◄── device ◄── closing superblock
 *
 * I1  Everything marked L is protected by thinx_md.lock: read with it held,
 *     changed with it held for writing.
 * I2  A function that changes metadata checks everything it can, makes sure
 *     there is metadata room (thinx_space_ensure()), calls
 *     thinx_md_begin_change(), and only then modifies anything: an error before
 *     that leaves no trace, an error after it makes the façade mark the
 *     transaction broken.
 * I3  A thin device has at most one struct thinx_md_dev, found in
 *     thinx_md.devices by id.  It stays while the device is open or being
 *     deleted, and while it has changes no completed commit covers.
 */
#ifndef THINX_METADATA_H
#define THINX_METADATA_H

#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "include/thinx-log.h"
#include "include/pd-format.h"
#include "metadata/md-types.h"
#include "persistent-data/block-manager.h"
#include "persistent-data/btree.h"
#include "persistent-data/space-map.h"
#include "persistent-data/transaction.h"

/*
 * Formatting refuses smaller devices.  Some could be formatted, but would then
 * lack room for the worst case of adding the data space or taking a snapshot.
 */
#define THINX_MIN_METADATA_BLOCKS	64

/* Maximum number of entries in a mapping leaf. */
#define THINX_LEAF_ENTRIES		252

/*
 * Leaves one removal step may take apart: few enough that their data blocks fit
 * thinx_md_removal.freed even if no two are neighbours: 4 * 252 <= 1024.
 */
#define THINX_REMOVE_LEAVES		4

/**
 * struct thinx_roots - the two trees a superblock refers to
 * @mappings: top-level mapping tree
 * @details: device details tree
 */
struct thinx_roots {
	pd_block_t mappings;
	pd_block_t details;
};

/**
 * struct thinx_md_dev - a thin device in core
 * @md: I; its metadata
 * @id: I; device id
 * @open_count: L
 * @deleting: L; thinx_md_delete() is in progress, perhaps between steps
 * @gone: L; an abort undid its creation
 * @details_changed: L; the fields below differ from the details tree
 * @lost_changes: L, read lock-free
 * @creation_time: L
 * @snapshotted_time: L, read lock-free
 * @transaction_id: L
 * @mapped_blocks: L, read lock-free
 * @changed_gen: L, read lock-free; generation of the last change
 * @change: L; number of the last change of its mappings, see struct thinx_md
 * @link: L; on thinx_md.changed or .closing_devices, or empty
 *
 * u64 fields read lock-free are loaded and stored whole on 64-bit machines.
 */
struct thinx_md_dev {
	struct thinx_md *md;
	u32 id;
	u32 open_count;
	bool deleting;
	bool gone;
	bool details_changed;
	bool lost_changes;
	u32 creation_time;
	u32 snapshotted_time;
	u64 transaction_id;
	u64 mapped_blocks;
	u64 changed_gen;
	u64 change;
	struct list_head link;
};

/**
 * struct thinx_md - one open metadata device
 * @commit_mutex: serialises commits, aborts and needs_check writes; taken
 *	before @lock
 * @close_mutex: held while a generation closes, and by changes of several critical
 *	sections that must be in one; taken between the other two
 * @lock: the metadata lock
 * @bm: I; block manager
 * @data_block_sectors: I; sectors per data block
 * @bdev_read_only: L; the device cannot be written
 *
 * @tm: L; transaction manager, NULL after a failed abort
 * @data_sm: L; counts of data blocks
 * @mappings: L; both levels of the mapping tree
 * @top: L; its upper level only: device id -> root.  Removing an entry leaves
 *	the tree it refers to untouched
 * @dev_mappings: L; the lower level on its own
 * @details: L; device id -> details
 *
 * @roots: L; working roots
 * @time: L; snapshot counter
 * @time_used: L; there may be a mapping with that time (I5 of metadata/device.c)
 * @trans_id: L; user space's transaction id
 * @held_root: L; block of the metadata snapshot, or 0
 * @releasing: L; thinx_md_release_snap() is in progress, perhaps between steps
 * @few_devices: L; both trees keyed by device id are a single leaf
 * @grown: L; the metadata space was extended in this transaction
 * @unshared_gen: L; generation that last dropped references to shared nodes:
 *	until it has completed, a crash could bring back other users of the
 *	blocks below them, and the counts of those blocks do not show this
 *
 * @nr_unshared: L; raised when a leaf, or what is above some, has lost a
 *	reference: what it shared may be one tree's alone now
 *
 * @nr_dropping: L; metadata blocks whose counts a removal under way may yet
 *	change in this transaction, without asking for room again
 * @nr_dropping_values: L; likewise data blocks
 *
 * @committed: commit mutex; superblock as last completed
 * @closing: commit mutex; superblock being committed
 *
 * @open_gen: L, read lock-free
 * @completed_gen: L, read lock-free
 * @nr_aborts: commit mutex, read lock-free
 * @dirty: L, read lock-free; the open generation has changes
 * @heavy: L, read lock-free; it has many of them
 * @nr_closings: L, read lock-free; how often a commit closed a generation, or
 *	found that it could not, or need not
 * @closings: woken by each
 * @changing: L; inside a change: an error now breaks the transaction
 * @broken: L, read lock-free; changes and commits are refused until an abort
 * @torn: L; implies @broken: trees may be malformed, look-ups are refused too
 * @failed: read lock-free; never cleared once set
 * @read_only: read lock-free
 * @needs_check: commit mutex, read lock-free
 *
 * @devices: L; id -> struct thinx_md_dev
 * @changed: L; devices changed in the open generation
 * @closing_devices: L; devices last changed in the closing generation
 * @nr_changed: L; length of @changed
 *
 * @instance: I; random
 * @nr_changes: L; changes of mappings so far, of all devices, and aborts
 * @idle_changes: L; id -> number of the last change, of devices without an object;
 *	without an entry: @change_floor
 * @change_floor: L; the last change of a device counts as no earlier than this
 *
 * @wanted: L; blocks of the change refused last, 0: none; see thinx_md_space
 * @wanted_values: L; counts of data blocks that it changes
 * @threshold: L; see thinx_md_set_threshold()
 * @hooks: I; see thinx_md_set_hooks(); never NULL
 * @hook_context: I
 *
 * @scratch: L for writing; room for THINX_MD_RUN_MAX values
 */
struct thinx_md {
	struct mutex commit_mutex;
	struct mutex close_mutex;
	struct rw_semaphore lock;
	struct pd_bm *bm;
	u32 data_block_sectors;
	bool bdev_read_only;

	struct pd_tm *tm;
	struct pd_sm *data_sm;
	struct pd_btree mappings;
	struct pd_btree top;
	struct pd_btree dev_mappings;
	struct pd_btree details;

	struct thinx_roots roots;
	u32 time;
	bool time_used;
	u64 trans_id;
	u64 held_root;
	bool releasing;
	bool few_devices;
	bool grown;
	u64 unshared_gen;
	u64 nr_unshared;
	u64 nr_dropping;
	u64 nr_dropping_values;

	struct thinx_disk_superblock *committed;
	struct thinx_disk_superblock *closing;

	u64 open_gen;
	u64 completed_gen;
	u32 nr_aborts;
	bool dirty;
	bool heavy;
	u64 nr_closings;
	wait_queue_head_t closings;
	bool changing;
	bool broken;
	bool torn;
	bool failed;
	bool read_only;
	bool needs_check;

	struct xarray devices;
	struct list_head changed;
	struct list_head closing_devices;
	u32 nr_changed;

	u64 instance;
	u64 nr_changes;
	struct xarray idle_changes;
	u64 change_floor;

	u64 wanted;
	u64 wanted_values;
	u64 threshold;
	const struct thinx_md_hooks *hooks;
	void *hook_context;

	u64 *scratch;
};

/** thinx_md_name() - device name for log lines */
static inline const char *thinx_md_name(const struct thinx_md *md)
{
	return pd_bm_name(md->bm);
}

/**
 * thinx_md_begin_change() - from here on an error leaves things half changed
 * @md: metadata
 */
static inline void thinx_md_begin_change(struct thinx_md *md)
{
	lockdep_assert_held_write(&md->lock);
	md->changing = true;
	WRITE_ONCE(md->dirty, true);	/* pairs with thinx_md_is_dirty() */
}

/** thinx_metadata_lock() - thinx_md_lock(), for the files of this folder */
static inline void thinx_metadata_lock(struct thinx_md *md)
	__acquires(&md->lock)
{
	down_write(&md->lock);
	__acquire(&md->lock);	/* for sparse, which does not track rwsems */
}

/** thinx_metadata_unlock() - undo thinx_metadata_lock() */
static inline void thinx_metadata_unlock(struct thinx_md *md)
	__releases(&md->lock)
{
	__release(&md->lock);
	up_write(&md->lock);
}

/* Log messages prefixed with the name of the device. */
#define md_err(md, fmt, ...) \
	DMERR("%s: " fmt, thinx_md_name(md), ##__VA_ARGS__)
#define md_err_limit(md, fmt, ...) \
	DMERR_LIMIT("%s: " fmt, thinx_md_name(md), ##__VA_ARGS__)
#define md_warn(md, fmt, ...) \
	DMWARN("%s: " fmt, thinx_md_name(md), ##__VA_ARGS__)
#define md_warn_limit(md, fmt, ...) \
	DMWARN_LIMIT("%s: " fmt, thinx_md_name(md), ##__VA_ARGS__)
#define md_info(md, fmt, ...) \
	DMINFO("%s: " fmt, thinx_md_name(md), ##__VA_ARGS__)

#endif /* THINX_METADATA_H */
