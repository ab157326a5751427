// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Answers "where does virtual block b live?" without a lock.
 *
 *   xarray[b / 64] ──rcu──► chunk { accessed, words[64] }
 *                                     │
 *              UNKNOWN ──fill, set──► HOLE or data block << 24 | time
 *                      ◄──set, invalidate, chunk leaves the xarray──
 *
 * The rule that keeps one tenant's data out of another's volume: no mapping is
 * used after the metadata changed.  What may be stored when:
 *
 * I1  A fill stores only what a look-up found in the same critical section of
 *     the metadata lock, only over UNKNOWN, and only where nobody holds the
 *     range; the last two tests and the stores are one critical section of the
 *     range lock's spinlock.
 * I2  set and invalidate store into held ranges only, and only the holder calls
 *     them; set in the write-locked section that changes the metadata, or with
 *     what a look-up found in the same critical section.
 * I3  A chunk that left the xarray never comes back and is freed a grace period
 *     later.  What is still stored in it is lost, which is always allowed: its
 *     slot in the xarray says "ask", or a newer chunk does.
 *
 * Why a fill never puts back what an invalidation removed
 *
 *     look-up (read-locked): b → M
 *          │      holder: lock b, invalidate, drain, write-lock, change, set
 *          ▼
 *     fill b := M ?
 *
 *   - The change comes before the look-up or after the fill, never between:
 *     those two are in one critical section of the metadata lock (I1).  So at
 *     the time of the fill M is right; only a later change can make it wrong.
 *   - If the range is already held for that change, the fill sees it held and
 *     stores nothing.
 *   - If the range is locked later, that comes after the fill's section of the
 *     same spinlock.  So the holder's invalidate, which comes later still, sees
 *     M in its chunk and removes it.
 *   - While the range is held only its holder stores (I1, I2), so the word
 *     stays UNKNOWN until the holder's set, and then says what the metadata
 *     says.
 *
 * Why nobody uses an answer that was removed
 *
 *   - A reader that got it from the word before it was overwritten entered the
 *     gate before the look-up; the drain waits for it or, if it misses that
 *     entry, the reader sees what was stored before the drain (I2 of gate.c).
 *   - A reader may get it from a chunk that left the xarray, which invalidate
 *     does not see.  But invalidate saw the chunk gone, so any reader that the
 *     drain does not wait for sees it gone as well, by the same barriers.
 *   - Holes are replaced without a drain.  A read answered from a hole began
 *     before the write completed, and may return either.
 *
 * Why eviction needs no care: it makes blocks UNKNOWN, and may at any time,
 * because UNKNOWN is never wrong.  A set that hits a chunk just evicted is
 * lost; its slot then holds nothing, or a newer chunk in which the held blocks
 * are UNKNOWN, because they were held when it was filled.
 *
 * Memory: 536 bytes for 64 words, from a slab of its own, that is 8.5 bytes a
 * word, plus the xarray's node.  All caches share one limit and one eviction
 * hand, which goes round the caches and their chunks: a chunk used since the
 * hand last came by gets a second chance.
 *
 * Locks, outermost first, all spinlocks in process context:
 *   metadata lock (the callers')
 *     caches_lock           eviction; filling only tries it
 *       xa_lock             inside the xarray's functions
 *     thinx_range_lock.lock a fill's section, at most 64 stores long
 * Only xarray nodes are allocated under the spinlocks, without waiting.
 *
 * Crash: nothing here is persistent.
 * Rejected: one word per xarray entry (24 bytes and a node walk for each word);
 * cmpxchg in fills (the held ranges need the spinlock anyway, so it may as well
 * order the stores).
 */
#include "map-cache.h"

#include "include/thinx-memory.h"
#include "range-lock.h"

#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include <asm/byteorder.h>

#define CHUNK_WORDS	THINX_MAP_CHUNK_WORDS
#define CHUNK_MASK	((u64)CHUNK_WORDS - 1)

/* Chunks a leaf may fill before and after the requested one. */
#define WINDOW_BEFORE	4
#define WINDOW_BEHIND	8

/* Most chunks a new one that hits the limit looks at, and evicts. */
#define ROOM_SCAN	32
#define ROOM_EVICT	2

/* A longer set stores into existing chunks and allocates none. */
#define SET_ALLOC_MAX	1024

unsigned long thinx_map_cache_limit_bytes = ULONG_MAX;

static struct kmem_cache *chunk_slab;
static atomic_long_t nr_chunks;
static atomic_long_t nr_filled, nr_evicted;

static DEFINE_SPINLOCK(caches_lock);
static LIST_HEAD(caches);		/* L:caches_lock; hand at the first */

int thinx_map_cache_setup(void)
{
	chunk_slab = KMEM_CACHE(thinx_map_chunk, SLAB_RECLAIM_ACCOUNT);
	return chunk_slab ? 0 : -ENOMEM;
}

void thinx_map_cache_teardown(void)
{
	rcu_barrier();		/* chunks on their way out */
	kmem_cache_destroy(chunk_slab);
	chunk_slab = NULL;
}

unsigned long thinx_map_cache_count(void)
{
	return atomic_long_read(&nr_chunks);
}

unsigned long thinx_map_cache_filled(void)
{
	return atomic_long_read(&nr_filled);
}

unsigned long thinx_map_cache_evicted(void)
{
	return atomic_long_read(&nr_evicted);
}

unsigned long thinx_map_cache_bytes(void)
{
	return thinx_map_cache_count() * sizeof(struct thinx_map_chunk);
}

int thinx_map_cache_init(struct thinx_map_cache *mc,
			 struct thinx_range_lock *rl)
{
	xa_init(&mc->chunks);
	mc->rl = rl;
	mc->hand = 0;
	spin_lock(&caches_lock);
	list_add_tail(&mc->list, &caches);
	spin_unlock(&caches_lock);
	return 0;
}

void thinx_map_cache_exit(struct thinx_map_cache *mc)
{
	spin_lock(&caches_lock);
	list_del(&mc->list);
	spin_unlock(&caches_lock);
	thinx_map_cache_drop_all(mc);
	xa_destroy(&mc->chunks);
}

/* ---- chunks come and go ---- */

static void free_chunk_rcu(struct rcu_head *rcu)
{
	kmem_cache_free(chunk_slab,
			container_of(rcu, struct thinx_map_chunk, rcu));
}

static bool drop_chunk(struct thinx_map_cache *mc, unsigned long index)
{
	struct thinx_map_chunk *c = xa_erase(&mc->chunks, index);

	if (!c)
		return false;
	atomic_long_dec(&nr_chunks);
	call_rcu(&c->rcu, free_chunk_rcu);
	return true;
}

/*
 * Look at one chunk of the cache the hand is at, or go on to the next cache.
 * True if the chunk was evicted.
 */
static bool hand_step(bool spare_accessed)
{
	struct thinx_map_cache *mc =
		list_first_entry(&caches, struct thinx_map_cache, list);
	struct thinx_map_chunk *c;
	unsigned long index;
	bool spare = false;

	lockdep_assert_held(&caches_lock);
	rcu_read_lock();
	c = xa_find(&mc->chunks, &mc->hand, ULONG_MAX, XA_PRESENT);
	if (c && spare_accessed && READ_ONCE(c->accessed)) {
		WRITE_ONCE(c->accessed, false);
		spare = true;
	}
	rcu_read_unlock();
	if (!c) {
		mc->hand = 0;
		list_move_tail(&mc->list, &caches);
		return false;
	}
	index = mc->hand++;
	if (spare || !drop_chunk(mc, index))
		return false;
	atomic_long_inc(&nr_evicted);
	return true;
}

static unsigned long evict_locked(unsigned long nr_scan, unsigned long nr_evict,
				  bool spare_accessed)
{
	unsigned long nr = 0;

	for (; nr_scan && nr < nr_evict && !list_empty(&caches); nr_scan--)
		nr += hand_step(spare_accessed);
	return nr;
}

unsigned long thinx_map_cache_evict(unsigned long nr_scan)
{
	unsigned long nr;

	spin_lock(&caches_lock);
	nr = evict_locked(nr_scan, ULONG_MAX, true);
	spin_unlock(&caches_lock);
	return nr;
}

/*
 * May one more chunk be allocated?  At the limit others are evicted for it,
 * even used ones if the hand finds nothing better soon: what is asked for now
 * is worth more.
 */
static bool make_room(void)
{
	unsigned long limit = READ_ONCE(thinx_map_cache_limit_bytes);
	bool room;

	if (thinx_map_cache_bytes() + sizeof(struct thinx_map_chunk) <= limit)
		return true;
	if (!spin_trylock(&caches_lock))
		return false;
	room = evict_locked(ROOM_SCAN, ROOM_EVICT, true) ||
	       evict_locked(ROOM_SCAN, 1, false);
	spin_unlock(&caches_lock);
	return room && limit >= sizeof(struct thinx_map_chunk);
}

/* Make sure that the chunk exists; best effort. */
static void ensure_chunk(struct thinx_map_cache *mc, unsigned long index,
			 gfp_t gfp)
{
	struct thinx_map_chunk *c;

	if (xa_load(&mc->chunks, index) || !make_room())
		return;
	c = kmem_cache_alloc(chunk_slab, gfp | __GFP_NOWARN);
	if (!c)
		return;
	c->accessed = false;
	memset(c->words, 0xff, sizeof(c->words));	/* UNKNOWN */
	atomic_long_inc(&nr_chunks);
	atomic_long_inc(&nr_filled);
	/* Not NULL: lost a race, or no memory for a node. */
	if (xa_cmpxchg(&mc->chunks, index, NULL, c, gfp | __GFP_NOWARN)) {
		atomic_long_dec(&nr_chunks);
		kmem_cache_free(chunk_slab, c);
	}
}

/* ---- look-up ---- */

static bool continues_run(thinx_word_t first, thinx_word_t word, unsigned int distance,
			  u32 snapshotted_time)
{
	if (!thinx_word_is_mapping(first) || !thinx_word_is_mapping(word))
		return word == first;
	return thinx_mapping_block(word) ==
			thinx_mapping_block(first) + distance &&
	       (thinx_mapping_time(word) < snapshotted_time) ==
			(thinx_mapping_time(first) < snapshotted_time);
}

unsigned int thinx_map_cache_run(struct thinx_map_cache *mc, thinx_vblock_t b,
				 unsigned int max, u32 snapshotted_time,
				 u64 *first)
{
	struct thinx_map_chunk *c;
	unsigned int n = 1;

	*first = THINX_WORD_UNKNOWN;
	rcu_read_lock();
	c = thinx_map_cache_chunk(mc, b);
	if (c)
		*first = thinx_map_chunk_word(c, b);
	if (*first == THINX_WORD_UNKNOWN)
		goto out;
	for (; n < max; n++) {
		if (!((b + n) & CHUNK_MASK)) {
			c = thinx_map_cache_chunk(mc, b + n);
			if (!c)
				break;
		}
		if (!continues_run(*first, thinx_map_chunk_word(c, b + n), n,
				   snapshotted_time))
			break;
	}
out:
	rcu_read_unlock();
	return n;
}

/* ---- storing ---- */

static void store_word(struct thinx_map_chunk *c, thinx_vblock_t b, thinx_word_t word)
{
	/* Pairs with the acquire in thinx_map_chunk_word(). */
	smp_store_release(&c->words[b & CHUNK_MASK], word);
}

static int store_unknown(struct thinx_map_chunk *c, thinx_vblock_t begin,
			 thinx_vblock_t end, const thinx_word_t *words)
{
	thinx_vblock_t b;
	int nr = 0;

	for (b = begin; b < end; b++) {
		thinx_word_t word = words[b - begin];

		if (word == THINX_WORD_UNKNOWN ||
		    READ_ONCE(c->words[b & CHUNK_MASK]) != THINX_WORD_UNKNOWN)
			continue;
		store_word(c, b, word);
		nr++;
	}
	return nr;
}

/* Fill blocks of one chunk; the spinlock section of I1. */
static int fill_chunk(struct thinx_map_cache *mc, thinx_vblock_t begin,
		      const thinx_word_t *words, unsigned int nr)
{
	thinx_vblock_t b = begin, end = begin + nr, stop;
	struct thinx_map_chunk *c;
	struct thinx_range *held;
	int nr_stored = 0;

	spin_lock(&mc->rl->lock);
	rcu_read_lock();
	c = xa_load(&mc->chunks, begin >> THINX_MAP_CHUNK_SHIFT);
	while (c && b < end) {
		held = thinx_range_first_held_locked(mc->rl, b, end);
		stop = held ? max_t(u64, held->begin, b) : end;
		nr_stored += store_unknown(c, b, stop, words + (b - begin));
		b = held ? held->end : end;
	}
	rcu_read_unlock();
	spin_unlock(&mc->rl->lock);
	return nr_stored;
}

static unsigned int left_in_chunk(thinx_vblock_t b)
{
	return CHUNK_WORDS - (b & CHUNK_MASK);
}

int thinx_map_cache_fill(struct thinx_map_cache *mc, thinx_vblock_t begin,
			 const thinx_word_t *words, unsigned int nr)
{
	int nr_stored = 0;

	while (nr) {
		unsigned int n = min(nr, left_in_chunk(begin));

		ensure_chunk(mc, begin >> THINX_MAP_CHUNK_SHIFT,
			     THINX_GFP_TRY);
		nr_stored += fill_chunk(mc, begin, words, n);
		begin += n;
		words += n;
		nr -= n;
	}
	return nr_stored;
}

/* First entry whose key is not below @b. */
static u32 first_entry(const __le64 *keys, u32 nr, thinx_vblock_t b)
{
	u32 lo = 0, hi = nr;

	while (lo < hi) {
		u32 mid = lo + (hi - lo) / 2;

		if (le64_to_cpu(keys[mid]) < b)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/*
 * Unpack [begin, end), part of one chunk, from a leaf.  Returns how many of the
 * blocks are mapped.
 */
static unsigned int unpack_leaf(thinx_word_t *words, thinx_vblock_t begin,
				thinx_vblock_t end, u32 nr, const __le64 *keys,
				const __le64 *values)
{
	u32 i = first_entry(keys, nr, begin);
	unsigned int nr_mapped = 0;
	thinx_vblock_t b;

	for (b = begin; b < end; b++)
		words[b - begin] = THINX_WORD_HOLE;
	for (; i < nr && nr_mapped < CHUNK_WORDS; i++) {
		thinx_word_t word = le64_to_cpu(values[i]);

		b = le64_to_cpu(keys[i]);
		if (b < begin || b >= end)
			break;
		/* No device has such a block; say nothing about it. */
		if (!thinx_word_is_mapping(word))
			word = THINX_WORD_UNKNOWN;
		words[b - begin] = word;
		nr_mapped++;
	}
	return nr_mapped;
}

int thinx_map_cache_fill_leaf(struct thinx_map_cache *mc, thinx_vblock_t around,
			      thinx_vblock_t begin, thinx_vblock_t end, u32 nr,
			      const __le64 *keys, const __le64 *values,
			      u64 volume_blocks)
{
	thinx_vblock_t here = around & ~CHUNK_MASK, b, to;
	thinx_word_t words[CHUNK_WORDS];
	bool around_hole;
	int nr_stored = 0;

	if (around >= volume_blocks)
		return 0;
	end = min(end - 1, volume_blocks - 1) + 1;	/* 0 stood for 2^64 */
	if (around < begin || around >= end)
		return 0;

	/* [begin, end) becomes the window. */
	if (here > WINDOW_BEFORE * CHUNK_WORDS)
		begin = max(begin, here - WINDOW_BEFORE * CHUNK_WORDS);
	if (end - here > (WINDOW_BEHIND + 1) * CHUNK_WORDS)
		end = here + (WINDOW_BEHIND + 1) * CHUNK_WORDS;

	around_hole = !unpack_leaf(words, around, around + 1, nr, keys, values);
	for (b = begin; b < end; b = to) {
		to = b + min_t(u64, left_in_chunk(b), end - b);
		/*
		 * Other chunks are worth their memory if something is mapped
		 * there, or if a reader seems to go on through a hole.
		 */
		if (!unpack_leaf(words, b, to, nr, keys, values) &&
		    (b & ~CHUNK_MASK) != here && !(around_hole && b > around))
			continue;
		ensure_chunk(mc, b >> THINX_MAP_CHUNK_SHIFT, GFP_NOWAIT);
		nr_stored += fill_chunk(mc, b, words, to - b);
	}
	return nr_stored;
}

/*
 * Store a run, or one word everywhere, in one chunk.  A chunk that would only
 * say UNKNOWN is dropped.
 */
static void overwrite_chunk(struct thinx_map_cache *mc, unsigned long index,
			    struct thinx_map_chunk *c, thinx_vblock_t begin,
			    thinx_vblock_t end, u64 first)
{
	thinx_vblock_t from = index << THINX_MAP_CHUNK_SHIFT, b, to;
	u64 step = thinx_word_is_mapping(first) ? 1ULL << THINX_TIME_BITS : 0;

	to = min(end, from + CHUNK_WORDS);
	b = max(begin, from);
	if (first == THINX_WORD_UNKNOWN && to - b == CHUNK_WORDS) {
		drop_chunk(mc, index);
		return;
	}
	for (; b < to; b++)
		store_word(c, b, first + (b - begin) * step);
}

/* The same in the first chunk at or after *@index; false if that was all. */
static bool overwrite_next(struct thinx_map_cache *mc, unsigned long *index,
			   thinx_vblock_t begin, thinx_vblock_t end, u64 first)
{
	unsigned long last = (end - 1) >> THINX_MAP_CHUNK_SHIFT;
	struct thinx_map_chunk *c;

	rcu_read_lock();
	c = xa_find(&mc->chunks, index, last, XA_PRESENT);
	if (c)
		overwrite_chunk(mc, *index, c, begin, end, first);
	rcu_read_unlock();
	return c && (*index)++ != last;
}

void thinx_map_cache_set(struct thinx_map_cache *mc, thinx_vblock_t begin,
			 u64 nr, u64 first)
{
	unsigned long index = begin >> THINX_MAP_CHUNK_SHIFT, i;
	thinx_vblock_t end = begin + nr;

	if (!nr)
		return;
	if (first != THINX_WORD_UNKNOWN && nr <= SET_ALLOC_MAX)
		for (i = index; i <= (end - 1) >> THINX_MAP_CHUNK_SHIFT; i++)
			ensure_chunk(mc, i, GFP_NOWAIT);
	while (overwrite_next(mc, &index, begin, end, first))
		;
}

void thinx_map_cache_invalidate(struct thinx_map_cache *mc,
				thinx_vblock_t begin, thinx_vblock_t end)
{
	unsigned long index = begin >> THINX_MAP_CHUNK_SHIFT;

	if (begin >= end)
		return;
	while (overwrite_next(mc, &index, begin, end, THINX_WORD_UNKNOWN))
		cond_resched();
}

void thinx_map_cache_drop_all(struct thinx_map_cache *mc)
{
	unsigned long index = 0;

	while (xa_find(&mc->chunks, &index, ULONG_MAX, XA_PRESENT)) {
		drop_chunk(mc, index);
		cond_resched();
	}
}
