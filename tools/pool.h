/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Pools and volumes of this machine, found by name, and messages to them.
 */
#ifndef TOOLS_POOL_H
#define TOOLS_POOL_H

#include "query.h"

/**
 * struct device - a device-mapper device
 * @name: dmsetup's
 * @uuid: may be empty
 * @open: how often it is open
 */
struct device {
	char *name;
	char *uuid;
	unsigned int major, minor;
	bool suspended;
	int open;
};

/**
 * struct pool - one with a table of thinx-pool or thin-pool
 * @sectors: length of the table
 * @known: @status is valid
 */
struct pool {
	struct device dev;
	uint64_t sectors;
	struct pool_table table;
	struct pool_status status;
	bool known;
};

/**
 * struct volume - a target of thinx or thin
 * @type: which of them
 * @pool: NULL: there is none such
 * @sectors: its length
 * @whole: it is the only target of its device
 */
struct volume {
	struct device dev;
	struct pool *pool;
	char type[8];
	uint64_t sectors;
	bool whole;
	struct thin_table table;
	struct thin_status status;
};

/**
 * struct system - all there is
 */
struct system {
	struct pool *pools;
	size_t nr_pools;
	struct volume *volumes;
	size_t nr_volumes;
};

/** system_read() - look at all devices; says what went wrong */
bool system_read(struct system *s);

/** system_free() */
void system_free(struct system *s);

/**
 * find_pool() - by name of the device, path, or vg/lv
 *
 * Return: NULL if there is none; nothing is said.
 */
struct pool *find_pool(struct system *s, const char *name);

/** find_volume() - likewise */
struct volume *find_volume(struct system *s, const char *name);

/** pool_read_status() - anew; Return: false if it cannot be read */
bool pool_read_status(struct pool *p);

/** pool_ask() - an ask_fn() of which the context is a struct pool */
int pool_ask(void *pool, const char *message, char **reply);

/** pool_complain() - say why a message had no success, and what can be done */
void pool_complain(const struct pool *pool, const char *message, int r);

#endif /* TOOLS_POOL_H */
