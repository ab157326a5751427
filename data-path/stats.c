// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Adding up counters and histograms, and beginning them again.
 *
 * Context: process; counting goes on meanwhile (data-path/stats.h).
 */
#include "data-path/stats.h"

#include <linux/cpumask.h>
#include <linux/minmax.h>
#include <linux/string.h>

void thinx_stats_sum(struct thinx_stats __percpu *s, struct thinx_stats *sum)
{
	unsigned int cpu, i, k;

	memset(sum, 0, sizeof(*sum));
	for_each_possible_cpu(cpu) {
		const struct thinx_stats *one = per_cpu_ptr(s, cpu);

		for (i = 0; i < THINX_NR_COUNTERS; i++)
			sum->n[i] += READ_ONCE(one->n[i]);
		for (i = 0; i < THINX_NR_TIMES; i++) {
			for (k = 0; k < THINX_TIME_BUCKETS; k++)
				sum->times[i][k] += READ_ONCE(one->times[i][k]);
			sum->longest[i] = max(sum->longest[i],
					      READ_ONCE(one->longest[i]));
		}
	}
}

void thinx_stats_reset(struct thinx_stats __percpu *s)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		memset(per_cpu_ptr(s, cpu), 0, sizeof(*s));
}

void thinx_stats_of_volume(struct thinx_volume_stats *vs,
			   struct thinx_stats *copy)
{
	unsigned int i, k;

	memset(copy, 0, sizeof(*copy));
	for (i = 0; i < THINX_VOLUME_COUNTERS; i++)
		copy->n[i] = atomic_long_read(&vs->n[i]);
	for (i = 0; i < THINX_VOLUME_TIMES; i++) {
		for (k = 0; k < THINX_TIME_BUCKETS; k++)
			copy->times[i][k] = atomic_long_read(&vs->times[i][k]);
		copy->longest[i] = READ_ONCE(vs->longest[i]);
	}
}

void thinx_stats_reset_volume(struct thinx_volume_stats *vs)
{
	unsigned int i, k;

	for (i = 0; i < THINX_VOLUME_COUNTERS; i++)
		atomic_long_set(&vs->n[i], 0);
	for (i = 0; i < THINX_VOLUME_TIMES; i++) {
		for (k = 0; k < THINX_TIME_BUCKETS; k++)
			atomic_long_set(&vs->times[i][k], 0);
		WRITE_ONCE(vs->longest[i], 0);
	}
}

static const char *const counter_names[] = {
	[THINX_COUNT_DEFERRED] = "deferred",
	[THINX_COUNT_GATE_CLOSED] = "gate_closed",
	[THINX_COUNT_MISS] = "miss",
	[THINX_COUNT_HOLE_WRITE] = "hole_write",
	[THINX_COUNT_SHARED_WRITE] = "shared_write",
	[THINX_COUNT_OTHER] = "other",
	[THINX_COUNT_DISCARD] = "discard",
	[THINX_COUNT_FLUSH_COMMIT] = "flush_commit",
	[THINX_COUNT_FUA_COMMIT] = "fua_commit",
	[THINX_COUNT_RANGE_HELD] = "range_held",
	[THINX_COUNT_STARVED] = "starved",
	[THINX_COUNT_MEMORY] = "memory",
	[THINX_COUNT_BLOCKS_PROVISIONED] = "blocks_provisioned",
	[THINX_COUNT_BLOCKS_UNSHARED] = "blocks_unshared",
	[THINX_COUNT_BLOCKS_RESTAMPED] = "blocks_restamped",
	[THINX_COUNT_BLOCKS_DISCARDED] = "blocks_discarded",
	[THINX_COUNT_SECTORS_ZEROED] = "sectors_zeroed",
	[THINX_COUNT_SECTORS_COPIED] = "sectors_copied",
	[THINX_COUNT_COMMITS] = "commits",
	[THINX_COUNT_COMMITS_FOR_WAITERS] = "commits_for_waiters",
	[THINX_COUNT_COMMITS_FOR_SPACE] = "commits_for_space",
	[THINX_COUNT_COMMITS_FOR_DISCARDS] = "commits_for_discards",
	[THINX_COUNT_COMMITS_BY_TIME] = "commits_by_time",
	[THINX_COUNT_COMMITS_FOR_OTHERS] = "commits_for_others",
	[THINX_COUNT_COMMIT_BLOCKS] = "commit_blocks",
};

static const char *const time_names[] = {
	[THINX_TIME_QUEUED] = "queued",
	[THINX_TIME_LEARNING] = "learning",
	[THINX_TIME_PLANNING] = "planning",
	[THINX_TIME_DATA] = "data",
	[THINX_TIME_INSERTING] = "inserting",
	[THINX_TIME_DISCARDING] = "discarding",
	[THINX_TIME_LOCKED] = "locked",
	[THINX_TIME_COMMIT] = "commit",
	[THINX_TIME_COMMIT_CLOSE] = "commit_close",
	[THINX_TIME_COMMIT_FLUSH] = "commit_flush",
	[THINX_TIME_COMMIT_WRITE] = "commit_write",
	[THINX_TIME_COMMIT_COMPLETE] = "commit_complete",
};

const char *thinx_stats_counter_name(enum thinx_counter c)
{
	return counter_names[c];
}

const char *thinx_stats_time_name(enum thinx_time t)
{
	return time_names[t];
}
