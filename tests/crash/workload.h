/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * A random life of a pool, recorded: what was written when, and what every
 * superblock written stands for.
 */
#ifndef CRASH_WORKLOAD_H
#define CRASH_WORKLOAD_H

#include "tests/unit/md-env.h"

#ifdef MANY_STEPS	/* see tests/common.mk */
/* Room for devices of three levels; both spaces have several bitmaps. */
#define WL_NR_DEVS	4
#define WL_NR_VBLOCKS	70000
#define WL_MIN_DATA	80000
#define WL_NR_DATA	160000
#define WL_MIN_META	33000
#define WL_NARROW	200
#define WL_MAX_SUPERS	20000
#else
#define WL_NR_DEVS	6
#define WL_NR_VBLOCKS	1500
#define WL_MIN_DATA	1000
#define WL_NR_DATA	6000
#define WL_MIN_META	200
#define WL_NARROW	0
#define WL_MAX_SUPERS	400
#endif

/* What a superblock stands for, as text, to compare. */
char *wl_describe(struct thinx_md *md);

/* Of the contents of all data blocks that a text says are mapped. */
u64 wl_sum(const char *text, const u32 *content);

/*
 * Data blocks are written, or discarded and lose their contents.
 * at: so many of the metadata device's events came before; content: of the first,
 * the others follow; 0: discarded.
 */
struct wl_data_event {
	size_t at;
	u64 begin, end;
	u32 content;
};

/* Do it to a device. */
void wl_apply(const struct wl_data_event *ev, u32 *content);

struct workload {
	struct md_env e;
	u64 rng;
	bool in_commit;		/* changes belong to the next generation */
	bool between_failed;	/* a commit between two steps */
	bool failing;		/* a write or a flush is going to fail */
	bool lost;		/* and something met that */

	u64 nr_data, nr_meta;
	u32 next_trans_id;

	/* By ordinal of the superblock write, the format's first. */
	char *wanted[WL_MAX_SUPERS];
	u64 sums[WL_MAX_SUPERS];
	unsigned int nr_supers;
	size_t nr_seen;		/* events */

	/* Data blocks a crash could bring back; never to be handed out. */
	unsigned char *used_completed, *used_closing;

	/* The data device, and what was done to it. */
	u32 *content, next_content;
	struct wl_data_event *data_events;
	size_t nr_data_events, room;

	/* Free blocks held for being trimmed. */
	struct thinx_md_free *trim;
	bool trimming;
	unsigned char *held;
	bool careless;		/* those of the open transaction will do */

	unsigned long nr_trimmed;
	unsigned long nr_commits, nr_pipelined, nr_between, nr_aborts,
		      nr_changes;
};

/*
 * Run @nr_ops operations; events are recorded in w->e.io.  If @careless, blocks are
 * trimmed that a crash can bring back.
 */
void wl_run(struct workload *w, u64 seed, unsigned int nr_ops, bool careless);

/* A few more changes and commits on whatever is in @e. */
void wl_continue(struct md_env *e, u64 seed);

void wl_end(struct workload *w);

#endif /* CRASH_WORKLOAD_H */
