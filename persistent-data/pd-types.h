/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Types shared by every file of the library.
 */
#ifndef PD_TYPES_H
#define PD_TYPES_H

#include <linux/compiler.h>
#include <linux/types.h>

/* Number of a 4 KiB block on the metadata device, or of any counted block. */
typedef u64 pd_block_t;

/*
 * Expensive self-checks: compiled in only for tests and debug builds.
 * PD_DEBUG is set on the compiler's command line.
 */
#ifdef PD_DEBUG
#include <linux/bug.h>
#define pd_assert(x) WARN_ON_ONCE(!(x))
#else
#define pd_assert(x) ((void)sizeof(x))
#endif

#endif /* PD_TYPES_H */
