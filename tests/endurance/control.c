// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Everything but I/O: the pool and its tables, volumes that come and go, and the
 * rescue of a full pool.
 *
 * One thread does all of it.  While it waits for something that may itself wait
 * for space (a volume's suspend, the end of I/O in flight), it looks after the
 * pool.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "dm.h"
#include "machine.h"

#define MIB 2048		/* sectors */

static bool error_if_no_space, no_passdown;
static bool pool_suspended;
static uint32_t events_seen;
static double full_since;
static char held_devices[512];
static struct rng rescue_rng;

double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static double alive;

void control_alive(void)
{
	alive = seconds_now();
}

bool control_stuck(unsigned int seconds)
{
	return seconds_now() > alive + seconds;
}

static void must(int e, const char *what)
{
	if (e)
		fail("%s: %s", what, strerror(e));
}

/* --- The pool --- */

bool pool_field(unsigned int n, char *word, size_t size)
{
	char line[512], *p = line, *w = NULL;
	uint32_t events;

	if (dm_status("pool", DM_NOFLUSH, line, sizeof(line), &events))
		return false;
	__atomic_store_n(&events_seen, events, __ATOMIC_RELAXED);
	do {
		w = strsep(&p, " ");
	} while (w && --n);
	snprintf(word, size, "%s", w ? w : "");
	return w;
}

uint32_t pool_events(void)
{
	char line[512];
	uint32_t events = 0;

	dm_status("pool", DM_NOFLUSH, line, sizeof(line), &events);
	return events;
}

uint32_t pool_events_seen(void)
{
	return __atomic_load_n(&events_seen, __ATOMIC_RELAXED);
}

bool pool_full(void)
{
	unsigned int used, total;
	char word[64];

	if (!pool_field(5, word, sizeof(word)))
		return false;
	if (!strcmp(word, "out_of_data_space"))
		return true;
	if (strcmp(word, "rw"))
		fail("the pool's mode is %s", word);
	return pool_field(3, word, sizeof(word)) &&
	       sscanf(word, "%u/%u", &used, &total) == 2 && used >= total;
}

static void pool_table(char *line, size_t size)
{
	char meta[32];

	must(dm_number("meta", meta, sizeof(meta)), "metadata device");
	snprintf(line, size, "%s %s %u 0 %d%s%s", meta, settings.data,
		 model.block, error_if_no_space + no_passdown,
		 error_if_no_space ? " error_if_no_space" : "",
		 no_passdown ? " no_discard_passdown" : "");
}

static void meta_table(char *line, size_t size)
{
	snprintf(line, size, "%s 0", settings.meta);
}

void pool_start(void)
{
	char line[256];

	meta_table(line, sizeof(line));
	must(dm_create("meta", model.meta_sectors, "linear", line),
	     "metadata device");
	pool_table(line, sizeof(line));
	must(dm_create("pool", model.data_sectors, settings.pool_target, line),
	     "pool");
	pool_suspended = false;
	full_since = 0;
}

void pool_stop(void)
{
	must(dm_remove("pool"), "removing the pool");
	must(dm_remove("meta"), "removing the metadata device");
}

void pool_check(struct rng *r)
{
	unsigned int used_meta, meta, used, total;
	char line[512], held[32], mode[32], check[32];
	unsigned long long transaction;

	must(dm_status("pool", one_in(r, 2) ? DM_NOFLUSH : 0, line,
		       sizeof(line), NULL), "status");
	if (sscanf(line, "%llu %u/%u %u/%u %31s %31s %*s %*s %31s",
		   &transaction, &used_meta, &meta, &used, &total, held, mode,
		   check) != 8)
		fail("status: %s", line);
	if (strcmp(mode, "rw") && strcmp(mode, "out_of_data_space"))
		fail("mode: %s", line);
	if (strcmp(check, "-") || used > total || used_meta > meta)
		fail("status: %s", line);
	if (transaction != model.transaction &&
	    transaction != model.transaction_begun)
		fail("transaction %llu, wanted %llu or %llu", transaction,
		     (unsigned long long)model.transaction,
		     (unsigned long long)model.transaction_begun);
	model.transaction = model.transaction_begun = transaction;
	if (!model.held_doubtful && model.held != (strcmp(held, "-") != 0))
		fail("metadata snapshot %s, wanted %s", held,
		     model.held ? "one" : "none");
	model.held = strcmp(held, "-");
	model.held_doubtful = false;
}

static void pool_reload(struct rng *r)
{
	char line[256];

	pool_table(line, sizeof(line));
	must(dm_load("pool", model.data_sectors, settings.pool_target, line),
	     "loading the pool's table");
	pool_suspended = true;
	must(dm_suspend("pool", one_in(r, 2) ? DM_NOFLUSH | DM_NOLOCKFS : 0),
	     "suspending the pool");
	if (one_in(r, 2))
		usleep(below(r, 200000));
	must(dm_resume("pool"), "resuming the pool");
	pool_suspended = false;
	counters.suspends++;
}

static void log_devices(void)
{
	pthread_mutex_lock(&model_lock);
	log_say(true, "P %u %u", model.data_sectors, model.meta_sectors);
	pthread_mutex_unlock(&model_lock);
}

static bool grow_data(struct rng *r)
{
	uint32_t n = model.data_sectors + between(r, 1, 24 * MIB);

	if (model.data_sectors >= settings.data_max)
		return false;
	model.data_sectors = n < settings.data_max ? n : settings.data_max;
	log_devices();
	pool_reload(r);
	counters.grows++;
	return true;
}

static void grow_meta(struct rng *r)
{
	uint32_t n = model.meta_sectors + 8 * between(r, 1, 256);
	char line[256];

	if (n > settings.meta_max)
		return;
	model.meta_sectors = n;
	log_devices();
	meta_table(line, sizeof(line));
	must(dm_load("meta", n, "linear", line), "metadata device");
	must(dm_suspend("meta", DM_NOFLUSH), "metadata device");
	must(dm_resume("meta"), "metadata device");
	pool_reload(r);
	counters.grows++;
}

/* --- The rescue --- */

static void drop_volume(struct volume *v);

static struct volume *any_volume(struct rng *r, bool open)
{
	int i, n = below(r, MAX_VOLUMES);
	struct volume *v;

	for (i = 0; i < MAX_VOLUMES; i++) {
		v = model.volumes[(n + i) % MAX_VOLUMES];
		if (v && !v->pinned && (!open || !v->closed))
			return v;
	}
	return NULL;
}

static int nr_volumes(void)
{
	int i, n = 0;

	for (i = 0; i < MAX_VOLUMES; i++)
		n += !!model.volumes[i];
	return n;
}

/*
 * Called often.  A full pool stays full for a moment; then it grows, or data is
 * thrown away.
 */
void pool_rescue(struct rng *r)
{
	char mode[64];
	struct volume *v;
	double t = seconds_now();

	control_alive();
	if (pool_suspended || !pool_field(5, mode, sizeof(mode)))
		return;
	if (strcmp(mode, "out_of_data_space")) {
		full_since = 0;
		return;
	}
	if (full_since == 0) {
		full_since = t + below(r, 1000) / 1000.0;
		counters.rescues++;
	}
	if (t < full_since)
		return;
	if (t > full_since + settings.patience)
		fail("the pool stays full");
	if (one_in(r, 4) && grow_data(r))
		return;
	v = any_volume(r, true);
	if (v)
		load_discard(v, r);
	/* All is shared, or all ranges are busy: be thorough. */
	v = any_volume(r, true);
	if (v && t > full_since + 2 && one_in(r, 10) && nr_volumes() > 2 &&
	    !v->ranges)
		drop_volume(v);
	if (t > full_since + 10 && !error_if_no_space) {
		error_if_no_space = true;
		pool_reload(r);
	}
}

static void look_after(void)
{
	usleep(3000);
	pool_rescue(&rescue_rng);
}

/* --- What may have to wait for space --- */

struct suspend {
	const char *name;
	int flags, error;
	bool done;
};

static void *suspend_thread(void *arg)
{
	struct suspend *s = arg;

	s->error = dm_suspend(s->name, s->flags);
	__atomic_store_n(&s->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void suspend_volume(struct volume *v, int flags)
{
	struct suspend s = { .name = v->name, .flags = flags };
	pthread_t t;

	v->pinned = true;
	if (pthread_create(&t, NULL, suspend_thread, &s))
		fail("cannot start a thread");
	while (!__atomic_load_n(&s.done, __ATOMIC_ACQUIRE))
		look_after();
	pthread_join(t, NULL);
	must(s.error, "suspending a volume");
	counters.suspends++;
}

static void resume_volume(struct volume *v)
{
	must(dm_resume(v->name), "resuming a volume");
	v->pinned = false;
}

/* Wait until there is no I/O to it; none is started from then on. */
static void quiet(struct volume *v)
{
	bool busy;

	v->pinned = true;
	do {
		pthread_mutex_lock(&model_lock);
		v->closed = true;
		busy = v->ranges;
		pthread_mutex_unlock(&model_lock);
		if (busy)
			look_after();
	} while (busy);
}

static void open_again(struct volume *v)
{
	pthread_mutex_lock(&model_lock);
	v->closed = false;
	v->pinned = false;
	pthread_mutex_unlock(&model_lock);
}

/* --- Volumes --- */

static void thin_table(struct volume *v, char *line, size_t size)
{
	char pool[32];

	must(dm_number("pool", pool, sizeof(pool)), "pool");
	snprintf(line, size, "%s %u", pool, v->id);
}

int volume_try(struct volume *v)
{
	char line[64];
	int e;

	if (!v->length)
		v->length = v->nr_sectors;
	thin_table(v, line, sizeof(line));
	e = dm_create(v->name, v->length, settings.thin_target, line);
	if (e)
		return e;
	v->fd = dm_open(v->name, O_RDWR | O_DIRECT);
	if (v->fd < 0)
		fail("%s: open: %s", v->name, strerror(errno));
	return 0;
}

void volume_start(struct volume *v)
{
	int e = volume_try(v);

	if (e)
		fail("%s: activation: %s", v->name, strerror(e));
}

void volume_stop(struct volume *v)
{
	close(v->fd);
	v->fd = -1;
	must(dm_remove(v->name), "removing a volume");
}

static void volume_reload(struct volume *v, uint32_t length)
{
	char line[64];

	thin_table(v, line, sizeof(line));
	must(dm_load(v->name, length, settings.thin_target, line),
	     "loading a volume's table");
}

static uint32_t begin(char kind, uint32_t a, uint32_t b)
{
	uint32_t id;

	pthread_mutex_lock(&model_lock);
	id = log_begin(kind, "%u %u", a, b);
	pthread_mutex_unlock(&model_lock);
	return id;
}

static void end(uint32_t id)
{
	pthread_mutex_lock(&model_lock);
	log_end(id, '.', true);
	pthread_mutex_unlock(&model_lock);
}

static void create(struct rng *r)
{
	uint32_t n = between(r, 4 * MIB, 32 * MIB), id, op;
	struct volume *v;

	pthread_mutex_lock(&model_lock);
	id = model.next_id++;
	pthread_mutex_unlock(&model_lock);
	op = begin('C', id, n);
	must(dm_message("pool", "create_thin %u", id), "create_thin");
	end(op);
	pthread_mutex_lock(&model_lock);
	v = volume_new(id, n);
	pthread_mutex_unlock(&model_lock);
	volume_start(v);
	open_again(v);
	counters.creates++;
}

/*
 * The origin is suspended, running, or not active at all.  The snapshot's content
 * is certain except for I/O in flight during the message; what became of that is
 * found out before the snapshot is used.
 */
static void snapshot(struct volume *origin, struct rng *r)
{
	enum { SUSPENDED, INACTIVE, RUNNING } how;
	struct volume *v;
	uint32_t id, op;

	how = below(r, settings.thinx ? 4 : 2);
	if (how == INACTIVE) {
		quiet(origin);
		volume_stop(origin);
	} else if (how == SUSPENDED) {
		suspend_volume(origin, one_in(r, 3) ?
			       DM_NOFLUSH | DM_NOLOCKFS : 0);
	}
	pthread_mutex_lock(&model_lock);
	id = model.next_id++;
	v = volume_copy(origin, id, 0);
	load_watch(origin, v);
	op = log_begin('S', "%u %u", origin->id, id);
	pthread_mutex_unlock(&model_lock);
	must(dm_message("pool", "create_snap %u %u", id, origin->id),
	     "create_snap");
	pthread_mutex_lock(&model_lock);
	log_end(op, '.', true);
	origin->watcher = NULL;
	pthread_mutex_unlock(&model_lock);
	if (how == INACTIVE) {
		volume_start(origin);
		open_again(origin);
	} else if (how == SUSPENDED) {
		resume_volume(origin);
	}
	volume_start(v);
	verify(v, false);
	open_again(v);
	counters.snapshots++;
}


static void drop_volume(struct volume *v)
{
	uint32_t op;

	quiet(v);
	volume_stop(v);
	op = begin('X', v->id, 0);
	must(dm_message("pool", "delete %u", v->id), "delete");
	end(op);
	pthread_mutex_lock(&model_lock);
	volume_free(v);
	pthread_mutex_unlock(&model_lock);
	counters.deletes++;
}

static void resize(struct volume *v, struct rng *r)
{
	uint32_t length = between(r, v->nr_sectors / 2, v->nr_sectors);
	bool shrink = length < v->length;

	if (shrink)
		quiet(v);
	volume_reload(v, length);
	suspend_volume(v, one_in(r, 2) ? DM_NOFLUSH | DM_NOLOCKFS : 0);
	resume_volume(v);
	pthread_mutex_lock(&model_lock);
	v->length = length;
	v->closed = false;
	pthread_mutex_unlock(&model_lock);
	counters.resizes++;
}

static void pause_volume(struct volume *v, struct rng *r)
{
	if (one_in(r, 2))
		volume_reload(v, v->length);
	suspend_volume(v, one_in(r, 2) ? DM_NOFLUSH | DM_NOLOCKFS : 0);
	usleep(below(r, 100000));
	resume_volume(v);
}

static void restart_volume(struct volume *v, struct rng *r)
{
	quiet(v);
	volume_stop(v);
	usleep(below(r, 100000));
	volume_start(v);
	open_again(v);
}

static void transaction(void)
{
	uint32_t op = begin('T', model.transaction + 1, 0);

	must(dm_message("pool", "set_transaction_id %llu %llu",
			(unsigned long long)model.transaction,
			(unsigned long long)model.transaction + 1),
	     "set_transaction_id");
	end(op);
	model.transaction_begun = ++model.transaction;
}

static int compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void list_volumes(char *list, size_t size)
{
	uint32_t ids[MAX_VOLUMES];
	int i, n = 0, len = 0;

	for (i = 0; i < MAX_VOLUMES; i++)
		if (model.volumes[i])
			ids[n++] = model.volumes[i]->id;
	qsort(ids, n, sizeof(*ids), compare_ids);
	*list = 0;
	for (i = 0; i < n; i++)
		len += snprintf(list + len, size - len, "%u ", ids[i]);
}

/* The tools must see the volumes of that time, whatever has happened since. */
static void check_held(void)
{
	char command[256], list[512] = "", number[32];
	unsigned int minor, id;
	int len = 0;
	FILE *f;

	must(dm_number("meta", number, sizeof(number)), "metadata device");
	minor = atoi(strchr(number, ':') + 1);
	snprintf(command, sizeof(command),
		 "thin_ls -m --no-headers --format DEV /dev/dm-%u", minor);
	f = popen(command, "r");
	while (f && fscanf(f, "%u", &id) == 1)
		len += snprintf(list + len, sizeof(list) - len, "%u ", id);
	if (!f || pclose(f))
		fail("thin_ls of the metadata snapshot failed");
	if (*held_devices && strcmp(list, held_devices))
		fail("the metadata snapshot has volumes %s, wanted %s", list,
		     held_devices);
}

static void hold(void)
{
	uint32_t op = begin('M', !model.held, 0);

	if (model.held)
		check_held();
	must(dm_message("pool", model.held ? "release_metadata_snap" :
			"reserve_metadata_snap"), "metadata snapshot");
	end(op);
	model.held = !model.held;
	list_volumes(held_devices, sizeof(held_devices));
	counters.holds++;
}

static void set_parameter(const char *name, unsigned int value)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/module/%s/parameters/%s",
		 settings.module, name);
	f = fopen(path, "w");
	if (!f)
		return;
	fprintf(f, "%u\n", value);
	fclose(f);
}

static void parameters(struct rng *r)
{
	static const unsigned int timeouts[] = { 0, 1, 3, 60 };
	static const unsigned int caches[] = { 16384, 65536, 1 << 20, 1 << 26 };

	set_parameter("no_space_timeout", timeouts[below(r, 4)]);
	set_parameter("map_cache_limit_bytes", caches[below(r, 4)]);
}

static void fill(struct rng *r)
{
	double until = seconds_now() + between(r, 1, 4);
	unsigned long before = counters.rescues;

	load_fill(true);
	while (seconds_now() < until && counters.rescues == before)
		look_after();
	load_fill(false);
	pool_rescue(r);
}

void control_step(struct rng *r)
{
	uint32_t n = below(r, 100);
	struct volume *v;

	rescue_rng.state = rng_next(r);
	/* It may throw a volume away. */
	pool_rescue(r);
	v = any_volume(r, true);
	if (!v || nr_volumes() < 3) {
		create(r);
		return;
	}
	if (n < 8) {
		if (nr_volumes() < MAX_VOLUMES)
			create(r);
	} else if (n < 28) {
		if (nr_volumes() < MAX_VOLUMES)
			snapshot(v, r);
	} else if (n < 42) {
		if (nr_volumes() > 5)
			drop_volume(v);
	} else if (n < 48) {
		restart_volume(v, r);
	} else if (n < 56) {
		resize(v, r);
	} else if (n < 64) {
		pause_volume(v, r);
	} else if (n < 74) {
		error_if_no_space ^= one_in(r, 3);
		no_passdown ^= one_in(r, 3);
		pool_reload(r);
	} else if (n < 77) {
		grow_data(r);
	} else if (n < 80) {
		grow_meta(r);
	} else if (n < 84) {
		fill(r);
	} else if (n < 88) {
		transaction();
	} else if (n < 92) {
		hold();
	} else if (n < 94) {
		parameters(r);
	} else {
		pool_check(r);
	}
}
