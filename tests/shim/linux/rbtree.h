/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The thinx authors.  The kernel's tree interface on an unbalanced binary tree. */
#pragma once
#include <linux/container_of.h>
#include <stddef.h>

struct rb_node {
	struct rb_node *rb_parent, *rb_left, *rb_right;
};

struct rb_root {
	struct rb_node *rb_node;
};

#define RB_ROOT				(struct rb_root){ NULL }
#define RB_EMPTY_ROOT(root)		(!(root)->rb_node)
#define rb_entry(p, type, member)	container_of(p, type, member)
#define rb_insert_color(node, root)	((void)(node), (void)(root))

static inline void rb_link_node(struct rb_node *n, struct rb_node *parent,
				struct rb_node **link)
{
	*n = (struct rb_node){ .rb_parent = parent };
	*link = n;
}

static inline struct rb_node *rb_first(const struct rb_root *root)
{
	struct rb_node *n = root->rb_node;

	while (n && n->rb_left)
		n = n->rb_left;
	return n;
}

static inline struct rb_node *rb_next(const struct rb_node *n)
{
	struct rb_node *p;

	if (n->rb_right)
		return rb_first(&(struct rb_root){ n->rb_right });
	while ((p = n->rb_parent) && n == p->rb_right)
		n = p;
	return p;
}

/* Replace @n in its parent by @by, which may be NULL. */
static inline void shim_rb_replace(struct rb_root *root, struct rb_node *n,
				   struct rb_node *by)
{
	struct rb_node *p = n->rb_parent;

	*(!p ? &root->rb_node : p->rb_left == n ? &p->rb_left :
						   &p->rb_right) = by;
	if (by)
		by->rb_parent = p;
}

static inline void rb_erase(struct rb_node *n, struct rb_root *root)
{
	struct rb_node *by;

	if (!n->rb_left || !n->rb_right) {
		shim_rb_replace(root, n, n->rb_left ?: n->rb_right);
		return;
	}
	by = rb_next(n);		/* has no left child */
	shim_rb_replace(root, by, by->rb_right);
	shim_rb_replace(root, n, by);
	by->rb_left = n->rb_left;
	by->rb_right = n->rb_right;
	by->rb_left->rb_parent = by;
	if (by->rb_right)
		by->rb_right->rb_parent = by;
}
