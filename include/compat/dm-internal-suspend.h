/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Functions device-mapper exports to modules without a public header; the same
 * on all kernels so far.
 */
#ifndef THINX_COMPAT_DM_INTERNAL_SUSPEND_H
#define THINX_COMPAT_DM_INTERNAL_SUSPEND_H

struct mapped_device;

void dm_internal_suspend_noflush(struct mapped_device *md);
void dm_internal_resume(struct mapped_device *md);

#endif /* THINX_COMPAT_DM_INTERNAL_SUSPEND_H */
