// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * A random life of a pool: devices, snapshots, mappings, growth, a metadata
 * snapshot, trimming, commits with changes meanwhile, failures and aborts.
 *
 *   changes, describe, commit -+- close, changes (next generation), super
 *                              +- the description belongs to that superblock
 *
 * Where few things take many steps (tests/common.mk) there are commits between
 * these: what they describe is a device half deleted.
 *
 * I1  A data block that the last completed or the closing generation uses is
 *     never handed out, nor trimmed; one that is being trimmed is not handed out.
 * I2  The data device loses the contents of what is trimmed at the last moment that
 *     it can: when the hold ends, or with an abort, which forgets it.
 */
#include "workload.h"

#include <ctype.h>
#include <errno.h>
#include <linux/minmax.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metadata/metadata.h"

char *wl_describe(struct thinx_md *md)
{
	char *text = NULL, *dump;
	struct thinx_md_space s;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	u32 id;

	thinx_md_get_space(md, &s);
	fprintf(f, "tid %llu held %llu data %llu/%llu meta %llu\n",
		(unsigned long long)thinx_md_transaction_id(md),
		(unsigned long long)thinx_md_held_root(md),
		(unsigned long long)s.data_used,
		(unsigned long long)s.data_total,
		(unsigned long long)s.meta_total);
	for (id = 0; id < WL_NR_DEVS; id++) {
		dump = md_dump_runs(md, id);
		if (dump)
			fprintf(f, "%s\n", dump);
		free(dump);
	}
	fclose(f);
	return text;
}

static u32 rnd(struct workload *w, u32 n)
{
	return md_rnd(&w->rng) % n;
}

/* ---- which data blocks a crash could bring back ---- */

/* Of the run whose data block comes after @end. */
static u64 run_length(const char *end)
{
	while (isdigit((unsigned char)end[-1]))
		end--;
	return end[-1] == '+' ? strtoull(end, NULL, 10) : 1;
}

/* The next run of data blocks of a text, from @p on; NULL: there is none. */
static const char *next_run(const char *p, u64 *b, u64 *nr)
{
	p = strchr(p, '>');
	if (!p)
		return NULL;
	*b = strtoull(p + 1, NULL, 10);
	*nr = run_length(p);
	md_insist(*b + *nr <= WL_NR_DATA);
	return p + 1;
}

static void mark_used(const char *text, unsigned char *used)
{
	u64 b, nr;

	memset(used, 0, WL_NR_DATA);
	while ((text = next_run(text, &b, &nr)))
		memset(used + b, 1, nr);
}

u64 wl_sum(const char *text, const u32 *content)
{
	u64 b, nr, sum = 0;

	while ((text = next_run(text, &b, &nr)))
		for (; nr--; b++)
			sum = (sum ^ content[b]) * 0x100000001b3ULL;
	return sum;
}

static void insist_unused(struct workload *w, u64 begin, u64 nr)
{
	u64 b;

	for (b = begin; b < begin + nr; b++) {
		md_insist(!w->used_completed[b]);
		md_insist(!w->used_closing[b]);
		md_insist(!w->held[b]);
	}
}

/* ---- the data device ---- */

void wl_apply(const struct wl_data_event *ev, u32 *content)
{
	u64 b;

	for (b = ev->begin; b < ev->end; b++)
		content[b] = ev->content ? ev->content + (b - ev->begin) : 0;
}

static void change_data(struct workload *w, u64 begin, u64 end, u32 content)
{
	struct wl_data_event *ev;

	if (w->nr_data_events == w->room) {
		w->room = w->room * 2 + 100;
		w->data_events = realloc(w->data_events, w->room *
						  sizeof(*w->data_events));
	}
	ev = &w->data_events[w->nr_data_events++];
	*ev = (struct wl_data_event){
		ram_store_nr_events(w->e.io), begin, end, content,
	};
	wl_apply(ev, w->content);
}

static void write_data(struct workload *w, u64 begin, u64 nr)
{
	change_data(w, begin, begin + nr, w->next_content);
	w->next_content += nr;
}

/* What is held is discarded. */
static void lose_trimmed(struct workload *w)
{
	const struct thinx_md_run *run;
	u32 i;

	for (i = 0; w->trimming && i < w->trim->nr; i++) {
		run = &w->trim->runs[i];
		change_data(w, run->begin, run->end, 0);
		memset(w->held + run->begin, 0, run->end - run->begin);
		w->nr_trimmed += run->end - run->begin;
	}
}

static void begin_data(struct workload *w)
{
	w->used_completed = calloc(1, WL_NR_DATA);
	w->used_closing = calloc(1, WL_NR_DATA);
	w->held = calloc(1, WL_NR_DATA);
	w->content = calloc(WL_NR_DATA, sizeof(*w->content));
	w->next_content = 1;
	w->trim = calloc(1, sizeof(*w->trim));
}

static void end_data(struct workload *w)
{
	free(w->used_completed);
	free(w->used_closing);
	free(w->held);
	free(w->content);
	free(w->data_events);
	free(w->trim);
}

/* ---- operations ---- */

static void give_up_change(struct workload *w)
{
	int r;

	/* What has been sent to the data device takes effect. */
	lose_trimmed(w);
	w->trimming = false;
	r = thinx_md_abort(w->e.md);
	md_insist(!r);
	if (WL_NARROW)
		md_narrow(&w->e, WL_NARROW);
	w->nr_aborts++;
}

/*
 * Only a lack of space may refuse what we do, and what is half done; and, while
 * writes fail, a block that is read back although it was never written.
 */
static bool worked(struct workload *w, int r)
{
	if (w->failing && (r == -EIO || r == -EILSEQ || r == -ENOTBLK ||
			   r == -EUCLEAN)) {
		w->lost = true;
		return false;
	}
	md_insist(!r || r == -ENOSPC || r == -EXFULL || r == -ENODATA ||
		  r == -EEXIST || r == -EBUSY);
	return !r;
}

/* The same, or a commit failed between two steps. */
static void ended(struct workload *w, int r)
{
	if (r != -EIO || !w->between_failed)
		(void)worked(w, r);
	w->between_failed = false;
}

static int commit_between(void *context);

static void map_run(struct workload *w, struct thinx_md_dev *dev, u64 v, u64 nr)
{
	thinx_word_t m;
	u64 begin, got;

	thinx_md_lock(w->e.md);
	while (nr && worked(w, thinx_md_find_run_locked(w->e.md,
						     min_t(u64, nr, THINX_MD_RUN_MAX),
						     &begin, &got))) {
		insist_unused(w, begin, got);
		write_data(w, begin, got);
		if (!worked(w, thinx_md_insert_run_locked(dev, v, begin, got,
						       &m))) {
			thinx_md_unhold_locked(w->e.md, begin, begin + got);
			break;
		}
		v += got;
		nr -= got;
	}
	thinx_md_unlock(w->e.md);
}

static void unmap(struct workload *w, struct thinx_md_dev *dev, u64 v, u64 nr)
{
	struct thinx_md_removal *rm = calloc(1, sizeof(*rm));
	bool ok = true;
	u32 i;

	rm->begin = v;
	rm->end = v + nr;
	rm->want_freed = rnd(w, 2);
	while (ok && !rm->done) {
		thinx_md_lock(w->e.md);
		ok = worked(w, thinx_md_remove_range_locked(dev, rm));
		for (i = 0; ok && i < rm->nr_freed; i++)
			thinx_md_unhold_locked(w->e.md, rm->freed[i].begin,
					       rm->freed[i].end);
		thinx_md_unlock(w->e.md);
		if (ok && !rm->done && thinx_md_is_heavy(w->e.md))
			ok = !commit_between(w);
	}
	w->between_failed = false;
	free(rm);
}

static void restamp(struct workload *w, struct thinx_md_dev *dev, u64 v, u32 nr)
{
	thinx_word_t m[64];
	bool ex[64];

	thinx_md_lock(w->e.md);
	(void)worked(w, thinx_md_restamp_locked(dev, v, nr, m, ex));
	thinx_md_unlock(w->e.md);
}

static void change_device(struct workload *w)
{
	u64 v = rnd(w, WL_NR_VBLOCKS);
	struct thinx_md_dev *dev;

	if (!worked(w, thinx_md_open_device(w->e.md, rnd(w, WL_NR_DEVS), &dev)))
		return;
	switch (rnd(w, 8)) {
	case 0 ... 3:
		map_run(w, dev, v, rnd(w, 8) ? rnd(w, 12) + 1 :
				   rnd(w, 8) ? rnd(w, 400) + 1 :
					       rnd(w, WL_NR_VBLOCKS) + 1);
		break;
	case 4:
	case 5:
		if (rnd(w, 6))
			unmap(w, dev, v, rnd(w, 30) + 1);
		else if (rnd(w, 3))
			unmap(w, dev, v, 1500);
		else
			unmap(w, dev, 0, ~0ULL);
		break;
	default:
		restamp(w, dev, v, rnd(w, 64) + 1);
		break;
	}
	thinx_md_close_device(dev);
}

static void grow_metadata(struct workload *w)
{
	if (w->nr_meta > WL_MIN_META + 400)
		return;
	w->nr_meta += rnd(w, 100) + 20;
	ram_store_grow(w->e.io, w->nr_meta);
	md_insist(!thinx_md_resize_metadata(w->e.md, w->nr_meta));
}

static void grow_data(struct workload *w)
{
	u64 more = w->nr_data + rnd(w, WL_NR_DATA / 12) + 1;

	if (more <= WL_NR_DATA && worked(w, thinx_md_resize_data(w->e.md, more)))
		w->nr_data = more;
}

static void set_trans_id(struct workload *w)
{
	u64 old = thinx_md_transaction_id(w->e.md);

	(void)worked(w, thinx_md_set_transaction_id(w->e.md, old,
						 ++w->next_trans_id));
}

static void add_trim(void *context, u64 begin, u64 end)
{
	struct thinx_md_free *f = context;

	if (f->nr < THINX_MD_RUN_MAX)
		f->runs[f->nr++] = (struct thinx_md_run){ begin, end };
}

static void hold_for_trim(struct workload *w)
{
	struct thinx_md_free *f = w->trim;
	u64 end;
	u32 i;

	f->begin = rnd(w, w->nr_data);
	f->max = rnd(w, WL_NR_DATA / 4) + 1;
	f->nr = 0;
	end = min(w->nr_data, f->begin + f->max);
	thinx_md_lock(w->e.md);
	w->trimming = worked(w, w->careless ?
			     pd_sm_hold_unused(w->e.md->data_sm, f->begin, end,
					       add_trim, f) :
			     thinx_md_hold_free_locked(w->e.md, f));
	thinx_md_unlock(w->e.md);
	for (i = 0; w->trimming && i < f->nr; i++) {
		u64 nr = f->runs[i].end - f->runs[i].begin;

		if (!w->careless)
			insist_unused(w, f->runs[i].begin, nr);
		memset(w->held + f->runs[i].begin, 1, nr);
	}
}

/* It takes a while, in which other things happen. */
static void trim(struct workload *w)
{
	u32 i;

	if (!w->trimming) {
		if (w->nr_data)
			hold_for_trim(w);
		if (!w->trimming || !w->careless)
			return;
	}
	lose_trimmed(w);
	w->trimming = false;
	for (i = 0; i < w->trim->nr; i++)
		thinx_md_unhold(w->e.md, w->trim->runs[i].begin,
				w->trim->runs[i].end);
}

/* Two at once: what a crash leaves has both or none. */
static int snaps(struct workload *w, u32 id)
{
	struct thinx_md_pair p[2] = {
		{ id, rnd(w, WL_NR_DEVS) },
		{ (id + 1) % WL_NR_DEVS, rnd(w, WL_NR_DEVS) },
	};

	return thinx_md_create_snaps(w->e.md, p, 2);
}

static int swap_devices(struct workload *w, u32 id)
{
	struct thinx_md_pair p = {
		id, (id + 1 + rnd(w, WL_NR_DEVS - 1)) % WL_NR_DEVS,
	};

	return thinx_md_swap(w->e.md, &p, 1);
}

static void change(struct workload *w)
{
	u32 id = rnd(w, WL_NR_DEVS);

	w->nr_changes++;
	switch (rnd(w, 40)) {
	case 0 ... 2:
		(void)worked(w, thinx_md_create_thin(w->e.md, id));
		break;
	case 3 ... 6:
		(void)worked(w, thinx_md_create_snap(w->e.md, id,
						  rnd(w, WL_NR_DEVS)));
		break;
	case 7 ... 8:
		ended(w, thinx_md_delete(w->e.md, id));
		break;
	case 13:
		(void)worked(w, snaps(w, id));
		break;
	case 14:
		(void)worked(w, swap_devices(w, id));
		break;
	case 15 ... 17:
		trim(w);
		break;
	case 9:
		set_trans_id(w);
		break;
	case 10:
		grow_data(w);
		break;
	case 11:
		if (rnd(w, 3) == 0)
			grow_metadata(w);
		break;
	case 12:
		if (thinx_md_held_root(w->e.md))
			ended(w, thinx_md_release_snap(w->e.md));
		break;
	default:
		change_device(w);
		break;
	}
}

/* ---- commits ---- */

/* The superblocks written since the last call stand for @text and @sum. */
static void note_supers(struct workload *w, const char *text, u64 sum)
{
	size_t n = ram_store_nr_events(w->e.io);

	for (; w->nr_seen < n; w->nr_seen++) {
		if (ram_store_event(w->e.io, w->nr_seen)->kind != RAM_SUPER)
			continue;
		md_insist(w->nr_supers < WL_MAX_SUPERS);
		w->sums[w->nr_supers] = sum;
		w->wanted[w->nr_supers++] = strdup(text);
	}
}

/* They stand for what the last one does. */
static void note_supers_again(struct workload *w)
{
	note_supers(w, w->wanted[w->nr_supers - 1], w->sums[w->nr_supers - 1]);
}

static int change_beneath(void *context)
{
	struct workload *w = context;
	u32 n = rnd(w, 12);

	if (n)
		w->nr_pipelined++;
	while (n--)
		change(w);
	return 0;
}

static const struct thinx_md_hooks hooks = {
	.start_flush = change_beneath,
	.commit = commit_between,
};

static int commit(struct workload *w, bool reserve, u32 fail_one_in)
{
	char *text = wl_describe(w->e.md);
	u64 sum = wl_sum(text, w->content);
	bool fail = rnd(w, fail_one_in) == 0;
	int r;

	w->in_commit = true;
	mark_used(text, w->used_closing);
	w->failing = fail;
	w->lost = false;
	if (fail)
		ram_store_fail(w->e.io, rnd(w, 2) ? RAM_OP_WRITE : RAM_OP_FLUSH,
			       rnd(w, 2), false);
	r = reserve ? thinx_md_reserve_snap(w->e.md) :
		      thinx_md_commit(w->e.md, NULL);
	w->in_commit = false;
	(void)worked(w, r);
	w->failing = false;
	ram_store_fail(w->e.io, RAM_OP_WRITE, -1, false);
	ram_store_fail(w->e.io, RAM_OP_FLUSH, -1, false);
	note_supers(w, text, sum);
	if (w->lost) {
		r = -EIO;
		give_up_change(w);
		note_supers_again(w);
		if (rnd(w, 2)) {
			md_insist(!thinx_md_set_needs_check(w->e.md));
			note_supers_again(w);
		}
		/* What was undone no longer matters. */
		w->nr_data = 0;
	} else {
		md_insist(!r || r == -EBUSY || r == -ENOSPC);
		if (r != -EBUSY)
			mark_used(text, w->used_completed);
		w->nr_commits++;
	}
	memset(w->used_closing, 0, WL_NR_DATA);
	free(text);
	return r;
}

static void resync_sizes(struct workload *w)
{
	struct thinx_md_space s;

	thinx_md_get_space(w->e.md, &s);
	w->nr_data = s.data_total;
	w->nr_meta = thinx_md_device_blocks(w->e.md);
}

static int commit_between(void *context)
{
	struct workload *w = context;
	int r;

	/* The committer is busy with us; sometimes others commit. */
	if (w->in_commit || rnd(w, 3) == 0)
		return 0;
	r = commit(w, false, 60);
	resync_sizes(w);
	w->nr_between++;
	w->between_failed = r != 0;
	return r;
}

/* Three levels: snapshots share parents of leaves. */
static void begin_large(struct workload *w)
{
	struct thinx_md_dev *dev = md_create(&w->e, 0);

	map_run(w, dev, 0, WL_NR_VBLOCKS);
	md_insist(!thinx_md_create_snap(w->e.md, 1, 0));
	md_insist(!thinx_md_create_snap(w->e.md, 2, 0));
	map_run(w, dev, 0, 1000);
	thinx_md_close_device(dev);
}

void wl_run(struct workload *w, u64 seed, unsigned int nr_ops, bool careless)
{
	unsigned int i;
	char *text;

	memset(w, 0, sizeof(*w));
	w->rng = seed;
	w->careless = careless;
	begin_data(w);
	w->nr_meta = WL_MIN_META + rnd(w, 100);
	w->e.io = ram_store_create(w->nr_meta);
	ram_store_record(w->e.io, true);
	ram_store_shake(w->e.io, seed, 6 + rnd(w, 30));
	md_insist(!thinx_md_open(w->e.io, MD_BLOCK_SECTORS, true, false,
				 &w->e.md));
	text = wl_describe(w->e.md);
	note_supers(w, text, wl_sum(text, w->content));
	free(text);
	thinx_md_set_hooks(w->e.md, &hooks, w);
	if (WL_NARROW)
		md_narrow(&w->e, WL_NARROW);
	w->nr_data = WL_MIN_DATA + rnd(w, WL_NR_DATA / 2);
	md_insist(!thinx_md_resize_data(w->e.md, w->nr_data));
	if (WL_NARROW && seed % 2)
		begin_large(w);
	for (i = 0; i < nr_ops; i++) {
		if (rnd(w, 14) == 0) {
			(void)commit(w, rnd(w, 8) == 0, 12);
			resync_sizes(w);
		} else if (rnd(w, 200) == 0) {
			give_up_change(w);
			note_supers_again(w);
			resync_sizes(w);
		} else {
			change(w);
		}
	}
	(void)commit(w, false, 12);
}

void wl_continue(struct md_env *e, u64 seed)
{
	struct workload w = { .e = *e, .rng = seed, .in_commit = true };
	unsigned int i;

	begin_data(&w);
	resync_sizes(&w);
	for (i = 0; i < 30; i++) {
		if (i % 10 == 9)
			md_commit(e);
		else
			change(&w);
	}
	md_check(e);
	end_data(&w);
}

void wl_end(struct workload *w)
{
	unsigned int i;

	ram_store_shake(w->e.io, 0, 0);
	md_close(&w->e);
	for (i = 0; i < w->nr_supers; i++)
		free(w->wanted[i]);
	end_data(w);
}
