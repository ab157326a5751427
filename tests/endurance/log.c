// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The log, and how the model gets from one machine to the next.
 *
 *   model.N    the model when the log began, complete if its last line is "end"
 *   log.N      what has happened since
 *
 * The directory is on the host, and a write has arrived there when it returns.
 * Ends of operations may stay in our buffer for a while: an operation whose end is
 * lost counts as not ended.  Nothing is issued before everything logged earlier
 * is written.
 *
 * A flush makes durable what ended before it was issued.  So does a snapshot, for
 * its origin, because its message commits.  The snapshot itself, if it exists,
 * has what ended before its message was sent, and may have what was in flight
 * during the message.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "model.h"

static int log_fd = -1;
static char log_buffer[8192];
static size_t log_used;

static void log_out(void)
{
	char *p = log_buffer;
	ssize_t n;

	/* No log is open yet: the saved model will have it. */
	if (log_fd < 0)
		log_used = 0;
	while (log_used) {
		n = write(log_fd, p, log_used);
		if (n <= 0)
			fail("cannot write the log: %s", strerror(errno));
		p += n;
		log_used -= n;
	}
}

void log_open(const char *dir, unsigned int boot)
{
	char path[256];

	if (log_fd >= 0)
		close(log_fd);
	snprintf(path, sizeof(path), "%s/log.%u", dir, boot);
	log_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (log_fd < 0)
		fail("cannot create %s: %s", path, strerror(errno));
}

static void log_line(const char *head, const char *format, va_list args)
{
	size_t room;

	if (log_used > sizeof(log_buffer) - 256)
		log_out();
	room = sizeof(log_buffer) - log_used;
	log_used += snprintf(log_buffer + log_used, room, "%s", head);
	room = sizeof(log_buffer) - log_used;
	log_used += vsnprintf(log_buffer + log_used, room, format, args);
	log_buffer[log_used++] = '\n';
}

uint32_t log_begin(char kind, const char *format, ...)
{
	uint32_t id = model.next_id++;
	char head[32];
	va_list args;

	snprintf(head, sizeof(head), "%c %u ", kind, id);
	va_start(args, format);
	log_line(head, format, args);
	va_end(args);
	log_out();
	return id;
}

void log_say(bool now, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_line("", format, args);
	va_end(args);
	if (now)
		log_out();
}

void log_end(uint32_t id, char how, bool now)
{
	log_say(now, "%c %u", how, id);
}

void model_save(const char *dir, unsigned int boot)
{
	char path[256], part[256];
	struct volume *v;
	uint32_t s, e;
	FILE *f;
	int i;

	snprintf(path, sizeof(path), "%s/model.%u", dir, boot);
	snprintf(part, sizeof(part), "%s/model.part", dir);
	f = fopen(part, "w");
	if (!f)
		fail("cannot create %s: %s", part, strerror(errno));
	fprintf(f, "model %u %u %u %llu %d %u\n", model.block,
		model.data_sectors, model.meta_sectors,
		(unsigned long long)model.transaction, model.held,
		model.next_id);
	for (i = 0; i < MAX_VOLUMES; i++) {
		v = model.volumes[i];
		if (!v)
			continue;
		fprintf(f, "volume %u %u\n", v->id, v->nr_sectors);
		for (s = 0; s < v->nr_sectors; s = e) {
			for (e = s + 1; e < v->nr_sectors; e++)
				if (v->now[e] != v->now[s])
					break;
			if (v->now[s])
				fprintf(f, "%u %u %u\n", s, e - s, v->now[s]);
		}
	}
	fprintf(f, "end\n");
	if (fflush(f) || fsync(fileno(f)) || fclose(f) || rename(part, path))
		fail("cannot write %s: %s", path, strerror(errno));
}

static bool model_read(const char *path)
{
	unsigned long long transaction;
	unsigned int a, b, c, held, next;
	struct volume *v = NULL;
	char line[256];
	bool whole = false;
	FILE *f = fopen(path, "r");

	if (!f)
		return false;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "model %u %u %u %llu %u %u", &a, &b, &c,
			   &transaction, &held, &next) == 6) {
			model.block = a;
			model.data_sectors = b;
			model.meta_sectors = c;
			model.transaction = transaction;
			model.held = held;
			model.next_id = next;
		} else if (sscanf(line, "volume %u %u", &a, &b) == 2) {
			v = volume_new(a, b);
		} else if (sscanf(line, "%u %u %u", &a, &b, &c) == 3 && v) {
			volume_set(v, a, a + b, c);
		} else if (!strcmp(line, "end\n")) {
			whole = true;
		} else {
			fail("%s: bad line: %s", path, line);
		}
	}
	fclose(f);
	if (!whole)
		fail("%s is not complete", path);
	return true;
}

/* Everything that ended before that line is durable. */
static void settle(struct volume *v, uint64_t line)
{
	struct op *op, *ops = v->ops, *next;

	v->ops = NULL;
	v->last_op = &v->ops;
	for (op = ops; op; op = next) {
		next = op->next;
		if (op->ended >= line) {
			volume_add_op(v, op);
		} else {
			if (!op->failed)
				volume_set(v, op->begin, op->end, op->stamp);
			free(op);
		}
	}
}

/* An operation that has begun, by its id */
struct begun {
	char kind;
	uint32_t volume, other;
	uint64_t transaction, line;
	struct op *op;		/* in its volume's list */
};

static struct begun *begun;
static uint32_t first_id, nr_begun;

static struct begun *begun_get(uint32_t id)
{
	uint32_t n = id - first_id;

	if (n >= nr_begun) {
		begun = realloc(begun, (n + 1024) * sizeof(*begun));
		memset(begun + nr_begun, 0,
		       (n + 1024 - nr_begun) * sizeof(*begun));
		nr_begun = n + 1024;
	}
	return &begun[n];
}

static struct volume *must_find(uint32_t id, uint64_t line)
{
	struct volume *v = volume_find(id);

	if (!v)
		fail("log line %llu: no volume %u", (unsigned long long)line,
		     id);
	return v;
}

/* Flushes during the message say nothing about the snapshot. */
static void replay_snapshot(struct volume *origin, uint32_t id, uint64_t line)
{
	struct volume *v = volume_copy(origin, id, line);

	v->doubtful = 'S';
	origin->watcher = v;
}

static void replay_begin(char kind, uint32_t id, uint32_t a, uint32_t b,
			 uint32_t c, uint32_t d, uint64_t line)
{
	struct begun *x = begun_get(id);
	struct volume *v;
	struct op *op;

	x->kind = kind;
	x->volume = a;
	x->other = b;
	x->line = line;
	if (kind == 'S')
		replay_snapshot(must_find(a, line), b, line);
	if (kind != 'W' && kind != 'D')
		return;
	v = must_find(a, line);
	op = xalloc(sizeof(*op));
	op->kind = kind;
	op->id = id;
	op->volume = a;
	op->begin = b;
	op->end = b + c;
	op->stamp = d;
	op->issued = line;
	op->ended = NEVER;
	volume_add_op(v, op);
	x->op = op;
	if (v->watcher)
		volume_add_op(v->watcher, op_doubtful(op));
}

static void replay_end(uint32_t id, char how, uint64_t line)
{
	struct begun *x = begun_get(id);
	struct volume *v;

	switch (x->kind) {
	case 'W':
	case 'D':
		x->op->ended = line;
		x->op->failed = how == '!';
		x->op->durable = how == '=';
		if (how == '=')
			settle(must_find(x->volume, line), x->line);
		break;
	case 'F':
		if (how == '.')
			settle(must_find(x->volume, line), x->line);
		break;
	case 'S':
		v = must_find(x->volume, line);
		v->watcher = NULL;
		if (how == '.') {
			settle(v, x->line);
			must_find(x->other, line)->doubtful = 0;
		}
		break;
	case 'C':
		if (how == '.')
			volume_new(x->volume, x->other);
		break;
	case 'X':
		volume_free(must_find(x->volume, line));
		break;
	case 'T':
		model.transaction = x->volume;
		break;
	case 'M':
		model.held = x->volume;
		break;
	default:
		fail("log line %llu: the end of what did not begin",
		     (unsigned long long)line);
	}
	x->kind = 0;
}

/* Operations that the power failure interrupted, except I/O, which is in the lists */
static void replay_rest(void)
{
	struct begun *x;
	uint32_t i;

	for (i = 0; i < nr_begun; i++) {
		x = &begun[i];
		switch (x->kind) {
		case 'S':
			must_find(x->volume, x->line)->watcher = NULL;
			break;
		case 'C':
			volume_new(x->volume, x->other)->doubtful = 'C';
			break;
		case 'X':
			must_find(x->volume, x->line)->doubtful = 'X';
			break;
		case 'T':
			model.transaction_begun = x->volume;
			break;
		case 'M':
			model.held_doubtful = true;
			break;
		}
	}
}

static void replay(FILE *f)
{
	uint32_t a, b, c, d, e;
	uint64_t line = 0;
	char text[256], kind;
	int n;

	first_id = model.next_id;
	while (fgets(text, sizeof(text), f) && strchr(text, '\n')) {
		line++;
		a = b = c = d = e = 0;
		n = sscanf(text, "%c %u %u %u %u %u", &kind, &a, &b, &c, &d, &e);
		if (n < 2)
			fail("log line %llu: %s", (unsigned long long)line,
			     text);
		switch (kind) {
		case '.':
		case '=':
		case '!':
			replay_end(a, kind, line);
			break;
		case 'V':
			volume_set(must_find(a, line), b, b + c, d);
			break;
		case 'R':
			volume_drop_ops(must_find(a, line));
			break;
		case 'P':
			model.data_sectors = a;
			model.meta_sectors = b;
			break;
		default:
			replay_begin(kind, a, b, c, d, e, line);
			if (a >= model.next_id)
				model.next_id = a + 1;
		}
	}
	replay_rest();
	free(begun);
	begun = NULL;
	nr_begun = 0;
	printf("# the log has %llu lines\n", (unsigned long long)line);
}

unsigned int model_load(const char *dir)
{
	unsigned int boot = 0;
	char path[256];
	FILE *f;

	do {
		snprintf(path, sizeof(path), "%s/model.%u", dir, boot + 1);
	} while (!access(path, F_OK) && ++boot);
	if (!boot)
		return 0;
	snprintf(path, sizeof(path), "%s/model.%u", dir, boot);
	model_read(path);
	snprintf(path, sizeof(path), "%s/log.%u", dir, boot);
	model.transaction_begun = model.transaction;
	f = fopen(path, "r");
	if (f) {
		replay(f);
		fclose(f);
	}
	return boot;
}
