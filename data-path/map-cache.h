/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Where do the blocks of a volume live?  Answered without a lock, or not at
 * all.
 *
 * Absence means "ask the metadata", never "unmapped".  What may be stored when,
 * and why no reader ever acts on an old answer, is explained in map-cache.c;
 * callers follow these rules:
 *
 * R1  A reader is inside the volume's gate from before the look-up until it
 *     no longer uses the answer.
 * R2  A fill happens in the same critical section of the metadata lock, read or
 *     write, as the look-up it comes from.
 * R3  Whoever changes the metadata of a block holds a range lock over the
 *     block, invalidates it and drains the gate before (unless it is a hole),
 *     and calls thinx_map_cache_set() in the same write-locked section as the
 *     change.  A holder may also set what a look-up found, in the same critical
 *     section of the metadata lock.
 */
#ifndef THINX_MAP_CACHE_H
#define THINX_MAP_CACHE_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/compiler.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/types.h>
#include <linux/xarray.h>

#include "dm-thinx-types.h"

struct thinx_range_lock;

#define THINX_MAP_CHUNK_SHIFT	6
#define THINX_MAP_CHUNK_WORDS	(1U << THINX_MAP_CHUNK_SHIFT)

/**
 * struct thinx_map_chunk - the words of 64 neighbouring virtual blocks
 * @rcu: frees it a grace period after it left the xarray
 * @accessed: was it used since the eviction hand last came by?
 * @words: UNKNOWN, HOLE or a mapping; loaded and stored whole
 */
struct thinx_map_chunk {
	struct rcu_head rcu;
	bool accessed;
	thinx_word_t words[THINX_MAP_CHUNK_WORDS];
};

_Static_assert(sizeof(unsigned long) == sizeof(u64),
	       "a word is loaded whole, and its chunk's number is an index");

/**
 * struct thinx_map_cache - the cached mappings of one volume
 * @chunks: R; struct thinx_map_chunk by virtual block / 64
 * @rl: I; the volume's range lock
 * @list: in the list of all caches, under that list's lock
 * @hand: under the same lock; chunk the eviction hand looks at next
 *
 * Look-ups read the first cache line only.  It is written when a chunk comes or
 * goes; the eviction hand, which moves all the time, is in another line.
 */
struct thinx_map_cache {
	struct xarray chunks;
	struct thinx_range_lock *rl;
	struct list_head list ____cacheline_aligned;
	unsigned long hand;
};

/*
 * What thinx_map_cache_bytes() may grow to; a module parameter.  At load a share
 * of the memory, if it is ULONG_MAX.  A new value takes effect gradually, with
 * the fills that follow.
 */
extern unsigned long thinx_map_cache_limit_bytes;

/**
 * thinx_map_cache_setup() - once, at module load
 *
 * Context: May sleep.
 * Return: 0, -ENOMEM.
 */
int __must_check thinx_map_cache_setup(void);

/**
 * thinx_map_cache_teardown() - once, at module unload; no cache is left
 *
 * Context: May sleep.
 */
void thinx_map_cache_teardown(void);

/**
 * thinx_map_cache_shrinker_register() - give memory back under pressure
 *
 * Kernel only (map-cache-shrinker.c).  After thinx_map_cache_setup().
 *
 * Context: May sleep.
 * Return: 0, -ENOMEM.
 */
int __must_check thinx_map_cache_shrinker_register(void);

/**
 * thinx_map_cache_shrinker_unregister() - undo it
 *
 * Before thinx_map_cache_teardown().
 *
 * Context: May sleep.
 */
void thinx_map_cache_shrinker_unregister(void);

/**
 * thinx_map_cache_bytes() - what the chunks of all caches use, bytes
 *
 * The xarrays' own nodes are not counted: 9 bytes a chunk where chunks are
 * neighbours, 576 where they are isolated.
 *
 * Context: Any.
 */
unsigned long thinx_map_cache_bytes(void);

/**
 * thinx_map_cache_count() - number of chunks of all caches
 *
 * Context: Any.
 */
unsigned long thinx_map_cache_count(void);

/** thinx_map_cache_filled() - chunks ever made, all caches; lock-free */
unsigned long thinx_map_cache_filled(void);

/** thinx_map_cache_evicted() - chunks ever evicted, all caches; lock-free */
unsigned long thinx_map_cache_evicted(void);

/**
 * thinx_map_cache_evict() - look at some chunks, evict unused ones
 * @nr_scan: how many to look at
 *
 * Context: Process, never sleeps.
 * Return: number of chunks evicted.
 */
unsigned long thinx_map_cache_evict(unsigned long nr_scan);

/**
 * thinx_map_cache_init() - initialize an empty cache
 * @mc: cache
 * @rl: the volume's range lock
 *
 * Context: May sleep.
 * Return: 0.
 */
int __must_check thinx_map_cache_init(struct thinx_map_cache *mc,
				      struct thinx_range_lock *rl);

/**
 * thinx_map_cache_exit() - free all chunks
 * @mc: cache; nobody uses it any more
 *
 * Context: May sleep.
 */
void thinx_map_cache_exit(struct thinx_map_cache *mc);

/**
 * thinx_map_cache_chunk() - get the chunk of a block, mark it used
 * @mc: cache
 * @b: virtual block
 *
 * Context: Any, never sleeps; under rcu_read_lock().
 * Return: the chunk or NULL.
 */
static inline struct thinx_map_chunk *
thinx_map_cache_chunk(struct thinx_map_cache *mc, thinx_vblock_t b)
{
	struct thinx_map_chunk *c;

	c = xa_load(&mc->chunks, b >> THINX_MAP_CHUNK_SHIFT);
	if (likely(c) && unlikely(!READ_ONCE(c->accessed)))
		WRITE_ONCE(c->accessed, true);
	return c;
}

/**
 * thinx_map_chunk_word() - one word of a chunk
 * @c: chunk
 * @b: virtual block, one of the chunk's
 *
 * Context: Any, never sleeps; under rcu_read_lock().
 * Return: UNKNOWN, HOLE or the mapping.
 */
static inline u64 thinx_map_chunk_word(struct thinx_map_chunk *c,
				       thinx_vblock_t b)
{
	/*
	 * Pairs with the release in store_word(): a read through a mapping sees
	 * at least what was written before the mapping was stored.
	 */
	return smp_load_acquire(&c->words[b & (THINX_MAP_CHUNK_WORDS - 1)]);
}

/**
 * thinx_map_cache_get() - the word of a block
 * @mc: cache
 * @b: virtual block
 *
 * Context: Any, never sleeps; see R1.
 * Return: UNKNOWN, HOLE or the mapping.
 */
static inline u64 thinx_map_cache_get(struct thinx_map_cache *mc,
				      thinx_vblock_t b)
{
	struct thinx_map_chunk *c;
	thinx_word_t word = THINX_WORD_UNKNOWN;

	rcu_read_lock();
	c = thinx_map_cache_chunk(mc, b);
	if (likely(c))
		word = thinx_map_chunk_word(c, b);
	rcu_read_unlock();
	return word;
}

/**
 * thinx_map_cache_run() - how far does one answer reach?
 * @mc: cache
 * @b: virtual block
 * @max: look at no more than this many blocks, >= 1
 * @snapshotted_time: of the volume; a mapping older than this looks shared
 * @first: the word of @b
 *
 * Context: Any, never sleeps; see R1.
 * Return: 1 .. @max, the number of blocks from @b on that continue @first:
 * holes if @first is HOLE; if it is a mapping, mappings to the data blocks that
 * follow it, all of which look shared or none of which do.  1 if it is UNKNOWN.
 */
unsigned int thinx_map_cache_run(struct thinx_map_cache *mc, thinx_vblock_t b,
				 unsigned int max, u32 snapshotted_time,
				 u64 *first);

/**
 * thinx_map_cache_fill() - remember what a look-up found
 * @mc: cache
 * @begin: first virtual block
 * @words: HOLE or mapping of each block; UNKNOWN: nothing to say
 * @nr: how many, blocks
 *
 * Best effort: stores nothing over a known word, nothing into a held range,
 * and nothing where memory is short.
 *
 * Context: Process, may sleep (GFP_NOIO); see R2.
 * Return: number of words stored.
 */
int thinx_map_cache_fill(struct thinx_map_cache *mc, thinx_vblock_t begin,
			 const thinx_word_t *words, unsigned int nr);

/**
 * thinx_map_cache_fill_leaf() - remember what a leaf of the mapping tree says
 * @mc: cache
 * @around: the block that was looked up
 * @begin: the leaf covers [@begin, @end)
 * @end: one past the last block; 0 stands for 2^64
 * @nr: entries
 * @keys: virtual blocks, strictly increasing
 * @values: their mappings
 * @volume_blocks: size of the volume; nothing beyond is stored
 *
 * Like thinx_map_cache_fill(), for a window of chunks near @around.
 *
 * Context: Process, never sleeps (GFP_NOWAIT); see R2.
 * Return: number of words stored.
 */
int thinx_map_cache_fill_leaf(struct thinx_map_cache *mc, thinx_vblock_t around,
			      thinx_vblock_t begin, thinx_vblock_t end, u32 nr,
			      const __le64 *keys, const __le64 *values,
			      u64 volume_blocks);

/**
 * thinx_map_cache_set() - store what the metadata says from now on
 * @mc: cache
 * @begin: first virtual block
 * @nr: how many, blocks
 * @first: HOLE or UNKNOWN for all; or the mapping of the first, the others
 *	following with consecutive data blocks and the same time
 *
 * Where there is no memory for that, the blocks become UNKNOWN.
 *
 * Context: Process, never sleeps.  The caller holds a range over these blocks
 * and the metadata lock; see R3.
 */
void thinx_map_cache_set(struct thinx_map_cache *mc, thinx_vblock_t begin,
			 u64 nr, u64 first);

/**
 * thinx_map_cache_invalidate() - forget a range
 * @mc: cache
 * @begin: first virtual block
 * @end: one past the last block
 *
 * Readers that got an answer before are gone only after a drain of the gate.
 *
 * Context: Process, may sleep.  The caller holds a range over these blocks.
 */
void thinx_map_cache_invalidate(struct thinx_map_cache *mc,
				thinx_vblock_t begin, thinx_vblock_t end);

/**
 * thinx_map_cache_drop_all() - forget everything
 * @mc: cache
 *
 * For an abort, which changes mappings without holding ranges: call it after
 * the metadata was rolled back (an earlier fill may hold what was undone) and
 * before the gate, closed and drained until now, is opened.
 *
 * Context: Process, may sleep.
 */
void thinx_map_cache_drop_all(struct thinx_map_cache *mc);

#endif /* THINX_MAP_CACHE_H */
