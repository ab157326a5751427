/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The mode type of dm_get_device() and dm_table_get_mode(): blk_mode_t since
 * Linux 6.5.
 */
#ifndef THINX_COMPAT_DM_MODE_H
#define THINX_COMPAT_DM_MODE_H

#include <linux/device-mapper.h>

#include "compat-probed.h"

#if !THINX_HAVE_BLK_MODE_T

typedef fmode_t blk_mode_t;

#define BLK_OPEN_READ	FMODE_READ
#define BLK_OPEN_WRITE	FMODE_WRITE

#endif

#endif /* THINX_COMPAT_DM_MODE_H */
