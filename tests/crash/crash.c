// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Crash a recorded life of a pool at every point, or at many of a long life, in
 * several ways each, and open what is left.
 *
 *   events:  W W W F S W W S W F S ...        W write, F flush, S superblock
 *                  |◄──── crash here: all before the last F is there,
 *                         superblocks written are there (FUA),
 *                         any subset of the other writes may be there, of
 *                         several to one block any version
 *
 * Each such state must open, check clean, and be exactly what its superblock
 * stood for when the transaction closed; and each mapped data block must have the
 * contents that it had then, whatever was trimmed since.
 *
 * A device that lies about flushes must be noticed, and so must trimming that looks
 * at the open transaction only: the control runs prove that these tests can fail.
 *
 * crash [seeds]
 */
#include "workload.h"
#include "tests/check/metadata-check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NR_OPS		700
#define REORDERINGS	2

/* Events are crashed at, no more than so many of a life, at random. */
#ifdef MANY_STEPS
#define NR_POINTS	60
#else
#define NR_POINTS	600000
#endif

struct stats {
	unsigned long nr_states, nr_tools, nr_continued, nr_bad;
};

/* What is durable for sure, and what was written since. */
struct timeline {
	struct workload *w;
	struct ram_image *durable;
	size_t first_pending;
	unsigned int nr_supers;
	u32 *content;		/* of the data device */
	size_t nr_data_events;	/* that happened to it */
	bool lying;		/* the device: flushes do nothing */
};

static void resize_image(struct ram_image *img, pd_block_t nr_blocks)
{
	img->blocks = realloc(img->blocks, (nr_blocks + 1) *
					   sizeof(*img->blocks));
	memset(img->blocks + img->nr_blocks, 0,
	       (nr_blocks - img->nr_blocks) * sizeof(*img->blocks));
	img->nr_blocks = nr_blocks;
}

static const struct ram_event *event(const struct timeline *t, size_t i)
{
	return ram_store_event(t->w->e.io, i);
}

/* All writes before @end are durable now. */
static void settle(struct timeline *t, size_t end)
{
	const struct ram_event *ev;

	for (; t->first_pending < end; t->first_pending++) {
		ev = event(t, t->first_pending);
		if (ev->kind == RAM_WRITE)
			ram_image_write(t->durable, ev->block, ev->data);
	}
}

static bool data_is_good(const struct timeline *t)
{
	return wl_sum(t->w->wanted[t->nr_supers - 1], t->content) ==
	       t->w->sums[t->nr_supers - 1];
}

/* What was done to the data device before event @end; false: it is missing now. */
static bool settle_data(struct timeline *t, size_t end)
{
	const struct workload *w = t->w;
	const struct wl_data_event *ev = w->data_events + t->nr_data_events;
	bool lost = false;

	for (; t->nr_data_events < w->nr_data_events && ev->at <= end; ev++) {
		wl_apply(ev, t->content);
		lost |= !ev->content;
		t->nr_data_events++;
	}
	return !lost || !t->nr_supers || data_is_good(t);
}

/* @keep out of 8 pending writes reached the device; 8: all, in order. */
static struct ram_image *crash_image(const struct timeline *t, size_t end,
				     unsigned int keep, u64 *rng)
{
	struct ram_image *img = ram_image_copy(t->durable);
	const struct ram_event *ev;
	size_t i;

	for (i = t->first_pending; i < end; i++) {
		ev = event(t, i);
		if (ev->kind == RAM_WRITE && md_rnd(rng) % 8 < keep)
			ram_image_write(img, ev->block, ev->data);
	}
	return img;
}

static bool state_is_good(struct timeline *t, struct ram_image *img,
			  struct stats *st, u64 *rng)
{
	const char *wanted = t->w->wanted[t->nr_supers - 1];
	struct ram_image *copy = NULL;
	struct md_env e;
	bool good;
	char *text;

	st->nr_states++;
	if (!t->lying && st->nr_states % 251 == 0)
		copy = ram_image_copy(img);
	if (md_push_image(&e, img))
		goto bad;
	if (t->lying) {
		/* Anything may happen here, except that our code crashes. */
		good = !thinx_md_check(e.md);
		md_close(&e);
		return good;
	}
	good = !thinx_md_check(e.md);
	if (good) {
		text = wl_describe(e.md);
		good = !strcmp(text, wanted);
		if (!good)
			fprintf(stderr, "found:\n%s\nwanted:\n%s\n", text,
				wanted);
		free(text);
	}
	good = good && data_is_good(t);
	if (good && st->nr_states % 20 == 0) {
		wl_continue(&e, md_rnd(rng));
		st->nr_continued++;
	}
	md_close(&e);
	if (good && copy)
		st->nr_tools += md_tools_check_image(copy, false);
	ram_image_destroy(copy);
	return good;
bad:
	ram_image_destroy(copy);
	return false;
}

static void crash_at(struct timeline *t, size_t end, struct stats *st, u64 *rng)
{
	unsigned int i, keep;

	if (!t->nr_supers)
		return;		/* not formatted yet: may be blank or not */
	for (i = 0; i <= REORDERINGS; i++) {
		keep = i ? md_rnd(rng) % 9 : 8;
		if (state_is_good(t, crash_image(t, end, keep, rng), st, rng))
			continue;
		st->nr_bad++;
		if (!t->lying && !t->w->careless)
			fprintf(stderr, "bad state: event %zu, way %u\n", end,
				i);
	}
}

static void replay(struct workload *w, bool lying, struct stats *st, u64 seed)
{
	struct timeline t = {
		.w = w,
		.durable = ram_image_create(100000),
		.lying = lying,
		.content = calloc(WL_NR_DATA, sizeof(*t.content)),
	};
	size_t i, n = ram_store_nr_events(w->e.io);
	const struct ram_event *ev;
	pd_block_t nr_blocks;
	u64 rng = seed;

	nr_blocks = thinx_md_device_blocks(w->e.md);
	ram_image_destroy(t.durable);
	t.durable = ram_image_create(0);
	resize_image(t.durable, nr_blocks);
	for (i = 0; i < n; i++) {
		ev = event(&t, i);
		if (ev->kind == RAM_FLUSH && !lying)
			settle(&t, i);
		if (ev->kind == RAM_SUPER) {
			ram_image_write(t.durable, 0, ev->data);
			t.nr_supers++;
			md_insist(t.nr_supers <= w->nr_supers);
		}
		if (!settle_data(&t, i + 1)) {
			st->nr_bad++;
			if (!w->careless)
				fprintf(stderr, "data lost: event %zu\n", i);
		}
		if (md_rnd(&rng) % n < NR_POINTS)
			crash_at(&t, i + 1, st, &rng);
		if (!lying && st->nr_bad > 3)
			break;
	}
	ram_image_destroy(t.durable);
	free(t.content);
}

int main(int argc, char **argv)
{
	u64 seed, nr_seeds = argc > 1 ? strtoull(argv[1], NULL, 10) : 5;
	struct stats st = { 0 }, control = { 0 }, careless = { 0 };

	for (seed = 1; seed <= nr_seeds; seed++) {
		static struct workload w;

		wl_run(&w, seed, NR_OPS, false);
		replay(&w, false, &st, seed);
		printf("seed %llu: %lu changes, %lu blocks trimmed, %lu commits, %lu with changes beneath, %lu between steps, %lu aborts; %lu states, %lu continued, %lu through the tools, %lu bad\n",
		       (unsigned long long)seed, w.nr_changes, w.nr_trimmed,
		       w.nr_commits,
		       w.nr_pipelined, w.nr_between, w.nr_aborts,
		       st.nr_states, st.nr_continued, st.nr_tools, st.nr_bad);
		fflush(stdout);
		if (seed == 1) {
			replay(&w, true, &control, seed);
			printf("control, a device that ignores flushes: %lu of %lu states bad\n",
			       control.nr_bad, control.nr_states);
		}
		wl_end(&w);
		if (st.nr_bad)
			return 1;
		if (seed == 1) {
			wl_run(&w, seed, NR_OPS, true);
			replay(&w, false, &careless, seed);
			printf("control, careless trimming: %lu bad, %lu states\n",
			       careless.nr_bad, careless.nr_states);
			wl_end(&w);
		}
	}
	if (control.nr_bad * 10 < control.nr_states || !careless.nr_bad) {
		fprintf(stderr, "a control run found next to nothing\n");
		return 1;
	}
	return 0;
}
