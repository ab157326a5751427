// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * I/O: threads that write, read and compare, discard and flush, each with its own
 * stream of random numbers; and the comparison of volumes with the model.
 *
 * A range that is being changed shares no sector with any other range in flight,
 * so it is known what must be read.  Two ranges may share a pool block, which is
 * the hard part for the pool.
 *
 * A write may fail for lack of space if the pool was full meanwhile.  Then each of
 * its sectors is old or new; they are read back, and the new ones are logged as
 * writes that succeeded.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>
#include "machine.h"

#define NR_THREADS 6
#define MAX_IO 2048		/* sectors */

struct counters counters;
static pthread_t threads[NR_THREADS];
static int nr_running;
static bool stopping, filling;
static double begun[NR_THREADS];	/* time of the current operation, or 0 */

static bool range_get(struct volume *v, struct range *g)
{
	struct range *x;

	if (v->closed || g->end > v->length)
		return false;
	for (x = v->ranges; x; x = x->next)
		if (x->begin < g->end && g->begin < x->end &&
		    (x->kind != 'R' || g->kind != 'R'))
			return false;
	g->next = v->ranges;
	v->ranges = g;
	return true;
}

static void range_put(struct volume *v, struct range *g)
{
	struct range **p = &v->ranges;

	while (*p != g)
		p = &(*p)->next;
	*p = g->next;
}

/* A snapshot that is being made may or may not contain this. */
static void watch(struct volume *snapshot, const struct range *g)
{
	struct op *op;

	if (g->kind != 'W' && g->kind != 'D')
		return;
	op = xalloc(sizeof(*op));
	op->kind = g->kind;
	op->begin = g->changed_begin;
	op->end = g->changed_end;
	op->stamp = g->stamp;
	op->ended = NEVER;
	volume_add_op(snapshot, op);
}

void load_watch(struct volume *v, struct volume *snapshot)
{
	struct range *g;

	for (g = v->ranges; g; g = g->next)
		watch(snapshot, g);
	v->watcher = snapshot;
}

static void range_issue(struct volume *v, struct range *g)
{
	if (g->kind == 'F')
		g->id = log_begin('F', "%u", v->id);
	else
		g->id = log_begin(g->kind, "%u %u %u %u", v->id,
				  g->changed_begin,
				  g->changed_end - g->changed_begin, g->stamp);
	if (v->watcher)
		watch(v->watcher, g);
}

static bool choose_volume(struct rng *r, struct volume **v)
{
	*v = model.volumes[below(r, MAX_VOLUMES)];
	return *v && !(*v)->closed && (*v)->length >= 2 * MAX_IO;
}

static void choose_range(struct volume *v, struct rng *r, struct range *g)
{
	uint32_t max = v->length, unit, n, block = model.block;

	/* Half of the I/O goes to the first quarter, for more collisions. */
	if (one_in(r, 2))
		max = max / 4 > 2 * MAX_IO ? max / 4 : 2 * MAX_IO;
	switch (below(r, 8)) {
	case 0:
	case 1:
		unit = 1;
		n = between(r, 1, 16);
		break;
	case 2:
	case 3:
	case 4:
		unit = 8;
		n = between(r, 1, 16);
		break;
	case 5:
	case 6:
		unit = block;
		n = between(r, 1, MAX_IO / block ? MAX_IO / block : 1);
		break;
	default:
		unit = 1;
		n = between(r, 1, MAX_IO);
	}
	if (n * unit > MAX_IO)
		n = MAX_IO / unit;
	if (!n) {
		unit = 1;
		n = MAX_IO;
	}
	g->begin = below(r, (max - n * unit) / unit + 1) * unit;
	g->end = g->begin + n * unit;
}

/*
 * Whether the pool was full during an operation.  When it has space again, its
 * status says so a moment before the event is raised, and a moment may be long.
 * Gives up sooner than watch_dog(), whose message says less.
 */
static bool was_full(uint32_t events)
{
	double end = seconds_now() + settings.patience / 2.0;

	while (!pool_full() && pool_events() == events) {
		if (seconds_now() > end)
			return false;
		usleep(10000);
	}
	return true;
}

static void read_all(struct volume *v, void *buf, uint32_t begin, uint32_t end)
{
	size_t len = (size_t)(end - begin) * SECTOR;
	ssize_t n = pread(v->fd, buf, len, (off_t)begin * SECTOR);

	if (n != (ssize_t)len)
		fail("%s: reading %zu bytes at sector %u: %s", v->name, len,
		     begin, n < 0 ? strerror(errno) : "short");
}

static void wrong(struct volume *v, uint32_t sector, const void *got)
{
	const uint64_t *word = got;
	uint32_t stamp = sector_stamp(got, sector);

	printf("WRONG: seed %llu, boot %u, round %u: %s sector %u (block %u, sector %u of it)\n",
	       (unsigned long long)settings.seed, settings.boot,
	       settings.round, v->name, sector, sector / model.block,
	       sector % model.block);
	volume_explain(v, sector);
	if (stamp == UINT32_MAX)
		printf("  got no content of this sector: %016llx %016llx %016llx\n",
		       (unsigned long long)word[0], (unsigned long long)word[1],
		       (unsigned long long)word[2]);
	else
		printf("  got stamp %u\n", stamp);
	fail("%s has lost or mixed up data", v->name);
}

/* Log the sectors that have the new content as writes of their own. */
static void read_back(struct volume *v, struct range *g, void *buf)
{
	uint32_t s, e, stamp, id, n;

	read_all(v, buf, g->begin, g->end);
	pthread_mutex_lock(&model_lock);
	for (s = g->begin; s < g->end; s++) {
		stamp = sector_stamp((char *)buf + (s - g->begin) * SECTOR, s);
		if (stamp != v->now[s] && stamp != g->stamp)
			wrong(v, s, (char *)buf + (s - g->begin) * SECTOR);
	}
	log_end(g->id, '!', false);
	for (s = g->begin; s < g->end; s = e) {
		n = s - g->begin;
		stamp = sector_stamp((char *)buf + n * SECTOR, s);
		for (e = s + 1; e < g->end; e++) {
			n = e - g->begin;
			if (sector_stamp((char *)buf + n * SECTOR, e) != stamp)
				break;
		}
		if (stamp != g->stamp)
			continue;
		id = log_begin('W', "%u %u %u %u", v->id, s, e - s, stamp);
		log_end(id, '.', false);
		volume_set(v, s, e, stamp);
	}
	range_put(v, g);
	counters.refused++;
	pthread_mutex_unlock(&model_lock);
}

/* A write of stamp 0 has no data: zeros, or a hole where one can be punched. */
static ssize_t write_zeroes(struct volume *v, struct range *g, bool punch)
{
	uint64_t bytes[2] = {
		(uint64_t)g->begin * SECTOR,
		(uint64_t)(g->end - g->begin) * SECTOR,
	};
	int r = -1;

	errno = EOPNOTSUPP;
	if (punch)
		r = fallocate(v->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      bytes[0], bytes[1]);
	if (r && errno == EOPNOTSUPP)
		r = ioctl(v->fd, BLKZEROOUT, bytes);
	return r ? r : (ssize_t)bytes[1];
}

static void do_write(struct volume *v, struct range *g, struct rng *r,
		     char *buf)
{
	size_t len = (size_t)(g->end - g->begin) * SECTOR;
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	bool fua = g->stamp && one_in(r, 12);
	uint32_t s, events;
	ssize_t n;

	events = pool_events_seen();
	for (s = g->begin; s < g->end; s++)
		sector_fill(buf + (s - g->begin) * SECTOR, s, g->stamp);
	n = !g->stamp ? write_zeroes(v, g, one_in(r, 2)) :
	    pwritev2(v->fd, &iov, 1, (off_t)g->begin * SECTOR,
		     fua && !settings.lose_flushes ? RWF_DSYNC : 0);
	if (n != (ssize_t)len) {
		if (n < 0 && errno != ENOSPC)
			fail("%s: writing %zu bytes at sector %u: %s", v->name,
			     len, g->begin, strerror(errno));
		if (!was_full(events))
			fail("%s: no space, in a pool that is not full",
			     v->name);
		read_back(v, g, buf);
		return;
	}
	pthread_mutex_lock(&model_lock);
	volume_set(v, g->begin, g->end, g->stamp);
	log_end(g->id, fua ? '=' : '.', fua);
	range_put(v, g);
	counters.writes++;
	pthread_mutex_unlock(&model_lock);
}

static void compare(struct volume *v, const char *buf, uint32_t begin,
		    uint32_t end)
{
	char want[SECTOR] __attribute__((aligned(8)));
	uint32_t s;

	for (s = begin; s < end; s++, buf += SECTOR) {
		sector_fill(want, s, v->now[s]);
		if (memcmp(buf, want, SECTOR))
			wrong(v, s, buf);
	}
}

static void do_discard(struct volume *v, struct range *g)
{
	uint64_t bytes[2] = {
		(uint64_t)g->begin * SECTOR,
		(uint64_t)(g->end - g->begin) * SECTOR,
	};

	if (ioctl(v->fd, BLKDISCARD, bytes))
		fail("%s: discarding %u sectors at %u: %s", v->name,
		     g->end - g->begin, g->begin, strerror(errno));
	pthread_mutex_lock(&model_lock);
	volume_set(v, g->changed_begin, g->changed_end, 0);
	log_end(g->id, '.', false);
	range_put(v, g);
	counters.discards++;
	pthread_mutex_unlock(&model_lock);
}

static void do_flush(struct volume *v, struct range *g)
{
	if (!settings.lose_flushes && fsync(v->fd))
		fail("%s: fsync: %s", v->name, strerror(errno));
	pthread_mutex_lock(&model_lock);
	log_end(g->id, '.', true);
	range_put(v, g);
	counters.flushes++;
	pthread_mutex_unlock(&model_lock);
}

static void do_read(struct volume *v, struct range *g, char *buf)
{
	read_all(v, buf, g->begin, g->end);
	compare(v, buf, g->begin, g->end);
	pthread_mutex_lock(&model_lock);
	range_put(v, g);
	counters.reads++;
	pthread_mutex_unlock(&model_lock);
}

static void whole_blocks(struct range *g)
{
	uint32_t block = model.block;

	g->changed_begin = (g->begin + block - 1) / block * block;
	g->changed_end = g->end / block * block;
	if (g->changed_end < g->changed_begin)
		g->changed_end = g->changed_begin;
}

/*
 * The block layer assumes that the granularity is a power of two.  If it is not,
 * it may split a discard in the middle of a block, which then keeps its data,
 * unless the discard begins at a multiple of a larger power of two.
 */
static uint32_t uncut(uint32_t begin)
{
	uint32_t unit = 128;

	while (unit < model.block)
		unit *= 2;
	return unit == model.block ? begin : begin / unit * unit;
}

static bool begin_discard(struct volume *v, struct rng *r, struct range *g)
{
	uint32_t n;

	n = between(r, 1, one_in(r, 8) ? v->length : 16 * model.block);
	if (n > v->length)
		n = v->length;
	g->begin = below(r, v->length - n + 1);
	if (one_in(r, 2))
		g->begin -= g->begin % model.block;
	g->begin = uncut(g->begin);
	g->end = g->begin + n;
	whole_blocks(g);
	if (!range_get(v, g))
		return false;
	range_issue(v, g);
	return true;
}

bool load_discard(struct volume *v, struct rng *r)
{
	struct range g = { .kind = 'D' };
	bool got;

	pthread_mutex_lock(&model_lock);
	got = begin_discard(v, r, &g);
	pthread_mutex_unlock(&model_lock);
	if (got)
		do_discard(v, &g);
	return got;
}

static char choose_kind(struct rng *r)
{
	uint32_t n = below(r, 100);

	if (filling)
		return n < 95 ? 'W' : 'R';
	return n < 50 ? 'W' : n < 82 ? 'R' : n < 92 ? 'D' : 'F';
}

static bool begin_other(struct volume *v, struct rng *r, struct range *g)
{
	if (g->kind != 'F')
		choose_range(v, r, g);
	g->changed_begin = g->begin;
	g->changed_end = g->end;
	g->stamp = g->kind == 'W' && one_in(r, 8) ? 0 : model.next_id;
	if (!range_get(v, g))
		return false;
	if (g->kind != 'R')
		range_issue(v, g);
	return true;
}

static void one_operation(struct rng *r, char *buf)
{
	struct range g = { .kind = choose_kind(r) };
	struct volume *v;
	bool got = false;

	pthread_mutex_lock(&model_lock);
	if (choose_volume(r, &v))
		got = g.kind == 'D' ? begin_discard(v, r, &g) :
				      begin_other(v, r, &g);
	pthread_mutex_unlock(&model_lock);
	if (!got) {
		usleep(200);
		return;
	}
	switch (g.kind) {
	case 'W':
		do_write(v, &g, r, buf);
		break;
	case 'D':
		do_discard(v, &g);
		break;
	case 'F':
		do_flush(v, &g);
		break;
	default:
		do_read(v, &g, buf);
	}
}

bool load_stuck(unsigned int seconds)
{
	double since;
	int i;

	for (i = 0; i < NR_THREADS; i++) {
		__atomic_load(&begun[i], &since, __ATOMIC_RELAXED);
		if (since && seconds_now() > since + seconds)
			return true;
	}
	return false;
}

struct thread {
	struct rng rng;
	double *begun;
};

static void *thread(void *arg)
{
	struct thread *t = arg;
	double now;
	void *buf;

	if (posix_memalign(&buf, 4096, MAX_IO * SECTOR))
		abort();
	while (!__atomic_load_n(&stopping, __ATOMIC_RELAXED)) {
		now = seconds_now();
		__atomic_store(t->begun, &now, __ATOMIC_RELAXED);
		one_operation(&t->rng, buf);
	}
	now = 0;
	__atomic_store(t->begun, &now, __ATOMIC_RELAXED);
	free(buf);
	free(t);
	__atomic_sub_fetch(&nr_running, 1, __ATOMIC_RELEASE);
	return NULL;
}

void load_start(uint64_t seed)
{
	struct thread *t;
	int i;

	stopping = false;
	nr_running = NR_THREADS;
	for (i = 0; i < NR_THREADS; i++) {
		t = xalloc(sizeof(*t));
		t->rng.state = mix(seed + i);
		t->begun = &begun[i];
		if (pthread_create(&threads[i], NULL, thread, t))
			fail("cannot start a thread");
	}
}

bool load_stop(void)
{
	int i;

	__atomic_store_n(&stopping, true, __ATOMIC_RELAXED);
	if (__atomic_load_n(&nr_running, __ATOMIC_ACQUIRE))
		return false;
	for (i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	return true;
}

void load_fill(bool fill)
{
	filling = fill;
}

/* No other thread uses the volume, or that range of it. */
void verify_range(struct volume *v, uint32_t begin, uint32_t end)
{
	uint32_t s, e, n, stamp;
	static char *buf;

	if (!buf && posix_memalign((void **)&buf, 4096, MAX_IO * SECTOR))
		abort();
	for (s = begin; s < end; s = e) {
		control_alive();
		e = end - s > MAX_IO ? s + MAX_IO : end;
		read_all(v, buf, s, e);
		if (!v->ops) {
			compare(v, buf, s, e);
			continue;
		}
		for (n = 0; n < e - s; n++) {
			stamp = sector_stamp(buf + n * SECTOR, s + n);
			if (stamp == UINT32_MAX ||
			    !volume_allows(v, s + n, stamp))
				wrong(v, s + n, buf + n * SECTOR);
		}
	}
}

/* Read the stamps of a range that has been verified. */
static void find_out(struct volume *v, uint32_t begin, uint32_t end,
		     uint32_t *found)
{
	uint32_t s, e, n;
	static char *buf;

	if (!buf && posix_memalign((void **)&buf, 4096, MAX_IO * SECTOR))
		abort();
	for (s = begin; s < end; s = e) {
		control_alive();
		e = end - s > MAX_IO ? s + MAX_IO : end;
		read_all(v, buf, s, e);
		for (n = 0; n < e - s; n++)
			found[s + n] = sector_stamp(buf + n * SECTOR, s + n);
	}
}

void verify(struct volume *v, bool all)
{
	uint32_t *found, s, e;
	struct op *op;

	if (all)
		verify_range(v, 0, v->length);
	else
		for (op = v->ops; op; op = op->next)
			verify_range(v, op->begin, op->end);
	counters.verified++;
	if (!v->ops)
		return;

	found = xalloc(v->nr_sectors * sizeof(*found));
	memcpy(found, v->now, v->nr_sectors * sizeof(*found));
	for (op = v->ops; op; op = op->next)
		find_out(v, op->begin, op->end, found);
	pthread_mutex_lock(&model_lock);
	for (s = 0; s < v->nr_sectors; s = e) {
		e = s + 1;
		if (found[s] == v->now[s])
			continue;
		while (e < v->nr_sectors && found[e] == found[s] &&
		       found[e] != v->now[e])
			e++;
		log_say(false, "V %u %u %u %u", v->id, s, e - s, found[s]);
	}
	log_say(true, "R %u", v->id);
	free(v->now);
	v->now = found;
	volume_drop_ops(v);
	pthread_mutex_unlock(&model_lock);
}
