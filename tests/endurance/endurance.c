// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The endurance test inside the virtual machine, for one boot.
 *
 *   endurance DIRECTORY DATA-DEVICE METADATA-DEVICE SECONDS SEED
 *
 * DIRECTORY is on the host and holds the model of what the devices contain; if it
 * is empty, so are the devices.  See run.sh for the whole picture.
 *
 *   recovery: activate what must exist ─► compare all of it ─► save the model
 *                                                                   │
 *     ┌─────────────────────────────────────────────────────────────┘
 *     ▼
 *   round: threads do I/O, this one the rest       ─► compare all volumes
 *     ▲                                                     │
 *     └───── activate all, compare ◄── thin_check ◄── deactivate all
 *
 * until the time is up or the machine is killed.
 *
 * Environment: POOL and THIN are the names of the targets.  ENDURANCE_BREAK tests
 * the test itself: with "flush" it only pretends to flush, with "corrupt" it
 * changes a sector in use on the data device.  ENDURANCE_PATIENCE is the number of
 * seconds after which something counts as hanging (300), ENDURANCE_ROUND the range
 * of a round's seconds ("5 15").
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include "dm.h"
#include "machine.h"

#define MIB 2048		/* sectors */

struct settings settings;

static double since(void)
{
	static struct timespec first;
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	if (!first.tv_sec)
		first = t;
	return t.tv_sec - first.tv_sec + (t.tv_nsec - first.tv_nsec) / 1e9;
}

void say(const char *format, ...)
{
	va_list args;

	printf("%6.1f ", since());
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

void fail(const char *format, ...)
{
	char line[512] = "";
	va_list args;

	printf("FAILED: seed %llu, boot %u, round %u: ",
	       (unsigned long long)settings.seed, settings.boot,
	       settings.round);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	if (!dm_status("pool", DM_NOFLUSH, line, sizeof(line), NULL))
		printf("pool: %s\n", line);
	fflush(stdout);
	snprintf(line, sizeof(line), "%s/failed", settings.dir);
	close(open(line, O_WRONLY | O_CREAT, 0644));
	_exit(1);
}

/* If something waits for ever, the blocked tasks go to the kernel's log. */
static void *watch_dog(void *unused)
{
	FILE *f;

	for (;;) {
		sleep(2);
		if (!load_stuck(settings.patience) &&
		    !control_stuck(settings.patience))
			continue;
		f = fopen("/proc/sysrq-trigger", "w");
		if (f) {
			fputc('w', f);
			fclose(f);
		}
		fail("nothing happens any more");
	}
	return unused;
}

static uint32_t device_sectors(const char *path)
{
	uint64_t bytes = 0;
	int fd = open(path, O_RDONLY);

	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &bytes))
		fail("%s: %s", path, strerror(errno));
	close(fd);
	return bytes / SECTOR;
}

/* The next volume in model.volumes from *i on */
static struct volume *next_volume(int *i)
{
	while (*i < MAX_VOLUMES)
		if (model.volumes[(*i)++])
			return model.volumes[*i - 1];
	return NULL;
}

static void first_pool(struct rng *r)
{
	static const uint32_t blocks[] = { 128, 128, 128, 256, 384, 1024 };

	model.block = blocks[below(r, 6)];
	model.data_sectors = between(r, 32 * MIB, 80 * MIB);
	model.meta_sectors = between(r, 512, 800) * 8;
	model.next_id = 1;
	pool_start();
	say("a new pool, blocks of %u KiB, %u MiB", model.block / 2,
	    model.data_sectors / MIB);
}

/* A deletion may be half done, so it is repeated. */
static void settle_doubt(struct volume *v, struct rng *r)
{
	int e = ENODATA;

	if (v->doubtful == 'S' || (v->doubtful == 'C' && one_in(r, 2))) {
		e = volume_try(v);
		say("%s %s", v->name, e ? "does not exist" : "exists");
		v->doubtful = 0;
		if (!e)
			return;
	}
	if (e != ENODATA)
		fail("%s: activation: %s", v->name, strerror(e));
	e = dm_message("pool", "delete %u", v->id);
	if (e && e != ENODATA)
		fail("%s: delete: %s", v->name, strerror(e));
	volume_free(v);
}

static void recover(struct rng *r)
{
	struct volume *v;
	int i = 0;

	pool_start();
	pool_check(r);
	while ((v = next_volume(&i)))
		if (!v->doubtful)
			volume_start(v);
	for (i = 0; (v = next_volume(&i)); )
		if (v->doubtful)
			settle_doubt(v, r);
	for (i = 0; (v = next_volume(&i)); )
		verify(v, true);
	say("recovered: %lu volumes are as they must be", counters.verified);
}

static void open_all(void)
{
	struct volume *v;
	int i = 0;

	while ((v = next_volume(&i))) {
		if (v->fd < 0)
			volume_start(v);
		v->closed = false;
		v->pinned = false;
	}
}

static void flush_all(void)
{
	struct volume *v;
	uint32_t id;
	int i = 0;

	while ((v = next_volume(&i))) {
		id = log_begin('F', "%u", v->id);
		if (!settings.lose_flushes && fsync(v->fd))
			fail("%s: fsync: %s", v->name, strerror(errno));
		log_end(id, '.', true);
	}
}

static void close_all(void)
{
	char command[256];
	struct volume *v;
	int i = 0;

	while ((v = next_volume(&i))) {
		v->closed = true;
		volume_stop(v);
	}
	pool_stop();
	control_alive();
	snprintf(command, sizeof(command), "thin_check %s > /tmp/check 2>&1",
		 settings.meta);
	if (system(command)) {
		i = system("cat /tmp/check");
		fail("thin_check finds damage");
	}
}

static struct volume *owner(const void *buf)
{
	const uint64_t *word = buf;
	uint32_t sector = word[1], stamp = sector_stamp(buf, sector);
	struct volume *v;
	int i = 0;

	while (stamp && stamp != UINT32_MAX && (v = next_volume(&i)))
		if (sector < v->nr_sectors && v->now[sector] == stamp)
			return v;
	return NULL;
}

static void corrupt(struct rng *r)
{
	int fd = open(settings.data, O_RDWR | O_DIRECT | O_SYNC);
	uint32_t s, n, first = below(r, model.data_sectors);
	uint64_t *buf;

	if (posix_memalign((void **)&buf, 4096, SECTOR))
		abort();
	for (n = 0; n < model.data_sectors; n++) {
		s = (first + n) % model.data_sectors;
		if (pread(fd, buf, SECTOR, (off_t)s * SECTOR) != SECTOR)
			break;
		if (!owner(buf))
			continue;
		say("changing a bit of %s in sector %u of the data device",
		    owner(buf)->name, s);
		buf[20] ^= 1;
		if (pwrite(fd, buf, SECTOR, (off_t)s * SECTOR) == SECTOR)
			break;
	}
	close(fd);
	free(buf);
}

static void one_round(struct rng *r)
{
	double end = since() + between(r, settings.round_min, settings.round_max);
	struct volume *v;
	int i;

	open_all();
	load_start(rng_next(r));
	while (since() < end) {
		control_step(r);
		usleep(below(r, 60000));
	}
	while (!load_stop()) {
		usleep(3000);
		pool_rescue(r);
	}
	flush_all();
	pool_check(r);
	for (i = 0; (v = next_volume(&i)); )
		verify_range(v, 0, v->length);
	close_all();
	if (settings.corrupt)
		corrupt(r);
	pool_start();
	open_all();
	if (settings.corrupt || one_in(r, 2))
		for (i = 0; (v = next_volume(&i)); )
			verify_range(v, 0, v->length);
}

static void summary(void)
{
	const struct counters *c = &counters;

	say("round %u: %lu writes (%lu refused), %lu reads, %lu discards, %lu flushes, %lu created, %lu snapshots, %lu deleted, %lu resized, %lu suspends, %lu grown, %lu times full, %lu metadata snapshots",
	    settings.round, c->writes, c->refused, c->reads, c->discards,
	    c->flushes, c->creates, c->snapshots, c->deletes, c->resizes,
	    c->suspends, c->grows, c->rescues, c->holds);
}

int main(int argc, char **argv)
{
	const char *harm = getenv("ENDURANCE_BREAK");
	pthread_t dog;
	struct rng r;
	double end;

	if (argc != 6) {
		fprintf(stderr, "usage: endurance DIRECTORY DATA-DEVICE METADATA-DEVICE SECONDS SEED\n");
		return 2;
	}
	settings.dir = argv[1];
	settings.data = argv[2];
	settings.meta = argv[3];
	settings.seed = strtoull(argv[5], NULL, 0);
	settings.pool_target = getenv("POOL") ?: "thinx-pool";
	settings.thin_target = getenv("THIN") ?: "thinx";
	settings.thinx = !strcmp(settings.thin_target, "thinx");
	settings.module = settings.thinx ? "dm_thinx_pool" : "dm_thin_pool";
	settings.data_max = device_sectors(settings.data);
	settings.meta_max = device_sectors(settings.meta);
	settings.lose_flushes = harm && !strcmp(harm, "flush");
	settings.corrupt = harm && !strcmp(harm, "corrupt");
	settings.patience = 300;
	if (getenv("ENDURANCE_PATIENCE"))
		settings.patience = atoi(getenv("ENDURANCE_PATIENCE"));
	settings.round_min = 5;
	settings.round_max = 15;
	if (getenv("ENDURANCE_ROUND") &&
	    sscanf(getenv("ENDURANCE_ROUND"), "%u %u", &settings.round_min,
		   &settings.round_max) != 2)
		fail("ENDURANCE_ROUND must be two numbers");
	end = since() + atof(argv[4]);
	control_alive();
	if (pthread_create(&dog, NULL, watch_dog, NULL))
		fail("cannot start a thread");

	settings.boot = model_load(settings.dir) + 1;
	r.state = mix(settings.seed * 1000 + settings.boot);
	say("seed %llu, boot %u", (unsigned long long)settings.seed,
	    settings.boot);
	if (settings.boot == 1)
		first_pool(&r);
	else
		recover(&r);
	model_save(settings.dir, settings.boot);
	log_open(settings.dir, settings.boot);
	log_say(true, "P %u %u", model.data_sectors, model.meta_sectors);
	do {
		settings.round++;
		one_round(&r);
		summary();
	} while (since() < end);
	close_all();
	model_save(settings.dir, settings.boot + 1);
	return 0;
}
