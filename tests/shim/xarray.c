// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The XArray of the small user-space kernel: a radix tree with 64 slots per
 * node that grows at the root and frees nodes as they get empty.
 *
 *   xa->root ──► node shift 6 ──slot──► node shift 0 ──slot──► entry
 *
 * I1  A node in the tree has at least one used slot; an empty array has no
 *     root.
 *
 * Context: every function takes the array's lock, a recursive one, so callers
 * may hold it already.
 */
#include <linux/xarray.h>

#define SLOT_SHIFT	6
#define NR_SLOTS	64

struct shim_xa_node {
	unsigned int shift;
	unsigned int nr_used;
	void *slots[NR_SLOTS];
};

static unsigned int slot_of(const struct shim_xa_node *n, unsigned long index)
{
	return index >> n->shift & (NR_SLOTS - 1);
}

/* Does the tree under @n reach @index? */
static bool covers(const struct shim_xa_node *n, unsigned long index)
{
	return n->shift + SLOT_SHIFT >= 64 ||
	       !(index >> (n->shift + SLOT_SHIFT));
}

static void *mk_err(int e)
{
	return (void *)((unsigned long)e << 2 | 2);
}

static void set_root(struct xarray *xa, struct shim_xa_node *n)
{
	__atomic_store_n(&xa->root, n, __ATOMIC_RELAXED);
}

void xa_init_flags(struct xarray *xa, gfp_t flags)
{
	pthread_mutexattr_t a;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_settype(&a, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&xa->lock, &a);
	pthread_mutexattr_destroy(&a);
	xa->root = NULL;
}

void *xa_load(struct xarray *xa, unsigned long index)
{
	struct shim_xa_node *n;
	void *e = NULL;

	xa_lock(xa);
	n = xa->root;
	if (n && covers(n, index)) {
		while (n && n->shift)
			n = n->slots[slot_of(n, index)];
		if (n)
			e = n->slots[slot_of(n, index)];
	}
	xa_unlock(xa);
	return e;
}

static struct shim_xa_node *new_node(unsigned int shift, gfp_t gfp)
{
	struct shim_xa_node *n = kzalloc(sizeof(*n), gfp);

	if (n)
		n->shift = shift;
	return n;
}

/* Free nodes on the path to @index that have no entry; true if @n is gone. */
static bool prune(struct shim_xa_node *n, unsigned long index)
{
	unsigned int s = slot_of(n, index);

	if (n->shift && n->slots[s] && prune(n->slots[s], index)) {
		n->slots[s] = NULL;
		n->nr_used--;
	}
	if (n->nr_used)
		return false;
	free(n);
	return true;
}

static void prune_root(struct xarray *xa, unsigned long index)
{
	if (xa->root && covers(xa->root, index) && prune(xa->root, index))
		set_root(xa, NULL);
}

static int grow(struct xarray *xa, unsigned long index, gfp_t gfp)
{
	struct shim_xa_node *n;

	if (!xa->root) {
		n = new_node(0, gfp);
		if (!n)
			return -ENOMEM;
		while (!covers(n, index))
			n->shift += SLOT_SHIFT;
		set_root(xa, n);
	}
	while (!covers(xa->root, index)) {
		n = new_node(xa->root->shift + SLOT_SHIFT, gfp);
		if (!n)
			return -ENOMEM;
		n->slots[0] = xa->root;
		n->nr_used = 1;
		set_root(xa, n);
	}
	return 0;
}

static void *store_locked(struct xarray *xa, unsigned long index, void *entry,
			  gfp_t gfp)
{
	struct shim_xa_node *n;
	void **slot, *old;

	if (grow(xa, index, gfp))
		goto err_prune;
	for (n = xa->root; n->shift; n = *slot) {
		slot = &n->slots[slot_of(n, index)];
		if (*slot)
			continue;
		*slot = new_node(n->shift - SLOT_SHIFT, gfp);
		if (!*slot)
			goto err_prune;
		n->nr_used++;
	}
	slot = &n->slots[slot_of(n, index)];
	old = *slot;
	n->nr_used += !old;
	*slot = entry;
	return old;

err_prune:
	prune_root(xa, index);
	return mk_err(-ENOMEM);
}

static void *erase_locked(struct xarray *xa, unsigned long index)
{
	struct shim_xa_node *n = xa->root;
	void *old;

	if (!n || !covers(n, index))
		return NULL;
	while (n && n->shift)
		n = n->slots[slot_of(n, index)];
	if (!n)
		return NULL;
	old = n->slots[slot_of(n, index)];
	if (!old)
		return NULL;
	n->slots[slot_of(n, index)] = NULL;
	n->nr_used--;
	prune_root(xa, index);
	return old;
}

void *xa_store(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp)
{
	void *old;

	xa_lock(xa);
	old = entry ? store_locked(xa, index, entry, gfp) :
		      erase_locked(xa, index);
	xa_unlock(xa);
	return old;
}

void *xa_cmpxchg(struct xarray *xa, unsigned long index, void *old,
		 void *entry, gfp_t gfp)
{
	void *cur;

	xa_lock(xa);
	cur = xa_load(xa, index);
	if (cur == old) {
		void *r = xa_store(xa, index, entry, gfp);

		if (xa_is_err(r))
			cur = r;
	}
	xa_unlock(xa);
	return cur;
}

int xa_insert(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp)
{
	void *cur = xa_cmpxchg(xa, index, NULL, entry, gfp);

	return xa_is_err(cur) ? xa_err(cur) : cur ? -EBUSY : 0;
}

void *xa_erase(struct xarray *xa, unsigned long index)
{
	return xa_store(xa, index, NULL, 0);
}

/* First entry at or after *@index in @n's tree, whose keys begin at @base. */
static void *find_from(struct shim_xa_node *n, unsigned long base,
		       unsigned long *index)
{
	unsigned int s = *index > base ? slot_of(n, *index) : 0;
	void *e;

	for (; s < NR_SLOTS; s++) {
		unsigned long b = base + ((unsigned long)s << n->shift);

		if (!n->slots[s])
			continue;
		if (*index < b)
			*index = b;
		if (!n->shift)
			return n->slots[s];
		e = find_from(n->slots[s], b, index);
		if (e)
			return e;
	}
	return NULL;
}

void *xa_find(struct xarray *xa, unsigned long *index, unsigned long max,
	      xa_mark_t filter)
{
	unsigned long i = *index;
	void *e = NULL;

	xa_lock(xa);
	if (xa->root && covers(xa->root, i))
		e = find_from(xa->root, 0, &i);
	xa_unlock(xa);
	if (!e || i > max)
		return NULL;
	*index = i;
	return e;
}

void *xa_find_after(struct xarray *xa, unsigned long *index, unsigned long max,
		    xa_mark_t filter)
{
	unsigned long i = *index + 1;
	void *e;

	if (!i)
		return NULL;
	e = xa_find(xa, &i, max, filter);
	if (e)
		*index = i;
	return e;
}

static void free_tree(struct shim_xa_node *n)
{
	unsigned int s;

	for (s = 0; n->shift && s < NR_SLOTS; s++)
		if (n->slots[s])
			free_tree(n->slots[s]);
	free(n);
}

void xa_destroy(struct xarray *xa)
{
	xa_lock(xa);
	if (xa->root)
		free_tree(xa->root);
	set_root(xa, NULL);
	xa_unlock(xa);
}
