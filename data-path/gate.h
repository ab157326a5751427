/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Counts the bios that run on a volume's cached mappings, so that somebody who
 * wants to change a mapping can wait until no bio runs on the old one.
 *
 * Rules for callers
 *
 * R1  Enter before the map cache is asked; leave when the I/O is complete.
 * R2  Leave before anything that may wait: a deferred bio, or one that waits
 *     for a range, is not inside.
 * R3  Who drains holds no lock that somebody inside needs to get out, and is
 *     not inside himself.
 */
#ifndef THINX_GATE_H
#define THINX_GATE_H

#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/types.h>
#include <linux/wait.h>

/**
 * struct thinx_gate_counts - one CPU's share of the counts, by epoch
 * @entered: how often somebody entered on this CPU
 * @left: how often somebody left on this CPU
 */
struct thinx_gate_counts {
	atomic_long_t entered[2];	/* A */
	atomic_long_t left[2];		/* A */
};

/**
 * struct thinx_gate - one for each volume; all fields private
 * @counts: I; per-CPU counts
 * @closed: A; number of closes not yet undone
 * @epoch: written under @drain_lock, read by all; 0 or 1
 * @awaited: the same; 1 + the epoch a drainer sleeps on, 0 for none
 * @nr_drains: the same; drains begun
 * @drain_lock: one drain at a time
 * @wait: where the drainer sleeps
 */
struct thinx_gate {
	struct thinx_gate_counts __percpu *counts;
	atomic_t closed;
	unsigned int epoch;
	unsigned int awaited;
	unsigned long nr_drains;
	struct mutex drain_lock;
	wait_queue_head_t wait;
};

/**
 * thinx_gate_init() - make a gate; it is open
 * @g: gate
 *
 * Context: May sleep.
 * Return: 0, -ENOMEM.
 */
int __must_check thinx_gate_init(struct thinx_gate *g);

/**
 * thinx_gate_exit() - free what thinx_gate_init() made
 * @g: gate; nobody is inside and nobody enters any more
 *
 * Waits an RCU grace period, for those whose leave was just counted.
 *
 * Context: May sleep.
 */
void thinx_gate_exit(struct thinx_gate *g);

/**
 * thinx_gate_enter() - go in
 * @g: gate
 * @epoch: result, to be given to thinx_gate_leave()
 *
 * Whoever is in sees everything that was stored before the beginning of each
 * drain that does not wait for him.
 *
 * Context: Any, never sleeps.
 * Return: false if the gate is closed: not inside, do not leave.
 */
bool __must_check thinx_gate_enter(struct thinx_gate *g, unsigned int *epoch);

/**
 * thinx_gate_leave() - go out
 * @g: gate
 * @epoch: what thinx_gate_enter() gave
 *
 * Context: Any, hard interrupt included; any CPU, any task.
 */
void thinx_gate_leave(struct thinx_gate *g, unsigned int epoch);

/**
 * thinx_gate_drain() - wait until everybody who entered before has left
 * @g: gate; open or closed
 *
 * Does not wait for those who enter meanwhile.  What they did inside is visible
 * to the caller afterwards.  Any number of callers: one drain runs at a time,
 * and those that wait meanwhile share the next one.
 *
 * Context: May sleep.  See R3 above.
 */
void thinx_gate_drain(struct thinx_gate *g);

/**
 * thinx_gate_close() - let nobody in
 * @g: gate
 *
 * Nests: as many thinx_gate_open() are needed.  Those inside stay inside:
 * after close and then drain nobody is in.
 *
 * Context: Any.
 */
void thinx_gate_close(struct thinx_gate *g);

/**
 * thinx_gate_open() - undo one close
 * @g: gate
 *
 * Context: Any.
 */
void thinx_gate_open(struct thinx_gate *g);

/**
 * thinx_gate_is_closed() - is it closed at this moment?
 * @g: gate
 *
 * Context: Any.  A hint only, unless the caller rules out close and open.
 */
static inline bool thinx_gate_is_closed(struct thinx_gate *g)
{
	/* Acquire: sees what was stored before thinx_gate_open(). */
	return atomic_read_acquire(&g->closed) != 0;
}

#endif /* THINX_GATE_H */
