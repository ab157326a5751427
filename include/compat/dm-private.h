/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What device-mapper passes to targets but keeps in a private header; the same
 * in all kernels so far.
 */
#ifndef THINX_COMPAT_DM_PRIVATE_H
#define THINX_COMPAT_DM_PRIVATE_H

#include <linux/bits.h>

/* In the flags of the status operation: dmsetup status --noflush. */
#define THINX_STATUS_NOFLUSH BIT(0)

#endif /* THINX_COMPAT_DM_PRIVATE_H */
