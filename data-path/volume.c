// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Life cycle of a volume: created by the first table that uses a thin device,
 * shared by all of them, destroyed with the last.
 *
 * Tear-down, why each step is safe:
 *  1. dm core calls the destructor after the last bio of the table completed,
 *     so nothing of this port is on any list or in the gate.
 *  2. The last port takes the volume off the plane's list: nobody finds it.  It
 *     waits for pins first: whoever has one uses the volume without the lock.
 *  3. It leaves the list of those that wait, where it may still be although
 *     nothing waits any more.
 *  4. The worker may still run, ending a group whose bios are complete:
 *     cancel_work_sync() waits for it; nothing queues it again.
 *  5. Now gate, cache and metadata handle have no users.
 *
 * Who waits for space or for a commit
 *
 * I1  A volume is in thinx_plane.waiting while one of its writes starves, or
 *     a discard of it waits.  Otherwise it may be, which costs one vain pass.
 * I2  Whoever changes what they wait for does so first and calls
 *     thinx_volumes_retry_starved() then.  That takes volumes off the list and
 *     runs their workers; whoever has to wait again enters it again.
 * I3  No wake-up is lost.  Entering the list and leaving it are sections of one
 *     lock.  If the volume entered before it was looked for, it is found.  If
 *     it entered after that, it sees the change, because it looks after it
 *     entered: discard.c tests its conditions again; a starved write enters in
 *     the same section in which it tests the capabilities, and a commit or the
 *     end of discards is asked for, or seen to be under way, only later in the
 *     pass (ask_for_space()).
 */
#include "data-path/volume.h"

#include <linux/build_bug.h>
#include <linux/device-mapper.h>
#include <linux/slab.h>

#include "include/trace/events/thinx.h"

/* A mapped bio writes no cache line that others read. */
#define LINE_OF(field) (offsetof(struct thinx_volume, field) / L1_CACHE_BYTES)
static_assert(LINE_OF(gate.counts) == LINE_OF(gate.closed) &&
	      LINE_OF(gate.closed) == LINE_OF(gate.awaited));
static_assert(LINE_OF(id) < LINE_OF(gate.counts));
static_assert(LINE_OF(gate.awaited) < LINE_OF(gate.lock));
static_assert(LINE_OF(gate.wait) < LINE_OF(cache.chunks));
static_assert(LINE_OF(cache.chunks.xa_head) < LINE_OF(cache.list));
static_assert(LINE_OF(cache.hand) < LINE_OF(ranges));

static struct thinx_volume *find_volume(struct thinx_plane *plane, u32 id)
{
	struct thinx_volume *v;

	lockdep_assert_held(&plane->volumes_lock);
	hash_for_each_possible(plane->by_id, v, by_id, id)
		if (v->id == id)
			return v;
	return NULL;
}

static void drain_may_be_over(struct thinx_gate *g)
{
	thinx_volume_kick(container_of(g, struct thinx_volume, gate));
}

void thinx_volume_count(struct thinx_volume *v, enum thinx_counter c, u64 nr)
{
	thinx_stats_count(v->plane->stats, c, nr);
	atomic_long_add(nr, &v->stats.n[c]);
	trace_thinx_count(v->plane->dev, v->id, thinx_stats_counter_name(c),
			  nr);
}

void thinx_volume_time(struct thinx_volume *v, enum thinx_time t, u64 began)
{
	u64 ns = ktime_get_ns() - began;

	thinx_stats_time(v->plane->stats, t, ns);
	atomic_long_inc(&v->stats.times[t][thinx_stats_bucket(ns)]);
	if (ns > READ_ONCE(v->stats.longest[t]))
		WRITE_ONCE(v->stats.longest[t], ns);
	trace_thinx_stage(v->plane->dev, v->id, thinx_stats_time_name(t), ns);
}

int thinx_volume_get_stats(struct thinx_plane *plane, u32 id,
			   struct thinx_stats *copy, bool reset)
{
	struct thinx_volume *v;

	mutex_lock(&plane->volumes_lock);
	v = find_volume(plane, id);
	if (v)
		thinx_stats_of_volume(&v->stats, copy);
	if (v && reset)
		thinx_stats_reset_volume(&v->stats);
	mutex_unlock(&plane->volumes_lock);
	return v ? 0 : -ENODATA;
}

static int create_volume(struct thinx_plane *plane, u32 id,
			 struct thinx_volume **result)
{
	struct thinx_volume *v;
	int r;

	v = kzalloc(sizeof(*v), GFP_KERNEL);
	if (!v)
		return -ENOMEM;
	v->plane = plane;
	v->id = id;
	INIT_LIST_HEAD(&v->waiting);
	INIT_LIST_HEAD(&v->ports);
	spin_lock_init(&v->lock);
	INIT_LIST_HEAD(&v->deferred);
	INIT_LIST_HEAD(&v->copied);
	INIT_LIST_HEAD(&v->prepared);
	INIT_LIST_HEAD(&v->undrained);
	INIT_LIST_HEAD(&v->starved);
	INIT_LIST_HEAD(&v->unlearned);
	INIT_LIST_HEAD(&v->queued);
	INIT_LIST_HEAD(&v->discards);
	INIT_LIST_HEAD(&v->zeroes);
	INIT_WORK(&v->work, plane->volume_work);
	thinx_range_lock_init(&v->ranges);

	r = thinx_gate_init(&v->gate, drain_may_be_over);
	if (r)
		goto err_free;
	r = thinx_map_cache_init(&v->cache, &v->ranges);
	if (r)
		goto err_exit_gate;
	r = thinx_md_open_device(plane->md, id, &v->dev);
	if (r)
		goto err_exit_cache;
	*result = v;
	return 0;

err_exit_cache:
	thinx_map_cache_exit(&v->cache);
err_exit_gate:
	thinx_gate_exit(&v->gate);
err_free:
	kfree(v);
	return r;
}

static void destroy_volume(struct thinx_volume *v)
{
	spin_lock_irq(&v->plane->waiting_lock);
	list_del_init(&v->waiting);
	spin_unlock_irq(&v->plane->waiting_lock);
	/* First: who has just been counted out may still kick the worker. */
	thinx_gate_exit(&v->gate);
	cancel_work_sync(&v->work);
	WARN_ON_ONCE(!list_empty(&v->deferred) || !list_empty(&v->copied) ||
		     !list_empty(&v->prepared) || !list_empty(&v->undrained) ||
		     !list_empty(&v->starved) ||
		     !list_empty(&v->unlearned) || !list_empty(&v->queued) ||
		     !list_empty(&v->discards) || !list_empty(&v->zeroes));
	thinx_md_close_device(v->dev);
	thinx_map_cache_exit(&v->cache);
	kfree(v);
}

static struct gendisk *disk_of(struct thinx_port *port)
{
	return dm_disk(dm_table_get_md(port->ti->table));
}

/* Is there a port whose origin is on this disk? */
static bool is_origin(struct thinx_plane *plane, struct gendisk *disk)
{
	struct thinx_port *p;

	hash_for_each_possible(plane->by_origin, p, by_origin,
			       (unsigned long)disk)
		if (p->origin->bd_disk == disk)
			return true;
	return false;
}

/* Is there a port that is part of this disk? */
static bool has_port(struct thinx_plane *plane, struct gendisk *disk)
{
	struct thinx_port *p;

	hash_for_each_possible(plane->by_disk, p, by_disk, (unsigned long)disk)
		if (disk_of(p) == disk)
			return true;
	return false;
}

/*
 * Reading an origin in the same pool can depend on what waits for the volume: a
 * suspend of the pool would never end.
 */
static bool is_own_origin(struct thinx_plane *plane, struct thinx_port *port)
{
	struct gendisk *origin;

	lockdep_assert_held(&plane->volumes_lock);
	if (is_origin(plane, disk_of(port)))
		return true;
	if (!port->origin)
		return false;
	origin = port->origin->bd_disk;
	return origin == disk_of(port) || has_port(plane, origin);
}

static void stop_volume(struct thinx_stop *stop, struct thinx_volume *v)
{
	stop->volume = v;
	thinx_volume_pin(v);
	thinx_gate_close(&v->gate);
}

static void add_volume(struct thinx_plane *plane, struct thinx_volume *v)
{
	struct thinx_stop *stop;

	lockdep_assert_held(&plane->volumes_lock);
	if (plane->quiesced)
		thinx_gate_close(&v->gate);
	list_add_tail(&v->list, &plane->volumes);
	hash_add(plane->by_id, &v->by_id, v->id);
	list_for_each_entry(stop, &plane->stops, list)
		if (stop->id == v->id)
			stop_volume(stop, v);
}

static void add_port(struct thinx_plane *plane, struct thinx_port *port,
		     struct thinx_volume *v)
{
	lockdep_assert_held(&plane->volumes_lock);
	port->volume = v;
	list_add_tail(&port->list, &v->ports);
	hash_add(plane->by_disk, &port->by_disk, (unsigned long)disk_of(port));
	if (port->origin)
		hash_add(plane->by_origin, &port->by_origin,
			 (unsigned long)port->origin->bd_disk);
}

/*
 * Add the port to the volume, which may be @spare if nobody has one.  -EAGAIN:
 * nobody has, and there is no spare.
 */
static int join_volume(struct thinx_port *port, struct thinx_plane *plane,
		       u32 id, struct thinx_volume **spare)
{
	struct thinx_volume *v;
	int r = 0;

	mutex_lock(&plane->volumes_lock);
	if (is_own_origin(plane, port)) {
		r = -ELOOP;
		goto out;
	}
	v = find_volume(plane, id);
	if (!v) {
		v = *spare;
		if (!v) {
			r = -EAGAIN;
			goto out;
		}
		*spare = NULL;
		add_volume(plane, v);
	}
	add_port(plane, port, v);
out:
	mutex_unlock(&plane->volumes_lock);
	return r;
}

/*
 * A volume is made before the lock is taken: I/O waits for the lock, and
 * reclaiming memory may wait for that I/O.  Nobody sees it before the lock; what
 * happens to all volumes meanwhile, happens to its metadata handle as well, and
 * its map cache is empty.
 */
int thinx_port_open(struct thinx_port *port, struct thinx_plane *plane, u32 id)
{
	struct thinx_volume *spare = NULL;
	int r;

	r = join_volume(port, plane, id, &spare);
	if (r != -EAGAIN)
		return r;
	r = create_volume(plane, id, &spare);
	if (r)
		return r;
	r = join_volume(port, plane, id, &spare);
	/* Another one was faster, or the port was refused. */
	if (spare)
		destroy_volume(spare);
	return r;
}

/* A port or user less: destroy it with the last one.  Drops the lock. */
static void let_volume_go(struct thinx_volume *v)
{
	struct thinx_plane *plane = v->plane;
	bool last = list_empty(&v->ports) && !v->users;

	lockdep_assert_held(&plane->volumes_lock);
	if (last) {
		list_del(&v->list);
		hash_del(&v->by_id);
	}
	mutex_unlock(&plane->volumes_lock);
	if (last)
		destroy_volume(v);
}

void thinx_port_close(struct thinx_port *port)
{
	struct thinx_volume *v = port->volume;
	struct thinx_plane *plane = v->plane;

	mutex_lock(&plane->volumes_lock);
	/* As long as the port is there, so is the volume. */
	while (v->pins && list_is_singular(&v->ports) && !v->users) {
		mutex_unlock(&plane->volumes_lock);
		wait_event(plane->unpinned, !READ_ONCE(v->pins));
		mutex_lock(&plane->volumes_lock);
	}
	list_del(&port->list);
	hash_del(&port->by_disk);
	hash_del(&port->by_origin);
	let_volume_go(v);
}

static bool has_origin(struct thinx_volume *v)
{
	struct thinx_port *port;

	lockdep_assert_held(&v->plane->volumes_lock);
	list_for_each_entry(port, &v->ports, list)
		if (port->origin)
			return true;
	return false;
}

bool thinx_volume_has_origin(struct thinx_volume *v)
{
	bool has;

	mutex_lock(&v->plane->volumes_lock);
	has = has_origin(v);
	mutex_unlock(&v->plane->volumes_lock);
	return has;
}

/* As join_volume(). */
static int use_volume(struct thinx_plane *plane, u32 id,
		      struct thinx_volume **spare, struct thinx_volume **result)
{
	struct thinx_volume *v;
	int r = 0;

	mutex_lock(&plane->volumes_lock);
	v = find_volume(plane, id);
	if (!v && *spare) {
		v = *spare;
		*spare = NULL;
		add_volume(plane, v);
	}
	if (!v)
		r = -EAGAIN;
	else if (has_origin(v))
		r = -ELOOP;
	else
		v->users++;
	mutex_unlock(&plane->volumes_lock);
	*result = v;
	return r;
}

int thinx_volume_use(struct thinx_plane *plane, u32 id,
		     struct thinx_volume **result)
{
	struct thinx_volume *spare = NULL;
	int r;

	r = use_volume(plane, id, &spare, result);
	if (r != -EAGAIN)
		return r;
	r = create_volume(plane, id, &spare);
	if (r)
		return r;
	r = use_volume(plane, id, &spare, result);
	if (spare)
		destroy_volume(spare);
	return r;
}

void thinx_volume_unuse(struct thinx_volume *v)
{
	struct thinx_plane *plane = v->plane;

	mutex_lock(&plane->volumes_lock);
	while (v->pins && v->users == 1 && list_empty(&v->ports)) {
		mutex_unlock(&plane->volumes_lock);
		wait_event(plane->unpinned, !READ_ONCE(v->pins));
		mutex_lock(&plane->volumes_lock);
	}
	v->users--;
	let_volume_go(v);
}

bool thinx_port_requeues(struct thinx_port *port)
{
	return READ_ONCE(port->requeue) && dm_noflush_suspending(port->ti);
}

void thinx_port_requeue(struct thinx_port *port, bool on)
{
	struct thinx_volume *v = port->volume;
	unsigned long flags;

	/* Under the lock, so that none starves unseen; see thinx_bio_starve(). */
	spin_lock_irqsave(&v->lock, flags);
	WRITE_ONCE(port->requeue, on);
	list_splice_tail_init(&v->starved, &v->deferred);
	spin_unlock_irqrestore(&v->lock, flags);
	thinx_volume_kick(v);
	if (on)
		flush_work(&v->work);
}

void thinx_port_set_live(struct thinx_port *port, bool live)
{
	struct thinx_plane *plane = port->volume->plane;

	mutex_lock(&plane->volumes_lock);
	port->live = live;
	mutex_unlock(&plane->volumes_lock);
}

void thinx_volume_pin(struct thinx_volume *v)
{
	lockdep_assert_held(&v->plane->volumes_lock);
	WRITE_ONCE(v->pins, v->pins + 1);
}

void thinx_volume_unpin(struct thinx_volume *v)
{
	struct thinx_plane *plane = v->plane;

	lockdep_assert_held(&plane->volumes_lock);
	WRITE_ONCE(v->pins, v->pins - 1);
	if (!v->pins)
		wake_up_all(&plane->unpinned);
}

/*
 * How writes are stopped
 *
 * S1  Gates are closed under the lock and drained without it: a drain waits for
 *     the data device, however slow.  The pin keeps the volume there, and a
 *     volume that appears meanwhile begins with a closed gate; see add_volume().
 * S2  All gates are closed before the first is drained, and stay closed until
 *     all snapshots are made, in one section of the metadata lock.  A write that
 *     ends after that section began is in no snapshot, so neither is one that
 *     was submitted after it ended: it meets a closed gate, or is inserted
 *     later.  What was inserted before that section, by a worker that goes on
 *     with its updates behind a closed gate, is in its snapshot whichever volume
 *     it was written to.  So the snapshots have the order that writes had.
 * S3  No deadlock: closing waits for nobody, so only drains wait, one at a time
 *     and holding no lock.  Those inside a gate wait for nothing but the data
 *     device, so it does not matter who else has closed which gates, for
 *     snapshots, a quiesce or an abort; an abort, which drains under the lock,
 *     waits for no pin.
 */
static void add_stops(struct thinx_plane *plane, struct thinx_stop *stops,
		      unsigned int nr)
{
	struct thinx_volume *v;
	unsigned int i;

	lockdep_assert_held(&plane->volumes_lock);
	for (i = 0; i < nr; i++) {
		stops[i].volume = NULL;
		list_add_tail(&stops[i].list, &plane->stops);
		v = find_volume(plane, stops[i].id);
		if (v)
			stop_volume(&stops[i], v);
	}
}

static struct thinx_volume *stopped_volume(struct thinx_plane *plane,
					   struct thinx_stop *stop)
{
	struct thinx_volume *v;

	mutex_lock(&plane->volumes_lock);
	v = stop->volume;
	mutex_unlock(&plane->volumes_lock);
	return v;
}

static void with_stopped(struct thinx_plane *plane, struct thinx_stop *stops,
			 unsigned int nr, void (*fn)(struct thinx_volume *v))
{
	struct thinx_volume *v;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		v = stopped_volume(plane, &stops[i]);
		if (v)
			fn(v);
	}
}

static void drain_volume(struct thinx_volume *v)
{
	thinx_gate_drain(&v->gate);
}

static void flush_worker(struct thinx_volume *v)
{
	flush_work(&v->work);
}

static void forget_mappings(struct thinx_volume *v)
{
	thinx_map_cache_drop_all(&v->cache);
}

void thinx_volume_stop_writes(struct thinx_plane *plane,
			      struct thinx_stop *stops, unsigned int nr)
{
	mutex_lock(&plane->volumes_lock);
	add_stops(plane, stops, nr);
	mutex_unlock(&plane->volumes_lock);
	with_stopped(plane, stops, nr, drain_volume);
}

static bool is_live(struct thinx_plane *plane, u32 id)
{
	struct thinx_volume *v = find_volume(plane, id);
	struct thinx_port *port;

	if (!v)
		return false;
	list_for_each_entry(port, &v->ports, list)
		if (port->live)
			return true;
	return v->users;
}

/*
 * No port is live: all its bios have ended, and an update inserts its mappings
 * before it ends its bios.  So what a worker may still have to do is to free
 * groups and release their ranges.  A port that is resumed after the gates were
 * closed has its bios deferred, discards and flushes included.
 */
int thinx_volume_stop_all(struct thinx_plane *plane, struct thinx_stop *stops,
			  unsigned int nr, u32 *busy)
{
	unsigned int i;

	mutex_lock(&plane->volumes_lock);
	for (i = 0; i < nr; i++) {
		if (is_live(plane, stops[i].id)) {
			*busy = stops[i].id;
			mutex_unlock(&plane->volumes_lock);
			return -EBUSY;
		}
	}
	add_stops(plane, stops, nr);
	mutex_unlock(&plane->volumes_lock);
	with_stopped(plane, stops, nr, drain_volume);
	with_stopped(plane, stops, nr, flush_worker);
	return 0;
}

void thinx_volume_forget(struct thinx_plane *plane, struct thinx_stop *stops,
			 unsigned int nr)
{
	with_stopped(plane, stops, nr, forget_mappings);
}

void thinx_volume_allow_writes(struct thinx_plane *plane,
			       struct thinx_stop *stops, unsigned int nr)
{
	struct thinx_volume *v;
	unsigned int i;

	mutex_lock(&plane->volumes_lock);
	for (i = 0; i < nr; i++) {
		list_del(&stops[i].list);
		v = stops[i].volume;
		if (!v)
			continue;
		thinx_gate_open(&v->gate);
		thinx_volume_kick(v);
		thinx_volume_unpin(v);
	}
	mutex_unlock(&plane->volumes_lock);
}

void thinx_volume_kick(struct thinx_volume *v)
{
	queue_work(v->plane->wq, &v->work);
}

void thinx_volume_unlock_range(struct thinx_volume *v, struct thinx_range *r)
{
	LIST_HEAD(freed);
	unsigned long flags;

	thinx_range_unlock(&v->ranges, r, &freed);
	if (list_empty(&freed))
		return;
	/* A waiter's list is its thinx_bio's list. */
	spin_lock_irqsave(&v->lock, flags);
	list_splice_tail(&freed, &v->deferred);
	spin_unlock_irqrestore(&v->lock, flags);
	thinx_volume_kick(v);
}

void thinx_volume_waits_locked(struct thinx_volume *v)
{
	lockdep_assert_held(&v->plane->waiting_lock);
	if (list_empty(&v->waiting))
		list_add_tail(&v->waiting, &v->plane->waiting);
}

void thinx_volume_waits(struct thinx_volume *v)
{
	unsigned long flags;

	spin_lock_irqsave(&v->plane->waiting_lock, flags);
	thinx_volume_waits_locked(v);
	spin_unlock_irqrestore(&v->plane->waiting_lock, flags);
}

/* Under the lock, so that the volume is not destroyed meanwhile. */
static void retry_volume(struct thinx_volume *v)
{
	list_del_init(&v->waiting);
	spin_lock(&v->lock);
	list_splice_tail_init(&v->starved, &v->deferred);
	spin_unlock(&v->lock);
	thinx_volume_kick(v);
}

/*
 * Only those that are in the list now: they may be in it again before the last
 * of them has its turn.
 */
void thinx_volumes_retry_starved(struct thinx_plane *plane)
{
	unsigned long flags;
	LIST_HEAD(now);

	spin_lock_irqsave(&plane->waiting_lock, flags);
	list_splice_init(&plane->waiting, &now);
	while (!list_empty(&now)) {
		retry_volume(list_first_entry(&now, struct thinx_volume,
					      waiting));
		/* Interrupts and others have a turn. */
		spin_unlock_irqrestore(&plane->waiting_lock, flags);
		spin_lock_irqsave(&plane->waiting_lock, flags);
	}
	spin_unlock_irqrestore(&plane->waiting_lock, flags);
}

void thinx_volumes_kick(struct thinx_plane *plane)
{
	struct thinx_volume *v;

	mutex_lock(&plane->volumes_lock);
	list_for_each_entry(v, &plane->volumes, list)
		thinx_volume_kick(v);
	mutex_unlock(&plane->volumes_lock);
}
