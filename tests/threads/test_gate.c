// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Readers use whatever object is current; changers put another in its place,
 * drain, and take the old one apart.
 *
 *   current ──► object 7 { alive }      changer: current = 9, drain, 7 dies
 *                  ▲
 *              readers inside the gate; some are counted out by another thread
 *
 * A drain that misses a reader lets it see a dead object; "alive" is a plain
 * variable, so ThreadSanitizer also checks that leaving and draining order the
 * reader's use before the death.
 */
#include <pthread.h>

#include "data-path/gate.h"

#include "threads.h"

#define NR_OBJECTS	16
#define NR_READERS	16

static struct thinx_gate gate;
static int alive[NR_OBJECTS];
static int current_object;

static pthread_mutex_t spare_lock = PTHREAD_MUTEX_INITIALIZER;
static int spare[NR_OBJECTS], nr_spare;

/* Epochs of readers that another thread counts out. */
static pthread_mutex_t done_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned int done[NR_READERS * 4], nr_done;

static unsigned long nr_inside, nr_refused;

static void leave(unsigned int epoch)
{
	__atomic_sub_fetch(&nr_inside, 1, __ATOMIC_RELAXED);
	thinx_gate_leave(&gate, epoch);
}

static bool hand_over(unsigned int epoch)
{
	bool room;

	pthread_mutex_lock(&done_lock);
	room = nr_done < NR_READERS * 4;
	if (room)
		done[nr_done++] = epoch;
	pthread_mutex_unlock(&done_lock);
	return room;
}

static void step_reader(unsigned int *seed)
{
	unsigned int epoch;
	int i;

	if (!thinx_gate_enter(&gate, &epoch)) {
		__atomic_add_fetch(&nr_refused, 1, __ATOMIC_RELAXED);
		threads_dawdle(seed, 50);
		return;
	}
	__atomic_add_fetch(&nr_inside, 1, __ATOMIC_RELAXED);
	i = __atomic_load_n(&current_object, __ATOMIC_ACQUIRE);
	CHECK(alive[i]);
	threads_dawdle(seed, 100);
	CHECK(alive[i]);
	if (rand_r(seed) % 4 || !hand_over(epoch))
		leave(epoch);
}

/* Stands for the interrupt in which a bio completes. */
static void step_completion(unsigned int *seed)
{
	unsigned int epoch;
	bool any;

	pthread_mutex_lock(&done_lock);
	any = nr_done;
	if (any)
		epoch = done[--nr_done];
	pthread_mutex_unlock(&done_lock);
	if (any)
		leave(epoch);
	else
		threads_dawdle(seed, 50);
}

static int take_spare(void)
{
	int i;

	pthread_mutex_lock(&spare_lock);
	i = spare[--nr_spare];
	pthread_mutex_unlock(&spare_lock);
	return i;
}

static void give_spare(int i)
{
	pthread_mutex_lock(&spare_lock);
	spare[nr_spare++] = i;
	pthread_mutex_unlock(&spare_lock);
}

static void step_changer(unsigned int *seed)
{
	int i = take_spare();

	alive[i] = 1;
	i = __atomic_exchange_n(&current_object, i, __ATOMIC_ACQ_REL);
	thinx_gate_drain(&gate);
	CHECK(alive[i]);
	alive[i] = 0;
	give_spare(i);
	threads_dawdle(seed, 50);
}

/* A worker that does other things until the drain is over. */
static void step_asker(unsigned int *seed)
{
	int i = take_spare();
	unsigned long ticket;

	alive[i] = 1;
	i = __atomic_exchange_n(&current_object, i, __ATOMIC_ACQ_REL);
	ticket = thinx_gate_begin_drain(&gate);
	while (!thinx_gate_is_drained(&gate, ticket))
		threads_dawdle(seed, 50);
	CHECK(alive[i]);
	alive[i] = 0;
	give_spare(i);
	threads_dawdle(seed, 50);
}

static void step_closer(unsigned int *seed)
{
	thinx_gate_close(&gate);
	thinx_gate_drain(&gate);
	CHECK(!__atomic_load_n(&nr_inside, __ATOMIC_RELAXED));
	threads_dawdle(seed, 50);
	CHECK(!__atomic_load_n(&nr_inside, __ATOMIC_RELAXED));
	thinx_gate_open(&gate);
	threads_dawdle(seed, 3000);
	threads_dawdle(seed, 3000);
}

int main(int argc, char **argv)
{
	struct threads_role roles[] = {
		{ "reader", step_reader, NR_READERS, 0, false },
		{ "changer", step_changer, 3, 0, false },
		{ "asker", step_asker, 2, 0, false },
		{ "closer", step_closer, 1, 0, false },
		{ "completion", step_completion, 1, 0, false },
		{ NULL, NULL, 0, 0, false }
	};
	int i;

	CHECK(!thinx_gate_init(&gate, NULL));
	alive[0] = 1;
	for (i = 1; i < NR_OBJECTS; i++)
		spare[nr_spare++] = i;
	threads_run(argc, argv, roles);
	while (nr_done)
		leave(done[--nr_done]);
	thinx_gate_drain(&gate);
	printf("  refused: %lu, drains: %lu\n", nr_refused, gate.nr_begun);
	for (i = 0; roles[i].name; i++)
		CHECK(roles[i].nr_steps > 0);
	CHECK(nr_refused > 0 && !nr_inside);
	thinx_gate_exit(&gate);
	return 0;
}
