/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Where the bios of a group go once each of its blocks has a fate.
 */
#ifndef THINX_DISPATCH_H
#define THINX_DISPATCH_H

#include "data-path/group.h"

/**
 * struct thinx_pass - what became of the bios of one pass of the worker
 * @starved: one found no space
 * @coming: some was on its way then
 * @no_memory: one is deferred again for lack of memory
 */
struct thinx_pass {
	bool starved;
	bool coming;
	bool no_memory;
};

/**
 * thinx_dispatch_group() - send a group's bios on their way, start its updates
 * @g: every block has a fate; the reference is consumed
 * @pass: what became of them is added
 *
 * Context: The volume's worker.
 */
void thinx_dispatch_group(struct thinx_group *g, struct thinx_pass *pass);

#endif /* THINX_DISPATCH_H */
