// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Stamps, volumes, and what a sector may contain.
 *
 * The operations of a volume are listed in the order in which they were issued.
 * Those on one sector never overlap in time, so walking the list, starting with
 * the durable content, gives what the sector may contain: each operation adds its
 * stamp, and a durable one makes its stamp the only one.
 */
#include <stdlib.h>
#include <string.h>
#include "model.h"

struct model model;
pthread_mutex_t model_lock = PTHREAD_MUTEX_INITIALIZER;

void *xalloc(size_t n)
{
	void *p = calloc(1, n);

	if (!p)
		abort();
	return p;
}

#define WORDS (SECTOR / sizeof(uint64_t))
#define MAGIC 0x7468696e78303131ULL

void sector_fill(void *buf, uint32_t sector, uint32_t stamp)
{
	uint64_t *word = buf, x;
	unsigned int i;

	if (!stamp) {
		memset(buf, 0, SECTOR);
		return;
	}
	word[0] = MAGIC;
	word[1] = (uint64_t)stamp << 32 | sector;
	x = mix(word[1]);
	for (i = 2; i < WORDS; i++)
		word[i] = x += 0x9e3779b97f4a7c15ULL;
}

uint32_t sector_stamp(const void *buf, uint32_t sector)
{
	const uint64_t *word = buf;
	uint64_t want[WORDS];
	uint32_t stamp = word[0] ? word[1] >> 32 : 0;

	sector_fill(want, sector, stamp);
	return memcmp(buf, want, SECTOR) ? UINT32_MAX : stamp;
}

struct volume *volume_new(uint32_t id, uint32_t nr_sectors)
{
	struct volume *v = xalloc(sizeof(*v));
	int i;

	v->id = id;
	v->nr_sectors = nr_sectors;
	v->now = xalloc(nr_sectors * sizeof(*v->now));
	v->last_op = &v->ops;
	v->fd = -1;
	v->closed = true;
	snprintf(v->name, sizeof(v->name), "volume-%u", id);
	for (i = 0; i < MAX_VOLUMES; i++) {
		if (!model.volumes[i]) {
			model.volumes[i] = v;
			return v;
		}
	}
	fail("too many volumes");
}

struct volume *volume_find(uint32_t id)
{
	int i;

	for (i = 0; i < MAX_VOLUMES; i++)
		if (model.volumes[i] && model.volumes[i]->id == id)
			return model.volumes[i];
	return NULL;
}

void volume_free(struct volume *v)
{
	int i;

	for (i = 0; i < MAX_VOLUMES; i++)
		if (model.volumes[i] == v)
			model.volumes[i] = NULL;
	volume_drop_ops(v);
	free(v->now);
	free(v);
}

/* A copy for another volume, where it stays in doubt: it never ended there. */
struct op *op_doubtful(const struct op *op)
{
	struct op *o = xalloc(sizeof(*o));

	*o = *op;
	o->ended = NEVER;
	o->durable = false;
	return o;
}

struct volume *volume_copy(const struct volume *v, uint32_t id, uint64_t line)
{
	struct volume *copy = volume_new(id, v->nr_sectors);
	const struct op *op;

	memcpy(copy->now, v->now, v->nr_sectors * sizeof(*v->now));
	for (op = v->ops; op; op = op->next) {
		if (op->ended >= line)
			volume_add_op(copy, op_doubtful(op));
		else if (!op->failed)
			volume_set(copy, op->begin, op->end, op->stamp);
	}
	return copy;
}

void volume_add_op(struct volume *v, struct op *op)
{
	op->next = NULL;
	*v->last_op = op;
	v->last_op = &op->next;
}

void volume_drop_ops(struct volume *v)
{
	struct op *op;

	while ((op = v->ops)) {
		v->ops = op->next;
		free(op);
	}
	v->last_op = &v->ops;
}

void volume_set(struct volume *v, uint32_t begin, uint32_t end, uint32_t stamp)
{
	for (; begin < end; begin++)
		v->now[begin] = stamp;
}

bool volume_allows(const struct volume *v, uint32_t sector, uint32_t stamp)
{
	bool allowed = v->now[sector] == stamp;
	const struct op *op;

	for (op = v->ops; op; op = op->next) {
		if (sector < op->begin || sector >= op->end)
			continue;
		if (op->durable)
			allowed = op->stamp == stamp;
		else
			allowed = allowed || op->stamp == stamp;
	}
	return allowed;
}

void volume_explain(const struct volume *v, uint32_t sector)
{
	const struct op *op;

	printf("  wanted stamp %u", v->now[sector]);
	for (op = v->ops; op; op = op->next)
		if (sector >= op->begin && sector < op->end)
			printf("\n  %s %u (%c%s%s, sectors %u to %u)",
			       op->durable ? "then only" : "or",
			       op->stamp, op->kind, op->failed ? ", failed" : "",
			       op->ended == NEVER ? ", not ended" : "",
			       op->begin, op->end);
	printf("\n");
}
