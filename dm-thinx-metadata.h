/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The metadata façade: everything the control and the data plane ever see of
 * the metadata device.
 *
 *   thinx_md      one open metadata device: transaction, space, devices
 *   thinx_md_dev  one open thin device on it
 *
 * The metadata lock (a rwsem inside thinx_md) is taken here.  Functions ending
 * in _locked need it held for writing (thinx_md_lock()), so that the data plane
 * can combine several changes and its own map cache updates in one critical
 * section.  No critical section lasts longer than a few milliseconds.
 *
 * Transactions have a *generation*.  A change belongs to the open generation;
 * thinx_md_commit() closes it, opens the next one at once, and completes the
 * closed one when its superblock is durable.
 *
 * I1  Nothing here knows bios, targets or work queues.
 * I2  A failed change that may have left something half done marks the
 *     transaction broken: all further changes and commits fail with -EUCLEAN
 *     until thinx_md_abort().
 * I3  -ENOSPC from a change means metadata space, and comes before anything was
 *     changed, unless the transaction is also marked broken: enough blocks are
 *     kept back for the change at hand and for closing the transaction.
 * I4  Data blocks get their count together with the mapping: between finding
 *     blocks and inserting the mapping they are only held, in memory, so a
 *     crash leaks nothing.
 *
 * Context of all functions unless stated otherwise: process context, may sleep,
 * takes and releases the metadata lock.
 * Common errors, returned by any function that touches metadata: -EIO, -ENOMEM,
 * -EILSEQ, -ENOTBLK, -EINVAL (damaged metadata), -EPERM (read-only), -EUCLEAN
 * (broken, needs an abort), -ENODEV (after thinx_md_fail()).
 */
#ifndef DM_THINX_METADATA_H
#define DM_THINX_METADATA_H

#include <linux/compiler.h>

#include "dm-thinx-types.h"
#include "metadata/md-types.h"

struct block_device;
struct pd_block_io;
struct thinx_md;
struct thinx_md_dev;

/* ---- opening ---- */

/**
 * thinx_md_open() - open, or format, a metadata device
 * @io: block store; owned by the metadata from now on, also on failure
 * @data_block_sectors: the pool's block size, sectors
 * @may_format: format if block 0 is all zero; if false, fail with -EPERM then
 * @bdev_read_only: the device itself cannot be written: unknown compat_ro bits
 *	are tolerated
 * @result: the open metadata
 *
 * Starts read-write: see thinx_md_set_read_only().
 *
 * Return: 0; -EPERM unformatted and !@may_format; -ENOTBLK, -EILSEQ bad
 * superblock; -EINVAL block size differs, or unknown feature bits (logged);
 * -ENOSPC device too small to format; common errors.
 */
int __must_check thinx_md_open(struct pd_block_io *io, u32 data_block_sectors,
			       bool may_format, bool bdev_read_only,
			       struct thinx_md **result);

/**
 * thinx_md_open_bdev() - thinx_md_open() on a block device (kernel only)
 * @bdev: the metadata device; must outlive the metadata
 * @data_block_sectors: the pool's block size, sectors
 * @may_format: see thinx_md_open()
 * @result: the open metadata
 *
 * Return: as thinx_md_open(), or what the block store reports.
 */
int __must_check thinx_md_open_bdev(struct block_device *bdev,
				    u32 data_block_sectors, bool may_format,
				    struct thinx_md **result);

/**
 * thinx_md_close() - free everything; does not commit
 * @md: metadata; no device is open
 */
void thinx_md_close(struct thinx_md *md);

/* ---- the lock ---- */

/** thinx_md_lock() - take the metadata lock for writing */
void thinx_md_lock(struct thinx_md *md);

/** thinx_md_unlock() - release the metadata lock */
void thinx_md_unlock(struct thinx_md *md);

/** thinx_md_assert_locked() - debug: the lock is held for writing */
void thinx_md_assert_locked(struct thinx_md *md);

/* ---- thin devices ---- */

/**
 * thinx_md_create_thin() - create an empty device
 * @md: metadata
 * @id: 0 .. THINX_DEV_ID_MAX
 *
 * Return: 0, -EEXIST, -ENOSPC, common errors.
 */
int __must_check thinx_md_create_thin(struct thinx_md *md, u32 id);

/**
 * thinx_md_create_snap() - create a device that shares all blocks of another
 * @md: metadata
 * @id: the new device
 * @origin: the device to share with
 *
 * If the origin is open, the caller must have closed and drained its gate.
 *
 * Return: 0, -EEXIST, -ENODATA no such origin, -ENOSPC, -EOVERFLOW the 24-bit
 * time is used up (logged), common errors.
 */
int __must_check thinx_md_create_snap(struct thinx_md *md, u32 id, u32 origin);

/**
 * thinx_md_create_snaps() - the same for many, all of one moment, or none
 * @md: metadata
 * @pairs: new devices and their origins; an origin may be named several times,
 *	but must have been there before
 * @nr: how many, 1 .. THINX_MD_PAIRS_MAX
 *
 * The gates of all open origins are closed, and were drained after that.
 *
 * Return: as thinx_md_create_snap(), -EINVAL a new device is named twice; all
 * logged.
 */
int __must_check thinx_md_create_snaps(struct thinx_md *md,
				       const struct thinx_md_pair *pairs, u32 nr);

/**
 * thinx_md_swap() - exchange the contents of devices, of all pairs or of none
 * @md: metadata
 * @pairs: the devices; none is named twice
 * @nr: how many, 1 .. THINX_MD_PAIRS_MAX
 *
 * What goes with the contents: mappings and how many there are, the times of
 * their creation and of the last snapshot.  What stays with the id: the
 * transaction id, which is user space's number for when it made the device.  If
 * one of them has lost changes, both have from then on.
 *
 * Nobody is at work on an open device, and its gate is closed until the caller
 * has dropped its map cache and committed: before that a crash would show in one
 * device what was written to the other.
 *
 * Return: 0, -EINVAL one is named twice, -ENODATA no such device, -EBUSY it is
 * being deleted, -ENOSPC, common errors; all but the last two are logged.
 */
int __must_check thinx_md_swap(struct thinx_md *md,
			       const struct thinx_md_pair *pairs, u32 nr);

/**
 * thinx_md_check_device_locked() - is there such a device?
 * @md: metadata
 * @id: device
 *
 * Return: 0; -ENODATA there is none, -EBUSY it is being deleted, common errors.
 */
int __must_check thinx_md_check_device_locked(struct thinx_md *md, u32 id);

/**
 * thinx_md_delete() - delete a device
 * @md: metadata
 * @id: device
 *
 * Works in steps, dropping the lock between them.  If a commit comes between
 * two steps, a crash leaves the device with some of its mappings, and delete
 * can be repeated.  The device cannot be opened meanwhile.
 *
 * Return: 0, -ENODATA no such device, -EBUSY it is open or being deleted,
 * -ENOSPC not even after a commit there was room for the next step, what
 * thinx_md_hooks.commit returns, common errors.
 */
int __must_check thinx_md_delete(struct thinx_md *md, u32 id);

/**
 * thinx_md_open_device() - open a device
 * @md: metadata
 * @id: device
 * @dev: result; opening it again returns the same object, counted
 *
 * Return: 0, -ENODATA no such device, -EBUSY being deleted, common errors.
 */
int __must_check thinx_md_open_device(struct thinx_md *md, u32 id,
				      struct thinx_md_dev **dev);

/** thinx_md_close_device() - drop one open count */
void thinx_md_close_device(struct thinx_md_dev *dev);

/** thinx_md_dev_id() - the device id */
u32 thinx_md_dev_id(const struct thinx_md_dev *dev);

/**
 * thinx_md_dev_snapshotted_time() - mappings older than this look shared
 * @dev: device
 *
 * Context: any; lock-free.
 */
u32 thinx_md_dev_snapshotted_time(const struct thinx_md_dev *dev);

/**
 * thinx_md_dev_is_dirty() - does it have changes no completed commit covers?
 * @dev: device
 *
 * Context: any; lock-free.
 */
bool thinx_md_dev_is_dirty(const struct thinx_md_dev *dev);

/**
 * thinx_md_dev_generation() - generation of its last change, 0 if none
 * @dev: device
 *
 * Context: any; lock-free.
 */
u64 thinx_md_dev_generation(const struct thinx_md_dev *dev);

/**
 * thinx_md_dev_lost_changes() - did an abort undo any of its changes?
 * @dev: device
 *
 * Stays true until the last user closes the device.  Context: any; lock-free.
 */
bool thinx_md_dev_lost_changes(const struct thinx_md_dev *dev);

/** thinx_md_dev_mapped_blocks() - number of mapped blocks; lock-free */
u64 thinx_md_dev_mapped_blocks(const struct thinx_md_dev *dev);

/**
 * thinx_md_dev_highest_mapped() - highest mapped block
 * @dev: device
 * @b: result
 *
 * Return: 0, -ENODATA nothing is mapped, common errors.
 */
int __must_check thinx_md_dev_highest_mapped(struct thinx_md_dev *dev,
					     thinx_vblock_t *b);

/* ---- mappings ---- */

/**
 * thinx_md_lookup() - show the leaf that covers a block to a callback
 * @dev: device
 * @b: virtual block
 * @fn: called once, under the metadata lock held for reading; must not sleep
 * @context: for @fn
 *
 * Return: 0 (also for a hole), common errors.
 */
int __must_check thinx_md_lookup(struct thinx_md_dev *dev, thinx_vblock_t b,
				 thinx_md_leaf_fn fn, void *context);

/**
 * thinx_md_lookup_cached() - thinx_md_lookup() that does not wait for the device
 * @dev: device
 * @b: virtual block
 * @fn: called once if this succeeds, under the metadata lock held for reading;
 *	must not sleep
 * @context: for @fn
 * @missing: if -EAGAIN, the metadata block to wait for with thinx_md_wait();
 *	reading it has been started
 *
 * The path to a leaf has several blocks, so -EAGAIN may come several times.
 *
 * Return: 0 (also for a hole), -EAGAIN, common errors.
 */
int __must_check thinx_md_lookup_cached(struct thinx_md_dev *dev,
					thinx_vblock_t b, thinx_md_leaf_fn fn,
					void *context, u64 *missing);

/**
 * thinx_md_wait() - wait until a metadata block has been read
 * @md: metadata
 * @block: from thinx_md_lookup_cached()
 *
 * Without the metadata lock: nobody else waits for this read.
 *
 * Return: 0; -EIO, -ENOMEM, -EINVAL, -ENODEV: thinx_md_lookup() tells more.
 */
int __must_check thinx_md_wait(struct thinx_md *md, u64 block);

/**
 * thinx_md_read_ahead_remove() - read what unmapping will read
 * @dev: the device
 * @begin: first virtual block
 * @end: one past the last
 *
 * For the next step of thinx_md_remove_range_locked(): so that it need not read
 * with the lock held, while everybody waits.
 *
 * Context: May sleep; no lock held.
 */
void thinx_md_read_ahead_remove(struct thinx_md_dev *dev, thinx_vblock_t begin,
				thinx_vblock_t end);

/**
 * thinx_md_read_ahead_write() - the same for inserting or restamping a run
 * @dev: the device
 * @begin: first virtual block
 * @nr: how many, >= 1
 *
 * Context: May sleep; no lock held.
 */
void thinx_md_read_ahead_write(struct thinx_md_dev *dev, thinx_vblock_t begin,
			       u64 nr);

/**
 * thinx_md_find_run_locked() - find and hold free neighbouring data blocks
 * @md: metadata
 * @want: preferred number, >= 1
 * @begin: first block
 * @nr: number found, 1 .. @want
 *
 * They stay held until they are inserted or passed to thinx_md_unhold_locked().
 *
 * Return: 0, -EXFULL no free data block (some may become free with the next
 * commit: thinx_md_space.data_pending), common errors.
 */
int __must_check thinx_md_find_run_locked(struct thinx_md *md, u64 want,
					  thinx_dblock_t *begin, u64 *nr);

/**
 * thinx_md_unhold_locked() - release held data blocks
 * @md: metadata
 * @begin: first block; blocks not held are ignored, as after an abort
 * @end: one past the last block
 */
void thinx_md_unhold_locked(struct thinx_md *md, thinx_dblock_t begin,
			    thinx_dblock_t end);

/** thinx_md_unhold() - the same, taking the lock */
void thinx_md_unhold(struct thinx_md *md, thinx_dblock_t begin,
		     thinx_dblock_t end);

/**
 * thinx_md_read_ahead_free() - read what thinx_md_hold_free_locked() will read
 * @md: metadata
 * @begin: first data block of the next step
 *
 * Context: May sleep; no lock held.
 */
void thinx_md_read_ahead_free(struct thinx_md *md, thinx_dblock_t begin);

/**
 * thinx_md_hold_free_locked() - hold free data blocks; one step
 * @md: metadata
 * @f: where to begin and how many, and the result; large, so allocate it
 *
 * Nothing that a crash or an abort can bring back is mapped to them, and they are
 * not handed out until they are passed to thinx_md_unhold_locked().
 *
 * Return: 0, common errors; after an error nothing is held.
 */
int __must_check thinx_md_hold_free_locked(struct thinx_md *md,
					   struct thinx_md_free *f);

/**
 * thinx_md_insert_run_locked() - map a run to a run of held data blocks
 * @dev: device
 * @vbegin: first virtual block
 * @dbegin: first data block; [@dbegin, @dbegin + @nr) is held by
 *	thinx_md_find_run_locked(), and no longer held after success
 * @nr: how many, 1 .. THINX_MD_RUN_MAX
 * @mapping: result: value of the first; the others follow in block number
 *
 * Replaced mappings lose their reference.  On failure the blocks stay held.
 *
 * Return: 0, -ENOSPC metadata space, common errors.
 */
int __must_check thinx_md_insert_run_locked(struct thinx_md_dev *dev,
					    thinx_vblock_t vbegin,
					    thinx_dblock_t dbegin, u64 nr,
					    thinx_word_t *mapping);

/**
 * thinx_md_restamp_locked() - claim blocks that only look shared
 * @dev: device
 * @vbegin: first virtual block
 * @nr: how many, 1 .. THINX_MD_RUN_MAX
 * @mappings: @nr results: the current mapping (restamped or not), or
 *	THINX_WORD_HOLE and @exclusive false where nothing is mapped
 * @exclusive: @nr bools: the block belongs to this device alone, in memory and
 *	in whatever a crash could bring back; it may be overwritten in place
 *
 * Return: 0, -ENOSPC metadata space, common errors.
 */
int __must_check thinx_md_restamp_locked(struct thinx_md_dev *dev,
					 thinx_vblock_t vbegin, u32 nr,
					 thinx_word_t *mappings,
					 bool *exclusive);

/**
 * thinx_md_remove_range_locked() - one step of unmapping a range
 * @dev: device
 * @r: what to remove, and the result; large, so allocate it
 *
 * A step is limited to a few leaves.  Drop the lock between steps.
 *
 * Return: 0, -ENOSPC metadata space, common errors.
 */
int __must_check thinx_md_remove_range_locked(struct thinx_md_dev *dev,
					      struct thinx_md_removal *r);

/* ---- queries ---- */

/*
 * One step of a query: a few metadata blocks, under the lock held for reading, and
 * nothing is read from the device.  The device need not be open, and is not.  What
 * a step says is true at one instant; the stamps tell if the next one is about the
 * same mappings.
 *
 * Return of all of them: 0: @q->from has moved or @q->done is set; -EAGAIN: wait for
 * @q->missing with thinx_md_wait() and try again; -ENODATA no such device; -EBUSY
 * it is being deleted; common errors.
 */

/** thinx_md_query_map() - the mappings of device @q->id[0] */
int __must_check thinx_md_query_map(struct thinx_md *md,
				    struct thinx_md_query *q);

/** thinx_md_query_delta() - how those of @q->id[1] differ from @q->id[0]'s */
int __must_check thinx_md_query_delta(struct thinx_md *md,
				      struct thinx_md_query *q);

/** thinx_md_query_usage() - how many blocks of @q->id[0] are its own */
int __must_check thinx_md_query_usage(struct thinx_md *md,
				      struct thinx_md_query *q);

/** thinx_md_query_devices() - which devices there are, from ID @q->from on */
int __must_check thinx_md_query_devices(struct thinx_md *md,
					struct thinx_md_query *q);

/* ---- transactions ---- */

/**
 * thinx_md_open_generation() - the generation a change made now belongs to
 * @md: metadata
 *
 * Context: any; lock-free, so only a hint without the lock.
 */
u64 thinx_md_open_generation(const struct thinx_md *md);

/** thinx_md_completed_generation() - the last durable one; lock-free */
u64 thinx_md_completed_generation(const struct thinx_md *md);

/**
 * thinx_md_nr_aborts() - how often changes were undone; lock-free
 * @md: metadata
 *
 * What was changed and then committed is durable if the number is afterwards
 * what it was before: a commit also succeeds if an abort left it nothing to do.
 */
u32 thinx_md_nr_aborts(const struct thinx_md *md);

/** thinx_md_is_dirty() - does the open generation have changes?  Lock-free */
bool thinx_md_is_dirty(const struct thinx_md *md);

/**
 * thinx_md_is_heavy() - does it have so many that it should be committed soon?
 * @md: metadata
 *
 * The more data block counts have changed, the more memory they take and the
 * longer closing holds the lock.  Lock-free.
 */
bool thinx_md_is_heavy(const struct thinx_md *md);

/**
 * thinx_md_commit() - close the open generation and make it durable
 * @md: metadata
 * @wrote: set to whether there was something to write, so that the data device
 *	was flushed; may be NULL
 *
 * Callers queue up on an internal mutex; a call that finds the open generation
 * clean and nothing to write returns 0 at once without flushing anything.  (A
 * caller that needs a data flush must do it itself.)
 *
 * Order: close under the lock; thinx_md_hooks.start_flush; metadata blocks and
 * flush; thinx_md_hooks.end_flush; superblock with FUA; complete under the lock.
 *
 * Return: 0, or an error: the caller must call thinx_md_abort().
 */
int __must_check thinx_md_commit(struct thinx_md *md, bool *wrote);

/**
 * thinx_md_probe() - write the superblock again if there is nothing to commit
 * @md: metadata
 *
 * So that a device that has failed is noticed.  Does nothing if nothing was
 * committed since the metadata was opened, or if it is read-only.
 *
 * Return: 0, -EIO: the caller must call thinx_md_abort().
 */
int __must_check thinx_md_probe(struct thinx_md *md);

/**
 * thinx_md_abort() - go back to the last completed commit
 * @md: metadata
 *
 * Waits for a running commit.  Discards everything not durable, all holds
 * included, and rereads the superblock.  Open devices that lost changes are
 * marked; open devices that no longer exist give -ENODATA.  The caller has
 * closed all gates, and must drop all map caches.
 *
 * The caller must also have made the metadata read-only
 * (thinx_md_set_read_only()), and must leave it so until all users of blocks
 * held before the abort have released them: such an unhold may come after the
 * abort, which has already forgotten the hold, and would end the hold of the
 * next user to find the block.
 *
 * Return: 0, or an error: the metadata is unusable (thinx_md_fail()).
 */
int __must_check thinx_md_abort(struct thinx_md *md);

/**
 * thinx_md_set_needs_check() - set the flag on disk, now
 * @md: metadata; nothing uncommitted (directly after an abort), or failed
 *
 * Return: 0; -EPERM the device is read-only; -EIO, -EILSEQ the superblock
 * cannot be read or written.
 */
int __must_check thinx_md_set_needs_check(struct thinx_md *md);

/** thinx_md_needs_check() - is the flag set?  Lock-free */
bool thinx_md_needs_check(const struct thinx_md *md);

/** thinx_md_is_broken() - must the transaction be aborted (I2)?  Lock-free */
bool thinx_md_is_broken(const struct thinx_md *md);

/**
 * thinx_md_set_read_only() - refuse all changes with -EPERM
 * @md: metadata
 *
 * Changes already made can still be committed, and needs_check can be set.
 */
void thinx_md_set_read_only(struct thinx_md *md);

/**
 * thinx_md_set_device_read_only() - can the device be written now?
 * @md: metadata; nothing is under way
 * @bdev_read_only: as for thinx_md_open()
 *
 * Return: 0; -EINVAL it can, but the superblock has features that must not be
 * written (logged): it counts as read-only.
 */
int __must_check thinx_md_set_device_read_only(struct thinx_md *md,
					       bool bdev_read_only);

/** thinx_md_set_read_write() - allow changes again */
void thinx_md_set_read_write(struct thinx_md *md);

/** thinx_md_fail() - refuse everything with -ENODEV, permanently */
void thinx_md_fail(struct thinx_md *md);

/**
 * thinx_md_detach() - the device is about to go away
 * @md: metadata, failed (thinx_md_fail())
 *
 * Waits for remaining readers, drops everything cached, written or not, and
 * waits for I/O in flight.  After that nothing touches the device any more, not
 * even thinx_md_close().
 */
void thinx_md_detach(struct thinx_md *md);

/** thinx_md_transaction_id() - user space's transaction id */
u64 thinx_md_transaction_id(struct thinx_md *md);

/**
 * thinx_md_set_transaction_id() - compare and set
 * @md: metadata
 * @old: must be the current one
 * @new: new one
 *
 * Return: 0, -EINVAL mismatch (logged), common errors.
 */
int __must_check thinx_md_set_transaction_id(struct thinx_md *md, u64 old,
					     u64 new);

/* ---- metadata snapshot ---- */

/**
 * thinx_md_reserve_snap() - pin the current state for user space to read
 * @md: metadata
 *
 * Commits first.  The caller must commit afterwards.
 *
 * Return: 0, -EBUSY there is one already, or one is being released, -ENOSPC,
 * common errors.
 */
int __must_check thinx_md_reserve_snap(struct thinx_md *md);

/**
 * thinx_md_release_snap() - release the metadata snapshot
 * @md: metadata
 *
 * Works in steps, as thinx_md_delete() does.
 *
 * Return: 0, -EINVAL there is none, -EBUSY it is being released, -ENOSPC, what
 * thinx_md_hooks.commit returns, common errors.
 */
int __must_check thinx_md_release_snap(struct thinx_md *md);

/** thinx_md_held_root() - block of the metadata snapshot, 0 if none */
u64 thinx_md_held_root(struct thinx_md *md);

/* ---- space ---- */

/** thinx_md_get_space() - a consistent set of numbers */
void thinx_md_get_space(struct thinx_md *md, struct thinx_md_space *s);

/** thinx_md_get_space_locked() - the same under the lock */
void thinx_md_get_space_locked(struct thinx_md *md, struct thinx_md_space *s);

/**
 * thinx_md_resize_data() - grow the data space
 * @md: metadata
 * @nr_blocks: new size, data blocks; larger than the current one
 *
 * Return: 0, -EINVAL, -ENOSPC, common errors.
 */
int __must_check thinx_md_resize_data(struct thinx_md *md, u64 nr_blocks);

/**
 * thinx_md_device_blocks() - current size of the metadata device
 * @md: metadata
 *
 * Return: 4 KiB blocks, at most 4161600.
 */
u64 thinx_md_device_blocks(struct thinx_md *md);

/** thinx_md_resize_metadata() - as thinx_md_resize_data(), metadata blocks */
int __must_check thinx_md_resize_metadata(struct thinx_md *md, u64 nr_blocks);

/**
 * thinx_md_set_threshold() - set when metadata space counts as low
 * @md: metadata
 * @blocks: free metadata blocks, the reserve not subtracted
 *
 * thinx_md_hooks.space_low is called once when that point is reached, or, if the
 * metadata was opened below it, when they are first changed.
 */
void thinx_md_set_threshold(struct thinx_md *md, u64 blocks);

/**
 * thinx_md_set_hooks() - set the hooks for data flush, commit and low space
 * @md: metadata, not in use yet
 * @hooks: NULL for none
 * @context: for all of them
 */
void thinx_md_set_hooks(struct thinx_md *md, const struct thinx_md_hooks *hooks,
			void *context);

#endif /* DM_THINX_METADATA_H */
