// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Known bugs, one for each checker of a debug kernel: loaded with bug=NAME it
 * commits that one, and the kernel must complain.  A debug kernel that does not
 * would miss the same bug in our code too.  Never load this where it matters.
 */
#include <linux/delay.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

static char *bug = "";
module_param(bug, charp, 0444);
MODULE_PARM_DESC(bug, "the bug to commit");

static DEFINE_MUTEX(mutex_a);
static DEFINE_MUTEX(mutex_b);
static DEFINE_SPINLOCK(lock);
static int __rcu *published;
static struct list_head list = LIST_HEAD_INIT(list);
static struct list_head entry;

/* A parameter, because compilers would warn about a constant. */
static unsigned int size = 48;
module_param(size, uint, 0444);
MODULE_PARM_DESC(size, "bytes to allocate");

static char sink;

struct holder {
	struct timer_list timer;
};

static void no_timeout(struct timer_list *timer)
{
}

static void use_after_free(void)
{
	char *p = kmalloc(size, GFP_KERNEL);

	kfree(p);
	if (p)
		WRITE_ONCE(sink, READ_ONCE(p[4]));
}

static void out_of_bounds(void)
{
	char *p = kmalloc(size, GFP_KERNEL);

	if (p)
		WRITE_ONCE(sink, READ_ONCE(p[size]));
	kfree(p);
}

static void lock_order(void)
{
	mutex_lock(&mutex_a);
	mutex_lock(&mutex_b);
	mutex_unlock(&mutex_b);
	mutex_unlock(&mutex_a);
	mutex_lock(&mutex_b);
	mutex_lock(&mutex_a);
	mutex_unlock(&mutex_a);
	mutex_unlock(&mutex_b);
}

static void sleep_in_atomic(void)
{
	spin_lock(&lock);
	mutex_lock(&mutex_a);
	mutex_unlock(&mutex_a);
	spin_unlock(&lock);
}

static void list_twice(void)
{
	list_add(&entry, &list);
	list_add(&entry, &list);
}

static void rcu_unlocked(void)
{
	if (rcu_dereference(published))
		WRITE_ONCE(sink, 1);
}

static void free_active_timer(void)
{
	struct holder *h = kmalloc(sizeof(*h), GFP_KERNEL);

	if (!h)
		return;
	timer_setup(&h->timer, no_timeout, 0);
	mod_timer(&h->timer, jiffies + 1000 * HZ);
	kfree(h);
}

static void leak(void)
{
	int i;

	/* The allocator still refers to the last ones it handed out. */
	for (i = 0; i < 1000; i++)
		WRITE_ONCE(sink, !!kmalloc(size, GFP_KERNEL));
}

static void shift(void)
{
	WRITE_ONCE(sink, 1 << (size + 16));
}

static const struct {
	const char *name;
	void (*commit)(void);
} bugs[] = {
	{ "use-after-free", use_after_free },
	{ "out-of-bounds", out_of_bounds },
	{ "lock-order", lock_order },
	{ "sleep-in-atomic", sleep_in_atomic },
	{ "list-twice", list_twice },
	{ "rcu-unlocked", rcu_unlocked },
	{ "free-active-timer", free_active_timer },
	{ "leak", leak },
	{ "shift", shift },
	{ "none", NULL },
};

static int __init test_init(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(bugs); i++) {
		if (strcmp(bug, bugs[i].name))
			continue;
		pr_info("thinx-test: committing %s\n", bug);
		if (bugs[i].commit)
			bugs[i].commit();
		return 0;
	}
	pr_err("thinx-test: no such bug: %s\n", bug);
	return -EINVAL;
}

static void __exit test_exit(void)
{
}

module_init(test_init);
module_exit(test_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Known bugs for a debug kernel to find");
