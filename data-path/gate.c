// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Waits for bios that use an old mapping, at next to no cost to bios when
 * nobody waits.
 *
 *              epoch 0                epoch 1
 *   CPU 0   entered  left          entered  left      enter: entered[epoch]++
 *   CPU 1   entered  left          entered  left      leave: left[epoch]++
 *     :        Σ  ==  Σ ?             Σ  ==  Σ ?      on the current CPU
 *
 * An epoch is empty when both sums are equal.  A drain looks at both epochs;
 * new bios enter the one that is not being waited for.
 *
 * I1  left is summed up before entered.  Each exit in the sum has its entry in
 *     the sum too (the entry comes first, and barriers M1 and M2 keep it so for
 *     anybody who sees the exit), so equal sums mean that every bio whose entry
 *     was seen has left.  Summing in the other order could offset a bio still
 *     inside with the exit of one whose entry was missed.
 * I2  A bio whose entry the drain misses will itself see everything stored
 *     before the drain: its count is followed by M1 and then by its look-ups;
 *     the drain has M3 between the caller's stores and the sums.  One of the
 *     two sees the other.  The same holds for @closed in place of the caller's
 *     stores, so a close and then a drain leave nobody inside.
 * I3  From I1 and I2: a drain is over once each epoch was found empty, at any
 *     time after M3 and not necessarily at the same time.  None of this depends
 *     on @epoch, which only makes sure that the waiting ends:
 * I4  First the other epoch, which new bios do not enter.  It holds what is
 *     left from before, and stragglers that read @epoch before it changed and
 *     were counted later, each once.  Then @epoch is switched and the previous
 *     one runs dry likewise.
 * I5  A drain serves those who asked before it began: they did so under @lock,
 *     so its M3 comes after their stores.  Who asks while one is under way gets
 *     the ticket of the next, which begins when this one is over.
 * I6  A drain says which epoch it waits for, M5, then looks at the sums; a
 *     leaving bio counts its exit, M2, then looks whether somebody waits.  One
 *     of the two sees the other: no wake-up is lost, and nobody pays for one if
 *     nobody waits.
 * I7  A drain is moved on by whoever asks for it, under @lock, and by nobody
 *     else: all who have a ticket are woken, and ask again.
 *
 * The counts are atomic although they are per CPU: on x86 an atomic add already
 * is the full barrier that has to follow it, so a pair of enter and leave costs
 * two locked instructions on CPU-local memory, where plain adds would cost
 * three barriers.  It also makes interrupts and CPU migration harmless.
 * Counts may wrap; only differences matter.
 *
 * Context: enter and leave anywhere.  A leave still looks at the gate after it
 * was counted: under RCU, so that thinx_gate_exit() can wait for it.
 * Crash: nothing here is persistent.
 * Rejected: SRCU (wants its reader to leave in the same context, and its grace
 * periods wait for a work queue and usually for more than the readers);
 * percpu_ref (killing it takes an RCU grace period, for each copy-on-write);
 * a list of bios per block (which this replaces).
 */
#include "gate.h"

#include <linux/errno.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

int thinx_gate_init(struct thinx_gate *g, void (*woken)(struct thinx_gate *g))
{
	g->counts = alloc_percpu(struct thinx_gate_counts);
	if (!g->counts)
		return -ENOMEM;
	atomic_set(&g->closed, 0);
	g->epoch = 0;
	g->awaited = 0;
	g->is_half_done = false;
	g->nr_begun = 0;
	g->nr_wanted = 0;
	g->nr_done = 0;
	g->woken = woken;
	spin_lock_init(&g->lock);
	init_waitqueue_head(&g->wait);
	return 0;
}

void thinx_gate_exit(struct thinx_gate *g)
{
	synchronize_rcu();
	free_percpu(g->counts);
	g->counts = NULL;
}

static void wake(struct thinx_gate *g)
{
	wake_up(&g->wait);
	if (g->woken)
		g->woken(g);
}

bool thinx_gate_enter(struct thinx_gate *g, unsigned int *epoch)
{
	unsigned int e = READ_ONCE(g->epoch);

	atomic_long_inc(&raw_cpu_ptr(g->counts)->entered[e]);
	smp_mb__after_atomic();	/* M1, with M3 for I2 and M6 for I1 */
	/* Acquire: sees what was stored before thinx_gate_open(). */
	if (unlikely(atomic_read_acquire(&g->closed))) {
		thinx_gate_leave(g, e);
		return false;
	}
	*epoch = e;
	return true;
}

void thinx_gate_leave(struct thinx_gate *g, unsigned int epoch)
{
	rcu_read_lock();
	smp_mb__before_atomic(); /* all that was done inside; with M6, M7 */
	atomic_long_inc(&raw_cpu_ptr(g->counts)->left[epoch]);
	smp_mb__after_atomic();	/* M2, with M5 for I6 */
	if (unlikely(READ_ONCE(g->awaited) == epoch + 1))
		wake(g);
	rcu_read_unlock();
}

static bool epoch_is_empty(struct thinx_gate *g, unsigned int e)
{
	unsigned long left = 0, entered = 0;
	struct thinx_gate_counts *c;
	int cpu;

	for_each_possible_cpu(cpu) {
		c = per_cpu_ptr(g->counts, cpu);
		left += atomic_long_read(&c->left[e]);
	}
	smp_mb();		/* M6, keeps I1 */
	for_each_possible_cpu(cpu) {
		c = per_cpu_ptr(g->counts, cpu);
		entered += atomic_long_read(&c->entered[e]);
	}
	return left == entered;
}

/* Is it empty?  Otherwise who leaves it will wake us. */
static bool await_epoch(struct thinx_gate *g, unsigned int e)
{
	if (epoch_is_empty(g, e))
		return true;
	WRITE_ONCE(g->awaited, e + 1);
	smp_mb();		/* M5, with M2 for I6 */
	if (!epoch_is_empty(g, e))
		return false;
	WRITE_ONCE(g->awaited, 0);
	return true;
}

static void begin(struct thinx_gate *g)
{
	g->nr_begun++;
	g->is_half_done = false;
	smp_mb();		/* M3, keeps I2 and I5 */
}

/* Has the drain under way come to its end? */
static bool has_ended(struct thinx_gate *g)
{
	if (!g->is_half_done) {
		if (epoch_is_empty(g, 0) && epoch_is_empty(g, 1))
			return true;
		if (!await_epoch(g, !g->epoch))
			return false;
		WRITE_ONCE(g->epoch, !g->epoch);
		g->is_half_done = true;
	}
	return await_epoch(g, !g->epoch);
}

/* Returns true if a drain is over that was not before. */
static bool advance(struct thinx_gate *g)
{
	unsigned long before = g->nr_done;

	while (g->nr_done != g->nr_begun && has_ended(g)) {
		WRITE_ONCE(g->awaited, 0);
		smp_mb();	/* M7: who has a ticket sees what they did */
		g->nr_done++;
		if (g->nr_wanted > g->nr_begun)
			begin(g);
	}
	return g->nr_done != before;
}

unsigned long thinx_gate_begin_drain(struct thinx_gate *g)
{
	unsigned long ticket;
	bool others;

	spin_lock(&g->lock);
	others = g->nr_done != g->nr_begun && advance(g);
	ticket = g->nr_begun + 1;
	g->nr_wanted = ticket;
	if (g->nr_done == g->nr_begun) {
		begin(g);
		advance(g);
	}
	spin_unlock(&g->lock);
	if (others)
		wake(g);
	return ticket;
}

bool thinx_gate_is_drained(struct thinx_gate *g, unsigned long ticket)
{
	bool others, over;

	spin_lock(&g->lock);
	others = advance(g);
	over = (long)(g->nr_done - ticket) >= 0;
	spin_unlock(&g->lock);
	if (others)
		wake(g);
	return over;
}

void thinx_gate_drain(struct thinx_gate *g)
{
	unsigned long ticket = thinx_gate_begin_drain(g);

	wait_event(g->wait, thinx_gate_is_drained(g, ticket));
}

void thinx_gate_close(struct thinx_gate *g)
{
	atomic_inc(&g->closed);
}

void thinx_gate_open(struct thinx_gate *g)
{
	smp_mb__before_atomic(); /* what changed while it was closed */
	atomic_dec(&g->closed);
}
