/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What the slow path and the commits do, in numbers: counters, and histograms of
 * durations by powers of two.
 *
 *   slow path of a volume ─┬─► the volume's, atomic: one worker, few callers else
 *                          └─► the pool's, per CPU
 *   commits ───────────────────► the pool's
 *
 * A mapped bio counts nothing.  Reading and resetting lock nobody out: what happens
 * meanwhile may be counted or not.
 */
#ifndef THINX_STATS_H
#define THINX_STATS_H

#include <linux/atomic.h>
#include <linux/ktime.h>
#include <linux/log2.h>
#include <linux/percpu.h>
#include <linux/types.h>

/* The names are in stats.c, the meaning is in docs/interface.md. */
enum thinx_counter {
	/* bios that left the fast path, and why */
	THINX_COUNT_DEFERRED,
	THINX_COUNT_GATE_CLOSED,
	THINX_COUNT_MISS,
	THINX_COUNT_HOLE_WRITE,
	THINX_COUNT_SHARED_WRITE,
	THINX_COUNT_OTHER,
	THINX_COUNT_DISCARD,
	THINX_COUNT_FLUSH_COMMIT,
	THINX_COUNT_FUA_COMMIT,
	THINX_COUNT_RANGE_HELD,
	THINX_COUNT_STARVED,
	THINX_COUNT_MEMORY,
	/* what was done */
	THINX_COUNT_BLOCKS_PROVISIONED,
	THINX_COUNT_BLOCKS_UNSHARED,
	THINX_COUNT_BLOCKS_RESTAMPED,
	THINX_COUNT_BLOCKS_DISCARDED,
	THINX_COUNT_SECTORS_ZEROED,
	THINX_COUNT_SECTORS_COPIED,
	/* commits that wrote something, and who wanted them */
	THINX_COUNT_COMMITS,
	THINX_COUNT_COMMITS_FOR_WAITERS,
	THINX_COUNT_COMMITS_FOR_SPACE,
	THINX_COUNT_COMMITS_FOR_DISCARDS,
	THINX_COUNT_COMMITS_BY_TIME,
	THINX_COUNT_COMMITS_FOR_OTHERS,
	THINX_COUNT_COMMIT_BLOCKS,
	THINX_NR_COUNTERS
};

enum thinx_time {
	/* stages of the slow path */
	THINX_TIME_QUEUED,
	THINX_TIME_LEARNING,
	THINX_TIME_PLANNING,
	THINX_TIME_DATA,
	THINX_TIME_INSERTING,
	THINX_TIME_DISCARDING,
	/* metadata lock held for writing */
	THINX_TIME_LOCKED,
	/* commits */
	THINX_TIME_COMMIT,
	THINX_TIME_COMMIT_CLOSE,
	THINX_TIME_COMMIT_FLUSH,
	THINX_TIME_COMMIT_WRITE,
	THINX_TIME_COMMIT_COMPLETE,
	THINX_NR_TIMES
};

/* Bucket 0: below 2^11 ns; bucket i: from 2^(10 + i) ns on; the last: no end. */
#define THINX_TIME_SHIFT	10
#define THINX_TIME_BUCKETS	27

/**
 * struct thinx_stats - the pool's share of one CPU, or a sum
 * @n: counters
 * @times: histograms
 * @longest: longest duration of each, ns
 */
struct thinx_stats {
	u64 n[THINX_NR_COUNTERS];
	u64 times[THINX_NR_TIMES][THINX_TIME_BUCKETS];
	u64 longest[THINX_NR_TIMES];
};

/* The last one that a volume has; what follows is about commits. */
#define THINX_VOLUME_COUNTERS	THINX_COUNT_COMMITS
#define THINX_VOLUME_TIMES	THINX_TIME_COMMIT

/**
 * struct thinx_volume_stats - those of a volume
 * @n: A; counters
 * @times: A; histograms
 * @longest: A
 */
struct thinx_volume_stats {
	atomic_long_t n[THINX_VOLUME_COUNTERS];
	atomic_long_t times[THINX_VOLUME_TIMES][THINX_TIME_BUCKETS];
	unsigned long longest[THINX_VOLUME_TIMES];
};

/** thinx_stats_bucket() - where a duration belongs */
static inline unsigned int thinx_stats_bucket(u64 ns)
{
	unsigned int i = ns >> (THINX_TIME_SHIFT + 1) ?
			 ilog2(ns) - THINX_TIME_SHIFT : 0;

	return i < THINX_TIME_BUCKETS ? i : THINX_TIME_BUCKETS - 1;
}

/** thinx_stats_count() - count something of the pool; any context */
static inline void thinx_stats_count(struct thinx_stats __percpu *s,
				     enum thinx_counter c, u64 nr)
{
	this_cpu_add(s->n[c], nr);
}

/** thinx_stats_time() - note a duration of the pool; any context */
static inline void thinx_stats_time(struct thinx_stats __percpu *s,
				    enum thinx_time t, u64 ns)
{
	this_cpu_inc(s->times[t][thinx_stats_bucket(ns)]);
	if (ns > this_cpu_read(s->longest[t]))
		this_cpu_write(s->longest[t], ns);
}

/** thinx_stats_sum() - add up all CPUs */
void thinx_stats_sum(struct thinx_stats __percpu *s, struct thinx_stats *sum);

/** thinx_stats_reset() - begin again at zero */
void thinx_stats_reset(struct thinx_stats __percpu *s);

/** thinx_stats_of_volume() - a copy of a volume's; those of commits are zero */
void thinx_stats_of_volume(struct thinx_volume_stats *vs,
			   struct thinx_stats *copy);

/** thinx_stats_reset_volume() - begin again at zero */
void thinx_stats_reset_volume(struct thinx_volume_stats *vs);

/** thinx_stats_counter_name() - for people and programs */
const char *thinx_stats_counter_name(enum thinx_counter c);

/** thinx_stats_time_name() - likewise */
const char *thinx_stats_time_name(enum thinx_time t);

#endif /* THINX_STATS_H */
