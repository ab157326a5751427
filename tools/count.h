/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Counting what a volume has for itself.
 */
#ifndef TOOLS_COUNT_H
#define TOOLS_COUNT_H

#include "pool.h"

/**
 * count_volume() - ask for all of a volume
 * @v: with a pool
 * @bar: show how far it is, if standard error is a terminal
 * @mapped: sectors
 * @own: of these, in nobody else's map
 *
 * Return: false, and it has been said why.
 */
bool count_volume(const struct volume *v, bool bar, uint64_t *mapped, uint64_t *own);

#endif /* TOOLS_COUNT_H */
