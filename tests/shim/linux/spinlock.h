/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The thinx authors.  Spinlocks; mutexes inside, as there are no interrupts to keep off. */
#pragma once
#include <linux/mutex.h>

typedef struct mutex spinlock_t;

#define DEFINE_SPINLOCK(s)		DEFINE_MUTEX(s)
#define spin_lock_init(s)		mutex_init(s)
#define spin_lock(s)			mutex_lock(s)
#define spin_trylock(s)			mutex_trylock(s)
#define spin_unlock(s)			mutex_unlock(s)
#define spin_lock_bh(s)			mutex_lock(s)
#define spin_unlock_bh(s)		mutex_unlock(s)
#define spin_lock_irq(s)		mutex_lock(s)
#define spin_unlock_irq(s)		mutex_unlock(s)
#define spin_lock_irqsave(s, f)		((void)((f) = 0), mutex_lock(s))
#define spin_unlock_irqrestore(s, f)	((void)(f), mutex_unlock(s))
