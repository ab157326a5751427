/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What every volume must contain, and the log that lets this knowledge survive
 * the machine.
 *
 * A volume is an array of stamps, one for each sector: 0 means zeros, any other
 * number identifies the write.  A sector's content follows from its stamp and its
 * number.  While the machine runs, each sector has one right content.  After a
 * power failure there may be several: the durable one, and those of all operations
 * since.
 *
 * The log is a file on the host.  An operation is logged before it is issued and
 * again after it has ended, so that the log says what was promised:
 *
 *   W id volume sector sectors stamp    a write begins
 *   D id volume sector sectors 0        a discard begins, whole blocks of it
 *   F id volume                         a flush begins
 *   S id origin snapshot                create_snap begins
 *   C id volume sectors                 create_thin begins
 *   X id volume                         delete begins
 *   T id transaction                    set_transaction_id begins
 *   M id 1|0                            reserve, release the metadata snapshot
 *   P data meta                         sectors of the pool's devices from now on
 *   . id                                it succeeded
 *   = id                                it succeeded, as FUA
 *   ! id                                it failed: each sector old or new
 *   V volume sector sectors stamp       found to be so, and durable
 *   R volume                            all doubts about it are settled
 *
 * Two operations on one sector never overlap in time.
 */
#ifndef ENDURANCE_MODEL_H
#define ENDURANCE_MODEL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define SECTOR 512
#define MAX_VOLUMES 12
#define NEVER UINT64_MAX

/* An operation that may or may not have reached its sectors */
struct op {
	struct op *next;
	uint32_t id, volume, begin, end, stamp;
	char kind;
	bool failed, durable;
	uint64_t issued, ended;		/* lines of the log */
};

struct volume {
	uint32_t id;
	uint32_t nr_sectors;		/* the longest it can be */
	char doubtful;			/* C, S, X: begun, perhaps done */
	uint32_t *now;			/* stamps */
	struct op *ops, **last_op;	/* since then, in the order of issue */

	/* Of the running machine, see machine.h. */
	uint32_t length;		/* of its table */
	int fd;
	bool closed;			/* to new I/O */
	bool pinned;			/* an operation on it is under way */
	struct volume *watcher;		/* the snapshot being made of it */
	struct range *ranges;		/* I/O under way */
	char name[24];
};

struct model {
	struct volume *volumes[MAX_VOLUMES];
	uint32_t block;			/* sectors of a pool block */
	uint32_t data_sectors, meta_sectors;
	uint64_t transaction;
	uint64_t transaction_begun;	/* or the id may be this */
	bool held, held_doubtful;	/* the metadata snapshot */
	uint32_t next_id;		/* of operations and volumes */
};

extern struct model model;
extern pthread_mutex_t model_lock;

/* Content */
void sector_fill(void *buf, uint32_t sector, uint32_t stamp);
/* Returns the stamp; or UINT32_MAX if it is nothing that was ever written. */
uint32_t sector_stamp(const void *buf, uint32_t sector);

/* Volumes */
struct volume *volume_new(uint32_t id, uint32_t nr_sectors);
struct volume *volume_find(uint32_t id);
void volume_free(struct volume *v);
/* A snapshot, which has what ended before that line of the log */
struct volume *volume_copy(const struct volume *v, uint32_t id, uint64_t line);
struct op *op_doubtful(const struct op *op);
void volume_add_op(struct volume *v, struct op *op);
void volume_drop_ops(struct volume *v);
void volume_set(struct volume *v, uint32_t begin, uint32_t end, uint32_t stamp);
/* May this sector have that stamp? */
bool volume_allows(const struct volume *v, uint32_t sector, uint32_t stamp);
void volume_explain(const struct volume *v, uint32_t sector);

/* The log; model_lock is held */
void log_open(const char *dir, unsigned int boot);
uint32_t log_begin(char kind, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void log_end(uint32_t id, char how, bool now);
void log_say(bool now, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* From one machine to the next */
void model_save(const char *dir, unsigned int boot);
/* Returns the boot whose files were found, 0 if there are none. */
unsigned int model_load(const char *dir);

void *xalloc(size_t n);
void __attribute__((noreturn, format(printf, 1, 2)))
fail(const char *format, ...);

static inline uint64_t mix(uint64_t x)
{
	x ^= x >> 31;
	x *= 0x7fb5d329728ea185ULL;
	x ^= x >> 27;
	x *= 0x81dadef4bc2dd44dULL;
	return x ^ (x >> 33);
}

/* Random numbers, one stream for each thread */
struct rng {
	uint64_t state;
};

static inline uint64_t rng_next(struct rng *r)
{
	return mix(r->state += 0x9e3779b97f4a7c15ULL);
}

static inline uint32_t below(struct rng *r, uint32_t n)
{
	return n ? (rng_next(r) >> 16) % n : 0;
}

static inline bool one_in(struct rng *r, uint32_t n)
{
	return below(r, n) == 0;
}

static inline uint32_t between(struct rng *r, uint32_t a, uint32_t b)
{
	return a + below(r, b - a + 1);
}

#endif
