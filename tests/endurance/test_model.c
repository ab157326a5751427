// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What may volumes contain according to the log of a dead machine?  Each test has a
 * model, a log, and for some sectors the stamps that may be read there.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "model.h"

static char dir[64];
static int number, failures;

void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	exit(1);
}

static void put(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	if (!f)
		fail("cannot create %s", path);
	fputs(text, f);
	fclose(f);
}

/* Load a log that begins with volume 1, whose sectors 0 to 9 have stamp 5. */
static void after(const char *log)
{
	int i;

	for (i = 0; i < MAX_VOLUMES; i++)
		if (model.volumes[i])
			volume_free(model.volumes[i]);
	memset(&model, 0, sizeof(model));
	put("model.1", "model 128 1000 1000 3 0 10\n"
	    "volume 1 100\n0 10 5\nend\n");
	put("log.1", log);
	if (model_load(dir) != 1)
		fail("nothing found");
}

static void ok(bool good, const char *what)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++number, what);
	failures += !good;
}

/* Exactly these stamps of 0 to 99 are allowed. */
static bool allows(uint32_t volume, uint32_t sector, const char *stamps)
{
	struct volume *v = volume_find(volume);
	char got[512] = "";
	uint32_t s;
	int n = 0;

	for (s = 0; v && s < 100; s++)
		if (volume_allows(v, sector, s))
			n += sprintf(got + n, "%s%u", n ? " " : "", s);
	if (!strcmp(got, stamps))
		return true;
	printf("# volume %u, sector %u: |%s|, wanted |%s|\n", volume, sector,
	       got, stamps);
	return false;
}

static void writes(void)
{
	after("");
	ok(allows(1, 3, "5") && allows(1, 50, "0"), "what was saved");
	after("W 10 1 2 4 10\n");
	ok(allows(1, 1, "5") && allows(1, 2, "5 10") && allows(1, 5, "5 10") &&
	   allows(1, 6, "5"), "a write that did not end: old or new");
	after("W 10 1 2 4 10\n. 10\n");
	ok(allows(1, 2, "5 10"), "a write that was not flushed: old or new");
	after("W 10 1 2 4 10\n. 10\nF 11 1\n");
	ok(allows(1, 2, "5 10"), "a flush that did not end promises nothing");
	after("W 10 1 2 4 10\n. 10\nF 11 1\n. 11\n");
	ok(allows(1, 2, "10"), "a write that was flushed: new");
	after("W 10 1 2 4 10\nF 11 1\n. 10\n. 11\n");
	ok(allows(1, 2, "5 10"), "a write that ended during the flush: either");
	after("W 10 1 2 4 10\n. 10\nW 11 1 2 1 11\nF 12 1\n. 12\n. 11\n");
	ok(allows(1, 2, "10 11") && allows(1, 3, "10"), "one on top of it");
	after("W 10 1 2 4 10\n= 10\nW 11 1 3 1 11\n");
	ok(allows(1, 2, "10") && allows(1, 3, "10 11"), "FUA: new at once");
	after("W 10 1 2 4 10\n! 10\n");
	ok(allows(1, 2, "5 10"), "a write that failed: old or new");
	after("W 10 1 2 4 10\n! 10\nW 11 1 3 1 10\n. 11\nF 12 1\n. 12\n");
	ok(allows(1, 2, "5") && allows(1, 3, "10"),
	   "what a failed write left, flushed");
	after("W 10 1 2 4 10\n. 10\nF 11 1\n. 11");
	ok(allows(1, 2, "5 10"), "half a line says nothing");
}

static void discards(void)
{
	after("D 10 1 0 5 0\n. 10\n");
	ok(allows(1, 0, "0 5") && allows(1, 5, "5"), "a discard: either");
	after("D 10 1 0 5 0\n. 10\nF 11 1\n. 11\nW 12 1 0 1 12\n");
	ok(allows(1, 0, "0 12") && allows(1, 1, "0"), "a discard, flushed");
}

static void volumes(void)
{
	after("W 10 1 0 1 10\n. 10\nW 11 1 1 1 11\nS 12 1 2\n. 11\n. 12\n");
	ok(allows(2, 0, "10") && allows(1, 0, "10"),
	   "a snapshot makes its origin durable");
	ok(allows(2, 1, "5 11") && allows(1, 1, "5 11"),
	   "but not what was under way");
	after("W 11 1 1 1 11\nS 12 1 2\n. 11\n. 12\nF 13 1\n. 13\n"
	      "V 2 1 1 11\nR 2\nW 14 2 0 1 14\n");
	ok(allows(2, 1, "11") && allows(2, 0, "5 14"), "doubts that are settled");
	after("S 12 1 2\n. 12\nW 13 1 0 1 13\n. 13\n");
	ok(allows(2, 0, "5"), "later writes are not in the snapshot");
	after("W 10 1 0 1 10\n. 10\nS 12 1 2\n");
	ok(volume_find(2) && volume_find(2)->doubtful == 'S' &&
	   allows(2, 0, "10") && allows(1, 0, "5 10"),
	   "a snapshot that may not exist");
	after("S 12 1 2\nW 13 1 0 1 13\n. 13\nF 14 1\n. 14\n. 12\n");
	ok(allows(2, 0, "5 13") && allows(1, 0, "13"),
	   "what was written and flushed meanwhile: may be in the snapshot");
	after("S 12 1 2\nW 13 1 0 1 13\n. 13\nF 14 1\n. 14\n. 12\nR 2\n");
	ok(allows(2, 0, "5") && allows(1, 0, "13"), "it was not");
	after("S 12 1 2\nW 13 1 0 1 13\n= 13\nW 14 1 1 1 14\n");
	ok(allows(2, 0, "5 13") && allows(1, 0, "13") && allows(2, 1, "5 14"),
	   "nor is it certain in one that may not exist");
	after("C 10 3 50\n. 10\nC 11 4 50\nX 12 1 0\n");
	ok(volume_find(3) && !volume_find(3)->doubtful &&
	   volume_find(4)->doubtful == 'C' && volume_find(1)->doubtful == 'X',
	   "creations and a deletion");
	after("X 12 1 0\n. 12\n");
	ok(!volume_find(1), "a deletion that ended");
}

static void the_rest(void)
{
	after("P 2000 3000\nT 10 4 0\nM 11 1 0\n. 11\n");
	ok(model.data_sectors == 2000 && model.meta_sectors == 3000,
	   "sizes of the devices");
	ok(model.transaction == 3 && model.transaction_begun == 4,
	   "a transaction id that may be the old or the new");
	ok(model.held && !model.held_doubtful, "a metadata snapshot");
	ok(model.next_id == 12, "ids go on");
}

static void content(void)
{
	char buf[SECTOR] __attribute__((aligned(8)));

	sector_fill(buf, 7, 42);
	ok(sector_stamp(buf, 7) == 42, "a sector says who wrote it");
	ok(sector_stamp(buf, 8) == UINT32_MAX, "and where");
	buf[511] ^= 1;
	ok(sector_stamp(buf, 7) == UINT32_MAX, "and that it is whole");
	sector_fill(buf, 7, 0);
	ok(sector_stamp(buf, 7) == 0, "zeros");
	buf[100] = 1;
	ok(sector_stamp(buf, 7) == UINT32_MAX, "not quite");
}

int main(void)
{
	char path[256];

	strcpy(dir, "/tmp/endurance-model-XXXXXX");
	if (!mkdtemp(dir))
		fail("no temporary directory");
	writes();
	discards();
	volumes();
	the_rest();
	content();
	printf("1..%d\n", number);
	snprintf(path, sizeof(path), "%s/model.1", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/log.1", dir);
	unlink(path);
	rmdir(dir);
	return failures != 0;
}
