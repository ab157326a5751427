/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Fills in what a write does not cover of its new blocks.
 */
#ifndef THINX_COPY_H
#define THINX_COPY_H

#include "data-path/group.h"

/**
 * thinx_copy_fill_gaps() - fill in what the bios do not cover
 * @u: update; its bios are sorted by sector
 *
 * Starts the writes; each ends in thinx_update_part_done().
 *
 * Return: true if the bios may be written meanwhile; else they are written once
 * the copy that surrounds them is.
 */
bool thinx_copy_fill_gaps(struct thinx_update *u);

/**
 * thinx_copy_zeroes() - write the zeros that a bio of an update asks for
 * @u: update, started
 * @tb: state of the bio, REQ_OP_WRITE_ZEROES, one of its bios
 *
 * Context: The volume's worker.
 */
void thinx_copy_zeroes(struct thinx_update *u, struct thinx_bio *tb);

/**
 * thinx_copy_zero_again() - write zeros that the data device did not write
 * @u: update; all its writes have ended, and @zeros_failed is set
 *
 * Starts the writes; when they have ended the update is prepared again.
 *
 * Context: The volume's worker.
 */
void thinx_copy_zero_again(struct thinx_update *u);

#endif /* THINX_COPY_H */
