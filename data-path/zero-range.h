/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Requests for zeros in whole blocks, of any number.
 */
#ifndef THINX_ZERO_RANGE_H
#define THINX_ZERO_RANGE_H

#include "data-path/bio.h"

/**
 * thinx_zero_range_queue() - take a deferred request for zeros
 * @v: volume
 * @tb: its state; thinx_zeroes_is_range()
 */
void thinx_zero_range_queue(struct thinx_volume *v, struct thinx_bio *tb);

/**
 * thinx_zero_range_process() - go on with the volume's requests for zeros
 * @v: volume
 *
 * Return: true if there is more to do.
 */
bool thinx_zero_range_process(struct thinx_volume *v);

#endif /* THINX_ZERO_RANGE_H */
