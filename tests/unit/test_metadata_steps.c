// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Deletes, discards and releases of many steps, each committed before the next
 * one, and crashes between them.  The limits are small here: tests/common.mk.
 */
#include "metadata/device.h"
#include "metadata/drop.h"
#include "metadata/transaction.h"

#include "md-env.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "metadata/metadata.h"

#define NR_MAPPED	4000
#define MAX_IMAGES	200

/* What was durable whenever something let go of the lock between two steps. */
struct between {
	struct md_env *e;
	bool commits;
	int fail_at;
	int nr;
	struct ram_image *images[MAX_IMAGES];
};

static int between(void *context)
{
	struct between *b = context;

	md_insist(b->nr < MAX_IMAGES);
	if (b->nr == b->fail_at - 1)
		return -EIO;
	if (b->commits)
		md_commit(b->e);
	b->images[b->nr++] = ram_store_image(b->e->io);
	return 0;
}

static void forget(struct between *b)
{
	while (b->nr)
		ram_image_destroy(b->images[--b->nr]);
}

/* Device 1 is scattered over three bitmaps of data and of metadata blocks. */
static void begin(struct md_env *e)
{
	struct thinx_md_dev *dev;
	u32 i;

	md_begin(e, 33000, 40000);
	dev = md_create(e, 1);
	for (i = 0; i < NR_MAPPED; i += 10) {
		if (i % 400 == 0)
			md_leap(e, 5000, 5000);
		md_map(e, dev, (u64)i * 7919 % NR_MAPPED * 3, 10);
	}
	thinx_md_close_device(dev);
	md_commit(e);
	assert_int_equal(md_data_used(e), NR_MAPPED);
}

static const char *mappings(const char *dump)
{
	const char *p = strstr(dump, ": ");

	md_insist(p);
	return p + 2;
}

/* Is @dump what @whole was, but for its beginning? */
static bool is_rest(const char *dump, const char *whole)
{
	size_t n;

	dump = mappings(dump);
	whole = mappings(whole);
	n = strlen(dump);
	return n <= strlen(whole) &&
	       !strcmp(whole + strlen(whole) - n, dump) &&
	       (n == strlen(whole) || whole[strlen(whole) - n - 1] == ' ');
}

/* After a crash: sound, and device 1 is what is left of @whole; its length. */
static size_t look_after_crash(struct md_env *e, struct ram_image *img,
			       const char *whole)
{
	struct ram_image *copy = ram_image_copy(img);
	size_t left = 0;
	char *dump;

	md_insist(md_tools_check_image(copy, false) || !md_have("thin_check"));
	ram_image_destroy(copy);
	md_insist(!md_push_image(e, img));
	md_check(e);
	dump = md_dump(e->md, 1);
	if (dump) {
		assert_true(is_rest(dump, whole));
		left = strlen(mappings(dump));
	}
	free(dump);
	return left;
}

static void test_crash_between_steps_leaves_the_rest_of_a_device(void **state)
{
	struct md_env e, after;
	struct between b = { .e = &e, .commits = true };
	size_t left, before;
	char *whole;
	int i;

	begin(&e);
	whole = md_dump(e.md, 1);
	before = strlen(mappings(whole));
	assert_int_equal(md_delete_with(e.md, 1, between, &b), 0);
	assert_in_range(b.nr, 6, 30);
	assert_int_equal(md_data_used(&e), 0);
	for (i = 0; i < b.nr; i++) {
		struct ram_image *img = ram_image_copy(b.images[i]);

		left = look_after_crash(&after, img, whole);
		assert_true(left < before);
		before = left;
		/* The delete can be repeated, and frees all of it. */
		assert_int_equal(thinx_md_delete(after.md, 1), 0);
		assert_int_equal(md_data_used(&after), 0);
		md_commit(&after);
		md_end(&after);
	}
	free(whole);
	forget(&b);
	md_commit(&e);
	md_end(&e);
}

static void test_crash_before_any_commit_leaves_all_of_it(void **state)
{
	struct md_env e, after;
	struct between b = { .e = &e };
	char *whole;
	int i;

	begin(&e);
	whole = md_dump(e.md, 1);
	assert_int_equal(md_delete_with(e.md, 1, between, &b), 0);
	assert_in_range(b.nr, 6, 30);
	for (i = 0; i < b.nr; i += 5) {
		struct ram_image *img = ram_image_copy(b.images[i]);

		assert_int_equal(look_after_crash(&after, img, whole),
				 strlen(mappings(whole)));
		md_end(&after);
	}
	free(whole);
	forget(&b);
	md_end(&e);
}

static void test_snapshot_survives_the_steps(void **state)
{
	struct md_env e, after;
	struct between b = { .e = &e, .commits = true };
	struct thinx_md_dev *dev;
	char *whole, *snap, *dump;
	int i;

	begin(&e);
	assert_int_equal(thinx_md_create_snap(e.md, 2, 1), 0);
	/* So that no more than half of the leaves are shared. */
	dev = md_open(&e, 1);
	for (i = 0; i < NR_MAPPED * 3 / 2; i += 50)
		md_map(&e, dev, i, 1);
	thinx_md_close_device(dev);
	md_commit(&e);
	whole = md_dump(e.md, 1);
	snap = md_dump(e.md, 2);
	assert_int_equal(md_delete_with(e.md, 1, between, &b), 0);
	assert_in_range(b.nr, 3, 30);
	for (i = 0; i < b.nr; i++) {
		struct ram_image *img = ram_image_copy(b.images[i]);

		look_after_crash(&after, img, whole);
		dump = md_dump(after.md, 2);
		assert_string_equal(dump, snap);
		free(dump);
		md_end(&after);
	}
	free(whole);
	free(snap);
	forget(&b);
	assert_int_equal(md_data_used(&e), NR_MAPPED);
	md_commit(&e);
	md_end(&e);
}

/* Device 2 is a snapshot of device 1, which then gets few leaves of its own. */
static void begin_with_diverged(struct md_env *e)
{
	struct thinx_md_dev *dev;
	int i;

	begin(e);
	assert_int_equal(thinx_md_create_snap(e->md, 2, 1), 0);
	dev = md_open(e, 1);
	for (i = 0; i < NR_MAPPED * 3; i += 3000)
		md_map(e, dev, i, 1);
	thinx_md_close_device(dev);
	md_commit(e);
}

/* Are all mappings of @dump among those of @whole? */
static bool is_part(const char *dump, const char *whole)
{
	char *text = strdup(mappings(dump)), *next = text, *word;
	bool part = true;

	while (part && (word = strsep(&next, " ")) && *word)
		part = strstr(whole, word);
	free(text);
	return part;
}

static void test_what_is_shared_goes_in_one_transaction(void **state)
{
	struct md_env e, after;
	struct between b = { .e = &e, .commits = true };
	char *whole, *snap, *dump;
	int i;

	begin_with_diverged(&e);
	whole = md_dump(e.md, 1);
	snap = md_dump(e.md, 2);
	assert_int_equal(md_delete_with(e.md, 1, between, &b), 0);
	assert_in_range(b.nr, 2, 30);
	for (i = 0; i < b.nr; i++) {
		/* Sound for the tools, too: the number of mappings is right. */
		md_insist(md_tools_check_image(b.images[i], false) ||
			  !md_have("thin_check"));
		md_insist(!md_push_image(&after, ram_image_copy(b.images[i])));
		md_check(&after);
		dump = md_dump(after.md, 1);
		assert_non_null(dump);
		assert_true(is_part(dump, whole));
		assert_true(strlen(dump) > strlen(whole) / 2);
		free(dump);
		assert_int_equal(thinx_md_delete(after.md, 1), 0);
		assert_int_equal(md_data_used(&after), NR_MAPPED);
		dump = md_dump(after.md, 2);
		assert_string_equal(dump, snap);
		free(dump);
		md_commit(&after);
		md_end(&after);
	}
	free(whole);
	free(snap);
	forget(&b);
	assert_int_equal(md_data_used(&e), NR_MAPPED);
	md_commit(&e);
	assert_true(md_tools_check(&e) || !md_have("thin_check"));
	md_end(&e);
}

static void assert_one_of(int r, int allowed)
{
	assert_true(!r || r == allowed || r == -EBUSY);
}

static void *delete_first(void *context)
{
	struct md_env *e = context;

	md_insist(!thinx_md_delete(e->md, 1));
	return NULL;
}

static void test_others_get_in_while_what_is_shared_goes(void **state)
{
	int r, i = 0, nr_between = 0;
	struct thinx_md_dev *dev, *snap;
	struct md_env e;
	pthread_t thread;

	begin_with_diverged(&e);
	snap = md_open(&e, 2);
	assert_int_equal(pthread_create(&thread, NULL, delete_first, &e), 0);
	do {
		/* What is shared becomes the snapshot's own, or the reverse. */
		md_unmap(&e, snap, i * 400, i * 400 + 300);
		md_map(&e, snap, i * 400, 1);
		if (i++ % 4 == 1)
			assert_one_of(thinx_md_reserve_snap(e.md), -EBUSY);
		if (i % 4 == 3)
			assert_one_of(thinx_md_release_snap(e.md), -EINVAL);
		thinx_md_lock(e.md);
		nr_between += !!e.md->nr_dropping;
		thinx_md_unlock(e.md);
		r = thinx_md_open_device(e.md, 1, &dev);
		if (!r)
			thinx_md_close_device(dev);
	} while (r != -ENODATA || i < 20);
	pthread_join(thread, NULL);
	assert_false(thinx_md_is_broken(e.md));
	print_message("%d times while something was detached\n", nr_between);
	md_commit(&e);
	if (thinx_md_held_root(e.md))
		assert_int_equal(thinx_md_release_snap(e.md), 0);
	assert_int_equal(md_data_used(&e), thinx_md_dev_mapped_blocks(snap));
	thinx_md_close_device(snap);
	md_commit(&e);
	assert_true(md_tools_check(&e) || !md_have("thin_check"));
	md_end(&e);
}

/*
 * What a removal shares goes by count, all in one transaction, since it is little
 * work.  It must not be begun if others have let go of it: then all leaves are
 * the removed device's own.
 */
static void test_what_others_let_go_of_is_no_rest(void **state)
{
	struct thinx_drop drop = { .id = 1 };
	struct thinx_md_dev *dev;
	struct md_env e;
	int i;

	begin_with_diverged(&e);
	thinx_md_lock(e.md);
	md_insist(!thinx_device_delete_begin(e.md, 1, &dev));
	for (i = 0; i < 100000 && drop.stage != THINX_DROP_REST; i++)
		md_insist(!thinx_transaction_end_change(e.md,
				thinx_device_delete_step(dev, &drop)));
	assert_int_equal(drop.stage, THINX_DROP_REST);
	thinx_md_unlock(e.md);

	assert_int_equal(thinx_md_delete(e.md, 2), 0);
	mutex_lock(&e.md->close_mutex);
	thinx_md_lock(e.md);
	assert_int_equal(thinx_device_delete_detach(dev, &drop), -EAGAIN);
	assert_int_equal(drop.stage, THINX_DROP_OWN);
	assert_int_equal(drop.root, 0);
	mutex_unlock(&e.md->close_mutex);
	for (i = 0; i < 100000 && !drop.done &&
		    drop.stage != THINX_DROP_REST; i++)
		md_insist(!thinx_transaction_end_change(e.md,
				thinx_device_delete_step(dev, &drop)));
	assert_true(i > 0);
	assert_int_equal(dev->mapped_blocks, 0);
	thinx_device_delete_cancel(dev);
	thinx_md_unlock(e.md);
	assert_int_equal(thinx_md_delete(e.md, 1), 0);
	assert_int_equal(md_data_used(&e), 0);
	md_commit(&e);
	assert_true(md_tools_check(&e) || !md_have("thin_check"));
	md_end(&e);
}

static void test_failed_commit_between_steps_ends_the_delete(void **state)
{
	struct md_env e;
	struct between b = { .e = &e, .commits = true, .fail_at = 4 };
	char *whole, *dump;

	begin(&e);
	whole = md_dump(e.md, 1);
	assert_int_equal(md_delete_with(e.md, 1, between, &b), -EIO);
	assert_int_equal(b.nr, 3);
	/* Of the step after the third commit nothing is left after an abort. */
	assert_int_equal(thinx_md_abort(e.md), 0);
	md_check(&e);
	dump = md_dump(e.md, 1);
	assert_true(is_rest(dump, whole));
	free(dump);
	assert_int_equal(thinx_md_delete(e.md, 1), 0);
	assert_int_equal(md_data_used(&e), 0);
	free(whole);
	forget(&b);
	md_end(&e);
}

static void test_crash_between_the_steps_of_a_release(void **state)
{
	struct md_env e, after;
	struct between b = { .e = &e, .commits = true };
	struct thinx_md_dev *dev;
	char *now, *dump;
	int i;

	begin(&e);
	assert_int_equal(thinx_md_reserve_snap(e.md), 0);
	dev = md_open(&e, 1);
	md_unmap(&e, dev, 0, NR_MAPPED * 2);
	thinx_md_close_device(dev);
	md_commit(&e);
	now = md_dump(e.md, 1);
	assert_int_equal(md_release_snap_with(e.md, between, &b), 0);
	assert_in_range(b.nr, 3, 30);
	for (i = 0; i < b.nr; i++) {
		struct ram_image *img = ram_image_copy(b.images[i]);

		look_after_crash(&after, img, now);
		dump = md_dump(after.md, 1);
		assert_string_equal(dump, now);
		free(dump);
		if (thinx_md_held_root(after.md))
			assert_int_equal(thinx_md_release_snap(after.md), 0);
		dev = md_open(&after, 1);
		assert_int_equal(md_data_used(&after),
				 thinx_md_dev_mapped_blocks(dev));
		thinx_md_close_device(dev);
		md_end(&after);
	}
	free(now);
	forget(&b);
	md_commit(&e);
	md_end(&e);
}

static void test_crash_between_the_steps_of_a_discard(void **state)
{
	struct thinx_md_removal *rm = calloc(1, sizeof(*rm));
	struct thinx_md_dev *dev;
	struct md_env e, after;
	char *whole;
	size_t left, before;
	int i, steps = 0;

	begin(&e);
	whole = md_dump(e.md, 1);
	before = strlen(mappings(whole));
	dev = md_open(&e, 1);
	rm->end = ~0ULL;
	rm->want_freed = true;
	while (!rm->done) {
		thinx_md_lock(e.md);
		assert_int_equal(thinx_md_remove_range_locked(dev, rm), 0);
		thinx_md_unlock(e.md);
		assert_int_equal(thinx_md_is_heavy(e.md), rm->nr_freed > 0);
		md_commit(&e);
		/* Held blocks stay held when their generation is durable. */
		assert_int_equal(md_data_used(&e),
				 thinx_md_dev_mapped_blocks(dev));
		for (i = 0; i < rm->nr_freed; i++)
			thinx_md_unhold(e.md, rm->freed[i].begin,
					rm->freed[i].end);
		left = look_after_crash(&after, ram_store_image(e.io), whole);
		assert_true(left < before);
		before = left;
		md_end(&after);
		steps++;
	}
	assert_in_range(steps, 4, 30);
	assert_int_equal(md_data_used(&e), 0);
	free(whole);
	free(rm);
	thinx_md_close_device(dev);
	md_end(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crash_between_steps_leaves_the_rest_of_a_device),
		cmocka_unit_test(test_crash_before_any_commit_leaves_all_of_it),
		cmocka_unit_test(test_snapshot_survives_the_steps),
		cmocka_unit_test(test_what_is_shared_goes_in_one_transaction),
		cmocka_unit_test(test_others_get_in_while_what_is_shared_goes),
		cmocka_unit_test(test_what_others_let_go_of_is_no_rest),
		cmocka_unit_test(test_failed_commit_between_steps_ends_the_delete),
		cmocka_unit_test(test_crash_between_the_steps_of_a_release),
		cmocka_unit_test(test_crash_between_the_steps_of_a_discard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
