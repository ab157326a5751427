// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The whole protocol of the data path around the map cache, with threads in
 * place of bios and two arrays in place of the disks.
 *
 *   metadata[v] ── d or hole, under a rwsem       owner[d] ── the v that stored
 *        │                                            ▲       data there
 *        └── looked up, filled ──► map cache ──► reader inside the gate
 *
 * There are few data blocks, and a free one is soon reused for whatever virtual
 * block comes next.  So a reader that uses a stale mapping finds a block that
 * belongs to no virtual block or to another one.  owner[] is plain memory, so
 * ThreadSanitizer watches it too.
 *
 * Look-ups dawdle before they fill, so that meanwhile the range is locked,
 * invalidated and drained.
 */
#include <semaphore.h>
#include <unistd.h>

#include <linux/rwsem.h>

#include "data-path/gate.h"
#include "data-path/map-cache.h"
#include "data-path/range-lock.h"

#include "threads.h"

#define NR_VBLOCKS	512
#define NR_DBLOCKS	640
#define NOBODY		(~0ULL)

static struct thinx_gate gate;
static struct thinx_range_lock ranges;
static struct thinx_map_cache cache;

static struct rw_semaphore metadata_lock;
static u64 metadata[NR_VBLOCKS];		/* under metadata_lock */
static bool used[NR_DBLOCKS];			/* the same */
static u64 owner[NR_DBLOCKS];			/* the disk */

static unsigned long nr_hits, nr_holes, nr_filled, nr_evicted, nr_waits;

static void count(unsigned long *nr, unsigned long n)
{
	__atomic_add_fetch(nr, n, __ATOMIC_RELAXED);
}

/* ---- readers ---- */

static void look_up(unsigned int *seed, u64 v)
{
	u64 begin = v - v % 64, words[128];
	unsigned int i, nr = 64 + rand_r(seed) % 64;

	down_read(&metadata_lock);
	if (begin + nr > NR_VBLOCKS)
		nr = NR_VBLOCKS - begin;
	for (i = 0; i < nr; i++)
		words[i] = metadata[begin + i];
	threads_dawdle(seed, 200);
	count(&nr_filled, thinx_map_cache_fill(&cache, begin, words, nr));
	up_read(&metadata_lock);
}

static void step_reader(unsigned int *seed)
{
	u64 v = rand_r(seed) % NR_VBLOCKS, first;
	unsigned int epoch, i, n, round;

	if (!thinx_gate_enter(&gate, &epoch)) {
		threads_dawdle(seed, 100);
		return;
	}
	n = thinx_map_cache_run(&cache, v, 16, 3, &first);
	for (round = 0; round < 2 && thinx_word_is_mapping(first); round++) {
		for (i = 0; i < n; i++)
			CHECK(owner[thinx_mapping_block(first) + i] == v + i);
		threads_dawdle(seed, 100);
	}
	thinx_gate_leave(&gate, epoch);
	if (first == THINX_WORD_UNKNOWN)
		look_up(seed, v);
	else
		count(first == THINX_WORD_HOLE ? &nr_holes : &nr_hits, 1);
}

/* ---- changers ---- */

struct waiter {
	struct thinx_range_waiter w;
	sem_t sem;
};

static void lock_range(struct thinx_range *r, u64 begin, u64 end)
{
	struct waiter w;

	sem_init(&w.sem, 0, 0);
	while (!thinx_range_lock_or_wait(&ranges, r, &w.w, begin, end)) {
		count(&nr_waits, 1);
		sem_wait(&w.sem);
	}
	sem_destroy(&w.sem);
}

static void unlock_range(struct thinx_range *r)
{
	struct thinx_range_waiter *w, *next;
	LIST_HEAD(freed);

	thinx_range_unlock(&ranges, r, &freed);
	list_for_each_entry_safe(w, next, &freed, list)
		sem_post(&container_of(w, struct waiter, w)->sem);
}

static void unmap_locked(u64 v)
{
	u64 d = thinx_mapping_block(metadata[v]);

	if (metadata[v] == THINX_WORD_HOLE)
		return;
	CHECK(owner[d] == v);
	owner[d] = NOBODY;
	used[d] = false;
	metadata[v] = THINX_WORD_HOLE;
}

static u64 find_free_locked(unsigned int *seed)
{
	u64 d = rand_r(seed) % NR_DBLOCKS;

	while (used[d])
		d = (d + 1) % NR_DBLOCKS;
	return d;
}

/* Map [begin, end) piece by piece to what is free, as copy-on-write does. */
static void map_locked(unsigned int *seed, u64 begin, u64 end)
{
	u64 v = begin, d, piece;
	u32 time = rand_r(seed) % 6;

	while (v < end) {
		d = find_free_locked(seed);
		for (piece = v; v < end && d < NR_DBLOCKS && !used[d]; v++) {
			used[d] = true;
			owner[d] = v;
			metadata[v] = thinx_mapping_pack(d++, time);
		}
		thinx_map_cache_set(&cache, piece, v - piece,
				    rand_r(seed) % 8 ? metadata[piece] :
						       THINX_WORD_UNKNOWN);
	}
}

static void step_changer(unsigned int *seed)
{
	u64 begin = rand_r(seed) % NR_VBLOCKS, v;
	u64 end = begin + 1 + rand_r(seed) % (rand_r(seed) % 16 ? 10 : 100);
	struct thinx_range r;

	if (end > NR_VBLOCKS)
		end = NR_VBLOCKS;
	lock_range(&r, begin, end);
	threads_dawdle(seed, 100);
	thinx_map_cache_invalidate(&cache, begin, end);
	threads_dawdle(seed, 100);
	thinx_gate_drain(&gate);
	threads_dawdle(seed, 100);

	down_write(&metadata_lock);
	for (v = begin; v < end; v++)
		unmap_locked(v);
	if (rand_r(seed) % 4)
		map_locked(seed, begin, end);
	else
		thinx_map_cache_set(&cache, begin, end - begin, THINX_WORD_HOLE);
	up_write(&metadata_lock);

	threads_dawdle(seed, 100);
	unlock_range(&r);
	threads_dawdle(seed, 1000);
}

/* Change mappings without a range: close the gate, drop everything. */
static void step_aborter(unsigned int *seed)
{
	int i;

	usleep(20000);
	thinx_gate_close(&gate);
	thinx_gate_drain(&gate);
	down_write(&metadata_lock);
	for (i = 0; i < 50; i++)
		unmap_locked(rand_r(seed) % NR_VBLOCKS);
	up_write(&metadata_lock);
	threads_dawdle(seed, 100);
	thinx_map_cache_drop_all(&cache);
	thinx_gate_open(&gate);
}

static void step_evictor(unsigned int *seed)
{
	count(&nr_evicted, thinx_map_cache_evict(rand_r(seed) % 6));
	if (rand_r(seed) % 50 == 0)
		WRITE_ONCE(thinx_map_cache_limit_bytes, (2 + rand_r(seed) % 9) *
			   sizeof(struct thinx_map_chunk));
	usleep(rand_r(seed) % 2000);
}

int main(int argc, char **argv)
{
	struct threads_role roles[] = {
		{ "reader", step_reader, 6, 0, false },
		{ "changer", step_changer, 4, 0, false },
		{ "aborter", step_aborter, 1, 0, false },
		{ "evictor", step_evictor, 1, 0, false },
		{ NULL, NULL, 0, 0, false }
	};
	int i;

	for (i = 0; i < NR_VBLOCKS; i++)
		metadata[i] = THINX_WORD_HOLE;
	for (i = 0; i < NR_DBLOCKS; i++)
		owner[i] = NOBODY;
	init_rwsem(&metadata_lock);
	CHECK(!thinx_gate_init(&gate, NULL));
	thinx_range_lock_init(&ranges);
	CHECK(!thinx_map_cache_setup());
	CHECK(!thinx_map_cache_init(&cache, &ranges));

	threads_run(argc, argv, roles);

	printf("  hits: %lu, holes: %lu, filled: %lu, evicted: %lu, waits: %lu\n",
	       nr_hits, nr_holes, nr_filled, nr_evicted, nr_waits);
	CHECK(RB_EMPTY_ROOT(&ranges.held));
	for (i = 0; roles[i].name; i++)
		CHECK(roles[i].nr_steps > 0);
	CHECK(nr_hits && nr_holes && nr_filled && nr_evicted && nr_waits);
	for (i = 0; i < NR_VBLOCKS; i++) {
		thinx_word_t word = thinx_map_cache_get(&cache, i);

		CHECK(word == THINX_WORD_UNKNOWN || word == metadata[i]);
	}
	thinx_map_cache_exit(&cache);
	CHECK(!thinx_map_cache_count());
	thinx_map_cache_teardown();
	thinx_gate_exit(&gate);
	return 0;
}
