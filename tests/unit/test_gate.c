// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What a drain waits for and what it does not, step by step.  tests/threads has
 * the races.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <unistd.h>
#include <cmocka.h>

#include "data-path/gate.h"

#define A_WHILE_US	30000

/* A drain in a thread of its own. */
struct drain {
	pthread_t thread;
	struct thinx_gate *g;
	int started, done;
};

static void *run_drain(void *p)
{
	struct drain *d = p;

	WRITE_ONCE(d->started, 1);
	thinx_gate_drain(d->g);
	WRITE_ONCE(d->done, 1);
	return NULL;
}

static void start_drain(struct drain *d, struct thinx_gate *g)
{
	d->g = g;
	d->started = 0;
	d->done = 0;
	assert_int_equal(pthread_create(&d->thread, NULL, run_drain, d), 0);
}

static void await_started(struct drain *d)
{
	int i;

	for (i = 0; i < 100000 && !READ_ONCE(d->started); i++)
		usleep(100);
	assert_true(READ_ONCE(d->started));
}

static void await_sleeping_drain(struct thinx_gate *g)
{
	int i;

	for (i = 0; i < 100000 && !READ_ONCE(g->awaited); i++)
		usleep(100);
	assert_true(READ_ONCE(g->awaited));
}

static void assert_not_done(struct drain *d)
{
	usleep(A_WHILE_US);
	assert_false(READ_ONCE(d->done));
}

static void join_drain(struct drain *d)
{
	pthread_join(d->thread, NULL);
	assert_true(d->done);
}

static unsigned int nr_woken;

static void count_woken(struct thinx_gate *g)
{
	__atomic_add_fetch(&nr_woken, 1, __ATOMIC_RELAXED);
}

static int setup(void **state)
{
	static struct thinx_gate g;

	*state = &g;
	nr_woken = 0;
	return thinx_gate_init(&g, count_woken);
}

static int teardown(void **state)
{
	thinx_gate_exit(*state);
	return 0;
}

static void test_drain_of_an_empty_gate_returns(void **state)
{
	struct thinx_gate *g = *state;
	unsigned int epoch, before = g->epoch;

	thinx_gate_drain(g);
	assert_true(thinx_gate_enter(g, &epoch));
	thinx_gate_leave(g, epoch);
	thinx_gate_drain(g);
	assert_int_equal(g->epoch, before);
}

static void test_closed_gate_lets_nobody_in(void **state)
{
	struct thinx_gate *g = *state;
	unsigned int epoch;

	thinx_gate_close(g);
	assert_true(thinx_gate_is_closed(g));
	assert_false(thinx_gate_enter(g, &epoch));
	thinx_gate_drain(g);
	thinx_gate_open(g);
	assert_false(thinx_gate_is_closed(g));
	assert_true(thinx_gate_enter(g, &epoch));
	thinx_gate_leave(g, epoch);
}

static void test_closes_nest(void **state)
{
	struct thinx_gate *g = *state;
	unsigned int epoch;

	thinx_gate_close(g);
	thinx_gate_close(g);
	thinx_gate_open(g);
	assert_false(thinx_gate_enter(g, &epoch));
	thinx_gate_open(g);
	assert_true(thinx_gate_enter(g, &epoch));
	thinx_gate_leave(g, epoch);
}

static void test_drain_waits_for_who_is_inside(void **state)
{
	struct thinx_gate *g = *state;
	unsigned int a, b;
	struct drain d;

	assert_true(thinx_gate_enter(g, &a));
	assert_true(thinx_gate_enter(g, &b));
	start_drain(&d, g);
	await_sleeping_drain(g);
	assert_not_done(&d);
	thinx_gate_leave(g, a);
	assert_not_done(&d);
	thinx_gate_leave(g, b);
	join_drain(&d);
}

static void test_drain_does_not_wait_for_who_enters_meanwhile(void **state)
{
	struct thinx_gate *g = *state;
	unsigned int before, meanwhile;
	struct drain d;

	assert_true(thinx_gate_enter(g, &before));
	start_drain(&d, g);
	await_sleeping_drain(g);
	assert_true(thinx_gate_enter(g, &meanwhile));
	assert_int_not_equal(before, meanwhile);
	thinx_gate_leave(g, before);
	join_drain(&d);
	thinx_gate_leave(g, meanwhile);
}

static void test_drain_waits_for_who_is_in_the_other_epoch(void **state)
{
	struct thinx_gate *g = *state;
	unsigned int before, meanwhile;
	struct drain d;

	assert_true(thinx_gate_enter(g, &before));
	start_drain(&d, g);
	await_sleeping_drain(g);
	assert_true(thinx_gate_enter(g, &meanwhile));
	thinx_gate_leave(g, before);
	join_drain(&d);

	start_drain(&d, g);
	assert_not_done(&d);
	thinx_gate_leave(g, meanwhile);
	join_drain(&d);
}

static void test_drain_waits_for_a_straggler(void **state)
{
	struct thinx_gate *g = *state;
	unsigned int late;
	struct drain d;

	/* Read the epoch, was delayed, counted itself when that was over. */
	assert_true(thinx_gate_enter(g, &late));
	WRITE_ONCE(g->epoch, !late);
	start_drain(&d, g);
	await_sleeping_drain(g);
	assert_int_equal(READ_ONCE(g->awaited), late + 1);
	assert_not_done(&d);
	thinx_gate_leave(g, late);
	join_drain(&d);
}

static void *run_leave(void *p)
{
	struct drain *d = p;

	thinx_gate_leave(d->g, d->done);
	return NULL;
}

static void test_leaving_on_another_cpu_counts(void **state)
{
	struct thinx_gate *g = *state;
	unsigned int epoch;
	struct drain d;
	int i;

	for (i = 0; i < 7; i++) {
		assert_true(thinx_gate_enter(g, &epoch));
		d.g = g;
		d.done = epoch;
		assert_int_equal(pthread_create(&d.thread, NULL, run_leave, &d),
				 0);
		thinx_gate_drain(g);
		pthread_join(d.thread, NULL);
	}
}

static void test_drains_that_wait_share_the_next_one(void **state)
{
	struct thinx_gate *g = *state;
	struct drain d[12];
	unsigned int epoch;
	int i;

	assert_true(thinx_gate_enter(g, &epoch));
	start_drain(&d[0], g);
	await_sleeping_drain(g);
	for (i = 1; i < 12; i++)
		start_drain(&d[i], g);
	for (i = 0; i < 12; i++)
		await_started(&d[i]);
	for (i = 0; i < 12; i++)
		assert_not_done(&d[i]);
	thinx_gate_leave(g, epoch);
	for (i = 0; i < 12; i++)
		join_drain(&d[i]);
	/* Two, and a few for threads that came very late. */
	assert_in_range(g->nr_begun, 2, 5);
}

static void test_drain_can_be_asked_for_without_sleeping(void **state)
{
	struct thinx_gate *g = *state;
	unsigned int before, meanwhile;
	unsigned long ticket;

	ticket = thinx_gate_begin_drain(g);
	assert_true(thinx_gate_is_drained(g, ticket));
	assert_int_equal(nr_woken, 0);

	assert_true(thinx_gate_enter(g, &before));
	ticket = thinx_gate_begin_drain(g);
	assert_true(thinx_gate_enter(g, &meanwhile));
	assert_false(thinx_gate_is_drained(g, ticket));
	assert_int_equal(nr_woken, 0);
	thinx_gate_leave(g, before);
	assert_int_equal(nr_woken, 1);
	assert_true(thinx_gate_is_drained(g, ticket));
	thinx_gate_leave(g, meanwhile);
}

/* The one that had begun may have missed what the second one stored. */
static void test_second_ticket_is_for_the_next_drain(void **state)
{
	struct thinx_gate *g = *state;
	unsigned long first, second, third;
	unsigned int before, meanwhile;

	assert_true(thinx_gate_enter(g, &before));
	first = thinx_gate_begin_drain(g);
	assert_true(thinx_gate_enter(g, &meanwhile));
	second = thinx_gate_begin_drain(g);
	third = thinx_gate_begin_drain(g);
	assert_int_not_equal(first, second);
	assert_int_equal(second, third);
	thinx_gate_leave(g, before);
	assert_true(thinx_gate_is_drained(g, first));
	assert_false(thinx_gate_is_drained(g, second));
	thinx_gate_leave(g, meanwhile);
	assert_true(thinx_gate_is_drained(g, second));
	assert_true(thinx_gate_is_drained(g, third));
}

/* Whoever moves a drain on takes the reason away for which others would wake. */
static void test_who_ends_a_drain_tells_the_others(void **state)
{
	struct thinx_gate *g = *state;
	unsigned long first, second;
	unsigned int epoch, before;
	struct drain d;

	assert_true(thinx_gate_enter(g, &epoch));
	first = thinx_gate_begin_drain(g);
	start_drain(&d, g);
	await_started(&d);
	second = thinx_gate_begin_drain(g);
	/* A leave whose wake-up has not come through yet. */
	WRITE_ONCE(g->awaited, 0);
	thinx_gate_leave(g, epoch);
	before = nr_woken;
	assert_true(thinx_gate_is_drained(g, second));
	assert_true(thinx_gate_is_drained(g, first));
	assert_true(nr_woken > before);
	join_drain(&d);
}

static void test_counts_may_wrap(void **state)
{
	struct thinx_gate *g = *state;
	unsigned int epoch;
	struct drain d;

	atomic_long_set(&per_cpu_ptr(g->counts, 0)->entered[0], -1);
	atomic_long_set(&per_cpu_ptr(g->counts, 1)->left[0], -1);
	thinx_gate_drain(g);
	assert_true(thinx_gate_enter(g, &epoch));
	start_drain(&d, g);
	await_sleeping_drain(g);
	assert_not_done(&d);
	thinx_gate_leave(g, epoch);
	join_drain(&d);
}

static void test_init_without_memory_fails(void **state)
{
	struct thinx_gate g;

	shim_fail_alloc(0, true);
	assert_int_equal(thinx_gate_init(&g, NULL), -ENOMEM);
	shim_fail_alloc(-1, false);
}

#define GATE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* What drains write would otherwise take the line from every bio that reads. */
static void test_bios_read_one_cache_line_that_drains_leave_alone(void **state)
{
	assert_int_equal(offsetof(struct thinx_gate, counts) / L1_CACHE_BYTES, 0);
	assert_int_equal(offsetof(struct thinx_gate, closed) / L1_CACHE_BYTES, 0);
	assert_int_equal(offsetof(struct thinx_gate, epoch) / L1_CACHE_BYTES, 0);
	assert_int_equal(offsetof(struct thinx_gate, awaited) / L1_CACHE_BYTES, 0);
	assert_true(offsetof(struct thinx_gate, nr_begun) >= L1_CACHE_BYTES);
	assert_true(offsetof(struct thinx_gate, lock) >= L1_CACHE_BYTES);
	assert_true(offsetof(struct thinx_gate, wait) >= L1_CACHE_BYTES);
	assert_int_equal(_Alignof(struct thinx_gate), L1_CACHE_BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		GATE_TEST(test_drain_of_an_empty_gate_returns),
		GATE_TEST(test_closed_gate_lets_nobody_in),
		GATE_TEST(test_closes_nest),
		GATE_TEST(test_drain_waits_for_who_is_inside),
		GATE_TEST(test_drain_does_not_wait_for_who_enters_meanwhile),
		GATE_TEST(test_drain_waits_for_who_is_in_the_other_epoch),
		GATE_TEST(test_drain_waits_for_a_straggler),
		GATE_TEST(test_leaving_on_another_cpu_counts),
		GATE_TEST(test_drains_that_wait_share_the_next_one),
		GATE_TEST(test_drain_can_be_asked_for_without_sleeping),
		GATE_TEST(test_second_ticket_is_for_the_next_drain),
		GATE_TEST(test_who_ends_a_drain_tells_the_others),
		GATE_TEST(test_counts_may_wrap),
		cmocka_unit_test(test_init_without_memory_fails),
		cmocka_unit_test(test_bios_read_one_cache_line_that_drains_leave_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
