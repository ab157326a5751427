// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Tracks who may change which virtual blocks of a volume.
 *
 *   held   [0,4)     [10,74)         [128,129)      rbtree by begin
 *            │          │
 *          waiters    waiters ─ w1 [12,13) ─ w2 [60,90) ─ w3 [12,13)
 *
 * I1  Held ranges never overlap, so ordered by begin they are ordered by end
 *     too, and the first one that ends after a block decides.
 * I2  A waiter is queued on a held range that it overlaps, or on the claimed
 *     one, until that is released, then it is told to try again.  So nobody
 *     waits in vain.
 * I3  A claimed range overlaps held ones, but no range that overlaps it becomes
 *     held.  Those who hold parts of it need no other range to finish, so there
 *     is an end to it.
 *
 * Waiters have no right to what they wait for, so a request for a wide range
 * can be overtaken by others for parts of it, without end: such a request claims
 * its range.  Bios in flight have no order among themselves, so to overtake is
 * allowed in itself; and the ones that overtake finish.
 *
 * Context: one spinlock, process context only, held for a search.  The map
 * cache holds it a little longer while it fills a chunk; see map-cache.c.
 * Crash: nothing here is persistent.
 * Rejected: the kernel's interval tree (made for ranges that overlap, which
 * these never do).
 */
#include "range-lock.h"

void thinx_range_lock_init(struct thinx_range_lock *rl)
{
	spin_lock_init(&rl->lock);
	rl->held = RB_ROOT;
	rl->claim = NULL;
}

static struct thinx_range *to_range(struct rb_node *n)
{
	return rb_entry(n, struct thinx_range, node);
}

struct thinx_range *thinx_range_first_held_locked(struct thinx_range_lock *rl,
						  u64 begin, u64 end)
{
	struct rb_node *n = rl->held.rb_node;
	struct thinx_range *first = NULL;

	lockdep_assert_held(&rl->lock);
	while (n) {
		struct thinx_range *r = to_range(n);

		if (r->end <= begin) {
			n = n->rb_right;
		} else {
			first = r;
			n = n->rb_left;
		}
	}
	return first && first->begin < end ? first : NULL;
}

static void insert_range(struct thinx_range_lock *rl, struct thinx_range *r)
{
	struct rb_node **link = &rl->held.rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = r->begin < to_range(parent)->begin ? &parent->rb_left :
							    &parent->rb_right;
	}
	rb_link_node(&r->node, parent, link);
	rb_insert_color(&r->node, &rl->held);
}

/* What keeps others from holding [begin, end). */
static struct thinx_range *in_the_way(struct thinx_range_lock *rl, u64 begin,
				      u64 end)
{
	struct thinx_range *c = rl->claim;

	return thinx_range_first_held_locked(rl, begin, end) ?:
	       (c && begin < c->end && end > c->begin ? c : NULL);
}

bool thinx_range_lock_or_wait(struct thinx_range_lock *rl,
			      struct thinx_range *r,
			      struct thinx_range_waiter *w,
			      u64 begin, u64 end)
{
	struct thinx_range *holder;

	spin_lock(&rl->lock);
	holder = in_the_way(rl, begin, end);
	if (!holder) {
		r->begin = begin;
		r->end = end;
		INIT_LIST_HEAD(&r->waiters);
		insert_range(rl, r);
	} else if (w) {
		w->begin = begin;
		w->end = end;
		list_add_tail(&w->list, &holder->waiters);
	}
	spin_unlock(&rl->lock);
	return !holder;
}

bool thinx_range_claim(struct thinx_range_lock *rl, struct thinx_range *r,
		       u64 begin, u64 end)
{
	bool is_held;

	spin_lock(&rl->lock);
	if (rl->claim != r) {
		r->begin = begin;
		r->end = end;
		INIT_LIST_HEAD(&r->waiters);
	}
	is_held = !thinx_range_first_held_locked(rl, begin, end);
	rl->claim = is_held ? NULL : r;
	if (is_held)
		insert_range(rl, r);
	spin_unlock(&rl->lock);
	return is_held;
}

void thinx_range_unlock(struct thinx_range_lock *rl, struct thinx_range *r,
			struct list_head *freed)
{
	spin_lock(&rl->lock);
	if (rl->claim == r)
		rl->claim = NULL;
	else
		rb_erase(&r->node, &rl->held);
	list_splice_tail_init(&r->waiters, freed);
	spin_unlock(&rl->lock);
}

bool thinx_range_is_held(struct thinx_range_lock *rl, u64 begin, u64 end)
{
	bool held;

	spin_lock(&rl->lock);
	held = in_the_way(rl, begin, end);
	spin_unlock(&rl->lock);
	return held;
}
