/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The running machine: a pool, its volumes, threads that do I/O to them, and
 * one thread that does everything else.
 *
 *   threads (load.c)        write, read and compare, discard, flush
 *   main    (control.c)     create, snapshot, delete, resize, suspend, ...
 *                           and rescue of a full pool
 *   main    (endurance.c)   recovery, rounds, verification of everything
 *
 * model_lock protects all of the model.  A range in flight belongs to its thread:
 * its stamps do not change, so the thread may read them without the lock.
 */
#ifndef ENDURANCE_MACHINE_H
#define ENDURANCE_MACHINE_H

#include "model.h"

struct range {
	struct range *next;
	uint32_t begin, end;
	char kind;			/* W, D, R, F */
	uint32_t id;			/* in the log */
	uint32_t changed_begin, changed_end, stamp;
};

struct settings {
	const char *dir, *data, *meta;
	const char *pool_target, *thin_target, *module;
	uint32_t data_max, meta_max;	/* sectors of the disks */
	bool thinx;			/* not dm-thin: can snapshot running volumes */
	bool lose_flushes, corrupt;	/* does the test notice? */
	uint64_t seed;
	unsigned int boot, round;
	unsigned int patience;		/* seconds */
	unsigned int round_min, round_max;
};

extern struct settings settings;

struct counters {
	unsigned long writes, reads, discards, flushes, refused;
	unsigned long creates, snapshots, deletes, resizes, suspends, grows;
	unsigned long rescues, holds, verified;
};

extern struct counters counters;

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* load.c */
void load_start(uint64_t seed);
/* Ask all threads to stop; true when they have. */
bool load_stop(void);
void load_fill(bool fill);
/* Has an operation taken longer than that? */
bool load_stuck(unsigned int seconds);
/* One discard by the calling thread; false if there was no room for it. */
bool load_discard(struct volume *v, struct rng *r);
/* From now on all I/O in flight is added to the snapshot's list as well. */
void load_watch(struct volume *v, struct volume *snapshot);
/* Compare all of it; doubtful sectors are read and their state is logged. */
void verify(struct volume *v, bool all);
void verify_range(struct volume *v, uint32_t begin, uint32_t end);

/* control.c */
void pool_start(void);
void pool_stop(void);
/* Compare the status line with the model. */
void pool_check(struct rng *r);
bool pool_field(unsigned int n, char *word, size_t size);
void volume_start(struct volume *v);
void volume_stop(struct volume *v);
int volume_try(struct volume *v);
void pool_rescue(struct rng *r);
uint32_t pool_events(void);
uint32_t pool_events_seen(void);	/* without asking */
bool pool_full(void);
void control_step(struct rng *r);
void control_alive(void);
bool control_stuck(unsigned int seconds);
double seconds_now(void);

#endif
