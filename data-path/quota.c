// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Reserves and limits of devices, as numbers.
 *
 *   free data blocks   |<-- left of A -->|<-- left of B -->|<--- surplus --->|
 *   mapped by A        |<------------------ limit of A ------------------>|
 *
 * I1  What is left of all reserves together is free, always.  So a device can have
 *     what is left of its own whatever others do: nobody takes blocks from under
 *     another's.
 * I2  What a device takes comes out of the surplus, and then out of its own reserve,
 *     of which less is left then.  So one that has used up its reserve finds no
 *     space, and those that have not are not held up by it.
 * I3  What comes free is surplus, and that first makes the reserves whole of which
 *     some was used, in order of id.  So there is no surplus before all are whole,
 *     and nobody without a reserve takes anything before that.
 * I4  Whoever takes blocks looks at the numbers and changes them in the same section
 *     of the metadata lock in which it takes them, and reserves are set in such a
 *     section.  Free blocks become fewer in no other way: what is unmapped comes free
 *     later, growth and an abort only add some.
 * I5  What is claimed is as if it were taken already, by one who will come for it.
 *
 * With a single reserve all this is one rule: others stop when no more is free than
 * is reserved.  With several that rule alone does not do: one that was used up
 * would keep the others from theirs.
 *
 * Context: metadata lock to take blocks and to set reserves (I4); the spinlock
 * alone for those who only ask.
 * Crash: in memory only.
 */
#include "quota.h"

#include <linux/container_of.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/slab.h>

/**
 * struct quota - a device that has a reserve or a limit
 * @node: in thinx_quotas.by_id
 * @id: I; device
 * @reserve: L:thinx_quotas.lock; data blocks, 0: none
 * @left: likewise; so many of them are not used
 * @limit: likewise; blocks, THINX_NO_LIMIT: none
 */
struct quota {
	struct rb_node node;
	u32 id;
	u64 reserve;
	u64 left;
	u64 limit;
};

void thinx_quotas_init(struct thinx_quotas *q)
{
	mutex_init(&q->change);
	spin_lock_init(&q->lock);
	q->by_id = RB_ROOT;
	q->nr = 0;
	q->reserved = 0;
	q->kept = 0;
	q->claimed = 0;
}

static struct quota *to_quota(struct rb_node *n)
{
	return rb_entry(n, struct quota, node);
}

static struct quota *find(struct thinx_quotas *q, u32 id)
{
	struct rb_node *n = q->by_id.rb_node;

	lockdep_assert_held(&q->lock);
	while (n && to_quota(n)->id != id)
		n = to_quota(n)->id < id ? n->rb_right : n->rb_left;
	return n ? to_quota(n) : NULL;
}

static void insert(struct thinx_quotas *q, struct quota *new)
{
	struct rb_node **link = &q->by_id.rb_node, *parent = NULL;

	lockdep_assert_held(&q->lock);
	while (*link) {
		parent = *link;
		link = new->id < to_quota(parent)->id ? &parent->rb_left :
							&parent->rb_right;
	}
	rb_link_node(&new->node, parent, link);
	rb_insert_color(&new->node, &q->by_id);
	WRITE_ONCE(q->nr, q->nr + 1);
}

static void erase(struct thinx_quotas *q, struct quota *old)
{
	lockdep_assert_held(&q->lock);
	q->reserved -= old->reserve;
	q->kept -= old->left;
	rb_erase(&old->node, &q->by_id);
	WRITE_ONCE(q->nr, q->nr - 1);
	kfree(old);
}

void thinx_quotas_exit(struct thinx_quotas *q)
{
	spin_lock(&q->lock);
	while (q->by_id.rb_node)
		erase(q, to_quota(q->by_id.rb_node));
	spin_unlock(&q->lock);
}

static u64 minus(u64 a, u64 b)
{
	return a > b ? a - b : 0;
}

/* Nobody has any number, so everybody may have everything. */
static bool is_idle(const struct thinx_quotas *q)
{
	/* Pairs with insert(), erase() and whoever changes claims. */
	return !READ_ONCE(q->nr) && !READ_ONCE(q->claimed);
}

/* What a reserve of which some was used gets back of the surplus (I3). */
static u64 share(const struct thinx_quotas *q, const struct quota *own,
		 u64 surplus)
{
	struct rb_node *n = rb_first(&q->by_id);
	u64 missing;

	lockdep_assert_held(&q->lock);
	for (; surplus && to_quota(n) != own; n = rb_next(n)) {
		missing = to_quota(n)->reserve - to_quota(n)->left;
		surplus = minus(surplus, missing);
	}
	return min(surplus, own->reserve - own->left);
}

static void fill_view(const struct thinx_quotas *q, const struct quota *own,
		      u64 nr_free, struct thinx_quota_view *view)
{
	u64 missing = q->reserved - q->kept;
	u64 surplus = minus(nr_free, q->claimed + q->kept);

	lockdep_assert_held(&q->lock);
	*view = (struct thinx_quota_view){ .limit = THINX_NO_LIMIT };
	if (own) {
		view->reserve = own->reserve;
		view->left = surplus >= missing ? own->reserve :
			     own->left + share(q, own, surplus);
		view->limit = own->limit;
	}
	view->available = view->left + minus(surplus, missing);
	if (q->reserved == view->reserve && !q->claimed)
		view->available = U64_MAX;
}

void thinx_quotas_view(struct thinx_quotas *q, u32 id, u64 nr_free,
		       struct thinx_quota_view *view)
{
	if (is_idle(q)) {
		*view = (struct thinx_quota_view){
			.limit = THINX_NO_LIMIT,
			.available = U64_MAX,
		};
		return;
	}
	spin_lock(&q->lock);
	fill_view(q, find(q, id), nr_free, view);
	spin_unlock(&q->lock);
}

u64 thinx_quotas_unreserved(struct thinx_quotas *q, u64 nr_free)
{
	u64 kept;

	if (is_idle(q))
		return nr_free;
	spin_lock(&q->lock);
	kept = q->reserved + q->claimed;
	spin_unlock(&q->lock);
	return minus(nr_free, kept);
}

/* Keeps I3; on return there is no surplus, or all reserves are whole. */
static void settle(struct thinx_quotas *q, u64 nr_free)
{
	struct rb_node *n;
	struct quota *own;
	u64 nr;

	lockdep_assert_held(&q->lock);
	nr_free = minus(nr_free, q->claimed);
	if (q->kept == q->reserved)
		return;
	for (n = rb_first(&q->by_id); n && q->kept < nr_free; n = rb_next(n)) {
		own = to_quota(n);
		nr = min(nr_free - q->kept, own->reserve - own->left);
		own->left += nr;
		q->kept += nr;
	}
}

void thinx_quotas_settle(struct thinx_quotas *q, u64 nr_free)
{
	if (is_idle(q))
		return;
	spin_lock(&q->lock);
	settle(q, nr_free);
	spin_unlock(&q->lock);
}

/* What exceeds the surplus comes out of its own reserve (I2). */
static void take(struct thinx_quotas *q, struct quota *own, u64 nr_free)
{
	u64 nr = min(own->left, minus(q->kept, minus(nr_free, q->claimed)));

	lockdep_assert_held(&q->lock);
	own->left -= nr;
	q->kept -= nr;
}

void thinx_quotas_take(struct thinx_quotas *q, u32 id, u64 nr_free)
{
	struct quota *own;

	if (is_idle(q))
		return;
	spin_lock(&q->lock);
	own = find(q, id);
	if (own)
		take(q, own, nr_free);
	spin_unlock(&q->lock);
}

int thinx_quotas_claim(struct thinx_quotas *q, u32 id, u64 nr, u64 nr_free,
		       u64 *nr_left)
{
	struct thinx_quota_view view;
	struct quota *own;
	int r = -ENOSPC;

	spin_lock(&q->lock);
	settle(q, nr_free);
	own = find(q, id);
	fill_view(q, own, nr_free, &view);
	*nr_left = min(view.available, minus(nr_free, q->claimed));
	if (nr <= *nr_left) {
		WRITE_ONCE(q->claimed, q->claimed + nr);
		if (own)
			take(q, own, nr_free);
		r = 0;
	}
	spin_unlock(&q->lock);
	return r;
}

void thinx_quotas_unclaim(struct thinx_quotas *q, u64 nr)
{
	spin_lock(&q->lock);
	WRITE_ONCE(q->claimed, q->claimed - nr);
	spin_unlock(&q->lock);
}

bool thinx_quotas_next(struct thinx_quotas *q, u32 *id, u64 nr_free,
		       struct thinx_quota_view *view)
{
	struct quota *next = NULL;
	struct rb_node *n;

	spin_lock(&q->lock);
	for (n = q->by_id.rb_node; n; ) {
		if (to_quota(n)->id < *id) {
			n = n->rb_right;
			continue;
		}
		next = to_quota(n);
		n = n->rb_left;
	}
	if (next) {
		*id = next->id;
		fill_view(q, next, nr_free, view);
	}
	spin_unlock(&q->lock);
	return next;
}

bool thinx_quotas_has(struct thinx_quotas *q, u32 id)
{
	bool has;

	spin_lock(&q->lock);
	has = find(q, id);
	spin_unlock(&q->lock);
	return has;
}

int thinx_quotas_prepare(struct thinx_quotas *q, u32 id)
{
	struct quota *new;

	lockdep_assert_held(&q->change);
	if (thinx_quotas_has(q, id))
		return 0;
	/* The pool may be suspended: no I/O for memory. */
	new = kzalloc(sizeof(*new), GFP_NOIO);
	if (!new)
		return -ENOMEM;
	new->id = id;
	new->limit = THINX_NO_LIMIT;
	spin_lock(&q->lock);
	insert(q, new);
	spin_unlock(&q->lock);
	return 0;
}

int thinx_quotas_reserve(struct thinx_quotas *q, u32 id, u64 nr_blocks,
			 u64 nr_free, u64 *nr_left)
{
	struct quota *own;
	u64 nr_kept;
	int r = 0;

	lockdep_assert_held(&q->change);
	spin_lock(&q->lock);
	own = find(q, id);
	settle(q, nr_free);
	*nr_left = minus(nr_free, q->claimed + q->reserved - own->reserve);
	if (nr_blocks > own->reserve && nr_blocks > *nr_left) {
		r = -ENOSPC;
	} else {
		/* If it grows, all are whole: there is enough for that, too. */
		nr_kept = nr_blocks > own->reserve ? nr_blocks :
						     min(own->left, nr_blocks);
		q->reserved += nr_blocks - own->reserve;
		q->kept += nr_kept - own->left;
		own->reserve = nr_blocks;
		own->left = nr_kept;
	}
	spin_unlock(&q->lock);
	return r;
}

void thinx_quotas_limit(struct thinx_quotas *q, u32 id, u64 nr_blocks)
{
	lockdep_assert_held(&q->change);
	spin_lock(&q->lock);
	find(q, id)->limit = nr_blocks;
	spin_unlock(&q->lock);
}

void thinx_quotas_forget(struct thinx_quotas *q, u32 id)
{
	struct quota *own;

	lockdep_assert_held(&q->change);
	spin_lock(&q->lock);
	own = find(q, id);
	if (own)
		erase(q, own);
	spin_unlock(&q->lock);
}

void thinx_quotas_tidy(struct thinx_quotas *q, u32 id)
{
	struct quota *own;

	lockdep_assert_held(&q->change);
	spin_lock(&q->lock);
	own = find(q, id);
	if (own && !own->reserve && own->limit == THINX_NO_LIMIT)
		erase(q, own);
	spin_unlock(&q->lock);
}
