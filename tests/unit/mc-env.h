/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What the tests of the map cache share: a volume's cache and range lock, and
 * leaves to fill it from.
 */
#ifndef MC_ENV_H
#define MC_ENV_H

#include "data-path/map-cache.h"
#include "data-path/range-lock.h"

#include <asm/byteorder.h>
#include <stdlib.h>

#define UNKNOWN		THINX_WORD_UNKNOWN
#define HOLE		THINX_WORD_HOLE
#define BIG_LIMIT	(64UL << 20)

struct volume {
	struct thinx_map_cache mc;
	struct thinx_range_lock rl;
};

static inline int setup(void **state)
{
	struct volume *v = malloc(sizeof(*v));

	*state = v;
	thinx_map_cache_limit_bytes = BIG_LIMIT;
	thinx_range_lock_init(&v->rl);
	return thinx_map_cache_setup() || thinx_map_cache_init(&v->mc, &v->rl);
}

static inline int teardown(void **state)
{
	struct volume *v = *state;

	thinx_map_cache_exit(&v->mc);
	free(v);
	if (thinx_map_cache_count())
		return -1;
	thinx_map_cache_teardown();
	return 0;
}

static inline u64 map(u64 block, u32 time)
{
	return thinx_mapping_pack(block, time);
}

static inline bool hold(struct volume *v, struct thinx_range *r, u64 begin,
			u64 end)
{
	return thinx_range_lock_or_wait(&v->rl, r, NULL, begin, end);
}

static inline void let_go(struct volume *v, struct thinx_range *r)
{
	LIST_HEAD(freed);

	thinx_range_unlock(&v->rl, r, &freed);
}

struct leaf {
	__le64 keys[252];
	__le64 values[252];
	u32 nr;
};

static inline void add(struct leaf *l, u64 key, u64 value)
{
	l->keys[l->nr] = cpu_to_le64(key);
	l->values[l->nr++] = cpu_to_le64(value);
}

static inline int fill_leaf(struct volume *v, struct leaf *l, u64 around,
			    u64 begin, u64 end, u64 volume_blocks)
{
	return thinx_map_cache_fill_leaf(&v->mc, around, begin, end, l->nr,
					 l->keys, l->values, volume_blocks);
}

#define MC_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif /* MC_ENV_H */
