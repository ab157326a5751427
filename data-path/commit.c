// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Commits and what waits for them.
 *
 *   flush of a dirty volume, FUA write ─► waiters ─┐
 *   starved writes ────────────────────► retry ────┤
 *   a second after a change ───────────► tick ─────┴─► committer
 *                                                        │ close
 *                                                        │ flush data device
 *                                                        │ metadata, superblock
 *      waiters complete ◄── freed blocks are free ◄──────┘
 *
 * I1  The committer first takes the waiters and then commits: what they wait
 *     for was changed before, so one commit covers all of them.
 * I2  If that commit found nothing to write, another one covered the changes,
 *     and it may have flushed the data device before the waiters' last writes
 *     ended.  Flushes then go back to their volumes, whose workers send them
 *     down to the data device.
 *
 * The committer has a work queue of its own, of high priority.  Work queues of
 * the same kind share their threads and the line in front of them, and one
 * begins no more than some hundred works at a time: an fsync would stand in line
 * behind the passes of thousands of volumes, each of which zeroes and copies.
 * Those of high priority have threads of their own, which the scheduler also
 * prefers: the committer holds the metadata lock, for which all others wait, and
 * else waits for devices.  There is one for each pool, so they cannot keep a
 * processor busy.  Its rescuer is its own, too: when no thread can be made, the
 * commit that writeback waits for is not behind a pass that itself waits.
 * Passing down stays with the volumes: nobody's latency hangs on it.
 */
#include "data-path/commit.h"

#include "data-path/bio.h"
#include "data-path/passdown.h"
#include "include/trace/events/thinx.h"

/* How long a change may stay uncommitted if nobody asks for a commit. */
#define COMMIT_DELAY HZ

/* Between attempts of starved writes that a commit could not help. */
#define RETRY_DELAY msecs_to_jiffies(20)

static int commit_and_tell(struct thinx_plane *plane, bool *flushed,
			   enum thinx_counter reason)
{
	u64 began, ns;
	int r;

	began = ktime_get_ns();
	r = thinx_md_commit(plane->md, flushed);
	ns = ktime_get_ns() - began;
	if (*flushed) {
		thinx_stats_count(plane->stats, reason, 1);
		thinx_stats_time(plane->stats, THINX_TIME_COMMIT, ns);
	}
	trace_thinx_commit(plane->dev,
			   thinx_md_completed_generation(plane->md),
			   thinx_stats_counter_name(reason), ns, *flushed, r);
	if (r) {
		thinx_plane_failed(plane, "commit", r);
		return r;
	}
	/*
	 * A run that this commit made ready was added in the section of the
	 * metadata lock that freed it, so it is seen here.
	 */
	if (thinx_passdown_pending(plane))
		thinx_passdown_kick(plane);
	if (*flushed)
		plane->ops->space_changed(plane->context);
	return 0;
}

int thinx_commit_now(struct thinx_plane *plane)
{
	bool flushed;

	return commit_and_tell(plane, &flushed,
			       THINX_COUNT_COMMITS_FOR_OTHERS);
}

void thinx_commit_surely(struct thinx_plane *plane)
{
	bool flushed;
	int r;

	if (commit_and_tell(plane, &flushed,
			    THINX_COUNT_COMMITS_FOR_OTHERS) || flushed)
		return;
	r = thinx_md_probe(plane->md);
	if (r)
		thinx_plane_failed(plane, "commit", r);
}

bool thinx_commit_brings_space(struct thinx_plane *plane, u32 id)
{
	struct thinx_quota_view view;
	struct thinx_md_space s;

	thinx_md_get_space(plane->md, &s);
	if (!(thinx_plane_caps(plane) & THINX_CAN_GROW))
		return thinx_md_space_is_back(&s);
	if (!s.data_pending && !thinx_passdown_pending(plane))
		return false;
	thinx_quotas_view(&plane->quotas, id,
			  s.data_allocatable + s.data_pending, &view);
	return view.available;
}

static void end_waiter(struct thinx_bio *tb, int r, bool flushed)
{
	struct thinx_volume *v = tb->port->volume;
	struct bio *bio = thinx_bio_of(tb);

	if (r || thinx_md_dev_lost_changes(v->dev))
		thinx_bio_end(bio, BLK_STS_IOERR);
	else if (flushed || !(bio->bi_opf & REQ_PREFLUSH))
		thinx_bio_end(bio, BLK_STS_OK);
	else
		thinx_bio_defer(tb);
}

static void commit_work(struct work_struct *work)
{
	struct thinx_plane *plane = container_of(work, struct thinx_plane,
						 commit.work);
	struct thinx_commit *c = &plane->commit;
	struct thinx_bio *tb, *tmp;
	LIST_HEAD(waiters);
	bool for_space, for_discards, flushed;
	enum thinx_counter reason;
	int r;

	spin_lock_irq(&c->lock);
	list_splice_init(&c->waiters, &waiters);
	for_space = c->for_space;
	c->for_space = false;
	for_discards = c->for_discards;
	c->for_discards = false;
	spin_unlock_irq(&c->lock);

	reason = !list_empty(&waiters) ? THINX_COUNT_COMMITS_FOR_WAITERS :
		 for_space ? THINX_COUNT_COMMITS_FOR_SPACE :
		 for_discards ? THINX_COUNT_COMMITS_FOR_DISCARDS :
				THINX_COUNT_COMMITS_BY_TIME;
	r = commit_and_tell(plane, &flushed, reason);
	list_for_each_entry_safe(tb, tmp, &waiters, list)
		end_waiter(tb, r, flushed);
	if (for_discards)
		thinx_volumes_retry_starved(plane);
	/* Another commit may have brought what they wait for. */
	if (for_space && !r && !flushed)
		plane->ops->space_changed(plane->context);
	/* The end of the discards lets them try again, too. */
	if (!for_space || thinx_passdown_pending(plane) ||
	    READ_ONCE(plane->nr_trimming))
		return;
	/* Nothing became free: writes under way hold what is missing. */
	if (flushed)
		thinx_volumes_retry_starved(plane);
	else
		queue_delayed_work(plane->commit_wq, &c->later, RETRY_DELAY);
}

static void retry_later(struct work_struct *work)
{
	struct thinx_plane *plane = container_of(to_delayed_work(work),
						 struct thinx_plane,
						 commit.later);

	thinx_volumes_retry_starved(plane);
}

static void commit_tick(struct work_struct *work)
{
	struct thinx_plane *plane = container_of(to_delayed_work(work),
						 struct thinx_plane,
						 commit.tick);

	thinx_commit_soon(plane);
}

void thinx_commit_queue(struct thinx_plane *plane, struct bio *bio)
{
	struct thinx_bio *tb = thinx_bio_state(plane, bio);
	unsigned long flags;

	thinx_volume_count(tb->port->volume, bio->bi_opf & REQ_PREFLUSH ?
			   THINX_COUNT_FLUSH_COMMIT : THINX_COUNT_FUA_COMMIT,
			   1);
	spin_lock_irqsave(&plane->commit.lock, flags);
	list_add_tail(&tb->list, &plane->commit.waiters);
	/* Under the lock: after it the bio may end, and the pool with it. */
	queue_work(plane->commit_wq, &plane->commit.work);
	spin_unlock_irqrestore(&plane->commit.lock, flags);
}

/* Set @flag, one of thinx_commit, and commit. */
static void commit_for(struct thinx_plane *plane, bool *flag)
{
	unsigned long flags;

	spin_lock_irqsave(&plane->commit.lock, flags);
	*flag = true;
	spin_unlock_irqrestore(&plane->commit.lock, flags);
	thinx_commit_soon(plane);
}

void thinx_commit_for_space(struct thinx_plane *plane)
{
	commit_for(plane, &plane->commit.for_space);
}

void thinx_commit_for_discards(struct thinx_plane *plane)
{
	commit_for(plane, &plane->commit.for_discards);
}

void thinx_commit_soon(struct thinx_plane *plane)
{
	queue_work(plane->commit_wq, &plane->commit.work);
}

void thinx_commit_note_change(struct thinx_plane *plane)
{
	if (thinx_md_is_heavy(plane->md))
		thinx_commit_soon(plane);
	else if (!delayed_work_pending(&plane->commit.tick))
		queue_delayed_work(plane->commit_wq, &plane->commit.tick,
				   COMMIT_DELAY);
}

void thinx_commit_init(struct thinx_plane *plane)
{
	struct thinx_commit *c = &plane->commit;

	spin_lock_init(&c->lock);
	INIT_LIST_HEAD(&c->waiters);
	INIT_WORK(&c->work, commit_work);
	INIT_DELAYED_WORK(&c->tick, commit_tick);
	INIT_DELAYED_WORK(&c->later, retry_later);
}

void thinx_commit_exit(struct thinx_plane *plane)
{
	cancel_delayed_work_sync(&plane->commit.tick);
	cancel_work_sync(&plane->commit.work);
	/* The work may have armed the timer again. */
	cancel_delayed_work_sync(&plane->commit.tick);
	cancel_delayed_work_sync(&plane->commit.later);
}
