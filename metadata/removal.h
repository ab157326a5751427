/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Long removals, which take the lock by themselves.
 */
#ifndef THINX_REMOVAL_H
#define THINX_REMOVAL_H

#include "metadata/metadata.h"

/** thinx_removal_delete() - thinx_md_delete() */
int __must_check thinx_removal_delete(struct thinx_md *md, u32 id);

/** thinx_removal_release_snap() - thinx_md_release_snap() */
int __must_check thinx_removal_release_snap(struct thinx_md *md);

#endif /* THINX_REMOVAL_H */
