/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.  Atomics and barriers.  All are sequentially consistent: stronger than the kernel's,
 * so that ThreadSanitizer, which ignores fences, sees the order they impose.
 */
#pragma once
#include <linux/compiler.h>
#include <linux/types.h>

typedef struct {
	long counter;
} atomic_long_t;

extern __thread int shim_mb_word;

#define smp_mb()	((void)__atomic_fetch_add(&shim_mb_word, 0, __ATOMIC_SEQ_CST))
#define smp_rmb()	smp_mb()
#define smp_wmb()	smp_mb()
#define smp_mb__before_atomic()	barrier()
#define smp_mb__after_atomic()	barrier()
#define smp_load_acquire(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)

#define shim_atomic_get(v)	__atomic_load_n(&(v)->counter, __ATOMIC_SEQ_CST)
#define shim_atomic_put(v, i)	__atomic_store_n(&(v)->counter, i, __ATOMIC_SEQ_CST)
#define shim_atomic_plus(v, i)	__atomic_add_fetch(&(v)->counter, i, __ATOMIC_SEQ_CST)

#define atomic_read(v)			shim_atomic_get(v)
#define atomic_read_acquire(v)		shim_atomic_get(v)
#define atomic_set(v, i)		shim_atomic_put(v, i)
#define atomic_inc(v)			((void)shim_atomic_plus(v, 1))
#define atomic_dec(v)			((void)shim_atomic_plus(v, -1))
#define atomic_inc_return(v)		shim_atomic_plus(v, 1)
#define atomic_dec_and_test(v)		(!shim_atomic_plus(v, -1))
#define atomic_long_read(v)		shim_atomic_get(v)
#define atomic_long_set(v, i)		shim_atomic_put(v, i)
#define atomic_long_inc(v)		((void)shim_atomic_plus(v, 1))
#define atomic_long_dec(v)		((void)shim_atomic_plus(v, -1))
#define atomic_long_add(i, v)		((void)shim_atomic_plus(v, i))
