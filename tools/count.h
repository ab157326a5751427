/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Counting what a thin device has for itself.
 */
#ifndef TOOLS_COUNT_H
#define TOOLS_COUNT_H

#include "pool.h"

/**
 * struct subject - what is counted
 * @name: for the bar and complaints
 * @end: sectors, behind the last mapped one; 0: unknown, and there is no bar
 */
struct subject {
	struct pool *pool;
	uint32_t id;
	const char *name;
	uint64_t end;
};

/**
 * count_device() - ask for all of a thin device
 * @s: which
 * @bar: show how far it is, if standard error is a terminal
 * @mapped: sectors
 * @own: of these, in nobody else's map
 *
 * Return: false, and it has been said why.
 */
bool count_device(const struct subject *s, bool bar, uint64_t *mapped, uint64_t *own);

#endif /* TOOLS_COUNT_H */
