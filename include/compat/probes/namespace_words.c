// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * A namespace of symbols is written as a bare word, not as a string: before
 * Linux 6.13.
 */
#include <linux/module.h>

MODULE_IMPORT_NS(PROBE);
