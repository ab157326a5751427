/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The thinx authors.  Sorting. */
#pragma once
#include <stdlib.h>

#define sort(base, n, size, cmp, swap_fn)	qsort(base, n, size, cmp)
