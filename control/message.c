// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Messages to a pool: one table maps a name to its number of words and handler.
 * Each is committed before it is answered, and the answer says if that failed.
 * Queries, which change nothing, go their own way (control/query.c), and so does
 * trim (control/trim.c).
 */
#include "control/message.h"

#include <linux/completion.h>
#include <linux/device-mapper.h>
#include <linux/wait_bit.h>

#include "control/mode.h"
#include "control/pairs.h"
#include "control/preallocate.h"
#include "control/query.h"
#include "control/quotas.h"
#include "control/trim.h"
#include "data-path/commit.h"
#include "data-path/volume.h"
#include "include/trace/events/thinx.h"

static int create_thin(struct thinx_pool *pool, char **argv)
{
	u32 id;
	int r = thinx_pairs_parse_id(pool, argv[1], &id);

	if (r)
		return r;
	thinx_quotas_end(pool, id);
	return thinx_md_create_thin(pool->md, id);
}

static int create_snap(struct thinx_pool *pool, char **argv)
{
	struct thinx_stop stop;
	u32 id;
	int r;

	r = thinx_pairs_parse_id(pool, argv[1], &id);
	if (r)
		return r;
	r = thinx_pairs_parse_id(pool, argv[2], &stop.id);
	if (r)
		return r;
	thinx_quotas_end(pool, id);
	thinx_volume_stop_writes(&pool->plane, &stop, 1);
	r = thinx_md_create_snap(pool->md, id, stop.id);
	thinx_volume_allow_writes(&pool->plane, &stop, 1);
	return r;
}

static int delete_thin(struct thinx_pool *pool, char **argv)
{
	u32 id;
	int r = thinx_pairs_parse_id(pool, argv[1], &id);

	r = r ?: thinx_md_delete(pool->md, id);
	if (!r)
		thinx_quotas_end(pool, id);
	return r;
}

static int set_transaction_id(struct thinx_pool *pool, char **argv)
{
	unsigned long long old, new;

	if (kstrtoull(argv[1], 10, &old) || kstrtoull(argv[2], 10, &new)) {
		pool_warn(pool, "Message received with invalid transaction id");
		return -EINVAL;
	}
	return thinx_md_set_transaction_id(pool->md, old, new);
}

static int reserve_metadata_snap(struct thinx_pool *pool, char **argv)
{
	return thinx_md_reserve_snap(pool->md);
}

static int release_metadata_snap(struct thinx_pool *pool, char **argv)
{
	return thinx_md_release_snap(pool->md);
}

/*
 * A message that grows takes metadata blocks for good.  The others go on when
 * these have run out, and when they find no room themselves, that says nothing
 * about the rest.  One about data space has tried all it can before it refuses.
 */
static const struct message {
	const char *name;
	unsigned int argc;
	bool grows;
	int (*handle)(struct thinx_pool *pool, char **argv);
	/* Instead of @argc and @handle: any number of pairs; see pairs.h. */
	int (*handle_pairs)(struct thinx_pool *pool, unsigned int argc,
			    char **argv);
	bool about_data;
	/* Instead of @handle: one that takes long, and ends early if told to. */
	int (*handle_long)(struct thinx_pool *pool, char **argv,
			   const bool *stop);
	/* Instead of all that: it answers by itself. */
	int (*answer)(struct thinx_pool *pool, unsigned int argc, char **argv,
		      struct thinx_reply *reply);
} messages[] = {
	{ "create_thin", 2, true, create_thin },
	{ "create_snap", 3, true, create_snap },
	{ "delete", 2, false, delete_thin },
	{ "set_transaction_id", 3, false, set_transaction_id },
	{ "reserve_metadata_snap", 1, true, reserve_metadata_snap },
	{ "release_metadata_snap", 1, false, release_metadata_snap },
	{ "create_snaps", 0, true, NULL, thinx_pairs_create_snaps },
	{ "swap", 0, false, NULL, thinx_pairs_swap },
	{ "reserve", 3, false, thinx_quotas_handle_reserve, NULL, true },
	{ "limit", 3, false, thinx_quotas_handle_limit },
	{ "provision", 4, true, NULL, NULL, true, thinx_preallocate_handle },
	{ .name = "trim", .answer = thinx_pool_trim },
};

static const struct message *find_message(struct thinx_pool *pool,
					  unsigned int argc, char **argv)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(messages); i++) {
		if (strcasecmp(argv[0], messages[i].name))
			continue;
		if (messages[i].handle_pairs || messages[i].answer ||
		    argc == messages[i].argc)
			return &messages[i];
		pool_warn(pool, "Message received with %u arguments instead of %u.",
			  argc, messages[i].argc);
		return NULL;
	}
	pool_warn(pool, "Unrecognised thin pool target message received: %s",
		  argv[0]);
	return NULL;
}

/* Did the handler fail in a way that says nothing about the metadata? */
static bool is_clean_refusal(struct thinx_pool *pool, const struct message *m,
			     int r)
{
	if (thinx_md_is_broken(pool->md))
		return false;
	/* Whoever met an error of the metadata has reported it. */
	if (m->handle_long)
		return true;
	/* What wants much room at once says nothing about what others want. */
	if (r == -ENOSPC)
		return !m->grows || m->handle_pairs;
	return r == -EINVAL || r == -EEXIST || r == -ENODATA || r == -EBUSY ||
	       r == -EOVERFLOW || r == -ENOMEM;
}

static int refuse_message(struct thinx_pool *pool)
{
	pool_err(pool, "unable to service pool target messages in READ_ONLY or FAIL mode");
	return -EOPNOTSUPP;
}

/**
 * struct call - a message on its way
 * @work: works on it
 * @done: it has
 * @pool: I
 * @m: I; what to do
 * @argc: I; words
 * @argv: I
 * @reply: I; for the answer
 * @stop: A; the sender was killed
 * @r: result
 */
struct call {
	struct work_struct work;
	struct completion done;
	struct thinx_pool *pool;
	const struct message *m;
	unsigned int argc;
	char **argv;
	struct thinx_reply *reply;
	bool stop;
	int r;
};

static int run_handler(struct call *c)
{
	if (c->m->handle_pairs)
		return c->m->handle_pairs(c->pool, c->argc, c->argv);
	if (c->m->handle_long)
		return c->m->handle_long(c->pool, c->argv, &c->stop);
	return c->m->handle(c->pool, c->argv);
}

static int handle_message(struct call *c)
{
	struct thinx_pool *pool = c->pool;
	const struct message *m = c->m;
	u32 nr_aborts = thinx_md_nr_aborts(pool->md);
	int r;

	r = run_handler(c);
	if (r == -ENOSPC && !m->about_data &&
	    !thinx_md_is_broken(pool->md)) {
		/* A commit gives back what this transaction freed. */
		thinx_commit_now(&pool->plane);
		r = run_handler(c);
	}
	if (!r)
		r = thinx_commit_now(&pool->plane);
	if (!r && nr_aborts != thinx_md_nr_aborts(pool->md)) {
		pool_err(pool, "'%s' may have been undone by an abort", m->name);
		return -EIO;
	}
	if (!r)
		return 0;
	/* The steps it did before it failed must be committed in time. */
	thinx_commit_note_change(&pool->plane);
	/* Meanwhile the mode changed, or something else failed. */
	if (r == -EPERM || r == -ENODEV)
		return refuse_message(pool);
	if (!is_clean_refusal(pool, m, r))
		thinx_pool_metadata_failed(pool, m->name, r);
	return r == -EUCLEAN ? refuse_message(pool) : r;
}

/* Its failure says nothing about the metadata. */
static int answer_message(struct thinx_pool *pool, const struct message *m,
			  unsigned int argc, char **argv,
			  struct thinx_reply *reply)
{
	int r = m->answer(pool, argc, argv, reply);

	/* Meanwhile the mode changed. */
	return r == -EPERM || r == -ENODEV || r == -EUCLEAN ?
		refuse_message(pool) : r;
}

static void call_work(struct work_struct *work)
{
	struct call *c = container_of(work, struct call, work);

	if (c->m->answer)
		c->r = answer_message(c->pool, c->m, c->argc, c->argv, c->reply);
	else
		c->r = handle_message(c);
	complete(&c->done);
}

/*
 * Who holds the metadata lock, or keeps gates closed, must not be as slow as
 * whoever sent the message may be made: by a nice value, or by a quota of
 * processor time.  In a queue of their own: a thread that volumes' workers need
 * must not be busy with a long deletion.
 */
static int handle_in_worker(struct thinx_pool *pool, const struct message *m,
			    unsigned int argc, char **argv,
			    struct thinx_reply *reply)
{
	struct call c = { .pool = pool, .m = m, .argc = argc, .argv = argv,
			  .reply = reply };

	init_completion(&c.done);
	INIT_WORK_ONSTACK(&c.work, call_work);
	queue_work(pool->message_wq, &c.work);
	if (wait_for_completion_killable(&c.done))
		WRITE_ONCE(c.stop, true);
	flush_work(&c.work);
	destroy_work_on_stack(&c.work);
	return c.r;
}

int thinx_pool_message(struct dm_target *ti, unsigned int argc, char **argv,
		       char *result, unsigned int maxlen)
{
	struct thinx_pool_target *pt = ti->private;
	struct thinx_pool *pool = pt->pool;
	const struct message *m = NULL;
	struct thinx_reply reply = {
		.text = result, .size = maxlen, .sender = current,
	};
	bool query = argc && thinx_is_query(argv[0]);
	atomic_t *nr;
	u64 began;
	int r;

	if (!query) {
		if (thinx_pool_mode(pool) >= THINX_MODE_READ_ONLY)
			return refuse_message(pool);
		m = find_message(pool, argc, argv);
		if (!m)
			return -EINVAL;
		if (m->grows &&
		    thinx_pool_mode(pool) == THINX_MODE_OUT_OF_METADATA_SPACE)
			return refuse_message(pool);
	}
	/* dm core waits for a message that misses the change of epochs. */
	reply.epoch = READ_ONCE(pool->message_epoch);
	nr = &pool->nr_messages[reply.epoch];
	atomic_inc(nr);
	began = ktime_get_ns();
	if (query)
		r = thinx_query(pool, argc, argv, result, maxlen);
	else
		r = handle_in_worker(pool, m, argc, argv, &reply);
	trace_thinx_message(pool->plane.dev, argv[0], argc > 1 ? argv[1] : "",
			    ktime_get_ns() - began, r);
	atomic_dec(nr);
	/* Pairs with wait_var_event(). */
	smp_mb__after_atomic();
	wake_up_var(nr);
	return r;
}
