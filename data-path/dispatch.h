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
 * @starved: one of a table found no space
 * @coming: some was on its way then
 * @claim_held: one of a message did not find what is claimed for it
 * @no_memory: one is deferred again for lack of memory
 */
struct thinx_pass {
	bool starved;
	bool coming;
	bool claim_held;
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

/**
 * thinx_dispatch_piece() - a clone of the first sectors of a bio
 * @tb: state of the bio, which ends after its pieces
 * @bio: the bio
 * @nr_sectors: how many
 *
 * Context: The volume's worker.
 * Return: the piece, or NULL if there is no memory.
 */
struct bio *thinx_dispatch_piece(struct thinx_bio *tb, struct bio *bio,
				 u32 nr_sectors);

#endif /* THINX_DISPATCH_H */
