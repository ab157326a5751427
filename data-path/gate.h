/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Counts the bios that use a volume's cached mappings, so that whoever wants to
 * change a mapping can wait until no bio uses the old one.
 *
 * Rules for callers
 *
 * R1  Enter before looking into the map cache; leave when the I/O is complete.
 * R2  Leave before anything that may wait: a deferred bio, or one that waits
 *     for a range, is not inside.
 * R3  The drainer holds no lock that anybody inside needs to get out, and is
 *     not inside itself.
 *
 * A drain is begun, which gives a ticket, and is over once the ticket says so.
 * Whoever can sleep waits for that with thinx_gate_drain(); a worker that has
 * other things to do asks thinx_gate_is_drained() whenever it is woken.
 */
#ifndef THINX_GATE_H
#define THINX_GATE_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/percpu.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>

/**
 * struct thinx_gate_counts - one CPU's share of the counts, by epoch
 * @entered: how often the gate was entered on this CPU
 * @left: how often it was left on this CPU
 */
struct thinx_gate_counts {
	atomic_long_t entered[2];	/* A */
	atomic_long_t left[2];		/* A */
};

/**
 * struct thinx_gate - one for each volume; all fields private
 *
 * What every bio reads is in the first cache line, which is written only when a
 * drain begins or ends to wait, or when the gate is closed or opened.
 *
 * @counts: I; per-CPU counts
 * @closed: A; number of closes not yet undone
 * @epoch: written under @lock, read by all; 0 or 1
 * @awaited: likewise; 1 + the epoch a drain waits for, 0 for none
 * @lock: of what follows; nothing nests
 * @is_half_done: L:lock; the drain under way waits for @epoch, the other epoch
 *	is empty
 * @nr_begun: L:lock; drains begun; the last one is under way unless @nr_done
 *	equals it
 * @nr_wanted: L:lock; drains that somebody has a ticket for, at most one more
 * @nr_done: L:lock; drains that are over
 * @wait: where those sleep that wait for a drain
 * @woken: I; called when a drain may be over, or NULL
 */
struct thinx_gate {
	struct thinx_gate_counts __percpu *counts;
	atomic_t closed;
	unsigned int epoch;
	unsigned int awaited;
	spinlock_t lock ____cacheline_aligned;
	bool is_half_done;
	unsigned long nr_begun;
	unsigned long nr_wanted;
	unsigned long nr_done;
	wait_queue_head_t wait;
	void (*woken)(struct thinx_gate *g);
};

/**
 * thinx_gate_init() - initialize a gate; it starts open
 * @g: gate
 * @woken: called in any context, hard interrupt included, when a bio has left
 *	that a drain waits for; NULL if all who drain sleep
 *
 * Context: May sleep.
 * Return: 0, -ENOMEM.
 */
int __must_check thinx_gate_init(struct thinx_gate *g,
				 void (*woken)(struct thinx_gate *g));

/**
 * thinx_gate_exit() - free what thinx_gate_init() made
 * @g: gate; nobody is inside and nobody enters any more
 *
 * Waits for an RCU grace period, for those whose leave was just counted.
 *
 * Context: May sleep.
 */
void thinx_gate_exit(struct thinx_gate *g);

/**
 * thinx_gate_enter() - enter the gate
 * @g: gate
 * @epoch: result, to be passed to thinx_gate_leave()
 *
 * A bio inside sees everything that was stored before the start of any drain
 * that does not wait for it.
 *
 * Context: Any, never sleeps.
 * Return: false if the gate is closed: the bio is not inside, do not leave.
 */
bool __must_check thinx_gate_enter(struct thinx_gate *g, unsigned int *epoch);

/**
 * thinx_gate_leave() - leave the gate
 * @g: gate
 * @epoch: result of thinx_gate_enter()
 *
 * Context: Any, hard interrupt included; any CPU, any task.
 */
void thinx_gate_leave(struct thinx_gate *g, unsigned int epoch);

/**
 * thinx_gate_begin_drain() - begin to wait until all that entered before have left
 * @g: gate; open or closed
 *
 * Does not wait for those that enter afterwards.  Any number of callers: one
 * drain runs at a time, and callers that come meanwhile share the next one.
 *
 * Context: Any but interrupts, never sleeps.  See R3 above.
 * Return: ticket for thinx_gate_is_drained().
 */
unsigned long __must_check thinx_gate_begin_drain(struct thinx_gate *g);

/**
 * thinx_gate_is_drained() - is a drain over?
 * @g: gate
 * @ticket: result of thinx_gate_begin_drain()
 *
 * If it is, what the others did inside is visible to the caller.  If not,
 * thinx_gate.woken is called when it is worth asking again.
 *
 * Context: Any but interrupts, never sleeps.
 */
bool thinx_gate_is_drained(struct thinx_gate *g, unsigned long ticket);

/**
 * thinx_gate_drain() - wait until all that entered before have left
 * @g: gate; open or closed
 *
 * Context: May sleep.  See R3 above.
 */
void thinx_gate_drain(struct thinx_gate *g);

/**
 * thinx_gate_close() - let nobody in
 * @g: gate
 *
 * Nests: each close needs its own thinx_gate_open().  Those inside stay inside:
 * after a close and then a drain nobody is.
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
